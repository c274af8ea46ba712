"""Vectors of programs of others: given in chunks, kept by content, refused if they do not fit."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tartarus_cli.errors import DataError, RequestError, TartarusError
from tartarus_cli.extraction.embed_request import EmbedRequest
from tartarus_cli.extraction.program_vectors import NO_VECTOR, ProgramJob
from tartarus_cli.extraction.programs import parse_program
from tartarus_cli.extraction.vector_job import EncodedFile
from tartarus_cli.extraction.workers import Recording
from tests.conftest import Command
from tests.sounds import Sounds

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")

SCRIPT = """#!/bin/sh
cd "$(dirname "$0")"
number=$(ls given.* 2> /dev/null | wc -l)
cp "$1" given.$number
test -e answer.$number || exec sleep 30
cp answer.$number "$2"
"""


class Bench:
    """A program that gives one answer after the other, and the files that it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "own.sh"
        self.script.write_text(SCRIPT)
        self.script.chmod(0o755)

    def answers(self, *answers: Mapping[str, Sequence[float]]) -> None:
        """Write what it answers, call by call: id → vector."""
        for number, vectors in enumerate(answers):
            columns = {"id": [*vectors], "vector": [*vectors.values()]}
            pl.DataFrame(columns).write_parquet(self.folder / f"answer.{number}")

    def file(self, item: str, content: str) -> Recording:
        """Write a file."""
        path = self.folder / f"{item}.wav"
        path.write_text(content)
        return Recording(item, path)

    def run(self, *files: Recording, **options: Any) -> dict[str, Any]:
        """Return the vector of each item, or why it has none."""
        command = f"'{self.script}' {{list}} {{out}}"
        kept = self.folder / "vectors"
        defaults: dict[str, Any] = {"kind": "audio", "vectors": kept}
        job = ProgramJob(parse_program(command), **(defaults | options))
        outcomes = job.prepare_all(files, self.folder / "call", lambda: None)
        return {
            each.recording.item: np.load(each.vectors)[0].tolist()
            if isinstance(each, EncodedFile)
            else each.reason
            for each in outcomes
        }

    @property
    def given(self) -> list[list[str]]:
        """The ids that it was given, call by call."""
        count = len([*self.folder.glob("given.*")])
        return [pl.read_parquet(self.folder / f"given.{n}")["id"].to_list() for n in range(count)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_only_new_and_changed_files_are_given_and_equal_ones_once(bench: Bench) -> None:
    bench.answers({"a": [1], "c": [3]}, {"d": [4]}, {"a": [5]})
    files = [bench.file(*pair) for pair in (("a", "1"), ("b", "1"), ("c", "3"), ("d", "4"))]
    vectors = {"a": [1.0], "b": [1.0], "c": [3.0], "d": [4.0]}
    assert bench.run(*files, chunk=3) == vectors
    assert bench.run(*files) == vectors
    bench.file("a", "5")
    assert bench.run(*files) == vectors | {"a": [5.0]}
    assert bench.given == [["a", "c"], ["d"], ["a"]]


def test_chunks_that_are_done_are_kept_when_a_later_one_fails(bench: Bench) -> None:
    bench.answers({"a": [1]})
    files = [bench.file("a", "1"), bench.file("b", "2")]
    (bench.folder / "answer.1").write_text("nothing")
    with pytest.raises(DataError, match="wrote damaged"):
        bench.run(*files, chunk=1)
    (bench.folder / "given.1").unlink()
    pl.DataFrame({"id": ["b"], "0": [2.0]}).write_parquet(bench.folder / "answer.1")
    assert bench.run(*files, chunk=1) == {"a": [1.0], "b": [2.0]}
    assert bench.given == [["a"], ["b"]]


def test_files_that_cannot_be_read_or_have_no_vector_are_failures(bench: Bench) -> None:
    bench.answers({"a": [1]}, {"c": [2]})
    gone = Recording("gone", bench.folder / "gone.wav")
    files = [bench.file("a", "1"), bench.file("b", "2"), gone]
    told = bench.run(*files)
    assert (told["a"], told["b"]) == ([1.0], NO_VECTOR)
    assert told["gone"] == "no such file or directory"
    texts = [bench.file("c", "la"), bench.file("d", " \n")]
    (bench.folder / "e.wav").write_bytes(b"\xff\xfe\xfa")
    texts.append(Recording("e", bench.folder / "e.wav"))
    told = bench.run(*texts, kind="text")
    assert (told["c"], told["d"]) == ([2.0], "it is empty")
    assert bench.given == [["a", "b"], ["c"]]
    assert pl.read_parquet(bench.folder / "given.1")["text"].to_list() == ["la"]


def test_vectors_of_two_chunks_have_one_width(bench: Bench) -> None:
    bench.answers({"a": [1]}, {"b": [1, 2]})
    files = [bench.file("a", "1"), bench.file("b", "2")]
    with pytest.raises(DataError, match="wrote vectors of 2 numbers; expected 1, as those of"):
        bench.run(*files, chunk=1)


def test_a_program_that_takes_too_long_leaves_out_a_single_file(bench: Bench) -> None:
    files = [bench.file("a", "1"), bench.file("b", "2")]
    with pytest.raises(TartarusError, match=r"took longer than 0\.1 s for 2 files") as caught:
        bench.run(*files, timeout_s=0.1)
    assert "`chunk=1` leaves out" in caught.value.hint
    assert bench.run(files[0], timeout_s=0.1) == {"a": "the program took longer than 0.1 s"}


COMMAND = "cat {list} {out}"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"setting": None}, "needs a name for what it makes"),
    "an encoder too": ({"encoder": "mel-stats"}, "mel-stats and `command` exclude each other"),
    "a window": ({"window_s": 3.0}, "is a program of its own: `window` would have no effect"),
    "a cluster": ({"cluster": "local"}, "`cluster` would have no effect"),
    "a pool": ({"pool": "max"}, "`pool` would have no effect"),
    "weights": ({"weights": Path("w")}, "`weights` would have no effect"),
    "parameters": ({"overrides": ("a=1",)}, "`overrides` would have no effect"),
    "a folder of texts": (
        {"text": Path("x"), "source": "recordings"},
        "the command reads recordings: `text` would have no effect",
    ),
    "a folder of sounds": (
        {"audio": Path("x"), "source": "documents"},
        "the command reads documents: `audio` would have no effect",
    ),
    "an encoding of sounds": ({"encoding": "cp1252"}, "`encoding` would have no effect"),
    "no program": ({"command": "nowhere/x {list} {out}"}, "there is no program 'nowhere/x'"),
    "chunks of an encoder": (
        {"command": None, "encoder": "mel-stats", "chunk": 3},
        "mel-stats is no program of others: `chunk` would have no effect",
    ),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_parameters_that_say_nothing_of_a_command_are_refused(refused: str) -> None:
    changed, message = REFUSED[refused]
    defaults: dict[str, Any] = {"dataset": "songs", "command": COMMAND, "setting": "own"}
    with pytest.raises(RequestError, match=message):
        EmbedRequest(**(defaults | changed)).check()


def test_a_setting_of_another_command_or_of_changed_code_is_not_replaced(
    tartarus: Command, bench: Bench, tmp_path: Path
) -> None:
    sounds = Sounds(tmp_path / "w", {"train": 2, "val": 1, "test": 1})
    vectors = {item: [1.0, float(n)] for n, item in enumerate(sounds.items())}
    bench.answers(vectors, vectors)
    words = ("embed", "songs", "--setting", "own", "-w", sounds.root, "--command")
    command = f"sh '{bench.script}' {{list}} {{out}}"
    assert tartarus(*words, command).status == 0
    other = tartarus(*words, command + " more")
    assert other.status == 2
    assert "command sh" in " ".join(other.err.split())
    bench.script.write_text(SCRIPT + "# more\n")
    changed = tartarus(*words, command)
    assert (changed.status, "made when the code of the command was another one" in changed.err) == (
        *(2, True),
    )
    again = tartarus(*words, command, "--force", "--json")
    assert again.document["command"] == command
    assert len(bench.given) == 2
