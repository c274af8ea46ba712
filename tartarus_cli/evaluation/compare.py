"""Compare what several models score for the same users, or items, and say how sure it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tartarus_cli.data.tasks import Task
from tartarus_cli.errors import (
    DataError,
    FileError,
    Placeholder,
    RequestError,
    call,
    display_path,
    nearest,
    parameter,
)
from tartarus_cli.evaluation.ablation import find_ablation
from tartarus_cli.evaluation.compared_systems import ComparedSystem, find_systems
from tartarus_cli.evaluation.comparison import ComparedModel, Comparison, Unit
from tartarus_cli.evaluation.differences import StoredValues, compute_differences, evaluate_again
from tartarus_cli.evaluation.group_report import spread_of
from tartarus_cli.evaluation.headlines import HEADLINES
from tartarus_cli.evaluation.protocol import ComparisonBasis
from tartarus_cli.evaluation.results import ResultsDocument, read_results
from tartarus_cli.experiments.request import seed_of
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.staleness import changed_since_training
from tartarus_cli.models.store import Model, Store
from tartarus_cli.prediction.aligned import result_name
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.training.reuse import same_parameters
from tartarus_cli.workspace import Workspace

TESTED: dict[Task, tuple[str, ...]] = {
    "recommendation": ("MAP@500", "nDCG@5", "ROC-AUC"),
    "multilabel": ("P@1", "nDCG@5", "LRAP"),
    "multiclass": ("accuracy",),
}
"""The metrics that are tested unless others are named."""

REMEDIES = {
    "ties": f"Evaluate both with the same {parameter('ties')}.",
    "users": "Evaluate both for the same users.",
    "truth": "Evaluate both again.",
    "test items": "Predict and evaluate both again.",
    "thresholds": "Let validation items choose the thresholds of both: "
    f"{call('predict', Placeholder('MODEL'), split='val')}, then evaluate both again.",
}
"""What two evaluations must have in common → what to do where they differ."""


_SEEDS = call("run", Placeholder("EXPERIMENT"), Placeholder("SETTING"), seeds=5)
_ABLATING = call("run", Placeholder("EXPERIMENT"), Placeholder("SETTING"), ablate=True)


@dataclass(frozen=True)
class CompareOptions:
    """How to compare."""

    metrics: tuple[str, ...] = ()
    """The metrics to test; if none, the usual ones of the task."""
    resamples: int = 10_000
    """Bootstrap resamples and random sign flips of each test."""
    seed: int | None = None
    """Of the resamples; None: the seed of the workspace."""


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
        The workspace that holds the results.
    names
        Two or more models, groups, or names of files of predictions; the first is the reference. Or
        one model that has an ablation, whose rows are compared.
    options
        What to test, and how.
    progress
        Reports the resamples, and figures that could not be computed again.

    Raises
    ------
    RequestError
        If they were evaluated on different data, or a metric cannot be tested.
    DataError
        If results are missing, damaged or out of step.
    """
    labels = _ablated(workspace, names, progress)
    models = [*labels] or _require_different(
        [result_name(Path(name)) if name.endswith(".npy") else name for name in names]
    )
    seed = seed_of(workspace, options.seed)
    return compare_results(
        workspace, models, replace(options, seed=seed), labels=labels, progress=progress
    )


def compare_results(
    workspace: WorkspacePaths,
    models: Sequence[str],
    options: CompareOptions,
    *,
    labels: Mapping[str, str],
    progress: Progress,
) -> Comparison:
    """Compare results by their names, all different, as :func:`compare` does.

    Parameters
    ----------
    workspace
        The workspace that holds the results.
    models
        Two or more names of results, or of groups; the first is the reference.
    options
        What to test, and how; the seed is 0 unless there is one.
    labels
        Name → what a table calls it, of those that have such a label.
    progress
        Reports the resamples, and figures that could not be computed again.
    """
    systems = find_systems(workspace, models, progress)
    names = dict.fromkeys(name for system in systems for name in system.results)
    results = {name: read_results(workspace, name) for name in names}
    basis = _common_basis(workspace, results)
    _warn_of_changes(workspace, [*names], progress)
    _warn_of_seeds(workspace, [s.results[0] for s in systems if not s.grouped], progress)
    first = next(iter(results.values()))
    unit: Unit = "users" if first.task == "recommendation" else "items"
    stored = StoredValues(workspace, unit, results)
    tested = _metrics_to_test(stored, first.task, options.metrics)
    seed = options.seed or 0
    differences, resamples = compute_differences(
        *(stored, systems, tested),
        resamples=options.resamples,
        seed=seed,
        progress=progress,
    )
    rows = tuple(
        replace(_compared_system(workspace, system, results), label=labels.get(system.name, ""))
        for system in systems
    )
    return Comparison(
        dataset=first.dataset,
        task=first.task,
        unit=unit,
        rows=rows,
        tested=tested,
        main=tested if options.metrics else _main_metrics(rows[0], first.task, tested),
        differences=tuple(differences),
        resamples=resamples,
        seed=seed,
        basis=basis,
    )


