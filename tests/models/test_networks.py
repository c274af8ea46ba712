"""Files of networks that are not what Keras writes are refused before they take memory or time."""

import io
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import h5py
import numpy as np
import pytest

from tests.conftest import Command
from tests.worlds import World

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
Members = dict[str, bytes]


@pytest.fixture
def network(tartarus: Command, world: World) -> Path:
    """Train a network, and return its file."""
    words = ("train", "rec_dense", "text", "--dataset", "rec", "-w", world.root)
    assert tartarus(*words, "--set", "training.epochs=1", "--set", "network.hidden=4").status == 0
    return world.root / "data" / "models" / "model_1" / "model.keras"


def members_of(path: Path) -> Members:
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, members: Members, method: int = ZIP_STORED) -> None:
    with ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def changed(members: Members, change: Callable[[Any], Any]) -> Members:
    """Return a description whose last layer is changed."""
    config = json.loads(members[CONFIG])
    change(config["config"]["layers"][-1])
    return members | {CONFIG: json.dumps(config).encode()}


def with_weights(members: Members, **how: Any) -> Members:
    """Add weights to those of a network."""
    buffer = io.BytesIO(members[WEIGHTS])
    with h5py.File(buffer, "a") as file:
        file.create_dataset("more", **how)
    return members | {WEIGHTS: buffer.getvalue()}


def with_link(members: Members) -> Members:
    buffer = io.BytesIO(members[WEIGHTS])
    with h5py.File(buffer, "a") as file:
        file["more"] = h5py.ExternalLink("/etc/passwd", "/")
    return members | {WEIGHTS: buffer.getvalue()}


def of_class(module: str, name: str) -> Callable[[Any], Any]:
    return lambda layer: layer.update(module=module, class_name=name, registered_name=None)


DEEP = b"[" * 500 + b"]" * 500
HUGE = {"shape": (1 << 30,), "dtype": "f4"}
FORGERIES: dict[str, tuple[Callable[[Members], Members], str]] = {
    "deep": (lambda m: m | {CONFIG: DEEP}, "nested deeper"),
    "very deep": (lambda m: m | {CONFIG: b"[" * 99_999}, "config.json is damaged"),
    "another file": (lambda m: m | {"assets/x": b"1"}, "'assets/x', which Keras does not write"),
    "many units": (
        lambda m: m | {CONFIG: m[CONFIG].replace(b'"units": ', b'"units": 1234567')},
        "describes more weights than",
    ),
    "a lambda": (lambda m: changed(m, of_class("keras.layers", "Lambda")), "a layer Lambda"),
    "other code": (lambda m: changed(m, of_class("antigravity", "x")), "neither Keras' nor"),
    "another activation": (
        lambda m: changed(m, lambda layer: layer.update(name="other", config={})),
        "cannot load",
    ),
    "a link": (with_link, "/more of its model.weights.h5 is a link"),
    "weights of no bytes": (lambda m: with_weights(m, **HUGE), "no plain array"),
    "a large piece": (
        lambda m: with_weights(m, **HUGE, chunks=(1 << 30,), compression="gzip"),
        "no plain array",
    ),
    "weights in another file": (
        lambda m: with_weights(m, shape=(9,), dtype="u1", external=[("/etc/passwd", 0, 9)]),
        "no plain array",
    ),
    "damaged weights": (lambda m: m | {WEIGHTS: b"\x89HDF\r\n\x1a\n" + bytes(99)}, "is damaged"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_network_that_keras_did_not_write_is_refused(
    forgery: str, tartarus: Command, network: Path, world: World
) -> None:
    forge, found = FORGERIES[forgery]
    write(network, forge(members_of(network)))
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = tartarus("predict", "model_1", "-w", world.root)
    said = " ".join(refused.err.split())
    assert refused.status == 1
    assert found in said
    assert "model_1/model.keras" in said
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20
    assert time.monotonic() - began < 30


@pytest.mark.slow
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, METADATA])
def test_a_network_that_inflates_is_refused(
    name: str, tartarus: Command, network: Path, world: World
) -> None:
    write(network, members_of(network) | {name: bytes(600 << 20)}, ZIP_DEFLATED)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = tartarus("predict", "model_1", "-w", world.root)
    assert refused.status == 1
    assert f"its {name} has 629,145,600 bytes" in " ".join(refused.err.split())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20


def test_a_network_of_other_layers_than_the_manifest_lists_is_refused(
    tartarus: Command, network: Path, world: World
) -> None:
    manifest = network.parent / "manifest.json"
    document = json.loads(manifest.read_text())
    document["layers"][-1]["shape"] = [1 << 20]
    manifest.write_text(json.dumps(document))
    refused = tartarus("predict", "model_1", "-w", world.root)
    assert "its layers are not those that the manifest" in " ".join(refused.err.split())


def test_a_network_that_was_compressed_again_is_read(
    tartarus: Command, network: Path, world: World
) -> None:
    factors = world.root / "data" / "factors" / "factors_model_1.npy"
    assert tartarus("predict", "model_1", "-w", world.root).status == 0
    before = np.load(factors)
    write(network, members_of(network), ZIP_DEFLATED)
    assert tartarus("predict", "model_1", "-w", world.root).status == 0
    assert np.array_equal(before, np.load(factors))


def test_a_pipe_in_the_place_of_a_network_is_not_waited_for(
    tartarus: Command, network: Path, world: World
) -> None:
    import os

    network.unlink()
    os.mkfifo(network)
    refused = tartarus("predict", "model_1", "-w", world.root)
    assert (refused.status, "it is a pipe" in " ".join(refused.err.split())) == (1, True)
