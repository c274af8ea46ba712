"""Test items, and plays of them, by what is known of their artists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.artists import read_artists
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import FileError
from tartarus_cli.evaluation.slice_groups import (
    Grouping,
    group_items,
    group_plays,
    read_train_plays,
)
from tartarus_cli.evaluation.stored_ranks import StoredRanks
from tartarus_cli.file_names import Kind

BLOCK_PLAYS = 1 << 22
"""Train plays whose artists are looked at together."""

NO_ARTIST = "artist not listed"
"""The group of items whose artist is not known."""


def group_by_known_artist(dataset: Dataset, ranks: StoredRanks) -> Grouping:
    """Cut the test items: semi-cold ones, whose artist has train items, and cold ones.

    Raises
    ------
    DataError
        If the list of artists is missing or damaged.
    """
    train, test = _artist_codes(dataset)
    known = np.isin(test, train)
    basis = "whether their artist has train items (semi-cold) or none (cold)"
    labels = ("semi-cold", "cold", NO_ARTIST)
    return group_items(ranks, basis, labels, np.where(test < 0, 2, np.where(known, 0, 1)))


def group_by_discovery(dataset: Dataset, ranks: StoredRanks) -> Grouping:
    """Cut the plays of test items: of artists that the user has train plays of, and of others.

    Raises
    ------
    DataError
        If the list of artists or the train plays are missing or damaged.
    """
    train, test = _artist_codes(dataset)
    artist = test[ranks.items]
    pairs, inverse = np.unique(
        _pair_numbers(artist, ranks.users, ranks.user_count), return_inverse=True
    )
    is_played = np.zeros(len(pairs), np.bool_)
    for block in _played_artists(dataset, train, test, ranks.user_count):
        position = np.minimum(np.searchsorted(block, pairs), len(block) - 1)
        is_played |= block[position] == pairs
    played = is_played[inverse]
    basis = "whether the user played the artist before: exploit, or discovery"
    labels = ("exploit", "discovery", NO_ARTIST)
    return group_plays(basis, labels, np.where(artist < 0, 2, np.where(played, 0, 1)))


def _artist_codes(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of the artist of each train and of each test item; -1 if unknown."""
    train, test = dataset.ids("train"), dataset.ids("test")
    _, names = read_artists(dataset, [*train, *test])
    numbers = {"": -1}
    codes = [numbers.setdefault(name, len(numbers) - 1) for name in names]
    return np.array(codes[: len(train)], np.int64), np.array(codes[len(train) :], np.int64)


def _played_artists(
    dataset: Dataset, train: NDArray[np.int64], test: NDArray[np.int64], users: int
) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of all pairs of an artist of test items and a user who played the artist.

    Each block is sorted, and has at least one pair; pairs may come twice.
    """
    plays = read_train_plays(dataset, users)
    if plays.shape[0] != len(train):
        raise FileError(
            dataset.require(Kind.TRAIN_MATRIX).path,
            found=f"{plays.shape[0]:,} rows",
            expected=f"{len(train):,}, one for each train item",
            hint="Write it as (train items, users).",
        )
    rows = np.flatnonzero(np.isin(train, test[test >= 0]))
    block_of_row = np.cumsum(np.diff(plays.indptr)[rows]) // BLOCK_PLAYS
    for number in np.unique(block_of_row):
        block = plays[rows[block_of_row == number]]
        artist = np.repeat(train[rows[block_of_row == number]], np.diff(block.indptr))
        pairs = _pair_numbers(artist, block.indices, users)[block.data > 0]
        if pairs.size:
            yield np.sort(pairs)


def _pair_numbers(
    artist: NDArray[np.int64], user: NDArray[np.integer[Any]], users: int
) -> NDArray[np.int64]:
    return artist * users + user
