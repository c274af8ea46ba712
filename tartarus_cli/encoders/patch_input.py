"""Patches as the file of a network describes them that Tartarus exported."""

from __future__ import annotations

import json

from pydantic import ValidationError

from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.encoders.onnx_session import OnnxSession
from tartarus_cli.errors import TartarusError

INPUTS = "tartarus.inputs"
"""The property of a file that describes what the network reads: JSON."""


def patch_recipe(session: OnnxSession) -> PatchRecipe | None:
    """Return how the patches are made that a network reads; None if its file describes none.

    Raises
    ------
    ValueError
        If they would have to be scaled before the network, or their transform is not there.
    """
    try:
        inputs = json.loads(session.properties.get(INPUTS, "[]"))
        described = inputs[0] if len(inputs) == 1 else {}
        recipe, scaling = described.get("patches"), described.get("scaling")
    except (ValueError, RecursionError, AttributeError, TypeError, LookupError):
        return None  # of some other program
    if recipe is None:
        return None
    if scaling != "by the network":
        msg = "the patches of the model have to be scaled before it, by what is not in the file"
        raise ValueError(msg)
    try:
        return PatchRecipe.model_validate(recipe)
    except (ValidationError, TartarusError) as problem:
        reason = str(problem).splitlines()[0][:200]
        msg = f"the patches that the file describes cannot be made here: {reason}"
        raise ValueError(msg) from None
