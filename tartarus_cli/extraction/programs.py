"""Programs of others that turn recordings or documents into vectors.

A program is given a Parquet file with the columns ``id`` and ``path``, or ``id`` and ``text``, and
writes one with a vector for each id. It runs without a shell, and what it writes is checked.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.tables.blocks import Block, Columns
from tartarus_cli.data.tables.parquet import Parquet
from tartarus_cli.errors import (
    DataError,
    FileError,
    RequestError,
    TartarusError,
    count_noun,
    display_path,
    parameter,
)
from tartarus_cli.files import digest

LOGGER = logging.getLogger(__name__)

LIST, OUT = "{list}", "{out}"
"""What stands in a command for the file that the program reads, and for the one that it writes."""

EXAMPLE = f"python my_encoder.py {LIST} {OUT}"

CODE_ENDINGS = (
    ".py",
    ".pyz",
    ".sh",
    ".r",
    ".jl",
    ".js",
    ".mjs",
    ".lua",
    ".pl",
    ".rb",
    ".m",
    ".jar",
)
"""Endings of files of code: another content makes other vectors, under the same command."""

MAX_WIDTH = 1 << 16
"""Numbers of a vector, at most."""

POLL_S = 0.05
"""Seconds between two looks at a program that runs."""

PATIENCE_S = 5
"""Seconds that a program has to end in when it is asked to."""

_LOG_BYTES = 1 << 14
"""Bytes of what a program printed that are read at a time."""

Content = Literal["path", "text"]
"""What the list gives of an item, beside its id."""

Vectors = dict[str, NDArray[np.float32]]
"""Id → vector."""


@dataclass(frozen=True)
class Program:
    """A command that makes vectors."""

    command: str
    """As it was given; the words ``{list}`` and ``{out}`` stand for files."""
    words: tuple[str, ...]
    """The words of the command."""

    @cached_property
    def code(self) -> dict[str, str]:
        """Each word that names a file of code, such as ``my_encoder.py`` → hash of the file."""
        named = (word for word in self.words if word.lower().endswith(CODE_ENDINGS))
        return {word: digest(Path(word)) for word in dict.fromkeys(named) if _is_file(word)}

    def describe(self) -> str:
        """Return the command for a message."""
        return self.command if len(self.command) <= 200 else self.command[:200] + "…"


def _is_file(word: str) -> bool:
    with suppress(OSError, ValueError):
        return Path(word).is_file()
    return False


def parse_program(command: str) -> Program:
    """Read a command as a shell would, without running one.

    Raises
    ------
    RequestError
        If a quotation does not end, the files are not named, or there is no such program.
    """
    given = parameter("command", command)
    try:
        words = tuple(shlex.split(command))
    except ValueError as problem:
        msg = f"{given} cannot be read: {str(problem).lower()}"
        raise RequestError(msg, hint="Close each quotation mark in it.") from None
    absent = [name for name in (LIST, OUT) if not any(name in word for word in words)]
    if absent:
        msg = f"{given} lacks {' and '.join(absent)}"
        hint = f"{LIST} stands for the list that the program reads, {OUT} for the vectors that it "
        hint += f"writes: {parameter('command', EXAMPLE)}"
        raise RequestError(msg, hint=hint)
    if "\0" in command or shutil.which(words[0]) is None:
        msg = f"there is no program {words[0]!r} that can be run, as {given} says"
        hint = "Correct its name; a file needs a path, and the right to be executed: chmod +x FILE."
        raise RequestError(msg, hint=hint)
    return Program(command, words)


@dataclass(frozen=True)
class ProgramCall:
    """How a program is called."""

    program: Program
    content: Content
    """Whether it reads recordings or texts."""
    folder: Path
    """Folder of the files that it reads and writes."""
    check: Callable[[], None]
    """Called several times a second; an error that it raises stops the program."""
    timeout_s: float | None = None
    """Seconds after which it is stopped; None: never."""
    folder_stays: bool = False
    """Whether the user finds the folder when the program fails."""

    @property
    def _log(self) -> Path:
        return self.folder / "log.txt"

    def vectors(self, items: Mapping[str, str]) -> Vectors:
        """Run the program on some items; those that it gives no vector are left out.

        Parameters
        ----------
        items
            Id → absolute path of the recording, or text.

        Raises
        ------
        TimeoutError
            If it takes too long.
        TartarusError
            If it cannot be started, or fails.
        DataError
            If what it writes is missing or damaged, or not a vector for each id.
        """
        files = {LIST: self.folder / "list.parquet", OUT: self.folder / "vectors.parquet"}
        self.folder.mkdir(parents=True, exist_ok=True)
        _remove(files[OUT])
        _write_list(files[LIST], items, self.content)
        status = self._run([_fill(word, files) for word in self.program.words])
        by_hand = shlex.join(_fill(word, files) for word in self.program.words)
        hint = f"Correct it; to run it by hand: {by_hand}" if self.folder_stays else "Correct it."
        if status:
            raise self._failure(status, hint)
        with self._explained(hint):
            return _read_vectors(files[OUT], items)

    def _run(self, words: Sequence[str]) -> int:
        """Run a program to its end, or stop it; return its exit status."""
        LOGGER.debug("running %s", shlex.join(words))
        with self._log.open("wb") as log:
            try:
                process = subprocess.Popen(  # noqa: S603 — what the user names, without a shell
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as problem:
                msg = f"{words[0]} cannot be started: {problem.strerror or problem}"
                hint = "Name the program that runs it first, such as python."
                raise RequestError(msg, hint=hint) from None
        try:
            return self._follow(process)
        except BaseException:
            _stop(process)
            raise

    def _follow(self, process: subprocess.Popen[bytes]) -> int:
        """Wait until a program ends, and log what it prints."""
        start = time.monotonic()
        with self._log.open("rb") as log:
            while True:
                status = process.poll()
                _log_lines(log.read(_LOG_BYTES))
                if status is not None:
                    return status
                self.check()
                if self.timeout_s is not None and time.monotonic() - start > self.timeout_s:
                    raise TimeoutError
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_S)

    def _failure(self, status: int, hint: str) -> TartarusError:
        end = f"ended with exit status {status}"
        if status < 0:
            end = f"was ended by signal {-status}"
            fewer = f"give it fewer files at a time: {parameter('chunk', 1)}"
            hint = f"If memory was short, {fewer}. {hint}"
        last = _last_lines(self._log)
        return TartarusError(f"{self.program.describe()} {end}{last}", hint=hint)

    @contextmanager
    def _explained(self, hint: str) -> Iterator[None]:
        try:
            yield
        except FileError as problem:
            msg = f"{self.program.describe()} wrote {problem.found}; expected {problem.expected}"
            raise DataError(msg + _last_lines(self._log), hint=hint) from None


def _fill(word: str, files: Mapping[str, Path]) -> str:
    for name, path in files.items():
        word = word.replace(name, str(path))
    return word


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_list(path: Path, items: Mapping[str, str], content: Content) -> None:
    import polars as pl

    columns: dict[str, Any] = {"id": [*items], content: [*items.values()]}
    pl.DataFrame(columns, schema={"id": pl.String, content: pl.String}).write_parquet(path)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a program, and the processes that it started."""
    try:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
    finally:
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)  # it leads a session of its own
        elif process.poll() is None:
            process.kill()


