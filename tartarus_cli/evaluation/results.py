"""The results of all models: a document for each, and one table of them all."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from numpy.typing import NDArray
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    ValidationInfo,
)

from tartarus_cli.data.array_writing import put_arrays, save_arrays
from tartarus_cli.data.arrays import array_names, read_arrays
from tartarus_cli.data.tasks import Scoring, Task
from tartarus_cli.errors import FileError, RequestError, call, display_path, nearest
from tartarus_cli.evaluation.protocol import ComparisonBasis
from tartarus_cli.files import (
    locked_folder,
    put_text,
    read_bytes,
    write_text,
    write_together,
)
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.metrics.classification import ClassReport

IDENTITY = ("experiment", "settings", "dataset", "task", "seed")
"""Columns of the table before the metrics."""

KEY_TASKS: dict[str, Task] = {"confusion_picture": "multiclass", "thresholds": "multilabel"}
"""Key of a document → the one task that has it."""

CLASS_KEYS = ("classes", "confusion", "pictures", *KEY_TASKS)
"""Keys of a document that a recommendation does not have."""


def _without_nan(value: Any, info: ValidationInfo) -> Any:
    """Turn NaN into None; in a file it is refused."""
    is_nan = info.mode == "python" and isinstance(value, float) and math.isnan(value)
    return None if is_nan else value


MetricValue = Annotated[FiniteFloat | None, BeforeValidator(_without_nan)]
"""A figure in JSON, which knows no NaN: what has no value is null."""

MetricTable = dict[str, dict[str, MetricValue]]
"""System → metric → value."""


class ThresholdsDocument(BaseModel):
    """From which score on each class is predicted."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    source: Literal["val"] | None = Field(
        validation_alias=AliasChoices("from", "source"), serialization_alias="from"
    )
    """The set whose items chose the thresholds; null: all are 0.5."""
    by_class: dict[str, float]
    """Class → threshold."""


