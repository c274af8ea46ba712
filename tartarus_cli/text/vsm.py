"""tf-idf: how often each term stands in a document, weighted by how few documents have it.

The weight of a term is ``(1 + ln tf) · (ln((1 + n) / (1 + df)) + 1)``, ``tf`` being how often it
stands in the document, ``df`` in how many of the ``n`` train documents it stands; each row is then
divided by its L2 norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError, parameter
from tartarus_cli.text import (
    DocumentRows,
    ExtractorOptions,
    FittedVocabulary,
    Tokens,
    TrainingTexts,
    Vocabulary,
    extractor,
)
from tartarus_cli.text.numbered import number_tokens
from tartarus_cli.text.words import split_words

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfTransformer

Count = Annotated[int, Field(ge=1, le=1 << 26, strict=True)]
Share = Annotated[float, Field(gt=0, le=1, strict=True)]
Idf = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class VsmOptions(ExtractorOptions):
    """Which words of a document count, and which become terms."""

    word_limit: ClassVar = "words"
    tokenizes: ClassVar = True

    words: Count = 300
    """Number of words of a document that count, split at whitespace; with ``unit="character"``, of
    its characters."""

    max_df: Share = 0.5
    """Terms that a greater share of the train documents has are left out."""

    terms: Count = 10_000
    """Number of terms at most: the most frequent ones."""

    sublinear_tf: Annotated[bool, Field(strict=True)] = True
    """Weigh a term of a document by 1 + ln of its frequency; otherwise by the frequency."""

    def tokenize(self, text: str) -> Tokens:
        """Return the words of a document that count."""
        if self.unit == "character":
            characters = split_words(text, unit="character")
            return Tokens(characters[: self.words], len(characters) > self.words)
        parts = text.split(None, self.words)
        return Tokens(split_words(" ".join(parts[: self.words])), len(parts) > self.words)


class TermVocabulary(Vocabulary):
    """Terms, in alphabetical order, and their inverse document frequencies."""

    form: ClassVar = "sparse"

    extractor: Literal["vsm"] = "vsm"
    options: VsmOptions
    terms: tuple[str, ...] = Field(min_length=1)
    """What the columns are, in their order."""

    idf: tuple[Idf, ...]
    """Inverse document frequency of each term."""

    @model_validator(mode="after")
    def _check_terms(self) -> Self:
        if len(self.terms) != len(self.idf) or len({*self.terms}) != len(self.terms):
            msg = f"{len(self.terms):,} terms, {len(self.idf):,} weights, or terms that come twice"
            raise ValueError(msg)
        return self

    @property
    def size(self) -> int:
        """Number of terms."""
        return len(self.terms)

    @property
    def width(self) -> int:
        """Number of columns of the rows: one for each term."""
        return len(self.terms)

    @cached_property
    def _weighting(self) -> TfidfTransformer:
        weighting = _make_weighting(self.options)
        weighting.idf_ = np.array(self.idf)
        return weighting

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {term: column for column, term in enumerate(self.terms)}

    def transform(self, texts: Sequence[str]) -> DocumentRows:
        """Return tf-idf, CSR float32 ``(documents, terms)``."""
        return self.transform_tokens([self.options.tokenize(text) for text in texts])

    def transform_tokens(self, documents: Sequence[Tokens]) -> DocumentRows:
        """Return tf-idf of the tokens of documents, CSR float32 ``(documents, terms)``."""
        if not documents:
            return DocumentRows(csr_array((0, self.width), dtype=np.float32), np.empty(0))
        numbered = number_tokens(documents)
        counts = numbered.counts(numbered.numbering.columns(self._columns), self.width)
        known = np.full(len(numbered), np.nan)
        np.divide(counts.sum(axis=1), numbered.lengths, known, where=numbered.lengths > 0)
        rows = csr_array(self._weighting.transform(counts))
        return DocumentRows(rows.astype(np.float32), known, int(numbered.longer.sum()))


def _make_weighting(options: VsmOptions) -> TfidfTransformer:
    from sklearn.feature_extraction.text import TfidfTransformer

    return TfidfTransformer(sublinear_tf=options.sublinear_tf)


@extractor("vsm", options=VsmOptions, vocabulary=TermVocabulary)
def fit(train: TrainingTexts, options: VsmOptions) -> FittedVocabulary:
    """Choose the terms and weigh them by the number of train documents that have them.

    Parameters
    ----------
    train
        The train documents.
    options
        Which words count, and which become terms.

    Raises
    ------
    DataError
        If no term is left.
    """
    numbered = number_tokens(train.tokenized(options))
    documents, words = len(numbered), numbered.numbering.words
    in_train = np.flatnonzero(np.bincount(numbered.numbers, minlength=len(words))).tolist()
    order = np.array(sorted(in_train, key=words.__getitem__), np.int64)
    columns = np.full(len(words), -1, np.int32)
    columns[order] = np.arange(len(order))
    counts = numbered.counts(columns, len(order))
    chosen = _choose_terms(counts, options)
    if not len(chosen):
        raise _no_term_error(options, documents, has_words=bool(len(order)))
    weighting = _make_weighting(options).fit(counts[:, chosen])
    terms = tuple(words[number] for number in order[chosen].tolist())
    idf = tuple(map(float, weighting.idf_))
    return FittedVocabulary(
        TermVocabulary(options=options, documents=documents, terms=terms, idf=idf)
    )


def _choose_terms(counts: csr_array, options: VsmOptions) -> NDArray[np.intp]:
    """Return the columns of the terms, in rising order, as scikit-learn's vectorizer does."""
    documents, width = counts.shape
    rare = np.bincount(counts.indices, minlength=width) <= options.max_df * documents
    columns = np.flatnonzero(rare)
    if len(columns) <= options.terms:
        return columns
    frequencies = np.asarray(counts.sum(axis=0)).ravel()[columns]
    return np.sort(columns[(-frequencies).argsort()[: options.terms]])


def _no_term_error(options: VsmOptions, documents: int, *, has_words: bool) -> DataError:
    count = f"{documents} train document{'' if documents == 1 else 's'}"
    if not has_words:
        hint = "Look into the documents, and at the list that names them."
        return DataError(f"{count}: no word of two or more letters is in them", hint=hint)
    msg = (
        f"no term is left: each term stands in more than {options.max_df:g} (max_df) of the {count}"
    )
    return DataError(
        msg, hint=f"Allow more: {parameter('overrides', ['max_df=1'])} keeps all terms."
    )
