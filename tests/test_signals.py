"""Signals end a command with the status that shells give them, at every moment."""

import signal
import sys
from pathlib import Path

import pytest

from tests.processes import ENOUGH_S, started, waited
from tests.worlds import World

LOADING = """
import signal, sys, time
from importlib.abc import MetaPathFinder

class Slow(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            print("waiting", flush=True)
            time.sleep(600)

sys.meta_path.insert(0, Slow())
sys.argv[2:] = []
from tartarus_cli.__main__ import main
main()
"""

RUNNING = """
import signal, sys, time
from pathlib import Path
if sys.argv.pop(1) == "ignored":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
end = Path(sys.argv.pop(1))
from tartarus_cli.checking import check

def slow(*_, **__):
    print("waiting", flush=True)
    while not end.exists():
        time.sleep(0.02)
    sys.exit(7)

check.check_data = slow
from tartarus_cli.__main__ import main
main()
"""


def running(kind: str, end: Path, world: World) -> list[str]:
    """Return the words of a command that runs until there is a file, and ends with 7."""
    words = ["check-data", "rec", "-w", str(world.root)]
    return [sys.executable, "-c", RUNNING, kind, str(end), *words]


@pytest.mark.slow
@pytest.mark.parametrize("module", ["tartarus_cli.cli.app", "tartarus_cli.cli.train", "typer"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_modules_are_loaded_ends_it_without_a_traceback(
    name: str, module: str
) -> None:
    number = signal.Signals[name]
    with started([sys.executable, "-c", LOADING, module]) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert command.stdout.readline() == "waiting\n"
        command.send_signal(number)
        assert command.wait(ENOUGH_S) == 128 + number
        assert "Traceback" not in command.stderr.read()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_running_command_with_its_status(
    name: str, world: World, tmp_path: Path
) -> None:
    number = signal.Signals[name]
    with started(running("heeded", tmp_path / "end", world)) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "waiting\n"
        command.send_signal(number)
        assert command.wait(ENOUGH_S) == 128 + number


@pytest.mark.slow
def test_a_command_that_ignores_the_end_of_its_terminal_goes_on(
    world: World, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    with started(running("ignored", end, world)) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "waiting\n"
        command.send_signal(signal.SIGHUP)
        assert not waited(lambda: command.poll() is not None, 0.5)
        end.touch()
        assert command.wait(ENOUGH_S) == 7
