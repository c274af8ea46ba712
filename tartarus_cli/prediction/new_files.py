"""Predict for recordings or documents that are in no dataset, prepared as in the training."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.audio.decoding import RECORDING_EXTENSIONS as RECORDINGS
from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.baselines import PredictionForm
from tartarus_cli.data.array_writing import create_dense, save_dense
from tartarus_cli.data.arrays import open_dense
from tartarus_cli.data.folders import FolderScan, scan_folder
from tartarus_cli.data.ids import put_ids
from tartarus_cli.data.lists import check_file_name
from tartarus_cli.errors import DataError, FileError, RequestError, expand_home, parameter
from tartarus_cli.experiments.inputs import MIN_BATCH
from tartarus_cli.extraction.corpus import DOCUMENT_EXTENSIONS, read_document
from tartarus_cli.extraction.patch_job import PatchJob, PreparedRecording
from tartarus_cli.extraction.patches import longest_patch
from tartarus_cli.extraction.workers import (
    FailedRecording,
    Recording,
    WorkerOptions,
    prepare_all,
    worker_options,
)
from tartarus_cli.files import write_together
from tartarus_cli.models.manifest import LayerInfo
from tartarus_cli.models.predictors import Predictor, open_predictor
from tartarus_cli.models.preprocessing import open_recipe, open_vocabulary
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.predict import Pool, PredictOptions
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts

Rows = NDArray[np.float32]
"""``(rows, width)``."""


@dataclass(frozen=True)
class NewFilesRequest:
    """New recordings or documents, and how to predict for them."""

    path: Path
    """A file, or a folder of files."""
    layer: str | None
    """Name or index of the layer to read out; None: the factors or class scores."""
    pool: Pool
    """How the rows of a recording's patches become one."""
    workers: WorkerOptions | None
    """Processes that prepare recordings; None: these are documents."""
    encoding: str | None = None
    """Encoding of documents without a byte-order mark; None: UTF-8."""


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


@dataclass(frozen=True)
class _Outcome:
    """The rows of one file, or why it has none."""

    name: str
    rows: Rows | None = None
    remark: str = ""
    """Why there are no rows, or what may be wrong with them."""


def new_files_request(
    audio: Path | None,
    text: Path | None,
    options: PredictOptions,
    *,
    jobs: int | None,
    timeout: float | None,
    encoding: str | None = None,
) -> NewFilesRequest | None:
    """Return the request for new files; None if none are named, but the items of a dataset.

    Parameters
    ----------
    audio, text
        A recording or a document, or a folder of such; one of the two at most.
    options
        What to predict; it names no set.
    jobs, timeout
        For recordings: number of processes, and seconds for each recording.
    encoding
        For documents: the encoding of those without a byte-order mark; None: UTF-8.

    Raises
    ------
    RequestError
        If these exclude each other.
    """
    path = audio or text
    if audio is None and (jobs or timeout):
        msg = "`jobs` and `timeout` are only for new recordings (`audio`)"
        raise RequestError(msg, hint="Leave them out, or name recordings with `audio`.")
    if text is None and encoding is not None:
        msg = "`encoding` is only for new documents (`text`)"
        raise RequestError(msg, hint="Leave it out, or name documents with `text`.")
    if path is None:
        return None
    if (audio and text) or options.split is not None:
        msg = "`audio`, `text` and `split` exclude each other"
        raise RequestError(msg, hint="Give only one of them.")
    if options.accept_changed_inputs:
        msg = "`accept_changed_inputs` has no effect: new files are prepared as in the training"
        raise RequestError(msg, hint="Leave it out.")
    if text and options.pool != "mean":
        msg = f"{parameter('pool', options.pool)} has no effect: a document has only one row"
        raise RequestError(msg, hint="Leave it out.")
    workers = worker_options(jobs, timeout) if audio else None
    return NewFilesRequest(expand_home(path), options.layer, options.pool, workers, encoding)


