"""Baselines by name: what a network has to beat, fitted in closed form or not fitted at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.sparse import csr_array

from tartarus_cli.registry import Registry

# Rows of one setting; dense ones may lie in a file and are read in blocks.
Features: TypeAlias = NDArray[Any] | csr_array
NamedArrays = dict[str, NDArray[Any]]
PredictionForm = Literal["factors", "neighbours", "scores"]


class BaselineOptions(BaseModel):
    """What every baseline is told; some add their own options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str


@dataclass(frozen=True)
class Examples:
    """Items whose targets are known."""

    inputs: tuple[Features, ...]  # one for each setting, (items, width)
    targets: NDArray[Any]  # (items, dim), as in the file


@dataclass(frozen=True)
class TrainingExamples(Examples):
    """What a baseline may learn from; nothing of a test item is in it."""

    normalize: bool = False  # divide each target by its L2 norm
    classes: bool = False  # whether the targets are classes, not factors
    plays: csr_array | None = None  # (items, users), over 0 = played
    validation: Examples | None = None  # to choose by
    held_out: Examples | None = None  # to be judged by, once

    @cached_property
    def wanted(self) -> NDArray[np.float64]:
        """The targets as they are to be predicted, ``(items, dim)``."""
        return self.wanted_of(self)

    def wanted_of(self, examples: Examples) -> NDArray[np.float64]:
        """Return the targets of other items as they are to be predicted."""
        targets = np.asarray(examples.targets, np.float64)
        return normalize_rows(targets) if self.normalize else targets


@dataclass(frozen=True)
class Trial:
    """A strength that was tried."""

    strength: float
    loss: float  # on the validation items


@dataclass(frozen=True)
class BaselineFit:
    """What a baseline learnt."""

    arrays: NamedArrays
    form: PredictionForm = "factors"
    trials: tuple[Trial, ...] = ()
    best: Trial | None = None
    held_out_loss: float | None = None


@dataclass(frozen=True)
class FittedBaseline:
    """What a fitted baseline has at hand when it predicts."""

    options: Any
    arrays: NamedArrays
    form: PredictionForm
    dim: int  # of the targets
    seed: int
    classes: bool  # whether the targets are classes, not factors
    single: bool = False  # whether an item has one class, and scores are its probabilities
    train: TrainingExamples | None = None  # only for those that remember the train items


@dataclass(frozen=True)
class Items:
    """Some items to predict for."""

    ids: Sequence[str]
    inputs: tuple[Features, ...]
    truth: NDArray[Any] | None = None  # their true factors, only for the oracle


FitFunction = Callable[[TrainingExamples, Any], BaselineFit]  # train items, options
# (items, dim); of the form "neighbours" sparse (items, train items), of "scores" (items, 1)
PredictFunction = Callable[[FittedBaseline, Items], NDArray[Any] | csr_array]
ShapeFunction = Callable[
    [int, int], dict[str, tuple[int, ...]]
]  # width of all settings, dim → arrays


def _no_arrays(_width: int, _dim: int) -> dict[str, tuple[int, ...]]:
    return {}


@dataclass(frozen=True)
class Baseline:
    """A baseline that experiments can name."""

    fit: FitFunction
    predict: PredictFunction
    options: type[BaselineOptions] = BaselineOptions
    shapes: ShapeFunction = _no_arrays  # of what it keeps
    settings: tuple[int, int | None] = (0, 0)  # fewest and most that it reads; None: any number
    tasks: tuple[str, ...] = ("recommendation", "multilabel", "multiclass")
    kinds: tuple[str, ...] = ("als", "pmi", "class")  # of targets
    learns: bool = False  # whether it predicts what it saw of targets, which may be normalised
    validates: bool = False  # whether it chooses something by validation items
    plays: bool = False  # whether it reads who played the train items, where that is known
    remembers: bool = False  # whether it reads the train items again to predict
    sees_truth: bool = False

    def takes(self, settings: int) -> bool:
        """Whether it can read so many settings."""
        fewest, most = self.settings
        return fewest <= settings and (most is None or settings <= most)


BASELINES: Registry[Baseline] = Registry("baseline", package=__name__)


def normalize_rows(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Divide each row by its L2 norm; zero rows stay zero.

    >>> normalize_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    rows = np.asarray(rows, np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1))


def row_blocks(rows: int, width: int, block_bytes: int = 64 << 20) -> list[slice]:
    """Cut rows into slices whose dense float64 form takes about ``block_bytes``.

    >>> row_blocks(5, 1, 16)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, block_bytes // (8 * max(width, 1)))
    return [slice(first, min(first + step, rows)) for first in range(0, rows, step)]
