"""The results of all models: a document each, and one table of them all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tartarus_cli.data.arrays import array_names, read_arrays, save_arrays
from tartarus_cli.errors import RequestError, display_path, nearest
from tartarus_cli.files import write_text
from tartarus_cli.layout import WorkspacePaths

ABOUT = ("experiment", "settings", "dataset", "task", "seed")  # columns before the metrics


def write_results(workspace: WorkspacePaths, name: str, document: dict[str, Any]) -> None:
    """Keep the figures of a model, or of a file of predictions, and make the table anew."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    write_text(workspace.results(name), text + "\n")
    write_results_table(workspace)


def read_results(workspace: WorkspacePaths, name: str) -> dict[str, Any]:
    """Return the kept figures of a model, or of a file of predictions.

    Raises
    ------
    RequestError
        If there are none.
    """
    path = workspace.results(name)
    document = _read(path)
    if document is None:
        msg = f"{name} has no results: {display_path(path)} is missing or damaged"
        known = sorted((each.stem for each in path.parent.glob("*.json")), key=_by_number)
        trained = (workspace.models / name).is_dir()
        hint = f"Run 'tartarus evaluate {name}'." if trained else nearest(name, known)
        raise RequestError(msg, hint=hint)
    return document


def write_unit_values(path: Path, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Keep values by user or by item under names."""
    save_arrays(path, arrays)


def read_unit_values(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read some of the values that :func:`write_unit_values` kept.

    Raises
    ------
    FileError
        If the file is missing or damaged, or has no such values.
    """
    return dict(zip(names, read_arrays(path, tuple(names)), strict=True))


def unit_metric_names(path: Path) -> list[str]:
    """List what :func:`write_unit_values` kept, metrics and others.

    Raises
    ------
    FileError
        If the file is missing or damaged.
    """
    return array_names(path)


def write_results_table(workspace: WorkspacePaths) -> None:
    """Write one line a model, made anew from all the documents that can be read."""
    paths = workspace.results_table.parent.glob("*.json")
    documents = {path.stem: document for path in paths if (document := _read(path)) is not None}
    metrics = list(dict.fromkeys(name for each in documents.values() for name in each["metrics"]))
    text = io.StringIO()
    writer = csv.writer(text, "excel-tab", lineterminator="\n")
    writer.writerow(["model", *ABOUT, *metrics])
    for name in sorted(documents, key=_by_number):
        each = documents[name]
        about = [" ".join(each[key]) if key == "settings" else each[key] for key in ABOUT]
        writer.writerow([name, *about, *(each["metrics"].get(metric) for metric in metrics)])
    write_text(workspace.results_table, text.getvalue())


def _read(path: Path) -> dict[str, Any] | None:
    """Read a document of results; None if it is none, or has just been deleted."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    fits = isinstance(document, dict) and {*ABOUT, "metrics"} <= document.keys()
    if not fits or not isinstance(document["metrics"], dict):
        return None
    settings = document["settings"]
    named = isinstance(settings, list) and all(isinstance(each, str) for each in settings)
    return document if named else None


def _by_number(name: str) -> tuple[str, int]:
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdigit() else (name, 0)
