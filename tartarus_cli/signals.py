"""Stopping between two steps of a computation, and not in the middle of one.

A signal may reach Python while JAX runs Python code of its own, and the exception is then lost or
ends in a crash. Inside of :func:`defer_interrupts`, signals are only noted; ``check`` acts on them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


_noted: list[int] | None = None  # signals not yet acted on; None outside of the context


@contextmanager
def defer_interrupts() -> Iterator[Callable[[], None]]:
    """Note Ctrl-C and a polite kill; the yielded function then does what they do otherwise.

    So does the end of the outermost context, where contexts are nested. A second signal of the
    same kind acts at once. Outside of the main thread nothing is changed.
    """
    global _noted  # noqa: PLW0603 — signals are the process's own
    if _noted is not None or threading.current_thread() is not threading.main_thread():
        yield _check
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    _noted = []

    def note(number: int, _frame: FrameType | None) -> None:
        if _noted is not None:
            _noted.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in STOPPING:
        signal.signal(number, note)
    try:
        yield _check
        _check()
    finally:
        _noted = None
        for number, handler in before.items():
            signal.signal(number, handler)


def _check() -> None:
    if _noted:
        signal.raise_signal(_noted.pop())
