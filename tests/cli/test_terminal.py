"""Streams and variables of a terminal: no command fails with them, and none is silent."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tartarus_cli.cli import terminal
from tests.conftest import Command
from tests.worlds import World

MODULE = (sys.executable, "-m", "tartarus_cli")


def run(
    words: str, world: World | None = None, redirected: str = "", **variables: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command line of the shell."""
    if world is not None:
        variables["TARTARUS_WORKSPACE"] = str(world.root)
    line = f"{sys.executable} -m tartarus_cli {words} {redirected}"
    return subprocess.run(  # noqa: S602 — our own words
        line, shell=True, capture_output=True, check=False, env=os.environ | variables
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "cp1252"])
@pytest.mark.parametrize("words", ["check-data", "split --help", "experiments list"])
def test_every_sign_has_another_where_the_encoding_lacks_it(
    words: str, encoding: str, world: World
) -> None:
    (world.datasets / "items_index_test_Björk…音.tsv").write_text("ä\n")
    shown = run(words, world, PYTHONIOENCODING=encoding)
    assert shown.returncode in (0, 1)
    assert b"Traceback" not in shown.stderr
    assert shown.stdout.decode(encoding)


def test_signs_are_written_otherwise_and_letters_as_escapes() -> None:
    terminal._open_streams()
    import codecs

    codecs.register_error("tartarus-test", terminal._written_otherwise)
    text = "12 × 4 … Björk 音 — ≥"
    assert text.encode("ascii", "tartarus-test") == b"12 x 4 ... Bj\\xf6rk \\u97f3 - >="
    assert text.encode("latin-1", "tartarus-test") == "12 × 4 ... Björk \\u97f3 - >=".encode(
        "latin-1"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("words", ["experiments list", "check-data --json", "split --help"])
def test_output_that_cannot_be_written_is_an_error(words: str, world: World) -> None:
    shown = run(words, world, ">/dev/full")
    assert shown.returncode == 1
    assert b"error: standard output cannot be written: No space left on device" in shown.stderr
    assert b"Traceback" not in shown.stderr
    assert b"Exception ignored" not in shown.stderr


@pytest.mark.parametrize("redirected", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", "| true"])
def test_closed_streams_end_no_command(redirected: str, world: World) -> None:
    shown = run("models list", world, redirected)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert not [path for path in world.root.rglob("*") if path.stat().st_size == 1]


def test_a_wrong_width_and_a_warning_that_is_to_be_an_error_end_no_command(world: World) -> None:
    variables = {"TERMINAL_WIDTH": "wide", "COLUMNS": "wide", "PYTHONWARNINGS": "error,default"}
    for words in ("--help", "models list"):
        shown = run(words, world, **variables)
        assert (shown.returncode, shown.stderr) == (0, b"")


def test_warnings_are_no_errors_in_a_command_and_those_that_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "error::UserWarning,default,e")
    monkeypatch.setattr(sys, "warnoptions", ["error", "ignore"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        terminal._keep_warnings()
        with pytest.warns(UserWarning, match="a"):
            warnings.warn("a", stacklevel=1)
    assert (os.environ["PYTHONWARNINGS"], sys.warnoptions) == ("default", ["ignore"])


def test_pictures_need_no_backend_of_a_notebook() -> None:
    code = "from tartarus_cli.cli.terminal import prepare_process as p; p()\n"
    code += "import matplotlib.pyplot as plt; print(plt.get_backend())"
    shown = subprocess.run(  # noqa: S603 — our own words
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"MPLBACKEND": "module://no_such_module.backend"},
    )
    assert shown.stdout.lower() == "agg\n"


def test_a_library_that_meets_an_early_end_does_not_abort_without_a_word(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise EOFError

    monkeypatch.setattr("tartarus_cli.api.models.list_models", fail)
    shown = tartarus("models", "list", "-w", world.root)
    assert shown.status == 1
    assert "what a library read ended too early (" in shown.err
    assert f"{Path(__file__).name}, line " in shown.err
    assert "Aborted" not in shown.err
