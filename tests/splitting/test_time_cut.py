"""``split --by time --cut``: items and plays before and after a point in time."""

from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import load_npz, save_npz

import tartarus_cli as tt
from tartarus_cli.data.tables.times import parse_moment
from tests.conftest import Command
from tests.splitting.test_split import good, hashes, lines, matrix_of, root, write

__all__ = ["root"]  # a fixture

HEADER = "user,song,artist,time"
DOZEN = [
    ("ann", "a1", "Bach", "2024-01-01"),
    ("bob", "a1", "Bach", "2024-02-01"),
    ("ann", "b1", "Cage", "2024-02-10"),
    ("bob", "b1", "Cage", "2024-03-01"),
    ("cy", "c1", "Dido", "2024-04-01"),  # cy has a val play, a test play, and a later train play
    ("ann", "c1", "Dido", "2024-05-01"),
    ("bob", "d1", "Bach", "2024-06-01"),  # at the cut: a test item, of a known artist
    ("cy", "d1", "Bach", "2024-06-15"),
    ("ann", "e1", "Enya", "2024-07-01"),
    ("dan", "e1", "Enya", "2024-07-02"),  # dan has no train play before the cut
    ("dan", "a1", "Bach", "2024-07-05"),
    ("bob", "f1", "Fela", "2024-09-01"),  # at the end: left out
    ("cy", "b1", "Cage", "2024-08-01"),
    ("ann", "d1", "Bach", "2024-10-01"),  # later than the end
]
CUT = ("--by", "time", "--cut", "2024-06-01")


def dozen(tmp_path: Path) -> Path:
    """Write the plays."""
    return write(tmp_path / "plays.csv", HEADER, DOZEN)


def sets(root: Path) -> dict[str, dict[tuple[str, str], float]]:
    """Return the plays of each set."""
    return {split: matrix_of(root, split) for split in ("train", "val", "test")}


