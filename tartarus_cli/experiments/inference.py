"""What an experiment is for where it leaves that to its dataset: the task, and the targets."""

from __future__ import annotations

from collections.abc import Collection

from tartarus_cli.baselines import BASELINES, Baseline
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.plays import has_plays
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.code import TomlTable
from tartarus_cli.experiments.defaults import default_targets
from tartarus_cli.experiments.resolve import CLASSIFICATION
from tartarus_cli.file_names import Kind

CLASSIFICATION_KEY = f"dataset.task = {CLASSIFICATION}"
"""What such an experiment says, for messages."""

_RECOMMENDING = "Name an experiment that recommends, such as rec_multi or cold_multi"


def infer_task(dataset: Dataset, baseline: Baseline | None) -> TomlTable:
    """Infer the task of a baseline, and its targets, from the files of a dataset.

    A dataset with listeners is for recommendation; one with classes is multiclass where each
    train item has exactly one, and else multilabel.

    Parameters
    ----------
    dataset
        The dataset.
    baseline
        The baseline; None for a network whose task is classification, of whichever kind.

    Raises
    ------
    RequestError
        If the baseline, or a classification, is not for it.
    """
    files = dataset.select(Kind.TARGETS, split="train")
    dims = {file.fields["fact"]: file.dim for file in files}
    if baseline is None:
        return _infer_classes(dataset, {*dims}, dims.get("class"))
    _check_task(dataset, baseline, {*dims})
    kind, task = baseline.kinds[0], baseline.tasks[-1]
    if dataset.is_recommendation and "recommendation" in baseline.tasks:
        kind, task = _play_targets(dataset, baseline, {*dims}), "recommendation"
    elif dataset.is_classification:
        kind = next((k for k in ("class", "pmi") if k in dims and k in baseline.kinds), "class")
        task = "multiclass" if dataset.has_one_class_each else "multilabel"
    several = sum(file.fields["fact"] == kind for file in files) > 1
    return default_targets(kind, task, None if several else dims.get(kind))


def _infer_classes(dataset: Dataset, kinds: set[str], classes: int | None) -> TomlTable:
    """Infer which classification a dataset is for, and its targets: classes, if it has any."""
    if dataset.is_recommendation and not dataset.is_classification:
        msg = f"{CLASSIFICATION_KEY}: {dataset.name} is for recommendation, and has no classes"
        raise RequestError(msg, hint=f"{_RECOMMENDING}, or another dataset: `dataset`.")
    kind = "pmi" if "pmi" in kinds and "class" not in kinds else "class"
    one_each = kind == "class" and dataset.has_one_class_each
    task = "multiclass" if one_each else "multilabel"
    return default_targets(kind, task, classes if kind == "class" else None)


def _play_targets(dataset: Dataset, baseline: Baseline, kinds: Collection[str]) -> str:
    """Return what a baseline learns of a dataset of plays: factors, if it has any, else plays."""
    allowed = baseline.kinds
    for kind in ("als", "pmi"):
        if kind in kinds and kind in allowed:
            return kind
    known = PLAYS_KIND in allowed and has_plays(dataset, "train")
    return PLAYS_KIND if known or "als" not in allowed else "als"


def _check_task(dataset: Dataset, baseline: Baseline, target_kinds: Collection[str]) -> None:
    """Make sure that a baseline fits the task and targets of a dataset, if its files show them."""
    tasks = dataset.tasks
    name = next(name for name in BASELINES.names() if BASELINES.get(name) is baseline)
    if tasks and not {*tasks} & {*baseline.tasks}:
        msg = f"{name} is for {' and '.join(baseline.tasks)}, and {dataset.name} for {tasks[0]}"
    elif tasks and target_kinds and not {*target_kinds, PLAYS_KIND} & {*baseline.kinds}:
        msg = f"{name} reads {' or '.join(baseline.kinds)} factors, and {dataset.name} has none"
    else:
        return
    raise RequestError(
        msg, hint=f"Baselines for {dataset.name} are {baselines_for(dataset, tasks[0])}."
    )


def baselines_for(dataset: Dataset, task: str) -> str:
    """Name the baselines for a task that can be named to run: those that need nothing special."""
    has_artists = dataset.find(Kind.ARTISTS) is not None

    def is_fitting(baseline: Baseline) -> bool:
        special = baseline.sees_truth or baseline.blends
        return task in baseline.tasks and not special and (has_artists or not baseline.artists)

    return ", ".join(name for name in BASELINES.names() if is_fitting(BASELINES.get(name)))
