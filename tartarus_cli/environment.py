"""What the user's environment says to Keras and its backend, and which of it counts.

Variables and ``keras.json`` choose the backend and the device; they do not change what networks
compute. What makes the libraries fail is named.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from tartarus_cli.compile_cache import use_cache
from tartarus_cli.devices import default_device
from tartarus_cli.errors import TartarusError, nearest
from tartarus_cli.extras import OPTIONAL_LIBRARIES, require
from tartarus_cli.progress import warn

BACKENDS = ("jax", "tensorflow", "torch")
"""Backends of Keras that train networks."""

PREFIXES = {
    "jax": ("JAX_", "XLA_", "ROCM_"),
    "tensorflow": ("TF_", "XLA_"),
    "torch": ("TORCH_", "PYTORCH_"),
}
"""Backend → how the names of the variables begin that it reads."""

COMMON_PREFIXES = ("KERAS_", "CUDA_", "MPL")
"""How the names begin that Keras reads, or what it imports with any backend."""

HARMLESS = {"KERAS_BACKEND": "jax", "MPLBACKEND": "Agg", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
"""Variable → the value that Tartarus or Keras sets themselves."""

CONFIG = {
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}
"""Key of ``keras.json`` → its values; Keras cannot be imported with another one."""


Precision = Literal["float32", "bfloat16"]
"""What networks compute with."""

POLICIES: dict[Precision, str] = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
"""Precision → Keras' name of how its layers compute."""


class BackendError(TartarusError):
    """Keras or its backend cannot be used on this machine, or in this environment."""


def open_keras() -> None:
    """Import Keras with the backend that KERAS_BACKEND names, and look whether it can compute.

    Raises
    ------
    TartarusError
        If the backend does not exist, is not installed or cannot compute; the hint names the
        variables that may be to blame.
    """
    backend = os.environ["KERAS_BACKEND"]
    if backend not in BACKENDS:
        msg = f"KERAS_BACKEND={backend} names no backend that trains networks"
        hint = f"{nearest(backend, BACKENDS)} Or unset KERAS_BACKEND, to compute with JAX."
        raise BackendError(msg, hint=hint)
    if backend in OPTIONAL_LIBRARIES:
        require(backend)
    try:
        with _readable_config():
            import keras
        if keras.config.backend() == "jax":
            use_cache()
            _find_device()
    except BackendError:
        raise
    except Exception as problem:  # noqa: BLE001 — a wrong variable makes libraries raise anything
        subject = f"Keras cannot compute with {backend}"
        raise backend_error(subject, problem) from None


def _find_device() -> None:
    """Make sure that JAX finds a device of a platform that it is to use."""
    import jax

    try:
        jax.devices()
    except Exception as problem:
        platforms = os.environ.get("JAX_PLATFORMS")
        if not platforms:
            raise
        msg = f"JAX finds no device with JAX_PLATFORMS={platforms}: {_reason(problem)}"
        hint = "Unset JAX_PLATFORMS, or set JAX_PLATFORMS=cpu."
        raise BackendError(msg, hint=hint) from None


def backend_error(
    subject: str, problem: BaseException, *, made_with: Mapping[str, str] | None = None
) -> BackendError:
    """Return an error that gives the reason of a library, and names the variables it read.

    Parameters
    ----------
    subject
        What cannot be done.
    problem
        What the library raised.
    made_with
        Library → version with which the model was trained.
    """
    reason = _reason(problem)
    hint = _other_versions(made_with or {}) or _suspects(reason)
    return BackendError(f"{subject}: {reason}", hint=hint)


def _reason(problem: BaseException) -> str:
    return " ".join((str(problem) or type(problem).__name__).split())[:300]


def _other_versions(made_with: Mapping[str, str]) -> str:
    """Name the versions that a model was trained with, where others are installed."""
    named = ("keras", "jax")
    others = [f"{n} {made_with[n]}" for n in named if made_with.get(n, version(n)) != version(n)]
    here = ", ".join(f"{name} {version(name)}" for name in named)
    return f"It was trained with {' and '.join(others)}; here are {here}." if others else ""


def _suspects(reason: str) -> str:
    """Name the variables that the libraries read, those alone that the reason speaks of if any."""
    prefixes = (*COMMON_PREFIXES, *PREFIXES.get(os.environ["KERAS_BACKEND"], ()))
    given = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(prefixes) and HARMLESS.get(name) != value
    }
    named = [n for n, v in given.items() if n in reason or (len(v) > 2 and v in reason)]
    shown = " ".join(f"{name}={given[name]}" for name in named or given)
    if named:
        return f"The environment has {shown}: correct it, or unset {' and '.join(named)}."
    if given:
        return f"One of these variables of the environment may be the cause; unset it: {shown}."
    return "The installation may be damaged: install keras and its backend again."


@contextmanager
def _readable_config() -> Iterator[None]:
    """Let Keras pass over a ``keras.json`` that it could not be imported with."""
    if "keras" in sys.modules or (problem := _config_problem(path := _config_path())) is None:
        yield
        return
    warn(f"{path} is passed over: {problem}")
    home = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = os.devnull  # in which there is no keras.json
    try:
        yield
    finally:
        if home is None:
            del os.environ["KERAS_HOME"]
        else:
            os.environ["KERAS_HOME"] = home


def _config_path() -> Path:
    """Return where Keras looks for its settings."""
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")  # noqa: PTH111 — pathlib raises where there is no home
        folder = str(Path(home if os.access(home, os.W_OK) else "/tmp") / ".keras")  # noqa: S108
    return Path(os.path.expanduser(folder)) / "keras.json"  # noqa: PTH111


def _config_problem(path: Path) -> str | None:
    """Say what is wrong with a ``keras.json``; None if Keras can read it or there is none."""
    try:
        config = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        return f"it cannot be read: {problem.strerror}"
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(config, dict):
        return "it holds no settings"
    wrong = [key for key, values in CONFIG.items() if config.get(key, values[0]) not in values]
    wrong += ["epsilon"] * (not isinstance(config.get("epsilon", 1e-7), float))
    wrong += ["nnx_enabled"] * bool(config.get("nnx_enabled"))
    return f"Keras does not take {wrong[0]} = {config[wrong[0]]!r}" if wrong else None


@contextmanager
def keras_defaults(precision: Precision = "float32") -> Iterator[None]:
    """Let Keras compute as it does without any settings: what the user has set comes back after.

    Channels last, no limit of epochs, JAX's own random numbers, on the device that was chosen.

    Parameters
    ----------
    precision
        Of what layers that are made in the block compute, if they do not say themselves; weights
        are float32 in any case.
    """
    from keras import config

    policy = config.dtype_policy()
    changes: list[tuple[Any, Any, Any]] = [
        (config.set_floatx, config.floatx(), "float32"),
        (config.set_epsilon, config.epsilon(), 1e-7),
        (config.set_image_data_format, config.image_data_format(), "channels_last"),
        (config.set_dtype_policy, policy, POLICIES[precision]),
        (config.set_max_epochs, config.max_epochs(), None),
        (config.set_max_steps_per_epoch, config.max_steps_per_epoch(), None),
    ]
    for change, _, default in changes:
        change(default)
    try:
        with _jax_defaults() if config.backend() == "jax" else nullcontext():
            yield
    finally:
        for change, before, _ in changes:
            change(before)


@contextmanager
def _jax_defaults() -> Iterator[None]:
    """Let JAX draw numbers and match shapes and types as it does without any variables."""
    import jax

    with (
        default_device(),
        jax.default_prng_impl("threefry2x32"),
        jax.threefry_partitionable(True),  # noqa: FBT003
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
    ):
        yield
