"""Patches: windows of a spectrogram in decibels, at frames drawn by seed and item."""

from __future__ import annotations

from hashlib import blake2b
from shlex import quote
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator
from pydantic_core.core_schema import ValidationInfo

from tartarus_cli.audio import TRANSFORMS, Magnitude, Samples, TransformOptions, cached_transform

FLOOR_DB = -80.0  # below the loudest value of the recording nothing is told apart
TINY_POWER = 1e-10  # a recording that is nowhere louder is silent


class PatchRecipe(BaseModel):
    """All that the patches of a recording depend on, but for the recording and its item's id."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    transform: str
    parameters: SerializeAsAny[TransformOptions]
    per_item: Annotated[int, Field(ge=1)] = 1
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 15.0
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0

    @field_validator("parameters", mode="before")
    @classmethod
    def _own_options(cls, said: Any, info: ValidationInfo) -> Any:
        options = TRANSFORMS.get(str(info.data.get("transform"))).options
        return options.model_validate(said) if isinstance(said, dict) else said

    @property
    def frames(self) -> int:
        """Frames of a patch."""
        return self.parameters.frames_of(self.seconds)

    @property
    def bins(self) -> int:
        """Bins of a patch."""
        return len(TRANSFORMS.get(self.transform).frequencies(self.parameters))

    @property
    def told(self) -> str:
        """Say it in a few words."""
        patches = f"{self.per_item} patch{'es' * (self.per_item > 1)} of {self.seconds:g} s"
        return f"{patches}, {self.transform}, seed {self.seed}"

    def command(self, dataset: str) -> str:
        """Say what makes the patches of a dataset so."""
        usual = type(self.parameters)().model_dump()
        own = self.parameters.model_dump()
        words = [f"tartarus patches {quote(dataset)} --transform {self.transform}"]
        words += [f"--patches {self.per_item} --seconds {self.seconds:g} --seed {self.seed}"]
        words += [
            f"--set {quote(f'{name}={own[name]}')}" for name in own if own[name] != usual[name]
        ]
        return " ".join(words)

    @property
    def spectrogram_key(self) -> str:
        """Hash of what the spectrogram of a recording depends on; 32 hexadecimal digits."""
        told = self.model_dump_json(include={"transform", "parameters"})
        return blake2b(told.encode(), digest_size=16).hexdigest()

    def spectrogram(self, samples: Samples) -> Magnitude:
        """Compute the magnitude of a recording, ``(bins, frames)``."""
        return cached_transform(self.transform, self.parameters)(samples)

    def cut(self, magnitude: Magnitude, item: str) -> NDArray[np.float32]:
        """Cut an item's patches, ``(per_item, frames, bins)`` in decibels."""
        return cut_patches(magnitude, self.frames, self.per_item, seed=self.seed, item=item)


def decibels(magnitude: Magnitude) -> NDArray[np.float32]:
    """Return power in decibels below the loudest value of the recording, -80 to 0, as the input.

    ``librosa.power_to_db(magnitude ** 2, ref=np.max)``, but that a silent recording is all floor.

    >>> decibels(np.array([[1, 0.1, 0]], np.float32)).tolist()
    [[0.0, -20.0, -80.0]]
    >>> decibels(np.zeros((1, 2), np.float32)).tolist()
    [[-80.0, -80.0]]
    """
    if is_silent(magnitude):
        return np.full_like(magnitude, FLOOR_DB)
    power = np.maximum(np.square(magnitude), np.float32(TINY_POWER))
    levels = 10 * np.log10(power)
    return np.asarray(np.maximum(levels - levels.max(), FLOOR_DB), np.float32)


def is_silent(magnitude: Magnitude) -> bool:
    """Whether there is nothing to hear in a recording."""
    return bool(np.square(magnitude.max(initial=0)) <= TINY_POWER)


def patch_starts(total: int, frames: int, count: int, *, seed: int, item: str) -> NDArray[np.int64]:
    """Draw the first frames of an item's patches, ``(count,)``.

    They depend on the seed and the item's id alone; more patches begin with those that fewer have.

    Parameters
    ----------
    total
        Frames of the recording.
    frames
        Frames of a patch; in a recording that is not longer, all patches start at 0.
    count
        Number of patches.
    seed, item
        What the draw depends on.
    """
    named = int.from_bytes(blake2b(item.encode(), digest_size=16).digest())
    drawn = np.random.default_rng([seed, named]).random(count)
    return (drawn * (max(total - frames, 0) + 1)).astype(np.int64)


def cut_patches(
    magnitude: Magnitude, frames: int, count: int, *, seed: int, item: str
) -> NDArray[np.float32]:
    """Cut an item's patches, ``(count, frames, bins)`` in decibels.

    A recording that is too short is padded at its end with the floor.
    """
    levels = decibels(magnitude).T
    starts = patch_starts(len(levels), frames, count, seed=seed, item=item)
    short = max(0, frames - len(levels))
    padded = np.pad(levels, ((0, short), (0, 0)), constant_values=FLOOR_DB)
    return np.stack([padded[start : start + frames] for start in starts])
