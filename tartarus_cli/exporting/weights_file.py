"""Files of safetensors: weights by layer and variable, or the arrays of a baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.environment import keras_defaults, open_keras
from tartarus_cli.errors import RequestError, call
from tartarus_cli.exporting.metadata import describe_model
from tartarus_cli.models.networks import load_network
from tartarus_cli.models.predictors import read_fitted_arrays
from tartarus_cli.models.store import Model


def put_safetensors(path: Path, model: Model) -> dict[str, Any]:
    """Write the weights of a network, or the arrays of a baseline, into a temporary file.

    Returns
    -------
    ``tensors``: name → shape.

    Raises
    ------
    RequestError
        If the model is a baseline that learnt no arrays.
    DataError
        If a file of the model is missing or damaged.
    """
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(values) for name, values in _arrays(model).items()}
    save_file(arrays, path, describe_model(model))
    _sort_metadata(path)
    return {"tensors": {name: list(values.shape) for name, values in arrays.items()}}


def _sort_metadata(path: Path) -> None:
    """Bring the texts of a file, which the library writes in any order, into that of their names.

    The file begins with the length of its header, which is JSON that spaces may follow.
    """
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) <= length:
            file.seek(8)
            file.write(text.ljust(length))


def _arrays(model: Model) -> dict[str, NDArray[Any]]:
    baseline = model.baseline
    if baseline is not None:
        arrays = read_fitted_arrays(model, baseline) if model.arrays.exists() else {}
        if arrays:
            return arrays
        msg = f"{model.name} ({model.manifest.experiment}) learnt no arrays that could be written"
        others = call("export", model.name, what="predictions", path="predictions.parquet")
        raise RequestError(msg, hint=f"What it predicts: {others}")
    open_keras()
    with keras_defaults():
        network = load_network(model)
        # The path begins with the name of the layer: dense_1/kernel.
        return {variable.path: np.asarray(variable) for variable in network.weights}
