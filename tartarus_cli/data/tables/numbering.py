"""Numbers in the place of ids, so that a table of many rows takes little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.compiled import compiled
from tartarus_cli.data.tables.blocks import Block, Columns, no_text
from tartarus_cli.data.tables.reading import Table
from tartarus_cli.errors import FileError
from tartarus_cli.progress import Progress
from tartarus_cli.signals import defer_interrupts

if TYPE_CHECKING:
    import polars as pl

Ids = NDArray[np.object_]  # text
Codes = NDArray[np.int32]  # which id

Values = TypeVar("Values", bound=np.generic)

NO_ID = r"[\t\n\r]|^\s*$"
SEEDS = (1, 2)  # of two hashes, of which 96 bits tell ids apart: no two are the same by chance
LOW, CODE = np.uint64(32), np.uint64(0xFFFFFFFF)  # the low bits, that numbers stand in


def positions_of(names: Sequence[str] | Ids, ids: Ids) -> Codes:
    """Return where each name stands among sorted ids; -1 if it does not."""
    if not len(ids):
        return np.full(len(names), -1, np.int32)
    wanted = np.array(names, object)
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[place] == wanted, place, -1).astype(np.int32)


def grown(values: NDArray[Values], numbers: Codes, otherwise: float) -> NDArray[Values]:
    """Make an array long enough for all numbers to be places in it."""
    more = max(int(numbers.max(initial=-1)) + 1 - len(values), 0)
    return np.append(values, np.full(more, otherwise, values.dtype)) if more else values


@dataclass(frozen=True)
class Ordered:
    """Ids in the order of their letters."""

    ids: Ids
    place: Codes  # of the number that each was given


@dataclass(frozen=True)
class _Numbered:
    """A column of a block, as numbers."""

    codes: Codes
    bad: int | None  # the first row whose text cannot be an id


@dataclass(frozen=True)
class _Pending:
    """A block whose ids are getting their numbers."""

    block: Block
    columns: list[Future[_Numbered]]


def _numbered(numbering: Numbering, texts: pl.Series) -> _Numbered:
    """Give the ids of a column their numbers; those that are new are looked at."""
    import polars as pl

    first = len(numbering.ids)
    codes = numbering.codes(texts)
    bad = pl.Series(numbering.ids[first:], dtype=pl.String).str.contains(NO_ID).arg_true()
    return _Numbered(codes, int((codes == first + bad[0]).argmax()) if len(bad) else None)


class NumberedTable:
    """A table whose texts are ids; they become numbers as it is read.

    Where texts may be empty, rows in which one is are left out, and counted.
    """

    def __init__(self, table: Table, columns: Columns) -> None:
        self._table, self._columns = table, columns
        self.left_out = 0
        self._numberings = tuple(Numbering() for _ in columns.texts)

    def blocks(self, progress: Progress) -> Iterator[tuple[tuple[Codes, ...], Block]]:
        """Read all rows, some at a time, with the numbers of their ids.

        Raises
        ------
        FileError
            If a row is not as it should be, or an id cannot stand in a line of its own.
        """
        task = progress.task(f"reading {self._table.path.name}", self._table.size)
        with task as counted, defer_interrupts() as check, ExitStack() as stack:
            # a thread for each column, so that its blocks stay in order, while the next one is read
            threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in self._numberings]
            before: _Pending | None = None
            for each in self._table.blocks(self._columns):
                block = self._with_ids(each) if self._columns.empty else each
                columns = zip(threads, self._numberings, block.texts, strict=True)
                codes = [thread.submit(_numbered, ids, texts) for thread, ids, texts in columns]
                pending = _Pending(block, codes)
                if before is not None:
                    yield self._finished(before)
                    counted.advance(before.block.done)
                before = pending
                check()
            if before is not None:
                yield self._finished(before)
                counted.advance(before.block.done)

    def _with_ids(self, block: Block) -> Block:
        empty = [(each.str.strip_chars() == "").to_numpy() for each in block.texts]
        kept = ~np.any(empty, axis=0)
        self.left_out += int(np.count_nonzero(~kept))
        texts = tuple(each.filter(kept) for each in block.texts)
        return Block(texts, block.values[kept], block.lines[kept], block.done)

    def _finished(self, pending: _Pending) -> tuple[tuple[Codes, ...], Block]:
        found = [each.result() for each in pending.columns]
        for column, each in enumerate(found):
            if each.bad is not None:
                raise self._no_id(pending.block, column, each.bad)
        return tuple(each.codes for each in found), pending.block

    def _no_id(self, block: Block, column: int, row: int) -> FileError:
        path, cell, name = self._table.path, block.texts[column][row], self._columns.texts[column]
        where = f"{self._table.noun} {block.lines[row]}"
        if not cell.strip():
            return no_text(path, cell, where, name)
        found = f"{cell[:60]!r} in {where}, column {name!r}"
        hint = "Write the id without them: ids are kept one a line."
        return FileError(path, found=found, expected="no tab and no line feed", hint=hint)

    def in_order(self) -> tuple[Ordered, ...]:
        """Return the ids of each column in order."""
        return tuple(each.in_order() for each in self._numberings)


class Numbering:
    """Gives ids numbers, in the order in which they come.

    Ids are told apart by their hashes, in a table with open addressing (Knuth: *The Art of Computer
    Programming* 3, 6.4).
    """

    def __init__(self, slots: int = 1 << 16) -> None:
        self.ids: list[str] = []
        # of each id a hash, and beside each other half of another one and its number + 1; 0 is free
        self._table = np.zeros((slots, 2), np.uint64)

    def codes(self, texts: pl.Series) -> Codes:
        """Return the number of the id in each row; ids not seen before get the next ones."""
        import polars as pl

        hashed = texts.to_frame("id").select(
            pl.col("id").hash(seed).alias(str(seed)) for seed in SEEDS
        )
        hashes = hashed.to_numpy(order="c")
        found = np.empty(len(texts), np.int32)
        done = 0
        while done < len(texts):
            new = np.empty(len(texts) - done, np.int64)
            done, more = _assign(hashes, done, self._table, len(self.ids), found, new)
            self.ids += texts.gather(new[:more]).to_list()
            if done < len(texts):
                self._grow()
        return found

    def _grow(self) -> None:
        full = self._table[self._table[:, 1] != 0]
        self._table = np.zeros((2 * len(self._table), 2), np.uint64)
        _settle(full, self._table)

    def in_order(self) -> Ordered:
        """Return the ids in the order of their letters, so that that of the rows is no matter."""
        import polars as pl

        order = pl.Series(self.ids, dtype=pl.String).arg_sort().to_numpy()
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        ids = np.empty(len(order), object)
        ids[:] = self.ids
        return Ordered(ids[order], place)


@compiled
def _slot(first: Any, second: Any, table: Any) -> Any:  # pragma: no cover
    """Return where two hashes stand, or where they belong."""
    mask = np.uint64(len(table) - 1)
    slot = first & mask
    while table[slot, 1] != 0 and (
        table[slot, 0] != first or table[slot, 1] >> LOW != second >> LOW
    ):
        slot = (slot + np.uint64(1)) & mask
    return slot


@compiled
def _assign(
    hashes: Any, start: int, table: Any, there: int, found: Any, new: Any
) -> Any:  # pragma: no cover
    """Give rows their numbers, from one row on, until the table is half full.

    Returns
    -------
    The row to go on with, and how many ids are new; ``new`` has their rows.
    """
    more = 0
    for row in range(start, len(hashes)):
        first, second = hashes[row]
        slot = _slot(first, second, table)
        if table[slot, 1] == 0:
            if 2 * (there + more) >= len(table):
                return row, more
            new[more] = row
            more += 1
            table[slot, 0] = first
            table[slot, 1] = (second >> LOW << LOW) | np.uint64(there + more)
        found[row] = np.int64(table[slot, 1] & CODE) - 1
    return len(hashes), more


@compiled
def _settle(entries: Any, table: Any) -> None:  # pragma: no cover
    """Put entries into a larger table."""
    for row in range(len(entries)):
        first, second = entries[row]
        slot = _slot(first, second, table)
        table[slot, 0], table[slot, 1] = first, second
