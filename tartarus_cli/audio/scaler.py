"""Zero mean and unit variance at each position of a patch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio.patches import PatchRecipe

PatchArray = NDArray[np.float32]
"""Patches in decibels, ``(patches, frames, bins)``."""


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of each position; one that does not vary keeps scale 1."""

    mean: NDArray[np.float32]
    """Mean of each position over the patches, ``(frames × bins,)``."""

    scale: NDArray[np.float32]
    """Standard deviation of each position, ``(frames × bins,)``; 1 where it is zero."""

    def __call__(self, patches: PatchArray) -> PatchArray:
        """Scale patches, ``(patches, frames, bins)``."""
        flat = patches.reshape(len(patches), -1)
        return np.asarray((flat - self.mean) / self.scale, np.float32).reshape(patches.shape)


def fit_scaler(blocks: Iterable[PatchArray]) -> Scaler:
    """Fit a scaler to patches that come block by block.

    Parameters
    ----------
    blocks
        One or more blocks of patches, ``(patches, frames, bins)``.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    for block in blocks:
        scaler.partial_fit(block.reshape(len(block), -1))
    return Scaler(scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32))


def fingerprint(recipe: PatchRecipe, scaler: Scaler) -> str:
    """Hash what scaled patches depend on, except the recordings: 32 hexadecimal digits."""
    hashed = blake2b(recipe.model_dump_json().encode(), digest_size=16)
    hashed.update(scaler.mean.tobytes())
    hashed.update(scaler.scale.tobytes())
    return hashed.hexdigest()
