"""Predict for recordings or documents that are in no dataset, prepared as in the training."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio.patches import sound_lengths
from tartarus_cli.baselines import PredictionForm, select_presence
from tartarus_cli.data.array_writing import create_dense, save_dense
from tartarus_cli.data.arrays import open_dense
from tartarus_cli.data.ids import put_ids
from tartarus_cli.data.pooled_patches import PooledScaling, pool_frames
from tartarus_cli.errors import DataError, RequestError, expand_home, parameter
from tartarus_cli.experiments.inputs import MIN_BATCH
from tartarus_cli.extraction.workers import WorkerOptions, worker_options
from tartarus_cli.files import write_together
from tartarus_cli.models.manifest import LayerInfo
from tartarus_cli.models.predictors import Predictor, open_predictor
from tartarus_cli.models.preprocessing import (
    EncodedInput,
    FileNoun,
    NewInput,
    PatchInput,
    open_new_inputs,
    open_pooled_scaling,
)
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.encoded_inputs import SettingEncoder, require_used
from tartarus_cli.prediction.new_inputs import (
    ItemInputs,
    NewItem,
    Preparation,
    prepare_items,
)
from tartarus_cli.prediction.new_items import find_items
from tartarus_cli.prediction.predict import Pool, PredictOptions
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.training.baseline import open_fitted

Rows = NDArray[np.float32]
"""``(rows, width)``."""


@dataclass(frozen=True)
class NewFilesRequest:
    """New recordings or documents, and how to predict for them."""

    paths: Mapping[FileNoun, Path]
    """For each kind of files: a file, or a folder of files."""
    layer: str | None
    """Name or index of the layer to read out; None: the factors or class scores."""
    pool: Pool
    """How the rows of a recording's patches become one."""
    workers: WorkerOptions
    """Processes that prepare recordings."""
    encoding: str | None = None
    """Encoding of documents without a byte-order mark; None: UTF-8."""
    commands: tuple[str, ...] = ()
    """Commands that may run, as those that made settings of the model."""


@dataclass(frozen=True)
class NewPrediction:
    """The predictions for new files."""

    model: str
    """Name of the model."""
    layer: str | None
    """The layer that was read out; None: factors or class scores."""
    classes: tuple[str, ...]
    """Names of the classes, one a column; empty for factors and layers."""
    names: list[str]
    """The file of each row, relative to the folder."""
    rows: Rows
    """``(files, width)``, mapped into memory."""
    failed: dict[str, str]
    """File that could not be used → reason."""
    remarks: dict[str, str]
    """File that was used → what may be wrong with it."""
    files: list[Path]
    """The files that were written: the rows, and the names."""
    form: PredictionForm = "factors"
    """``factors`` (or class scores, or a layer), or ``vectors`` with a bias in the last column."""


def new_files_request(  # noqa: PLR0913 — what users may say of new files
    audio: Path | None,
    text: Path | None,
    options: PredictOptions,
    *,
    jobs: int | None,
    timeout: float | None,
    encoding: str | None = None,
    commands: Sequence[str] = (),
) -> NewFilesRequest | None:
    """Return the request for new files; None if none are named, but the items of a dataset.

    Parameters
    ----------
    audio, text
        A recording or a document, or a folder of such; both for a model that reads both.
    options
        What to predict; it names no set.
    jobs, timeout
        For recordings: number of processes, and seconds for each recording.
    encoding
        For documents: the encoding of those without a byte-order mark; None: UTF-8.
    commands
        Commands that may run, as those that made settings of the model.

    Raises
    ------
    RequestError
        If these exclude each other.
    """
    if audio is None and (jobs or timeout):
        msg = "`jobs` and `timeout` are only for new recordings (`audio`)"
        raise RequestError(msg, hint="Leave them out, or name recordings with `audio`.")
    if text is None and encoding is not None:
        msg = "`encoding` is only for new documents (`text`)"
        raise RequestError(msg, hint="Leave it out, or name documents with `text`.")
    if audio is None and text is None:
        if commands:
            msg = f"{parameter('command')} is only for new files (`audio`, `text`)"
            raise RequestError(msg, hint="Leave it out, or name new files.")
        return None
    if options.split is not None:
        name = "audio" if text is None else "text"
        msg = f"`{name}` and `split` exclude each other"
        raise RequestError(msg, hint="Leave one of the two out.")
    if options.accept_changed_inputs:
        msg = "`accept_changed_inputs` has no effect: new files are prepared as in the training"
        raise RequestError(msg, hint="Leave it out.")
    if audio is None and options.pool != "mean":
        msg = f"{parameter('pool', options.pool)} has no effect: a document has only one row"
        raise RequestError(msg, hint="Leave it out.")
    named: tuple[tuple[FileNoun, Path | None], ...] = (("recordings", audio), ("documents", text))
    return NewFilesRequest(
        {noun: expand_home(path) for noun, path in named if path is not None},
        options.layer,
        options.pool,
        worker_options(jobs, timeout),
        encoding,
        tuple(commands),
    )


