"""A piece of work: a function of the package, with plain values as arguments."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from threading import Lock
from typing import Any

from tartarus_cli.devices import AUTO, on_device
from tartarus_cli.distribution.workers import worker_threads
from tartarus_cli.errors import TartarusError, system_error
from tartarus_cli.machine import limited_cores
from tartarus_cli.plugins import run_files
from tartarus_cli.progress import Progress, SilentProgress

TaskFunction = Callable[..., Any]
"""A function at the top of a module of the package. It takes plain values as keywords, and
``progress`` if it has something to say, and returns plain values; doing it twice is harmless."""


@dataclass(frozen=True)
class Task:
    """A piece of work that depends on no other."""

    name: str
    """What messages call it; unlike that of any other task beside it."""
    arguments: Mapping[str, Any]
    """Plain values, as JSON has them."""


@dataclass(frozen=True)
class TaskResult:
    """What became of a task."""

    task: Task
    value: Any = None
    """What the function returned."""
    error: str = ""
    """Why it failed; empty if it did not."""
    hint: str = ""
    """What to do about the error."""
    worker: str = ""
    """Who did it; empty: this process."""

    @property
    def failed(self) -> bool:
        """Whether it failed."""
        return bool(self.error)


class Warnings(SilentProgress):
    """Keeps the warnings of a worker, for the one who waits for it."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def warn(self, message: str) -> None:
        """Keep the message."""
        self.messages.append(message)


def name_of(function: TaskFunction) -> str:
    """Return the name by which a worker finds a function: its module and its own.

    Raises
    ------
    TypeError
        If it is not at the top of a module.
    """
    if "<" in function.__qualname__ or "." in function.__qualname__:
        msg = f"{function.__qualname__} is not at the top of its module"
        raise TypeError(msg)
    return f"{function.__module__}:{function.__qualname__}"


def attempt(
    function: TaskFunction, arguments: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Do a task, and return its value, or its error with the hint, as plain values."""
    told = {"progress": progress} if "progress" in signature(function).parameters else {}
    try:
        return {"value": function(**arguments, **told)}
    except TartarusError as problem:
        error = problem
    except OSError as problem:
        error = system_error(problem)
    except MemoryError:
        return {"error": "there is not enough memory", "hint": "Give each worker more of it."}
    return {"error": str(error), "hint": error.hint}


_ONE_AT_A_TIME = Lock()  # a worker may have several threads, and models have the whole process


def execute(name: str, document: str, code: Sequence[str], device: str = AUTO) -> str:
    """Do a task on a worker, with the cores that the worker has; one at a time.

    Parameters
    ----------
    name
        That of the function, from :func:`name_of`.
    document
        The arguments as JSON.
    code
        Files of the user's to run first; a file that ran already is not run again.
    device
        Where to compute, as the one who waits was asked.

    Returns
    -------
    JSON of the value or of the error, and of the warnings.
    """
    with _ONE_AT_A_TIME:
        return _execute(name, document, code, device)


def _execute(name: str, document: str, code: Sequence[str], device: str) -> str:
    warnings = Warnings()
    module, _, attribute = name.partition(":")
    try:
        run_files([Path(file) for file in code])
        function = getattr(import_module(module), attribute)
        with on_device(device), limited_cores(worker_threads()):
            outcome = attempt(function, json.loads(document), warnings)
    except TartarusError as problem:  # of the code, or of the device
        outcome = {"error": str(problem), "hint": problem.hint}
    return json.dumps(outcome | {"warnings": warnings.messages})
