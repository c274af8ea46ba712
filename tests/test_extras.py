"""Libraries that may be missing: a command that needs one names what to install, or do instead."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tartarus_cli.environment import open_keras
from tartarus_cli.errors import TartarusError
from tartarus_cli.extras import OPTIONAL_LIBRARIES, require
from tartarus_cli.text import w2v
from tests.conftest import Command
from tests.worlds import World

TRAIN = ("train", "rec_dense", "text", "--dataset", "rec")
QUICK = ("--set", "training.epochs=1", "--set", "network.hidden=4")


def hide(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a library look as if it were not installed."""
    monkeypatch.setitem(sys.modules, library, None)


@pytest.mark.parametrize("library", OPTIONAL_LIBRARIES)
def test_a_missing_library_is_named_with_what_to_do(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(library, monkeypatch)
    with pytest.raises(TartarusError, match=f"needs {library}, which is not installed") as problem:
        require(library)
    assert problem.value.hint == OPTIONAL_LIBRARIES[library].remedy


def test_word_vectors_are_not_learnt_without_gensim_but_read_from_a_file(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide("gensim", monkeypatch)
    monkeypatch.setattr(w2v, "require", require)
    folder = world.root / "text"
    folder.mkdir()
    ids = (world.datasets / f"items_index_{s}_one.tsv" for s in ("train", "val", "test"))
    for item in "\n".join(path.read_text().strip() for path in ids).splitlines():
        (folder / f"{item}.txt").write_text("la la la la la")
    words = ("text", "one", "w2v", "--text", folder, "-w", world.root)
    refused = tartarus(*words)
    assert refused.status == 1
    assert "learning word vectors needs gensim, which is not installed" in refused.err
    assert "--vectors FILE" in refused.err
    assert not list(world.features.glob("[!.]*w2v*"))
    vectors = world.root / "vectors.txt"
    vectors.write_text("1 2\nla 0.5 0.25\n")
    assert tartarus(*words, "--vectors", vectors).status == 0


@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_a_backend_that_is_not_installed_is_named_before_a_training(
    backend: str, tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    hide(backend, monkeypatch)
    refused = tartarus(*TRAIN, "-w", world.root)
    assert refused.status == 1
    assert f"KERAS_BACKEND={backend} needs {backend}, which is not installed" in refused.err
    assert f"pip install 'tartarus-cli[{backend}]'" in refused.err
    assert not (world.root / "data" / "models").exists()


def test_a_backend_that_is_not_installed_is_named_before_a_prediction(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tartarus(*TRAIN, *QUICK, "-w", world.root).status == 0
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    hide("torch", monkeypatch)
    refused = tartarus("predict", "-w", world.root)
    assert (refused.status, "tartarus-cli[torch]" in refused.err) == (1, True)


def test_jax_needs_no_extra() -> None:
    assert os.environ["KERAS_BACKEND"] == "jax"
    open_keras()


LOSS = """
import numpy as np
from tartarus_cli.losses import cosine_loss
targets, outputs = np.eye(2, dtype="float32"), np.ones((2, 2), "float32")
print(*np.asarray(cosine_loss(targets, outputs)).round(4))
"""


@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_a_loss_takes_arrays_with_every_backend(backend: str) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"no {backend}")
    computed = subprocess.run(  # noqa: S603 — our own words
        [sys.executable, "-c", LOSS],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"KERAS_BACKEND": backend},
    )
    # (1 - 1 / √2) / 2
    assert computed.stdout.split() == ["0.1464", "0.1464"]
