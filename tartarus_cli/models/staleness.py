"""Whether the files that give meaning to a model's predictions are those that it was trained on."""

from __future__ import annotations

from pathlib import Path, PurePath

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.errors import DataError, call, display_path
from tartarus_cli.file_names import DataFile, Kind, parse_path
from tartarus_cli.models.store import Model


def companion_factors(dataset: Dataset, spec: TargetSpec) -> list[Path]:
    """Return the files of the factors that predicted ones are multiplied with.

    Those of the users, of the labels, or none for classes.
    """
    if spec.kind == "class":
        return []
    users, labels = dataset.find(Kind.USER_FACTORS, **spec.fields), dataset.label_factors(spec)
    return [*dict.fromkeys(file.path for file in (users, labels) if file)]


def require_unchanged_inputs(model: Model) -> None:
    """Make sure that a model's predictions still have the meaning that they had in its training.

    The train items, and for a model of factors its targets and the factors of the users or labels,
    have to be those of the training; truth, test items and features may change.

    Raises
    ------
    DataError
        If one of these files has changed; the hint says how to train again.
    """
    file = changed_since_training(model)
    if file is None:
        return
    path = display_path(file.path)
    msg = f"{path} is not what it was when {model.name} was trained: what the model "
    msg += "predicts no longer fits"
    raise DataError(msg, hint=_remedy(model, file))


def train_command(model: Model) -> str:
    """Return the call that trains a model like this one."""
    manifest = model.manifest
    return call("train", manifest.experiment, *manifest.settings, dataset=manifest.dataset)


def _remedy(model: Model, changed: DataFile) -> str:
    steps = "Train again"
    if changed.kind is Kind.ITEMS:
        steps = "Compute factors and settings of these items, and train again"
    command = f"(with the same `overrides`, if there were any): {train_command(model)}"
    return f"{steps} {command}; or put the file back."


def changed_since_training(model: Model) -> DataFile | None:
    """Return a file that gives meaning to what a model predicts, and has changed; None if none.

    A file that was moved or renamed is the same file; one that is gone is ignored. Models of
    earlier versions recorded no hash of the factors of users and labels, which are then ignored.
    """
    recorded = model.manifest.inputs
    names = {PurePath(path).name for path in recorded}
    for file in _reference_files(model) if recorded else ():
        is_recorded = file.kind in (Kind.ITEMS, Kind.TARGETS) or file.path.name in names
        if is_recorded and not matches_training_input(model, file.path):
            return file
    return None


def matches_training_input(model: Model, path: Path) -> bool:
    """Whether a file has the content of one that a model was trained on, wherever that was.

    Of the list of train ids, only the ids and their order count, not the ends of its lines.
    """
    file = parse_path(path, "datasets")
    is_train_ids = file is not None and (file.kind, file.split) == (Kind.ITEMS, "train")
    if is_train_ids and model.manifest.train_ids:
        return model.dataset.list_digest(path) == model.manifest.train_ids
    return model.dataset.digest(path) in model.manifest.inputs.values()


def _reference_files(model: Model) -> list[DataFile]:
    """Return the files that give meaning to a model's predictions."""
    dataset = model.dataset
    files = [dataset.find(Kind.ITEMS, split="train")]
    if model.manifest.form == "factors":
        spec = TargetSpec(model.target_kind, model.manifest.target_dim)
        companions = companion_factors(dataset, spec)
        files += [dataset.find(Kind.TARGETS, split="train", **spec.fields)]
        files += [file for file in dataset.own_files if file.path in companions]
    return [file for file in files if file is not None]
