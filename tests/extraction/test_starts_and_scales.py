"""``patches --starts`` and ``--scale``: part of the recipe, and of what files say."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tartarus_cli.audio.patches import NEWER_FIELDS, PatchRecipe
from tartarus_cli.audio.scaler import Scaler, fingerprint
from tartarus_cli.cli.app import app
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.patches import open_patches, read_scaler
from tartarus_cli.models.preprocessing import read_patch_recipe
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.sounds import FAST, RATE, Sounds, tone

ORDER = ("--seconds", "0.3", "--patches", "2", *FAST)


def run(sounds: Sounds, *more: object, status: int = 0) -> Any:
    words = ["patches", "songs", "-w", sounds.root, *ORDER, "--jobs", 1, "--json", *more]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout) if status == 0 else result.stderr


@pytest.fixture
def sounds(tmp_path: Path) -> Sounds:
    """Return a workspace in which one recording sounds for a moment only, and one is short."""
    sounds = Sounds(tmp_path / "workspace")
    silence = np.zeros((20 * RATE, 1), np.float32)
    silence[12_000:14_400] = tone(1000, 0.3)
    sounds.record("train-0.wav", silence)
    sounds.record("train-1.wav", tone(500, 0.2))
    return sounds


def features_of(sounds: Sounds, name: str) -> dict[str, Any]:
    ids = sounds.ids["train"]
    patches = open_patches(sounds.patches / f"patches_train_songs_2_0.3{name}.hdf5", ids)
    mean, scale = read_scaler(sounds.patches / f"scaler_songs_2_0.3{name}.npz")
    decibels = patches.rows(slice(None))[..., 0] * scale.reshape(9, 24) + mean.reshape(9, 24)
    return {"patches": patches, "levels": decibels, "mean": mean.reshape(9, 24)}


def test_patches_of_sound_are_not_silent_where_drawn_ones_are(sounds: Sounds) -> None:
    run(sounds)
    assert (features_of(sounds, "")["levels"][:2].max(axis=2) < -60).all()
    said = run(sounds, "--starts", "sound", "--name", "sound", "--scale", "bin")
    assert said["silent"] == []
    assert said["recipe"]["starts"] == "sound"
    made = features_of(sounds, "_sound")
    loudest = made["levels"][:2].max(axis=2)
    assert (loudest > -60).mean() > 0.8
    assert made["patches"].attributes["starts"] == "sound"
    # Spectrograms are the same ones.
    assert len([path for path in sounds.spectrograms.iterdir() if path.is_dir()]) == 1


def test_a_scale_of_bins_is_the_same_in_all_frames_and_lengths_are_recorded(
    sounds: Sounds, tartarus: Command
) -> None:
    run(sounds, "--scale", "bin", "--starts", "even")
    made = features_of(sounds, "")
    assert (made["mean"] == made["mean"][0]).all()
    lengths = made["patches"].lengths
    assert lengths is not None
    levels = made["levels"]
    for length, patch in zip(lengths, levels, strict=True):
        np.testing.assert_allclose(patch[length:], -80, atol=1e-3)
        assert patch[length - 1].max() > -79.9 or length == 9
    assert lengths[2] == 7  # 0.2 s
    checked = tartarus("check-data", "songs", "-w", sounds.root, "--json")
    problems = json.loads(checked.out)["problems"]
    assert not [each for each in problems if "patches/" in each["file"]]
    path = sounds.patches / "patches_train_songs_2_0.3.hdf5"
    content = bytearray(path.read_bytes())
    place = content.index(lengths.astype("<i4").tobytes())
    content[place : place + 4] = (10).to_bytes(4, "little")
    path.unlink()  # the old one is still open
    path.write_bytes(content)
    problems = json.loads(tartarus("check-data", "songs", "-w", sounds.root, "--json").out)[
        "problems"
    ]
    assert any("lengths" in each["found"] and "1 to 9" in each["expected"] for each in problems)


def test_the_default_recipe_is_written_as_before_these_were_there() -> None:
    recipe = PatchRecipe(transform="stft", parameters={"n_fft": 8})
    assert not NEWER_FIELDS.keys() & recipe.model_dump().keys()
    assert not any(f'"{name}"' in recipe.model_dump_json() for name in NEWER_FIELDS)
    other = PatchRecipe(transform="stft", parameters={"n_fft": 8}, starts="even", scale="bin")
    assert PatchRecipe.model_validate_json(other.model_dump_json()) == other
    scaler = Scaler(np.zeros(1, np.float32), np.ones(1, np.float32))
    assert fingerprint(other, scaler) != fingerprint(recipe, scaler)
    attributes = other.model_dump(exclude={"parameters"}) | other.parameters.model_dump()
    assert read_patch_recipe(attributes) == other
    older = recipe.model_dump(exclude={"parameters"}) | recipe.parameters.model_dump()
    assert read_patch_recipe(older) == recipe


def test_other_starts_or_scales_are_not_written_over(sounds: Sounds) -> None:
    run(sounds)
    said = run(sounds, "--starts", "even", "--scale", "bin", status=2)
    assert "starts random, not even, scale position, not bin" in " ".join(said.split())
    name = re.search(r"--name ([\w-]+)", said)
    assert name is not None
    run(sounds, "--starts", "even", "--scale", "bin", "--name", name[1])
    dataset = Dataset(open_workspace(sounds.root).scan(), "songs")
    assert len([*dataset.patches]) == 2


def test_the_picture_shows_where_patches_of_sound_begin(sounds: Sounds, tmp_path: Path) -> None:
    run(sounds, "--starts", "sound", "--show", "train-0", "--to", tmp_path / "a.svg")
    run(sounds, "--show", "train-0", "--to", tmp_path / "b.svg")
    assert "sound starts" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.svg").read_text() != (tmp_path / "b.svg").read_text()
