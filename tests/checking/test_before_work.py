"""``run`` and ``train`` stop at a damaged file before they begin."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.checking.damage import (
    Act,
    Damage,
    dense,
    fewer_classes_in_test,
    gone,
    lines,
    only,
    put,
    raw,
    write_experiment,
)
from tests.checking.damages import (
    ALS,
    IDS,
    LABEL_FACTORS,
    LABELS,
    MANY_TEST,
    MANY_TRAIN,
    ONE_TEST,
    ONE_TRAIN,
    TEST_IDS,
    TRUTH,
    USERS,
    X,
    missing,
    named,
)
from tests.conftest import Command
from tests.worlds import World

STOPPING_BOTH = (
    *named("NaN", "NaN in targets", "64-bit numbers beyond 32 bits"),
    *named("a row too few", "targets a row short"),
    *named("a duplicate id", "ids in Latin 1", "no ids"),
    *named("a file cut short", "half a header"),
    *named("Python objects", "a pickle of rows", "strings"),
    *named("other ids in the old place", "other features in the old place"),
    *named("other targets under the old name"),
    *map(missing, (IDS, ALS, X("train"))),
)
STOPPING_RUN = (
    *STOPPING_BOTH,
    *named("an empty npz", "flipped bits in the truth", "an npz that calls itself encrypted"),
    *named("a user out of range", "truth in CSC format", "COO format"),
    *named("truth of zeros", "NaN in user factors", "infinity", "a column too few in test"),
    *named("truth of 11 items", "truth of 8 users", "transposed truth", "8 users' ids"),
    *map(missing, (TEST_IDS, USERS, TRUTH, X("test"))),
)
NO_CLASSES, FOUR_FACTORS = named(
    "real-valued pmi targets instead of the classes of the test items",
    "4 label factors and no label names",
)
NO_TRAINING = ("keras", "jax", "sklearn")


def _stops(tartarus: Command, world: World, *words: str, file: str) -> None:
    outcome = tartarus(*words, "-w", world.root)
    assert outcome.status == 1
    assert outcome.out == ""
    assert Path(file).name in outcome.err
    assert "hint:" in outcome.err
    assert not list((world.root / "data").glob("models/*"))
    assert not list((world.root / "data").glob("factors/*"))


@pytest.fixture
def _keras_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every import of the heavy libraries fail, so that one is a traceback."""
    for name in NO_TRAINING:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("_keras_is_out_of_reach")
@pytest.mark.parametrize("damage", STOPPING_RUN, ids=lambda damage: damage.what)
def test_a_run_stops_at_a_damaged_file_and_leaves_nothing(
    damage: Damage, tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    write_experiment(world, "mine", "rec_dense", "rec", dim=4)
    damage.act(world)
    _stops(tartarus, world, "run", "mine", "text", file=damage.file)


@pytest.mark.usefixtures("_keras_is_out_of_reach")
@pytest.mark.parametrize("damage", STOPPING_BOTH, ids=lambda damage: damage.what)
def test_a_training_stops_at_a_damaged_file_and_leaves_nothing(
    damage: Damage, tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    write_experiment(world, "mine", "rec_dense", "rec", dim=4)
    damage.act(world)
    _stops(tartarus, world, "train", "mine", "text", file=damage.file)


@pytest.mark.usefixtures("_keras_is_out_of_reach")
@pytest.mark.parametrize(
    ("preset", "dataset", "act", "file"),
    [
        ("single-label-vector", "one", dense(ONE_TRAIN, put(0, 1)), ONE_TRAIN),
        ("single-label-vector", "one", dense(ONE_TEST, put(0, 0)), ONE_TEST),
        ("single-label-vector", "one", gone(ONE_TEST), ONE_TEST),
        ("single-label-vector", "one", dense(ONE_TEST, lambda a: a[1:]), ONE_TEST),
        ("logistic_multilabel_vector", "many", dense(MANY_TRAIN, put(0, 0.5)), MANY_TRAIN),
        ("logistic_multilabel_vector", "many", lines(LABELS, lambda a: a[1:]), LABELS),
        ("cosine_multilabel_vector", "many", gone(LABEL_FACTORS), LABEL_FACTORS),
        ("cosine_multilabel_vector", "many", gone(MANY_TEST), MANY_TEST),
        ("cosine_multilabel_vector", "many", raw(MANY_TEST, lambda b: b[:9]), MANY_TEST),
        ("cosine_multilabel_vector", "many", dense(LABEL_FACTORS, np.transpose), LABEL_FACTORS),
        ("cosine_multilabel_vector", "many", NO_CLASSES.act, MANY_TEST),
        ("cosine_multilabel_vector", "many", FOUR_FACTORS.act, LABEL_FACTORS),
        ("single-label-vector", "one", fewer_classes_in_test, "_one.npy"),
    ],
)
def test_a_run_of_a_classification_stops_at_a_damaged_file_and_leaves_nothing(
    preset: str, dataset: str, act: Act, file: str, tartarus: Command, tmp_path: Path
) -> None:
    world = only(dataset, tmp_path)
    write_experiment(world, "mine", preset, dataset, 2 if "cosine" in preset else 3)
    act(world)
    _stops(tartarus, world, "run", "mine", "text", file=file)


@pytest.mark.parametrize("command", ["run", "train"])
def test_a_damaged_file_is_told_before_anything_heavy_is_imported(
    command: str, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    write_experiment(world, "mine", "rec_dense", "rec", dim=4)
    named("NaN")[0].act(world)
    code = (
        "import json, sys\n"
        "from tartarus_cli.cli.app import app\n"
        "try:\n    app()\nexcept SystemExit as end:\n    status = end.code\n"
        "print(json.dumps([status, sorted({name.partition('.')[0] for name in sys.modules})]))\n"
    )
    words = [sys.executable, "-c", code, command, "mine", "text", "-w", str(world.root)]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
    status, modules = json.loads(shown.stdout)
    assert status == 1
    assert "X_train_text_rec.npy: NaN or infinity" in shown.stderr
    heavy = {"keras", "jax", "torch", "tensorflow", "librosa", "sklearn", "matplotlib", "implicit"}
    assert "scipy" in modules
    assert not heavy & set(modules)


@pytest.mark.usefixtures("_keras_is_out_of_reach")
def test_warnings_do_not_stop_a_training(tartarus: Command, tmp_path: Path) -> None:
    world = only("rec", tmp_path)
    write_experiment(world, "mine", "rec_dense", "rec", dim=4)
    named("all-zero rows")[0].act(world)
    outcome = tartarus("train", "mine", "text", "-w", world.root)
    assert outcome.status == 1
    assert "import of keras halted" in outcome.err
