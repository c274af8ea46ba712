"""The steps of a two-tower training: some items, and the users who played any of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.items import ItemSet
from tartarus_cli.errors import DataError
from tartarus_cli.training.augmentation import Augmentation

Numbers = NDArray[np.int64]
Offset = Callable[[Numbers, Numbers], NDArray[np.floating[Any]]]
"""Scores of another model, ``(users, items)``, for items and users by number: rows and columns of
the plays."""


class UserInputs(Protocol):
    """What a network reads of the users of a step."""

    def read(self, items: Numbers, users: Numbers, size: int) -> tuple[NDArray[Any], ...]:
        """Return arrays of ``size`` rows: one for each user, then rows of zeros."""


@dataclass(frozen=True)
class Step:
    """What is drawn for a step."""

    items: Numbers
    """``(items,)``: rows of the plays."""
    users: Numbers
    """``(users,)``: columns of the plays, ascending; each has a positive among the items."""
    positives: NDArray[np.uint8]
    """``(size, items)``: 1 where a user played an item; rows after those of the users are zero."""


def draw_step(
    plays: csr_array, items: Numbers, most_users: int, size: int, rng: np.random.Generator
) -> Step:
    """Find the users who played any of some items.

    Parameters
    ----------
    plays
        ``(items, users)``: whoever played an item is stored in its row.
    items
        Rows of the plays.
    most_users
        If there are more users, so many of them are drawn.
    size
        Rows of the positives.
    rng
        Draws users.

    Examples
    --------
    >>> plays = csr_array([[1, 0, 0, 1], [0, 0, 0, 1], [0, 1, 0, 0]])
    >>> step = draw_step(plays, np.array([1, 0]), 3, 3, np.random.default_rng(0))
    >>> step.users.tolist(), step.positives.tolist()
    ([0, 3], [[0, 1], [1, 1], [0, 0]])
    """
    drawn = plays[items]
    columns = np.repeat(np.arange(len(items)), np.diff(drawn.indptr))
    users, rows = np.unique(drawn.indices, return_inverse=True)
    if len(users) > most_users:
        chosen = np.sort(rng.choice(len(users), most_users, replace=False))
        place = np.full(len(users), -1)
        place[chosen] = np.arange(most_users)
        users, rows = users[chosen], place[rows]
        rows, columns = rows[rows >= 0], columns[rows >= 0]
    positives = np.zeros((size, len(items)), np.uint8)
    positives[rows, columns] = 1
    return Step(items, users.astype(np.int64), positives)


class Steps:
    """The steps of an epoch: all items in a drawn order, so many at a time.

    All steps have as many items, so that nothing is compiled twice: the last one begins again with
    the first items of the epoch. Of an item with several samples, such as patches, one is drawn.

    Parameters
    ----------
    items
        The inputs of items.
    rows
        ``(fit items,)``: which of the items are trained with; those without a sample are left out.
    plays
        ``(fit items, users)``.
    users
        What is read of the users.
    batch_size, most_users
        Items and users of a step, at most.
    offset
        Scores of another model, which are an input too.
    seed
        What is drawn depends on it, on the epoch and on the number of the step.
    augmentation
        How the inputs of items are changed.

    Raises
    ------
    DataError
        If none of the items has a sample.
    """

    def __init__(  # noqa: PLR0913 — one place makes it
        self,
        items: ItemSet,
        rows: Numbers,
        plays: csr_array,
        users: UserInputs,
        *,
        batch_size: int,
        most_users: int,
        offset: Offset | None,
        seed: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        self._augmentation = augmentation
        self._items, self._plays, self._users, self._offset = items, plays, users, offset
        self._samples = _samples_of(items, rows)
        self._usable = np.flatnonzero(np.diff(self._samples.indptr))
        if not len(self._usable):
            msg = f"none of the {len(rows):,} items that are to be fitted has any input"
            raise DataError(msg, hint="Look at the patches of the train items.")
        self._batch_size = min(batch_size, len(self._usable))
        self._most_users = most_users
        largest = np.sort(np.diff(plays.indptr))[-self._batch_size :]
        self._size: int = max(1, min(most_users, plays.shape[1], int(largest.sum())))
        self._seed, self._epoch = seed, -1
        self.reshuffle()

    @property
    def size(self) -> int:
        """Rows of users in each step, some of which stand for none."""
        return self._size

    def __len__(self) -> int:
        return (len(self._usable) + self._batch_size - 1) // self._batch_size

    def __getitem__(self, index: int) -> tuple[tuple[NDArray[Any], ...], NDArray[np.uint8]]:
        rng = np.random.default_rng([self._seed, self._epoch, index])
        places = np.arange(index * self._batch_size, (index + 1) * self._batch_size)
        step = draw_step(
            self._plays,
            self._order[places % len(self._order)],
            self._most_users,
            self._size,
            rng,
        )
        samples = self._draw_samples(step.items, rng)
        inputs = [*self._items.read(samples)]
        if self._augmentation is not None:
            lengths = self._items.lengths(samples)
            inputs = [*self._augmentation.apply(tuple(inputs), rng, lengths)]
        inputs += self._users.read(step.items, step.users, self._size)
        if self._offset is not None:
            offset = np.zeros(step.positives.shape, np.float32)
            offset[: len(step.users)] = self._offset(step.items, step.users)
            inputs.append(offset)
        return tuple(inputs), step.positives

    @property
    def state(self) -> dict[str, Any]:
        """What the steps of this epoch are drawn from, to be written as JSON."""
        return {"epoch": self._epoch}

    def restore(self, state: dict[str, Any], first: int) -> None:  # noqa: ARG002 — none is read
        """Begin again with the epoch of a state, at the step ``first``.

        Raises
        ------
        ValueError
            If it is not the state of such steps.
        """
        epoch = state.get("epoch")
        if not isinstance(epoch, int) or epoch < 0:
            msg = f"epoch {epoch!r}"
            raise ValueError(msg)
        self._epoch = epoch - 1
        self.reshuffle()

    def reshuffle(self) -> None:
        """Draw the order of the next epoch."""
        self._epoch += 1
        rng = np.random.default_rng([self._seed, self._epoch])
        self._order = rng.permutation(self._usable)

    def _draw_samples(self, items: Numbers, rng: np.random.Generator) -> Numbers:
        starts, counts = self._samples.indptr[items], np.diff(self._samples.indptr)[items]
        return np.asarray(self._samples.indices[starts + rng.integers(counts)], np.int64)


def _samples_of(items: ItemSet, rows: Numbers) -> csr_array:
    """Return the samples of each of some items, as the columns of a matrix."""
    samples = np.arange(len(items.items))
    shape = (len(items.ids) or int(items.items.max()) + 1, len(samples))
    every = csr_array((np.ones(len(samples), np.int8), (items.items, samples)), shape)
    return every[rows]
