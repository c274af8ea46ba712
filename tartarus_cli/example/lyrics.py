"""Lyrics for the example's songs: words of a style, joined by words of all songs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

STYLE_SHARE = 0.75
"""Share of the content words that belong to the style; the others are common to all songs."""
FUNCTION_WORDS = (
    "the a my your our and with in under over through for like from into toward when while "
    "until still never always"
)
COMMON_WORDS = (
    "heart night love time eyes song dream world home hands words morning light door road "
    "voice rain days friend someone somewhere naïve tomorrow café window secret story"
)
STYLE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "Slowglow": (
            "tide harbour drifting mist moonlit fjörd ember lantern hush velvet slumber shoreline "
            "lull snowfall amber feather horizon sinking stillness willow glacier murmur candle "
            "silver breathing crépuscule Müggelsee aurora pillow float"
        ),
        "Thumpline": (
            "dancefloor sweat basement bass strobe jump neon shout crowd engine pulse stomp "
            "midnight speaker hustle fever bounce ¡vámonos! elbow turbo concrete taxi sirens "
            "Götterfunk louder pavement brass knuckle sneakers señorita"
        ),
        "Glasspick": (
            "bicycle dragonfly sparkle orchard whistle marbles lemonade kite meadow ribbon "
            "tiptoe sunbeam pebble clover giggle magpie pocket carousel crème brûlée tangerine "
            "skipping jumble hopscotch paintbox sparrow tambourine Łódź daffodil swing"
        ),
    }
)


def write_lyrics(style: str, rng: np.random.Generator) -> str:
    """Write a song of a style: two or three verses, a chorus after each, 64 to 144 words.

    Parameters
    ----------
    style
        One of the styles of ``STYLE_WORDS``.
    rng
        Draws all words, and the lengths.
    """
    shape = (4, int(rng.integers(4, 7)))  # lines of a verse, words of a line
    chorus = _verse(style, shape, rng)
    verses = [_verse(style, shape, rng) for _ in range(rng.integers(2, 4))]
    return "\n\n".join(part for verse in verses for part in (verse, chorus)) + "\n"


def _verse(style: str, shape: tuple[int, int], rng: np.random.Generator) -> str:
    lines, words = shape
    written = [" ".join(_line(style, words, rng)) for _ in range(lines)]
    return ",\n".join(line[0].upper() + line[1:] for line in written) + "."


def _line(style: str, words: int, rng: np.random.Generator) -> list[str]:
    """Put a function word before each content word."""
    line = []
    for number in range(words):
        if number % 2 == words % 2:
            line.append(_draw_word(FUNCTION_WORDS, rng))
        else:
            words_of_style = rng.random() < STYLE_SHARE
            line.append(_draw_word(STYLE_WORDS[style] if words_of_style else COMMON_WORDS, rng))
    return line


def _draw_word(words: str, rng: np.random.Generator) -> str:
    choices = words.split()
    return choices[rng.integers(len(choices))]
