"""Files of ONNX: the network of a model for other programs, compared with what Keras computes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.items import open_items
from tartarus_cli.devices import CPU, on_device
from tartarus_cli.environment import keras_defaults, open_keras
from tartarus_cli.errors import RequestError, TartarusError, call
from tartarus_cli.experiments.inputs import input_sources
from tartarus_cli.exporting.graph import GraphInput, NetworkGraph, open_graph
from tartarus_cli.exporting.metadata import BATCH, PREFIX, describe_graph, describe_model
from tartarus_cli.extras import require
from tartarus_cli.files import room_for
from tartarus_cli.models.store import Model

if TYPE_CHECKING:
    import onnx

LIBRARIES = ("jax2onnx", "onnx", "onnxruntime")

TOLERANCE = 1e-5
"""Between what Keras and the file compute; relative to numbers over 1."""

COMPARED_ITEMS = 16
"""Items of the dataset that are compared, at most; as many drawn inputs come to them."""

MAX_BYTES = (1 << 31) - (1 << 20)
"""Bytes of weights in a file; the format ends at 2 GiB."""

OPSET = 21
"""Version of the operators: a common one, which programs of 2024 and later know."""

EMPTY_DB = -80.0
"""The lowest value of a patch."""


class ConversionError(TartarusError):
    """A network cannot be converted, or the file computes something else."""


def put_onnx(path: Path, model: Model, layer: str | None) -> dict[str, Any]:
    """Write the network of a model, or its part up to a layer, into a temporary file of ONNX.

    Parameters
    ----------
    path
        The temporary file.
    model
        A network.
    layer
        Name or index of the layer; None: its output.

    Returns
    -------
    ``inputs`` and ``outputs``, each name → shape, and ``largest_difference`` from Keras.

    Raises
    ------
    TartarusError
        If a library is missing, the network cannot be converted, or the file computes something
        else than Keras.
    """
    for library in LIBRARIES:
        require(library)
    backend = os.environ["KERAS_BACKEND"]
    if backend != "jax":
        msg = f"networks are converted to ONNX with JAX, and KERAS_BACKEND={backend}"
        raise RequestError(msg, hint="Unset KERAS_BACKEND: a trained network can be read with any.")
    info = None if layer is None else model.layer(layer)
    with on_device(CPU):
        open_keras()
        with keras_defaults():
            graph = open_graph(model, info)
            proto = convert(graph, model.name)
            difference = compare(graph, proto, _inputs_to_compare(model, graph), model.name)
    properties = describe_model(model) | describe_graph(model, graph)
    properties[f"{PREFIX}largest_difference"] = repr(difference)
    for key, value in properties.items():
        proto.metadata_props.add(key=key, value=value)
    with room_for(path):
        path.write_bytes(proto.SerializeToString())
    return {
        "inputs": {each.name: [BATCH, *each.shape] for each in graph.inputs},
        "outputs": {graph.output: [BATCH, graph.width]},
        "largest_difference": difference,
    }


def convert(graph: NetworkGraph, name: str) -> onnx.ModelProto:
    """Convert the network of a model of a name, for any number of items.

    Raises
    ------
    ConversionError
        If that is not possible.
    """
    size = sum(4 * weights.size for weights in graph.network.get_weights())
    if size > MAX_BYTES:
        msg = f"the network of {name} has {size:,} bytes of weights, and ONNX takes 2 GiB"
        raise ConversionError(msg, hint=_weights_instead(name))
    import onnx_ir
    from jax2onnx import to_onnx
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    try:
        with _quiet():
            converted: Any = to_onnx(
                graph.trace,
                inputs=[(BATCH, *each.shape) for each in graph.inputs],
                model_name=name,
                opset=OPSET,
                input_names=[each.name for each in graph.inputs],
                output_names=[graph.output],
                return_mode="ir",
            )
            RemoveUnusedNodesPass()(converted)
            proto: Any = onnx_ir.to_proto(converted)
    except Exception as problem:  # noqa: BLE001 — a layer of one's own may let it raise anything
        reason = " ".join((str(problem) or type(problem).__name__).split())[:300]
        msg = f"the network of {name} cannot be converted to ONNX: {reason}"
        raise ConversionError(msg, hint=_weights_instead(name)) from None
    from importlib.metadata import version

    proto.producer_name, proto.producer_version = "tartarus-cli", version("tartarus-cli")
    return proto


def _weights_instead(name: str) -> str:
    return f"Its weights alone: {call('export', name, what='safetensors')}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Let the converter keep to itself what it notices of types inside."""
    logger = logging.getLogger("onnx_ir")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def compare(
    graph: NetworkGraph, proto: onnx.ModelProto, inputs: Sequence[NDArray[np.float32]], name: str
) -> float:
    """Return the largest difference between what a converted network and Keras compute.

    Parameters
    ----------
    graph, proto
        The network of a model, and what it was converted to.
    inputs
        What both read, ``(items, …)`` each.
    name
        Name of the model.

    Raises
    ------
    ConversionError
        If it is too large.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    expected = graph.predict(inputs)
    names = [each.name for each in graph.inputs]
    try:
        content = proto.SerializeToString()
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        rows, first = (
            session.run(None, dict(zip(names, arrays, strict=True)))[0]
            for arrays in (inputs, [values[:1] for values in inputs])
        )
    except Exception as problem:  # noqa: BLE001 — of the runtime's own, which have no common class
        reason = " ".join(str(problem).split())[:300]
        msg = f"the network of {name} was converted, but onnxruntime cannot run it: {reason}"
        raise ConversionError(msg, hint=_weights_instead(name)) from None
    difference = max(_difference(rows, expected), _difference(first, expected[:1]))
    if not difference <= TOLERANCE:
        msg = f"the network of {name} was converted, but what it computes differs from Keras "
        msg += f"by {difference:.2g}, more than {TOLERANCE:g}: nothing is written"
        raise ConversionError(msg, hint=_weights_instead(name))
    return difference


def _difference(rows: NDArray[Any], expected: NDArray[np.float32]) -> float:
    """Return the largest difference, relative to numbers over 1; infinite between other shapes."""
    if rows.shape != expected.shape or not np.isfinite(rows).all():
        return np.inf
    return float((np.abs(rows - expected) / np.maximum(1, np.abs(expected))).max(initial=0))


def _inputs_to_compare(model: Model, graph: NetworkGraph) -> list[NDArray[np.float32]]:
    """Return drawn inputs, zeros, and those of some items of the dataset, if they can be read."""
    rng = np.random.default_rng(0)
    drawn = [_drawn(rng, graph, each) for each in graph.inputs]
    read = _items_of(model, graph)
    if read is None:
        return drawn
    return [np.concatenate(pair) for pair in zip(read, drawn, strict=True)]


def _drawn(rng: np.random.Generator, graph: NetworkGraph, each: GraphInput) -> NDArray[np.float32]:
    shape = (COMPARED_ITEMS, *each.shape)
    if each.kind == "sequence":
        words = [layer.input_dim for layer in graph.network.layers if hasattr(layer, "input_dim")]
        values = rng.integers(0, min(words, default=2), shape).astype(np.float32)
        values[0] = 0
        return values
    if each.scale is not None:
        values = rng.uniform(EMPTY_DB, 0, shape).astype(np.float32)
        values[0] = EMPTY_DB
        return values
    values = rng.standard_normal(shape, np.float32)
    values[0] = 0  # an item that has nothing
    return values


def _items_of(model: Model, graph: NetworkGraph) -> Sequence[NDArray[np.float32]] | None:
    """Read some train items, spread over all; None if their files are gone, or others by now."""
    sources = input_sources(model.experiment, model.manifest.settings)
    try:
        items = open_items(model.dataset, sources, "train")
        count = len(items.items)
        samples = np.unique(np.linspace(0, count - 1, min(count, COMPARED_ITEMS)).astype(np.int64))
        arrays = items.read(samples)
    except TartarusError:
        return None
    shapes = [each.shape for each in graph.inputs]
    if len(arrays) == len(shapes):  # of patches, the first crop
        pairs = zip(graph.inputs, arrays, strict=True)
        arrays = tuple(x[:, : e.shape[0]] if e.kind == "patches" else x for e, x in pairs)
    if [values.shape[1:] for values in arrays] != shapes:
        return None
    finite = all(np.isfinite(values).all() for values in arrays)
    pairs = zip(graph.inputs, arrays, strict=True)
    return [each.unscaled(values) for each, values in pairs] if finite else None
