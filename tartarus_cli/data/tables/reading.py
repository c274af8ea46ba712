"""Open a table of any form: ``.csv``, ``.tsv`` (both also with ``.gz``) or ``.parquet``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tartarus_cli.data.tables.blocks import Block, Columns
from tartarus_cli.errors import FileError, RequestError, display_path, nearest

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
PARQUET = (".parquet", ".pq")
GZ = ".gz"


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
    return Path(path.name.lower().removesuffix(GZ)).suffix


def open_table(path: Path, *, header: bool = True) -> Table:
    """Open a table; only its head is read.

    Parameters
    ----------
    path
        The file: ``.csv``, ``.tsv`` or ``.tab``, also with ``.gz``, or ``.parquet`` or ``.pq``.
    header
        Whether the first line of a CSV or TSV names the columns; else they are numbered from 1.

    Raises
    ------
    RequestError
        If there is no such file, or its ending is another one.
    FileError
        If it is empty or damaged, or two columns have one name.
    """
    from tartarus_cli.data.tables.delimited import Delimited
    from tartarus_cli.data.tables.parquet import Parquet

    require_file(path)
    table: Table
    if path.suffix.lower() in PARQUET:
        if not header:
            msg = f"{display_path(path)}: the columns of a Parquet file have names"
            raise RequestError(msg, hint="Do not give `header=False`.")
        table = Parquet(path)
    elif ending(path) in SEPARATORS:
        table = Delimited(path, SEPARATORS[ending(path)], header)
    else:
        msg = f"{display_path(path)}: its ending does not say what it is"
        hint = "Give a table in .csv (commas), .tsv (tabs), one of these with .gz, or .parquet."
        raise RequestError(msg, hint=hint)
    _check_names(table)
    return table


def require_file(path: Path) -> None:
    """Make sure that there is a file.

    Raises
    ------
    RequestError
        If there is none.
    """
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
