"""Networks of several settings, of which an item may lack some."""

from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.losses import contrastive_loss, cosine_loss
from tartarus_cli.setting_layers import SettingDropout
from tests.architectures.test_architectures import network_of

Rows = NDArray[np.float32]
SETTINGS, WIDTH = 3, 5
SUBSETS = np.array([*product((0, 1), repeat=SETTINGS)], np.float32)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "dropped": ("fusion", {"modality_dropout": 0.5}),
    "scalar": ("fusion", {"gate": "scalar"}),
    "item": ("fusion", {"gate": "item", "modality_dropout": 0.5, "hidden": (7,)}),
    "single branch": ("single_branch", {"adapter": 6, "hidden": (6,), "contrast": 1.0}),
}


def built(kind: str, **options: Any) -> Any:
    name, own = KINDS[kind]
    return network_of(name, **(own | options))


def items_of_each_subset(seed: int = 0) -> list[Rows]:
    """Return inputs for one item of each subset of the settings, the empty one among them."""
    rows = np.random.default_rng(seed).standard_normal((len(SUBSETS), SETTINGS, WIDTH))
    return [*np.moveaxis(rows * SUBSETS[:, :, None], 1, 0).astype(np.float32)]


def gate_of(network: Any, inputs: list[Rows]) -> Rows:
    inner = keras.Model(network.inputs, network.get_layer("gate").output)
    return np.asarray(inner.predict_on_batch(inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_items_of_any_subset_of_settings_are_learnt_saved_and_predicted(
    kind: str, tmp_path: Path
) -> None:
    network, inputs = built(kind, dropout=0.2, output="unit_norm"), items_of_each_subset()
    network.compile("sgd", cosine_loss)
    for _ in range(3):
        assert np.isfinite(network.train_on_batch(inputs, np.ones((len(SUBSETS), 4), np.float32)))
    assert all(np.isfinite(weights).all() for weights in network.get_weights())
    rows = network.predict_on_batch(inputs)
    assert np.isfinite(rows).all()
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert np.array_equal(again.predict_on_batch(inputs), rows)


@pytest.mark.parametrize("kind", ["scalar", "item"])
def test_weights_are_shared_out_among_what_an_item_has(kind: str) -> None:
    network, inputs = built(kind), items_of_each_subset()
    network.get_layer("gate").logits.assign([0.05, 0.0, -0.05])
    weights = gate_of(network, inputs)
    assert (weights[SUBSETS == 0] == 0).all()
    assert weights.sum(axis=1) == pytest.approx(SUBSETS.any(axis=1).astype(float), abs=1e-5)
    odds = np.exp([1.0, 0.0, -1.0])
    assert weights[-1] == pytest.approx(odds / odds.sum(), abs=1e-5)


@pytest.mark.parametrize("kind", ["scalar", "item", "dropped"])
def test_before_anything_is_learnt_it_is_the_published_fusion(kind: str) -> None:
    inputs = items_of_each_subset()
    plain = network_of("fusion", hidden=(7,), modality_dropout=0.0, gate="none")
    same = built(kind, hidden=(7,), modality_dropout=0.0)
    assert same.predict_on_batch(inputs) == pytest.approx(plain.predict_on_batch(inputs), abs=1e-6)


def test_the_weights_of_an_item_depend_on_its_content() -> None:
    network, inputs = built("item"), [np.eye(5, dtype=np.float32)[:2]] * SETTINGS
    assert np.ptp(gate_of(network, inputs)) == pytest.approx(0, abs=1e-6)
    network.get_layer("gate_logits").kernel.assign(np.eye(15)[:, :SETTINGS])
    first, second = gate_of(network, inputs)
    assert first.argmax() == 0
    assert second.argmax() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_setting_that_an_item_lacks_has_no_say(kind: str) -> None:
    network, inputs = built(kind), items_of_each_subset()
    weights = [
        w + 0.3 if w.ndim == 1 and w.dtype == np.float32 else w for w in network.get_weights()
    ]
    network.set_weights(weights)  # biases are not 0 then
    without = network.predict_on_batch([np.zeros_like(x) for x in inputs])
    assert np.ptp(without, axis=0) == pytest.approx(0, abs=1e-6)
    rows = network.predict_on_batch(inputs)
    assert rows[0] == pytest.approx(without[0], abs=1e-6)
    assert not np.array_equal(rows[-1], rows[-2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_setting_that_all_items_lack_teaches_what_training_without_it_does(kind: str) -> None:
    name, options = KINDS[kind]
    entry = ARCHITECTURES.get(name)
    values = entry.options.model_validate({"name": name, "output": "linear"} | options)
    alone, beside = (entry.build([(WIDTH,)] * n, values, 4, 0) for n in (1, 2))
    start_alike(alone, beside)
    rng = np.random.default_rng(0)
    rows, targets = (rng.standard_normal((20, n)).astype(np.float32) for n in (WIDTH, 4))
    for network, inputs in ((alone, rows), (beside, [rows, np.zeros_like(rows)])):
        network.compile(keras.optimizers.SGD(0.1), "mean_squared_error")
        for _ in range(4):
            network.train_on_batch(inputs, targets)
    learnt = alone.predict_on_batch(rows)
    assert beside.predict_on_batch([rows, 0 * rows]) == pytest.approx(learnt, abs=1e-5)
    assert np.std(learnt) > 0


def start_alike(alone: Any, beside: Any) -> None:
    """Let a network of two settings start with the weights of one that has the first alone."""
    one, two = ([x for x in n.layers if isinstance(x, keras.layers.Dense)] for n in (alone, beside))
    if len(two) > len(one):
        del two[1]  # the adapter of the second setting
    for layer, other in zip(one, two, strict=True):
        kernel = np.array(other.kernel)
        kernel[: layer.kernel.shape[0], : layer.kernel.shape[1]] = layer.kernel
        other.kernel.assign(kernel)


def test_settings_are_dropped_at_the_rate_but_one_always_stays() -> None:
    layer, presence = SettingDropout(0.6, 3), np.repeat(SUBSETS, 2000, axis=0)
    stays = np.asarray(layer(presence, training=True))
    assert set(np.unique(stays)) == {0.0, 1.0}
    assert (stays <= presence).all()
    assert np.array_equal(stays.any(axis=1), presence.any(axis=1))
    whole = stays[-2000:]
    assert (whole.sum(axis=1) > 1).any()
    # Each of three stays with .4; where all three would go, one of them stays: .4 + .6³ / 3.
    assert whole.mean(axis=0) == pytest.approx([0.4 + 0.6**3 / 3] * 3, abs=0.05)
    assert not np.array_equal(np.asarray(layer(presence, training=True)), stays)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_dropped_and_nothing_added_outside_of_training(kind: str) -> None:
    network, inputs = built(kind, modality_dropout=0.9), items_of_each_subset()
    network.compile("sgd", "mean_squared_error")
    rows = network.predict_on_batch(inputs)
    assert np.array_equal(rows, network.predict_on_batch(inputs))
    assert network.test_on_batch(inputs, rows) == pytest.approx(0, abs=1e-9)


def contrast_by_hand(rows: Rows, presence: NDArray[Any], temperature: float) -> float:
    losses = []
    for one, other in ((0, 1), (0, 2), (1, 2)):
        both = presence[:, one] * presence[:, other] > 0
        if both.any():
            a, b = (
                x / np.linalg.norm(x, axis=1)[:, None] for x in (rows[both, one], rows[both, other])
            )
            cosines = a @ b.T / temperature
            ways = [logsumexp(cosines, axis=axis) - np.diag(cosines) for axis in (0, 1)]
            losses.append(np.mean(ways))
    return float(np.mean(losses))


def test_the_contrast_is_that_of_items_that_have_both_settings() -> None:
    rows = (
        np.random.default_rng(0).standard_normal((len(SUBSETS), SETTINGS, WIDTH)).astype(np.float32)
    )
    for presence in (SUBSETS, np.ones_like(SUBSETS), SUBSETS * [1, 1, 0]):
        expected = contrast_by_hand(rows, presence, 0.2)
        loss = contrastive_loss(rows, presence.astype(np.float32), 0.2)
        assert float(loss) == pytest.approx(expected, rel=1e-4)
    nobody = contrastive_loss(rows, np.zeros_like(SUBSETS), 0.2)
    assert float(nobody) == 0
    assert float(contrastive_loss(rows[:, :1], SUBSETS[:, :1], 0.2)) == 0


def test_the_contrast_brings_the_settings_of_an_item_together() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((30, WIDTH)).astype(np.float32)
    inputs = [rows, np.roll(rows, 1, axis=1), -rows]

    def contrast(weight: float) -> float:
        network = built("single branch", contrast=weight, modality_dropout=0.0, hidden=())
        network.compile(keras.optimizers.Adam(0.05), "mean_squared_error")
        for _ in range(10):
            network.train_on_batch(inputs, np.zeros((30, 4), np.float32))
        inner = keras.Model(network.inputs, network.get_layer("mean").input[0])
        return contrast_by_hand(inner.predict_on_batch(inputs), np.ones((30, 3), np.float32), 0.1)

    assert contrast(1.0) < 0.7 * contrast(0.0)
