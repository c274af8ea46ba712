"""What a dataset holds and what can be run on it, from the contents of its checked files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from tartarus_cli.architectures.audio import AudioCnnOptions, check_fit, window_steps
from tartarus_cli.baselines.blend import BlendOptions
from tartarus_cli.checking.masks import Masks
from tartarus_cli.checking.matrices import CheckedMatrix, is_classes
from tartarus_cli.checking.patches import PatchKind
from tartarus_cli.data.crops import crop_frames
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.items import infer_patches
from tartarus_cli.data.tasks import Task
from tartarus_cli.errors import RequestError, TartarusError
from tartarus_cli.experiments.inputs import patch_source
from tartarus_cli.experiments.requirements import missing_inputs
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import SPLITS, DataFile, Kind


@dataclass(frozen=True)
class SettingSummary:
    """One feature setting."""

    width: int
    """Columns of its matrices."""
    density: float
    """Share of values other than zero in the train matrix; 1 for a dense one."""
    sparse: bool
    absent: dict[str, int] = field(default_factory=dict)
    """Split → number of items that lack it; empty if all have it."""


@dataclass(frozen=True)
class PatchSummary:
    """Patches of one kind."""

    frames: int
    bins: int
    transform: str
    """Name of the transform; empty if the files do not say."""


@dataclass
class DatasetSummary:
    """What a dataset holds, and what can be done with it."""

    items: dict[str, int] = field(default_factory=dict)
    """Split → number of items."""
    users: int | None = None
    classes: int | None = None
    density: float | None = None
    """Share of the truth's entries above 0, for a recommendation."""
    settings: dict[str, SettingSummary] = field(default_factory=dict)
    """Name of the setting → its form."""
    patches: dict[str, PatchSummary] = field(default_factory=dict)
    """Kind of patches, such as ``1 × 15 s`` → their shape and transform."""
    ready: dict[str, int] = field(default_factory=dict)
    """Experiment that can be run → number of settings that it takes."""
    waiting: dict[str, list[str]] = field(default_factory=dict)
    """Experiment that cannot be run yet → the inputs that are missing."""
    borrowed: list[str] = field(default_factory=list)
    """Experiments of other datasets that can be run on this one, if it is named."""


@dataclass
class DatasetContents:
    """Contents of a dataset's files, as far as they could be read."""

    ids: dict[str, list[str]]
    """Split → ids of its items."""
    matrices: list[CheckedMatrix] = field(default_factory=list)
    masks: Masks = field(default_factory=dict)
    labels: int | None = None
    """Number of class names in their list."""
    truth: csr_array | None = None
    """Plays of the test items, ``(items, users)``."""
    pairs: dict[str, int] = field(default_factory=dict)
    """Split → number of plays above 0."""
    patches: dict[Path, tuple[DataFile, PatchKind]] = field(default_factory=dict)


def summarize_contents(dataset: Dataset, contents: DatasetContents) -> DatasetSummary:
    """Summarize the contents of a dataset; experiments are added apart."""
    ids = contents.ids
    summary = DatasetSummary({split: len(ids[split]) for split in SPLITS if split in ids})
    for file, kind in contents.patches.values():
        name = _write_patches(*(file.fields[field] for field in ("count", "seconds", "name")))
        summary.patches[name] = PatchSummary(kind.frames, kind.bins, kind.transform)
    for checked in contents.matrices:
        _add_matrix(dataset, checked, contents.labels, summary)
    for (setting, split), present in sorted(contents.masks.items(), key=_by_split):
        if setting in summary.settings and not present.all():
            summary.settings[setting].absent[split] = int((~present).sum())
    truth = contents.truth
    if truth is not None:
        cells = np.prod(truth.shape, dtype=float)
        summary.users = int(truth.shape[1])
        summary.density = float((truth.data > 0).sum() / cells) if cells else 0.0
    return summary


def _by_split(mask: tuple[tuple[str, str], object]) -> int:
    return SPLITS.index(mask[0][1])


def _add_matrix(
    dataset: Dataset, checked: CheckedMatrix, labels: int | None, summary: DatasetSummary
) -> None:
    file, matrix = checked.file, checked.matrix
    rows, width = matrix.shape
    if file.kind is Kind.FEATURES and file.split == "train":
        setting = SettingSummary(width, matrix.density, matrix.sparse)
        summary.settings[file.fields["setting"]] = setting
    if file.kind is Kind.USER_FACTORS and dataset.is_recommendation:
        summary.users = rows
    is_classes = file.kind is Kind.TARGETS and file.fields["fact"] == "class"
    if is_classes and width in (labels, summary.classes or width):
        summary.classes = width


def find_tasks(dataset: Dataset, matrices: Iterable[CheckedMatrix]) -> set[Task]:
    """Return the tasks that the files of a dataset are for.

    Classes are for a multiclass task if each item of each set has exactly one, and else for a
    multilabel one.
    """
    tasks: set[Task] = {"recommendation"} if dataset.is_recommendation else set()
    if dataset.is_classification:
        classes = [m.statistics for m in matrices if is_classes(m.file, m.statistics)]
        one_each = bool(classes) and all(statistics.one_hot for statistics in classes)
        tasks.add("multiclass" if one_each else "multilabel")
    return tasks


def add_experiments(
    dataset: Dataset, experiments: Iterable[Experiment], summary: DatasetSummary
) -> None:
    """Add which experiments of the dataset can be run, and what the others still need."""
    for each in experiments:
        experiment = _with_settings(each)
        try:
            missing = [
                requirement.description for requirement in missing_inputs(dataset, experiment)
            ]
            missing += [] if missing else _find_misfits(dataset, experiment, summary)
        except TartarusError as problem:
            missing = [f"files that agree ({problem})"]
        if missing:
            summary.waiting[experiment.name] = missing
        else:
            summary.ready[experiment.name] = experiment.settings_needed


def _with_settings(experiment: Experiment) -> Experiment:
    """Let a blend read as many settings as it takes at least: two if it has a part for each."""
    options = experiment.network
    if not isinstance(options, BlendOptions):
        return experiment
    return experiment.with_settings(2 if options.of_one_setting else 1)


def _find_misfits(dataset: Dataset, experiment: Experiment, summary: DatasetSummary) -> list[str]:
    """Return what a convolutional network would need, if the patches are too small for it."""
    options = experiment.network
    if experiment.patches is None or type(options) is not AudioCnnOptions:
        return []
    source = infer_patches(dataset, patch_source(experiment))
    patches = summary.patches.get(_write_patches(**source.fields))
    if patches is None:
        return []
    try:
        frames = crop_frames(patches.frames, source.seconds, experiment.fitting.crops)
        check_fit((frames, patches.bins, 1), window_steps(options))
    except RequestError as problem:
        return [f"larger patches ({problem})"]
    return []


def _write_patches(count: str, seconds: str, name: str) -> str:
    return f"{count} × {seconds} s" + (f" ({name[1:]})" if name else "")


def add_borrowed_experiments(
    dataset: Dataset, experiments: Iterable[Experiment], summary: DatasetSummary
) -> None:
    """Add which experiments of other datasets can be run on one that no experiment names."""
    waiting, copies = dict(summary.waiting), []
    for experiment in experiments:
        section = experiment.dataset.model_copy(update={"name": dataset.name})
        copies.append(experiment.model_copy(update={"dataset": section}))
    add_experiments(dataset, copies, summary)
    summary.waiting = waiting
    summary.borrowed = [copy.name for copy in copies if copy.name in summary.ready]
