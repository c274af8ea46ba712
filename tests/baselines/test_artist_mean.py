"""The mean of an artist's train items, and the list of artists that it reads."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, load_npz, save_npz

from tartarus_cli.baselines import BASELINES, FittedBaseline, Items, TrainingExamples
from tests.conftest import Command
from tests.worlds import DIM, SPLITS, World

ARTISTS = {
    "train": [f"artist {n % 9}" for n in range(40)],
    "test": [f"artist {n}" for n in range(12)],
}


def listed(world: World, splits: tuple[str, ...] = ("train", "test")) -> Path:
    """Write the list of artists: of the test items, three artists have no train item."""
    path = world.datasets / "artists_index_rec.tsv"
    rows = [f"{s}-{n}\t{name}" for s in splits for n, name in enumerate(ARTISTS[s])]
    path.write_text("\n".join([*reversed(rows), ""]))
    return path


def examples(plays: csr_array | None) -> TrainingExamples:
    factors = np.array([[3.0, 4], [0, 2], [5, 0], [1, 1]])
    artists = ["a", "b", "a", ""]
    return TrainingExamples((), factors, normalize=True, plays=plays, artists=artists)


def predict(train: TrainingExamples) -> Any:
    baseline = BASELINES.get("artist_mean")
    result = baseline.fit(train, None)
    fitted = FittedBaseline(None, result.arrays, result.form, 2, 0, classes=False, train=train)
    return baseline.predict(fitted, Items(["1", "2", "3"], (), artists=["a", "c", ""]))


def test_factors_are_the_mean_of_the_artist_else_of_all() -> None:
    unit = np.array([[0.6, 0.8], [0, 1], [1, 0], [0.5**0.5, 0.5**0.5]])
    expected = [unit[[0, 2]].mean(axis=0), unit.mean(axis=0), unit.mean(axis=0)]
    assert predict(examples(None)) == pytest.approx(np.array(expected))


def test_plays_count_alike_for_each_item_of_the_artist_and_nobody_has_none() -> None:
    rows = predict(examples(csr_array(np.eye(4))))
    assert rows.toarray().tolist() == [[0.5, 0, 0.5, 0], [0] * 4, [0] * 4]


def test_users_get_the_items_of_the_artists_that_they_play(tartarus: Command, world: World) -> None:
    listed(world)
    metrics = tartarus("run", "artist_mean", "--dataset", "rec", "-w", world.root, "--json")
    assert metrics.status == 0, metrics.err
    plays, truth = (
        load_npz(world.datasets / f"matrix_{split}_rec.npz").toarray() > 0
        for split in ("train", "test")
    )
    of = np.array(ARTISTS["train"])[:, None] == np.array(ARTISTS["test"])
    scores = plays.T @ (of / np.maximum(of.sum(axis=0), 1))
    saved = load_npz(world.root / "data/factors/neighbours_model_1.npz").toarray()
    assert pytest.approx(scores) == plays.T @ saved.T
    assert metrics.document["metrics"]["MAP@500"] > 0
    assert truth.any()


def test_without_plays_the_mean_of_the_factors_is_predicted(
    tartarus: Command, world: World
) -> None:
    listed(world)
    (world.datasets / "matrix_train_rec.npz").unlink()
    words = ("--dataset", "rec", "--set", "targets.normalize=false", "-w", world.root)
    done = tartarus("run", "artist_mean", *words)
    assert done.status == 0, done.err
    factors = np.load(world.datasets / f"item_factors_als_{DIM}_rec.npy")
    rows = np.load(world.root / "data/factors/factors_model_1.npy")
    for row, name in zip(rows, ARTISTS["test"], strict=True):
        mine = np.array(ARTISTS["train"]) == name
        expected = factors[mine if mine.any() else slice(None)].mean(axis=0)
        assert row == pytest.approx(expected, abs=1e-5)
    np.savez(world.root / "data/models/model_1/model.npz")
    done = tartarus("predict", "-w", world.root)
    assert (done.status, "Train artist_mean again" in done.err) == (1, True)


def test_it_says_what_to_do_where_no_artists_are_known(tartarus: Command, world: World) -> None:
    done = tartarus("train", "artist_mean", "--dataset", "rec", "-w", world.root)
    assert done.status == 2
    assert "artist_mean needs the artists of the items, and there is no" in done.err
    assert "artists_index_rec.tsv" in done.err
    assert "--artist COLUMN" in done.err
    done = tartarus("train", "knn", "--dataset", "rec", "-w", world.root)
    assert "artist_mean" not in done.err


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("train-0", "line 1 without a tab"),
        ("\tBach", "line 1 without an id"),
        ("train-0\t ", "line 1 without an artist"),
        ("train-0\tBach\tLiszt", "line 1 with more than one tab"),
        ("", "line 1 without anything"),
        ("test-1\tBach", "with the item 'test-1' again"),
    ],
)
def test_a_damaged_list_is_read_by_nobody(
    line: str, found: str, tartarus: Command, world: World
) -> None:
    path = listed(world)
    path.write_text(f"{line}\n{path.read_text()}")
    done = tartarus("train", "artist_mean", "--dataset", "rec", "-w", world.root)
    assert (done.status, found in done.err) == (1, True), done.err
    checked = tartarus("check-data", "rec", "-w", world.root, "--json").document
    told = [p for p in checked["problems"] if p["file"].endswith("artists_index_rec.tsv")]
    assert [problem["severity"] for problem in told] == ["error"]


def test_check_data_says_which_items_have_no_artist_and_which_are_unknown(
    tartarus: Command, world: World
) -> None:
    def told() -> list[str]:
        checked = tartarus("check-data", "rec", "-w", world.root, "--json").document
        files = [p for p in checked["problems"] if p["file"].endswith("artists_index_rec.tsv")]
        return [f"{problem['severity']}: {problem['found']}" for problem in files]

    path = listed(world)
    assert told() == []
    path = listed(world, ("test",))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"x\ty\r\n")
    unlisted = "40 of 52 items have no artist ('train-0', 'train-1', 'train-2', …)"
    assert told() == ["warning: 1 id of no set ('x')", f"warning: {unlisted}"]
    path.write_text("x\ty\nz\ty\n")
    assert told() == ["error: none of its 2 ids is in a set ('x', 'z')"]
    path.write_text("")
    assert told() == ["error: an empty list"]


def test_items_without_an_artist_and_other_unicode_forms_are_no_obstacle(
    tartarus: Command, world: World
) -> None:
    ids = world.datasets / "items_index_test_rec.tsv"
    ids.write_text(ids.read_text().replace("test-0\n", "caf\u00e9\n"), "utf-8")
    path = listed(world)
    text = path.read_text().replace("test-0\t", "cafe\u0301\t").replace("test-1\tartist 1\n", "")
    path.write_text(text, "utf-8")
    done = tartarus("run", "artist_mean", "--dataset", "rec", "-w", world.root)
    assert done.status == 0, done.err
    assert "another Unicode form" in done.err
    rows = load_npz(world.root / "data/factors/neighbours_model_1.npz").toarray()
    assert rows.sum(axis=1) == pytest.approx([1, 0, *[1] * 7, 0, 0, 0])


def test_artists_that_have_changed_are_noticed(tartarus: Command, world: World) -> None:
    path = listed(world)
    assert tartarus("train", "artist_mean", "--dataset", "rec", "-w", world.root).status == 0
    path.write_text(path.read_text().replace("artist 1", "artist 2"))
    done = tartarus("predict", "-w", world.root)
    assert (done.status, "artists_index_rec.tsv is not what it was" in done.err) == (1, True)


def test_the_artist_mean_learns_nothing_of_the_plays_of_test_items(
    tartarus: Command, world: World
) -> None:
    listed(world)
    words = ("run", "artist_mean", "--dataset", "rec", "-w", world.root)
    assert tartarus(*words).status == 0
    path = world.datasets / "matrix_test_rec.npz"
    save_npz(path, csr_array(np.roll(load_npz(path).toarray(), 1, axis=0)))
    assert tartarus(*words).status == 0
    first, second = (
        load_npz(world.root / f"data/factors/neighbours_model_{n}.npz").toarray() for n in (1, 2)
    )
    assert first.tolist() == second.tolist()


def plays(path: Path, artists: dict[str, str]) -> Path:
    rng = np.random.default_rng(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "song", "artist"])
        for user in range(20):
            for song in sorted(rng.choice([*artists], 6, replace=False).tolist()):
                writer.writerow([f"u{user}", song, artists[song]])
    return path


OF_SONG = {f"song {n}": f"N{n % 10}A, \u00e9" for n in range(20)}


@pytest.mark.parametrize("column", [["--artist", "artist"], ["--by", "artist"], []])
def test_split_writes_the_artists_that_it_reads(
    column: list[str], tartarus: Command, world: World, tmp_path: Path
) -> None:
    table = plays(tmp_path / "plays.csv", OF_SONG)
    done = tartarus("split", "mine", "--plays", table, *column, "-w", world.root, "--json")
    assert done.status == 0, done.err
    path = world.datasets / "artists_index_mine.tsv"
    assert path.exists() == bool(column)
    assert any(name.endswith(path.name) for name in done.document["files"]) == bool(column)
    if column:
        ids = [
            item
            for split in SPLITS
            for item in (world.datasets / f"items_index_{split}_mine.tsv")
            .read_text()
            .split("\n")[:-1]
        ]
        assert path.read_text("utf-8") == "".join(f"{item}\t{OF_SONG[item]}\n" for item in ids)
    checked = tartarus("check-data", "mine", "-w", world.root, "--json").document
    assert not any("artists" in problem["file"] for problem in checked["problems"])


def test_artists_of_another_split_are_set_aside(
    tartarus: Command, world: World, tmp_path: Path
) -> None:
    table = plays(tmp_path / "plays.csv", OF_SONG)
    words = ("split", "mine", "--plays", table, "-w", world.root, "--json")
    assert tartarus(*words, "--artist", "artist").status == 0
    path = world.datasets / "artists_index_mine.tsv"
    before = path.read_text("utf-8")
    again = tartarus(*words, "--seed", "7", "--force")
    assert again.status == 0, again.err
    assert not path.exists()
    backup = next((world.datasets / "set_aside").glob("*/artists_index_mine.tsv"))
    assert backup.read_text("utf-8") == before
    assert tartarus(*words, "--seed", "7", "--artist", "artist", "--force").status == 0
    assert sorted(path.read_text("utf-8").split("\n")) == sorted(before.split("\n"))


def test_the_artist_mean_stands_beside_a_model_only_where_it_can_say_something(
    tartarus: Command, world: World
) -> None:
    words = ("run", "ridge", "text", "--dataset", "rec", "--baselines", "-w", world.root, "--json")

    def rows() -> tuple[list[str], str]:
        done = tartarus(*words)
        assert done.status == 0, done.err
        return list(done.document["rows"]), done.err

    assert rows()[0] == ["random", "knn", "oracle"]
    path = listed(world)
    assert rows()[0] == ["random", "artist_mean", "knn", "oracle"]
    path.write_text(path.read_text().replace("test-", "xest-"))
    names, said = rows()
    assert (names, "no artist of a test item has a train item" in said) == (
        ["random", "knn", "oracle"],
        True,
    )
