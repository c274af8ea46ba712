"""Our own layers and losses."""

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.convolution_layers import (
    Convolution,
    MaxPool,
    WordConvolution,
    choose_positions,
    convolve,
)
from tartarus_cli.layers import LayerFactory, UnitNorm
from tartarus_cli.losses import cosine_loss


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
    layers = LayerFactory(seed)
    start = layers.input((5,))
    network = keras.Model(start, layers.dense(layers.dense(start, 4, "relu"), 3))
    return list(network.get_weights())


def test_first_weights_are_uniform_seeded_and_differ_between_layers() -> None:
    one, again, other = weights(3), weights(3), weights(4)
    for a, b in zip(one, again, strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(one[0], other[0])
    assert not np.array_equal(one[0].ravel()[:12], one[2].ravel())
    wide = LayerFactory(0)
    start = wide.input((100,))
    kernel = keras.Model(start, wide.dense(start, 100)).get_weights()[0]
    assert np.abs(kernel).max() <= 0.05
    assert kernel.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.03)


def results(layer: Any, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return what a layer makes of ``x``, and the gradients of the mean square of that."""
    import jax

    def loss(variables: Any, x: Any) -> Any:
        outputs, _ = layer.stateless_call(variables, [], x)
        return (outputs * outputs).mean(), outputs

    variables = [variable.value for variable in layer.trainable_variables]
    (_, outputs), slopes = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(variables, x)
    return [np.asarray(array) for array in jax.tree.leaves((outputs, slopes))]


def assert_the_same(ours: Any, theirs: Any, x: NDArray[np.float32]) -> None:
    for layer in (ours, theirs):
        layer.build(x.shape)
    ours.set_weights(theirs.get_weights())
    assert [v.path.split("/")[-1] for v in ours.variables] == [
        *(v.path.split("/")[-1] for v in theirs.variables)
    ]
    assert ours.compute_output_shape((None, *x.shape[1:])) == theirs.compute_output_shape(
        (None, *x.shape[1:])
    )
    for a, b in zip(results(ours, x), results(theirs, x), strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= 2e-5 * max(1, np.abs(b).max())


def numbers(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


# frames, bins, channels; kernel; filters; padding; places of the kernel in a window
CONVOLUTIONS = {
    "all bins": ((13, 96, 1), (4, 96), 5, "valid", 1),
    "most bins": ((13, 96, 1), (4, 70), 64, "valid", 9),
    "most bins, a last window that is not full": ((13, 97, 1), (4, 70), 64, "valid", 7),
    "all that is left": ((9, 6, 4), (4, 6), 3, "valid", 1),
    "one bin": ((9, 6, 16), (4, 1), 3, "valid", 1),
    "one bin of one": ((9, 1, 16), (4, 1), 3, "valid", 1),
    "one bin and one frame": ((9, 2, 50), (1, 1), 3, "valid", 1),
    "a square": ((9, 8, 16), (3, 3), 40, "valid", 2),
    "a padded square": ((9, 8, 16), (3, 3), 40, "same", 2),
    "padded, of even size": ((9, 12, 8), (4, 6), 40, "same", 3),
    "padded, wider than the patch is high": ((6, 96, 1), (10, 35), 8, "same", 16),
    "few weights": ((9, 8, 1), (3, 3), 4, "valid", 0),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_our_convolution_is_that_of_keras(case: str) -> None:
    shape, kernel, filters, padding, positions = CONVOLUTIONS[case]
    grown = [size + (k - 1) * (padding == "same") for size, k in zip(shape, kernel, strict=False)]
    assert choose_positions((*grown, shape[2]), (*kernel, shape[2], filters)) == positions
    options = {"padding": padding, "activation": "relu"}
    ours, theirs = (kind(filters, kernel, **options) for kind in (Convolution, keras.layers.Conv2D))
    assert_the_same(ours, theirs, numbers(3, *shape))


@pytest.mark.parametrize("positions", [2, 5])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 1), (1, 3), (2, 3)])
def test_a_convolution_is_the_same_however_many_places_a_window_has(
    kernel: tuple[int, int], positions: int
) -> None:
    x, weights = numbers(2, 6, 9, 3), numbers(*kernel, 3, 4)
    expected = np.asarray(keras.ops.conv(x, weights, 1, "valid"))
    places = min(positions, 9 - kernel[1] + 1)
    assert np.asarray(convolve(x, weights, places)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("words", [1, 2, 3])
def test_our_convolution_over_words_is_that_of_keras(words: int) -> None:
    assert_the_same(WordConvolution(5, words), keras.layers.Conv1D(5, words), numbers(3, 11, 4))


@pytest.mark.parametrize("pool", [(1, 1), (4, 1), (2, 3), (4, 4), (8, 9)])
def test_our_pooling_is_that_of_keras(pool: tuple[int, int]) -> None:
    assert_the_same(MaxPool(pool), keras.layers.MaxPooling2D(pool), numbers(3, 11, 9, 2))


def test_the_largest_numbers_of_a_window_share_the_gradient() -> None:
    x = np.array([3, 3, 1, 3, 5, 2], np.float32).reshape(1, 6, 1, 1)
    _, slopes = results(MaxPool((4, 1)), x)
    assert slopes.ravel() == pytest.approx([2, 2, 0, 2, 0, 0])


def test_a_convolution_may_have_more_patches_than_memory_allows() -> None:
    assert choose_positions((161, 48, 64), (3, 3, 64, 128)) == 0
    assert choose_positions((331, 165, 1), (10, 70, 1, 32)) == 12


def test_our_layers_read_batches_of_any_size() -> None:
    layers = LayerFactory(0)
    start = layers.input((13, 96, 1))
    network = keras.Model(start, layers.pool(layers.conv(start, 64, (4, 70)), (4, 4)))
    assert network.output.shape == (None, 2, 6, 64)
    x = numbers(5, 13, 96, 1)
    one_by_one = [network.predict_on_batch(row[None])[0] for row in x]
    assert network.predict_on_batch(x) == pytest.approx(np.stack(one_by_one), abs=1e-5)


def test_first_kernels_of_convolutions_are_uniform_and_those_of_word_vectors_wider() -> None:
    layers = LayerFactory(0)
    start, ids = layers.input((10, 30, 1)), layers.input((7,))
    wide = layers.conv(start, 200, (5, 30))
    words = layers.embedding(ids, 100, 50)
    network = keras.Model([start, ids], [wide, words])
    for name, most in (("conv_1", 0.05), ("embedding", 0.25)):
        first = network.get_layer(name).get_weights()[0]
        assert np.abs(first).max() <= most
        assert first.std() == pytest.approx(most / np.sqrt(3), rel=0.03)
