"""The log of a command: what it says, where it goes, and that nothing goes there twice."""

import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tartarus_cli.checking import check
from tests.conftest import Command
from tests.processes import ENOUGH_S, started
from tests.worlds import World

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}"
LINE = re.compile(rf"{TIME} \d+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)")
QUICK = ("--set", "training.epochs=1", "--set", "network.hidden=4")
TRAIN = ("train", "rec_dense", "text", "--dataset", "rec", *QUICK)


def lines_of(path: Path) -> list[tuple[str, str]]:
    """Level and message of each line; every line has to have both."""
    matches = [LINE.fullmatch(line) for line in path.read_text().splitlines()]
    return [(match[1], match[2]) for match in matches if match]


def test_a_log_goes_from_the_words_to_the_exit_status(tartarus: Command, world: World) -> None:
    words = (*TRAIN, "-w", world.root)
    assert tartarus("--log", "run.log", *words).status == 0
    text = Path("run.log").read_text()
    lines = lines_of(Path("run.log"))
    assert len(lines) == len(text.splitlines())
    joined = " ".join(map(str, words))
    assert lines[0] == ("INFO", f"start: tartarus --log run.log {joined}")
    assert lines[-1][0] == "INFO"
    assert re.fullmatch(r"end: exit status 0, \d+\.\d s", lines[-1][1])
    messages = [message for _, message in lines]
    assert "training: started" in messages
    assert any(re.fullmatch(r"training: epoch 1/1.*: done in \d+\.\d s", m) for m in messages)
    assert any("there are no val items" in message for message in messages)
    assert {level for level, _ in lines} == {"INFO"}


def test_a_log_may_be_named_after_the_command_and_is_added_to(
    tartarus: Command, world: World
) -> None:
    for _ in range(2):
        tartarus("models", "list", "-w", world.root, "--log", "run.log")
    starts = [message for _, message in lines_of(Path("run.log")) if message.startswith("start")]
    assert starts == [f"start: tartarus models list -w {world.root} --log run.log"] * 2


def test_the_environment_names_a_log_and_the_command_line_another(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARTARUS_LOG", "always.log")
    tartarus("models", "list", "-w", world.root, "--log", "after.log")
    tartarus("--log", "before.log", "models", "list", "-w", world.root)
    assert not Path("always.log").exists()
    tartarus("models", "list", "-w", world.root)
    for name in ("after", "before", "always"):
        assert len(lines_of(Path(f"{name}.log"))) == 2


def test_an_error_is_in_the_log_with_its_hint(tartarus: Command, world: World) -> None:
    words = ("run", "rec_mutli", "text", "audio", "-w", world.root)
    assert tartarus("--log", "run.log", *words).status == 2
    lines = lines_of(Path("run.log"))
    assert [level for level, _ in lines] == ["INFO", "ERROR", "ERROR", "INFO"]
    assert "rec_mutli" in lines[1][1]
    assert re.match(r"hint: Did you mean rec_multi", lines[2][1])
    assert lines[3][1].startswith("end: exit status 2, ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--log", "x.log", "trian"), "trian"),
        (("run", "rec_dense", "--epohcs", "3", "--log", "x.log"), "--epohcs"),
        (("run", "rec_dense", "--epohcs", "3", "--log=x.log"), "--epohcs"),
        (("run", "rec_dense", "--log", "x.log", "--seed", "-1"), "--seed"),
    ],
)
def test_a_command_line_that_is_wrong_is_in_the_log(
    words: tuple[str, ...], message: str, tartarus: Command
) -> None:
    assert tartarus(*words).status == 2
    start, problem, end = lines_of(Path("x.log"))
    assert start[1].startswith("start: tartarus ")
    assert problem[0] == "ERROR"
    assert message in problem[1]
    assert end[1].startswith("end: exit status 2, ")


