"""Lists of ids: text, one a line, in the order of the rows that they name."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from tartarus_cli.data.tables.names import ITEM_NAMES, normalize_column
from tartarus_cli.errors import FileError, display_path
from tartarus_cli.files import put_text, read_text, write_text
from tartarus_cli.progress import warn


def read_lines(path: Path) -> list[str]:
    r"""Read the lines of a UTF-8 file, split at ``\n`` alone.

    ``\r\n``, a byte-order mark and a missing last newline are accepted.

    Raises
    ------
    FileError
        If the file is not UTF-8.
    """
    return split_lines(read_text(path))


def split_lines(text: str) -> list[str]:
    """Split the text of a list into its lines, as :func:`read_lines` does."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def read_ids(path: Path) -> list[str]:
    """Read a list of ids, and make sure that each id names one row.

    Raises
    ------
    FileError
        If the list is empty, or an id is empty, holds a tab, or comes twice.
    """
    ids = read_lines(path)
    for problem in find_id_problems(path, ids):
        raise problem
    warn_of_header(path, ids)
    return ids


def find_id_problems(path: Path, ids: Sequence[str]) -> list[FileError]:
    """Return what is wrong with a list of ids, one error for each kind of fault."""
    faults = (
        ("no ids", [] if ids else ["the file is empty"]),
        ("empty ids", [f"line {n}" for n, item in enumerate(ids, 1) if not item.strip()]),
        ("ids with a tab", [f"line {n}" for n, item in enumerate(ids, 1) if "\t" in item]),
        ("duplicate ids", [repr(item) for item, n in Counter(ids).items() if n > 1 and item]),
    )
    return [
        FileError(
            path,
            found=f"{len(places):,} {fault} ({_first_few(places)})" if ids else fault,
            expected="one id a line, each of them once",
            hint="Correct the list, and the matrices whose rows it names.",
        )
        for fault, places in faults
        if places
    ]


HEADERS = frozenset(
    {"id", "ids", "index", "items", "users", "uri", "unnamed0", "user", "userid", "uid"}
    | {*ITEM_NAMES}
)
"""First lines, as letters and digits alone, that name what follows."""
LABEL_HEADERS = frozenset({"label", "labels", "genre", "genres", "class", "classes", "tag", "tags"})
"""The same for names of classes."""


def find_header(lines: Sequence[str], headers: Collection[str] = HEADERS) -> str | None:
    """Return the first line of a list if it looks like a header, such as pandas writes.

    >>> find_header(["item_id", "i1", "i2"]), find_header(["0", "i1"]), find_header(["0", "1"])
    ('item_id', '0', None)
    """
    if len(lines) < 2:
        return None
    is_number = lines[0] == "0" and not any(line.isdecimal() for line in lines[1:])
    return lines[0] if is_number or normalize_column(lines[0]) in headers else None


def warn_of_header(path: Path, lines: Sequence[str]) -> None:
    """Warn of a first line that looks like a header: it is taken as an id."""
    header = find_header(lines)
    if header is not None:
        warn(
            f"{display_path(path)}: its first line, {header!r}, is taken as an id, and looks like "
            "a header; if it is one, delete that line"
        )


def write_ids(path: Path, ids: Iterable[str]) -> None:
    """Write ids, one a line, in one step."""
    write_text(path, _lines(ids))


def put_ids(path: Path, ids: Iterable[str]) -> None:
    """Write ids, one a line, into a temporary file."""
    put_text(path, _lines(ids))


def _lines(ids: Iterable[str]) -> str:
    return "".join(f"{item}\n" for item in ids)


def digest_ids(ids: Iterable[str]) -> str:
    """BLAKE2b hash of ids and of their order, whatever ends the lines; 32 hexadecimal digits."""
    hashed = blake2b(digest_size=16)
    for item in ids:
        hashed.update(f"{item}\n".encode())
    return hashed.hexdigest()


def suggest_ids(name: str, ids: Sequence[str], most: int = 20_000) -> str:
    """Say which ids come closest to an unknown one, or what ids look like.

    Of more than ``most`` ids, only those are compared that share the longest beginning with it.

    >>> suggest_ids("song-12", ["song-1", "song-21", "x"])
    "Did you mean 'song-1' or 'song-21'?"
    >>> suggest_ids("me", ["a", "b", "c", "d"])
    "There are 'a', 'b', 'c', …."
    """
    candidates = _ids_with_same_start(name[:64], ids, most) if len(ids) > most else ids
    matches = get_close_matches(name, candidates, n=3, cutoff=0.55)
    if matches:
        return f"Did you mean {' or '.join(map(repr, matches))}?"
    return f"There are {_first_few([*map(repr, ids[:4])])}."


def _ids_with_same_start(name: str, ids: Sequence[str], most: int) -> list[str]:
    for length in range(len(name), 0, -1):
        start = name[:length]
        matches = [*islice((item for item in ids if item.startswith(start)), most)]
        if matches:
            return matches
    return []


def _first_few(texts: Sequence[str], most: int = 3) -> str:
    return ", ".join(texts[:most]) + (", …" if len(texts) > most else "")
