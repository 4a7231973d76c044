"""Every study on a second device gives what it gives on the CPU: no tensor is left behind.

The device is `tests.elsewhere`, so this runs without a GPU; in one process of its own, because torch then believes in
an accelerator. On a real GPU the tests marked `gpu` run.
"""

import inspect
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from interp import residual, studies
from interp.attention import PERTURBATIONS
from interp.studies.ground_truth import CONDITIONS
from tests.conftest import ROOT
from tests.test_devices import STATISTICS
from tests.tiny import FAMILIES

SUBJECT, NORMS = "minilm", "everyday"
FEW: dict[str, Any] = {"concepts": 40, "folds": 3}
WITHOUT_WORDS = [name for name in PERTURBATIONS if name != "swap"]

STUDIES: dict[str, Callable[[str], Any]] = {
    "attention_structure": lambda d: studies.attention_structure(SUBJECT, "plain", WITHOUT_WORDS, texts=4, device=d),
    "attention_swaps": lambda d: studies.attention_swaps(SUBJECT, texts=4, device=d),
    "attention_crossed": lambda d: studies.attention_crossed(SUBJECT, items=2, device=d),
    "attention_positions": lambda d: studies.attention_positions(SUBJECT, least=60, most=80, device=d),
    "attention_example": lambda d: studies.attention_example(SUBJECT, "a dog runs", device=d),
    "attention_rounds": lambda d: studies.attention_rounds(SUBJECT, count=2, device=d),
    "attention_lineup": lambda d: studies.attention_lineup(SUBJECT, texts=4, device=d),
    "residual_mixing": lambda d: studies.residual_mixing(SUBJECT, "plain", list(residual.METHODS), texts=1, device=d),
    "traced_text": lambda d: [studies.traced_text(SUBJECT, "a dog runs", m, device=d)[1] for m in residual.METHODS],
    "token_identity": lambda d: studies.token_identity(SUBJECT, texts=12, types=50, queries=20, device=d),
    "blank_out": lambda d: studies.blank_out(SUBJECT, texts=1, device=d),
    "output_change": lambda d: studies.output_change(f"{SUBJECT}:heads-0.5", SUBJECT, texts=8, device=d),
    "cost": lambda d: studies.cost(SUBJECT, SUBJECT, texts=4, rounds=1, device=d).filter(like="bytes"),
    "context_similarity": lambda d: studies.context_similarity(SUBJECT, NORMS, concepts=20, device=d),
    "contextual_scores": lambda d: studies.contextual_scores(
        SUBJECT, NORMS, "context:3", ["original", "shuffle-rows"], seeds=[0], largest=10, device=d, **FEW
    ),
    "property_scores, plsr": lambda d: studies.property_scores(
        SUBJECT, NORMS, ["original", "random-lookup", "nonsense-embedding"], seeds=[0], largest=10, device=d, **FEW
    ),
    "property_scores, layer 0": lambda d: studies.property_scores(
        SUBJECT, NORMS, embedding="layer:0", seeds=[0], largest=10, device=d, **FEW
    ),
    "property_scores, ffnn": lambda d: studies.property_scores(
        SUBJECT, NORMS, ["original", "noise"], mapping="ffnn", seeds=[0], device=d, **FEW
    ),
    "permutation_null": lambda d: studies.permutation_null(SUBJECT, NORMS, permutations=9, largest=10, device=d, **FEW),
    "synthetic_scores": lambda d: studies.synthetic_scores(
        SUBJECT, NORMS, [(0.1, 5)], features=40, largest=10, device=d, **FEW
    ),
    "planted_norms": lambda d: studies.planted_norms(
        SUBJECT, NORMS, CONDITIONS[:1], replicates=1, permutations=3, largest=3, device=d, **FEW
    ),
    "probe_items": lambda d: studies.probe_items(SUBJECT, NORMS, pairs=30, device=d),
    "probe_counts": lambda d: studies.probe_counts(
        SUBJECT, NORMS, splits=["ungrouped"], pairs=30, folds=2, seeds=1, twins=1, device=d
    ),
}
"""Each study that computes with a subject's tensors, on little data."""


def statistics_of(family: str, name: str, folder: Path) -> Callable[[str], pd.DataFrame]:
    """A statistic of a small random model of the family."""
    from interp import subjects
    from tests import tiny

    where = tiny.folder(family, folder / f"{family}-{name}".replace(" ", "-"))
    return lambda d: STATISTICS[name](subjects.load(str(where), device=d))


BY_FAMILY = [f"{family}: {name}" for family in FAMILIES for name in STATISTICS]


FORGOTTEN: dict[str, Callable[[str], Any]] = {
    "same device": lambda d: float(torch.ones(3, device=d) @ torch.ones(3)),
    "to numpy": lambda d: torch.ones(3, device=d).numpy(),
}
"""What a second device refuses, and how."""


def compare(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-7) -> None:
    """Refuse results that differ by more than rounding."""
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, rtol=rtol, atol=atol)
    elif isinstance(a, pd.Series):
        pd.testing.assert_series_equal(a, b, rtol=rtol, atol=atol)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            compare(a[key], b[key], rtol, atol)
    elif isinstance(a, list | tuple):
        for one, other in zip(a, b, strict=True):
            compare(one, other, rtol, atol)
    elif isinstance(a, np.ndarray | float):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)
    elif hasattr(a, "__dict__"):
        compare(vars(a), vars(b), rtol, atol)
    else:
        assert a == b


def main() -> None:
    """In a process of its own: a line of JSON for each study, with what went wrong."""
    from tests.elsewhere import a_second_device

    with tempfile.TemporaryDirectory() as scratch:
        families = {name: statistics_of(*name.split(": "), Path(scratch)) for name in BY_FAMILY}
        for name, study in (FORGOTTEN | STUDIES | families).items():
            wrong = ""
            try:
                os.environ["INTERP_RESULTS"] = f"{scratch}/here"
                here = study("cpu")
                # Another store: a stored result does not ask where it was computed.
                os.environ["INTERP_RESULTS"] = f"{scratch}/elsewhere"
                with a_second_device() as device:
                    there = study(device)
                compare(here, there)
            except Exception:
                wrong = traceback.format_exc()
            print(json.dumps([name, wrong]), flush=True)


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    run = subprocess.run([sys.executable, "-m", "tests.test_second_device"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return dict(map(json.loads, run.stdout.splitlines()))


def test_every_study_that_takes_a_device_is_here():
    takes = [name for name in studies.__all__ if "device" in inspect.signature(getattr(studies, name)).parameters]
    assert {name.split(", ")[0] for name in STUDIES} == set(takes)


@pytest.mark.xdist_group("second-device")
@pytest.mark.parametrize("refusal", list(FORGOTTEN))
def test_a_tensor_that_is_left_behind_is_noticed(found, refusal):
    assert refusal in found[refusal].splitlines()[-1]


@pytest.mark.xdist_group("second-device")
@pytest.mark.parametrize("name", [*STUDIES, *BY_FAMILY])
def test_no_tensor_is_left_behind(found, name):
    assert found[name] == "", found[name]


@pytest.mark.gpu
@pytest.mark.parametrize("name", list(STUDIES))
def test_a_gpu_gives_nearly_the_same(name, tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_RESULTS", str(tmp_path / "cpu"))
    here = STUDIES[name]("cpu")
    monkeypatch.setenv("INTERP_RESULTS", str(tmp_path / "cuda"))
    compare(here, STUDIES[name]("cuda"), rtol=1e-2, atol=1e-3)


if __name__ == "__main__":
    main()
