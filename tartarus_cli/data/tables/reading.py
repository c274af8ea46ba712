"""Open a table of any form: ``.csv``, ``.tsv`` (both also compressed) or ``.parquet``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tartarus_cli.data.tables.blocks import Block, Columns
from tartarus_cli.data.tables.parts import is_parquet_folder, require_parquet_parts
from tartarus_cli.errors import FileError, RequestError, display_path, nearest
from tartarus_cli.file_formats import (
    COMPRESSED_ENDINGS,
    HEAD_BYTES,
    PARQUET_MAGIC,
    compression_of,
    format_error,
    identify,
    open_content,
    zip_member,
)
from tartarus_cli.files import open_regular, readable

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
PARQUET = (".parquet", ".pq")


class Table(Protocol):
    """A table that can be gone through in blocks, any number of times."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def noun(self) -> str:
        """What the place of a row is called in messages: a line or a row."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order; all different."""

    @property
    def size(self) -> int:
        """Bytes or rows of the file: the unit of progress."""

    def blocks(self, columns: Columns) -> Iterator[Block]:
        """Read all rows, block by block.

        Raises
        ------
        FileError
            If the file is damaged, or a cell is not what it is read as; it names the place.
        """


def ending(path: Path) -> str:
    """Return the ending of a file's name in lower case, without that of its compression.

    >>> ending(Path("a/tags.CSV.gz"))
    '.csv'
    """
    name = Path(path.name.lower())
    return Path(name.stem).suffix if name.suffix in COMPRESSED_ENDINGS else name.suffix


def open_table(path: Path, *, header: bool = True, encoding: str | None = None) -> Table:
    """Open a table; only its head is read.

    Parameters
    ----------
    path
        The file: ``.csv``, ``.tsv`` or ``.tab``, also compressed with gzip, bzip2, xz or zip, or
        ``.parquet`` or ``.pq``, which may be a folder of Parquet files, read in the order of their
        names. A Parquet file is known by its content, and what is compressed too.
    header
        Whether the first line of a CSV or TSV names the columns; else they are numbered from 1.
    encoding
        Encoding of a CSV or TSV that has no byte-order mark; None: UTF-8.

    Raises
    ------
    RequestError
        If there is no such file, or its ending is another one.
    FileError
        If it is empty or damaged, of another format, or two columns have one name.
    """
    from tartarus_cli.data.tables.delimited import Delimited
    from tartarus_cli.data.tables.parquet import Parquet

    table: Table
    if is_parquet_folder(path) or _is_parquet(path):
        if not header:
            msg = f"{display_path(path)}: the columns of a Parquet file have names"
            raise RequestError(msg, hint="Do not give `header=False`.")
        table = Parquet(path)
    else:
        table = Delimited(path, _separator(path), header, encoding)
    _check_names(table)
    return table


def _is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its content; one that only its name calls so is refused."""
    require_file(path)
    with readable(path), open_regular(path) as file:
        start = file.read(HEAD_BYTES)
    if start.startswith(PARQUET_MAGIC):
        return True
    file_format = identify(start)
    if file_format is not None:
        raise format_error(path, file_format, "a table in CSV, TSV or Parquet")
    if path.suffix.lower() not in PARQUET:
        return False
    compression = compression_of(start)
    if compression is not None:
        found = f"compressed with {compression}"
        hint = "Decompress it; a Parquet file is compressed inside."
        raise FileError(path, found=found, expected="a Parquet file", hint=hint)
    return True


def _separator(path: Path) -> str:
    """Return what stands between the columns, by the ending of a file, or of the one zipped."""
    separator = SEPARATORS.get(ending(path))
    if separator is None and path.suffix.lower() == ".zip":
        separator = SEPARATORS.get(ending(Path(zip_member(path) or "")))
    if separator is None:
        with open_content(path, "a table in CSV, TSV or Parquet"):
            pass  # an archive, a workbook and the like say more than their ending
        msg = f"{display_path(path)}: its ending does not say what it is"
        hint = "Give a table in .csv (commas), .tsv (tabs), one of these with .gz, or .parquet; "
        hint += "rename the file if it is one."
        raise RequestError(msg, hint=hint)
    return separator


def require_file(path: Path) -> None:
    """Make sure that there is a file.

    Raises
    ------
    RequestError
        If there is none.
    """
    if path.is_dir():
        require_parquet_parts(path)
    if path.exists() and not path.is_file():
        msg = f"{display_path(path)} is a pipe or a device, and a table is read more than once"
        raise RequestError(msg, hint="Write it into a file, and give the path of that.")
    if not path.is_file():
        msg = f"there is no file {path}"
        raise RequestError(msg, hint="Give the path of a table: CSV, TSV or Parquet.")


def require_column(table: Table, name: str, hint: str = "") -> None:
    """Make sure that a table has a column; a ``hint`` stands before the names of its columns.

    Raises
    ------
    RequestError
        If it has none of this name.
    """
    if name not in table.names:
        msg = f"{display_path(table.path)} has no column called {name!r}"
        raise RequestError(msg, hint=f"{hint} {nearest(name, table.names[:20])}".strip())


def _check_names(table: Table) -> None:
    counts = Counter(table.names)
    duplicate = next((name for name, count in counts.items() if count > 1), None)
    if duplicate is not None:
        found = f"two columns called {duplicate!r}"
        hint = "Give each column a name of its own in the first line."
        raise FileError(table.path, found=found, expected="names that differ", hint=hint)
