"""Check the files of a workspace and how they fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tartarus_cli.checking.artists import check_artists
from tartarus_cli.checking.defaults import check_defaults
from tartarus_cli.checking.experiments import check_experiments
from tartarus_cli.checking.folds import check_folds
from tartarus_cli.checking.groups import check_groups
from tartarus_cli.checking.irregular import check_folders, check_irregular
from tartarus_cli.checking.items import check_lists, check_overlap
from tartarus_cli.checking.leftovers import check_leftovers
from tartarus_cli.checking.listed_files import check_file_lists
from tartarus_cli.checking.manifests import PresentMatrices, check_manifests
from tartarus_cli.checking.masks import check_masks
from tartarus_cli.checking.matrices import (
    CheckedMatrix,
    check_labels,
    check_matrix,
    check_one_hot,
    check_users,
    check_widths,
)
from tartarus_cli.checking.model_folders import check_models
from tartarus_cli.checking.patches import check_patch_kinds, check_patches, check_scaler
from tartarus_cli.checking.presence import check_names, check_presence, check_unknown
from tartarus_cli.checking.report import DataProblem, Report
from tartarus_cli.checking.summary import (
    DatasetContents,
    DatasetSummary,
    add_borrowed_experiments,
    add_experiments,
    find_tasks,
    summarize_contents,
)
from tartarus_cli.checking.truth import LISTENING, check_listening
from tartarus_cli.checking.vocabulary import check_vocabulary, check_words
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.unknown import unknown_dataset_error
from tartarus_cli.errors import DataError, call, count_noun, display_path
from tartarus_cli.experiments.inputs import infer_dimensions
from tartarus_cli.experiments.requirements import (
    MissingInput,
    check_request,
    missing_inputs,
    required_files,
)
from tartarus_cli.experiments.resolve import preset_paths
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import DataFile, Kind
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress, ProgressTask

MATRICES = (Kind.FEATURES, Kind.TARGETS, Kind.USER_FACTORS, Kind.CLASS_FACTORS, Kind.WORD_VECTORS)


@dataclass(frozen=True)
class CheckResult:
    """What datasets hold, and every problem of their files."""

    datasets: dict[str, DatasetSummary]
    """Name of the dataset → its summary."""
    problems: list[DataProblem]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings may be."""
        return not any(problem.severity == "error" for problem in self.problems)


def check_data(
    workspace: WorkspacePaths, dataset: str | None = None, *, progress: Progress = UNWATCHED
) -> CheckResult:
    """Check every file of a dataset, or of all, and report every problem.

    Parameters
    ----------
    workspace
        The workspace whose files are checked.
    dataset
        Name of the dataset to check, or that which folds have in common; None: all of them, and
        files that belong to none.
    progress
        Shows the file that is being checked.

    Raises
    ------
    RequestError
        If there is no such dataset.
    """
    files = workspace.scan()
    known = files.datasets()
    if dataset is not None and dataset not in {*known, *files.folded()}:
        raise unknown_dataset_error(dataset, files.workspace, files.names())
    general = Report(workspace, "")
    folds = {n: check_folds(files, n, general) for n in files.folded() if dataset in (None, n)}
    names = known if dataset is None else folds.get(dataset, [dataset])
    datasets = [Dataset(files, name) for name in names]
    check_defaults(workspace, [*known, *files.folded()], general)
    experiments = check_experiments(workspace, known, general, progress)
    summaries, problems = {}, []
    size = sum(_total_size(data.own_files) for data in datasets)
    with progress.task("checking", size) as task:
        for data in datasets:
            report = Report(workspace, data.name)
            summaries[data.name] = _check_dataset(data, experiments, report, task)
            problems += report.problems
    if dataset is None:
        orphans = [p for p in files.unknown if not any(_may_belong_to(p, name) for name in known)]
        check_unknown(orphans, general)
        check_irregular([f for f in files.irregular if f.dataset not in known], general)
        check_folders(workspace, general)
        check_leftovers(files, general)
        check_models(workspace, general)
        check_groups(workspace, general)
    return CheckResult(summaries, problems + general.problems)


def _check_dataset(
    dataset: Dataset, experiments: Sequence[Experiment], report: Report, task: ProgressTask
) -> DatasetSummary:
    matching = [experiment for experiment in experiments if experiment.dataset.name == dataset.name]
    single = {experiment.dataset.task for experiment in matching} == {"multiclass"}
    contents = _check_files(dataset, dataset.own_files, report, task)
    check_one_hot(contents.matrices, report, required=single)
    check_irregular([f for f in dataset.files.irregular if f.dataset == dataset.name], report)
    check_file_lists(dataset, dataset.own_files, contents.ids, report)
    check_artists(dataset, dataset.own_files, contents.ids, report)
    check_presence(dataset, report)
    check_unknown([p for p in dataset.files.unknown if _may_belong_to(p, dataset.name)], report)
    summary = summarize_contents(dataset, contents)
    add_experiments(dataset, matching, summary)
    tasks = find_tasks(dataset, contents.matrices)
    if not any(experiment.name in preset_paths() for experiment in matching):
        others = [e for e in experiments if e not in matching and e.dataset.task in tasks]
        add_borrowed_experiments(dataset, others, summary)
    return summary


