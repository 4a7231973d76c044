"""Training one decoder per position scheme: same seed, same initial weights, same batches in the same order.

A run is a function of its seed and of the vocabulary (kept in ``OUT/tokenizer``): batches and initial weights are drawn
by name, there is no dropout, and a checkpoint holds the weights and the optimiser's moments, so that an interrupted run
goes on as if nothing had happened.
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from interp import files
from interp.errors import InputError
from interp.pretraining import prose
from interp.pretraining.sizes import SIZES, Size
from interp.registry import unknown
from interp.seeding import generator
from interp.subjects.positions import SCHEMES, PositionConfig, PositionDecoder

INITIAL = 0.04
"""Standard deviation of the initial weights."""
BETAS, DECAY, CLIP, WARMUP, LAST_RATE = (0.9, 0.95), 0.1, 1.0, 0.05, 0.1
RECORD, CHECKPOINT = "training.json", "checkpoint.safetensors"


def config(size: Size, scheme: str, vocabulary: int) -> PositionConfig:
    """The configuration of one decoder."""
    return PositionConfig(
        position_scheme=scheme,
        vocab_size=vocabulary,
        hidden_size=size.width,
        intermediate_size=size.inner,
        num_hidden_layers=size.blocks,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=size.window,
        initializer_range=INITIAL,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=None,
        use_cache=False,
    )


def untrained(settings: PositionConfig, seed: int) -> PositionDecoder:
    """A decoder whose every matrix depends on the seed and its own name, so that schemes share all they have in common.

    The embedding row of padding is zero, as transformers sets it.
    """
    settings._attn_implementation = "eager"  # on a CPU, and at this size, faster than the fused forms
    model = PositionDecoder(settings)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                drawn = generator(seed, "initial", name).standard_normal(weight.shape, dtype=np.float32)
                weight.copy_(INITIAL * torch.from_numpy(drawn))
        model.embed_tokens.weight[settings.pad_token_id] = 0.0
    return model


def loss(model: PositionDecoder, ids: Int[Tensor, "text position"]) -> Float[Tensor, ""]:
    """Mean cross-entropy of the next token, in nats; the output matrix is the embedding table."""
    # Products in bfloat16, weights and moments in float32: twice the speed, on a recent CPU too.
    with torch.autocast(ids.device.type, torch.bfloat16):
        hidden = model(input_ids=ids[:, :-1]).last_hidden_state
        logits = functional.linear(hidden, model.embed_tokens.weight)
    return functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())


def batch_rows(count: int, size: int, step: int, seed: int) -> Int[np.ndarray, "text"]:
    """Which windows step `step` (from 0) sees: each pass over the text in an order of its own."""
    places = np.arange(step * size, (step + 1) * size)
    orders = {int(e): generator(seed, "order", str(e)).permutation(count) for e in np.unique(places // count)}
    return np.array([orders[int(p // count)][p % count] for p in places])


def rate(size: Size, step: int) -> float:
    """Learning rate: linear warm-up, then a cosine down to a tenth."""
    warm = max(1, round(WARMUP * size.steps))
    if step < warm:
        return size.rate * (step + 1) / warm
    done = (step - warm) / max(1, size.steps - warm)
    return size.rate * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * done)))


def optimiser(model: PositionDecoder) -> torch.optim.AdamW:
    """AdamW; only matrices decay."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1.0, betas=BETAS)


def held_out_losses(model: PositionDecoder, ids: Int[Tensor, "window position"], batch: int) -> list[float]:
    """Mean loss of each held-out window."""
    found: list[float] = []
    model.eval()
    with torch.no_grad():
        for part in ids.split(batch):
            hidden = model(input_ids=part[:, :-1]).last_hidden_state
            logits = functional.linear(hidden, model.embed_tokens.weight).float()
            each = functional.cross_entropy(logits.transpose(1, 2), part[:, 1:], reduction="none")
            found += each.mean(dim=1).tolist()
    model.train()
    return found


