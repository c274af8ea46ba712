"""What an experiment needs of a workspace, and what of it is missing."""

from __future__ import annotations

from collections.abc import Sequence

from tartarus_cli.data.dataset import check_settings, splits_of
from tartarus_cli.data.targets import Wanted, settle_dim
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
    if len(settings) != experiment.settings:
        given = f"{len(settings)} ({', '.join(settings)})" if settings else "none"
        msg = f"{name} takes {_count(experiment.settings)}, and was given {given}"
        usage = " ".join([name, *["SETTING"] * experiment.settings])
        there = ", ".join(inventory.settings(dataset)) or "no settings"
        raise RequestError(msg, hint=f"tartarus run {usage}; {dataset} has {there}.")
    check_settings(inventory, dataset, settings)


def _count(settings: int) -> str:
    return f"{settings} setting{'' if settings == 1 else 's'}"


def missing(
    inventory: Inventory, experiment: Experiment, settings: Sequence[str] | None
) -> list[str]:
    """Say in short what an experiment lacks; with no settings given, any complete ones will do."""
    dataset = experiment.dataset.name
    lacks = []
    if not experiment.architecture.available:
        lacks.append(f"the network {experiment.network.name} (not in this version)")
    there = splits_of(inventory, dataset)
    lacks += [f"ids of {split}" for split in ("train", "test") if split not in there]
    lacks += _missing_targets(inventory, experiment)
    if experiment.inputs.kind == "patches":
        if not inventory.select(Kind.PATCHES, dataset=dataset, split="train"):
            lacks.append("patches")
    elif settings is None:
        complete = len(complete_settings(inventory, dataset))
        if complete < experiment.settings:
            lacks.append(f"{_count(experiment.settings)} (there are {complete})")
    return lacks


def _missing_targets(inventory: Inventory, experiment: Experiment) -> list[str]:
    dataset, fact = experiment.dataset.name, experiment.targets.kind
    try:
        wanted = settle_dim(inventory, Wanted(dataset, fact, experiment.targets.dim))
    except DataError:
        return [f"{fact} targets"]
    fields = {"fact": fact, "dim": str(wanted.dim), "dataset": dataset}
    users = inventory.select(Kind.USER_FACTORS, **fields)
    lacks = []
    if experiment.dataset.task == "recommendation":
        lacks += [] if users else ["user factors"]
        lacks += [] if inventory.select(Kind.TEST_MATRIX, dataset=dataset) else ["truth"]
        return lacks
    if fact == "pmi" and not (users or inventory.select(Kind.CLASS_FACTORS, **fields)):
        lacks.append("label factors")
    truth = inventory.select(Kind.TARGETS, split="test", dataset=dataset)
    if not any(file.fields["fact"] in ("class", "pmi") for file in truth):
        lacks.append("classes of the test items")
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
