"""A command that is killed before each of its renames and deletions, one after the other.

``python -m tests.killed_everywhere FOLDER`` reads a :class:`Trial` as JSON from standard input, and
prints how many calls it was killed before and what went wrong. It runs commands in children of a
process that has imported much and started no thread, so that each takes no longer than its work.
"""

import csv
import importlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CALLS = ("replace", "rename", "unlink", "remove", "link", "symlink", "rmdir")
"""Functions of the system that change which files there are."""
KILLED = 137
VARYING = ("created", "started", "duration_s", "peak_memory_mib", "test_evaluations")
"""What two runs of a command do not have in common, in a manifest."""
BACKUPS = "set_aside"
PRELOADED = {"tartarus_cli", "numpy", "scipy", "sklearn", "numba", "h5py", "pebble", "rich"}
PRELOADED |= {"keras", "implicit", "threadpoolctl", "llvmlite"}
"""Packages that start no thread when they are imported."""
NOTHING = " (nothing)"
"""What is deleted and not there: to be killed before that is to be killed before the next call."""
MOST = 60
"""Calls to be killed before: all, or so many of a command that makes more."""


@dataclass(frozen=True)
class Trial:
    """What is tried: the words of commands, in which ``ROOT`` stands for the workspace."""

    before: Sequence[Sequence[str]]
    """Commands that make the world."""
    words: Sequence[str]
    """The command to kill."""
    trains: bool = False
    """Whether each run makes a model; the one that was killed is deleted afterwards."""
    only: str = ""
    """The one function to be killed before, of a command that takes long; empty: all."""


def in_a_child(work: Callable[[], int], log: Path) -> int:
    """Do something in a process of its own, with what it prints in a file; return its status."""
    child = os.fork()
    if not child:
        status = 1
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            status = work()
        except BaseException:  # noqa: BLE001 — the parent shall know
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(words: Sequence[str]) -> int:
    """Run a command in this process; print what it prints."""
    from tests.conftest import run_command

    done = run_command(*words)
    sys.stdout.write(done.out + done.err)
    return done.status


def counting(root: Path, number: int, log: Path) -> None:
    """Write each call inside of a folder to a file, and end the process before one of them."""
    inside, left = str(root.resolve()), number

    def place(path: Any, options: dict[str, Any]) -> str:
        folder = options.get("dir_fd", options.get("src_dir_fd"))
        within = Path.cwd() if folder is None else Path(f"/proc/self/fd/{folder}").readlink()
        return str(within / os.fsdecode(path))

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*paths: Any, **options: Any) -> Any:
            nonlocal left
            # A symbolic link is made where its second path says.
            where = place(paths[-1] if name in ("link", "symlink") else paths[0], options)
            if where.startswith(inside):
                if not left:
                    os._exit(KILLED)
                left -= 1
                with log.open("a") as file:
                    nothing = NOTHING if name == "unlink" and not Path(where).exists() else ""
                    file.write(f"{name} {where[len(inside) + 1 :]}{nothing}\n")
            return function(*paths, **options)

        return wrapper

    for name in CALLS:
        setattr(os, name, counted(name, getattr(os, name)))


def content_of(path: Path) -> Any:
    """Return what two runs of a command must have in common of a file."""
    content = path.read_bytes()
    if path.name.endswith(".json"):
        return {k: v for k, v in json.loads(content).items() if k not in VARYING}
    if path.suffix == ".keras":  # a zip file with times in it
        return "a network"
    if path.name == "history.csv":
        rows = csv.DictReader(io.StringIO(content.decode()))
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    return content


def files_in(root: Path) -> dict[str, Any]:
    """Return the content of all files, but of those that were set aside."""
    paths = [path for path in sorted(root.rglob("*")) if not path.is_dir()]
    names = {str(path.relative_to(root)): path for path in paths}
    return {name: content_of(path) for name, path in names.items() if BACKUPS not in name}


def set_aside_in(root: Path) -> set[tuple[str, bytes]]:
    """Return names and contents of the files that were set aside, wherever."""
    paths = [path for path in root.rglob(f"*/{BACKUPS}/*/*") if path.is_file()]
    return {(path.name, path.read_bytes()) for path in paths}


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """List the files that two folders do not have in common."""
    lacking = [f"{name} is missing" for name in expected if name not in found]
    more = [f"{name} is left" for name in found if name not in expected]
    names = sorted(found.keys() & expected.keys())
    return lacking + more + [f"{n} differs" for n in names if found[n] != expected[n]]


@dataclass(frozen=True)
class State:
    """What a command leaves."""

    files: dict[str, Any]
    set_aside: set[tuple[str, bytes]]
    checked: str


