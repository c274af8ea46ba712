"""A setting that no item has changes no figure, and one that some lack never makes NaN."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Command
from tests.worlds import SPLITS, World


@pytest.fixture
def blank(tmp_path: Path) -> World:
    """Return a workspace whose dataset has a setting, ``blank``, that no item has."""
    world = World(tmp_path / "workspace")
    world.recommendation("rec", val=True)
    for split, count in SPLITS.items():
        np.save(world.features / f"X_{split}_blank_rec.npy", np.zeros((count, 3), np.float32))
        np.save(world.features / f"mask_{split}_blank_rec.npy", np.zeros(count, bool))
    return world


@pytest.mark.parametrize("name", ["ridge", "knn", "ridge_plays"])
def test_a_setting_that_no_item_has_gives_the_figures_of_training_without_it(
    name: str, tartarus: Command, blank: World
) -> None:
    def figures(*settings: str) -> Any:
        words = ("run", name, *settings, "--dataset", "rec", "-w", blank.root, "--json")
        done = tartarus(*words)
        assert done.status == 0, done.err
        return done.document["metrics"]

    assert figures("text", "blank") == pytest.approx(figures("text"))
    assert tartarus("evaluate", "--by", "modality", "-w", blank.root).status == 0
