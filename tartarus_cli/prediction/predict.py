"""Predict factors or class scores, or read out an inner layer as a new setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from scipy.sparse import vstack

from tartarus_cli.baselines import PredictionForm
from tartarus_cli.data.arrays import save_csr, save_dense
from tartarus_cli.data.ids import write_ids
from tartarus_cli.data.items import ItemSet, open_items
from tartarus_cli.errors import DataError, RequestError, display_path, parameter
from tartarus_cli.experiments.inputs import check_word_numbers, inference_batch_size, input_sources
from tartarus_cli.file_names import Kind
from tartarus_cli.files import atomic_write
from tartarus_cli.models.manifest import LayerInfo
from tartarus_cli.models.predictors import Predictor, open_predictor
from tartarus_cli.models.preprocessing import check_vocabulary_unchanged, stored_recipe
from tartarus_cli.models.staleness import changed_since_training
from tartarus_cli.models.store import Model
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.training.baseline import open_fitted, predicted_blocks

Pool = Literal["mean", "max", "none"]


@dataclass(frozen=True)
class PredictOptions:
    """What to predict."""

    layer: str | None = None
    """Name or index of a layer; None: the factors or class scores."""
    split: str | None = None
    """``train``, ``val``, ``test`` or ``all``; None: test, or all for a layer."""
    pool: Pool = "mean"
    """How the rows of an item's patches become one; ``none`` keeps them apart."""


@dataclass(frozen=True)
class Prediction:
    """What was written."""

    model: str
    dataset: str
    splits: dict[str, int]
    """Split → rows."""
    width: int
    files: list[Path]
    layer: str | None = None
    form: PredictionForm = "factors"
    setting: str | None = None
    """The new setting that a layer becomes."""
    absent: tuple[str, ...] = ()
    """Splits that the dataset has and that were not predicted."""
    by_patch: bool = False
    """Whether each patch has a row of its own."""
    without_patch: dict[str, int] = field(default_factory=dict)
    """Split → items that have no patch."""


def predict(
    model: Model, options: PredictOptions | None = None, *, progress: Progress = UNWATCHED
) -> Prediction:
    """Run a model over the items of a dataset, block by block, and write what comes out.

    Parameters
    ----------
    model
        A network or a baseline; its dataset holds the items.
    options
        What to predict. The activations of a layer become the setting ``{model}-pred_{layer}``.
        The rows of an item's patches are averaged, or their maximum is taken; with ``none`` each
        patch keeps its own, and they are no setting.
    progress
        Told of each block.

    Raises
    ------
    RequestError
        If there is no such layer or split.
    DataError
        If a file is missing, damaged, or not as in training.
    """
    options = options or PredictOptions()
    layer = model.layer(options.layer) if options.layer is not None else None
    splits = _splits(model, options.split or ("test" if layer is None else "all"))
    _warn_of_changes(model, progress)
    sets = _open_sets(model, splits, options.pool)
    if model.baseline is not None:
        return _predict_baseline(model, sets, progress)
    outputs = [_output(model, layer, items, options.pool) for items in sets]
    with ExitStack() as stack:
        check = stack.enter_context(defer_interrupts())
        predictor = open_predictor(model, layer)
        total = sum(len(items.items) for items in sets)
        task = stack.enter_context(progress.task("predicting", total))
        for items, output in zip(sets, outputs, strict=True):
            shape = (len(output.ids), predictor.width)
            rows = stack.enter_context(_writing(output.path, shape))
            for samples, values in _predicted(model, items, predictor):
                check()
                output.put(rows, samples, values)
                task.advance(len(values))
    for output in outputs:
        if output.ids_path is not None:
            write_ids(output.ids_path, output.ids)
    paths = [(output.path, output.ids_path) for output in outputs]
    return Prediction(
        model=model.name,
        dataset=model.manifest.dataset,
        splits={items.split: len(o.ids) for items, o in zip(sets, outputs, strict=True)},
        width=predictor.width,
        files=[path for path, _ in paths] + [ids for _, ids in paths if ids is not None],
        layer=layer.name if layer else None,
        setting=_setting(model, layer.name) if layer and paths[0][1] is None else None,
        absent=tuple(s for s in model.dataset.splits if s not in splits),
        by_patch=options.pool == "none" and any(items.patches for items in sets),
        without_patch={s.split: len(s.ids) - len(np.unique(s.items)) for s in sets if s.patches},
    )


