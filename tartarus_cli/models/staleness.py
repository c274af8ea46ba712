"""Whether the files that give meaning to what a model predicts are those that it was trained on."""

from __future__ import annotations

import shlex
from pathlib import Path, PurePath

from tartarus_cli.data.ids import digest_ids, read_ids
from tartarus_cli.data.targets import TargetSpec, label_factors_file, target_file
from tartarus_cli.errors import DataError, display_path
from tartarus_cli.files import digest
from tartarus_cli.models.store import Model
from tartarus_cli.workspace import DataFile, Kind, WorkspaceFiles, parse_path


def companion_factors(inventory: WorkspaceFiles, wanted: TargetSpec) -> list[Path]:
    """Return the factors of users or labels that predicted ones will be multiplied with, if any."""
    if wanted.fact == "class":
        return []
    users = inventory.find(Kind.USER_FACTORS, **wanted.fields)
    labels = label_factors_file(inventory, wanted)
    return [*dict.fromkeys(file.path for file in (users, labels) if file)]


def require_unchanged_inputs(inventory: WorkspaceFiles, model: Model) -> None:
    """Make sure that what a model predicted still means what it learnt.

    The train items, and for a model of factors its targets and the factors of the users or labels,
    have to be those of the training; truth, test items and features may change.

    Raises
    ------
    DataError
        If one of them is another one.
    """
    file = changed_since_training(inventory, model)
    if file is None:
        return
    path = display_path(file.path)
    msg = f"{path} is not what it was when {model.name} was trained: what the model "
    msg += "predicts no longer fits"
    raise DataError(msg, hint=_what_to_do(model, file))


def _what_to_do(model: Model, changed: DataFile) -> str:
    manifest = model.manifest
    words = ["tartarus", "train", manifest.experiment, *manifest.settings]
    again = shlex.join([*words, "--dataset", manifest.dataset])
    first = "Make factors and settings of these items, and train again"
    do = first if changed.kind is Kind.ITEMS else "Train again"
    return f"{do} (with the same --set, if there was one): {again}; or put the file back."


def changed_since_training(inventory: WorkspaceFiles, model: Model) -> DataFile | None:
    """Return a file that gives meaning to what a model predicts, and has changed; None if none.

    A file that moved or was renamed is the same file; one that is gone is not looked for. Of
    users' and labels' factors, models of earlier versions have kept nothing to compare with.
    """
    recorded = model.manifest.inputs
    names = {PurePath(each).name for each in recorded}
    for file in _meaning(inventory, model) if recorded else ():
        known = file.kind in (Kind.ITEMS, Kind.TARGETS) or file.path.name in names
        if known and not matches_training_input(model, file.path):
            return file
    return None


def matches_training_input(model: Model, path: Path) -> bool:
    """Whether a file holds what one held that a model was trained on, wherever that lay.

    Of the train ids, ends of lines and the like make no difference.
    """
    named = parse_path(path, "datasets")
    ids = named is not None and (named.kind, named.split) == (Kind.ITEMS, "train")
    if ids and model.manifest.train_ids:
        return digest_ids(read_ids(path)) == model.manifest.train_ids
    return digest(path) in model.manifest.inputs.values()


def train_ids_digest(inventory: WorkspaceFiles, dataset: str) -> str:
    """Return the hash of the train ids, as a model keeps it."""
    return digest_ids(read_ids(inventory.require(Kind.ITEMS, split="train", dataset=dataset).path))


def _meaning(inventory: WorkspaceFiles, model: Model) -> list[DataFile]:
    dataset = model.manifest.dataset
    files = [inventory.find(Kind.ITEMS, split="train", dataset=dataset)]
    if model.manifest.form == "factors":
        wanted = TargetSpec(dataset, model.experiment.targets.kind, model.manifest.target_dim)
        beside = companion_factors(inventory, wanted)
        files += [target_file(inventory, wanted, "train")]
        files += [each for each in inventory.files if each.path in beside]
    return [each for each in files if each is not None]
