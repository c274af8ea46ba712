"""Models in the format of ONNX, run by onnxruntime on one thread."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.encoders import Weights
from tartarus_cli.encoders.protobuf import Content, read_messages
from tartarus_cli.errors import FileError, nearest
from tartarus_cli.regular import open_regular

LIBRARY = "onnxruntime"
"""The module that runs models."""

FLOATS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
"""Types of inputs that take recordings."""

INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
"""Types of inputs that take tokens."""

TEXT = "tensor(string)"


def any_model(companions: Sequence[Path] = ()) -> Weights:
    """Return the weights of a model of the user's own, which only they can name."""

    def with_data(path: Path) -> list[Path]:
        return [*companion_files(path), *companions]

    return Weights(name="", digest="", size=0, source="", companions=with_data)


class OnnxSession:
    """A model that is ready, and its output that counts.

    Parameters
    ----------
    path
        The file of the model; data that it refers to lies beside it.
    output
        Name of the output; "": the first one.

    Raises
    ------
    FileError
        If the file is no model that onnxruntime can run.
    ValueError
        If there is no output of this name.
    """

    def __init__(self, path: Path, output: str = "") -> None:
        import onnxruntime

        self.path = path
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        settings.log_severity_level = 4  # what is wrong is raised
        companion_files(path)
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), settings, providers=["CPUExecutionProvider"]
            )
        except Exception as problem:  # noqa: BLE001 — onnxruntime raises classes of its own
            msg = f"onnxruntime cannot read it ({_reason(problem)})"
            raise self._error(msg) from None
        outputs = {each.name: each for each in self.session.get_outputs()}
        if output and output not in outputs:
            msg = f"the model has no output {output!r}. {nearest(output, outputs)}"
            raise ValueError(msg)
        self.output: Any = outputs[output] if output else self.session.get_outputs()[0]

    @property
    def inputs(self) -> dict[str, Any]:
        """Name → input that has to be given."""
        return {each.name: each for each in self.session.get_inputs()}

    @property
    def properties(self) -> dict[str, str]:
        """What the file says of itself: name → text."""
        return dict(self.session.get_modelmeta().custom_metadata_map)

    def only_input(self) -> Any:
        """Return the input, of which there is one, of floating-point numbers.

        Raises
        ------
        FileError
            If there are others.
        """
        inputs = list(self.inputs.values())
        if len(inputs) != 1 or inputs[0].type not in FLOATS:
            msg = "one input of floating-point numbers"
            raise self.other_inputs(msg)
        return inputs[0]

    def other_inputs(self, expected: str) -> FileError:
        """Return the error for a model that takes something else."""
        named = ", ".join(f"{each.name} ({each.type})" for each in self.session.get_inputs())
        return self._error(f"the inputs {named or 'none'}", expected)

    def run(self, values: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return the output for some inputs, which are converted to the types that it takes.

        Raises
        ------
        ValueError
            If the model cannot be run with them.
        """
        types = FLOATS | INTEGERS
        given: dict[str, NDArray[Any]] = {
            name: np.ascontiguousarray(value, types.get(self.inputs[name].type, value.dtype))
            for name, value in values.items()
        }
        try:
            (output,) = self.session.run([self.output.name], given)
        except Exception as problem:  # noqa: BLE001 — onnxruntime raises classes of its own
            shapes = ", ".join(f"{n} {'×'.join(map(str, v.shape))}" for n, v in given.items())
            msg = f"the model cannot be run with {shapes}: {_reason(problem)}"
            raise ValueError(msg) from None
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiu":
            msg = f"the output {self.output.name} holds no numbers"
            raise ValueError(msg)
        return np.asarray(output, np.float32)

    def _error(self, found: str, expected: str = "a model in the format of ONNX") -> FileError:
        hint = "Name the file of the model; data that it refers to must lie beside it."
        return FileError(self.path, found=found, expected=expected, hint=hint)


def average(output: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return the mean over all axes but one, ``(width,)``.

    Raises
    ------
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> average(np.array([[[1, 2], [3, 4]]], np.float32), -1).tolist()
    [2.0, 3.0]
    """
    if not -output.ndim <= axis < output.ndim:
        msg = f"the output has {output.ndim} axes: there is no axis={axis}"
        raise ValueError(msg)
    rows = np.moveaxis(output, axis, -1).reshape(-1, output.shape[axis])
    return np.asarray(rows.mean(axis=0, dtype=np.float64), np.float32)


def _reason(problem: Exception) -> str:
    return " ".join(str(problem).split())[:300] or type(problem).__name__


def companion_files(path: Path) -> list[Path]:
    """Return the files of data that a model refers to, all of which lie in its folder.

    Raises
    ------
    FileError
        If one is missing, or lies elsewhere.
    """
    names = _external_names(path)
    for name in names:
        file = path.parent / name
        inside = file.resolve().is_relative_to(path.parent.resolve())
        if not (inside and file.is_file()):
            found = "is missing" if inside else "lies outside of its folder"
            raise FileError(
                path,
                found=f"its data {name!r} {found}",
                expected="a model with all its data beside it",
                hint="Copy the data beside the model, under the name that it has there.",
            )
    return [path.parent / name for name in names]


GRAPH, NODE, INITIALIZER = 7, 1, 5
ATTRIBUTE, TENSORS, GRAPHS = 5, (5, 10), (6, 11)
EXTERNAL_DATA = 13
"""Numbers of fields in onnx.proto: of a model, a graph, a node, an attribute and a tensor."""


def _external_names(path: Path) -> list[str]:
    """Return the names of the files that hold data of a model; none if it is no model."""
    names: dict[str, None] = {}
    try:
        with open_regular(path) as file:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        for graph in read_messages(content, GRAPH):
            for tensor in _tensors(graph):
                names |= dict.fromkeys(_locations(tensor))
    except (LookupError, ValueError, RecursionError):
        return []  # onnxruntime says what is wrong with it
    return [*names]


def _tensors(graph: Content) -> Iterator[Content]:
    """Yield all tensors of a graph, those of its nodes included."""
    yield from read_messages(graph, INITIALIZER)
    for node in read_messages(graph, NODE):
        for attribute in read_messages(node, ATTRIBUTE):
            yield from read_messages(attribute, *TENSORS)
            for inner in read_messages(attribute, *GRAPHS):
                yield from _tensors(inner)


def _locations(tensor: Content) -> Iterator[str]:
    """Yield the name of the file that holds the data of a tensor, if one does."""
    for entry in read_messages(tensor, EXTERNAL_DATA):
        key, *values = (bytes(text) for text in read_messages(entry, 1, 2))
        if key == b"location":
            yield b"".join(values).decode("utf-8", "replace")
