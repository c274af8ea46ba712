"""Programs of others that make vectors: how they are run, and what they may write."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tartarus_cli.errors import DataError, RequestError, TartarusError
from tartarus_cli.extraction.programs import ProgramCall, parse_program, program_key

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")

ITEMS = {"a b": "/music/a b.wav", "2": "/music/2.wav", "ü": "/music/ü.wav"}
VECTORS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


class Bench:
    """A folder with a program in it, whose name has spaces and quotes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "it's a folder"
        self.folder.mkdir()
        self.script = self.folder / "my program.sh"
        self.answer = self.folder / "answer.parquet"
        self.runs(f'cp "{self.answer}" "$2"')

    def runs(self, line: str) -> None:
        """Write the program; its second word is the file to write."""
        self.script.write_text(f"#!/bin/sh\n{line}\n")
        self.script.chmod(0o755)

    def answers(self, columns: Mapping[str, Any], **types: Any) -> None:
        """Write what the program will answer."""
        pl.DataFrame(columns, schema_overrides=types).write_parquet(self.answer)

    def call(self, *, check: Callable[[], None] = lambda: None, **options: Any) -> Any:
        """Run the program."""
        program = parse_program(f'"{self.script}" {{list}} --out={{out}}'.replace("--out=", ""))
        folder = self.folder / "files of it"
        return ProgramCall(program, "path", folder, check, **options).vectors(ITEMS)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


FORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "lists": ({"id": [*ITEMS], "vector": VECTORS}, {}),
    "lists of float32": ({"id": [*ITEMS], "vector": VECTORS}, {"vector": pl.List(pl.Float32)}),
    "arrays": ({"id": [*ITEMS], "vector": VECTORS}, {"vector": pl.Array(pl.Float32, 2)}),
    "a column for each dimension": ({"id": [*ITEMS], "0": [1, 3, 5], "1": [2, 4, 6]}, {}),
    "other columns beside": ({"path": [*"xyz"], "id": [*ITEMS], "vector": VECTORS}, {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_vectors_may_be_lists_arrays_or_columns(form: str, bench: Bench) -> None:
    columns, types = FORMS[form]
    bench.answers(columns, **types)
    vectors = bench.call()
    assert {item: row.tolist() for item, row in vectors.items()} == dict(
        zip(ITEMS, VECTORS, strict=True)
    )
    assert {row.dtype for row in vectors.values()} == {np.dtype(np.float32)}


def test_the_program_reads_ids_and_paths_and_no_shell_reads_its_words(bench: Bench) -> None:
    bench.answers({"id": [*ITEMS], "vector": VECTORS})
    told = bench.folder / "told"
    bench.runs(f'cp "$1" "{told}"; echo "$3" > "{told}.words"; cp "{bench.answer}" "$2"')
    command = f"'{bench.script}'".replace("it's", "it'\"'\"'s") + " {list} {out} '$(id) {x};*'"
    program = parse_program(command)
    ProgramCall(program, "path", bench.folder / "call", lambda: None).vectors(ITEMS)
    table = pl.read_parquet(told)
    assert dict(zip(table["id"], table["path"], strict=True)) == ITEMS
    assert Path(f"{told}.words").read_text() == "$(id) {x};*\n"


def test_an_item_without_a_vector_is_left_out(bench: Bench) -> None:
    bench.answers({"id": ["2"], "vector": [[1.0]]})
    assert [*bench.call()] == ["2"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an id that is not on the list": (
        {"id": ["3"], "vector": [[1.0]]},
        "the id '3' in row 1; expected only ids of the list",
    ),
    "an id twice": (
        {"id": ["2", "2"], "vector": [[1.0], [1.0]]},
        "the id '2' a second time in row 2",
    ),
    "too many rows": ({"id": ["2"] * 4, "vector": [[1.0]] * 4}, "4 rows; expected one for each"),
    "not a number": (
        {"id": ["a b", "2"], "vector": [[1.0], [np.nan]]},
        "a missing or infinite number in row 2",
    ),
    "infinity": ({"id": ["2"], "0": [np.inf]}, "'inf' in row 1, column '0'"),
    "too large": ({"id": ["2"], "0": [1e300]}, "a number too large for float32 in row 1"),
    "a null vector": ({"id": ["a b", "2"], "vector": [[1.0], None]}, "no vector in row 2"),
    "different widths": (
        {"id": ["a b", "2"], "vector": [[1.0], [1.0, 2.0]]},
        "a vector of 2 in row 2, column 'vector'; expected 1 numbers",
    ),
    "no ids": ({"vector": [[1.0]]}, "the columns 'vector'; expected id and vector"),
    "no vectors": ({"id": ["2"]}, "the columns 'id'; expected id and vector"),
    "text": ({"id": ["2"], "vector": ["[1, 2]"]}, "column 'vector' of type String"),
    "ids of another type": ({"id": [2.0], "vector": [[1.0]]}, "column 'id' of type Float64"),
    "a missing id": ({"id": [None, "2"], "vector": [[1.0], [2.0]]}, "nothing in row 1"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_program_writes_is_checked(wrong: str, bench: Bench) -> None:
    columns, message = WRONG[wrong]
    bench.answers(columns)
    with pytest.raises(DataError) as caught:
        bench.call()
    assert f"wrote {message}" in str(caught.value)
    assert caught.value.hint == "Correct it."


DAMAGED = {
    "truncated": b"PAR1" + b"x" * 50,
    "empty": b"",
    "text": b"id\tvector\n2\t1\n",
}


@pytest.mark.parametrize("damage", [*DAMAGED, "half", "a folder", "nothing"])
def test_a_file_that_is_damaged_or_missing_is_an_error(damage: str, bench: Bench) -> None:
    bench.answers({"id": [*ITEMS], "vector": VECTORS})
    if damage == "half":
        bench.answer.write_bytes(bench.answer.read_bytes()[:-20])
    elif damage in DAMAGED:
        bench.answer.write_bytes(DAMAGED[damage])
    else:
        bench.runs('mkdir "$2"' if damage == "a folder" else "echo done")
    with pytest.raises(DataError, match=r"wrote (damaged|no file|a folder|.*no Parquet)"):
        bench.call()


def test_ids_that_are_not_utf_8_are_an_error(bench: Bench) -> None:
    bench.answers({"id": ["zzz"], "vector": [[1.0]]})
    content = bench.answer.read_bytes()
    assert b"zzz" in content
    bench.answer.write_bytes(content.replace(b"zzz", b"\xff\xfez"))
    with pytest.raises(DataError, match=r"wrote (damaged|the id)"):
        bench.call()


def test_a_program_that_fails_is_quoted_and_can_be_run_by_hand(bench: Bench) -> None:
    bench.runs("echo first; echo 'no such\tcheckpoint \033[31m' >&2; exit 3")
    with pytest.raises(TartarusError, match=r"exit status 3; it printed: first \| no such") as got:
        bench.call(folder_stays=True)
    assert "\033" not in str(got.value)
    by_hand = got.value.hint.partition("by hand: ")[2]
    assert os.waitstatus_to_exitcode(os.system(f"{by_hand} > /dev/null 2>&1")) == 3  # noqa: S605
    bench.runs("kill -9 $$")
    with pytest.raises(TartarusError, match="was ended by signal 9; it printed nothing") as got:
        bench.call()
    assert "fewer files at a time: `chunk=1`" in got.value.hint


@pytest.mark.parametrize("stop", ["timeout", "interrupt"])
def test_a_program_that_is_stopped_takes_its_children_along(stop: str, bench: Bench) -> None:
    mark = bench.folder / "mark"
    bench.runs(f'(sleep 30; true) & echo $! > "{mark}.new"; mv "{mark}.new" "{mark}"; wait')

    def check() -> None:
        if stop == "interrupt" and mark.exists():
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(TimeoutError if stop == "timeout" else KeyboardInterrupt):
        bench.call(check=check, timeout_s=0.5 if stop == "timeout" else None)
    assert time.monotonic() - started < 10
    child = int(mark.read_text())
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


REFUSED = {
    "a quotation that does not end": ("cat '{list} {out}", "cannot be read: no closing quotation"),
    "no place for the list": ("cat {out}", r"lacks \{list\}"),
    "nothing": ("", r"lacks \{list\} and \{out\}"),
    "an unknown program": ("no-such-thing {list} {out}", "there is no program 'no-such-thing'"),
    "a null byte": ("cat {list} {out} \0", "there is no program 'cat'"),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_a_command_that_cannot_be_run_is_refused_at_once(refused: str) -> None:
    command, message = REFUSED[refused]
    with pytest.raises(RequestError, match=message):
        parse_program(command)


def test_a_file_needs_the_right_to_be_executed(bench: Bench) -> None:
    bench.script.chmod(0o644)
    with pytest.raises(RequestError, match="there is no program") as caught:
        bench.call()
    assert "chmod +x" in caught.value.hint


def test_another_program_under_the_same_name_has_another_key(bench: Bench) -> None:
    command = f'sh "{bench.script}" {{list}} {{out}}'
    keys = {program_key(parse_program(command), "path") for _ in range(2)}
    keys.add(program_key(parse_program(command), "text"))
    bench.runs("true")
    keys.add(program_key(parse_program(command), "path"))
    assert len(keys) == 3
