"""Speed of a rec_multi training beside a bare JAX loop, and memory of a large rec_sparse training.

Usage: python -m tests.benchmarks.training [--width 2048] [--items 6400] [--rounds 5]
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
from numpy.typing import NDArray
from scipy.sparse import csr_array, random_array

from tartarus_cli.data.features import Matrix, unit_rows
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.control import TrainingCourse
from tartarus_cli.training.fit import fit

Rows = NDArray[np.float32]
DIM = 200


def part_of(inputs: tuple[Rows | csr_array, ...], targets: Rows) -> TrainingSubset:
    """Make a part of arrays in memory."""
    matrices = tuple(Matrix(Path(), each) for each in inputs)
    everything = np.arange(len(targets))
    return TrainingSubset(
        ItemSet("train", [], matrices, everything), Matrix(Path(), targets), everything
    )


def network_of(name: str, shapes: list[tuple[int, ...]]) -> Any:
    """Build the network of a preset."""
    experiment = resolve(name)
    build = experiment.architecture.build
    return build(shapes, experiment.network, DIM, 0)


def fit_of(name: str, part: TrainingSubset, epochs: int) -> Callable[[], float]:
    """Return what trains the network of a preset, and tells the seconds of all but the first epoch.

    The first epoch compiles. The seconds are those of the history; they contain the validation, of
    two items here.
    """
    training = resolve(name).fitting
    network = network_of(name, [matrix.shape[1:] for matrix in part.set.inputs])
    rows = TrainingSubset(part.set, part.targets, part.samples[:2])
    options = training.model_copy(update={"epochs": epochs + 1, "patience": epochs + 1})
    batches = Batches(
        part, size=training.batch_size, prepare=unit_rows, rng=np.random.default_rng(0)
    )

    def train() -> float:
        with tempfile.TemporaryDirectory() as folder:
            history = Path(folder) / "history.csv"
            fit(
                network,
                batches,
                Batches(rows, size=512, prepare=unit_rows),
                options=options,
                course=TrainingCourse(history),
                progress=UNWATCHED,
            )
            with history.open() as file:
                return sum(float(row["seconds"]) for row in list(DictReader(file))[1:])

    return train


def bare_loop(part: TrainingSubset, epochs: int) -> Callable[[], float]:
    """Return a loop over one jitted step of the network of rec_multi; it tells its seconds."""
    import jax
    import jax.numpy as jnp

    one, two = part.set.read(np.arange(len(part)))
    targets = np.asarray(part.targets.values)
    batch, hidden, keep = 32, 512, 0.3

    def unit(x: Any) -> Any:
        squared = (x * x).sum(-1, keepdims=True)
        return x * jnp.where(squared > 1e-12, jax.lax.rsqrt(jnp.maximum(squared, 1e-12)), 0)

    def loss(weights: Any, a: Any, b: Any, y: Any, key: Any) -> Any:
        x = jnp.concatenate([unit(a), unit(b)], -1)
        x = jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep, 0)
        x = jax.nn.relu(x @ weights[0] + weights[1])
        cosine = (unit(y) * unit(x @ weights[2] + weights[3])).sum(-1)
        return jnp.clip((1 - cosine) / 2, 0, 1).mean()

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, a: Any, b: Any, y: Any) -> Any:
        weights, first, second, count, key = state
        key, drop = jax.random.split(key)
        value, slope = jax.value_and_grad(loss)(weights, a, b, y, drop)
        count += 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slope)
        rate = 0.001 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second
        )
        return (weights, first, second, count, key), value

    def start() -> Any:
        keys = jax.random.split(jax.random.key(0), 2)
        draw = partial(jax.random.uniform, minval=-0.05, maxval=0.05)
        wide = one.shape[1] + two.shape[1]
        weights = (
            draw(keys[0], (wide, hidden)),
            jnp.zeros(hidden),
            draw(keys[1], (hidden, DIM)),
            jnp.zeros(DIM),
        )
        zeros = jax.tree.map(jnp.zeros_like, weights)
        return weights, zeros, jax.tree.map(jnp.copy, zeros), jnp.float32(0), jax.random.key(1)

    def train() -> float:
        began = time.perf_counter()
        state, value, rng = start(), None, np.random.default_rng(0)
        for _ in range(epochs):
            order = rng.permutation(len(targets))
            for first in range(0, len(order), batch):
                rows = order[first : first + batch]
                state, value = step(state, one[rows], two[rows], targets[rows])
        np.asarray(value)  # waits for the last step
        return time.perf_counter() - began

    return train


def speed(width: int, items: int, rounds: int) -> None:
    """Print items a second of both, round by round, and the median ratio."""
    rng = np.random.default_rng(0)
    one, two, targets = (
        rng.standard_normal((items, wide), dtype=np.float32) for wide in (width, width, DIM)
    )
    part = part_of((one, two), targets)
    epochs = 3
    ours, bare = fit_of("rec_multi", part, epochs), bare_loop(part, epochs)
    ratios = []
    for number in range(rounds + 1):
        taken = [epochs * items / train() for train in (ours, bare)]
        if number:  # the first round compiles
            ratios.append(taken[0] / taken[1])
            print(f"  ours {taken[0]:9,.0f} items/s   bare {taken[1]:9,.0f} items/s")
    print(
        f"rec_multi, {width} + {width} wide, {items:,} items: ratio {median(ratios):.2f} (median)"
    )


def memory(items: int, width: int, density: float, batches: int) -> None:
    """Print the peak memory of a process that trains rec_sparse on some batches of a large matrix.

    Two epochs of so many batches are trained, so that the best weights are kept beside the others.
    """
    import resource

    rng = np.random.default_rng(0)
    features = csr_array(
        random_array((items, width), density=density, dtype=np.float32, rng=rng, format="csr")
    )
    targets = np.asarray(rng.standard_normal((items, DIM)), np.float32)
    whole = part_of((features,), targets)
    rows = rng.permutation(items)[: 32 * batches]
    took = fit_of("rec_sparse", TrainingSubset(whole.set, whole.targets, rows), epochs=1)()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    dense = 4 * items * width / (1 << 30)
    print(
        f"rec_sparse, {items:,} × {width:,} at {density:.1%} ({dense:.1f} GiB if dense): peak "
        f"{peak:.2f} GiB, {len(rows) / took:,.0f} items/s over {batches} batches"
    )


def main() -> None:
    """Measure both; the memory in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, nargs="*", default=[2048, 128])
    parser.add_argument("--items", type=int, default=6400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-items", type=int, default=100_000)
    parser.add_argument("--memory-batches", type=int, default=200)
    parser.add_argument("--memory-only", action="store_true")
    asked = parser.parse_args()
    if asked.memory_only:
        memory(asked.memory_items, 20_000, 0.001, asked.memory_batches)
        return
    for width in asked.width:
        speed(width, asked.items, asked.rounds)
    command = [sys.executable, "-m", "tests.benchmarks.training", "--memory-only"]
    command += ["--memory-items", str(asked.memory_items)]
    command += ["--memory-batches", str(asked.memory_batches)]
    subprocess.run(command, check=True, env=os.environ)  # noqa: S603 — this very script


if __name__ == "__main__":
    main()
