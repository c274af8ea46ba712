"""Datasets whose rows are aligned: each set's ids, inputs and targets, and what to fit on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.features import Matrix, open_matrix
from tartarus_cli.data.ids import read_ids
from tartarus_cli.data.patches import Patches, open_patches
from tartarus_cli.data.targets import TargetSpec, target_file
from tartarus_cli.errors import DataError, FileError, RequestError, display_path, nearest
from tartarus_cli.workspace import SPLITS, Kind, WorkspaceFiles, patch_fields


@dataclass(frozen=True)
class PatchSource:
    """An input that comes from the dataset's patches."""

    per_item: int
    seconds: float


InputSource = str | PatchSource  # of one input: the name of a setting, or patches


@dataclass(frozen=True)
class ItemSet:
    """The items of one split and their features.

    A sample is what a network sees at a time: an item, or one patch of it.
    """

    split: str
    ids: list[str]
    inputs: tuple[Matrix | Patches, ...]
    items: NDArray[np.int64]  # (samples,) number of the item that each sample belongs to

    @property
    def patches(self) -> Patches | None:
        """The input that is read from a file of patches, if there is one."""
        return next((each for each in self.inputs if isinstance(each, Patches)), None)

    def read(self, samples: slice | NDArray[np.integer]) -> tuple[NDArray[np.float32], ...]:
        """Read some samples of each input, ``(samples, …)``."""
        rows = self.items[samples]
        return tuple(
            each.rows(samples) if isinstance(each, Patches) else each.rows(rows)
            for each in self.inputs
        )


@dataclass(frozen=True)
class TrainingSubset:
    """Some samples of a set, and the targets of its items."""

    set: ItemSet
    targets: Matrix
    samples: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class TrainingData:
    """What a network is fitted on; no test item is in it."""

    fit: TrainingSubset
    validation: TrainingSubset
    held_out: (
        TrainingSubset | None
    )  # judged once, after the training; None where the dataset has val items
    remark: str  # what had to be decided

    @property
    def parts(self) -> list[TrainingSubset]:
        """All that there are."""
        return [part for part in (self.fit, self.validation, self.held_out) if part]

    @property
    def files(self) -> list[Path]:
        """Every file that the training reads."""
        matrices = [each for part in self.parts for each in (*part.set.inputs, part.targets)]
        return list(dict.fromkeys(matrix.path for matrix in matrices))


def check_settings(inventory: WorkspaceFiles, dataset: str, settings: Sequence[str]) -> None:
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
            make = f"tartarus features {quote(dataset)} {quote(setting)} --from FILE"
            hint = f"{nearest(setting, known)} Make one: {make}   (other ways: text, predict)"
            raise RequestError(msg, hint=hint)


def splits_of(inventory: WorkspaceFiles, dataset: str) -> list[str]:
    """Which of train, val and test the dataset has ids for."""
    return [s for s in SPLITS if inventory.find(Kind.ITEMS, split=s, dataset=dataset)]


def unknown_dataset_error(
    inventory: WorkspaceFiles, dataset: str, known: Sequence[str], other: str = ""
) -> RequestError:
    """Return the error of a dataset that does not exist.

    Parameters
    ----------
    inventory, dataset
        Where it was looked for, and its name.
    known
        The names of those that there are.
    other
        What else may be done, beside making one.
    """
    msg = f"there is no dataset called {dataset!r} in {inventory.workspace.root}"
    make = f"{other}, or make" if other else "Make"
    hint = f"{nearest(dataset, known)} {make} one of your own: tartarus split NAME --plays FILE"
    return RequestError(msg, hint=f"{hint}   (or --labels FILE; published ones: tartarus fetch)")


def read_split_ids(inventory: WorkspaceFiles, dataset: str) -> dict[str, list[str]]:
    """Return the ids of each set of a dataset; there are train items at least.

    Raises
    ------
    RequestError
        If there is no such dataset.
    DataError
        If it has no train items, or a list is damaged.
    """
    known = sorted({file.dataset for file in inventory.select(Kind.ITEMS)})
    if dataset not in known:
        place = inventory.workspace.place(Kind.ITEMS, split="train", dataset=dataset)
        raise unknown_dataset_error(
            inventory, dataset, known, f"List its ids in {display_path(place)}"
        )
    splits = dict.fromkeys(["train", *splits_of(inventory, dataset)])
    files = {s: inventory.require(Kind.ITEMS, split=s, dataset=dataset) for s in splits}
    return {split: read_ids(file.path) for split, file in files.items()}


