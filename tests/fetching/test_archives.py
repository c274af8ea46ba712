"""Archives that nobody vouches for."""

import errno
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tartarus_cli.errors import FileError
from tartarus_cli.fetching import archives
from tartarus_cli.fetching.archives import Member, read_members, unpack
from tartarus_cli.progress import UNWATCHED

FILES = {"data/a.tsv": b"x\ny\n", "data/deep/b.npy": bytes(range(256)) * 9, "empty": b""}


def tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("data")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def members(path: Path) -> list[Member]:
    with UNWATCHED.task("", 0) as task:
        return read_members(path, task)


def unpacked(path: Path, folder: Path) -> dict[str, bytes]:
    names = iter(range(100))
    places: dict[str, Path] = {}

    def place(member: Member) -> Path | None:
        if member.plain:
            places[member.name] = folder / str(next(names))
        return places.get(member.name)

    with UNWATCHED.task("", 0) as task:
        unpack(path, place, task)
    return {name: at.read_bytes() for name, at in places.items()}


MAKERS: dict[str, Callable[[Path], Path]] = {
    "zip": lambda path: zipped(path, FILES),
    "tar": lambda path: tar(path, FILES, "w:"),
    "tar.gz": lambda path: tar(path, FILES, "w:gz"),
    "tar.bz2": lambda path: tar(path, FILES, "w:bz2"),
    "tar.xz": lambda path: tar(path, FILES, "w:xz"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_was_packed_is_unpacked(kind: str, tmp_path: Path) -> None:
    path = MAKERS[kind](tmp_path / "archive")  # what it is, its content says, not its name
    sizes = {member.name: member.size for member in members(path)}
    assert sizes == {name: len(content) for name, content in FILES.items()}
    assert unpacked(path, tmp_path / "out") == FILES


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz"])
def test_every_byte_that_is_read_is_counted_once(kind: str, tmp_path: Path) -> None:
    path = tar(tmp_path / "a", FILES | {"noise": os.urandom(5 << 20)}, f"w:{kind[4:]}")
    counts: list[int] = []

    class Counting:
        def record(self, line: str) -> None:
            raise AssertionError(line)

        def advance(self, amount: int = 1) -> None:
            counts.append(amount)

        def describe(self, text: str) -> None:
            raise NotImplementedError(text)

    read_members(path, Counting())
    assert sum(counts) == path.stat().st_size
    assert len([count for count in counts if count]) > 3


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_archive_is_told_as_damaged(kind: str, share: float, tmp_path: Path) -> None:
    path = MAKERS[kind](tmp_path / "archive")
    whole = path.read_bytes()
    end = len(whole) if kind != "tar" else len(whole.rstrip(b"\0")) + 512
    path.write_bytes(whole[: int(end * share)])
    with pytest.raises(FileError, match="archive"):
        members(path)


def test_a_tar_file_that_lacks_only_its_end_is_told_as_damaged(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", {"a": b"1" * 512, "b": b"2" * 512}, "w:")
    path.write_bytes(path.read_bytes()[:1024])  # exactly the first member
    with pytest.raises(FileError, match="ends in the middle"):
        members(path)


def test_a_wrong_checksum_of_gzip_is_told_as_damage(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar.gz", FILES)
    damaged = bytearray(path.read_bytes())
    damaged[-8] ^= 1  # of the checksum that ends the file
    path.write_bytes(damaged)
    with pytest.raises(FileError, match="CRC"):
        members(path)


def test_a_wrong_checksum_in_a_zip_file_is_told_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"content")
    path.write_bytes(path.read_bytes().replace(b"content", b"contend"))
    with pytest.raises(FileError, match="CRC"):
        unpacked(path, tmp_path / "out")


@pytest.mark.parametrize("name", ["../a", "data/../../a", "/etc/a", "C:/a", "data\\..\\a"])
@pytest.mark.parametrize("make", [tar, zipped])
def test_a_name_that_leads_out_is_refused(
    name: str, make: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path
) -> None:
    with pytest.raises(FileError, match="leads out of the archive"):
        members(make(tmp_path / "archive", {name: b"!"}))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_of_tar_are_not_plain(kind: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    assert [member.plain for member in members(path)] == [False]


def test_links_of_zip_are_not_plain(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert [member.plain for member in members(path)] == [False]


@pytest.mark.parametrize("make", [tar, zipped])
def test_what_the_disk_refuses_is_not_the_fault_of_the_archive(
    make: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, _block: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    path, target = make(tmp_path / "archive", {"a": b"content"}), tmp_path / "out"
    opened = Path.open

    def open_full(at: Path, *words: Any) -> Any:
        return Full() if at == target else opened(at, *words)

    monkeypatch.setattr(Path, "open", open_full)
    with (
        pytest.raises(OSError, match="No space left on device") as refused,
        UNWATCHED.task("", 0) as task,
    ):
        unpack(path, lambda _member: target, task)
    assert refused.value.filename == str(target)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_is_never_unpacked_even_if_it_has_a_place(kind: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    target = tmp_path / "out"
    with pytest.raises(FileError, match="link or a device"), UNWATCHED.task("", 0) as task:
        unpack(path, lambda _member: target, task)
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar"]


def test_a_member_of_zip_that_is_shorter_than_said_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"content")
    content = bytearray(path.read_bytes())
    for magic, size in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # unpacked, not packed
        at = content.index(magic) + size
        content[at : at + 4] = struct.pack("<I", 8)
    path.write_bytes(content)
    with pytest.raises(FileError, match="not as long as the archive says"):
        unpacked(path, tmp_path / "out")


@pytest.mark.parametrize("make", [tar, zipped])
def test_a_bomb_is_refused(
    make: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 1000)
    path = make(tmp_path / "bomb", {"zeros": bytes(10_000_000)})
    with pytest.raises(FileError, match="at most 100 times"):
        members(path)
    monkeypatch.setattr(archives, "MOST_RATIO", 10_000)
    assert len(members(path)) == 1


@pytest.mark.parametrize("make", [tar, zipped])
def test_too_many_files_are_refused(
    make: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 20)
    path = make(tmp_path / "many", {str(n): b"" for n in range(21)})
    with pytest.raises(FileError, match="more than 20 files"):
        members(path)


def test_zeros_behind_the_end_of_a_tar_file_are_a_bomb_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 1000)
    monkeypatch.setattr(archives, "MOST_RATIO", 2)
    import gzip

    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    with pytest.raises(FileError, match="unpacked, in an archive of"):
        members(path)


def test_a_header_of_gigabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 32
    path = tmp_path / "a.tar"
    with path.open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(1 << 32)  # a sparse file: it takes no room
    tracemalloc.start()
    with pytest.raises(FileError, match="impossible size"):
        members(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 << 20


def _sparse_and_backwards() -> bytes:
    """Forge a header whose size leads back to itself, though the file is said to have 5 bytes."""
    info = tarfile.TarInfo("sparse")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, -512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"00000000005\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _backwards(size: int) -> bytes:
    info = tarfile.TarInfo("negative")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "header",
    [_backwards(-1), _backwards(-512), _backwards(-(1 << 40)), _sparse_and_backwards()],
    ids=["-1", "-512", "-2^40", "sparse"],
)
def test_a_header_that_leads_backwards_is_damage_and_not_read_for_ever(
    header: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """See CVE-2025-8194."""
    monkeypatch.setattr(archives, "MOST_MEMBERS", 50)
    path = tmp_path / "a.tar"
    path.write_bytes(_backwards(0) + header + bytes(2048))
    with pytest.raises(FileError, match="is damaged"):
        members(path)


def test_an_encrypted_archive_is_told_as_such(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"secret"})
    content = bytearray(path.read_bytes())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.rindex(magic) + flags
        content[at : at + 2] = struct.pack("<H", 1)
    path.write_bytes(content)
    with pytest.raises(FileError, match="encrypted"):
        members(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "no archive"), (b"a,b\n1,2\n", "no archive"), (b"\n<!DOCTYPE html>", "a web page")],
)
def test_what_is_no_archive_is_told_as_what_it_is(
    content: bytes, found: str, tmp_path: Path
) -> None:
    path = tmp_path / "dlrs-data.tar.gz"
    path.write_bytes(content)
    with pytest.raises(FileError, match=found):
        members(path)
