"""Documents: words, tf-idf and sequences of words. Texts in, arrays out.

Each way of turning documents into rows of numbers is a registered extractor: it learns a vocabulary
from the train documents, and with the vocabulary alone new documents can be transformed later.
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

MOST_DIMENSIONS = 10_000  # of a word vector

Unit = Literal["word", "character"]  # what a token is; characters serve scripts without blanks
RowForm = Literal[
    "sparse", "dense", "sequence"
]  # of rows: CSR float32, float32, int32 word numbers


class ExtractorOptions(BaseModel):
    """What every extractor can be told; each adds its own parameters, with defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Unit = "word"

    @property
    def passes(self) -> int:
        """How often the train documents are read to learn from them."""
        return 1


@dataclass(frozen=True)
class Transformed:
    """Documents as rows of numbers."""

    rows: csr_array | NDArray[np.float32 | np.int32]  # (documents, width)
    known: NDArray[np.float64]  # (documents,) share of words in the vocabulary; NaN: it has none


class Vocabulary(BaseModel):
    """What an extractor learnt; it can be written as JSON and made again by :func:`restore`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: ClassVar[RowForm]  # what its rows are

    extractor: str
    options: ExtractorOptions  # its extractor's own
    documents: Annotated[int, Field(ge=1)]  # that it was learnt from

    @property
    def size(self) -> int:
        """How many words or terms it holds."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """How many columns its rows have."""
        raise NotImplementedError

    @property
    def vectors(self) -> int | None:
        """How many word vectors belong to it; None where none do."""
        return None

    def transform(self, texts: Sequence[str]) -> Transformed:
        """Turn documents into rows; what is not in the vocabulary is left out or unknown."""
        raise NotImplementedError


@dataclass(frozen=True)
class WordVectors:
    """Vectors of the words that were looked up."""

    values: NDArray[np.float32]
    """``(words, dimensions)``; zero where there is none of the word."""
    there: NDArray[np.bool_]
    """``(words,)``, whether there is a vector of the word."""
    source: str
    """Where they come from, as a user calls it."""


# Finds the vectors of words that were learnt elsewhere; takes the row of each word.
LookUp = Callable[[Mapping[str, int]], WordVectors]


@dataclass(frozen=True)
class TrainingTexts:
    """What there is to learn from."""

    texts: Iterable[str]  # train documents; may be gone through any number of times
    seed: int = 0
    vectors: LookUp | None = None  # word vectors learnt elsewhere


@dataclass(frozen=True)
class FittedVocabulary:
    """What came of it."""

    vocabulary: Vocabulary
    word_vectors: NDArray[np.float32] | None = None  # (words, dim)
    remark: str = ""  # worth telling the user


Fit = Callable[
    [TrainingTexts, Any], FittedVocabulary
]  # the second argument is the extractor's own options


@dataclass(frozen=True)
class Extractor:
    """A way of turning documents into features."""

    options: type[ExtractorOptions]
    vocabulary: type[Vocabulary]
    fit: Fit
    takes_vectors: bool  # whether it can use word vectors learnt elsewhere


EXTRACTORS: Registry[Extractor] = Registry(
    "text extractor", package=__name__, group="tartarus.extractors"
)


def extractor(
    name: str,
    *,
    options: type[ExtractorOptions],
    vocabulary: type[Vocabulary],
    takes_vectors: bool = False,
) -> Callable[[Fit], Fit]:
    """Register a function that learns a vocabulary from train documents.

    Parameters
    ----------
    name
        What ``tartarus text`` calls it, and ``extractor`` of its vocabulary says.
    options
        The pydantic model that checks its parameters.
    vocabulary
        The pydantic model of what it learns.
    takes_vectors
        Whether it can use word vectors learnt elsewhere.
    """

    def keep(fit: Fit) -> Fit:
        EXTRACTORS.register(name)(Extractor(options, vocabulary, fit, takes_vectors))
        return fit

    return keep


class UnknownExtractorError(ValueError):
    """A vocabulary is of no extractor that there is."""


def restore(document: Any) -> Vocabulary:
    """Make a vocabulary again from the JSON document that ``model_dump`` gave.

    Raises
    ------
    ValueError
        If it is no such document; pydantic's message says where.
    PluginError
        If the plug-in of its extractor could not be imported.
    """
    name = document.get("extractor") if isinstance(document, Mapping) else None
    if name not in EXTRACTORS.names() and not EXTRACTORS.broken(str(name)):
        msg = f"no vocabulary of {' or '.join(EXTRACTORS.names())}"
        raise UnknownExtractorError(msg)
    return EXTRACTORS.get(str(name)).vocabulary.model_validate(document)
