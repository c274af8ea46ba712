"""tf-idf: how often each term stands in a document, weighted by how few documents have it.

The weight of a term is ``(1 + ln tf) · (ln((1 + n) / (1 + df)) + 1)``, ``tf`` being how often it
stands in the document, ``df`` in how many of the ``n`` train documents it stands; each row is then
divided by its L2 norm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError
from tartarus_cli.text import (
    ExtractorOptions,
    FittedVocabulary,
    TrainingTexts,
    Transformed,
    Vocabulary,
    extractor,
)
from tartarus_cli.text.words import words

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

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
    def _vectorizer(self) -> TfidfVectorizer:
        made = _vectorizer(self.options, vocabulary=list(self.terms))
        made.idf_ = np.array(self.idf)
        return made

    @cached_property
    def _known(self) -> set[str]:
        return {*self.terms}

    def transform(self, texts: Sequence[str]) -> Transformed:
        """Return tf-idf, CSR float32 ``(documents, terms)``."""
        tokens = [self.options.tokens(text) for text in texts]
        found = [sum(each in self._known for each in some) for some in tokens]
        known = [n / len(some) if some else np.nan for n, some in zip(found, tokens, strict=True)]
        if not tokens:
            return Transformed(csr_array((0, self.width), dtype=np.float32), np.empty(0))
        rows = csr_array(self._vectorizer.transform(tokens))
        return Transformed(rows.astype(np.float32), np.array(known, float))


def _vectorizer(options: VsmOptions, **more: Any) -> TfidfVectorizer:
    """Make scikit-learn's vectorizer; it is given tokens, not texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=list, sublinear_tf=options.sublinear_tf, **more)


@extractor("vsm", options=VsmOptions, vocabulary=Terms)
def fit(lesson: TrainingTexts, options: VsmOptions) -> FittedVocabulary:
    """Choose the terms and weigh them by the number of train documents that have them.

    Raises
    ------
    DataError
        If no term is left.
    """
    documents, wordy = 0, False

    def tokens() -> Iterator[list[str]]:
        nonlocal documents, wordy
        for text in lesson.texts:
            found = options.tokens(text)
            documents, wordy = documents + 1, wordy or bool(found)
            yield found

    vectorizer = _vectorizer(options, max_df=options.max_df, max_features=options.terms)
    try:
        vectorizer.fit(tokens())
    except ValueError:  # nothing is left
        raise _none_left(options, documents, wordy=wordy) from None
    terms = tuple(map(str, vectorizer.get_feature_names_out()))
    idf = tuple(map(float, vectorizer.idf_))
    return FittedVocabulary(Terms(options=options, documents=documents, terms=terms, idf=idf))


def _none_left(options: VsmOptions, documents: int, *, wordy: bool) -> DataError:
    told = f"{documents} train document{'' if documents == 1 else 's'}"
    if not wordy:
        hint = "Look into them, and at the list of documents."
        return DataError(f"{told}: no word of two or more letters is in them", hint=hint)
    msg = (
        f"no term is left: each term stands in more than {options.max_df:g} (max_df) of the {told}"
    )
    return DataError(msg, hint="Allow more: --set max_df=1 keeps all of them.")
