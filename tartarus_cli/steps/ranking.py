"""Rank all test items for every user, in blocks of users, for several systems at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.arrays import open_csr
from tartarus_cli.data.features import Matrix, open_matrix, require_finite, unit_rows
from tartarus_cli.data.targets import target_file
from tartarus_cli.errors import FileError, RequestError
from tartarus_cli.metrics import METRICS, in_order
from tartarus_cli.metrics.ranks import RelevantRanks, first_items, relevant_ranks
from tartarus_cli.progress import Progress
from tartarus_cli.steps.predictions import Predictions
from tartarus_cli.workspace import Inventory, Kind

BLOCK_BYTES = 64 << 20  # of the scores of one block of users

Scorer = Callable[[slice], NDArray[np.float32]]  # users → scores (users, items)


@dataclass(frozen=True)
class Ranking:
    """Figures of each system, the model's own under ``model``."""

    figures: dict[str, dict[str, float]]
    users: int
    users_without_relevant: int


@dataclass
class Figures:
    """Running means over users of every metric, and the items that stood in front."""

    k: tuple[int, ...]
    published: bool
    items: int
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    shown: dict[int, set[int]] = field(default_factory=dict)

    def add(self, scores: NDArray[np.float32], relevant: csr_array) -> None:
        """Count in a block of users."""
        ranks = relevant_ranks(scores, relevant)
        for name in METRICS.names():
            self._add_metric(name, ranks)
        for k in sorted({*METRICS.get("P").at, *self.k}):
            self.shown.setdefault(k, set()).update(first_items(scores, k).tolist())

    def _add_metric(self, name: str, ranks: RelevantRanks) -> None:
        metric = METRICS.get(name)
        if metric.published and not self.published:
            return
        for label, k in metric.names(name, self.k).items():
            values = metric.measure(ranks, k)
            there = ~np.isnan(values)
            self.sums[label] = self.sums.get(label, 0.0) + float(values[there].sum())
            self.counts[label] = self.counts.get(label, 0) + int(there.sum())

    def means(self) -> dict[str, float]:
        """Return each metric's mean over the users that have a value; NaN if none has."""
        nan = float("nan")
        means = {n: self.sums[n] / self.counts[n] if self.counts[n] else nan for n in self.sums}
        return in_order(means | {f"C@{k}": len(i) / self.items for k, i in self.shown.items()})


def rank(  # noqa: PLR0913 — how to evaluate, one by one
    inventory: Inventory,
    predictions: Predictions,
    *,
    k: Sequence[int] = (),
    users: slice = slice(None),
    published: bool = False,
    seed: int = 0,
    progress: Progress,
) -> Ranking:
    """Rank all test items for every user by the model, at random, and by the true factors.

    The score of an item for a user is, for als, the product of the user's factors and the item's
    predicted factors divided by their L2 norm; for pmi, the cosine of the two. Items without a
    prediction rank last.

    Parameters
    ----------
    inventory
        The workspace's files.
    predictions
        Predicted factors of the test items.
    k
        Cut-offs beside the usual ones.
    users
        Which users to evaluate.
    published
        Add the figures that exist only to compare with the papers.
    seed
        Of the random row.
    progress
        Told of each block of users.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    """
    path = inventory.require(Kind.USER_FACTORS, **predictions.wanted.fields).path
    factors = open_matrix(path)
    relevant = _relevant(inventory, predictions, factors)
    start, stop, _ = users.indices(factors.shape[0])
    if start >= stop:
        asked = ":".join("" if n is None else str(n) for n in (users.start, users.stop))
        msg = f"--users {asked}: the dataset has {factors.shape[0]} users"
        raise RequestError(msg, hint="Give --users as FIRST:LAST, counted from 0.")
    systems = _systems(inventory, predictions, factors, seed)
    items = relevant.shape[1]
    figures = {name: Figures(tuple(k), published, items) for name in systems}
    step = max(1, BLOCK_BYTES // (4 * items))
    with progress.task("evaluating", stop - start) as task:
        for first in range(start, stop, step):
            block = slice(first, min(first + step, stop))
            for name, score in systems.items():
                figures[name].add(score(block), relevant[block])
            task.advance(block.stop - block.start)
    idle = int((np.diff(relevant.indptr[start : stop + 1]) == 0).sum())
    return Ranking({name: each.means() for name, each in figures.items()}, stop - start, idle)


def _relevant(inventory: Inventory, predictions: Predictions, factors: Matrix) -> csr_array:
    """Return which test items are relevant to each user, sparse ``(users, items)``."""
    path = inventory.require(Kind.TEST_MATRIX, dataset=predictions.wanted.dataset).path
    truth = open_csr(path)
    expected = (len(predictions.values), factors.shape[0])
    if truth.shape != expected:
        raise FileError(
            path,
            found=f"{truth.shape[0]:,} × {truth.shape[1]:,}",
            expected=f"{expected[0]:,} × {expected[1]:,} (test items × users)",
            hint="Write matrix.T.tocsr()." if truth.shape == expected[::-1] else _CHECK,
        )
    truth.data = truth.data > 0
    truth.eliminate_zeros()
    relevant = truth.T.tocsr()
    relevant.sort_indices()
    return relevant


_CHECK = "Run 'tartarus check-data' to see which file is out of step."


def _systems(
    inventory: Inventory, predictions: Predictions, factors: Matrix, seed: int
) -> dict[str, Scorer]:
    wanted = predictions.wanted
    if predictions.values.shape[1] != factors.shape[1]:
        raise FileError(
            predictions.path,
            found=f"{predictions.values.shape[1]} factors",
            expected=f"{factors.shape[1]}, as in {factors.path.name}",
            hint="Predict factors of the same kind and number as the users'.",
        )
    items = len(predictions.values)
    cosine = wanted.fact == "pmi"
    systems: dict[str, Scorer] = {
        "model": _factor_scorer(predictions.values, factors, cosine, predictions.absent),
        "random": lambda block: _random_scores(block, items, seed),
    }
    true = target_file(inventory, wanted, "test")
    if true is not None:
        matrix = open_matrix(true.path)
        if matrix.shape != predictions.values.shape:
            raise FileError(
                matrix.path,
                found=f"{matrix.shape[0]:,} × {matrix.shape[1]:,}",
                expected="{:,} × {:,}".format(*predictions.values.shape),
                hint=_CHECK,
            )
        values = matrix.rows(slice(None))
        require_finite(matrix.path, values)
        systems["oracle"] = _factor_scorer(values, factors, cosine, None)
    return systems


def _factor_scorer(
    items: NDArray[np.float32],
    users: Matrix,
    cosine: bool,  # noqa: FBT001
    absent: NDArray[np.bool_] | None,
) -> Scorer:
    directions = unit_rows(items).T

    def score(block: slice) -> NDArray[np.float32]:
        factors = users.rows(block)
        require_finite(users.path, factors, block.start)
        scores = (unit_rows(factors) if cosine else factors) @ directions
        if absent is not None:
            scores[:, absent] = -np.inf
        return scores

    return score


def _random_scores(block: slice, items: int, seed: int) -> NDArray[np.float32]:
    """Draw scores that depend on the seed and the user alone, not on how users are cut up."""
    draws = (np.random.default_rng((seed, user)) for user in range(block.start, block.stop))
    return np.stack([rng.random(items, np.float32) for rng in draws])
