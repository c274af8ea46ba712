"""Archives from elsewhere: what is in them, and unpacking of what is wanted, safely.

An archive is not trusted. No member's name becomes a path: the caller says where each wanted one is
written. Links and devices are never made, and what would unpack to far more than an archive of data
does is refused before anything is written.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import tarfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from tartarus_cli.errors import FileError
from tartarus_cli.files import open_regular, readable
from tartarus_cli.progress import ProgressTask

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MOST_MEMBERS = 1_000_000
FREE_BYTES = 1 << 30  # that any archive may unpack to
MOST_RATIO = 100  # of what is unpacked to what is packed, beyond that
MOST_AT_ONCE = 16 << 20  # bytes that a header of a tar file may make us read
BLOCK = 1 << 20
TAR_BLOCK = 512

_PACKED: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_NO_SIZE = "a header of an impossible size"
_ZIPPED = (b"PK\x03\x04", b"PK\x05\x06")
_DAMAGED = (
    BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,  # a method of compression that Python does not know
    RecursionError,  # headers upon headers
    RuntimeError,
)


@dataclass(frozen=True)
class Member:
    """What an archive says of one of its files."""

    name: str
    size: int  # bytes, unpacked
    plain: bool  # no link, device or the like


Place = Callable[[Member], Path | None]
Opener = Callable[[], IO[bytes] | None]
Entry = tuple[Member, Iterator[bytes]]  # a file of an archive, and its content in blocks


def is_archive_name(name: str) -> bool:
    """Whether a file is an archive by its name.

    >>> is_archive_name("dlrs-data.tar.gz"), is_archive_name("README.md")
    (True, False)
    """
    return name.lower().endswith(ENDINGS)


def read_members(path: Path, task: ProgressTask) -> list[Member]:
    """Read to the end what an archive holds, and unpack nothing; folders are left out.

    Parameters
    ----------
    path
        A zip or tar file; a tar file may be compressed by gzip, bzip2 or xz.
    task
        Advanced by the bytes of the archive.

    Raises
    ------
    FileError
        If the file is no archive or damaged, a name leads out of it, or it holds too much.
    """
    with closing(entries(path, task.advance)) as members:
        return [member for member, _ in members]


def unpack(path: Path, place: Place, task: ProgressTask) -> None:
    """Write the members of an archive that a caller has a place for.

    Parameters
    ----------
    path
        As of :func:`read_members`, by which all of it should be read first.
    place
        Where a member is written, or None.
    task
        Advanced by the bytes written.

    Raises
    ------
    FileError
        As of :func:`read_members`, or if a member that has a place is no plain file.
    OSError
        If a file cannot be written.
    """
    with closing(entries(path)) as members:
        for member, blocks in members:
            target = place(member)
            if target is None:
                continue
            if not member.plain:
                raise _damaged(path, f"{member.name} is a link or a device")
            _write(blocks, target, task)


def _write(blocks: Iterator[bytes], target: Path, task: ProgressTask) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for block in blocks:
                file.write(block)
                task.advance(len(block))
    except OSError as problem:  # of the disk: what is wrong with the archive is a FileError
        problem.filename = problem.filename or str(target)
        raise


def entries(path: Path, seen: Callable[[int], None] = lambda _count: None) -> Generator[Entry]:
    """Yield the members one after another; content can be read until the next one is.

    Parameters
    ----------
    path
        As of :func:`read_members`.
    seen
        Called with the bytes of the archive that are read.

    Raises
    ------
    FileError
        As of :func:`read_members`.
    """
    most = FREE_BYTES + MOST_RATIO * path.stat().st_size
    total = 0
    with readable(path), open_regular(path) as file:
        start = file.read(TAR_BLOCK)
    with _explained(path), io.BufferedReader(_Counted(path, seen), BLOCK) as packed:
        zipped = start.startswith(_ZIPPED)
        opened = _open_zip(path, packed) if zipped else _open_tar(path, packed, start, most)
        for number, (member, opener) in enumerate(opened, 1):
            total += member.size
            _check_name(path, member.name)
            _check_amount(path, number, total, most)
            yield member, _blocks(path, member, opener)


def _blocks(path: Path, member: Member, opener: Opener) -> Iterator[bytes]:
    """Yield the content of a member, which has the size that the archive says."""
    left = member.size
    with _explained(path), opener() or io.BytesIO() as content:
        while block := content.read(BLOCK):
            left -= len(block)
            yield block
    if left:
        raise _damaged(path, f"{member.name} is not as long as the archive says")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Explain whatever is wrong with an archive."""
    try:
        yield
    except _DAMAGED as problem:
        raise _damaged(path, f"the archive is damaged ({problem or 'it ends early'})") from None


