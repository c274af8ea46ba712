"""Models that all tests of exports share: trained once, copied for each test."""

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from scipy.sparse import csr_array, save_npz

from tests.conftest import run_command
from tests.sharing import made_once
from tests.worlds import SPLITS, World

TRAINED = (
    "ridge text --dataset rec",
    "knn text --dataset rec",
    "popularity tags --dataset rec",
    "ridge text --dataset one",
    "rec_dense text --dataset rec --set training.epochs=1 --set network.hidden=8",
)


def make(folder: Path) -> None:
    """Train, and predict with, what is in ``TRAINED``: model_1 to model_5."""
    world = World(folder / "workspace")
    world.recommendation("rec")
    world.classification("one", several=False)
    for split in ("train", "test"):
        tags = (np.random.default_rng(3).random((SPLITS[split], 5)) < 0.4).astype(np.float32)
        save_npz(world.features / f"X_{split}_tags_rec.npz", csr_array(tags))
    commands = [c for words in TRAINED for c in (f"train {words}", "predict --split all")]
    for command in (*commands, "predict model_5 --layer dense_1"):
        done = run_command(*command.split(), "-w", world.root)
        assert done.status == 0, done.err


@pytest.fixture(scope="session")
def _predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "predicted", make) / "workspace"


@pytest.fixture
def predicted(_predicted: Path, tmp_path: Path) -> World:
    """Return a world of baselines, a ridge of classes and a network, all of which predicted."""
    return World(Path(copytree(_predicted, tmp_path / "workspace")))
