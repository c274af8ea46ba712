"""Cells that seem to hold several names, such as ``rock|pop``, where each was read as one name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from tartarus_cli.errors import parameter

SEPARATORS = "|;,/"
"""What is looked for, the likeliest first; the last two are parts of many single names."""
_UNLIKELY_IN_NAMES = "|"
_LIKELY_IN_NAMES = ",/"


@dataclass(frozen=True)
class JoinedNames:
    """Names that seem to be several ones."""

    separator: str
    """What stands between them; "" of a list in brackets."""
    names: tuple[str, ...]

    def describe(self, noun: str, option: str) -> str:
        """Say how many there are, and how to cut them.

        Parameters
        ----------
        noun
            What they are called, in the plural.
        option
            The parameter that names a separator.
        """
        example = f"such as {self.names[0]!r}"
        count = f"{len(self.names):,} {noun} look like several in one cell, {example}"
        if self.separator:
            return f"{count}; to separate them: {parameter(option, self.separator)}"
        return f"{count}; write a row for each of them"


def find_joined(names: Collection[str]) -> JoinedNames | None:
    """Return the names that seem to be several, with the likeliest separator; None if none do.

    A ``|`` is no part of a name; a semicolon may be, if none of what it separates comes twice; a
    comma and a slash are, unless each of the parts is a name of its own, or most names have them
    and most of what they separate comes several times.

    >>> find_joined(["rock|pop", "pop"])
    JoinedNames(separator='|', names=('rock|pop',))
    >>> find_joined(["R&B/Soul", "Soul", "Folk, World, & Country", "Folk"])
    """
    lists = tuple(name for name in names if name[:1] == "[" and name[-1:] == "]" and len(name) > 2)
    if lists:
        return JoinedNames("", lists)
    for separator in SEPARATORS:
        cells = {name: _parts(name, separator) for name in names if separator in name}
        joined = {name: parts for name, parts in cells.items() if len(parts) > 1}
        if not joined:
            continue
        single = {name for name in names if separator not in name}
        found = tuple(_likely(separator, joined, single))
        if found:
            return JoinedNames(separator, found)
    return None


def _parts(name: str, separator: str) -> list[str]:
    return [part.strip() for part in name.split(separator) if part.strip()]


def _likely(separator: str, joined: dict[str, list[str]], single: set[str]) -> Iterator[str]:
    if separator in _UNLIKELY_IN_NAMES:
        yield from joined
        return
    counts = Counter(part for parts in joined.values() for part in {*parts})
    if separator in _LIKELY_IN_NAMES:
        repeated = sum(count for count in counts.values() if count > 1)
        if len(joined) > len(single) and repeated > 0.5 * counts.total():
            yield from joined
            return
        yield from (name for name, parts in joined.items() if single.issuperset(parts))
    else:
        for name, parts in joined.items():
            if any(part in single or counts[part] > 1 for part in parts):
                yield name


def same_but_for_case(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the names that differ by upper and lower case, or by whitespace, alone.

    >>> same_but_for_case(["Rock", "rock", "hip hop", "Hip  Hop ", "jazz"])
    [('Rock', 'rock'), ('hip hop', 'Hip  Hop ')]
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(" ".join(name.casefold().split()), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]