def _predict_baseline(model: Model, sets: Sequence[ItemSet], progress: Progress) -> Prediction:
    """Predict with a baseline, which has rows of another form than a network, or needs the ids."""
    workspace = model.workspace
    fitted = open_fitted(model, progress)
    files: list[Path] = []
    width = 0
    with progress.task("predicting", sum(len(items.ids) for items in sets)) as task:
        for items in sets:
            rows = []
            for block in predicted_blocks(model, items, fitted):
                rows.append(block)
                task.advance(block.shape[0])
            width = rows[0].shape[1]
            files += [_save(model, items.split, rows)]
            write_ids(workspace.predicted_ids(model.name, items.split), items.ids)
    return Prediction(
        model=model.name,
        dataset=model.manifest.dataset,
        splits={items.split: len(items.ids) for items in sets},
        width=width,
        files=files + [workspace.predicted_ids(model.name, items.split) for items in sets],
        form=model.manifest.form,
        absent=tuple(s for s in model.dataset.splits if s not in {i.split for i in sets}),
    )


def _save(model: Model, split: str, rows: Sequence[Any]) -> Path:
    workspace = model.workspace
    if model.manifest.form == "neighbours":
        path = workspace.predicted_neighbours(model.name, split)
        save_csr(path, vstack(rows, format="csr"))
    else:
        path = workspace.predicted_factors(model.name, split)
        save_dense(path, np.concatenate(rows))
    return path


def _warn_of_changes(model: Model, progress: Progress) -> None:
    file = changed_since_training(model)
    if file is not None:
        change = f"{display_path(file.path)} has changed since {model.name} was trained"
        items = " (what is a test item now may have been a train item)"
        progress.warn(f"{change}: train again{items * (file.kind is Kind.ITEMS)}")


def _splits(model: Model, name: str) -> list[str]:
    """Return the sets that a name stands for: one of them, or ``all``."""
    splits = list(model.dataset.splits)
    if name == "all":
        return splits
    if name not in splits:
        msg = f"{model.manifest.dataset} has no {name} items"
        choices = " or ".join(parameter("split", choice) for choice in (*splits, "all"))
        raise RequestError(msg, hint=f"Choose {choices}.")
    return [name]


def _open_sets(model: Model, splits: Sequence[str], pool: Pool) -> list[ItemSet]:
    """Open sets of items, and make sure that they are like those that the model was trained on."""
    sources = input_sources(model.experiment, model.manifest.settings)
    sets = [open_items(model.dataset, sources, split) for split in splits]
    for items in sets:
        _check_inputs(model, items)
    check_vocabulary_unchanged(model)
    if pool != "mean" and not any(items.patches for items in sets):
        msg = (
            f"{parameter('pool', pool)}: {model.name} reads no patches, an item has one row anyway"
        )
        raise RequestError(msg, hint="Leave it out.")
    return sets


