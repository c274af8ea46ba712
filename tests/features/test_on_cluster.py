"""``features --cluster``: what workers read gives the files of one process."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array, save_npz

from tartarus_cli.distribution import run_tasks
from tartarus_cli.features import converted
from tests.conftest import Command
from tests.worlds import World

SPLITS = {"train": 40, "val": 10, "test": 10}


@pytest.fixture(autouse=True)
def shares_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do the shares in this process, the last ones first, and cut few rows into many of them."""

    def run(function: Any, tasks: Any, *, cluster: str, **more: Any) -> Any:
        assert cluster == "local"
        return run_tasks(function, [*reversed(tasks)], cluster=None, **more)

    monkeypatch.setattr(converted, "run_tasks", run)
    monkeypatch.setattr(converted, "FEWEST_ROWS", 7)


def numbers(seed: int = 0) -> tuple[list[str], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    ids = [f"{split}-{n}" for split, count in SPLITS.items() for n in range(count)]
    ids = [*rng.permutation([*ids, "other-1", "other-2"])]
    return ids, rng.standard_normal((len(ids), 5)).astype(np.float32)


def matrix(folder: Path) -> list[object]:
    ids, values = numbers()
    np.save(folder / "m.npy", values)
    (folder / "ids.txt").write_text("".join(f"{item}\n" for item in ids))
    return ["--from", folder / "m.npy", "--ids", folder / "ids.txt", "--scale"]


def sparse(folder: Path) -> list[object]:
    ids, values = numbers()
    save_npz(folder / "m.npz", csr_array(values * (values > 1)))
    (folder / "ids.txt").write_text("".join(f"{item}\n" for item in ids))
    return ["--from", folder / "m.npz", "--ids", folder / "ids.txt"]


def parquet(folder: Path) -> list[object]:
    ids, values = numbers()
    parts = folder / "parts"
    parts.mkdir()
    for number, rows in enumerate((slice(0, 30), slice(30, None))):
        columns = {"id": ids[rows], "v": [*values[rows]]}
        pl.DataFrame(columns).write_parquet(parts / f"part-{number}.parquet")
    return ["--from", parts, "--dense"]


def text(folder: Path) -> list[object]:
    ids, values = numbers()
    pl.DataFrame({"id": ids, "a": values[:, 0], "b": values[:, 1]}).write_csv(folder / "t.csv")
    return ["--from", folder / "t.csv", "--without", "b"]


def tags(folder: Path) -> list[object]:
    ids, values = numbers()
    names = [f"tag{n}|tag{n % 3}" for n in (np.abs(values[:, 0]) * 4).astype(int)]
    pl.DataFrame({"id": ids, "tag": names}).write_parquet(folder / "t.parquet")
    return ["--from", folder / "t.parquet", "--tags", "--tag-separator", "|"]


@pytest.mark.parametrize("write", [matrix, sparse, parquet, text, tags])
def test_a_cluster_writes_the_files_of_one_process_byte_for_byte(
    write: Callable[[Path], list[object]], tmp_path: Path, tartarus: Command
) -> None:
    words = write(tmp_path)
    files = []
    for name, more in (("alone", []), ("shared", ["--cluster", "local"])):
        world = World(tmp_path / name)
        world.ids("rec", SPLITS)
        done = tartarus("features", "rec", "mine", *words, *more, "-w", world.root)
        assert done.status == 0, done.err
        made = [path for path in (world.root / "data").rglob("*") if path.suffix != ".lock"]
        files.append({path.name: path.read_bytes() for path in made if path.is_file()})
    assert files[0] == files[1]


@pytest.mark.parametrize(("row", "found"), [(50, "row 50, column 2"), (60, "60")])
def test_a_fault_is_explained_as_without_a_cluster(
    row: int, found: str, tmp_path: Path, tartarus: Command
) -> None:
    ids, values = numbers()
    if row == 50:
        words = matrix(tmp_path)
        values[row, 2] = np.nan
        np.save(tmp_path / "m.npy", values)
    else:
        vectors = [value[: 4 if n >= row - 1 else 5] for n, value in enumerate(values)]
        pl.DataFrame({"id": ids, "v": vectors}).write_parquet(tmp_path / "t.parquet")
        words = ["--from", tmp_path / "t.parquet"]
    world = World(tmp_path / "world")
    world.ids("rec", SPLITS)
    ask = partial(tartarus, "features", "rec", "mine", *words, "-w", world.root)
    alone, shared = ask(), ask("--cluster", "local")
    assert alone.status == shared.status == 1
    assert found in alone.err
    assert shared.err == alone.err
    assert not [*world.features.glob("*.np?")]
