"""Documents: words, tf-idf and sequences of words. Texts in, arrays out.

Each way of turning documents into rows of numbers is a registered extractor (``vsm`` for tf-idf,
``w2v`` for sequences of words; ``EXTRACTORS.names()`` lists them): its ``fit`` learns a vocabulary
from the train documents, and :meth:`Vocabulary.transform` turns any documents into rows.
:func:`restore` reads a vocabulary that was stored as JSON.

Examples
--------
>>> from tartarus_cli.text.vsm import VsmOptions, fit
>>> texts = ["slow guitar", "loud guitar", "slow piano"]
>>> vocabulary = fit(TrainingTexts(texts), VsmOptions(max_df=1)).vocabulary
>>> vocabulary.terms
('guitar', 'loud', 'piano', 'slow')
>>> new = vocabulary.transform(["slow slow drums"])
>>> new.rows.toarray().tolist(), new.known.round(2).tolist()
([[0.0, 0.0, 0.0, 1.0]], [0.67])

:mod:`tartarus_cli.text.words` splits a document into words, and :mod:`tartarus_cli.text.tags`
computes tf-idf of tags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_array

from tartarus_cli.registry import Registry

MAX_DIMENSIONS = 10_000
"""Length of a word vector at most."""

TokenUnit = Literal["word", "character"]
"""What a token is; characters serve scripts that write no spaces between words."""

RowForm = Literal["sparse", "dense", "sequence"]
"""What rows are: sparse float32, dense float32, or int32 numbers of words."""


@dataclass(frozen=True)
class Tokens:
    """A document as a list of tokens."""

    values: list[str]
    """The tokens that are read."""

    longer: bool = False
    """Whether the document holds more."""


class ExtractorOptions(BaseModel):
    """Parameters that every extractor has; each adds its own, with defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokenizes: ClassVar[bool] = False
    """Whether tokens are all that is read of a document: :meth:`tokenize` finds them."""

    word_limit: ClassVar[str] = ""
    """Parameter that says how many words of a document are read; "": all are."""

    unit: TokenUnit = "word"
    """What a token is; ``character`` for texts without spaces, such as Chinese or Japanese."""

    @property
    def passes(self) -> int:
        """How often the train documents are read to learn from them."""
        return 1

    def tokenize(self, text: str) -> Tokens:
        """Find the tokens of a document, where these are all that is read of it."""
        raise NotImplementedError


@dataclass(frozen=True)
class DocumentRows:
    """Documents as rows of numbers."""

    rows: csr_array | NDArray[np.float32 | np.int32]
    """``(documents, width)``."""

    known: NDArray[np.float64]
    """Share of the words of each document that the vocabulary holds, ``(documents,)``; NaN where
    the document has no word."""

    longer: int = 0
    """Number of documents that hold more words than are read."""


class Vocabulary(BaseModel):
    """What an extractor learnt; it can be written as JSON, which :func:`restore` reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: ClassVar[RowForm]
    """What its rows are."""

    extractor: str
    """Name of the extractor."""

    options: ExtractorOptions
    """Parameters of the extractor."""

    documents: Annotated[int, Field(ge=1)]
    """Number of the train documents that it was learnt from."""

    @property
    def size(self) -> int:
        """Number of words or terms."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Number of columns of its rows."""
        raise NotImplementedError

    @property
    def vectors(self) -> int | None:
        """Number of word vectors that belong to it; None where none do."""
        return None

    def transform(self, texts: Sequence[str]) -> DocumentRows:
        """Turn documents into rows; words outside of the vocabulary are left out or unknown."""
        raise NotImplementedError

    def transform_tokens(self, documents: Sequence[Tokens]) -> DocumentRows:
        """Turn documents into rows of which the tokens are known, where the options tokenize."""
        raise NotImplementedError


