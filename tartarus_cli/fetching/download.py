"""Downloads of large files, which continue after a broken connection and after an interruption."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError

from tartarus_cli.errors import DataError, FileError, call, display_path
from tartarus_cli.fetching.catalogue import PublishedArchive
from tartarus_cli.fetching.zenodo import RemoteFile, describe_failure, open_url
from tartarus_cli.files import format_bytes
from tartarus_cli.progress import Progress, ProgressTask

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait before each further try, as long as no byte arrives."""
MAX_PAUSE_S = 60.0
"""The longest pause that a server may request."""
BLOCK_BYTES = 1 << 18
"""Bytes that are read at once."""


def partial_path(file: RemoteFile, folder: Path) -> Path:
    """Return the path of an unfinished download; it differs for each version of the file."""
    return folder / f".{file.name}.{file.checksum.rpartition(':')[2][:12]}.part"


def count_missing_bytes(file: RemoteFile, folder: Path) -> int:
    """Return how many bytes of a file have still to be downloaded."""
    target, partial = folder / file.name, partial_path(file, folder)
    if target.is_file() and target.stat().st_size == file.size:
        return 0
    return max(file.size - _size(partial), 0)


def download(file: RemoteFile, archive: PublishedArchive, folder: Path, progress: Progress) -> Path:
    """Download a file, unless it is there; an unfinished download is continued.

    Parameters
    ----------
    file
        The file, as the server describes it.
    archive
        The published archive that it belongs to.
    folder
        The folder to put it into.
    progress
        Hears of each byte.

    Returns
    -------
    Path
        The file, whose checksum is right.

    Raises
    ------
    DataError
        If the server refuses, or the connection keeps breaking.
    FileError
        If the checksum is wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, partial = folder / file.name, partial_path(file, folder)
    if target.exists():
        if _is_complete(target, file, progress):
            progress.say(f"{display_path(target)} is there already")
            return target
        progress.warn(
            f"{display_path(target)} is not what {archive.page} has; it is downloaded again"
        )
    if _size(partial) > file.size:
        partial.unlink()
    again = call("fetch", archive.name)
    try:
        with progress.task(f"downloading {file.name}", file.size) as task:
            task.advance(_size(partial))
            _download_remaining(file, archive, partial, task)
    except (KeyboardInterrupt, SystemExit):
        amount = f"{format_bytes(_size(partial))} of {format_bytes(file.size)}"
        progress.say(f"{amount} are downloaded: {again} continues from there")
        raise
    if not _is_complete(partial, file, progress):
        partial.unlink()
        raise FileError(
            target,
            found="the downloaded file has another checksum",
            expected=file.checksum,
            hint=f"It was deleted. Run {again} again. {archive.manual_download}",
        )
    partial.replace(target)
    return target


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _is_complete(path: Path, file: RemoteFile, progress: Progress) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    hashed = file.hasher()
    with path.open("rb") as content, progress.task(f"verifying {file.name}", file.size) as task:
        while block := content.read(BLOCK_BYTES):
            hashed.update(block)
            task.advance(len(block))
    return hashed.hexdigest() == file.checksum.rpartition(":")[2]


class _ConnectionLostError(Exception):
    """A connection ended too early, or a server cannot answer now: worth another try."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause
        """Seconds to wait before the next try."""


def _download_remaining(
    file: RemoteFile, archive: PublishedArchive, partial: Path, task: ProgressTask
) -> None:
    partial.touch()
    failures = 0
    while (size := _size(partial)) < file.size:
        try:
            _append(file, archive, partial, task)
        except _ConnectionLostError as problem:
            failures = 1 if _size(partial) > size else failures + 1
            if failures > len(PAUSES):
                raise _connection_error(file, archive, partial, problem) from None
            time.sleep(max(problem.pause, PAUSES[failures - 1]))


def _connection_error(
    file: RemoteFile, archive: PublishedArchive, partial: Path, problem: _ConnectionLostError
) -> DataError:
    msg = (
        f"{file.name}: the connection broke after {format_bytes(_size(partial))} of "
        f"{format_bytes(file.size)} ({problem})"
    )
    again = f"Run {call('fetch', archive.name)} again: it continues from there."
    return DataError(msg, hint=f"{again} {archive.manual_download}")


def _append(file: RemoteFile, archive: PublishedArchive, partial: Path, task: ProgressTask) -> None:
    """Append the bytes that follow to an unfinished download, until the connection ends."""
    size = _size(partial)
    with _open_reply(file, archive, partial) as reply:
        start = _start_of_reply(reply, file, archive, size)
        task.advance(start - size)  # negative where the server begins at the first byte
        with partial.open("r+b") as output:
            output.truncate(start)
            output.seek(start)
            for block in _blocks(reply, file.size - start):
                output.write(block)
                task.advance(len(block))
    if _size(partial) < file.size:
        msg = "it ended early"
        raise _ConnectionLostError(msg)


@contextmanager
def _open_reply(
    file: RemoteFile, archive: PublishedArchive, partial: Path
) -> Iterator[HTTPResponse]:
    with ExitStack() as stack:
        try:
            reply = stack.enter_context(open_url(file.url, start=_size(partial)))
        except HTTPError as problem:
            problem.close()
            raise _refusal_error(problem, file, archive, partial) from None
        except (OSError, HTTPException) as problem:
            raise _ConnectionLostError(describe_failure(problem)) from None
        yield reply


def _blocks(reply: HTTPResponse, remaining: int) -> Iterator[bytes]:
    """Read at most so many bytes; only errors of the connection are worth another try."""
    while remaining:
        try:
            block = reply.read1(min(BLOCK_BYTES, remaining))
        except (OSError, HTTPException) as problem:
            raise _ConnectionLostError(describe_failure(problem)) from None
        if not block:
            return
        remaining -= len(block)
        yield block


def _start_of_reply(
    reply: HTTPResponse, file: RemoteFile, archive: PublishedArchive, size: int
) -> int:
    """Return the byte that a reply begins with, and make sure that it belongs to this file."""
    content_range = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
    start = int(content_range[1]) if reply.status == 206 and content_range else 0
    length = reply.headers.get("Content-Length", "")
    is_page = reply.headers.get_content_type() == "text/html"
    wrong = start not in (0, size) or (length.isdigit() and int(length) != file.size - start)
    if is_page or wrong:
        found = "a web page" if is_page else f"{length} bytes from byte {start} on"
        msg = f"{file.url}: {found}; expected {file.name}, {file.size} bytes"
        raise DataError(msg, hint=f"Try again later. {archive.manual_download}")
    return start


def _refusal_error(
    problem: HTTPError, file: RemoteFile, archive: PublishedArchive, partial: Path
) -> Exception:
    if problem.code == 416:  # the server's file is shorter than ours: begin again
        partial.write_bytes(b"")
    if problem.code in (416, 429) or problem.code >= 500:
        return _ConnectionLostError(describe_failure(problem), _requested_pause(problem.headers))
    msg = f"{file.url}: the server refuses it ({describe_failure(problem)})"
    return DataError(msg, hint=f"Try again later. {archive.manual_download}")


def _requested_pause(headers: Message) -> float:
    seconds = headers.get("Retry-After", "")
    return min(float(seconds), MAX_PAUSE_S) if seconds.isdigit() else 0.0
