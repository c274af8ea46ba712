"""Datasets whose rows are aligned: each set's ids, inputs and targets, and what to fit on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.features import Matrix, open_matrix
from tartarus_cli.data.ids import read_ids
from tartarus_cli.data.targets import Wanted, target_file
from tartarus_cli.errors import DataError, FileError, RequestError, nearest, shown
from tartarus_cli.workspace import SPLITS, Inventory, Kind


@dataclass(frozen=True)
class ItemSet:
    """The items of one split and their features; row i of each input is item i."""

    split: str
    ids: list[str]
    inputs: tuple[Matrix, ...]


@dataclass(frozen=True)
class Part:
    """Some rows of aligned inputs and targets."""

    inputs: tuple[Matrix, ...]
    targets: Matrix
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class TrainingData:
    """What a network is fitted on; no test item is in it."""

    fit: Part
    validation: Part
    held_out: Part | None  # judged once, after the training; None where the dataset has val items
    remark: str  # what had to be decided

    @property
    def files(self) -> list[Path]:
        """Every file that the training reads."""
        parts = [part for part in (self.fit, self.validation, self.held_out) if part]
        matrices = [matrix for part in parts for matrix in (*part.inputs, part.targets)]
        return list(dict.fromkeys(matrix.path for matrix in matrices))


def check_settings(inventory: Inventory, dataset: str, settings: Sequence[str]) -> None:
    """Make sure that each setting exists for the dataset.

    Raises
    ------
    RequestError
        If one does not.
    """
    known = inventory.settings(dataset)
    for setting in settings:
        if setting not in known:
            msg = f"{dataset} has no setting called {setting!r}"
            raise RequestError(msg, hint=nearest(setting, known))


def splits_of(inventory: Inventory, dataset: str) -> list[str]:
    """Which of train, val and test the dataset has ids for."""
    return [s for s in SPLITS if inventory.find(Kind.ITEMS, split=s, dataset=dataset)]


def open_set(inventory: Inventory, dataset: str, settings: Sequence[str], split: str) -> ItemSet:
    """Open the ids and the inputs of one split.

    Raises
    ------
    DataError
        If a file is missing, or has not one row for each id.
    """
    ids = read_ids(inventory.require(Kind.ITEMS, split=split, dataset=dataset).path)
    fields = {"split": split, "dataset": dataset}
    files = [inventory.require(Kind.FEATURES, setting=each, **fields) for each in settings]
    return ItemSet(split, ids, tuple(_aligned(file.path, len(ids)) for file in files))


def open_training(
    inventory: Inventory, wanted: Wanted, settings: Sequence[str], *, validation: float
) -> TrainingData:
    """Open what a network is fitted on.

    Val items validate, where they have targets. Else the last ``validation`` of the train items,
    in file order, are held out: the first half of these validates, the second half gives the
    held-out loss.

    Raises
    ------
    DataError
        If a file is missing, or has not one row for each id, or there are too few items.
    """
    train = open_set(inventory, wanted.dataset, settings, "train")
    file = inventory.require(Kind.TARGETS, split="train", **wanted.fields)
    targets = _aligned(file.path, len(train.ids))
    everything = np.arange(len(train.ids))
    has_val = "val" in splits_of(inventory, wanted.dataset)
    val_file = target_file(inventory, wanted, "val")
    if has_val and val_file is not None:
        val = open_set(inventory, wanted.dataset, settings, "val")
        val_targets = _aligned(val_file.path, len(val.ids))
        judged = Part(val.inputs, val_targets, np.arange(len(val.ids)))
        return TrainingData(Part(train.inputs, targets, everything), judged, None, "")
    fit, judged_rows, rest = held_out_rows(len(everything), validation)
    remark = "the val items have no targets" if has_val else "there are no val items"
    return TrainingData(
        Part(train.inputs, targets, fit),
        Part(train.inputs, targets, judged_rows),
        Part(train.inputs, targets, rest),
        f"{remark}: the last {1 - len(fit) / len(everything):.0%} of the train items are held out: "
        "half of them validate, half give the held-out loss",
    )


def held_out_rows(items: int, share: float) -> tuple[NDArray[np.int64], ...]:
    """Cut the rows of the train items into those to fit, to validate and to hold out.

    >>> [rows.tolist() for rows in held_out_rows(10, 0.2)]
    [[0, 1, 2, 3, 4, 5, 6, 7], [8], [9]]
    """
    away = int(items * share)
    if away < 2 or away >= items:
        msg = f"{items} train items are too few to hold {share:.3g} of them out for validation"
        raise DataError(msg, hint="Give the dataset val items, or set training.validation.")
    fit = items - away
    return tuple(np.split(np.arange(items), [fit, fit + away // 2]))


def _aligned(path: Path, rows: int) -> Matrix:
    matrix = open_matrix(path)
    if matrix.shape[0] != rows:
        raise FileError(
            path,
            found=f"{matrix.shape[0]:,} rows",
            expected=f"{rows:,} rows, one for each id",
            hint=f"Compare {shown(path)} with the list of ids of its set.",
        )
    return matrix