def _may_belong_to(path: Path, dataset: str) -> bool:
    """Whether a file whose name is unknown seems to belong to a dataset."""
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
        The experiment's dataset.
    experiment
        The experiment that is about to run.
    settings
        Names of the feature settings that it reads.
    evaluated
        Whether it will be evaluated too, and so needs the truth.
    progress
        Shows the file that is being checked, and reports how many warnings there are.

    Returns
    -------
    The experiment, with the sizes that the dataset has.

    Raises
    ------
    RequestError
        If the experiment cannot be applied to these settings.
    DataError
        If a file is missing or damaged, or does not fit the others.
    """
    experiment = experiment.with_settings(len(settings))
    check_request(dataset, experiment, settings)
    experiment = infer_dimensions(dataset, experiment, settings, progress)
    if evaluated:
        _raise_missing(missing_inputs(dataset, experiment, settings), experiment)
    report = Report(dataset.workspace, dataset.name)
    files = required_files(dataset, experiment, settings)
    with progress.task("checking", _total_size(files)) as task:
        contents = _check_files(dataset, files, report, task)
    if experiment.dataset.task == "multiclass":
        check_one_hot(contents.matrices, report, required=True)
    _raise_errors(report, progress)
    return experiment


def _raise_missing(missing: Sequence[MissingInput], experiment: Experiment) -> None:
    if missing:
        first = missing[0]
        subject = f"{display_path(first.path)} is missing: " if first.path else ""
        needs = ", ".join(requirement.description for requirement in missing)
        msg = f"{subject}{experiment.name} needs {needs}"
        raise DataError(msg, hint=f"To see each file: {call('check', experiment.dataset.name)}")


def _raise_errors(report: Report, progress: Progress) -> None:
    errors = [problem for problem in report.problems if problem.severity == "error"]
    check_command = call("check", report.dataset)
    if errors:
        first = errors[0]
        msg = f"{first.file}: {first.found}; expected {first.expected}"
        more = f" To see {len(errors) - 1} more: {check_command}" if len(errors) > 1 else ""
        raise DataError(msg, hint=first.hint + more)
    warnings = sum(problem.severity == "warning" for problem in report.problems)
    if warnings:
        pronoun = "them" if warnings > 1 else "it"
        counted = count_noun(warnings, "warning")
        progress.say(f"{counted} about the data; to see {pronoun}: {check_command}")


def _total_size(files: Iterable[DataFile]) -> int:
    return sum(file.path.stat().st_size for file in files)


def _check_files(
    dataset: Dataset, files: Iterable[DataFile], report: Report, task: ProgressTask
) -> DatasetContents:
    unique_files = check_names(dataset, files, report)
    lists = check_lists(dataset, unique_files, report)
    item_lists = {
        file.split: (file.path, lists[file.path])
        for file in unique_files
        if file.kind is Kind.ITEMS and file.path in lists
    }
    check_overlap(item_lists, report)
    contents = DatasetContents({split: ids for split, (_, ids) in item_lists.items()})
    counts = _RowCounts.of(dataset, unique_files, lists)
    contents.masks = check_masks(dataset, unique_files, counts.items, report)
    for file in unique_files:
        _check_contents(dataset, file, counts, contents, report, task)
    label_paths = (file.path for file in unique_files if file.kind is Kind.LABELS)
    labels = next((path for path in label_paths if path in lists), None)
    contents.labels = len(lists[labels]) if labels else None
    check_labels((labels, lists[labels]) if labels else None, contents.matrices, report)
    check_widths([m for m in contents.matrices if m.file.kind is Kind.FEATURES], report)
    check_patch_kinds(unique_files, contents.patches, report)
    for file in unique_files:
        if file.kind is Kind.VOCABULARY:
            check_vocabulary(file, contents.matrices, report)
    check_words(unique_files, contents.matrices, report)
    if dataset.is_recommendation:
        check_users(contents.matrices, report)
    users = counts.users(contents.matrices)
    _check_listening(dataset, unique_files, counts, contents, report)
    present = PresentMatrices(
        dataset,
        contents.ids,
        users,
        contents.labels or counts.classes,
        contents.pairs,
        contents.matrices,
        contents.masks,
    )
    check_manifests(unique_files, present, report)
    return contents


def _check_listening(
    dataset: Dataset,
    files: Iterable[DataFile],
    counts: _RowCounts,
    contents: DatasetContents,
    report: Report,
) -> None:
    """Check the matrices of plays."""
    users = counts.users(contents.matrices)
    for file in files:
        if file.kind in LISTENING:
            items = counts.rows(file)
            matrix = check_listening(dataset, file, items, users, report)
            if users is None and matrix is not None and matrix.shape[0] == items:
                users = int(matrix.shape[1])  # without factors, of one matrix as of the next
            contents.truth = matrix if file.kind is Kind.TEST_MATRIX else contents.truth
            if matrix is not None:
                contents.pairs[LISTENING[file.kind]] = int(np.count_nonzero(matrix.data > 0))


def _check_contents(
    dataset: Dataset,
    file: DataFile,
    counts: _RowCounts,
    contents: DatasetContents,
    report: Report,
    task: ProgressTask,
) -> None:
    """Check a file whose size may be large."""
    size = file.path.stat().st_size
    task.describe(f"checking {file.path.name}")
    if file.kind in MATRICES:
        advance = partial(_advance, task, size)
        present = contents.masks.get((file.fields.get("setting", ""), file.split))
        checked = check_matrix(dataset, file, counts.rows(file), report, advance, present)
        contents.matrices += [] if checked is None else [checked]
    elif file.kind is Kind.PATCHES:
        ids = contents.ids.get(file.split)
        kind = check_patches(file, ids, report, partial(_advance, task, size))
        if kind is not None:
            contents.patches[file.path] = file, kind
    elif file.kind is Kind.SCALER:
        check_scaler(file, report)
    else:
        task.advance(size)


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

    def users(self, matrices: Sequence[CheckedMatrix]) -> int | None:
        rows = [m.matrix.shape[0] for m in matrices if m.file.kind is Kind.USER_FACTORS]
        return self.named_users or (rows[0] if rows else None)
