"""What takes long to make, made once for all workers of a run."""

import os
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that ``make`` fills, given its path; nobody may change it afterwards.

    Workers that come while it is being made wait for it; if that failed, the next one tries again.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # which all workers of this run have in common
    folder, complete = base / f"shared-{name}", base / f"shared-{name}.complete"
    with FileLock(base / f"shared-{name}.lock"):
        if not complete.exists():
            rmtree(folder, ignore_errors=True)
            make(folder)
            complete.touch()
    return folder
