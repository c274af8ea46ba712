"""Predicting for new recordings and documents, with the very encoders of the settings."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tartarus_cli.cli.app import app
from tartarus_cli.data.encoded import EncoderRecord
from tartarus_cli.encoders.recipe import EncoderRecipe
from tartarus_cli.encoders.weights import file_digest
from tartarus_cli.errors import DataError, RequestError, TartarusError
from tartarus_cli.models.preprocessing import EncodedInput
from tartarus_cli.plugins import run_file
from tartarus_cli.prediction.encoded_inputs import SettingEncoder
from tests.conftest import Command
from tests.foreign import Foreign
from tests.sounds import Sounds

SPLITS = {"train": 6, "val": 2, "test": 2}

PROGRAM = """
import sys
from pathlib import Path

import polars as pl

table = pl.read_parquet(sys.argv[1])
with Path(__file__).with_name("calls").open("a") as calls:
    calls.write(f"{table.height} {table.columns[1]}\\n")
sizes = [float(Path(path).stat().st_size) for path in table["path"]]
names = [float(len(Path(path).name)) for path in table["path"]]
rows = {"id": table["id"], "size": sizes, "name": names}
pl.DataFrame(rows).filter(pl.col("id") != "val-0").write_parquet(sys.argv[2])
"""


class Mixed:
    """A workspace with settings of sounds, of words and of a program, and a model of all three."""

    def __init__(self, root: Path) -> None:
        self.root, self.audio, self.texts = root, root / "audio", root / "text"
        self.program = root / "my program.py"
        self.command = f"'{sys.executable}' '{self.program}' {{list}} {{out}}"

    def make(self) -> None:
        """Make the settings, and train the model."""
        sounds = Sounds(self.root, SPLITS)
        self.program.write_text(PROGRAM)
        self.texts.mkdir()
        for number, item in enumerate(sounds.items()):
            (self.texts / f"{item}.txt").write_text("la " * (1 + number % 2) + f"word{number % 3}")
        datasets = self.root / "data" / "datasets"
        for split, count in SPLITS.items():
            classes = np.eye(2, dtype=np.float32)[np.arange(count) % 2]
            middle = "" if split == "train" else f"{split}_"
            np.save(datasets / f"item_factors_{middle}class_2_songs.npy", classes)
        small = [part for name in SMALL for part in ("--set", name)]
        self.run("embed", "songs", "mel-stats", *small, "--jobs", 1)
        self.run("text", "songs", "vsm", "--text", self.texts, "--set", "max_df=1.0")
        self.run("embed", "songs", "--command", self.command, "--setting", "own", "--chunk", 9)
        self.run("train", "ridge", "mel-stats", "vsm", "own", "--dataset", "songs")

    def run(self, *words: object) -> str:
        """Run a command that has to succeed."""
        result = CliRunner().invoke(app, [*map(str, words), "-w", str(self.root)])
        assert result.exit_code == 0, result.output
        return result.output

    @property
    def calls(self) -> list[str]:
        """What the program was given, each time that it ran: the number of files, and of what."""
        return self.program.with_name("calls").read_text().splitlines()


SMALL = ("sample_rate=8000", "n_fft=256", "hop_length=128", "bins=4")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    mixed = Mixed(tmp_path_factory.mktemp("mixed") / "workspace")
    mixed.make()
    return mixed


@pytest.fixture
def mixed(made: Mixed, tmp_path: Path) -> Mixed:
    """Return a world whose model_1 reads recordings, in two ways, and documents."""
    copy = Mixed(Path(shutil.copytree(made.root, tmp_path / "workspace")))
    copy.command = made.command
    return copy


def test_a_program_is_given_chunks_and_an_item_without_a_vector_lacks_the_setting(
    made: Mixed,
) -> None:
    assert made.calls[:2] == ["9 path", "1 path"]
    features = made.root / "data" / "datasets" / "train_data"
    manifest = json.loads((features / "own_songs.features.json").read_text())
    assert manifest["program"]["command"] == made.command
    assert [*manifest["program"]["code"]] == [str(made.program)]
    assert np.load(features / "mask_val_own_songs.npy").tolist() == [False, True]
    sizes = np.load(features / "X_test_own_songs.npy")[:, 0]
    assert sizes.tolist() == [(made.audio / f"test-{n}.wav").stat().st_size for n in range(2)]
    failures = made.root / "data" / "patches" / "errors_songs.tsv"
    assert "val-0\tval-0.wav\tthe program gave no vector for it" in failures.read_text()


def test_what_was_encoded_once_is_not_given_to_the_program_again(mixed: Mixed) -> None:
    before = _calls_of_original(mixed)
    (mixed.audio / "train-3.wav").write_bytes((mixed.audio / "train-0.wav").read_bytes() + b"\0")
    mixed.run("embed", "songs", "--command", mixed.command, "--setting", "own")
    # That one is new, and for the other there was no vector.
    assert _calls_of_original(mixed)[len(before) :] == ["2 path"]


def _calls_of_original(mixed: Mixed) -> list[str]:
    program = Path(mixed.command.split("'")[3])
    return program.with_name("calls").read_text().splitlines()


def test_new_files_are_encoded_as_those_of_the_settings_were(
    tartarus: Command, mixed: Mixed
) -> None:
    where = ("-w", mixed.root, "--json")
    new = ("--audio", mixed.audio, "--text", mixed.texts, "--jobs", 1)
    (mixed.texts / "train-1.txt").unlink()
    (mixed.audio / "train-2.wav").write_bytes(b"no recording")
    (mixed.audio / "train-3.wav").unlink()
    shown = tartarus("predict", "model_1", *new, "--command", mixed.command, *where).document
    names = [each["file"] for each in shown["items"]]
    assert "train-3.txt" in names
    assert names.count("train-0.wav") == 1
    assert shown["remarks"]["train-1.wav"] == "vsm: it has no document"
    assert shown["remarks"]["train-3.txt"] == "mel-stats, own: it has no recording"
    assert shown["remarks"]["train-2.wav"].startswith("mel-stats: not a recording")
    factors = mixed.root / "data" / "factors"
    rows = dict(zip(names, np.load(factors / "factors_model_1_new.npy"), strict=True))
    for split in SPLITS:
        tartarus("predict", "model_1", "--split", split, *where)
        suffix = "" if split == "test" else f"_{split}"
        ids = (factors / f"index_factors_model_1{suffix}.tsv").read_text().split()
        for item, row in zip(ids, np.load(factors / f"factors_model_1{suffix}.npy"), strict=True):
            same = item not in ("train-1", "train-2", "train-3", "val-0")
            assert not same or rows[f"{item}.wav"] == pytest.approx(row, abs=1e-4), item


COMMANDS: dict[str, tuple[Callable[[str], list[str]], str]] = {
    "nothing": (lambda _: [], "which is not run unless you say so"),
    "another command": (
        lambda command: ["--command", command + " "],
        "made none of the settings of the model",
    ),
}


@pytest.mark.parametrize("given", COMMANDS)
def test_a_command_that_only_a_file_of_the_workspace_names_is_not_run(
    given: str, tartarus: Command, mixed: Mixed
) -> None:
    options, message = COMMANDS[given]
    before = _calls_of_original(mixed)
    new = ("--audio", mixed.audio, "--text", mixed.texts)
    refused = tartarus("predict", "-w", mixed.root, *new, *options(mixed.command))
    assert (refused.status, message in " ".join(refused.err.split())) == (2, True), refused.err
    assert "--command" in refused.err
    assert _calls_of_original(mixed) == before


def test_a_model_of_recordings_and_documents_needs_both(tartarus: Command, mixed: Mixed) -> None:
    refused = tartarus("predict", "-w", mixed.root, "--audio", mixed.audio)
    assert refused.status == 2
    assert "model_1 also needs documents" in refused.err
    assert "--text FOLDER" in refused.err


def test_two_documents_of_one_recording_are_refused(tartarus: Command, mixed: Mixed) -> None:
    (mixed.texts / "train-0.md").write_text("la")
    new = ("--audio", mixed.audio, "--text", mixed.texts, "--command", mixed.command)
    refused = tartarus("predict", "-w", mixed.root, *new)
    assert (refused.status, "would both be the document of train-0" in refused.err) == (2, True)


WEIGHED = """
import numpy as np

