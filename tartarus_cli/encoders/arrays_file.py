"""Files of named float32 arrays in the format of safetensors, always the same bytes.

A file is the length of its header (8 bytes), the header (JSON: the type, shape and place of each
array), and the arrays in alphabetical order. It can be read by any library of that format; nothing
in it is ever executed. The bytes do not depend on versions, so that their hash can be known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPE = "F32"
ALIGNMENT = 8  # bytes


def write_arrays(arrays: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return the bytes of a file of arrays."""
    header: dict[str, object] = {}
    end = 0
    for name, array in sorted(arrays.items()):
        start, end = end, end + array.nbytes
        header[name] = {"dtype": TYPE, "shape": [*array.shape], "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    content = [np.ascontiguousarray(array, "<f4").tobytes() for _, array in sorted(arrays.items())]
    return b"".join([len(text).to_bytes(8, "little"), text, *content])


def read_arrays(content: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the arrays of a file, which are read-only.

    Raises
    ------
    ValueError
        If the bytes are no file of float32 arrays, or end early.

    Examples
    --------
    >>> read_arrays(write_arrays({"bias": np.ones(2, np.float32)}))["bias"].tolist()
    [1.0, 1.0]
    """
    start = 8 + int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8:start])
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return {name: _array(entry, content, start) for name, entry in entries.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        msg = "this is no file of float32 arrays in the format of safetensors"
        raise ValueError(msg) from None


def _array(entry: Mapping[str, Any], content: bytes, start: int) -> NDArray[np.float32]:
    shape, (first, end) = tuple(entry["shape"]), entry["data_offsets"]
    if entry["dtype"] != TYPE or first < 0 or end - first != 4 * prod(shape):
        msg = "a type or a size is wrong"
        raise ValueError(msg)
    return np.frombuffer(content, "<f4", prod(shape), start + first).reshape(shape)
