"""tf-idf of tags: how often each was given to an item, weighted by how few items have it.

The weight of a tag is ``tf · (ln((1 + n) / (1 + df)) + 1)``, ``tf`` being the sum of its weights (1
for each time it was given), ``df`` the number of the ``n`` train items that have it; each row is
then divided by its L2 norm (scikit-learn's ``TfidfTransformer``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfTransformer


@dataclass(frozen=True)
class TagWeights:
    """Tags, and how much each of them weighs."""

    tags: tuple[str, ...]
    """What the columns are, in their order."""

    _transformer: TfidfTransformer

    @property
    def idf(self) -> list[float]:
        """Inverse document frequency of each tag, ``ln((1 + n) / (1 + df)) + 1``."""
        return [float(weight) for weight in self._transformer.idf_]

    def transform(self, counts: csr_array) -> csr_array:
        """Return tf-idf of any items, ``(items, tags)`` float32.

        ``counts`` says how often each item was given each tag, ``(items, tags)``.
        """
        return csr_array(self._transformer.transform(counts)).astype(np.float32)


def choose_tags(
    counts: csr_array, tags: Sequence[str], *, min_items: int, max_tags: int
) -> NDArray[np.int64]:
    """Return the numbers of the tags to keep, in the alphabetical order of the tags.

    Parameters
    ----------
    counts
        How often train items were given each tag, ``(items, tags)``, stored values all above 0.
    tags
        The name of each tag.
    min_items
        Number of train items that a tag must have.
    max_tags
        Number of tags to keep: those of the most train items; of equal ones, the first of the
        alphabet.

    Examples
    --------
    >>> counts = csr_array(np.array([[1, 0, 2], [0, 0, 1], [0, 3, 0]]))
    >>> choose_tags(counts, ["rock", "jazz", "folk"], min_items=1, max_tags=2).tolist()
    [2, 1]
    """
    items = np.bincount(counts.indices, minlength=len(tags))
    frequent = [n for n in range(len(tags)) if items[n] >= max(min_items, 1)]
    frequent.sort(key=lambda n: (-items[n], tags[n]))
    return np.array(sorted(frequent[:max_tags], key=lambda n: tags[n]), np.int64)


def fit_tags(counts: csr_array, tags: Sequence[str]) -> TagWeights:
    """Weigh tags by the number of train items that have them.

    Parameters
    ----------
    counts
        How often train items were given each tag, ``(items, tags)``.
    tags
        The name of each tag.
    """
    from sklearn.feature_extraction.text import TfidfTransformer

    return TagWeights(tuple(tags), TfidfTransformer().fit(counts))