def _ablated(workspace: WorkspacePaths, names: Sequence[str], progress: Progress) -> dict[str, str]:
    """Return the models of an ablation, with their labels; none unless its model alone is named."""
    ablation = find_ablation(workspace, names[0]) if len(names) == 1 else None
    if ablation is None:
        return {}
    labels = {}
    for row in ablation.rows:
        if workspace.results(row.model).is_file():
            labels[row.model] = row.label
        else:
            progress.warn(f"{row.label} is left out: {row.model} has no results any more")
    if len(labels) < 2 or ablation.model not in labels:
        msg = f"of the ablation of {ablation.model}, {len(labels)} of {len(ablation.rows)} rows "
        msg += "have results"
        words = (ablation.experiment, *ablation.settings)
        again = call("run", *words, dataset=ablation.dataset, ablate=True)
        raise DataError(
            msg, hint=f"Run it again, with the same changes, if there were any: {again}"
        )
    return labels


def _require_different(names: Sequence[str]) -> list[str]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or len(names) < 2:
        msg = f"{twice[0]} is named twice" if twice else "a comparison needs two models or more"
        example = call("compare", "model_1", "model_2")
        hint = f"For example: {example}; the first is the reference."
        if not twice:
            hint += f" A model alone is compared with the rows of its ablation: {_ABLATING}"
        raise RequestError(msg, hint=hint)
    return list(names)


def _common_basis(
    workspace: WorkspacePaths, results: Mapping[str, ResultsDocument]
) -> ComparisonBasis:
    """Return what all evaluations have in common, and refuse those that differ in it.

    Where lists were cut may differ: what all have is compared.
    """
    (first, reference), *others = (
        (name, _basis(workspace, name, result)) for name, result in results.items()
    )
    for name, basis in others:
        for key in dict.fromkeys([*reference, *basis]):
            if key == "k":
                reference = reference | {"k": _common_cuts(reference, basis)}
                continue
            one, other = reference.get(key, "unknown"), basis.get(key, "unknown")
            if one != other:
                msg = f"{first} was evaluated on {key} {one}, {name} on {other}"
                hint = "Only what was evaluated on the same data, in the same way, can be compared."
                raise RequestError(msg, hint=f"{hint} {REMEDIES.get(key, '')}".rstrip())
    return reference


def _common_cuts(one: ComparisonBasis, other: ComparisonBasis) -> str:
    """Return the k, as a basis has them, that lists were cut at in both evaluations.

    >>> _common_cuts({"k": "1, 3, 20"}, {"k": "1, 20, 100"})
    '1, 20'
    """
    cuts = str(other.get("k", "")).split(", ")
    return ", ".join(cut for cut in str(one.get("k", "")).split(", ") if cut in cuts)


def _basis(workspace: WorkspacePaths, name: str, result: ResultsDocument) -> ComparisonBasis:
    if result.basis is None:
        raise FileError(
            workspace.results(name),
            found="no 'basis'",
            expected="results that name the data that they were computed on",
            hint=evaluate_again(name),
        )
    return result.basis


def _warn_of_changes(workspace: WorkspacePaths, names: Sequence[str], progress: Progress) -> None:
    """Report models whose factors or train items are not what they were.

    Their figures are those of an evaluation before, on a truth that is the same for all: they can
    be compared, but not computed again.
    """
    for model in Store(workspace).finished():
        if model.name not in names:
            continue
        if model.manifest.accepted_inputs:
            accepted = ", ".join(model.manifest.accepted_inputs)
            progress.warn(f"{model.name} predicted from inputs that are not its own: {accepted}")
        file = changed_since_training(model)
        if file is not None:
            change = f"{display_path(file.path)} has changed since {model.name} was trained"
            progress.warn(f"{change}: its figures are older, and cannot be computed again")


