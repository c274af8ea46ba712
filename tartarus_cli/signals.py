"""Stopping between two steps of a computation, and not in the middle of one.

A signal may reach Python while JAX runs Python code of its own, and the exception is then lost or
ends in a crash. Inside of :func:`defer_interrupts`, signals are only remembered; the function that
it yields acts on them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

END_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The request to end that ``kill`` sends, and the end of the terminal."""
STOP_SIGNALS = (signal.SIGINT, *END_SIGNALS)
"""Ctrl-C, and the others."""

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
    handlers = {number: signal.getsignal(number) for number in _heeded()}
    _pending = []

    def remember(number: int, _frame: FrameType | None) -> None:
        if _pending is not None:
            _pending.append(number)
        signal.signal(number, handlers[signal.Signals(number)])

    for number in handlers:
        signal.signal(number, remember)
    try:
        yield _raise_pending
        _raise_pending()
    finally:
        _pending = None
        for number, handler in handlers.items():
            signal.signal(number, handler)


def act_on_interrupts() -> None:
    """Act on signals that wait to be acted on, where code waits for others for long."""
    _raise_pending()


def exit_status(number: int) -> int:
    """Return the exit status of a command that a signal ends, as shells write it.

    >>> exit_status(signal.SIGINT), exit_status(signal.SIGTERM)
    (130, 143)
    """
    return 128 + number


def at_the_edges() -> None:
    """Let signals end the process at once: before a command begins, and after it has ended.

    There is nothing to tidy up then, and an exception might be lost in a library that is being
    loaded, or in what Python does at its end.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _heeded():
            signal.signal(number, _end_at_once)


def while_running() -> None:
    """Let signals end a command in order: by ``KeyboardInterrupt`` or ``SystemExit``."""
    _end_orderly(_heeded())


def _end_orderly(numbers: Iterable[signal.Signals]) -> None:
    for number in numbers:
        ctrl_c = number == signal.SIGINT
        signal.signal(number, signal.default_int_handler if ctrl_c else _end_in_order)


@contextmanager
def in_order() -> Iterator[None]:
    """Let signals end what happens inside in order, and the process at once before and after it.

    A polite kill, as of a cluster's scheduler, lets a command tidy up first; so does the end of the
    terminal, but for a command that was started to outlive it. Nothing is changed but in a process
    whose edges :func:`at_the_edges` has set.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    edges = [number for number in _heeded() if signal.getsignal(number) is _end_at_once]
    try:
        _end_orderly(edges)
        yield
    finally:
        for number in edges:
            signal.signal(number, _end_at_once)


def _heeded() -> list[signal.Signals]:
    """List the signals that the process was not started to ignore, as ``nohup`` does."""
    ignored = (signal.SIG_IGN, None)
    return [number for number in STOP_SIGNALS if signal.getsignal(number) not in ignored]


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    with suppress(Exception):  # a reader that is gone, or a stream that is closed
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(exit_status(number))


def _end_in_order(number: int, _frame: FrameType | None) -> None:
    sys.exit(exit_status(number))


def is_signalled() -> bool:
    """Whether a signal waits, inside of :func:`defer_interrupts`, to be acted on."""
    return bool(_pending)


def _raise_pending() -> None:
    if _pending:
        signal.raise_signal(_pending.pop())