def open_items(
    inventory: WorkspaceFiles, dataset: str, sources: Sequence[InputSource], split: str
) -> ItemSet:
    """Open the ids and the inputs of one split.

    Raises
    ------
    DataError
        If a file is missing, has not one row for each id, or no patch of any of them.
    """
    ids = read_ids(inventory.require(Kind.ITEMS, split=split, dataset=dataset).path)
    fields = {"split": split, "dataset": dataset}
    inputs: list[Matrix | Patches] = []
    for source in sources:
        if isinstance(source, PatchSource):
            inputs.append(open_patches(_patch_file(inventory, dataset, source, split), ids))
        else:
            file = inventory.require(Kind.FEATURES, setting=source, **fields)
            inputs.append(_aligned(file.path, len(ids)))
    found = ItemSet(split, ids, tuple(inputs), np.arange(len(ids)))
    if found.patches is None:
        return found
    if not len(found.patches.items):
        raise FileError(
            found.patches.path,
            found="no patch of any item",
            expected=f"patches of the {split} items",
            hint=f"To see what is wrong with them: tartarus patches {quote(dataset)}",
        )
    return replace(found, items=found.patches.items)


def _patch_file(inventory: WorkspaceFiles, dataset: str, source: PatchSource, split: str) -> Path:
    fields = patch_fields(dataset, source.per_item, source.seconds)
    hint = f"Make it: tartarus patches {quote(dataset)} --patches {fields['count']} "
    hint += f"--seconds {fields['seconds']}"
    return inventory.require(Kind.PATCHES, split=split, hint=hint, **fields).path


def infer_patches(inventory: WorkspaceFiles, dataset: str, wanted: PatchSource) -> PatchSource:
    """Take the patches that the dataset has, where they are of one kind only.

    Raises
    ------
    DataError
        If there are none.
    """
    files = inventory.select(Kind.PATCHES, dataset=dataset, split="train")
    there = {(int(f.fields["count"]), float(f.fields["seconds"])) for f in files}
    if (wanted.per_item, wanted.seconds) not in there and len(there) == 1:
        return PatchSource(*there.pop())
    _patch_file(inventory, dataset, wanted, "train")  # says that it is missing, if it is
    return wanted


def open_training_data(
    inventory: WorkspaceFiles,
    wanted: TargetSpec,
    sources: Sequence[InputSource],
    *,
    validation: float,
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
    train = open_items(inventory, wanted.dataset, sources, "train")
    file = inventory.require(Kind.TARGETS, split="train", **wanted.fields)
    targets = _aligned(file.path, len(train.ids))
    has_val = "val" in splits_of(inventory, wanted.dataset)
    val_file = target_file(inventory, wanted, "val")
    if has_val and val_file is not None:
        val = open_items(inventory, wanted.dataset, sources, "val")
        judged = TrainingSubset(
            val, _aligned(val_file.path, len(val.ids)), np.arange(len(val.items))
        )
        return TrainingData(
            TrainingSubset(train, targets, np.arange(len(train.items))), judged, None, ""
        )
    present = np.unique(train.items)  # an item may have no patch
    cuts = hold_out_rows(len(present), validation)
    fit, judged, rest = (
        TrainingSubset(train, targets, np.flatnonzero(np.isin(train.items, present[rows])))
        for rows in cuts
    )
    remark = "the val items have no targets" if has_val else "there are no val items"
    return TrainingData(
        fit,
        judged,
        rest,
        f"{remark}: the last {1 - len(cuts[0]) / len(present):.0%} of the train items are held "
        "out: half of them validate, half give the held-out loss",
    )


def hold_out_rows(items: int, share: float) -> tuple[NDArray[np.int64], ...]:
    """Cut the rows of the train items into those to fit, to validate and to hold out.

    >>> [rows.tolist() for rows in hold_out_rows(10, 0.2)]
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
            hint=f"Compare {display_path(path)} with the list of ids of its set.",
        )
    return matrix
