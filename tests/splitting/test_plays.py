"""Tables of plays and labels: what is read, and what is refused with its line."""

import gzip
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tartarus_cli.data.tables.reading import open_table
from tartarus_cli.errors import DataError, FileError, RequestError, TartarusError
from tartarus_cli.splitting.filters import Pairs, drop_rare_items, drop_rare_users, k_core
from tartarus_cli.splitting.labels import LabelColumns, read_labels
from tartarus_cli.splitting.plays import PlayColumns, Plays, read_plays
from tartarus_cli.splitting.strategies import Shares, by_group, by_item, by_label, by_time

QUICK = settings(max_examples=40)
COLUMNS = PlayColumns("user", "item", "count")


def plays_by_pair(plays: Plays) -> dict[tuple[str, str], float]:
    """Each pair with its plays."""
    names = zip(plays.users[plays.user], plays.items[plays.item], strict=True)
    return dict(zip(names, plays.count.tolist(), strict=True))


def table(path: Path, text: str, columns: PlayColumns = COLUMNS) -> Plays:
    """Write a table and read it."""
    path.write_bytes(text.encode())
    return read_plays(open_table(path), columns)


# ------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.tsv.gz", "t.parquet"])
def test_every_form_of_a_table_reads_the_same(name: str, tmp_path: Path) -> None:
    rows = [("007", "é,1", 2), ("7", "b", 1), ("007", "é,1", 3)]
    path = tmp_path / name
    if name.endswith("parquet"):
        pl.DataFrame(rows, schema=["user", "item", "count"], orient="row").write_parquet(path)
    elif ".tsv" in name:
        text = "user\titem\tcount\n" + "".join(f"{u}\t{i}\t{n}\n" for u, i, n in rows)
        path.write_bytes(gzip.compress(text.encode()) if "gz" in name else text.encode())
    else:
        text = "user,item,count\n" + "".join(f'{u},"{i}",{n}\n' for u, i, n in rows)
        path.write_bytes(gzip.compress(text.encode()) if "gz" in name else text.encode())
    plays = read_plays(open_table(path), COLUMNS)
    assert plays_by_pair(plays) == {("007", "é,1"): 5, ("7", "b"): 1}
    assert plays.count.dtype == np.int32


IDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(',"'), min_size=1
).filter(lambda text: text.strip() and "\ufeff" not in text)


