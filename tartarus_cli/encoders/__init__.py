"""Encoders: what turns a recording or a document into a vector. Arrays and texts in, arrays out.

An encoder is found by name (``ENCODERS.names()`` lists them), loaded once a process, and then
encodes one recording or one batch of documents after another. A recording is cut into windows by
its encoder, which gives a vector for each; :func:`pool_windows` makes one of them.

Examples
--------
>>> encoder = ENCODERS.get("mel-stats")
>>> options = encoder.options(bins=24)
>>> loaded = encoder.load(options, None, encoder.layers[0])
>>> samples = np.sin(np.arange(66_150) * 0.2).astype(np.float32)
>>> windows = loaded.encode(samples, 1.0, 1.0)
>>> windows.shape, encoder.width(options, encoder.layers[0])
((3, 96), 96)
>>> pool_windows(windows, "mean+std").shape
(192,)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tartarus_cli.registry import Registry

Vectors = NDArray[np.float32]
"""A vector for each window or document, ``(windows, width)`` or ``(documents, width)``."""

EncoderKind = Literal["audio", "text"]
"""Whether an encoder takes recordings or documents."""

Pooling = Literal["mean", "mean+std", "max"]
"""How the vectors of the windows of a recording become one."""


class EncoderOptions(BaseModel):
    """Parameters that every encoder has: none; each adds its own, with defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


@dataclass(frozen=True)
class WeightsPart:
    """A file of a package, from which weights are made."""

    name: str
    """Its path in the package, as far as it is always the same."""
    digest: str
    """SHA-256 of its bytes, in hexadecimal digits."""
    size: int
    """Its bytes."""


def _joined(parts: Sequence[bytes]) -> bytes:
    return b"".join(parts)


