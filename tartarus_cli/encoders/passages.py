"""Long documents, cut into passages, whose vectors are averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tartarus_cli.encoders import Vectors


def cut(text: str, length: int) -> list[str]:
    """Cut a text into passages of at most so many characters, between words where there are any.

    >>> cut("one two three", 9), cut("oneword", 3), cut("", 3)
    (['one two', 'three'], ['one', 'wor', 'd'], [''])
    """
    passages = []
    while len(text) > length:
        end = text.rfind(" ", 1, length + 1)
        end = length if end < 0 else end
        passages.append(text[:end])
        text = text[end:].lstrip()
    return passages if passages and not text else [*passages, text]


def encode_passages(texts: Sequence[str], length: int, encode: Callable[[str], Vectors]) -> Vectors:
    """Return a vector of length 1 for each text: the mean of those of its passages.

    Parameters
    ----------
    texts
        Documents.
    length
        Characters of a passage, at most; the mean is weighted by them.
    encode
        Takes a passage, and returns its vector, ``(width,)``.

    Returns
    -------
    ``(texts, width)``.
    """
    return np.stack([_mean(cut(text, length), encode) for text in texts])


def _mean(passages: Sequence[str], encode: Callable[[str], Vectors]) -> Vectors:
    if len(passages) == 1:
        return encode(passages[0])
    weights = np.array([len(passage) for passage in passages], float)
    total = weights @ np.array([encode(passage) for passage in passages], float)
    norm = float(np.linalg.norm(total))
    return np.asarray(total / (norm or 1.0), np.float32)
