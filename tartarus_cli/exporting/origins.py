"""How the settings of a dataset were made, as far as the files beside them say it."""

from __future__ import annotations

import json
import re
from typing import Any

from tartarus_cli.data.provenance import read_feature_manifest
from tartarus_cli.errors import TartarusError
from tartarus_cli.file_names import Kind
from tartarus_cli.files import read_text
from tartarus_cli.models.store import Model

LAYER = re.compile(r"(model_[1-9]\d*)-pred_(.+)")
"""Name of a setting that is a layer of a model."""


def describe_setting(model: Model, setting: str) -> dict[str, Any]:
    """Return how a setting was made: plain values for JSON, empty if nobody recorded it.

    Of a setting that is not that of the training any more, nothing else is told.

    Parameters
    ----------
    model
        A model of the dataset.
    setting
        Name of the setting.
    """
    layer = LAYER.fullmatch(setting)
    if layer is not None:
        return {"model": layer[1], "layer": layer[2]}
    try:
        if _has_changed(model, setting):
            return {"changed": "made again since the training"}
        return _vocabulary(model, setting) or _imported(model, setting)
    except (TartarusError, ValueError, RecursionError):  # gone, or damaged
        return {}


def _has_changed(model: Model, setting: str) -> bool:
    """Whether the features of the train items are others than in the training."""
    file = model.dataset.find(Kind.FEATURES, split="train", setting=setting)
    if file is None:
        return False
    recorded = model.manifest.inputs.get(model.workspace.relative(file.path))
    return recorded is not None and recorded != model.dataset.digest(file.path)


def _vocabulary(model: Model, setting: str) -> dict[str, Any]:
    """Return what a vocabulary says, but for its words."""
    file = model.dataset.find(Kind.VOCABULARY, setting=setting)
    if file is None:
        return {}
    document = json.loads(read_text(file.path))
    if not isinstance(document, dict):
        return {}
    names = ("extractor", "options", "documents")
    plain = {name: document[name] for name in names if name in document}
    return plain | {"vocabulary": file.path.name, "blake2b": model.dataset.digest(file.path)}


def _imported(model: Model, setting: str) -> dict[str, Any]:
    file = model.dataset.find(Kind.FEATURE_MANIFEST, setting=setting)
    if file is None:
        return {}
    manifest = read_feature_manifest(file.path)
    if manifest.program is not None:
        return manifest.program.model_dump(exclude_none=True)
    if manifest.encoder is not None:
        return {**manifest.encoder.recipe, "pool": manifest.encoder.pool}
    if manifest.program is not None:
        return manifest.program.model_dump(mode="json", include={"command", "code", "kind"})
    origin: dict[str, Any] = {
        "source": manifest.source,
        "blake2b": manifest.digest,
        "kind": manifest.kind,
        "form": manifest.form,
        "width": manifest.width,
    }
    if manifest.scale is not None:
        origin["scale"] = manifest.scale.model_dump()
    return origin
