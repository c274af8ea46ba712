"""Reading TOML that may be hostile: no more than people write, and nothing that has no end."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from tartarus_cli.encodings import decode, read_content
from tartarus_cli.errors import FileError
from tartarus_cli.files.reading import format_bytes, readable

MAX_BYTES = 1 << 20
"""The largest file of settings or of an experiment."""
MAX_DEPTH = 20
"""How deeply tables and lists may be nested; an experiment has three levels."""


class TomlError(ValueError):
    """A text is not TOML, or not such TOML as people write."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file of settings or of an experiment, as :func:`parse_toml` does.

    Raises
    ------
    TomlError
        If it is not TOML; a line is named where there is one.
    FileError
        If it cannot be read, is of another encoding, or is larger than 1 MB.
    """
    with readable(path):
        size = path.stat().st_size
    if size > MAX_BYTES:
        raise FileError(
            path,
            found=f"a file of {format_bytes(size)}",
            expected=f"settings, {format_bytes(MAX_BYTES)} at most",
            hint="Look whether it is the file that it should be.",
        )
    with readable(path):
        content = read_content(path, "settings or an experiment", MAX_BYTES)
    return parse_toml(decode(path, content, None, selectable=False))


def parse_toml(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises
    ------
    TomlError
        If it is not TOML, is nested too deeply, or holds an integer of more than 64 bits.

    Examples
    --------
    >>> parse_toml("seed = 3")
    {'seed': 3}
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise TomlError(str(problem)) from None
    except RecursionError:
        raise _too_deep_error() from None
    except ValueError:  # of an integer that has thousands of digits
        raise _too_large_error() from None
    _require_simple(table)
    return table


def _require_simple(table: dict[str, Any]) -> None:
    """Look at the values level by level: a function that calls itself would be too deep as well."""
    level: list[Any] = [table]
    for _ in range(MAX_DEPTH):
        if any(isinstance(value, int) and abs(value) >> 64 for value in level):
            raise _too_large_error()
        level = [inner for value in level for inner in _values_in(value)]
        if not level:
            return
    raise _too_deep_error()


def _values_in(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.values()]
    return value if isinstance(value, list) else []


def _too_deep_error() -> TomlError:
    return TomlError(f"tables or lists that are nested more than {MAX_DEPTH} deep")


def _too_large_error() -> TomlError:
    return TomlError("an integer of more than 64 bits")
