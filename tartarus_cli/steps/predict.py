"""Predict factors or class scores, or read out an inner layer as a new setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from tartarus_cli.data.dataset import ItemSet, open_set, splits_of
from tartarus_cli.data.ids import write_ids
from tartarus_cli.errors import DataError, RequestError
from tartarus_cli.files import replacing
from tartarus_cli.models import Model, Predictor, Store, open_predictor
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import between_steps
from tartarus_cli.workspace import Inventory, Kind, Workspace

BLOCK = 512  # items predicted at once


@dataclass(frozen=True)
class Prediction:
    """What was written."""

    model: str
    dataset: str
    splits: dict[str, int]  # split → items
    width: int
    files: list[Path]
    layer: str | None = None
    setting: str | None = None  # the new setting that a layer becomes
    absent: tuple[str, ...] = ()  # splits that the dataset has and that were not predicted


def predict(
    workspace: Workspace,
    name: str | None,
    *,
    layer: str | None = None,
    split: str | None = None,
    progress: Progress = UNWATCHED,
) -> Prediction:
    """Run a model over the items of a dataset, block by block, and write what comes out.

    Parameters
    ----------
    workspace
        Where the model and its data are.
    name
        The model; the newest if None.
    layer
        Name or index of an inner layer: its activations become the setting
        ``{model}-pred_{layer}``. If None, the predicted factors (or class scores) are written.
    split
        train, val, test or all; if None, test for factors and all for a layer.
    progress
        Told of each block.

    Raises
    ------
    RequestError
        If there is no such model, layer or split.
    DataError
        If a file is missing, damaged, or not as wide as in training.
    """
    model = Store(workspace).get(name)
    info = model.layer(layer) if layer is not None else None
    inventory = workspace.scan()
    chosen = _splits(inventory, model, split or ("all" if layer is not None else "test"))
    settings = model.manifest.settings
    sets = [open_set(inventory, model.manifest.dataset, settings, each) for each in chosen]
    _check_widths(model, sets)
    files = []
    with ExitStack() as stack:
        check = stack.enter_context(between_steps())
        predictor = open_predictor(model, info)
        total = sum(len(items.ids) for items in sets)
        task = stack.enter_context(progress.task("predicting", total))
        for items in sets:
            path = _place(workspace, model, info.name if info else None, items.split)
            rows = stack.enter_context(_writing(path, (len(items.ids), predictor.width)))
            for block in _blocks(len(items.ids)):
                check()
                rows[block] = _predicted(model, items, predictor, block)
                task.advance(block.stop - block.start)
            files.append(path)
    for items in sets if info is None else []:
        files.append(workspace.predicted_ids(model.name, items.split))
        write_ids(files[-1], items.ids)
    return Prediction(
        model=model.name,
        dataset=model.manifest.dataset,
        splits={items.split: len(items.ids) for items in sets},
        width=predictor.width,
        files=files,
        layer=info.name if info else None,
        setting=_setting(model, info.name) if info else None,
        absent=tuple(s for s in splits_of(inventory, model.manifest.dataset) if s not in chosen),
    )


def _splits(inventory: Inventory, model: Model, asked: str) -> list[str]:
    there = splits_of(inventory, model.manifest.dataset)
    if asked == "all":
        return there
    if asked not in there:
        msg = f"{model.manifest.dataset} has no {asked} items"
        raise RequestError(msg, hint=f"Choose --split {' or '.join([*there, 'all'])}.")
    return [asked]


def _check_widths(model: Model, sets: Sequence[ItemSet]) -> None:
    trained = [layer.shape for layer in model.manifest.layers if layer.kind == "InputLayer"]
    for items in sets:
        for matrix, shape in zip(items.inputs, trained, strict=True):
            if matrix.shape[1:] != shape:
                msg = f"{matrix.path.name} is {matrix.shape[1]:,} wide, but {model.name} was "
                msg += f"trained on {shape[0]:,}"
                raise DataError(msg, hint="Compute it as for the training, or train again.")


def _setting(model: Model, layer: str) -> str:
    return f"{model.name}-pred_{layer}"


def _place(workspace: Workspace, model: Model, layer: str | None, split: str) -> Path:
    if layer is None:
        return workspace.predicted_factors(model.name, split)
    fields = {"setting": _setting(model, layer), "dataset": model.manifest.dataset}
    return workspace.place(Kind.FEATURES, split=split, ext="npy", **fields)


@contextmanager
def _writing(path: Path, shape: tuple[int, int]) -> Iterator[NDArray[np.float32]]:
    """Yield an array on disk to fill; it gets its name when the block succeeds."""
    with replacing(path) as beside:
        rows = open_memmap(beside, "w+", np.float32, shape)
        yield rows
        rows.flush()


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK))


def _predicted(
    model: Model, items: ItemSet, predictor: Predictor, block: slice
) -> NDArray[np.float32]:
    rows = predictor([matrix.rows(block) for matrix in items.inputs])
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if bad.size:
        msg = f"{model.name} gives NaN or infinity for item {items.ids[block.start + bad[0]]!r} "
        msg += f"of {items.split}"
        raise DataError(msg, hint="Look for NaN or very large values in its features.")
    return rows