def predict_files(
    model: Model, request: NewFilesRequest, *, progress: Progress = UNWATCHED
) -> NewPrediction:
    """Predict for new recordings or documents; unreadable ones are left out and reported.

    Parameters
    ----------
    model
        A model all of whose inputs are made of such files.
    request
        The files, and what to predict for them.
    progress
        Receives a task with a step for each item.

    Raises
    ------
    RequestError
        If there is no such layer or file, or the model has other inputs.
    DataError
        If none of the files can be used.
    """
    layer = model.layer(request.layer) if request.layer is not None else None
    inputs = open_new_inputs(model, request.paths)
    patches = any(isinstance(each, PatchInput) for each in inputs)
    if request.pool != "mean" and (not patches or model.baseline is not None):
        reads = "pools patches" if patches else "reads no patches"
        msg = f"{parameter('pool', request.pool)} has no effect: {model.name} {reads}"
        raise RequestError(msg, hint="Leave it out.")
    encoders = _open_encoders(inputs, request)
    found = find_items(request.paths)
    for line in found.remarks:
        progress.warn(line)
    predictor, scaling = _open_predictor(model, layer), open_pooled_scaling(model)
    with (
        tempfile.TemporaryDirectory() as folder,
        progress.task("predicting", len(found.items)) as task,
        defer_interrupts() as check,
    ):
        outcomes, spectrograms = _Outcomes(Path(folder)), model.workspace.spectrograms
        preparation = Preparation(request.workers, request.encoding, spectrograms, encoders, check)
        for item in prepare_items(found.items, inputs, preparation):
            check()
            rows = _predict_rows(predictor, item, inputs, scaling) if item.usable else None
            outcomes.add(item, None if rows is None else _pool_rows(rows, request.pool))
            task.advance()
        ordered = outcomes.require_any(found.items)
        blocks = {name: open_dense(outcomes.files[name]) for name in ordered}
        names = [name for name in ordered for _ in blocks[name]]
        paths = model.workspace.predicted_new(model.name, layer.name if layer else None)
        _write(paths, names, blocks.values())
    rows = open_dense(paths[0])
    return NewPrediction(
        model=model.name,
        layer=layer.name if layer else None,
        classes=_class_names(model, rows.shape[1]) if layer is None else (),
        names=names,
        rows=rows,
        failed={n: r for n, r in outcomes.remarks.items() if n not in blocks} | found.refused,
        remarks={name: outcomes.remarks[name] for name in ordered if name in outcomes.remarks},
        files=[*paths],
        form=model.manifest.form,
    )


def _open_encoders(
    inputs: Sequence[NewInput], request: NewFilesRequest
) -> dict[str, SettingEncoder]:
    """Return what encodes new files, by setting."""
    encoded = [each for each in inputs if isinstance(each, EncodedInput)]
    require_used(encoded, request.commands)
    return {
        source.label: SettingEncoder(source, request.commands, request.encoding)
        for source in encoded
    }


