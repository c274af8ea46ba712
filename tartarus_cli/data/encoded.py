"""Settings that encoders made: what their manifests say of it."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from tartarus_cli.encoders import ENCODERS
from tartarus_cli.errors import call


class EncoderRecord(BaseModel):
    """How an encoder made the vectors of a setting."""

    model_config = ConfigDict(frozen=True)

    recipe: dict[str, Any]
    """What ``encoders.recipe.EncoderRecipe`` reads: the encoder may be a plug-in that is gone."""
    kind: Literal["audio", "text"]
    """Whether it encodes recordings or documents."""
    pool: Literal["mean", "mean+std", "max"] = "mean"
    """How the vectors of the windows of a recording became one."""
    weights_file: str = ""
    """Absolute path of the file of weights that the user named; empty if it is in the cache."""
    encoding: str | None = None
    """Encoding of documents without a byte-order mark; None: UTF-8."""
    labels: list[str] = []
    """What each column stands for, such as the names of tags; empty if they have no names."""


class ProgramRecord(BaseModel):
    """How a program of others made the vectors of a setting."""

    model_config = ConfigDict(frozen=True)

    command: str
    """The command, as it was given. A manifest may come from anybody: nothing runs it unless the
    user gives the same command."""
    code: dict[str, str] = {}
    """Word of the command that named a file of code → BLAKE2b hash of that file."""
    kind: Literal["audio", "text"]
    """Whether it reads recordings or documents."""
    encoding: str | None = None
    """Encoding of documents without a byte-order mark; None: UTF-8."""


def embed_call(
    record: EncoderRecord | ProgramRecord, dataset: str, setting: str, *, missing: str | None = None
) -> str:
    """Write, for a message, the call that makes a setting by an encoder again.

    Parameters
    ----------
    record
        How it was made.
    dataset, setting
        Their names.
    missing
        What items without a vector are, if it has to be said.
    """
    if isinstance(record, ProgramRecord):
        return call(
            "embed",
            dataset,
            command=record.command,
            source="documents" if record.kind == "text" else None,
            setting=setting,
            encoding=record.encoding,
            missing=missing,
        )
    recipe = {name: value for name, value in record.recipe.items() if value not in (None, "")}
    name, options = str(recipe.get("encoder")), dict(recipe.get("options") or {})
    layer = recipe.get("layer")
    window_s = recipe.get("window_s", 0) if record.kind == "audio" else None
    hop_s = None if (hop_s := recipe.get("hop_s")) == window_s else hop_s
    if name in ENCODERS.names():
        encoder = ENCODERS.get(name)
        defaults = encoder.options().model_dump(mode="json")
        options = {key: value for key, value in options.items() if defaults.get(key) != value}
        layer = None if layer == encoder.layers[0] else layer
        window_s = None if (window_s or None) == encoder.window_s else window_s
        hop_s = None if window_s is None and hop_s == encoder.hop_s else hop_s
    overrides = [f"{key}={json.dumps(value)}" for key, value in options.items()]
    return call(
        "embed",
        dataset,
        name,
        setting=None if setting == name else setting,
        window=window_s,
        hop=hop_s,
        pool=None if record.pool == "mean" else record.pool,
        layer=layer,
        overrides=overrides or None,
        weights=record.weights_file or None,
        encoding=record.encoding,
        missing=missing,
    )