def predict_files(
    model: Model, request: NewFilesRequest, *, progress: Progress = UNWATCHED
) -> NewPrediction:
    """Predict for new recordings or documents; unreadable ones are left out and reported.

    Parameters
    ----------
    model
        A model whose only input such files are.
    request
        The files, and what to predict for them.
    progress
        Receives a task with a step for each file.

    Raises
    ------
    RequestError
        If there is no such layer or file, or the model has other inputs.
    DataError
        If none of the files can be used.
    """
    layer = model.layer(request.layer) if request.layer is not None else None
    predict_files_of = _predict_documents if request.workers is None else _predict_recordings
    scan = _find_files(request)
    files = scan.files
    for line in scan.other_remarks:
        progress.warn(line)
    remarks, row_files = dict[str, str](), dict[str, Path]()
    with (
        tempfile.TemporaryDirectory() as folder,
        progress.task("predicting", len(files)) as task,
        defer_interrupts() as check,
    ):
        for outcome in predict_files_of(model, layer, files, request):
            check()
            if outcome.rows is not None:
                row_files[outcome.name] = Path(folder) / f"rows{len(row_files)}.npy"
                save_dense(row_files[outcome.name], outcome.rows)
            remarks |= {outcome.name: outcome.remark} if outcome.remark else {}
            task.advance()
        ordered = [name for name in files if name in row_files]
        if not ordered:
            name, reason = next(iter(remarks.items()))
            msg = f"none of {len(files):,} files can be used; {name}: {reason}"
            raise DataError(msg, hint="Name other files.")
        blocks = {name: open_dense(row_files[name]) for name in ordered}
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
        failed={name: remarks[name] for name in files if name not in row_files} | scan.refused,
        remarks={name: remarks[name] for name in ordered if name in remarks},
        files=[*paths],
        form=model.manifest.form,
    )


def _find_files(request: NewFilesRequest) -> FolderScan:
    """Return the files to predict for, by their names within the folder."""
    path = request.path
    if path.is_file():
        check_file_name(path.name)
        return FolderScan(path.parent, {path.name: path}, {})
    if not path.exists():
        msg = f"there is no file or folder {path}"
        raise RequestError(msg, hint="Name a recording or a document, or a folder of them.")
    scan = scan_folder(path, DOCUMENT_EXTENSIONS if request.workers is None else RECORDINGS)
    for name in scan.files:
        check_file_name(name)
    return scan


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


def _predict_recordings(
    model: Model, layer: LayerInfo | None, files: dict[str, Path], request: NewFilesRequest
) -> Iterator[_Outcome]:
    recipe, scaler = open_recipe(model)
    predictor = open_predictor(model, layer)
    names = {path: name for name, path in files.items()}
    recordings = [Recording(str(Path(name).with_suffix("")), path) for path, name in names.items()]
    with tempfile.TemporaryDirectory() as folder, defer_interrupts() as check:
        job = PatchJob(recipe, Path(folder), model.workspace.spectrograms, keep_spectrograms=False)
        workers = request.workers or worker_options(None, None)
        for prepared in prepare_all(job, recordings, workers, check):
            name = names[prepared.recording.path]
            if isinstance(prepared, FailedRecording):
                yield _Outcome(name, remark=prepared.reason)
                continue
            patches = open_dense(prepared.patches)
            starts = range(0, len(patches), MIN_BATCH)
            rows = [
                _predict_rows(predictor, scaler(patches[n : n + MIN_BATCH])[..., None])
                for n in starts
            ]
            prepared.patches.unlink()
            yield _Outcome(
                name, _pool_rows(np.concatenate(rows), request.pool), _remark(prepared, recipe)
            )


def _remark(prepared: PreparedRecording, recipe: PatchRecipe) -> str:
    """Say what a recording lacks whose patches are predicted for."""
    remarks = [prepared.remark] if prepared.remark else []
    if prepared.silent:
        remarks.append("it is silent where its patches lie")
    if prepared.frames < recipe.frames:
        seconds = longest_patch(prepared.frames, recipe)
        remarks.append(f"{seconds:g} s, shorter than a patch of {recipe.seconds:g} s: filled up")
    return "; ".join(remarks)


def _pool_rows(rows: Rows, pool: Pool) -> Rows:
    if pool == "none":
        return rows
    pooled = rows.max(axis=0) if pool == "max" else rows.mean(axis=0)
    return np.asarray(pooled, np.float32)[None]


def _predict_documents(
    model: Model, layer: LayerInfo | None, files: dict[str, Path], request: NewFilesRequest
) -> Iterator[_Outcome]:
    vocabulary = open_vocabulary(model)
    predictor = open_predictor(model, layer)
    for name, path in files.items():
        try:
            text = read_document(path, request.encoding)
        except FileError as problem:
            yield _Outcome(name, remark=f"{problem.found}. {problem.hint}")
            continue
        document = vocabulary.transform([text])
        rows = document.rows
        dense = rows.toarray() if isinstance(rows, csr_array) else rows
        remark = "" if document.known[0] > 0 else "none of its words is in the vocabulary"
        yield _Outcome(name, _predict_rows(predictor, np.asarray(dense, np.float32)), remark)


def _predict_rows(predictor: Predictor, inputs: Rows) -> Rows:
    rows = predictor([inputs])
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