@dataclass(frozen=True)
class Weights:
    """The file of weights that an encoder reads."""

    name: str
    """Name of the file in the cache of weights; empty where only the user's own file will do."""
    digest: str
    """SHA-256 of the file, in hexadecimal digits; empty where any file will do."""
    size: int
    """Bytes of the file; 0 where any file will do."""
    source: str
    """What brings them, such as a line of the shell; empty where only the user knows."""
    package: str = ""
    """The file that the source brings, of which the weights are a part."""
    parts: tuple[WeightsPart, ...] = ()
    """The files of the package that hold them; none where only the file itself will do."""
    convert: Callable[[Sequence[bytes]], bytes] = _joined
    """Makes the file from the content of its parts; the same bytes each time."""
    companions: Callable[[Path], Sequence[Path]] = lambda _path: ()
    """Takes the path of the file; returns others that it cannot be used without."""


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder that is ready."""

    width: int
    """Numbers of a vector."""
    encode: Callable[..., Vectors]
    """Of recordings, ``encode(samples, window_s, hop_s)``: mono samples, ``(samples,)``, float32,
    at the sample rate of the encoder, and the seconds of a window and from one window to the next,
    or None for the whole recording; returns ``(windows, width)``, float32, at least one window. A
    recording that is shorter than a window is filled up as the authors of the encoder do.

    Of documents, ``encode(texts)``: a list of texts; returns ``(documents, width)``, float32. A
    vector may depend on its own text alone, not on its neighbours."""


EncoderLoader = Callable[[Any, Path | None, str], LoadedEncoder]
"""Takes the options, the file of weights or None, and the name of the layer."""


@dataclass(frozen=True)
class Encoder:
    """A registered encoder."""

    kind: EncoderKind
    summary: str
    """What it is, in a few words."""
    load: EncoderLoader
    """Called once in each process that encodes. Raises a ``TartarusError`` whose hint installs or
    adds what is missing, and a ``ValueError`` if the options do not go together."""
    width: Callable[[Any, str], int | None]
    """Takes the options and the layer; returns the numbers of a vector, or None where only the
    loaded encoder knows."""
    version: str
    """Changes when the same input gets other vectors, so that no older vector is taken."""
    options: type[EncoderOptions] = EncoderOptions
    """The pydantic model of its parameters."""
    layers: tuple[str, ...] = ("",)
    """Names of the outputs that it offers; the first one unless another is chosen."""
    weights: Callable[[Any], Weights | None] = lambda _options: None
    """Takes the options; returns the file of weights that it needs, or None if it needs none."""
    sample_rate: Callable[[Any], int] = lambda _options: 0
    """Takes the options; returns the samples a second that it expects, of recordings."""
    window_s: float | None = None
    """Seconds of a window unless others are chosen; None: the whole recording is one."""
    hop_s: float | None = None
    """Seconds from one window to the next unless others are chosen; None: as a window."""
    fixed_window: bool = False
    """Whether windows cannot have another length."""
    all_weights: tuple[Weights, ...] = ()
    """All files of weights that its options choose among."""
    labels: Callable[[Any, str], tuple[str, ...]] = lambda _options, _layer: ()
    """Takes the options and the layer; returns what each number of a vector stands for, such as
    the names of tags; empty if they have no names."""
    languages: str = ""
    """The languages that it knows, of documents."""
    licence: str = ""
    """The licence of its weights, or of what computes it."""
    reference: str = ""
    """Where it was published."""
    modules: tuple[str, ...] = ()
    """Modules of optional libraries that it needs."""
    packages: tuple[str, ...] = ()
    """Packages that its vectors depend on beside the weights: their versions are recorded."""

    @property
    def missing_modules(self) -> tuple[str, ...]:
        """Modules that it needs and that are not installed."""
        return tuple(module for module in self.modules if find_spec(module) is None)

    @property
    def package_versions(self) -> Mapping[str, str]:
        """Package → its version; empty for one that is not installed."""
        return {package: _version(package) for package in self.packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


ENCODERS: Registry[Encoder] = Registry("encoder", package=__name__, group="tartarus.encoders")


def encoder(
    name: str,
    *,
    kind: EncoderKind,
    summary: str,
    width: Callable[[Any, str], int | None],
    **facts: Any,
) -> Callable[[EncoderLoader], EncoderLoader]:
    """Register a function that loads an encoder.

    Parameters
    ----------
    name
        The name by which users select it: letters, digits and hyphens.
    kind, summary, width, **facts
        As :class:`Encoder` has them, but for ``load``; ``version`` is "1" unless it is given.
    """

    def keep(load: EncoderLoader) -> EncoderLoader:
        registered = Encoder(kind, summary, load, width, **({"version": "1"} | facts))
        ENCODERS.register(name)(registered)
        return load

    return keep


def window_starts(total: int, size: int, hop: int) -> range:
    """Return where windows start that lie within a recording entirely; at least one, at 0.

    Parameters
    ----------
    total
        Samples or frames of the recording.
    size
        Those of a window.
    hop
        Those from one window to the next.

    Examples
    --------
    >>> [*window_starts(10, 4, 3)], [*window_starts(9, 4, 3)], [*window_starts(3, 4, 3)]
    ([0, 3, 6], [0, 3], [0])
    """
    return range(0, max(total - size, 0) + 1, hop)


def pool_windows(windows: Vectors, pooling: Pooling) -> Vectors:
    """Make one vector of those of the windows of a recording.

    Parameters
    ----------
    windows
        ``(windows, width)``.
    pooling
        ``mean``, ``max``, or ``mean+std``: the means, then the standard deviations.

    Returns
    -------
    The vector, ``(width,)``; ``(2 × width,)`` of ``mean+std``.

    Examples
    --------
    >>> windows = np.array([[1, 0], [3, 4]], np.float32)
    >>> pool_windows(windows, "mean+std").tolist(), pool_windows(windows, "max").tolist()
    ([2.0, 2.0, 1.0, 2.0], [3.0, 4.0])
    """
    if pooling == "max":
        return np.asarray(windows.max(axis=0), np.float32)
    means = windows.mean(axis=0, dtype=np.float64)
    if pooling == "mean":
        return np.asarray(means, np.float32)
    deviations = windows.std(axis=0, dtype=np.float64)
    return np.concatenate([means, deviations], dtype=np.float32)


def pooled_width(width: int, pooling: Pooling) -> int:
    """Return the numbers of a vector that was pooled of vectors of this width."""
    return 2 * width if pooling == "mean+std" else width
