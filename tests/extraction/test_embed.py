"""Vectors of recordings and documents as a setting: aligned, resumed, shared, refused."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tartarus_cli.audio.decoding import read_recording
from tartarus_cli.cli.app import app
from tartarus_cli.encoders import ENCODERS, pool_windows
from tartarus_cli.errors import RequestError
from tartarus_cli.extraction.embed_request import EmbedRequest
from tartarus_cli.extraction.recording_shares import prepare_share
from tartarus_cli.extraction.vector_job import VectorJob
from tartarus_cli.options import parse_options
from tests.conftest import Command
from tests.foreign import Foreign
from tests.kills import killed_after
from tests.processes import BIN, started, waited
from tests.sounds import Sounds

SMALL = (  # parameters that make a command quick
    *("--set", "sample_rate=8000"),
    *("--set", "n_fft=256"),
    *("--set", "hop_length=128"),
    *("--set", "bins=8"),
)

ENCODERS_OF_ONES_OWN = """
import numpy as np

from tartarus_cli.encoders import LoadedEncoder, encoder
from tartarus_cli.errors import TartarusError


@encoder("letters", kind="text", summary="counts", width=lambda _options, _layer: 2)
def letters(_options, _weights, _layer):
    return LoadedEncoder(2, lambda texts: np.array([[len(t), t.count("a")] for t in texts], "f4"))


@encoder("lacking", kind="text", summary="lacks", width=lambda _options, _layer: 2)
def lacking(_options, _weights, _layer):
    raise TartarusError("lacking needs a library", hint="Install it: pip install lacking.")


@encoder("broken", kind="text", summary="errs", width=lambda _options, _layer: 2)
def broken(_options, _weights, _layer):
    def encode(texts):
        return np.full((1, 2), np.nan if "nan" in texts[0] else 1.0, "f4")[:, : len(texts[0])]
    return LoadedEncoder(2, encode)