@QUICK
@given(rows=st.lists(st.tuples(IDS, IDS, st.integers(1, 9)), min_size=1))
def test_ids_survive_whatever_they_hold(
    rows: list[tuple[str, str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    quoted = [(u.replace('"', '""'), i.replace('"', '""'), n) for u, i, n in rows]
    text = "user,item,count\n" + "".join(f'"{u}","{i}",{n}\n' for u, i, n in quoted)
    expected: Counter[tuple[str, str]] = Counter()
    for user, item, count in rows:
        expected[user, item] += count
    plays = table(path, text)
    assert plays_by_pair(plays) == expected
    assert plays.users.tolist() == sorted({user for user, _, _ in rows})


def test_quotation_marks_of_a_tsv_are_letters(tmp_path: Path) -> None:
    plays = table(tmp_path / "t.tsv", 'user\titem\tcount\nu\t"Heroes"\t1\nu\tthe "x\t1\n')
    assert {item for _, item in plays_by_pair(plays)} == {'"Heroes"', 'the "x'}


def test_a_mark_windows_line_ends_and_empty_lines_are_accepted(tmp_path: Path) -> None:
    plays = table(tmp_path / "t.csv", "\ufeffuser,item,count\r\nu,a,1\r\n\r\nv,b,2\r\n\r\n")
    assert plays_by_pair(plays) == {("u", "a"): 1, ("v", "b"): 2}
    assert plays.rows == 2


def test_without_counts_each_row_is_a_play(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    plays = table(path, "user,item\nu,a\nu,a\nv,a\n", PlayColumns("user", "item"))
    assert plays_by_pair(plays) == {("u", "a"): 2, ("v", "a"): 1}


def test_fractions_are_summed_to_the_last_bit_in_any_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"u,a,{value}" for value in rng.random(50).tolist()] + ["v,b,0.1"]
    sums = set()
    for _ in range(8):
        rng.shuffle(rows)
        sums.add(
            plays_by_pair(table(tmp_path / "t.csv", "\n".join(["user,item,count", *rows])))[
                "u", "a"
            ]
        )
    assert len(sums) == 1


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("u,a,1\nu,b,many", r"t\.csv: 'many' in line 3, column 'count'; expected a finite number"),
        ("u,a,-1", "-1 in line 2, column 'count'; expected a number of plays, 0 to"),
        ("u,a,1e31", r"1e\+31 in line 2, column 'count'"),
        ("u,a,NaN", "'NaN' in line 2, column 'count'"),
        ("u,a,inf", "'inf' in line 2, column 'count'"),
        ("u,a,", "nothing in line 2, column 'count'"),
        ('u,"two\nlines",1\nu,b,x', "'x' in line 4, column 'count'"),
        ('u,"two\nlines",1\nu,b,2', r"'two\\nlines' in line 2, column 'item'"),
        ("u,a,1\nu", "1 fields in line 3; expected 3, as in line 1"),
        ("u,a,1,1", "4 fields in line 2; expected 3"),
        ("u,a,1\n,,\n", "nothing in line 3, column 'user'"),
        (" ,a,1", "nothing in line 2, column 'user'"),
        ('u,"a\tb",1', "in line 2, column 'item'; expected no tab"),
        ("", "holds no play"),
    ],
)
def test_a_bad_row_is_reported_with_its_line(rows: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=complaint):
        table(tmp_path / "t.csv", "user,item,count\n" + rows + "\n")


def test_bytes_that_are_no_text_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"user,item,count\nu,caf\xe9,1\n")
    with pytest.raises(FileError, match="not UTF-8 in line 2"):
        read_plays(open_table(path), COLUMNS)


def test_a_gzip_file_that_is_cut_short_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    rng = np.random.default_rng(0)
    rows = "".join(f"u{n},a,1\n" for n in rng.integers(10**9, size=20_000))
    path.write_bytes(gzip.compress(f"user,item,count\n{rows}".encode())[:-5000])
    with pytest.raises(FileError, match=r"t\.csv\.gz"):
        read_plays(open_table(path), COLUMNS)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([1.0, float("nan")], "'nan' in row 2, column 'count'"),
        ([1, -2], "-2 in row 2"),
        ([1, None], "nothing in row 2, column 'count'"),
        ([[1], [2]], "column 'count' of type List"),
    ],
)
def test_a_bad_row_of_parquet_is_reported(
    values: Sequence[object], complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"user": ["u", "v"], "item": ["a", "b"], "count": values}).write_parquet(path)
    with pytest.raises(FileError, match=complaint):
        read_plays(open_table(path), COLUMNS)


def test_ids_that_are_fractions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"user": [1.5], "item": ["a"], "count": [1]}).write_parquet(path)
    with pytest.raises(FileError, match="column 'user' of type Float64; expected text or integers"):
        read_plays(open_table(path), COLUMNS)


def test_whole_numbers_of_parquet_are_ids(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"user": [10, 9], "item": ["a", "a"], "count": [1, 1]}).write_parquet(path)
    assert read_plays(open_table(path), COLUMNS).users.tolist() == ["10", "9"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("t.xlsx", b"x", "its ending does not say"),
        ("t.csv", b"", "an empty table"),
        ("t.csv", b"user,user,count\n", "two columns called 'user'"),
        ("t.parquet", b"user,item\n", "no Parquet"),
        ("t.csv.gz", b"user,item\n", "damaged"),
    ],
)
def test_what_is_no_table_is_refused(
    name: str, content: bytes, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TartarusError, match=complaint):
        open_table(path)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no file"):
        open_table(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("times", "newest"),
    [
        (("100", "20", "3"), "a"),
        (("2009-05-04", "2010-01-01", "2008-12-31"), "b"),
        (("2009-05-04T23:08:57Z", "2009-05-04T23:08:56Z", "2009-05-04T23:08:58Z"), "c"),
        (("2009-05-04 01:00:00", "2009-05-04 02:00:00", "2009-05-04 01:30:00"), "b"),
        (
            ("2009-05-04 01:00:00+00:00", "2009-05-04 02:00:00+02:00", "2009-05-04 03:30:00+00:00"),
            "c",
        ),
        (("2009-05-04T01:00", "2009-05-04T02:00", "2009-05-04T01:30"), "b"),
    ],
)
def test_the_first_play_of_an_item_is_known(
    times: tuple[str, ...], newest: str, tmp_path: Path
) -> None:
    rows = "".join(f"u,{item},{time}\n" for item, time in zip("abc", times, strict=True))
    later = "".join(f"v,{item},{max(times)}\n" for item in "abc")
    columns = PlayColumns("user", "item", time="at")
    plays = table(tmp_path / "t.csv", "user,item,at\n" + later + rows, columns)
    assert plays.first_played is not None
    assert plays.items[plays.first_played.argmax()] == newest


