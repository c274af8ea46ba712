"""Two-tower networks whose items are patches, words, or inputs of several kinds."""

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from tartarus_cli.data.patches import write_patches
from tartarus_cli.models.store import Store
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.sharing import made_once
from tests.worlds import SPLITS, World

FRAMES, BINS, EACH, WORDS = 12, 8, 2, 9
LAYERS = ("kernels=[[3, 8], [2, 1]]", "filters=[4, 4]", "pools=[[2, 1], [1, 1]]", "hidden=[]")
QUICK = ("training.epochs=1", "targets.dim=4")
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "patches": ((), ("network.name=audio_cnn", "inputs.kind=patches", *QUICK)),
    "words": (("words",), ("network.name=text_cnn", "inputs.kind=sequence", *QUICK)),
    "patches and features": (
        ("text",),
        ("network.name=audio_with_vector", 'inputs.kind=["patches", "features"]', *QUICK),
    ),
}
OF_PATCHES = [kind for kind in KINDS if "patches" in kind]


def write_inputs(root: Path) -> None:
    """Write val items with plays, two patches for all items but one of each set, and words."""
    world = World(root)
    world.recommendation("rec", val=True)
    rng = np.random.default_rng(0)
    (root / "data" / "patches").mkdir()
    for split, count in SPLITS.items():
        numbers = rng.permutation(np.repeat(np.arange(1, count), EACH))
        values = rng.standard_normal((len(numbers), FRAMES, BINS)).astype(np.float32)
        ids = [f"{split}-{number}" for number in numbers]
        path = root / "data" / "patches" / f"patches_{split}_rec_2_1.hdf5"
        write_patches(path, ids, [values], (FRAMES, BINS), {"fingerprint": "same"})
        words = rng.integers(0, WORDS, (count, 7)).astype(np.float32)
        np.save(world.features / f"X_{split}_words_rec.npy", words)
    vectors = rng.standard_normal((WORDS, 5)).astype(np.float32)
    np.save(world.features / "embedding_words_rec.npy", vectors)


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "towers", write_inputs)


@pytest.fixture
def many_kinds(_written: Path, tmp_path: Path) -> World:
    """Return a world whose items have patches, words and features."""
    return World(Path(copytree(_written, tmp_path / "workspace")))


def words_of(kind: str, *more: str) -> list[str]:
    settings, overrides = KINDS[kind]
    texts = [*overrides, *more]
    if "patches" in kind:
        texts += [f"network.{text}" for text in LAYERS]
    sets = [word for text in texts for word in ("--set", text)]
    return ["two_tower", *settings, "--dataset", "rec", *sets]


@pytest.mark.parametrize(("kind", "val"), [*((kind, True) for kind in KINDS), ("patches", False)])
def test_a_tower_of_any_kind_is_trained_and_evaluated(
    kind: str, *, val: bool, tartarus: Command, many_kinds: World
) -> None:
    if not val:
        (many_kinds.datasets / "items_index_val_rec.tsv").unlink()
    done = tartarus("run", *words_of(kind), "-w", many_kinds.root, "--json")
    assert done.status == 0, done.err
    assert 0 < done.document["metrics"]["MAP@500"] <= 1
    model = Store(open_workspace(many_kinds.root)).get("model_1")
    assert model.manifest.form == "vectors"
    assert model.manifest.validation_score is not None
    assert 0 < model.manifest.validation_score < 1
    rows = np.load(many_kinds.root / "data" / "factors" / "factors_model_1.npy")
    present = SPLITS["test"] - (kind in OF_PATCHES)
    assert rows.shape == (present, 5)
    ids = (many_kinds.root / "data" / "factors" / "index_factors_model_1.tsv").read_text().split()
    assert len(ids) == present


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("override", ["two_tower.users=history", "two_tower.residual=ridge"])
def test_what_reads_features_alone_is_refused_for_other_inputs(
    kind: str, override: str, tartarus: Command, many_kinds: World
) -> None:
    done = tartarus("train", *words_of(kind, override), "-w", many_kinds.root)
    assert done.status == 2, done.err
    assert override.replace("=", " = ") in done.err
    assert "hint:" in done.err
    assert Store(open_workspace(many_kinds.root)).all() == []


def test_a_ridge_on_plays_reads_no_words(tartarus: Command, many_kinds: World) -> None:
    done = tartarus("train", "ridge_plays", "words", "--dataset", "rec", "-w", many_kinds.root)
    assert done.status == 2
    assert "words holds sequences of words, and ridge_plays reads feature vectors" in done.err
    assert Store(open_workspace(many_kinds.root)).all() == []


def test_a_tower_of_patches_learns_from_crops_of_them(tartarus: Command, many_kinds: World) -> None:
    more = ("training.crops=0.5", "augment.shift=0.1", "training.schedule=one_cycle")
    done = tartarus("train", *words_of("patches", *more), "-w", many_kinds.root)
    assert done.status == 0, done.err
    (model,) = Store(open_workspace(many_kinds.root)).finished()
    assert model.manifest.layers[0].shape == (FRAMES // 2, BINS, 1)
    assert model.manifest.validation_score is not None
