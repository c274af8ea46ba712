"""``tartarus split --folds``: datasets of which each item is a test item once."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tartarus_cli.splitting.fold_strategies import folds_by_group, folds_by_item, folds_by_label
from tests.conftest import Command

GENRES = ("blues", "disco", "metal")


def songs(count: int = 45) -> list[tuple[str, str, str, int]]:
    """Return rows of song, genre, artist and fold: five songs an artist, each of one genre."""
    return [(f"s{n:02d}", GENRES[n % 15 // 5], f"artist {n // 5}", n % 3 + 4) for n in range(count)]


def write(
    path: Path, rows: Iterable[Sequence[object]], header: str = "song,genre,artist,fold"
) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


@pytest.fixture
def root(tmp_path: Path, tartarus: Command) -> Path:
    """Return an empty workspace."""
    assert tartarus("init", tmp_path / "w").status == 0
    return tmp_path / "w"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write(tmp_path / "songs.csv", songs())


def ids(root: Path, dataset: str, split: str) -> list[str]:
    path = root / f"data/datasets/items_index_{split}_{dataset}.tsv"
    return path.read_text().splitlines() if path.exists() else []


def sets_of(root: Path, folds: int, name: str = "gt") -> list[dict[str, set[str]]]:
    return [
        {split: {*ids(root, f"{name}-fold{n}", split)} for split in ("train", "val", "test")}
        for n in range(1, folds + 1)
    ]


def files(root: Path) -> dict[str, bytes]:
    """Return all files of datasets but the documents, which name the table and the request."""
    found = (p for p in (root / "data/datasets").glob("*") if p.is_file() and p.suffix != ".json")
    return {path.name: path.read_bytes() for path in found}


# ---------------------------------------------------------------------------------- strategies


@given(st.integers(2, 9), st.integers(0, 60), st.integers(0, 9))
def test_each_item_is_drawn_into_one_fold_and_sizes_differ_by_one(
    folds: int, more: int, seed: int
) -> None:
    sizes = np.bincount(folds_by_item(folds + more, folds, seed=seed), minlength=folds)
    assert sizes.sum() == folds + more
    assert sizes.max() - sizes.min() <= 1


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.lists(st.integers(0, 4), min_size=6, max_size=80), st.integers(0, 9))
def test_the_items_of_a_label_are_spread_evenly_over_folds(
    folds: int, label_of_item: list[int], seed: int
) -> None:
    labels = csr_array(np.eye(5)[label_of_item])
    fold_of_item = folds_by_label(labels, folds, seed=seed)
    for label in range(5):
        own = fold_of_item[np.array(label_of_item) == label]
        counts = np.bincount(own, minlength=folds)
        assert counts.max() - counts.min() <= 1


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 5), st.lists(st.integers(0, 12), min_size=5, max_size=60), st.integers(0, 9))
def test_no_group_is_in_two_folds_and_no_fold_is_empty(
    folds: int, group_of_item: list[int], seed: int
) -> None:
    groups = np.array([*group_of_item, *range(folds)])
    labels = csr_array(np.eye(3)[groups % 3])
    for known in (None, labels):
        fold_of_item = folds_by_group(groups, folds, seed=seed, labels=known)
        assert {*fold_of_item} == {*range(folds)}
        assert all(len({*fold_of_item[groups == group]}) == 1 for group in groups)


def test_whole_groups_spread_labels_as_evenly_as_they_can() -> None:
    groups = np.repeat(np.arange(30), 4)  # ten groups of each of three labels
    labels = csr_array(np.eye(3)[groups % 3])
    fold_of_item = folds_by_group(groups, 5, seed=0, labels=labels)
    counts = np.array(
        [[((fold_of_item == f) & (groups % 3 == c)).sum() for c in range(3)] for f in range(5)]
    )
    assert (counts == 8).all()


def test_items_with_several_labels_are_stratified_too() -> None:
    rng = np.random.default_rng(0)
    table = rng.random((300, 6)) < [0.5, 0.3, 0.2, 0.1, 0.05, 0.03]
    table[~table.any(axis=1), 0] = True
    fold_of_item = folds_by_label(csr_array(table.astype(float)), 5, seed=0)
    counts = np.array([table[fold_of_item == fold].sum(axis=0) for fold in range(5)])
    assert (np.abs(counts - table.sum(axis=0) / 5) <= 2).all()


# -------------------------------------------------------------------------------------- command


@pytest.mark.parametrize("by", ["item", "artist", "label"])
def test_each_item_is_a_test_item_once_and_in_one_set_of_each_fold(
    by: str, tartarus: Command, root: Path, labels: Path
) -> None:
    words = ("split", "gt", "--labels", labels, "--folds", 3, "--by", by, "-w", root, "--json")
    done = tartarus(*words)
    assert done.status == 0, done.err
    everything = {song for song, *_ in songs()}
    folds = sets_of(root, 3)
    assert sorted(item for fold in folds for item in fold["test"]) == sorted(everything)
    for fold, document in zip(folds, done.document["folds"], strict=True):
        assert set.union(*fold.values()) == everything
        assert sum(map(len, fold.values())) == len(everything)
        assert document["items"] == {split: len(items) for split, items in fold.items()}
        assert 0 < len(fold["val"]) <= 5
    artist = {song: name for song, _, name, _ in songs()}
    shared = [
        {artist[i] for i in one} & {artist[i] for i in other}
        for fold in folds
        for one, other in ((fold["train"], fold["test"]), (fold["val"], fold["test"]))
    ]
    assert any(shared) == (by != "artist")
    if by == "label":
        genre = {song: name for song, name, *_ in songs()}
        for fold in folds:
            counts = [sum(genre[i] == name for i in fold["test"]) for name in GENRES]
            assert counts == [5, 5, 5]


def test_the_same_request_again_changes_nothing_and_another_seed_divides_otherwise(
    tartarus: Command, root: Path, labels: Path, tmp_path: Path
) -> None:
    words = ("split", "gt", "--folds", 3, "-w", root)
    assert tartarus(*words, "--labels", labels).status == 0
    before = files(root)
    assert tartarus(*words, "--labels", labels).status == 0
    assert files(root) == before
    shuffled = write(tmp_path / "other.csv", songs()[::-1])
    done = tartarus(*words, "--labels", shuffled)
    assert done.status == 2
    assert "there is a dataset gt-fold1 already" in done.err
    assert tartarus(*words, "--labels", shuffled, "--force").status == 0
    assert files(root) == before
    assert tartarus(*words, "--labels", shuffled, "--force", "--seed", 1).status == 0
    assert files(root) != before


def test_fewer_folds_back_up_those_that_are_left_over(
    tartarus: Command, root: Path, labels: Path
) -> None:
    words = ("split", "gt", "--labels", labels, "-w", root)
    assert tartarus(*words, "--folds", 3).status == 0
    assert tartarus(*words, "--folds", 2, "--force").status == 0
    assert not ids(root, "gt-fold3", "train")
    assert tartarus("check-data", "gt", "-w", root).status == 0
    assert tartarus("check-data", "-w", root).status == 0


def test_given_folds_are_taken_as_they_are_in_the_order_of_their_numbers(
    tartarus: Command, root: Path, labels: Path, tmp_path: Path
) -> None:
    rows = [(song, {4: "10", 5: "9", 6: "2"}[fold]) for song, _, _, fold in songs()[:-3]]
    given_folds = write(tmp_path / "folds.tsv", [], "x")
    given_folds.write_text("name\tfold\n" + "".join(f"{s}\t{f}\n" for s, f in [*rows, ("x", "2")]))
    words = ("split", "gt", "--labels", labels, "--folds-from", given_folds, "-w", root, "--json")
    done = tartarus(*words)
    assert done.status == 0, done.err
    assert "1 id is of no item, such as 'x'" in done.err
    assert [fold["label"] for fold in done.document["folds"]] == ["2", "9", "10"]
    tested = [fold["test"] for fold in sets_of(root, 3)]
    assert tested == [{s for s, f in rows if f == label} for label in ("2", "9", "10")]


def test_folds_of_plays_have_the_users_of_all(
    tartarus: Command, root: Path, tmp_path: Path
) -> None:
    rows = [(f"u{n % 7}", f"s{n % 20:02d}") for n in range(140)]
    plays = write(tmp_path / "plays.csv", rows, "user,song")
    done = tartarus("split", "gt", "--plays", plays, "--folds", 4, "-w", root)
    assert done.status == 0, done.err
    assert sum(len(fold["test"]) for fold in sets_of(root, 4)) == 20
    assert (
        len({(root / f"data/datasets/users_index_gt-fold{n}.tsv").read_text() for n in range(1, 5)})
        == 1
    )


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--folds", 1), "--folds 1: items are divided into 2 to 100 folds"),
        (("--folds", 101), "--folds 101"),
        (("--folds", 3, "--test", 0.2), "--test means nothing for folds"),
        (("--folds", 3, "--by", "time"), "needs --plays"),
        (("--folds", 3, "--val", 0.7), "--val leaves nothing to train on"),
        (("--folds", 3, "--fold", "fold"), "--fold names a column of the table of folds"),
        (("--folds", 3, "--folds-from", "songs.csv"), "exclude each other"),
        (("--folds", 3, "--train-ids", "a", "--test-ids", "b"), "lists of ids and folds"),
        (("--folds", 60), "there is too little for 60 folds: 45 items"),
        (("--folds", 10, "--by", "artist"), "there is too little for 10 folds: 9 artists"),
        (("--folds", 45, "--val", 0.97), "train of gt-fold1 would hold no item"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    words: tuple[object, ...], found: str, tartarus: Command, root: Path, labels: Path
) -> None:
    done = tartarus("split", "gt", "--labels", labels, *words, "-w", root)
    assert done.status in (1, 2)
    assert found in done.err
    assert not files(root)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("song,fold\ns01,1\ns02,1\n", "1 different values in the column 'fold' ('1')"),
        ("song,fold\ns01,1\ns01,2\n", "'s01' in two folds"),
        ("song,part\ns01,1\ns02,2\n", "no column is recognized as that of the folds"),
        ("song,fold\na,1\nb,2\n", "none of its ids (such as 'a') is an item of the tables"),
        ("song,fold\ns01,1\nb,2\n", "no item in the fold '2'"),
        ("song,fold\ns01,1\ns02,\n", "nothing in line 3"),
    ],
)
def test_a_table_of_folds_that_is_none_is_refused(
    text: str, found: str, tartarus: Command, root: Path, labels: Path, tmp_path: Path
) -> None:
    given_folds = tmp_path / "folds.csv"
    given_folds.write_text(text)
    done = tartarus("split", "gt", "--labels", labels, "--folds-from", given_folds, "-w", root)
    assert done.status in (1, 2)
    assert found in done.err
    assert not files(root)


def test_a_name_is_that_of_a_dataset_or_of_folds_and_never_of_both(
    tartarus: Command, root: Path, labels: Path
) -> None:
    words = ("split", "gt", "--labels", labels, "-w", root, "--force")
    assert tartarus(*words, "--folds", 3).status == 0
    assert "gt is divided into folds already" in tartarus(*words).err
    assert tartarus("split", "one", "--labels", labels, "-w", root).status == 0
    done = tartarus("split", "one", "--labels", labels, "--folds", 3, "--force", "-w", root)
    assert done.status == 2
    assert "there is a dataset one already" in done.err


def test_commands_that_prepare_data_take_the_common_name(
    tartarus: Command, root: Path, labels: Path, tmp_path: Path
) -> None:
    assert tartarus("split", "gt", "--labels", labels, "--folds", 3, "-w", root).status == 0
    numbers = write(tmp_path / "x.csv", [(song, n) for n, (song, *_) in enumerate(songs())], "id,x")
    done = tartarus("features", "gt", "place", "--from", numbers, "--scale", "-w", root, "--json")
    assert done.status == 0, done.err
    assert [each["dataset"] for each in done.document["folds"]] == [
        f"gt-fold{n}" for n in (1, 2, 3)
    ]
    for number, fold in enumerate(sets_of(root, 3), 1):
        record = root / f"data/datasets/train_data/place_gt-fold{number}.features.json"
        mean = json.loads(record.read_text())["scale"]["mean"][0]
        train = [n for n, (song, *_) in enumerate(songs()) if song in fold["train"]]
        assert mean == pytest.approx(np.mean(train))  # of nothing but its own train items
    shown = tartarus("factorize", "gt", "pmi", "--dim", 2, "-w", root)
    assert shown.status == 0, shown.err
    assert shown.out.count("Next:") == 1
    assert "--dataset gt --set targets.dim=2 --folds" in " ".join(shown.out.split())
    assert (
        "as many datasets, and one is needed here"
        in tartarus("train", "ridge", "place", "--dataset", "gt", "-w", root).err
    )


def test_a_list_of_documents_of_the_common_name_is_that_of_each_fold(
    tartarus: Command, root: Path, labels: Path
) -> None:
    assert tartarus("split", "gt", "--labels", labels, "--folds", 2, "-w", root).status == 0
    for song, genre, *_ in songs():
        (root / f"text/{song}.txt").write_text(f"{genre} {song}")
    lines = "".join(f"{song}\t{song}.txt\n" for song, *_ in songs())
    (root / "data/index").mkdir(exist_ok=True)
    (root / "data/index/index_text_gt.tsv").write_text(lines)
    done = tartarus("text", "gt", "vsm", "-w", root)
    assert done.status == 0, done.err
    for number, fold in enumerate(sets_of(root, 2), 1):
        path = root / f"data/datasets/train_data/vsm_gt-fold{number}.vocabulary.json"
        words = path.read_text()
        assert not [item for item in fold["test"] | fold["val"] if f'"{item}"' in words]
    assert tartarus("check-data", "-w", root).status == 0


def damage(root: Path, kind: str) -> None:
    folder = root / "data/datasets"
    if kind == "overlap":
        path = folder / "items_index_test_gt-fold1.tsv"
        path.write_text((folder / "items_index_test_gt-fold2.tsv").read_text())
    elif kind == "missing":
        for path in folder.glob("*_gt-fold2.*"):
            path.unlink()
    elif kind == "classes":
        (folder / "genre_labels_gt-fold2.tsv").write_text("disco\nblues\nmetal\n")
    else:
        document: Any = json.loads((folder / "folds_gt.json").read_text())
        document["folds"][0]["fold"] = 3
        (folder / "folds_gt.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("overlap", {"other test items than the fold was made of", "15 items that gt-fold1 tests"}),
        ("missing", {"missing", "items that are test items of no fold"}),
        ("classes", {"other classes than in another fold"}),
        ("numbers", {"folds with other numbers than 1, 2"}),
    ],
)
def test_check_data_finds_folds_that_do_not_fit_together(
    kind: str, found: set[str], tartarus: Command, root: Path, labels: Path
) -> None:
    words = ("split", "gt", "--labels", labels, "--by", "artist", "--folds", 3, "-w", root)
    assert tartarus(*words).status == 0
    whole = tartarus("check-data", "gt", "-w", root, "--json")
    assert whole.status == 0
    assert [*whole.document["datasets"]] == ["gt-fold1", "gt-fold2", "gt-fold3"]
    damage(root, kind)
    for name in ("gt", None):
        done = tartarus("check-data", *([name] if name else []), "-w", root, "--json")
        assert done.status == 1
        errors = [p["found"] for p in done.document["problems"] if p["severity"] == "error"]
        assert all(any(text in error for error in errors) for text in found), errors
