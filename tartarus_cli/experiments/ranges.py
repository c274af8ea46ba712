"""Ranges of parameters, as a search for good ones reads them: ``0.1..0.7``, ``256,512,1024``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tartarus_cli.errors import RequestError, parameter
from tartarus_cli.options import parse_value

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_INTERVAL = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*((?::[^:]*)*)")
FORMS = "LOW..HIGH, LOW..HIGH:log, LOW..HIGH:STEP, or values with commas between them"
"""How a range is written, for messages."""


@dataclass(frozen=True)
class Interval:
    """All numbers between two ends, which belong to it."""

    low: float
    high: float
    whole: bool = False
    """Whether only whole numbers are meant, whatever the parameter takes."""
    log: bool = False
    """Whether ratios count, not differences: each power of ten gets as many values."""
    step: float | None = None
    """Distance of two values, from ``low`` on; None: any number."""

    @property
    def ends(self) -> tuple[str, str]:
        """The lowest and the highest value, as TOML writes them."""
        return write_number(self.low), write_number(self.high)


@dataclass(frozen=True)
class Choices:
    """Values to choose from, each as TOML writes it."""

    values: tuple[str, ...]


Range = Interval | Choices


def write_number(value: float) -> str:
    """Write a number as TOML does; a whole one without a point.

    >>> write_number(0.001), write_number(512)
    ('0.001', '512')
    """
    return repr(value)


def parse_range(text: str) -> Range | None:
    """Read a range; None for a single value.

    >>> parse_range("0.1..0.7")
    Interval(low=0.1, high=0.7, whole=False, log=False, step=None)
    >>> parse_range("16..512:log:int").log, parse_range("[512],[512,512]")
    (True, Choices(values=('[512]', '[512,512]')))
    >>> parse_range("[512, 512]"), parse_range('"a,b"')
    (None, None)

    Raises
    ------
    ValueError
        If it is meant as a range, and is none.
    """
    values = _split(text)
    if len(values) > 1:
        return Choices(_distinct(values))
    if ".." not in text or text.strip()[:1] in ("[", '"', "'"):
        return None
    match = _INTERVAL.fullmatch(text)
    if match is None:
        msg = f"{text!r} is no range: expected {FORMS}"
        raise ValueError(msg)
    low, high = _number(match[1]), _number(match[2])
    if not low < high:
        msg = f"{text!r} is no range: {match[1]} is not less than {match[2]}"
        raise ValueError(msg)
    return _with_marks(Interval(low, high), match[3], text)


def _with_marks(interval: Interval, marks: str, text: str) -> Interval:
    """Return an interval with what stands behind it: ``log``, ``int`` or a step."""
    log, whole, step = False, False, None
    for mark in marks.split(":")[1:]:
        if mark == "log":
            log = True
        elif mark == "int":
            whole = True
        elif re.fullmatch(_NUMBER, mark) and 0 < _number(mark) <= interval.high - interval.low:
            step = _number(mark)
        else:
            msg = f"{text!r}: {mark!r} is neither log, nor int, nor a step that fits"
            raise ValueError(msg)
    if log and (step is not None or interval.low <= 0):
        reason = "log and a step exclude each other" if step is not None else "log is of numbers"
        msg = f"{text!r}: {reason}{'' if step is not None else ' above 0'}"
        raise ValueError(msg)
    return Interval(interval.low, interval.high, whole, log, step)


def _number(text: str) -> float:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


def _distinct(values: list[str]) -> tuple[str, ...]:
    if not all(values):
        msg = f"{','.join(values)!r}: a value is missing between two commas"
        raise ValueError(msg)
    if len({repr(parse_value(value)) for value in values}) < len(values):
        msg = f"{','.join(values)!r} has a value twice"
        raise ValueError(msg)
    return tuple(values)


def _split(text: str) -> list[str]:
    """Cut a text at the commas that stand in no list and in no quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def flatten_ranges(section: Any) -> Any:
    """Return the ``tune`` section of a file with full keys, and lists as choices.

    >>> flatten_ranges({"network": {"dropout": "0.1..0.7"}, "training.batch_size": [32, 64]})
    {'network.dropout': '0.1..0.7', 'training.batch_size': '32, 64'}
    """
    if not isinstance(section, Mapping):
        return section
    flat: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{name}": each for name, each in flatten_ranges(value).items()}
        elif isinstance(value, list):
            flat[key] = ", ".join(json.dumps(each) for each in value)
        else:
            flat[key] = value
    return flat


def check_ranges(section: Any) -> Any:
    """Make sure that the values of a ``tune`` section are ranges.

    Raises
    ------
    ValueError
        If one is none.
    """
    if not isinstance(section, Mapping):
        return section
    for key, text in section.items():
        if not isinstance(text, str):
            msg = f"{key}: {text!r} is no range, which is text: {FORMS}"
            raise ValueError(msg)  # noqa: TRY004 — pydantic turns it into a message
        try:
            single = parse_range(text) is None
        except ValueError as problem:
            msg = f"{key}: {problem}"
            raise ValueError(msg) from None
        if single:
            msg = f"{key}: {text!r} is a single value, no range: expected {FORMS}"
            raise ValueError(msg)
    return dict(section)


def split_overrides(overrides: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Part overrides into those of a single value, and ranges: key → its text.

    >>> split_overrides(("network.dropout=0.1..0.7", "training.epochs=5"))
    (('training.epochs=5',), {'network.dropout': '0.1..0.7'})

    Raises
    ------
    RequestError
        If one is meant as a range, and is none.
    """
    fixed, ranges = [], {}
    for text in overrides:
        key, equals, value = text.partition("=")
        unquoted = _unquoted(value)
        try:
            is_range = bool(equals) and parse_range(unquoted) is not None
        except ValueError as problem:
            msg = f"{parameter('overrides', text)}: {problem}"
            example = parameter("overrides", f"{key.strip()}=0.1..0.7")
            raise RequestError(msg, hint=f"For example {example}.") from None
        if is_range:
            ranges[key.strip()] = unquoted.strip()
        else:
            fixed.append(text)
    return tuple(fixed), ranges


def _unquoted(value: str) -> str:
    """Return what stands in the quotes around a whole value, as of a call in Python."""
    match = re.fullmatch(r'\s*"([^"\\]*)"\s*', value)
    return match[1] if match and ".." in match[1] else value