def train(
    model: PositionDecoder,
    text: Int[np.ndarray, "window position"],
    held_out: Int[np.ndarray, "window position"],
    size: Size,
    *,
    seed: int,
    folder: Path,
    stop: int | None = None,
) -> dict[str, Any]:
    """Train in place, from the last checkpoint of `folder` where there is one; gives the record of the run so far.

    Parameters
    ----------
    stop
        Give up after this step, as an interruption would (for tests).
    """
    device = model.device
    adam = optimiser(model)
    record = _resume(model, adam, folder)
    record = record or {"step": 0, "seconds": 0.0, "train": [], "held out": []}
    valid = torch.from_numpy(held_out).long().to(device)
    began, before, recent = time.perf_counter(), record["seconds"], []
    if not record["held out"]:
        record["held out"].append([0, float(np.mean(held_out_losses(model, valid, size.batch)))])
    model.train()
    bar = tqdm(total=size.steps, initial=record["step"], desc=model.scheme, unit="step")
    for step in range(record["step"], size.steps):
        for group in adam.param_groups:
            group["lr"] = rate(size, step)
        rows = batch_rows(len(text), size.batch, step, seed)
        value = loss(model, torch.from_numpy(text[rows]).long().to(device))
        adam.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        adam.step()
        recent.append(float(value.detach()))
        bar.update()
        done = step + 1
        if done % size.every == 0 or done == size.steps:
            windows = held_out_losses(model, valid, size.batch)
            record["train"].append([done, float(np.mean(recent))])
            record["held out"].append([done, float(np.mean(windows))])
            record |= {"step": done, "seconds": before + time.perf_counter() - began, "held out windows": windows}
            recent = []
            bar.set_postfix(held_out=f"{record['held out'][-1][1]:.3f}")
            _checkpoint(model, adam, record, folder)
        if done == stop:
            break
    bar.close()
    return record


def _checkpoint(model: PositionDecoder, adam: torch.optim.AdamW, record: dict[str, Any], folder: Path) -> None:
    """Weights and moments as safetensors, the record in its header, so that the two cannot come apart."""
    tensors = {f"weights.{n}": p.detach().contiguous() for n, p in model.named_parameters()}
    for name, parameter in model.named_parameters():
        tensors |= {f"{k}.{name}": adam.state[parameter][k].contiguous() for k in ("exp_avg", "exp_avg_sq")}
    path = folder / CHECKPOINT
    try:
        with files.replacing(path) as partial:
            save_file(tensors, partial, metadata={"record": json.dumps(record)})
    except SafetensorError as error:  # what the library makes of a full disk
        raise InputError(
            f"cannot write {path}: {error}; the last checkpoint is kept, and the run goes on from it"
        ) from None


