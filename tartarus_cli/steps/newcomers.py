"""Predict for recordings or documents that are in no dataset, prepared exactly as in training."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.audio.decoding import ENDINGS as RECORDINGS
from tartarus_cli.data.arrays import open_dense, save_dense
from tartarus_cli.data.ids import write_ids
from tartarus_cli.data.targets import label_names
from tartarus_cli.errors import DataError, FileError, RequestError, shown
from tartarus_cli.files import read_text
from tartarus_cli.models import LayerInfo, Model, Store, open_predictor
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import between_steps
from tartarus_cli.steps.documents import ENDINGS as DOCUMENTS
from tartarus_cli.steps.predict import Pool, PredictOptions
from tartarus_cli.steps.preparation import open_recipe, open_vocabulary
from tartarus_cli.steps.recordings import Effort, Failed, Recording, Studio, prepare_all
from tartarus_cli.workspace import Workspace

Rows = NDArray[np.float32]
BLOCK = 32  # documents predicted at once


@dataclass(frozen=True)
class Newcomers:
    """New recordings or documents, and what to predict for them."""

    path: Path  # a file, or a folder of files
    layer: str | None = None  # None: the factors or class scores
    pool: Pool = "mean"  # of the patches of a recording
    effort: Effort | None = None  # None: these are documents


@dataclass(frozen=True)
class NewPrediction:
    """What was predicted for each file."""

    model: str
    layer: str | None
    classes: tuple[str, ...]  # whose scores the columns are; empty for factors and layers
    names: list[str]
    rows: Rows  # (files, width)
    failed: dict[str, str]  # name → reason
    files: list[Path]


def newcomers(
    audio: Path | None, text: Path | None, options: PredictOptions, spread: Effort
) -> Newcomers | None:
    """Return what is asked for new files; None if the items of a dataset are meant.

    Raises
    ------
    RequestError
        If recordings and documents are named, or a set of the dataset as well.
    """
    path = audio or text
    if path is None:
        return None
    if (audio and text) or options.split is not None:
        msg = "new recordings (--audio), new documents (--text) and --split go by themselves"
        raise RequestError(msg, hint="Name one of them.")
    return Newcomers(path.expanduser(), options.layer, options.pool, spread if audio else None)


def predict_new(
    workspace: Workspace, name: str | None, asked: Newcomers, *, progress: Progress = UNWATCHED
) -> NewPrediction:
    """Predict for new recordings or documents; those that cannot be read are left out and told.

    Parameters
    ----------
    workspace
        Where the model is.
    name
        The model; the newest if None.
    asked
        The files, and what to predict for them.
    progress
        Told of each file.

    Raises
    ------
    RequestError
        If there is no such model, layer or file, or the model does not read such files alone.
    DataError
        If not one of the files can be used.
    """
    model = Store(workspace).get(name)
    layer = model.layer(asked.layer) if asked.layer is not None else None
    endings = DOCUMENTS if asked.effort is None else RECORDINGS
    files = _files(asked.path, endings)
    listen = _documents if asked.effort is None else _recordings
    found, failed = dict[str, Rows](), dict[str, str]()
    with progress.task("predicting", len(files)) as task, between_steps() as check:
        for each, values in listen(workspace, model, layer, files, asked, check):
            if isinstance(values, str):
                failed[each] = values
            else:
                found[each] = values
            task.advance()
    failed = {each: failed[each] for each in files if each in failed}
    if not found:
        each, reason = next(iter(failed.items()))
        msg = f"none of {len(files):,} files can be used; {each}: {reason}"
        raise DataError(msg, hint="Name other files.")
    names = [each for each in files if each in found for _ in range(len(found[each]))]
    rows = np.concatenate([found[each] for each in files if each in found])
    paths = _keep(workspace, model, names, rows)
    classes = _classes(workspace, model, rows.shape[1]) if layer is None else ()
    told = layer.name if layer else None
    return NewPrediction(model.name, told, classes, names, rows, failed, paths)


def _files(path: Path, endings: Collection[str]) -> dict[str, Path]:
    """Return the files to predict for, by their names within the folder."""
    if path.is_file():
        return {path.name: path}
    if not path.is_dir():
        msg = f"there is no file or folder {path}"
        raise RequestError(msg, hint="Name a recording or a document, or a folder of them.")
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in endings and p.is_file())
    if not found:
        msg = f"{shown(path)} holds no file that ends in {', '.join(sorted(endings))}"
        raise RequestError(msg, hint="Name another folder.")
    named = {str(each.relative_to(path)): each for each in found}
    for name in named:
        if "\t" in name or "\n" in name:
            msg = f"the name {name!r} holds a tab or a line feed"
            raise RequestError(msg, hint="Rename the file.")
    return named


def _recordings(
    workspace: Workspace,
    model: Model,
    layer: LayerInfo | None,
    files: dict[str, Path],
    asked: Newcomers,
    check: Callable[[], None],
) -> Iterator[tuple[str, Rows | str]]:
    recipe, scaler = open_recipe(model)
    predictor = open_predictor(model, layer)
    names = {path: name for name, path in files.items()}
    recordings = [Recording(str(Path(name).with_suffix("")), path) for path, name in names.items()]
    effort = asked.effort or Effort(1, 300)
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(recipe, Path(folder), workspace.spectrograms, keep=False)
        for each in prepare_all(studio, recordings, effort, check):
            name = names[each.recording.path]
            if isinstance(each, Failed):
                yield name, each.reason
                continue
            patches = scaler(np.asarray(open_dense(each.patches)))[..., None]
            each.patches.unlink()
            yield name, _pooled(_finite(predictor([patches])), asked.pool)


def _pooled(rows: Rows, pool: Pool) -> Rows:
    if pool == "none":
        return rows
    pooled = rows.max(axis=0) if pool == "max" else rows.mean(axis=0)
    return np.asarray(pooled, np.float32)[None]


def _documents(
    _workspace: Workspace,
    model: Model,
    layer: LayerInfo | None,
    files: dict[str, Path],
    _asked: Newcomers,
    check: Callable[[], None],
) -> Iterator[tuple[str, Rows | str]]:
    vocabulary = open_vocabulary(model)
    predictor = open_predictor(model, layer)
    names = list(files)
    for first in range(0, len(names), BLOCK):
        check()
        texts, failed = _read(files, names[first : first + BLOCK])
        yield from failed.items()
        if texts:
            rows = vocabulary.transform(list(texts.values())).rows
            dense = rows.toarray() if isinstance(rows, csr_array) else rows
            values = _finite(predictor([np.asarray(dense, np.float32)]))
            yield from zip(texts, np.split(values, len(texts)), strict=True)


def _read(files: dict[str, Path], names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Read documents by name, and say why some cannot be read."""
    texts, failed = dict[str, str](), dict[str, str]()
    for name in names:
        try:
            texts[name] = read_text(files[name])
        except FileError as problem:
            failed[name] = problem.found
    return texts, failed


def _finite(rows: Rows) -> Rows:
    if not np.isfinite(rows).all():
        msg = "the model gives NaN or infinity for one of the files"
        raise DataError(msg, hint="Train it again; look for very large values in its features.")
    return rows


def _keep(workspace: Workspace, model: Model, names: Sequence[str], rows: Rows) -> list[Path]:
    paths = [
        workspace.predicted_factors(model.name, "new"),
        workspace.predicted_ids(model.name, "new"),
    ]
    save_dense(paths[0], rows)
    write_ids(paths[1], names)
    return paths


def _classes(workspace: Workspace, model: Model, width: int) -> tuple[str, ...]:
    """Return the names of the classes whose scores were predicted, if that is what they are."""
    if model.experiment.targets.kind != "class":
        return ()
    names = label_names(workspace.scan(), model.manifest.dataset) or []
    return tuple(names) if len(names) == width else tuple(str(n + 1) for n in range(width))
