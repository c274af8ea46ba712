"""The train items, cut into those to fit, to validate and to hold out: never a test item."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import InputSource, ItemSet, open_items, require_rows
from tartarus_cli.data.plays import LIKELY, Plays, has_plays, read_plays
from tartarus_cli.data.tasks import PLAYS_KIND, TargetSpec
from tartarus_cli.errors import DataError, display_path, parameter
from tartarus_cli.file_names import Kind


@dataclass(frozen=True)
class TrainingSubset:
    """Samples of a set, and the targets of its items."""

    set: ItemSet
    """The set that they are samples of."""
    targets: Matrix
    """Targets of all items of the set, ``(items, dim)``; for plays, who played them, sparse,
    ``(items, users)``."""
    samples: NDArray[np.int64]
    """Numbers of the samples in the set, ascending."""

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class TrainingData:
    """The samples of a training, by use; no test item is among them."""

    fit: TrainingSubset
    """Samples that the weights are fitted to."""
    validation: TrainingSubset
    """Samples that stop the training, and choose the epoch or a parameter."""
    held_out: TrainingSubset | None = None
    """Measured once, after the training; None where the dataset has val items."""
    play_files: tuple[Path, ...] = ()
    """What plays were read, or rebuilt, from; empty where targets are no plays."""
    remarks: tuple[str, ...] = ()
    """For the user: why train items are held out, and which plays are rebuilt."""

    @property
    def subsets(self) -> list[TrainingSubset]:
        """Those of the three that exist."""
        return [subset for subset in (self.fit, self.validation, self.held_out) if subset]

    @property
    def files(self) -> list[Path]:
        """Every file that the training reads."""
        matrices = [m for subset in self.subsets for m in (*subset.set.inputs, subset.targets)]
        return list(dict.fromkeys([*(matrix.path for matrix in matrices), *self.play_files]))


def open_training_data(
    dataset: Dataset, targets: TargetSpec, sources: Sequence[InputSource], *, validation: float
) -> TrainingData:
    """Open the samples of a training.

    Val items validate, where they have targets. Else the last train items, in file order, are held
    out: the first half of these validates, the second half gives the held-out loss.

    Parameters
    ----------
    dataset
        The dataset.
    targets
        Kind and number of the targets.
    sources
        What each input is read from.
    validation
        Share of the train items to hold out, where no val items validate.

    Raises
    ------
    DataError
        If a file is missing, or has not one row for each id, or there are too few train items.
    """
    train = open_items(dataset, sources, "train")
    train_targets, train_plays = _open_targets(dataset, targets, train)
    has_val = "val" in dataset.splits
    if has_val and _has_val_targets(dataset, targets):
        val = open_items(dataset, sources, "val")
        val_targets, val_plays = _open_targets(dataset, targets, val)
        return TrainingData(
            TrainingSubset(train, train_targets, np.arange(len(train.items))),
            TrainingSubset(val, val_targets, np.arange(len(val.items))),
            play_files=_files_of(train_plays, val_plays),
            remarks=_remarks(dataset, train_plays, val_plays),
        )
    # An item may have no patch.
    present = np.unique(train.items)
    plays = targets.kind == PLAYS_KIND
    cuts = hold_out_rows(len(present), validation, measured=not plays)
    fit, validation_subset, *measured = (
        TrainingSubset(train, train_targets, np.flatnonzero(np.isin(train.items, present[rows])))
        for rows in cuts
    )
    lacking = "plays" if plays else "targets"
    reason = f"the val items have no {lacking}" if has_val else "there are no val items"
    use = "they validate" if plays else "half of them validate, half give the held-out loss"
    share = f"the last {1 - len(cuts[0]) / len(present):.0%} of the train items"
    held_out_text = f"{reason}: {share} are held out: {use}"
    return TrainingData(
        fit,
        validation_subset,
        measured[0] if measured else None,
        _files_of(train_plays),
        (*_remarks(dataset, train_plays), held_out_text),
    )


def _files_of(*sets: Plays | None) -> tuple[Path, ...]:
    return tuple(path for plays in sets if plays for path in plays.files)


def _has_val_targets(dataset: Dataset, targets: TargetSpec) -> bool:
    if targets.kind == PLAYS_KIND:
        return has_plays(dataset, "val")
    return dataset.find(Kind.TARGETS, split="val", **targets.fields) is not None


def _open_targets(
    dataset: Dataset, targets: TargetSpec, items: ItemSet
) -> tuple[Matrix, Plays | None]:
    """Open the targets of a set; of plays, also how they were read."""
    if targets.kind != PLAYS_KIND:
        matrix = dataset.targets(targets.kind, targets.dim, items.split)
        return require_rows(matrix, len(items.ids)), None
    plays = read_plays(dataset, items.split)
    if items.split == "train" and not plays.matrix.nnz:
        msg = f"nobody played any of the {len(items.ids):,} train items of {dataset.name}"
        raise DataError(msg, hint=f"Look at {display_path(plays.files[-1])}.")
    return Matrix(plays.files[0], plays.matrix), plays


def _remarks(dataset: Dataset, train: Plays | None, val: Plays | None = None) -> tuple[str, ...]:
    """Say which plays are not known, and were rebuilt."""
    sets = {"train": train, "val": val}
    rebuilt = [split for split, plays in sets.items() if plays and plays.rebuilt]
    if not rebuilt:
        return ()
    return (
        f"{dataset.name} has no {' and no '.join(rebuilt)} plays: they are rebuilt from the "
        f"factors (a product over {LIKELY} counts as a play), which is less exact",
    )


def hold_out_rows(
    items: int, share: float, *, measured: bool = True
) -> tuple[NDArray[np.int64], ...]:
    """Cut the rows of the train items into those to fit, to validate and to hold out.

    Parameters
    ----------
    items
        Number of train items.
    share
        Share of them that validates or is held out, half each.
    measured
        Whether items are held out that do not validate; else there are none, and more to fit.

    Raises
    ------
    DataError
        If they are too few for one of each.

    >>> [rows.tolist() for rows in hold_out_rows(10, 0.2)]
    [[0, 1, 2, 3, 4, 5, 6, 7], [8], [9]]
    """
    held_out = int(items * share)
    if held_out < 2 or held_out >= items:
        msg = f"{items} train items are too few to hold {share:.3g} of them out for validation"
        example = parameter("overrides", "training.validation=0.5")
        hint = f"Add val items to the dataset, or hold out a larger share: {example}"
        raise DataError(msg, hint=hint)
    if not measured:
        return tuple(np.split(np.arange(items), [items - held_out // 2]))
    fit = items - held_out
    return tuple(np.split(np.arange(items), [fit, fit + held_out // 2]))