@dataclass(frozen=True)
class WordVectors:
    """Vectors of the words that were looked up."""

    values: NDArray[np.float32]
    """``(words, dimensions)``; zero for a word without a vector."""

    present: NDArray[np.bool_]
    """Whether a word has a vector, ``(words,)``."""

    source: str
    """Where the vectors come from, as a message names it."""

    upper: int = 0
    """Number of words with upper-case letters in it that would be looked up in lower case."""


VectorLookup = Callable[[Mapping[str, int]], WordVectors]
"""Looks up vectors of words; takes the row of each word, 0 to their number - 1."""


@dataclass(frozen=True)
class TrainingTexts:
    """What an extractor learns from."""

    texts: Iterable[str]
    """Train documents; they may be read any number of times, so a generator does not do."""

    seed: int = 0
    """Seed of whatever the extractor draws."""

    vectors: VectorLookup | None = None
    """Looks up word vectors that were learnt elsewhere; None: they are learnt from the texts."""

    tokens: Iterable[Tokens] | None = None
    """The tokens of the documents, where the options tokenize; None: they are found again."""

    def tokenized(self, options: ExtractorOptions) -> Iterable[Tokens]:
        """Return the tokens of the documents, of an extractor whose options tokenize."""
        return map(options.tokenize, self.texts) if self.tokens is None else self.tokens


@dataclass(frozen=True)
class FittedVocabulary:
    """A vocabulary, and what else was learnt with it."""

    vocabulary: Vocabulary

    word_vectors: NDArray[np.float32] | None = None
    """A vector for each number of a word, ``(words, dim)``; None where there are none."""

    remark: str = ""
    """What the user may want to know about the training."""

    warning: str = ""
    """What may be a mistake of the user's."""


VocabularyFitter = Callable[[TrainingTexts, Any], FittedVocabulary]
"""Learns a vocabulary from train documents, with the options of the extractor."""


@dataclass(frozen=True)
class Extractor:
    """A registered way of turning documents into features."""

    options: type[ExtractorOptions]
    """The pydantic model of its parameters."""

    vocabulary: type[Vocabulary]
    """The pydantic model of what it learns."""

    fit: VocabularyFitter
    takes_vectors: bool
    """Whether it can use word vectors learnt elsewhere."""


EXTRACTORS: Registry[Extractor] = Registry(
    "text extractor", package=__name__, group="tartarus.extractors"
)


def extractor(
    name: str,
    *,
    options: type[ExtractorOptions],
    vocabulary: type[Vocabulary],
    takes_vectors: bool = False,
) -> Callable[[VocabularyFitter], VocabularyFitter]:
    """Register a function that learns a vocabulary from train documents.

    Parameters
    ----------
    name
        The name by which users select it; its vocabulary records it as ``extractor``.
    options
        The pydantic model that checks its parameters.
    vocabulary
        The pydantic model of what it learns.
    takes_vectors
        Whether it can use word vectors learnt elsewhere.
    """

    def keep(fit: VocabularyFitter) -> VocabularyFitter:
        EXTRACTORS.register(name)(Extractor(options, vocabulary, fit, takes_vectors))
        return fit

    return keep


class UnknownExtractorError(ValueError):
    """A document is not a vocabulary of any registered extractor."""


def restore(document: Any) -> Vocabulary:
    """Return the vocabulary of a JSON document that ``model_dump`` returned.

    Parameters
    ----------
    document
        The parsed JSON.

    Raises
    ------
    UnknownExtractorError
        If it is not a vocabulary, or that of an extractor that is not registered.
    ValueError
        If it is damaged; pydantic's message says where.
    PluginError
        If the plug-in of its extractor could not be imported.
    """
    name = document.get("extractor") if isinstance(document, Mapping) else None
    if name not in EXTRACTORS.names() and not EXTRACTORS.broken(str(name)):
        msg = f"not a vocabulary of {' or '.join(EXTRACTORS.names())}"
        raise UnknownExtractorError(msg)
    return EXTRACTORS.get(str(name)).vocabulary.model_validate(document)
