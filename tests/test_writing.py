"""What killed writers left, links in the place of what is written, and writers at once."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tartarus_cli.errors import TartarusError
from tartarus_cli.files import (
    atomic_write,
    locked_folder,
    make_own_folder,
    remove_own_folder,
    temporary_folder,
    write_text,
)
from tests.conftest import Command
from tests.processes import ENOUGH_S, started, waited
from tests.test_killed_everywhere import EVALUATED, PREDICTED, TRAINED
from tests.worlds import World

DYING = """
import os, sys
from pathlib import Path
from tartarus_cli.files import atomic_write, temporary_folder, write_together
folder = Path(sys.argv[1])
with (
    atomic_write(folder / "a.txt") as one,
    write_together([folder / "b.txt"]) as others,
    temporary_folder(folder) as place,
):
    one.write_text("half")
    others[folder / "b.txt"].write_text("half")
    (place / "c.txt").write_text("half")
    os._exit(137)
"""


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".")]


def test_what_a_dead_writer_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    subprocess.run([sys.executable, "-c", DYING, tmp_path], check=False)  # noqa: S603 — ours
    assert len(hidden(tmp_path)) == 3
    write_text(tmp_path / "other.txt", "x")
    assert [*tmp_path.iterdir()] == [tmp_path / "other.txt"]


def test_what_a_living_writer_is_writing_is_left_to_it(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.txt") as temporary, temporary_folder(tmp_path) as place:
        (place / "b.txt").write_text("b")
        temporary.write_text("a")
        write_text(tmp_path / "other.txt", "x")
        assert (place / "b.txt").read_text() == "b"
    assert (tmp_path / "a.txt").read_text() == "a"
    assert hidden(tmp_path) == []


def test_links_under_the_names_of_temporary_files_are_left_alone(tmp_path: Path) -> None:
    precious, folder = tmp_path / "precious.txt", tmp_path / "folder"
    precious.write_text("the only copy")
    folder.mkdir()
    (folder / ".tartarus-01234567-x.npy").symlink_to(precious)
    write_text(folder / "other.txt", "x")
    assert precious.read_text() == "the only copy"


@pytest.mark.parametrize("work", [make_own_folder, remove_own_folder])
def test_a_linked_staging_place_is_refused(work: Callable[[Path], None], tmp_path: Path) -> None:
    foreign, stage = tmp_path / "foreign", tmp_path / "data" / ".making"
    foreign.mkdir()
    (foreign / "precious.txt").write_text("the only copy")
    stage.parent.mkdir()
    stage.symlink_to(foreign)
    with pytest.raises(TartarusError, match="a symbolic link"):
        work(stage)
    assert os.listdir(foreign) == ["precious.txt"]  # noqa: PTH208 — what is there


def rows(world: World) -> list[str]:
    with (world.root / "data" / "results" / "results.tsv").open() as file:
        return [row["model"] for row in csv.DictReader(file, dialect="excel-tab")]


@pytest.mark.slow
def test_an_evaluation_adds_its_document_and_its_row_under_one_lock(
    world: World, tartarus: Command
) -> None:
    for words in (TRAINED, PREDICTED, EVALUATED, TRAINED, ("predict", "model_2")):
        assert tartarus(*words, "-w", world.root).status == 0
    results = world.root / "data" / "results"
    command_line = [
        sys.executable,
        "-m",
        "tartarus_cli",
        "evaluate",
        "model_2",
        "-w",
        str(world.root),
    ]
    with ExitStack() as release:
        release.enter_context(locked_folder(results))
        with started(command_line) as command:
            assert waited(lambda: bool([*results.glob(".tartarus-*model_2.json")]))
            assert not waited((results / "model_2.json").exists, 0.5)
            assert command.poll() is None
            (results / "results.tsv").unlink()  # as another evaluation replaces it
            release.close()
            assert command.wait(ENOUGH_S) == 0
    assert rows(world) == ["model_1", "model_2"]
