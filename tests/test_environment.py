"""The user's environment: it does not change what networks compute, and what is wrong is named."""

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import keras
import numpy as np
import pytest

from tartarus_cli import environment
from tartarus_cli.environment import BackendError, backend_error, keras_defaults, open_keras
from tests.conftest import Command
from tests.worlds import World

TRAIN = ("train", "rec_dense", "text", "--dataset", "rec")
QUICK = ("--set", "training.epochs=2", "--set", "network.hidden=4")
OPEN = """
from tartarus_cli.environment import open_keras
open_keras()
import keras
print(keras.config.floatx())
"""


def opened(**variables: str) -> "subprocess.CompletedProcess[str]":
    """Open Keras in a process of its own, and print its precision."""
    return subprocess.run(  # noqa: S603 — our own words
        [sys.executable, "-c", OPEN],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )


def factors_of(model: str, world: World) -> bytes:
    return (world.root / "data" / "factors" / f"factors_{model}.npy").read_bytes()


def test_settings_of_keras_change_no_result_and_are_the_users_again_after(
    tartarus: Command, world: World
) -> None:
    assert tartarus(*TRAIN, *QUICK, "-w", world.root).status == 0
    assert tartarus("predict", "model_1", "-w", world.root).status == 0
    before = factors_of("model_1", world)
    config = keras.config
    with keras_defaults():
        config.set_floatx("float64")
        config.set_epsilon(0.5)
        config.set_image_data_format("channels_first")
        config.set_dtype_policy("mixed_float16")
        config.set_max_epochs(1)
        assert tartarus("predict", "model_1", "-w", world.root).status == 0
        assert factors_of("model_1", world) == before
        assert tartarus(*TRAIN, *QUICK, "-w", world.root).status == 0
        assert tartarus("predict", "model_2", "-w", world.root).status == 0
        users = (config.floatx(), config.epsilon(), config.image_data_format())
        assert users == ("float64", 0.5, "channels_first")
        assert (config.dtype_policy().name, config.max_epochs()) == ("mixed_float16", 1)
    assert factors_of("model_2", world) == before


@pytest.mark.slow
def test_networks_on_patches_take_channels_last_whatever_keras_is_set_to(
    tartarus: Command, example: Path
) -> None:
    assert tartarus("patches", "SUPER", "-w", example, "-j", 1).status == 0
    with keras_defaults():
        keras.config.set_image_data_format("channels_first")
        words = ("train", "dummy_audio", "--set", "training.epochs=1", "-w", example)
        assert tartarus(*words).status == 0


def test_random_numbers_and_shapes_of_jax_are_its_defaults() -> None:
    import jax

    with jax.default_prng_impl("rbg"), jax.numpy_rank_promotion("raise"):
        with keras_defaults():
            drawn = np.asarray(keras.random.uniform((2,), seed=1)) + np.zeros((3, 1))
            added = keras.ops.add(np.ones((2, 3), "float32"), np.ones(3, "float32"))
            assert np.asarray(added).shape == (2, 3)
        assert str(jax.random.key_impl(jax.random.key(0))) == "rbg"
    with keras_defaults():
        assert drawn[0].tolist() == np.asarray(keras.random.uniform((2,), seed=1)).tolist()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "it is not JSON"),
        ("[1]", "it holds no settings"),
        ('{"floatx": "float"}', "Keras does not take floatx = 'float'"),
        ('{"image_data_format": []}', "Keras does not take image_data_format = []"),
        ('{"epsilon": 1}', "Keras does not take epsilon = 1"),
        ('{"nnx_enabled": true}', "Keras does not take nnx_enabled = True"),
        ('{"floatx": "float16", "epsilon": 1e-3, "backend": "torch"}', None),
    ],
)
def test_a_keras_json_that_keras_fails_with_is_known_beforehand(
    text: str, problem: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "keras.json"
    path.write_text(text)
    assert environment._config_problem(path) == problem
    assert environment._config_problem(tmp_path / "none") is None
    assert environment._config_problem(path / "none") is None


def test_keras_is_imported_past_a_damaged_keras_json(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text('{"floatx": "float"}')
    shown = opened(KERAS_HOME=str(tmp_path))
    assert (shown.returncode, shown.stdout) == (0, "float32\n"), shown.stderr
    assert json.loads((tmp_path / "keras.json").read_text()) == {"floatx": "float"}


def test_a_platform_that_is_not_there_is_named() -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has such a device")
    shown = opened(JAX_PLATFORMS="cuda")
    assert "BackendError: JAX finds no device with JAX_PLATFORMS=cuda: " in shown.stderr
    assert "Unset JAX_PLATFORMS, or set JAX_PLATFORMS=cpu." in shown.stderr


@pytest.mark.parametrize("variable", ["JAX_ENABLE_X64=banana", "KERAS_MAX_EPOCHS=many"])
def test_a_variable_that_a_library_fails_with_is_named(variable: str) -> None:
    name, _, value = variable.partition("=")
    shown = opened(**{name: value})
    assert "BackendError: Keras cannot compute with jax" in shown.stderr
    assert f"The environment has {variable}: correct it, or unset {name}." in shown.stderr


def test_variables_are_named_that_may_be_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith(("JAX_", "XLA_", "KERAS_", "CUDA_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    hint = backend_error("It fails", RuntimeError("no way")).hint
    assert hint == "The installation may be damaged: install keras and its backend again."
    monkeypatch.setenv("XLA_FLAGS", "--a")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "terraform")
    hint = backend_error("It fails", RuntimeError("no way")).hint
    assert hint.endswith("may be the cause; unset it: XLA_FLAGS=--a.")
    problem = backend_error("It fails", RuntimeError("a\n b"), made_with={"keras": "3.0"})
    assert str(problem) == "It fails: a b"
    assert problem.hint.startswith("It was trained with keras 3.0; here are keras ")


@pytest.mark.parametrize(("backend", "near"), [("jaxx", "jax"), ("numpy", "jax, tensorflow")])
def test_a_backend_that_does_not_exist_is_refused_with_those_that_do(
    backend: str, near: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(BackendError, match=f"KERAS_BACKEND={backend} names no backend") as refused:
        open_keras()
    assert near in refused.value.hint


def test_an_empty_backend_is_none_and_jax_is_taken() -> None:
    words = "import tartarus_cli, os; print(os.environ['KERAS_BACKEND'])"
    for value in ("", " "):
        shown = subprocess.run(  # noqa: S603 — our own words
            [sys.executable, "-c", words],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"KERAS_BACKEND": value},
        )
        assert shown.stdout == "jax\n"


def test_only_a_damaged_model_is_to_be_trained_again(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tartarus(*TRAIN, *QUICK, "-w", world.root).status == 0
    path = world.root / "data" / "models" / "model_1" / "model.keras"

    def fail(*_arguments: object, **_options: object) -> None:
        msg = "the device is gone"
        raise RuntimeError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(keras.saving, "load_model", fail)
        refused = tartarus("predict", "model_1", "-w", world.root)
    assert refused.status == 1
    assert "undamaged, but Keras cannot load it: the device is gone" in refused.err
    assert "again" not in refused.err.replace("backend again", "")
    with ZipFile(path, "w") as archive:
        archive.writestr("other", "content")
    refused = tartarus("predict", "model_1", "-w", world.root)
    assert "cannot be loaded: it lacks metadata.json" in refused.err
    assert "Train model_1 again." in refused.err
    path.unlink()
    refused = tartarus("predict", "model_1", "-w", world.root)
    assert "cannot be loaded: it is missing" in refused.err
