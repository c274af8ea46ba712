"""Judge a recommendation: rank all test items for every user, and keep each user's figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.ids import read_ids
from tartarus_cli.evaluation.checkpoints import Part, Shelf
from tartarus_cli.evaluation.ranking import Ranking, RankingOptions, rank
from tartarus_cli.evaluation.results import write_unit_values
from tartarus_cli.evaluation.user_metrics import figures, user_values
from tartarus_cli.metrics import Values
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import Progress
from tartarus_cli.workspace import Inventory, Kind


@dataclass(frozen=True)
class Recommended:
    """What came of ranking all test items for some users."""

    metrics: dict[str, float]
    rows: dict[str, dict[str, float]]  # random, oracle
    users: slice
    users_without_relevant: int
    part: Path | None  # where the ranks are kept, if these are not all users
    shelf: Shelf  # of the parts, to be forgotten once the results are written


def recommend(
    inventory: Inventory,
    predictions: Predictions,
    options: RankingOptions,
    *,
    published: bool = False,
    progress: Progress,
) -> Recommended:
    """Compute the figures of predicted factors, or of whatever else orders items for users.

    The figures of each user are kept beside the results, with the ranks of the relevant items, so
    that other metrics and slices need no second ranking. Those of some users only are kept as a
    part, to be merged with others.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    """
    ranking = rank(inventory, predictions, options, progress)
    part = None
    if options.users != slice(None):
        part = ranking.shelf.replace(Part(ranking.users, ranking.tallies))
    found: dict[str, dict[str, float]] = {}
    for system, tally in ranking.tallies.items():
        values = user_values(ranking, system, k=options.k, published=published)
        found[system] = figures(values, tally)
        if system == "model" and part is None:
            path = inventory.workspace.unit_values(predictions.name, "users")
            ids = _user_ids(inventory, predictions.wanted.dataset, len(ranking.starts) - 1)
            write_unit_values(path, _kept(values, ranking, ids))
        del values
    model = found.pop("model")
    return Recommended(model, found, ranking.users, ranking.idle, part, ranking.shelf)


def _user_ids(inventory: Inventory, dataset: str, users: int) -> Sequence[str] | None:
    file = inventory.find(Kind.USERS, dataset=dataset)
    ids = read_ids(file.path) if file else []
    return ids if len(ids) == users else None


def _kept(
    values: dict[str, Values], ranking: Ranking, ids: Sequence[str] | None
) -> Iterator[tuple[str, NDArray[Any]]]:
    if ids is not None:
        yield "ids", np.array(ids)
    yield from values.items()
    yield "starts", ranking.starts
    yield "items", ranking.items
    yield "ranks", ranking.tallies["model"].ranks
