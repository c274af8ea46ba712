"""What an experiment needs of a workspace, and what of it is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.data.dataset import check_settings, splits_of
from tartarus_cli.data.targets import (
    Wanted,
    label_factors_file,
    settle_dim,
    truth_file,
    truth_place,
)
from tartarus_cli.errors import DataError, RequestError, nearest
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.workspace import DataFile, Inventory, Kind


def check_request(inventory: Inventory, experiment: Experiment, settings: Sequence[str]) -> None:
    """Make sure that an experiment can be applied to these settings.

    Raises
    ------
    RequestError
        If the number of settings is wrong, the dataset or a setting does not exist, or the network
        is not in this version.
    """
    dataset, name = experiment.dataset.name, experiment.name
    if not experiment.architecture.available:
        msg = f"{name} needs the network {experiment.network.name}, which this version lacks"
        hint = "Experiments on feature vectors can be run: see 'tartarus experiments list'."
        raise RequestError(msg, hint=hint)
    known = inventory.datasets()
    if dataset not in known:
        msg = f"there is no dataset called {dataset!r} in {inventory.workspace.root}"
        raise RequestError(msg, hint=f"{nearest(dataset, known)} Name one with --dataset.")
    if len(settings) != experiment.settings_needed:
        given = f"{len(settings)} ({', '.join(settings)})" if settings else "none"
        msg = f"{name} takes {_count(experiment.settings_needed)}, and was given {given}"
        usage = " ".join([name, *["SETTING"] * experiment.settings_needed])
        there = ", ".join(inventory.settings(dataset)) or "no settings"
        raise RequestError(msg, hint=f"tartarus run {usage}; {dataset} has {there}.")
    check_settings(inventory, dataset, settings)


def _count(settings: int) -> str:
    return f"{settings} setting{'' if settings == 1 else 's'}"


@dataclass(frozen=True)
class Lack:
    """Something that an experiment needs and that is not there."""

    what: str
    path: Path | None = None  # the file that would hold it


def missing(
    inventory: Inventory, experiment: Experiment, settings: Sequence[str] | None = None
) -> list[Lack]:
    """Say what an experiment lacks; where no settings are named, any complete ones will do."""
    dataset, place = experiment.dataset.name, inventory.workspace.place
    lacks = []
    if not experiment.architecture.available:
        lacks.append(Lack(f"the network {experiment.network.name} (not in this version)"))
    there = splits_of(inventory, dataset)
    for split in ("train", "test"):
        if split not in there:
            path = place(Kind.ITEMS, split=split, dataset=dataset)
            lacks.append(Lack(f"ids of {split}", path))
    lacks += _missing_targets(inventory, experiment)
    if experiment.inputs.kind == "patches":
        files = inventory.select(Kind.PATCHES, dataset=dataset)
        lacks += [] if {*there} <= {file.split for file in files} else [Lack("patches")]
    elif settings is None:
        complete = len(complete_settings(inventory, dataset))
        if complete < experiment.settings_needed:
            lacks.append(Lack(f"{_count(experiment.settings_needed)} (there are {complete})"))
    else:
        lacks += _missing_features(inventory, dataset, settings)
    return lacks


def _missing_features(inventory: Inventory, dataset: str, settings: Sequence[str]) -> list[Lack]:
    lacks = []
    for setting in settings:
        files = inventory.select(Kind.FEATURES, setting=setting, dataset=dataset)
        for split in splits_of(inventory, dataset):
            if split not in {file.split for file in files}:
                fields = {"setting": setting, "split": split, "dataset": dataset}
                ext = files[0].fields["ext"]
                path = inventory.workspace.place(Kind.FEATURES, ext=ext, **fields)
                lacks.append(Lack(f"the {split} rows of {setting}", path))
    return lacks


def _missing_targets(inventory: Inventory, experiment: Experiment) -> list[Lack]:
    dataset, fact = experiment.dataset.name, experiment.targets.kind
    place = inventory.workspace.place
    try:
        wanted = settle_dim(inventory, Wanted(dataset, fact, experiment.targets.dim))
    except DataError:
        fields = Wanted(dataset, fact, experiment.targets.dim).fields
        return [Lack(f"{fact} targets", place(Kind.TARGETS, split="train", **fields))]
    fields = wanted.fields
    lacks = []
    if experiment.dataset.task == "recommendation":
        if not inventory.select(Kind.USER_FACTORS, **fields):
            lacks.append(Lack("user factors", place(Kind.USER_FACTORS, **fields)))
        if not inventory.select(Kind.TEST_MATRIX, dataset=dataset):
            lacks.append(Lack("truth", place(Kind.TEST_MATRIX, dataset=dataset)))
        return lacks
    if fact == "pmi" and label_factors_file(inventory, wanted) is None:
        lacks.append(Lack("label factors", place(Kind.CLASS_FACTORS, **fields)))
    if truth_file(inventory, dataset) is None:
        lacks.append(Lack("classes of the test items", truth_place(inventory, dataset)))
    return lacks


def complete_settings(inventory: Inventory, dataset: str) -> list[str]:
    """Return the settings that have a matrix for each set of the dataset."""
    splits = set(splits_of(inventory, dataset))
    complete = []
    for setting in inventory.settings(dataset):
        files = inventory.select(Kind.FEATURES, setting=setting, dataset=dataset)
        if splits <= {file.split for file in files}:
            complete.append(setting)
    return complete


def concerned(
    inventory: Inventory, experiment: Experiment, settings: Sequence[str], wanted: Wanted
) -> list[DataFile]:
    """Return the files of the dataset that the experiment reads."""
    facts = {(wanted.fact, str(wanted.dim))}
    recommendation = experiment.dataset.task == "recommendation"
    truth = (Kind.TEST_MATRIX, Kind.USERS) if recommendation else (Kind.LABELS,)
    return [
        file
        for file in inventory.files
        if file.dataset == wanted.dataset
        and (
            file.kind in (Kind.ITEMS, *truth)
            or (file.fields.get("fact"), file.fields.get("dim")) in facts
            or (file.fields.get("fact") == "class" and file.split == "test" and not recommendation)
            or file.fields.get("setting") in settings
        )
    ]
