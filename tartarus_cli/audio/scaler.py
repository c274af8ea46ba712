"""Zero mean and unit variance at each position of a patch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Patched = NDArray[np.float32]  # (patches, frames, bins)


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of each position; one that does not vary keeps scale 1."""

    mean: NDArray[np.float32]  # (frames × bins,)
    scale: NDArray[np.float32]

    def __call__(self, patches: Patched) -> Patched:
        """Scale patches, ``(patches, frames, bins)``."""
        flat = patches.reshape(len(patches), -1)
        return np.asarray((flat - self.mean) / self.scale, np.float32).reshape(patches.shape)


def fit_scaler(blocks: Iterable[Patched]) -> Scaler:
    """Fit a scaler to patches that come block by block; there is one block at least."""
    from sklearn.preprocessing import StandardScaler

    fitted = StandardScaler()
    for block in blocks:
        fitted.partial_fit(block.reshape(len(block), -1))
    return Scaler(fitted.mean_.astype(np.float32), fitted.scale_.astype(np.float32))
