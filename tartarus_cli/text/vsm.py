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
from tartarus_cli.text.words import split_words

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

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
    def _vectorizer(self) -> TfidfVectorizer:
        vectorizer = _make_vectorizer(self.options, vocabulary=list(self.terms))
        vectorizer.idf_ = np.array(self.idf)
        return vectorizer

    @cached_property
    def _term_set(self) -> set[str]:
        return {*self.terms}

    def transform(self, texts: Sequence[str]) -> DocumentRows:
        """Return tf-idf, CSR float32 ``(documents, terms)``."""
        return self.transform_tokens([self.options.tokenize(text) for text in texts])

    def transform_tokens(self, documents: Sequence[Tokens]) -> DocumentRows:
        """Return tf-idf of the tokens of documents, CSR float32 ``(documents, terms)``."""
        known = [self._known_share(document.values) for document in documents]
        if not documents:
            return DocumentRows(csr_array((0, self.width), dtype=np.float32), np.empty(0))
        rows = csr_array(self._vectorizer.transform([each.values for each in documents]))
        longer = sum(document.longer for document in documents)
        return DocumentRows(rows.astype(np.float32), np.array(known, float), longer)

    def _known_share(self, tokens: Sequence[str]) -> float:
        if not tokens:
            return np.nan
        return sum(token in self._term_set for token in tokens) / len(tokens)


def _make_vectorizer(options: VsmOptions, **more: Any) -> TfidfVectorizer:
    """Make scikit-learn's vectorizer; its documents are lists of tokens, not texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=list, sublinear_tf=options.sublinear_tf, **more)


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
    documents, has_words = 0, False

    def tokens() -> Iterator[list[str]]:
        nonlocal documents, has_words
        for document in train.tokenized(options):
            documents, has_words = documents + 1, has_words or bool(document.values)
            yield document.values

    vectorizer = _make_vectorizer(options, max_df=options.max_df, max_features=options.terms)
    try:
        vectorizer.fit(tokens())
    except ValueError:
        # It is scikit-learn's way to say that no term is left.
        raise _no_term_error(options, documents, has_words=has_words) from None
    terms = tuple(map(str, vectorizer.get_feature_names_out()))
    idf = tuple(map(float, vectorizer.idf_))
    return FittedVocabulary(
        TermVocabulary(options=options, documents=documents, terms=terms, idf=idf)
    )


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
