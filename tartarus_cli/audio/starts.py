"""Where patches begin in a recording: at drawn frames, evenly spaced, or where it sounds."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio import Magnitude

Starts = Literal["random", "even", "sound"]
"""How the first frames of patches are chosen."""

LOWEST_DB = -60.0
"""Level below the loudest frame of a recording under which a frame is as good as silent."""

SOUND_MARGIN_DB = 3.0
"""How far below the best patch the mean level of another may lie."""


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


def even_starts(total: int, frames: int, count: int) -> NDArray[np.int64]:
    """Space patches evenly over a recording, ``(count,)``, from its start to its end.

    A single patch lies in the middle.

    >>> [even_starts(10, 4, count).tolist() for count in (3, 1)]
    [[0, 3, 6], [3]]
    """
    return _spread(np.arange(max(total - frames, 0) + 1), count)


def sound_starts(magnitude: Magnitude, frames: int, count: int) -> NDArray[np.int64]:
    """Spread patches over where a recording sounds, ``(count,)``, ascending.

    The level of a frame is its power in decibels below the loudest frame, not below -60. Patches
    whose mean level is at most 3 dB below that of the best one are taken, evenly spaced among
    themselves: where all of a recording is about as loud, they are spaced as :func:`even_starts`.
    Of fewer such patches, the best ones are taken.

    Parameters
    ----------
    magnitude
        The spectrogram of the whole recording, ``(bins, frames)``.
    frames
        Frames of a patch.
    count
        Number of patches.
    """
    total = magnitude.shape[1]
    if total <= frames:
        return np.zeros(count, np.int64)
    power = np.square(magnitude, dtype=np.float64).sum(axis=0)
    loudest = power.max()
    if loudest == 0:
        return even_starts(total, frames, count)
    levels = 10 * np.log10(np.maximum(power / loudest, 10 ** (LOWEST_DB / 10)))
    sums = np.concatenate([[0], np.cumsum(levels)])
    means = (sums[frames:] - sums[:-frames]) / frames
    # Sums of equal levels differ in their last digits.
    means = means.round(6)
    candidates = np.flatnonzero(means >= means.max() - SOUND_MARGIN_DB)
    if len(candidates) < count <= len(means):
        candidates = np.sort(np.argsort(-means, kind="stable")[:count])
    return _spread(candidates, count)


def _spread(candidates: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Choose so many starts out of ascending ones: the first, the last, and evenly between."""
    last = len(candidates) - 1
    if count == 1:
        return candidates[[last // 2]]
    return candidates[np.arange(count) * last // (count - 1)]
