"""Where is computed: what can be named, what is refused, and what is recorded."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tartarus_cli import devices
from tartarus_cli.devices import DeviceError, accelerator, chosen_device, find_device, on_device
from tartarus_cli.errors import RequestError
from tests.conftest import Command
from tests.worlds import World

TRAIN = ("train", "rec_dense", "text", "--dataset", "rec")


class Card:
    """A card as JAX describes one."""

    platform, device_kind = "gpu", "NVIDIA H100"

    def __init__(self, number: int) -> None:
        self.id = self.local_hardware_id = number


def find_number() -> int | None:
    """Return the number of the card that rankings are computed on."""
    card = accelerator()
    return None if card is None else int(card.id)


@pytest.fixture
def _two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make JAX look as if it had two cards."""
    import jax

    there: dict[str, list[Any]] = {
        "cpu": jax.local_devices(backend="cpu"),
        "gpu": [Card(0), Card(1)],
    }
    monkeypatch.setattr(jax, "local_devices", lambda *, backend="gpu": there[backend])


@pytest.mark.parametrize("name", ["", "tpu", "gpu:", "gpu:x", "cpu:1", "GPU", "gpu:-1", "cuda:0"])
def test_what_names_no_device_is_refused(name: str, tartarus: Command, world: World) -> None:
    with pytest.raises(RequestError, match="names no device"), on_device(name):
        pass
    refused = tartarus(*TRAIN, "--device", name, "-w", world.root)
    assert (refused.status, "names no device" in refused.err) == (2, True)
    assert not (world.root / "data" / "models").exists()


@pytest.mark.parametrize("command", ["train", "run"])
def test_a_card_that_does_not_exist_is_refused_before_the_work(
    command: str, tartarus: Command, world: World
) -> None:
    refused = tartarus(command, *TRAIN[1:], "--device", "gpu", "-w", world.root)
    assert refused.status == 1
    assert "--device gpu: there is no such device; there are cpu" in refused.err
    assert "pip install" in refused.err or "JAX" in refused.err
    assert not (world.root / "data" / "models").exists()


@pytest.fixture(autouse=True)
def _none_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)


@pytest.mark.usefixtures("_two_cards")
def test_the_number_of_a_card_is_that_of_the_machine() -> None:
    assert find_device("gpu").id == 0
    assert find_device("gpu:1").id == 1
    with pytest.raises(DeviceError, match=r"gpu:0 \(NVIDIA H100\), gpu:1 \(NVIDIA H100\)"):
        find_device("gpu:2")


@pytest.mark.usefixtures("_two_cards")
def test_large_rankings_go_to_a_card_unless_the_processor_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert accelerator() is None  # no plug-in, so that JAX is not asked
    monkeypatch.setattr(devices, "has_plugin", lambda: True)
    assert find_number() == 0
    with on_device("cpu"):
        assert accelerator() is None
        with on_device("auto"):
            assert chosen_device() == "cpu"
    with on_device("gpu:1"):
        assert find_number() == 1
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert accelerator() is None


def test_other_backends_choose_their_device_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with on_device("auto"):
        pass
    with pytest.raises(DeviceError, match="KERAS_BACKEND=torch") as problem, on_device("cpu"):
        pass
    assert "CUDA_VISIBLE_DEVICES" in problem.value.hint


TWO = """
from tartarus_cli.environment import keras_defaults, open_keras
from tartarus_cli import devices
open_keras()
import jax, keras, numpy
devices.find_device = lambda name: jax.devices()[1]
for name in ("auto", "cpu"):
    with devices.on_device(name), keras_defaults():
        layer = keras.layers.Dense(2)
        print(layer(numpy.ones((1, 3))).devices(), layer.kernel.value.devices())
"""


def test_networks_are_computed_on_the_device_that_was_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    command = [sys.executable, "-c", TWO]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    zero, one = printed.stdout.splitlines()
    assert ("id=0" in zero, "id=1" in zero) == (True, False)
    assert ("id=0" in one, "id=1" in one) == (False, True)


def test_a_model_records_its_device(tartarus: Command, world: World) -> None:
    few = ("--set", "training.epochs=1", "--set", "network.hidden=4")
    common = ("--dataset", "rec", "--device", "cpu", "-w", world.root)
    assert tartarus("train", "rec_dense", "text", *few, *common).status == 0
    assert tartarus("train", "popularity", "text", *common).status == 0
    for name in ("model_1", "model_2"):
        manifest = world.root / "data" / "models" / name / "manifest.json"
        assert json.loads(manifest.read_text())["machine"]["device"] == "cpu"
    assert " on cpu, seed 0" in tartarus("models", "show", "model_1", "-w", world.root).out


def test_the_device_of_the_environment_counts_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(devices.VARIABLE, "cpu")
    with on_device("auto"):
        assert chosen_device() == "cpu"
    monkeypatch.setenv(devices.VARIABLE, "tpu")
    with pytest.raises(RequestError, match="TARTARUS_DEVICE=tpu"), on_device("auto"):
        pass
    with on_device("cpu"):
        assert chosen_device() == "cpu"


LACKING = """
from tartarus_cli.devices import DeviceError, find_device
for name in ("gpu", "cpu"):
    try:
        find_device(name)
    except DeviceError as problem:
        print(problem, problem.hint)
"""


@pytest.mark.skipif(devices.has_plugin(), reason="JAX may have a card here")
def test_a_platform_that_jax_lacks_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    command = [sys.executable, "-c", LACKING]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    for line in done.stdout.splitlines():
        assert "there are none" in line
        assert "JAX_PLATFORMS=cuda asks for a card: unset it" in line
    assert len(done.stdout.splitlines()) == 2
