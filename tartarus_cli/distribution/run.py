"""Do tasks that do not depend on each other: here, or by the workers of a cluster."""

from __future__ import annotations

import json
import logging
import secrets
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tartarus_cli.devices import chosen_device
from tartarus_cli.distribution.engine import Engine, connect
from tartarus_cli.distribution.tasks import (
    Task,
    TaskFunction,
    TaskResult,
    attempt,
    execute,
    name_of,
)
from tartarus_cli.errors import TartarusError, display_path
from tartarus_cli.files import write_text
from tartarus_cli.plugins import files_run
from tartarus_cli.progress import Progress, QuietProgress
from tartarus_cli.signals import act_on_interrupts

if TYPE_CHECKING:
    from distributed import Future

POLL_S = 0.05
"""Seconds between two looks for results."""
WATCH_S = 2
"""Seconds between two looks at the workers."""
SLOW_FACTOR, SLOW_S = 3, 20
"""A task that takes so many times the median of the others, and so many seconds at least, is given
to an idle worker as well when nothing else is left; the first of the two counts."""
PACKAGES = ("tartarus-cli", "numpy", "scipy", "keras", "jax")
"""Packages of which workers have the same versions as this machine."""

_logger = logging.getLogger(__name__)


def run_tasks(
    function: TaskFunction,
    tasks: Sequence[Task],
    *,
    cluster: str | None,
    folder: Path,
    announced: bool = False,
    progress: Progress,
) -> Iterator[TaskResult]:
    """Do tasks, and yield what became of each, in the order in which they end.

    Without a cluster they are done in this process, one after the other. With one, a worker that
    dies costs its own task again, and a task that workers die of again and again fails.

    Parameters
    ----------
    function
        Takes the arguments of a task, and ``progress``, as keywords.
    tasks
        What to do.
    cluster
        Who does it; see :func:`~tartarus_cli.distribution.engine.connect`. None: this process.
    folder
        The data folder of the workspace, which workers have to see at the same path.
    announced
        Whether ``progress`` is told which task begins here, or has ended on a worker.
    progress
        Is told of workers that are lost, and of what tasks warn of. Who takes the results counts
        them.

    Raises
    ------
    RequestError
        If the cluster does not exist.
    TartarusError
        If a worker does not see the folder, or has other versions; or the scheduler is gone.
    """
    if cluster is None:
        for number, task in enumerate(tasks, 1):
            if announced:
                progress.say(f"{task.name} ({number} of {len(tasks)})")
            watcher = progress if number == 1 else QuietProgress(progress)
            outcome = attempt(function, task.arguments, watcher)
            yield TaskResult(task, **outcome)
        return
    if not tasks:
        return
    with connect(cluster, progress) as engine, _mark(folder) as mark:
        results = _Run(engine, name_of(function), mark, progress).results(tasks)
        for number, result in enumerate(results, 1):
            if announced and not result.failed:
                done = f"{result.task.name} is done by worker {result.worker}"
                progress.say(f"{done} ({number} of {len(tasks)})")
            yield result


@dataclass(frozen=True)
class _Mark:
    """A file that a worker reads, to show that it sees the workspace."""

    path: Path
    text: str


@contextmanager
def _mark(folder: Path) -> Iterator[_Mark]:
    text = secrets.token_hex(16)
    path = folder.resolve() / f".cluster_{text[:8]}"
    write_text(path, text)
    try:
        yield _Mark(path, text)
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@cache
def versions() -> dict[str, str]:
    """Return the versions that workers must have in common with this machine."""
    return {package: version(package) for package in PACKAGES}


