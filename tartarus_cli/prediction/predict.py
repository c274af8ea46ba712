"""Predict factors or class scores, or read out an inner layer as a new setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import vstack

from tartarus_cli.data.array_writing import create_dense, put_csr, put_dense
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.ids import put_ids
from tartarus_cli.data.items import ItemSet, open_items
from tartarus_cli.data.masks import put_mask
from tartarus_cli.data.patches import Patches
from tartarus_cli.errors import DataError, RequestError, display_path, parameter
from tartarus_cli.experiments.inputs import check_word_numbers, inference_batch_size, input_sources
from tartarus_cli.file_names import DataFile, Kind
from tartarus_cli.files import write_together
from tartarus_cli.models.manifest import LayerInfo
from tartarus_cli.models.predictors import Predictor, open_predictor
from tartarus_cli.models.preprocessing import check_vocabulary_unchanged, stored_recipe
from tartarus_cli.models.staleness import (
    accept_inputs,
    changed_input_files,
    changed_since_training,
    require_accepted,
)
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.blends import predict_blend
from tartarus_cli.prediction.outcome import (
    Prediction,
    count_undescribed,
    count_without_patch,
)
from tartarus_cli.progress import UNWATCHED, Progress, QuietProgress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.training.baseline import check_widths, open_fitted, predicted_blocks

Pool = Literal["mean", "max", "none"]
"""How the rows of an item's patches become one: averaged, by their maximum, or not at all."""


@dataclass(frozen=True)
class PredictOptions:
    """What to predict, and for which items."""

    layer: str | None = None
    """Name or index of a layer; None: the factors or class scores."""
    split: str | None = None
    """``train``, ``val``, ``test`` or ``all``; None: test, or all for a layer."""
    pool: Pool = "mean"
    """How the rows of an item's patches become one; ``none`` keeps a row for each patch."""
    accept_changed_inputs: bool = False
    """Predict from features, ids or a vocabulary that are not those of the training; the model's
    manifest then records them."""


def predict(
    model: Model, options: PredictOptions | None = None, *, progress: Progress = UNWATCHED
) -> Prediction:
    """Run a model over the items of its dataset, block by block, and write its predictions.

    Parameters
    ----------
    model
        A network or a baseline.
    options
        What to predict, and for which items. The activations of a layer become the setting
        ``{model}-pred_{layer}``; with the pool ``none`` each patch has a row, and they do not.
    progress
        Receives a task with a step for each sample, and a warning if the model is outdated.

    Raises
    ------
    RequestError
        If there is no such layer or split.
    DataError
        If a file is missing, damaged, or not as in training.
    """
    options = options or PredictOptions()
    layer = model.layer(options.layer) if options.layer is not None else None
    splits = _select_splits(model, options.split or ("test" if layer is None else "all"))
    for part, _ in model.parts if layer is None else ():
        predict(part, replace(options, pool="mean"), progress=QuietProgress(progress))
    if model.manifest.blends:
        return predict_blend(model, splits)
    sets = _open_sets(model, splits, options)
    changed = _changed_inputs(model, splits, options, progress)
    _warn_of_empty_sets(sets, progress)
    if model.baseline is not None:
        return _predict_baseline(model, sets, changed, progress)
    return _predict_network(model, layer, sets, changed, options, progress)


