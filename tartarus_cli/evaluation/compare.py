"""Compare what several models score for the same users, or items, and say how sure it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, FiniteFloat, ValidationError

from tartarus_cli.data.tasks import Task
from tartarus_cli.errors import DataError, FileError, RequestError, call, display_path, nearest
from tartarus_cli.evaluation.results import read_results, read_unit_values, unit_metric_names
from tartarus_cli.experiments.request import seed_of
from tartarus_cli.metrics.classification import LOWER_IS_BETTER
from tartarus_cli.metrics.significance import (
    affordable_resamples,
    bootstrap_interval,
    holm,
    randomization_test,
)
from tartarus_cli.models.staleness import changed_since_training
from tartarus_cli.models.store import Store
from tartarus_cli.prediction.aligned import result_name
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.progress import ProgressTask as Work
from tartarus_cli.workspace import Workspace

Unit = Literal["users", "items"]
Values = NDArray[np.float64]

TESTED: dict[Task, tuple[str, ...]] = {
    "recommendation": ("MAP@500", "nDCG@5", "ROC-AUC"),
    "multilabel": ("P@1", "nDCG@5", "LRAP"),
    "multiclass": ("accuracy",),
}
MAIN: dict[Task, tuple[str, ...]] = {  # in a paper, beside those tested
    "recommendation": ("MAP@500", "ROC-AUC", "MRR", "P@1", "nDCG@5", "C@5"),
    "multilabel": ("ROC-AUC", "PR-AUC", "P@1", "nDCG@5", "f1_macro", "LRAP"),
    "multiclass": ("accuracy", "ROC-AUC", "f1_macro"),
}
MENDED = {  # what two evaluations must share → what to do where they do not
    "k": "Evaluate both with the same --k.",
    "users": "Evaluate both for the same users.",
    "truth": "Evaluate both again.",
    "test items": "Predict and evaluate both again.",
    "thresholds": "'tartarus predict MODEL --split val' lets validation items choose them.",
}
LOWEST_IS_BEST = (*LOWER_IS_BETTER, "Gini")
DIGITS = 4  # figures that are the same in so many decimals are equally good
LEVEL = 0.95  # of the intervals
ALPHA = 0.05
AGREES = 1e-5  # a mean and the values it was computed from


class _Document(BaseModel):
    """What a comparison reads of the results of a model."""

    experiment: str
    settings: tuple[str, ...]
    dataset: str
    task: Task
    seed: int
    metrics: dict[str, FiniteFloat | None]
    basis: dict[str, str | int]


@dataclass(frozen=True)
class CompareOptions:
    """How to compare."""

    metrics: tuple[str, ...] = ()  # to be tested; the usual ones of the task if none
    resamples: int = 10_000
    seed: int | None = None  # that of the workspace if None


@dataclass(frozen=True)
class Row:
    """The figures of one model."""

    name: str
    experiment: str
    settings: tuple[str, ...]
    seed: int
    metrics: dict[str, float | None]


@dataclass(frozen=True)
class Difference:
    """By how much a model differs from the reference in one metric, and how sure that is."""

    model: str
    metric: str
    n: int  # users or items that have a value
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    significant: bool


@dataclass(frozen=True)
class Comparison:
    """The figures of several models, and the differences of each from the first."""

    dataset: str
    task: Task
    unit: Unit
    rows: tuple[Row, ...]
    tested: tuple[str, ...]
    main: tuple[str, ...]  # for a table in a paper, in the order in which figures are shown
    differences: tuple[Difference, ...]
    resamples: int
    seed: int
    basis: dict[str, str | int]

    @property
    def reference(self) -> str:
        """The model that the others are compared with."""
        return self.rows[0].name

    @property
    def metrics(self) -> list[str]:
        """All metrics that one of the models has, in the order of the first."""
        return list(dict.fromkeys(metric for row in self.rows for metric in row.metrics))

    def best(self) -> dict[str, list[str]]:
        """Return for each metric the models that none is better than, to four decimals."""
        return {metric: _best(self.rows, metric) for metric in self.metrics}

    def document(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        about = {"reference": self.reference, "confidence": LEVEL, "alpha": ALPHA}
        return about | {"correction": "Holm", "best": self.best()} | asdict(self)


def compare(
    workspace: Workspace,
    names: Sequence[str],
    options: CompareOptions,
    *,
    progress: Progress = UNWATCHED,
) -> Comparison:
    """Compare evaluated models, the first with each of the others.

    A user of whom a metric says nothing is left out of that metric's test. Draws depend on the
    seed and the metric alone, so further models or metrics change no p-value but Holm's.

    Parameters
    ----------
    workspace
        Where the results are.
    names
        Two or more models, or names of the results of files.
    options
        What to test, and how.
    progress
        Told of the resamples, and of figures that no evaluation would give any more.

    Raises
    ------
    RequestError
        If they were evaluated on different data, or a metric cannot be tested.
    DataError
        If results are missing, damaged or out of step.
    """
    chosen = _different(
        [result_name(Path(name)) if name.endswith(".npy") else name for name in names]
    )
    documents = {name: _read(workspace, name) for name in chosen}
    _require_one_basis(documents)
    _tell_of_changes(workspace, chosen, progress)
    first = documents[chosen[0]]
    unit: Unit = "users" if first.task == "recommendation" else "items"
    kept = _Kept(workspace, unit, documents)
    tested = _tested(kept, first.task, options.metrics)
    rows = tuple(_row(name, each) for name, each in documents.items())
    seed = seed_of(workspace, options.seed)
    differences, resamples = _differences(kept, chosen, tested, options, seed, progress)
    return Comparison(
        dataset=first.dataset,
        task=first.task,
        unit=unit,
        rows=rows,
        tested=tested,
        main=_main(first, tested, asked=bool(options.metrics)),
        differences=tuple(differences),
        resamples=resamples,
        seed=seed,
        basis=first.basis,
    )


@dataclass(frozen=True)
class _Kept:
    """The values for each user or item that evaluations have left."""

    workspace: Workspace
    unit: Unit
    documents: Mapping[str, _Document]

    def path(self, name: str) -> Path:
        path = self.workspace.unit_values(name, self.unit)
        if not path.is_file():
            msg = f"{display_path(path)} is missing: what {name} scores for each of the {self.unit}"
            raise DataError(msg, hint=_again(name))
        return path

    def metrics(self) -> list[str]:
        """Names of the metrics of which every model has values."""
        first, *others = (set(unit_metric_names(self.path(name))) for name in self.documents)
        common = first.intersection(*others)
        document = next(iter(self.documents.values()))
        return [metric for metric in document.metrics if metric in common]

    def values(self, name: str, metric: str) -> Values:
        """Read one metric's values, and make sure that their mean is the one known."""
        path = self.path(name)
        values = read_unit_values(path, [metric])[metric].astype(np.float64, copy=False)
        known = self.documents[name].metrics.get(metric)
        fits = values.ndim == 1 and not np.isinf(values).any()
        mean = _mean(values) if fits else None
        if not fits or not _agree(mean, known):
            raise FileError(
                path,
                found=f"{metric}: {values.shape} values of mean {mean}",
                expected=f"one for each of the {self.unit}, of mean {known} as in {name}.json",
                hint=_again(name),
            )
        return values


