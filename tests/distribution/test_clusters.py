"""Work on a scheduler and workers that are processes of their own, one of them killed.

How to try it on a SLURM of one node, from the packages of Debian (as root, in a container):

    apt-get install slurm-wlm munge
    cat > /etc/slurm/slurm.conf <<END
    ClusterName=one
    SlurmctldHost=$(hostname)
    NodeName=$(hostname) CPUs=2 RealMemory=4000
    PartitionName=short Nodes=ALL Default=YES MaxTime=1:00:00 State=UP
    ProctrackType=proctrack/linuxproc
    TaskPlugin=task/none
    ReturnToService=2
    END
    service munge start; slurmctld; slurmd; sinfo
    tartarus init world --example; cd world; tartarus run cold_multi audio_vsm
    cat > slurm.toml <<END
    kind = "slurm"
    queue = "short"
    cores = 1
    memory = "2GB"
    walltime = "00:20:00"
    jobs = 2
    END
    tartarus evaluate --cluster slurm.toml -v           # beside it: squeue; scancel ONE_JOB
    tartarus patches DATASET --audio FOLDER --cluster slurm.toml
    tartarus run cold_multi audio_vsm --seeds 3 --cluster slurm.toml

The files in data/results have to be those of the same command without ``--cluster``; the job that
is cancelled costs its share again; after Ctrl-C, ``squeue`` is empty, and ``--resume`` goes on.
"""

import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tartarus_cli.distribution import Task, run_tasks
from tartarus_cli.distribution import run as running
from tartarus_cli.progress import SilentProgress
from tests.conftest import Command
from tests.distribution.clusters import RunningCluster, running_cluster
from tests.distribution.work import wait_for_file
from tests.processes import started, waited
from tests.worlds import World

pytestmark = pytest.mark.slow

USERS, ITEMS, DIM = 50, 90, 16

# What the user's code does on a worker: it waits for a file, there where ``first`` is not taken.
CODE = """
import os, time
from pathlib import Path
from distributed import get_worker

folder = Path({folder!r})

def waits():
    try:
        name = get_worker().name
    except ValueError:  # it runs where the command was given
        return False
    if {victim!r} not in ("anyone", name):
        return False
    try:
        (folder / "waiting").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

if waits():
    while not (folder / "go").exists():
        time.sleep(0.02)
"""


@dataclass
class Heard(SilentProgress):
    """Keeps what is warned of."""

    warnings: list[str] = field(default_factory=list)

    def warn(self, message: str) -> None:
        """Keep the message."""
        self.warnings.append(message)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """Return a scheduler with two workers."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as made:
        made.add_worker("one")
        made.add_worker("two")
        yield made


@pytest.fixture
def bare(tmp_path: Path) -> World:
    """Return a workspace with predictions, whose users are ranked for two at a time."""
    made = World(tmp_path / "bare")
    users = made.rng.standard_normal((USERS, DIM)).astype(np.float32)
    liked = made.rng.random((USERS, ITEMS)) < 0.2
    made.rankable(users, made.rng.standard_normal((ITEMS, DIM)), liked)
    np.save(made.root / "predicted.npy", made.rng.standard_normal((ITEMS, DIM)))
    return made


def words(world: World, *more: object) -> tuple[str, ...]:
    asked = ("--experiment", "rec_dense", "--dataset", "rec", "--memory", "5k", "-w", world.root)
    return tuple(map(str, ("evaluate", world.root / "predicted.npy", *asked, *more)))


def code(world: World, victim: str) -> Path:
    path = world.root / "waits.py"
    path.write_text(CODE.format(folder=str(world.root), victim=victim))
    return path


def taken(world: World) -> dict[str, bytes]:
    """Return all files of the results, which are gone afterwards."""
    folder = world.root / "data" / "results"
    found = {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}
    for name in found:
        (folder / name).unlink()
    return found


def test_a_worker_that_is_killed_costs_its_own_task_again(
    cluster: RunningCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy: list[set[str]] = []
    watch = running._Run._watch

    def watched(run: Any) -> None:
        watch(run)
        busy.append({run.known[address] for address, keys in run.busy.items() if keys})

    monkeypatch.setattr(running._Run, "_watch", watched)
    monkeypatch.setattr(running, "WATCH_S", 0.05)
    victim, go, heard = cluster.add_worker("victim"), tmp_path / "go", Heard()

    def kill() -> None:
        assert waited(lambda: (tmp_path / str(victim.pid)).exists() and "victim" in busy[-1])
        victim.kill()
        victim.wait()
        assert waited(lambda: bool(heard.warnings))
        go.touch()

    tasks = [
        Task(f"task {n}", {"started": str(tmp_path), "path": str(go), "number": n})
        for n in range(6)
    ]
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill)
        asked: Any = {"cluster": cluster.address, "folder": tmp_path, "progress": heard}
        done = list(run_tasks(wait_for_file, tasks, **asked))
        killed.result()
    assert sorted(result.task.name for result in done) == [task.name for task in tasks]
    assert not any(result.failed for result in done)
    assert victim.pid not in {result.value for result in done}
    (warning,) = heard.warnings
    assert warning.startswith("worker victim is gone; task ")


def test_an_evaluation_is_that_of_one_machine_though_a_worker_is_killed(
    cluster: RunningCluster, bare: World, tartarus: Command
) -> None:
    assert tartarus(*words(bare)).status == 0
    expected = taken(bare)
    victim = cluster.add_worker("prey")

    def kill() -> None:
        assert waited((bare.root / "waiting").exists)
        victim.kill()

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill)
        asked = words(bare, "--code", code(bare, "prey"), "--cluster", cluster.address)
        joined = tartarus(*asked)
        killed.result()
    assert joined.status == 0, joined.err
    assert taken(bare) == expected
    assert not (bare.root / "data" / "results" / "parts").exists()


def test_ctrl_c_keeps_what_was_ranked_and_resume_goes_on(
    cluster: RunningCluster, bare: World, tartarus: Command
) -> None:
    assert tartarus(*words(bare)).status == 0
    expected = taken(bare)
    parts = bare.root / "data" / "results" / "parts" / "predicted"
    asked = words(bare, "--code", code(bare, "anyone"), "--cluster", cluster.address)
    with started([sys.executable, "-m", "tartarus_cli", *asked]) as command:
        assert waited(lambda: len(list(parts.glob("users_*.npz"))) > 10)
        command.send_signal(signal.SIGINT)
        _, err = command.communicate()
    assert command.returncode == 130
    assert "--resume" in err
    assert not (bare.root / "data" / "results" / "predicted.json").exists()
    (bare.root / "go").touch()
    resumed = tartarus(*asked, "--resume")
    assert resumed.status == 0, resumed.err
    assert taken(bare) == expected
