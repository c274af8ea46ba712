"""Check the files of a workspace and how they fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from tartarus_cli.checking.items import check_lists, check_overlap
from tartarus_cli.checking.manifests import PresentMatrices, check_manifests
from tartarus_cli.checking.matrices import (
    CheckedMatrix,
    check_labels,
    check_matrix,
    check_one_hot,
    check_users,
    check_widths,
)
from tartarus_cli.checking.patches import PatchKind, check_patches, check_scaler
from tartarus_cli.checking.presence import check_names, check_presence, check_unknown
from tartarus_cli.checking.report import DataProblem, Report
from tartarus_cli.checking.truth import LISTENING, check_listening
from tartarus_cli.checking.vocabulary import check_vocabulary
from tartarus_cli.data.dataset import Dataset, unknown_dataset_error
from tartarus_cli.data.patches import RECREATE_PATCHES
from tartarus_cli.errors import DataError, TartarusError, call, display_path
from tartarus_cli.experiments.code import CodeNotRunError
from tartarus_cli.experiments.inputs import infer_dimensions
from tartarus_cli.experiments.requirements import (
    MissingInput,
    check_request,
    missing_inputs,
    required_files,
)
from tartarus_cli.experiments.resolve import experiment_names, preset_paths, resolve
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import SPLITS, DataFile, Kind
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.preprocessing import check_scaler_fits, read_patch_recipe
from tartarus_cli.progress import UNWATCHED, Progress, ProgressTask

MATRICES = (Kind.FEATURES, Kind.TARGETS, Kind.USER_FACTORS, Kind.CLASS_FACTORS, Kind.WORD_VECTORS)


@dataclass(frozen=True)
class SettingSummary:
    """One feature setting."""

    width: int
    density: float  # 1 for a dense one
    sparse: bool


@dataclass(frozen=True)
class PatchSummary:
    """Patches of one kind."""

    frames: int
    bins: int
    transform: str


@dataclass
class DatasetSummary:
    """What a dataset holds, and what can be done with it."""

    items: dict[str, int] = field(default_factory=dict)
    users: int | None = None
    classes: int | None = None
    density: float | None = None  # of the truth
    settings: dict[str, SettingSummary] = field(default_factory=dict)
    patches: dict[str, PatchSummary] = field(
        default_factory=dict
    )  # "1 × 15 s" → what they are like
    ready: dict[str, int] = field(default_factory=dict)  # experiment → settings to name
    waiting: dict[str, list[str]] = field(default_factory=dict)  # experiment → what it lacks
    borrowed: list[str] = field(default_factory=list)  # those of other datasets: with --dataset


@dataclass(frozen=True)
class CheckResult:
    """All that was found."""

    datasets: dict[str, DatasetSummary]
    problems: list[DataProblem]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings may be."""
        return not any(problem.severity == "error" for problem in self.problems)


def check_data(
    workspace: WorkspacePaths, dataset: str | None = None, *, progress: Progress = UNWATCHED
) -> CheckResult:
    """Check every file of a dataset, or of all, and report every problem.

    Raises
    ------
    RequestError
        If there is no such dataset.
    """
    files = workspace.scan()
    known = files.datasets()
    if dataset is not None and dataset not in known:
        raise unknown_dataset_error(Dataset(files, dataset), known)
    datasets = [Dataset(files, name) for name in (known if dataset is None else [dataset])]
    experiments = _all_experiments(workspace, progress)
    summaries, problems = {}, []
    with progress.task("checking", _size(f for one in datasets for f in one.own_files)) as task:
        for one in datasets:
            report = Report(workspace, one.name)
            summaries[one.name] = _check_dataset(one, experiments, report, task)
            problems += report.problems
    if dataset is None:
        report = Report(workspace, "")
        orphans = [p for p in files.unknown if not any(_is_of(p, name) for name in known)]
        check_unknown(orphans, report)
        problems += report.problems
    return CheckResult(summaries, problems)


