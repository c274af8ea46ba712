"""Making a workspace and the example world."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import load_npz

from tartarus_cli.layout import FOLDERS
from tests.conftest import Command


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_init_makes_the_layout_and_check_data_has_nothing_to_say(
    tartarus: Command, tmp_path: Path
) -> None:
    root = tmp_path / "new"
    assert tartarus("init", root).status == 0
    assert (root / "tartarus.toml").is_file()
    for folder in ("experiments", "audio", "text", *(f"data/{name}" for name in FOLDERS)):
        assert (root / folder).is_dir()
    checked = tartarus("check-data", "-w", root)
    assert (checked.status, "no datasets" in checked.out) == (0, True)


def test_repeating_init_changes_nothing(tartarus: Command, tmp_path: Path) -> None:
    root = tmp_path / "new"
    tartarus("init", root)
    (root / "tartarus.toml").write_text("seed = 7\n")
    (root / "data" / "datasets" / "items_index_train_mine.tsv").write_text("a\n")
    before = contents(root)
    again = tartarus("init", root)
    assert (again.status, "There already" in again.out) == (0, True)
    assert contents(root) == before


def test_init_refuses_a_folder_that_holds_something_else(tartarus: Command, tmp_path: Path) -> None:
    root = tmp_path / "thesis"
    root.mkdir()
    (root / "chapter_1.tex").write_text("…")
    refused = tartarus("init", root, "--example")
    assert refused.status == 2
    assert "holds something else (chapter_1.tex)" in refused.err
    assert list(contents(root)) == ["chapter_1.tex"]


@pytest.mark.parametrize("name", ["datasets", "splits"])
def test_init_refuses_a_data_folder(name: str, tartarus: Command, tmp_path: Path) -> None:
    (tmp_path / "published" / name).mkdir(parents=True)
    refused = tartarus("init", tmp_path / "published")
    assert (refused.status, "--workspace" in refused.err) == (2, True)


def test_init_refuses_a_file(tartarus: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("…")
    assert tartarus("init", tmp_path / "a.txt").status == 2


def test_an_example_never_touches_data_of_the_same_name(tartarus: Command, tmp_path: Path) -> None:
    datasets = tmp_path / "mine" / "data" / "datasets"
    datasets.mkdir(parents=True)
    (datasets / "items_index_train_MSD-I.tsv").write_text("track\n")
    refused = tartarus("init", tmp_path / "mine", "--example")
    assert refused.status == 2
    assert "MSD-I" in refused.err
    assert len(contents(tmp_path / "mine")) == 1


def test_a_list_of_recordings_is_data_of_the_same_name(tartarus: Command, tmp_path: Path) -> None:
    index = tmp_path / "mine" / "data" / "index"
    index.mkdir(parents=True)
    (index / "index_audio_SUPER.tsv").write_text("S1\tsong.mp3\n")
    (tmp_path / "mine" / "tartarus.toml").touch()
    refused = tartarus("init", tmp_path / "mine", "--example")
    assert (refused.status, "SUPER" in refused.err) == (2, True)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    example: Path, tartarus: Command, tmp_path: Path
) -> None:
    tartarus("init", tmp_path / "again", "--example")
    tartarus("init", tmp_path / "other", "--example", "--seed", 1)
    first, again = contents(example), contents(tmp_path / "again")
    other = contents(tmp_path / "other")
    assert first == again
    assert first.keys() == other.keys()
    same = {name for name in first if first[name] == other[name]}
    drawn = (".npy", ".npz", ".flac", ".txt")
    assert not [name for name in same if name.endswith(drawn)]


def test_repeating_an_example_mends_what_is_missing_and_keeps_the_rest_and_its_seed(
    example: Path, tartarus: Command
) -> None:
    for name in ("audio/S01.flac", "text/S02.txt", "data/datasets/genre_labels_SUPER.tsv"):
        (example / name).write_bytes(b"my own")
    before = contents(example)
    (example / "data" / "datasets" / "matrix_test_MSD-A-songs.npz").unlink()
    (example / "audio" / "S05.flac").unlink()
    again = tartarus("init", example, "--example", "--seed", 5)
    assert again.status == 0
    assert "example world of seed 0" in again.err
    assert contents(example) == before


def test_the_example_has_no_errors_and_says_that_it_is_synthetic(
    example: Path, tartarus: Command
) -> None:
    checked = tartarus("check-data", "-w", example, "--json")
    assert checked.status == 0
    ready = {name: summary["ready"] for name, summary in checked.document["datasets"].items()}
    usual = {"cold_audio": 1, "cold_multi": 2, "rec_multi": 2}
    assert usual.items() <= ready["MSD-A-songs"].items()
    assert {"rec_sparse", "rec_dense"} <= ready["MSD-A-artists"].keys()
    assert {"logistic_multilabel_tri", "cosine_text_multilabel"} <= ready["MuMu-albums"].keys()
    assert {"single-label-vector", "single-label-all"} <= ready["MSD-I"].keys()
    settings = (example / "tartarus.toml").read_text()
    assert "SUPER are synthetic" in settings
    assert "recordings and lyrics" in settings


def test_test_items_are_cold_and_artists_are_in_one_set(example: Path) -> None:
    datasets = example / "data" / "datasets"
    train, test = (
        set((datasets / f"items_index_{split}_MSD-A-songs.tsv").read_text().split())
        for split in ("train", "test")
    )
    assert not train & test
    plays = load_npz(datasets / "matrix_train_MSD-A-songs.npz")
    assert plays.shape[0] == len(train)
    assert np.load(datasets / "item_factors_als_200_MSD-A-songs.npy").shape == (len(train), 200)


def test_popularity_has_a_long_tail(example: Path) -> None:
    plays = load_npz(example / "data" / "datasets" / "matrix_train_MSD-A-songs.npz")
    listeners = np.sort(np.diff(plays.tocsr().indptr))[::-1]
    tenth = len(listeners) // 10
    assert listeners[:tenth].sum() > 3 * tenth * np.median(listeners)