def _check_inputs(model: Model, items: ItemSet) -> None:
    """Make sure that the inputs are what the model was trained on."""
    if model.manifest.kind == "baseline":
        return  # which checks them as it reads them
    trained = [layer.shape for layer in model.manifest.layers if layer.kind == "InputLayer"]
    for matrix, shape in zip(items.inputs, trained, strict=True):
        if matrix.shape[1:] != shape:
            widths = (matrix.shape[1:], shape)
            width, expected = (" × ".join(f"{n:,}" for n in lengths) for lengths in widths)
            msg = f"{matrix.path.name} is {width} wide, but {model.name} was trained on {expected}"
            raise DataError(msg, hint=_as_trained(model))
    check_word_numbers(model.experiment, items)
    if items.patches and items.patches.fingerprint != model.manifest.patches:
        path = display_path(items.patches.path)
        msg = f"{path} was made otherwise than the patches that {model.name} "
        msg += "was trained on: with another transform, scaler or seed"
        raise DataError(msg, hint=_as_trained(model))


def _as_trained(model: Model) -> str:
    """Say how the inputs become again what the model was trained on."""
    recipe = stored_recipe(model)
    if recipe is None:
        return "Compute it as for the training, or train again."
    return f"Make them again as they were, or train again: {recipe.as_call(model.manifest.dataset)}"


@dataclass(frozen=True)
class _Output:
    """The rows of one set: where they are written, and which of them each sample goes to."""

    path: Path
    ids_path: Path | None  # None: the rows stand in the order of the set's own ids
    ids: list[str]  # of the rows
    row: NDArray[np.int64]  # (samples,)
    pool: Pool

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Number of samples of each row."""
        return np.bincount(self.row, minlength=len(self.ids))

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """Rows that have a value already."""
        return np.zeros(len(self.ids), bool)

    def put(self, rows: NDArray[np.float32], samples: slice, values: NDArray[np.float32]) -> None:
        """Put the values of some samples into their rows."""
        for row, value in zip(self.row[samples], values, strict=True):
            if self.pool == "max" and self.seen[row]:
                rows[row] = np.maximum(rows[row], value)
            else:
                rows[row] += value if self.pool == "max" else value / self.counts[row]
            self.seen[row] = True


def _output(model: Model, layer: LayerInfo | None, items: ItemSet, pool: Pool) -> _Output:
    """Plan the rows of a set: one an item, but one a patch if they are not pooled.

    Items without a patch have no predicted factors; in a setting, their rows are zero.
    """
    workspace = model.workspace
    if items.patches is not None and pool == "none":
        what = "factors" if layer is None else layer.name
        path, ids_path = workspace.predicted_patches(model.name, what, items.split)
        ids = [items.ids[number] for number in items.items]
        return _Output(path, ids_path, ids, np.arange(len(ids)), pool)
    if layer is not None:
        fields = {"setting": _setting(model, layer.name), "split": items.split, "ext": "npy"}
        path = model.dataset.path(Kind.FEATURES, **fields)
        return _Output(path, None, items.ids, items.items, pool)
    present, row = np.unique(items.items, return_inverse=True)
    path = workspace.predicted_factors(model.name, items.split)
    ids_path = workspace.predicted_ids(model.name, items.split)
    return _Output(path, ids_path, [items.ids[number] for number in present], row, pool)


def _setting(model: Model, layer: str) -> str:
    return f"{model.name}-pred_{layer}"


@contextmanager
def _writing(path: Path, shape: tuple[int, int]) -> Iterator[NDArray[np.float32]]:
    """Yield an array of zeros on disk; it gets its name when the block succeeds."""
    with atomic_write(path) as temporary:
        rows = open_memmap(temporary, "w+", np.float32, shape)
        yield rows
        rows.flush()


def _predicted(
    model: Model, items: ItemSet, predictor: Predictor
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Predict all samples of a set, some at a time and in the order of the files."""
    size = inference_batch_size(model.experiment, items)
    for first in range(0, len(items.items), size):
        samples = slice(first, min(first + size, len(items.items)))
        rows = predictor(items.read(samples))
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if bad.size:
            item = items.ids[items.items[first + bad[0]]]
            msg = f"{model.name} gives NaN or infinity for item {item!r} of {items.split}"
            raise DataError(msg, hint="Look for NaN or very large values in its features.")
        yield samples, rows
