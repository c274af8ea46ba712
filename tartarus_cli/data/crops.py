"""Crops of patches: the stretches that a network reads at a time, where that is not all of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import RequestError, parameter

Arrays = Sequence[NDArray[np.float32]]
"""One array for each input of a network, ``(samples, …)``."""
PATCH_AXES = 4
"""Axes of an input of patches: samples, frames, bins, channels."""


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


class CropPredictor:
    """Predicts with a Keras network: the one way from whole patches to rows, wherever it is needed.

    Parameters
    ----------
    network
        A network, or a part of one. If it reads patches, all its batches are filled up to the same
        number of samples, since it is compiled anew for each size, which takes seconds.
    """

    def __init__(self, network: Any) -> None:
        self._network, self.sizes = network, crop_sizes(network)
        self._batch = 0
        """Samples of the largest batch so far."""

    def __call__(
        self, inputs: Arrays, lengths: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Return the outputs ``(samples, columns)``, as :func:`mean_over_crops` does."""
        return mean_over_crops(self._predict, inputs, self.sizes, lengths)

    def _predict(self, inputs: Arrays) -> NDArray[np.float32]:
        samples = len(inputs[0])
        if any(self.sizes):
            self._batch = max(self._batch, samples)
            inputs = [_filled_up(values, self._batch) for values in inputs]
        batch = list(inputs) if len(inputs) > 1 else inputs[0]
        rows = np.asarray(self._network.predict_on_batch(batch), np.float32)
        return rows[:samples].reshape(samples, -1)


def _filled_up(values: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """Put rows of zeros behind others, up to so many."""
    missing = rows - len(values)
    return np.pad(values, [(0, missing), *[(0, 0)] * (values.ndim - 1)]) if missing else values


def crop_sizes(network: Any) -> list[int | None]:
    """Return the frames that each input of a Keras network has; None of what are no patches."""
    shapes = [tensor.shape for tensor in network.inputs]
    return [shape[1] if len(shape) == PATCH_AXES else None for shape in shapes]


def mean_over_crops(
    predict: Callable[[Arrays], NDArray[np.float32]],
    inputs: Arrays,
    sizes: Sequence[int | None],
    lengths: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Predict samples from the crops that cover their patches: the mean over them.

    Parameters
    ----------
    predict
        From inputs of the sizes that a network takes to a row for each sample.
    inputs
        Whole patches ``(samples, frames, bins, 1)``, and other inputs.
    sizes
        Frames of each input of the network; None for those that are no patches. Patches that are
        not longer are predicted as they are.
    lengths
        ``(samples,)``: frames of each patch that are to be covered; None: all.

    Returns
    -------
    ``(samples, columns)``.
    """
    for number, (values, size) in enumerate(zip(inputs, sizes, strict=True)):
        if size is None or values.shape[1] <= size:
            continue
        ends = np.full(len(values), values.shape[1]) if lengths is None else lengths
        starts = [crop_starts(max(int(end), size), size) for end in ends]
        counts = np.array([len(each) for each in starts])
        total: Any = 0.0
        for turn in range(counts.max()):
            crops = [*inputs]
            first = np.array([each[min(turn, len(each) - 1)] for each in starts])
            crops[number] = cut_crops(values, first, size)
            rows = np.asarray(predict(crops), np.float64)
            total = total + np.where(turn < counts, 1, 0)[:, None] * rows
        return np.asarray(total / counts[:, None], np.float32)
    return predict(inputs)


def cut_crops(
    patches: NDArray[np.float32], starts: NDArray[np.int64], size: int
) -> NDArray[np.float32]:
    """Cut a crop of ``size`` frames out of each patch, ``(samples, size, bins, 1)``."""
    if (starts == starts[0]).all():
        return patches[:, starts[0] : starts[0] + size]
    return np.stack(
        [patch[start : start + size] for patch, start in zip(patches, starts, strict=True)]
    )
