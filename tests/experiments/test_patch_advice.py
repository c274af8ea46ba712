"""Experiments say how their patches are best made: in the line that makes them, and of others."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command
from tests.sounds import Sounds

QUICK = (
    "--set",
    "training.epochs=1",
    "--set",
    "network.filters=[2]",
    "--set",
    "training.crops=0.2",
)


@pytest.mark.slow
def test_the_line_for_missing_or_other_patches_is_right_when_pasted(
    tartarus: Command, tmp_path: Path
) -> None:
    sounds = Sounds(tmp_path / "workspace")
    datasets, where = sounds.root / "data" / "datasets", ("-w", sounds.root)
    (datasets / "genre_labels_songs.tsv").write_text("low\nhigh\n")
    for split, ids in sounds.ids.items():
        middle = "" if split == "train" else f"{split}_"
        classes = np.eye(2, dtype=np.float32)[np.arange(len(ids)) % 2]
        np.save(datasets / f"item_factors_{middle}class_2_songs.npy", classes)
    train = ("train", "genre_audio", "--dataset", "songs", *QUICK, *where)
    refused = tartarus(*train, "--set", "patches.seconds=0.4")
    assert refused.status == 1
    (line,) = re.findall(r"tartarus (patches songs .*)", refused.err)
    assert tartarus(*line.split(), *where).status == 0
    trained = tartarus(*train, "--set", "patches.seconds=0.4")
    assert (trained.status, "meant for other" in trained.err) == (0, False), trained.err
    for path in sounds.patches.glob("*_songs_1_0.4.*"):
        path.unlink()
    assert tartarus("patches", "songs", "--seconds", "0.4", *where).status == 0
    other = tartarus(*train)
    assert "meant for other patches: transform cqt, not mel, scale position, not bin" in other.err
    (line,) = re.findall(r"tartarus (patches songs .*), and choose them: ", other.err)
    assert tartarus(*line.split(), *where).status == 0
    chosen = tartarus(*train, *re.findall(r"--set|patches\.name=[\w-]+", other.err)[-2:], "--json")
    assert "meant for other" not in chosen.err
    assert json.loads(chosen.out)["model"] == "model_3"
