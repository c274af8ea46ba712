"""A command that is killed before each of its renames and deletions, one after the other.

``python -m tests.killed_everywhere WORLD FOLDER WORDS AGAIN`` prints what goes wrong, as JSON.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import run_command

CALLS = ("replace", "rename", "unlink", "remove", "link", "symlink", "rmdir")
"""Functions of the system that change which files there are."""
VARYING = ("started", "duration_s", "peak_memory_mib", "test_evaluations")
"""What two runs of a command do not have in common."""


def in_a_child(work: Callable[[], int]) -> int:
    """Do something in a process of its own; return its status, negative if a signal ended it."""
    child = os.fork()
    if not child:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        status = 1
        try:
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_before(call: int, words: Sequence[str]) -> int:
    """Run a command that is killed before a call of :data:`CALLS`, counted from 0."""
    left = call

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **options: Any) -> Any:
            nonlocal left
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return function(*args, **options)

        return wrapper

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    return run_command(*words).status


def files_in(root: Path) -> dict[str, Any]:
    """Return the content of all files but locks; of manifests, what every run writes."""
    contents: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_dir() or path.suffix == ".lock" or "set_aside" in name:
            continue
        content: Any = path.read_bytes()
        if path.name == "manifest.json":
            content = {k: v for k, v in json.loads(content).items() if k not in VARYING}
        contents[name] = content
    return contents


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """List the files that two folders do not have in common."""
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]


def kill_everywhere(
    world: Path, folder: Path, words: Sequence[str], again: Sequence[str]
) -> list[str]:
    """Kill a command everywhere, give it again, and list what is not as if it had not been."""
    root = folder / "workspace"

    def fresh() -> None:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(world, root, symlinks=True)

    def placed(template: Sequence[str]) -> list[str]:
        return [word.replace("ROOT", str(root)) for word in template]

    fresh()
    if in_a_child(lambda: run_command(*placed(words)).status):
        return ["it fails even if it is not killed"]
    expected, call = files_in(root), 0
    wrong: list[str] = []
    while True:
        fresh()
        here = call
        status = in_a_child(lambda here=here: killed_before(here, placed(words)))  # type: ignore[misc]
        if status != -signal.SIGKILL:
            return wrong if call else ["nothing is ever renamed or deleted"]
        checked = in_a_child(lambda: run_command("check-data", "-w", str(root)).status)
        if checked not in (0, 1):
            wrong.append(f"{call}: check-data ends with {checked}")
        status = in_a_child(lambda: run_command(*placed(again)).status)
        differing = differences(files_in(root), expected)
        if status or differing:
            wrong.append(f"{call}: status {status}, {', '.join(differing)}")
        call += 1


if __name__ == "__main__":
    world, folder, words, again = sys.argv[1:]
    os.environ |= {"COLUMNS": "200"}
    wrong = kill_everywhere(Path(world), Path(folder), json.loads(words), json.loads(again))
    sys.stdout.write(json.dumps(wrong) + "\n")
