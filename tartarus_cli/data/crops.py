"""Crops of patches: the stretches that a network reads at a time, where that is not all of one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import RequestError, parameter


def crop_frames(frames: int, seconds: float, crops: float) -> int:
    """Return how many frames a crop has.

    Parameters
    ----------
    frames, seconds
        Length of the patches.
    crops
        Seconds of a crop; 0: patches are read whole.

    Raises
    ------
    RequestError
        If crops are longer than the patches.

    Examples
    --------
    >>> crop_frames(323, 15, 3), crop_frames(323, 15, 0), crop_frames(323, 15, 15)
    (65, 323, 323)
    """
    if not crops:
        return frames
    if crops > seconds:
        msg = f"training.crops = {crops:g} s are longer than the patches, which have {seconds:g} s"
        shorter = parameter("overrides", [f"training.crops={seconds:g}"])
        hint = f"Choose crops of that length or less, {shorter}; or make longer patches."
        raise RequestError(msg, hint=hint)
    return max(1, round(frames * crops / seconds))


def crop_starts(frames: int, size: int) -> NDArray[np.int64]:
    """Return the first frames of the crops that cover a patch: half a crop apart, and the last.

    Parameters
    ----------
    frames, size
        Frames of the patch, and of a crop, which is not longer.

    Examples
    --------
    >>> crop_starts(11, 4).tolist(), crop_starts(4, 4).tolist()
    ([0, 2, 4, 6, 7], [0])
    """
    step = max(1, size // 2)
    return np.append(np.arange(0, frames - size, step), frames - size)
