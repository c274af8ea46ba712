"""Several processes that work on one study: of this machine, or of a cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tartarus_cli.distribution import Task, run_tasks
from tartarus_cli.errors import TartarusError
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import while_running
from tartarus_cli.tuning.claims import count_begun, running
from tartarus_cli.tuning.job import TuningJob, open_job
from tartarus_cli.tuning.study import record_of
from tartarus_cli.tuning.work import describe_trial, is_over, wait_for_others, work
from tartarus_cli.workspace import open_workspace

START = "from tartarus_cli.tuning.processes import main; main()"
POLL_S = 0.5
PATIENCE_S = 30.0
"""How long a process that was asked to stop may take."""


@dataclass
class _Process:
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def problem(self) -> TartarusError | None:
        """Return why it failed; None if it did not."""
        status = self.process.poll()
        if not status:
            return None
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip()
        try:
            document = json.loads(text.splitlines()[-1])
            return TartarusError(document["error"], hint=document["hint"])
        except (ValueError, IndexError, KeyError, TypeError):
            ended = f"signal {-status}" if status < 0 else f"status {status}"
            message = f"a process of the search ended with {ended}: {text[-500:]}".rstrip(": ")
            return TartarusError(message, hint="Its trial was lost; give the command again.")


def work_in_processes(job: TuningJob, jobs: int, progress: Progress) -> None:
    """Let several processes work on a study, until it has as many trials as it is to have.

    They end with this one, in whatever way that ends. One that dies loses its trial, which another
    one tries again.

    Raises
    ------
    TartarusError
        If all of them failed.
    """
    shown = {t.number for t in job.study().get_trials(deepcopy=False) if t.state.is_finished()}
    processes: list[_Process] = []
    try:
        processes += [_start(_arguments(job)) for _ in range(jobs)]
        while any(each.process.poll() is None for each in processes):
            time.sleep(POLL_S)
            _tell(job, shown, progress)
        _tell(job, shown, progress)
        problems = [problem for each in processes if (problem := each.problem())]
    finally:
        _stop(processes)
    if len(problems) == len(processes):
        raise problems[0]
    for problem in problems:
        progress.warn(f"{problem}; the others went on")


def _arguments(job: TuningJob) -> dict[str, Any]:
    """Return what another process needs to work on a study, as plain values."""
    workspace = job.workspace
    inside = workspace.data == workspace.root / "data"
    return {
        "root": str((workspace.root if inside else workspace.data).resolve()),
        "study": job.paths.name,
        "trials": job.trials,
        "deadline": job.deadline,
    }


def work_on_cluster(job: TuningJob, cluster: str, progress: Progress) -> None:
    """Let the workers of a cluster work on a study, each on one trial after the other.

    A worker that dies loses its trial, which another one tries again.

    Raises
    ------
    TartarusError
        If the cluster does not exist, or a worker cannot work on the study.
    """
    shown = {t.number for t in job.study().get_trials(deepcopy=False) if t.state.is_finished()}
    while True:
        trials = job.study().get_trials(deepcopy=False)
        left = max(job.trials - count_begun(trials), 1)
        tasks = [Task(f"trial {number}", _arguments(job)) for number in range(1, left + 1)]
        folder, run = job.workspace.data, 0
        for result in run_tasks(
            run_one_trial, tasks, cluster=cluster, folder=folder, progress=progress
        ):
            if result.failed:
                raise TartarusError(result.error, hint=result.hint)
            run += int(result.value)
            _tell(job, shown, progress)
        if is_over(job) or (not run and not wait_for_others(job)):
            return


def run_one_trial(*, root: str, study: str, trials: int, deadline: float | None) -> int:
    """Run one trial of a study, if it has not as many as it is to have; return how many were run.

    Parameters
    ----------
    root
        The folder of the workspace.
    study
        The name of the study.
    trials, deadline
        As the fields of :class:`~tartarus_cli.tuning.job.TuningJob`.
    """
    workspace = open_workspace(Path(root))
    job = open_job(workspace, workspace.study(study), trials=trials, deadline=deadline)
    return work(job, UNWATCHED, most=1)


def _start(request: dict[str, Any]) -> _Process:
    errors = tempfile.TemporaryFile()  # noqa: SIM115 — as long as the process
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(  # noqa: S603 — this program
        [sys.executable, "-c", START],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,  # Ctrl-C comes through this process
        env=environment,
    )
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()  # it stays open as long as this process lives
    return _Process(process, errors)


def _stop(processes: list[_Process]) -> None:
    for each in processes:
        if each.process.poll() is None:
            each.process.terminate()
    for each in processes:
        try:
            each.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            each.process.kill()
            each.process.wait()
        each.errors.close()
        if each.process.stdin is not None:
            with suppress(OSError):
                each.process.stdin.close()


def _tell(job: TuningJob, shown: set[int], progress: Progress) -> None:
    """Say how trials ended that were not spoken of."""
    trials = job.study().get_trials(deepcopy=False)
    for trial in trials:
        if trial.state.is_finished() and trial.number not in shown:
            shown.add(trial.number)
            left = len(running(trials))
            done = sum(record_of(t).state not in ("lost", "waiting") for t in trials) - left
            progress.say(f"{done} of {job.trials}: {describe_trial(job, trial.number)}")


def main() -> None:
    """Work on the study that a line of standard input names, until that input ends."""
    while_running()
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        workspace = open_workspace(Path(request.pop("root")))
        job = open_job(workspace, workspace.study(request.pop("study")), **request)
        work(job, UNWATCHED)
    except TartarusError as problem:
        sys.stderr.write(json.dumps({"error": str(problem), "hint": problem.hint}) + "\n")
        sys.exit(1)


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing comes but the end
    os.kill(os.getpid(), signal.SIGTERM)
