"""From recordings and texts to a multimodal experiment, as the example does it."""

import json
from functools import partial
from os import fsdecode
from pathlib import Path
from shutil import copyfile, copytree
from typing import Any

import h5py
import numpy as np
import pytest
import soundfile

from tartarus_cli.models.predictors import open_predictor
from tests.conftest import Command
from tests.processes import run_script_here
from tests.sharing import made_once

SCRIPT = Path(__file__).parent.parent / "examples" / "audio_text_and_both.sh"


@pytest.fixture(scope="module")
def made_way(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gensim")
    return made_once(tmp_path_factory, "way", partial(run_script_here, SCRIPT))


@pytest.fixture
def way(made_way: Path, tmp_path: Path) -> Path:
    """Return a copy of the workspace that the example script leaves."""
    return Path(copytree(made_way, tmp_path / "workspace"))


def results(root: Path, model: str) -> Any:
    return json.loads((root / "data" / "results" / f"{model}.json").read_text())


def test_sound_words_and_both_tell_the_styles_apart(made_way: Path) -> None:
    models = [results(made_way, f"model_{number}") for number in (1, 2, 3, 4)]
    assert [each["experiment"] for each in models] == [
        *("dummy_audio", "dummy_text_vsm", "dummy_text_w2v", "dummy_multimodal")
    ]
    assert models[3]["settings"] == ["model_1-pred_flatten", "model_2-pred_dense_2"]
    scores = [each["metrics"]["ROC-AUC"] for each in models]
    assert min(scores) > 0.6  # half by chance
    assert models[3]["metrics"]["accuracy"] > 0.6  # a third by chance
    for number in (1, 2, 3, 4):
        assert (
            made_way / "data" / "results" / f"model_{number}_confusion.png"
        ).stat().st_size > 1000


def test_nothing_is_wrong_with_what_was_made(tartarus: Command, made_way: Path) -> None:
    checked = tartarus("check-data", "SUPER", "-w", made_way, "--json").document
    assert checked["ok"], checked["problems"]
    ready = checked["datasets"]["SUPER"]["ready"]
    assert {name: ready[name] for name in ready if name.startswith("dummy")} == {
        "dummy_audio": 0,
        "dummy_multimodal": 2,
        "dummy_text_vsm": 1,
        "dummy_text_w2v": 1,
    }


def test_a_new_recording_is_prepared_as_in_training(tartarus: Command, way: Path) -> None:
    told = tartarus(
        *("predict", "model_1", "--audio", way / "audio", "-w", way, "--json", "--jobs", 1)
    ).document
    scores = {each["file"]: list(each["scores"].values()) for each in told["items"]}
    tartarus("predict", "model_1", "--split", "train", "-w", way)
    factors = way / "data" / "factors"
    ids = (factors / "index_factors_model_1_train.tsv").read_text().split()
    for item, row in zip(ids, np.load(factors / "factors_model_1_train.npy"), strict=True):
        assert scores[f"{item}.flac"] == pytest.approx(row, abs=1e-5)
    names = (factors / "index_factors_model_1_new.tsv").read_text().split()
    assert names == sorted(path.name for path in (way / "audio").iterdir())


@pytest.mark.parametrize("model", ["model_2", "model_3"])
def test_a_new_text_is_prepared_as_in_training(model: str, tartarus: Command, way: Path) -> None:
    (way / "data" / "index" / "index_text_SUPER.tsv").unlink()  # the model needs none of these
    for path in (way / "data" / "datasets" / "train_data").glob("*.vocabulary.json"):
        path.unlink()
    told = tartarus("predict", model, "--text", way / "text", "-w", way, "--json").document
    assert list(told["items"][0]["scores"]) == ["Slowglow", "Thumpline", "Glasspick"]
    scores = {each["file"]: list(each["scores"].values()) for each in told["items"]}
    factors = way / "data" / "factors"
    ids = (factors / f"index_factors_{model}.tsv").read_text().split()
    for item, row in zip(ids, np.load(factors / f"factors_{model}.npy"), strict=True):
        assert scores[f"{item}.txt"] == pytest.approx(row, abs=1e-5)


def test_new_files_that_cannot_be_read_are_told_and_left_out(
    tartarus: Command, way: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    (folder / "below").mkdir(parents=True)
    soundfile.write(folder / "below" / "short.wav", np.zeros(100), 8000)
    (folder / "broken.mp3").write_bytes(b"nothing")
    (folder / "readme.txt").write_bytes("Glück".encode("latin-1"))
    heard = tartarus("predict", "model_1", "--audio", folder, "-w", way)
    assert heard.status == 0
    assert "below/short.wav" in heard.out
    assert "broken.mp3 is left out: not a recording" in heard.out
    read = tartarus("predict", "model_2", "--text", folder, "-w", way)
    assert read.status == 1
    assert "readme.txt: bytes that are not UTF-8 in line 1" in read.err


def test_a_layer_of_new_files_can_be_read_out(tartarus: Command, way: Path) -> None:
    words = ("predict", "model_2", "--text", way / "text" / "S02.txt", "--layer", "dense_2")
    told = tartarus(*words, "-w", way, "--json").document
    rows = np.load(
        way / "data" / "datasets" / "train_data" / "X_train_model_2-pred_dense_2_SUPER.npy"
    )
    ids = (way / "data" / "datasets" / "items_index_train_SUPER.tsv").read_text().split()
    assert told["items"][0]["values"] == pytest.approx(rows[ids.index("S02")], abs=1e-5)


REFUSED = {
    "a text model is given a recording": (("model_2", "--audio", "audio"), "recordings alone"),
    "an audio model is given a text": (("model_1", "--text", "text"), "documents alone"),
    "a multimodal model is given a text": (("model_4", "--text", "text"), "documents alone"),
    "the file does not exist": (("model_1", "--audio", "nowhere"), "no file or folder"),
    "the folder holds no recording": (("model_1", "--audio", "text"), "holds no file"),
    "both are named": (("model_1", "--audio", "audio", "--text", "text"), "reads no documents"),
    "jobs are named for texts": (("model_2", "--text", "text", "--jobs", "2"), "--audio"),
    "a pool is named for texts": (("model_2", "--text", "text", "--pool", "max"), "one row"),
    "a pool is named for features": (("model_2", "--pool", "max"), "reads no patches"),
    "a set is named too": (("model_1", "--audio", "audio", "--split", "val"), "exclude each other"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_new_files_are_refused_where(
    why: str, tartarus: Command, made_way: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, said = REFUSED[why]
    monkeypatch.chdir(made_way)
    refused = tartarus("predict", *words)
    assert (refused.status, said in refused.err) == (2, True)


def test_sequences_and_vectors_are_not_taken_for_each_other(
    tartarus: Command, made_way: Path
) -> None:
    refused = tartarus("run", "dummy_text_vsm", "w2v", "-w", made_way)
    assert (refused.status, "holds sequences of words" in refused.err) == (2, True)
    refused = tartarus("run", "dummy_text_w2v", "bow", "-w", made_way)
    said = "reads sequences of words, and bow holds none"
    assert (refused.status, said in refused.err) == (2, True)


def test_numbers_of_words_that_do_not_exist_are_an_error(tartarus: Command, way: Path) -> None:
    path = way / "data" / "datasets" / "train_data" / "X_test_w2v_SUPER.npy"
    rows = np.load(path)
    rows[0, 0] = 100_000
    np.save(path, rows)
    refused = tartarus("predict", "model_3", "-w", way)
    assert (refused.status, "X_test_w2v_SUPER.npy" in refused.err) == (1, True)
    assert "numbers of words" in refused.err


def test_a_scaler_that_the_patches_were_not_made_with_is_an_error(
    tartarus: Command, way: Path
) -> None:
    path = way / "data" / "patches" / "scaler_SUPER_1_15.npz"
    with np.load(path) as kept:
        mean, scale = kept["mean"], kept["scale"]
    np.savez(path, mean=mean + 30, scale=scale)
    for words in (("check-data", "SUPER"), ("train", "dummy_audio")):
        refused = tartarus(*words, "-w", way)
        assert refused.status == 1
        assert "another scaler than that of the patches" in (refused.out + refused.err)
    assert not (way / "data" / "models" / "model_5").exists()


def test_patches_that_do_not_tell_their_scaler_are_trained_on(tartarus: Command, way: Path) -> None:
    for path in (way / "data" / "patches").glob("*.hdf5"):
        with h5py.File(path, "a") as store:
            del store.attrs["fingerprint"]
    assert tartarus("train", "dummy_audio", "--set", "training.epochs=1", "-w", way).status == 0
    refused = tartarus("predict", "model_1", "-w", way)  # which learnt from those that did
    assert (refused.status, "differs from the patches" in refused.err) == (1, True)


def test_a_kept_scaler_of_another_length_is_an_error(tartarus: Command, way: Path) -> None:
    path = way / "data" / "models" / "model_1" / "scaler.npz"
    np.savez(path, mean=np.zeros(5), scale=np.ones(5))
    refused = tartarus("predict", "model_1", "--audio", way / "audio" / "S01.flac", "-w", way)
    assert (refused.status, "scaler.npz: damaged (5 positions)" in refused.err) == (1, True)


def test_a_setting_made_with_another_vocabulary_than_the_models_is_refused(
    tartarus: Command, way: Path
) -> None:
    tartarus("text", "SUPER", "vsm", "--setting", "b2", "--set", "terms=20", "-w", way)
    tartarus("train", "dummy_text_vsm", "b2", "-w", way)
    again = ("--set", "terms=20", "--set", "max_df=1", "--set", "words=5")
    tartarus("text", "SUPER", "vsm", "--setting", "b2", *again, "-w", way)
    refused = tartarus("predict", "model_5", "-w", way)
    assert refused.status == 1
    assert "another vocabulary than model_5 was trained with" in refused.err


def test_files_of_one_stem_and_content_are_each_predicted(tartarus: Command, way: Path) -> None:
    folder = way / "new"
    folder.mkdir()
    for ending in ("flac", "wav", "ogg", "aif"):
        copyfile(way / "audio" / "S01.flac", folder / f"a.{ending}")
    told = tartarus("predict", "model_1", "--audio", folder, "-w", way, "--json").document
    assert [each["file"] for each in told["items"]] == ["a.aif", "a.flac", "a.ogg", "a.wav"]
    assert told["failed"] == {}
    assert len({tuple(each["scores"].values()) for each in told["items"]}) == 1


def test_names_that_cannot_be_listed_are_refused_and_nothing_is_written(
    tartarus: Command, way: Path
) -> None:
    folder = way / "new"
    folder.mkdir()
    Path(fsdecode(bytes(folder) + b"/x\xff.txt")).write_text("la")
    before = sorted((way / "data" / "factors").iterdir())
    refused = tartarus("predict", "model_2", "--text", folder, "-w", way)
    assert (refused.status, "Rename the file" in refused.err) == (2, True)
    (folder / "t\tab.txt").write_text("la")
    refused = tartarus("predict", "model_2", "--text", folder / "t\tab.txt", "-w", way)
    assert (refused.status, "Rename the file" in refused.err) == (2, True)
    assert sorted((way / "data" / "factors").iterdir()) == before


def test_silent_recordings_and_texts_without_a_known_word_are_told_of(
    tartarus: Command, way: Path
) -> None:
    soundfile.write(way / "silent.wav", np.zeros(8000 * 16), 8000)
    (way / "empty.txt").write_text(" \n")
    heard = tartarus("predict", "model_1", "--audio", way / "silent.wav", "-w", way)
    assert "silent.wav: it is silent where its patches lie" in heard.out
    read = tartarus("predict", "model_3", "--text", way / "empty.txt", "-w", way)
    assert "empty.txt: none of its words is in the vocabulary" in read.out


def test_a_layer_of_new_files_does_not_replace_their_scores(tartarus: Command, way: Path) -> None:
    words = ("predict", "model_2", "--text", way / "text" / "S02.txt", "-w", way)
    tartarus(*words)
    tartarus(*words, "--layer", "dense_2")
    factors = way / "data" / "factors"
    assert np.load(factors / "factors_model_2_new.npy").shape == (1, 3)
    assert np.load(factors / "dense_2_model_2_new.npy").shape == (1, 128)
    tartarus("models", "delete", "model_2", "--yes", "-w", way)
    assert not [path for path in factors.iterdir() if "model_2" in path.name]


def test_many_patches_of_a_recording_go_through_the_network_a_few_at_a_time(
    tartarus: Command, way: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = way / "data" / "models" / "model_1" / "patches.json"
    path.write_text(path.read_text().replace('"per_item": 1', '"per_item": 70'))
    sizes = []

    def counting(*which: Any) -> Any:
        predictor = open_predictor(*which)

        def predict(inputs: Any, *more: Any) -> Any:
            sizes.append(len(inputs[0]))
            return predictor(inputs, *more)

        return predict

    monkeypatch.setattr("tartarus_cli.prediction.new_files.open_predictor", counting)
    tartarus("predict", "model_1", "--audio", way / "audio" / "S01.flac", "-w", way)
    assert sizes == [32, 32, 6]


def test_a_picture_shows_the_patches_that_have_been_made(tartarus: Command, way: Path) -> None:
    for path in (way / "data" / "patches").iterdir():
        path.unlink()
    made = ("--transform", "mel", "--patches", 3, "--seconds", 2, "--seed", 9)
    assert tartarus("patches", "SUPER", *made, "-w", way).status == 0
    for name, more in (("made", ()), ("asked", ("--patches", 2))):
        words = ("patches", "SUPER", "--show", "S01", "--to", way / f"{name}.svg", *more)
        assert tartarus(*words, "-w", way).status == 0
    assert "3 patches of 2 s, mel, seed 9" in (way / "made.svg").read_text()
    assert "2 patches of 15 s, cqt, seed 0" in (way / "asked.svg").read_text()
    renewed = ("--transform", "mel", "--set", "n_fft=1024", "-w", way)
    tartarus("patches", "SUPER", *renewed)
    refused = tartarus("predict", "model_1", "-w", way)
    usual = "tartarus patches SUPER --transform cqt --patches 1 --seconds 15 --seed 0"
    assert (refused.status, usual in refused.err.replace("\n", " ")) == (1, True)
    refused = tartarus("patches", "SUPER", "--show", "S01", "--to", way, "-w", way)
    assert (refused.status, "is a folder" in refused.err) == (2, True)
