"""Which values a trial gets: none that another trial has, and always the same from a seed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from tartarus_cli.tuning.space import Dimension, Value

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler

Key = tuple[tuple[str, Any], ...]
"""The values of a trial, each with its parameter."""

ATTEMPTS = 30
"""How often values are drawn until they are new."""
MOST_COUNTED = 50_000
"""Combinations, above which those that are left are not listed."""
STARTUP = 8
"""Trials whose values are drawn at random, before those of good ones count."""


def combinations(space: Sequence[Dimension]) -> int | None:
    """Return how many different trials there are; None if they are not counted."""
    counts = [dimension.count for dimension in space]
    if any(count is None for count in counts):
        return None
    return int(np.prod([count or 1 for count in counts], dtype=float))


def key_of(params: Mapping[str, Any]) -> Key:
    """Return what is the same for two trials of the same values."""
    return tuple(sorted(params.items()))


def make_sampler(
    space: Sequence[Dimension], seed: int, number: int, taken: Collection[Key] = ()
) -> BaseSampler:
    """Return what draws the values of one trial, by a tree of Parzen estimators (TPE).

    The values depend on the seed, the number of the trial, and the trials before it.

    Parameters
    ----------
    space
        The parameters.
    seed
        Of the study.
    number
        Of the trial.
    taken
        What :func:`key_of` returns for the trials that there are, whose values are not drawn again.
    """
    from optuna.samplers import BaseSampler, TPESampler

    drawn = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    tpe = TPESampler(seed=drawn, n_startup_trials=STARTUP)
    rng = np.random.default_rng((seed, number))
    distributions = {dimension.key: dimension.distribution for dimension in space}

    def draw(study: Study, trial: Any, search_space: Any) -> dict[str, Any]:
        params = tpe.sample_relative(study, trial, search_space)
        for key in [key for key in distributions if key not in params]:
            params[key] = tpe.sample_independent(study, trial, key, distributions[key])
        return {each.key: each.rounded(params[each.key]) for each in space}

    class DistinctSampler(BaseSampler):
        """Draws the values of all parameters together, until no other trial has them."""

        def infer_relative_search_space(self, study: Study, trial: Any) -> Any:  # noqa: ARG002
            return distributions

        def sample_relative(self, study: Study, trial: Any, search_space: Any) -> dict[str, Any]:
            for _ in range(ATTEMPTS):
                params = draw(study, trial, search_space)
                if key_of(params) not in taken:
                    return params
            return _untried(space, taken, rng) or params

        def sample_independent(self, study: Study, trial: Any, name: str, dist: Any) -> Any:
            return tpe.sample_independent(study, trial, name, dist)

    return DistinctSampler()


def _untried(
    space: Sequence[Dimension], taken: Collection[Key], rng: np.random.Generator
) -> dict[str, Value] | None:
    """Draw from the combinations that are left, where they are counted."""
    count = combinations(space)
    if count is None or count > MOST_COUNTED:
        return None
    keys = [dimension.key for dimension in space]
    every = (
        dict(zip(keys, values, strict=True)) for values in product(*(d.values() for d in space))
    )
    left = [params for params in every if key_of(params) not in taken]
    return left[int(rng.integers(len(left)))] if left else None
