"""The users of a two-tower network: frozen vectors, free ones, or sums over what they played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.errors import RequestError, parameter
from tartarus_cli.models.user_vectors import HISTORY_EXPONENT
from tartarus_cli.training.item_tower import is_linear, last_dense, sum_counts
from tartarus_cli.training.two_tower_steps import Numbers

if TYPE_CHECKING:
    import keras

MEAN_NORM = 3**0.5
"""What frozen vectors of users are scaled to, on average."""

MAX_HISTORY_NUMBERS = 1 << 25
"""Features of the users of a step, at most, where they are made dense; 128 MiB of float32."""

BLOCK = 512
"""Items whose vectors are computed at a time."""


@dataclass(frozen=True)
class FrozenUsers:
    """Vectors that are not trained, such as ALS factors; the items' are scaled instead of them."""

    vectors: Matrix
    """``(users, dim)``, in a file or in memory."""


@dataclass(frozen=True)
class FreeUsers:
    """Vectors that are learnt; those of users who played no fit item stay 0."""


@dataclass(frozen=True)
class HistoryUsers:
    """The sum of the vectors of the n fit items that a user played, divided by n to the power .75.

    The items' vectors are those of the tower, which has to be linear. In training, the items of the
    step are left out of all sums.
    """


Users = FrozenUsers | FreeUsers | HistoryUsers


@dataclass(frozen=True)
class UserPart:
    """The users as a network reads them."""

    inputs: list[Any]
    """Symbolic inputs of Keras."""
    vectors: Any
    """Symbolic vectors, ``(users, dim)``."""
    read: Callable[[Numbers, Numbers, int], tuple[NDArray[Any], ...]]
    """As :meth:`tartarus_cli.training.two_tower_steps.UserInputs.read`."""
    now: Callable[[], Matrix]
    """Returns the vectors of all users with the weights that there are now."""
    most: int | None = None
    """Users of a step, at most; None if nothing limits them."""


def vector_scale(users: Users) -> float:
    """Return what scales frozen vectors to the mean norm, zero ones not counted; 1 for others."""
    if not isinstance(users, FrozenUsers):
        return 1
    total, count = 0.0, 0
    for block in users.vectors.blocks():
        norms = np.linalg.norm(users.vectors.rows(block), axis=1)
        total += float(norms.sum(dtype=np.float64))
        count += int(np.count_nonzero(norms))
    return MEAN_NORM * count / total if total else 1


def frozen_part(users: FrozenUsers) -> UserPart:
    """Let a network read vectors of users, those of a step at a time."""
    import keras

    vectors = users.vectors
    start = keras.Input((vectors.shape[1],), name="user_vectors")

    def read(_items: Numbers, numbers: Numbers, size: int) -> tuple[NDArray[Any], ...]:
        rows = np.zeros((size, vectors.shape[1]), np.float32)
        rows[: len(numbers)] = vectors.rows(numbers)
        return (rows,)

    return UserPart([start], start, read, lambda: vectors)


def free_part(plays: csr_array, dim: int, *, zero: bool, seed: int) -> UserPart:
    """Let a network learn a vector for each user.

    Parameters
    ----------
    plays
        ``(fit items, users)``.
    dim
        Numbers of a vector.
    zero
        Whether they start as 0; else normal, with a variance of ``1 / dim``.
    seed
        Of the first vectors.
    """
    import keras

    from tartarus_cli.layers import FLOAT32
    from tartarus_cli.tower_layers import UserTable

    first = np.zeros((plays.shape[1], dim), np.float32)
    if not zero:
        active = np.unique(plays.indices)
        rng = np.random.default_rng([seed, 1])
        first[active] = rng.standard_normal((len(active), dim), np.float32) / dim**0.5
    table = UserTable(first, dtype=FLOAT32, name="user_table")
    start = keras.Input((), dtype="int32", name="users")

    def read(_items: Numbers, numbers: Numbers, size: int) -> tuple[NDArray[Any], ...]:
        padded = np.zeros(size, np.int32)
        padded[: len(numbers)] = numbers
        return (padded,)

    def now() -> Matrix:
        return Matrix(Path(), keras.ops.convert_to_numpy(table.table))

    return UserPart([start], table(start), read, now)