class ResultsDocument(BaseModel):
    """What ``data/results/NAME.json`` holds and ``evaluate`` prints as JSON.

    Results that an earlier version wrote may lack what has a default here.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    model: str | None = None
    """The model that predicted; null for predictions made elsewhere."""
    experiment: str
    settings: list[str]
    dataset: str
    task: Task
    scoring: Scoring | None = None
    """How predicted factors rank for users; null where no factors do, or in old results."""
    seed: int
    """Of the training."""
    random_seed: int = 0
    """Of the random row."""
    items: int = 0
    """Test items."""
    items_without_prediction: int = 0
    users: int | None = None
    """Users ranked for; null for a classification."""
    users_without_relevant: int | None = None
    """Users without relevant items; null for a classification."""
    tied: MetricValue = None
    """Share of the relevant items whose score another item has too; null for a classification."""
    metrics: dict[str, MetricValue]
    rows: MetricTable = {}
    """Figures of random, baselines and oracle."""
    parts: dict[str, float] = {}
    """Model that is blended, or added to → its weight; empty for a model that stands alone."""
    validation_score: MetricValue = None
    """Mean average precision of the validation items, where the model was chosen by it."""
    chosen: dict[str, dict[str, int | float | str]] = {}
    """Baseline → what it chose by how well validation items rank, by name."""
    advice: str = ""
    """Whether the model beats its baselines, and what to try if not; empty without baselines."""
    classes: list[ClassReport] = []
    confusion: list[list[int]] = []
    """``(true classes, predicted classes)``; empty where an item may have several."""
    pictures: list[PurePosixPath] = []
    """Relative to the root of the workspace."""
    gap_closed: MetricTable = {}
    """Share of the way from random to the best possible."""
    basis: ComparisonBasis | None = None
    """What two evaluations must have in common to be compared."""
    protocol: dict[str, str | dict[str, str]] = {}
    """What was done, in words."""
    fingerprint: str = ""
    """Hash of the predictions and of all else that the figures depend on."""
    thresholds: ThresholdsDocument | None = None
    confusion_picture: PurePosixPath | None = None

    def document(self) -> dict[str, Any]:
        """Return the plain values for JSON: what the task has."""
        other_tasks = {key for key, task in KEY_TASKS.items() if task != self.task}
        if self.task == "recommendation":
            other_tasks = {*CLASS_KEYS}
        return self.model_dump(mode="json", by_alias=True, exclude=other_tasks)


@contextmanager
def replace_results(
    workspace: WorkspacePaths, name: str, others: Iterable[Path]
) -> Iterator[Mapping[Path, Path]]:
    """Replace all results of a name, and write the table of all results.

    The document is deleted before the other files and comes after them, so that whoever finds it
    finds the values that belong to it.

    Parameters
    ----------
    workspace
        The workspace that holds the results.
    name
        A model, or a file of predictions.
    others
        Files that are written beside the document.

    Yields
    ------
    Path of each file, the document among them → temporary file to write to.
    """
    document = workspace.results(name)
    paths = [*others, document]
    outdated = [path for path in workspace.results_of(name) if path not in paths]
    with ExitStack() as stack:
        with write_together(paths, outdated=outdated) as temporary:
            yield temporary
            # Until the table is written: else it may lack what another evaluation has added.
            stack.enter_context(locked_folder(document.parent))
        write_results_table(workspace)


def put_results(path: Path, results: ResultsDocument) -> None:
    """Write the document of results into a temporary file."""
    text = json.dumps(results.document(), indent=2, ensure_ascii=False)
    put_text(path, text + "\n")


def read_results(workspace: WorkspacePaths, name: str) -> ResultsDocument:
    """Read the results of a model, or of a file of predictions.

    Raises
    ------
    RequestError
        If there are none: no file, or one that is no document of results.
    FileError
        If one of the values is not what it should be.
    """
    path = workspace.results(name)
    try:
        if path.exists():
            return _read(path)
    except ValidationError as problem:
        first = problem.errors()[0]
        if first["loc"] and first["type"] != "missing":
            raise FileError(
                path,
                found=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
                expected="results as `evaluate()` writes them",
                hint=f"Evaluate again: {call('evaluate', name)}",
            ) from None
    msg = f"{name} has no results: {display_path(path)} is missing or damaged"
    known = sorted((file.stem for file in workspace.documents_of_results()), key=_by_number)
    trained = (workspace.models / name).is_dir()
    hint = f"Evaluate it: {call('evaluate', name)}" if trained else nearest(name, known)
    raise RequestError(msg, hint=hint)


def put_unit_values(path: Path, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write named values, one for each user or item, into a temporary file."""
    put_arrays(path, arrays)


def write_unit_values(path: Path, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write named values, one for each user or item, in one step."""
    save_arrays(path, arrays)


def read_unit_values(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read some of the values that :func:`write_unit_values` wrote.

    Raises
    ------
    FileError
        If the file is missing or damaged, or has no such values.
    """
    return dict(zip(names, read_arrays(path, tuple(names)), strict=True))


def unit_metric_names(path: Path) -> list[str]:
    """List the names that :func:`write_unit_values` wrote, of metrics and of other values.

    Raises
    ------
    FileError
        If the file is missing or damaged.
    """
    return array_names(path)


def write_results_table(workspace: WorkspacePaths) -> None:
    """Write one line for each model, from all the documents that can be read.

    The caller holds the lock of the folder.
    """
    results = {}
    for path in workspace.documents_of_results():
        with suppress(FileError, ValidationError):  # no results
            results[path.stem] = _read(path)
    metrics = list(dict.fromkeys(name for result in results.values() for name in result.metrics))
    text = io.StringIO()
    writer = csv.writer(text, "excel-tab", lineterminator="\n")
    writer.writerow(["model", *IDENTITY, *metrics])
    for name in sorted(results, key=_by_number):
        result = results[name]
        identity = (
            *(result.experiment, " ".join(result.settings), result.dataset),
            *(result.task, result.seed),
        )
        writer.writerow([name, *identity, *(result.metrics.get(metric) for metric in metrics)])
    write_text(workspace.results_table, text.getvalue())


def _read(path: Path) -> ResultsDocument:
    return ResultsDocument.model_validate_json(read_bytes(path))


def _by_number(name: str) -> tuple[str, int]:
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdigit() else (name, 0)