def test_sets_matrices_and_users_are_those_worked_out_by_hand(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    words = ("split", "mine", "--plays", dozen(tmp_path), *CUT, "--until", "2024-09-01")
    more = ("--artist", "artist", "--val", 0.34, "--drop-later", "-w", root)
    result = good(tartarus(*words, *more, "--json"))
    assert sets(root) == {
        "train": dict.fromkeys([("ann", "a1"), ("bob", "a1"), ("ann", "b1"), ("bob", "b1")], 1),
        "val": {("ann", "c1"): 1},
        "test": {("bob", "d1"): 1, ("ann", "e1"): 1},
    }
    assert lines(root, "users_index_mine.tsv") == ["ann", "bob"]
    assert lines(root, "items_index_test_mine.tsv") == ["d1", "e1"]
    assert [
        result["sets"][name][kind] for name in ("val", "test") for kind in ("semi_cold", "cold")
    ] == [0, 1, 1, 1]
    assert result["time"] == {
        "cut": "2024-06-01",
        "until": "2024-09-01",
        "drop_later": True,
        "dropped_plays": 3,
        "dropped_users": 2,
    }
    assert [(stage["items"], stage["users"], stage["plays"]) for stage in result["stages"]] == [
        (6, 4, 14),
        (6, 4, 11),
        (5, 4, 10),
        (5, 2, 7),
    ]
    assert result["leakage"]["train_items_played_later"] == 0
    assert result["leakage"]["users_without_train_items"] == 0
    again = tartarus(*words, *more)
    assert "2 users without a train play dropped" in again.out
    assert "divided by time at 2024-06-01 (until 2024-09-01)" in again.out
    checked = tartarus("check-data", "mine", "-w", root, "--json").document["problems"]
    assert not [problem for problem in checked if "split_mine" in problem["file"]]


def test_later_plays_stay_and_are_warned_of_where_they_are_not_dropped(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    words = ("split", "mine", "--plays", dozen(tmp_path), *CUT, "--val", 0, "-w", root)
    outcome = tartarus(*words)
    assert outcome.status == 0
    assert "these plays are kept; --cut with --drop-later drops them): 2" in outcome.err
    assert lines(root, "users_index_mine.tsv") == ["ann", "bob", "cy", "dan"]
    assert lines(root, "items_index_train_mine.tsv") == ["a1", "b1", "c1"]
    assert lines(root, "items_index_test_mine.tsv") == ["d1", "e1", "f1"]
    assert matrix_of(root, "train")["dan", "a1"] == 1


SUMMER = datetime(2024, 7, 1, tzinfo=UTC).timestamp()


def random_plays(rows: int = 900) -> list[tuple[str, str, int, int]]:
    """Rows of user, song, plays and Unix seconds; songs and users come one by one over a year."""
    rng = np.random.default_rng(4)
    songs, users = rng.integers(0, 60, rows), rng.integers(0, 40, rows)
    days = np.minimum(np.maximum(songs * 5, users * 7) + rng.exponential(60, rows), 365)
    counts, start = rng.integers(0, 3, rows), int(SUMMER) - 182 * 86400
    rows_of = zip(users, songs, counts, days, strict=True)
    return [(f"u{u}", f"s{s}", int(n), start + int(d * 86400)) for u, s, n, d in rows_of]


def test_after_all_filters_no_train_play_is_late_and_everybody_has_one(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    rows = random_plays()
    table = write(tmp_path / "p.csv", "user,song,plays,time", rows)
    words = ("split", "mine", "--plays", table, "--by", "time", "--cut", "2024-07-01")
    more = ("--drop-later", "--core", 3, "--val", 0.2, "-w", root, "--json")
    assert good(tartarus(*words, *more))["time"]["dropped_users"] > 0
    check_plays(rows, sets(root))
    assert {user for user, _ in sets(root)["train"]} == {*lines(root, "users_index_mine.tsv")}
    pairs = [pair for plays in sets(root).values() for pair in plays]
    for names in zip(*pairs, strict=True):
        assert min(map(names.count, {*names})) >= 3
    before = hashes(root)
    np.random.default_rng(1).shuffle(rows)
    write(table, "user,song,plays,time", rows)
    good(tartarus(*words, *more, "--force"))
    assert hashes(root) == before


def check_plays(
    rows: list[tuple[str, str, int, int]], made: dict[str, dict[tuple[str, str], float]]
) -> None:
    """Compare sets with the rows of a table: when items were first played, and what is early."""
    first: dict[str, float] = defaultdict(lambda: np.inf)
    early: dict[tuple[str, str], int] = defaultdict(int)
    for user, song, plays, time in rows:
        first[song] = min(first[song], time if plays else np.inf)
        early[user, song] += plays * (time < SUMMER)
    train, val, test = ([first[song] for _, song in made[split]] for split in made)
    assert max(train) <= min(val) <= max(val) < SUMMER <= min(test)
    old = made["train"] | made["val"]
    assert {pair: early[pair] for pair in old} == old
    songs, val_songs = ({song for _, song in plays} for plays in (old, made["val"]))
    assert len(val_songs) == round(0.2 * len(songs))


@pytest.mark.parametrize(
    "cut", [date(2024, 6, 1), "2024-06-01T00:00:00Z", 1717200000, 1717200000.0]
)
def test_a_cut_is_written_as_a_date_or_as_the_table_has_it(
    cut: Any, root: Path, tmp_path: Path
) -> None:
    def seconds(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())

    numbers = write(tmp_path / "n.csv", HEADER, [(*row[:3], seconds(row[3])) for row in DOZEN])
    plays = [numbers]
    if isinstance(cut, date | str):
        frame = pl.DataFrame(DOZEN, schema=HEADER.split(","), orient="row")
        frame.with_columns(pl.col("time").str.to_date()).write_parquet(tmp_path / "d.parquet")
        milliseconds = [(*row[:3], 1000 * seconds(row[3])) for row in DOZEN]
        plays += [tmp_path / "d.parquet", write(tmp_path / "m.csv", HEADER, milliseconds)]
    for path in plays:
        tt.split("mine", plays=path, by="time", cut=cut, val=0, force=True, workspace=root)
        assert lines(root, "items_index_test_mine.tsv") == ["d1", "e1", "f1"]


def test_times_of_other_zones_are_moments() -> None:
    west, utc = parse_moment("2024-06-01 00:00:00-05:00"), parse_moment("2024-06-01T05:00")
    assert west is not None
    assert utc is not None
    assert west.value == utc.value == datetime(2024, 6, 1, 5, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--cut 2024-06-01", "--cut needs --by time"),
        ("--by artist --cut 2024-06-01", "--cut needs --by time"),
        ("--by time --until 2024-06-01", "need --cut"),
        ("--by time --drop-later", "need --cut"),
        ("--by time --cut 2024-06-01 --test 0.2", "--cut and --test exclude each other"),
        ("--by time --cut 2024-06-01 --until 2024-06-01", "is not after --cut"),
        ("--by time --cut 2024-06-01 --until 17", "a date and a number"),
        ("--by time --cut soon", "--cut soon is no time"),
        ("--by time --cut nan", "--cut nan is no time"),
        (
            "--by time --cut 17",
            "are dates\nhint:  Give a date, such as --cut 2024-01-01.",
        ),
        (
            "--by time --cut 2023-01-01",
            "from 2024-01-01 to 2024-09-01: give a time in between, such as --cut 2024-07-01",
        ),
        ("--by time --cut 2024-09-02", "no item is first played from then on"),
        ("--by time --cut 2024-08-01 --until 2024-08-02", "from then on and before --until"),
        ("--by time --cut 2024-06-01 --val 1", "--val is a share"),
        ("--by time --cut 2024-06-01 --time user", "the column user cannot be two things"),
        (
            "--by time --plays numbers.csv --cut 2024-06-01",
            "are numbers such as 7, no seconds since 1970",
        ),
    ],
)
def test_a_cut_that_makes_no_sense_is_refused(
    words: str,
    complaint: str,
    tartarus: Command,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    dozen(tmp_path)
    write(tmp_path / "numbers.csv", HEADER, [(*row[:3], n + 7) for n, row in enumerate(DOZEN)])
    outcome = tartarus("split", "mine", "--plays", "plays.csv", *words.split(), "-w", root)
    assert (outcome.status, complaint in outcome.err) == (2, True), outcome.err
    assert hashes(root) == {}


def test_what_a_split_promised_is_checked(tartarus: Command, root: Path, tmp_path: Path) -> None:
    words = ("split", "mine", "--plays", dozen(tmp_path), *CUT, "--artist", "artist")
    good(tartarus(*words, "--val", 0, "--drop-later", "-w", root, "--json"))
    data = root / "data" / "datasets"
    artists = data / "artists_index_mine.tsv"
    artists.write_text(artists.read_text().replace("Enya", "Bach"))
    plays = load_npz(data / "matrix_train_mine.npz").tolil()
    plays[:, 0] = 0
    save_npz(data / "matrix_train_mine.npz", plays.tocsr())
    problems = tartarus("check-data", "mine", "-w", root, "--json").document["problems"]
    found = [problem["found"] for problem in problems]
    assert "1 user without a train play" in found
    assert "it speaks of 1 test items of known artists" in found
