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
    """Tags, in alphabetical order, and how much each of them weighs."""

    tags: tuple[str, ...]
    _fitted: TfidfTransformer

    @property
    def idf(self) -> list[float]:
        """Inverse document frequency of each tag."""
        return [float(each) for each in self._fitted.idf_]

    def transform(self, counts: csr_array) -> csr_array:
        """Turn how often items were given each tag into tf-idf, ``(items, tags)`` float32."""
        return csr_array(self._fitted.transform(counts)).astype(np.float32)


def choose_tags(
    counts: csr_array, tags: Sequence[str], *, fewest: int, most: int
) -> NDArray[np.int64]:
    """Return the numbers of the tags to keep, in the alphabetical order of the tags.

    Parameters
    ----------
    counts
        How often train items were given each tag, ``(items, tags)``, all above 0.
    tags
        What the tags are called.
    fewest
        Train items that a tag has to have.
    most
        Tags to keep: those that most train items have; of equal ones, the first of the alphabet.
    """
    items = np.bincount(counts.indices, minlength=len(tags))
    often = [n for n in range(len(tags)) if items[n] >= max(fewest, 1)]
    often.sort(key=lambda n: (-items[n], tags[n]))
    return np.array(sorted(often[:most], key=lambda n: tags[n]), np.int64)


def fit_tags(counts: csr_array, tags: Sequence[str]) -> TagWeights:
    """Weigh tags by the number of train items that have them; ``counts`` is ``(items, tags)``."""
    from sklearn.feature_extraction.text import TfidfTransformer

    return TagWeights(tuple(tags), TfidfTransformer().fit(counts))
