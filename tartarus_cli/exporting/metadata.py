"""What a file of a network says of itself: texts by name, most of them JSON."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from tartarus_cli.errors import TartarusError
from tartarus_cli.experiments.resolve import to_toml
from tartarus_cli.exporting.graph import GraphInput, NetworkGraph
from tartarus_cli.exporting.origins import describe_setting
from tartarus_cli.models.predictors import learns_norms
from tartarus_cli.models.store import Model

PREFIX = "tartarus."
"""How all names begin."""

BATCH = "batch"
"""Name of the axis of items."""


def describe_model(model: Model) -> dict[str, str]:
    """Return what model it is, of what, and how it was trained: name → text."""
    manifest, experiment = model.manifest, model.experiment
    document: dict[str, Any] = {
        "version": version("tartarus-cli"),
        "model": model.name,
        "experiment": manifest.experiment,
        "parameters": to_toml(experiment),
        "dataset": manifest.dataset,
        "task": manifest.task,
        "settings": manifest.settings,
        "seed": manifest.seed,
        "trained": manifest.started,
        "targets": {"kind": experiment.targets.kind, "dim": manifest.target_dim},
        "form": manifest.form,
    }
    if experiment.targets.kind == "class":
        document["classes"] = class_names(model)
    if manifest.parts:
        document["parts"] = manifest.parts
    return {f"{PREFIX}{name}": _text(value) for name, value in document.items()}


def describe_graph(model: Model, graph: NetworkGraph) -> dict[str, str]:
    """Return what a network reads and predicts, and how both are meant: name → text."""
    inputs = [_describe_input(model, each) for each in graph.inputs]
    output = {
        "name": graph.output,
        "shape": [BATCH, graph.width],
        "meaning": _meaning(model, graph),
    }
    document: dict[str, Any] = {"inputs": inputs, "outputs": [output], "precision": "float32"}
    precision = model.experiment.fitting.precision
    if precision != "float32":
        document["precision"] = f"float32, but {precision} in the training, and where it predicts"
    return {f"{PREFIX}{name}": _text(value) for name, value in document.items()}


def class_names(model: Model) -> list[str]:
    """Return the names of the classes, if the dataset still has as many; else none."""
    try:
        names = model.dataset.label_names or []
    except TartarusError:
        return []
    return names if len(names) == model.manifest.target_dim else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _describe_input(model: Model, each: GraphInput) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": each.name,
        "kind": each.kind,
        "shape": [BATCH, *each.shape],
        "type": "float32",
        "preparation": _preparation(each),
    }
    if each.setting:
        return document | {
            "setting": each.setting,
            "origin": describe_setting(model, each.setting),
        }
    recipe = None if each.recipe is None else each.recipe.model_dump(mode="json")
    frames, bins = each.shape[:2]
    scaling = "by the network" if each.scale else "before it" if recipe else "unknown"
    about = {"patches": recipe, "frames": frames, "bins": bins, "scaling": scaling}
    crops = model.experiment.fitting.crops
    if crops:
        about["crops"] = f"of {crops:g} s: a patch has the mean over crops, half a crop apart"
    return document | about


def _preparation(each: GraphInput) -> str:
    """Say what an input has to be."""
    if each.kind == "sequence":
        return "the numbers of the words, as the vocabulary of the setting has them, as floats"
    if each.kind == "features":
        return "rows as the setting has them, nothing else is scaled; zeros where an item lacks it"
    patch = "patches in decibels below the loudest value of the recording, from -80 to 0"
    if each.scale:
        return f"{patch}: the network scales them"
    if each.recipe:
        return f"{patch}, scaled at each place by the scaler of the patches"
    return "scaled patches, as the file of patches has them, which does not say how they were made"


def _meaning(model: Model, graph: NetworkGraph) -> str:
    """Say what the columns of the output are."""
    if graph.output.removesuffix("_output") not in ("vectors", "scores", "factors"):
        return "values of the layer"
    if model.manifest.form == "vectors":
        return (
            "the vector of the item and, in the last column, its bias: a score is the product of "
            "the vector and a user's, plus the bias"
        )
    if model.experiment.targets.kind == "class":
        return "a score for each class, in their order"
    if model.experiment.targets.kind == "pmi":
        return "factors: a score is the cosine of them and those of a user, or of a class"
    if learns_norms(model) or (model.manifest.scoring or model.experiment.scoring) == "dot":
        return "factors: a score is the product of them and a user's factors"
    return "factors: divided by their L2 norm and multiplied by a user's, they are a score"