def _check_dataset(
    dataset: Dataset, experiments: Sequence[Experiment], report: Report, task: ProgressTask
) -> DatasetSummary:
    matching = [experiment for experiment in experiments if experiment.dataset.name == dataset.name]
    single = {experiment.dataset.task for experiment in matching} == {"multiclass"}
    facts = _check_files(dataset, dataset.own_files, report, task)
    check_one_hot(facts.checked, report, required=single)
    check_presence(dataset, report)
    check_unknown([p for p in dataset.files.unknown if _is_of(p, dataset.name)], report)
    summary = _summary(dataset, facts)
    _add_experiments(dataset, matching, summary)
    if not any(experiment.name in preset_paths() for experiment in matching):
        others = [experiment for experiment in experiments if experiment not in matching]
        _add_borrowed(dataset, others, summary)
    return summary


def _is_of(path: Path, dataset: str) -> bool:
    """Whether a file whose name means nothing seems to belong to a dataset."""
    return dataset in path.stem.split("_")


def check_experiment(
    dataset: Dataset,
    experiment: Experiment,
    settings: Sequence[str],
    *,
    evaluated: bool,
    progress: Progress = UNWATCHED,
) -> Experiment:
    """Check the files that one experiment reads, before anything heavy is done.

    Parameters
    ----------
    dataset
        The experiment's, bound to its files.
    experiment, settings
        What is about to run.
    evaluated
        Whether it will be evaluated too, and so needs the truth.
    progress
        Told of each file, and of warnings.

    Returns
    -------
    The experiment, with the sizes that the dataset has.

    Raises
    ------
    RequestError
        If the experiment cannot be applied to these settings.
    DataError
        If a file is missing, damaged or out of step.
    """
    experiment = experiment.with_settings(len(settings))
    check_request(dataset, experiment, settings)
    experiment = infer_dimensions(dataset, experiment, settings, progress)
    if evaluated:
        _raise_lacks(missing_inputs(dataset, experiment, settings), experiment)
    report = Report(dataset.workspace, dataset.name)
    files = required_files(dataset, experiment, settings)
    with progress.task("checking", _size(files)) as task:
        facts = _check_files(dataset, files, report, task)
    if experiment.dataset.task == "multiclass":
        check_one_hot(facts.checked, report, required=True)
    _raise_errors(report, progress)
    return experiment


def _raise_lacks(lacks: Sequence[MissingInput], experiment: Experiment) -> None:
    if lacks:
        first = lacks[0]
        subject = f"{display_path(first.path)} is missing: " if first.path else ""
        msg = f"{subject}{experiment.name} needs {', '.join(lack.what for lack in lacks)}"
        raise DataError(msg, hint=f"To see each file: {call('check', experiment.dataset.name)}")


def _raise_errors(report: Report, progress: Progress) -> None:
    errors = [problem for problem in report.problems if problem.severity == "error"]
    see = call("check", report.dataset)
    if errors:
        first = errors[0]
        msg = f"{first.file}: {first.found}; expected {first.expected}"
        more = f" To see {len(errors) - 1} more: {see}" if len(errors) > 1 else ""
        raise DataError(msg, hint=first.hint + more)
    warnings = sum(problem.severity == "warning" for problem in report.problems)
    if warnings:
        told = f"{warnings} warning{'s' * (warnings > 1)} about the data"
        progress.say(f"{told}; to see {'them' if warnings > 1 else 'it'}: {see}")


@dataclass
class _Facts:
    """What was learnt from the files on the way."""

    sets: dict[str, list[str]]
    checked: list[CheckedMatrix] = field(default_factory=list)
    labels: int | None = None
    truth: csr_array | None = None
    pairs: dict[str, int] = field(default_factory=dict)  # split → plays above 0
    patches: dict[Path, tuple[DataFile, PatchKind]] = field(default_factory=dict)


def _size(files: Iterable[DataFile]) -> int:
    return sum(file.path.stat().st_size for file in files)


