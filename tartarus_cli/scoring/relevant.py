"""The items that are relevant to each user, in the order that equal scores keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

TieBreaking = Literal["drawn", "published"]
"""Equal scores keep an order of the items that is drawn from a seed, or the order of their list."""


def drawn_order(names: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Draw an order of items, or of classes, that does not depend on the order they come in.

    Each has the BLAKE2b hash of its name, keyed by the seed; they are sorted by it.

    Parameters
    ----------
    names
        Ids of items, or names of classes, all different.
    seed
        Of the draw.

    Returns
    -------
    The numbers of the names, in the order drawn, ``(names,)``.

    Examples
    --------
    >>> names = ["a", "b", "c", "d"]
    >>> one = [names[n] for n in drawn_order(names, 0)]
    >>> names.reverse()
    >>> one == [names[n] for n in drawn_order(names, 0)]
    True
    """
    key = str(seed).encode()
    hashes = [blake2b(name.encode(), digest_size=16, key=key).hexdigest() for name in names]
    return np.argsort(np.array(hashes, dtype="S32"), kind="stable")


def tie_order(names: Sequence[str], ties: TieBreaking, seed: int) -> NDArray[np.int64]:
    """Return the order that equal scores keep, ``(names,)``: drawn, or that of the names."""
    return drawn_order(names, seed) if ties == "drawn" else np.arange(len(names))


@dataclass(frozen=True)
class RelevantItems:
    """The test items that each user has; items are numbered in the order that ties keep."""

    relevant: csr_array
    """Sparse ``(users, items)``, items in ascending order."""
    order: NDArray[np.int64]
    """``(items,)``: the row of each item in the files."""

    def of(self, users: slice) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return where each user's items start, ``(users + 1,)``, and the items, by user."""
        starts = self.relevant.indptr[users.start : users.stop + 1].astype(np.int64)
        return starts - starts[0], self.relevant.indices[starts[0] : starts[-1]]

    def by_row(self, users: slice) -> NDArray[np.int64]:
        """Return the places of the users' items, ``(relevant,)``, by user and row in the files."""
        starts, items = self.of(users)
        owners = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        return np.argsort(owners * self.relevant.shape[1] + self.order[items])

    def rows(self, users: slice) -> NDArray[np.int32]:
        """Return the rows in the files of the users' items, ascending within each user."""
        _, items = self.of(users)
        return self.order[items[self.by_row(users)]].astype(np.int32)

    @property
    def popularity(self) -> NDArray[np.int64]:
        """How many users have each item, ``(items,)``, by its row in the files."""
        rows = self.order[self.relevant.indices]
        return np.bincount(rows, minlength=self.relevant.shape[1])
