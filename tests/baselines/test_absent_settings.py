"""Settings that items lack: they say nothing, to baselines of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge

from tartarus_cli.baselines import (
    BASELINES,
    Examples,
    FittedBaseline,
    Items,
    PredictionForm,
    Presence,
    TrainingExamples,
)
from tartarus_cli.baselines.kernels import TrainFeatures
from tartarus_cli.baselines.ridge_system import RidgeSystem
from tartarus_cli.baselines.similarity import find_neighbours

TRAIN, VAL, USERS = 60, 30, 20
HALF = np.arange(TRAIN + VAL) % 2 == 0
NOBODY = np.zeros(TRAIN + VAL, bool)
RNG = np.random.default_rng(5)
WHOLE = {"a": RNG.standard_normal((TRAIN + VAL, 7)), "b": RNG.standard_normal((TRAIN + VAL, 9)) + 4}
TARGETS = WHOLE["a"] @ RNG.standard_normal((7, 3)) + 1
PLAYS = (RNG.random((TRAIN + VAL, USERS)) < 0.3).astype(float)


def lacking(rows: NDArray[Any], present: NDArray[np.bool_]) -> NDArray[Any]:
    return np.where(present[:, None], rows, 0)


@pytest.mark.parametrize("extra", [0, 200], ids=["fewer features than items", "more features"])
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_a_ridge_takes_the_mean_of_a_setting_for_what_an_item_lacks(form: Any, extra: int) -> None:
    other = np.hstack([WHOLE["b"], RNG.standard_normal((TRAIN + VAL, extra)) - 2])
    imputed = np.where(HALF[:, None], other, other[HALF].mean(axis=0))
    joined = np.hstack([WHOLE["a"], imputed])
    inputs = [WHOLE["a"], form(lacking(other, HALF))]
    linear = RidgeSystem(inputs, TARGETS, (None, HALF)).solve(2.0)
    expected = Ridge(2.0).fit(joined, TARGETS)
    assert linear.coefficients == pytest.approx(expected.coef_.T, abs=1e-8)
    assert linear(inputs, (None, HALF)) == pytest.approx(expected.predict(joined), abs=1e-8)
    nothing = [np.zeros((2, 7)), np.zeros((2, 9 + extra))]
    told = linear(nothing, (np.zeros(2, bool),) * 2)
    assert told == pytest.approx(np.tile(TARGETS.mean(axis=0), (2, 1)))


def judge(rows: Any, _form: PredictionForm, _scoring: str) -> float:
    values = rows if isinstance(rows, np.ndarray) else rows.toarray()
    return float(-np.abs(values).mean())


def predictions(name: str, inputs: list[Any], present: Presence) -> NDArray[Any]:
    """Fit a baseline to the first items, and predict the last ones."""
    cut = [tuple(rows[s] for rows in inputs) for s in (slice(TRAIN), slice(TRAIN, None))]
    masks = [
        tuple(None if mask is None else mask[s] for mask in present)
        for s in (slice(TRAIN), slice(TRAIN, None))
    ]
    baseline = BASELINES.get(name)
    train = TrainingExamples(
        cut[0],
        TARGETS[:TRAIN],
        present=masks[0],
        plays=csr_array(PLAYS[:TRAIN]),
        validation=Examples(cut[1], TARGETS[TRAIN:], masks[1]),
        judge=judge,
    )
    options = baseline.options(name=name)
    fitted = baseline.fit(train, options)
    known = FittedBaseline(options, fitted.arrays, fitted.form, 3, 0, classes=False, train=train)
    rows = baseline.predict(known, Items([""] * VAL, cut[1], present=masks[1]))
    return np.asarray(rows if isinstance(rows, np.ndarray) else rows.toarray())


READS_SETTINGS = [name for name in BASELINES.names() if BASELINES.get(name).settings[1] is None]


@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("name", [name for name in READS_SETTINGS if name != "blend"])
def test_a_setting_that_no_item_has_is_as_if_it_were_not_there(name: str, form: Any) -> None:
    tags = np.maximum(WHOLE["a"], 0)
    alone = predictions(name, [tags], ())
    absent = form(np.zeros((TRAIN + VAL, 9)))
    both = predictions(name, [tags, absent], (None, NOBODY))
    scale = np.abs(both).max(axis=1) / np.abs(alone).max(axis=1) if name == "knn" else np.ones(VAL)
    assert scale == pytest.approx(np.full(VAL, scale[0]))  # which ranks as before
    assert both == pytest.approx(alone * scale[0], rel=1e-4, abs=1e-6)


def test_neighbours_of_an_item_are_found_by_the_settings_that_it_has() -> None:
    train = [WHOLE["a"][:TRAIN], lacking(WHOLE["b"], HALF)[:TRAIN]]
    items = [WHOLE["a"][TRAIN:], np.zeros((VAL, 9))]
    has = np.column_stack([np.ones(VAL, bool), np.zeros(VAL, bool)])
    both = find_neighbours(items, train, 10, weights=[1.0, 3.0], present=has).toarray()
    alone = find_neighbours(items[:1], train[:1], 10).toarray()
    assert both == pytest.approx(alone / 2, abs=1e-8)  # of the weights, it has a quarter


def test_a_kernel_is_standardised_by_the_items_that_have_a_setting() -> None:
    rows, mask = lacking(WHOLE["b"], HALF)[:TRAIN], HALF[:TRAIN]
    kernel = TrainFeatures([rows], "cosine", (mask,)).among_train(np.float64).values
    alone = TrainFeatures([rows[mask]], "cosine").among_train(np.float64).values
    assert kernel[np.ix_(mask, mask)] == pytest.approx(alone)
    assert not kernel[~mask].any()
