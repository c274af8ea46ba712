"""What an experiment needs of a workspace, and what of it is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.baselines import BASELINES, Baseline
from tartarus_cli.data.dataset import (
    check_settings,
    infer_patches,
    splits_of,
    unknown_dataset_error,
)
from tartarus_cli.data.features import open_matrix
from tartarus_cli.data.scan import scan_matrix
from tartarus_cli.data.targets import (
    TargetSpec,
    infer_dim,
    label_factors_file,
    truth_file,
    truth_path,
)
from tartarus_cli.data.tasks import is_classification, is_recommendation
from tartarus_cli.errors import DataError, RequestError
from tartarus_cli.experiments.inputs import patch_source
from tartarus_cli.experiments.resolve import Table, default_targets
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.workspace import DataFile, Kind, WorkspaceFiles, patch_fields

CUT = (Kind.PATCHES, Kind.SCALER)
FED = (Kind.FEATURES, Kind.WORD_VECTORS, Kind.ORIGIN)  # what a setting is, for a network


def check_request(
    inventory: WorkspaceFiles, experiment: Experiment, settings: Sequence[str]
) -> None:
    """Make sure that an experiment can be applied to these settings.

    Raises
    ------
    RequestError
        If the number of settings is wrong, or the dataset or a setting does not exist.
    """
    dataset, name = experiment.dataset.name, experiment.name
    known = inventory.datasets()
    if dataset not in known:
        raise unknown_dataset_error(inventory, dataset, known, "Name one with --dataset")
    if experiment.baseline is not None:
        _check_count(inventory, experiment, settings)
        _check_truth(inventory, experiment)
    elif len(settings) != experiment.settings_needed:
        given = f"{len(settings)} ({', '.join(settings)})" if settings else "none"
        msg = f"{name} takes {_count(experiment.settings_needed)}, and was given {given}"
        usage = " ".join([name, *["SETTING"] * experiment.settings_needed])
        there = ", ".join(inventory.settings(dataset)) or "no settings"
        raise RequestError(msg, hint=f"tartarus run {usage}; {dataset} has {there}.")
    check_settings(inventory, dataset, settings)
    _check_kinds(inventory, experiment, settings)


def _check_count(
    inventory: WorkspaceFiles, experiment: Experiment, settings: Sequence[str]
) -> None:
    """Make sure that a baseline can read so many settings."""
    if experiment.baseline is None or experiment.baseline.takes(len(settings)):
        return
    fewest, most = experiment.baseline.settings
    takes = "no settings" if most == 0 else _count(fewest)
    takes += " or more" if most is None else ""
    given = f"{len(settings)} ({', '.join(settings)})" if settings else "none"
    msg = f"{experiment.name} takes {takes}, and was given {given}"
    usage = " ".join([experiment.name, *["SETTING"] * fewest]) + ("…" if most is None else "")
    there = ", ".join(inventory.settings(experiment.dataset.name)) or "no settings"
    raise RequestError(msg, hint=f"tartarus run {usage}; {experiment.dataset.name} has {there}.")


def _check_truth(inventory: WorkspaceFiles, experiment: Experiment) -> None:
    """Make sure that there is what a baseline sees that sees the truth."""
    dataset, fact = experiment.dataset.name, experiment.targets.kind
    fields = {"dataset": dataset, "fact": fact}
    there = inventory.select(Kind.TARGETS, split="test", **fields)
    trained = inventory.select(Kind.TARGETS, split="train", **fields)
    if experiment.baseline is None or not experiment.baseline.sees_truth or there or not trained:
        return
    name, dim = experiment.network.name, trained[0].fields["dim"]
    msg = f"{name} scores test items by their true {fact} factors, and {dataset} has none of them"
    source = "plays" if fact == "als" else "plays or labels"
    hint = f"'tartarus factorize {dataset} {fact} --dim {dim}' makes them of the test items' "
    hint += f"{source}; or take another baseline: {_others(experiment.dataset.task)}."
    raise RequestError(msg, hint=hint)


def _check_kinds(
    inventory: WorkspaceFiles, experiment: Experiment, settings: Sequence[str]
) -> None:
    """Make sure that word numbers are read as such, and nothing else is."""
    kinds = [kind for kind in experiment.inputs.kinds if kind != "patches"]
    words = word_settings(inventory, experiment.dataset.name)
    for kind, setting in zip(kinds, settings, strict=True):
        if (kind == "sequence") == (setting in words):
            continue
        there = ", ".join(sorted(words)) or "none"
        if kind == "sequence":
            msg = f"{experiment.name} reads sequences of words, and {setting} is none"
            hint = f"Settings of words: {there}. Make one: tartarus text DATASET w2v."
        else:
            msg = f"{setting} holds sequences of words, and {experiment.name} reads feature vectors"
            hint = "Use an experiment whose inputs.kind is sequence, such as dummy_text_w2v."
        raise RequestError(msg, hint=hint)


def word_settings(inventory: WorkspaceFiles, dataset: str) -> set[str]:
    """Return the settings whose rows are numbers of words: those with word vectors."""
    files = inventory.select(Kind.WORD_VECTORS, dataset=dataset)
    return {file.fields["setting"] for file in files}


def _count(settings: int) -> str:
    return f"{settings} setting{'' if settings == 1 else 's'}"


@dataclass(frozen=True)
class MissingInput:
    """Something that an experiment needs and that is not there."""

    what: str
    path: Path | None = None  # the file that would hold it


def missing_inputs(
    inventory: WorkspaceFiles, experiment: Experiment, settings: Sequence[str] | None = None
) -> list[MissingInput]:
    """Say what an experiment lacks; where no settings are named, any complete ones will do."""
    dataset, place = experiment.dataset.name, inventory.workspace.place
    lacks = []
    there = splits_of(inventory, dataset)
    for split in ("train", "test"):
        if split not in there:
            path = place(Kind.ITEMS, split=split, dataset=dataset)
            lacks.append(MissingInput(f"ids of {split}", path))
    lacks += _missing_targets(inventory, experiment)
    if experiment.patches is not None:
        lacks += _missing_patches(inventory, experiment, there)
    if settings is None:
        lacks += _too_few_settings(inventory, experiment)
    else:
        lacks += _missing_features(inventory, dataset, settings)
    return lacks


def _missing_patches(
    inventory: WorkspaceFiles, experiment: Experiment, splits: Sequence[str]
) -> list[MissingInput]:
    dataset, place = experiment.dataset.name, inventory.workspace.place
    source = patch_source(experiment)
    with suppress(DataError):
        source = infer_patches(inventory, dataset, source)
    fields = patch_fields(dataset, source.per_item, source.seconds)
    return [
        MissingInput(f"patches of {split}", place(Kind.PATCHES, split=split, **fields))
        for split in splits
        if not inventory.select(Kind.PATCHES, split=split, **fields)
    ]


def _too_few_settings(inventory: WorkspaceFiles, experiment: Experiment) -> list[MissingInput]:
    complete = complete_settings(inventory, experiment.dataset.name)
    words = word_settings(inventory, experiment.dataset.name)
    lacks = []
    for kind, what in (("features", "setting"), ("sequence", "setting of words")):
        needed = experiment.inputs.kinds.count(kind)
        found = sum((each in words) == (kind == "sequence") for each in complete)
        if found < needed:
            plural = "s" * (needed > 1)
            lacks.append(MissingInput(f"{needed} {what}{plural} (there {_are(found)})"))
    return lacks


def _are(count: int) -> str:
    return f"{'is' if count == 1 else 'are'} {count}"


def _missing_features(
    inventory: WorkspaceFiles, dataset: str, settings: Sequence[str]
) -> list[MissingInput]:
    lacks = []
    for setting in settings:
        files = inventory.select(Kind.FEATURES, setting=setting, dataset=dataset)
        for split in splits_of(inventory, dataset):
            if split not in {file.split for file in files}:
                fields = {"setting": setting, "split": split, "dataset": dataset}
                ext = files[0].fields["ext"]
                path = inventory.workspace.place(Kind.FEATURES, ext=ext, **fields)
                lacks.append(MissingInput(f"the {split} rows of {setting}", path))
    return lacks


def _missing_targets(inventory: WorkspaceFiles, experiment: Experiment) -> list[MissingInput]:
    dataset, fact = experiment.dataset.name, experiment.targets.kind
    place = inventory.workspace.place
    try:
        wanted = infer_dim(inventory, TargetSpec(dataset, fact, experiment.targets.dim))
    except DataError:
        fields = TargetSpec(dataset, fact, experiment.targets.dim).fields
        return [MissingInput(f"{fact} targets", place(Kind.TARGETS, split="train", **fields))]
    fields = wanted.fields
    lacks = []
    if experiment.dataset.task == "recommendation":
        if not inventory.select(Kind.USER_FACTORS, **fields):
            lacks.append(MissingInput("user factors", place(Kind.USER_FACTORS, **fields)))
        if not inventory.select(Kind.TEST_MATRIX, dataset=dataset):
            lacks.append(MissingInput("truth", place(Kind.TEST_MATRIX, dataset=dataset)))
        return lacks
    if fact == "pmi" and label_factors_file(inventory, wanted) is None:
        lacks.append(MissingInput("label factors", place(Kind.CLASS_FACTORS, **fields)))
    if truth_file(inventory, dataset) is None:
        lacks.append(MissingInput("classes of the test items", truth_path(inventory, dataset)))
    return lacks


def complete_settings(inventory: WorkspaceFiles, dataset: str) -> list[str]:
    """Return the settings that have a matrix for each set of the dataset."""
    splits = set(splits_of(inventory, dataset))
    complete = []
    for setting in inventory.settings(dataset):
        files = inventory.select(Kind.FEATURES, setting=setting, dataset=dataset)
        if splits <= {file.split for file in files}:
            complete.append(setting)
    return complete


def required_files(
    inventory: WorkspaceFiles, experiment: Experiment, settings: Sequence[str]
) -> list[DataFile]:
    """Return the files of the dataset that the experiment, settled, reads."""
    targets = experiment.targets
    wanted = TargetSpec(experiment.dataset.name, targets.kind, targets.dim)
    source = patch_source(experiment) if experiment.patches else None
    patches = patch_fields(wanted.dataset, source.per_item, source.seconds) if source else None
    recommendation = experiment.dataset.task == "recommendation"
    plays = (Kind.TRAIN_MATRIX,) if experiment.baseline and experiment.baseline.plays else ()
    truth = (Kind.TEST_MATRIX, Kind.USERS, *plays) if recommendation else (Kind.LABELS,)
    return [
        file
        for file in inventory.files
        if file.dataset == wanted.dataset
        and (
            file.kind in (Kind.ITEMS, *truth)
            or (file.fields.get("fact"), file.fields.get("dim")) == (wanted.fact, str(wanted.dim))
            or (file.fields.get("fact") == "class" and file.split == "test" and not recommendation)
            or (file.kind in FED and file.fields["setting"] in settings)
            or (file.kind in CUT and patches and patches.items() <= file.fields.items())
        )
    ]


def infer_task(inventory: WorkspaceFiles, dataset: str, baseline: Baseline) -> Table:
    """Tell what a dataset is for, by its files: the task and the targets for a baseline.

    A dataset with listeners is for recommendation; one with classes is multiclass where each
    train item has exactly one, and else multilabel.

    Raises
    ------
    RequestError
        If the baseline is not for it.
    """
    files = inventory.select(Kind.TARGETS, dataset=dataset, split="train")
    dims = {file.fields["fact"]: file.dim for file in files}
    _check_purpose(inventory, dataset, baseline, {*dims})
    kind, task = baseline.kinds[0], baseline.tasks[-1]
    if is_recommendation(inventory, dataset) and "recommendation" in baseline.tasks:
        kind, task = "als" if "als" in dims or "pmi" not in dims else "pmi", "recommendation"
    elif is_classification(inventory, dataset):
        fit = [each for each in ("class", "pmi") if each in dims and each in baseline.kinds]
        kind = fit[0] if fit else "class"
        task = "multiclass" if one_class_each(inventory, dataset) else "multilabel"
    several = sum(file.fields["fact"] == kind for file in files) > 1
    return default_targets(kind, task, None if several else dims.get(kind))


def _check_purpose(
    inventory: WorkspaceFiles, dataset: str, baseline: Baseline, facts: Collection[str]
) -> None:
    """Make sure that a baseline is for what a dataset is for, if its files tell."""
    tasks = [*_tasks_of(inventory, dataset)]
    name = next(each for each in BASELINES.names() if BASELINES.get(each) is baseline)
    if tasks and not {*tasks} & {*baseline.tasks}:
        msg = f"{name} is for {' and '.join(baseline.tasks)}, and {dataset} for {tasks[0]}"
    elif tasks and facts and not {*facts} & {*baseline.kinds}:
        msg = f"{name} reads {' or '.join(baseline.kinds)} factors, and {dataset} has none of them"
    else:
        return
    raise RequestError(msg, hint=f"Baselines for {dataset} are {_others(tasks[0])}.")


def _tasks_of(inventory: WorkspaceFiles, dataset: str) -> Iterator[str]:
    if is_recommendation(inventory, dataset):
        yield "recommendation"
    if is_classification(inventory, dataset):
        yield "multiclass" if one_class_each(inventory, dataset) else "multilabel"


def _others(task: str) -> str:
    """Name the baselines for a task that see no truth."""
    every = {name: BASELINES.get(name) for name in BASELINES.names()}
    return ", ".join(n for n, each in every.items() if task in each.tasks and not each.sees_truth)


def one_class_each(inventory: WorkspaceFiles, dataset: str) -> bool:
    """Whether each train item has exactly one class."""
    files = inventory.select(Kind.TARGETS, dataset=dataset, fact="class", split="train")
    with suppress(DataError):
        return bool(files) and scan_matrix(open_matrix(files[0].path)).one_hot
    return False
