"""Sequences of words: each word is a number, and each number has a word vector.

Number 0 is padding; 1 is any word that the vocabulary lacks; the words themselves follow by falling
frequency. Vectors are learnt by word2vec (Mikolov et al., NIPS 2013) or come from a file, and have
a norm of 1; whatever has none starts uniform in ±0.25 (Kim, EMNLP 2014), padding included.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tartarus_cli.errors import DataError, parameter
from tartarus_cli.extras import require
from tartarus_cli.text import (
    MAX_DIMENSIONS,
    DocumentRows,
    ExtractorOptions,
    FittedVocabulary,
    Tokens,
    TrainingTexts,
    Vocabulary,
    WordVectors,
    extractor,
)
from tartarus_cli.text.words import split_tokens

UNKNOWN_WORD = 1
"""Number of any word that the vocabulary lacks; 0 is padding."""

FIRST_WORD = 2
"""Number of the first word of the vocabulary."""

INITIAL_RANGE = 0.25
"""Vectors that are drawn are uniform within plus and minus this."""

# gensim drops what is beyond that in one list of words.
SENTENCE_WORDS = 10_000
"""Words that are passed to word2vec at a time."""

Count = Annotated[int, Field(ge=1, le=1 << 26, strict=True)]
Length = Annotated[int, Field(ge=1, le=1 << 16, strict=True)]
Dim = Annotated[int, Field(ge=1, le=MAX_DIMENSIONS, strict=True)]


class W2vOptions(ExtractorOptions):
    """How long sequences are, which words are in the vocabulary, and how vectors are learnt."""

    word_limit: ClassVar = "length"
    tokenizes: ClassVar = True

    length: Length = 500
    """Words of a sequence; a longer document is cut, a shorter one padded."""

    min_count: Count = 1
    """How often a word must occur in the train documents to be in the vocabulary."""

    dim: Dim = 300
    """Length of a word vector; where vectors come from a file, that of the file."""

    window: Count = 10
    """Words on either side that count as near."""

    epochs: Count = 5
    """How often word2vec reads the train documents."""

    @property
    def passes(self) -> int:
        """How often the train documents are read: for the words, then for their vectors."""
        return 1 + self.epochs

    def tokenize(self, text: str) -> Tokens:
        """Return all words of a document; those beyond the length are learnt from, too."""
        tokens = split_tokens(text, unit=self.unit)
        return Tokens(tokens, len(tokens) > self.length)


class WordVocabulary(Vocabulary):
    """Words by falling frequency; the word at index ``i`` has the number ``i + 2``."""

    form: ClassVar = "sequence"

    extractor: Literal["w2v"] = "w2v"
    options: W2vOptions
    words: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_words(self) -> Self:
        if len({*self.words}) != len(self.words):
            msg = "words that come twice"
            raise ValueError(msg)
        return self

    @property
    def size(self) -> int:
        """Number of words."""
        return len(self.words)

    @property
    def width(self) -> int:
        """Number of columns of the rows: one for each position in a document."""
        return self.options.length

    @property
    def vectors(self) -> int:
        """Number of word vectors: one for each word, the padding and the unknown word."""
        return len(self.words) + FIRST_WORD

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, FIRST_WORD)}

    def transform(self, texts: Sequence[str]) -> DocumentRows:
        """Return numbers of words, int32 ``(documents, length)``; 0 is padding, 1 unknown."""
        return self.transform_tokens([self.options.tokenize(text) for text in texts])

    def transform_tokens(self, documents: Sequence[Tokens]) -> DocumentRows:
        """Return numbers of the tokens of documents, int32 ``(documents, length)``."""
        length = self.options.length
        rows = np.zeros((len(documents), length), np.int32)
        known, longer = np.full(len(documents), np.nan), 0
        for row, document in enumerate(documents):
            longer += document.longer
            tokens = document.values[:length]
            numbers = [self._numbers.get(token, UNKNOWN_WORD) for token in tokens]
            rows[row, : len(numbers)] = numbers
            known[row] = 1 - numbers.count(UNKNOWN_WORD) / len(numbers) if numbers else np.nan
        return DocumentRows(rows, known, longer)


@extractor("w2v", options=W2vOptions, vocabulary=WordVocabulary, takes_vectors=True)
def fit(train: TrainingTexts, options: W2vOptions) -> FittedVocabulary:
    """Count the words of the train documents, and learn or read a vector for each.

    Parameters
    ----------
    train
        The train documents, the seed of what is drawn, and the vectors if they come from a file.
    options
        How long sequences are, which words are in the vocabulary, and how vectors are learnt.

    Raises
    ------
    DataError
        If there is no word, or the file of vectors is not what it should be.
    TartarusError
        If vectors are to be learnt, and gensim is not installed.
    """
    if train.vectors is None:
        require("gensim")
    counts: Counter[str] = Counter()
    documents = sentences = 0
    for document in train.tokenized(options):
        counts.update(document.values)
        documents += 1
        sentences += -(-len(document.values) // SENTENCE_WORDS)
    frequent = (word for word, count in counts.items() if count >= options.min_count)
    words = tuple(sorted(frequent, key=lambda word: (-counts[word], word)))
    if not words:
        raise _no_word_error(options, documents, len(counts))
    if train.vectors is None:
        ordered = {word: counts[word] for word in words}
        table = _with_special_rows(_train_vectors(train, options, ordered, sentences), train.seed)
        return FittedVocabulary(
            WordVocabulary(options=options, documents=documents, words=words), table
        )
    vectors = train.vectors({word: row for row, word in enumerate(words)})
    table = _with_special_rows(vectors.values, train.seed, vectors.present)
    dim = vectors.values.shape[1]
    remark = f"{vectors.present.sum():,} of {len(words):,} words have a vector in "
    remark += f"{vectors.source} ({dim} dimensions)"
    warning = _few_vectors(vectors, counts, words)
    options = options.model_copy(update={"dim": dim})
    return FittedVocabulary(
        WordVocabulary(options=options, documents=documents, words=words), table, remark, warning
    )


FEW_VECTORS = 0.5
"""Share of the words of all documents that should have a vector."""


def _few_vectors(vectors: WordVectors, counts: Counter[str], words: Sequence[str]) -> str:
    """Say that hardly any word has a vector, and why that may be; "" if many have."""
    spelt = [any(map(str.isalpha, word)) for word in words]
    total = sum(counts[word] for word, is_word in zip(words, spelt, strict=True) if is_word)
    found = sum(
        counts[word]
        for word, is_word, known in zip(words, spelt, vectors.present, strict=True)
        if is_word and known
    )
    if not total or found >= FEW_VECTORS * total:
        return ""
    warning = (
        f"only {found:,} of {total:,} words of the train documents ({found / total:.1%}) have a "
        f"vector in {vectors.source}; the others are drawn at random: are these vectors of the "
        "language of the documents?"
    )
    if vectors.upper:
        warning += (
            f" It has {vectors.upper:,} of the words with upper-case letters; words are "
            "looked up in lower case: take vectors of lower-case words."
        )
    return warning


def _no_word_error(options: W2vOptions, documents: int, words: int) -> DataError:
    count = f"{documents} train document{'' if documents == 1 else 's'}"
    if not words:
        hint = "Look into the documents, and at the list that names them."
        return DataError(f"{count}: no word is in them", hint=hint)
    msg = f"{count}: none of the {words:,} words occurs {options.min_count} times (min_count)"
    hint = f"Allow rarer words: {parameter('overrides', ['min_count=1'])} keeps all of them."
    return DataError(msg, hint=hint)


def _with_special_rows(
    vectors: NDArray[np.float32], seed: int, present: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Put the rows of padding and of unknown words before the vectors, whose norms become 1.

    Vectors that are not ``present`` are drawn, as the rows of padding and unknown words are.
    """
    table = _draw_vectors((len(vectors) + FIRST_WORD, vectors.shape[1]), seed)
    words, unit = table[FIRST_WORD:], _unit_rows(vectors)
    words[:] = unit if present is None else np.where(present[:, None], unit, words)
    return table


