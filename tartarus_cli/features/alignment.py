"""Which rows of a table belong to which items, and matrices with a row for each item."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from scipy.sparse import csr_array, save_npz, vstack

from tartarus_cli.errors import DataError, FileError, RequestError, display_path
from tartarus_cli.features.tables import FeatureBlock, FeatureSource
from tartarus_cli.progress import ProgressTask

MatrixForm = Literal["sparse", "dense"]
Sets = Mapping[str, Sequence[str]]  # split → ids
Paths = Mapping[str, Path]  # split → where its rows are written
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class MissingRowPolicy:
    """How many items a table may lack, which then get rows of zeros."""

    share: float = 0.0  # of each set

    @classmethod
    def of(cls, *, zero: bool, tolerate: float | None) -> MissingRowPolicy:
        """Return what ``--missing zero`` and ``--tolerate`` ask for.

        Raises
        ------
        RequestError
            If they contradict each other.
        """
        if zero and tolerate is not None:
            msg = "--missing zero tolerates any number of items without a row"
            raise RequestError(msg, hint=f"Leave out it or --tolerate {tolerate:g}.")
        return cls(1.0 if zero else tolerate or 0.0)


@dataclass(frozen=True)
class Reader:
    """Goes through a table, counts what is done, and stops where it is told to."""

    table: FeatureSource
    task: ProgressTask
    check: Callable[[], None]

    def blocks(self) -> Iterator[FeatureBlock]:
        """Read the table once."""
        for block in self.table.blocks():
            yield block
            self.task.advance(block.done)
            self.check()


@dataclass(frozen=True)
class PreparedFeatures:
    """Features that are ready to be written."""

    form: MatrixForm
    width: int
    write: Callable[[Paths], Sequence[str]]  # returns what may be a mistake of the user's
    origin: Mapping[str, Any]  # how they came about, to be kept beside them
    remarks: Sequence[str] = ()  # worth telling the user


@dataclass
class ItemAlignment:
    """Which items of a dataset a table has rows of."""

    sets: Sets
    strange: int = 0  # rows of the table that belong to no item
    stranger: str = ""  # the id of the first of them
    index: dict[str, dict[str, int]] = field(init=False)  # split → id → number
    found: dict[str, NDArray[np.bool_]] = field(init=False)  # split → whether each was found

    def __post_init__(self) -> None:
        self.index = {s: {each: n for n, each in enumerate(ids)} for s, ids in self.sets.items()}
        self.found = {split: np.zeros(len(ids), bool) for split, ids in self.sets.items()}

    def locate(self, block: FeatureBlock, split: str) -> tuple[Numbers, Numbers]:
        """Return which rows of a block are of items of a set, and the numbers of these items."""
        index = self.index[split]
        items = np.fromiter((index.get(each, -1) for each in block.ids), np.int64, len(block.ids))
        rows = np.flatnonzero(items >= 0)
        return rows, items[rows]

    def call(self, block: FeatureBlock) -> None:
        """Note the items that a block has rows of."""
        known = np.zeros(len(block.ids), bool)
        for split, found in self.found.items():
            rows, items = self.locate(block, split)
            found[items] = known[rows] = True
        self.strange += int((~known).sum())
        if not known.all():
            self.stranger = self.stranger or block.ids[int(known.argmin())]

    @property
    def missing(self) -> dict[str, list[str]]:
        """Items of each set that the table has no row of."""
        return {
            split: [ids[int(n)] for n in np.flatnonzero(~self.found[split])]
            for split, ids in self.sets.items()
        }

    def require(self, path: Path, dataset: str, leniency: MissingRowPolicy) -> None:
        """Make sure that the table has rows of the items, or of enough of them.

        Raises
        ------
        DataError
            If it lacks too many of a set, or has no train item.
        """
        if not self.found["train"].any():
            msg = f"{display_path(path)} has no train item of {dataset}"
            msg += f"; its ids are such as {self.stranger!r}" if self.stranger else ""
            hint = f"Ids of {dataset} are such as {self.sets['train'][0]!r}; name their column "
            raise DataError(msg, hint=hint + "with --id, or write them so.")
        shares = [1 - float(found.mean()) for found in self.found.values() if len(found)]
        if max(shares) > leniency.share:
            msg = f"{display_path(path)} lacks {self.told_missing()} of {dataset}"
            hint = "Add their rows, or let them be rows of zeros: --missing zero"
            few = f"; --tolerate {_rounded_up(max(shares))} does so only while they are few"
            raise DataError(msg, hint=hint + few * (max(shares) < 0.5) + ".")

    def told_missing(self) -> str:
        """Say which items are missing, such as ``2 of 10 val items ('a', 'b')``."""
        return " and ".join(
            f"{len(ids):,} of {len(self.sets[split]):,} {split} items ({_some(ids)})"
            for split, ids in self.missing.items()
            if ids
        )


def write_dense(
    paths: Paths,
    roll: ItemAlignment,
    width: int,
    rows: Callable[[], Iterator[tuple[FeatureBlock, Any]]],
) -> None:
    """Write dense float32 matrices through a memory map, so that none of them is held.

    Parameters
    ----------
    paths
        Where the matrix of each set is written.
    roll
        Which rows are whose; an item without one gets zeros.
    width
        Columns.
    rows
        Goes through the table: blocks, and what is to be written of each, ``(rows, width)``.
    """
    made = {split: _memmap(path, (len(roll.sets[split]), width)) for split, path in paths.items()}
    written = dict.fromkeys(paths, 0)
    for block, values in rows():
        for split, matrix in made.items():
            at, items = roll.locate(block, split)
            matrix[items] = values[at]
            written[split] += len(items)
    for split, matrix in made.items():
        matrix.flush()
        _require_same(roll, split, written[split])


def _memmap(path: Path, shape: tuple[int, int]) -> np.memmap[Any, Any]:
    made: np.memmap[Any, Any] = open_memmap(path, "w+", np.float32, shape)
    if hasattr(os, "posix_fallocate"):  # a full disk is an error here, and a crash later on
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return made


def write_sparse(
    paths: Paths,
    roll: ItemAlignment,
    width: int,
    rows: Callable[[], Iterator[tuple[FeatureBlock, csr_array]]],
) -> None:
    """Write sparse float32 matrices (CSR); what is not zero is held until it is written."""
    parts: dict[str, list[csr_array]] = {split: [] for split in paths}
    places: dict[str, list[Numbers]] = {split: [] for split in paths}
    for block, values in rows():
        for split in paths:
            at, items = roll.locate(block, split)
            parts[split].append(csr_array(values[at]))
            places[split].append(items)
    for split, path in paths.items():
        items = np.concatenate([*places[split], np.empty(0, np.int64)])
        _require_same(roll, split, len(items))
        nothing = csr_array((1, width), dtype=np.float32)
        order = np.full(len(roll.sets[split]), len(items))
        order[items] = np.arange(len(items))
        save_npz(path, csr_array(vstack([*parts.pop(split), nothing], format="csr")[order]))


def _require_same(roll: ItemAlignment, split: str, rows: int) -> None:
    if rows != int(roll.found[split].sum()):
        raise changed_meanwhile()


def changed_meanwhile() -> DataError:
    """Return the error of a table that one reading finds otherwise than the one before."""
    msg = "the table was changed while it was read"
    return DataError(msg, hint="Give the command again.")


@dataclass
class DuplicateRows:
    """Looks for items that have more than one row."""

    table: FeatureSource
    lines: dict[str, int] = field(default_factory=dict)  # id → line

    def check(self, block: FeatureBlock, rows: Numbers) -> None:
        """Make sure that some rows of a block are of items not seen before.

        Raises
        ------
        FileError
            If one is not; it names both lines.
        """
        for row in rows:
            item, line = block.ids[row], int(block.lines[row])
            before = self.lines.setdefault(item, line)
            if before != line:
                noun = self.table.noun
                raise FileError(
                    self.table.ids_path,
                    found=f"{item!r} in {noun}s {before} and {line}",
                    expected="one row for each id",
                    hint=f"Delete one of the two {noun}s; a table of tags is read with --tags.",
                )


def _some(ids: Sequence[str], most: int = 3) -> str:
    return ", ".join(repr(each) for each in ids[:most]) + (", …" if len(ids) > most else "")


def _rounded_up(share: float) -> float:
    return float(np.ceil(share * 100) / 100)
