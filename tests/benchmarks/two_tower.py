"""Speed of a two-tower training beside a bare JAX loop of the same step, and memory of a large one.

Usage: python -m tests.benchmarks.two_tower [--items 6000] [--users 4000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from csv import DictReader
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.data.features import Matrix, open_matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.training.control import TrainingCourse
from tartarus_cli.training.two_tower import (
    FreeUsers,
    FrozenUsers,
    TowerExamples,
    TowerOptions,
    Users,
    fit_two_tower,
)

BATCH, MOST_USERS, DROPOUT, RATE = 512, 4096, 0.3, 0.003


def sparse_rows(rows: int, columns: int, each: float, seed: int) -> csr_array:
    """Draw a matrix of ones, with about so many in a row; columns are unequally popular."""
    rng = np.random.default_rng(seed)
    counts = 1 + rng.poisson(each - 1, rows)
    starts = np.concatenate([[0], np.cumsum(counts)])
    places = np.minimum((rng.random(starts[-1]) ** 2 * columns).astype(np.int32), columns - 1)
    matrix = csr_array((np.ones(len(places), np.float32), places, starts), (rows, columns))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def fit_of(
    features: csr_array, plays: csr_array, rows: int, users: Users, dim: int, epochs: int
) -> Callable[[], float]:
    """Return what trains a linear tower with the first rows, and tells its seconds.

    They are those of all epochs but the first, which compiles. Nothing is ranked after an epoch.
    """
    architecture = ARCHITECTURES.get("vector")
    options = architecture.options.model_validate(
        {"name": "vector", "output": "linear", "dropout": DROPOUT}
    )
    items = ItemSet("train", [], (Matrix(Path(), features),), np.arange(features.shape[0]))
    fitted = np.arange(rows)
    examples = TowerExamples(items, ["features"], fitted, csr_array(plays[:rows]), lambda _: 0.5)
    training = TrainingSection(
        loss="cosine",
        monitor="val_loss",
        learning_rate=RATE,
        batch_size=BATCH,
        epochs=epochs + 1,
        patience=epochs + 1,
    )

    def train() -> float:
        network = architecture.build([(features.shape[1],)], options, dim + 1, 0)
        with tempfile.TemporaryDirectory() as folder:
            history = Path(folder) / "history.csv"
            fit_two_tower(
                network,
                examples,
                users,
                options=TowerOptions(training, 0, users_a_step=MOST_USERS),
                course=TrainingCourse(history),
                progress=UNWATCHED,
            )
            with history.open() as file:
                return sum(float(row["seconds"]) for row in list(DictReader(file))[1:])

    return train


def bare_loop(features: csr_array, plays: csr_array, dim: int, epochs: int) -> Callable[[], float]:
    """Return a loop over one jitted step with a free vector for each user; it tells its seconds."""
    import jax
    import jax.numpy as jnp

    items, width = features.shape
    most = min(MOST_USERS, plays.shape[1])
    logs = np.log1p(np.diff(features.indptr))
    counts = ((logs - logs.mean()) / logs.std() / 2).astype(np.float32)[:, None]

    def loss(weights: Any, x: Any, count: Any, users: Any, positives: Any, key: Any) -> Any:
        kernel, bias, of_count, table = weights
        keep = 1 - DROPOUT
        x = jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep, 0)
        vectors = x @ kernel + bias + count @ of_count
        scores = table[users] @ vectors[:, :-1].T + vectors[:, -1]
        positives = positives.astype(jnp.float32)
        normalisers = jax.nn.logsumexp(scores, axis=-1)
        each = positives.sum(-1) * normalisers - (positives * scores).sum(-1)
        return each.sum() / positives.sum()

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, *arrays: Any) -> Any:
        weights, first, second, number, key = state
        key, drop = jax.random.split(key)
        value, slope = jax.value_and_grad(loss)(weights, *arrays, drop)
        number += 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slope)
        rate = RATE * jnp.sqrt(1 - 0.999**number) / (1 - 0.9**number)
        weights = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second
        )
        return (weights, first, second, number, key), value

    def start() -> Any:
        shapes = ((width, dim + 1), (1, dim + 1), (plays.shape[1], dim))
        keys = jax.random.split(jax.random.key(0), 3)
        draw = [0.1 * jax.random.normal(*each) for each in zip(keys, shapes, strict=True)]
        weights = (draw[0], jnp.zeros(dim + 1), draw[1], draw[2])
        zeros = jax.tree.map(jnp.zeros_like, weights)
        return weights, zeros, jax.tree.map(jnp.copy, zeros), jnp.float32(0), jax.random.key(1)

    def arrays_of(rows: Any) -> Any:
        drawn = plays[rows]
        users, places = np.unique(drawn.indices, return_inverse=True)
        positives = np.zeros((most, len(rows)), np.uint8)
        columns = np.repeat(np.arange(len(rows)), np.diff(drawn.indptr))
        kept = places < most
        positives[places[kept], columns[kept]] = 1
        padded = np.zeros(most, np.int32)
        padded[: len(users[:most])] = users[:most]
        return features[rows].toarray(), counts[rows], padded, positives

    def train() -> float:
        state, value, rng = start(), None, np.random.default_rng(0)
        state, value = step(state, *arrays_of(np.arange(BATCH)))  # compiles
        np.asarray(value)
        began = time.perf_counter()
        for _ in range(epochs):
            order = rng.permutation(items)
            for first in range(0, items, BATCH):
                rows = order[np.arange(first, first + BATCH) % items]
                state, value = step(state, *arrays_of(rows))
        np.asarray(value)  # waits for the last step
        return time.perf_counter() - began

    return train


def speed(items: int, users: int, width: int, dim: int, rounds: int) -> None:
    """Print the seconds of an epoch of both, round by round, and the median ratio."""
    features, plays = sparse_rows(items, width, 12, 0), sparse_rows(items, users, 13, 1)
    epochs = 2
    ours = fit_of(features, plays, items, FreeUsers(), dim, epochs)
    bare = bare_loop(features, plays, dim, epochs)
    ratios = []
    for _ in range(rounds):
        taken = [train() / epochs for train in (ours, bare)]
        ratios.append(taken[0] / taken[1])
        print(f"  ours {taken[0]:6.2f} s/epoch   bare {taken[1]:6.2f} s/epoch", flush=True)
    shape = f"{items:,} items × {users:,} users, {width:,} features, dim {dim}"
    print(f"two-tower, {shape}: ratio {median(ratios):.2f} (median)")


def memory(items: int, users: int, width: int, steps: int) -> None:
    """Print the peak memory of a process that trains against the mapped factors of many users.

    All items are there, and some of them are trained with, for two epochs of so many steps.
    """
    import resource

    dim, rows = 200, min(items, BATCH * steps)
    features, plays = sparse_rows(items, width, 40, 0), sparse_rows(items, users, 60, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "user_factors.npy"
        factors = np.lib.format.open_memmap(path, "w+", np.float32, (users, dim))
        rng = np.random.default_rng(2)
        for first in range(0, users, 10_000):
            factors[first : first + 10_000] = rng.standard_normal((10_000, dim), np.float32)
        factors.flush()
        del factors
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
        vectors = FrozenUsers(open_matrix(path))
        took = fit_of(features, plays, rows, vectors, dim=dim, epochs=1)()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    shape = f"{items:,} items × {users:,} users, {width:,} sparse features, {plays.nnz:,} plays"
    print(
        f"two-tower, {shape}: peak {peak:.2f} GiB ({before:.2f} with the data alone), "
        f"{steps / took:.1f} steps/s"
    )


def main() -> None:
    """Measure both; the memory in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=10_800)
    parser.add_argument("--users", type=int, default=5_500)
    parser.add_argument("--width", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-items", type=int, default=300_000)
    parser.add_argument("--memory-users", type=int, default=1_000_000)
    parser.add_argument("--memory-steps", type=int, default=20)
    parser.add_argument("--memory-only", action="store_true")
    asked = parser.parse_args()
    if asked.memory_only:
        memory(asked.memory_items, asked.memory_users, asked.width, asked.memory_steps)
        return
    speed(asked.items, asked.users, asked.width, asked.dim, asked.rounds)
    command = [sys.executable, "-m", "tests.benchmarks.two_tower", "--memory-only"]
    command += ["--memory-items", str(asked.memory_items)]
    command += ["--memory-users", str(asked.memory_users)]
    command += ["--memory-steps", str(asked.memory_steps)]
    subprocess.run(command, check=True, env=os.environ)  # noqa: S603 — this very script


if __name__ == "__main__":
    main()
