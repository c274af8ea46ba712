"""Lyrics for the example's songs: words of a style, strung together by words of every song."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

OWN = 0.75  # share of the content words that are the style's own; the others any song may use
JOINING = (
    "the a my your our and with in under over through for like from into toward when while "
    "until still never always"
)
SHARED = (
    "heart night love time eyes song dream world home hands words morning light door road "
    "voice rain days friend someone somewhere naïve tomorrow café window secret story"
)
WORDS: Mapping[str, str] = MappingProxyType(
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
    """Write a song of a style: two or three verses, a chorus after each, 64 to 144 words."""
    shape = (4, int(rng.integers(4, 7)))  # lines of a verse, words of a line
    chorus = _verse(style, shape, rng)
    verses = [_verse(style, shape, rng) for _ in range(rng.integers(2, 4))]
    return "\n\n".join(part for verse in verses for part in (verse, chorus)) + "\n"


def _verse(style: str, shape: tuple[int, int], rng: np.random.Generator) -> str:
    lines, words = shape
    written = [" ".join(_line(style, words, rng)) for _ in range(lines)]
    return ",\n".join(line[0].upper() + line[1:] for line in written) + "."


def _line(style: str, words: int, rng: np.random.Generator) -> list[str]:
    """Put a joining word before each word that means something."""
    line = []
    for number in range(words):
        if number % 2 == words % 2:
            line.append(_any(JOINING, rng))
        else:
            line.append(_any(WORDS[style] if rng.random() < OWN else SHARED, rng))
    return line


def _any(words: str, rng: np.random.Generator) -> str:
    known = words.split()
    return known[rng.integers(len(known))]
