"""How time and memory of one fold grow with concepts, width and features, up to what the machine holds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import psutil

from benchmarks.problems import random_problem, seconds

COMPONENTS = 100
DENSITY = 0.003
BASE = {"concepts": 4000, "width": 384, "features": 4000}
GROWTH = {
    "concepts": (1000, 2000, 4000, 8000, 16000),
    "width": (128, 256, 512, 1024, 2048),
    "features": (1000, 2000, 4000, 8000, 16000),
}
TOGETHER = ((2500, 512, 2500), (5000, 1024, 5000), (10000, 2048, 10000), (20000, 4096, 20000))
"""Everything grows at once, to the largest shape asked for."""


def _gib_needed(concepts: int, width: int, features: int) -> float:
    """Targets and embeddings, the training rows of both, what multiplies them, and some matrices of the width."""
    doubles = 2.2 * concepts * (features + width) + 2 * width * features + 8 * width**2
    return 0.6 + doubles * 8 / 2**30


def _gib_there() -> float:
    return psutil.virtual_memory().available / 2**30  # what the system keeps of files counts, too: it is given up


def fold(concepts: int, width: int, features: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings and targets, and the rows to fit (nine tenths of them) and to score."""
    X, norms = random_problem(concepts, width, features, round(DENSITY * concepts * features))
    return X, norms.values, np.arange(concepts // 10, concepts), np.arange(concepts // 10)


def fit(X: np.ndarray, Y: np.ndarray, train: np.ndarray, held: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Fit 100 components; the errors of every size on the rows that were held back."""
    from interp.inference import pls

    return pls.fit_folds(X, Y, [train], COMPONENTS, device=device)[0].squared_errors(X[held], Y[held])


def measure(concepts: int, width: int, features: int) -> dict[str, Any]:
    """One fold of that shape, if it fits into memory."""
    shape = {"concepts": concepts, "width": width, "features": features}
    what = f"{concepts:,} x {width:,} -> {features:,}"
    if _gib_needed(concepts, width, features) > 0.85 * _gib_there():
        return {"what": what, "seconds": None, "note": "not run: too little memory free", **shape}
    problem = fold(concepts, width, features)
    return {"what": what, "seconds": seconds(lambda: fit(*problem)), "note": "one fold, random data", **shape}


def rows() -> dict[str, Callable[[], dict[str, Any]]]:
    """The measurements, small ones first."""
    shapes = {
        f"{axis} {value}": tuple((BASE | {axis: value}).values()) for axis in GROWTH for value in GROWTH[axis]
    } | {f"together {shape[0]}": shape for shape in TOGETHER}
    return {name: functools.partial(measure, *shape) for name, shape in shapes.items()}


def _slope(points: list[tuple[float, float]]) -> float:
    x, y = np.log(np.array(points)).T
    return float(np.polyfit(x, y, 1)[0])


def summary(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Log-log slopes over the upper half of each axis, and what they mean for the largest shape."""
    lines = ["| grows | from | to | time grows as | memory grows as |", "| --- | ---: | ---: | ---: | ---: |"]
    axes = {axis: [measured.get(f"{axis} {v}") for v in values] for axis, values in GROWTH.items()}
    axes["all three together"] = [measured.get(f"together {shape[0]}") for shape in TOGETHER]
    for axis, found in axes.items():
        done = [m for m in found if m is not None and m["seconds"]][-3:]
        if len(done) < 2:
            continue
        key = axis if axis in BASE else "concepts"
        time = _slope([(m[key], m["seconds"]) for m in done])
        memory = _slope([(m[key], m["peak_gib"]) for m in done])
        lines.append(
            f"| {axis} | {done[0][key]:,} | {done[-1][key]:,} | {axis.split()[0]}^{time:.2f} | "
            f"{axis.split()[0]}^{memory:.2f} |"
        )
    return "\n".join([*lines, "", _beyond(measured)])


def _beyond(measured: Mapping[str, Mapping[str, Any]]) -> str:
    done = [m for s in TOGETHER if (m := measured.get(f"together {s[0]}")) and m["seconds"]]
    text = (
        "Slopes are over the three largest sizes measured; memory includes what Python and its libraries take (about "
        "half a GiB), so that its slope is below that of the data. "
    )
    if len(done) < 2:
        return text
    last, largest = done[-1], TOGETHER[-1]
    cost = f"{last['seconds']:.0f} s and {last['peak_gib']:.1f} GiB a fold"
    if last["concepts"] == largest[0]:
        text += f"The largest shape, {last['what']}, took {cost}. "
    else:
        slope = _slope([(m["concepts"], m["seconds"]) for m in done[-2:]])
        minutes = last["seconds"] * (largest[0] / last["concepts"]) ** slope / 60
        text += (
            f"The largest shape measured, {last['what']}, took {cost}. By the slope of the last two, "
            f"{largest[0]:,} x {largest[1]:,} -> {largest[2]:,} would take about {minutes:.0f} minutes a fold, and "
            f"{_gib_needed(*largest):.0f} GiB. "
        )
    return text + (
        "Beyond it: the products with Y grow with concepts x width x features, the cross-product matrix with width^2 x "
        "features, the search for the components with width^2 and nothing else. At a fixed width, time and memory are "
        "thus proportional to concepts x features, the size of Y held as a dense matrix. Folds of one fit share Y and "
        "X, but each has a matrix of width^2 of its own."
    )
