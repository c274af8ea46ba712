"""Ridge regression from features to targets: the best that a linear map can do.

Hoerl and Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems. The
intercept is not penalised: features and targets are centred, sparse features by algebra, so that
they stay sparse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineOptions,
    BaselineResult,
    ChosenScoring,
    Examples,
    FittedBaseline,
    Items,
    Parameters,
    TrainingExamples,
    Trial,
    from_log_norms,
    normalize_rows,
    select_presence,
    with_log_norms,
)
from tartarus_cli.baselines.ridge_system import LinearMap, RidgeSystem
from tartarus_cli.baselines.row_products import (
    FloatArray,
)
from tartarus_cli.baselines.search import Search, is_better
from tartarus_cli.baselines.setting_weights import (
    SettingWeights,
    draw_items,
    first_choice,
    relative_weights,
    single_settings,
    weight_choices,
    weights_of,
)

RELATIVE_STRENGTHS = tuple(10.0**power for power in range(-4, 4))
"""Strengths to try, relative to the mean of the diagonal of the matrix."""

VALIDATED = "validated"
"""The scoring that stands for the one of ``cosine``, ``dot`` and ``norm`` that ranks the validation
items best, and for ``cosine`` where nobody knows who played these."""

# With a strength that is far too low, predictions may be of any size.
MAX_LOG_NORM = 60.0
"""Largest logarithm of a norm that is judged: larger norms overflow."""
MAX_OUTPUT = 1e26
"""Largest factor that is judged."""


def cosine_loss(targets: FloatArray, outputs: FloatArray) -> float:
    """Return the mean over rows of ``(1 - cosine) / 2``; a zero row costs 0.5."""
    cosines = (normalize_rows(targets) * normalize_rows(outputs)).sum(axis=1)
    return float(np.clip((1 - cosines) / 2, 0, 1).mean())


def direction_and_norm_loss(targets: FloatArray, outputs: FloatArray) -> float:
    """Return the cosine loss of all columns but the last, plus the squared error of the last."""
    direction = cosine_loss(targets[:, :-1], outputs[:, :-1])
    return direction + squared_loss(targets[:, -1], outputs[:, -1])


def squared_loss(targets: FloatArray, outputs: FloatArray) -> float:
    """Return the mean squared error of all values."""
    return float(np.square(targets - outputs).mean())


@dataclass(frozen=True)
class _Target:
    """What the factors of a ridge may be learnt for: some columns of its targets, and their loss.

    All are solved for together: no column of the solution depends on another.
    """

    scoring: ChosenScoring
    columns: slice
    loss: Callable[[FloatArray, FloatArray], float]


@dataclass(frozen=True)
class _Candidate:
    """A map that was tried."""

    trial: Trial
    target: _Target
    linear: LinearMap


class RidgeOptions(BaselineOptions):
    """How much each setting counts."""

    weights: SettingWeights = ((1.0, 0.0, 0.25),)
    """How much each setting counts: a weight for each, or for all; each may be several to choose
    from. Of many train items, a part is taken to choose them."""


def _fit(train: TrainingExamples, options: RidgeOptions) -> BaselineResult:
    """Choose the weights and the strength whose map has the lowest loss on the validation items.

    Where the scoring is to be chosen too, and validation items can be ranked, it is the scoring,
    the weights and the strength that rank them best.
    """
    targets = _targets(train)
    weights, trials = _choose_weights(train, targets, options)
    best: _Candidate | None = None
    for candidate in _Strengths(train, targets, weights).candidates():
        trials.append(candidate.trial)
        if best is None or is_better(candidate.trial, best.trial):
            best = candidate
    if best is None:
        msg = "no strength was tried"
        raise AssertionError(msg)
    trials = [*{tuple(trial.parameters.items()): trial for trial in trials}.values()]
    linear, target, held_out = best.linear, best.target, None
    if train.held_out:
        truth = _learnt(train, train.held_out, targets)[:, target.columns]
        held_out = target.loss(truth, linear(train.held_out.inputs, train.held_out.present))
    return BaselineResult(
        {
            "coefficients": linear.coefficients,
            "intercept": linear.intercept,
            "absent": linear.absent,
        },
        trials=tuple(trials),
        best=best.trial,
        scoring=target.scoring if train.scoring == VALIDATED else "",
        held_out_loss=held_out,
    )


def _choose_weights(
    train: TrainingExamples, targets: Sequence[_Target], options: RidgeOptions
) -> tuple[Parameters, list[Trial]]:
    """Return the weight of each setting, and what was tried with all train items.

    One weight at a time is changed while that helps, from equal ones and from each setting alone.
    """
    choices = weight_choices(options.weights, len(train.inputs))
    start = first_choice(choices)
    if all(len(values) == 1 for values in choices.values()):
        return start, []
    some, rows = train, draw_items(len(train.targets))
    if rows is not None:
        some = replace(
            train,
            inputs=tuple(matrix[rows] for matrix in train.inputs),
            targets=train.targets[rows],
            present=select_presence(train.present, rows),
        )
    found: dict[tuple[float | str, ...], list[Trial]] = {}

    def best_of(weights: Parameters) -> Trial:
        key = tuple(weights.values())
        if key not in found:
            strengths = _Strengths(some, targets, weights)
            found[key] = [candidate.trial for candidate in strengths.candidates()]
        return max(found[key], key=_order)

    def score(weights: Parameters) -> float:
        return _order(best_of(weights))

    search = Search(score, relative_weights)
    best = search.climb(start, {})
    for alone in single_settings(best.parameters, choices):
        trial = search.attempt(alone)
        best = trial if trial is not None and is_better(trial, best) else best
    best = search.climb(best.parameters, choices)
    trials = [trial for trials in found.values() for trial in trials]
    return best.parameters, trials if some is train else []


def _order(trial: Trial) -> float:
    """Return what is higher for a better trial."""
    return trial.score if trial.score is not None else -(trial.loss or 0.0)


@dataclass(frozen=True)
class _Strengths:
    """Tries each strength for each target, with certain weights of the settings."""

    train: TrainingExamples
    targets: Sequence[_Target]
    weights: Parameters
    """None for a single setting."""

    def candidates(self) -> Iterator[_Candidate]:
        """Yield what is tried."""
        train, targets = self.train, self.targets
        if train.validation is None:
            msg = "a strength is chosen by validation items, which are not given"
            raise AssertionError(msg)
        truth = _learnt(train, train.validation, targets)
        weights = weights_of(self.weights, len(train.inputs))
        system = RidgeSystem(train.inputs, _learnt(train, train, targets), train.present, weights)
        for relative in RELATIVE_STRENGTHS:
            strength = relative * system.scale
            solution = system.solve(strength)
            outputs = solution(train.validation.inputs, train.validation.present)
            for target in targets:
                rows = outputs[:, target.columns]
                loss = target.loss(truth[:, target.columns], rows)
                parameters: Parameters = {"strength": strength, **self.weights}
                score = None
                if len(targets) > 1:
                    parameters = {"scoring": target.scoring, **parameters}
                    score = _judge(train, target.scoring, rows)
                trial = Trial(parameters, loss, score)
                yield _Candidate(trial, target, solution.columns(target.columns))


def _targets(train: TrainingExamples) -> list[_Target]:
    """List what the factors may be learnt for: one thing, unless the best is to be chosen."""
    if train.scoring == VALIDATED and train.judge is not None:
        dim = train.targets.shape[1]
        return [
            _Target("cosine", slice(dim), cosine_loss),
            _Target("dot", slice(dim, 2 * dim), squared_loss),
            _Target("norm", slice(2 * dim, None), direction_and_norm_loss),
        ]
    loss = squared_loss if train.classes or train.scoring == "dot" else cosine_loss
    if train.scoring == "norm":
        loss = direction_and_norm_loss
    return [_Target("cosine", slice(None), loss)]


def _learnt(train: TrainingExamples, examples: Examples, targets: Sequence[_Target]) -> FloatArray:
    """Return what is learnt of items: the columns of all targets."""
    if len(targets) == 1:
        return train.prepare_targets(examples)
    factors = np.asarray(examples.targets, np.float64)
    return np.hstack([normalize_rows(factors), factors, with_log_norms(factors)])


def _judge(train: TrainingExamples, scoring: str, outputs: FloatArray) -> float:
    """Return how well predictions rank the validation items."""
    if train.judge is None:
        msg = "nobody knows who played the validation items"
        raise AssertionError(msg)
    if scoring == "norm":
        logs = np.clip(outputs[:, -1:], -MAX_LOG_NORM, MAX_LOG_NORM)
        rows = from_log_norms(np.hstack([outputs[:, :-1], logs]))
    else:
        rows = np.clip(outputs, -MAX_OUTPUT, MAX_OUTPUT).astype(np.float32)
    return train.judge(rows, "factors", scoring)


def _predict(baseline: FittedBaseline, items: Items) -> NDArray[np.float32]:
    arrays, settings = baseline.arrays, len(items.inputs)
    # Models of earlier versions have no rows of absent settings: theirs are zeros.
    absent = arrays.get("absent", np.zeros((settings, len(arrays["intercept"]))))
    linear = LinearMap(arrays["coefficients"], arrays["intercept"], absent)
    return linear(items.inputs, items.present).astype(np.float32)


def _shapes(width: int, dim: int) -> dict[str, tuple[int, ...]]:
    return {"coefficients": (width, dim), "intercept": (dim,), "absent": (-1, dim)}


BASELINES.register("ridge")(
    Baseline(
        _fit,
        _predict,
        RidgeOptions,
        shapes=_shapes,
        optional=("absent",),
        settings=(1, None),
        learns=True,
        validates=True,
        judged=True,
        scorings=("cosine", "dot", "norm", VALIDATED),
        draws=False,
    )
)
