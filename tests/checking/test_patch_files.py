"""``check-data`` looks into files of patches: their rows, and how they were made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.audio.scaler import Scaler, fingerprint
from tests.checking.damage import check, only
from tests.conftest import Command
from tests.worlds import SPLITS, World

# A patch of 1 s, which has as many frames and bins as there are in 1 s of 8 kHz with a hop of 2000.
RECIPE = PatchRecipe(
    transform="stft", parameters={"sample_rate": 8000, "n_fft": 8, "hop_length": 2000}, seconds=1
)
SCALER = Scaler(
    np.zeros(RECIPE.frames * RECIPE.bins, np.float32),
    np.ones(RECIPE.frames * RECIPE.bins, np.float32),
)


def attributes(**changes: Any) -> dict[str, Any]:
    """Return what a file of patches says of how it was made."""
    values = RECIPE.model_dump(exclude={"parameters"}) | RECIPE.parameters.model_dump()
    return values | {"fingerprint": fingerprint(RECIPE, SCALER), "complete": True} | changes


def write(
    world: World,
    split: str,
    attrs: dict[str, Any],
    *,
    ids: Sequence[str] | None = None,
    shape: tuple[int, int] = (RECIPE.frames, RECIPE.bins),
    name: str = "1_1",
) -> Path:
    """Write the patches of a set."""
    path = world.root / "data" / "patches" / f"patches_{split}_one_{name}.hdf5"
    path.parent.mkdir(exist_ok=True)
    ids = [f"{split}-{n}" for n in range(SPLITS[split])] if ids is None else ids
    with h5py.File(path, "w") as file:
        file["features"] = np.ones((len(ids), 1, *shape), np.float32)
        file["index"] = np.array(ids, "S20")
        for key, value in attrs.items():
            file.attrs[key] = value
    return path


@pytest.fixture
def patched(tmp_path: Path) -> World:
    """Make a dataset with patches of each set and their scaler."""
    world = only("one", tmp_path)
    for split in SPLITS:
        write(world, split, attributes())
    np.savez(world.root / "data/patches/scaler_one_1_1.npz", mean=SCALER.mean, scale=SCALER.scale)
    return world


def told_of(tartarus: Command, world: World) -> list[tuple[str, str, str, str]]:
    problems = check(tartarus, world)["problems"]
    told = [p for p in problems if p["file"].startswith("data/patches")]
    assert all(p["hint"] for p in told)
    return [(p["severity"], Path(p["file"]).name, p["found"], p["expected"]) for p in told]


def test_patches_that_were_made_together_are_told_nothing_of(
    patched: World, tartarus: Command
) -> None:
    assert told_of(tartarus, patched) == []


@pytest.mark.parametrize("ids", [[], ["", ""]])
def test_a_file_without_a_patch_is_told(ids: list[str], patched: World, tartarus: Command) -> None:
    path = write(patched, "val", attributes(), ids=ids)
    ((severity, name, found, expected),) = told_of(tartarus, patched)
    assert (severity, name, expected) == ("error", path.name, "patches of items")
    assert found == ("2 rows, and none of an item" if ids else "no rows")


def test_far_more_patches_of_an_item_than_the_name_says_are_told(
    patched: World, tartarus: Command
) -> None:
    ids = [f"val-{n}" for n in range(SPLITS["val"])]
    path = write(patched, "val", attributes(), ids=[*ids, *["val-3"] * 39_999])
    ((severity, name, found, expected),) = told_of(tartarus, patched)
    assert (severity, name) == ("error", path.name)
    assert found == "1 item with more than 1 patches ('val-3' has 40,000)"
    assert expected == "1 of each item, as its name says"


def test_fewer_patches_of_an_item_than_the_name_says_are_worth_a_warning(
    patched: World, tartarus: Command
) -> None:
    for split in SPLITS:
        twice = [f"{split}-{n}" for n in range(SPLITS[split]) for _ in range(2)]
        ids = twice[1:] if split == "val" else twice
        path = write(patched, split, {"complete": True}, ids=ids, name="2_1")
        path.with_name(f"patches_{split}_one_1_1.hdf5").unlink()
    problems = told_of(tartarus, patched)
    found = "1 item with fewer than 2 patches ('val-0' has 1)"
    assert [p[:3] for p in problems] == [("warning", "patches_val_one_2_1.hdf5", found)]


CHANGES = {
    "hop_length": (256, "hop_length 256, not 2000"),
    "transform": ("cqt", "transform cqt, not stft"),
    "sample_rate": (16000, "sample_rate 16000, not 8000"),
    "seed": (3, "seed 3, not 0"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_patches_of_another_kind_than_their_neighbours_are_told_with_what_differs(
    name: str, patched: World, tartarus: Command
) -> None:
    value, difference = CHANGES[name]
    # The first file of the name is that of the test items.
    path = write(patched, "val", attributes(**{name: value}))
    told = [p for p in told_of(tartarus, patched) if "not made together" in p[2]]
    ((severity, file, found, _),) = told
    assert (severity, file) == ("error", path.name)
    assert difference in found


def test_patches_of_another_length_than_their_neighbours_are_told(
    patched: World, tartarus: Command
) -> None:
    write(patched, "val", attributes(), shape=(RECIPE.frames + 1, RECIPE.bins))
    found = [p[2] for p in told_of(tartarus, patched) if p[0] == "error"]
    assert f"patches of {RECIPE.frames + 1} frames × {RECIPE.bins} bins" in found
    assert any(f"frames {RECIPE.frames + 1}, not {RECIPE.frames}" in text for text in found)


def test_patches_that_were_scaled_otherwise_are_told(patched: World, tartarus: Command) -> None:
    path = write(patched, "val", attributes(fingerprint="0" * 32))
    told = [p for p in told_of(tartarus, patched) if p[1] == path.name]
    assert [p[2][:35] for p in told] == ["patches that were not made together"]


@pytest.mark.parametrize(
    "changes", [{"hop_length": "x"}, {"per_item": -1}, {"seconds": np.array([1.0, 2.0])}]
)
def test_damaged_attributes_are_worth_a_warning(
    changes: dict[str, Any], patched: World, tartarus: Command
) -> None:
    for split in SPLITS:
        write(patched, split, attributes(**changes))
    told = told_of(tartarus, patched)
    assert [p[0] for p in told] == ["warning"] * 3
    assert all("are damaged" in p[2] for p in told)


def test_patches_under_the_name_of_another_length_are_told(
    patched: World, tartarus: Command
) -> None:
    for path in sorted((patched.root / "data" / "patches").iterdir()):
        path.rename(path.with_name(path.name.replace("_1_1.", "_1_3.")))
    told = [p for p in told_of(tartarus, patched) if p[0] == "error"]
    assert [p[2:] for p in told] == [("1 × 1 s by its attributes", "1 × 3 s, as its name says")] * 3


def test_patches_without_attributes_are_told_nothing_of(patched: World, tartarus: Command) -> None:
    for split in SPLITS:
        write(patched, split, {})
    assert told_of(tartarus, patched) == []


def test_a_scaler_of_another_size_is_told(patched: World, tartarus: Command) -> None:
    for split in SPLITS:
        write(patched, split, {})
    path = patched.root / "data" / "patches" / "scaler_one_1_1.npz"
    np.savez(path, mean=np.zeros(7), scale=np.ones(7))
    ((severity, name, found, expected),) = told_of(tartarus, patched)
    assert (severity, name, found) == ("error", path.name, "7 positions")
    assert f"{RECIPE.frames} frames × {RECIPE.bins} bins" in expected


def test_a_scaler_of_other_values_is_told(patched: World, tartarus: Command) -> None:
    path = patched.root / "data" / "patches" / "scaler_one_1_1.npz"
    np.savez(path, mean=SCALER.mean + 1, scale=SCALER.scale)
    ((severity, name, found, _),) = told_of(tartarus, patched)
    assert (severity, name, found[:14]) == ("error", path.name, "another scaler")


def test_patches_of_some_sets_alone_are_worth_a_warning(patched: World, tartarus: Command) -> None:
    path = patched.root / "data" / "patches" / "patches_val_one_1_1.hdf5"
    path.unlink()
    ((severity, name, found, expected),) = told_of(tartarus, patched)
    assert (severity, name, found) == ("warning", path.name, "missing")
    assert expected.startswith("patches of val, as there are of ")


@pytest.mark.parametrize("bins", [96, 64])
def test_an_audio_network_waits_for_patches_that_hold_its_windows(
    bins: int, tartarus: Command, tmp_path: Path
) -> None:
    world = World(tmp_path)
    world.classification("SUPER", several=False)
    for split in SPLITS:
        path = write(world, split, {}, shape=(60, bins), name="1_15")
        path.rename(path.with_name(f"patches_{split}_SUPER_1_15.hdf5"))
    summary = check(tartarus, world)["datasets"]["SUPER"]
    assert ("dummy_audio" in summary["ready"]) == (bins == 96)
    if bins == 64:
        assert "larger patches (stage 1: kernel" in summary["waiting"]["dummy_audio"][0]


def test_an_audio_network_on_crops_waits_for_patches_that_are_as_long(
    tartarus: Command, tmp_path: Path
) -> None:
    world = World(tmp_path)
    world.classification("SUPER", several=False)
    for split in SPLITS:
        path = write(world, split, {}, shape=(60, 96), name="1_15")
        path.rename(path.with_name(f"patches_{split}_SUPER_1_15.hdf5"))
    folder = world.root / "experiments"
    folder.mkdir(exist_ok=True)
    for name, seconds in (("long", 14), ("short", 0.5)):
        text = f'extends = "dummy_audio"\n[training]\ncrops = {seconds}\n'
        (folder / f"{name}.toml").write_text(text)
    summary = check(tartarus, world)["datasets"]["SUPER"]
    assert "long" in summary["ready"]
    assert "(stage 1: kernel (4, 96) does not fit into 2 × 96" in summary["waiting"]["short"][0]
