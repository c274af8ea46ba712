"""The train items, cut into those to fit, to validate and to hold out: never a test item."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import InputSource, ItemSet, open_items, require_rows
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.errors import DataError, parameter
from tartarus_cli.file_names import Kind


@dataclass(frozen=True)
class TrainingSubset:
    """Samples of a set, and the targets of its items."""

    set: ItemSet
    """The set that they are samples of."""
    targets: Matrix
    """Targets of all items of the set, ``(items, dim)``."""
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
    remark: str = ""
    """Why train items are held out, for the user; empty if none are."""

    @property
    def subsets(self) -> list[TrainingSubset]:
        """Those of the three that exist."""
        return [subset for subset in (self.fit, self.validation, self.held_out) if subset]

    @property
    def files(self) -> list[Path]:
        """Every file that the training reads."""
        matrices = [m for subset in self.subsets for m in (*subset.set.inputs, subset.targets)]
        return list(dict.fromkeys(matrix.path for matrix in matrices))


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
    train_targets = require_rows(dataset.targets(targets.kind, targets.dim), len(train.ids))
    has_val = "val" in dataset.splits
    val_file = dataset.find(Kind.TARGETS, split="val", **targets.fields)
    if has_val and val_file is not None:
        val = open_items(dataset, sources, "val")
        val_targets = require_rows(dataset.matrix(val_file.path), len(val.ids))
        return TrainingData(
            TrainingSubset(train, train_targets, np.arange(len(train.items))),
            TrainingSubset(val, val_targets, np.arange(len(val.items))),
        )
    # An item may have no patch.
    present = np.unique(train.items)
    cuts = hold_out_rows(len(present), validation)
    fit, validation_subset, held_out = (
        TrainingSubset(train, train_targets, np.flatnonzero(np.isin(train.items, present[rows])))
        for rows in cuts
    )
    reason = "the val items have no targets" if has_val else "there are no val items"
    return TrainingData(
        fit,
        validation_subset,
        held_out,
        f"{reason}: the last {1 - len(cuts[0]) / len(present):.0%} of the train items are held "
        "out: half of them validate, half give the held-out loss",
    )


def hold_out_rows(items: int, share: float) -> tuple[NDArray[np.int64], ...]:
    """Cut the rows of the train items into those to fit, to validate and to hold out.

    Parameters
    ----------
    items
        Number of train items.
    share
        Share of them that validates or is held out, half each.

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
    fit = items - held_out
    return tuple(np.split(np.arange(items), [fit, fit + held_out // 2]))
