"""How predicted factors rank: by their direction, as they are, or with a norm learnt beside it."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import load_npz

from tartarus_cli.baselines import from_log_norms, with_log_norms
from tartarus_cli.baselines.ridge_system import RidgeSystem
from tartarus_cli.evaluation.slices import SHOWN
from tests.conftest import Command
from tests.evaluation.test_evaluate import hand_map
from tests.worlds import DIM, World

QUICK = ("--set", "training.epochs=2", "--set", "network.hidden=8")
DOT = ("scoring=dot", "network.output=linear", "training.loss=mean_squared_error")


def overrides(*words: str) -> list[str]:
    return [part for word in words for part in ("--set", word)]


def relevant(world: World) -> NDArray[np.bool_]:
    plays: NDArray[np.bool_] = load_npz(world.datasets / "matrix_test_rec.npz").toarray().T > 0
    return plays


def unit(rows: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.mark.parametrize("scoring", ["cosine", "dot", "norm"])
def test_predictions_of_a_file_are_scored_as_the_experiment_says(
    scoring: str, tartarus: Command, world: World
) -> None:
    rows = world.rng.standard_normal((12, DIM)) * world.rng.uniform(0.1, 9, (12, 1))
    np.save(world.root / "p.npy", rows)
    words = ("evaluate", world.root / "p.npy", "--experiment", "ridge", "--dataset", "rec")
    scored = tartarus(*words, *overrides(f"scoring={scoring}"), "-w", world.root, "--json")
    users = np.load(world.datasets / "user_factors_als_4_rec.npy")
    true = np.load(world.datasets / "item_factors_test_als_4_rec.npy")
    assert scored.document["scoring"] == scoring
    for figures, factors in (
        (scored.document["metrics"], rows),
        (scored.document["rows"]["oracle"], true),
    ):
        items = unit(factors) if scoring == "cosine" else factors
        expected = hand_map(users @ items.T, relevant(world))
        assert figures["MAP@500"] == pytest.approx(expected)


def test_directions_and_norms_become_the_factors_again() -> None:
    factors = np.random.default_rng(0).standard_normal((20, 5))
    assert from_log_norms(with_log_norms(factors)) == pytest.approx(factors, rel=1e-5)
    zero = with_log_norms(np.zeros((1, 3)))
    assert np.isfinite(zero).all()
    assert from_log_norms(zero).tolist() == [[0, 0, 0]]


def test_a_ridge_learns_directions_and_logarithms_of_norms_apart(
    tartarus: Command, world: World
) -> None:
    words = ("run", "ridge", "text", "--dataset", "rec", "-w", world.root, "--json")
    done = tartarus(*words, *overrides("scoring=norm"))
    assert (done.status, done.document["scoring"]) == (0, "norm"), done.err
    predicted = np.load(world.root / "data" / "factors" / "factors_model_1.npy")
    assert predicted.shape == (12, DIM)
    train, test = (np.load(world.features / f"X_{name}_text_rec.npy") for name in ("train", "test"))
    targets = with_log_norms(np.load(world.datasets / "item_factors_als_4_rec.npy"))
    shown = tartarus("models", "show", "model_1", "--json", "-w", world.root).document
    fit = shown["items"]["fit"]
    linear = RidgeSystem([train[:fit]], targets[:fit]).solve(shown["strength"])([test])
    assert np.log(np.linalg.norm(predicted, axis=1)) == pytest.approx(linear[:, -1], abs=1e-4)
    assert unit(predicted) == pytest.approx(unit(linear[:, :-1]), abs=1e-4)


@pytest.mark.parametrize("words", [("scoring=norm",), DOT], ids=["norm", "dot"])
def test_a_network_keeps_the_norm_of_what_it_predicts(
    words: tuple[str, ...], tartarus: Command, world: World
) -> None:
    run = ("run", "rec_dense", "text", "--dataset", "rec", *QUICK, "-w", world.root, "--json")
    ran = tartarus(*run, *overrides(*words))
    assert ran.status == 0, ran.err
    predicted = np.load(world.root / "data" / "factors" / "factors_model_1.npy")
    assert predicted.shape == (12, DIM)
    assert np.ptp(np.linalg.norm(predicted, axis=1)) > 1e-6
    users = np.load(world.datasets / "user_factors_als_4_rec.npy")
    expected = hand_map(users @ predicted.T, relevant(world))
    assert ran.document["metrics"]["MAP@500"] == pytest.approx(expected)
    scoring = words[0].removeprefix("scoring=")
    assert f"scoring {scoring}" in tartarus("evaluate", "-w", world.root).out
    assert "norm" not in ran.document["protocol"]["scores"] or scoring == "norm"
    sliced = tartarus("evaluate", "--by", "user-activity", "-w", world.root, "--json").document
    assert {*sliced["found"]["slices"][0]["metrics"]} == {*SHOWN}
    best = tartarus("recommend", "--user", 1, "--top", 12, "-w", world.root, "--json").document
    order = [int(item["item"].removeprefix("test-")) for item in best["items"]]
    scores = (users @ predicted.T)[1]
    assert scores[order].tolist() == pytest.approx(sorted(scores, reverse=True), abs=1e-6)


def test_a_network_that_learns_norms_starts_from_their_mean(
    tartarus: Command, world: World
) -> None:
    run = ("train", "rec_dense", "text", "--dataset", "rec", *QUICK, "-w", world.root)
    assert tartarus(*run, *overrides("scoring=norm", "training.learning_rate=1e-9")).status == 0
    assert tartarus("predict", "-w", world.root).status == 0
    predicted = np.load(world.root / "data" / "factors" / "factors_model_1.npy")
    targets = np.load(world.datasets / "item_factors_als_4_rec.npy")
    mean = np.log(np.linalg.norm(targets, axis=1)).mean()
    assert np.log(np.linalg.norm(predicted, axis=1)) == pytest.approx(mean, abs=0.4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rec_dense text --set scoring=length", "scoring: Input should be"),
        ("rec_dense text --set scoring=dot", "network.output = linear"),
        (f"rec_dense text --set {' --set '.join(DOT)} --set targets.normalize=true", "normalize"),
        ("rec_dense text --set scoring=norm --set training.loss=mean_squared_error", "cosine"),
        ("knn text --set scoring=dot", "knn takes cosine"),
        ("ridge text --set scoring=dot --set targets.kind=pmi", "targets.kind = als"),
        ("rec_dense text --set length=3", "not of the form section.key=value"),
    ],
)
def test_a_scoring_that_would_do_nothing_is_refused(
    words: str, said: str, tartarus: Command, world: World
) -> None:
    refused = tartarus("train", *words.split(), "--dataset", "rec", "-w", world.root)
    assert (refused.status, said in " ".join(refused.err.split())) == (2, True), refused.err


def test_a_comparison_names_the_scoring_of_each_model(tartarus: Command, world: World) -> None:
    for scoring in ("cosine", "norm"):
        words = ("run", "ridge", "text", "--dataset", "rec", "-w", world.root)
        assert tartarus(*words, *overrides(f"scoring={scoring}")).status == 0
    shown = tartarus("compare", "model_1", "model_2", "-w", world.root).out
    assert "model_1 · ridge text --set scoring=cosine (scoring cosine)" in shown
    assert "model_2 · ridge text --set scoring=norm (scoring norm)" in shown
