"""Lists of ids: text, one a line, in the order of the rows that they name."""

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from itertools import islice
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


def ids_digest(ids: Iterable[str]) -> str:
    """BLAKE2b hash of ids and of their order, whatever ends the lines; 32 hexadecimal digits."""
    hashed = blake2b(digest_size=16)
    for each in ids:
        hashed.update(f"{each}\n".encode())
    return hashed.hexdigest()


def near_ids(wanted: str, ids: Sequence[str], most: int = 20_000) -> str:
    """Say which ids come closest to a wanted one, or what ids look like.

    Of very many ids, only those are looked at that share the longest beginning with it.

    >>> near_ids("song-12", ["song-1", "song-21", "x"])
    "Did you mean 'song-1' or 'song-21'?"
    >>> near_ids("me", ["a", "b", "c", "d"])
    "There are 'a', 'b', 'c', …."
    """
    alike = _alike(wanted[:64], ids, most) if len(ids) > most else ids
    near = get_close_matches(wanted, alike, n=3, cutoff=0.55)
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    return f"There are {_some([*map(repr, ids[:4])])}."


def _alike(wanted: str, ids: Sequence[str], most: int) -> list[str]:
    for length in range(len(wanted), 0, -1):
        start = wanted[:length]
        found = [*islice((each for each in ids if each.startswith(start)), most)]
        if found:
            return found
    return []


def _some(where: Sequence[str], most: int = 3) -> str:
    return ", ".join(where[:most]) + (", …" if len(where) > most else "")
