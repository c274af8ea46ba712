"""Checks of models, of what they predicted and of their results: whether any is there by halves."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from tartarus_cli.checking.irregular import describe_irregular
from tartarus_cli.checking.report import Report
from tartarus_cli.data.arrays import read_arrays, read_header
from tartarus_cli.data.ids import read_lines
from tartarus_cli.errors import FileError, TartarusError, call
from tartarus_cli.files import open_regular, parse_toml, read_text
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.checkpoint import CHECKPOINT, read_state
from tartarus_cli.models.lookup import has_checkpoint, is_being_trained, way_on
from tartarus_cli.models.manifest import UNREADABLE
from tartarus_cli.models.store import Model, Store
from tartarus_cli.models.user_vectors import vector_files

MANIFEST, EXPERIMENT = "manifest.json", "experiment.toml"
"""Files of every model."""


def check_models(workspace: WorkspacePaths, report: Report) -> None:
    """Report models, predictions and results of which a part is missing; they are not opened.

    Parameters
    ----------
    workspace
        The workspace.
    report
        Receives a warning for each: the datasets are not concerned.
    """
    for path in _model_paths(workspace):
        if not path.is_dir():
            _warn(report, path, describe_irregular(path) or "a file", "the folder of a model")
    for model in Store(workspace).all():
        if model.folder.is_dir():
            _check_model(model, report)
    _check_predictions(workspace.data / "factors", report)
    _check_results(workspace.data / "results", report)


def _model_paths(workspace: WorkspacePaths) -> list[Path]:
    if not workspace.models.is_dir():
        return []
    paths = sorted(workspace.models.iterdir())
    return [path for path in paths if re.fullmatch(r"model_[1-9]\d*", path.name)]


def _warn(report: Report, path: Path, found: str, expected: str, hint: str = "") -> None:
    report.warn(path, found, expected=expected, hint=hint or "Move it away.")


def _check_model(model: Model, report: Report) -> None:
    delete = f"Delete {model.name}, and train it again."
    manifest = model.folder / MANIFEST
    if model.manifest is UNREADABLE:
        kind = describe_irregular(manifest)
        found = kind or ("damaged" if manifest.exists() else "missing")
        _warn(report, manifest, found, "how the model was trained", delete)
        return
    _check_checkpoint(model, report)
    if model.manifest.status == "training" and not is_being_trained(model):
        _note_stopped(model, report, delete)
    if model.manifest.status != "finished":
        return
    archive = model.arrays if model.manifest.kind == "baseline" else model.network
    _check_parts(model, report, delete)
    for path in (model.folder / EXPERIMENT, archive, *vector_files(model)):
        found = describe_irregular(path) or ("" if path.exists() else "missing")
        if not found and not _is_sound(path):
            found = "damaged"
        if found:
            _warn(report, path, found, f"a file of {model.name}, which is finished", delete)


def _note_stopped(model: Model, report: Report, delete: str) -> None:
    """Report a training whose process was killed."""
    state, hint = way_on(model), delete
    if state is not None:
        hint = f"It goes on with {call('train', resume=model.name)}; or delete {model.name}."
    report.note(
        model.folder / MANIFEST,
        f"the training of {model.name} has not ended{f' ({state.where})' if state else ''}",
        expected="a finished model, unless it is being trained",
        hint=hint,
    )


def _check_checkpoint(model: Model, report: Report) -> None:
    """Report a checkpoint that is damaged, or that nothing goes on from."""
    path = model.folder / CHECKPOINT
    found = describe_irregular(path)
    if found:
        _warn(report, path, found, f"a checkpoint of {model.name}, or none")
    elif path.exists() and model.manifest.status == "finished":
        found = f"a checkpoint of {model.name}, which is finished"
        _warn(report, path, found, "none", "Delete the file: nothing reads it.")
    elif has_checkpoint(model) and not is_being_trained(model):
        try:
            read_state(path)
        except FileError as problem:
            _warn(report, path, problem.found, problem.expected, problem.hint)


def _check_parts(model: Model, report: Report, hint: str) -> None:
    """Report models that another one is made of, and that cannot be used."""
    usable = {part.name for part in model.store.finished()}
    for name in model.manifest.parts:
        if name not in usable:
            path = model.folder.with_name(name)
            found = "not finished" if path.is_dir() else "missing"
            _warn(report, path, found, f"a model that {model.name} is made of", hint)


def _is_sound(path: Path) -> bool:
    """Whether a file can be opened as what its ending says; arrays are not read."""
    try:
        if path.suffix in (".npz", ".keras"):
            return zipfile.is_zipfile(path)
        if path.suffix == ".npy":
            with open_regular(path) as file:
                return read_header(path, file).size <= path.stat().st_size
        text = read_text(path)
        if path.suffix == ".tsv":
            return text.startswith("model\t")
        document = parse_toml(text) if path.suffix == ".toml" else json.loads(text)
        return isinstance(document, dict) and bool(document)
    except (OSError, ValueError, RecursionError, TartarusError):
        return False


def _check_predictions(folder: Path, report: Report) -> None:
    """Check that each file of predictions has the ids of its rows."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        match = re.fullmatch(r"(factors|neighbours)_(.+)\.np[yz]", path.name)
        if not match or path.name.startswith("."):
            continue
        ids = folder / f"index_factors_{match[2]}.tsv"
        if match[2].endswith(("_patches", "_new")):
            ids = folder / f"index_{path.stem}.tsv"
        hint = "Predict again: to evaluate them, or to export them, would go wrong."
        found = describe_irregular(path)
        if found:
            _warn(report, path, found, "a file of predictions")
        elif describe_irregular(ids) or not ids.exists():
            _warn(report, ids, describe_irregular(ids) or "missing", f"ids of {path.name}", hint)
        elif path.suffix == ".npz" and not _is_sound(path):
            _warn(report, path, "damaged", "predictions", hint)
        else:
            _check_rows(path, ids, hint, report)


def _check_rows(path: Path, ids: Path, hint: str, report: Report) -> None:
    try:
        count = len(read_lines(ids))
        rows = _count_rows(path)
    except FileError as problem:
        _warn(report, problem.path, problem.found, problem.expected, hint)
        return
    except (OSError, TartarusError) as problem:
        _warn(report, path, str(problem), "predictions", hint)
        return
    if rows != count:
        _warn(report, path, f"{rows:,} rows", f"{count:,}, one for each line of {ids.name}", hint)


def _count_rows(path: Path) -> int:
    """Return the rows of predictions, of which no more than that is read.

    Raises
    ------
    FileError
        If the file is damaged or cut short.
    """
    if path.suffix == ".npz":
        (shape,) = read_arrays(path, ("shape",))
        return int(shape[0])
    with open_regular(path) as file:
        header = read_header(path, file)
    size, expected = path.stat().st_size, header.size
    if size < expected:
        hint = "Predict again."
        raise FileError(path, found="cut short", expected=f"{expected:,} bytes", hint=hint)
    return header.shape[0] if header.shape else 0


def _check_results(folder: Path, report: Report) -> None:
    """Check that results can be read."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix not in (".json", ".npz", ".tsv"):
            continue
        found = describe_irregular(path) or ("" if _is_sound(path) else "damaged")
        if found:
            ablated = path.stem.endswith("_ablation")
            remedy = "Delete it, and run the ablation again." if ablated else "Evaluate again."
            _warn(report, path, found, "results", remedy)
