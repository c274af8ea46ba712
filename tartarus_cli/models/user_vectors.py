"""Vectors of users that a model brings along: its own, or sums over what users played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix, open_matrix
from tartarus_cli.data.items import open_items
from tartarus_cli.errors import DataError, FileError, display_path
from tartarus_cli.experiments.inputs import input_sources
from tartarus_cli.models.store import Model
from tartarus_cli.scoring.users import FactorRows, PlayedRows, UserRows

OWN_VECTORS, TRAIN_VECTORS = "user_vectors.npy", "train_vectors.npy"
"""Files of a model's folder: vectors of its users, and of the items of its training."""

HISTORY_EXPONENT = 0.75
"""The sum of the vectors of what a user played is divided by their number to this power."""


def vector_files(model: Model) -> tuple[Path, ...]:
    """Return the files of a model's folder that its users' vectors are read from."""
    names = {"own": OWN_VECTORS, "history": TRAIN_VECTORS}
    name = names.get(model.manifest.users)
    return () if name is None else (model.folder / name,)


def user_rows(
    model: Model, plays: csr_array | None, users: NDArray[np.int64] | None = None
) -> UserRows:
    """Return what the vectors of items of a model are multiplied by.

    Parameters
    ----------
    model
        A model whose predictions are vectors, with a bias in the last column.
    plays
        For vectors that are sums over what users played: that, ``(users, train items)``, float32.
    users
        The numbers of some users that are wanted alone; None: all. ``plays`` are of these.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    dim = model.manifest.target_dim
    if model.manifest.users == "factors":
        factors = model.dataset.user_factors("als", dim)
        return FactorRows(_select(factors, users), biased=True)
    if model.manifest.users == "own":
        (path,) = vector_files(model)
        return FactorRows(_select(_open(model, path, dim), users), biased=True)
    if model.manifest.users == "features":
        sources = input_sources(model.experiment, model.manifest.settings)
        inputs = open_items(model.dataset, sources, "train").inputs
        vectors = tuple(matrix for matrix in inputs if isinstance(matrix, Matrix))
        exponent = 0.0
    else:
        vectors = tuple(_open(model, path, dim) for path in vector_files(model))
        exponent = HISTORY_EXPONENT
    items = vectors[0].shape[0]
    if plays is None or plays.shape[1] != items:
        found = "none" if plays is None else f"{plays.shape[1]:,}"
        msg = f"{model.name} was trained on the plays of {items:,} train items, and there are "
        msg += found
        raise DataError(msg, hint=f"Train {model.name} again.")
    fit = model.manifest.items.get("fit", items)
    if fit < items:  # the last train items validated: what users played of them is no part of it
        plays = csr_array(plays[:, :fit])
        vectors = tuple(matrix.select(slice(fit)) for matrix in vectors)
    return PlayedRows(plays, vectors, exponent, biased=True)


def _open(model: Model, path: Path, dim: int) -> Matrix:
    if not path.is_file():
        msg = f"{display_path(path)} is missing"
        raise DataError(msg, hint=f"Train {model.name} again.")
    matrix = open_matrix(path)
    if matrix.sparse or matrix.shape[1] != dim:
        raise FileError(
            path,
            found=f"a matrix of {matrix.shape[1]:,} columns",
            expected=f"a dense one of {dim:,}, as {model.name} learnt",
            hint=f"Train {model.name} again.",
        )
    return matrix


def _select(matrix: Matrix, users: NDArray[np.int64] | None) -> Matrix:
    return matrix if users is None else matrix.select(users)
