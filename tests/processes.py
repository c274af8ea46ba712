"""The command as a process of its own, and scripts that call it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Listener
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import cast

import pytest

from tests.conftest import run_command

BIN = Path(sys.executable).parent
KEY = b"tartarus"
ENOUGH_S = 120  # for what takes a second on an idle machine

# What stands for the command in a script: it has the test's process run what it was given.
STAND_IN = f"""#!{sys.executable} -I
import os, sys
from multiprocessing.connection import Client
with Client(("localhost", int(os.environ["TEST_PORT"])), authkey={KEY!r}) as test:
    test.send((os.getcwd(), os.environ.get("TARTARUS_WORKSPACE"), sys.argv[1:]))
    status, out, err = test.recv()
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(status)
"""


@contextmanager
def started(
    command: Sequence[str | Path], cwd: Path | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """Start a command in a session of its own; none of its processes outlives this block."""
    process = subprocess.Popen(  # noqa: S603 — the command under test
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=cwd,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def waited(condition: Callable[[], bool], seconds: float = ENOUGH_S) -> bool:
    """Whether something comes about in that time."""
    end = monotonic() + seconds
    while monotonic() < end:
        if condition():
            return True
        sleep(0.02)
    return condition()


def run_script(script: Path, *words: object) -> None:
    """Run a shell script as it stands, with the installed command.

    Raises
    ------
    subprocess.CalledProcessError
        If a line of it fails.
    """
    run_with(BIN, {}, script, *words)


def run_script_here(script: Path, *words: object) -> None:
    """Run a shell script as it stands; this process does what the script asks of the command.

    That saves the imports of every single command.

    Raises
    ------
    subprocess.CalledProcessError
        If a line of it fails.
    """
    with (
        TemporaryDirectory() as folder,
        ThreadPoolExecutor(1) as pool,
        Listener(("localhost", 0), authkey=KEY) as listener,
    ):
        command = Path(folder) / "tartarus"
        command.write_text(STAND_IN)
        command.chmod(0o755)
        address = cast("tuple[str, int]", listener.address)

        def run_until_done() -> None:
            try:
                run_with(Path(folder), {"TEST_PORT": str(address[1])}, script, *words)
            finally:
                with Client(address, authkey=KEY) as done:
                    done.send(None)

        script_done = pool.submit(run_until_done)
        while obeyed(listener):
            pass
        script_done.result()


def run_with(first: Path, variables: dict[str, str], script: Path, *words: object) -> None:
    """Run a script in a small environment, whose commands are looked for in a folder first."""
    variables |= {"PATH": f"{first}:{BIN}:/usr/bin:/bin"}
    variables |= {name: value for name, value in os.environ.items() if name.startswith("JAX_")}
    subprocess.run(  # noqa: S603 — our own script
        [script, *map(str, words)], check=True, env=variables, capture_output=True
    )


def obeyed(listener: Listener) -> bool:
    """Run the next command that a script asks for; False once the script has ended."""
    with listener.accept() as script, pytest.MonkeyPatch.context() as patch:
        asked = script.recv()
        if asked is None:
            return False
        folder, workspace, words = asked
        patch.chdir(folder)
        if workspace is not None:
            patch.setenv("TARTARUS_WORKSPACE", workspace)
        outcome = run_command(*words)
        script.send((outcome.status, outcome.out, outcome.err))
        return True
