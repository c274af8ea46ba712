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
                fields = dict(_message(entry))
                if fields.get(1) == FLOAT32:
                    tensors[key.decode()] = _tensor(fields, data)
    except (LookupError, struct.error, UnicodeDecodeError, TypeError, OverflowError):
        msg = "the index of the checkpoint is damaged"
        raise ValueError(msg) from None
    return tensors


def _tensor(fields: dict[int, int | bytes], data: bytes) -> NDArray[np.float32]:
    shape = _shape(bytes(fields.get(2, b"")))
    start, size = int(fields.get(4, 0)), int(fields.get(5, 0))
    if fields.get(3, 0) or size != 4 * prod(shape) or start + size > len(data):
        msg = "the index of the checkpoint does not fit its data"
        raise ValueError(msg)
    return np.frombuffer(data, "<f4", prod(shape), start).reshape(shape)


def _shape(message: bytes) -> tuple[int, ...]:
    """Read a TensorShapeProto: a message for each dimension."""
    return tuple(
        int(dict(_message(bytes(dim))).get(1, 0))
        for number, dim in _message(message)
        if number == 2
    )


def _table(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a table of LevelDB."""
    footer = index[-FOOTER:]
    if len(footer) < FOOTER or struct.unpack("<Q", footer[-8:])[0] != MARK:
        msg = "this is no index of a checkpoint"
        raise ValueError(msg)
    _, at = _varint(footer, 0)  # of a block that says where others are not
    _, at = _varint(footer, at)
    blocks, at = _varint(footer, at)
    size, _ = _varint(footer, at)
    for _, where in _block(index, blocks, size):
        start, at = _varint(where, 0)
        size, _ = _varint(where, at)
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
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _message(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the numbers of the fields of a protocol buffer, with their values."""
    at = 0
    value: int | bytes
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
        else:
            length, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value = message[at : at + length]
            at += length
        yield tag >> 3, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte; also return where it ends."""
    value = shift = 0
    while shift < 64:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    msg = "a number of the checkpoint is too long"
    raise ValueError(msg)
