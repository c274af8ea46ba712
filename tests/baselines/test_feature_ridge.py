"""Ridge on plays in the space of the features is the same as in that of the items."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tartarus_cli.baselines import BASELINES, FittedBaseline, Items, TrainingExamples, ridge_plays
from tartarus_cli.baselines.kernel_choice import PlaysRidgeOptions
from tartarus_cli.baselines.ridge_plays import solves_for_features

ITEMS, NEW, USERS, STRENGTH = 40, 6, 15, 0.7
OPTIONS = PlaysRidgeOptions(name="ridge_plays", kernel="linear", strengths=(STRENGTH,))


def draw(rows: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, width)) * (rng.random((rows, width)) < 0.4)


def fitted(train: TrainingExamples) -> FittedBaseline:
    """Fit and return what predicts."""
    result = BASELINES.get("ridge_plays").fit(train, OPTIONS)
    return FittedBaseline(
        OPTIONS, result.arrays, result.form, dim=1, seed=0, classes=False, train=train
    )


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("width", [12, 60])
def test_scores_are_those_of_the_formula(width: int, *, sparse: bool) -> None:
    settings = [draw(ITEMS + NEW, width, seed) for seed in (1, 2)]
    old = tuple(csr_array(rows[:ITEMS]) if sparse else rows[:ITEMS] for rows in settings)
    new = tuple(csr_array(rows[ITEMS:]) if sparse else rows[ITEMS:] for rows in settings)
    plays = csr_array((np.random.default_rng(3).random((ITEMS, USERS)) < 0.3).astype(np.float32))
    train = TrainingExamples(
        old,
        np.empty((ITEMS, 0)),
        plays=plays,
        validation=TrainingExamples(new, np.empty((NEW, 0))),
        judge=lambda _rows, _form, _scoring: 0.5,
    )
    baseline = fitted(train)
    rows = np.asarray(BASELINES.get("ridge_plays").predict(baseline, Items([""] * NEW, new)))
    joined = np.hstack(settings)
    x, x_new = joined[:ITEMS], joined[ITEMS:]
    strength = float(baseline.arrays["strength"])
    assert strength == pytest.approx(STRENGTH * np.square(x).sum() / ITEMS)
    expected = x_new @ x.T @ np.linalg.inv(x @ x.T + strength * np.eye(ITEMS)) @ plays.toarray()
    if baseline.form == "vectors":
        users = np.column_stack([plays.toarray().T @ x, np.ones(USERS)])
        assert 2 * width < ITEMS
        np.testing.assert_allclose(rows @ users.T, expected, atol=1e-5)
    else:
        assert 2 * width >= ITEMS
        np.testing.assert_allclose(rows @ plays.toarray(), expected, atol=1e-5)


def test_more_items_than_a_kernel_can_hold_take_the_features(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [draw(ITEMS, 60, 1)]
    assert not solves_for_features(rows, "cosine")
    monkeypatch.setattr(ridge_plays, "MAX_ITEMS", ITEMS - 1)
    assert solves_for_features(rows, "cosine")
