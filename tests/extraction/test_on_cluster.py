"""``patches`` and ``text`` on a cluster: the files are those of one machine, whatever happens."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.distribution import run_tasks
from tartarus_cli.extraction import prepared_documents, recording_shares, shares
from tartarus_cli.extraction.patch_job import PatchJob
from tartarus_cli.extraction.processes import ProcessStart, lasting_pool
from tartarus_cli.extraction.recording_shares import share_size
from tartarus_cli.extraction.workers import Recording, prepare_all
from tests.conftest import Command
from tests.distribution.clusters import RunningCluster, running_cluster
from tests.extraction.test_document_shards import files, songs
from tests.processes import waited
from tests.sounds import FAST, Sounds

ORDER = ("--seconds", "0.3", "--patches", "2", *FAST)
TEXT = ("--words", "7")

# What the user's code does on a worker: one waits in its first share, and tells that it does.
CODE = """
import time
from pathlib import Path

import tartarus_cli.extraction.recording_shares as shares
from distributed import get_worker

def wait(*arguments):
    Path({folder!r}, "waiting").touch()
    time.sleep(600)

try:
    name = get_worker().name
except ValueError:  # it runs where the command was given
    name = ""
if name == "victim":
    shares.prepare_all = wait
"""


def here(function: Any, tasks: Any, *, cluster: str, **more: Any) -> Any:
    """Do the shares in this process, the last ones first."""
    assert cluster == "local"
    return run_tasks(function, [*reversed(tasks)], cluster=None, **more)


def damaged(root: Path) -> Sounds:
    """Return a workspace with recordings, one of which is none."""
    sounds = Sounds(root)
    (sounds.audio / "val-1.wav").write_text("no sound")
    return sounds


@pytest.mark.parametrize("count", [1, 7, 100, 5000, 1_000_000])
def test_there_are_shares_for_many_workers_and_none_is_long(count: int) -> None:
    size = share_size(count)
    assert 1 <= size <= 64
    assert -(-count // size) >= min(count, 12)


def test_shares_of_recordings_give_the_files_of_one_process(
    tmp_path: Path, tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "run_tasks", here)
    alone, shared = damaged(tmp_path / "alone"), damaged(tmp_path / "shared")
    first = tartarus("patches", "songs", "-w", alone.root, *ORDER, "--json")
    again = tartarus("patches", "songs", "-w", shared.root, *ORDER, "--json", "--cluster", "local")
    assert first.status == again.status == 0, again.err
    assert again.out == first.out
    assert shared.files() == alone.files()


def test_documents_that_were_shared_out_give_the_files_of_one_process(
    tmp_path: Path, tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "run_tasks", here)
    monkeypatch.setattr(prepared_documents, "BLOCK", 2)
    alone, shared = songs(tmp_path / "alone"), songs(tmp_path / "shared")
    said = []
    for world, more in ((alone, []), (shared, ["--cluster", "local"])):
        words = ("text", "songs", "vsm", *TEXT, "--text", world.root / "text", "-w", world.root)
        said.append(tartarus(*words, "--json", *more))
    assert said[0].status == said[1].status == 0, said[1].err
    assert said[0].out == said[1].out
    assert files(shared) == files(alone)


def test_a_share_that_fails_is_told_once_all_others_are_done_and_the_command_goes_on(
    tmp_path: Path, tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, shared = Sounds(tmp_path / "alone"), Sounds(tmp_path / "shared")
    monkeypatch.setattr(shares, "run_tasks", here)
    done = list[str]()

    def failing(job: Any, recordings: list[Recording], *more: Any) -> Iterator[Any]:
        if recordings[0].item == "train-2":
            raise OSError(5, "Input/output error")
        done.extend(recording.item for recording in recordings)
        return prepare_all(job, recordings, *more)

    ask = ("patches", "songs", *ORDER, "--cluster", "local")
    with monkeypatch.context() as patch:
        patch.setattr(recording_shares, "prepare_all", failing)
        failed = tartarus(*ask, "-w", shared.root)
    assert failed.status == 1
    assert "1 share of 8 of the recordings failed; recordings 3 to 3: Input/output" in failed.err
    assert "Then give the command again: it continues." in failed.err
    assert len(done) == 7
    assert not [*shared.patches.glob("*.hdf5")]
    assert tartarus(*ask, "-w", shared.root).status == 0
    assert tartarus("patches", "songs", *ORDER, "-w", alone.root).status == 0
    assert shared.files() == alone.files()


def start(recipe: PatchRecipe) -> ProcessStart:
    return PatchJob(recipe, Path(), Path(), keep_spectrograms=False).start


def test_processes_stay_for_the_next_share_of_the_same_recordings(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    recipe = PatchRecipe.model_validate({"transform": "cqt", "parameters": {}})
    with lasting_pool(start(recipe), 1) as first:
        pass
    with lasting_pool(start(recipe), 1) as again:
        assert again is first
    other = recipe.model_copy(update={"seed": 5})
    with lasting_pool(start(other), 1) as pool:
        assert pool is not first
    assert sounds.files() == {}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """Return a scheduler with two workers."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as made:
        made.add_worker("one")
        made.add_worker("two")
        yield made


@pytest.mark.slow
def test_patches_are_those_of_one_machine_though_a_worker_is_killed(
    cluster: RunningCluster, tmp_path: Path, tartarus: Command
) -> None:
    alone = damaged(tmp_path / "alone")
    copytree(alone.root, tmp_path / "shared")
    shared = Sounds(tmp_path / "shared")
    (shared.audio / "val-1.wav").write_text("no sound")
    assert tartarus("patches", "songs", "-w", alone.root, *ORDER).status == 0
    code = tmp_path / "waits.py"
    code.write_text(CODE.format(folder=str(tmp_path)))
    victim = cluster.add_worker("victim")

    def kill() -> None:
        assert waited((tmp_path / "waiting").exists)
        victim.kill()

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill)
        words = ("patches", "songs", "-w", shared.root, *ORDER, "--code", code)
        joined = tartarus(*words, "--cluster", cluster.address)
        killed.result()
    assert joined.status == 0, joined.err
    assert shared.files() == alone.files()


@pytest.mark.slow
def test_settings_of_documents_are_those_of_one_machine(
    cluster: RunningCluster, tmp_path: Path, tartarus: Command
) -> None:
    alone, shared = songs(tmp_path / "alone"), songs(tmp_path / "shared")
    for world, more in ((alone, []), (shared, ["--cluster", cluster.address])):
        words = ("text", "songs", "w2v", "--set", "dim=4", "--text", world.root / "text")
        assert tartarus(*words, "-w", world.root, *more).status == 0
    assert files(shared) == files(alone)
