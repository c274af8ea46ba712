"""A recommendation dataset of any size, without meaning: factors, truth and predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from scipy.sparse import csr_array, save_npz

ITEMS, DIM, RELEVANT = 65_764, 200, 10  # a fifth of the songs of MSD-A


def make_listeners(
    root: Path, *, users: int, items: int = ITEMS, dim: int = DIM, relevant: int = RELEVANT
) -> Path:
    """Write the dataset ``big`` into a workspace, and return the file of predictions.

    Users have ``relevant`` test items on average, the popular ones more often than the others.
    """
    datasets = root / "data" / "datasets"
    datasets.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split, count in (("train", 2), ("test", items)):
        lines = "".join(f"{split}-{number}\n" for number in range(count))
        (datasets / f"items_index_{split}_big.tsv").write_text(lines)
    strength = (1 / np.sqrt(np.arange(1, dim + 1))).astype(np.float32)
    np.save(datasets / f"item_factors_als_{dim}_big.npy", np.ones((2, dim), np.float32))
    np.save(datasets / f"item_factors_test_als_{dim}_big.npy", _factors(rng, items, strength))
    path = datasets / f"user_factors_als_{dim}_big.npy"
    factors = open_memmap(path, "w+", np.float32, (users, dim))
    for first in range(0, users, 1 << 14):
        factors[first : first + (1 << 14)] = _factors(rng, min(1 << 14, users - first), strength)
    factors.flush()
    save_npz(datasets / "matrix_test_big.npz", _truth(rng, users, items, relevant))
    predicted = root / "predicted.npy"
    np.save(predicted, _factors(rng, items, strength))
    return predicted


def _factors(rng: np.random.Generator, rows: int, strength: np.ndarray) -> np.ndarray:
    return np.asarray(rng.standard_normal((rows, len(strength)), np.float32) * strength)


def _truth(rng: np.random.Generator, users: int, items: int, relevant: int) -> csr_array:
    popularity = 1 / np.arange(10, items + 10) ** 0.7
    popularity *= users * relevant / popularity.sum()
    many = np.minimum(rng.poisson(popularity), users).astype(np.int64)
    indices = rng.integers(users, size=int(many.sum()), dtype=np.int32)
    starts = np.concatenate([[0], np.cumsum(many)])
    truth = csr_array((np.ones(len(indices), np.float32), indices, starts), (items, users))
    truth.sum_duplicates()
    truth.data[:] = 1
    return truth
