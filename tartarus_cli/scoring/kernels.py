"""What JAX compiles for a device: scores, ranks by counting, top items.

As in :mod:`tartarus_cli.metrics.counting`, equal scores keep the order of the items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

LOWEST = -(1 << 31)
"""The lowest of whole numbers of 32 bits."""

SORT_FROM = 32
"""Length of the list of top items from which on sorting is faster than taking one by one."""


@dataclass(frozen=True)
class Kernels:
    """Functions that JAX compiles for each shape at its first use."""

    scores: Callable[..., Any]
    """Rows ``(users, dim)``, directions ``(dim, items)``, items with the scores of an earlier one,
    that one, absent items → ``(users, items)``."""
    counts: Callable[..., Any]
    """Scores, and pairs of a row and an item → ``(3, pairs)``: scores above that of the item,
    those not below it, equal ones before it."""
    top: Callable[..., Any]
    """Scores, and a length → the best items and their scores, ``(users, k)`` each."""


@cache
def kernels() -> Kernels:
    """Return what is computed on a device."""
    import jax

    return Kernels(jax.jit(_score), jax.jit(_count), jax.jit(_find_top, static_argnums=1))


def _score(rows: Any, directions: Any, later: Any, first: Any, absent: Any) -> Any:
    import jax
    import jax.numpy as jnp

    # Not with the shorter numbers that a card multiplies faster.
    scores = jnp.matmul(rows, directions, precision=jax.lax.Precision.HIGHEST)
    if later.size:
        scores = scores.at[:, later].set(scores[:, first])
    scores = jnp.where(scores == 0, 0.0, scores)  # -0 is 0
    return jnp.where(absent, -jnp.inf, scores)


def _count(scores: Any, owners: Any, items: Any) -> Any:
    import jax
    import jax.numpy as jnp

    def count(owner: Any, item: Any) -> Any:
        row = scores[owner]
        above, equal = row > row[item], row == row[item]
        earlier = jnp.arange(row.size) < item
        counted = jnp.sum(above), jnp.sum(above | equal), jnp.sum(equal & earlier)
        return jnp.stack(counted).astype(jnp.int32)

    return jax.vmap(count, out_axes=1)(owners, items)


def _find_top(scores: Any, k: int) -> Any:
    import jax
    import jax.numpy as jnp

    keys = _sortable(scores)
    items = _take_best(keys, k) if k < SORT_FROM else jax.lax.top_k(keys, k)[1]
    return items, jnp.take_along_axis(scores, items, axis=1)


def _sortable(scores: Any) -> Any:
    """Return whole numbers in the order of floats, all of which are above :data:`LOWEST`.

    Of equal ones the first is taken first, whatever a device does with equal floats.
    """
    import jax
    import jax.numpy as jnp

    bits = jax.lax.bitcast_convert_type(scores, jnp.int32)
    return jnp.where(bits < 0, jnp.int32(LOWEST) - bits, bits)


def _take_best(keys: Any, k: int) -> Any:
    """Take the largest of each row, one by one, ``(rows, k)``."""
    import jax
    import jax.numpy as jnp

    columns = jnp.arange(keys.shape[1])

    def take(number: Any, state: Any) -> Any:
        left, items = state
        best = jnp.argmax(left, axis=1).astype(jnp.int32)
        left = jnp.where(columns == best[:, None], jnp.int32(LOWEST), left)
        return left, items.at[:, number].set(best)

    return jax.lax.fori_loop(0, k, take, (keys, jnp.zeros((len(keys), k), jnp.int32)))[1]
