"""Documents as numbers of their tokens: a word that occurs often is held once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, overload, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.text import Tokens


@dataclass
class Numbering:
    """A number for each token, from 0 on, in the order in which they are met first."""

    numbers: defaultdict[str, int] = field(default_factory=partial(defaultdict, int))
    _words: list[str] = field(default_factory=list)
    _columns: tuple[Mapping[str, int], NDArray[np.int32]] = ({}, np.empty(0, np.int32))

    def __post_init__(self) -> None:
        self.numbers.default_factory = self.numbers.__len__

    def number(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """Return the number of each token; new ones get the next numbers."""
        return np.fromiter(map(self.numbers.__getitem__, tokens), np.int32, len(tokens))

    @property
    def words(self) -> Sequence[str]:
        """The token of each number."""
        if len(self._words) != len(self.numbers):
            self._words = [*self.numbers]
        return self._words

    def columns(self, terms: Mapping[str, int]) -> NDArray[np.int32]:
        """Return the column of each number; -1 where its token is no term.

        Parameters
        ----------
        terms
            The column of each term.
        """
        known, columns = self._columns
        if known is not terms or len(columns) != len(self.numbers):
            columns = np.fromiter((terms.get(word, -1) for word in self.words), np.int32)
            self._columns = terms, columns
        return columns


@dataclass(frozen=True)
class NumberedTokens(Sequence[Tokens]):
    """The tokens of documents, as numbers.

    Examples
    --------
    >>> documents = number_tokens([Tokens(["la", "la", "land"]), Tokens(["land"], longer=True)])
    >>> documents.numbers.tolist(), documents.lengths.tolist()
    ([0, 0, 1, 1], [3, 1])
    >>> documents[1]
    Tokens(values=['land'], longer=True)
    """

    numbering: Numbering
    numbers: NDArray[np.int32]
    """Those of all documents, one after the other, ``(tokens,)``."""
    lengths: NDArray[np.int64]
    """Number of tokens of each document, ``(documents,)``."""
    longer: NDArray[np.bool_]
    """Whether a document holds more, ``(documents,)``."""

    def numbered(self) -> NumberedTokens:
        """Return these documents: see :class:`Numberable`."""
        return self

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> Tokens: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tokens]: ...
    def __getitem__(self, index: int | slice) -> Tokens | list[Tokens]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        end = int(self.lengths[: row + 1].sum())
        return self._document(row, end)

    def __iter__(self) -> Iterator[Tokens]:
        return map(self._document, range(len(self)), self.lengths.cumsum().tolist())

    def _document(self, row: int, end: int) -> Tokens:
        words, numbers = self.numbering.words, self.numbers[end - int(self.lengths[row]) : end]
        return Tokens([words[number] for number in numbers.tolist()], bool(self.longer[row]))

    def counts(self, columns: NDArray[np.int32], width: int) -> csr_array:
        """Count the tokens of each document, CSR float64 ``(documents, width)``, indices sorted.

        Parameters
        ----------
        columns
            Column of each number, ``(numbers,)``; -1: it is not counted.
        width
            Number of columns.
        """
        indices = columns[self.numbers]
        present = indices >= 0
        ends = np.concatenate([[0], np.cumsum(present)])[self.lengths.cumsum()]
        indices, starts = indices[present], np.concatenate([[0], ends]).astype(np.int64)
        if len(indices) <= np.iinfo(np.int32).max:
            starts = starts.astype(np.int32)
        shape = (len(self), width)
        rows = csr_array((np.ones(len(indices)), indices, starts), shape=shape)
        rows.sum_duplicates()
        return rows


@runtime_checkable
class Numberable(Protocol):
    """Documents of which the tokens are numbered already."""

    def numbered(self) -> NumberedTokens:
        """Return them."""
        ...


def number_tokens(documents: Iterable[Tokens]) -> NumberedTokens:
    """Give the tokens of documents numbers, unless they have some already."""
    if isinstance(documents, Numberable):
        return documents.numbered()
    numbering, numbers = Numbering(), list[NDArray[np.int32]]()
    longer = []
    for document in documents:
        numbers.append(numbering.number(document.values))
        longer.append(document.longer)
    return join_numbers(numbering, numbers, longer)


def join_numbers(
    numbering: Numbering, numbers: Sequence[NDArray[np.int32]], longer: Sequence[bool]
) -> NumberedTokens:
    """Put numbered documents together.

    Parameters
    ----------
    numbering
        The numbers of tokens.
    numbers
        Those of each document.
    longer
        Whether each document holds more.
    """
    joined = np.concatenate([np.empty(0, np.int32), *numbers])
    lengths = np.array([len(each) for each in numbers], np.int64)
    return NumberedTokens(numbering, joined, lengths, np.array(longer, bool))