def _predict_network(
    model: Model,
    layer: LayerInfo | None,
    sets: Sequence[ItemSet],
    changed: Sequence[DataFile],
    options: PredictOptions,
    progress: Progress,
) -> Prediction:
    """Predict with a network, or read out one of its layers."""
    outputs = [_plan_output(model, layer, items, options.pool) for items in sets]
    with ExitStack() as stack:
        check = stack.enter_context(defer_interrupts())
        predictor = open_predictor(model, layer)
        masks = _masks(sets, outputs)
        old_masks = [output.mask for output in outputs if output.mask]
        files = [*masks, *_files_of(outputs)]
        temporary = stack.enter_context(write_together(files, outdated=old_masks))
        total = sum(len(items.items) for items in sets)
        task = stack.enter_context(progress.task("predicting", total))
        for items, output in zip(sets, outputs, strict=True):
            shape = (len(output.ids), predictor.width)
            rows = create_dense(temporary[output.path], shape)
            for samples, values in _predict_blocks(model, items, predictor):
                check()
                output.add(rows, samples, values)
                task.advance(len(values))
            if output.ids_path is not None:
                put_ids(temporary[output.ids_path], output.ids)
        for path, present in masks.items():
            put_mask(temporary[path], present)
        accept_inputs(model, changed)  # before the predictions take their place, never after it
    paths = [(output.path, output.ids_path) for output in outputs]
    return Prediction(
        model=model.name,
        dataset=model.manifest.dataset,
        splits={items.split: len(o.ids) for items, o in zip(sets, outputs, strict=True)},
        width=predictor.width,
        files=[*(path for path, _ in paths), *(ids for _, ids in paths if ids), *masks],
        layer=layer.name if layer else None,
        setting=_setting_name(model, layer.name) if layer and paths[0][1] is None else None,
        absent=_other_splits(model, sets),
        by_patch=options.pool == "none" and any(items.patches for items in sets),
        undescribed=count_undescribed(sets),
        without_patch=count_without_patch(sets),
    )


def _files_of(outputs: Sequence[_Output]) -> list[Path]:
    """List the files of outputs: train rows and lists of ids last, without which none is read."""
    rows = [output.path for output in reversed(outputs)]
    return rows + [output.ids_path for output in outputs if output.ids_path is not None]


def _predict_baseline(
    model: Model, sets: Sequence[ItemSet], changed: Sequence[DataFile], progress: Progress
) -> Prediction:
    """Predict with a baseline, whose rows may be sparse and may depend on the ids."""
    workspace = model.workspace
    fitted = open_fitted(model)
    splits = [items.split for items in sets]
    files = [_baseline_rows(model, split) for split in splits]
    ids = [workspace.predicted_ids(model.name, split) for split in splits]
    width, total = 0, sum(len(items.ids) for items in sets)
    with write_together([*files, *ids]) as temporary, progress.task("predicting", total) as task:
        for items, path, ids_path in zip(sets, files, ids, strict=True):
            rows, present, first = [], _predicted_items(items), 0
            for block in predicted_blocks(model, items, fitted):
                last = first + block.shape[0]
                rows.append(block if present[first:last].all() else block[present[first:last]])
                task.advance(last - first)
                first = last
            width = rows[0].shape[1]
            _put_rows(model, temporary[path], rows)
            described = zip(items.ids, present, strict=True)
            put_ids(temporary[ids_path], [item for item, has in described if has])
        accept_inputs(model, changed)
    return Prediction(
        model=model.name,
        dataset=model.manifest.dataset,
        splits={items.split: int(_predicted_items(items).sum()) for items in sets},
        width=width,
        files=[*files, *ids],
        form=model.manifest.form,
        absent=_other_splits(model, sets),
        undescribed=count_undescribed(sets),
        without_patch=count_without_patch(sets),
    )


def _warn_of_empty_sets(sets: Sequence[ItemSet], progress: Progress) -> None:
    for items in sets:
        if items.absent.any() and items.absent.all():
            lacking = f"all {len(items.ids):,} {items.split} items lack all settings of the model"
            progress.warn(f"{lacking}: nothing tells them apart")


def _other_splits(model: Model, sets: Sequence[ItemSet]) -> tuple[str, ...]:
    """Return the sets of the dataset that are not predicted."""
    predicted = {items.split for items in sets}
    return tuple(split for split in model.dataset.splits if split not in predicted)


def _predicted_items(items: ItemSet) -> NDArray[np.bool_]:
    """Return which items are predicted: those that do not lack all, or all if all do."""
    absent = items.absent
    return np.asarray(~absent | absent.all())


def _masks(sets: Sequence[ItemSet], outputs: Sequence[_Output]) -> dict[Path, NDArray[np.bool_]]:
    """Return which items have the setting that a layer becomes, where some lack it, by file."""
    pairs = zip(sets, outputs, strict=True)
    masks = {output.mask: ~items.absent for items, output in pairs if output.mask}
    return {path: present for path, present in masks.items() if not present.all()}


