"""What several tests share."""

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any

import hypothesis
import pytest
import typer.main
import typer.testing
from typer.testing import CliRunner

from tartarus_cli.cli.app import app
from tests.compiling import share_compiled
from tests.foreign import Foreign, foreign_code
from tests.sharing import made_once
from tests.slowness import SlowTests
from tests.worlds import World


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.out)


Command = Callable[..., Outcome]

# How long an example takes says something of the machine alone.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# It would read the signatures of all commands for each command that is run.
vars(typer.testing)["_get_command"] = cache(typer.main.get_command)


def pytest_configure(config: pytest.Config) -> None:
    """Share what is compiled, before anything compiles; count the slow tests left out."""
    share_compiled(config)
    config.pluginmanager.register(SlowTests(config))


@pytest.fixture(autouse=True)
def _ctrl_c_is_heeded() -> Iterator[None]:
    """Heed Ctrl-C in a test and in what it starts; a job in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _wide_terminal_and_no_workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("TARTARUS_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _word_vectors_where_gensim_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip a test when it comes to learn word vectors on a Python that gensim does not support."""
    if find_spec("gensim") is None:
        from tartarus_cli.text import w2v

        monkeypatch.setattr(w2v, "require", lambda library: pytest.skip(f"no {library}"))


def run_command(*words: object) -> Outcome:
    """Run the real command in this process; a traceback fails the test."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def tartarus() -> Command:
    """Return what runs the real command."""
    return run_command


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a tiny workspace with a dataset of each task: ``rec``, ``many`` and ``one``."""
    made = World(tmp_path / "workspace")
    made.recommendation("rec")
    made.classification("many", several=True)
    made.classification("one", several=False)
    return made


@pytest.fixture(scope="session")
def _made_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tartarus_cli.example.init import init

    return made_once(tmp_path_factory, "example", partial(init, example=True))


@pytest.fixture
def example(_made_example: Path, tmp_path: Path) -> Path:
    """Return a copy of the example world."""
    return Path(copytree(_made_example, tmp_path / "example"))


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Foreign]:
    """Return where plug-ins of others can be installed; no plug-in outlives the test."""
    with foreign_code(tmp_path / "site-packages", monkeypatch) as made:
        yield made
