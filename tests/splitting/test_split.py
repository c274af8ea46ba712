"""``tartarus split``: from a table to the files of a dataset."""

import csv
import json
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import load_npz

from tartarus_cli.data.provenance import Filters, read_split_manifest
from tartarus_cli.errors import DataError, RequestError
from tartarus_cli.splitting import split as splitting
from tartarus_cli.splitting.interactions import read_split_tables
from tartarus_cli.splitting.request import SplitRequest
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command, Outcome
from tests.kills import killed_after

Row = tuple[object, ...]


@pytest.fixture
def root(tmp_path: Path, tartarus: Command) -> Path:
    """Return an empty workspace."""
    assert tartarus("init", tmp_path / "w").status == 0
    return tmp_path / "w"


def write(path: Path, header: str, rows: Iterable[Row]) -> Path:
    """Write a CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


def plays_of(seed: int = 0, *, rows: int = 1200) -> list[Row]:
    """Rows of user, song, plays, artist, time; four songs an artist."""
    rng = np.random.default_rng(seed)
    songs = (50 * rng.random(rows) ** 2).astype(int)
    users, counts, times = (rng.integers(1, n, rows) for n in (31, 6, 10_000))
    return [
        (f'u "{u:03d}"', f"{s:03d}, é", int(n), f"artist {s // 4}", int(t))
        for u, s, n, t in zip(users, songs, counts, times, strict=True)
    ]


HEADER = "user,song,plays,artist,time"


def table(tmp_path: Path, rows: Iterable[Row] | None = None) -> Path:
    """Write plays."""
    return write(tmp_path / "plays.csv", HEADER, plays_of() if rows is None else rows)


def lines(root: Path, name: str) -> list[str]:
    """Read a list of the dataset."""
    return (root / "data" / "datasets" / name).read_text(encoding="utf-8").split("\n")[:-1]


def matrix_of(root: Path, split: str, dataset: str = "mine") -> dict[tuple[str, str], float]:
    """Return the plays that a matrix holds, by the ids of users and items."""
    items = lines(root, f"items_index_{split}_{dataset}.tsv")
    users = lines(root, f"users_index_{dataset}.tsv")
    matrix = load_npz(root / "data" / "datasets" / f"matrix_{split}_{dataset}.npz")
    assert matrix.format == "csr"
    assert matrix.shape == (len(items), len(users))
    entries = matrix.tocoo()
    cells = zip(entries.row, entries.col, entries.data, strict=True)
    return {(users[u], items[i]): float(n) for i, u, n in cells}


def summed(rows: Iterable[Row]) -> dict[tuple[str, str], float]:
    """Add the plays up, the plain way."""
    total: dict[tuple[str, str], float] = {}
    for user, song, plays, *_ in rows:
        pair = str(user), str(song)
        total[pair] = total.get(pair, 0) + float(str(plays))
    return total


def hashes(root: Path) -> dict[str, str]:
    """Hash each file of the dataset but the manifest, which holds the hash of the table."""
    files = (p for p in (root / "data" / "datasets").glob("*") if p.is_file())
    return {
        p.name: blake2b(p.read_bytes()).hexdigest()
        for p in files
        if p.name[0] != "." and not p.name.startswith("split_")
    }


def good(outcome: Outcome) -> Any:
    """Return the document of a command that succeeded."""
    assert outcome.status == 0, outcome.err
    return outcome.document


# --------------------------------------------------------------------------------------- plays


def test_every_play_is_in_exactly_one_matrix(tartarus: Command, root: Path, tmp_path: Path) -> None:
    result = good(tartarus("split", "mine", "--plays", table(tmp_path), "-w", root, "--json"))
    sets = {split: matrix_of(root, split) for split in ("train", "val", "test")}
    assert sum(map(len, sets.values())) == len(summed(plays_of()))
    assert sets["train"] | sets["val"] | sets["test"] == summed(plays_of())
    assert {name: size["pairs"] for name, size in result["sets"].items()} == {
        name: len(pairs) for name, pairs in sets.items()
    }
    assert result["leakage"]["items_in_two_sets"] == 0
    items = [len(lines(root, f"items_index_{split}_mine.tsv")) for split in sets]
    assert items == [35, 5, 10]


def test_the_files_are_what_check_data_wants(tartarus: Command, root: Path, tmp_path: Path) -> None:
    good(tartarus("split", "mine", "--plays", table(tmp_path), "-w", root, "--json"))
    problems = tartarus("check-data", "mine", "-w", root, "--json").document["problems"]
    errors = {p["file"] for p in problems if p["severity"] == "error"}
    assert errors == {  # factors come next
        "data/datasets/item_factors_als_200_mine.npy",
        "data/datasets/user_factors_als_200_mine.npy",
    }
    np.save(root / "data" / "datasets" / "matrix_val_mine.npz", np.zeros(3))  # under another name
    (root / "data" / "datasets" / "matrix_val_mine.npz").write_bytes(b"damaged")
    problems = tartarus("check-data", "mine", "-w", root, "--json").document["problems"]
    assert any("matrix_val_mine.npz" in p["file"] for p in problems if p["severity"] == "error")


@pytest.mark.parametrize("strategy", [["--by", "item"], ["--by", "artist"], ["--by", "time"], []])
def test_the_order_of_the_rows_makes_no_difference(
    strategy: list[str], tartarus: Command, root: Path, tmp_path: Path
) -> None:
    rows = plays_of()
    good(tartarus("split", "mine", "--plays", table(tmp_path), *strategy, "-w", root, "--json"))
    before = hashes(root)
    np.random.default_rng(1).shuffle(rows)
    words = ("split", "mine", "--plays", table(tmp_path, rows), *strategy, "-w", root, "--json")
    good(tartarus(*words, "--force"))
    assert hashes(root) == before
    good(tartarus(*words, "--force", "--seed", 1))
    assert (hashes(root) == before) == (strategy == ["--by", "time"])


def test_no_artist_is_in_two_sets(tartarus: Command, root: Path, tmp_path: Path) -> None:
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root, "--json")
    drawn = good(tartarus(*words, "--artist", "artist"))
    assert drawn["leakage"]["artists_in_two_sets"] > 0
    result = good(tartarus(*words, "--by", "artist", "--force"))
    assert result["leakage"]["artists_in_two_sets"] == 0
    artist = {song: name for _, song, _, name, _ in plays_of()}
    artists = [
        {artist[song] for song in lines(root, f"items_index_{split}_mine.tsv")}
        for split in ("train", "val", "test")
    ]
    assert sum(map(len, artists)) == len({*artist.values()})


def test_listed_items_that_nobody_plays_are_of_no_artist_in_two_sets(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    songs = {split: {f"new in {split}"} for split in ("train", "test")}
    for _, song, _, artist, _ in plays_of():
        songs["test" if str(artist).endswith(("1", "2")) else "train"].add(str(song))
    lists: list[str | Path] = []
    for split, ids in songs.items():
        path = tmp_path / f"{split}.txt"
        path.write_text("".join(f"{each}\n" for each in ids))
        lists += [f"--{split}-ids", path]
    words = ("split", "mine", "--plays", table(tmp_path), "--artist", "artist", *lists)
    leakage = good(tartarus(*words, "-w", root, "--json"))["leakage"]
    assert (leakage["items_without_users"], leakage["artists_in_two_sets"]) == (2, 0)


def test_the_newest_items_are_test(tartarus: Command, root: Path, tmp_path: Path) -> None:
    good(
        tartarus("split", "mine", "--plays", table(tmp_path), "--by", "time", "-w", root, "--json")
    )
    first: dict[str, int] = {}
    for _, song, _, _, time in plays_of():
        first[str(song)] = min(int(str(time)), first.get(str(song), 10**9))
    train, val, test = (
        [first[song] for song in lines(root, f"items_index_{split}_mine.tsv")]
        for split in ("train", "val", "test")
    )
    assert max(train) <= min(val) <= max(val) <= min(test)


def test_filters_leave_what_they_say(tartarus: Command, root: Path, tmp_path: Path) -> None:
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root, "--json")
    result = good(tartarus(*words, "--min-plays", 3, "--core", 4))
    assert [stage["after"] for stage in result["stages"]] == [
        "1,200 rows of plays",
        "--min-plays 3",
        "--core 4",
    ]
    left = {pair for pair, plays in summed(plays_of()).items() if plays >= 3}
    assert result["stages"][1]["pairs"] == len(left)
    while True:
        users = [user for user, _ in left]
        items = [item for _, item in left]
        core = {p for p in left if users.count(p[0]) >= 4 and items.count(p[1]) >= 4}
        if core == left:
            break
        left = core
    pairs = [pair for split in ("train", "val", "test") for pair in matrix_of(root, split)]
    assert {*pairs} == left
    assert {*lines(root, "users_index_mine.tsv")} == {user for user, _ in left}


def test_lists_of_ids_are_kept_in_their_order(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    train, test = tmp_path / "train.tsv", tmp_path / "test.tsv"
    train.write_text("009, é\n001, é\nnobody's\n003, é\n")
    test.write_text("002, é\n000, é\n")
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root, "--json")
    lists = ("--train-ids", train, "--test-ids", test)
    result = good(tartarus(*words, *lists))
    assert lines(root, "items_index_train_mine.tsv") == ["009, é", "001, é", "nobody's", "003, é"]
    assert lines(root, "items_index_test_mine.tsv") == ["002, é", "000, é"]
    assert result["leakage"]["items_without_users"] == 1
    train_ids = {*train.read_text().split("\n")}
    expected = {pair: n for pair, n in summed(plays_of()).items() if pair[1] in train_ids}
    assert matrix_of(root, "train") == expected
    good(tartarus(*words, *lists, "--min-users", 1, "--force"))
    assert lines(root, "items_index_train_mine.tsv") == ["009, é", "001, é", "003, é"]


def test_an_id_in_two_lists_is_refused(tartarus: Command, root: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.tsv"
    ids.write_text("000, é\n")
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root)
    outcome = tartarus(*words, "--train-ids", ids, "--test-ids", ids)
    assert outcome.status == 1
    assert "'000, é', which is in ids.tsv too" in outcome.err


def test_quotes_in_a_tsv_that_were_meant_as_in_a_csv_are_reported(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "p.tsv"
    for item, warned in (('"Heroes"', False), ('"""1066"" x"', True)):
        rows = "".join(f"u{n % 5}\t{n}{item}\n" for n in range(40))
        path.write_text("user\titem\n" + rows.replace(f"7{item}", item))
        outcome = tartarus("split", "mine", "--plays", path, "-w", root, "--force")
        assert outcome.status == 0
        assert ("that look quoted" in outcome.err) == warned


