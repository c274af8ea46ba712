"""Requests for factors: the method and its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tartarus_cli.data.provenance import InteractionKind
from tartarus_cli.data.targets import USUAL_DIM
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.factorization.als import AlsOptions
from tartarus_cli.factorization.pmi import PmiOptions
from tartarus_cli.options import parse_options

Method = Literal["als", "pmi"]
"""Alternating least squares, or decomposition of pointwise mutual information."""


@dataclass(frozen=True)
class FactorizeRequest:
    """The factors to compute, and how."""

    dataset: str
    """Name of the dataset."""
    method: Method
    dim: int = USUAL_DIM
    """Number of factors."""
    source: InteractionKind | None = None
    """Whether to factorize plays or labels; None: the one that the dataset has."""
    threads: int | None = None
    """Threads of ALS; None: one for each core."""
    seed: int = 0
    force: bool = False
    """Whether to replace other factors of the same method and number."""
    alpha: float | None = None
    """ALS: n plays have the confidence 1 + alpha · log(1 + n / eps); None: the default."""
    regularization: float | None = None
    """ALS: weight of the factors' squared norm; None: the default."""
    iterations: int | None = None
    """ALS: number of iterations; None: the default."""
    eps: float | None = None
    """ALS: see ``alpha``; None: the default."""
    shift: float | None = None
    """PMI: log of it is subtracted from each PMI; None: the default."""

    @property
    def targets(self) -> TargetSpec:
        """Method and number of the factors."""
        return TargetSpec(self.method, self.dim)

    @property
    def options(self) -> AlsOptions | PmiOptions:
        """Options of the method, checked.

        Raises
        ------
        RequestError
            If the method has no such option, or a value does not fit.
        """
        names = ("dim", "seed", "alpha", "eps", "regularization", "iterations", "shift")
        values = {name: getattr(self, name) for name in names}
        assignments = [f"{name}={value!r}" for name, value in values.items() if value is not None]
        if self.method == "als":
            return parse_options(AlsOptions, assignments, self.method)
        return parse_options(PmiOptions, assignments, self.method)
