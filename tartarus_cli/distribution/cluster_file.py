"""The file of a cluster: which scheduler runs the workers, and what each job asks it for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from tartarus_cli.distribution.workers import CORES
from tartarus_cli.errors import FileError, nearest
from tartarus_cli.files import TomlError, read_toml

Kind = Literal["slurm", "sge", "pbs", "lsf", "htcondor"]

CLASSES: dict[Kind, str] = {
    "slurm": "SLURMCluster",
    "sge": "SGECluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "htcondor": "HTCondorCluster",
}
"""Kind of a scheduler → the class of dask-jobqueue that hands jobs to it."""

EXAMPLE = 'kind = "slurm", queue = "short", cores = 4, memory = "16GB", walltime = "02:00:00"'

SHORT_S = 300
"""A job of fewer seconds is ended by its scheduler alone."""

_TIME = re.compile(r"(?:(\d{1,3})-)?(\d{1,4}):(\d\d)(?::(\d\d))?")


class ClusterFile(BaseModel):
    """What a cluster file says.

    With ``address``, workers that run already are used; with ``kind``, jobs are handed to a
    scheduler, each with ``processes`` workers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = ""
    """Of a Dask scheduler that runs already, such as ``tcp://host:8786``."""
    kind: Kind | None = None
    """The scheduler that jobs are handed to."""
    queue: str = ""
    """The queue, or partition."""
    account: str = ""
    """What jobs are accounted to."""
    cores: int = Field(default=1, ge=1, le=4096)
    """Cores of a job."""
    processes: int | None = Field(default=None, ge=1, le=4096)
    """Workers of a job; none: one for each core."""
    memory: str = "4GB"
    """Memory of a job."""
    disk: str = "4GB"
    """Disk of a job, which HTCondor asks for."""
    walltime: str = "01:00:00"
    """How long a job may run, as ``HH:MM:SS`` or ``D-HH:MM:SS``. Its workers end a minute before,
    and the next job is handed in."""
    jobs: int = Field(default=1, ge=1, le=100_000)
    """How many jobs are handed in."""
    least_jobs: int | None = Field(default=None, ge=0, le=100_000)
    """With it, jobs are handed in and ended as there is work: from so many up to ``jobs``."""
    directives: list[str] = []
    """Further lines for the scheduler, such as ``--gres=gpu:1``; on SGE ``-pe smp 4`` too, since
    each site has its own name for the cores of a job."""
    prologue: list[str] = []
    """Lines of the shell before the workers start, such as ``module load python``."""
    interface: str | None = None
    """The network interface of the workers, such as ``ib0``."""
    scheduler_interface: str | None = None
    """That of this machine, if it is another one."""
    python: str | None = None
    """The Python of the workers; none: the one that runs here."""
    local_directory: str | None = None
    """Folder on the workers' own disk for what Dask writes."""
    log_directory: str | None = None
    """Folder for what the jobs print."""

    @field_validator("walltime")
    @classmethod
    def _is_time(cls, text: str) -> str:
        if _TIME.fullmatch(text) is None:
            msg = f"{text!r} is no time; write hours, minutes and seconds: 02:00:00"
            raise ValueError(msg)
        return text

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if bool(self.address) == (self.kind is not None):
            msg = "either address or kind is needed, and not both"
            raise ValueError(msg)
        if self.least_jobs is not None and self.least_jobs > self.jobs:
            msg = f"least_jobs = {self.least_jobs} is more than jobs = {self.jobs}"
            raise ValueError(msg)
        return self

    @property
    def workers(self) -> int:
        """Workers of one job."""
        return self.processes or self.cores

    @property
    def worker_cores(self) -> int:
        """Cores of one worker."""
        return max(1, self.cores // self.workers)

    @property
    def seconds(self) -> int:
        """Seconds that a job may run."""
        days, hours, minutes, seconds = _TIME.fullmatch(self.walltime).groups("0")  # type: ignore[union-attr]
        return 86400 * int(days) + 3600 * int(hours) + 60 * int(minutes) + int(seconds)

    def job_arguments(self) -> dict[str, Any]:
        """Return the arguments of the class of dask-jobqueue."""
        arguments: dict[str, Any] = {
            "cores": self.cores,
            "processes": self.workers,
            "memory": self.memory,
            # Each worker does one task at a time, which may use its cores.
            "worker_extra_args": ["--nthreads", "1", *self._lifetime()],
            "job_extra_directives": self.directives,
            "job_script_prologue": [*self.prologue, f"export {CORES}={self.worker_cores}"],
            "interface": self.interface,
            "python": self.python,
            "local_directory": self.local_directory,
            "log_directory": self.log_directory,
        }
        if self.kind == "htcondor":
            arguments["disk"] = self.disk
        else:
            arguments |= {"queue": self.queue or None, "walltime": self._walltime()}
        if self.account and self.kind in ("slurm", "pbs"):
            arguments["account"] = self.account
        elif self.account and self.kind != "htcondor":
            arguments["project"] = self.account
        scheduler = {"dashboard_address": ":0", "interface": self.scheduler_interface}
        arguments["scheduler_options"] = {k: v for k, v in scheduler.items() if v is not None}
        return {name: value for name, value in arguments.items() if value is not None}

    def _lifetime(self) -> list[str]:
        """Let workers end before their job is ended, unless it is too short for that."""
        long_enough = self.kind != "htcondor" and self.seconds >= SHORT_S
        return ["--lifetime", f"{self.seconds - 60}s"] if long_enough else []

    def _walltime(self) -> str:
        """Write the time of a job as its scheduler reads it: LSF knows hours and minutes."""
        minutes = -(-self.seconds // 60)
        return f"{minutes // 60:02}:{minutes % 60:02}" if self.kind == "lsf" else self.walltime


def read_cluster_file(path: Path) -> ClusterFile:
    """Read the file of a cluster.

    Raises
    ------
    FileError
        If it is missing, no TOML, or says what is not known.
    """
    expected = f"a cluster, such as {EXAMPLE}"
    try:
        return ClusterFile.model_validate(read_toml(path))
    except TomlError as problem:
        raise FileError(path, found=str(problem), expected="TOML", hint="Mend it.") from None
    except ValidationError as problem:
        first = problem.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            hint = nearest(key, list(ClusterFile.model_fields))
            found = f"the unknown key {key!r}"
        else:
            found = f"{key}: {first['msg']}" if key else first["msg"].removeprefix("Value error, ")
            hint = "Mend it; the README lists the keys."
        raise FileError(path, found=found, expected=expected, hint=hint) from None
