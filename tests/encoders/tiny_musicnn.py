"""A checkpoint of TensorFlow with a tiny musicnn, and the network computed with NumPy alone."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[np.float32]]

FRONT: dict[str, tuple[int, int]] = {
    "conv2d": (7, 38),
    "conv2d_1": (7, 67),
    "conv2d_2": (9, 1),
    "conv2d_3": (8, 1),
    "conv2d_4": (4, 1),
}
FILTERS = (3, 2, 2, 1, 2)
MIDDLE = {"conv2d_5": sum(FILTERS), "conv2d_6": 4, "conv2d_7": 4}
WIDTH = 4  # of the middle
POOLED = sum(FILTERS) + 3 * WIDTH
PENULTIMATE, TAGS = 5, 3


def tiny_tensors(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Return arrays under the names of a checkpoint of musicnn, of few filters."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {}
    for (name, size), filters in zip(FRONT.items(), FILTERS, strict=True):
        shapes |= {f"{name}/kernel": (*size, 1, filters), f"{name}/bias": (filters,)}
    for name, channels in MIDDLE.items():
        shapes |= {f"{name}/kernel": (7, channels, 1, WIDTH), f"{name}/bias": (WIDTH,)}
    shapes |= {"dense/kernel": (2 * POOLED, PENULTIMATE), "dense/bias": (PENULTIMATE,)}
    shapes |= {"dense_1/kernel": (PENULTIMATE, TAGS), "dense_1/bias": (TAGS,)}
    for number, length in enumerate((1, *FILTERS, WIDTH, WIDTH, WIDTH, 2 * POOLED, PENULTIMATE)):
        name = "batch_normalization" + f"_{number}" * (number > 0)
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            shapes[f"{name}/{part}"] = (length,)
    tensors = {name: 0.3 * rng.standard_normal(shape) for name, shape in shapes.items()}
    tensors |= {name: np.abs(t) + 0.5 for name, t in tensors.items() if name.endswith("variance")}
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def varint(number: int) -> bytes:
    """Write a number of seven bits a byte."""
    digits = []
    while number >= 128:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def message(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def entry(shape: tuple[int, ...], start: int, size: int) -> bytes:
    """Write where a float32 array is, as TensorFlow's BundleEntryProto."""
    dims = b"".join(message(2, number(1, length)) for length in shape)
    checksum = varint(6 << 3 | 5) + bytes(4)
    return number(1, 1) + message(2, dims) + number(4, start) + number(5, size) + checksum


def block(pairs: Mapping[bytes, bytes]) -> bytes:
    """Write a block of a LevelDB table, whose keys share what they begin with."""
    content, before = b"", b""
    for key, value in pairs.items():
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        own = key[shared:]
        content += varint(shared) + varint(len(own)) + varint(len(value)) + own + value
        before = key
    return content + struct.pack("<II", 0, 1)


def checkpoint(tensors: Tensors) -> tuple[bytes, bytes]:
    """Return the index and the data of a checkpoint, with what the optimizer adds to it."""
    arrays = dict(tensors)
    arrays |= {f"{name}/Adam": 2 * array for name, array in tensors.items()}
    pairs = {b"": number(1, 1) + message(3, number(1, 1))}
    data = b""
    for name, array in sorted(arrays.items()):
        pairs[name.encode()] = entry(array.shape, len(data), array.nbytes)
        data += array.tobytes()
    content = block(pairs)
    index = content + bytes(5)  # not compressed, a checksum
    handles = {}
    for name, part in (("meta", {}), ("index", {b"~": varint(0) + varint(len(content))})):
        written = block(part)
        handles[name] = varint(len(index)) + varint(len(written))
        index += written + bytes(5)
    footer = (handles["meta"] + handles["index"]).ljust(40, b"\0")
    return index + footer + struct.pack("<Q", 0xDB4775248B80FB57), data


def wheel(path: Path, tensors: Tensors, folder: str = "MSD_musicnn") -> Path:
    """Write a package with such a checkpoint."""
    index, data = checkpoint(tensors)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("musicnn/__init__.py", "raise SystemExit('never run')")
        archive.writestr(f"musicnn/{folder}/.index", index)
        archive.writestr(f"musicnn/{folder}/.data-00000-of-00001", data)
    return path


def normalized(x: NDArray[np.float64], number: int, tensors: Tensors) -> NDArray[np.float64]:
    name = "batch_normalization" + f"_{number}" * (number > 0)
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    scale, shift, mean, variance = (tensors[f"{name}/{part}"].astype(float) for part in parts)
    return np.asarray((x - mean) / np.sqrt(variance + 1e-3) * scale + shift)


def convolved(
    image: NDArray[np.float64], name: str, tensors: Tensors, padding: tuple[int, int]
) -> NDArray[np.float64]:
    """Convolve ``(frames, bands)`` where the kernel fits, after zeros before and behind in time."""
    kernel = tensors[f"{name}/kernel"].astype(float)[:, :, 0]
    padded = np.pad(image, (padding, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[:2])
    sums = np.einsum("tfab,abc->tfc", windows, kernel)
    return np.asarray(np.maximum(sums + tensors[f"{name}/bias"], 0))


def tiny_outputs(window: NDArray[np.float32], tensors: Tensors) -> dict[str, NDArray[np.float64]]:
    """Compute each layer of a window ``(frames, bands)`` in double precision."""
    image = normalized(window.astype(float)[..., None], 0, tensors)[..., 0]
    front = []
    for at, (name, (height, _)) in enumerate(FRONT.items()):
        padding = ((height - 1) // 2, height // 2)
        normal = normalized(convolved(image, name, tensors, padding), 1 + at, tensors)
        front.append(normal.max(axis=1))
    layers = [np.concatenate(front, axis=1)]
    for at, name in enumerate(MIDDLE):
        convolution = convolved(layers[-1], name, tensors, (3, 3))[:, 0]
        normal = normalized(convolution, 6 + at, tensors)
        layers.append(normal + layers[-1] if at else normal)
    over_time = np.concatenate(layers, axis=1)
    outputs = {"mean_pool": over_time.mean(axis=0), "max_pool": over_time.max(axis=0)}
    pooled = np.stack([outputs["max_pool"], outputs["mean_pool"]], axis=1).reshape(-1)
    dense = normalized(pooled, 9, tensors) @ tensors["dense/kernel"] + tensors["dense/bias"]
    outputs["penultimate"] = normalized(np.maximum(dense, 0), 10, tensors)
    logits = outputs["penultimate"] @ tensors["dense_1/kernel"] + tensors["dense_1/bias"]
    outputs["tags"] = 1 / (1 + np.exp(-logits))
    outputs["timbral"] = np.concatenate(front[:2], axis=1).mean(axis=0)
    outputs["temporal"] = np.concatenate(front[2:], axis=1).mean(axis=0)
    return outputs
