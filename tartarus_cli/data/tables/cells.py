"""Cells that hold several names, such as ``rock|pop``, as a row for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tartarus_cli.data.tables.blocks import Block, Columns
from tartarus_cli.data.tables.reading import Table


@dataclass(frozen=True)
class SplitCells:
    """A table in which each row stands for as many as a cell of one column holds names."""

    table: Table
    column: str
    separator: str
    """What stands between the names of a cell; whitespace around a name is no part of it."""

    @property
    def path(self) -> Path:
        """The file."""
        return self.table.path

    @property
    def noun(self) -> str:
        """What the place of a row is called in messages: a line or a row."""
        return self.table.noun

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return self.table.names

    @property
    def size(self) -> int:
        """Bytes or rows of the file: the unit of progress."""
        return self.table.size

    def blocks(self, columns: Columns) -> Iterator[Block]:
        """Read all rows, and give those of several names once for each; a cell of none stays."""
        import polars as pl

        place = columns.texts.index(self.column)
        for block in self.table.blocks(columns):
            cells = block.texts[place]
            lists = cells.str.split(self.separator).to_list()
            stripped = [[name.strip() for name in names if name.strip()] for names in lists]
            names = [row or [""] for row in stripped]
            rows = np.repeat(np.arange(len(names)), [len(row) for row in names])
            flat = [name for row in names for name in row]
            texts = [column.gather(rows) for column in block.texts]
            texts[place] = pl.Series(cells.name, flat, pl.String)
            yield Block(tuple(texts), block.values[rows], block.lines[rows], block.size)