"""


def run(sounds: Sounds, *more: object, encoder: str = "mel-stats", status: int = 0) -> Any:
    """Run the real command in this process; return what it said as JSON, or its error."""
    words = ["embed", "songs", encoder, "-w", sounds.root, "--jobs", "1", "--json", *more]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout) if status == 0 else result.stderr


def files(sounds: Sounds) -> dict[str, bytes]:
    """Return the files of all settings, hidden ones too, but for locks."""
    folder = sounds.root / "data" / "datasets" / "train_data"
    made = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.name: path.read_bytes() for path in made}


def matrix(sounds: Sounds, split: str, setting: str = "mel-stats") -> np.ndarray:
    folder = sounds.root / "data" / "datasets" / "train_data"
    rows: np.ndarray = np.load(folder / f"X_{split}_{setting}_songs.npy")
    return rows


def kept(sounds: Sounds) -> dict[Path, int]:
    """Return the vectors of all files, with the time when they were written."""
    paths = (sounds.root / "data" / "vectors").rglob("*.npy")
    return {path: path.stat().st_mtime_ns for path in paths}


def write_documents(sounds: Sounds, texts: dict[str, str]) -> Path:
    folder = sounds.root / "text"
    folder.mkdir()
    for item, text in texts.items():
        (folder / f"{item}.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def code(tmp_path: Path, foreign: Foreign) -> Path:
    """Return a file of code with encoders."""
    path: Path = tmp_path / f"own_encoders_{foreign.__class__.__name__}.py"
    path.write_text(ENCODERS_OF_ONES_OWN, encoding="utf-8")
    return path


def test_each_row_is_what_the_encoder_makes_of_the_recording_of_its_item(
    tmp_path: Path, tartarus: Command
) -> None:
    sounds = Sounds(tmp_path)
    said = run(sounds, *SMALL, "--window", "0.3", "--hop", "0.1", "--pool", "mean+std")
    assert (said["width"], said["splits"]) == (64, {"train": 4, "val": 2, "test": 2})
    variant = ENCODERS.get("mel-stats")
    options = parse_options(variant.options, SMALL[1::2], "mel-stats")
    loaded = variant.load(options, None, "")
    for split, ids in sounds.ids.items():
        rows = matrix(sounds, split)
        assert rows.dtype == np.float32
        for row, item in zip(rows, ids, strict=True):
            samples = read_recording(sounds.audio / f"{item}.wav", 8000).samples
            windows = loaded.encode(samples, 0.3, 0.1)
            assert len(windows) > 1
            assert row == pytest.approx(pool_windows(windows, "mean+std"), rel=1e-4, abs=1e-3)
    checked = tartarus("check-data", "songs", "-w", sounds.root, "--json").document
    assert checked["datasets"]["songs"]["settings"]
    assert not [problem for problem in checked["problems"] if "features.json" in problem["file"]]


def test_what_was_encoded_is_not_encoded_again_for_another_pooling_or_dataset(
    tmp_path: Path,
) -> None:
    sounds = Sounds(tmp_path)
    run(sounds, *SMALL)
    before, first = kept(sounds), files(sounds)
    assert len(before) == 8
    run(sounds, *SMALL)
    assert files(sounds) == first
    run(sounds, *SMALL, "--pool", "max", "--setting", "loudest")
    for path in (tmp_path / "data" / "datasets").glob("items_index_*"):
        path.with_name(path.name.replace("songs", "others")).write_bytes(path.read_bytes())
    sounds.list.with_name("index_audio_others.tsv").write_bytes(sounds.list.read_bytes())
    words = ["embed", "others", "mel-stats", "-w", str(tmp_path), "--jobs", "1", *SMALL]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert kept(sounds) == before
    run(sounds, *SMALL, "--window", "0.2", "--setting", "windows")
    assert len(kept(sounds)) == 16


def test_a_changed_recording_and_damaged_vectors_are_encoded_again(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    run(sounds, *SMALL)
    right = files(sounds)
    for path, damage in zip(kept(sounds), (b"", b"\x93NUMPY", b"no array"), strict=False):
        path.write_bytes(damage)
    run(sounds, *SMALL)
    assert files(sounds) == right
    (sounds.audio / "test-0.wav").write_bytes((sounds.audio / "train-0.wav").read_bytes())
    run(sounds, *SMALL)
    assert (matrix(sounds, "test")[0] == matrix(sounds, "train")[0]).all()


def test_items_without_a_usable_recording_lack_the_setting_or_get_zeros(
    tmp_path: Path, tartarus: Command
) -> None:
    sounds = Sounds(tmp_path)
    (sounds.audio / "val-1.wav").write_text("no sound")
    sounds.write_list({item: f"{item}.wav" for item in sounds.items() if item != "train-2"})
    said = run(sounds, *SMALL)
    assert said["absent"] == {"train": 1, "val": 1}
    assert said["failed"] == {
        "train-2": "it is not in the list",
        "val-1": "not a recording, damaged, or in an unknown format",
    }
    masks = {
        name: np.load(tmp_path / "data/datasets/train_data" / name)
        for name in files(sounds)
        if name.startswith("mask")
    }
    assert masks["mask_train_mel-stats_songs.npy"].tolist() == [True, True, False, True]
    assert masks["mask_val_mel-stats_songs.npy"].tolist() == [True, False]
    assert not matrix(sounds, "train")[2].any()
    errors = (sounds.patches / "errors_songs.tsv").read_text()
    assert errors.splitlines()[0] == "train-2\t\tit is not in the list"
    problems = tartarus("check-data", "songs", "-w", sounds.root, "--json").document["problems"]
    assert not [problem for problem in problems if problem["severity"] == "error"]
    said = run(sounds, *SMALL, "--missing", "zero")
    assert (said["absent"], said["zeros"]) == ({}, {"train": 1, "val": 1})
    assert not [name for name in files(sounds) if name.startswith("mask")]
    for item in sounds.ids["train"]:
        (sounds.audio / f"{item}.wav").unlink()
    assert "no train recording of songs can be used" in run(sounds, *SMALL, status=1)


def test_silent_recordings_and_those_shorter_than_a_window_are_reported(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    sounds.record("val-0.wav", np.zeros(16_000, np.float32))
    for _ in range(2):  # also of what was encoded before
        said = run(sounds, *SMALL, "--window", "0.6")
        assert said["silent"] == ["val-0"]
        assert said["short"] == {"train-0": 0.5}


def test_shards_joined_are_the_files_of_one_machine_byte_for_byte(tmp_path: Path) -> None:
    alone, divided = Sounds(tmp_path / "alone"), Sounds(tmp_path / "divided")
    (alone.audio / "val-1.wav").write_text("no sound")
    (divided.audio / "val-1.wav").write_text("no sound")
    run(alone, *SMALL)
    first = run(divided, *SMALL, "--shard", "2/2")
    assert (first["recordings"], first["done"], first["left"]) == (4, [2], [1])
    assert list(first["failed"]) == ["val-1"]
    assert not [name for name in files(divided) if name.startswith("X_")]
    run(divided, *SMALL, "--shard", "1/2")
    before = kept(divided)
    run(divided, *SMALL)
    assert kept(divided) == before
    assert files(divided) == files(alone)


def test_shares_of_a_cluster_make_the_same_vectors(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    request = EmbedRequest(dataset="songs", encoder="mel-stats", overrides=("bins=8",))
    job = VectorJob(request.recipe, None, tmp_path / "vectors")
    job.folder.mkdir(parents=True)
    recordings = [["train-0", str(sounds.audio / "train-0.wav")], ["gone", str(tmp_path / "no")]]
    plain = json.loads(json.dumps(job.to_plain()))
    done = prepare_share(kind="VectorJob", job=plain, recordings=recordings, jobs=1)
    outcomes = dict(json.loads(json.dumps(done)))
    assert outcomes["gone"] == {"reason": "no such file or directory", "is_slow": False}
    (vectors,) = job.folder.iterdir()
    assert outcomes["train-0"]["file"] == vectors.name
    assert np.load(vectors).shape == (1, 32)


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_killed_command_leaves_no_mixture_and_goes_on(
    renames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = Sounds(tmp_path, {"train": 2, "test": 1})
    run(sounds, *SMALL)
    right = files(sounds)
    run(sounds, *SMALL, "--pool", "mean+std", "--force")
    with killed_after(renames, monkeypatch):
        run(sounds, *SMALL, "--force")
    left = files(sounds)
    assert "X_train_mel-stats_songs.npy" not in left
    assert all(left[name] == right[name] for name in left if not name.startswith("."))
    run(sounds, *SMALL)
    assert files(sounds) == right


@pytest.mark.slow
def test_a_command_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    splits = {"train": 60, "test": 4}
    alone, killed = Sounds(tmp_path / "alone", splits), Sounds(tmp_path / "killed", splits)
    words = ["embed", "songs", "mel-stats", "-w", killed.root, "--jobs", "2", *SMALL]
    with started([BIN / "tartarus", *map(str, words)]) as process:
        assert waited(lambda: len(kept(killed)) > 4)
        process.kill()
        process.wait()
    before = kept(killed)
    run(killed, *SMALL)
    assert before.items() <= kept(killed).items()
    run(alone, *SMALL)
    assert files(killed) == files(alone)


def test_another_setting_of_the_name_is_replaced_only_if_that_is_said(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    run(sounds, *SMALL)
    message = run(sounds, *SMALL, "--pool", "max", status=2)
    assert "songs has another setting mel-stats already" in message
    assert "pool mean, not max" in message
    assert "--setting NAME" in message
    assert "--force" in message
    assert run(sounds, *SMALL, "--pool", "max", "--force")["pool"] == "max"
    folder = tmp_path / "data" / "datasets" / "train_data"
    np.save(folder / "X_train_mine_songs.npy", np.ones((4, 3), np.float32))
    message = run(sounds, *SMALL, "--setting", "mine", status=2)
    assert "X_train_mine_songs.npy: it was made in another way" in message.replace("\n", " ")
    (folder / "words_songs.vocabulary.json").write_text("{}")
    message = run(sounds, *SMALL, "--setting", "words", "--force", status=2)
    assert "made by tartarus text" in message.replace("\n", " ")


def test_a_setting_of_other_items_is_reported_with_the_command_that_makes_it_again(
    tmp_path: Path, tartarus: Command
) -> None:
    sounds = Sounds(tmp_path)
    words = [*SMALL, "--window", "0.5", "--hop", "0.25", "--pool", "max", "--setting", "loud"]
    run(sounds, *words)
    sounds.name("test", sounds.ids["test"][::-1])
    problems = tartarus("check-data", "songs", "-w", sounds.root, "--json").document["problems"]
    (problem,) = [each for each in problems if each["file"].endswith("loud_songs.features.json")]
    assert problem["found"] == "its rows are of other test items"
    again = problem["hint"].partition("Recreate the setting: tartarus embed songs mel-stats ")[2]
    before = kept(sounds)
    made = CliRunner().invoke(app, ["embed", "songs", "mel-stats", *shlex.split(again)])
    assert made.exit_code == 0, made.output
    assert kept(sounds) == before
    problems = tartarus("check-data", "songs", "-w", sounds.root, "--json").document["problems"]
    assert not [each for each in problems if "loud" in each["file"]]


def test_documents_are_encoded_one_by_one_and_empty_ones_left_out(
    tmp_path: Path, code: Path
) -> None:
    sounds = Sounds(tmp_path / "w")
    texts = {item: f"{item} aa" for item in sounds.items() if item != "test-1"}
    folder = write_documents(sounds, texts | {"val-0": " \n"})
    said = run(sounds, "--text", folder, "--code", code, encoder="letters")
    assert said["failed"] == {"val-0": "it is empty", "test-1": "it is not in the list"}
    assert matrix(sounds, "train", "letters").tolist() == [[10, 3]] * 4
    manifest = json.loads(files(sounds)["letters_songs.features.json"])
    assert manifest["encoder"]["kind"] == "text"


def test_an_encoder_that_lacks_something_stops_the_command_with_its_hint(
    tmp_path: Path, code: Path
) -> None:
    sounds = Sounds(tmp_path / "w")
    folder = write_documents(sounds, dict.fromkeys(sounds.items(), "a text"))
    message = run(sounds, "--text", folder, "--code", code, encoder="lacking", status=1)
    assert "lacking needs a library" in message
    assert "pip install lacking" in message


def test_vectors_that_no_encoder_should_make_are_failures_of_their_files(
    tmp_path: Path, code: Path
) -> None:
    sounds = Sounds(tmp_path / "w")
    texts = dict.fromkeys(sounds.items(), "fine") | {"val-0": "nan!", "val-1": "x"}
    folder = write_documents(sounds, texts)
    said = run(sounds, "--text", folder, "--code", code, encoder="broken")
    assert said["failed"] == {
        "val-0": "the encoder made NaN or infinity of it",
        "val-1": "the encoder made an array (1, 1) of it, not one of 2 columns",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"encoder": "mel-stat"}, "there is no encoder called 'mel-stat'"),
        ({"overrides": ("bans=3",)}, "mel-stats has no parameter 'bans'"),
        ({"hop_s": 2.0}, "encodes the whole recording: `hop` would have no effect"),
        ({"window_s": -1.0}, "is no possible length in seconds"),
        ({"window_s": 1.0, "hop_s": 0.0}, "is no possible length in seconds"),
        ({"window_s": float("nan")}, "is no possible length in seconds"),
        ({"layer": "top"}, "mel-stats has a single output"),
        ({"text": Path("texts")}, "encodes recordings: `text` would have no effect"),
        ({"encoding": "cp1252"}, "encodes recordings: `encoding` would have no effect"),
        ({"weights": Path("w.npz")}, "mel-stats reads no file of weights"),
    ],
)
def test_what_contradicts_itself_is_refused_before_anything_is_read(
    words: dict[str, Any], message: str
) -> None:
    request = EmbedRequest(**({"dataset": "songs", "encoder": "mel-stats"} | words))
    with pytest.raises(RequestError, match=message):
        _ = request.recipe


def test_options_that_do_not_go_together_are_said_once(tmp_path: Path) -> None:
    message = run(Sounds(tmp_path), "--set", "n_fft=64", status=2)
    assert "mel bands hold no frequency" in message.replace("\n", " ")
    assert "--set" in message
