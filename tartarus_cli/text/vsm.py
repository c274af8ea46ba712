"""tf-idf: how often each term stands in a document, weighted by how few documents have it.

The weight of a term is ``(1 + ln tf) · (ln((1 + n) / (1 + df)) + 1)``, ``tf`` being how often it
stands in the document, ``df`` in how many of the ``n`` train documents it stands; each row is then
divided by its L2 norm. That is scikit-learn's ``TfidfVectorizer(sublinear_tf=True)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError
from tartarus_cli.text import (
    ExtractorOptions,
    Learnt,
    Lesson,
    Transformed,
    Vocabulary,
    extractor,
)
from tartarus_cli.text.words import words

Count = Annotated[int, Field(ge=1, le=1 << 26, strict=True)]
Share = Annotated[float, Field(gt=0, le=1, strict=True)]
Idf = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class VsmOptions(ExtractorOptions):
    """Which words of a document count, and which become terms."""

    words: Count = 300  # of a document, split at blanks; with unit "character", of its characters
    max_df: Share = 0.5  # terms of a greater share of the train documents are left out
    terms: Count = 10_000  # at most; the most frequent ones
    sublinear_tf: Annotated[bool, Field(strict=True)] = True

    def tokens(self, text: str) -> list[str]:
        """Return the words that count."""
        if self.unit == "character":
            return words(text, "character")[: self.words]
        return words(" ".join(text.split(None, self.words)[: self.words]))


class Terms(Vocabulary):
    """Terms, in alphabetical order, and their inverse document frequencies."""

    form: ClassVar = "sparse"

    extractor: Literal["vsm"] = "vsm"
    options: VsmOptions
    terms: tuple[str, ...] = Field(min_length=1)
    idf: tuple[Idf, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.terms) != len(self.idf) or len({*self.terms}) != len(self.terms):
            msg = f"{len(self.terms):,} terms, {len(self.idf):,} weights, or terms that come twice"
            raise ValueError(msg)
        return self

    @property
    def size(self) -> int:
        """How many terms there are."""
        return len(self.terms)

    @property
    def width(self) -> int:
        """How many columns the rows have: one for each term."""
        return len(self.terms)

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {term: column for column, term in enumerate(self.terms)}

    def transform(self, texts: Sequence[str]) -> Transformed:
        """Return tf-idf, CSR float32 ``(documents, terms)``."""
        columns, counts, lengths, known = [], [], [], []
        for text in texts:
            tokens = self.options.tokens(text)
            found = Counter(self._columns[each] for each in tokens if each in self._columns)
            row = sorted(found)
            columns += row
            counts += [found[column] for column in row]
            lengths.append(len(row))
            known.append(found.total() / len(tokens) if tokens else np.nan)
        rows = self._weighted(np.array(columns, np.int32), np.array(counts, float), lengths)
        return Transformed(rows, np.array(known, float))

    def _weighted(
        self, columns: NDArray[np.int32], counts: NDArray[np.float64], lengths: Sequence[int]
    ) -> csr_array:
        weights = (1 + np.log(counts)) if self.options.sublinear_tf else counts
        weights = weights * np.array(self.idf)[columns]
        which = np.repeat(np.arange(len(lengths)), lengths)
        weights /= np.sqrt(np.bincount(which, weights**2, len(lengths)))[which]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        shape = (len(lengths), len(self.terms))
        return csr_array((weights.astype(np.float32), columns, starts), shape=shape)


@extractor("vsm", options=VsmOptions, vocabulary=Terms)
def fit(lesson: Lesson, options: VsmOptions) -> Learnt:
    """Choose the terms and weigh them by the number of train documents that have them.

    Raises
    ------
    DataError
        If no term is left.
    """
    times: Counter[str] = Counter()
    holders: Counter[str] = Counter()
    documents = 0
    for text in lesson.texts:
        tokens = options.tokens(text)
        times.update(tokens)
        holders.update({*tokens})
        documents += 1
    most = options.max_df * documents
    fitting = [term for term, count in holders.items() if count <= most]
    if not fitting:
        raise _none_left(options, documents, len(holders))
    chosen = sorted(fitting, key=lambda term: (-times[term], term))[: options.terms]
    terms = tuple(sorted(chosen))
    idf = (np.log((1 + documents) / (1 + holders[term])) + 1 for term in terms)
    return Learnt(
        Terms(options=options, documents=documents, terms=terms, idf=tuple(map(float, idf)))
    )


def _none_left(options: VsmOptions, documents: int, terms: int) -> DataError:
    told = f"{documents} train document{'' if documents == 1 else 's'}"
    if not terms:
        hint = "Look into them, and at the list of documents."
        return DataError(f"{told}: no word of two or more letters is in them", hint=hint)
    msg = f"no term is left: each of the {terms:,} terms stands in more than "
    msg += f"{options.max_df:g} (max_df) of the {told}"
    return DataError(msg, hint="Allow more: --set max_df=1 keeps all of them.")