def test_rows_of_no_plays_do_not_date_an_item(tmp_path: Path) -> None:
    columns = PlayColumns("user", "item", "count", time="at")
    rows = "user,item,count,at\nu,a,0,1\nv,a,1,5\nv,a,2,7\nu,a,0,9\nu,b,1,3\n"
    plays = table(tmp_path / "t.csv", rows, columns)
    assert plays.first_played is not None
    assert plays.last_played is not None
    assert [*zip(plays.items, plays.first_played, plays.last_played, strict=True)] == [
        ("a", 5, 7),
        ("b", 3, 3),
    ]


def test_a_time_of_another_form_is_reported_with_its_line(tmp_path: Path) -> None:
    columns = PlayColumns("user", "item", time="at")
    with pytest.raises(FileError, match="'2020-01-01' in line 3, column 'at'; expected seconds"):
        table(tmp_path / "t.csv", "user,item,at\nu,a,100\nu,b,2020-01-01\n", columns)


def test_a_time_that_might_be_read_in_two_ways_is_refused(tmp_path: Path) -> None:
    columns = PlayColumns("user", "item", time="at")
    with pytest.raises(
        FileError, match="'4/5/09' in line 2, column 'at'; expected seconds, or a date"
    ):
        table(tmp_path / "t.csv", "user,item,at\nu,a,4/5/09\n", columns)


def test_an_item_of_two_artists_is_refused(tmp_path: Path) -> None:
    columns = PlayColumns("user", "item", artist="artist")
    with pytest.raises(DataError, match=r"'a' has 'x' and 'y'"):
        table(tmp_path / "t.csv", "user,item,artist\nu,a,x\nv,a,y\nv,b,y\n", columns)


# -------------------------------------------------------------------------------------- labels


def test_long_and_wide_tables_tell_the_same_labels(tmp_path: Path) -> None:
    long, wide = tmp_path / "long.csv", tmp_path / "wide.csv"
    long.write_text("item,label\nb,rock\na,jazz\na,rock\na,rock\n")
    wide.write_text("item,jazz,rock\nb,0,True\nc,False,0\na,1,1\n")
    one = read_labels(open_table(long), LabelColumns("item", "label"))
    other = read_labels(open_table(wide), LabelColumns("item"))
    assert (one.unlabelled, other.unlabelled) == (0, 1)
    for labels in (one, other):
        assert (labels.items.tolist(), labels.names) == (["a", "b"], ["jazz", "rock"])
        assert labels.matrix.toarray().tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("item,jazz\na,2\n", "2 in line 2, column 'jazz'; expected 0 or 1"),
        ("item,jazz\na,1\na,0\n", "'a' has several rows"),
        ("item,jazz\na,0\n", "no item has a label"),
        ("item,jazz\n,1\n", "nothing in line 2, column 'item'"),
    ],
)
def test_a_bad_wide_table_is_reported(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=complaint):
        read_labels(open_table(path), LabelColumns("item"))


# ------------------------------------------------------------------------------------- filters


