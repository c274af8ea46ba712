"""Downloading of large files: goes on after a broken connection, and from where it was stopped."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError

from tartarus_cli.errors import DataError, FileError, display_path
from tartarus_cli.fetching.catalogue import PublishedArchive
from tartarus_cli.fetching.zenodo import RemoteFile, opened, reason
from tartarus_cli.files import format_bytes
from tartarus_cli.progress import Progress, ProgressTask

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before each further try without a byte of success
LONGEST_PAUSE = 60.0  # seconds that a server may ask for
BLOCK = 1 << 18


def part_of(file: RemoteFile, folder: Path) -> Path:
    """Where what has arrived of a file is kept; another version of the file has another place."""
    return folder / f".{file.name}.{file.checksum.rpartition(':')[2][:12]}.part"


def missing_bytes(file: RemoteFile, folder: Path) -> int:
    """How much of a file has still to be downloaded."""
    done, part = folder / file.name, part_of(file, folder)
    if done.is_file() and done.stat().st_size == file.size:
        return 0
    return max(file.size - _size(part), 0)


def download(file: RemoteFile, archive: PublishedArchive, folder: Path, progress: Progress) -> Path:
    """Download a file, unless it is there; what an earlier try left is gone on with.

    Parameters
    ----------
    file
        What the server says of the file.
    archive
        That it is of.
    folder
        Where it is kept.
    progress
        Told of each byte.

    Returns
    -------
    Its path; the checksum is right.

    Raises
    ------
    DataError
        If the server refuses, or the connection keeps breaking.
    FileError
        If the checksum is wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done, part = folder / file.name, part_of(file, folder)
    if done.exists():
        if _is_sound(done, file, progress):
            progress.say(f"{display_path(done)} is there already")
            return done
        progress.warn(
            f"{display_path(done)} is not what {archive.page} has; it is downloaded again"
        )
    if _size(part) > file.size:
        part.unlink()
    try:
        with progress.task(f"downloading {file.name}", file.size) as task:
            task.advance(_size(part))
            _receive(file, archive, part, task)
    except (KeyboardInterrupt, SystemExit):
        progress.say(
            f"{format_bytes(_size(part))} of {format_bytes(file.size)} are kept: "
            f"'tartarus fetch {archive.name}' goes on from there"
        )
        raise
    if not _is_sound(part, file, progress):
        part.unlink()
        raise FileError(
            done,
            found="what arrived has another checksum",
            expected=file.checksum,
            hint=f"It was deleted. Run 'tartarus fetch {archive.name}' again. {archive.by_hand}",
        )
    part.replace(done)
    return done


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _is_sound(path: Path, file: RemoteFile, progress: Progress) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    hashed = file.hasher()
    with path.open("rb") as content, progress.task(f"verifying {file.name}", file.size) as task:
        while block := content.read(BLOCK):
            hashed.update(block)
            task.advance(len(block))
    return hashed.hexdigest() == file.checksum.rpartition(":")[2]


class _BrokenError(Exception):
    """A connection ended too early, or a server cannot answer now: worth another try."""

    def __init__(self, why: str, pause: float = 0.0) -> None:
        super().__init__(why)
        self.pause = pause


def _receive(file: RemoteFile, archive: PublishedArchive, part: Path, task: ProgressTask) -> None:
    part.touch()
    failures = 0
    while (have := _size(part)) < file.size:
        try:
            _go_on(file, archive, part, task)
        except _BrokenError as problem:
            failures = 1 if _size(part) > have else failures + 1
            if failures > len(PAUSES):
                raise _given_up(file, archive, part, problem) from None
            time.sleep(max(problem.pause, PAUSES[failures - 1]))


def _given_up(
    file: RemoteFile, archive: PublishedArchive, part: Path, problem: _BrokenError
) -> DataError:
    msg = (
        f"{file.name}: the connection broke after {format_bytes(_size(part))} of "
        f"{format_bytes(file.size)} ({problem})"
    )
    again = f"Run 'tartarus fetch {archive.name}' again: it goes on from there."
    return DataError(msg, hint=f"{again} {archive.by_hand}")


def _go_on(file: RemoteFile, archive: PublishedArchive, part: Path, task: ProgressTask) -> None:
    """Append to a part what the server sends from there on, until it is whole or breaks."""
    have = _size(part)
    with _answer(file, archive, part) as reply:
        start = _start(reply, file, archive, have)
        task.advance(start - have)  # less than none where the server begins anew
        with part.open("r+b") as written:
            written.truncate(start)
            written.seek(start)
            for block in _blocks(reply, file.size - start):
                written.write(block)
                task.advance(len(block))
    if _size(part) < file.size:
        msg = "it ended early"
        raise _BrokenError(msg)


@contextmanager
def _answer(file: RemoteFile, archive: PublishedArchive, part: Path) -> Iterator[HTTPResponse]:
    with ExitStack() as stack:
        try:
            reply = stack.enter_context(opened(file.url, start=_size(part)))
        except HTTPError as problem:
            problem.close()
            raise _refused(problem, file, archive, part) from None
        except (OSError, HTTPException) as problem:
            raise _BrokenError(reason(problem)) from None
        yield reply


def _blocks(reply: HTTPResponse, left: int) -> Iterator[bytes]:
    """Read at most so many bytes; errors of the connection are told from those of the disk."""
    while left:
        try:
            block = reply.read1(min(BLOCK, left))
        except (OSError, HTTPException) as problem:
            raise _BrokenError(reason(problem)) from None
        if not block:
            return
        left -= len(block)
        yield block


def _start(reply: HTTPResponse, file: RemoteFile, archive: PublishedArchive, have: int) -> int:
    """Return the byte that an answer begins with, and make sure that it is of this file."""
    told = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
    start = int(told[1]) if reply.status == 206 and told else 0
    length = reply.headers.get("Content-Length", "")
    is_page = reply.headers.get_content_type() == "text/html"
    wrong = start not in (0, have) or (length.isdigit() and int(length) != file.size - start)
    if is_page or wrong:
        found = "a web page" if is_page else f"{length} bytes from byte {start} on"
        msg = f"{file.url}: {found}; expected {file.name}, {file.size} bytes"
        raise DataError(msg, hint=f"Try again later. {archive.by_hand}")
    return start


def _refused(
    problem: HTTPError, file: RemoteFile, archive: PublishedArchive, part: Path
) -> Exception:
    if problem.code == 416:  # there is less than what we have: begin anew
        part.write_bytes(b"")
    if problem.code in (416, 429) or problem.code >= 500:
        return _BrokenError(reason(problem), _asked_pause(problem.headers))
    msg = f"{file.url}: the server refuses it ({reason(problem)})"
    return DataError(msg, hint=f"Try again later. {archive.by_hand}")


def _asked_pause(headers: Message) -> float:
    asked = headers.get("Retry-After", "")
    return min(float(asked), LONGEST_PAUSE) if asked.isdigit() else 0.0
