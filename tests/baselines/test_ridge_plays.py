"""Ridge regression on plays: kernels, weights and strengths beside direct computations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge
from sklearn.preprocessing import normalize, scale

from tartarus_cli.baselines import (
    BASELINES,
    Examples,
    Features,
    FittedBaseline,
    Items,
    PredictionForm,
    TrainingExamples,
    feature_ridge,
    kernels,
    setting_weights,
)
from tartarus_cli.baselines import ridge_plays as module
from tartarus_cli.baselines.kernel_choice import EXTENSIONS, STEP, PlaysRidgeOptions
from tartarus_cli.baselines.kernel_system import KernelSystem, leave_one_out
from tartarus_cli.baselines.kernels import KernelName, TrainFeatures
from tartarus_cli.baselines.ridge_plays import leave_one_out_weights
from tartarus_cli.errors import TrainingError

TRAIN, VAL, USERS = 40, 15, 20
SEEN = slice(TRAIN, TRAIN + VAL)
RNG = np.random.default_rng(0)
COUNT = TRAIN + VAL
TAGS = (RNG.random((COUNT, 30)) < RNG.uniform(0.05, 0.4, (COUNT, 1))) * RNG.random((COUNT, 30))
SOUNDS = RNG.standard_normal((COUNT, 7)) * RNG.uniform(0.1, 9, 7) + RNG.uniform(-3, 3, 7)
PLAYS = (RNG.random((COUNT, USERS)) < 0.2).astype(np.float32)
TAGS[[3, TRAIN + 2]] = 0  # items without features, in one setting or in all
SOUNDS[[3, 5, TRAIN + 2, TRAIN + 4]] = 0

SETTINGS: dict[str, list[Features]] = {
    "sparse": [csr_array(TAGS)],
    "dense": [SOUNDS],
    "both": [csr_array(TAGS), SOUNDS],
    "dense beside dense": [TAGS, SOUNDS],
}


def cut(name: str, rows: slice) -> tuple[Features, ...]:
    return tuple(setting[rows] for setting in SETTINGS[name])


def dense(rows: Features) -> NDArray[np.float64]:
    return np.asarray(rows if isinstance(rows, np.ndarray) else rows.toarray(), np.float64)


def direct_kernel(
    name: str, kernel: KernelName, power: float, exponent: float, weights: Sequence[float] = (1, 1)
) -> NDArray[Any]:
    """Compute the kernel of all items with the train items, by plain NumPy and scikit-learn."""
    whole = [dense(rows) for rows in SETTINGS[name]]
    roots = np.sqrt(weights[: len(whole)])
    if kernel == "linear":
        joined = np.hstack([root * rows for root, rows in zip(roots, whole, strict=True)])
        return np.asarray(joined @ joined[:TRAIN].T)
    units = []
    for rows, given in zip(whole, SETTINGS[name], strict=True):
        if isinstance(given, np.ndarray):
            mean, deviation = rows[:TRAIN].mean(axis=0), rows[:TRAIN].std(axis=0)
            scaled = (rows - mean) / np.where(deviation > 0, deviation, 1)
            scaled[~rows.any(axis=1)] = 0
        else:
            scaled = rows
        units.append(normalize(scaled))
    joined = normalize(np.hstack([root * rows for root, rows in zip(roots, units, strict=True)]))
    cosines = joined @ joined[:TRAIN].T
    used = [rows for root, rows in zip(roots, whole, strict=True) if root]
    counts = np.maximum(sum(np.count_nonzero(rows, axis=1) for rows in used), 1)
    both = np.outer(counts, counts[:TRAIN]).astype(float) ** exponent
    return np.asarray(np.sign(cosines) * np.abs(cosines) ** power * both)


SHAPES: list[tuple[KernelName, float, float]] = [
    ("cosine", 1, 0),
    ("cosine", 1.5, 0.25),
    ("cosine", 2, 0.5),
    ("linear", 1, 0),
]


@pytest.mark.parametrize("rows_at_once", [4, 1024])
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("kernel", "power", "exponent"), SHAPES)
def test_a_kernel_is_what_numpy_computes(
    *,
    kernel: KernelName,
    power: float,
    exponent: float,
    name: str,
    rows_at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "ROWS_AT_ONCE", rows_at_once)
    features = TrainFeatures(cut(name, slice(TRAIN)), kernel)
    expected = direct_kernel(name, kernel, power, exponent)
    for dtype, near in ((np.float64, 1e-10), (np.float32, 1e-4)):
        among = features.among_train(dtype).kernel(power, exponent)
        others = features.products(cut(name, SEEN), dtype).kernel(power, exponent)
        assert among.dtype == others.dtype == dtype
        largest = np.abs(expected).max()
        assert among == pytest.approx(expected[:TRAIN], abs=near * largest)
        assert others == pytest.approx(expected[SEEN], abs=near * largest)


def test_zeros_that_are_stored_are_no_features() -> None:
    stored = csr_array(TAGS + 1.0)
    stored.data -= 1.0
    assert stored.nnz == TAGS.size
    rows = [TrainFeatures([each], "cosine").products([each], np.float64).kernel(1, 0.5)
            for each in (stored, csr_array(TAGS))]  # fmt: skip
    assert rows[0] == pytest.approx(rows[1])


def options(**values: Any) -> PlaysRidgeOptions:
    return PlaysRidgeOptions.model_validate({"name": "ridge_plays", "weights": 1, **values})


def scored(name: str, rows: NDArray[Any], form: PredictionForm) -> NDArray[Any]:
    """Return the scores ``(items, users)`` of predicted rows."""
    if form == "weights":
        assert rows.shape == (VAL, TRAIN)
        return np.asarray(rows @ PLAYS[:TRAIN])
    assert form == "vectors"  # of users: the sums of the features that they played
    assert not rows[:, -1].any()
    joined = np.hstack([dense(setting) for setting in cut(name, slice(TRAIN))])
    return np.asarray(rows[:, :-1] @ joined.T @ PLAYS[:TRAIN])


def examples(name: str, judge: Any = None) -> TrainingExamples:
    def precision(rows: Any, form: PredictionForm, _scoring: str) -> float:
        return mean_average_precision(scored(name, rows, form).T, PLAYS[SEEN].T)

    return TrainingExamples(
        cut(name, slice(TRAIN)),
        np.empty((TRAIN, 0)),
        plays=csr_array(PLAYS[:TRAIN]),
        validation=Examples(cut(name, SEEN), np.empty((VAL, 0))),
        judge=judge or precision,
    )


def mean_average_precision(scores: NDArray[Any], plays: NDArray[Any]) -> float:
    values = []
    for user in np.flatnonzero(plays.any(axis=1)):
        places = 1 + np.flatnonzero(plays[user][np.argsort(-scores[user], kind="stable")])
        values.append((np.arange(1, 1 + len(places)) / places).mean())
    return float(np.mean(values))


def fitted(
    name: str, judge: Any = None, **values: Any
) -> tuple[FittedBaseline, TrainingExamples, Any]:
    train = examples(name, judge)
    result = BASELINES.get("ridge_plays").fit(train, options(**values))
    known = FittedBaseline(
        options(**values), result.arrays, result.form, 1, 0, classes=False, train=train
    )
    return known, train, result


def predicted(baseline: FittedBaseline, inputs: tuple[Features, ...]) -> NDArray[Any]:
    rows = BASELINES.get("ridge_plays").predict(baseline, Items([""] * VAL, inputs))
    assert isinstance(rows, np.ndarray)
    return rows


@pytest.mark.parametrize(
    ("name", "weights"),
    [*((name, (1.0, 1.0)) for name in SETTINGS), ("both", (0.25, 1.0)), ("both", (1.0, 0.0))],
)
@pytest.mark.parametrize(("kernel", "power", "exponent"), SHAPES)
def test_predictions_are_those_of_a_direct_solution(
    kernel: KernelName, power: float, exponent: float, name: str, weights: tuple[float, ...]
) -> None:
    each = [[weight] for weight in weights[: len(SETTINGS[name])]]
    given = {"powers": power, "count_exponents": exponent, "strengths": 2, "weights": each}
    baseline, train, result = fitted(name, kernel=kernel, **given)
    assert train.validation is not None
    rows = predicted(baseline, train.validation.inputs)
    whole = direct_kernel(name, kernel, power, exponent, weights)
    strength = 2 * np.diag(whole[:TRAIN]).mean()
    assert float(result.arrays["strength"]) == pytest.approx(strength, rel=1e-5)
    inverse = np.linalg.inv(whole[:TRAIN] + float(result.arrays["strength"]) * np.eye(TRAIN))
    assert (baseline.form == "weights") == (kernel == "cosine")
    if baseline.form == "weights":
        assert rows == pytest.approx(whole[SEEN] @ inverse, abs=1e-6)
    scores = scored(name, rows, baseline.form)
    assert scores == pytest.approx(whole[SEEN] @ inverse @ PLAYS[:TRAIN], abs=1e-6)


def test_an_item_that_lacks_a_setting_is_compared_by_the_other_one() -> None:
    tags, sounds = SETTINGS["both"]
    lacking = np.zeros_like(sounds[SEEN])
    both = TrainFeatures([tags[:TRAIN], sounds[:TRAIN]], "cosine")
    alone = TrainFeatures([tags[:TRAIN]], "cosine")
    kernel = both.products([tags[SEEN], lacking], np.float64).kernel(1, 0)
    expected = alone.products([tags[SEEN]], np.float64).kernel(1, 0)
    has_both = SOUNDS[:TRAIN].any(axis=1) & TAGS[:TRAIN].any(axis=1)
    assert has_both.any()
    assert kernel[:, has_both] == pytest.approx(expected[:, has_both] / np.sqrt(2))


def test_weights_of_settings_are_chosen_and_none_alone_is_better() -> None:
    """The judge likes what is near the kernel of the tags and a quarter of that of the sounds."""
    aim = direct_kernel("both", "cosine", 1, 0, (1, 0.25))
    inverse = np.linalg.inv(aim[:TRAIN] + 2 * np.eye(TRAIN))

    def judge(rows: Any, *_: Any) -> float:
        return float(-np.abs(rows - aim[SEEN] @ inverse).mean())

    given = {"powers": 1, "count_exponents": 0, "strengths": 2}
    *_, result = fitted("both", judge, weights=[[1, 0, 0.25, 0.5]], **given)
    assert result.arrays["weights"].tolist() == [1, 0.25]
    tried = [(t.parameters["weight_1"], t.parameters["weight_2"], t.score) for t in result.trials]
    alone = [score for first, second, score in tried if 0 in (first, second)]
    assert len(alone) == 2
    assert result.best.score > max(alone)


def test_of_many_train_items_some_choose_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setting_weights, "WEIGHT_ITEMS", 30)
    rows_seen = []

    def judge(rows: Any, *_: Any) -> float:
        rows_seen.append(int((rows != 0).any(axis=0).sum()))
        return 0.5

    *_, result = fitted("both", judge, weights=[[1, 0, 0.5]])
    assert {*rows_seen} == {29, TRAIN - 1}  # an item has no feature
    assert result.arrays["weights"].tolist() == [1, 1]
    assert len(result.trials) < len(rows_seen)


def test_with_the_products_of_features_it_is_the_ridge_regression_of_scikit_learn() -> None:
    baseline, train, result = fitted("both", kernel="linear", strengths=1)
    assert train.validation is not None
    joined = np.hstack([dense(rows) for rows in SETTINGS["both"]])
    ridge = Ridge(float(result.arrays["strength"]), fit_intercept=False)
    expected = ridge.fit(joined[:TRAIN], PLAYS[:TRAIN]).predict(joined[SEEN])
    rows = predicted(baseline, train.validation.inputs)
    scores = scored("both", rows, baseline.form)
    assert scores == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("kernel", "power", "exponent"), SHAPES)
def test_leave_one_out_is_a_fit_without_the_item(
    kernel: KernelName, power: float, exponent: float, name: str
) -> None:
    whole = direct_kernel(name, kernel, power, exponent)[:TRAIN]
    strength = float(np.diag(whole).mean())
    scores = leave_one_out(whole, strength) @ PLAYS[:TRAIN]
    for item in range(TRAIN):
        rest = np.delete(np.arange(TRAIN), item)
        matrix = whole[np.ix_(rest, rest)] + strength * np.eye(TRAIN - 1)
        again = whole[item, rest] @ np.linalg.solve(matrix, PLAYS[rest])
        assert scores[item] == pytest.approx(again, abs=2e-6)


def test_the_train_items_of_a_model_are_predicted_without_themselves() -> None:
    baseline, _, result = fitted("both", powers=1.25, count_exponents=0.25, strengths=1)
    whole = direct_kernel("both", "cosine", 1.25, 0.25)[:TRAIN]
    expected = leave_one_out(whole, float(result.arrays["strength"]))
    weights = leave_one_out_weights(baseline)
    assert weights == pytest.approx(expected, abs=1e-6)
    assert weights.diagonal().tolist() == [0] * TRAIN
    assert weights.dtype == np.float32


def test_what_is_chosen_has_the_best_score_of_all_that_was_tried() -> None:
    baseline, train, result = fitted("both")
    assert train.validation is not None
    assert train.judge is not None
    scores = [trial.score for trial in result.trials]
    assert result.best.score == max(scores)
    assert len({tuple(trial.parameters.values()) for trial in result.trials}) == len(scores)
    rows = predicted(baseline, train.validation.inputs)
    assert train.judge(rows, "weights", "") == pytest.approx(result.best.score)
    for trial in result.trials:
        shape = (trial.parameters["power"], trial.parameters["count_exponent"])
        whole = direct_kernel("both", "cosine", *shape)
        strength = trial.parameters["strength"] * np.diag(whole[:TRAIN]).mean()
        matrix = whole[:TRAIN] + strength * np.eye(TRAIN)
        expected = whole[SEEN] @ np.linalg.solve(matrix, PLAYS[:TRAIN])
        value = mean_average_precision(expected.T, PLAYS[SEEN].T)
        assert trial.score == pytest.approx(value, abs=1e-2)  # scores may be tied but for a bit


def test_strengths_beyond_the_given_ones_are_tried_while_they_are_better() -> None:
    def larger_is_better(rows: NDArray[Any], _form: str, _scoring: str) -> float:
        return 1 / float(np.abs(rows).sum())  # the more regularization, the smaller the weights

    *_, result = fitted("both", larger_is_better, powers=1, count_exponents=0)
    strengths = [float(trial.parameters["strength"]) for trial in result.trials]
    assert max(strengths) == 3 * STEP**EXTENSIONS
    assert result.best.parameters["strength"] == max(strengths)
    *_, result = fitted("both", lambda *_: 0.5, powers=1, count_exponents=0)
    assert result.best.parameters["strength"] == 1
    assert len(result.trials) == 3


def test_a_single_strength_is_taken_as_it_is() -> None:
    *_, result = fitted("both", strengths=5, powers=1, count_exponents=0)
    assert [dict(trial.parameters) for trial in result.trials] == [
        {"strength": 5, "power": 1, "count_exponent": 0, "weight_1": 1, "weight_2": 1}
    ]


def test_the_products_of_features_have_no_power_to_choose() -> None:
    *_, result = fitted("both", kernel="linear")
    names = {tuple(trial.parameters) for trial in result.trials}
    assert names == {("strength", "weight_1", "weight_2")}
    assert (result.arrays["power"], result.arrays["count_exponent"]) == (1, 0)


def test_a_setting_of_zeros_changes_no_prediction() -> None:
    baseline, train, _ = fitted("sparse", strengths=1, powers=1.5, count_exponents=0.5)
    assert train.validation is not None
    rows = predicted(baseline, train.validation.inputs)
    for zeros in (np.zeros((COUNT, 4)), csr_array((COUNT, 4))):
        more = replace(train, inputs=(*train.inputs, zeros[:TRAIN]))
        arrays = baseline.arrays | {"weights": np.ones(len(more.inputs))}
        wider = replace(baseline, arrays=arrays, train=more, cache={})
        again = predicted(wider, (*train.validation.inputs, zeros[SEEN]))
        assert again == pytest.approx(rows, abs=1e-7)


def test_items_without_features_have_no_weights() -> None:
    baseline, train, _ = fitted("both", strengths=1)
    assert train.validation is not None
    rows = predicted(baseline, train.validation.inputs)
    assert np.flatnonzero(~rows.any(axis=1)).tolist() == [2]
    assert np.flatnonzero(~rows.any(axis=0)).tolist() == [3]


def test_features_that_are_all_zero_score_nothing() -> None:
    train = examples("both")
    nothing = [np.zeros((TRAIN, 3))]
    empty = replace(
        train,
        inputs=tuple(nothing),
        validation=Examples((np.zeros((VAL, 3)),), np.empty((VAL, 0))),
    )
    result = BASELINES.get("ridge_plays").fit(empty, options())
    known = FittedBaseline(options(), result.arrays, "weights", 1, 0, classes=False, train=empty)
    assert not predicted(known, (np.zeros((VAL, 3)),)).any()


TOO_MANY = (
    "ridge on plays takes the products of features, not cosines: the 40 train items are more "
    "than 39"
)


def test_of_too_many_train_items_the_products_of_features_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "warn", said.append)
    expected = fitted("both", kernel="linear", strengths=1)
    monkeypatch.setattr(module, "MAX_ITEMS", TRAIN - 1)
    for name in ("cosine", "linear"):
        baseline, train, result = fitted("both", kernel=name, strengths=1)
        assert said == [TOO_MANY] * (name == "cosine")
        said.clear()
        assert train.validation is not None
        np.testing.assert_equal(result.arrays, expected[2].arrays)
        rows = predicted(baseline, train.validation.inputs)
        assert rows.tolist() == predicted(expected[0], train.validation.inputs).tolist()
    with pytest.raises(TrainingError, match="leaves over of at most 39 train items, by cosines"):
        leave_one_out_weights(baseline)
    monkeypatch.setattr(feature_ridge, "MAX_UNKNOWNS", 10)
    with pytest.raises(TrainingError, match="37 features"):
        fitted("both", kernel="linear", strengths=1)


def test_equations_that_have_no_solution_are_an_error() -> None:
    with pytest.raises(TrainingError, match="cannot be solved with a strength of 0"):
        KernelSystem(np.array([[1.0, 2.0], [2.0, 1.0]])).weights(np.ones((1, 2)), 0)


def test_a_strength_that_cannot_be_solved_for_is_never_chosen() -> None:
    *_, result = fitted("both", powers=1, count_exponents=0, strengths=[0, 1])
    assert result.best.parameters["strength"] > 0


@pytest.mark.parametrize(
    "values",
    [
        {"kernel": "gaussian"},
        {"strengths": []},
        {"strengths": -1},
        {"strengths": float("nan")},
        {"powers": "much"},
        {"count_exponents": [-0.5]},
        {"power": 1},
    ],
)
def test_parameters_that_make_no_sense_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        options(**values)


def test_the_scale_of_a_dense_setting_is_that_of_scikit_learn() -> None:
    products = TrainFeatures([SOUNDS], "cosine").among_train(np.float64)
    rows = scale(SOUNDS)
    present = SOUNDS.any(axis=1)
    expected = normalize(rows)[present] @ normalize(rows)[present].T
    assert products.values[np.ix_(present, present)] == pytest.approx(expected)
