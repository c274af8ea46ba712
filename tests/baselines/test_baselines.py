"""Baselines: their arithmetic beside scikit-learn's, and their life as models."""

import json
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, load_npz, random_array, save_npz
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.baselines import (
    BASELINES,
    Examples,
    Features,
    TrainingExamples,
    row_products,
    similarity,
)
from tartarus_cli.baselines import ridge_system as ridge_module
from tartarus_cli.baselines.popularity import score_by_tags, tag_popularity
from tartarus_cli.baselines.random_predictions import draw_predictions
from tartarus_cli.baselines.ridge import RELATIVE_STRENGTHS, RidgeOptions, cosine_loss
from tartarus_cli.baselines.ridge_system import RidgeSystem
from tartarus_cli.baselines.similarity import average_targets, find_neighbours
from tartarus_cli.errors import TrainingError
from tartarus_cli.evaluation.baseline_rows import evaluate_baselines
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.losses import cosine_loss as network_loss
from tartarus_cli.models.manifest import ModelManifest
from tartarus_cli.models.store import Model, Store, write_experiment
from tartarus_cli.progress import SilentProgress
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.worlds import DIM, SPLITS, World

SETTINGS = {
    "knn": ["text", "audio"],
    "ridge": ["text", "audio-sparse"],
    "logistic": ["text", "audio-sparse"],
    "popularity": ["tags"],
    "ridge_plays": ["text", "audio-sparse"],
}
CLASSIFYING = ["knn", "logistic", "prior", "random", "ridge"]
RECOMMENDING = ["artist_mean", "knn", "oracle", "popularity", "random", "ridge", "ridge_plays"]


def sparse(rows: int, width: int, seed: int = 0, density: float = 0.3) -> csr_array:
    rng = np.random.default_rng(seed)
    return random_array((rows, width), density=density, format="csr", rng=rng)


