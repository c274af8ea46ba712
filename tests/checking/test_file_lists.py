"""``check-data`` looks at the lists of recordings and documents, and at the files they name."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.checking.damage import check, only
from tests.conftest import Command
from tests.worlds import SPLITS, World

Lines = Callable[[list[str]], list[str]]
LISTS = {"audio": ("index_audio_one.tsv", "flac"), "text": ("index_text_one.tsv", "txt")}
DAMAGED: dict[str, tuple[Lines, str, str, str]] = {
    "no tab": (lambda a: [*a[:-2], "x y", "z"], "error", "2 lines without a tab (lines 61, 62)",
               "an id, a tab and a path"),
    "an empty line": (lambda a: [*a, ""], "error", "1 line without anything (line 63)", "a tab"),
    "no id": (lambda a: ["\tx", *a[1:]], "error", "1 line without an id (line 1)", "an id"),
    "no path": (lambda a: ["train-0\t ", *a[1:]], "error", "1 line without a path (line 1)", ""),
    "two tabs": (lambda a: [f"{a[0]}\tx", *a[1:]], "error", "1 line with more than one tab", ""),
    "an id twice": (lambda a: [*a, a[3], a[3]], "error",
                    "1 id more than once ('train-3' in lines 4, 63, 64)", "for each id"),
    "ids of no set": (lambda a: [*a, "who\t0", "what\t0"], "warning", "2 ids of no set (who, what)",
                      "ids of items"),
    "no id of a set": (lambda a: [f"x{line}" for line in a], "error",
                       "none of its 62 ids is in a set (xtrain-0, ", "ids of items"),
    "no line of an item": (lambda a: a[2:], "warning",
                           "2 of 62 items have no line (train-0, train-1)", "each item"),
    "a missing file": (lambda a: [f"{a[0]}x", *a[1:]], "warning", "1 of 62 files missing (0.",
                       "files that are there"),
    "missing files": (lambda a: [f"{line}x" for line in a], "error", "62 of 62 files missing",
                      "files that are there"),
    "a folder": (lambda a: ["train-0\t.", *a[1:]], "warning", "1 path to no plain file (.: a fo",
                 "paths of files"),
    "a pipe": (lambda a: ["train-0\tpipe", *a[1:]], "warning", "(pipe: a pipe)", "paths of files"),
    "a path beyond all lengths": (lambda a: ["train-0\t" + "x" * 9999, *a[1:]], "warning",
                                  "1 path to no plain file", "paths of files"),
    "a path that leads outwards": (lambda a: ["train-0\t../x", *a[1:]], "warning",
                                   "1 path that leads out of its folder (../x)", "paths below"),
    "an absolute path": (lambda a: ["train-0\t/etc/passwd", *a[1:]], "note",
                         "1 absolute path (/etc/passwd)", "paths below"),
    "backslashes": (lambda a: ["train-0\ta\\0.x", *a[1:]], "warning", "1 of 62 files missing (a\\0",
                    "files that are there"),
    "a file of two items": (lambda a: ["train-0\t" + a[1].split("\t")[1], *a[1:]], "warning",
                            "1 file of several items (train-0, train-1: 1.", "an item"),
    "no line": (lambda _: [], "error", "an empty list", "a tab"),
}  # fmt: skip


def listed(world: World, kind: str) -> Path:
    """Write a sound list and its files; return the list."""
    name, ending = LISTS[kind]
    ids = [f"{split}-{n}" for split, count in SPLITS.items() for n in range(count)]
    folder, path = world.root / kind, world.root / "data" / "index" / name
    folder.mkdir()
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(folder / "pipe")
    for number in range(len(ids)):
        (folder / f"{number}.{ending}").touch()
    lines = [f"{item}\t{number}.{ending}" for number, item in enumerate(ids)]
    path.write_text("\n".join([*lines, ""]))
    return path


def told_of(document: Any, path: Path) -> list[dict[str, str]]:
    return [p for p in document["problems"] if p["file"].endswith(path.name)]


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("damage", DAMAGED)
def test_every_damage_of_a_list_is_told_with_how_many_lines_have_it(
    damage: str, kind: str, tartarus: Command, tmp_path: Path
) -> None:
    change, severity, found, expected = DAMAGED[damage]
    world = only("one", tmp_path)
    path = listed(world, kind)
    lines = change(path.read_text().splitlines())
    path.write_text("".join(f"{line}\n" for line in lines))
    problems = told_of(check(tartarus, world, "one"), path)
    told = [p for p in problems if found in p["found"]]
    assert [p["severity"] for p in told] == [severity], problems
    assert expected in told[0]["expected"]
    assert told[0]["hint"]
    if damage == "backslashes":
        assert "write /" in told[0]["hint"]


@pytest.mark.parametrize("kind", LISTS)
def test_a_sound_list_is_told_nothing_of(kind: str, tartarus: Command, tmp_path: Path) -> None:
    world = only("one", tmp_path)
    path = listed(world, kind)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert not told_of(check(tartarus, world), path)


def test_backslashes_separate_folders_where_the_file_is_there(
    tartarus: Command, tmp_path: Path
) -> None:
    world = only("one", tmp_path)
    path = listed(world, "audio")
    (world.root / "audio" / "sub").mkdir()
    (world.root / "audio" / "0.flac").rename(world.root / "audio" / "sub" / "0.flac")
    path.write_text(path.read_text().replace("\t0.flac", "\tsub\\0.flac"))
    assert not told_of(check(tartarus, world), path)


def test_a_list_in_another_encoding_is_told(tartarus: Command, tmp_path: Path) -> None:
    world = only("one", tmp_path)
    path = listed(world, "text")
    path.write_bytes(b"caf\xe9\tx\n")
    assert [p["severity"] for p in told_of(check(tartarus, world), path)] == ["error"]


def test_a_list_is_not_blamed_for_ids_that_could_not_be_read(
    tartarus: Command, tmp_path: Path
) -> None:
    world = only("one", tmp_path)
    path = listed(world, "audio")
    ids = world.datasets / "items_index_val_one.tsv"
    ids.unlink()
    ids.mkdir()
    document = check(tartarus, world)
    assert not told_of(document, path)
    assert [p["found"] for p in told_of(document, ids)] == ["a folder"]
