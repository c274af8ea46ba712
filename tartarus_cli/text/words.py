r"""Words of a document, whatever its language.

A word is a run of letters, combining marks, numbers and ``_`` of any script. Python's ``\w`` lacks
the marks, and would cut Hindi or decomposed Vietnamese words into pieces.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby
from unicodedata import category, normalize

from tartarus_cli.text import TokenUnit

JOINERS = "\u200c\u200d"
"""Characters that stand within words of Persian and of Indic scripts."""

SIGN_VARIANTS = dict(zip("’，！？（）", "',!?()", strict=True))  # noqa: RUF001 — they look alike
"""Other characters for the same signs."""


def split_words(text: str, *, unit: TokenUnit = "word") -> list[str]:
    """Return the words of two or more characters, in lower case and composed (NFC).

    Of plain Latin text they are the words that scikit-learn's ``CountVectorizer`` finds.

    Parameters
    ----------
    text
        A document.
    unit
        With ``character``, each character with its marks counts as a word.

    Examples
    --------
    >>> split_words("L'été à Étretat")
    ['été', 'étretat']
    >>> split_words("音楽", unit="character")
    ['音', '楽']
    """
    return _word_pattern(unit).findall(_normalize(text))


def split_tokens(text: str, *, unit: TokenUnit = "word") -> list[str]:
    """Return words, contractions and the signs ``, ! ( ) ?``, each as a token.

    As Kim (Convolutional Neural Networks for Sentence Classification, EMNLP 2014) cleaned English
    text, but for the letters of all scripts; apostrophes stay part of words.

    Parameters
    ----------
    text
        A document.
    unit
        With ``character``, each letter with its marks is a token.

    Examples
    --------
    >>> split_tokens("Don't stop, it's ABBA (1976)!")
    ['do', "n't", 'stop', ',', 'it', "'s", 'abba', '(', '1976', ')', '!']
    """
    plain = _normalize(text)
    for variant, sign in SIGN_VARIANTS.items():
        plain = plain.replace(variant, sign)
    if unit == "character":
        return _character_pattern().findall(plain)
    cleaned = " ".join(_token_pattern().findall(plain))
    spaced = re.sub(r"(n't|'(?:s|ve|re|d|ll))", r" \1", cleaned)
    return re.sub(r"([,!()?])", r" \1 ", spaced).split()


def _normalize(text: str) -> str:
    return normalize("NFC", text.lower())


@cache
def _mark_pattern() -> str:
    """Return a pattern of one combining mark or joiner.

    Characters below the first mark fail at once, without a look at the long class of marks.
    """
    # Unicode has no marks outside of these ranges.
    ranges = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))
    marks = [point for points in ranges for point in points if category(chr(point))[0] == "M"]
    runs = groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0])
    intervals = ([point for _, point in run] for _, run in runs)
    classes = "".join(f"{chr(points[0])}-{chr(points[-1])}" for points in intervals)
    return rf"(?:(?![\0-\u02ff])[{JOINERS}{classes}])"


@cache
def _word_pattern(unit: TokenUnit) -> re.Pattern[str]:
    return re.compile(
        rf"\w{_mark_pattern()}*" if unit == "character" else rf"\w(?:\w+|{_mark_pattern()})+"
    )


@cache
def _character_pattern() -> re.Pattern[str]:
    return re.compile(rf"[^\W_]{_mark_pattern()}*|[(),!?'`]")


@cache
def _token_pattern() -> re.Pattern[str]:
    return re.compile(rf"(?:[^\W_]+{_mark_pattern()}*|[(),!?'`]+)+")
