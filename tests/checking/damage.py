"""What is done to the files of a tiny workspace, and what ``check-data`` says of it."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import load_npz, save_npz

from tests.conftest import Command
from tests.worlds import World

Act = Callable[[World], object]
Change = Callable[[NDArray[Any]], object]
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Damage:
    """Something done to the files of a dataset, and what the check has to say of it."""

    what: str
    act: Act
    severity: Severity
    file: str
    found: str
    expected: str = ""
    dataset: str = "rec"

    def told_by(self, problem: dict[str, str]) -> bool:
        """Whether a problem of the report speaks of this damage."""
        return (
            problem["severity"] == self.severity
            and problem["file"].endswith(self.file)
            and self.found in problem["found"]
            and self.expected in problem["expected"]
        )


# ---------------------------------------------------------------------------------- what is done


def gone(*names: str) -> Act:
    def act(world: World) -> None:
        for name in names:
            (world.datasets / name).unlink()

    return act


def together(*acts: Act) -> Act:
    return lambda world: [act(world) for act in acts]


def moved(name: str, to: str) -> Act:
    def act(world: World) -> None:
        path = world.root / "data" / to
        path.parent.mkdir(parents=True, exist_ok=True)
        (world.datasets / name).rename(path)

    return act


def copied(name: str, to: str) -> Act:
    def act(world: World) -> None:
        path = world.root / "data" / to
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(world.datasets / name, path)

    return act


def written(name: str, content: bytes) -> Act:
    def act(world: World) -> None:
        path = world.root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return act


def raw(name: str, change: Callable[[bytes], bytes]) -> Act:
    """Change the bytes of a file."""

    def act(world: World) -> None:
        path = world.datasets / name
        path.write_bytes(change(path.read_bytes()))

    return act


def lines(name: str, change: Callable[[list[str]], Sequence[str]]) -> Act:
    """Change the lines of a list."""

    def act(world: World) -> None:
        path = world.datasets / name
        changed = change(path.read_text("utf-8").splitlines())
        path.write_text("".join(f"{line}\n" for line in changed), "utf-8")

    return act


def dense(name: str, change: Change) -> Act:
    """Change the array of an npy file."""

    def act(world: World) -> None:
        path = world.datasets / name
        np.save(path, np.asarray(change(np.load(path))))

    return act


def array(name: str, values: NDArray[Any]) -> Act:
    """Write an npy file."""
    return lambda world: np.save(world.datasets / name, values)


def parts(name: str, **changes: Change) -> Act:
    """Change the arrays of an npz file."""

    def act(world: World) -> None:
        path = world.datasets / name
        with np.load(path) as kept:
            arrays: dict[str, Any] = {each: kept[each] for each in kept.files}
        np.savez(path, **arrays | {n: change(arrays[n]) for n, change in changes.items()})

    return act


def sparse(name: str, change: Callable[[Any], object]) -> Act:
    """Change a sparse matrix as a whole."""

    def act(world: World) -> None:
        path = world.datasets / name
        save_npz(path, change(load_npz(path)))

    return act


def put(where: Any, value: object) -> Change:
    """Write a value into some cells."""

    def change(array: NDArray[Any]) -> NDArray[Any]:
        array[where] = value
        return array

    return change


def mixed(*values: object) -> Change:
    """Put several values into the first row, as 64-bit numbers."""

    def change(array: NDArray[Any]) -> NDArray[Any]:
        array = array.astype(np.float64)
        array[0, : len(values)] = values
        return array

    return change


def fewer_classes_in_test(world: World) -> None:
    name = "item_factors_test_class_2_one.npy"
    moved("item_factors_test_class_3_one.npy", f"datasets/{name}")(world)
    dense(name, lambda a: a[:, :2])(world)
    gone("genre_labels_one.tsv")(world)


def one_flag_encrypted(content: bytes) -> bytes:
    """Set the bit of the first entry in a zip file's directory that says it is encrypted."""
    changed = bytearray(content)
    changed[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def flipped(marker: bytes, beyond: int) -> Callable[[bytes], bytes]:
    """Flip the bits of one byte that lies ``beyond`` a marker."""

    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[content.index(marker) + beyond] ^= 0xFF
        return bytes(changed)

    return change


PATCHES = "patches/patches_train_one_1_15.hdf5"
ITEMS_OF_ONE = [f"train-{n}" for n in range(40)]


def patches(
    *,
    name: str = PATCHES,
    ids: Sequence[str] = ITEMS_OF_ONE,
    shape: tuple[int, ...] = (40, 1, 5, 3),
    dtype: str = "f4",
) -> Act:
    """Write a file of patches for the train items of the dataset ``one``."""

    def act(world: World) -> None:
        path = world.root / "data" / name
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as store:
            store["features"] = np.ones(shape, dtype)
            store["index"] = np.array(ids, dtype="S20")
            store.attrs["complete"] = True

    return act


def stored(change: Callable[[Any], object]) -> Act:
    """Write a good file of patches and change it."""

    def act(world: World) -> None:
        patches()(world)
        with h5py.File(world.root / "data" / PATCHES, "a") as store:
            change(store)

    return act


def numbers_for_ids(store: Any) -> None:
    del store["index"]
    store["index"] = np.arange(40)


def one_value_is_nan(store: Any) -> None:
    store["features"][3, 0, 2, 1] = np.nan


def rows_beyond_any_memory(store: Any) -> None:
    """Promise 10¹³ rows that were never written."""
    del store["features"], store["index"]
    store.create_dataset("features", (10**13, 1, 5, 3), "f4", chunks=(1, 1, 5, 3))
    store.create_dataset("index", (10**13,), "S20", chunks=(8,))


def cut_patches(world: World) -> None:
    patches()(world)
    path = world.root / "data" / PATCHES
    path.write_bytes(path.read_bytes()[:-500])


# ------------------------------------------------------------------- where it is done, and checked


def only(dataset: str, folder: Path) -> World:
    """Make a tiny workspace with one dataset, which costs less than all three."""
    world = World(folder / "workspace")
    if dataset in ("", "rec"):
        world.recommendation("rec")
    else:
        world.classification(dataset, several=dataset == "many")
    return world


def check(tartarus: Command, world: World, *words: str) -> Any:
    """Run ``check-data`` and return its document; the status agrees with what it says."""
    outcome = tartarus("check-data", *words, "-w", world.root, "--json")
    document = outcome.document
    errors = [each for each in document["problems"] if each["severity"] == "error"]
    assert outcome.status == (1 if errors else 0)
    assert document["ok"] == (not errors)
    return document


def write_experiment(world: World, name: str, preset: str, dataset: str, dim: int) -> None:
    path = world.root / "experiments" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f'extends = "{preset}"\n[dataset]\nname = "{dataset}"\n[targets]\ndim = {dim}\n'
        "[training]\nepochs = 1\n"
    )
