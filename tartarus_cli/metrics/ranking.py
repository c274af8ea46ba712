"""Ranking metrics: how early the relevant items of a user come up.

Every metric reads the ranks of a user's relevant items and nothing else, and returns a value for
each user, ``(users,)``. A user without relevant items counts as 0, as in the evaluation of Oramas
et al. (DLRS 2017), except in the two areas, which are not defined for such a user: NaN.
"""

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.metrics import Values, metric
from tartarus_cli.metrics.ranks import RelevantRanks

FIRST = (1, 3, 5)
"""The values of k at which metrics of the top items are shown by default."""


@metric("MAP", at=(500,))
def average_precision(ranks: RelevantRanks, k: int) -> Values:
    """AP@k: precision at each relevant item within the first k, over ``min(relevant, k)``.

    As in Oramas et al., DLRS 2017: a user without relevant items counts as 0.
    """
    precisions = np.where(ranks.ranks <= k, ranks.positions / ranks.ranks, 0)
    return ranks.total(precisions) / np.maximum(np.minimum(ranks.relevant, k), 1)


@metric("MAP (users with relevant items)", at=(500,))
def average_precision_of_some(ranks: RelevantRanks, k: int) -> Values:
    """AP@k: precision at each relevant item within the first k, over ``min(relevant, k)``.

    The mean over the users that have relevant items, and over these alone.
    """
    return np.where(ranks.relevant > 0, average_precision(ranks, k), np.nan)


@metric("P", at=FIRST)
def precision(ranks: RelevantRanks, k: int) -> Values:
    """P@k: relevant items among the first k, divided by k (Manning et al., 2008, chapter 8)."""
    return _hits(ranks, k) / k


@metric("R", at=FIRST)
def recall(ranks: RelevantRanks, k: int) -> Values:
    """R@k: the share of a user's relevant items among the first k (Manning et al., 2008)."""
    return _hits(ranks, k) / np.maximum(ranks.relevant, 1)


@metric("HR", at=FIRST)
def hit_rate(ranks: RelevantRanks, k: int) -> Values:
    """HR@k: 1 if a relevant item stands among the first k (Deshpande and Karypis, TOIS 2004)."""
    return (_hits(ranks, k) > 0).astype(np.float64)


@metric("nDCG", at=FIRST)
def ndcg(ranks: RelevantRanks, k: int) -> Values:
    """nDCG@k: gain 1, discount ``log2(1 + rank)``, over that of the best order of all items.

    Järvelin and Kekäläinen, ACM TOIS 20(4), 2002, with the discount of Burges et al., ICML 2005.
    """
    return _dcg(ranks, k) / _ideal(np.minimum(ranks.relevant, k))


@metric("nDCG (published)", at=FIRST, published=True)
def ndcg_published(ranks: RelevantRanks, k: int) -> Values:
    """Divide the sum of nDCG@k by the best order of the first five retrieved items alone.

    It flatters, and is here to compare with Oramas et al., DLRS 2017.
    """
    retrieved = _hits(ranks, max(5, k)).astype(np.int64)
    return _dcg(ranks, k) / _ideal(np.minimum(retrieved, k))


@metric("MRR")
def reciprocal_rank(ranks: RelevantRanks, _k: int) -> Values:
    """One divided by the rank of the first relevant item (Voorhees, TREC-8, 1999)."""
    first = np.where(ranks.positions == 1, 1 / ranks.ranks, 0)
    return ranks.total(first)


@metric("ROC-AUC")
def roc_auc(ranks: RelevantRanks, _k: int) -> Values:
    """Return the share of pairs of a relevant and another item in the right order; equal: half.

    The area under the ROC curve (Hanley and McNeil, Radiology 143, 1982) over all items. Users
    that lack either kind have no value.
    """
    relevant = ranks.relevant
    pairs = relevant * (ranks.items - relevant)
    # The Mann-Whitney statistic: items of the same score have the mean of their ranks.
    wrong = ranks.total((ranks.best + ranks.worst) / 2) - relevant * (relevant + 1) / 2
    return np.where(pairs > 0, 1 - wrong / np.maximum(pairs, 1), np.nan)


@metric("PR-AUC")
def pr_auc(ranks: RelevantRanks, _k: int) -> Values:
    """Average precision over the full ranking, equal scores as one step (as in scikit-learn).

    The area under the precision-recall curve: Davis and Goadrich, ICML 2006. Users without relevant
    items have no value.
    """
    precisions = ranks.total(ranks.last_positions / ranks.worst)
    relevant = ranks.relevant
    return np.where(relevant > 0, precisions / np.maximum(relevant, 1), np.nan)


def _hits(ranks: RelevantRanks, k: int) -> NDArray[np.float64]:
    """Count the relevant items among the first k, ``(users,)``."""
    return ranks.total(ranks.ranks <= k)


def _dcg(ranks: RelevantRanks, k: int) -> NDArray[np.float64]:
    return ranks.total(np.where(ranks.ranks <= k, 1 / np.log2(1 + ranks.ranks), 0))


def _ideal(relevant: NDArray[np.integer]) -> NDArray[np.float64]:
    """DCG of rankings that begin with all relevant items, ``(users,)``; 1 where there are none."""
    gains = np.cumsum(1 / np.log2(1 + np.arange(1, max(relevant.max(initial=0), 1) + 1)))
    return np.where(relevant > 0, gains[np.maximum(relevant, 1) - 1], 1)
