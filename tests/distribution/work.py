"""Pieces of work for the tests of the room."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tartarus_cli.devices import chosen_device
from tartarus_cli.errors import RequestError
from tartarus_cli.progress import Progress


def square(*, number: int, progress: Progress) -> int:
    """Return a number times itself; an odd one is warned of, and a negative one refused."""
    if number < 0:
        msg = f"{number} is negative"
        raise RequestError(msg, hint="Take another.")
    if number % 2:
        progress.warn(f"{number} is odd")
    return number * number


def wait_for_file(*, started: str, path: str, number: int, progress: Progress) -> int:  # noqa: ARG001
    """Leave the number of the process in a folder, and return it once there is a file."""
    Path(started, str(os.getpid())).touch()
    while not Path(path).exists():
        time.sleep(0.02)
    return os.getpid()


def device() -> str:
    """Return the device that was asked for."""
    return chosen_device()
