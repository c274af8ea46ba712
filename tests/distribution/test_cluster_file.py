"""Tests of the files that name a cluster."""

from pathlib import Path

import pytest

from tartarus_cli.distribution.cluster_file import CLASSES, Kind, read_cluster_file
from tartarus_cli.distribution.engine import connect
from tartarus_cli.errors import FileError, RequestError
from tartarus_cli.progress import UNWATCHED

JOB = """
kind = "{kind}"
queue = "short"
account = "music"
cores = 4
processes = 2
memory = "8GB"
walltime = "00:20:00"
prologue = ["module load python"]
"""


CORES_AND_MEMORY = {
    "slurm": ("--cpus-per-task=4", "--mem=8G"),
    "sge": (),  # asked for with directives, whose names each site chooses
    "pbs": ("ncpus=4", "mem=7630MB"),
    "lsf": ("-n 4", "-M 8000000"),
    "htcondor": ("DaskWorkerCores = 4", "DaskWorkerMemory = 8000000000"),
}


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_a_job_asks_the_scheduler_for_what_the_file_says(kind: Kind, tmp_path: Path) -> None:
    import dask_jobqueue

    path = tmp_path / "cluster.toml"
    path.write_text(JOB.format(kind=kind))
    arguments = read_cluster_file(path).job_arguments()
    del arguments["scheduler_options"]  # of the cluster, not of its jobs
    job = getattr(dask_jobqueue, CLASSES[kind]).job_cls("tcp://127.0.0.1:1", "name", **arguments)
    script = job.job_script()
    expected = ["--nworkers 2", "module load python", "export TARTARUS_WORKER_CORES=2"]
    expected += CORES_AND_MEMORY[kind]
    if kind != "htcondor":
        expected += ["short", "music", "00:20" if kind == "lsf" else "00:20:00", "--lifetime 1140s"]
    assert [text for text in expected if text not in script] == []
    assert script.rindex("--nthreads 1") > script.index("--nthreads 2")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('kind = "slurm"\nque = "short"', "unknown key 'que'"),
        ("cores = 4", "either address or kind"),
        ('kind = "slurm"\naddress = "tcp://a:1"', "either address or kind"),
        ('kind = "slurm"\njobs = 0', "jobs"),
        ('kind = "fork"', "kind"),
        ('kind = "slurm"\nwalltime = "2 hours"', "is no time"),
        ("kind =", "Invalid value"),
    ],
)
def test_a_wrong_cluster_file_is_refused_by_what_is_wrong_in_it(
    text: str, found: str, tmp_path: Path
) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    with pytest.raises(FileError, match=found):
        read_cluster_file(path)


@pytest.mark.parametrize("cluster", ["local:0", "local:x", "nowhere", "tcp://127.0.0.1:1"])
def test_what_is_no_cluster_is_refused(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tartarus_cli.distribution.engine.CONNECT_S", 0.2)
    with pytest.raises(RequestError), connect(cluster, UNWATCHED):
        pass