def on_worker(expected: str, mark: str, text: str, *task: Any) -> str:
    """Do a task on a worker that sees the workspace, and say on which one.

    Parameters
    ----------
    expected
        What :func:`versions` returns where the task comes from, as JSON; with others, it is not
        done.
    mark, text
        A file of the workspace, and what it holds.
    task
        What :func:`~tartarus_cli.distribution.tasks.execute` takes.

    Returns
    -------
    JSON of what :func:`~tartarus_cli.distribution.tasks.execute` returns, with ``host`` and, if
    the worker does not see the workspace, ``blind``.
    """
    about: dict[str, Any] = {"host": socket.gethostname(), "versions": versions(), "warnings": []}
    if about["versions"] != json.loads(expected):
        return json.dumps(about)
    try:
        seen = Path(mark).read_text(encoding="utf-8") == text
    except OSError:
        seen = False
    if not seen:
        return json.dumps(about | {"blind": True})
    return json.dumps(about | json.loads(execute(*task)))


@dataclass
class _Run:
    """Tasks that workers are doing."""

    engine: Engine
    function: str
    mark: _Mark
    progress: Progress
    waiting: dict[str, Task] = field(default_factory=dict)
    """Key → a task that has no result yet."""
    futures: dict[str, list[Future]] = field(default_factory=dict)
    """Key → the same task, once or twice."""
    known: dict[str, str] = field(default_factory=dict)
    """Address of a worker → its name."""
    busy: dict[str, set[str]] = field(default_factory=dict)
    """Address of a worker → keys that it was doing when it was last looked at."""
    since: dict[str, float] = field(default_factory=dict)
    """Key → when it was first seen to be done."""
    seconds: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Worker → number of tasks."""
    said_waiting: bool = False

    def results(self, tasks: Sequence[Task]) -> Iterator[TaskResult]:
        """Hand out the tasks, and yield each result once."""
        from distributed import as_completed

        code = [str(file.path) for file in files_run()]
        queue = as_completed(self._hand_out(tasks, code), loop=self.engine.client.loop)
        watched = 0.0
        try:
            while self.waiting:
                batch = queue.next_batch(block=False)
                for future in batch:
                    yield from self._take(future)
                if time.monotonic() - watched > WATCH_S:
                    self._watch()
                    queue.update(self._copies(code))
                    watched = time.monotonic()
                act_on_interrupts()
                if not batch:
                    time.sleep(POLL_S)
        finally:
            self._cancel()
            for worker, count in sorted(self.counts.items()):
                _logger.info("%s did %d of %d", worker, count, len(tasks))

    def _hand_out(self, tasks: Sequence[Task], code: Sequence[str]) -> list[Future]:
        run = secrets.token_hex(4)
        for number, task in enumerate(tasks):
            key = f"tartarus-{run}-{number}"
            self.waiting[key] = task
            self.futures[key] = [self._submit(key, task, code)]
        return [future for (future,) in self.futures.values()]

    def _cancel(self) -> None:
        """Take back what nobody waits for any more."""
        left = [future for key in self.waiting for future in self.futures[key]]
        if left:
            with suppress(Exception):
                self.engine.client.cancel(left, force=True)

    def _submit(self, key: str, task: Task, code: Sequence[str], **options: Any) -> Future:
        document = json.dumps(task.arguments)
        mark = (json.dumps(versions()), str(self.mark.path), self.mark.text)
        work = (self.function, document, [*code], chosen_device())
        return self.engine.client.submit(on_worker, *mark, *work, key=key, pure=False, **options)

    def _take(self, future: Future) -> Iterator[TaskResult]:
        key = future.key.removesuffix("-again")
        task = self.waiting.get(key)
        if task is None:  # its other copy was quicker
            return
        if future.status == "finished":
            yield self._finish(key, task, json.loads(future.result()), future)
        elif future.status == "error":
            self._forget(key)
            error, hint = _reason(future)
            yield TaskResult(task, error=error, hint=hint)
        else:
            msg = f"the scheduler of {self.engine.described} is gone"
            raise TartarusError(msg, hint="Start it, and give the same command again.")

    def _finish(self, key: str, task: Task, answer: dict[str, Any], future: Future) -> TaskResult:
        worker = self._worker_of(future, answer["host"])
        self._require_alike(worker, answer)
        for warning in answer["warnings"]:
            self.progress.warn(warning)
        if key in self.since:
            self.seconds.append(time.monotonic() - self.since[key])
        self.counts[worker] += 1
        self._forget(key)
        return TaskResult(
            task, answer.get("value"), answer.get("error", ""), answer.get("hint", ""), worker
        )

    def _forget(self, key: str) -> None:
        del self.waiting[key]
        for copy in self.futures.pop(key):
            copy.release()

    def _worker_of(self, future: Future, host_name: str) -> str:
        with suppress(Exception):
            (address,) = self.engine.client.who_has([future])[future.key][:1]
            name = self.known.get(address, address)
            return name if host_name in name else f"{name} on {host_name}"
        return host_name

    def _require_alike(self, worker: str, answer: dict[str, Any]) -> None:
        """Make sure that a worker sees the workspace, and computes with the same libraries."""
        if answer.get("blind"):
            msg = f"worker {worker} does not see {display_path(self.mark.path.parent)}"
            hint = "The folder has to be at the same path on all machines, on a shared file system."
            raise TartarusError(msg, hint=hint)
        for package, here in versions().items():
            there = answer["versions"].get(package)
            if there != here:
                msg = f"worker {worker} has {package} {there}, and this machine {here}"
                raise TartarusError(msg, hint=f"Install the same on both: {package}=={here}")

    def _watch(self) -> None:
        """Look which workers are there, and what they are doing."""
        client = self.engine.client
        if client.status not in ("running", "connecting"):
            msg = f"the scheduler of {self.engine.described} is gone"
            raise TartarusError(msg, hint="Start it, and give the same command again.")
        try:
            workers = client.scheduler_info(n_workers=-1)["workers"]
            busy = {address: {*map(str, keys)} for address, keys in client.processing().items()}
        except (OSError, TimeoutError):
            return
        names = {address: str(info["name"]) for address, info in workers.items()}
        for address in self.known.keys() - names.keys():
            keys = {key.removesuffix("-again") for key in self.busy.get(address, set())}
            lost = [self.waiting[key].name for key in keys if key in self.waiting]
            if lost:
                again = f"{lost[0]}{' and others' if len(lost) > 1 else ''}"
                self.progress.warn(
                    f"worker {self.known[address]} is gone; {again} will be done by another"
                )
        if not names and not self.said_waiting:
            waits = self.engine.waits_for or f"workers of {self.engine.described}"
            self.progress.say(f"waiting for {waits}: no worker is there yet")
            self.said_waiting = True
        self.known, self.busy = names, busy
        for keys in busy.values():
            for key in keys:
                self.since.setdefault(key.removesuffix("-again"), time.monotonic())

    def _copies(self, code: Sequence[str]) -> list[Future]:
        """Give what is slow to idle workers as well, once nothing else is left to do."""
        idle = [address for address in self.known if not self.busy.get(address)]
        if not idle or not self.seconds or len(self.waiting) > len(self.known):
            return []
        copies = []
        limit = max(SLOW_S, SLOW_FACTOR * statistics.median(self.seconds))
        for key, task in [*self.waiting.items()]:
            slow = time.monotonic() - self.since.get(key, time.monotonic()) > limit
            if slow and idle and len(self.futures[key]) == 1:
                copy = self._submit(f"{key}-again", task, code, workers=[idle.pop()])
                self.futures[key].append(copy)
                _logger.info("%s is slow: another worker does it as well", task.name)
                copies.append(copy)
        return copies


def _reason(future: Future) -> tuple[str, str]:
    """Say why a task ended without a result, and what to do."""
    from distributed.scheduler import KilledWorker

    problem = future.exception()
    if isinstance(problem, KilledWorker):
        hint = "It may need more memory than a worker has, or make a library crash; with one worker"
        hint += " for each machine there is more of it."
        return f"{problem.allowed_failures + 1} workers died of it", hint
    _logger.error("a task failed", exc_info=problem)
    text = " ".join(f"{type(problem).__name__}: {problem}".split())
    if "tartarus_cli" in text:  # the engine could not even import it
        return (
            text,
            "Workers need the same tartarus-cli as this machine: look what their Python has.",
        )
    return text, "This is a fault of Tartarus, or of a library; the log has where it happened."
