"""What ``split`` can be asked for, and what of it contradicts itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from tartarus_cli.data.folds import MAX_FOLDS
from tartarus_cli.data.provenance import Filters
from tartarus_cli.errors import Placeholder, RequestError, parameter
from tartarus_cli.splitting.columns import ColumnNames
from tartarus_cli.splitting.strategies import Shares
from tartarus_cli.splitting.time_cut import RequestedCut

_NEW_COLUMNS = ("encoding", "label_separator")
Fault = tuple[bool, str, str]
"""Whether it is one, the message, and what to do about it."""


class SplitBy(StrEnum):
    """How items are divided."""

    ITEM = "item"
    ARTIST = "artist"
    TIME = "time"
    LABEL = "label"


@dataclass(frozen=True)
class SplitRequest:
    """A dataset to make: its name, its tables, the filters, and how to divide its items."""

    dataset: str
    plays: Path | None = None
    """A table of plays."""
    labels: Path | None = None
    """A table of labels."""
    columns: ColumnNames = field(default_factory=ColumnNames)
    filters: Filters = field(default_factory=Filters)
    by: SplitBy | None = None
    """None: by label for labels alone, else by item."""
    val: float | None = None
    """Share of val items (with ``cut``, of the items before it); None: 0.1."""
    test: float | None = None
    """Share of test items; None: 0.2."""
    cut: str | None = None
    """By time: items first played before it are train and val, the others test."""
    until: str | None = None
    """Items first played from this time on are left out."""
    drop_later: bool = False
    """Whether plays later than the time of their item's set are dropped."""
    train_ids: Path | None = None
    """A list of the ids of train items, one a line, instead of drawing them."""
    val_ids: Path | None = None
    test_ids: Path | None = None
    folds: int | None = None
    """Into how many folds to divide the items; None: into train, val and test once, or as
    ``folds_from`` says."""
    folds_from: Path | None = None
    """A table of the fold of each item, instead of drawing them."""
    fold: str | None = None
    """Its column of folds; None: recognized by its name."""
    seed: int = 0
    force: bool = False
    """Whether to replace a dataset of the same name."""

    @property
    def folded(self) -> bool:
        """Whether items are divided into folds."""
        return self.folds is not None or self.folds_from is not None

    @property
    def strategy(self) -> SplitBy:
        """How items are divided, if not by lists."""
        return self.by or (SplitBy.ITEM if self.plays else SplitBy.LABEL)

    @cached_property
    def time_cut(self) -> RequestedCut | None:
        """Where time is cut; None if it is not.

        Raises
        ------
        RequestError
            If a time cannot be read, or they are in the wrong order.
        """
        if self.cut is None:
            return None
        return RequestedCut.parse(self.cut, self.until, drop_later=self.drop_later)

    @property
    def shares(self) -> Shares:
        """Shares of val and test items."""
        val, test = self.val, self.test
        return Shares(0.1 if val is None else val, 0.2 if test is None else test)

    @property
    def id_lists(self) -> dict[str, Path]:
        """Set → list of ids, in the order of the sets; empty if items are drawn."""
        lists = {"train": self.train_ids, "val": self.val_ids, "test": self.test_ids}
        return {name: path for name, path in lists.items() if path}


def check_request(request: SplitRequest) -> None:
    """Make sure that no parameters contradict each other.

    Raises
    ------
    RequestError
        If they do.
    """
    faults = (*_table_faults(request), *_fold_faults(request), *_division_faults(request))
    for is_fault, fault, hint in faults:
        if is_fault:
            raise RequestError(fault, hint=hint)
    _ = request.time_cut


def _table_faults(request: SplitRequest) -> tuple[Fault, ...]:
    """List what may be wrong with the tables that are given."""
    columns, filters = request.columns, request.filters
    no_plays, no_labels = not request.plays, not request.labels
    give_plays, give_labels = "Give `plays=FILE`.", "Give `labels=FILE`."
    return (
        (
            no_plays and no_labels,
            "there is neither `plays` nor `labels`",
            "Give `plays=FILE` or `labels=FILE`.",
        ),
        (
            no_labels and request.strategy is SplitBy.LABEL,
            "`by='label'` needs `labels`",
            give_labels,
        ),
        (no_plays and request.strategy is SplitBy.TIME, "`by='time'` needs `plays`", give_plays),
        (
            no_labels and (columns.wide or filters.min_items_per_label is not None),
            "`wide=True` and `min_items_per_label` need `labels`",
            give_labels,
        ),
        (
            no_labels and (columns.label is not None or columns.label_item is not None),
            "`label` and `label_item` need `labels`",
            give_labels,
        ),
        (
            columns.label_separator is not None and (no_labels or columns.wide),
            "`label_separator` is for `labels` of one row a label, and not for `wide=True`",
            "Leave it out.",
        ),
        (
            columns.label_separator == "",
            "`label_separator` is empty",
            "Give what stands between the labels, such as `label_separator='|'`.",
        ),
        (
            columns.wide and columns.label is not None,
            "`wide=True` and `label` exclude each other",
            "Leave one of the two out.",
        ),
        (
            no_plays and filters.filter_plays,
            "`min_plays`, `min_users`, `min_items` and `core` need `plays`",
            give_plays,
        ),
    )


