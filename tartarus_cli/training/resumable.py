"""Trainings that were stopped, and can be gone on with: which they are, and what forbids it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version

from tartarus_cli.devices import current_device
from tartarus_cli.errors import (
    DataError,
    Placeholder,
    RequestError,
    TartarusError,
    call,
    display_path,
    parameter,
)
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.resolve import from_toml
from tartarus_cli.files import digest as digest_of
from tartarus_cli.models.checkpoint import CHECKPOINT, read_state
from tartarus_cli.models.lookup import has_checkpoint, is_being_trained, is_resumable
from tartarus_cli.models.manifest import UNREADABLE
from tartarus_cli.models.staleness import train_command
from tartarus_cli.models.store import Model, Store
from tartarus_cli.plugins import files_run
from tartarus_cli.progress import warn
from tartarus_cli.training.reuse import is_of_request, is_unchanged

COMPUTING = ("tartarus-cli", "keras", "jax", "numpy", "scipy")
"""Packages that a training computes with: other versions may round otherwise."""


def find_resumable(store: Store, request: TrainingRequest) -> Model | None:
    """Return the newest model whose stopped training a request would repeat; None if none is.

    It has the same experiment, settings and seed, learns from files that are as they were, and no
    process trains it now: :func:`tartarus_cli.training.train.resume` goes on with it, to the same
    weights as those of a training that was never stopped.

    Parameters
    ----------
    store
        The models of a workspace.
    request
        What would be trained; the experiment has the sizes of its dataset.
    """
    for model in reversed(store.all()):
        if is_resumable(model) and is_of_request(model, request):
            try:
                require_resumable(model)
            except TartarusError:
                continue
            return model
    return None


def choose_resumable(store: Store, name: str | None) -> Model:
    """Return a model to go on with: that of a name, or the newest whose training was stopped.

    Without a checkpoint it is that only if no model is newer.

    Raises
    ------
    RequestError
        If there is none; the hint says what to do instead.
    """
    if name is not None:
        return store.find(name)
    models = store.all()
    for model in reversed(models):
        if is_resumable(model) and (has_checkpoint(model) or model is models[-1]):
            return model
    msg = "there is no training that was stopped and could go on"
    training = next((model for model in reversed(models) if is_being_trained(model)), None)
    if training is not None:
        msg += f": {training.name} is being trained"
        raise RequestError(msg, hint="Wait until it ends.")
    command = call("train", Placeholder("EXPERIMENT"), Placeholder("SETTING"))
    hint = f"Give the command again that was stopped; {call('list_models')} shows all models."
    raise RequestError(msg, hint=hint if models else f"Train a model: {command}")


def require_resumable(model: Model) -> None:
    """Make sure that the training of a model can go on, and would come to the same weights.

    Raises
    ------
    RequestError
        If it is finished, takes no steps, or is being trained by another process.
    DataError
        If its manifest or checkpoint is damaged, or a file, code or a library has changed.
    """
    manifest = model.manifest
    if manifest is UNREADABLE:
        msg = f"{display_path(model.folder / 'manifest.json')} is missing or damaged"
        raise DataError(msg, hint=f"Delete {model.name}: {call('delete_models', model.name)}")
    if manifest.status == "finished":
        msg = f"{model.name} is finished: there is nothing to go on with"
        hint = f"{call('list_models')} shows what was stopped."
        raise RequestError(msg, hint=hint)
    if manifest.kind == "baseline":
        msg = f"{model.name} ({manifest.experiment}) takes no steps between which it could go on"
        raise RequestError(msg, hint=f"Train it again: {train_command(model)}")
    if is_being_trained(model):
        raise being_trained(model.name)
    _require_same_versions(model)
    _require_same_code(model)
    _require_unchanged(model)
    if (model.folder / CHECKPOINT).exists():
        read_state(model.folder / CHECKPOINT)


def being_trained(name: str) -> RequestError:
    """Return an error of a model that another process trains."""
    msg = f"{name} is being trained by another process"
    return RequestError(msg, hint="Wait until it ends, or stop it.")


def where(model: Model) -> str:
    """Say from where a training goes on."""
    path = model.folder / CHECKPOINT
    return read_state(path).where if path.exists() else "it has no checkpoint, and begins again"


def request_of(model: Model) -> TrainingRequest:
    """Return the request that trains a model.

    Raises
    ------
    DataError
        If its experiment is missing or damaged, or its code is gone.
    """
    experiment, manifest = model.experiment, model.manifest  # which runs its code
    code = tuple(file for file in files_run() if file.digest in manifest.code.values())
    settings, overrides = tuple(manifest.settings), tuple(manifest.overrides)
    return TrainingRequest(experiment, settings, manifest.seed, code, overrides)


def asked_for(model: Model) -> TrainingRequest:
    """Return the request by which a model is trained: its own, or that of what it is a part of.

    Raises
    ------
    DataError
        As :func:`request_of`; or if what it is a part of cannot be read.
    """
    part, whole = request_of(model), model.manifest.part_of
    if whole is None:
        return part
    try:
        experiment = from_toml(whole.experiment).with_settings(len(whole.settings))
    except (RequestError, ValueError) as problem:
        msg = f"what {model.name} is a part of cannot be read: {problem}"
        raise DataError(msg, hint="Give the command again that was stopped.") from None
    settings, overrides = tuple(whole.settings), tuple(whole.overrides)
    return TrainingRequest(experiment, settings, part.seed, part.code, overrides)


def require_same_inputs(model: Model, inputs: Mapping[str, str]) -> None:
    """Make sure that a training reads the files with which it began, and no other ones.

    Parameters
    ----------
    model
        The model.
    inputs
        File, relative to the workspace → its hash, of what it would read now.

    Raises
    ------
    DataError
        If there is another file; the message names the first.
    """
    recorded = model.manifest.inputs
    for name in sorted(inputs.keys() | recorded.keys()):
        if recorded and inputs.get(name) != recorded.get(name):
            change = "was not there" if name not in recorded else "is not what it was"
            raise _changed(model, display_path(model.workspace.root / name), change)


def _require_unchanged(model: Model) -> None:
    for name in model.manifest.inputs:
        path = model.workspace.root / name
        if not path.is_file():
            msg = f"{display_path(path)} is missing, from which {model.name} learns"
            raise DataError(msg, hint=f"Put it back, or train again: {train_command(model)}")
        if not is_unchanged(model, path):
            raise _changed(model, display_path(path), "is not what it was")


def _changed(model: Model, what: str, change: str) -> DataError:
    msg = f"{what} {change} when the training of {model.name} began: it would come to something "
    msg += "else"
    return DataError(msg, hint=f"Put it back as it was, or train again: {train_command(model)}")


def _require_same_code(model: Model) -> None:
    run = {file.digest for file in files_run()}
    for name, digest in model.manifest.code.items():
        path = model.workspace.root / name
        if digest in run or (path.is_file() and digest_of(path) == digest):
            continue
        if path.is_file():
            raise _changed(model, f"the code {display_path(path)}", "is not what it was")
        msg = f"{display_path(path)} is missing, the code that {model.name} is trained with"
        hint = f"Put it back, or name it where it is now: {parameter('code', Placeholder('FILE'))}."
        raise DataError(msg, hint=hint)


def _require_same_versions(model: Model) -> None:
    recorded, machine = model.manifest.versions, model.manifest.machine
    here = {name: version(name) for name in COMPUTING} | {"backend": os.environ["KERAS_BACKEND"]}
    others = {n: v for n, v in here.items() if recorded.get(n, v) != v}
    if others:
        began = ", ".join(f"{name} {recorded[name]}" for name in others)
        found = ", ".join(f"{name} {value}" for name, value in others.items())
        msg = f"the training of {model.name} began with {began}; here is {found}: it would come "
        msg += "to something else"
        command = train_command(model)
        hint = f"Go on with {began}, or train again: {command}"
        if "backend" in others:
            hint = f"Set KERAS_BACKEND={recorded['backend']}, or train again: {command}"
        raise DataError(msg, hint=hint)
    device, began_on = current_device(), machine.get("device", "")
    if began_on and device != began_on:
        change = f"it began on {began_on}, and goes on on {device}"
        warn(f"{model.name}: {change}: the last digits of its weights depend on that")