def _check_files(
    dataset: Dataset, files: Iterable[DataFile], report: Report, task: ProgressTask
) -> _Facts:
    one_each = check_names(dataset, files, report)
    lists = check_lists(dataset, one_each, report)
    sets = {
        file.split: (file.path, lists[file.path])
        for file in one_each
        if file.kind is Kind.ITEMS and file.path in lists
    }
    check_overlap(sets, report)
    facts = _Facts({split: ids for split, (_, ids) in sets.items()})
    counts = _RowCounts.of(dataset, one_each, lists)
    for file in one_each:
        _check_contents(dataset, file, counts, facts, report, task)
    labels = next((f.path for f in one_each if f.kind is Kind.LABELS and f.path in lists), None)
    facts.labels = len(lists[labels]) if labels else None
    check_labels((labels, lists[labels]) if labels else None, facts.checked, report)
    check_widths([c for c in facts.checked if c.file.kind is Kind.FEATURES], report)
    _check_scalers(one_each, facts, report)
    for file in one_each:
        if file.kind is Kind.VOCABULARY:
            check_vocabulary(file, facts.checked, report)
    if dataset.is_recommendation:
        check_users(facts.checked, report)
    for file in one_each:
        if file.kind in LISTENING:
            matrix = check_listening(
                dataset, file, counts.rows(file), counts.users(facts.checked), report
            )
            facts.truth = matrix if file.kind is Kind.TEST_MATRIX else facts.truth
            if matrix is not None:
                facts.pairs[LISTENING[file.kind]] = int(np.count_nonzero(matrix.data > 0))
    users, classes = counts.users(facts.checked), facts.labels or counts.classes
    present = PresentMatrices(dataset, facts.sets, users, classes, facts.pairs, facts.checked)
    check_manifests(one_each, present, report)
    return facts


def _check_contents(
    dataset: Dataset,
    file: DataFile,
    counts: _RowCounts,
    facts: _Facts,
    report: Report,
    task: ProgressTask,
) -> None:
    """Check a file whose size may be large."""
    size = file.path.stat().st_size
    task.describe(f"checking {file.path.name}")
    if file.kind in MATRICES:
        seen = partial(_advance, task, size)
        checked = check_matrix(dataset, file, counts.rows(file), report, seen)
        facts.checked += [] if checked is None else [checked]
    elif file.kind is Kind.PATCHES:
        ids = facts.sets.get(file.split)
        kind = check_patches(file, ids, report, partial(_advance, task, size))
        if kind is not None:
            facts.patches[file.path] = file, kind
    elif file.kind is Kind.SCALER:
        check_scaler(file, report)
    else:
        task.advance(size)


def _check_scalers(files: Iterable[DataFile], facts: _Facts, report: Report) -> None:
    """Check that patches of one kind were made together, and with the scaler beside them."""
    made = dict[tuple[str, str], tuple[DataFile, PatchKind]]()
    for file, kind in facts.patches.values():
        name = file.fields["count"], file.fields["seconds"]
        first = made.setdefault(name, (file, kind))[1]
        if kind.made_as != first.made_as:
            report.error(
                file.path,
                f"patches that were not made together with {made[name][0].path.name}",
                expected="the same transform, scaler and seed",
                hint=RECREATE_PATCHES,
            )
    for file in files:
        found = made.get((file.fields.get("count", ""), file.fields.get("seconds", "")))
        recipe = read_patch_recipe(found[1].attributes) if found else None
        if file.kind is Kind.SCALER and found and recipe:
            with report.catching():
                check_scaler_fits(file.path, recipe, found[1].attributes)


def _advance(task: ProgressTask, size: int, share: float) -> None:
    task.advance(round(size * share))


