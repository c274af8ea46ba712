"""Shares of users, as a worker ranks for them."""

from itertools import pairwise
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from tartarus_cli.errors import DataError
from tartarus_cli.evaluation import shares
from tartarus_cli.evaluation.preparation import PreparedRanking, RankingOptions, prepare_ranking
from tartarus_cli.evaluation.shares import cut_shares, rank_share
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.prediction.aligned import file_predictions
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.scoring.blocks import MemoryBudget
from tartarus_cli.workspace import open_workspace
from tests.worlds import World

USERS, ITEMS, DIM = 20, 30, 4


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a workspace with predictions."""
    world = World(tmp_path / "one")
    users = world.rng.standard_normal((USERS, DIM)).astype(np.float32)
    liked = world.rng.random((USERS, ITEMS)) < 0.3
    world.rankable(users, world.rng.standard_normal((ITEMS, DIM)), liked)
    np.save(world.root / "predicted.npy", world.rng.standard_normal((ITEMS, DIM)))
    return world.root


def prepared(root: Path) -> PreparedRanking:
    workspace = open_workspace(root)
    experiment = resolve("rec_dense", dataset="rec", overrides=[f"targets.dim={DIM}"])
    path, dataset = root / "predicted.npy", workspace.dataset("rec")
    predictions = file_predictions(path, experiment, dataset, None, UNWATCHED)
    return prepare_ranking(predictions, RankingOptions(), UNWATCHED)


def parts(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("data/results/parts/predicted/*"))


def test_a_worker_writes_into_the_workspace_that_is_named_though_another_has_the_same_files(
    root: Path, tmp_path: Path
) -> None:
    other = Path(copytree(root, tmp_path / "two"))
    for each, users in ((root, [0, 10]), (other, [10, 20]), (root, [3, 4])):
        rank_share(**shares._arguments(prepared(each)), users=users)
    assert parts(root) == ["users_0_10.npz", "users_3_4.npz"]
    assert parts(other) == ["users_10_20.npz"]


def test_a_worker_that_sees_other_files_ranks_nothing(root: Path) -> None:
    arguments = shares._arguments(prepared(root))
    np.save(root / "predicted.npy", np.zeros((ITEMS, DIM)))
    with pytest.raises(DataError, match="is not the same on this worker"):
        rank_share(**arguments, users=[0, 10])
    assert parts(root) == []


def test_shares_are_whole_blocks_and_not_too_many() -> None:
    budget = MemoryBudget(items=10, memory=1000)
    users = slice(3, 100_000 * budget.users)
    cut = cut_shares([users], budget)
    assert (cut[0].start, cut[-1].stop) == (users.start, users.stop)
    assert all(one.stop == other.start for one, other in pairwise(cut))
    assert all(share.start % budget.users == 0 for share in cut[1:])
    assert len(cut) <= shares.MOST_SHARES
