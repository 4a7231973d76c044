"""How a decoder of this project's own was trained."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from interp import subjects
from interp.errors import InputError
from interp.resampling import interval
from interp.seeding import generator
from interp.store import Tables, study
from interp.subjects.catalogue import model_folder

RECORD = "training.json"


@study("training-record", identities={"subject": subjects.identify})
def _record(*, subject: str) -> Tables:
    path = model_folder(subject) / RECORD
    if not path.is_file():
        raise InputError(f"subject {subject!r} has no training record; those of `interp train-positions` have")
    record = json.loads(path.read_text(encoding="utf-8"))
    curve = [(what, int(step), float(loss)) for what in ("train", "held out") for step, loss in record[what]]
    plain = {k: v for k, v in record.items() if isinstance(v, (int, float, str))}
    return {
        "curve": pd.DataFrame(curve, columns=["text", "step", "loss"]),
        "windows": pd.DataFrame({"loss": record["held out windows"]}),
        "facts": pd.DataFrame({"fact": list(plain), "value": [str(v) for v in plain.values()]}),
    }


def training_record(subject: str) -> Tables:
    """What was written down when `subject` was trained by `interp train-positions`.

    Returns
    -------
    dict
        ``curve``: text (``train`` or ``held out``), step, loss in nats a token; ``windows``: loss of each held-out
        window after the last step; ``facts``: the rest, as text.

    Raises
    ------
    InputError
        For a subject without such a record.
    """
    return _record(subject=subject)


def perplexity(windows: pd.DataFrame, *, resamples: int = 1000) -> tuple[float, float, float]:
    """Perplexity over the held-out windows, with its 95 % bootstrap interval over windows."""
    losses = windows["loss"].to_numpy(dtype=float)
    drawn = generator(0, "windows").integers(len(losses), size=(resamples, len(losses)))
    low, high = interval(losses[drawn].mean(axis=1))
    return tuple(float(np.exp(x)) for x in (losses.mean(), low, high))  # type: ignore[return-value]