def _warn_of_seeds(workspace: WorkspacePaths, names: Sequence[str], progress: Progress) -> None:
    """Warn of models that are one experiment trained with several seeds."""
    compared = [model for model in Store(workspace).finished() if model.name in names]
    for number, model in enumerate(compared):
        for other in compared[number + 1 :]:
            if _is_same_training(model, other):
                progress.warn(
                    f"{model.name} and {other.name} are one experiment with the seeds "
                    f"{model.manifest.seed} and {other.manifest.seed}: they differ by the noise of "
                    "training, which is not in the intervals; a mark does not mean that one is "
                    f"better. Groups of several seeds have it in theirs: {_SEEDS}"
                )


def _is_same_training(one: Model, other: Model) -> bool:
    """Whether two models are of one experiment and the same settings, with different seeds."""
    first, second = one.manifest, other.manifest
    alike = (first.experiment, first.settings) == (second.experiment, second.settings)
    return alike and first.seed != second.seed and same_parameters(one, other.experiment)


def _metrics_to_test(stored: StoredValues, task: Task, requested: Sequence[str]) -> tuple[str, ...]:
    testable = stored.metrics()
    requested = [metric.replace("*", " (users with relevant items)") for metric in requested]
    for metric in requested:
        if metric not in testable:
            raise _untestable(stored, metric, testable)
    if requested:
        return tuple(dict.fromkeys(requested))
    usual = [m for m in TESTED[task] if m in testable and _has_value(stored, m)]
    if not usual:
        name = next(iter(stored.results))
        msg = f"{display_path(stored.path(name))} has none of {', '.join(TESTED[task])}"
        raise DataError(msg, hint=evaluate_again(name))
    return tuple(usual)


def _has_value(stored: StoredValues, metric: str) -> bool:
    return all(result.metrics.get(metric) is not None for result in stored.results.values())


def _untestable(stored: StoredValues, metric: str, testable: Sequence[str]) -> RequestError:
    having = [name for name, result in stored.results.items() if metric in result.metrics]
    lacking = [name for name in stored.results if name not in having]
    if having and lacking:
        cut = metric.rpartition("@")[2]
        option = {"k": [int(cut)]} if cut.isdigit() else {}
        msg = f"{lacking[0]} was evaluated without {metric}"
        return RequestError(
            msg, hint=f"Evaluate it again: {call('evaluate', lacking[0], **option)}"
        )
    if having:
        msg = f"{metric} cannot be tested: it has no value for each of the {stored.unit}"
        hint = f"Choose among those that have one: {', '.join(testable)}."
        return RequestError(msg, hint=hint)
    return RequestError(f"there is no metric called {metric!r}", hint=nearest(metric, testable))


def _compared_system(
    workspace: WorkspacePaths, system: ComparedSystem, results: Mapping[str, ResultsDocument]
) -> ComparedModel:
    """Return a model, or the means of a group, with the figures that all have."""
    own = [results[name] for name in system.results]
    first = own[0]
    common = set(first.metrics).intersection(*(other.metrics for other in results.values()))
    spreads = {
        metric: spread_of(result.metrics[metric] for result in own)
        for metric in first.metrics
        if metric in common
    }
    try:
        changes = tuple(Store(workspace).find(system.results[0]).manifest.overrides)
    except RequestError:  # a file of predictions, or a model that was deleted
        changes = ()
    return ComparedModel(
        system.name,
        first.experiment,
        tuple(first.settings),
        first.seed,
        {metric: spread.mean if spread.n else None for metric, spread in spreads.items()},
        first.scoring if len({result.scoring for result in own}) == 1 else None,
        changes,
        seeds=system.seeds,
        models=system.results if system.name != system.results[0] else (),
        deviations={
            metric: spread.sd if spread.n > 1 else None for metric, spread in spreads.items()
        }
        if system.grouped
        else {},
    )


def _main_metrics(row: ComparedModel, task: Task, tested: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics for a paper: those tested and the usual ones of the task."""
    chosen = {*tested, *HEADLINES[task]}
    return tuple(metric for metric in row.metrics if metric in chosen)
