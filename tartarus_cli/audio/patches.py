"""Patches: windows of a spectrogram in decibels, at frames drawn from a seed and the item's id."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator
from pydantic_core.core_schema import ValidationInfo

from tartarus_cli.audio import TRANSFORMS, Magnitude, Samples, TransformOptions, cached_transform
from tartarus_cli.errors import call

FLOOR_DB = -80.0
"""Level of all that is quieter than this, in decibels below the loudest value of a recording."""

DECODING = 2
"""Changes when recordings are decoded otherwise, so that no older spectrogram of them is taken."""

SILENT_POWER = 1e-10
"""Power above which no value of a silent recording lies."""


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

    @field_validator("parameters", mode="before")
    @classmethod
    def _parse_parameters(cls, value: Any, info: ValidationInfo) -> Any:
        options = TRANSFORMS.get(str(info.data.get("transform"))).options
        return options.model_validate(value) if isinstance(value, dict) else value

    @property
    def frames(self) -> int:
        """Number of frames of a patch."""
        return self.parameters.frames_of(self.seconds)

    @property
    def bins(self) -> int:
        """Number of bins of a patch."""
        return len(TRANSFORMS.get(self.transform).frequencies(self.parameters))

    @property
    def description(self) -> str:
        """The recipe in a few words, such as ``2 patches of 15 s, cqt, seed 0``."""
        patches = f"{self.per_item} patch{'es' * (self.per_item > 1)} of {self.seconds:g} s"
        return f"{patches}, {self.transform}, seed {self.seed}"

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
        return cut_patches(magnitude, self.frames, self.per_item, seed=self.seed, item=item)


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


def patch_starts(total: int, frames: int, count: int, *, seed: int, item: str) -> NDArray[np.int64]:
    """Draw the first frames of an item's patches, ``(count,)``.

    They depend on the seed and the item's id alone: of a greater count, the first ones are those of
    a smaller count.

    Parameters
    ----------
    total
        Frames of the recording.
    frames
        Frames of a patch; in a recording that is not longer, all patches start at 0.
    count
        Number of patches.
    seed
        Seed of the draw, 0 or more.
    item
        Id of the item.
    """
    id_number = int.from_bytes(blake2b(item.encode(), digest_size=16).digest())
    positions = np.random.default_rng([seed, id_number]).random(count)
    return (positions * (max(total - frames, 0) + 1)).astype(np.int64)


def cut_patches(
    magnitude: Magnitude, frames: int, count: int, *, seed: int, item: str
) -> NDArray[np.float32]:
    """Cut an item's patches, ``(count, frames, bins)`` in decibels.

    A recording that is too short is padded at its end with -80 dB.

    Parameters
    ----------
    magnitude
        The spectrogram of the whole recording, ``(bins, frames)``.
    frames
        Frames of a patch.
    count
        Number of patches.
    seed, item
        What the starts are drawn from; see :func:`patch_starts`.
    """
    levels = decibels(magnitude).T
    starts = patch_starts(len(levels), frames, count, seed=seed, item=item)
    missing = max(0, frames - len(levels))
    padded = np.pad(levels, ((0, missing), (0, 0)), constant_values=FLOOR_DB)
    return np.stack([padded[start : start + frames] for start in starts])
