"""A run looks for the files of a workspace once, and opens each of them once."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command
from tests.worlds import World


class _Watch:
    """Counts what is opened to be read, and which folders are listed, while it is on."""

    def __init__(self) -> None:
        self.opened: Counter[str] | None = None
        self.listed: Counter[str] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.opened is None or self.listed is None or not arguments:
            return
        path = str(arguments[0])
        if event == "open" and _is_read(*arguments[1:3]) and "/.tartarus-" not in path:
            self.opened[path] += 1
        elif event in ("os.listdir", "os.scandir"):
            self.listed[path] += 1


def _is_read(mode: str | None, flags: int) -> bool:
    """Whether a file is opened to be read alone; ``os.open`` names flags and no mode."""
    if mode is None:
        return flags & (os.O_WRONLY | os.O_RDWR) == 0
    return not {*"wax+"} & {*mode}


_WATCH = _Watch()


@pytest.fixture(scope="module")
def _hook() -> None:
    sys.addaudithook(_WATCH)  # for good: there is no way to take a hook away


@contextmanager
def counted(root: Path) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """Yield what is opened and listed below a folder during the block, filled at its end."""
    opened: dict[str, int] = {}
    listed: dict[str, int] = {}
    _WATCH.opened, _WATCH.listed = Counter(), Counter()
    try:
        yield opened, listed
        for counts, found in ((_WATCH.opened, opened), (_WATCH.listed, listed)):
            for path, number in counts.items():
                if Path(path).is_relative_to(root):
                    found[str(Path(path).relative_to(root))] = number
    finally:
        _WATCH.opened = _WATCH.listed = None


QUICK = ("--set", "training.epochs=1", "--set", "network.hidden=[4]")


@pytest.mark.usefixtures("_hook")
@pytest.mark.parametrize(
    ("experiment", "settings"),
    [("rec_multi", ("text", "audio")), ("rec_sparse", ("text-sparse",)), ("knn", ("text",))],
)
def test_a_run_opens_each_file_once(
    experiment: str, settings: tuple[str, ...], tartarus: Command, world: World
) -> None:
    options = () if experiment == "knn" else QUICK
    with counted(world.root) as (opened, listed):
        done = tartarus(
            "run", experiment, *settings, "--dataset", "rec", *options, "-w", world.root
        )
    assert done.status == 0, done.err
    data = {path: n for path, n in opened.items() if path.startswith("data/datasets/")}
    assert f"data/datasets/train_data/X_train_{settings[0]}_rec" in "".join(data)
    assert "data/datasets/matrix_test_rec.npz" in data
    assert {path for path, n in data.items() if n != 1} == set()
    model = {path: n for path, n in opened.items() if path.startswith("data/models/model_1/")}
    # Keras opens its own file twice; the manifest is read again before its counts are raised.
    again = {f"data/models/model_1/{name}" for name in ("model.keras", "manifest.json")}
    assert {path for path, n in model.items() if n != 1} <= again
    looks = 2 if experiment == "knn" else 1  # what a dataset is for tells what a baseline learns
    assert (listed["data/datasets"], listed["data/datasets/train_data"]) == (looks, looks)
