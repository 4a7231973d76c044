"""Problems whose answer is known: norms with a linear signal of the embedding, or none."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Planted:
    """What `crossvalidate` asks of norms."""

    values: np.ndarray
    lemmas: tuple[str, ...]
    taxonomy: tuple[str, ...]
    kinds: tuple[str, ...] | None = None


def planted(n=120, width=16, features=60, *, signal=1.0, seed=0, density=0.15):
    """Embeddings and sparse norms: the `density` highest cells of a linear map plus noise, by feature."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, width))
    linear = X @ rng.standard_normal((width, features)) / np.sqrt(width)
    latent = signal * linear + np.sqrt(1 - signal**2) * rng.standard_normal((n, features))
    common = rng.uniform(0.3, 2, features) * density
    cut = np.array([np.quantile(latent[:, f], 1 - min(common[f], 0.9)) for f in range(features)])
    values = np.where(latent > cut, np.round(5 + 10 * (latent - cut)), 0.0)
    values[values.sum(axis=1) == 0, 0] = 5
    categories = tuple(f"c{int(v > 0)}{int(w > 0)}" for v, w in X[:, :2])
    kinds = tuple("taxonomic" if f % 6 == 0 else "function" for f in range(features))
    return X, Planted(values, tuple(f"w{i}" for i in range(n)), categories, kinds)
