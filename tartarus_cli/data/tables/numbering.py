"""Numbers in the place of ids, so that a table of many rows takes little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.compiled import compiled
from tartarus_cli.data.tables.blocks import Block, Columns, text_error
from tartarus_cli.data.tables.reading import Table
from tartarus_cli.errors import FileError
from tartarus_cli.progress import Progress
from tartarus_cli.signals import defer_interrupts

if TYPE_CHECKING:
    import polars as pl

Ids = NDArray[np.object_]
"""Texts."""
Codes = NDArray[np.int32]
"""Numbers of ids."""

ValueT = TypeVar("ValueT", bound=np.generic)

BAD_ID = r"[\t\n\r]|^\s*$"
# Of two hashes, 96 bits tell ids apart: no two ids are the same by chance.
SEEDS = (1, 2)
# The low bits of an entry hold the number of an id.
LOW, CODE = np.uint64(32), np.uint64(0xFFFFFFFF)


def find_positions(names: Sequence[str] | Ids, ids: Ids) -> Codes:
    """Return the position of each name among sorted ids; -1 if it is not one of them."""
    if not len(ids):
        return np.full(len(names), -1, np.int32)
    keys = np.array(names, object)
    positions = np.minimum(np.searchsorted(ids, keys), len(ids) - 1)
    return np.where(ids[positions] == keys, positions, -1).astype(np.int32)


def grow(values: NDArray[ValueT], codes: Codes, fill: float) -> NDArray[ValueT]:
    """Make an array long enough to be indexed by all codes; new values are ``fill``."""
    missing = max(int(codes.max(initial=-1)) + 1 - len(values), 0)
    return np.append(values, np.full(missing, fill, values.dtype)) if missing else values


@dataclass(frozen=True)
class SortedIds:
    """Ids in alphabetical order, by code point."""

    ids: Ids
    position: Codes
    """Position in ``ids`` of the id that has each code."""


@dataclass(frozen=True)
class _ColumnCodes:
    """A column of a block, as numbers."""

    codes: Codes
    bad_row: int | None
    """The first row whose text cannot be an id."""


@dataclass(frozen=True)
class _PendingBlock:
    """A block whose ids are being numbered."""

    block: Block
    columns: list[Future[_ColumnCodes]]


def _number_column(numbering: Numbering, texts: pl.Series) -> _ColumnCodes:
    """Return the numbers of the ids of a column; new ids are checked."""
    import polars as pl

    first = len(numbering.ids)
    codes = numbering.codes(texts)
    bad = pl.Series(numbering.ids[first:], dtype=pl.String).str.contains(BAD_ID).arg_true()
    return _ColumnCodes(codes, int((codes == first + bad[0]).argmax()) if len(bad) else None)


class NumberedTable:
    """A table whose texts are ids; they become numbers as it is read.

    Where texts may be empty, rows with an empty one are left out, and counted.
    """

    def __init__(self, table: Table, columns: Columns) -> None:
        self._table, self._columns = table, columns
        self.skipped_rows = 0
        """Rows that were left out, of those read so far."""
        self._numberings = tuple(Numbering() for _ in columns.texts)

    def blocks(self, progress: Progress) -> Iterator[tuple[tuple[Codes, ...], Block]]:
        """Read all rows, some at a time, with the numbers of their ids.

        Raises
        ------
        FileError
            If a row is not as it should be, or an id cannot stand in a line of its own.
        """
        task = progress.task(f"reading {self._table.path.name}", self._table.size)
        with task as bar, defer_interrupts() as check, ExitStack() as stack:
            # A thread for each column: its blocks stay in order, while the next one is read.
            threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in self._numberings]
            previous: _PendingBlock | None = None
            for full_block in self._table.blocks(self._columns):
                block = self._skip_empty(full_block) if self._columns.allow_empty else full_block
                columns = zip(threads, self._numberings, block.texts, strict=True)
                futures = [
                    thread.submit(_number_column, ids, texts) for thread, ids, texts in columns
                ]
                pending = _PendingBlock(block, futures)
                if previous is not None:
                    yield self._finish(previous)
                    bar.advance(previous.block.size)
                previous = pending
                check()
            if previous is not None:
                yield self._finish(previous)
                bar.advance(previous.block.size)

    def _skip_empty(self, block: Block) -> Block:
        empty = [(texts.str.strip_chars() == "").to_numpy() for texts in block.texts]
        complete = ~np.any(empty, axis=0)
        self.skipped_rows += int(np.count_nonzero(~complete))
        texts = tuple(texts.filter(complete) for texts in block.texts)
        values, lines = block.values[complete], block.lines[complete]
        return replace(block, texts=texts, values=values, lines=lines)

    def _finish(self, pending: _PendingBlock) -> tuple[tuple[Codes, ...], Block]:
        columns = [future.result() for future in pending.columns]
        for number, column in enumerate(columns):
            if column.bad_row is not None:
                raise self._id_error(pending.block, number, column.bad_row)
        return tuple(column.codes for column in columns), pending.block

    def _id_error(self, block: Block, column: int, row: int) -> FileError:
        path, cell, name = self._table.path, block.texts[column][row], self._columns.texts[column]
        where = f"{self._table.noun} {block.lines[row]}"
        if not cell.strip():
            return text_error(path, cell, where, name)
        found = f"{cell[:60]!r} in {where}, column {name!r}"
        hint = "Write the id without them: ids are written one a line."
        return FileError(path, found=found, expected="no tab and no line feed", hint=hint)

    def sorted_ids(self) -> tuple[SortedIds, ...]:
        """Return the ids of each column in alphabetical order."""
        return tuple(numbering.sorted_ids() for numbering in self._numberings)


class Numbering:
    """Gives ids numbers, in the order in which they come.

    Ids are distinguished by their hashes, in a table with open addressing (Knuth: *The Art of
    Computer Programming* 3, 6.4).
    """

    def __init__(self, slots: int = 1 << 16) -> None:
        self.ids: list[str] = []
        # For each id: a hash; half of another hash, and its number + 1 (0: a free slot).
        self._table = np.zeros((slots, 2), np.uint64)

    def codes(self, texts: pl.Series) -> Codes:
        """Return the number of the id in each row; new ids get the next numbers."""
        import polars as pl

        hashed = texts.to_frame("id").select(
            pl.col("id").hash(seed).alias(str(seed)) for seed in SEEDS
        )
        hashes = hashed.to_numpy(order="c")
        codes = np.empty(len(texts), np.int32)
        row = 0
        while row < len(texts):
            new_rows = np.empty(len(texts) - row, np.int64)
            row, added = _assign(hashes, row, self._table, len(self.ids), codes, new_rows)
            self.ids += texts.gather(new_rows[:added]).to_list()
            if row < len(texts):
                self._grow()
        return codes

    def _grow(self) -> None:
        entries = self._table[self._table[:, 1] != 0]
        self._table = np.zeros((2 * len(self._table), 2), np.uint64)
        _rehash(entries, self._table)

    def sorted_ids(self) -> SortedIds:
        """Return the ids in alphabetical order, which does not depend on the order of the rows."""
        import polars as pl

        order = pl.Series(self.ids, dtype=pl.String).arg_sort().to_numpy()
        position = np.empty(len(order), np.int32)
        position[order] = np.arange(len(order), dtype=np.int32)
        ids = np.empty(len(order), object)
        ids[:] = self.ids
        return SortedIds(ids[order], position)


@compiled
def _slot(first: Any, second: Any, table: Any) -> Any:  # pragma: no cover
    """Return the slot of a pair of hashes: theirs, or the free one where they belong."""
    mask = np.uint64(len(table) - 1)
    slot = first & mask
    while table[slot, 1] != 0 and (
        table[slot, 0] != first or table[slot, 1] >> LOW != second >> LOW
    ):
        slot = (slot + np.uint64(1)) & mask
    return slot


@compiled
def _assign(
    hashes: Any, start: int, table: Any, known: int, codes: Any, new_rows: Any
) -> Any:  # pragma: no cover
    """Give numbers to the ids of the rows from ``start`` on, until the table is half full.

    Returns
    -------
    The row to go on with, and how many ids are new; ``new_rows`` holds their rows.
    """
    added = 0
    for row in range(start, len(hashes)):
        first, second = hashes[row]
        slot = _slot(first, second, table)
        if table[slot, 1] == 0:
            if 2 * (known + added) >= len(table):
                return row, added
            new_rows[added] = row
            added += 1
            table[slot, 0] = first
            table[slot, 1] = (second >> LOW << LOW) | np.uint64(known + added)
        codes[row] = np.int64(table[slot, 1] & CODE) - 1
    return len(hashes), added


@compiled
def _rehash(entries: Any, table: Any) -> None:  # pragma: no cover
    """Put entries into a larger table."""
    for row in range(len(entries)):
        first, second = entries[row]
        slot = _slot(first, second, table)
        table[slot, 0], table[slot, 1] = first, second
