"""Baselines by name: what a network has to beat, fitted in closed form or not fitted at all.

``BASELINES.names()`` lists them. A baseline has a function ``fit``, from
:class:`TrainingExamples` to :class:`BaselineResult`, and a function ``predict``, from
:class:`FittedBaseline` and :class:`Items` to rows. Their arithmetic can be called by itself:
:func:`~tartarus_cli.baselines.similarity.find_neighbours`, and
:class:`~tartarus_cli.baselines.ridge.RidgeSystem`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.sparse import csr_array

from tartarus_cli.registry import Registry

Presence: TypeAlias = tuple[NDArray[np.bool_] | None, ...]
"""For each setting, which items have it, ``(items,)``; None: all. Empty: all have all settings."""

Features: TypeAlias = NDArray[Any] | csr_array
"""Rows of one setting, ``(items, width)``; dense ones may lie in a file and are read in blocks."""

MIN_NORM = 1e-3
"""The norm that factors of zero count as where its logarithm is learnt."""

NamedArrays = dict[str, NDArray[Any]]
"""Name → array: what a baseline learnt, as it is stored."""

PredictionForm = Literal["factors", "neighbours", "scores", "weights", "vectors", "blend"]
"""What predicted rows are.

``factors``
    Factors or class scores, ``(items, dim)``.
``neighbours``
    Similarities to the train items, sparse, ``(items, train items)``.
``scores``
    One score for all users, ``(items, 1)``.
``weights``
    How much the plays of each train item count, dense, ``(items, train items)``.
``vectors``
    The vector of the item and, in the last column, its bias, ``(items, d + 1)``, to be multiplied
    by user vectors of the model's own.
``blend``
    A weight for each of several models, whose scores are added, ``(models,)``.
"""

ChosenScoring = Literal["", "cosine", "dot", "norm"]
"""How factors rank, where that was chosen by validation items; empty where it was not."""

Judge: TypeAlias = Callable[[NDArray[Any] | csr_array, PredictionForm, str], float]
"""From rows that are predicted for the validation items, in their order, their form, and the
``scoring`` of factors, to how well they rank: the mean average precision; higher is better. Factors
are whole: what is learnt with ``norm`` has passed :func:`from_log_norms`."""


class BaselineOptions(BaseModel):
    """Options that every baseline has; some add their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str


@dataclass(frozen=True)
class Examples:
    """Items whose targets are known."""

    inputs: tuple[Features, ...]
    """The features of each setting, ``(items, width)``."""

    targets: NDArray[Any]
    """Factors or classes, ``(items, dim)``, as in the file."""

    present: Presence = ()
    """Which items have each setting; the rows of others are zeros."""

    def select(self, rows: slice) -> Examples:
        """Return some of the items."""
        inputs = tuple(values[rows] for values in self.inputs)
        return Examples(inputs, self.targets[rows], select_presence(self.present, rows))


@dataclass(frozen=True)
class TrainingExamples(Examples):
    """What a baseline may learn from: train items only, no test item."""

    ids: Sequence[str] = ()
    """Ids of the items; empty where they are not known."""

    normalize: bool = False
    """Divide each target by its L2 norm."""

    scoring: str = "cosine"
    """What the predicted factors are for: with ``norm``, a target is its direction and, as one more
    column, the logarithm of its norm; with ``dot``, its norm counts."""

    classes: bool = False
    """Whether the targets are classes, not factors."""

    single: bool = False
    """Whether an item has one class."""

    plays: csr_array | None = None
    """Who played the train items, ``(items, users)``, above 0 = played; None if it is not known."""

    artists: Sequence[str] | None = None
    """Artist of each item, "" where it is not known, ``(items,)``; None if no artist is."""

    validation: Examples | None = None
    """Items by which a strength is chosen."""

    held_out: Examples | None = None
    """Items of which the loss is computed once, at the end."""

    parts: Sequence[str] = ()
    """Names of the models that are blended; none for anything but a blend."""

    judge: Judge | None = None
    """Ranks predictions for :attr:`validation`; None where nobody knows who played these items."""

    @cached_property
    def turns(self) -> NDArray[np.int64]:
        """The place of each item in the order of the ids, ``(items,)``: it depends on no row."""
        count = len(self.targets)
        turns = np.arange(count)
        if self.ids:
            turns[sorted(range(count), key=self.ids.__getitem__)] = np.arange(count)
        return turns

    @cached_property
    def prepared_targets(self) -> NDArray[np.float64]:
        """The targets of the train items, normalised if they are to be, ``(items, dim)``."""
        return self.prepare_targets(self)

    def prepare_targets(self, examples: Examples) -> NDArray[np.float64]:
        """Return the targets of items, normalised as those of the train items are."""
        targets = np.asarray(examples.targets, np.float64)
        if self.scoring == "norm":
            return with_log_norms(targets)
        return normalize_rows(targets) if self.normalize else targets


