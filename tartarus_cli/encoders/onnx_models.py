"""``onnx``: any model of recordings in the format of ONNX, whose input the options describe.

It is run on one thread, one window after another. Whatever it gives of a window is averaged down to
one vector.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from tartarus_cli.audio import SampleRate, Samples
from tartarus_cli.audio.patches import FLOOR_DB, decibels
from tartarus_cli.encoders import (
    EncoderOptions,
    LoadedEncoder,
    Vectors,
    encoder,
    window_starts,
)
from tartarus_cli.encoders.onnx_session import LIBRARY, OnnxSession, any_model, average
from tartarus_cli.encoders.patch_input import patch_recipe
from tartarus_cli.encoders.spectrogram_input import MelInputOptions, mel_input
from tartarus_cli.encoders.weights import find_weights
from tartarus_cli.errors import parameter
from tartarus_cli.extras import require

LAYOUTS = {
    "waveform": {1: "t", 2: "bt", 3: "bct"},
    "mel": {2: "tf", 3: "btf", 4: "bctf"},
    "patches": {4: "btfc"},
}
"""Kind of input → rank → layout, where none is named."""


class OnnxOptions(MelInputOptions):
    """What ``--set`` may say."""

    input: Literal["waveform", "mel", "patches"] = "waveform"
    """What the model takes: samples within -1 and 1, a mel spectrogram, or patches of the
    spectrogram that its file describes, as Tartarus writes it."""
    sample_rate: SampleRate = 16_000
    layout: str = ""
    """Axes of the input, in order: b for one, c for one channel, t for time, f for mel bands; by
    default bt or bct, and tf, btf or bctf, as many as the model has."""
    output: str = ""
    """Name of the output; the first one by default."""
    axis: Annotated[int, Field(ge=-8, le=7, strict=True)] = -1
    """Axis of the output that becomes the vector; the others are averaged."""

    @field_validator("layout")
    @classmethod
    def _is_a_layout(cls, layout: str) -> str:
        if layout and (not re.fullmatch(r"[bctf]*t[bctf]*", layout) or layout.count("t") > 1):
            msg = "a layout is made of the letters b, c, t and f, with one t"
            raise ValueError(msg)
        return layout


WEIGHTS = any_model()


def _no_width(_options: EncoderOptions, _layer: str) -> None:
    return None


@encoder(
    "onnx",
    kind="audio",
    summary="a model of yours in the format of ONNX, for recordings",
    options=OnnxOptions,
    width=_no_width,
    weights=lambda _options: WEIGHTS,
    sample_rate=lambda options: options.sample_rate,
    modules=(LIBRARY,),
    packages=(LIBRARY,),
)
def load(options: OnnxOptions, weights: Path | None, _layer: str) -> LoadedEncoder:
    """Read the model; a model of fixed length sets the windows, any other the request."""
    require(LIBRARY)
    path = find_weights("onnx", WEIGHTS, weights)
    model = _AudioModel(OnnxSession(path, options.output), options)
    return LoadedEncoder(model.width, model.encode)


class _AudioModel:
    """A model of recordings."""

    def __init__(self, session: OnnxSession, options: OnnxOptions) -> None:
        self.session, self.options = session, options
        self.input = session.only_input()
        rank = len(self.input.shape)
        self.recipe = patch_recipe(self.session)
        self._check_patches()
        self.layout = options.layout or LAYOUTS[options.input].get(rank, "")
        if len(self.layout) != rank or ("f" in self.layout) != (options.input != "waveform"):
            named = self.layout or "none is known"
            shape = "×".join(map(str, self.input.shape))
            msg = f"the input {self.input.name} is {shape}, which does not fit layout ({named})"
            raise ValueError(msg)
        self._check_fixed_axes()
        self.length = self._fixed("t")

    def _fixed(self, axis: str) -> int | None:
        """Return the length of an axis, if the model has a fixed one."""
        at = self.layout.find(axis)
        length = self.input.shape[at] if at >= 0 else None
        return length if isinstance(length, int) and length > 0 else None

    def _check_patches(self) -> None:
        """Make sure that patches are taken by a model that says which, and by no other."""
        wanted, rate = self.options.input == "patches", self.options.sample_rate
        if wanted and self.recipe is None:
            msg = "the file does not describe patches; those that Tartarus exports do"
            raise ValueError(msg)
        if self.recipe is None:
            return
        recorded = self.recipe.parameters.sample_rate
        if not wanted or rate != recorded:
            msg = f"the model reads patches: say input=patches and sample_rate={recorded}"
            raise ValueError(msg)

    def _check_fixed_axes(self) -> None:
        bands = self._fixed("f")
        if self.options.input == "mel" and bands not in (None, self.options.bins):
            msg = f"the model takes {bands} mel bands; say bins={bands}"
            raise ValueError(msg)
        for axis in "bc":
            if self._fixed(axis) not in (None, 1):
                msg = f"the model takes {self._fixed(axis)} of axis {axis} of its layout, not 1"
                raise ValueError(msg)

    @cached_property
    def _frames(self) -> Callable[[Samples], NDArray[np.float32]]:
        """What makes the input of a recording, ``(time,)`` or ``(time, bands)``."""
        if self.options.input == "waveform":
            return lambda samples: samples
        if self.recipe is not None:
            recipe = self.recipe
            return lambda samples: np.ascontiguousarray(decibels(recipe.spectrogram(samples)).T)
        return mel_input(self.options, self.options.sample_rate)

    @property
    def _rate(self) -> float:
        """How many values of the input there are a second."""
        if self.recipe is not None:
            return self.recipe.parameters.sample_rate / self.recipe.parameters.hop_length
        hop = 1 if self.options.input == "waveform" else self.options.hop_length
        return self.options.sample_rate / hop

    @cached_property
    def width(self) -> int:
        """Numbers of a vector, by the model's word or, where it gives none, by a trial."""
        shape = self.session.output.shape
        at = self.options.axis
        known = shape[at] if -len(shape) <= at < len(shape) else None
        if isinstance(known, int) and known > 0:
            return known
        seconds = 1.0 if self.length is None else self.length / self._rate
        silence = np.zeros(max(1, round(seconds * self.options.sample_rate)), np.float32)
        return int(self.encode(silence, None, None).shape[1])

    def encode(self, samples: Samples, window_s: float | None, hop_s: float | None) -> Vectors:
        values = self._frames(samples)
        size = self._size(window_s, len(values))
        hop = size if hop_s is None else max(1, round(hop_s * self._rate))
        if len(values) < size:
            padding = ((0, size - len(values)), *((0, 0),) * (values.ndim - 1))
            silence = 0.0 if self.options.input == "waveform" else float(values.min())
            silence = silence if self.recipe is None else FLOOR_DB
            values = np.pad(values, padding, constant_values=silence)
        starts = window_starts(len(values), size, hop)
        return np.stack([self._vector(values[start : start + size]) for start in starts])

    def _size(self, window_s: float | None, total: int) -> int:
        if window_s is None:
            return self.length or total
        size = max(1, round(window_s * self._rate))
        if self.length is None or abs(size - self.length) <= 1:
            return self.length or size
        seconds = self.length / self._rate
        msg = f"the model takes windows of {seconds:g} s alone, not of {window_s:g} s: leave out "
        msg += parameter("window")
        raise ValueError(msg)

    def _vector(self, window: NDArray[np.float32]) -> Vectors:
        order = [axis for axis in self.layout if axis in "tf"]
        axes = window.T if order == ["f", "t"] else window
        shape = tuple(
            {"t": len(window), "f": window.shape[-1]}.get(axis, 1) for axis in self.layout
        )
        output = self.session.run({self.input.name: axes.reshape(shape)})
        return average(output, self.options.axis)
