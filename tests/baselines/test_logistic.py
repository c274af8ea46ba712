"""Logistic regression beside scikit-learn's: dense, sparse, several settings, absent classes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, random_array
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tartarus_cli.baselines import (
    BASELINES,
    BaselineResult,
    Examples,
    Features,
    FittedBaseline,
    Items,
    TrainingExamples,
    logistic,
)
from tartarus_cli.baselines.logistic import LogisticOptions
from tartarus_cli.progress import SilentProgress, watching

ITEMS, NEW, CLASSES, C = 120, 40, 4, 0.3
KINDS = ("dense", "sparse", "both")


def draw(rows: int, kind: str) -> tuple[Features, ...]:
    rng = np.random.default_rng(rows)
    scales = np.array([1e-3, 1, 1, 50, 1, 2])
    dense = rng.standard_normal((rows, 6)).astype(np.float32) * scales + 100 * scales
    sparse = random_array((rows, 20), density=0.3, format="csr", rng=rng)
    return {"dense": (dense,), "sparse": (sparse,), "both": (dense, sparse)}[kind]


def joined(inputs: tuple[Features, ...]) -> NDArray[np.float64]:
    return np.hstack(
        [np.asarray(r, float) if isinstance(r, np.ndarray) else r.toarray() for r in inputs]
    )


def classes_of(inputs: tuple[Features, ...], *, single: bool) -> NDArray[np.float64]:
    rows = StandardScaler().fit_transform(joined(inputs))
    rng = np.random.default_rng(5)
    logits = rows @ rng.standard_normal((rows.shape[1], CLASSES)) + rng.gumbel(
        size=(len(rows), CLASSES)
    )
    rows = np.eye(CLASSES)[logits.argmax(axis=1)] if single else logits > 1
    return np.asarray(rows, np.float64)


def examples(kind: str, *, single: bool, **changes: Any) -> TrainingExamples:
    inputs, new = draw(ITEMS, kind), draw(NEW, kind)
    values: dict[str, Any] = {
        "inputs": inputs,
        "targets": classes_of(inputs, single=single),
        "classes": True,
        "single": single,
        "validation": Examples(new, classes_of(new, single=single)),
    }
    return TrainingExamples(**values | changes)


def fit(train: TrainingExamples, **options: Any) -> BaselineResult:
    return BASELINES.get("logistic").fit(train, LogisticOptions(name="logistic", **options))


def predict(
    train: TrainingExamples, result: BaselineResult, inputs: tuple[Features, ...], **items: Any
) -> NDArray[np.float32]:
    fitted = FittedBaseline(
        LogisticOptions(name="logistic"),
        result.arrays,
        result.form,
        dim=CLASSES,
        seed=0,
        classes=True,
        single=train.single,
    )
    rows = BASELINES.get("logistic").predict(
        fitted, Items([""] * int(inputs[0].shape[0]), inputs, **items)
    )
    return np.asarray(rows)


def standardize(train: tuple[Features, ...], rows: tuple[Features, ...]) -> NDArray[np.float64]:
    """Standardise each column of dense settings; sparse ones by one deviation for all columns."""
    parts = []
    for fit_rows, new in zip(train, rows, strict=True):
        scaler = StandardScaler().fit(joined((fit_rows,)))
        scaled = joined((new,)) - scaler.mean_
        variance = scaler.var_ if isinstance(new, np.ndarray) else scaler.var_.mean()
        parts.append(scaled / np.sqrt(variance))
    return np.hstack(parts)


def expected(train: TrainingExamples, inputs: tuple[Features, ...]) -> NDArray[np.float64]:
    """Predict with scikit-learn; of several classes each, one model a class."""
    rows, new = standardize(train.inputs, train.inputs), standardize(train.inputs, inputs)
    targets = np.asarray(train.targets)
    model = LogisticRegression(C=C, tol=1e-8, max_iter=5000)
    if train.single:
        return np.asarray(model.fit(rows, targets.argmax(axis=1)).predict_proba(new))
    columns = [model.fit(rows, column).predict_proba(new)[:, 1] for column in targets.T]
    return np.column_stack(columns)


@pytest.mark.parametrize("memory", [0, 1 << 20])
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_are_those_of_scikit_learn(
    kind: str, memory: int, monkeypatch: pytest.MonkeyPatch, *, single: bool
) -> None:
    monkeypatch.setattr(logistic, "MEMORY_BYTES", memory)
    train, new = examples(kind, single=single), draw(NEW, kind)
    result = fit(train, C=C)
    np.testing.assert_allclose(
        predict(train, result, new), expected(train, new), rtol=2e-3, atol=2e-4
    )
    assert result.best is not None
    assert result.best.parameters == {"C": C}


@pytest.mark.parametrize("single", [True, False])
def test_the_strength_is_that_of_the_lowest_loss_of_validation_items(*, single: bool) -> None:
    train = examples("both", single=single)
    result = fit(train)
    assert result.best is not None
    assert train.validation is not None
    rows = predict(train, result, train.validation.inputs).astype(float)
    truth = np.asarray(train.validation.targets)
    logs = truth * np.log(np.maximum(rows, 1e-7))
    if not single:
        logs += (1 - truth) * np.log(np.maximum(1 - rows, 1e-7))
    loss = -logs.sum(axis=1).mean() if single else -logs.mean()
    assert result.best.loss == pytest.approx(loss, rel=1e-5)
    losses = [trial.loss for trial in result.trials if trial.loss is not None]
    assert result.best.loss == min(losses)
    strengths = [float(trial.parameters["C"]) for trial in result.trials]
    assert max(strengths) == 10 * float(result.best.parameters["C"])  # it stops once one is worse


@pytest.mark.parametrize("single", [True, False])
def test_a_class_without_train_items_is_never_predicted_and_one_that_all_have_always(
    *, single: bool
) -> None:
    inputs = draw(ITEMS, "dense")
    targets = classes_of(inputs, single=single)
    targets[:, 1] = 0
    if not single:
        targets[:, 2] = 1
    train = examples("dense", single=single, targets=targets)
    result = fit(train)
    assert all(np.isfinite(array).all() for array in result.arrays.values())
    assert all(np.isfinite(trial.loss or np.nan) for trial in result.trials)
    rows = predict(train, result, draw(NEW, "dense"))
    assert (rows[:, 1] == 0).all()
    if single:
        assert rows.sum(axis=1) == pytest.approx(1)
    else:
        assert (rows[:, 2] == 1).all()


def test_one_class_alone_is_certain() -> None:
    train = examples("dense", single=True, targets=np.eye(CLASSES)[np.full(ITEMS, 2)])
    rows = predict(train, fit(train), draw(NEW, "dense"))
    assert (rows == np.eye(CLASSES)[2]).all()


def test_items_that_lack_a_setting_are_as_if_they_had_its_mean() -> None:
    inputs = draw(ITEMS, "both")
    has = np.arange(ITEMS) % 3 > 0
    dense, sparse = inputs[0] * has[:, None], csr_array(joined(inputs[1:]) * has[::-1, None])
    present = (has, has[::-1])
    train = examples("both", single=True, inputs=(dense, sparse), present=present)
    result = fit(train, C=C)
    parts = [
        standardize((each[mask],), (each,)) * mask[:, None]
        for each, mask in zip((dense, sparse), present, strict=True)
    ]
    rows = np.hstack(parts)
    model = LogisticRegression(C=C, tol=1e-8, max_iter=5000)
    probabilities = model.fit(rows, np.argmax(train.targets, axis=1)).predict_proba(rows)
    found = predict(train, result, (dense, sparse), present=present)
    np.testing.assert_allclose(found, probabilities, rtol=2e-3, atol=2e-4)


def test_columns_that_are_constant_change_nothing() -> None:
    def widened(inputs: tuple[Features, ...]) -> tuple[Features, ...]:
        return (np.hstack([np.asarray(inputs[0]), np.full((inputs[0].shape[0], 2), 7.25)]),)

    train, new = examples("dense", single=True), draw(NEW, "dense")
    validation = Examples(widened(new), np.eye(CLASSES)[[0] * NEW])
    wider = examples("dense", single=True, inputs=widened(train.inputs), validation=validation)
    rows = predict(wider, fit(wider, C=C), widened(new))
    np.testing.assert_allclose(rows, predict(train, fit(train, C=C), new), atol=1e-4)


def test_a_solver_that_does_not_converge_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Watcher(SilentProgress):
        said: str = ""

        def warn(self, message: str) -> None:
            self.said += message

    watcher = Watcher()
    monkeypatch.setattr(logistic, "MAX_STEPS", 2)
    with watching(watcher):
        fit(examples("dense", single=True), C=100.0)
    assert "logistic has not converged after 2 steps with C = 100: " in watcher.said


def test_sparse_settings_are_never_dense() -> None:
    rng = np.random.default_rng(0)
    rows = random_array((2000, 20_000), density=1e-3, format="csr", rng=rng)
    targets = np.eye(3)[rng.integers(3, size=2000)]
    train = TrainingExamples(
        (rows,), targets, classes=True, single=True, validation=Examples((rows,), targets)
    )
    tracemalloc.start()
    fit(train, C=1e-3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2000 * 20_000  # an eighth of what they would take as numbers of 8 bytes
