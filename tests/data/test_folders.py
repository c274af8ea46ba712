"""Of a folder, every file is taken, refused with a reason, or counted."""

import os
from pathlib import Path

import pytest

from tartarus_cli.data.folders import scan_folder
from tartarus_cli.errors import RequestError

ENDINGS = {".wav", ".mp3"}
APPLE_DOUBLE = b"\0\x05\x16\x07\0\2\0\0Mac OS X        " + bytes(100)


def folder_of(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return folder


def test_what_is_not_taken_is_named_or_counted(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "snd", "b.WAV", "x/a.mp3", "cover.jpg", "x/back.JPG", "a.txt")
    folder_of(folder, ".DS_Store", "c.xyz", "d", "._real.mp3")
    (folder / "._b.WAV").write_bytes(APPLE_DOUBLE)
    (folder / "e.wav").symlink_to("nowhere")
    (folder / "link").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(folder / "f.wav")
    scan = scan_folder(folder, ENDINGS)
    assert [*scan.files] == ["._real.mp3", "b.WAV", "x/a.mp3"]
    assert scan.refused == {
        "._b.WAV": "what a Mac writes beside a file, not its content",
        "c.xyz": "unknown extension .xyz",
        "d": "no extension",
        "e.wav": "a link to what does not exist",
        "f.wav": "a pipe, a device or the like",
        "link": "a link to a folder, which is not followed",
    }
    assert scan.others == {".jpg": 2, ".txt": 1, ".DS_Store": 1}
    first, second = scan.remarks
    assert "6 files of " in first
    assert "._b.WAV (what a Mac writes beside a file, not its content), c.xyz (" in first
    assert "4 other files are in " in second
    assert second.endswith("not read: 2 .jpg, 1 .DS_Store and 1 .txt")


def test_a_folder_of_which_every_file_is_taken_needs_no_remark(tmp_path: Path) -> None:
    assert scan_folder(folder_of(tmp_path, "a.wav"), ENDINGS).remarks == []


def test_what_is_found_instead_is_said(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "snd", "a.txt", "b.xyz")
    with pytest.raises(RequestError, match=r"holds no file that ends in \.mp3, \.wav") as caught:
        scan_folder(folder, ENDINGS)
    assert "b.xyz (unknown extension .xyz)" in caught.value.hint
    assert "1 .txt" in caught.value.hint


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_what_is_no_folder_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "snd"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
    with pytest.raises(RequestError, match=f"is not a folder, but a {kind}"):
        scan_folder(path, ENDINGS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    folder_of(tmp_path, "a.wav", "closed/b.wav")
    (tmp_path / "closed").chmod(0)
    assert scan_folder(tmp_path, ENDINGS).refused == {
        "closed": "cannot be listed: Permission denied"
    }