def history_part(
    network: keras.Model, tower: keras.Model, items: ItemSet, rows: Numbers, plays: csr_array
) -> UserPart:
    """Let a network make vectors of users from the features of what they played.

    Parameters
    ----------
    network
        The network that the tower was made of.
    tower
        The item tower.
    items, rows
        The items, and those of them that the plays are of.
    plays
        ``(fit items, users)``.

    Raises
    ------
    RequestError
        If the network is not linear.
    """
    import keras

    from tartarus_cli.layers import FLOAT32
    from tartarus_cli.tower_layers import HistoryVectors

    sums = _HistorySums(network, tower, items, rows, plays)
    starts = [
        keras.Input((width,), name=f"history_{n}") for n, width in enumerate((sums.width, 1, 1))
    ]
    layers = {layer.name: layer for layer in tower.layers}
    dense, count = last_dense(network), layers.get("count_weights")
    tied = HistoryVectors(dense, count, dtype=FLOAT32, name="history_vectors")

    def now() -> Matrix:
        vectors = _tower_vectors(tower, items, rows)
        return Matrix(Path(), history_vectors(sums.by_user, vectors))

    most = max(1, MAX_HISTORY_NUMBERS // sums.width)
    return UserPart(starts, tied(starts), sums.read, now, most)


def history_vectors(plays: csr_array, vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return the vectors of users from those of the items that they played.

    Parameters
    ----------
    plays
        ``(users, items)``: whatever a user played is stored.
    vectors
        ``(items, dim)``.

    Returns
    -------
    ``(users, dim)``; 0 for users who played nothing.
    """
    return np.asarray(_weigh(plays) @ vectors, np.float32)


def _weigh(plays: csr_array, kept: NDArray[np.bool_] | None = None) -> csr_array:
    """Return the weights of items in the sums of users; those not ``kept`` of the plays have 0."""
    present = np.ones(plays.nnz, bool) if kept is None else kept
    totals = np.concatenate([[0], np.cumsum(present)])
    counts = np.diff(totals[plays.indptr])
    weights = np.maximum(counts, 1.0) ** -HISTORY_EXPONENT
    values = np.repeat(weights, np.diff(plays.indptr)) * present
    return csr_array((values.astype(np.float32), plays.indices, plays.indptr), plays.shape)


class _HistorySums:
    """Weighted sums of the features of items, for the users of a step."""

    def __init__(
        self,
        network: keras.Model,
        tower: keras.Model,
        items: ItemSet,
        rows: Numbers,
        plays: csr_array,
    ) -> None:
        normed = _is_normed(network)
        self._sources = [_source_values(source) for source in items.inputs]
        self._factors = [_inverse_norms(each) if normed else None for each in self._sources]
        self._rows = rows
        self._logarithms = _feature_counts(tower, items, rows)
        self.width = sum(int(each.shape[1]) for each in self._sources)
        self.by_user = csr_array(plays.T.tocsr())

    def read(
        self, step_items: Numbers, users: Numbers, size: int
    ) -> tuple[NDArray[np.float32], ...]:
        """Sum features, their standardised numbers, and the weights themselves.

        The items of the step are left out.
        """
        played = self.by_user[users]
        taken = np.zeros(self.by_user.shape[1], bool)
        taken[step_items] = True
        weights = _weigh(played, ~taken[played.indices])
        features = np.zeros((size, self.width), np.float32)
        first = 0
        for values, factors in zip(self._sources, self._factors, strict=True):
            data, columns = weights.data, self._rows[weights.indices]
            data = data if factors is None else data * factors[columns]
            every = csr_array((data, columns, weights.indptr), (len(users), values.shape[0]))
            sums = every @ values
            last = first + values.shape[1]
            features[: len(users), first:last] = (
                sums.toarray() if isinstance(sums, csr_array) else sums
            )
            first = last
        count, total = np.zeros((2, size, 1), np.float32)
        count[: len(users), 0] = weights @ self._logarithms
        total[: len(users), 0] = weights.sum(axis=1)
        return features, count, total


def _is_normed(network: keras.Model) -> bool:
    """Whether a linear network divides its inputs by their norms.

    Raises
    ------
    RequestError
        If it does anything else with them before its only dense layer.
    """
    kinds = {type(layer).__name__ for layer in network.layers}
    plain = kinds <= {"InputLayer", "Dropout", "Concatenate", "UnitNorm", "Dense"}
    norms = sum(type(layer).__name__ == "UnitNorm" for layer in network.layers)
    if not plain or not is_linear(network) or norms not in (0, len(network.inputs)):
        msg = "users = history: vectors of users are sums of those of items only in a linear "
        msg += "network, which this one is not"
        choice = parameter("overrides", ["network.hidden=[]"])
        raise RequestError(msg, hint=f"Leave out its hidden layers: {choice}.")
    return norms > 0


def _source_values(source: Any) -> NDArray[Any] | csr_array:
    if not isinstance(source, Matrix):
        msg = "users = history: vectors of users are sums over features, of which patches have none"
        raise RequestError(msg, hint="Choose users of another kind.")
    return source.values


def _inverse_norms(values: NDArray[Any] | csr_array) -> NDArray[np.float32]:
    """Return ``1 / norm`` of each row, 0 where all of it is 0."""
    source = Matrix(Path(), values)
    squares = np.empty(source.shape[0])
    for block in source.blocks():
        part = values[block]
        squares[block] = (part * part).sum(axis=1)
    return np.asarray(
        np.divide(1, np.sqrt(squares), where=squares > 0, out=squares * 0), np.float32
    )


def _feature_counts(tower: keras.Model, items: ItemSet, rows: Numbers) -> NDArray[np.float32]:
    """Return what the tower reads of the number of features of each fit item; 0 without it."""
    layers = {layer.name: layer for layer in tower.layers}
    layer = layers.get("feature_count")
    if layer is None:
        return np.zeros(len(rows), np.float32)
    _, counts = sum_counts(items, rows, range(len(items.inputs)))
    return np.asarray((np.log1p(counts) - layer.mean) / (2 * layer.deviation), np.float32)


def _tower_vectors(tower: keras.Model, items: ItemSet, rows: Numbers) -> NDArray[np.float32]:
    """Return the vectors of items, without their biases, ``(items, dim)``."""
    blocks = []
    for first in range(0, len(rows), BLOCK):
        inputs = list(items.read(rows[first : first + BLOCK]))
        blocks.append(np.asarray(tower.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])))
    return np.vstack(blocks)[:, :-1]
