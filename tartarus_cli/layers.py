"""Our own Keras layers, and the factory that makes the layers of networks.

Like :mod:`tartarus_cli.initializers` and :mod:`tartarus_cli.losses`, it imports Keras at its head,
since its classes derive from Keras'; import it inside functions. Importing it registers all layers
that a saved network may name.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import numpy as np

import tartarus_cli.tower_layers  # noqa: F401 — registers its layers too
from tartarus_cli.convolution_layers import Convolution, MaxPool, TimePool, WordConvolution
from tartarus_cli.initializers import (
    INITIAL_WEIGHTS,
    INITIAL_WORD_VECTORS,
    FirstWeights,
    GlorotSpread,
    Spread,
)
from tartarus_cli.losses import unit_norm
from tartarus_cli.setting_layers import (
    Contrast,
    Presence,
    PresentMean,
    SettingDropout,
    SettingGate,
    StackSettings,
    WeightedSetting,
)

FLOAT32 = "float32"
"""Precision of layers that need it, also in networks that compute with less."""


@keras.saving.register_keras_serializable("tartarus")
class UnitNorm(keras.layers.Layer):  # type: ignore[misc]
    """Divide each row by its L2 norm; zero rows stay zero."""

    def call(self, inputs: Any) -> Any:
        """Return the rows with a norm of 1."""
        return unit_norm(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape


class LayerFactory:
    """Makes the layers of one network: names them by kind and number, and seeds each of them.

    Parameters
    ----------
    seed
        Seed from which the first weights and the dropout of every layer are drawn.
    weights
        How the kernels of dense layers and convolutions start.
    """

    def __init__(self, seed: int, weights: FirstWeights = "uniform") -> None:
        self._seed, self._weights = seed, weights
        self._counts: Counter[str] = Counter()

    def input(self, shape: tuple[int, ...]) -> Any:
        """``input_1``, ``input_2``, …: one input of the network; ``shape`` is that of one item."""
        return keras.Input(shape, name=self._next("input"))

    def dense(
        self,
        x: Any,
        width: int,
        activation: str | None = None,
        *,
        weights: FirstWeights | None = None,
        dtype: str | None = None,
    ) -> Any:
        """``dense_1``, ``dense_2``, …: a dense layer, activation included.

        It computes with the precision of the network, if ``dtype`` does not name one.
        """
        return keras.layers.Dense(
            width,
            activation,
            kernel_initializer=self._kernel_initializer(weights),
            dtype=dtype,
            name=self._next("dense"),
        )(x)

    def conv(
        self,
        x: Any,
        filters: int,
        kernel: tuple[int, int],
        *,
        padding: str = "valid",
        activation: str | None = "relu",
    ) -> Any:
        """``conv_1``, …: a convolution over frames and bins, activation included."""
        return Convolution(
            filters,
            kernel,
            padding=padding,
            activation=activation,
            kernel_initializer=self._kernel_initializer(),
            name=self._next("conv"),
        )(x)

    def small_conv(self, x: Any, filters: int, kernel: tuple[int, int]) -> Any:
        """``conv_1``, …: Keras' own convolution with same padding, without bias or activation.

        For kernels of a few frames and bins, it is faster with JAX on a CPU than :meth:`conv`: to
        unfold the input takes more time than it saves.
        """
        return keras.layers.Conv2D(
            filters,
            kernel,
            padding="same",
            use_bias=False,
            kernel_initializer=self._kernel_initializer(),
            name=self._next("conv"),
        )(x)

    def word_conv(self, x: Any, filters: int, words: int) -> Any:
        """``conv_1``, …: a convolution over the words of a sequence, and relu."""
        return WordConvolution(
            filters,
            words,
            activation="relu",
            kernel_initializer=self._kernel_initializer(),
            name=self._next("conv"),
        )(x)

    def pool(self, x: Any, size: tuple[int, int]) -> Any:
        """``pool_1``, …: the maximum of each window; ``size`` is in frames and bins."""
        return MaxPool(size, name=self._next("pool"))(x)

    def global_pool(self, x: Any) -> Any:
        """``pool_1``, …: the maximum of each filter over a whole sequence."""
        return keras.layers.GlobalMaxPooling1D(name=self._next("pool"))(x)

    def pool_time(self, x: Any) -> Any:
        """``pooled``: the mean over the bins, of which mean and maximum over time are added up."""
        return TimePool(name="pooled")(x)

    def activation(self, x: Any, kind: str) -> Any:
        """``elu_1``, …: an activation as a layer, named by its kind."""
        return keras.layers.Activation(kind, name=self._next(kind))(x)

    def flatten(self, x: Any) -> Any:
        """``flatten``: all numbers of an item in one row."""
        return keras.layers.Flatten(name="flatten")(x)

    def pad_frames(self, x: Any, multiple: int) -> Any:
        """Add frames of zeros on both sides, up to a multiple, as ``padding``, if it needs any."""
        missing = -x.shape[1] % multiple
        if not missing:
            return x
        sides = missing // 2, missing - missing // 2
        return keras.layers.ZeroPadding2D((sides, (0, 0)), name="padding")(x)

    def sequence(self, x: Any) -> Any:
        """``sequence``: the frames in order, all numbers of each in one row."""
        _, frames, bins, channels = x.shape
        return keras.layers.Reshape((frames, bins * channels), name="sequence")(x)

    def embedding(self, x: Any, words: int, width: int, *, masked: bool = False) -> Any:
        """``embedding``: a vector for each word id; if ``masked``, 0 is no word."""
        initial = Spread(INITIAL_WORD_VECTORS, self._draw_seed())
        return keras.layers.Embedding(
            words, width, embeddings_initializer=initial, mask_zero=masked, name="embedding"
        )(x)

    def lstm(self, x: Any, width: int) -> Any:
        """``lstm_1``, …: the last state of an LSTM."""
        return keras.layers.LSTM(width, **self._recurrent(), name=self._next("lstm"))(x)

    def gru(self, x: Any, width: int, *, sequences: bool = False) -> Any:
        """``gru_1``, …: the last state of a GRU, or all of them as a sequence."""
        name = self._next("gru")
        return keras.layers.GRU(width, **self._recurrent(), return_sequences=sequences, name=name)(
            x
        )

    def dropout(self, x: Any, rate: float) -> Any:
        """``dropout_1``, …; a rate of 0 adds no layer."""
        if not rate:
            return x
        return keras.layers.Dropout(rate, seed=self._draw_seed(), name=self._next("dropout"))(x)

    def hidden(self, x: Any, widths: tuple[int, ...], rate: float = 0.0) -> Any:
        """Dense relu layers, each followed by dropout."""
        for width in widths:
            x = self.dropout(self.dense(x, width, "relu"), rate)
        return x

    def input_norm(self, x: Any) -> Any:
        """``input_norm_1``, …: each row divided by its L2 norm."""
        return UnitNorm(name=self._next("input_norm"))(x)

    def presence(self, starts: list[Any]) -> Any:
        """``presence``: which of its settings an item has."""
        return Presence(name="presence")(starts if len(starts) > 1 else starts[0])

    def setting_dropout(self, presence: Any, rate: float) -> Any:
        """``setting_dropout``: settings dropped in training; a rate of 0 adds no layer."""
        if not rate:
            return presence
        seed = self._draw_seed()
        return SettingDropout(rate, seed, name="setting_dropout")(presence)

    def gate(self, presence: Any, content: Any = None) -> Any:
        """``gate``: a weight of each setting, from the ``content`` of an item where it is given."""
        settings = presence.shape[-1]
        gate = SettingGate(settings, dtype=FLOAT32, name="gate")
        if content is None:
            return gate(presence)
        logits = keras.layers.Dense(
            settings, use_bias=False, kernel_initializer="zeros", dtype=FLOAT32, name="gate_logits"
        )
        return gate([presence, logits(content)])

    def weighted(self, x: Any, presence: Any, gate: Any = None, *, number: int) -> Any:
        """``weighted_1``, …: rows of a setting times its weight, or its presence alone."""
        inputs = [x, presence] if gate is None else [x, presence, gate]
        return WeightedSetting(number, name=self._next("weighted"))(inputs)

    def stack(self, settings: list[Any]) -> Any:
        """``stacked``: rows of the same width, one of each setting, as one tensor."""
        return StackSettings(name="stacked")(settings)

    def contrast(self, x: Any, presence: Any, weight: float, temperature: float) -> Any:
        """``contrast``: pulls the settings of an item together; a weight of 0 adds no layer."""
        if not weight:
            return x
        return Contrast(weight, temperature, dtype=FLOAT32, name="contrast")([x, presence])

    def present_mean(self, x: Any, presence: Any) -> Any:
        """``mean``: the mean over the settings that an item has."""
        return PresentMean(name="mean")([x, presence])

    def batch_norm(self, x: Any, axis: int = -1) -> Any:
        """``batch_norm_1``, …: batch normalization of each place of an axis; channels are last."""
        return keras.layers.BatchNormalization(axis, name=self._next("batch_norm"))(x)

    def concatenate(self, branches: list[Any], name: str = "joined") -> Any:
        """Put all branches side by side, as ``joined``; a single branch is left as it is."""
        if len(branches) == 1:
            return branches[0]
        return keras.layers.Concatenate(name=name)(branches)

    def output(self, x: Any, width: int, kind: str, *, weights: FirstWeights | None = None) -> Any:
        """Make the last layer: dense with the activation ``kind``, or ``unit_norm`` after it.

        Its kernel starts as those of the other layers, if ``weights`` do not say otherwise. It
        computes in float32, whatever the precision of the network is.
        """
        activation = None if kind in ("linear", "unit_norm") else kind
        x = self.dense(x, width, activation, weights=weights, dtype=FLOAT32)
        return UnitNorm(dtype=FLOAT32, name="unit_norm")(x) if kind == "unit_norm" else x

    def _kernel_initializer(self, weights: FirstWeights | None = None) -> Spread | GlorotSpread:
        seed = self._draw_seed()
        if (weights or self._weights) == "glorot":
            return GlorotSpread(seed)
        return Spread(INITIAL_WEIGHTS, seed)

    def _recurrent(self) -> dict[str, Any]:
        """Keras' own first weights of recurrent layers, seeded."""
        return {
            "kernel_initializer": keras.initializers.GlorotUniform(self._draw_seed()),
            "recurrent_initializer": keras.initializers.Orthogonal(seed=self._draw_seed()),
        }

    def _next(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}_{self._counts[kind]}"

    def _draw_seed(self) -> int:
        """Draw the seed of the next layer from that of the network."""
        self._counts["seed"] += 1
        (bits,) = np.random.SeedSequence([self._seed, self._counts["seed"]]).generate_state(1)
        # Keras takes seeds of 31 bits.
        return int(bits) >> 1


def add_log_norm(network: keras.Model, seed: int, start: float) -> keras.Model:
    """Let a network also predict the logarithm of a norm, from what its last dense layer reads.

    Parameters
    ----------
    network
        Its last dense layer gives the direction, ``(items, dim)``.
    seed
        Of the first weights.
    start
        What it predicts before it has learnt anything.

    Returns
    -------
    A network of ``dim + 1`` outputs, the layer ``log_norm`` being the last of them.
    """
    last = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)][-1]
    norm = keras.layers.Dense(
        1,
        kernel_initializer=Spread(INITIAL_WEIGHTS, seed),
        bias_initializer=keras.initializers.Constant(start),
        dtype=FLOAT32,
        name="log_norm",
    )(last.input)
    joined = keras.layers.Concatenate(dtype=FLOAT32, name="direction_and_norm")(
        [network.output, norm]
    )
    return keras.Model(network.inputs, joined)


def with_float32_output(network: keras.Model) -> keras.Model:
    """Return a network whose output is float32; it is the same if its output is that already."""
    if network.output.dtype == FLOAT32:
        return network
    exact = keras.layers.Activation("linear", dtype=FLOAT32, name="float32")
    return keras.Model(network.inputs, exact(network.output))
