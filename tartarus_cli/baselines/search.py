"""The search for the parameters of a baseline that rank validation items best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tartarus_cli.baselines import Parameters, Trial

# What is less than this is not better, but rounded otherwise.
LEAST_GAIN = 1e-9
"""The least difference of two scores that counts."""


class Search:
    """Tries parameters, one changed at a time, each combination once.

    Parameters
    ----------
    score
        From parameters to a score; higher is better.
    canonical
        Returns the parameters that stand for all that predict the same, or None for those that
        cannot be tried; without it, each is its own.

    Examples
    --------
    >>> search = Search(lambda tried: -abs(tried["a"] - 3) - abs(tried["b"]))
    >>> best = search.climb({"a": 1, "b": 1}, {"a": (1, 2, 3), "b": (1, 0)})
    >>> best.parameters, len(search.trials)
    ({'a': 3, 'b': 0}, 6)
    """

    def __init__(
        self,
        score: Callable[[Parameters], float],
        canonical: Callable[[Parameters], Parameters | None] | None = None,
    ) -> None:
        self._score, self._canonical = score, canonical or dict
        self._trials: dict[tuple[float | str, ...], Trial] = {}

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All that was tried, in order."""
        return tuple(self._trials.values())

    def attempt(self, parameters: Parameters) -> Trial | None:
        """Return the trial of parameters; what was tried before is not tried again."""
        canonical = self._canonical(parameters)
        if canonical is None:
            return None
        key = tuple(canonical.values())
        if key not in self._trials:
            self._trials[key] = Trial(canonical, score=self._score(canonical))
        return self._trials[key]

    def climb(self, start: Parameters, choices: Mapping[str, Sequence[float]]) -> Trial:
        """Change one parameter at a time until no such change raises the score.

        Parameters
        ----------
        start
            The parameters to begin with.
        choices
            Name of a parameter → the values to try.

        Returns
        -------
        The best trial: no worse than the start, and of equal ones the first.

        Raises
        ------
        ValueError
            If the start cannot be tried.
        """
        best = self.attempt(start)
        if best is None:
            msg = f"a search cannot start at {start}"
            raise ValueError(msg)
        risen = True
        while risen:
            risen = False
            for name, values in choices.items():
                for trial in [self.attempt({**best.parameters, name: value}) for value in values]:
                    if trial is not None and is_better(trial, best):
                        best, risen = trial, True
        return best


def is_better(trial: Trial, other: Trial) -> bool:
    """Whether a trial is better than another: by its score, else by its loss.

    A score has to be higher by more than rounding.

    >>> is_better(Trial({}, loss=0.1), Trial({}, loss=0.2))
    True
    >>> is_better(Trial({}, loss=0.1, score=0.5), Trial({}, loss=0.2, score=0.6))
    False
    """
    if trial.score is not None and other.score is not None:
        return trial.score > other.score + LEAST_GAIN
    return trial.loss is not None and other.loss is not None and trial.loss < other.loss