def _fold_faults(request: SplitRequest) -> tuple[Fault, ...]:
    """List what may be wrong with a division into folds."""
    folds, folded, val = request.folds, request.folded, request.shares.val
    by_time = request.strategy is SplitBy.TIME or request.cut is not None
    largest = 1 - 1 / (folds or MAX_FOLDS)
    return (
        (
            folds is not None and request.folds_from is not None,
            "`folds` and `folds_from` exclude each other: the file says how many folds there are",
            "Leave one of the two out.",
        ),
        (
            folds is not None and not 2 <= folds <= MAX_FOLDS,
            f"{parameter('folds', folds)}: items are divided into 2 to {MAX_FOLDS} folds",
            "Give such a number, for example `folds=5`.",
        ),
        (
            request.fold is not None and request.folds_from is None,
            "`fold` names a column of the table of folds",
            f"Give {parameter('folds_from', Placeholder('FILE'))}, or leave it out.",
        ),
        (
            folded and request.test is not None,
            "`test` means nothing for folds: the test items of each are those of one fold",
            "Leave it out.",
        ),
        (
            folded and bool(request.id_lists),
            "lists of ids and folds exclude each other",
            f"Leave the lists out; given folds are one table: "
            f"{parameter('folds_from', Placeholder('FILE'))}.",
        ),
        (
            folded and by_time,
            "folds cannot be divided by time: all but one would be tested on items that are older "
            "than some that they learn",
            "Divide by time once, without folds; or divide folds by item, artist or label.",
        ),
        (
            folds is not None and folds > 1 and val >= largest,
            f"`val` leaves nothing to train on: each of {folds} folds has {1 / (folds or 1):.1%} "
            "of the items as test items",
            f"Give a share below {largest:.2g}.",
        ),
    )


def _division_faults(request: SplitRequest) -> tuple[Fault, ...]:
    """List what may be wrong with the way in which items are divided."""
    lists, shares = request.id_lists, request.shares
    draws = request.by is not None or request.val is not None or request.test is not None
    no_cut, by_time = request.cut is None, parameter("by", "time")
    return (
        (
            not no_cut and request.by is not SplitBy.TIME,
            f"`cut` needs {by_time}",
            f"Give {by_time}.",
        ),
        (
            no_cut and (request.until is not None or request.drop_later),
            "`until` and `drop_later` need `cut`",
            f"Give the time at which test items begin: {parameter('cut', Placeholder('DATE'))}.",
        ),
        (
            not no_cut and request.test is not None,
            "`cut` and `test` exclude each other: all items that are first played from the cut on "
            "are test items",
            "Leave one of the two out.",
        ),
        (
            bool(lists) and not {"train", "test"} <= lists.keys(),
            "`train_ids` and `test_ids` belong together",
            "Give both lists.",
        ),
        (
            bool(lists) and draws,
            "`by`, `test` and `val` mean nothing where lists of ids divide the items",
            "Leave these out, or the lists.",
        ),
        (
            no_cut and not request.folded and shares.val + shares.test >= 1,
            "`val` and `test` leave nothing to train on",
            "Give shares whose sum is below 1.",
        ),
        (shares.test <= 0, "`test` is a share above 0", "Give one, for example `test=0.2`."),
        (
            not 0 <= shares.val < 1,
            "`val` is a share from 0 to below 1",
            "Give one, for example `val=0.1`.",
        ),
    )


def request_record(request: SplitRequest) -> dict[str, Any]:
    """Return a request as its manifest records it; equal requests have equal records."""
    columns = asdict(request.columns)
    del columns["required"]
    # Older manifests lack these.
    columns = {k: v for k, v in columns.items() if k not in _NEW_COLUMNS or v is not None}
    record = {
        "plays": request.plays,
        "labels": request.labels,
        "names": columns | {"needed": sorted(request.columns.required)},
        "filters": request.filters.model_dump(by_alias=True),
        "by": request.by,
        "val": request.val,
        "test": request.test,
        "lists": request.id_lists,
        "seed": request.seed,
    }
    plain: dict[str, Any] = json.loads(json.dumps(record, default=str))
    if request.folded:
        folds = {"folds": request.folds, "folds_from": request.folds_from, "fold": request.fold}
        plain |= {name: None if value is None else str(value) for name, value in folds.items()}
    if request.cut is not None:  # older manifests lack these
        cut = {"cut": request.cut, "until": request.until, "drop_later": request.drop_later}
        plain |= cut
    return plain
