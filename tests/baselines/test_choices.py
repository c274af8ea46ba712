"""Baselines that choose by how well validation items rank, beside direct computations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge
from sklearn.preprocessing import normalize

from tartarus_cli.baselines import (
    BASELINES,
    Examples,
    Features,
    FittedBaseline,
    Items,
    Judge,
    PredictionForm,
    TrainingExamples,
    from_log_norms,
    with_log_norms,
)
from tartarus_cli.baselines import ridge as ridge_module
from tartarus_cli.baselines.knn import EXPONENTS, NEIGHBOURS, NeighbourOptions
from tartarus_cli.baselines.ridge import RELATIVE_STRENGTHS, RidgeOptions
from tartarus_cli.baselines.ridge_system import RidgeSystem
from tartarus_cli.baselines.similarity import find_neighbours, keep_nearest
from tartarus_cli.errors import RequestError

TRAIN, VAL, USERS = 70, 30, 25
SEEN = slice(TRAIN, TRAIN + VAL)

EQUAL = RidgeOptions.model_validate({"name": "ridge", "weights": 1})


class Listeners:
    """Items with tags, noise and many features or few; users who play what has their tags."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        count = TRAIN + VAL
        self.tags = (rng.random((count, 12)) < rng.uniform(0.1, 0.6, (count, 1))) * rng.random(12)
        self.noise = rng.standard_normal((count, 9))
        likes = self.tags @ (rng.standard_normal((12, USERS)) + 0.5) + 0.1 * rng.random(
            (count, USERS)
        )
        self.plays = (likes > np.quantile(likes, 0.8, axis=0)).astype(float)
        self.factors = self.plays @ rng.standard_normal((USERS, 4))
        self.users = np.linalg.pinv(self.factors[:TRAIN]) @ self.plays[:TRAIN]

    def examples(self, *names: str) -> TrainingExamples:
        """Return train items in these settings, with validation items and their judge."""
        settings: list[Any] = [getattr(self, name) for name in names]
        return TrainingExamples(
            tuple(rows[:TRAIN] for rows in settings),
            self.factors[:TRAIN],
            normalize=True,
            plays=csr_array(self.plays[:TRAIN]),
            validation=Examples(tuple(rows[SEEN] for rows in settings), self.factors[SEEN]),
            judge=self.judge(),
        )

    def judge(self) -> Judge:
        """Return the mean average precision over the users, by NumPy alone."""

        def precision(rows: NDArray[Any] | csr_array, form: str, scoring: str) -> float:
            if form == "neighbours":
                assert not isinstance(rows, np.ndarray)
                scores = rows.toarray() @ self.plays[:TRAIN]
            else:
                assert isinstance(rows, np.ndarray)
                scores = (normalize(rows) if scoring == "cosine" else rows) @ self.users
            return mean_average_precision(scores.T, self.plays[SEEN].T)

        return precision


def mean_average_precision(scores: NDArray[Any], plays: NDArray[Any]) -> float:
    values = []
    for user in np.flatnonzero(plays.any(axis=1)):
        places = 1 + np.flatnonzero(plays[user][np.argsort(-scores[user], kind="stable")])
        values.append((np.arange(1, 1 + len(places)) / places).mean())
    return float(np.mean(values))


def options(**values: Any) -> NeighbourOptions:
    return NeighbourOptions.model_validate({"name": "knn", **values})


def predict(train: TrainingExamples, arrays: Any, inputs: tuple[Features, ...]) -> NDArray[Any]:
    """Return what a fitted knn predicts, from its arrays alone."""
    form: PredictionForm = "factors" if train.plays is None else "neighbours"
    fitted = FittedBaseline(options(), arrays, form, 4, 0, classes=False, train=train)
    rows = BASELINES.get("knn").predict(fitted, Items([""] * int(inputs[0].shape[0]), inputs))
    return rows if isinstance(rows, np.ndarray) else rows.toarray()


def test_similarities_are_the_weighted_mean_of_the_cosines_times_a_power_of_the_features() -> None:
    world = Listeners()
    train = replace(world.examples("tags", "noise"), judge=None)
    assert train.validation is not None
    fitted = BASELINES.get("knn").fit(
        train, options(neighbours=TRAIN, feature_exponent=0.7, weights=[0.5, 2])
    )
    rows = predict(train, fitted.arrays, train.validation.inputs)

    cosines = [normalize(x[SEEN]) @ normalize(x[:TRAIN]).T for x in (world.tags, world.noise)]
    counts = np.count_nonzero(world.tags, axis=1)
    relative = 0.2 * counts[SEEN] / counts[:TRAIN].mean() + 0.8
    expected = (0.2 * cosines[0] + 0.8 * cosines[1]) * relative[:, None] ** 0.7
    tagged = np.count_nonzero(world.tags, axis=1) > 0
    whole = np.outer(tagged[SEEN], tagged[:TRAIN])
    assert rows[whole] == pytest.approx(np.maximum(expected, 0)[whole], abs=1e-6)


