"""Masks of features: which items have a setting; what is no mask is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import FileError
from tartarus_cli.layout import WorkspacePaths
from tests.worlds import SPLITS, World


def open_dataset(world: World) -> Dataset:
    return Dataset(WorkspacePaths(world.root, world.root / "data").scan(), "one")


def mask_path(world: World, split: str = "val") -> Path:
    return world.features / f"mask_{split}_text_one.npy"


def test_a_mask_says_which_items_have_a_setting_and_without_one_all_have_it(world: World) -> None:
    present = np.arange(SPLITS["val"]) % 2 == 0
    np.save(mask_path(world), present)
    dataset = open_dataset(world)
    assert dataset.features("text", "train").present is None
    found = dataset.features("text", "val")
    assert found.present is not None
    assert found.present.tolist() == present.tolist()
    chosen = found.select(np.array([1, 2])).present
    assert chosen is not None
    assert chosen.tolist() == [False, True]
    assert dataset.settings == ["audio", "audio-sparse", "text", "text-sparse"]


@pytest.mark.parametrize(
    "content",
    [
        np.ones(SPLITS["val"]),
        np.ones(SPLITS["val"] + 1, bool),
        np.ones((SPLITS["val"], 1), bool),
        np.array([True, None] * 5, object),
    ],
    ids=["floats", "too long", "two axes", "objects"],
)
def test_what_is_no_mask_is_refused_and_named(world: World, content: NDArray[Any]) -> None:
    np.save(mask_path(world), content, allow_pickle=True)
    with pytest.raises(FileError, match=r"mask_val_text_one\.npy"):
        open_dataset(world).features("text", "val")


def test_a_byte_of_a_mask_that_is_neither_0_nor_1_is_true(world: World) -> None:
    np.save(mask_path(world), np.array([0, 1, 2] * 3 + [255], np.uint8).view(bool))
    present = open_dataset(world).features("text", "val").present
    assert present is not None
    assert present.sum() == 7