def _mean(values: Values) -> float | None:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else None


def _agree(mean: float | None, known: float | None) -> bool:
    if mean is None or known is None:
        return mean is known
    return abs(mean - known) <= AGREES * max(1, abs(known))


def _different(names: Sequence[str]) -> list[str]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or len(names) < 2:
        msg = f"{twice[0]} is named twice" if twice else "a comparison needs two models or more"
        hint = "For example: tartarus compare model_1 model_2; the first is the reference."
        raise RequestError(msg, hint=hint)
    return list(names)


def _read(workspace: Workspace, name: str) -> _Document:
    document = read_results(workspace, name)
    try:
        return _Document.model_validate(document)
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"]))
        missing = first["type"] == "missing"
        raise FileError(
            workspace.results(name),
            found=f"no {where!r}" if missing else f"{where} that means nothing",
            expected="results that tell what they were computed on",
            hint=_again(name),
        ) from None


def _again(name: str) -> str:
    return f"Evaluate it again: {call('evaluate', name)}"


def _require_one_basis(documents: Mapping[str, _Document]) -> None:
    (first, reference), *others = documents.items()
    for name, document in others:
        for key in dict.fromkeys([*reference.basis, *document.basis]):
            one, other = (each.basis.get(key, "unknown") for each in (reference, document))
            if one != other:
                msg = f"{first} was evaluated on {key} {one}, {name} on {other}"
                hint = "Only what was evaluated on the same data, in the same way, can be compared."
                raise RequestError(msg, hint=f"{hint} {MENDED.get(key, '')}".rstrip())


def _tell_of_changes(workspace: Workspace, names: Sequence[str], progress: Progress) -> None:
    """Tell of models whose factors or train items are not what they were.

    Their figures are those of an evaluation before, on a truth that is the same for all: they can
    be compared, but not computed again.
    """
    for model in Store(workspace).finished():
        file = changed_since_training(model) if model.name in names else None
        if file is not None:
            path = display_path(file.path)
            told = f"{path} has changed since {model.name} was trained: its figures "
            progress.warn(f"{told}are of an evaluation before that, and cannot be computed again")


