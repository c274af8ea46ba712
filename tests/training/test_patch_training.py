"""Training on patches, predicting from them, and pooling what comes out."""

import json
import re
from pathlib import Path
from shutil import copytree
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from tartarus_cli.cli.app import app
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.patches import open_patches, write_patches
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.training.batches import Batches
from tests.conftest import Command
from tests.worlds import SPLITS, World

FRAMES, BINS, EACH = 12, 8, 2  # EACH: patches of an item
SMALL = (
    *("--set", "network.kernels=[[3, 8], [2, 1]]", "--set", "network.filters=[4, 4]"),
    *("--set", "network.pools=[[2, 1], [1, 1]]", "--set", "training.epochs=2"),
)
RUN = ("single-label-audio", "--dataset", "one", *SMALL)


def write(
    world: World, split: str, *, leave_out: int = 0, fingerprint: str = "same", kind: str = "2_1"
) -> None:
    """Write patches that show the class of an item, in an order that is not that of the ids."""
    middle = "" if split == "train" else f"{split}_"
    classes = np.load(world.datasets / f"item_factors_{middle}class_3_one.npy").argmax(axis=1)
    rng = np.random.default_rng(len(split))
    order = rng.permutation(np.repeat(np.arange(leave_out, SPLITS[split]), EACH))
    values = rng.standard_normal((len(order), FRAMES, BINS)).astype(np.float32)
    values[np.arange(len(order)), :, classes[order]] += 2
    values = np.insert(values, 0, np.nan, axis=0)  # an unused row, which nobody may read
    ids = [f"{split}-{number}" for number in order]
    ids.insert(0, "")
    folder = world.root / "data" / "patches"
    folder.mkdir(exist_ok=True)
    path = folder / f"patches_{split}_one_{kind}.hdf5"
    write_patches(path, ids, [values], (FRAMES, BINS), {"fingerprint": fingerprint})