def test_a_bug_keeps_its_traceback_in_the_log_too(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        msg = "out of luck"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr(check, "check_data", fail)
    with pytest.raises(ZeroDivisionError, match="out of luck"):
        tartarus("--log", "x.log", "check-data", "-w", world.root)
    text = Path("x.log").read_text()
    assert "CRITICAL unexpected error\nTraceback (most recent call last):\n" in text
    assert "\nZeroDivisionError: out of luck\n" in text
    assert lines_of(Path("x.log"))[-1][1].startswith("end: exit status 1, ")


def test_an_interruption_is_in_the_log(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "check_data", interrupt)
    assert tartarus("check-data", "-w", world.root, "--log", "x.log").status == 130
    assert lines_of(Path("x.log"))[1] == ("WARNING", "interrupted")
    assert lines_of(Path("x.log"))[2][1].startswith("end: exit status 130, ")


SLOW = """
import time
from tartarus_cli.checking import check
def wait(*arguments, **options):
    print("waiting", flush=True)
    time.sleep(600)
check.check_data = wait
from tartarus_cli.cli.app import main
main()
"""


def test_a_polite_kill_is_in_the_log(world: World) -> None:
    words = ("--log", "x.log", "check-data", "-w", world.root)
    with started([sys.executable, "-c", SLOW, *words]) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "waiting\n"
        command.send_signal(signal.SIGTERM)
        assert command.wait(ENOUGH_S) == 143
    assert lines_of(Path("x.log"))[-1][1].startswith("end: exit status 143, ")


def test_a_log_that_cannot_be_written_stops_the_command_before_it_begins(
    tartarus: Command, tmp_path: Path
) -> None:
    refused = tartarus("init", tmp_path / "new", "--log", "nowhere/run.log")
    assert refused.status == 2
    assert "the log nowhere/run.log cannot be written" in refused.err
    assert not (tmp_path / "new").exists()


def test_verbose_prints_on_standard_error_what_nothing_else_prints(
    tartarus: Command, world: World
) -> None:
    quiet = tartarus(*TRAIN, "-w", world.root, "--json")
    verbose = tartarus(*TRAIN, "-w", world.root, "--json", "-v")
    assert verbose.document["model"] == "model_2"
    for message in quiet.err.splitlines():
        assert verbose.err.splitlines().count(message) == 1
        assert verbose.err.count(message) == 1
    more = [line for line in verbose.err.splitlines() if line not in quiet.err.splitlines()]
    assert all(LINE.fullmatch(line) for line in more)
    messages = [LINE.sub(r"\2", line) for line in more]
    folder = world.root / "data" / "models" / "model_2"
    assert f"wrote {folder / 'manifest.json'}" in messages
    assert f"reading {world.features / 'X_train_text_rec.npy'}" in messages
    assert "training: started" in messages


def test_verbose_before_a_command_counts_and_makes_a_log_say_more(
    tartarus: Command, world: World
) -> None:
    shown = tartarus("-v", "--log", "x.log", "check-data", "rec", "-w", world.root)
    assert "DEBUG reading" in shown.err
    assert ("DEBUG", f"reading {world.features / 'X_test_text_rec.npy'}") in lines_of(Path("x.log"))


def test_names_with_control_characters_make_no_lines_of_their_own(
    tartarus: Command, world: World
) -> None:
    words = ("run", "rec_dense", "te\nxt\x1b[31m", "--dataset", "rec", "-w", world.root)
    tartarus(*words, "--log", "x.log")
    text = Path("x.log").read_text()
    assert len(lines_of(Path("x.log"))) == len(text.splitlines())
    assert "te\\nxt\\x1b[31m" in text
    assert "\x1b" not in text


def test_nothing_is_left_of_a_log_when_its_command_has_ended(
    tartarus: Command, world: World
) -> None:
    logger = logging.getLogger("tartarus_cli")
    before = (list(logger.handlers), logger.level, logger.propagate)
    tartarus("models", "list", "-w", world.root, "-v", "--log", "x.log")
    assert (logger.handlers, logger.level, logger.propagate) == before


def test_without_a_log_a_warning_is_printed_once() -> None:
    code = "from tartarus_cli.cli import render; render.ConsoleProgress().warn('few plays')"
    shown = subprocess.run(  # noqa: S603 — our own words
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert shown.stderr == "warning: few plays\n"


def test_a_log_on_a_full_disk_ends_once_and_the_work_goes_on(
    tartarus: Command, world: World
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no device that is always full")
    done = tartarus("models", "list", "-w", world.root, "--log", "/dev/full", "-v")
    assert done.status == 0
    assert " ".join(done.err.split()).count("the log /dev/full ends here") == 1
    assert "No space left" in done.err
    assert "Traceback" not in done.err


def test_a_pipe_that_nobody_reads_is_no_log(tartarus: Command, world: World) -> None:
    os.mkfifo("pipe")
    done = tartarus("models", "list", "-w", world.root, "--log", "pipe")
    assert done.status == 2
    assert "nobody reads" in " ".join(done.err.split())
