"""Stopping between two steps of a computation, and not in the middle of one.

A signal may reach Python while JAX runs Python code of its own, and the exception is then lost or
ends in a crash. Inside of :func:`between_steps`, signals are only noted; ``check`` acts on them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def between_steps() -> Iterator[Callable[[], None]]:
    """Note Ctrl-C and a polite kill; the yielded function then does what they do otherwise.

    A second signal of the same kind acts at once. Outside of the main thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)
        signal.signal(number, before[signal.Signals(number)])

    def check() -> None:
        if noted:
            signal.raise_signal(noted.pop())

    for number in STOPPING:
        signal.signal(number, note)
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
