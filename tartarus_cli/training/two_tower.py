"""Fit a two-tower network: a tower of items against vectors of users, from the plays alone.

The score of a user u and an item i is ``u · v_i + b_i``. A step draws items uniformly; its loss is
:func:`tartarus_cli.losses.softmax_loss` over these items, for the users who played any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scipy.sparse import csr_array

from tartarus_cli.architectures import InputKind
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.errors import DataError
from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.progress import Progress
from tartarus_cli.training.augmentation import Augmentation
from tartarus_cli.training.control import TrainingCourse
from tartarus_cli.training.fit import FitResult, fit_compiled, make_optimizer
from tartarus_cli.training.item_tower import build_item_tower
from tartarus_cli.training.stopping import VALIDATION_MAP
from tartarus_cli.training.two_tower_steps import Numbers, Offset, Steps
from tartarus_cli.training.two_tower_users import (
    FreeUsers,
    FrozenUsers,
    HistoryUsers,
    UserPart,
    Users,
    free_part,
    frozen_part,
    history_part,
    vector_scale,
)

__all__ = [
    "FreeUsers",
    "FrozenUsers",
    "HistoryUsers",
    "TowerExamples",
    "TowerOptions",
    "TwoTower",
    "TwoTowerFit",
    "Users",
    "fit_two_tower",
]

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TwoTower:
    """A trained two-tower network, or one that is being trained."""

    tower: keras.Model
    """From the inputs of items to ``(items, dim + 1)``: vectors, and biases in the last column."""
    users: Matrix
    """``(users, dim)``: what the items' vectors are multiplied by."""
    log_weight: float
    """The scores of the other model, if there is one, are multiplied by ``exp`` of it."""


@dataclass(frozen=True)
class TowerExamples:
    """What a two-tower network learns from."""

    items: ItemSet
    """Items with the inputs of the network."""
    kinds: Sequence[InputKind]
    """Kind of each input."""
    rows: Numbers
    """``(fit items,)``: the rows of ``items`` that are trained with."""
    plays: csr_array
    """``(fit items, users)``: whoever played an item is stored in its row."""
    judge: Callable[[TwoTower], float]
    """Returns the mean average precision of the validation items."""
    offset: Offset | None = None
    """Scores of another model for items and users, to which those of this one are added."""
    augmentation: Augmentation | None = None
    """How inputs are changed in training; None: they are not."""


@dataclass(frozen=True)
class TowerOptions:
    """How a two-tower network is trained."""

    training: TrainingSection
    """Optimizer, epochs and patience; loss and monitor are always those of this module."""
    seed: int
    count_feature: bool = True
    """Whether the number of an item's features adds to its vector and bias."""
    users_a_step: int = 4096
    """Users of a step, at most; of more who played its items, so many are drawn."""


@dataclass(frozen=True)
class TwoTowerFit:
    """A fitted two-tower network, and how the training ended."""

    model: TwoTower
    result: FitResult


def fit_two_tower(
    network: keras.Model,
    examples: TowerExamples,
    users: Users,
    *,
    options: TowerOptions,
    course: TrainingCourse,
    progress: Progress,
) -> TwoTowerFit:
    """Fit a two-tower network, with early stopping by the ranking of the validation items.

    Parameters
    ----------
    network
        A network of items with a linear output of ``dim + 1`` columns; it is trained in place.
    examples
        Items, plays, and what judges the network after each epoch.
    users
        Whether the vectors of users are given, learnt, or sums over what they played.
    options
        How it is trained. Equal ones, with equal seeds, give equal weights on a machine.
    course
        Where it is recorded, and how it is run.
    progress
        Receives a task with a step for each batch.

    Raises
    ------
    DataError
        If nobody played any of the items.
    RequestError
        If vectors of users are to be sums over what they played, and the network is not linear.
    TrainingError
        If the loss becomes NaN or infinite.
    """
    if not examples.plays.nnz:
        msg = "nobody played any of the items that the network is to be fitted to"
        raise DataError(msg, hint="Look at the plays of the train items.")
    counted = [number for number, kind in enumerate(examples.kinds) if kind == "features"]
    tower = build_item_tower(
        network,
        examples.items,
        examples.rows,
        counted=counted if options.count_feature else [],
        scale=vector_scale(users),
        seed=options.seed,
    )
    part = _user_part(network, tower, examples, users, options)
    trained = _join(tower, part, residual=examples.offset is not None)

    def state() -> TwoTower:
        return TwoTower(tower, part.now(), _log_weight(trained))

    steps = Steps(
        examples.items,
        examples.rows,
        examples.plays,
        part,
        batch_size=options.training.batch_size,
        most_users=min(options.users_a_step, part.most or options.users_a_step),
        offset=examples.offset,
        seed=options.seed,
        augmentation=examples.augmentation,
    )
    training = options.training.model_copy(update={"monitor": VALIDATION_MAP, "ties": "first"})
    trained.compile(make_optimizer(training, trained, len(steps)), _softmax_loss())
    result = fit_compiled(
        trained,
        steps,
        lambda _: {VALIDATION_MAP: examples.judge(state())},
        options=training,
        course=course,
        progress=progress,
    )
    return TwoTowerFit(state(), result)


def _softmax_loss() -> Any:
    from tartarus_cli.losses import softmax_loss

    return softmax_loss


def _join(tower: keras.Model, users: UserPart, *, residual: bool) -> keras.Model:
    """Return the network of both towers: its output is the scores ``(users, items)``."""
    import keras

    from tartarus_cli.layers import FLOAT32
    from tartarus_cli.tower_layers import Scores, WeightedOffset

    inputs = [*tower.inputs, *users.inputs]
    scores = Scores(dtype=FLOAT32, name="scores")([users.vectors, tower.output])
    if residual:
        offset = keras.Input((None,), name="offset")
        inputs.append(offset)
        scores = WeightedOffset(dtype=FLOAT32, name="weighted_offset")([scores, offset])
    return keras.Model(inputs, scores)


def _log_weight(trained: keras.Model) -> float:
    import keras

    from tartarus_cli.tower_layers import WeightedOffset

    layers = [layer for layer in trained.layers if isinstance(layer, WeightedOffset)]
    return float(keras.ops.convert_to_numpy(layers[0].log_weight)) if layers else 0.0


def _user_part(
    network: keras.Model,
    tower: keras.Model,
    examples: TowerExamples,
    users: Users,
    options: TowerOptions,
) -> UserPart:
    if isinstance(users, FrozenUsers):
        return frozen_part(users)
    if isinstance(users, HistoryUsers):
        return history_part(network, tower, examples.items, examples.rows, examples.plays)
    dim, zero = network.output.shape[-1] - 1, examples.offset is not None
    return free_part(examples.plays, dim, zero=zero, seed=options.seed)