def test_ids_with_whitespace_around_them_are_reported(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    rows = [(u, f"{s} " if n == 1 else s, n, *others) for u, s, n, *others in plays_of()]
    outcome = tartarus("split", "mine", "--plays", table(tmp_path, rows), "-w", root)
    padded = len({str(s) for _, s, n, *_ in rows if str(s).endswith(" ")})
    assert f"with whitespace around them, such as '000, é ': {padded:,} (they are" in outcome.err


def test_the_two_tables_may_name_their_items_differently(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    items = {str(song) for _, song, *_ in plays_of()}
    labels = write(tmp_path / "l.csv", '"an item",label', [(i, i[0]) for i in sorted(items)])
    labels.write_text(labels.read_text().replace('"""an item"""', "an item"))
    words = ("split", "mine", "--plays", table(tmp_path), "--labels", labels, "-w", root)
    assert "--label-item NAME" in tartarus(*words).err
    result = good(tartarus(*words, "--label-item", "an item", "--json"))
    assert result["labels"] == len({item[0] for item in items})


@pytest.mark.parametrize("form", ["csv", "quoted", "parquet"])
def test_rows_without_an_id_are_left_out_where_that_is_asked_for(
    form: str, tartarus: Command, root: Path, tmp_path: Path
) -> None:
    rows = plays_of()
    holes = [("", *row[1:]) if n % 7 == 0 else (row[0], " ", *row[2:]) if n % 11 == 0 else row
             for n, row in enumerate(rows)]  # fmt: skip
    path = table(tmp_path, holes)
    if form == "quoted":
        with path.open("w", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([HEADER.split(","), *holes])
    if form == "parquet":
        frame = pl.DataFrame(holes, schema=HEADER.split(","), orient="row")
        path = tmp_path / "plays.parquet"
        frame.with_columns(user=pl.col("user").replace("", None)).write_parquet(path)
    words = ("split", "mine", "--plays", path, "-w", root, "--json")
    refused = tartarus(*words)
    assert (refused.status, "--skip-empty" in refused.err) == (1, True)
    result = good(tartarus(*words, "--skip-empty"))
    complete = [row for row in holes if str(row[0]).strip() and str(row[1]).strip()]
    skipped = len(rows) - len(complete)
    after = f"{len(complete):,} rows of plays, {skipped:,} without an id left out"
    assert result["stages"][0]["after"] == after
    matrices = [matrix_of(root, split) for split in ("train", "val", "test")]
    assert matrices[0] | matrices[1] | matrices[2] == summed(complete)


def test_a_file_without_names_is_read_by_number(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "triplets.tsv"
    path.write_text("".join(f"{u}\t{s}\t{n}\n" for u, s, n, *_ in plays_of()))
    good(tartarus("split", "mine", "--plays", path, "--no-header", "-w", root, "--json"))
    matrices = [matrix_of(root, split) for split in ("train", "val", "test")]
    assert matrices[0] | matrices[1] | matrices[2] == summed(plays_of())


def test_the_manifest_says_how_it_was_made(tartarus: Command, root: Path, tmp_path: Path) -> None:
    path = table(tmp_path)
    good(tartarus("split", "mine", "--plays", path, "--seed", 7, "-w", root, "--json"))
    manifest = json.loads((root / "data" / "datasets" / "split_mine.json").read_text())
    assert (manifest["seed"], manifest["by"], manifest["shares"]) == (
        7,
        "item",
        {"val": 0.1, "test": 0.2},
    )
    assert manifest["read"][0]["blake2b"] == blake2b(path.read_bytes(), digest_size=16).hexdigest()
    assert manifest["read"][0]["item"] == "song"


def test_a_manifest_that_is_read_is_written_as_it_was(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    labels = write(tmp_path / "l.csv", "song,label", [(f"{n:03d}, é", n % 3) for n in range(40)])
    words = ("--plays", table(tmp_path), "--labels", labels, "--min-plays", 2)
    good(tartarus("split", "mine", *words, "-w", root, "--json"))
    path = root / "data" / "datasets" / "split_mine.json"
    manifest = read_split_manifest(path)
    assert manifest.to_json() == path.read_text(encoding="utf-8")
    assert '"after": "--min-plays 2"' in manifest.to_json()
    assert manifest.stages[-1].after == "`min_plays=2`"
    assert (manifest.filters.min_plays, manifest.tables[1].table) == (2, "labels")


# --------------------------------------------------------------------------- what is refused


def test_a_dataset_is_not_overwritten_unless_forced(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root)
    assert tartarus(*words).status == 0
    before = hashes(root)
    assert tartarus(*words).status == 0
    assert hashes(root) == before
    outcome = tartarus(*words, "--seed", 1)
    assert outcome.status == 2
    assert "there is a dataset mine already" in outcome.err
    table(tmp_path, plays_of(seed=1))
    outcome = tartarus(*words)
    assert (outcome.status, "there is a dataset mine already" in outcome.err) == (2, True)
    assert hashes(root) == before


def test_what_does_not_fit_the_new_sets_is_set_aside(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root, "--json")
    data, features = root / "data", "datasets/train_data/X_train_a_mine.npy"
    good(tartarus(*words))
    np.save(data / features, np.zeros((35, 2)))
    old = (data / features).read_bytes(), lines(root, "items_index_test_mine.tsv")
    result = good(tartarus(*words, "--force", "--seed", 1, "--val", 0))
    backups = data / "datasets" / "set_aside" / "mine_1"
    other = "datasets/train_data/set_aside/mine_1/X_train_a_mine.npy"
    assert f"data/{other}" in result["set_aside"]
    assert not (data / features).exists()
    test_ids = (backups / "items_index_test_mine.tsv").read_text().split("\n")[:-1]
    assert ((data / other).read_bytes(), test_ids) == old
    assert not [name for name in hashes(root) if "_val_" in name]
    result = good(tartarus(*words, "--force", "--seed", 2))
    assert all("set_aside/mine_2/" in name for name in result["set_aside"])
    assert "set_aside" not in tartarus("check-data", "mine", "-w", root).out


@pytest.mark.parametrize("failing", range(18))
def test_what_cannot_be_moved_leaves_the_dataset_as_it_was(
    failing: int, tartarus: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root)
    good(tartarus(*words, "--json"))
    before, rename, left = hashes(root), Path.replace, failing

    def replace(path: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left == -1:
            raise OSError(18, "Invalid cross-device link")
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    outcome = tartarus(*words, "--seed", 1, "--force")
    if left < 0:
        assert outcome.status == 1
        assert hashes(root) == before
        assert not [*root.rglob("set_aside/*")]
    else:
        assert failing >= 2 * len(before)


def test_links_that_are_set_aside_still_lead_to_their_files(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root, "--json")
    good(tartarus(*words))
    np.save(root / "features.npy", np.ones((35, 2)))
    link = root / "data" / "datasets" / "train_data" / "X_train_a_mine.npy"
    link.symlink_to("../../../features.npy")
    good(tartarus(*words, "--force", "--seed", 1))
    (moved,) = root.rglob("set_aside/*/X_train_a_mine.npy")
    assert np.load(moved).shape == (35, 2)
    assert not link.is_symlink()


@pytest.mark.parametrize("renames", range(8))
def test_a_first_split_that_was_killed_is_finished_by_the_same_words(
    renames: int, tartarus: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root)
    with killed_after(renames, monkeypatch):
        tartarus(*words)
    if renames:
        other = tartarus(*words, "--seed", 1)
        assert (other.status, "already" in other.err) == (2, True)
    again = good(tartarus(*words, "--json"))
    assert again["set_aside"] == []
    good(tartarus("split", "fresh", *words[2:], "--json"))
    new = hashes(root)
    assert {
        name.replace("fresh", "mine"): content for name, content in new.items() if "fresh" in name
    } == {name: content for name, content in new.items() if "mine" in name}


def test_with_the_same_items_in_each_set_features_stay(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root, "--json")
    good(tartarus(*words))
    features = root / "data" / "datasets" / "train_data" / "X_train_a_mine.npy"
    np.save(features, np.zeros((35, 2)))
    before = hashes(root)
    table(tmp_path, [(u, s, int(str(n)) + 1, *others) for u, s, n, *others in plays_of()])
    assert good(tartarus(*words, "--force"))["set_aside"] == []
    assert features.exists()
    assert hashes(root)["matrix_test_mine.npz"] != before["matrix_test_mine.npz"]


@pytest.mark.parametrize("renames", range(12))
def test_a_killed_split_leaves_no_dataset_of_old_and_new_files(
    renames: int, tartarus: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("split", "mine", "--plays", table(tmp_path), "-w", root)
    good(tartarus(*words, "--json"))
    with killed_after(renames, monkeypatch):
        tartarus(*words, "--seed", 1, "--force")
    present = hashes(root)
    if "items_index_train_mine.tsv" in present:
        assert renames == 0
    assert tartarus(*words, "--seed", 1, "--force").status == 0
    again = hashes(root)
    good(tartarus("split", "fresh", *words[2:], "--seed", 1, "--json"))
    new = {name: content for name, content in hashes(root).items() if name not in again}
    assert {name.replace("fresh", "mine"): content for name, content in new.items()} == again


def test_a_table_that_is_written_to_meanwhile_is_reported(
    tartarus: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path)

    def slowly(*words: Any) -> Any:
        tables = read_split_tables(*words)
        path.write_text(path.read_text() + "v,w,1,a,2\n")
        return tables

    monkeypatch.setattr("tartarus_cli.splitting.split.read_split_tables", slowly)
    outcome = tartarus("split", "mine", "--plays", path, "-w", root)
    assert (outcome.status, "was changed while it was read" in outcome.err) == (1, True)
    assert hashes(root) == {}


def test_what_fails_leaves_nothing(
    tartarus: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scipy.sparse.save_npz", interrupt)
    assert tartarus("split", "mine", "--plays", table(tmp_path), "-w", root).status == 130
    assert hashes(root) == {}
    assert [p.name for p in (root / "data" / "datasets").glob(".*")] == [
        ".making_split_mine.json.lock"
    ]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "neither --plays nor --labels"),
        (["--plays", "none.csv"], "there is no file none.csv"),
        (["--plays", "plays.csv", "--user", "usr"], "no column called 'usr'"),
        (["--plays", "plays.csv", "--item", "user"], "the column user cannot be two things"),
        (["--plays", "plays.csv", "--by", "label"], "--by label needs --labels"),
        (["--plays", "plays.csv", "--test", "0.7", "--val", "0.3"], "leave nothing to train on"),
        (["--plays", "plays.csv", "--test", "0"], "--test is a share above 0"),
        (["--plays", "plays.csv", "--wide"], "need --labels"),
        (["--plays", "plays.csv", "--train-ids", "a"], "belong together"),
        (["--plays", "plays.csv", "--label", "x"], "--label and --label-item need --labels"),
        (["--plays", "two.csv"], "may be in the columns song, track"),
        (["--plays", "none-such.csv"], "there is no file"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: list[str], complaint: str, tartarus: Command, root: Path, tmp_path: Path
) -> None:
    table(tmp_path)
    write(tmp_path / "two.csv", "user,song,track", [("u", "s", "t")])
    outcome = tartarus("split", "mine", *words, "-w", root)
    assert outcome.status == 2
    assert complaint in outcome.err


def test_errors_name_the_parameters_of_the_function(root: Path, tmp_path: Path) -> None:
    workspace = open_workspace(root)
    with pytest.raises(RequestError, match="neither `plays` nor `labels`") as caught:
        splitting.split(workspace, SplitRequest("mine"))
    assert caught.value.hint == "Give `plays=FILE` or `labels=FILE`."
    request = SplitRequest("mine", plays=table(tmp_path), filters=Filters(core=999))
    with pytest.raises(DataError, match="the filters leave nothing") as left:
        splitting.split(workspace, request)
    assert left.value.hint == "Use a smaller number for `core`."


@pytest.mark.parametrize("name", ["a_b", "../x", "a/b", " ", ".a", "-"])
def test_a_dataset_needs_a_name_that_files_can_have(
    name: str, tartarus: Command, root: Path, tmp_path: Path
) -> None:
    outcome = tartarus("split", "--plays", table(tmp_path), "-w", root, "--", name)
    assert outcome.status == 2
    assert "cannot be called" in outcome.err


def test_filters_that_leave_nothing_are_reported(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    outcome = tartarus("split", "mine", "--plays", table(tmp_path), "--core", 999, "-w", root)
    assert outcome.status == 1
    assert "the filters leave nothing" in outcome.err


# -------------------------------------------------------------------------------------- labels


def labels_of(*, several: bool) -> list[Row]:
    """Rows of item and label."""
    rng = np.random.default_rng(0)
    genres = ("jazz", "rock", "soul, R&B")
    rows: list[Row] = []
    for item in range(60):
        many = rng.integers(1, 3) if several else 1
        rows += [(f"{item:03d}", g) for g in rng.choice(genres, many, replace=False)]
    return rows


@pytest.mark.parametrize("several", [False, True])
def test_classes_are_those_of_the_table(
    *, several: bool, tartarus: Command, root: Path, tmp_path: Path
) -> None:
    rows = labels_of(several=several)
    path = write(tmp_path / "labels.csv", "item,genre", rows)
    result = good(tartarus("split", "mine", "--labels", path, "-w", root, "--json"))
    names = lines(root, "genre_labels_mine.tsv")
    labels = set()
    for split, middle in (("train", ""), ("val", "val_"), ("test", "test_")):
        items = lines(root, f"items_index_{split}_mine.tsv")
        classes = np.load(root / "data" / "datasets" / f"item_factors_{middle}class_3_mine.npy")
        assert classes.dtype == np.float32
        labels |= {(items[i], names[n]) for i, n in np.argwhere(classes == 1)}
    assert labels == {*rows}
    assert result["by"] == "label"
    checked = tartarus("check-data", "mine", "-w", root, "--json").document
    assert checked["ok"], checked["problems"]
    before = hashes(root)
    path = write(tmp_path / "labels.csv", "item,genre", rows[::-1])
    good(tartarus("split", "mine", "--labels", path, "-w", root, "--json", "--force"))
    assert hashes(root) == before


def test_rare_labels_and_what_has_no_other_are_left_out(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    rows = [*labels_of(several=False), ("000", "polka"), ("alone", "polka")]
    path = write(tmp_path / "labels.csv", "item,genre", rows)
    words = ("split", "mine", "--labels", path, "--min-items-per-label", 3, "-w", root, "--json")
    result = good(tartarus(*words))
    assert lines(root, "genre_labels_mine.tsv") == ["jazz", "rock", "soul, R&B"]
    assert result["stages"][-1] == {
        "after": "--min-items-per-label 3",
        "items": 60,
        "users": None,
        "pairs": None,
        "plays": None,
        "labels": 3,
    }


def test_plays_and_labels_make_one_dataset_of_the_items_of_both(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    songs = sorted({str(song) for _, song, *_ in plays_of()})[:40]
    rows: list[Row] = [(song, "jazz" if n % 3 else "rock") for n, song in enumerate(songs)]
    labels = write(tmp_path / "labels.csv", "song,label", [*rows, ("unplayed", "rock")])
    words = ("split", "mine", "--plays", table(tmp_path), "--labels", labels, "-w", root, "--json")
    good(tartarus(*words, "--by", "label"))
    items_of_sets = [
        lines(root, f"items_index_{split}_mine.tsv") for split in ("train", "val", "test")
    ]
    assert sorted(item for items in items_of_sets for item in items) == songs
    pairs = {pair: n for pair, n in summed(plays_of()).items() if pair[1] in songs}
    both = [matrix_of(root, split) for split in ("train", "val", "test")]
    assert both[0] | both[1] | both[2] == pairs
    of_train = np.load(root / "data" / "datasets" / "item_factors_class_2_mine.npy")
    names = {str(item): label for item, label in rows}
    jazz = [names[item] == "jazz" for item in items_of_sets[0]]
    assert of_train[:, 0].tolist() == [float(is_) for is_ in jazz]


def test_the_command_says_what_comes_next(tartarus: Command, root: Path, tmp_path: Path) -> None:
    outcome = tartarus("split", "mine", "--plays", table(tmp_path), "-w", root)
    assert outcome.status == 0
    assert "item from 'song', count from 'plays'" in outcome.err
    last = f"Next: tartarus factorize mine als --workspace {root}"
    assert outcome.out.splitlines()[-1] == last