def _tested(kept: _Kept, task: Task, asked: Sequence[str]) -> tuple[str, ...]:
    testable = kept.metrics()
    asked = [each.replace("*", " (users with relevant items)") for each in asked]
    for metric in asked:
        if metric not in testable:
            raise _untestable(kept, metric, testable)
    if asked:
        return tuple(dict.fromkeys(asked))
    usual = [m for m in TESTED[task] if m in testable and _has_value(kept, m)]
    if not usual:
        name = next(iter(kept.documents))
        msg = f"{display_path(kept.path(name))} has none of {', '.join(TESTED[task])}"
        raise DataError(msg, hint=_again(name))
    return tuple(usual)


def _has_value(kept: _Kept, metric: str) -> bool:
    return all(each.metrics.get(metric) is not None for each in kept.documents.values())


def _untestable(kept: _Kept, metric: str, testable: Sequence[str]) -> RequestError:
    if any(metric in each.metrics for each in kept.documents.values()):
        msg = f"{metric} cannot be tested: it has no value for each of the {kept.unit}"
        return RequestError(msg, hint=f"Those can: {', '.join(testable)}.")
    return RequestError(f"there is no metric called {metric!r}", hint=nearest(metric, testable))


def _row(name: str, document: _Document) -> Row:
    return Row(name, document.experiment, document.settings, document.seed, document.metrics)


def _main(document: _Document, tested: Sequence[str], *, asked: bool) -> tuple[str, ...]:
    """Choose metrics for a paper: those asked for, else those tested and the usual ones."""
    if asked:
        return tuple(tested)
    wanted = {*tested, *MAIN[document.task]}
    return tuple(metric for metric in document.metrics if metric in wanted)


def _best(rows: Sequence[Row], metric: str) -> list[str]:
    there = {row.name: row.metrics.get(metric) for row in rows}
    figures = {name: round(value, DIGITS) for name, value in there.items() if value is not None}
    choose = min if metric.partition("@")[0] in LOWEST_IS_BEST else max
    return [name for name, value in figures.items() if value == choose(figures.values())]


def _differences(
    kept: _Kept,
    names: Sequence[str],
    tested: Sequence[str],
    options: CompareOptions,
    seed: int,
    progress: Progress,
) -> tuple[list[Difference], int]:
    """Test each further model against the first, and correct for the number of tests."""
    reference, *others = names
    count = len(kept.values(reference, tested[0]))
    resamples = affordable_resamples(count, options.resamples)
    if resamples < options.resamples:
        told = f"{count:,} {kept.unit}: {resamples:,} resamples of each test will have to do"
        progress.say(told)
    pairs = [(model, metric) for model in others for metric in tested]
    found = []
    with progress.task("comparing", 2 * count * resamples * len(pairs)) as work:
        for model, metric in pairs:
            work.describe(f"{model}: {metric}")
            values = _paired(kept, reference, model, metric)
            work.advance(2 * (count - len(values)) * resamples)
            found.append(_test(values, model, metric, resamples, seed, work))
    corrected = holm([each.p for each in found])
    return [
        replace(each, p_holm=p, significant=p < ALPHA)
        for each, p in zip(found, corrected, strict=True)
    ], resamples


def _paired(kept: _Kept, reference: str, model: str, metric: str) -> Values:
    """Return the differences of the users, or items, that have a value of both."""
    values, expected = kept.values(model, metric), kept.values(reference, metric)
    if values.shape != expected.shape:
        raise FileError(
            kept.path(model),
            found=f"{len(values):,} {kept.unit}",
            expected=f"{len(expected):,}, as for {reference}",
            hint=_again(model),
        )
    differences = values - expected
    differences = differences[~np.isnan(differences)]
    if not differences.size:
        msg = f"{metric} cannot be tested: none of the {kept.unit} has a value"
        raise RequestError(msg, hint="Leave it out.")
    return differences


def _test(
    differences: Values, model: str, metric: str, resamples: int, seed: int, work: Work
) -> Difference:
    def draw() -> np.random.Generator:
        return np.random.default_rng((seed, crc32(metric.encode())))

    low, high = bootstrap_interval(
        differences, draw(), resamples=resamples, level=LEVEL, advance=work.advance
    )
    p = randomization_test(differences, draw(), resamples=resamples, advance=work.advance)
    mean = float(differences.mean())
    return Difference(model, metric, len(differences), mean, low, high, p, p, p < ALPHA)
