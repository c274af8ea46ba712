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
from tartarus_cli.signals import between_steps

if TYPE_CHECKING:
    import polars as pl

Ids = NDArray[np.object_]  # text
Codes = NDArray[np.int32]  # which id

Values = TypeVar("Values", bound=np.generic)

NO_ID = r"[\t\n\r]|^\s*$"
SEEDS = (1, 2)  # of two hashes of 64 bits: with 128, no two ids are ever taken for one


def places_of(names: Sequence[str] | Ids, ids: Ids) -> Codes:
    """Return where each name stands among sorted ids; -1 if it does not."""
    if not len(ids):
        return np.full(len(names), -1, np.int32)
    wanted = np.array(names, object)
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[place] == wanted, place, -1).astype(np.int32)


def grown(values: NDArray[Values], numbers: Codes, otherwise: float) -> NDArray[Values]:
    """Make an array long enough for all numbers to be places in it."""
    more = int(numbers.max(initial=-1)) + 1 - len(values)
    return np.append(values, np.full(max(more, 0), otherwise, values.dtype)) if more > 0 else values


@dataclass(frozen=True)
class Ordered:
    """Ids in the order of their letters."""

    ids: Ids
    place: Codes  # of the number that each was given


@dataclass(frozen=True)
class _Pending:
    """A block whose ids are getting their numbers."""

    block: Block
    codes: list[
        Future[tuple[int, list[str], Codes]]
    ]  # the first new number, the new ids, all codes


def _numbered(numbering: Numbering, texts: pl.Series) -> tuple[int, list[str], Codes]:
    first = len(numbering.ids)
    codes = numbering.codes(texts)
    return first, numbering.ids[first:], codes


class NumberedTable:
    """A table whose texts are ids; they become numbers as it is read."""

    def __init__(self, table: Table, columns: Columns) -> None:
        self._table, self._columns = table, columns
        self._numberings = tuple(Numbering() for _ in columns.texts)

    def blocks(self, progress: Progress) -> Iterator[tuple[tuple[Codes, ...], Block]]:
        """Read all rows, some at a time, with the numbers of their ids.

        Raises
        ------
        FileError
            If a row is not as it should be, or an id cannot stand in a line of its own.
        """
        task = progress.task(f"reading {self._table.path.name}", self._table.size)
        with task as counted, between_steps() as check, ExitStack() as stack:
            # a thread for each column, so that its blocks stay in order, while the next one is read
            threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in self._numberings]
            before: _Pending | None = None
            for block in self._table.blocks(self._columns):
                columns = zip(threads, self._numberings, block.texts, strict=True)
                pending = _Pending(
                    block, [t.submit(_numbered, n, texts) for t, n, texts in columns]
                )
                if before is not None:
                    yield self._finished(before)
                    counted.advance(before.block.done)
                before = pending
                check()
            if before is not None:
                yield self._finished(before)
                counted.advance(before.block.done)

    def _finished(self, pending: _Pending) -> tuple[tuple[Codes, ...], Block]:
        found = [each.result() for each in pending.codes]
        for column, (first, fresh, codes) in enumerate(found):
            self._check(column, (first, fresh), codes, pending.block)
        return tuple(codes for _, _, codes in found), pending.block

    def _check(self, column: int, new: tuple[int, list[str]], codes: Codes, block: Block) -> None:
        import polars as pl

        first, ids = new
        bad = pl.Series(ids, dtype=pl.String).str.contains(NO_ID).to_numpy()
        if not bad.any():
            return
        number = int(bad.argmax())
        name, path = ids[number], self._table.path
        line = block.lines[int((codes == first + number).argmax())]
        where = f"{self._table.noun} {line:,}"
        if not name.strip():
            raise no_text(path, name, where, self._columns.texts[column])
        found = f"{name[:60]!r} in {where}, column {self._columns.texts[column]!r}"
        hint = "Write the id without them: ids are kept one a line."
        raise FileError(path, found=found, expected="no tab and no line feed", hint=hint)

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
        self._hashes = np.zeros((slots, 2), np.uint64)
        self._codes = np.full(slots, -1, np.int32)

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
            there = len(self.ids)
            done, more = _assign(hashes, done, (self._hashes, self._codes), there, found, new)
            self.ids += texts.gather(new[:more]).to_list()
            if done < len(texts):
                self._grow()
        return found

    def _grow(self) -> None:
        hashes, codes = self._hashes, self._codes
        kept = np.flatnonzero(codes >= 0)
        self._hashes = np.zeros((4 * len(hashes), 2), np.uint64)
        self._codes = np.full(4 * len(codes), -1, np.int32)
        _settle(hashes[kept], codes[kept], (self._hashes, self._codes))

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
def _slot(hashes: Any, row: Any, table: Any) -> Any:  # pragma: no cover
    """Return where a hash stands, or where it belongs."""
    known, codes = table
    mask = np.uint64(codes.size - 1)
    slot = hashes[row, 0] & mask
    while codes[slot] >= 0 and (
        known[slot, 0] != hashes[row, 0] or known[slot, 1] != hashes[row, 1]
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
    known, codes = table
    more = 0
    for row in range(start, len(hashes)):
        slot = _slot(hashes, row, table)
        if codes[slot] < 0:
            if 2 * (there + more) >= codes.size:
                return row, more
            known[slot, 0], known[slot, 1] = hashes[row, 0], hashes[row, 1]
            codes[slot] = there + more
            new[more] = row
            more += 1
        found[row] = codes[slot]
    return len(hashes), more


@compiled
def _settle(hashes: Any, numbers: Any, table: Any) -> None:  # pragma: no cover
    """Put hashes with their numbers into a larger table."""
    known, codes = table
    for row in range(len(hashes)):
        slot = _slot(hashes, row, table)
        known[slot, 0], known[slot, 1] = hashes[row, 0], hashes[row, 1]
        codes[slot] = numbers[row]
