"""A linear map from hidden states to targets, fitted on a stream: only moments are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

PENALTIES = tuple(10.0**e for e in range(-6, 2))
"""Tried on the development set, in units of the states' mean variance per dimension."""


class Moments:
    """Running sums of states, targets and their products; memory does not grow with the number of rows."""

    def __init__(self, width: int, outer: int) -> None:
        self.n = 0
        self.x = torch.zeros(width, dtype=torch.float64)
        self.y = torch.zeros(outer, dtype=torch.float64)
        self.xx = torch.zeros(width, width, dtype=torch.float64)
        self.xy = torch.zeros(width, outer, dtype=torch.float64)
        self.yy = 0.0

    def add(self, x: Float[Tensor, "row width"], y: Float[Tensor, "row outer"]) -> None:
        """Add rows."""
        x, y = x.double().cpu(), y.double().cpu()
        self.n += len(x)
        self.x += x.sum(dim=0)
        self.y += y.sum(dim=0)
        self.xx += x.T @ x
        self.xy += x.T @ y
        self.yy += float(y.square().sum())

    def about(self, x: Float[Tensor, "width"], y: Float[Tensor, "outer"]) -> tuple[Tensor, Tensor, float]:
        """Mean products of (state - x) with itself and with (target - y), and the mean square of the latter."""
        dx, dy = self.x / self.n - x, self.y / self.n - y
        mean_x, mean_y = self.x / self.n, self.y / self.n
        xx = self.xx / self.n - torch.outer(mean_x, mean_x) + torch.outer(dx, dx)
        xy = self.xy / self.n - torch.outer(mean_x, mean_y) + torch.outer(dx, dy)
        return xx, xy, self.yy / self.n - float(mean_y @ mean_y) + float(dy @ dy)


@dataclass(frozen=True)
class LinearMap:
    """y = (x - mean_x) W + mean_y."""

    mean_x: Float[Tensor, "width"]
    mean_y: Float[Tensor, "outer"]
    weight: Float[Tensor, "width outer"]
    penalty: float

    def centred(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch outer"]:
        """The prediction without its intercept: to be compared with targets less their mean."""
        return (x - self.mean_x.to(x)) @ self.weight.to(x)


def ridge(fit: Moments, development: Moments, penalties: Sequence[float] = PENALTIES) -> LinearMap:
    """Ridge regression with an intercept, the penalty with the smallest squared error on the development set."""
    mean_x, mean_y = fit.x / fit.n, fit.y / fit.n
    xx, xy, _ = fit.about(mean_x, mean_y)
    dev_xx, dev_xy, dev_yy = development.about(mean_x, mean_y)
    values, vectors = torch.linalg.eigh(xx)
    scale = values.clamp_min(0).mean().clamp_min(torch.finfo(torch.float64).tiny)
    # Everything in the eigenbasis of the states: a penalty then costs one product.
    xy, dev_xy, dev_xx = vectors.T @ xy, vectors.T @ dev_xy, vectors.T @ dev_xx @ vectors

    def solution(penalty: float) -> Tensor:
        return xy / (values.clamp_min(0) + penalty * scale)[:, None]

    def error(weight: Tensor) -> float:
        return dev_yy - 2 * float((weight * dev_xy).sum()) + float((weight * (dev_xx @ weight)).sum())

    best = min(penalties, key=lambda p: error(solution(p)))
    return LinearMap(mean_x, mean_y, vectors @ solution(best), best)