class _Counted(io.FileIO):
    """A file that tells how much of it is read."""

    def __init__(self, path: Path, seen: Callable[[int], None]) -> None:
        super().__init__(path)
        self.seen = seen

    def readinto(self, buffer: Any) -> int | None:
        count = super().readinto(buffer)
        self.seen(count or 0)
        return count


def _open_zip(path: Path, packed: IO[bytes]) -> Iterator[tuple[Member, Opener]]:
    with ZipFile(packed) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield _zip_member(path, info), partial(archive.open, info)


def _zip_member(path: Path, info: ZipInfo) -> Member:
    if info.flag_bits & 1:
        raise FileError(
            path,
            found=f"{info.filename} is encrypted",
            expected="an archive without a password",
            hint="Unpack it yourself, and name the folder with `workspace`.",
        )
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where made on another system than Unix
    return Member(info.filename, info.file_size, kind in (0, stat.S_IFREG))


def _open_tar(
    path: Path, packed: IO[bytes], start: bytes, most: int
) -> Iterator[tuple[Member, Opener]]:
    with _tar_bytes(path, packed, start) as file:
        watched = _Watched(path, file, most)
        with tarfile.open(fileobj=watched, mode="r:") as archive:
            while (info := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined] # or they would fill the memory
                _check_way(archive, info)
                if not info.isdir():
                    plain = info.isreg() and not info.issparse()
                    yield Member(info.name, info.size, plain), partial(archive.extractfile, info)
            watched.check_end()


def _check_way(archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
    """Make sure that what follows a header stands behind it, so that reading ends."""
    if info.size < 0 or archive.offset <= info.offset:
        raise tarfile.ReadError(_NO_SIZE)


def _tar_bytes(path: Path, packed: IO[bytes], start: bytes) -> IO[bytes]:
    for magic, opener in _PACKED.items():
        if start.startswith(magic):
            file: IO[bytes] = opener(packed)
            return file
    if start[257:262] != b"ustar":
        raise _no_archive(path, start)
    return packed


class _Watched:
    """A tar file's bytes, of which no more are read, at once or in all, than data would need."""

    def __init__(self, path: Path, file: IO[bytes], most: int) -> None:
        self.path, self.file, self.most = path, file, most
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_AT_ONCE:
            raise tarfile.ReadError(_NO_SIZE)
        if self.file.tell() > self.most + FREE_BYTES:  # with room for the headers
            raise _too_much(self.path, f"more than {self.most:,} bytes")
        self.last = self.file.read(size)
        return self.last

    def check_end(self) -> None:
        """Make sure that the end was meant, and, where compressed, that the checksum is right."""
        if self.last != bytes(TAR_BLOCK):
            msg = "it ends in the middle"
            raise tarfile.ReadError(msg)
        while self.read(BLOCK):
            pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def _check_name(path: Path, name: str) -> None:
    parts = re.split(r"[/\\]", name)
    if ".." in parts or not parts[0] or re.match(r"[A-Za-z]:", name):
        raise FileError(
            path,
            found=f"a file called {name!r}, which leads out of the archive",
            expected="names within the archive",
            hint="Nothing was unpacked. Do not trust this archive.",
        )


def _check_amount(path: Path, members: int, total: int, most: int) -> None:
    if members > MOST_MEMBERS:
        raise _too_much(path, f"more than {MOST_MEMBERS:,} files")
    if total > most:
        raise _too_much(path, f"more than {most:,} bytes")


def _too_much(path: Path, found: str) -> FileError:
    return FileError(
        path,
        found=f"{found}, unpacked, in an archive of {path.stat().st_size:,} bytes",
        expected=f"at most {MOST_RATIO} times what is packed, and {MOST_MEMBERS:,} files",
        hint="If you trust it, unpack it yourself and name the folder with `workspace`.",
    )


def _damaged(path: Path, found: str) -> FileError:
    return FileError(
        path, found=found, expected="a whole archive", hint="Delete it and download it again."
    )


def _no_archive(path: Path, start: bytes) -> FileError:
    page = start.lstrip()[:1] == b"<"
    return FileError(
        path,
        found="a web page" if page else "a file that is no archive",
        expected=f"an archive ({', '.join(ENDINGS)})",
        hint="Download the file itself." if page else "Name the archive that was downloaded.",
    )
