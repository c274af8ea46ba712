"""Patches: windows of a spectrogram in decibels, and how they are cut and scaled."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)
from pydantic_core.core_schema import ValidationInfo

from tartarus_cli.audio import TRANSFORMS, Magnitude, Samples, TransformOptions, cached_transform
from tartarus_cli.audio.starts import Starts, even_starts, patch_starts, sound_starts
from tartarus_cli.errors import call

FLOOR_DB = -80.0
"""Level of all that is quieter than this, in decibels below the loudest value of a recording."""

DECODING = 2
"""Changes when recordings are decoded otherwise, so that no older spectrogram of them is taken."""

SILENT_POWER = 1e-10
"""Power above which no value of a silent recording lies."""


Scaling = Literal["position", "bin"]
"""What has a mean and a deviation of its own: each position (frame and bin), or each bin."""

NEWER_FIELDS: dict[str, str] = {"starts": "random", "scale": "position"}
"""Fields of a recipe that older files lack, and what those were made with."""


class PatchRecipe(BaseModel):
    """How patches are cut: all that they depend on, except the recording and its item's id."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    transform: str
    """Name of a registered transform."""

    parameters: SerializeAsAny[TransformOptions]
    """Parameters of the transform; a dictionary of some of them will do."""

    per_item: Annotated[int, Field(ge=1)] = 1
    """Patches of each item."""

    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 15.0
    """Length of a patch."""

    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    """Seed of the drawn starts."""

    starts: Starts = "random"
    """Where patches begin: at drawn frames (``random``), evenly spaced over the recording
    (``even``), or spread over where it sounds most (``sound``)."""

    scale: Scaling = "position"
    """What is scaled to zero mean and unit variance: each frame and bin, or each bin alone, as is
    right where crops are cut out of patches."""

    @field_validator("parameters", mode="before")
    @classmethod
    def _parse_parameters(cls, value: Any, info: ValidationInfo) -> Any:
        options = TRANSFORMS.get(str(info.data.get("transform"))).options
        return options.model_validate(value) if isinstance(value, dict) else value

    @model_serializer(mode="wrap")
    def _without_older_values(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what older versions did not know, where it is as theirs: hashes stay equal."""
        fields: dict[str, Any] = handler(self)
        return {key: value for key, value in fields.items() if NEWER_FIELDS.get(key) != value}

    @property
    def frames(self) -> int:
        """Number of frames of a patch."""
        return self.parameters.frames_of(self.seconds)

    @property
    def bins(self) -> int:
        """Number of bins of a patch."""
        return len(TRANSFORMS.get(self.transform).frequencies(self.parameters))

    @property
    def records_lengths(self) -> bool:
        """Whether files say where the silence at the end of each patch begins."""
        return self.scale == "bin"

    @property
    def description(self) -> str:
        """The recipe in a few words, such as ``2 patches of 15 s, cqt, seed 0``."""
        patches = f"{self.per_item} patch{'es' * (self.per_item > 1)} of {self.seconds:g} s"
        return f"{patches}, {self.transform}, {self.manner}"

    @property
    def manner(self) -> str:
        """Where patches begin and how they are scaled, in a few words, such as ``seed 0``."""
        starts = "" if self.starts == "random" else f"{self.starts} starts, "
        scale = "" if self.scale == "position" else f", scaled by {self.scale}"
        return f"{starts}seed {self.seed}{scale}"

    def as_call(self, dataset: str, name: str = "") -> str:
        """Write, for a message, the call that computes the patches of a dataset by this recipe.

        >>> recipe = PatchRecipe(transform="stft", parameters={"n_fft": 256}, seconds=2.5)
        >>> recipe.as_call("songs").partition("seed")[0]
        "`patches('songs', transform='stft', per_item=1, seconds=2.5, "
        >>> recipe.as_call("songs").partition("seed")[2]
        "=0, overrides=['n_fft=256'])`"
        """
        defaults = type(self.parameters)().model_dump()
        values = self.parameters.model_dump().items()
        whole = int(self.seconds)
        overrides = [f"{name}={value}" for name, value in values if value != defaults[name]]
        return call(
            "patches",
            dataset,
            transform=self.transform,
            per_item=self.per_item,
            seconds=whole if whole == self.seconds else self.seconds,
            seed=self.seed,
            starts=None if self.starts == "random" else self.starts,
            scale=None if self.scale == "position" else self.scale,
            name=name or None,
            overrides=overrides or None,
        )

    @property
    def spectrogram_key(self) -> str:
        """Hash of what the spectrogram of a recording depends on; 32 hexadecimal digits."""
        document = self.model_dump_json(include={"transform", "parameters"})
        return blake2b(f"{DECODING} {document}".encode(), digest_size=16).hexdigest()

    def spectrogram(self, samples: Samples) -> Magnitude:
        """Compute the magnitude of a recording, ``(bins, frames)``."""
        return cached_transform(self.transform, self.parameters)(samples)

    def cut(self, magnitude: Magnitude, item: str) -> NDArray[np.float32]:
        """Cut an item's patches, ``(per_item, frames, bins)`` in decibels."""
        return cut_patches(magnitude, self.frames, self.start_frames(magnitude, item))

    def start_frames(self, magnitude: Magnitude, item: str) -> NDArray[np.int64]:
        """Return the first frame of each of an item's patches, ``(per_item,)``."""
        total, frames, count = magnitude.shape[1], self.frames, self.per_item
        if self.starts == "even":
            return even_starts(total, frames, count)
        if self.starts == "sound":
            return sound_starts(magnitude, frames, count)
        return patch_starts(total, frames, count, seed=self.seed, item=item)


def decibels(magnitude: Magnitude) -> NDArray[np.float32]:
    """Return the power in decibels below the loudest value of the recording, ``(bins, frames)``.

    Values lie within -80 and 0. They are those of ``librosa.power_to_db(magnitude ** 2,
    ref=np.max)``, except that all of a silent recording is -80.

    >>> decibels(np.array([[1, 0.1, 0]], np.float32)).round(3).tolist()
    [[0.0, -20.0, -80.0]]
    >>> decibels(np.zeros((1, 2), np.float32)).tolist()
    [[-80.0, -80.0]]
    """
    if is_silent(magnitude):
        return np.full_like(magnitude, FLOOR_DB)
    power = np.maximum(np.square(magnitude), np.float32(SILENT_POWER))
    levels = 10 * np.log10(power)
    return np.asarray(np.maximum(levels - levels.max(), FLOOR_DB), np.float32)


def is_silent(magnitude: Magnitude) -> bool:
    """Whether no power of a recording is above the least that counts as sound."""
    return bool(np.square(magnitude.max(initial=0)) <= SILENT_POWER)


def cut_patches(
    magnitude: Magnitude, frames: int, starts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Cut patches out of a spectrogram, ``(patches, frames, bins)`` in decibels.

    A recording that is too short is padded at its end with -80 dB.

    Parameters
    ----------
    magnitude
        The spectrogram of the whole recording, ``(bins, frames)``.
    frames
        Frames of a patch.
    starts
        The first frame of each patch.
    """
    levels = decibels(magnitude).T
    missing = max(0, frames - len(levels))
    padded = np.pad(levels, ((0, missing), (0, 0)), constant_values=FLOOR_DB)
    return np.stack([padded[start : start + frames] for start in starts])


def sound_lengths(patches: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return how many frames of each patch come before the silence at its end, ``(patches,)``.

    That silence is what a short recording was filled up with, or its own; a patch that is silent
    throughout counts as sounding.

    Parameters
    ----------
    patches
        In decibels, ``(patches, frames, bins)``.

    >>> sound_lengths(np.array([[[-3], [-80], [-9], [-80]], [[-80]] * 4], np.float32)).tolist()
    [3, 4]
    """
    sounding = np.any(patches > FLOOR_DB, axis=2)
    frames = patches.shape[1]
    return np.asarray(frames - np.argmax(sounding[:, ::-1], axis=1), np.int64)
