"""What to do next: each command names one that works, from an empty workspace to a model."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array, save_npz

from tests.conftest import Command
from tests.worlds import SPLITS, USERS, World

FEW = ("--dim", 2, "--threads", 1)
QUICK = ("--set", "training.epochs=1", "--set", "network.hidden=4")


@pytest.fixture
def bare(world: World) -> World:
    """Return a world with a dataset ``bare``: ids and plays, and nothing else."""
    rng = np.random.default_rng(0)
    splits = {split: n for split, n in SPLITS.items() if split != "val"}
    world.ids("bare", splits)
    for split, count in splits.items():
        counts = rng.geometric(0.1, (count, USERS)) * (rng.random((count, USERS)) < 0.4)
        save_npz(world.datasets / f"matrix_{split}_bare.npz", csr_array(counts.astype(np.float32)))
    return world


def emb(world: World, name: str = "e.csv") -> Path:
    ids = (world.datasets / f"items_index_{split}_bare.tsv" for split in ("train", "test"))
    rows = [line for path in ids for line in path.read_text().split()]
    Path(name).write_text("id,a,b\n" + "".join(f"{each},{n},1\n" for n, each in enumerate(rows)))
    return Path(name)


def following(out: str) -> list[str]:
    """Return the words of the last command that is offered, without the remark behind it."""
    command = out.splitlines()[-1].removeprefix("Next: ").partition("   (")[0]
    return shlex.split(command)[1:]


def test_after_init_and_in_an_empty_workspace_split_and_fetch_are_named(
    tartarus: Command, tmp_path: Path
) -> None:
    made = tartarus("init", tmp_path / "new").out
    checked = tartarus("check-data", "-w", tmp_path / "new").out
    for out in (made, checked):
        assert "tartarus split NAME --plays FILE   (or --labels FILE)" in out
        assert "tartarus fetch" in out


@pytest.mark.parametrize(
    "words",
    [
        ("check-data", "nope"),
        ("features", "nope", "emb", "--from", "e.csv"),
        ("factorize", "nope", "als"),
        ("patches", "nope"),
        ("text", "nope", "vsm"),
        ("run", "rec_dense", "emb", "--dataset", "nope"),
        ("evaluate", "e.npy", "--experiment", "rec_dense", "--dataset", "nope"),
    ],
)
def test_without_such_a_dataset_the_ways_to_one_are_named(
    words: tuple[str, ...], tartarus: Command, world: World
) -> None:
    np.save("e.npy", np.ones((3, 2)))
    refused = tartarus(*words, "-w", world.root)
    assert (refused.status, "no dataset called 'nope'" in refused.err) == (2, True)
    assert "tartarus split NAME --plays FILE   (or --labels FILE; published ones: tartarus " in (
        refused.err
    )


def test_features_come_after_factors_where_there_are_none(tartarus: Command, bare: World) -> None:
    made = tartarus("factorize", "bare", "als", *FEW, "-w", bare.root)
    assert following(made.out) == ["features", "bare", "SETTING", "--from", "FILE"]
    tartarus("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    again = tartarus("factorize", "bare", "als", *FEW, "-w", bare.root)
    assert following(again.out)[:3] == ["run", "rec_dense", "emb"]


def test_factors_come_after_features_where_there_are_none(tartarus: Command, bare: World) -> None:
    words = ("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    shown = tartarus(*words)
    last = "tartarus factorize bare als   (then tartarus run rec_dense emb --dataset bare)"
    assert shown.out.splitlines()[-1] == f"Next: {last}"
    assert tartarus(*following(shown.out), *FEW, "-w", bare.root).status == 0
    again = tartarus(*words)
    assert following(again.out) == ["run", "rec_dense", "emb", "--dataset", "bare"]
    assert tartarus(*following(again.out), *QUICK, "-w", bare.root).status == 0


def test_among_factors_of_several_numbers_one_is_chosen(tartarus: Command, bare: World) -> None:
    for dim in (2, 3):
        tartarus("factorize", "bare", "als", "--dim", dim, "-w", bare.root)
    words = ("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    shown = tartarus(*words)
    assert following(shown.out)[-2:] == ["--set", "targets.dim=3"]
    assert tartarus(*following(shown.out), *QUICK, "-w", bare.root).status == 0
    refused = tartarus("run", "rec_dense", "emb", "--dataset", "bare", "-w", bare.root)
    assert (refused.status, "--set targets.dim=3" in refused.err) == (1, True)


def test_factors_of_mutual_information_are_asked_for(tartarus: Command, bare: World) -> None:
    tartarus("factorize", "bare", "pmi", "--dim", 2, "-w", bare.root)
    shown = tartarus("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    assert following(shown.out)[-2:] == ["--set", "targets.kind=pmi"]
    assert tartarus(*following(shown.out), *QUICK, "-w", bare.root).status == 0


def test_without_plays_or_factors_check_data_says_what_is_needed(
    tartarus: Command, bare: World
) -> None:
    (bare.datasets / "matrix_train_bare.npz").unlink()
    shown = tartarus("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    assert following(shown.out) == ["check-data", "bare"]


@pytest.mark.parametrize(
    ("experiment", "command"),
    [("rec_dense", "factorize bare als"), ("cosine_multilabel_vector", "factorize bare pmi")],
)
def test_an_experiment_without_targets_says_what_makes_them(
    experiment: str, command: str, tartarus: Command, bare: World
) -> None:
    tartarus("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    refused = tartarus("run", experiment, "emb", "--dataset", "bare", "-w", bare.root)
    assert (refused.status, f"Create them: tartarus {command}" in refused.err) == (1, True)
    shown = tartarus("check-data", "bare", "-w", bare.root)
    assert "Create them: tartarus factorize bare als" in shown.out


def test_a_setting_that_is_not_there_may_be_made_of_features(
    tartarus: Command, world: World
) -> None:
    refused = tartarus("run", "rec_dense", "my emb", "--dataset", "rec", "-w", world.root)
    assert (refused.status, "no setting called 'my emb'" in refused.err) == (2, True)
    assert "tartarus features rec 'my emb' --from FILE" in refused.err
