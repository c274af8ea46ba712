"""Find a layer of a model, or the models that it is made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tartarus_cli.errors import DataError, RequestError, call
from tartarus_cli.models.manifest import LayerInfo

if TYPE_CHECKING:
    from tartarus_cli.models.store import Model


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
