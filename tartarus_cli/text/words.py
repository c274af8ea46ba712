r"""Words of a document, whatever its language.

A word is a run of letters, combining marks, numbers and ``_`` of any script. Python's ``\w`` lacks
the marks, and would cut Hindi or decomposed Vietnamese words into pieces.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby
from unicodedata import category, normalize

from tartarus_cli.text import Unit

JOINERS = "\u200c\u200d"  # stand within words of Persian and of Indic scripts
TYPED = dict(zip("’，！？（）", "',!?()", strict=True))  # noqa: RUF001 — other ways to type signs


def words(text: str, unit: Unit = "word") -> list[str]:
    """Return the words of two or more characters, in lower case and composed (NFC).

    Those of plain Latin text are scikit-learn's.

    >>> words("L'été à Étretat")
    ['été', 'étretat']
    >>> words("音楽", unit="character")
    ['音', '楽']
    """
    return _words(unit).findall(_composed(text))


def words_and_signs(text: str, unit: Unit = "word") -> list[str]:
    """Return words, contractions and the signs ``, ! ( ) ?``, each as a token of its own.

    As Kim (Convolutional Neural Networks for Sentence Classification, EMNLP 2014) cleaned English
    text, for the letters of all scripts; apostrophes stay part of words.

    >>> words_and_signs("Don't stop, it's ABBA (1976)!")
    ['do', "n't", 'stop', ',', 'it', "'s", 'abba', '(', '1976', ')', '!']
    """
    plain = _composed(text)
    for typed, sign in TYPED.items():
        plain = plain.replace(typed, sign)
    if unit == "character":
        return _character().findall(plain)
    kept = " ".join(_kept().findall(plain))
    parted = re.sub(r"(n't|'(?:s|ve|re|d|ll))", r" \1", kept)
    return re.sub(r"([,!()?])", r" \1 ", parted).split()


def _composed(text: str) -> str:
    return normalize("NFC", text.lower())


@cache
def _mark() -> str:
    """Return a pattern of one combining mark or joiner; what comes before them all fails fast."""
    planes = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))  # there are none elsewhere
    marks = [point for plane in planes for point in plane if category(chr(point))[0] == "M"]
    runs = groupby(enumerate(marks), key=lambda each: each[1] - each[0])
    ends = ([point for _, point in run] for _, run in runs)
    inside = "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in ends)
    return rf"(?:(?![\0-\u02ff])[{JOINERS}{inside}])"


@cache
def _words(unit: Unit) -> re.Pattern[str]:
    return re.compile(rf"\w{_mark()}*" if unit == "character" else rf"\w(?:\w+|{_mark()})+")


@cache
def _character() -> re.Pattern[str]:
    return re.compile(rf"[^\W_]{_mark()}*|[(),!?'`]")


@cache
def _kept() -> re.Pattern[str]:
    return re.compile(rf"(?:[^\W_]+{_mark()}*|[(),!?'`]+)+")
