"""Speed of training the audio networks, ours and the same in plain Keras, on each backend there is.

Usage: python -m tests.benchmarks.convolutions [EXPERIMENT…] [--steps 10] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.losses import LOSSES

PRESETS = ("single-label-audio", "logistic_audio_multilabel")
BACKENDS = ("jax", "torch", "tensorflow")
PATCH = (322, 96, 1)  # frames and bins of 15 s
BATCH = 32


def ours(name: str) -> Any:
    """Build the network of an experiment."""
    found = resolve(name)
    return found.architecture.build([PATCH], found.network, found.targets.dim, 0)


def plain(name: str) -> Any:
    """Build the same network of Keras' own layers."""
    import keras
    from keras import layers

    found = resolve(name)
    options = found.network.model_dump()
    x = start = keras.Input(PATCH)
    stages = zip(options["kernels"], options["filters"], options["pools"], strict=True)
    for kernel, filters, pool in stages:
        x = layers.Conv2D(filters, kernel, activation="relu")(x)
        x = layers.MaxPooling2D(pool)(x)
        x = layers.Dropout(options["dropout"])(x) if options["dropout"] else x
    x = layers.Flatten()(x)
    output = {"unit_norm": "linear"}.get(options["output"], options["output"])
    x = layers.Dense(found.targets.dim, output)(x)
    return keras.Model(start, layers.UnitNormalization()(x) if output != options["output"] else x)


NETWORKS: dict[str, Callable[[str], Any]] = {"ours": ours, "plain": plain}


def measure(name: str, kind: str, steps: int) -> float:
    """Items a second of training one of the networks on the backend of this process."""
    found, network = resolve(name), NETWORKS[kind](name)
    network.compile(found.fitting.optimizer, LOSSES[found.fitting.loss])
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((BATCH, *PATCH), dtype=np.float32)
    classes = rng.integers(0, found.targets.dim, BATCH)
    targets = np.eye(found.targets.dim, dtype=np.float32)[classes]
    taken = []
    for _ in range(steps + 1):
        began = time.perf_counter()
        float(network.train_on_batch(patches, targets))
        taken.append(time.perf_counter() - began)
    return BATCH / median(taken[1:])  # the first compiles


def measured_apart(name: str, backend: str, kind: str, steps: int) -> float:
    """Measure in a process of its own: Keras chooses its backend when it is imported."""
    command = [sys.executable, "-m", "tests.benchmarks.convolutions", name]
    command += ["--steps", str(steps), "--here", kind]
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(  # noqa: S603 — this very script
        command, check=True, env=environment, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout.splitlines()[-1])


def compare(name: str, backends: list[str], steps: int, rounds: int) -> None:
    """Print items/s of both networks on each backend, and how they compare with ours on the first.

    They take turns, so that a machine whose speed changes is the same to all of them.
    """
    each = [(backend, kind) for backend in backends for kind in NETWORKS]
    turns = [{one: measured_apart(name, *one, steps) for one in each} for _ in range(rounds)]
    rates = {one: median(turn[one] for turn in turns) for one in each}
    base = rates[backends[0], "ours"]
    print(f"{name}, batches of {BATCH} × {PATCH[0]} × {PATCH[1]}: items/s of training")
    for backend in backends:
        mine, keras_own = rates[backend, "ours"], rates[backend, "plain"]
        print(
            f"  {backend:10}  ours {mine:8.1f}   plain Keras {keras_own:8.1f}   ours / plain "
            f"{mine / keras_own:5.2f}   ours on {backends[0]} / plain {base / keras_own:5.2f}",
            flush=True,
        )


def main() -> None:
    """Measure each experiment on each backend that is installed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("experiments", nargs="*", default=PRESETS)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--here", choices=NETWORKS)
    asked = parser.parse_args()
    if asked.here:
        print(measure(asked.experiments[0], asked.here, asked.steps))
        return
    backends = [each for each in BACKENDS if find_spec(each)]
    for name in asked.experiments:
        compare(name, backends, asked.steps, asked.rounds)


if __name__ == "__main__":
    main()