def dense(rows: int, width: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((rows, width))


def joined(inputs: list[Features]) -> csr_array:
    """Join settings as the definition says: each divided by its L2 norm, side by side."""
    return hstack([normalize(csr_array(rows)) for rows in inputs], format="csr")


KINDS: dict[str, list[Features]] = {
    "dense": [dense(60, 8)],
    "sparse": [sparse(60, 30)],
    "both": [dense(60, 8), sparse(60, 30)],
}


def test_no_name_is_both_a_network_and_a_baseline() -> None:
    assert not {*BASELINES.names()} & {*ARCHITECTURES.names()}


@pytest.mark.parametrize("tile", [7, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_the_nearest_are_those_of_scikit_learn(
    kind: str, tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "TILE_ITEMS", tile)
    train, items = (
        [features[rows] for features in KINDS[kind]] for rows in (slice(45), slice(45, 60))
    )
    similarities = find_neighbours(items, train, 5).toarray()
    expected = NearestNeighbors(n_neighbors=45, metric="cosine", algorithm="brute")
    far, order = expected.fit(joined(train)).kneighbors(joined(items))
    for row in range(15):
        best = [(n, 1 - d) for n, d in zip(order[row], far[row], strict=True) if d < 1 - 1e-12][:5]
        assert np.flatnonzero(similarities[row]).tolist() == sorted(n for n, _ in best)
        for number, expected_cosine in best:
            assert similarities[row, number] == pytest.approx(expected_cosine)


@pytest.mark.parametrize("tile", [2, 3, 1000])
@pytest.mark.parametrize("form", [np.array, csr_array])
def test_of_equally_similar_train_items_the_earlier_ones_are_taken(
    form: Any, tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "TILE_ITEMS", tile)
    train = form([[0.1, 0.7], [1.0, 0.0], [0.2, 1.4], [0.3, 2.1], [0.1, 0.7]])
    similarities = find_neighbours([form([[0.1, 0.7], [0.0, 0.0]])], [train], 3)
    assert similarities.toarray()[0] == pytest.approx([1, 0, 1, 1, 0])
    assert similarities.toarray()[1].tolist() == [0] * 5  # a row of zeros is similar to nothing


@pytest.mark.parametrize("tile", [2, 3, 1000])
def test_of_equally_similar_train_items_the_first_ids_are_taken_wherever_they_stand(
    tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "TILE_ITEMS", tile)
    rng = np.random.default_rng(0)
    rows = np.array([[0.1, 0.7], [1.0, 0.0], [0.2, 1.4], [0.3, 2.1], [0.1, 0.7]])
    ids = np.array(["e", "d", "c", "b", "a"])
    for _ in range(5):
        turned = rng.permutation(5)
        train = TrainingExamples((rows[turned],), np.zeros((5, 1)), ids=ids[turned].tolist())
        similar = find_neighbours([np.array([[0.1, 0.7]])], train.inputs, 3, train.turns)
        assert sorted(ids[turned][similar.indices]) == ["a", "b", "c"]


def test_neighbours_are_averaged_by_similarity_and_nobody_is_the_mean() -> None:
    similar = csr_array([[0.25, 0.75, 0], [0, 0, 0]])
    targets = np.array([[4.0, 0], [0, 4], [9, 9]])
    rows = average_targets(similar, targets, np.array([7.0, 8]))
    assert rows.tolist() == [[1, 3], [7, 8]]


@pytest.mark.parametrize("items", [20, 90], ids=["as many unknowns as items", "as wide"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_ridge_is_that_of_scikit_learn(kind: str, items: int) -> None:
    inputs = {
        "dense": [dense(items, 40) + 3],
        "sparse": [sparse(items, 50)],
        "both": [sparse(items, 30), dense(items, 20) - 5, sparse(items, 9, seed=1)],
    }[kind]
    targets = dense(items, 4, seed=2) + 1
    whole = np.hstack(
        [
            features if isinstance(features, np.ndarray) else features.toarray()
            for features in inputs
        ]
    )
    problem = RidgeSystem(inputs, targets)
    for strength in (0.01, 1.0, 300.0):
        linear, expected = problem.solve(strength), Ridge(strength).fit(whole, targets)
        assert linear.coefficients == pytest.approx(expected.coef_.T, abs=1e-8)
        assert linear.intercept == pytest.approx(expected.intercept_, abs=1e-8)
        assert linear(inputs) == pytest.approx(expected.predict(whole), abs=1e-8)


def test_rows_of_a_ridge_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = [dense(50, 6), sparse(50, 70), dense(50, 3, seed=1)]
    whole, wide = (
        RidgeSystem(inputs[::2], dense(50, 2)).solve(2.0),
        RidgeSystem(inputs, dense(50, 2)),
    )
    at_once = wide.solve(2.0)
    monkeypatch.setattr(
        row_products, "row_blocks", lambda n, _: [slice(i, i + 7) for i in range(0, n, 7)]
    )
    monkeypatch.setattr(row_products, "PRODUCT_ROWS", 4)
    again = RidgeSystem(inputs, dense(50, 2)).solve(2.0)
    assert again.coefficients == pytest.approx(at_once.coefficients)
    primal = RidgeSystem(inputs[::2], dense(50, 2)).solve(2.0)
    assert primal.coefficients == pytest.approx(whole.coefficients)


def test_sparse_features_of_a_ridge_are_never_dense_as_a_whole() -> None:
    inputs = [sparse(300, 100_000, density=0.0002)]
    tracemalloc.start()
    RidgeSystem(inputs, dense(300, 2)).solve(1.0)(inputs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 * 100_000 * 8 / 5


def test_a_ridge_that_is_too_large_is_refused_before_it_is_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ridge_module, "MAX_UNKNOWNS", 10)
    RidgeSystem([dense(11, 10)], dense(11, 2))
    RidgeSystem([dense(10, 11)], dense(10, 2))
    with pytest.raises(TrainingError, match=r"11 unknowns \(12 items, 11 features\), but 10 are"):
        RidgeSystem([dense(12, 11)], dense(12, 2))


def test_features_that_are_all_alike_are_refused_where_nothing_is_added() -> None:
    problem = RidgeSystem([np.ones((32, 2))], np.arange(32.0)[:, None])  # powers of 2: no rounding
    with pytest.raises(TrainingError, match="vary too little"):
        problem.solve(0.0)


def test_a_ridge_takes_the_strength_of_the_lowest_validation_loss() -> None:
    train, val, noise = dense(30, 8), dense(9, 8, seed=1), dense(39, 2, seed=2)
    targets = np.vstack([train, val]) @ dense(8, 2, seed=3) + 2 * noise
    validation = Examples((val,), targets[30:])
    given = TrainingExamples(
        (train,), targets[:30], classes=True, validation=validation, held_out=validation
    )
    fitted = BASELINES.get("ridge").fit(
        given, RidgeOptions.model_validate({"name": "ridge", "weights": 1})
    )
    scale = np.mean(np.diag((train - train.mean(0)).T @ (train - train.mean(0))))
    strengths = [step * scale for step in RELATIVE_STRENGTHS]
    losses = [
        np.square(Ridge(each).fit(train, targets[:30]).predict(val) - targets[30:]).mean()
        for each in strengths
    ]
    assert [each.parameters["strength"] for each in fitted.trials] == pytest.approx(strengths)
    assert [each.loss for each in fitted.trials] == pytest.approx(losses)
    assert fitted.best is not None
    assert fitted.best.parameters["strength"] == pytest.approx(strengths[int(np.argmin(losses))])
    assert fitted.held_out_loss == fitted.best.loss
    assert 0 < np.argmin(losses) < len(RELATIVE_STRENGTHS) - 1  # else the best might lie outside


def test_the_cosine_loss_of_baselines_is_that_of_networks() -> None:
    targets, outputs = dense(6, 3), dense(6, 3, seed=1)
    targets[0] = outputs[1] = 0
    expected = np.mean(np.asarray(network_loss(targets.astype("f"), outputs.astype("f"))))
    assert cosine_loss(targets, outputs) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("form", [np.array, csr_array])
def test_the_popularity_of_tags_is_worked_by_hand(form: Any) -> None:
    tags = form([[1.0, 0, 0, 0], [3, 2, 0, 0], [0, 0, 0, 0]])
    learnt = tag_popularity(tags, np.array([10.0, 2, 6]))
    assert learnt["popularity"].tolist() == [(10 + 3 * 2) / 4, 2, 0, 0]
    assert learnt["known"].tolist() == [True, True, False, False]
    items = form([[1.0, 1, 0, 0], [1, 3, 5, 0], [0, 0, 2, 0], [0, 0, 0, 0]])
    assert score_by_tags(items, learnt).tolist() == [(4 + 2) / 2, (4 + 6) / 4, 6, 6]


def test_what_is_drawn_for_an_item_depends_on_its_id_and_the_seed_alone() -> None:
    alone, among = draw_predictions(["b"], 5, 3), draw_predictions(["a", "b", "c"], 5, 3)
    assert alone[0].tolist() == among[1].tolist()
    assert np.linalg.norm(among, axis=1) == pytest.approx(1)
    assert (
        len({tuple(row) for row in [*among.tolist(), *draw_predictions(["b"], 5, 4).tolist()]}) == 4
    )
    scores = draw_predictions(["a", "b"], 500, 0, scores=True)
    assert (scores.min() >= 0, scores.max() < 1) == (True, True)
    assert scores.mean() == pytest.approx(0.5, abs=0.05)


@pytest.fixture
def tagged(world: World) -> World:
    """Return a world whose recommendation dataset has artists and a setting called tags."""
    ids = [f"{split}-{n}" for split in ("train", "test") for n in range(SPLITS[split])]
    artists = "".join(f"{item}\tartist {n % 9}\n" for n, item in enumerate(ids))
    (world.datasets / "artists_index_rec.tsv").write_text(artists)
    for split in ("train", "test"):
        text = world.features / f"X_{split}_text-sparse_rec.npz"
        shutil.copy(text, world.features / f"X_{split}_tags_rec.npz")
    return world


def trained(tartarus: Command, world: World, name: str, *words: str) -> Model:
    done = tartarus("train", name, *words, "-w", world.root)
    assert done.status == 0, done.err
    return Store(open_workspace(world.root)).all()[-1]


@pytest.mark.parametrize(
    ("name", "dataset"),
    [(name, "rec") for name in RECOMMENDING]
    + [(name, dataset) for name in CLASSIFYING for dataset in ("many", "one")],
)
def test_every_baseline_is_a_model(
    name: str, dataset: str, tartarus: Command, tagged: World
) -> None:
    words = [*SETTINGS.get(name, []), "--dataset", dataset]
    done = tartarus("run", name, *words, "-w", tagged.root, "--json")
    assert done.status == 0, done.err
    document = done.document
    task = {"rec": "recommendation", "many": "multilabel", "one": "multiclass"}[dataset]
    assert (document["task"], document["model"]) == (task, "model_1")
    assert all(value is None or np.isfinite(value) for value in document["metrics"].values())
    listed = tartarus("models", "-w", tagged.root)
    assert f"{name} {' '.join(SETTINGS.get(name, []))}".strip() in listed.out
    shown = tartarus("models", "show", "model_1", "-w", tagged.root)
    assert ("a model" if name == "ridge_plays" else "a baseline") in shown.out
    assert "epoch" not in shown.out
    assert ("strength" in shown.out) == name.startswith("ridge")
    assert tartarus("predict", "--split", "train", "-w", tagged.root).status == 0


def test_every_baseline_is_covered_above() -> None:
    assert {*RECOMMENDING, *CLASSIFYING, "blend"} == {*BASELINES.names()}


@pytest.mark.parametrize("name", [*RECOMMENDING, "prior"])
def test_no_baseline_learns_anything_of_the_test_items(
    name: str, tartarus: Command, tagged: World
) -> None:
    dataset = "one" if name == "prior" else "rec"
    words = [*SETTINGS.get(name, []), "--dataset", dataset]
    before = trained(tartarus, tagged, name, *words)
    rng = np.random.default_rng(7)
    for path in (*tagged.datasets.glob("item_factors_test*"), *tagged.features.glob("X_test*.npy")):
        np.save(path, np.roll(np.load(path), 1, axis=0) + (0 if "class" in path.name else 1))
    for path in (*tagged.datasets.glob("matrix_test*"), *tagged.features.glob("X_test*.npz")):
        matrix = load_npz(path).toarray()
        save_npz(path, csr_array(rng.permuted(matrix, axis=0)))
    after = trained(tartarus, tagged, name, *words)
    assert before.arrays.read_bytes() == after.arrays.read_bytes()
    assert before.name != after.name


def test_users_get_the_items_whose_neighbours_they_have(tartarus: Command, tagged: World) -> None:
    words = ["text", "audio", "--dataset", "rec", "--set", "network.neighbours=4"]
    metrics = tartarus("run", "knn", *words, "-w", tagged.root, "--json").document["metrics"]
    rows_of = {
        split: joined(
            [np.load(tagged.features / f"X_{split}_{setting}_rec.npy") for setting in words[:2]]
        )
        for split in ("train", "test")
    }
    near = NearestNeighbors(n_neighbors=4, metric="cosine", algorithm="brute").fit(rows_of["train"])
    far, order = near.kneighbors(rows_of["test"])
    plays = load_npz(tagged.datasets / "matrix_train_rec.npz").toarray() > 0
    scores = np.einsum("ik,iku->iu", 1 - far, plays[order].astype(float))
    relevant = load_npz(tagged.datasets / "matrix_test_rec.npz").toarray() > 0
    first = []
    for user in range(scores.shape[1]):
        ranked = relevant[np.argsort(-scores[:, user].astype(np.float32), kind="stable"), user]
        first.append(1 / (1 + int(ranked.argmax())))
    assert metrics["MRR"] == pytest.approx(np.mean(first))


def test_without_plays_neighbours_give_factors(tartarus: Command, tagged: World) -> None:
    (tagged.datasets / "matrix_train_rec.npz").unlink()
    model = trained(tartarus, tagged, "knn", "text", "--dataset", "rec")
    assert model.manifest.form == "factors"
    assert tartarus("predict", "-w", tagged.root).status == 0
    factors = np.load(tagged.root / "data/factors/factors_model_1.npy")
    train, test = (np.load(tagged.features / f"X_{s}_text_rec.npy") for s in ("train", "test"))
    similar = np.maximum(normalize(test) @ normalize(train).T, 0)  # fewer than 50: all of them
    targets = normalize(np.load(tagged.datasets / f"item_factors_als_{DIM}_rec.npy"))
    assert factors == pytest.approx(similar @ targets / similar.sum(1, keepdims=True), abs=1e-5)


def test_popularity_without_plays_is_the_norm_of_the_factors(
    tartarus: Command, tagged: World
) -> None:
    (tagged.datasets / "matrix_train_rec.npz").unlink()
    model = trained(tartarus, tagged, "popularity", "tags", "--dataset", "rec")
    factors = np.load(tagged.datasets / f"item_factors_als_{DIM}_rec.npy").astype(float)
    with np.load(model.arrays) as arrays:
        assert arrays["mean"] == pytest.approx(np.linalg.norm(factors, axis=1).mean())


def test_the_strengths_of_a_ridge_are_kept(tartarus: Command, tagged: World) -> None:
    model = trained(tartarus, tagged, "ridge", "text", "--dataset", "rec")
    lines = model.history.read_text().splitlines()
    assert lines[0] == "strength,val_loss"
    trials = dict(line.split(",") for line in lines[1:])
    assert len(trials) == len(RELATIVE_STRENGTHS)
    assert {name: float(loss) for name, loss in trials.items()} == model.manifest.trials
    best = min(model.manifest.trials, key=lambda name: model.manifest.trials[name])
    assert model.manifest.strength == float(best)
    assert model.manifest.items == {"fit": 32, "validation": 4, "held out": 4}
    assert model.manifest.held_out_loss is not None


FOLLOWED = {
    "rec": ("recommendation", "als"),
    "many": ("multilabel", "class"),
    "one": ("multiclass", "class"),
}


@pytest.mark.parametrize("dataset", FOLLOWED)
def test_task_and_targets_follow_the_dataset(dataset: str, tartarus: Command, world: World) -> None:
    words = ("experiments", "show", "knn", "--dataset", dataset, "-w", world.root, "--json")
    shown = tartarus(*words).document
    assert (shown["dataset"]["task"], shown["targets"]["kind"]) == FOLLOWED[dataset]
    assert shown["targets"]["normalize"] == (dataset == "rec")
    assert not {"inputs", "training", "patches"} & shown.keys()


def test_targets_that_are_asked_for_count_before_those_of_the_dataset(
    tartarus: Command, world: World
) -> None:
    overrides = ("--set", "targets.kind=pmi", "--set", "targets.dim=2")
    done = tartarus(
        "run", "ridge", "text", "--dataset", "many", *overrides, "-w", world.root, "--json"
    )
    assert (done.status, done.document["task"]) == (0, "multilabel")


REFUSED = {
    "knn training.epochs=3": "no parameter training.epochs",
    "knn training.validation=0.1": "no parameter training.validation",
    "ridge training.loss=cosine": "no parameter training.loss",
    "knn inputs.count=2": "however many",
    "random targets.normalize=true": "learns no targets",
    "knn network.neighbour=5": "no parameter network.neighbour",
    "knn network.neighbours=0": "network.neighbours",
    "oracle targets.kind=class": "targets.kind = class",
    "prior dataset.task=recommendation": "prior is for multilabel and multiclass",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_do_nothing_is_refused(case: str, tartarus: Command, world: World) -> None:
    name, override = case.split()
    done = tartarus("train", name, "--set", override, "--dataset", "rec", "-w", world.root)
    assert (done.status, REFUSED[case] in done.err) == (2, True), done.err


COUNTS = {
    "artist_mean": ["text"], "knn": [], "ridge": [], "popularity": ["text", "audio"],
    "random": ["text"], "oracle": ["text"]
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_a_baseline_says_how_many_settings_it_takes(
    name: str, tartarus: Command, world: World
) -> None:
    done = tartarus("train", name, *COUNTS[name], "--dataset", "rec", "-w", world.root)
    assert (done.status, f"{name} takes" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ("prior", "--dataset", "rec"),
            "prior is for multilabel and multiclass, and rec for recommendation",
            "Baselines for rec are knn, popularity, random, ridge, ridge_plays.",
        ),
        (
            ("popularity", "text-sparse", "--dataset", "one"),
            "popularity is for recommendation, and one for multiclass",
            "Baselines for one are knn, logistic, prior, random, ridge.",
        ),
        (
            ("oracle", "--dataset", "one"),
            "oracle reads als or pmi factors, and one has none",
            "Baselines for one are knn, logistic, prior, random, ridge.",
        ),
        (
            ("oracle", "--dataset", "many"),
            "oracle scores test items by their true pmi factors, and many has no such factors",
            "tartarus factorize many pmi --dim 2",
        ),
        (
            ("oracle", "--dataset", "rec"),
            "oracle scores test items by their true als factors, and rec has no such factors",
            "use another baseline: knn, popularity, random, ridge, ridge_plays.",
        ),
    ],
)
@pytest.mark.parametrize("command", ["run", "train"])
def test_a_baseline_that_is_not_for_a_dataset_says_which_are(
    command: str, words: tuple[str, ...], message: str, hint: str, tartarus: Command, world: World
) -> None:
    (world.datasets / "item_factors_test_als_4_rec.npy").unlink()
    outcome = tartarus(command, *words, "-w", world.root)
    assert outcome.status == 2
    assert message in outcome.err
    assert hint in outcome.err
    assert not Store(open_workspace(world.root)).all()


def test_a_baseline_may_take_the_place_of_the_network_of_a_preset() -> None:
    experiment = resolve("rec_multi", overrides=["network.name=ridge", "training.validation=0.3"])
    assert experiment.network == RidgeOptions(name="ridge")
    assert experiment.training is not None
    assert experiment.training.validation == 0.3


def test_a_baseline_has_no_layers(tartarus: Command, world: World) -> None:
    trained(tartarus, world, "knn", "text", "--dataset", "rec")
    done = tartarus("predict", "--layer", "0", "-w", world.root)
    assert (done.status, "has no layers" in done.err) == (2, True)


CHANGED = ("train_data/X_train_text_rec.npy", "matrix_train_rec.npz", "items_index_train_rec.tsv")


@pytest.mark.parametrize("name", CHANGED)
def test_neighbours_are_not_sought_among_other_train_items(
    name: str, tartarus: Command, world: World
) -> None:
    trained(tartarus, world, "knn", "text", "--dataset", "rec")
    path = world.datasets / name
    if path.suffix == ".tsv":
        path.write_text("\n".join(reversed(path.read_text().splitlines())) + "\n")
    elif path.suffix == ".npz":
        save_npz(path, load_npz(path)[::-1])
    else:
        np.save(path, np.load(path)[::-1])
    done = tartarus("predict", "-w", world.root)
    assert (done.status, "is not what it was when model_1 was trained" in done.err) == (1, True)
    assert "tartarus train knn text --dataset rec" in done.err


@pytest.mark.parametrize("damage", ["cut", "a pickle", "empty"])
def test_a_damaged_baseline_is_named(damage: str, tartarus: Command, world: World) -> None:
    path = trained(tartarus, world, "ridge", "text", "--dataset", "rec").arrays
    cut = path.read_bytes()[:99]
    path.write_bytes({"cut": cut, "a pickle": b"\x80\x04.", "empty": b""}[damage])
    done = tartarus("predict", "-w", world.root)
    assert (done.status, "model.npz" in done.err) == (1, True)
    assert "Train model_1 again" in done.err


def test_arrays_of_another_shape_are_refused(tartarus: Command, world: World) -> None:
    path = trained(tartarus, world, "ridge", "text", "--dataset", "rec").arrays
    np.savez(path, coefficients=np.zeros((3, DIM)), intercept=np.zeros(DIM))
    done = tartarus("predict", "-w", world.root)
    assert (done.status, "expected numbers of shape (6, 4)" in done.err) == (1, True)


def test_features_of_another_width_are_refused(tartarus: Command, world: World) -> None:
    trained(tartarus, world, "ridge", "text", "--dataset", "rec")
    np.save(world.features / "X_test_text_rec.npy", np.ones((SPLITS["test"], 5), np.float32))
    done = tartarus("predict", "-w", world.root)
    assert (done.status, "was trained on 6" in done.err) == (1, True)


@pytest.mark.parametrize("name", ["knn", "ridge"])
@pytest.mark.parametrize("setting", ["text", "text-sparse"])
def test_features_that_are_no_numbers_are_named(
    setting: str, name: str, tartarus: Command, world: World
) -> None:
    trained(tartarus, world, name, setting, "--dataset", "rec")
    path = next(world.features.glob(f"X_test_{setting}_rec.np?"))
    if path.suffix == ".npz":
        save_npz(path, load_npz(path) * np.nan)
    else:
        np.save(path, np.load(path) * np.nan)
    done = tartarus("predict", "--accept-changed-inputs", "-w", world.root)
    assert (done.status, f"{path.name}: NaN or infinity in" in done.err) == (1, True)


def names_of(world: World) -> list[str]:
    models = Store(open_workspace(world.root)).all()
    return [
        f"{model.name} {model.manifest.experiment} {model.manifest.compared_with}"
        for model in models
    ]


def test_baselines_stand_beside_a_model(tartarus: Command, tagged: World) -> None:
    words = ["rec_dense", "text", "--dataset", "rec", "--set", "network.hidden=4"]
    root = ("-w", tagged.root)
    short = ["--set", "training.epochs=1", "--baselines"]
    done = tartarus("run", *words, *short, *root, "--json")
    assert done.status == 0, done.err
    assert list(done.document["rows"]) == [
        "random",
        "popularity",
        "artist_mean",
        "knn",
        "ridge",
        "oracle",
    ]
    assert "that of the tags" in done.err
    names = [
        "model_1 rec_dense ", "model_2 popularity model_1", "model_3 artist_mean model_1",
        "model_4 knn model_1", "model_5 ridge model_1",
    ]  # fmt: skip
    assert names_of(tagged) == names
    assert Store(open_workspace(tagged.root)).newest().name == "model_1"
    alone = tartarus("evaluate", "model_4", *root, "--json").document
    assert alone["metrics"] == done.document["rows"]["knn"]
    result = json.loads((tagged.root / "data/results/model_1.json").read_text())
    assert result["rows"] == done.document["rows"]

    again = tartarus("evaluate", "--baselines", *root, "--json")
    assert again.document["rows"] == done.document["rows"]
    assert names_of(tagged) == names

    path = tagged.features / "X_train_text_rec.npy"
    np.save(path, np.load(path)[::-1])
    changed = tartarus("evaluate", "--baselines", *root, "--json").document
    assert names_of(tagged) == [*names, "model_6 knn model_1", "model_7 ridge model_1"]
    assert changed["rows"]["popularity"] == done.document["rows"]["popularity"]
    assert changed["rows"]["ridge"] != done.document["rows"]["ridge"]

    assert tartarus("train", "knn", "audio", "--dataset", "rec", *root).status == 0
    assert Store(open_workspace(tagged.root)).newest().name == "model_8"


@pytest.mark.parametrize("dataset", ["many", "one", "many --set targets.kind=pmi"])
def test_baselines_of_a_classification_hold_the_prior(
    dataset: str, tartarus: Command, world: World
) -> None:
    words = ["ridge", "text", "--dataset", *dataset.split(), "--baselines", "-w", world.root]
    done = tartarus("run", *words, "--json")
    assert list(done.document["rows"]) == ["random", "prior", "knn", "logistic"]  # but ridge


def test_a_baseline_that_cannot_be_made_is_reported_and_left_out(
    tartarus: Command, tagged: World
) -> None:
    (tagged.features / "X_train_tags_rec.npz").write_bytes(b"damaged")
    words = ["ridge", "text", "--dataset", "rec", "--baselines", "-w", tagged.root]
    done = tartarus("run", *words, "--json")
    assert (done.status, list(done.document["rows"])) == (
        0,
        ["random", "artist_mean", "knn", "oracle"],
    )
    assert "the baseline popularity is left out: " in done.err
    assert names_of(tagged) == [
        "model_1 ridge ",
        "model_2 artist_mean model_1",
        "model_3 knn model_1",
    ]


class _Listening(SilentProgress):
    """Keeps what is said, and what is warned of."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.warned.append(message)


def test_without_the_patches_of_a_network_its_baselines_are_left_out(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "model_1"
    folder.mkdir()
    write_experiment(folder, resolve("rec_audio", dataset="rec"))
    manifest = ModelManifest(
        status="finished", experiment="rec_audio", dataset="rec", task="recommendation",
        settings=[], target_dim=DIM, seed=0, started="",
    )  # fmt: skip
    listening = _Listening()
    model = Model("model_1", folder, manifest, Store(open_workspace(world.root)))
    beside = evaluate_baselines(model, EvaluationOptions(), listening)
    assert (beside.rows, beside.chosen) == ({}, {})
    assert listening.said == [
        "popularity is left out: no setting of rec is called tags, labels or genres",
    ]
    absent = [warning for warning in listening.warned if "is missing (patches of rec)" in warning]
    names = [warning.removeprefix("the baseline ").split()[0] for warning in absent]
    assert names == ["knn", "ridge", "ridge_plays"]


def test_a_file_of_predictions_has_no_baselines(tartarus: Command, world: World) -> None:
    words = ("evaluate", "some.npy", "--experiment", "rec_dense", "--baselines", "-w", world.root)
    done = tartarus(*words)
    assert (done.status, "--baselines" in done.err) == (2, True)


def test_what_a_baseline_found_goes_when_it_is_deleted(tartarus: Command, world: World) -> None:
    assert tartarus("run", "knn", "text", "--dataset", "rec", "-w", world.root).status == 0
    assert (world.root / "data/factors/neighbours_model_1.npz").exists()
    assert tartarus("models", "delete", "model_1", "--yes", "-w", world.root).status == 0
    assert not list((world.root / "data/factors").iterdir())


def test_what_was_ranked_for_some_users_goes_too(tartarus: Command, world: World) -> None:
    words = ("run", "ridge", "text", "--dataset", "rec", "--users", "0:2", "-w", world.root)
    done = tartarus(*words)
    command = f"'tartarus evaluate model_1 --merge --workspace {world.root}'"
    assert command in done.out  # 'run' itself has no --merge
    folder = world.root / "data" / "results" / "parts" / "model_1"
    assert folder.is_dir()
    assert tartarus("models", "delete", "model_1", "--yes", "-w", world.root).status == 0
    assert not folder.exists()


def test_a_manifest_from_before_there_were_baselines_is_read() -> None:
    old = '{"status": "finished", "kind": "network", "experiment": "rec_dense", "dataset": "rec",'
    old += '"task": "recommendation", "settings": ["text"], "target_dim": 4, "seed": 0,'
    manifest = ModelManifest.model_validate_json(old + '"started": "2026"}')
    assert (manifest.kind, manifest.compared_with, manifest.form) == ("network", "", "factors")


def test_check_data_lists_no_baselines(tartarus: Command, world: World) -> None:
    done = tartarus("check-data", "-w", world.root, "--json")
    for summary in done.document["datasets"].values():
        listed = {*summary["ready"], *summary["waiting"], *summary["borrowed"]}
        models = {"blend", "ridge_plays"}  # no baselines, though they are registered beside them
        assert not listed & {*BASELINES.names()} - models
