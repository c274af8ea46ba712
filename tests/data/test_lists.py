"""Lists of files: read as they are, made from folders, never overwritten."""

import os
from pathlib import Path

import pytest

from tartarus_cli.data.lists import check_file_name, find_files, list_files, read_list, save_list
from tartarus_cli.errors import FileError, RequestError

ENDINGS = (".wav", ".mp3")


def listed(tmp_path: Path, content: str | bytes) -> dict[str, Path]:
    path = tmp_path / "index_audio_x.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {file.id: file.path for file in read_list(path, tmp_path / "audio")}


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        path = tmp_path / "audio" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "audio"


def ids_of(folder: Path, *known: str) -> dict[str, str]:
    return {
        file.id: file.name for file in list_files(folder, ENDINGS, known, folder.parent / "audio")
    }


def test_paths_start_from_the_folder_or_are_absolute(tmp_path: Path) -> None:
    paths = listed(tmp_path, "a\tx/a.wav\nb c\t/far/b.mp3\né/..\t../up.wav\n")
    audio = tmp_path / "audio"
    assert paths == {
        "a": audio / "x" / "a.wav",
        "b c": Path("/far/b.mp3"),
        "é/..": audio / ".." / "up.wav",
    }


def test_line_ends_of_windows_a_mark_and_a_missing_last_one_are_accepted(tmp_path: Path) -> None:
    paths = listed(tmp_path, b"\xef\xbb\xbfa\ta.wav\r\nb\tb.wav")
    assert {item: path.name for item, path in paths.items()} == {"a": "a.wav", "b": "b.wav"}


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    assert list(listed(tmp_path, "a\u2028b\x85c\x0b\ta.wav\n")) == ["a\u2028b\x85c\x0b"]


@pytest.mark.parametrize(
    "line", ["a", "a\t", "a\t ", "\ta.wav", "  \ta.wav", "", "a\tb\tc", "a\tb\0c"]
)
def test_a_line_of_another_form_is_reported_with_its_number(line: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"index_audio_x\.tsv: line 2: .*expected an id, a tab"):
        listed(tmp_path, f"ok\tok.wav\n{line}\nfine\tfine.wav\n")


def test_an_id_that_comes_twice_is_reported_with_both_lines(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="'a' in lines 1 and 3"):
        listed(tmp_path, "a\t1.wav\nb\t2.wav\na\t1.wav\n")


def test_an_empty_list_and_one_that_is_not_utf_8_are_reported(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="an empty list"):
        listed(tmp_path, "")
    with pytest.raises(FileError, match="not UTF-8 in line 2"):
        listed(tmp_path, b"a\ta.wav\n\xe9\te.wav\n")


def test_two_ids_may_have_one_file(tmp_path: Path) -> None:
    assert len(set(listed(tmp_path, "a\tx.wav\nb\tx.wav\n").values())) == 1


def test_files_of_no_item_are_listed_by_their_names_within_the_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "x/one.wav", "two.MP3", "notes.txt", ".wav", "é b.wav", " .wav")
    names = [" .wav", "two.MP3", "x/one.wav", "é b.wav"]
    assert list(ids_of(folder).items()) == [(name, name) for name in names]


def test_files_of_no_item_never_stand_in_the_way_of_others(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "d1/bonus.wav", "d2/bonus.wav", "d2/bonus.mp3", "d2/a.wav")
    names = ids_of(folder, "a", "b")
    assert names["a"] == "d2/a.wav"
    assert sorted(names) == ["a", "d1/bonus.wav", "d2/bonus.mp3", "d2/bonus.wav"]


def test_the_id_is_whatever_of_a_name_is_an_item(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "x/a.wav", "y/a.wav", "z/c.wav", "d.wav", "e.wav")
    known = ("x/a", "y/a.wav", "c.wav", "d.wav", "e")
    assert list(ids_of(folder, *known)) == ["d.wav", "e", "x/a", "y/a.wav", "c.wav"]


def test_files_elsewhere_are_named_by_their_absolute_path(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.wav")
    (file,) = list_files(folder, ENDINGS, (), tmp_path / "other")
    assert file.name == str(folder / "a.wav")
    assert file.path == folder / "a.wav"


def test_a_link_is_listed_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "far.wav").touch()
    folder = folder_of(tmp_path, "a.wav")
    (folder / "b.wav").symlink_to(tmp_path / "far.wav")
    (tmp_path / "way").symlink_to(folder)
    assert ids_of(folder, "a", "b") == {"a": "a.wav", "b": "b.wav"}
    (_, file) = list_files(tmp_path / "way", ENDINGS, ("a", "b"), folder)
    assert (file.name, file.path) == ("b.wav", folder / "b.wav")


def test_two_files_of_the_same_item_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "x/a.wav", "y/a.mp3")
    with pytest.raises(RequestError, match=r"a\.wav and .*a\.mp3 would both be 'a'"):
        ids_of(folder, "a")


