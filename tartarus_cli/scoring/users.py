"""What an item's vector is multiplied by: factors of users, or sums over what they played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix, require_finite, unit_rows
from tartarus_cli.errors import FileError
from tartarus_cli.scoring.blocks import Floats

MAX_FACTOR = 1e30
"""Largest factor; products of larger ones may overflow."""

BLOCK_USERS = 1 << 13
"""Users whose rows are in memory at a time where nothing else limits them."""


class UserRows(Protocol):
    """A row for each user, read a block at a time."""

    @property
    def shape(self) -> tuple[int, int]:
        """Users, and columns of a row."""

    def rows(self, users: slice) -> Any:
        """Return the rows of some users, float32 ``(users, columns)``, dense or sparse."""

    def unknown(self, users: slice) -> NDArray[np.bool_]:
        """Return of which users nothing is known, ``(users,)``."""


@dataclass(frozen=True)
class FactorRows:
    """Factors from a file."""

    matrix: Matrix
    """``(users, dim)``."""
    unit: bool = False
    """Divide each row by its L2 norm."""
    biased: bool = False
    """Put a column of ones beside them, for the biases of items."""

    @property
    def shape(self) -> tuple[int, int]:
        """Users, and columns of a row."""
        users, dim = self.matrix.shape
        return users, dim + self.biased

    def rows(self, users: slice) -> Floats:
        """Return the factors of some users.

        Raises
        ------
        FileError
            If one is not finite, or so large that products overflow.
        """
        factors = self.matrix.rows(users)
        require_finite(self.matrix.path, factors, users.start)
        if np.abs(factors).max(initial=0) > MAX_FACTOR:
            raise FileError(
                self.matrix.path,
                found=f"factors as large as {np.abs(factors).max():g}",
                expected=f"at most {MAX_FACTOR:g}",
                hint="Factorize again: products of such large numbers overflow.",
            )
        factors = unit_rows(factors) if self.unit else factors
        return with_ones(factors) if self.biased else factors

    def unknown(self, users: slice) -> NDArray[np.bool_]:
        """Return which users have factors of zero; with biases, every user has an order."""
        if self.biased:
            return np.zeros(users.stop - users.start, bool)
        return np.asarray(~self.matrix.rows(users).any(axis=1))


@dataclass(frozen=True)
class PlayedRows:
    """What users played: 1 for each train item, or the sum of the vectors of these."""

    plays: csr_array
    """``(users, train items)``, float32, 1 where the user has the item."""
    vectors: tuple[Matrix, ...] = ()
    """``(train items, dim)`` each, side by side; none: each item has a column of its own."""
    exponent: float = 0.0
    """The sum is divided by the number of items to this power."""
    biased: bool = False
    """Put a column of ones beside them, for the biases of items."""

    @property
    def shape(self) -> tuple[int, int]:
        """Users, and columns of a row."""
        users, items = self.plays.shape
        columns = sum(matrix.shape[1] for matrix in self.vectors) if self.vectors else items
        return int(users), int(columns) + self.biased

    def rows(self, users: slice) -> Any:
        """Return the sums of some users; sparse where each item has a column of its own."""
        plays = self.plays[users]
        if not self.vectors:
            return plays
        if self.exponent:
            counts = np.maximum(np.diff(plays.indptr), 1).astype(np.float64)
            scale = np.repeat(counts**-self.exponent, np.diff(plays.indptr))
            plays = csr_array((plays.data * scale, plays.indices, plays.indptr), plays.shape)
        sums = [plays @ matrix.values for matrix in self.vectors]
        dense = np.hstack([s if isinstance(s, np.ndarray) else s.toarray() for s in sums])
        dense = np.asarray(dense, np.float32)
        return with_ones(dense) if self.biased else dense

    def unknown(self, users: slice) -> NDArray[np.bool_]:
        """Return which users have no train item; with biases, every user has an order."""
        if self.biased:
            return np.zeros(users.stop - users.start, bool)
        return np.asarray(np.diff(self.plays.indptr[users.start : users.stop + 1]) == 0)


def with_ones(rows: Floats) -> Floats:
    """Put a column of ones beside rows.

    >>> with_ones(np.zeros((1, 2), np.float32)).tolist()
    [[0.0, 0.0, 1.0]]
    """
    return np.column_stack([rows, np.ones(len(rows), np.float32)])


def user_slices(users: int, size: int = BLOCK_USERS) -> Iterator[slice]:
    """Cut all users into slices."""
    return (slice(first, min(first + size, users)) for first in range(0, users, size))
