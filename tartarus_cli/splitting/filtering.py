"""Drop what is rare, and what a cut in time leaves without train plays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from tartarus_cli.data.provenance import Filters, Stage
from tartarus_cli.errors import DataError, count_noun, parameter
from tartarus_cli.splitting.filters import (
    Pairs,
    drop_rare_items,
    drop_rare_pairs,
    drop_rare_users,
    k_core,
)
from tartarus_cli.splitting.interactions import InteractionTable
from tartarus_cli.splitting.strategies import TRAIN, SetOfItem


def apply_filters(
    interactions: InteractionTable, filters: Filters, *, listed: bool
) -> tuple[InteractionTable, list[Stage]]:
    """Drop rare labels, pairs, items and users, in this order, and items that have nothing left.

    Parameters
    ----------
    interactions
        The items.
    filters
        The least that each must have.
    listed
        Whether the items were listed: then those without plays, or without labels, stay, unless a
        filter demands some.

    Returns
    -------
    The remaining items, and how much was left after each filter.

    Raises
    ------
    DataError
        If nothing is left.
    """
    stages = []
    if filters.min_items_per_label is not None:
        least = filters.min_items_per_label
        interactions = _drop_rare_labels(interactions, least, listed=listed)
        stages.append(interactions.count(parameter("min_items_per_label", least)))
    if interactions.pairs is not None:
        pairs = interactions.pairs
        interactions, later = _filter_plays(interactions, pairs, filters, listed=listed)
        stages += later
    if not len(interactions.items):
        msg = "the filters leave nothing"
        given = [parameter(name) for name, least in filters if least is not None]
        hint = f"Use a smaller number for {' or '.join(given)}."
        raise DataError(msg, hint=hint if given else "Give a table with plays above 0.")
    return interactions, stages


def _drop_rare_labels(
    interactions: InteractionTable, min_items: int, *, listed: bool
) -> InteractionTable:
    if interactions.labels is None:
        return interactions
    items_per_label = np.bincount(
        interactions.labels.indices, minlength=len(interactions.label_names)
    )
    common = np.flatnonzero(items_per_label >= min_items)
    labels = csr_array(interactions.labels[:, common])
    names = [interactions.label_names[label] for label in common]
    filtered = replace(interactions, labels=labels, label_names=names)
    return filtered if listed else filtered.subset(np.diff(labels.indptr) > 0)


def _filter_plays(
    interactions: InteractionTable, pairs: Pairs, filters: Filters, *, listed: bool
) -> tuple[InteractionTable, list[Stage]]:
    """Filter the pairs, and drop items and users that have none left."""
    stages = []
    steps = (
        ("min_plays", drop_rare_pairs, filters.min_plays),
        ("min_users", drop_rare_items, filters.min_users),
        ("min_items", drop_rare_users, filters.min_items),
        ("core", k_core, filters.core),
    )
    if not pairs.count.all():
        pairs = pairs.select(pairs.count > 0)
        stages.append(replace(interactions, pairs=pairs).count("pairs of 0 plays"))
    for name, drop, least in steps:
        if least is not None:
            pairs = drop(pairs, least)
            stages.append(replace(interactions, pairs=pairs).count(parameter(name, least)))
    keep_all = listed and filters.min_users is None and filters.core is None
    has_pairs = pairs.users_per_item > 0
    mask = np.ones(len(interactions.items), np.bool_) if keep_all else has_pairs
    return replace(interactions, pairs=pairs).subset(mask), stages


@dataclass(frozen=True)
class TrainedUsers:
    """Items and users that are left once all users have a train play."""

    interactions: InteractionTable
    stages: list[Stage]
    """How much was left after each step."""
    dropped: int
    """Users that were dropped because they had no train play."""


def require_train_plays(
    interactions: InteractionTable,
    filters: Filters,
    divide: Callable[[InteractionTable], SetOfItem],
) -> TrainedUsers:
    """Filter, and drop users without a train play, again and again until both hold.

    Parameters
    ----------
    interactions
        The items, with plays.
    filters
        The least that each must have.
    divide
        Returns the set of each item.

    Raises
    ------
    DataError
        If nothing is left.
    """
    interactions, stages = apply_filters(interactions, filters, listed=False)
    dropped = 0
    while True:
        pairs = interactions.pairs
        if pairs is None:
            break
        in_train = divide(interactions)[pairs.item] == TRAIN
        trained = np.bincount(pairs.user[in_train], minlength=pairs.user_count) > 0
        if not trained.any():
            break
        dropped += int(np.count_nonzero(~trained))
        remaining = replace(interactions, pairs=pairs.select(trained[pairs.user]))
        filtered, _ = apply_filters(remaining, filters, listed=False)
        if filtered.pairs is None or len(filtered.pairs.count) == len(pairs.count):
            break
        interactions = filtered
    if dropped:
        noun = count_noun(dropped, "user")
        stages.append(interactions.count(f"{noun} without a train play dropped"))
    return TrainedUsers(interactions, stages, dropped)