def _baseline_rows(model: Model, split: str) -> Path:
    workspace = model.workspace
    if model.manifest.form == "neighbours":
        return workspace.predicted_neighbours(model.name, split)
    return workspace.predicted_factors(model.name, split)


def _put_rows(model: Model, path: Path, rows: Sequence[Any]) -> None:
    if model.manifest.form == "neighbours":
        put_csr(path, vstack(rows, format="csr"))
    else:
        put_dense(path, np.concatenate(rows))


def _changed_inputs(
    model: Model, splits: Sequence[str], options: PredictOptions, progress: Progress
) -> list[DataFile]:
    """Return the inputs that are not as in the training; refuse them unless they are accepted."""
    changed = changed_input_files(model, splits)
    if not options.accept_changed_inputs:
        require_accepted(model, changed)
    for file in changed:
        change = f"{display_path(file.path)} has changed since {model.name} was trained"
        leak = " (what is a test item now may have been a train item)"
        progress.warn(f"{change}: accepted{leak if file.kind is Kind.ITEMS else ''}")
    factors = changed_since_training(model)
    if factors is not None and factors.kind is not Kind.ITEMS:
        change = f"{display_path(factors.path)} has changed since {model.name} was trained"
        progress.warn(f"{change}: train again")
    return changed


def _select_splits(model: Model, name: str) -> list[str]:
    """Return the sets of a dataset that a name means: one of them, or ``all``."""
    splits = list(model.dataset.splits)
    if name == "all":
        return splits
    if name not in splits:
        msg = f"{model.manifest.dataset} has no {name} items"
        choices = " or ".join(parameter("split", choice) for choice in (*splits, "all"))
        raise RequestError(msg, hint=f"Choose {choices}.")
    return [name]


def _open_sets(model: Model, splits: Sequence[str], options: PredictOptions) -> list[ItemSet]:
    """Open sets of items, and make sure that their inputs are made as in the training."""
    sources, pool = input_sources(model.experiment, model.manifest.settings), options.pool
    sets = [open_items(model.dataset, sources, split) for split in splits]
    for items in sets:
        _check_inputs(model, items)
    if model.baseline is None:
        drops = [s.absent if options.layer else ~_predicted_items(s) for s in sets]
        pairs = zip(sets, drops, strict=True)
        sets = [replace(s, items=s.items[~drop[s.items]]) for s, drop in pairs]
    if not options.accept_changed_inputs:
        check_vocabulary_unchanged(model)
    if pool != "mean" and not any(items.patches for items in sets):
        option = parameter("pool", pool)
        reads = "pools patches" if any(items.patch_file for items in sets) else "reads no patches"
        msg = f"{option} has no effect: {model.name} {reads}, an item has only one row"
        raise RequestError(msg, hint="Leave it out.")
    return sets


def _check_inputs(model: Model, items: ItemSet) -> None:
    """Make sure that the inputs of a network are made as in its training."""
    if model.manifest.kind == "baseline":
        check_widths(model, items)
        _check_patches(model, items)
        return
    trained = [layer.shape for layer in model.manifest.layers if layer.kind == "InputLayer"]
    for matrix, shape in zip(items.inputs, trained, strict=True):
        if matrix.shape[1:] != shape and not _has_crops(model, matrix, shape):
            shapes = (matrix.shape[1:], shape)
            width, expected = (" × ".join(f"{n:,}" for n in lengths) for lengths in shapes)
            msg = f"{matrix.path.name} is {width} wide, but {model.name} was trained on {expected}"
            raise DataError(msg, hint=_remedy(model))
    check_word_numbers(model.experiment, items)
    _check_patches(model, items)


def _check_patches(model: Model, items: ItemSet) -> None:
    """Make sure that patches were made and scaled as those of the training."""
    file = items.patch_file
    if file is not None and file.fingerprint != model.manifest.patches:
        path = display_path(file.path)
        msg = f"{path} differs from the patches that {model.name} was trained on: it was made "
        msg += "with another transform, scaler or seed"
        raise DataError(msg, hint=_remedy(model))