Parameters: TypeAlias = Mapping[str, float | str]
"""Name → value of what a baseline can choose, such as a strength of the regularization."""


@dataclass(frozen=True)
class Trial:
    """Parameters that were tried, and how good they were on the validation items."""

    parameters: Parameters

    loss: float | None = None
    """Loss on the validation items."""

    score: float | None = None
    """What :attr:`TrainingExamples.judge` says: higher is better."""


@dataclass(frozen=True)
class BaselineResult:
    """What a baseline learnt."""

    arrays: NamedArrays

    form: PredictionForm = "factors"
    """What its predictions are."""

    trials: tuple[Trial, ...] = ()
    """All that was tried, in order."""

    best: Trial | None = None
    """The trial that was chosen: that of the lowest loss or, where there are, the highest score."""

    scoring: ChosenScoring = ""
    """How its factors rank, where that was chosen on validation; empty where it was not."""

    held_out_loss: float | None = None
    """Loss of the best map on the held-out items."""


@dataclass(frozen=True)
class FittedBaseline:
    """A baseline that was fitted, with all that its predictions depend on."""

    options: Any
    """Options of the model :attr:`Baseline.options`."""

    arrays: NamedArrays
    """What it learnt."""

    form: PredictionForm
    """What its predictions are."""

    dim: int
    """Width of the targets."""

    seed: int

    classes: bool
    """Whether the targets are classes, not factors."""

    single: bool = False
    """Whether an item has one class, so that scores are probabilities with a sum of 1."""

    train: TrainingExamples | None = None
    """The train items; only for baselines that read them again to predict."""

    cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What a baseline computes once for all blocks of items."""


@dataclass(frozen=True)
class Items:
    """Items to predict for."""

    ids: Sequence[str]

    inputs: tuple[Features, ...]
    """The features of each setting, ``(items, width)``."""

    truth: NDArray[Any] | None = None
    """The true factors, ``(items, dim)``; only for a baseline that sees the truth."""

    artists: Sequence[str] | None = None
    """Artist of each item, "" where it is not known, ``(items,)``; None if no artist is."""

    present: Presence = ()
    """Which items have each setting; the rows of others are zeros."""


FitFunction = Callable[[TrainingExamples, Any], BaselineResult]
"""Learns from train items, with the options of the baseline."""

PredictFunction = Callable[[FittedBaseline, Items], NDArray[Any] | csr_array]
"""Predicts rows; their shape is that of the :data:`PredictionForm`."""

ShapeFunction = Callable[[int, int], dict[str, tuple[int, ...]]]
"""From the width of all settings together, and the dim, to the shape of each learnt array."""


def _no_arrays(_width: int, _dim: int) -> dict[str, tuple[int, ...]]:
    return {}


@dataclass(frozen=True)
class Baseline:
    """A registered baseline: what experiments can name instead of a network."""

    fit: FitFunction
    predict: PredictFunction

    options: type[BaselineOptions] = BaselineOptions
    """The pydantic model of its options."""

    shapes: ShapeFunction = _no_arrays
    """The shapes of the arrays that it learns; -1 stands for the number of settings."""

    optional: tuple[str, ...] = ()
    """Names of arrays that need not be there: older models may lack them."""

    settings: tuple[int, int | None] = (0, 0)
    """The least and the greatest number of settings that it reads; None: any number."""

    tasks: tuple[str, ...] = ("recommendation", "multilabel", "multiclass")
    """Tasks that it can do."""

    kinds: tuple[str, ...] = ("als", "pmi", "class")
    """Kinds of targets that it can predict."""

    scorings: tuple[str, ...] = ("cosine",)
    """How its predicted factors may rank: see ``scoring`` of an experiment."""

    learns: bool = False
    """Whether it predicts from the targets of the train items, which may then be normalised."""

    validates: bool = False
    """Whether it chooses something by validation items."""

    judged: bool = False
    """Whether it chooses something by how well validation items rank, where that is known. Other
    than for :attr:`validates`, no train item is held out where there are no such items."""

    plays: bool = False
    """Whether it reads who played the train items, where that is known."""

    artists: bool = False
    """Whether it reads who the artists of the items are, which then have to be known."""

    remembers: bool = False
    """Whether it reads the train items again to predict."""

    blends: bool = False
    """Whether it trains other experiments, and blends what they predict."""

    sees_truth: bool = False
    """Whether it reads the true factors of the items that it predicts for."""

    draws: bool = True
    """Whether it depends on :attr:`FittedBaseline.seed`. One that does not is the same model for
    all seeds, and is trained once for them; a blend draws what its parts do."""

    def takes(self, settings: int) -> bool:
        """Whether it can read this number of settings."""
        fewest, most = self.settings
        return fewest <= settings and (most is None or settings <= most)

    @property
    def reads_patches(self) -> bool:
        """Whether it can read pooled patches as a setting: what reads any number of settings."""
        return self.settings[1] is None and not self.blends


BASELINES: Registry[Baseline] = Registry("baseline", package=__name__, group="tartarus.baselines")


def weight_name(number: int) -> str:
    """Return what the weight of a setting is called among the parameters.

    >>> weight_name(0)
    'weight_1'
    """
    return f"weight_{number + 1}"


def normalize_rows(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Divide each row by its L2 norm, ``(rows, width)``; zero rows stay zero.

    >>> normalize_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    rows = np.asarray(rows, np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1))


def with_log_norms(factors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Divide rows by their L2 norm, and put its logarithm beside them, ``(items, dim + 1)``.

    >>> with_log_norms(np.array([[3.0, 4.0]])).round(2).tolist()
    [[0.6, 0.8, 1.61]]
    """
    norms = np.linalg.norm(np.asarray(factors, np.float64), axis=1)
    return np.column_stack([normalize_rows(factors), np.log(np.maximum(norms, MIN_NORM))])