@dataclass
class _Outcomes:
    """The rows of items, or why they have none."""

    folder: Path
    files: dict[str, Path] = field(default_factory=dict)
    """Name of an item → file of its rows."""
    remarks: dict[str, str] = field(default_factory=dict)
    """Name of an item → why it has no rows, or what may be wrong with them."""

    def add(self, item: ItemInputs, rows: Rows | None) -> None:
        """Keep the rows of an item."""
        name = item.item.name
        if rows is not None:
            self.files[name] = self.folder / f"rows{len(self.files)}.npy"
            save_dense(self.files[name], rows)
        if item.remarks:
            self.remarks[name] = item.remarks

    def require_any(self, items: Sequence[NewItem]) -> list[str]:
        """Return the names of items with rows, in order; order what was remarked, too.

        Raises
        ------
        DataError
            If no item has any.
        """
        names = [item.name for item in items]
        self.remarks = {name: self.remarks[name] for name in names if name in self.remarks}
        ordered = [name for name in names if name in self.files]
        if not ordered:
            name, reason = next(iter(self.remarks.items()))
            msg = f"none of {len(names):,} files can be used; {name}: {reason}"
            raise DataError(msg, hint="Name other files.")
        return ordered


def _write(paths: tuple[Path, Path], names: Sequence[str], blocks: Collection[Rows]) -> None:
    """Write all rows, and the list of their names; both files appear at the end."""
    width = next(iter(blocks)).shape[1]
    with write_together(paths) as temporary:
        rows = create_dense(temporary[paths[0]], (len(names), width))
        first = 0
        for block in blocks:
            rows[first : first + len(block)] = block
            first += len(block)
        put_ids(temporary[paths[1]], names)


def _pool_rows(rows: Rows, pool: Pool) -> Rows:
    if pool == "none":
        return rows
    pooled = rows.max(axis=0) if pool == "max" else rows.mean(axis=0)
    return np.asarray(pooled, np.float32)[None]


def _open_predictor(model: Model, layer: LayerInfo | None) -> Predictor:
    """Open what predicts; a baseline of factors or classes may read its train items again."""
    baseline = model.baseline
    if baseline is None or not baseline.remembers or model.manifest.form != "factors":
        return open_predictor(model, layer)
    return open_predictor(model, layer, open_fitted(model))


def _predict_rows(
    predictor: Predictor,
    item: ItemInputs,
    inputs: Sequence[NewInput],
    scaling: PooledScaling | None,
) -> Rows:
    """Predict for all samples of an item, a few at a time; pooled patches are one sample."""
    blocks = []
    step = MIN_BATCH if scaling is None else item.samples
    for first in range(0, item.samples, step):
        values, present = item.read(slice(first, first + step))
        lengths = None
        for number, source in enumerate(inputs):
            if isinstance(source, PatchInput):
                patches = values[number][..., 0]
                lengths = sound_lengths(patches) if source.recipe.records_lengths else None
                values[number] = source.scaler(patches)[..., None]
        if scaling is not None:
            values = [
                scaling(pool_frames(rows[..., 0])[None]) if rows.ndim > 2 else rows[:1]
                for rows in values
            ]
            present = select_presence(present, slice(1))
        blocks.append(predictor(values, present, lengths))
    rows = np.concatenate(blocks)
    if not np.isfinite(rows).all():
        msg = "the model gives NaN or infinity for one of the files"
        raise DataError(msg, hint="Train it again; look for very large values in its features.")
    return rows


def _class_names(model: Model, width: int) -> tuple[str, ...]:
    """Return the names of the classes, or their numbers; none if factors were predicted."""
    if model.experiment.targets.kind != "class":
        return ()
    names = model.dataset.label_names or []
    return tuple(names) if len(names) == width else tuple(str(n + 1) for n in range(width))
