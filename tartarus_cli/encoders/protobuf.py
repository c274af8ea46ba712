"""Protocol buffers, read field by field without a description of them."""

from __future__ import annotations

from collections.abc import Iterator

Content = bytes | memoryview


def read_fields(message: Content) -> Iterator[tuple[int, int | Content]]:
    """Yield the numbers of the fields of a message, with their values.

    Parameters
    ----------
    message
        Its bytes. Of a memory view, values are views too, and nothing is copied.

    Raises
    ------
    LookupError
        If it is no message.
    ValueError
        If a number in it is too long.

    Examples
    --------
    >>> [*read_fields(bytes([8, 1, 18, 2, 104, 105]))]
    [(1, 1), (2, b'hi')]
    """
    at = 0
    value: int | Content
    while at < len(message):
        tag, at = read_varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = read_varint(message, at)
        else:
            length, at = read_varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value = message[at : at + length]
            at += length
        yield tag >> 3, value


def read_messages(message: Content, *numbers: int) -> Iterator[Content]:
    """Yield the messages in the fields of some numbers."""
    for number, value in read_fields(message):
        if number in numbers and not isinstance(value, int):
            yield value


def read_varint(message: Content, at: int) -> tuple[int, int]:
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