class Killer:
    """A world, and a copy of it for each kill."""

    def __init__(self, folder: Path, trial: Trial) -> None:
        self.world, self.root = folder / "world", folder / "tried"
        self.log, self.calls, self.trial = folder / "log", folder / "calls", trial
        self.loaded = folder / "loaded"

    def placed(self, words: Sequence[str]) -> list[str]:
        """Return words with the workspace in them."""
        return [*(word.replace("ROOT", str(self.root)) for word in words), "-w", str(self.root)]

    def fresh(self) -> None:
        """Begin with the world as it was."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.world, self.root, symlinks=True)

    def run(self, words: Sequence[str]) -> int:
        """Run a command to its end."""

        def work() -> int:
            status = run(self.placed(words))
            self.loaded.write_text("\n".join(sys.modules))
            return status

        status = in_a_child(work, self.log)
        self.preload()
        return status

    def preload(self) -> None:
        """Import what the last command needed, so that the next one need not, but for threads."""
        for name in self.loaded.read_text().splitlines():
            if name.partition(".")[0] in PRELOADED and name not in sys.modules:
                importlib.import_module(name)
        if len([*Path("/proc/self/task").iterdir()]) > 1:
            msg = "a fork would lose threads"
            raise SystemExit(msg)

    def killed(self, number: int) -> int:
        """Run the command and kill it before a call."""

        def work() -> int:
            counting(self.root, number, self.calls)
            return run(self.placed(self.trial.words))

        return in_a_child(work, self.log)

    def prepare(self) -> None:
        """Make the world."""
        self.fresh()
        for words in self.trial.before:
            if self.run(words):
                msg = f"{words}: {self.log.read_text()}"
                raise SystemExit(msg)
        shutil.rmtree(self.world)
        self.root.rename(self.world)

    def state(self) -> State:
        """Return what there is."""
        files, set_aside = files_in(self.root), set_aside_in(self.root)
        self.run(["check-data"])
        return State(files, set_aside, self.log.read_text())

    def wrong_after(self, number: int, expected: State) -> list[str]:
        """Kill the command before a call, give it again, and list what goes wrong."""
        self.fresh()
        if self.killed(number) != KILLED:
            return [f"it is not killed: {self.log.read_text()}"]
        wrong = []
        if status := self.run(self.trial.words):
            wrong += [f"it ends with {status} afterwards: {self.log.read_text()}"]
        if self.trial.trains:
            wrong += self.forget_first_model()
        found = self.state()
        wrong += differences(found.files, expected.files)
        wrong += [f"{name} is lost" for name, _ in expected.set_aside - found.set_aside]
        if found.checked != expected.checked:
            wrong += [f"check-data: {found.checked}"]
        return wrong

    def forget_first_model(self) -> list[str]:
        """Delete the model that was killed, and let the next one have its number."""
        if self.run(["models", "delete", "model_1", "--yes"]):
            return [f"what was killed cannot be deleted: {self.log.read_text()}"]
        models = self.root / "data" / "models"
        if (models / "model_1").exists():
            return ["what was killed is not deleted"]
        (models / "model_2").rename(models / "model_1")
        (models / ".claimed" / "model_2").unlink()
        (self.root / "data" / "results" / "results.tsv").unlink()  # of no model
        return []

    def all(self) -> tuple[list[str], list[str]]:
        """Kill it before every call; return the calls, and what goes wrong."""
        self.prepare()
        self.fresh()
        if self.killed(-1):
            msg = f"it fails undisturbed: {self.log.read_text()}"
            raise SystemExit(msg)
        calls, wrong = self.calls.read_text().splitlines(), []
        expected = self.state()
        for number in chosen(calls, self.trial.only):
            found = self.wrong_after(number, expected)
            wrong += [f"killed before {number} ({calls[number]}): {each}" for each in found]
        return calls, wrong


def chosen(calls: Sequence[str], only: str) -> list[int]:
    """Choose the calls to kill before: all; of very many, the renames and others between them."""
    if only or len(calls) <= MOST:
        last = len(calls) - 1
        left_out = {n for n, each in enumerate(calls) if each.endswith(NOTHING) and n != last}
        return [n for n, each in enumerate(calls) if each.startswith(only) and n not in left_out]
    renames = {n for n, each in enumerate(calls) if each.startswith(("replace", "rename"))}
    others = {n * (len(calls) - 1) // MOST for n in range(MOST + 1)}
    return sorted(renames | others)


def main() -> None:
    """Try what is asked for."""
    importlib.import_module("tests.conftest")
    killer = Killer(Path(sys.argv[1]), Trial(**json.load(sys.stdin)))
    calls, wrong = killer.all()
    sys.stdout.write(json.dumps({"calls": calls, "wrong": wrong}) + "\n")


if __name__ == "__main__":
    main()
