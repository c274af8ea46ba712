"""Which rows of a table belong to which items, and matrices with a row for each item."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from tartarus_cli.data.array_writing import create_dense, put_csr
from tartarus_cli.data.provenance import MatrixForm
from tartarus_cli.data.unicode_forms import UnicodeForms
from tartarus_cli.errors import DataError, FileError, RequestError, display_path, parameter
from tartarus_cli.features.tables import FeatureBlock, FeatureSource
from tartarus_cli.progress import ProgressTask

Sets = Mapping[str, Sequence[str]]
"""Split → ids of its items, in the order of the rows to write."""

Paths = Mapping[str, Path]
"""Split → file that its rows are written to."""

Numbers = NDArray[np.int64]


MissingRows = Literal["error", "zero", "absent"]
"""What items without a row are: an error; items whose values are all zero; items that lack the
setting, of which the zeros in the matrix say nothing."""


@dataclass(frozen=True)
class MissingRowPolicy:
    """How many items may have no row in the source; they get rows of zeros."""

    share: float = 0.0
    """Largest share of the items of each set."""
    absent: bool = False
    """Whether they lack the setting; else their values are zero."""

    @classmethod
    def of(cls, missing: MissingRows, tolerate: float | None) -> MissingRowPolicy:
        """Return the policy that these parameters ask for.

        Raises
        ------
        RequestError
            If they contradict each other.
        """
        if missing == "zero" and tolerate is not None:
            zero, share = parameter("missing", "zero"), parameter("tolerate", tolerate)
            msg = f"{zero} tolerates any number of items without a row"
            raise RequestError(msg, hint=f"Leave one of the two out: {zero} or {share}.")
        unlimited = missing == "zero" or (missing == "absent" and tolerate is None)
        return cls(1.0 if unlimited else tolerate or 0.0, missing == "absent")


@dataclass(frozen=True)
class SourceReader:
    """Reads a source in blocks, shows the progress, and stops if the user interrupts."""

    source: FeatureSource
    task: ProgressTask
    check: Callable[[], None]
    """Called after each block; raises if the work is to stop."""
    forms: UnicodeForms
    """Finds items whose ids are written in another Unicode form."""

    def blocks(self) -> Iterator[FeatureBlock]:
        """Read the source once."""
        for block in self.source.blocks():
            yield replace(block, ids=self.forms.find_all(block.ids))
            self.task.advance(block.size)
            self.check()


@dataclass(frozen=True)
class PreparedFeatures:
    """Features that are ready to be written."""

    form: MatrixForm
    width: int
    """Columns of the matrices."""
    write: Callable[[Paths], Sequence[str]]
    """Writes all sets; returns warnings of what may be a mistake of the user."""
    manifest_fields: Mapping[str, Any]
    """Fields of the manifest that say how the values were computed."""
    remarks: Sequence[str] = ()
    """Decisions to report to the user."""


@dataclass
class ItemAlignment:
    """Which items of a dataset have rows in a source."""

    sets: Sets
    unknown_rows: int = 0
    """Rows of the source that belong to no item."""
    first_unknown_id: str = ""
    numbers: dict[str, dict[str, int]] = field(init=False)
    """Split → id → number of the item in its set."""
    has_row: dict[str, NDArray[np.bool_]] = field(init=False)
    """Split → whether each item has a row, ``(items,)``."""

    def __post_init__(self) -> None:
        self.numbers = {
            split: {item: number for number, item in enumerate(ids)}
            for split, ids in self.sets.items()
        }
        self.has_row = {split: np.zeros(len(ids), bool) for split, ids in self.sets.items()}

    def locate(self, block: FeatureBlock, split: str) -> tuple[Numbers, Numbers]:
        """Return which rows of a block are of items of a set, and the numbers of these items."""
        numbers = self.numbers[split]
        items = np.fromiter((numbers.get(i, -1) for i in block.ids), np.int64, len(block.ids))
        rows = np.flatnonzero(items >= 0)
        return rows, items[rows]

    def record(self, block: FeatureBlock) -> None:
        """Record the items that a block has rows of, and the rows of no item."""
        known = np.zeros(len(block.ids), bool)
        for split, has_row in self.has_row.items():
            rows, items = self.locate(block, split)
            has_row[items] = known[rows] = True
        self.unknown_rows += int((~known).sum())
        if not known.all():
            self.first_unknown_id = self.first_unknown_id or block.ids[int(known.argmin())]

    @property
    def missing(self) -> dict[str, list[str]]:
        """Items of each set without a row."""
        return {
            split: [ids[int(number)] for number in np.flatnonzero(~self.has_row[split])]
            for split, ids in self.sets.items()
        }

    def require(self, path: Path, dataset: str, policy: MissingRowPolicy) -> None:
        """Make sure that all items have rows, or as many as the policy asks for.

        Parameters
        ----------
        path
            The file that holds the ids, for the message.
        dataset
            Name of the dataset, for the message.
        policy
            How many items may have no row.

        Raises
        ------
        DataError
            If too many items of a set, or all train items, have no row.
        """
        if not self.has_row["train"].any():
            msg = f"{display_path(path)} has no train item of {dataset}"
            example = self.first_unknown_id
            msg += f"; its ids look like {example!r}" if example else ""
            id_column = parameter("id_column")
            hint = self.explain_unknown() + " "
            hint += f"Name the column of ids with {id_column}, or write the ids in the same way. "
            hint += f"Ids of {dataset} are such as {self.sets['train'][0]!r}."
            raise DataError(msg, hint=hint.strip())
        shares = [1 - float(has_row.mean()) for has_row in self.has_row.values() if len(has_row)]
        if max(shares) > policy.share:
            msg = f"{display_path(path)} lacks {self.describe_missing()} of {dataset}"
            hint = self._remedy(policy, max(shares))
            raise DataError(msg, hint=f"{self.explain_unknown()} {hint}".strip())

    def _remedy(self, policy: MissingRowPolicy, share: float) -> str:
        tolerate = parameter("tolerate", _round_up(share))
        if policy.absent:
            return f"Add their rows, or let more items lack the setting: {tolerate}."
        absent, zero = parameter("missing", "absent"), parameter("missing", "zero")
        hint = f"Add their rows, or fill them with zeros: {zero}"
        hint += f"; {tolerate} does so only as long as they are few" * (share < 0.5)
        return f"{hint}. If nothing is known of these items, let them lack the setting: {absent}."

    @property
    def missing_counts(self) -> dict[str, int]:
        """Number of items of each set without a row."""
        return {split: int((~has_row).sum()) for split, has_row in self.has_row.items()}

    def explain_unknown(self) -> str:
        """Say which item the first id of none may mean; "" if none is like it."""
        name = self.first_unknown_id
        simple = name.strip().casefold()
        items = (item for ids in self.sets.values() for item in ids)
        like = next((item for item in items if item.strip().casefold() == simple), None)
        if not name or like is None:
            return ""
        return f"{name!r} differs from {like!r} by case or whitespace alone."

    def describe_missing(self) -> str:
        """Say which items are missing, such as ``2 of 10 val items ('a', 'b')``."""
        return " and ".join(
            f"{len(ids):,} of {len(self.sets[split]):,} {split} items ({_first_ids(ids)})"
            for split, ids in self.missing.items()
            if ids
        )


def write_dense(
    paths: Paths,
    alignment: ItemAlignment,
    width: int,
    read_blocks: Callable[[], Iterator[tuple[FeatureBlock, Any]]],
) -> None:
    """Write dense float32 matrices through a memory map, so that none is held in memory.

    Parameters
    ----------
    paths
        File that the matrix of each set is written to.
    alignment
        Which rows belong to which items; an item without a row gets zeros.
    width
        Columns of the matrices.
    read_blocks
        Reads the source: blocks, and the values to write of each, ``(rows, width)``.

    Raises
    ------
    DataError
        If the source has changed since it was aligned.
    """
    sets = alignment.sets
    matrices = {
        split: create_dense(path, (len(sets[split]), width)) for split, path in paths.items()
    }
    counts = dict.fromkeys(paths, 0)
    for block, values in read_blocks():
        for split, matrix in matrices.items():
            rows, items = alignment.locate(block, split)
            matrix[items] = values[rows]
            counts[split] += len(items)
    for split in matrices:
        _require_unchanged(alignment, split, counts[split])


def write_sparse(
    paths: Paths,
    alignment: ItemAlignment,
    width: int,
    read_blocks: Callable[[], Iterator[tuple[FeatureBlock, csr_array]]],
) -> None:
    """Write sparse float32 matrices (CSR); all values other than zero are held until then.

    Parameters and errors are those of :func:`write_dense`.
    """
    parts: dict[str, list[csr_array]] = {split: [] for split in paths}
    part_items: dict[str, list[Numbers]] = {split: [] for split in paths}
    for block, values in read_blocks():
        for split in paths:
            rows, items = alignment.locate(block, split)
            parts[split].append(csr_array(values[rows]))
            part_items[split].append(items)
    for split, path in paths.items():
        items = np.concatenate([*part_items[split], np.empty(0, np.int64)])
        _require_unchanged(alignment, split, len(items))
        zeros = csr_array((1, width), dtype=np.float32)
        order = np.full(len(alignment.sets[split]), len(items))
        order[items] = np.arange(len(items))
        put_csr(path, csr_array(vstack([*parts.pop(split), zeros], format="csr")[order]))


def _require_unchanged(alignment: ItemAlignment, split: str, rows: int) -> None:
    if rows != int(alignment.has_row[split].sum()):
        raise source_changed_error()


def source_changed_error() -> DataError:
    """Return the error of a source that was written to while it was read."""
    msg = "the table was changed while it was read"
    return DataError(msg, hint="Give the command again.")


@dataclass
class DuplicateRows:
    """Looks for items that have more than one row."""

    source: FeatureSource
    lines: dict[str, int] = field(default_factory=dict)
    """Id of an item → line of its first row."""

    def check(self, block: FeatureBlock, rows: Numbers) -> None:
        """Make sure that the items of these rows of a block have no row in earlier blocks.

        Raises
        ------
        FileError
            If an item has; it names both lines.
        """
        for row in rows:
            item, line = block.ids[row], int(block.lines[row])
            first_line = self.lines.setdefault(item, line)
            if first_line != line:
                noun = self.source.noun
                raise FileError(
                    self.source.ids_path,
                    found=f"{item!r} in {noun}s {first_line} and {line}",
                    expected="one row for each id",
                    hint=f"Delete one of the two {noun}s; for a table of tags, give `tags=True`.",
                )


def _first_ids(ids: Sequence[str], count: int = 3) -> str:
    return ", ".join(map(repr, ids[:count])) + (", …" if len(ids) > count else "")


def _round_up(share: float) -> float:
    return float(np.ceil(share * 100) / 100)
