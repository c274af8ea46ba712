"""Models that learn from plays, through the command: what they score, and where they come from."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, load_npz, save_npz

from tartarus_cli.baselines.ridge_plays import leave_one_out_weights
from tartarus_cli.errors import TrainingError
from tartarus_cli.models.store import Model, Store
from tartarus_cli.training.baseline import open_fitted
from tartarus_cli.workspace import open_workspace
from tests.conftest import run_command
from tests.evaluation.test_evaluate import hand_map
from tests.sharing import made_once
from tests.worlds import SPLITS, USERS, World

Floats = NDArray[np.floating[Any]]
QUICK = ("--set", "training.epochs=2", "--set", "targets.dim=6")
BOTH = ("text-sparse", "audio", "--dataset", "rec")
ONE_SHAPE = (
    *("--set", "network.powers=1.25", "--set", "network.count_exponents=0.25"),
    *("--set", "network.weights=1"),
)
TRAINED: dict[str, tuple[object, ...]] = {
    "model_1": ("ridge_plays", *BOTH, *ONE_SHAPE, "--set", "network.strengths=1"),
    "model_2": ("two_tower", *BOTH, *QUICK),
    "model_3": ("two_tower", *BOTH, *QUICK, "--set", "two_tower.users=als"),
    "model_4": ("two_tower", *BOTH, *QUICK, "--set", "two_tower.users=history"),
    "model_6": ("two_tower", *BOTH, *QUICK, "--set", "two_tower.residual=ridge"),  # 5 is its ridge
    "model_7": ("cold_sparse", *BOTH, "--set", 'network.parts=["model_1", "model_2", "model_3"]'),
}
RIDGE, OWN, FROZEN, HISTORY, RESIDUAL, BLEND = TRAINED
HOLDING_OUT = {
    "ridge of features": ("ridge_plays", "text", "--set", "network.kernel=linear"),
    "ridge of cosines": ("ridge_plays", "text"),
    "histories": ("two_tower", "text", *QUICK, "--set", "two_tower.users=history"),
}


def run(root: Path, *words: object) -> Any:
    done = run_command(*words, "-w", root, "--json")
    assert done.status == 0, done.err
    return json.loads(done.out)


def write_models(root: Path) -> None:
    world = World(root)
    world.recommendation("rec", val=True)
    forget_a_user(world)
    for words in TRAINED.values():
        run(root, "train", *words)
    for model in TRAINED:
        run(root, "predict", model)


def forget_a_user(world: World) -> None:
    """Let the last user have no train item, only items of the other sets."""
    path = world.datasets / "matrix_train_rec.npz"
    plays = load_npz(path).toarray()
    plays[:, -1] = 0
    save_npz(path, csr_array(plays))


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "plays", write_models)


@pytest.fixture
def learnt(_written: Path, tmp_path: Path) -> World:
    """Return a world with a model of each kind that learns from plays, which have predicted."""
    return World(Path(copytree(_written, tmp_path / "workspace")))


def plays_of(world: World, split: str) -> Floats:
    """Read who has which items of a set, ``(users, items)``."""
    return np.asarray(load_npz(world.datasets / f"matrix_{split}_rec.npz").toarray().T > 0, float)


def rows_of(world: World, model: str) -> Floats:
    return np.asarray(np.load(world.root / "data" / "factors" / f"factors_{model}.npy"), float)


def model_of(world: World, name: str) -> Model:
    return Store(open_workspace(world.root)).get(name)


def direct_scores(world: World, name: str) -> Floats:
    """Compute the scores ``(users, test items)`` of a model from its files, by NumPy."""
    model, train = model_of(world, name), plays_of(world, "train")
    manifest = model.manifest
    train[:, manifest.items["fit"] :] = 0  # what validated is no part of any sum
    if manifest.form == "blend":
        parts = {part: direct_scores(world, part) for part in manifest.parts}
        total = np.zeros((USERS, SPLITS["test"]))
        for part, scores in parts.items():
            spread = scores.std(axis=1, keepdims=True)
            centred = scores - scores.mean(axis=1, keepdims=True)
            total += manifest.parts[part] * centred / np.where(spread > 0, spread, 1)
        return total
    rows = rows_of(world, name)
    if manifest.form == "weights":
        return np.asarray(train @ rows.T)
    if manifest.users == "own":
        users = np.load(model.folder / "user_vectors.npy")
    elif manifest.users == "features":
        users = train @ np.load(world.features / "X_train_text_rec.npy")
    elif manifest.users == "history":
        counts = np.maximum(train.sum(axis=1, keepdims=True), 1)
        users = train @ np.load(model.folder / "train_vectors.npy") / counts**0.75
    else:
        users = np.load(world.datasets / "user_factors_als_4_rec.npy")
    scores = users @ rows[:, :-1].T + rows[:, -1]
    for part, weight in manifest.parts.items():
        scores = scores + weight * direct_scores(world, part)
    return np.asarray(scores)


def listed_scores(world: World, model: str) -> Floats:
    """Return the scores ``(users, test items)`` that ``recommend`` writes; NaN for no list."""
    told = run(world.root, "recommend", model, "--top", SPLITS["test"])
    scores = np.full((USERS, SPLITS["test"]), np.nan)
    for line in (world.root / told["file"]).read_text().splitlines()[1:]:
        user, _, item, score = line.split("\t")
        scores[int(user), int(item.removeprefix("test-"))] = float(score)
    return scores


@pytest.mark.parametrize("model", TRAINED)
def test_the_scores_of_a_model_are_a_direct_product(model: str, learnt: World) -> None:
    expected = direct_scores(learnt, model)
    listed = listed_scores(learnt, model)
    known = ~np.isnan(listed[:, 0])
    assert listed[known] == pytest.approx(expected[known], abs=1e-5)
    assert known.tolist() == [user < USERS - 1 or model != RIDGE for user in range(USERS)]
    figures = run(learnt.root, "evaluate", model)["metrics"]
    relevant = plays_of(learnt, "test") > 0
    rounded = expected.round(5)[known]
    assert figures["MAP@500"] * USERS == pytest.approx(
        hand_map(rounded, relevant[known]) * known.sum()
        + (0 if known.all() else run_of_the_unknown(learnt, relevant[~known])),
        abs=1e-6,
    )


@pytest.mark.parametrize("name", HOLDING_OUT)
def test_train_items_that_were_held_out_are_no_part_of_the_scores(name: str, world: World) -> None:
    run(world.root, "train", *HOLDING_OUT[name], "--dataset", "rec")
    run(world.root, "predict")
    model = model_of(world, "model_1")
    assert model.manifest.items == {"fit": 36, "validation": 4, "held out": 0}
    expected = direct_scores(world, "model_1")
    assert listed_scores(world, "model_1") == pytest.approx(expected, abs=1e-5)
    if name != "ridge of features":
        return
    assert model.manifest.users == "features"
    train, test = (np.load(world.features / f"X_{s}_text_rec.npy") for s in ("train", "test"))
    fit, plays = train[:36].astype(float), plays_of(world, "train")[:, :36]
    with np.load(model.arrays) as arrays:
        strength = float(arrays["strength"])
    solved = np.linalg.solve(fit @ fit.T + strength * np.eye(36), plays.T)
    assert expected == pytest.approx((test @ fit.T @ solved).T, abs=1e-5)


@pytest.mark.parametrize("model", [OWN, HISTORY, RIDGE])
def test_vectors_of_users_belong_to_the_plays_that_they_were_learnt_from(
    model: str, learnt: World
) -> None:
    path = learnt.datasets / "matrix_train_rec.npz"
    save_npz(path, csr_array(np.roll(load_npz(path).toarray(), 1, axis=1)))
    done = run_command("evaluate", model, "-w", learnt.root)
    assert done.status == (1 if model == OWN else 0), done.err  # others know users by new plays
    assert (f"{path.name} is not what it was when {model} was trained" in done.err) == (
        model == OWN
    )
    path.unlink()
    gone = run_command("evaluate", model, "-w", learnt.root)
    assert (gone.status, "is missing" in gone.err) == ((0, False) if model == OWN else (1, True))


def test_features_that_users_are_sums_of_must_not_change(world: World) -> None:
    run(world.root, "train", *HOLDING_OUT["ridge of features"], "--dataset", "rec")
    run(world.root, "predict")
    path = world.features / "X_train_text_rec.npy"
    np.save(path, np.load(path)[::-1])
    done = run_command("evaluate", "-w", world.root)
    assert done.status == 1
    assert f"{path.name} is not what it was when model_1 was trained" in done.err


def run_of_the_unknown(world: World, relevant: NDArray[np.bool_]) -> float:
    """Return the average precision of a user to whom all items score the same."""
    from tartarus_cli.scoring.relevant import drawn_order

    ids = (world.datasets / "items_index_test_rec.tsv").read_text().split()
    order = drawn_order(ids, 0)
    return hand_map(np.zeros((1, len(order))), relevant[:, order])


def test_the_ridge_of_two_settings_is_that_of_numpy(learnt: World) -> None:
    train, test = (
        [
            load_npz(learnt.features / f"X_{split}_text-sparse_rec.npz").toarray(),
            np.load(learnt.features / f"X_{split}_audio_rec.npy"),
        ]
        for split in ("train", "test")
    )
    counts = [sum((rows != 0).sum(axis=1) for rows in rows_of_set) for rows_of_set in (train, test)]
    mean, deviation = train[1].mean(axis=0), train[1].std(axis=0)
    units = []
    for first, second in (train, test):
        scaled = (second - mean) / deviation
        both = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
                for rows in (first.astype(float), scaled)]  # fmt: skip
        joined = np.hstack(both)
        units.append(joined / np.linalg.norm(joined, axis=1, keepdims=True))

    def kernel(rows: int) -> Floats:
        cosines = units[rows] @ units[0].T
        scale = np.outer(counts[rows], counts[0]) ** 0.25
        return np.asarray(np.sign(cosines) * np.abs(cosines) ** 1.25 * scale)

    model = model_of(learnt, RIDGE)
    with np.load(model.arrays) as arrays:
        strength = float(arrays["strength"])
    assert strength == pytest.approx(np.diag(kernel(0)).mean(), rel=1e-5)
    expected = kernel(1) @ np.linalg.inv(kernel(0) + strength * np.eye(SPLITS["train"]))
    assert rows_of(learnt, RIDGE) == pytest.approx(expected, abs=1e-6)
    assert model.manifest.form == "weights"
    weights = leave_one_out_weights(open_fitted(model))
    inverse = np.linalg.inv(kernel(0) + strength * np.eye(SPLITS["train"]))
    expected = -inverse / np.diag(inverse)[:, None]
    np.fill_diagonal(expected, 0)
    assert weights == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("model", TRAINED)
def test_the_map_of_the_validation_items_is_what_an_evaluation_of_them_says(
    model: str, learnt: World
) -> None:
    make_val_items_test_items(learnt)
    chosen = model_of(learnt, model).manifest.validation_score
    run(learnt.root, "predict", model, "--accept-changed-inputs")
    figures = run(learnt.root, "evaluate", model)["metrics"]
    assert figures["MAP@500"] == pytest.approx(chosen, abs=1e-9)


@pytest.mark.parametrize("model", [RIDGE, RESIDUAL, BLEND])
def test_predictions_stay_the_same_when_there_are_no_val_items_any_more(
    model: str, learnt: World
) -> None:
    before = listed_scores(learnt, model)
    (learnt.datasets / "items_index_val_rec.tsv").unlink()
    done = run_command("predict", model, "-w", learnt.root)
    assert "held out" not in done.err
    assert np.array_equal(listed_scores(learnt, model), before, equal_nan=True)


def make_val_items_test_items(world: World) -> None:
    """Put the val items, with their features and plays, in place of the test items."""
    for folder in (world.datasets, world.features):
        for path in [*folder.iterdir()]:
            if "_val_" in path.name and path.is_file():
                path.replace(path.with_name(path.name.replace("_val_", "_test_")))


# -------------------------------------------------- equal seeds, and what a broken training leaves


def files_of(root: Path, *names: str) -> dict[str, bytes]:
    """Read what was learnt and predicted, by the names of the files."""
    folder = root / "data"
    paths = [*(folder / "models").rglob("*.np?"), *(folder / "factors").iterdir()]
    paths += [folder / "models" / name / "history.csv" for name in names]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def weights_of(root: Path, model: str) -> list[bytes]:
    from tartarus_cli.models.networks import load_network

    network = load_network(Store(open_workspace(root)).get(model))
    return [np.asarray(weight).tobytes() for weight in network.get_weights()]


def test_equal_seeds_give_equal_bytes(learnt: World, tmp_path: Path) -> None:
    again = tmp_path / "again"
    world = World(again)
    world.recommendation("rec", val=True)
    forget_a_user(world)
    for model in (RIDGE, OWN):
        run(again, "train", *TRAINED[model])
        run(again, "predict", model)
    for name in files_of(again):
        assert (again / name).read_bytes() == (learnt.root / name).read_bytes(), name
    assert weights_of(again, OWN) == weights_of(learnt.root, OWN)
    run(again, "train", *TRAINED[OWN], "--seed", 1)
    assert weights_of(again, "model_3") != weights_of(again, OWN)


def test_a_blend_that_is_trained_again_uses_its_parts_again_and_is_the_same(learnt: World) -> None:
    before = model_of(learnt, BLEND)
    told = run(learnt.root, "train", *TRAINED[BLEND])
    again = model_of(learnt, told["model"])
    assert again.manifest.parts == before.manifest.parts
    assert again.arrays.read_bytes() == before.arrays.read_bytes()
    assert again.manifest.trials == before.manifest.trials


PARTS = ("--set", 'network.parts=["knn", "two_tower", "ridge_plays"]')


@pytest.mark.parametrize("fails", [KeyboardInterrupt, TrainingError])
def test_parts_that_were_finished_are_used_again_after_a_break(
    fails: type[BaseException], learnt: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("cold_sparse", *BOTH, *PARTS)
    first = len(TRAINED) + 2  # models there are, with the ridge of the residual

    def broken(*_: object, **__: object) -> None:
        raise fails("") if fails is KeyboardInterrupt else TrainingError("diverged", hint="")

    with monkeypatch.context() as patch:
        patch.setattr("tartarus_cli.training.network.fit_plays", broken)
        done = run_command("train", *words, "-w", learnt.root)
    assert done.status == (130 if fails is KeyboardInterrupt else 1)
    store = Store(open_workspace(learnt.root))
    statuses = {model.name: model.manifest.status for model in store.all()}
    half = f"model_{first + 1}"
    assert statuses.pop(half) == ("interrupted" if fails is KeyboardInterrupt else "failed")
    assert {*statuses.values()} == {"finished"}
    assert len(statuses) == first
    again = run_command("train", *words, "-w", learnt.root, "--json")
    assert again.status == 0, again.err
    assert f"knn text-sparse audio: model_{first} is used again" in again.err
    blend = model_of(learnt, json.loads(again.out)["model"])
    # What was only stopped goes on under its number.
    assert (half in blend.manifest.parts) == (fails is KeyboardInterrupt)
    assert len(blend.manifest.parts) == 3
