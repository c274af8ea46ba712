"""Stopping between two steps of a computation, and not in the middle of one.

A signal may reach Python while JAX runs Python code of its own, and the exception is then lost or
ends in a crash. Inside of :func:`defer_interrupts`, signals are only remembered; the function that
it yields acts on them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and the request to end that ``kill`` sends."""

# Signals that wait to be acted on; None outside of the context.
_pending: list[int] | None = None


@contextmanager
def defer_interrupts() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C and ``kill`` wait until the yielded function is called, or the block ends.

    The function does what a signal that arrived meanwhile does otherwise: ``KeyboardInterrupt``,
    or the end of the process. Of nested blocks the end of the outermost one counts. A second
    signal of the same kind acts at once. Outside of the main thread nothing is changed.

    Yields
    ------
    The function to call between two steps of the computation.
    """
    global _pending  # noqa: PLW0603 — signals are the process's own
    if _pending is not None or threading.current_thread() is not threading.main_thread():
        yield _raise_pending
        return
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    _pending = []

    def remember(number: int, _frame: FrameType | None) -> None:
        if _pending is not None:
            _pending.append(number)
        signal.signal(number, handlers[signal.Signals(number)])

    for number in STOP_SIGNALS:
        signal.signal(number, remember)
    try:
        yield _raise_pending
        _raise_pending()
    finally:
        _pending = None
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _raise_pending() -> None:
    if _pending:
        signal.raise_signal(_pending.pop())