def _resume(model: PositionDecoder, adam: torch.optim.AdamW, folder: Path) -> dict[str, Any] | None:
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        tensors = load_file(path, device=str(model.device))
        with safe_open(path, "pt") as opened:
            record: dict[str, Any] = json.loads(opened.metadata()["record"])
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(tensors[f"weights.{name}"])
                adam.state[parameter] = {
                    "step": torch.tensor(float(record["step"])),
                    **{k: tensors[f"{k}.{name}"] for k in ("exp_avg", "exp_avg_sq")},
                }
    except (SafetensorError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(
            f"{path} is no checkpoint of this model ({reason}): remove it, or give another --out"
        ) from None
    return record


def run(
    schemes: Sequence[str], size: str, *, seed: int, out: Path, device: str, steps: int | None = None
) -> dict[str, dict[str, Any]]:
    """Train a decoder for each scheme into ``out/SCHEME``: weights, configuration, tokenizer and training record.

    A scheme that is finished there is not trained again; one that was interrupted goes on.

    Parameters
    ----------
    steps
        Another number of steps than the size's.

    Returns
    -------
    dict
        Per scheme its record, as in ``out/SCHEME/training.json``.

    Raises
    ------
    InputError
        For an unknown scheme, size or device, no text, or a folder with a run of other settings.
    """
    from dataclasses import asdict, replace

    from interp.subjects.catalogue import check_device

    for scheme in schemes:
        if scheme not in SCHEMES:
            raise InputError(unknown("position scheme", scheme, [*SCHEMES, "all"]))
    if size not in SIZES:
        raise InputError(unknown("size", size, list(SIZES)))
    if steps is not None and steps < 1:
        raise InputError(f"--steps {steps}: at least one")
    if seed < 0:
        raise InputError(f"--seed {seed}: 0 or more")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a folder")
    check_device(device)
    chosen = SIZES[size] if steps is None else replace(SIZES[size], steps=steps, every=min(SIZES[size].every, steps))
    settings = {"size": size, "seed": seed, **{k: v for k, v in asdict(chosen).items() if k != "note"}}
    for scheme in schemes:
        _same_settings(out / scheme, settings)
    if all((out / scheme / RECORD).is_file() for scheme in schemes):
        return {scheme: json.loads((out / scheme / RECORD).read_text()) for scheme in schemes}
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    books = prose.load()
    coder = _tokenizer(out, books.train, chosen)
    text = prose.windows(coder, books.train, chosen.window)
    held_out = prose.windows(coder, books.held_out, chosen.window)
    if len(held_out) > chosen.held_out:
        picked = generator(0, "held-out windows").choice(len(held_out), size=chosen.held_out, replace=False)
        held_out = held_out[np.sort(picked)]
    about = {
        "text sha256": books.checksum,
        "held-out books": list(books.books),
        "sentences": len(books.train),
        "windows": len(text),
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "device": device,
        "threads": torch.get_num_threads(),
    }
    found = {}
    for scheme in schemes:
        folder = out / scheme
        if (folder / RECORD).is_file():
            found[scheme] = json.loads((folder / RECORD).read_text())
            continue
        files.write_text(folder / "settings.json", json.dumps(settings, indent=1) + "\n")
        model: Any = untrained(config(chosen, scheme, len(coder)), seed)
        model.to(device)
        record = train(model, text, held_out, chosen, seed=seed, folder=folder)
        model.to(torch.float16).to(torch.float32)  # what is published; so the last loss is that of these weights
        valid = torch.from_numpy(held_out).long().to(device)
        record["held out windows"] = held_out_losses(model, valid, chosen.batch)
        found[scheme] = _publish(model, coder, folder, {"scheme": scheme, **settings, **about, **record})
    return found


def _tokenizer(out: Path, texts: Sequence[str], size: Size) -> Any:
    """The vocabulary all runs in `out` share, made by the first of them.

    The library that makes it breaks ties otherwise in every process, so that a run which goes on, or beside another,
    must not make it anew.
    """
    from transformers import PreTrainedTokenizerFast

    folder = out / "tokenizer"
    if not folder.is_dir():
        made = prose.tokenizer(texts, size.vocabulary, size.window)
        partial = files.partial_name(folder)
        try:
            made.save_pretrained(partial)
            files.sync(partial)
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another process made it first: it is the one to share.
        finally:
            files.remove(partial)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def _same_settings(folder: Path, settings: dict[str, Any]) -> None:
    path = folder / "settings.json"
    if path.is_file() and json.loads(path.read_text()) != settings:
        raise InputError(f"{folder} holds a run with other settings ({path.name} has them); give another --out")


def _publish(model: Any, coder: Any, folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Weights, configuration, tokenizer and, once these are there, the record, in place of the checkpoint."""
    partial = files.partial_name(folder / "published")
    try:
        model.to(torch.float16).save_pretrained(partial)
        coder.save_pretrained(partial)
        files.sync(partial)
        for path in partial.iterdir():
            path.replace(folder / path.name)
    except SafetensorError as error:
        raise InputError(f"cannot write {folder}: {error}; the last checkpoint is kept, run it again") from None
    finally:
        files.remove(partial)
    record["parameters"] = sum(p.numel() for p in model.parameters())
    record["tokens"] = record["step"] * record["batch"] * (record["window"] - 1)
    record["weights sha256"] = files.sha256(folder / "model.safetensors")
    files.write_text(folder / RECORD, json.dumps(record, indent=1) + "\n")
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return record
