"""Whether the files that give meaning to a model's predictions are those that it was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import digest_ids
from tartarus_cli.data.masks import mask_file
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


def feature_files(dataset: Dataset, settings: Sequence[str]) -> list[Path]:
    """Return the features of all sets, their masks, and the vocabularies they were made with."""
    kinds = (Kind.FEATURES, Kind.MASK, Kind.VOCABULARY)
    files = [f for kind in kinds for name in settings for f in dataset.select(kind, setting=name)]
    return [file.path for file in files]


def require_unchanged_inputs(model: Model) -> None:
    """Make sure that a model's predictions still have the meaning that they had in its training.

    The train items, the order of the test items, and for a model of factors its targets and the
    factors of the users or labels, have to be those of the training. The truth may change; so may
    the test items, of which those without a prediction rank last.

    Raises
    ------
    DataError
        If one of these files has changed, or the train plays that users are known by are gone; the
        hint says how to train again.
    """
    _require_train_plays(model)
    file = changed_since_training(model) or _reordered_test_ids(model)
    if file is None:
        return
    path = display_path(file.path)
    msg = f"{path} is not what it was when {model.name} was trained: what the model "
    msg += "predicts no longer fits"
    raise DataError(msg, hint=_remedy(model, file))


def _require_train_plays(model: Model) -> None:
    """Make sure that the plays that users are known by are there, and not rebuilt in silence."""
    manifest, dataset = model.manifest, model.dataset
    reads_plays = manifest.form in ("neighbours", "weights") or manifest.users in (
        "history",
        "features",
    )
    if not reads_plays or dataset.find(Kind.TRAIN_MATRIX) is not None:
        return
    for name in manifest.inputs:
        file = parse_path(Path(name), "datasets")
        if file is not None and file.kind is Kind.TRAIN_MATRIX:
            msg = f"{display_path(model.workspace.root / name)} is missing: {model.name} knows "
            msg += "users by what they played"
            raise DataError(msg, hint=f"Put the file back, or train again: {train_command(model)}")


def train_command(model: Model) -> str:
    """Return the call that trains a model like this one."""
    manifest = model.manifest
    return call("train", manifest.experiment, *manifest.settings, dataset=manifest.dataset)


def _remedy(model: Model, changed: DataFile) -> str:
    if changed.kind is Kind.ITEMS and changed.split != "train":
        again = call("predict", model.name, accept_changed_inputs=True)
        return f"Put the file back; or, if these are the items to predict for, {again}."
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


def _reordered_test_ids(model: Model) -> DataFile | None:
    """Return the list of test ids if they are those of the training in another order.

    The rows of the truth are then most likely not in that order.
    """
    file = model.dataset.find(Kind.ITEMS, split="test")
    if file is None or _is_as_recorded(model, file):
        return None
    same = sorted_digest(model.dataset.ids("test")) == model.manifest.sorted_test_ids
    return file if same else None


def sorted_digest(ids: Sequence[str]) -> str:
    """Return the BLAKE2b hash of ids, whatever their order."""
    return digest_ids(sorted(ids))


def changed_input_files(model: Model, splits: Sequence[str]) -> list[DataFile]:
    """Return what predictions for some sets are computed from, and is not as in the training.

    These are the ids of the sets and of the train items, the features of the sets, and the
    vocabularies. Where the training recorded no features of a set, those of the train items stand
    for them. Files that were accepted since count as those of the training.

    Parameters
    ----------
    model
        The model.
    splits
        ``train``, ``val``, ``test``: the sets to predict for.
    """
    lists = [model.dataset.find(Kind.ITEMS, split=split) for split in splits]
    train = model.dataset.find(Kind.ITEMS, split="train")
    files = [file for file in lists if file is not None]
    files += [train] if train is not None and "train" not in splits else []
    files += _features_to_compare(model, splits)
    return [file for file in files if not _is_as_recorded(model, file)]


def accept_inputs(model: Model, files: Sequence[DataFile]) -> None:
    """Record in the manifest that a model predicts from files that have changed."""
    if files:
        relative = model.workspace.relative
        model.accept_inputs({relative(file.path): _content_hash(model, file) for file in files})


def require_accepted(model: Model, changed: Sequence[DataFile]) -> None:
    """Refuse to predict from files that are not those of the training.

    Raises
    ------
    DataError
        If there are any; the message names the first, and the hint says what to do.
    """
    if not changed:
        return
    first, *others = [display_path(file.path) for file in changed]
    also = f" (nor {', nor '.join(others)})" if others else ""
    is_new = _is_new_mask(model, changed[0])
    change = "was not there" if is_new else "is not what it was"
    msg = f"{first} {change} when {model.name} was trained{also}: what the model would predict "
    msg += f"{'with' if is_new else 'from'} it means nothing"
    accept = call("predict", model.name, accept_changed_inputs=True)
    undo = "Delete the file, if all items have the setting" if is_new else "Put the file back"
    hint = f"{undo}, or train again: {train_command(model)}. Where the change does no "
    hint += f"harm, such as the same features of other items, {accept} predicts and records it."
    raise DataError(msg, hint=hint)


def _is_new_mask(model: Model, file: DataFile) -> bool:
    """Whether a file is the mask of features that had none in the training."""
    is_mask = file.kind is Kind.MASK and file.path.is_file()
    return is_mask and not _hashes_of(file, model.manifest.inputs)


def _features_to_compare(model: Model, splits: Sequence[str]) -> Iterator[DataFile]:
    for setting in model.manifest.settings:
        for split in splits:
            file = model.dataset.find(Kind.FEATURES, setting=setting, split=split)
            if file is not None and not _recorded_hashes(model, file):
                file = model.dataset.find(Kind.FEATURES, setting=setting, split="train")
            if file is not None:
                yield file
                yield _mask_of(model, file)
        vocabulary = model.dataset.find(Kind.VOCABULARY, setting=setting)
        if vocabulary is not None:
            yield vocabulary


def changed_masks(model: Model, splits: Sequence[str]) -> list[DataFile]:
    """Return masks of features that are not as in the training: changed, new, or gone.

    Parameters
    ----------
    model
        The model.
    splits
        The sets whose masks are compared, of those whose features the training recorded.
    """
    sets = ((setting, split) for setting in model.manifest.settings for split in splits)
    found = (model.dataset.find(Kind.FEATURES, setting=name, split=split) for name, split in sets)
    features = (file for file in found if file is not None and _recorded_hashes(model, file))
    masks = (_mask_of(model, file) for file in features)
    return [mask for mask in masks if not _is_as_recorded(model, mask)]


def _mask_of(model: Model, features: DataFile) -> DataFile:
    mask = mask_file(model.workspace, features)
    present = model.dataset.find(Kind.MASK, split=mask.split, setting=mask.fields["setting"])
    return present or mask


def _is_as_recorded(model: Model, file: DataFile) -> bool:
    """Whether a file is that of the training, or one that was accepted; also if none is known."""
    recorded, present = _recorded_hashes(model, file), {_content_hash(model, file)}
    if file.kind is Kind.ITEMS:
        present.add(model.dataset.digest(file.path))
    return not recorded or bool(present & recorded)


def _recorded_hashes(model: Model, file: DataFile) -> set[str]:
    """Return the hashes that a file, wherever it lay, had in the training or when accepted."""
    manifest = model.manifest
    recorded = _hashes_of(file, manifest.inputs)
    if file.kind is Kind.ITEMS and file.split in manifest.ids:
        recorded.add(manifest.ids[file.split])
    if file.kind is Kind.MASK and not recorded:
        recorded.add("")  # all items had the setting
    return recorded | _hashes_of(file, manifest.accepted_inputs)


def _hashes_of(file: DataFile, hashes: Mapping[str, str]) -> set[str]:
    """Return the hashes that a file has among those of paths, whatever folder it lay in."""
    folder = str(PurePath(file.canonical).parent)
    others = ((parse_path(Path(name), folder), hashed) for name, hashed in hashes.items())
    return {hashed for other, hashed in others if other is not None and other.key == file.key}


def _content_hash(model: Model, file: DataFile) -> str:
    """Hash a file; of a list of ids, only the ids and their order count."""
    dataset = model.dataset
    if file.kind is Kind.ITEMS:
        return dataset.list_digest(file.path)
    if file.kind is Kind.MASK and not file.path.is_file():
        return ""
    return dataset.digest(file.path)


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
    vectors = model.manifest.form == "vectors" and model.manifest.users == "factors"
    if model.manifest.form == "factors" or vectors:
        kind = "als" if vectors else model.target_kind
        spec = TargetSpec(kind, model.manifest.target_dim)
        companions = companion_factors(dataset, spec)
        if not vectors:
            files += [dataset.find(Kind.TARGETS, split="train", **spec.fields)]
        files += [file for file in dataset.own_files if file.path in companions]
    if model.manifest.form == "vectors" and model.manifest.users == "own":
        files.append(dataset.find(Kind.TRAIN_MATRIX))  # whose columns the users are
    if model.manifest.form == "vectors" and model.manifest.users == "features":
        settings = model.manifest.settings
        files += [dataset.find(Kind.FEATURES, setting=name, split="train") for name in settings]
    return [file for file in files if file is not None]
