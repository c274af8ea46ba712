"""Checkpoints of TensorFlow, read with NumPy alone.

A checkpoint is a bundle of two files: the index is a table of LevelDB (blocks of sorted keys that
share their beginnings) whose values are protocol buffers, and the data holds the tensors, each
where its entry says. Nothing in either is executed.

Source: ``tensorflow/core/util/tensor_bundle`` and ``tensorflow/core/lib/io/table_format.txt``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.encoders.protobuf import Content, read_fields, read_varint

FOOTER = 48  # bytes at the end of an index: where its two lists of blocks are, and a mark
MARK = 0xDB4775248B80FB57
FLOAT32 = 1  # as TensorFlow numbers types of numbers
LEAST_BLOCK = 8  # bytes: no entry, one restart


def read_bundle(index: bytes, data: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the float32 tensors of a checkpoint of one shard, by their names.

    Parameters
    ----------
    index
        The content of its file ``.index``.
    data
        The content of its file ``.data-00000-of-00001``.

    Returns
    -------
    The tensors; those of other types are left out.

    Raises
    ------
    ValueError
        If the files are no checkpoint, damaged, compressed or of several shards.
    """
    tensors = {}
    try:
        for key, entry in _table(index):
            if key:  # the first one describes the bundle
                fields = dict(read_fields(entry))
                if fields.get(1) == FLOAT32:
                    tensors[key.decode()] = _tensor(fields, data)
    except (LookupError, struct.error, UnicodeDecodeError, TypeError, OverflowError):
        msg = "the index of the checkpoint is damaged"
        raise ValueError(msg) from None
    return tensors


def _tensor(fields: dict[int, int | Content], data: bytes) -> NDArray[np.float32]:
    shape = _shape(bytes(fields.get(2, b"")))
    start, size = int(fields.get(4, 0)), int(fields.get(5, 0))
    if fields.get(3, 0) or size != 4 * prod(shape) or start + size > len(data):
        msg = "the index of the checkpoint does not fit its data"
        raise ValueError(msg)
    return np.frombuffer(data, "<f4", prod(shape), start).reshape(shape)


def _shape(message: bytes) -> tuple[int, ...]:
    """Read a TensorShapeProto: a message for each dimension."""
    return tuple(
        int(dict(read_fields(bytes(dim))).get(1, 0))
        for number, dim in read_fields(message)
        if number == 2
    )


def _table(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a table of LevelDB."""
    footer = index[-FOOTER:]
    if len(footer) < FOOTER or struct.unpack("<Q", footer[-8:])[0] != MARK:
        msg = "this is no index of a checkpoint"
        raise ValueError(msg)
    _, at = read_varint(footer, 0)  # of a block that says where others are not
    _, at = read_varint(footer, at)
    blocks, at = read_varint(footer, at)
    size, _ = read_varint(footer, at)
    for _, where in _block(index, blocks, size):
        start, at = read_varint(where, 0)
        size, _ = read_varint(where, at)
        yield from _block(index, start, size)


def _block(index: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    if size < LEAST_BLOCK or start + size >= len(index):
        msg = "the index of the checkpoint ends early"
        raise ValueError(msg)
    if index[start + size]:
        msg = "the index of the checkpoint is compressed"
        raise ValueError(msg)
    block = index[start : start + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    end = size - 4 - 4 * restarts
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        own, at = read_varint(block, at)
        length, at = read_varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length
