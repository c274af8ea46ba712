"""Our own layers and losses."""

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.layers import UnitNorm, Workshop, cosine_loss


def gradient(targets: NDArray[np.float32], outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    import jax

    return np.asarray(jax.grad(lambda p: cosine_loss(targets, p).sum())(outputs))


def test_cosine_loss_is_half_of_one_minus_the_cosine() -> None:
    targets = np.array([[1, 0], [1, 0], [1, 0], [3, 4]], np.float32)
    outputs = np.array([[2, 0], [0, 5], [-1, 0], [4, 3]], np.float32)
    assert np.asarray(cosine_loss(targets, outputs)) == pytest.approx([0, 0.5, 1, 0.02], abs=1e-6)


def test_cosine_loss_agrees_with_scipy() -> None:
    from scipy.spatial.distance import cosine

    rng = np.random.default_rng(0)
    targets, outputs = rng.standard_normal((2, 50, 7)).astype(np.float32)
    expected = [cosine(t, o) / 2 for t, o in zip(targets, outputs, strict=True)]
    assert np.asarray(cosine_loss(targets, outputs)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("zero", ["targets", "outputs", "both"])
def test_a_zero_vector_costs_half_and_has_a_zero_gradient(zero: str) -> None:
    targets, outputs = np.ones((1, 3), np.float32), np.ones((1, 3), np.float32)
    targets *= zero == "outputs"
    outputs *= zero == "targets"
    assert np.asarray(cosine_loss(targets, outputs)) == pytest.approx([0.5])
    assert gradient(targets, outputs).tolist() == [[0, 0, 0]]


def test_the_gradient_agrees_with_finite_differences() -> None:
    rng = np.random.default_rng(1)
    targets, outputs = rng.standard_normal((2, 1, 4)).astype(np.float32)
    step = 1e-2
    slopes = []
    for place in np.eye(4, dtype=np.float32) * step:
        ahead, behind = cosine_loss(targets, outputs + place), cosine_loss(targets, outputs - place)
        slopes.append(float(np.asarray(ahead - behind)[0]) / (2 * step))
    assert gradient(targets, outputs)[0] == pytest.approx(slopes, abs=1e-4)


def test_the_loss_never_leaves_zero_to_one() -> None:
    rng = np.random.default_rng(2)
    vectors = (rng.standard_normal((1000, 3)) * 1e4).astype(np.float32)
    losses = np.asarray(cosine_loss(vectors, vectors))
    assert losses.min() >= 0
    assert losses.max() < 1e-6


def test_unit_norm_leaves_zero_rows_zero() -> None:
    rows = np.array([[3, 4], [0, 0]], np.float32)
    assert np.asarray(UnitNorm()(rows)) == pytest.approx(np.array([[0.6, 0.8], [0, 0]]))


def weights(seed: int) -> list[Any]:
    make = Workshop(seed)
    start = make.input((5,))
    network = keras.Model(start, make.dense(make.dense(start, 4, "relu"), 3))
    return list(network.get_weights())


def test_first_weights_are_uniform_seeded_and_differ_between_layers() -> None:
    one, again, other = weights(3), weights(3), weights(4)
    for a, b in zip(one, again, strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(one[0], other[0])
    assert not np.array_equal(one[0].ravel()[:12], one[2].ravel())
    wide = Workshop(0)
    start = wide.input((100,))
    kernel = keras.Model(start, wide.dense(start, 100)).get_weights()[0]
    assert np.abs(kernel).max() <= 0.05
    assert kernel.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.03)