def _draw_vectors(shape: tuple[int, int], seed: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).random(shape, np.float32)
    return drawn * (2 * INITIAL_RANGE) - INITIAL_RANGE


def _unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divide each row by its norm; zero rows stay zero, and large values do not overflow."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled = vectors / np.where(largest > 0, largest, 1)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1), np.float32)


def modernize_vectors(table: NDArray[np.float32], seed: int) -> NDArray[np.float32] | None:
    """Return word vectors of earlier versions as :func:`fit` returns them now; None if they are so.

    Earlier versions wrote vectors of any norm, and zeros for padding.

    Parameters
    ----------
    table
        A vector for each number of a word, ``(words, dim)``.
    seed
        Seed of the vector of padding.
    """
    if table[0].any():
        return None
    padding = _draw_vectors((1, table.shape[1]), seed)
    return np.concatenate([padding, table[1:FIRST_WORD], _unit_rows(table[FIRST_WORD:])])


def _train_vectors(
    train: TrainingTexts, options: W2vOptions, counts: dict[str, int], sentences: int
) -> NDArray[np.float32]:
    """Learn a vector for each of the counted words, in their order, ``(words, dim)``."""
    from gensim.models import Word2Vec

    # Without a handler, gensim prints its warnings.
    logging.getLogger("gensim").addHandler(logging.NullHandler())
    # Rare words are left out already, in an order that is the same everywhere; results repeat with
    # one worker only; and gensim takes seeds of 32 bits.
    model = Word2Vec(
        vector_size=options.dim,
        window=options.window,
        min_count=1,
        sorted_vocab=0,
        workers=1,
        seed=int(np.random.SeedSequence(train.seed).generate_state(1)[0]),
    )
    model.build_vocab_from_freq(counts, corpus_count=sentences)
    corpus = _Sentences(train, options)
    model.train(corpus, total_examples=sentences, epochs=options.epochs)
    if corpus.problem is not None:
        raise corpus.problem
    return np.asarray(model.wv.vectors, np.float32)


class _Sentences:
    """Train documents as gensim reads them: again in each epoch, and in a thread of its own."""

    def __init__(self, train: TrainingTexts, options: W2vOptions) -> None:
        self._train, self._options = train, options
        self.problem: Exception | None = None

    def __iter__(self) -> Iterator[list[str]]:
        size = SENTENCE_WORDS
        try:
            for document in self._train.tokenized(self._options):
                tokens = document.values
                yield from (tokens[n : n + size] for n in range(0, len(tokens), size))
        except Exception as problem:  # noqa: BLE001 — raised in its thread, gensim would wait for ever
            self.problem = problem