def _pairs(seed: int, items: int = 30, users: int = 25, share: float = 0.2) -> Pairs:
    item, user = np.nonzero(np.random.default_rng(seed).random((items, users)) < share)
    return Pairs(
        user.astype(np.int32), item.astype(np.int32), np.ones(len(item), np.int32), users, items
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_core_is_the_largest_part_in_which_all_have_k(seed: int) -> None:
    left = {*zip(_pairs(seed).item.tolist(), _pairs(seed).user.tolist(), strict=True)}
    while True:  # one after another, in any order: the core does not depend on it
        items, users = Counter(i for i, _ in left), Counter(u for _, u in left)
        bad = next((p for p in sorted(left) if items[p[0]] < 5 or users[p[1]] < 5), None)
        if bad is None:
            break
        left.remove(bad)
    core = k_core(_pairs(seed), 5)
    assert {*zip(core.item.tolist(), core.user.tolist(), strict=True)} == left


def test_items_and_users_with_just_enough_stay() -> None:
    pairs = _pairs(1)
    assert drop_rare_items(pairs, 5).users_per_item.tolist() == [
        n if n >= 5 else 0 for n in pairs.users_per_item.tolist()
    ]
    assert drop_rare_users(pairs, 5).items_per_user.tolist() == [
        n if n >= 5 else 0 for n in pairs.items_per_user.tolist()
    ]


# ------------------------------------------------------------------------------------ dividing


@QUICK
@given(items=st.integers(5, 200), seed=st.integers(0, 99))
def test_sets_have_the_sizes_asked_for(items: int, seed: int) -> None:
    sets = by_item(items, Shares(0.1, 0.2), seed=seed)
    test, val = max(round(0.2 * items), 1), max(round(0.1 * items), 1)
    assert np.bincount(sets, minlength=3).tolist() == [items - test - val, val, test]


def test_no_test_item_is_older_than_a_train_item() -> None:
    first = np.random.default_rng(0).integers(0, 20, 100).astype(float)
    sets = by_time(first, Shares(0.1, 0.2), seed=0)
    assert first[sets == 0].max() <= first[sets == 1].min()
    assert first[sets == 1].max() <= first[sets == 2].min()
    assert (sets == 2).sum() == 20


@QUICK
@given(groups=st.lists(st.integers(0, 9), min_size=10), seed=st.integers(0, 99))
def test_a_group_is_in_one_set_and_no_small_set_too_large(groups: list[int], seed: int) -> None:
    sets = by_group(np.array(groups), Shares(0.1, 0.2), seed=seed)
    assert all(len({*sets[np.array(groups) == group]}) == 1 for group in groups)
    assert (sets == 2).sum() <= max(round(0.2 * len(groups)), 1)


@pytest.mark.parametrize("seed", range(5))
def test_a_group_that_fits_exactly_fills_its_set(seed: int) -> None:
    sets = by_group(np.repeat(np.arange(10), 2), Shares(0.1, 0.2), seed=seed)
    assert np.bincount(sets, minlength=3).tolist() == [14, 2, 4]


@QUICK
@given(classes=st.lists(st.integers(0, 4), min_size=10), seed=st.integers(0, 99))
def test_each_class_is_in_proportion_within_one_item(classes: list[int], seed: int) -> None:
    has = csr_array(np.eye(5, dtype=int)[classes])
    sets = by_label(has, Shares(0.1, 0.2), seed=seed)
    for label in {*classes}:
        counts = np.bincount(sets[np.array(classes) == label], minlength=3)
        assert np.abs(counts - counts.sum() * np.array([0.7, 0.1, 0.2])).max() <= 1 + 1e-9


def test_several_labels_are_spread_more_evenly_than_by_chance() -> None:
    rng = np.random.default_rng(0)
    has = rng.random((1000, 40)) < 0.5 / (1 + np.arange(40))
    has[~has.any(axis=1), 0] = True

    def uneven(sets: np.ndarray) -> float:
        shares = has[sets == 2].sum(axis=0) / has.sum(axis=0)
        return float(np.abs(shares - 0.2).mean())

    chance = np.mean([uneven(by_item(1000, Shares(0.1, 0.2), seed=s)) for s in range(10)])
    sets = by_label(csr_array(has.astype(int)), Shares(0.1, 0.2), seed=0)
    assert uneven(sets) < 0.3 * chance
    assert abs((sets == 2).sum() - 200) < 10
