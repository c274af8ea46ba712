"""Locks: one command at a piece of work, and no harm to the files of others."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from tartarus_cli.errors import FileError, RequestError
from tartarus_cli.files import locked, locked_folder
from tartarus_cli.files.locks import FOLDER_LOCK, is_locked

HOLDER = """
import sys
from pathlib import Path
from tartarus_cli.files import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_lock_has_one_holder_and_is_free_again_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    for _ in range(2):
        with (
            locked(path),
            pytest.raises(RequestError, match="another command is doing this work already"),
            locked(path),
        ):
            pass
    with locked(path), locked(tmp_path / "new" / ".other"):
        pass


def test_a_lock_ends_with_its_process_even_if_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with ExitStack() as stack:
        holder = stack.enter_context(
            subprocess.Popen(  # noqa: S603 — the interpreter under test
                [sys.executable, "-c", HOLDER, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(holder.kill)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(RequestError, match="doing this work already"), locked(path):
            pass
        holder.kill()
        holder.wait()
        with locked(path):
            pass


def link_to_a_file(path: Path) -> None:
    path.symlink_to(path.with_name("precious.txt"))


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("nothing.txt"))


def pipe(path: Path) -> None:
    pytest.importorskip("fcntl")
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (link_to_a_file, "a symbolic link"),
        (link_to_nothing, "a symbolic link"),
        (pipe, "a folder, a pipe or the like"),
        (Path.mkdir, "a folder, a pipe or the like"),
    ],
)
def test_what_is_no_plain_file_is_neither_locked_nor_followed(
    make: Callable[[Path], object], kind: str, tmp_path: Path
) -> None:
    precious, path = tmp_path / "precious.txt", tmp_path / ".lock"
    precious.write_text("the only copy")
    make(path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileError, match=kind), locked(path):
        pass
    assert sorted(tmp_path.iterdir()) == before
    assert precious.read_text() == "the only copy"


def test_a_link_that_takes_the_place_of_the_lock_at_the_last_moment_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious, path = tmp_path / "precious.txt", tmp_path / ".lock"
    precious.write_text("the only copy")
    path.symlink_to(precious)
    monkeypatch.setattr("tartarus_cli.files.locks._require_plain_or_absent", lambda _path: None)
    with pytest.raises(OSError, match="symbolic links"), locked(path):
        pass
    assert precious.read_text() == "the only copy"


def test_a_file_that_is_locked_is_not_emptied(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.write_text("something")
    with locked(path):
        pass
    assert path.read_text() == "something"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_of_the_file_system_the_work_goes_on(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refused(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    done = []
    with locked(tmp_path / ".lock"), locked(tmp_path / ".lock"):
        done.append("work")
    assert done == ["work"]


def test_a_lock_that_cannot_be_opened_stops_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("os.open", refused)
    with pytest.raises(PermissionError), locked(tmp_path / ".lock"):
        pass


def test_where_folders_cannot_be_locked_a_file_in_them_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl", reason="this system has no locks of files")
    flock = fcntl.flock

    def as_on_nfs(descriptor: int, operation: int) -> None:
        if not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_RDWR:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", as_on_nfs)
    with locked_folder(tmp_path):
        assert is_locked(tmp_path / FOLDER_LOCK)
    assert not is_locked(tmp_path / FOLDER_LOCK)
