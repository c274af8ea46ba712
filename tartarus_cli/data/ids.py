"""Lists of ids: text, one a line, in the order of the rows that they name."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tartarus_cli.errors import FileError
from tartarus_cli.files import read_text, write_text


def read_lines(path: Path) -> list[str]:
    r"""Read the lines of a UTF-8 file, split at ``\n`` alone.

    ``\r\n``, a byte-order mark and a missing last newline are accepted.

    Raises
    ------
    FileError
        If the file is not UTF-8.
    """
    lines = read_text(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def read_ids(path: Path) -> list[str]:
    """Read ids, and make sure that each names one row.

    Raises
    ------
    FileError
        If there is none, or one is empty, holds a tab, or comes twice.
    """
    ids = read_lines(path)
    for problem in id_problems(path, ids):
        raise problem
    return ids


def id_problems(path: Path, ids: Sequence[str]) -> list[FileError]:
    """Return what is wrong with a list of ids, one error for each kind of fault."""
    faults = (
        ("no ids", [] if ids else ["the file is empty"]),
        ("empty ids", [f"line {n}" for n, each in enumerate(ids, 1) if not each.strip()]),
        ("ids with a tab", [f"line {n}" for n, each in enumerate(ids, 1) if "\t" in each]),
        ("duplicate ids", [repr(each) for each, n in Counter(ids).items() if n > 1 and each]),
    )
    return [
        FileError(
            path,
            found=f"{len(where):,} {fault} ({_some(where)})" if ids else fault,
            expected="one id a line, each of them once",
            hint="Correct the list, and the matrices whose rows it names.",
        )
        for fault, where in faults
        if where
    ]


def write_ids(path: Path, ids: Iterable[str]) -> None:
    """Write ids, one a line, in one step."""
    write_text(path, "".join(f"{each}\n" for each in ids))


def _some(where: Sequence[str], most: int = 3) -> str:
    return ", ".join(where[:most]) + (", …" if len(where) > most else "")
