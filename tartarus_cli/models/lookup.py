"""Find a layer of a model, the models that it is made of, or how far its training is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tartarus_cli.errors import DataError, FileError, RequestError, call, display_path
from tartarus_cli.files import locked
from tartarus_cli.models.checkpoint import CHECKPOINT, LOCK, CheckpointState, read_state
from tartarus_cli.models.manifest import UNREADABLE, LayerInfo

if TYPE_CHECKING:
    from tartarus_cli.models.store import Model, Store


def find_layer(model: Model, name: str) -> LayerInfo:
    """Find a layer by its name, its index, or ``output``.

    Raises
    ------
    RequestError
        If there is no such layer, which the hint lists, or the model is no network.
    """
    if model.manifest.blends:
        msg = f"{model.name} is made of other models, and has no layers itself"
        networks = [part for part, _ in model.parts if part.manifest.kind == "network"]
        of = f", such as {call('predict', networks[0].name, layer=name)}" if networks else ""
        raise RequestError(msg, hint=f"Read out a layer of a network{of}.")
    if model.manifest.kind == "baseline":
        msg = f"{model.name} is a baseline ({model.manifest.experiment}), which has no layers"
        raise RequestError(msg, hint="Read out a layer of a network.")
    layers = model.manifest.layers
    if name == "output":
        return layers[-1]
    if re.fullmatch(r"-?\d+", name) and -len(layers) <= int(name) < len(layers):
        return layers[int(name)]
    for layer in layers:
        if layer.name == name:
            return layer
    known = ", ".join(f"{i} {layer.name}" for i, layer in enumerate(layers))
    msg = f"{model.name} has no layer {name!r}"
    raise RequestError(msg, hint=f"Its layers are: {known}.")


def find_parts(model: Model) -> list[tuple[Model, float]]:
    """Return the models that a model blends, or adds its scores to, each with its weight.

    Raises
    ------
    DataError
        If one is gone.
    """
    manifest, parts = model.manifest, []
    for name, weight in manifest.parts.items():
        try:
            parts.append((model.store.get(name), weight))
        except RequestError:
            msg = f"{model.name} is made of other models, and {name} is gone"
            words = (manifest.experiment, *manifest.settings)
            again = call("train", *words, dataset=manifest.dataset)
            raise DataError(msg, hint=f"Train it again, with its parts: {again}") from None
    return parts


def is_being_trained(model: Model) -> bool:
    """Whether a process trains a model now."""
    path = model.folder / LOCK
    if model.manifest.status == "finished" or not path.is_file():
        return False
    try:
        with locked(path):
            return False
    except RequestError:
        return True
    except (FileError, OSError):
        return False


def has_checkpoint(model: Model) -> bool:
    """Whether a training that is not finished has written a checkpoint, which may be damaged."""
    return model.manifest.status != "finished" and (model.folder / CHECKPOINT).is_file()


def checkpoint_state(model: Model) -> CheckpointState | None:
    """Return how far the training of a model is that is not finished; None without a checkpoint."""
    try:
        return read_state(model.folder / CHECKPOINT) if has_checkpoint(model) else None
    except FileError:
        return None


def is_resumable(model: Model) -> bool:
    """Whether the training of a model was stopped, and could go on; or begin again.

    That its inputs are as they were is not looked at.
    """
    manifest = model.manifest
    if manifest is UNREADABLE or manifest.kind != "network" or manifest.status == "finished":
        return False
    if manifest.status == "failed" and not has_checkpoint(model):
        return False
    return not is_being_trained(model)


def way_on(model: Model) -> CheckpointState | None:
    """Return where a training goes on that was stopped; None without a checkpoint of it."""
    return checkpoint_state(model) if is_resumable(model) else None


def status_of(model: Model) -> str:
    """Say how far a training came, and whether it can go on."""
    status: str = model.manifest.status
    if status == "training" and not is_being_trained(model):
        status = "stopped"
    state = way_on(model)
    return status if state is None else f"{status}, {state.where}, resumable"


def unfinished(model: Model) -> RequestError | DataError:
    """Return an error of a model whose training did not come to an end."""
    others = f"{call('list_models')} shows the others."
    if model.manifest is UNREADABLE:
        msg = f"{display_path(model.folder / 'manifest.json')} is missing or damaged"
        return DataError(msg, hint=f"Train it again; {others}")
    if is_being_trained(model):
        return RequestError(f"{model.name} is being trained", hint=f"Wait until it ends; {others}")
    reason = model.manifest.reason or model.manifest.status
    again = "Train it again"
    if has_checkpoint(model):
        again = f"Go on with it: {call('train', resume=model.name)}"
    msg = f"the training of {model.name} was never finished ({reason})"
    return RequestError(msg, hint=f"{again}; {others}")


def is_group_name(name: str) -> bool:
    """Whether a name is that of a group of models, be there one or not.

    >>> is_group_name("group_1"), is_group_name("model_1")
    (True, False)
    """
    return re.fullmatch(r"group_[1-9]\d*", name) is not None


def group_error(store: Store, group: str) -> RequestError:
    """Return the error of a group in the place of a model.

    Raises
    ------
    RequestError
        If there is no such group.
    """
    from tartarus_cli.models.groups import Groups

    models = Groups(store.workspace).find(group).models
    msg = f"{group} is a group of models, and a single model is meant"
    return RequestError(msg, hint=f"Name one of its members: {', '.join(models)}.")