from tartarus_cli.encoders import LoadedEncoder, Weights, encoder


@encoder(
    "weighed",
    kind="text",
    summary="as long as its weights",
    width=lambda options, layer: 1,
    weights=lambda options: Weights("", "", 0, ""),
)
def load(options, weights, layer):
    size = float(weights.stat().st_size)
    return LoadedEncoder(1, lambda texts: np.full((len(texts), 1), size, np.float32))
"""


class Weighed:
    """An encoder of one's own, which reads a file of weights."""

    def __init__(self, folder: Path) -> None:
        self.code, self.weights = folder / "mine.py", folder / "w.bin"
        self.code.write_text(WEIGHED)
        self.weights.write_bytes(b"abc")
        run_file(self.code)
        recipe = EncoderRecipe(
            encoder="weighed", version="1", options={}, weights=file_digest(self.weights)[0]
        )
        self.record: dict[str, Any] = {
            "recipe": recipe.model_dump(mode="json"),
            "kind": "text",
            "weights_file": str(self.weights),
        }

    def open(self, **recipe: Any) -> SettingEncoder:
        """Open it as the manifest of a setting names it."""
        changed = {**self.record, "recipe": {**self.record["recipe"], **recipe}}
        record = EncoderRecord.model_validate(changed)
        return SettingEncoder(EncodedInput("heavy", record, 1), (), None)


@pytest.fixture
def weighed(foreign: Foreign) -> Weighed:
    return Weighed(foreign.folder)


def test_other_weights_than_those_of_the_setting_are_refused(weighed: Weighed) -> None:
    weighed.open()
    weighed.weights.write_bytes(b"abcd")
    with pytest.raises(DataError, match=r"w\.bin: other weights, with the SHA-256 88d4") as caught:
        weighed.open()
    assert "Put the old file back" in caught.value.hint
    weighed.weights.unlink()
    with pytest.raises(TartarusError, match="there is no such file; expected the weights") as gone:
        weighed.open()
    assert "Put the file back" in gone.value.hint


def test_an_encoder_that_is_gone_or_another_version_is_refused(
    weighed: Weighed, foreign: Foreign
) -> None:
    with pytest.raises(DataError, match="made by version 0 of weighed; there is version 1"):
        weighed.open(version="0")
    with pytest.raises(DataError, match="cannot be read how weighed made heavy"):
        weighed.open(options={"surprise": 1})
    foreign.restart()
    with pytest.raises(RequestError, match="no encoder called 'weighed'; it made the setting") as e:
        weighed.open()
    assert "`code=FILE`" in e.value.hint
