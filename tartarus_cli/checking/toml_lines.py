"""Where a parameter stands in a TOML file."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[+\s*([^\[\]]+?)\s*\]+\s*(#.*)?")
_KEY = re.compile(r"""\s*([^=#\[\]]+?)\s*=""")


def find_line(text: str, key: str) -> int | None:
    r"""Return the number of the line that sets a parameter, or of the nearest that contains it.

    Parameters
    ----------
    text
        The file, which is valid TOML.
    key
        Its keys from the outermost, joined by dots.

    Returns
    -------
    The number of the line, from 1; None if it is not in this file.

    Examples
    --------
    >>> find_line('a = 1\n[b]\n"c" = 2\nd.e = 3', "b.c"), find_line("[b]\nd.e = 3", "b.d.e")
    (3, 2)
    >>> find_line("[b]\nc = {d = 1}", "b.c.d"), find_line("[b]\nc = 1", "x")
    (2, None)
    """
    section, places = "", dict[str, int]()
    for number, line in enumerate(text.split("\n"), 1):
        header, assignment = _HEADER.fullmatch(line.rstrip("\r")), _KEY.match(line)
        if header:
            section = _plain(header[1])
            places.setdefault(section, number)
        elif assignment:
            name = _plain(assignment[1])
            parts = f"{section}.{name}".split(".") if section else name.split(".")
            for end in range(1, len(parts) + 1):
                places.setdefault(".".join(parts[:end]), number)
    parts = key.split(".")
    names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((places[name] for name in names if name in places), None)


def _plain(key: str) -> str:
    """Write a key without quotes and blanks."""
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def at_line(text: str, key: str) -> str:
    """Say in which line a parameter stands, as the beginning of a message; empty if in none."""
    number = find_line(text, key)
    return "" if number is None else f"line {number}: "