def test_weights_that_are_equal_change_nothing_even_where_a_setting_is_zero() -> None:
    world = Listeners()
    world.tags[::7] = 0
    world.noise[::5] = 0
    inputs = [world.tags, csr_array(world.noise)]
    train, items = [x[:TRAIN] for x in inputs], [x[SEEN] for x in inputs]
    plain = find_neighbours(items, train, 6)
    for weights in ([1.0, 1.0], [0.25, 0.25]):
        again = find_neighbours(items, train, 6, weights=weights)
        assert again.indices.tolist() == plain.indices.tolist()
        assert again.data == pytest.approx(plain.data)


def test_a_setting_without_weight_is_as_if_it_were_not_there() -> None:
    world = Listeners()
    world.tags[::7] = 0
    train, items = world.tags[:TRAIN], world.tags[SEEN]
    both = find_neighbours(
        [items, world.noise[SEEN]], [train, world.noise[:TRAIN]], 6, weights=[0.3, 0]
    )
    alone = find_neighbours([items], [train], 6)
    assert both.toarray() == pytest.approx(alone.toarray())


def test_fewer_neighbours_are_the_first_of_more() -> None:
    rows = np.random.default_rng(0).integers(0, 3, (90, 4)).astype(float)  # many are alike
    turns = np.random.default_rng(1).permutation(60)
    many = find_neighbours([rows[60:]], [rows[:60]], 40, turns)
    for count in (1, 7, 39, 40):
        few = find_neighbours([rows[60:]], [rows[:60]], count, turns)
        assert keep_nearest(many, count, turns).toarray().tolist() == few.toarray().tolist()


def test_what_is_chosen_has_the_best_score_of_all_that_was_tried() -> None:
    world = Listeners()
    train = world.examples("tags", "noise")
    assert train.validation is not None
    fitted = BASELINES.get("knn").fit(train, options())
    assert fitted.best is not None
    scores = [trial.score for trial in fitted.trials]
    assert fitted.best.score == max(score for score in scores if score is not None)
    assert len({tuple(trial.parameters.values()) for trial in fitted.trials}) == len(scores)
    rows = predict(train, fitted.arrays, train.validation.inputs)
    assert world.judge()(csr_array(rows), "neighbours", "cosine") == fitted.best.score
    start = {"neighbours": 50, "feature_exponent": 0.0, "weight_1": 1.0, "weight_2": 1.0}
    assert fitted.trials[0].parameters == start


def test_one_change_of_what_was_chosen_makes_it_no_better() -> None:
    train = Listeners(1).examples("tags")
    fitted = BASELINES.get("knn").fit(train, options())
    assert fitted.best is not None
    tried = {tuple(trial.parameters.values()): trial.score or 0 for trial in fitted.trials}
    neighbours, exponent = fitted.best.parameters.values()
    around = [(k, exponent) for k in NEIGHBOURS] + [(neighbours, e) for e in EXPONENTS]
    assert max(tried[each] for each in around) == fitted.best.score
    assert exponent != 0


@pytest.mark.parametrize("seed", range(3))
def test_settings_together_are_never_worse_than_the_better_one_alone(seed: int) -> None:
    world = Listeners(seed)
    alone = {}
    for name in ("tags", "noise"):
        best = BASELINES.get("knn").fit(world.examples(name), options()).best
        assert best is not None
        assert best.score is not None
        alone[name] = best.score
    both = BASELINES.get("knn").fit(world.examples("noise", "tags"), options())
    assert both.best is not None
    assert both.best.score is not None
    assert both.best.score >= max(alone.values())
    assert both.best.parameters["weight_1"] != 1
    equal = BASELINES.get("knn").fit(world.examples("noise", "tags"), options(weights=[1]))
    assert equal.best is not None
    assert equal.best.score is not None
    assert equal.best.score < both.best.score  # a straw man


FIXED = {"neighbours": 50, "feature_exponent": 0.0, "weights": (1.0,)}


@pytest.mark.parametrize("given", [{"neighbours": 50}, {"neighbours": [50]}, FIXED])
def test_nothing_is_chosen_where_the_number_of_neighbours_is_given(given: dict[str, Any]) -> None:
    train = Listeners().examples("tags", "noise")
    assert train.validation is not None
    fitted = BASELINES.get("knn").fit(train, options(**given))
    assert (fitted.trials, fitted.best) == ((), None)
    rows = predict(train, fitted.arrays, train.validation.inputs)
    plain = find_neighbours(train.validation.inputs, train.inputs, 50, train.turns)
    assert rows.tolist() == plain.astype(np.float32).toarray().tolist()