@pytest.fixture(scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(tmp_path_factory.mktemp("patches") / "workspace")
    world.classification("one", several=False)
    for split in SPLITS:
        write(world, split)
    done = CliRunner().invoke(app, ["train", *RUN, "-w", str(world.root)])
    assert done.exit_code == 0, done.stderr
    assert "one has 2 patches an item of 1 s, not 1 of 15 s: its own are used" in done.stderr
    return world.root


@pytest.fixture
def trained(_trained: Path, tmp_path: Path) -> World:
    """Return a world whose dataset ``one`` has two patches an item, and a model of them."""
    return World(Path(copytree(_trained, tmp_path / "workspace")))


def manifest_of(world: World, model: str) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(
        (world.root / "data" / "models" / model / "manifest.json").read_text()
    )
    return manifest


def test_patches_are_chosen_by_their_name(trained: World, tartarus: Command) -> None:
    for split in SPLITS:
        write(trained, split, fingerprint="of mel", kind="2_1_mel")
    where = ("-w", trained.root)
    for number, (more, fingerprint) in enumerate(
        [((), "same"), (("--set", "patches.name=mel"), "of mel")], 2
    ):
        done = tartarus("train", *RUN, *more, *where)
        assert done.status == 0, done.err
        assert manifest_of(trained, f"model_{number}")["patches"] == fingerprint
    for number in (1, 2, 3):
        assert tartarus("predict", f"model_{number}", *where).status == 0
    done = tartarus("train", *RUN, "--set", "patches.name=stft", *where)
    assert done.status == 1
    assert "but 2 of 1 s, 2 of 1 s (mel)" in done.err
    done = tartarus("train", *RUN, *re.findall(r"--set|patches\.[\w.=]+", done.err), *where)
    assert done.status == 0, done.err
    checked = tartarus("check-data", "one", *where).out
    assert "patches: 2 × 1 s an item" in checked
    assert "patches: 2 × 1 s (mel) an item" in checked


def batches_of(
    tmp_path: Path, rows: int, size: int, seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> Batches:
    """Batches of patches whose values and targets are the number of their item."""
    monkeypatch.setattr("tartarus_cli.training.batches.BLOCK_BYTES", 4 * 6 * 3)  # three rows
    monkeypatch.setattr("tartarus_cli.training.batches.WINDOW_BYTES", 4 * 6 * 20)
    path = tmp_path / "patches.hdf5"
    path.unlink(missing_ok=True)  # an earlier one may still be open
    order = np.random.default_rng(1).permutation(rows)
    values = np.broadcast_to(order[:, None, None], (rows, 3, 2)).astype(np.float32)
    write_patches(path, [f"item-{n}" for n in order], [values], (3, 2), {})
    patches = open_patches(path, [f"item-{n}" for n in range(rows)])
    targets = Matrix(Path(), np.arange(rows, dtype=np.float32)[:, None])
    items = ItemSet("train", [], (patches,), patches.items)
    rng = None if seed is None else np.random.default_rng(seed)
    return Batches(TrainingSubset(items, targets, np.arange(rows)), size=size, rng=rng)


def epoch(batches: Batches) -> list[int]:
    """Read an epoch, and make sure that each patch stands beside the target of its item."""
    seen: list[int] = []
    for index in range(len(batches)):
        (patches,), targets = batches[index]
        assert patches.shape == (len(targets), 3, 2, 1)
        assert (patches == targets[:, :, None, None]).all()
        seen += targets[:, 0].astype(int).tolist()
    return seen


def test_an_epoch_reads_every_patch_once_beside_the_target_of_its_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = batches_of(tmp_path, 103, 4, 0, monkeypatch)
    first = epoch(batches)
    batches.reshuffle()
    second = epoch(batches)
    assert sorted(first) == sorted(second) == list(range(103))
    assert first != second
    again = batches_of(tmp_path, 103, 4, 0, monkeypatch)
    other = batches_of(tmp_path, 103, 4, 1, monkeypatch)
    assert epoch(again) == first
    assert epoch(other) != first


def test_neighbours_in_the_file_are_not_neighbours_in_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = batches_of(tmp_path, 300, 4, 0, monkeypatch)
    # The position of each item in the file.
    position = np.argsort(np.random.default_rng(1).permutation(300))
    steps = np.abs(np.diff(position[epoch(batches)]))
    assert np.median(steps) > 30


def test_without_a_generator_patches_come_in_the_order_of_the_file_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = batches_of(tmp_path, 50, 7, None, monkeypatch)
    assert epoch(batches) == np.random.default_rng(1).permutation(50).tolist()
    assert epoch(batches) == epoch(batches)


def test_a_window_holds_no_more_than_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = batches_of(tmp_path, 200, 4, 0, monkeypatch)
    reader: Any = batches._reader
    sizes = []
    read = reader._load

    def counted(number: int, samples: NDArray[np.int64]) -> Any:
        sizes.append(len(samples))
        return read(number, samples)

    monkeypatch.setattr(reader, "_load", counted)
    batches.reshuffle()
    epoch(batches)
    assert max(sizes) == 20
    assert sum(sizes) == 200


def test_run_on_patches_ends_in_a_table(tartarus: Command, trained: World) -> None:
    better = ("network.dropout=0", "network.filters=[16, 16]", "training.learning_rate=0.01")
    longer = ("training.epochs=40", "training.patience=20", "training.monitor=val_loss")
    words = [word for option in better + longer for word in ("--set", option)]
    ran = tartarus("run", *RUN, *words, "-w", trained.root, "--json")
    assert ran.status == 0
    assert ran.document["items_without_prediction"] == 0
    assert ran.document["metrics"]["accuracy"] > 0.8  # a third by chance


def rows_of(trained: World, name: str) -> NDArray[np.float32]:
    return np.asarray(np.load(trained.root / "data" / "factors" / name))


def test_the_rows_of_an_items_patches_are_averaged_or_their_maximum_taken(
    tartarus: Command, trained: World
) -> None:
    for pool in ("none", "mean"):
        tartarus("predict", "model_1", "--pool", pool, "-w", trained.root)
    patch_rows = rows_of(trained, "factors_model_1_test_patches.npy")
    names = (trained.root / "data/factors/index_factors_model_1_test_patches.tsv").read_text()
    items = np.array([int(name.split("-")[1]) for name in names.split()])
    assert len(patch_rows) == EACH * SPLITS["test"]
    groups = [patch_rows[items == number] for number in range(SPLITS["test"])]
    mean = rows_of(trained, "factors_model_1.npy")
    assert mean == pytest.approx(np.array([group.mean(axis=0) for group in groups]), abs=1e-6)
    tartarus("predict", "model_1", "--pool", "max", "-w", trained.root)
    largest = np.array([group.max(axis=0) for group in groups])
    assert rows_of(trained, "factors_model_1.npy") == pytest.approx(largest, abs=1e-6)


def test_a_layer_of_patches_becomes_a_setting_of_one_row_an_item(
    tartarus: Command, trained: World
) -> None:
    predicted = tartarus("predict", "model_1", "--layer", "flatten", "-w", trained.root, "--json")
    assert predicted.document["splits"] == SPLITS
    again = tartarus(
        *("run", "single-label-vector", "model_1-pred_flatten", "--dataset", "one"),
        *("-w", trained.root, "--json"),
    )
    assert again.status == 0
    unpooled = tartarus(
        *("predict", "model_1", "--layer", "flatten", "--pool", "none", "-w", trained.root)
    )
    assert "a row for each patch: train 80, val 20, test 24" in unpooled.out


def test_items_without_a_patch_are_left_out_and_rank_as_wrong(
    tartarus: Command, trained: World
) -> None:
    write(trained, "test", leave_out=3)
    shown = tartarus("predict", "model_1", "-w", trained.root)
    assert "items without a patch: test 3; they are left out" in shown.out
    assert len(rows_of(trained, "factors_model_1.npy")) == SPLITS["test"] - 3
    evaluated = tartarus("evaluate", "model_1", "-w", trained.root, "--json").document
    assert evaluated["items_without_prediction"] == 3
    by_modality = ("evaluate", "model_1", "--by", "modality", "-w", trained.root, "--json")
    parts = tartarus(*by_modality).document["found"]["slices"]
    sizes = {part["label"].partition(" ")[0]: part["size"] for part in parts}
    assert sizes == {"patches": SPLITS["test"] - 3, "none": 3}
    shown = tartarus("predict", "model_1", "--layer", "flatten", "-w", trained.root)
    assert "test 3; they lack model_1-pred_flatten" in shown.out
    mask = np.load(trained.features / "mask_test_model_1-pred_flatten_one.npy")
    assert np.flatnonzero(~mask).tolist() == [0, 1, 2]
    rows = np.load(trained.features / "X_test_model_1-pred_flatten_one.npy")
    assert (rows[:3] == 0).all()
    assert (rows[3:].any(axis=1)).all()


def test_a_set_without_any_patch_is_an_error(tartarus: Command, trained: World) -> None:
    write(trained, "test", leave_out=SPLITS["test"])
    refused = tartarus("predict", "model_1", "-w", trained.root)
    assert (refused.status, "no patch of any item" in refused.err) == (1, True)


def test_patches_made_otherwise_than_those_of_the_training_are_refused(
    tartarus: Command, trained: World
) -> None:
    write(trained, "test", fingerprint="another")
    refused = tartarus("predict", "model_1", "-w", trained.root)
    assert refused.status == 1
    assert "differs from the patches that model_1 was trained on" in refused.err
    write(trained, "val", fingerprint="another")
    refused = tartarus("train", *RUN, "-w", trained.root)
    assert refused.status == 1
    assert "not made together with" in refused.err


def test_missing_patches_are_named_with_the_command_that_makes_them(
    tartarus: Command, trained: World
) -> None:
    path = trained.root / "data" / "patches" / "patches_val_one_2_1.hdf5"
    path.unlink()
    refused = tartarus("train", *RUN, "-w", trained.root)
    assert refused.status == 1
    assert "tartarus patches one --patches 2 --seconds 1" in refused.err
    for file in path.parent.iterdir():
        file.unlink()
    refused = tartarus("run", *RUN, "-w", trained.root)
    assert refused.status == 1
    assert "tartarus patches one --patches 1 --seconds 15" in refused.err


def test_without_val_items_the_patches_of_the_last_train_items_are_held_out(
    tartarus: Command, trained: World
) -> None:
    (trained.datasets / "items_index_val_one.tsv").unlink()
    shown = tartarus("train", *RUN, "-w", trained.root, "--json").document
    assert shown["items"] == {"fit": 32 * EACH, "validation": 4 * EACH, "held out": 4 * EACH}


def test_items_without_a_patch_are_not_held_out(tartarus: Command, trained: World) -> None:
    (trained.datasets / "items_index_val_one.tsv").unlink()
    write(trained, "train", leave_out=20)
    shown = tartarus("train", *RUN, "-w", trained.root, "--json").document
    assert shown["items"] == {"fit": 16 * EACH, "validation": 2 * EACH, "held out": 2 * EACH}


def test_a_damaged_file_of_patches_stops_a_training_before_it_begins(
    tartarus: Command, trained: World
) -> None:
    path = trained.root / "data" / "patches" / "patches_train_one_2_1.hdf5"
    with h5py.File(path, "a") as store:
        store["features"][5] = np.inf
    refused = tartarus("train", *RUN, "-w", trained.root)
    assert (refused.status, path.name in refused.err) == (1, True)
    assert not (trained.root / "data" / "models" / "model_2").exists()


def test_deleting_a_model_removes_what_it_predicted_of_patches(
    tartarus: Command, trained: World
) -> None:
    for pool in ("none", "mean"):
        tartarus("predict", "model_1", "--pool", pool, "--split", "all", "-w", trained.root)
    tartarus("models", "delete", "model_1", "--yes", "-w", trained.root)
    assert not list((trained.root / "data" / "factors").iterdir())


REFUSED = {
    "training.crops=0.1": "crops of 0.1 s: stage 1: kernel (3, 8) does not fit into 1 × 8",
    "training.crops=2": "training.crops = 2 s are longer than the patches, which have 1 s",
    "augment.frequency_masks=1 augment.frequency_mask=8": "the patches of one have 8 bins",
    "augment.gain=3": "the patches of one have no scaler",
}


@pytest.mark.parametrize("overrides", REFUSED)
def test_changes_that_the_patches_do_not_allow_are_refused_before_there_is_a_model(
    overrides: str, trained: World, tartarus: Command
) -> None:
    models = {path.name for path in (trained.root / "data" / "models").iterdir()}
    more = [word for each in overrides.split() for word in ("--set", each)]
    done = tartarus("train", *RUN, *more, "-w", trained.root)
    assert done.status != 0
    assert REFUSED[overrides] in done.err
    assert {path.name for path in (trained.root / "data" / "models").iterdir()} == models


def test_longer_crops_are_what_a_network_too_large_for_them_needs(
    trained: World, tartarus: Command
) -> None:
    done = tartarus("train", *RUN, "--set", "training.crops=0.1", "-w", trained.root)
    assert "or longer crops: --set 'training.crops=…'" in done.err
    more = ["--set", "training.crops=0.5", "--set", "augment.mixup=0.3"]
    more += ["--set", "training.schedule=cosine", "--set", "training.class_weights=balanced"]
    done = tartarus("train", *RUN, *more, "-w", trained.root)
    assert done.status == 0, done.err
    shapes = [layer["shape"] for layer in manifest_of(trained, "model_2")["layers"]]
    assert shapes[0] == [FRAMES // 2, BINS, 1]