def from_log_norms(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return factors of which the directions and the logarithms of the norms are given.

    The inverse of :func:`with_log_norms`, ``(items, dim)``; directions need no norm of one.

    >>> from_log_norms(np.array([[6.0, 8.0, np.log(5)]])).round(6).tolist()
    [[3.0, 4.0]]
    """
    scale = np.exp(np.asarray(rows[:, -1:], np.float64))
    return np.asarray(normalize_rows(rows[:, :-1]) * scale, np.float32)


def select_presence(present: Presence, rows: slice | NDArray[np.integer]) -> Presence:
    """Return which of the selected items have each setting."""
    return tuple(None if mask is None else mask[rows] for mask in present)


def presence_matrix(present: Presence, items: int) -> NDArray[np.bool_] | None:
    """Return whether each item has each setting, ``(items, settings)``; None: all have all.

    >>> presence_matrix((None, np.array([True, False])), 2).tolist()
    [[True, True], [True, False]]
    """
    if all(mask is None or mask.all() for mask in present):
        return None
    everyone = np.ones(items, bool)
    return np.column_stack([everyone if mask is None else mask for mask in present])


def row_blocks(rows: int, width: int, block_bytes: int = 64 << 20) -> list[slice]:
    """Cut rows into slices of about ``block_bytes`` each, if they are dense float64.

    A slice has at least one row.

    >>> row_blocks(5, 1, 16)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, block_bytes // (8 * max(width, 1)))
    return [slice(first, min(first + step, rows)) for first in range(0, rows, step)]