def test_where_nothing_can_be_judged_the_first_of_several_is_taken() -> None:
    train = replace(Listeners().examples("tags", "noise"), judge=None)
    assert train.validation is not None
    fitted = BASELINES.get("knn").fit(train, options())
    plain = BASELINES.get("knn").fit(train, options(neighbours=50))
    inputs = train.validation.inputs
    rows = [predict(train, each.arrays, inputs).tolist() for each in (fitted, plain)]
    assert rows[0] == rows[1]
    zero_first = options(neighbours=7, weights=[[0, 1], [0, 0.5]])
    weights = BASELINES.get("knn").fit(train, zero_first).arrays["weights"]
    assert weights.tolist() == [1, 0.5]


def test_a_model_from_before_there_was_a_choice_predicts_as_then() -> None:
    train = Listeners().examples("tags", "noise")
    assert train.validation is not None
    old = FittedBaseline(
        options(neighbours=9), {"mean": np.zeros(4)}, "neighbours", 4, 0, classes=False, train=train
    )
    inputs = train.validation.inputs
    rows = BASELINES.get("knn").predict(old, Items([""] * VAL, inputs))
    assert (
        rows.tolist()
        if isinstance(rows, np.ndarray)
        else rows.toarray().tolist()
        == (
            find_neighbours(inputs, train.inputs, 9, train.turns)
            .astype(np.float32)
            .toarray()
            .tolist()
        )
    )


def test_factors_of_neighbours_are_chosen_too() -> None:
    train = replace(Listeners().examples("tags", "noise"), plays=None)
    assert train.validation is not None
    fitted = BASELINES.get("knn").fit(train, options())
    assert fitted.form == "factors"
    assert {trial.parameters["feature_exponent"] for trial in fitted.trials} == {0}
    assert fitted.best is not None
    rows = predict(train, fitted.arrays, train.validation.inputs)
    assert Listeners().judge()(rows, "factors", "cosine") == fitted.best.score


def test_the_numbers_of_features_are_not_tried_where_all_are_equal() -> None:
    fitted = BASELINES.get("knn").fit(Listeners().examples("noise"), options())
    assert {trial.parameters["feature_exponent"] for trial in fitted.trials} == {0}


def test_weights_have_to_be_those_of_the_settings() -> None:
    train = Listeners().examples("tags", "noise")
    with pytest.raises(RequestError, match=r"network\.weights: 3 weights for 2 settings"):
        BASELINES.get("knn").fit(train, options(weights=[0, 0.5, 1]))
    with pytest.raises(RequestError, match="all weights are 0"):
        BASELINES.get("knn").fit(train, options(weights=[[0, 0], 0]))


@pytest.mark.parametrize(
    "values",
    [
        {"neighbours": 0},
        {"neighbours": []},
        {"neighbours": [5, 0]},
        {"neighbours": 2.5},
        {"neighbours": True},
        {"feature_exponent": float("nan")},
        {"feature_exponent": "much"},
        {"weights": [-1]},
        {"weights": []},
        {"weights": [[]]},
        {"weights": [float("inf")]},
    ],
)
def test_parameters_that_make_no_sense_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        options(**values)


def test_a_ridge_takes_the_scoring_and_the_strength_that_rank_validation_items_best() -> None:
    world = Listeners()
    train = replace(world.examples("tags", "noise"), scoring="validated")
    assert train.validation is not None
    fitted = BASELINES.get("ridge").fit(train, EQUAL)
    whole = np.hstack([world.tags, world.noise])
    centred = whole[:TRAIN] - whole[:TRAIN].mean(axis=0)
    scale = np.mean(np.diag(centred.T @ centred))
    judge, expected = world.judge(), {}
    targets = {
        "cosine": normalize(world.factors[:TRAIN]),
        "dot": world.factors[:TRAIN],
        "norm": with_log_norms(world.factors[:TRAIN]),
    }
    for relative in RELATIVE_STRENGTHS:
        for scoring, learnt in targets.items():
            rows = Ridge(relative * scale).fit(whole[:TRAIN], learnt).predict(whole[SEEN])
            rows = from_log_norms(rows) if scoring == "norm" else rows
            expected[scoring, f"{relative:g}"] = judge(rows, "factors", scoring)
    found = {
        (trial.parameters["scoring"], f"{float(trial.parameters['strength']) / scale:g}"):
        trial.score for trial in fitted.trials
    }  # fmt: skip
    assert found == pytest.approx(expected, abs=1e-3)
    assert fitted.best is not None
    assert fitted.best.score == pytest.approx(max(expected.values()), abs=1e-3)
    assert fitted.scoring == fitted.best.parameters["scoring"]
    columns = {"cosine": 4, "dot": 4, "norm": 5}[fitted.scoring]
    assert fitted.arrays["coefficients"].shape == (21, columns)


