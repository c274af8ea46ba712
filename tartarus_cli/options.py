"""Parameters that are given as ``key=value``, typed and checked by a pydantic model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tartarus_cli.errors import RequestError, nearest, parameter
from tartarus_cli.files import TomlError, parse_toml

OptionsT = TypeVar("OptionsT", bound=BaseModel)
T = TypeVar("T")

MAX_SHARDS = 100_000
"""Shards that work is divided into, at most."""


@dataclass(frozen=True)
class Shard:
    """One of several equal shares of some work, each of which may be done on its own machine."""

    number: int
    """Counted from 1."""
    of: int
    """How many there are."""

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read a shard that is written as ``2/8``.

        Raises
        ------
        RequestError
            If it is not one.

        Examples
        --------
        >>> Shard.parse("2/8")
        Shard(number=2, of=8)
        """
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
        shard = cls(int(match[1]), int(match[2])) if match else None
        if shard is None or not 1 <= shard.number <= shard.of <= MAX_SHARDS:
            msg = f"{parameter('shard', text)} is no shard"
            hint = f"Write {parameter('shard', '2/8')} for the second of eight."
            raise RequestError(msg, hint=hint)
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def select(self, units: Sequence[T]) -> list[T]:
        """Return the units of this shard: every ``of``-th one, from the ``number``-th on.

        >>> Shard(2, 3).select("abcdefgh")
        ['b', 'e', 'h']
        """
        return list(units[self.number - 1 :: self.of])


def shard_of(text: str | None, cluster: str | None) -> Shard | None:
    """Return the shard that is asked for, if one is; a cluster has none.

    Raises
    ------
    RequestError
        If it is no shard, or there is a cluster, too.
    """
    if text is None:
        return None
    if cluster is not None:
        msg = f"{parameter('shard')} and {parameter('cluster')} exclude each other"
        raise RequestError(msg, hint="A cluster divides the work by itself; leave one of them out.")
    return Shard.parse(text)


def parse_value(text: str) -> Any:
    """Read a value written as in TOML; quotes around text may be left out, and zeros at a point.

    >>> parse_value("0.5"), parse_value(".5"), parse_value("[2, 3]"), parse_value("mel")
    (0.5, 0.5, [2, 3], 'mel')
    """
    if re.fullmatch(r"[+-]?(\d+\.|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE | re.ASCII):
        return float(text)
    try:
        table = parse_toml(f"value = {text}")
    except TomlError:
        return text
    return table["value"] if len(table) == 1 else text


def parse_options(model: type[OptionsT], overrides: Sequence[str], subject: str) -> OptionsT:
    """Return the options of a model with some of its defaults overridden.

    Parameters
    ----------
    model
        The pydantic model, with a field for each parameter; all fields have defaults.
    overrides
        ``key=value``, the value written as in TOML; the last one of a key counts.
    subject
        What the parameters belong to, such as the name of a transform, for the messages.

    Raises
    ------
    RequestError
        If there is no such parameter, or a value has the wrong type or range.

    Examples
    --------
    >>> class Words(BaseModel):
    ...     words: int = 300
    >>> parse_options(Words, ["words=20"], "vsm")
    Words(words=20)
    """
    values = dict(_override(text, model) for text in overrides)
    for key in values:
        if key not in model.model_fields:
            msg = f"{subject} has no parameter {key!r}"
            raise RequestError(msg, hint=nearest(key, model.model_fields))
    try:
        return model.model_validate(values)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        value = "" if first["type"] in ("missing", "value_error") else f", not {first['input']!r}"
        reason = first["msg"].removeprefix("Value error, ")
        key = f" {first['loc'][0]}:" if first["loc"] else ""
        msg = f"{subject}:{key} {reason}{value}"
        raise RequestError(msg, hint=_list_defaults(model)) from None


def _override(text: str, model: type[BaseModel]) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (equals and key.strip()):
        msg = f"{parameter('overrides', text)} is not of the form key=value"
        raise RequestError(msg, hint=_list_defaults(model))
    return key.strip(), parse_value(value.strip())


def _list_defaults(model: type[BaseModel]) -> str:
    fields = model.model_fields.items()
    pairs = (f"{name}={field.get_default(call_default_factory=True)}" for name, field in fields)
    return f"The defaults are {', '.join(pairs)}."


def parse_bytes(text: str) -> int:
    """Read a number of bytes, with or without a unit.

    The units k, M, G and T are powers of 1024; kB, MB, GB and TB are powers of 1000.

    >>> parse_bytes("1GiB"), parse_bytes("1.5 k"), parse_bytes("300MB")
    (1073741824, 1536, 300000000)

    Raises
    ------
    RequestError
        If the text is not a number of bytes.
    """
    # pydantic's ByteSize would read "1k" as 1000 and "1,5G" as 1.
    match = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)\s*(?:([kmgt])(i?b)?|b)?", text.strip().lower())
    if match is None:
        msg = f"{text!r} is not an amount of memory"
        raise RequestError(msg, hint="Write it like 512MiB or 2GiB.")
    number, unit, ending = match.groups()
    base = 1000 if ending == "b" else 1024
    return int(float(number) * (base ** (1 + "kmgt".index(unit)) if unit else 1))


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> float:
    """Read a time in seconds, minutes, hours or days; 0 needs no unit.

    >>> parse_duration("90s"), parse_duration("10m"), parse_duration("1.5 h"), parse_duration("0")
    (90.0, 600.0, 5400.0, 0.0)

    Raises
    ------
    RequestError
        If the text is no time.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)\s*([smhd]?)", text.strip().lower())
    if match is None or (not match[2] and float(match[1])):
        msg = f"{text!r} is not a time"
        raise RequestError(msg, hint="Write it with its unit, like 30s, 10m or 1h.")
    return float(match[1]) * _SECONDS.get(match[2], 1)