@dataclass
class _RowCounts:
    """How many rows each matrix should have."""

    dataset: Dataset
    items: dict[str, int]
    named_users: int | None
    classes: int | None

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        files: Sequence[DataFile],
        lists: Mapping[Path, Sequence[str]],
    ) -> _RowCounts:
        lines = {(f.kind, f.split): len(lists[f.path]) for f in files if f.path in lists}
        items = {split: n for (kind, split), n in lines.items() if kind is Kind.ITEMS}
        users, labels = lines.get((Kind.USERS, "")), lines.get((Kind.LABELS, ""))
        classes = dataset.select(Kind.TARGETS, fact="class")
        dims = {file.dim for file in classes}
        return cls(dataset, items, users, labels or (dims.pop() if len(dims) == 1 else None))

    def rows(self, file: DataFile) -> int | None:
        if file.kind in (Kind.FEATURES, Kind.TARGETS):
            return self.items.get(file.split)
        if file.kind is Kind.CLASS_FACTORS:
            return self.classes
        if file.kind is Kind.USER_FACTORS:
            return self.named_users if self.dataset.is_recommendation else self.classes
        return self.items.get(LISTENING.get(file.kind, ""))

    def users(self, checked: Sequence[CheckedMatrix]) -> int | None:
        rows = [c.matrix.shape[0] for c in checked if c.file.kind is Kind.USER_FACTORS]
        return self.named_users or (rows[0] if rows else None)


def _summary(dataset: Dataset, facts: _Facts) -> DatasetSummary:
    summary = DatasetSummary({s: len(facts.sets[s]) for s in SPLITS if s in facts.sets})
    for file, found in facts.patches.values():
        name = f"{file.fields['count']} × {file.fields['seconds']} s"
        summary.patches[name] = PatchSummary(found.frames, found.bins, found.transform)
    for each in facts.checked:
        kind, shape = each.file.kind, each.matrix.shape
        if kind is Kind.FEATURES and each.file.split == "train":
            setting = SettingSummary(shape[1], each.matrix.density, each.matrix.sparse)
            summary.settings[each.file.fields["setting"]] = setting
        if kind is Kind.USER_FACTORS and dataset.is_recommendation:
            summary.users = shape[0]
        is_classes = kind is Kind.TARGETS and each.file.fields["fact"] == "class"
        if is_classes and shape[1] in (facts.labels, summary.classes or shape[1]):
            summary.classes = shape[1]
    if facts.truth is not None:
        cells = np.prod(facts.truth.shape, dtype=float)
        summary.users = int(facts.truth.shape[1])
        summary.density = float((facts.truth.data > 0).sum() / cells) if cells else 0.0
    return summary


def _add_experiments(
    dataset: Dataset, experiments: Iterable[Experiment], summary: DatasetSummary
) -> None:
    for experiment in experiments:
        try:
            lacks = [lack.what for lack in missing_inputs(dataset, experiment)]
        except TartarusError as problem:
            lacks = [f"files that agree ({problem})"]
        if lacks:
            summary.waiting[experiment.name] = lacks
        else:
            summary.ready[experiment.name] = experiment.settings_needed


def _add_borrowed(
    dataset: Dataset, experiments: Iterable[Experiment], summary: DatasetSummary
) -> None:
    """Find what can be run on a dataset that no experiment names: those of other datasets."""
    waiting, copies = dict(summary.waiting), []
    for experiment in experiments:
        section = experiment.dataset.model_copy(update={"name": dataset.name})
        copies.append(experiment.model_copy(update={"dataset": section}))
    _add_experiments(dataset, copies, summary)
    summary.waiting = waiting
    summary.borrowed = [copy.name for copy in copies if copy.name in summary.ready]


def _all_experiments(workspace: WorkspacePaths, progress: Progress) -> list[Experiment]:
    """Every network that can be read; `list_experiments()` tells of the others, and of baselines.

    Those whose code was not run are not looked at, and that is reported: a check runs no code.
    """
    own = workspace.experiments
    found = []
    for name in experiment_names(own):
        try:
            found.append(resolve(name, own=own))
        except CodeNotRunError as problem:
            progress.say(f"{problem}; it is not looked at")
        except TartarusError:
            continue
    return [each for each in found if each.baseline is None]
