"""Zero mean and unit variance of patches, at each position or of each bin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio.patches import PatchRecipe, Scaling, sound_lengths

PatchArray = NDArray[np.float32]
"""Patches in decibels, ``(patches, frames, bins)``."""


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of each position; one that does not vary keeps scale 1.

    Those of bins are the same in all frames.
    """

    mean: NDArray[np.float32]
    """Mean of each position over the patches, ``(frames × bins,)``."""

    scale: NDArray[np.float32]
    """Standard deviation of each position, ``(frames × bins,)``; 1 where it is zero."""

    def __call__(self, patches: PatchArray) -> PatchArray:
        """Scale patches, ``(patches, frames, bins)``."""
        flat = patches.reshape(len(patches), -1)
        return np.asarray((flat - self.mean) / self.scale, np.float32).reshape(patches.shape)


def fit_scaler(blocks: Iterable[PatchArray], scale: Scaling = "position") -> Scaler:
    """Fit a scaler to patches that come block by block.

    Parameters
    ----------
    blocks
        One or more blocks of patches, ``(patches, frames, bins)`` in decibels.
    scale
        ``position``: each frame and bin has its mean and deviation over the patches; ``bin``: each
        bin over all frames of them, but for the silence at their ends.
    """
    from sklearn.preprocessing import StandardScaler

    scaler, frames = StandardScaler(), 1
    for block in blocks:
        if scale == "position":
            scaler.partial_fit(block.reshape(len(block), -1))
        else:
            frames = block.shape[1]
            scaler.partial_fit(block[np.arange(frames) < sound_lengths(block)[:, None]])
    mean, deviation = (values.astype(np.float32) for values in (scaler.mean_, scaler.scale_))
    return Scaler(np.tile(mean, frames), np.tile(deviation, frames))


def fingerprint(recipe: PatchRecipe, scaler: Scaler) -> str:
    """Hash what scaled patches depend on, except the recordings: 32 hexadecimal digits."""
    hashed = blake2b(recipe.model_dump_json().encode(), digest_size=16)
    hashed.update(scaler.mean.tobytes())
    hashed.update(scaler.scale.tobytes())
    return hashed.hexdigest()
