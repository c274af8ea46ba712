"""Where is computed: on the processor, or on a graphics card that JAX can use.

Networks are trained and predict there, and large rankings are computed there. Nobody has to
choose: ``auto`` is what JAX takes by itself, a card if it has one.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tartarus_cli.errors import RequestError, TartarusError, parameter

AUTO, CPU, GPU = "auto", "cpu", "gpu"

INSTALL_GPU = 'pip install "tartarus-cli[gpu]"'
"""What gives JAX the use of cards of NVIDIA, on Linux."""

NAMES = "Name auto, cpu, gpu, or one of several: gpu:0, gpu:1, …"
_WRITTEN = re.compile(r"auto|cpu|gpu(?::(\d{1,4}))?")

VARIABLE = "TARTARUS_DEVICE"
"""Variable of the environment from which processes take the device that this one was asked for."""


class DeviceError(TartarusError):
    """There is no such device, or it cannot be used."""


def check_device(device: str) -> str:
    """Make sure that something names a device; whether there is one is not looked at.

    Raises
    ------
    RequestError
        If it is none of ``auto``, ``cpu``, ``gpu`` and ``gpu:`` with a number.

    Examples
    --------
    >>> check_device("gpu:1")
    'gpu:1'
    """
    if not _WRITTEN.fullmatch(device):
        msg = f"{parameter('device', device)} names no device"
        raise RequestError(msg, hint=f"{NAMES}.")
    return device


def chosen_device() -> str:
    """Return the name of the device that was asked for; ``auto`` if none was.

    Raises
    ------
    RequestError
        If the variable of the environment names no device.
    """
    device = os.environ.get(VARIABLE) or AUTO
    if not _WRITTEN.fullmatch(device):
        msg = f"{VARIABLE}={device} names no device"
        raise RequestError(msg, hint=f"{NAMES}; or unset {VARIABLE}.")
    return device


@contextmanager
def on_device(device: str) -> Iterator[None]:
    """Compute on a device during the block, also in processes that are started in it.

    Within such a block, ``auto`` stands for its device.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``gpu`` or ``gpu:1``.

    Raises
    ------
    RequestError
        If it names no device.
    DeviceError
        If there is no such device, or the backend of Keras is not the one that is asked.
    """
    if check_device(device) == AUTO:
        device = chosen_device()
    if device == AUTO:
        yield
        return
    backend = os.environ["KERAS_BACKEND"]
    if backend != "jax":
        msg = f"{parameter('device', device)} chooses among devices of JAX, and "
        msg += f"KERAS_BACKEND={backend}"
        hint = "Unset KERAS_BACKEND, to compute with JAX; or leave the device out, and choose in "
        raise DeviceError(msg, hint=hint + f"the way of {backend}: CUDA_VISIBLE_DEVICES=1.")
    if device != CPU:
        find_device(device)
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = device
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def spare_accelerators(device: str) -> None:
    """Let JAX not even look at cards in this process, if it is to compute on the processor."""
    if device == CPU and "jax" not in sys.modules:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")


def default_device() -> AbstractContextManager[Any]:
    """Return a context in which JAX computes on the device that was asked for."""
    device = chosen_device()
    if device == AUTO:
        return nullcontext()
    import jax

    context: AbstractContextManager[Any] = jax.default_device(find_device(device))
    return context


def find_device(device: str) -> Any:
    """Return the device of JAX of a name, ``cpu``, ``gpu`` or ``gpu:1``.

    Raises
    ------
    DeviceError
        If there is none; the message lists those there are, and the hint says what lacks.
    """
    kind, _, number = device.partition(":")
    devices = _devices(kind)
    if int(number or 0) < len(devices):
        return devices[int(number or 0)]
    there = [name_device(each) for kind in (CPU, GPU) for each in _devices(kind)]
    listed = ", ".join(there) or "none"
    msg = f"{parameter('device', device)}: there is no such device; there are {listed}"
    hints = "Name one of them." if there else "", "" if devices else advise_on_cards()
    raise DeviceError(msg, hint=" ".join(filter(None, hints)))


def _devices(kind: str) -> list[Any]:
    """Return the devices of a kind; none where JAX has none of them."""
    import jax

    try:
        return list(jax.local_devices(backend=kind))
    except Exception:  # noqa: BLE001 — a wrong variable or driver makes JAX raise anything
        return []


def name_device(device: Any) -> str:
    """Write a device of JAX as it is named, and what it is.

    >>> import jax
    >>> name_device(jax.local_devices(backend="cpu")[0])
    'cpu'
    """
    if device.platform == CPU:
        return CPU
    return f"{device.platform}:{device.local_hardware_id} ({device.device_kind})"


def current_device() -> str:
    """Name the device that networks are computed on; empty with other backends than JAX."""
    if os.environ["KERAS_BACKEND"] != "jax":
        return ""
    device = chosen_device()
    if device != AUTO:
        return name_device(find_device(device))
    import jax

    return name_device(jax.local_devices()[0])


def computes_on_cpu() -> bool:
    """Whether JAX computes on the processor now."""
    import jax

    config: Any = jax.config
    device = config.jax_default_device or jax.default_backend()  # a device, or what it is
    return bool(getattr(device, "platform", device) == CPU)


def accelerator() -> Any | None:
    """Return the card that rankings may be computed on; None if there is none, or none is wanted.

    JAX is only imported where it could have one.
    """
    device = chosen_device()
    if device != AUTO:
        return None if device == CPU else find_device(device)
    if os.environ["KERAS_BACKEND"] != "jax" or not has_plugin():
        return None
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms and {*platforms.split(",")} <= {CPU}:
        return None
    return next(iter(_devices(GPU)), None)


def has_plugin() -> bool:
    """Whether a plug-in is installed with which JAX can use cards."""
    return bool(entry_points(group="jax_plugins")) or find_spec("jax_plugins") is not None


def has_nvidia_card() -> bool:
    """Whether the system shows a card of NVIDIA, with its driver."""
    return any(Path(path).exists() for path in ("/dev/nvidia0", "/proc/driver/nvidia/version"))


def advise_on_cards() -> str:
    """Say what has to be done so that JAX can use a card."""
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms and not {"cuda", "gpu", "rocm"} & {*platforms.split(",")}:
        return f"JAX_PLATFORMS={platforms} keeps JAX from any card: unset it."
    if platforms and not has_plugin():
        return f"JAX_PLATFORMS={platforms} asks for a card: unset it, or {INSTALL_GPU}"
    if platform.system() != "Linux":
        return "JAX uses cards of NVIDIA on Linux alone (on Windows, in WSL2)."
    if not has_plugin():
        return f"For cards of NVIDIA: {INSTALL_GPU}"
    return "JAX has a plug-in for cards and finds none: see whether nvidia-smi lists one."