def _has_crops(model: Model, source: Matrix | Patches, shape: Sequence[int]) -> bool:
    """Whether crops of the shape that a network reads can be cut out of an input."""
    crops = isinstance(source, Patches) and model.experiment.fitting.crops > 0
    return crops and source.shape[1] >= shape[0] and source.shape[2:] == (*shape[1:],)


def _remedy(model: Model) -> str:
    """Say how to recreate the inputs that the model was trained on."""
    recipe = stored_recipe(model)
    if recipe is None:
        return "Extract this setting as for the training, or train again."
    patches = model.experiment.patches
    command = recipe.as_call(model.manifest.dataset, patches.name if patches else "")
    return f"Train again, or recreate the patches of the training: {command}"


@dataclass(frozen=True)
class _Output:
    """The rows of one set: the file that they are written to, and the row of each sample."""

    path: Path
    ids_path: Path | None
    """The list of the ids of the rows; None: they are those of the set, in order."""
    mask: Path | None
    """Where the mask is written, if the rows become a setting that items lack."""
    ids: list[str]
    """Ids of the rows."""
    row: NDArray[np.int64]
    """``(samples,)``: the row that each sample belongs to."""
    pool: Pool

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Number of samples of each row."""
        return np.bincount(self.row, minlength=len(self.ids))

    @cached_property
    def filled(self) -> NDArray[np.bool_]:
        """Rows that have a value already."""
        return np.zeros(len(self.ids), bool)

    def add(self, rows: NDArray[np.float32], samples: slice, values: NDArray[np.float32]) -> None:
        """Add the values of a slice of samples to their rows."""
        for row, value in zip(self.row[samples], values, strict=True):
            if self.pool == "max" and self.filled[row]:
                rows[row] = np.maximum(rows[row], value)
            else:
                rows[row] += value if self.pool == "max" else value / self.counts[row]
            self.filled[row] = True


def _plan_output(model: Model, layer: LayerInfo | None, items: ItemSet, pool: Pool) -> _Output:
    """Plan the rows of a set: one an item, but one a patch if they are not pooled.

    Items without a patch, or without any setting, have no predicted factors; they lack the setting
    that a layer becomes.
    """
    workspace = model.workspace
    if items.patches is not None and pool == "none":
        content = "factors" if layer is None else layer.name
        path, ids_path = workspace.predicted_patches(model.name, content, items.split)
        ids = [items.ids[number] for number in items.items]
        return _Output(path, ids_path, None, ids, np.arange(len(ids)), pool)
    if layer is not None:
        fields = {"setting": _setting_name(model, layer.name), "split": items.split, "ext": "npy"}
        path = model.dataset.path(Kind.FEATURES, **fields)
        mask = model.dataset.path(Kind.MASK, setting=fields["setting"], split=items.split)
        return _Output(path, None, mask, items.ids, items.items, pool)
    present, row = np.unique(items.items, return_inverse=True)
    path = workspace.predicted_factors(model.name, items.split)
    ids_path = workspace.predicted_ids(model.name, items.split)
    ids = [items.ids[number] for number in present]
    return _Output(path, ids_path, None, ids, row, pool)


def _setting_name(model: Model, layer: str) -> str:
    return f"{model.name}-pred_{layer}"


def _predict_blocks(
    model: Model, items: ItemSet, predictor: Predictor
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the predictions of all samples of a set, batch by batch, in the order of the files."""
    size = inference_batch_size(model.experiment, items)
    for first in range(0, len(items.items), size):
        samples = slice(first, min(first + size, len(items.items)))
        rows = predictor(items.read(samples), lengths=items.lengths(samples))
        invalid_rows = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if invalid_rows.size:
            item = items.ids[items.items[first + invalid_rows[0]]]
            msg = f"{model.name} gives NaN or infinity for item {item!r} of {items.split}"
            raise DataError(msg, hint="Look for NaN or very large values in its features.")
        yield samples, rows