def test_a_ridge_of_a_fixed_scoring_goes_by_the_loss_though_it_could_be_judged() -> None:
    train = Listeners().examples("tags")
    fitted = BASELINES.get("ridge").fit(train, EQUAL)
    without = BASELINES.get("ridge").fit(replace(train, judge=None), EQUAL)
    assert fitted.trials == without.trials
    assert fitted.scoring == ""
    losses = [trial.loss for trial in fitted.trials if trial.loss is not None]
    assert fitted.best is not None
    assert fitted.best.loss == min(losses)


def test_a_ridge_without_a_judge_ranks_by_the_cosine() -> None:
    train = replace(Listeners().examples("tags"), scoring="validated", judge=None)
    fitted = BASELINES.get("ridge").fit(train, EQUAL)
    by_cosine = BASELINES.get("ridge").fit(replace(train, scoring="cosine"), EQUAL)
    assert (fitted.scoring, by_cosine.scoring) == ("cosine", "")
    assert fitted.trials == by_cosine.trials


def test_predictions_of_any_size_can_be_judged() -> None:
    train = replace(Listeners().examples("tags"), scoring="validated")
    wild = np.array([[1e30, 0, 0, 0, 900.0], [1, 2, 3, 4, -900]] * (VAL // 2))
    for scoring, outputs in (("norm", wild), ("dot", 1e20 * wild[:, :4]), ("cosine", wild[:, :4])):
        assert 0 <= ridge_module._judge(train, scoring, outputs) <= 1


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_a_setting_of_zeros_and_items_without_features_are_no_obstacle(form: Any) -> None:
    world = Listeners(1)
    alone = BASELINES.get("knn").fit(world.examples("tags"), options()).best
    world.tags[SEEN][::3] = 0
    world.noise = form(np.zeros_like(world.noise))
    train = world.examples("noise", "tags")
    assert train.validation is not None
    fitted = BASELINES.get("knn").fit(train, options())
    assert fitted.best is not None
    assert alone is not None
    assert 0 < (fitted.best.score or 0) < (alone.score or 0)
    rows = predict(train, fitted.arrays, train.validation.inputs)
    assert not rows[::3].any()
    assert np.isfinite(rows).all()


def test_where_all_rank_alike_the_first_of_several_is_taken() -> None:
    train = replace(Listeners().examples("tags", "noise"), judge=lambda _rows, _form, _scoring: 0.0)
    best = BASELINES.get("knn").fit(train, options()).best
    assert best is not None
    assert best.parameters == {
        "neighbours": 50,
        "feature_exponent": 0,
        "weight_1": 1,
        "weight_2": 1,
    }


def test_a_weight_of_a_setting_multiplies_its_features_by_the_root() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((50, 4)), rng.standard_normal((50, 6)) + 2
    targets = rng.standard_normal((50, 3))
    for weights in ((1.0, 0.25), (0.0, 1.0)):
        scaled = np.hstack([np.sqrt(w) * x for w, x in zip(weights, (first, second), strict=True)])
        expected = Ridge(2.0).fit(scaled, targets).predict(scaled)
        for rows in ([first, second], [csr_array(first), second], [first, csr_array(second)]):
            linear = RidgeSystem(rows, targets, weights=weights).solve(2.0)
            assert linear(rows) == pytest.approx(expected, abs=1e-8)


def test_a_ridge_gives_noise_no_weight_and_is_then_that_of_the_other_setting() -> None:
    rng = np.random.default_rng(4)
    view, noise = rng.standard_normal((90, 6)), 3 * rng.standard_normal((90, 40))
    targets = view @ rng.standard_normal((6, 4)) + 0.5 * rng.standard_normal((90, 4))
    alone, both = (
        BASELINES.get("ridge").fit(
            TrainingExamples(
                tuple(rows[:60] for rows in inputs),
                targets[:60],
                validation=Examples(tuple(rows[60:] for rows in inputs), targets[60:]),
            ),
            RidgeOptions(name="ridge"),
        )
        for inputs in ((view,), (view, noise))
    )
    assert both.best is not None
    assert [both.best.parameters[name] for name in ("weight_1", "weight_2")] == [1, 0]
    assert both.arrays["coefficients"][:6] == pytest.approx(alone.arrays["coefficients"])
    assert not both.arrays["coefficients"][6:].any()