def test_the_files_below_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "x/b.wav", "x.wav", "a.MP3", "x/c/a.wav", "x/notes.txt")
    (folder / "d.wav").mkdir()
    files = find_files(folder, ENDINGS)
    assert list(files) == ["a.MP3", "x.wav", "x/b.wav", "x/c/a.wav"]
    assert all(path == folder / name for name, path in files.items())


@pytest.mark.parametrize("name", [b"a\tb.wav", b"a\nb.wav", b"\xe9.wav"])
def test_names_that_no_list_can_hold_are_refused(name: bytes, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "fine.wav")
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).touch()
    except OSError:
        pytest.skip("this file system has no such names")
    for refusing in (ids_of, lambda folder: find_files(folder, ENDINGS)):
        with pytest.raises(RequestError, match="is not UTF-8, or holds a tab or a line feed"):
            refusing(folder)
    with pytest.raises(RequestError, match="is not UTF-8, or holds a tab or a line feed"):
        check_file_name(os.fsdecode(name))
    check_file_name("é b.wav")


def test_a_folder_whose_own_name_no_list_can_hold_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "x\ty/a.wav") / "x\ty"
    with pytest.raises(RequestError, match=r"x\\ty/a\.wav' is not UTF-8, or holds a tab"):
        list_files(folder, ENDINGS, ("a",), tmp_path / "other")


def test_missing_folders_and_folders_without_recordings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no folder"):
        ids_of(tmp_path / "none")
    with pytest.raises(RequestError, match=r"holds no file that ends in \.mp3, \.wav"):
        ids_of(folder_of(tmp_path, "a.txt"))


def test_a_kept_list_is_read_as_it_was_made(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "x/a\u2028.wav", "..b.wav", "c d.mp3")
    files = list_files(folder, ENDINGS, (), folder)
    save_list(tmp_path / "list.tsv", files)
    assert read_list(tmp_path / "list.tsv", folder) == files


def test_another_list_is_never_overwritten(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.wav")
    path = tmp_path / "list.tsv"
    path.write_bytes(b"a\ta.wav\r\n")
    save_list(path, list_files(folder, ENDINGS, ("a",), folder))
    assert path.read_bytes() == b"a\ta.wav\r\n"
    path.write_bytes(b"a\telsewhere.wav\r\n")
    with pytest.raises(RequestError, match=r"list\.tsv is there already"):
        save_list(path, list_files(folder, ENDINGS, (), folder))
    assert path.read_bytes() == b"a\telsewhere.wav\r\n"


def test_a_list_made_from_a_folder_grows_but_one_written_by_hand_stays(tmp_path: Path) -> None:
    place, folder = tmp_path / "list.tsv", tmp_path / "audio"
    folder.mkdir()
    for name in ("one.wav", "two.wav"):
        (folder / name).touch()
    save_list(place, list_files(folder, {".wav"}, {"one"}, folder))
    (folder / "three.wav").touch()
    save_list(place, list_files(folder, {".wav"}, {"one", "two", "three"}, folder))
    assert place.read_text() == "one\tone.wav\nthree\tthree.wav\ntwo\ttwo.wav\n"
    place.write_text("S1\tone.wav\n")
    with pytest.raises(RequestError, match="differs from the folder"):
        save_list(place, list_files(folder, {".wav"}, {"one"}, folder))
    assert place.read_text() == "S1\tone.wav\n"


NFC, NFD = "\u00e9t\u00e9", "e\u0301te\u0301"


@pytest.mark.parametrize(("listed", "lying"), [(NFC, NFD), (NFD, NFC)])
def test_a_listed_file_is_found_in_either_unicode_form(
    listed: str, lying: str, tmp_path: Path
) -> None:
    folder_of(tmp_path, f"{lying}/{lying}.wav")
    (tmp_path / "list.tsv").write_text(f"a\t{listed}/{listed}.wav\n", encoding="utf-8")
    (file,) = read_list(tmp_path / "list.tsv", tmp_path / "audio")
    assert file.path.exists()
    (tmp_path / "list.tsv").write_text("a\t" + f"{listed}/none.wav\n", encoding="utf-8")
    (file,) = read_list(tmp_path / "list.tsv", tmp_path / "audio")
    assert file.path == tmp_path / "audio" / listed / "none.wav"


def test_it_is_said_that_a_file_may_be_of_two_items_that_look_the_same(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "\u00c5.wav")
    with pytest.raises(RequestError, match=r"may be of item 'A\\u030a' or '\\u212b': they differ"):
        ids_of(folder, "A\u030a", "\u212b")
    assert ids_of(folder, "A\u030a", "\u00c5") == {"\u00c5": "\u00c5.wav"}


def test_two_files_that_look_the_same_are_told_apart(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f"{NFC}.wav", f"{NFD}.wav")
    if len([*folder.iterdir()]) == 1:
        pytest.skip("this file system takes the two names for one")
    with pytest.raises(RequestError, match=r"e\\u0301te\\u0301\.wav' and .*\\xe9t\\xe9\.wav'"):
        ids_of(folder, NFC)