def _log_lines(printed: bytes) -> None:
    for line in _lines(printed):
        LOGGER.debug("it prints: %s", line)


def _lines(printed: bytes) -> list[str]:
    """Return what was printed as lines that are safe to show."""
    lines = printed.decode("utf-8", "replace").splitlines()
    return ["".join(c if c.isprintable() else " " for c in line).strip()[:300] for line in lines]


def _last_lines(log: Path, count: int = 3) -> str:
    """Return the last lines that a program printed, as the end of a message."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        lines = [line for line in _lines(file.read(_LOG_BYTES)) if line][-count:]
        if lines:
            return f"; it printed: {' | '.join(lines)}"
    return "; it printed nothing"


def _read_vectors(path: Path, items: Mapping[str, str]) -> Vectors:
    """Read the vectors that a program wrote.

    Raises
    ------
    FileError
        If there is no file, it is damaged, or holds something else.
    """
    if not path.exists():
        _refuse(path, f"no file {display_path(path)}", "a Parquet file")
    table = Parquet(path)
    columns = _vector_columns(table)
    if table.size > len(items):
        _refuse(path, count_noun(table.size, "row"), f"one for each of {len(items):,} ids")
    vectors = Vectors()
    for block in table.blocks(columns):
        _check_ids(path, block, items, vectors)
        with np.errstate(over="ignore"):
            values = block.values.astype(np.float32)
        if not np.isfinite(values).all():
            line = block.lines[int(np.isfinite(values).all(axis=1).argmin())]
            _refuse(path, f"a number too large for float32 in row {line}", "finite numbers")
        vectors |= {item: row.copy() for item, row in zip(block.texts[0], values, strict=True)}
    return vectors


def _vector_columns(table: Parquet) -> Columns:
    """Return the columns of a table that hold the ids and the vectors."""
    names = table.names
    if "id" not in names or len(names) == 1:
        found = f"the columns {', '.join(map(repr, names[:5]))}{', …' * (len(names) > 5)}"
        _refuse(table.path, found, "id and vector, or id and a column for each dimension")
    if len(names) > MAX_WIDTH:
        _refuse(table.path, f"{len(names):,} columns", f"at most {MAX_WIDTH:,}")
    others = tuple(name for name in names if name != "id")
    return Columns(("id",), ("vector",) if "vector" in others else others, vectors=True)


def _check_ids(path: Path, block: Block, items: Mapping[str, str], known: Vectors) -> None:
    """Make sure that the ids of a block are on the list, and come once."""
    if block.values.shape[1] > MAX_WIDTH:
        _refuse(path, f"vectors of {block.values.shape[1]:,} numbers", f"at most {MAX_WIDTH:,}")
    ids = set[str]()
    for item, line in zip(block.texts[0], block.lines, strict=True):
        if item not in items:
            _refuse(path, f"the id {item!r} in row {line}", "only ids of the list")
        if item in known or item in ids:
            _refuse(path, f"the id {item!r} a second time in row {line}", "one row for each id")
        ids.add(item)


def _refuse(path: Path, found: str, expected: str) -> NoReturn:
    raise FileError(path, found=found, expected=expected, hint="Correct the program.")


def program_key(program: Program, content: Content) -> str:
    """Return a hash of a command, of the code that it names, and of what it reads."""
    parts = [content, program.command, *(part for pair in program.code.items() for part in pair)]
    return blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
