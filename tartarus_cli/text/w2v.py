"""Sequences of words: each word is a number, and each number has a word vector.

Number 0 is padding, whose vector is zero; 1 is any word that the vocabulary lacks; the words
themselves follow by falling frequency. Vectors are learnt by word2vec (Mikolov et al., NIPS 2013)
or come from a file; whatever has none starts uniform in ±0.25 (Kim, EMNLP 2014).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tartarus_cli.errors import DataError
from tartarus_cli.extras import require
from tartarus_cli.text import (
    MOST_DIMENSIONS,
    ExtractorOptions,
    FittedVocabulary,
    TrainingTexts,
    Transformed,
    Vocabulary,
    extractor,
)
from tartarus_cli.text.words import words_and_signs

UNKNOWN, FIRST = 1, 2  # numbers of an unknown word and of the first word; 0 is padding
SPREAD = 0.25
PIECE = 10_000  # words; gensim drops what is beyond that in a text

Count = Annotated[int, Field(ge=1, le=1 << 26, strict=True)]
Length = Annotated[int, Field(ge=1, le=1 << 16, strict=True)]
Dim = Annotated[int, Field(ge=1, le=MOST_DIMENSIONS, strict=True)]


class W2vOptions(ExtractorOptions):
    """How long sequences are, which words are in the vocabulary, and how vectors are learnt."""

    length: Length = 500  # words of a document; a longer one is cut, a shorter one padded
    min_count: Count = 1  # times that a word must come in the train documents
    dim: Dim = 300  # of a word vector; that of the file, where vectors come from one
    window: Count = 10  # words on either side that count as near
    epochs: Count = 5

    @property
    def passes(self) -> int:
        """How often the train documents are read: for the words, then for their vectors."""
        return 1 + self.epochs


class Words(Vocabulary):
    """Words by falling frequency; word ``i`` of them has the number ``i + 2``."""

    form: ClassVar = "sequence"

    extractor: Literal["w2v"] = "w2v"
    options: W2vOptions
    words: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len({*self.words}) != len(self.words):
            msg = "words that come twice"
            raise ValueError(msg)
        return self

    @property
    def size(self) -> int:
        """How many words there are."""
        return len(self.words)

    @property
    def width(self) -> int:
        """How many columns the rows have: one for each place in a document."""
        return self.options.length

    @property
    def vectors(self) -> int:
        """How many word vectors there are: one for each word, the padding and the unknown one."""
        return len(self.words) + FIRST

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, FIRST)}

    def transform(self, texts: Sequence[str]) -> Transformed:
        """Return numbers of words, int32 ``(documents, length)``."""
        rows = np.zeros((len(texts), self.options.length), np.int32)
        known = np.full(len(texts), np.nan)
        for row, text in enumerate(texts):
            tokens = words_and_signs(text, self.options.unit)[: self.options.length]
            numbers = [self._numbers.get(token, UNKNOWN) for token in tokens]
            rows[row, : len(numbers)] = numbers
            known[row] = 1 - numbers.count(UNKNOWN) / len(numbers) if numbers else np.nan
        return Transformed(rows, known)


@extractor("w2v", options=W2vOptions, vocabulary=Words, takes_vectors=True)
def fit(lesson: TrainingTexts, options: W2vOptions) -> FittedVocabulary:
    """Count the words of the train documents, and find a vector for each.

    Raises
    ------
    DataError
        If there is no word, or the file of vectors is not what it should be.
    TartarusError
        If vectors are to be learnt, and gensim is not installed.
    """
    if lesson.vectors is None:
        require("gensim")
    times: Counter[str] = Counter()
    documents = pieces = 0
    for text in lesson.texts:
        tokens = words_and_signs(text, options.unit)
        times.update(tokens)
        documents += 1
        pieces += -(-len(tokens) // PIECE)
    frequent = (word for word, count in times.items() if count >= options.min_count)
    words = tuple(sorted(frequent, key=lambda word: (-times[word], word)))
    if not words:
        raise _no_words(options, documents, len(times))
    if lesson.vectors is None:
        counts = {word: times[word] for word in words}
        table = _with_special_rows(_trained(lesson, options, counts, pieces), lesson.seed)
        return FittedVocabulary(Words(options=options, documents=documents, words=words), table)
    found = lesson.vectors({word: n for n, word in enumerate(words)})
    table = _with_special_rows(found.values, lesson.seed, found.there)
    remark = f"{found.there.sum():,} of {len(words):,} words have a vector in "
    remark += f"{found.source} ({found.values.shape[1]} dimensions)"
    options = options.model_copy(update={"dim": found.values.shape[1]})
    return FittedVocabulary(Words(options=options, documents=documents, words=words), table, remark)


def _no_words(options: W2vOptions, documents: int, words: int) -> DataError:
    told = f"{documents} train document{'' if documents == 1 else 's'}"
    if not words:
        hint = "Look into them, and at the list of documents."
        return DataError(f"{told}: no word is in them", hint=hint)
    msg = f"{told}: none of the {words:,} words comes {options.min_count} times (min_count)"
    return DataError(msg, hint="Allow rarer ones: --set min_count=1 keeps all of them.")


def _with_special_rows(
    vectors: NDArray[np.float32], seed: int, there: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Put the rows of padding and of unknown words before the vectors; draw what is not there."""
    shape = (len(vectors) + FIRST, vectors.shape[1])
    table = np.random.default_rng(seed).random(shape, np.float32) * (2 * SPREAD) - SPREAD
    table[0] = 0
    table[FIRST:] = vectors if there is None else np.where(there[:, None], vectors, table[FIRST:])
    return table


def _trained(
    lesson: TrainingTexts, options: W2vOptions, counts: dict[str, int], pieces: int
) -> NDArray[np.float32]:
    """Learn a vector for each of the counted words, in their order, ``(words, dim)``."""
    from gensim.models import Word2Vec

    logging.getLogger("gensim").addHandler(logging.NullHandler())  # else it prints its warnings
    model = Word2Vec(
        vector_size=options.dim,
        window=options.window,
        min_count=1,  # rare words are left out already
        sorted_vocab=0,  # ours is, and the same everywhere
        workers=1,  # more of them never repeat a result
        seed=int(np.random.SeedSequence(lesson.seed).generate_state(1)[0]),  # 32 bits
    )
    model.build_vocab_from_freq(counts, corpus_count=pieces)
    pieces_of_texts = _Pieces(lesson.texts, options)
    model.train(pieces_of_texts, total_examples=pieces, epochs=options.epochs)
    if pieces_of_texts.problem is not None:
        raise pieces_of_texts.problem
    return np.asarray(model.wv.vectors, np.float32)


class _Pieces:
    """Train documents as gensim reads them: again in each epoch, and in a thread of its own."""

    def __init__(self, texts: Iterable[str], options: W2vOptions) -> None:
        self._texts, self._options = texts, options
        self.problem: Exception | None = None

    def __iter__(self) -> Iterator[list[str]]:
        try:
            for text in self._texts:
                tokens = words_and_signs(text, self._options.unit)
                yield from (tokens[n : n + PIECE] for n in range(0, len(tokens), PIECE))
        except Exception as problem:  # noqa: BLE001 — raised in its thread, gensim would wait for ever
            self.problem = problem
