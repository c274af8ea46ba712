"""What several tests share."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from typer.testing import CliRunner

from tartarus_cli.cli.app import app
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

    root = tmp_path_factory.mktemp("example") / "workspace"
    init(root, example=True)
    return root


@pytest.fixture
def example(_made_example: Path, tmp_path: Path) -> Path:
    """Return a copy of the example world."""
    return Path(copytree(_made_example, tmp_path / "example"))
