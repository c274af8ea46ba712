"""What is possible in a table and most likely a mistake is reported, and nothing else is."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from tests.conftest import Command, Outcome

Split = Callable[..., Outcome]


@pytest.fixture
def split(tartarus: Command, tmp_path: Path) -> Split:
    """Make a dataset of a table that is given as text."""
    root = tmp_path / "w"
    tartarus("init", root)

    def run(text: str, *words: object, name: str = "t.csv", table: str = "--plays") -> Outcome:
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        made = tartarus("split", "mine", table, tmp_path / name, *words, "-w", root, "--force")
        assert made.status == 0, made.err
        return made

    return run


def lines(tmp_path: Path, name: str) -> list[str]:
    return (tmp_path / "w" / "data" / "datasets" / name).read_text("utf-8").splitlines()


PAIRS = [(f"u{n % 6}", f"i{n // 6:02}") for n in range(120)]


def plays(*numbers: object, head: str = "user,item,count") -> str:
    """Write a table whose numbers come again and again."""
    rows = (f"{u},{i},{numbers[n % len(numbers)]}\n" for n, (u, i) in enumerate(PAIRS))
    return f"{head}\n" * bool(head) + "".join(rows)


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ((1_300_000_001, 1_299_999_000, 3), "times (seconds since 1970), such as 1300000001"),
        ((1_300_000_001_000,), "times (milliseconds since 1970)"),
        ((1_300_000_001_000_000,), "times (microseconds since 1970)"),
        ((1_300_000_001.5,), "times (seconds since 1970)"),
        ((20090504, 20111231), "dates (year, month, day)"),
        ((2009, 1998), "years"),
        ((1, 2, 5_000_000, 12), None),
        ((20090504, 20090599), None),
        ((2009, 3), None),
    ],
)
def test_times_taken_for_counts_are_reported(
    numbers: tuple[float, ...], kind: str | None, split: Split
) -> None:
    for text, words in ((plays(*numbers), ()), (plays(*numbers, head=""), ("--no-header",))):
        shown = split(text, *words)
        if kind is None:
            assert "warning" not in shown.err
            continue
        column = "3" if words else "count"
        assert f"the numbers of plays in column '{column}' look like {kind}" in shown.err
        assert f"if they are, say so: --time {column}" in shown.err
        again = split(text, *words, "--time", column)
        assert "no column of counts: each row is one play" in again.err
        assert "look like" not in again.err


@pytest.mark.parametrize(
    ("numbers", "warned"),
    [
        (("1.234", "12.345", "987", "2.500"), True),
        (("1.234", "0.567", "2.5"), False),
        (("1.5", "2.25", "7"), False),
        (("1.234", "1234"), False),
        (("3", "1000"), False),
    ],
)
def test_points_that_may_separate_thousands_are_reported(
    numbers: tuple[str, ...],
    warned: bool,  # noqa: FBT001
    split: Split,
) -> None:
    shown = split(plays(*numbers))
    assert ("if the point separates thousands" in shown.err) == warned


def test_times_of_several_units_are_reported_with_a_line_of_each(split: Split) -> None:
    rows = "".join(
        f"{u},{i},{(1_300_000_000 + 3600 * int(i[1:])) * (1000 if i < 'i03' else 1)}\n"
        for u, i in PAIRS
    )
    shown = split("user,item,time\n" + rows, "--by", "time")
    assert (
        "102 in seconds (line 20: 1300010800) and 18 in milliseconds (line 2: 1300000000000)"
        in shown.err
    )
    rows = "".join(f"{u},{i},{1_300_000_000 + int(i[1:])}\n" for u, i in PAIRS)
    assert "different units" not in split("user,item,time\n" + rows, "--by", "time").err
    rows = "".join(f"{u},{i},{int(i[1:])}\n" for u, i in PAIRS)  # any other numbers
    assert "different units" not in split("user,item,time\n" + rows, "--by", "time").err


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (("rock|pop", "pop", "jazz", "rock|jazz"), "|"),
        (("rock|pop", "jazz"), "|"),
        (("rock; pop", "pop"), ";"),
        (("rock;pop", "rock;jazz"), ";"),
        (("rock, pop", "pop", "rock"), ","),
        (("rock/pop", "pop", "rock"), "/"),
        (("rock, pop", "jazz, pop", "rock, jazz"), ","),
        (("R&B/Soul", "Hip-Hop/Rap", "Soul", "Rap"), None),
        (("Folk, World, & Country", "Folk", "Stage & Screen"), None),
        (("AC;DC", "rock"), None),
        (("rock pop", "rock", "pop"), None),
    ],
)
def test_several_labels_in_a_cell_are_reported_and_separated_where_that_is_asked_for(
    cells: tuple[str, ...], separator: str | None, split: Split, tmp_path: Path
) -> None:
    text = "item,genre\n" + "".join(f'i{n},"{cells[n % len(cells)]}"\n' for n in range(60))
    shown = split(text, table="--labels")
    assert sorted({*cells}) == lines(tmp_path, "genre_labels_mine.tsv")
    if separator is None:
        assert "in one cell" not in shown.err
        return
    assert "look like several in one cell" in shown.err
    assert "to separate them: --label-separator " in shown.err
    shown = split(text, "--label-separator", separator, table="--labels")
    assert "in one cell" not in shown.err
    names = sorted({part.strip() for cell in cells for part in cell.split(separator)})
    assert lines(tmp_path, "genre_labels_mine.tsv") == names
    ids = lines(tmp_path, "items_index_train_mine.tsv")
    path = tmp_path / "w" / "data" / "datasets" / f"item_factors_class_{len(names)}_mine.npy"
    for item, row in zip(ids, np.load(path), strict=True):
        cell = cells[int(item[1:]) % len(cells)]
        assert {names[n] for n in np.flatnonzero(row)} == {
            part.strip() for part in cell.split(separator)
        }


def test_lists_in_brackets_are_reported(split: Split) -> None:
    text = "item,genre\n" + "".join(f"i{n},\"['rock', '{n % 3}']\"\n" for n in range(60))
    assert "look like several in one cell" in split(text, table="--labels").err


def test_labels_that_differ_by_case_alone_are_reported(split: Split) -> None:
    text = "item,genre\n" + "".join(f"i{n},{('Rock', 'rock', 'pop')[n % 3]}\n" for n in range(60))
    assert (
        "labels that differ by case or whitespace alone, such as 'Rock' and 'rock': 1"
        in split(text, table="--labels").err
    )


FORMS = {
    "NFC": unicodedata.normalize("NFC", "Beyoncé"),
    "NFD": unicodedata.normalize("NFD", "Beyoncé"),
}


def test_ids_that_differ_by_their_unicode_form_alone_are_reported(split: Split) -> None:
    names = [*FORMS.values(), *(f"i{n}" for n in range(20))]
    text = "user,item\n" + "".join(f"u{n % 5},{name}\n" for name in names for n in range(4))
    shown = split(text)
    assert "differ by their Unicode form alone" in shown.err
    assert r"'Beyonce\u0301' and 'Beyonc\xe9': 1" in shown.err


@pytest.mark.parametrize(("one", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_labels_of_items_in_another_unicode_form_are_theirs(
    one: Literal["NFC", "NFD"], other: Literal["NFC", "NFD"], split: Split, tmp_path: Path
) -> None:
    names = [f"{n:02} {FORMS['NFC']}" for n in range(20)]
    rows = [f"u{n % 5},{unicodedata.normalize(one, name)}\n" for name in names for n in range(4)]
    labels = [f"{unicodedata.normalize(other, name)},{int(name[:2]) % 2}\n" for name in names]
    (tmp_path / "l.csv").write_text("item,genre\n" + "".join(labels), encoding="utf-8")
    shown = split("user,item\n" + "".join(rows), "--labels", tmp_path / "l.csv")
    assert "20 ids are written in another Unicode form than the dataset's" in shown.err
    ids = lines(tmp_path, "items_index_train_mine.tsv")
    assert {*ids} <= {unicodedata.normalize(one, name) for name in names}
    path = tmp_path / "w" / "data" / "datasets" / "item_factors_class_2_mine.npy"
    assert np.load(path).argmax(axis=1).tolist() == [int(item[:2]) % 2 for item in ids]


def test_lists_of_ids_in_another_unicode_form_name_the_items(split: Split, tmp_path: Path) -> None:
    names = [f"{n:02} {FORMS['NFD']}" for n in range(20)]
    for split_name, chosen in (("train", names[:15]), ("test", names[15:])):
        text = "\n".join(unicodedata.normalize("NFC", name) for name in chosen)
        (tmp_path / split_name).write_text(text, encoding="utf-8")
    rows = "".join(f"u{n % 5},{name}\n" for name in names for n in range(4))
    lists = ("--train-ids", tmp_path / "train", "--test-ids", tmp_path / "test")
    split("user,item\n" + rows, *lists)
    assert lines(tmp_path, "items_index_test_mine.tsv") == names[15:]


def test_ids_of_a_tsv_that_are_mostly_quoted_are_reported(split: Split) -> None:
    rows = "".join(f'"{u}"\t"{i}"\t1\n' for u, i in PAIRS)
    shown = split(rows, "--no-header", name="t.tsv")
    assert 'that look quoted, such as "u0": 26' in shown.err
    shown = split("user\titem\tcount\n" + rows, name="t.tsv")
    assert "in R with quote = FALSE" in shown.err
    shown = split('"user"\t"item"\t"count"\n' + rows, name="t.tsv")
    assert "quoted" not in shown.err


@pytest.mark.parametrize(
    ("head", "read"),
    [
        ("uid,item,weight", "user from 'uid', item from 'item', count from 'weight'"),
        ("user,iid,plays", "user from 'user', item from 'iid', count from 'plays'"),
        ("username,song,playcount", "user from 'username', item from 'song'"),
        ("uid,user_id,item", "user from 'user_id', item from 'item'"),
        ("user,item,plays_count", "count from 'plays_count'"),
    ],
)
def test_columns_of_rarer_names_are_what_they_are_called(
    head: str, read: str, split: Split
) -> None:
    names = head.split(",")
    rows = "".join(
        ",".join(
            {"item": i, "song": i, "iid": i}.get(name, u)
            if name[0] in "uis" and name != "plays"
            else "2"
            for name in names
        )
        + "\n"
        for u, i in PAIRS
    )
    assert read in split(head + "\n" + rows).err


def test_artists_are_the_items_of_a_table_that_has_no_others(split: Split) -> None:
    rows = "".join(f"{u},{i},2\n" for u, i in PAIRS)
    assert "item from 'artistID'" in split("userID,artistID,weight\n" + rows).err
    rows = "".join(f"{u},{i},a,2\n" for u, i in PAIRS)
    assert "item from 'track'" in split("userID,track,artistID,weight\n" + rows).err


def test_a_column_of_row_numbers_without_a_name_is_no_label(split: Split, tmp_path: Path) -> None:
    rows = "".join(f"{n},i{n},{n % 2},{(n + 1) % 2}\n" for n in range(60))
    split(",item,rock,pop\n" + rows, "--wide", table="--labels")
    assert lines(tmp_path, "genre_labels_mine.tsv") == ["rock", "pop"]


def test_a_header_in_a_list_of_ids_is_reported(split: Split, tmp_path: Path) -> None:
    items = sorted({i for _, i in PAIRS})
    (tmp_path / "train").write_text("\n".join(["item_id", *items[:15]]))
    (tmp_path / "test").write_text("\n".join(items[15:]))
    shown = split(plays(1), "--train-ids", tmp_path / "train", "--test-ids", tmp_path / "test")
    assert "its first line, 'item_id', is taken as an id, and looks like a header" in shown.err
