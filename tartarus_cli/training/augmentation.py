"""Samples changed anew in each epoch: crops, masks, gain and shifts of patches, and mixtures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.crops import crop_frames
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.patches import Patches, read_scaler
from tartarus_cli.errors import DataError, Placeholder, RequestError, call, parameter
from tartarus_cli.experiments.inputs import patch_source
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.experiments.sections import AugmentSection
from tartarus_cli.file_names import Kind

Arrays = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class PatchChanges:
    """What is needed to change patches."""

    number: int
    """Which of the inputs they are."""
    frames: int
    """Frames of a crop."""
    frame_rate: float
    """Frames of a second."""
    scale: NDArray[np.float32] | None = None
    """Decibels by which each position was divided, ``(frames, bins)`` of whole patches; None: not
    known."""
    centred: bool = False
    """Whether patches are scaled to a mean of 0, with which masks are filled; else they are filled
    with the mean of the patch."""


@dataclass(frozen=True)
class Augmentation:
    """Changes the samples of a batch; what it draws comes from the batch's own generator."""

    section: AugmentSection
    patches: PatchChanges | None = None
    """None: no input is changed but by mixing."""

    def apply(
        self,
        inputs: Arrays,
        rng: np.random.Generator,
        lengths: NDArray[np.int64] | None = None,
    ) -> Arrays:
        """Return the inputs with patches cut and changed; nothing is changed in place.

        Parameters
        ----------
        inputs
            One array an input; patches are whole, ``(samples, frames, bins, 1)``.
        rng
            Where crops, masks, gain and shifts are drawn from.
        lengths
            ``(samples,)``: frames of each patch that crops are cut from; None: all.
        """
        if self.patches is None:
            return inputs
        changed = [*inputs]
        values = inputs[self.patches.number]
        changed[self.patches.number] = self._change(self.patches, values, rng, lengths)
        return tuple(changed)

    def mix(
        self, inputs: Arrays, targets: NDArray[np.float32], rng: np.random.Generator
    ) -> tuple[Arrays, NDArray[np.float32]]:
        """Mix each sample, and its targets ``(samples, dim)``, with another one of the batch."""
        if not self.section.mixup:
            return inputs, targets
        others = rng.permutation(len(targets))
        alpha = self.section.mixup
        shares = rng.beta(alpha, alpha, len(targets)).astype(np.float32)
        mixed = tuple(_mix(values, others, shares) for values in inputs)
        return mixed, _mix(targets, others, shares)

    def _change(
        self,
        changes: PatchChanges,
        values: NDArray[np.float32],
        rng: np.random.Generator,
        lengths: NDArray[np.int64] | None,
    ) -> NDArray[np.float32]:
        section, size, samples = self.section, changes.frames, len(values)
        rows = np.zeros((samples, 1), np.int64) + np.arange(size)
        if size < values.shape[1]:
            ends = np.full(samples, values.shape[1]) if lengths is None else lengths
            rows += rng.integers(np.maximum(ends - size, 0) + 1)[:, None]
        if section.shift:
            most = round(section.shift * changes.frame_rate)
            first = rows[:, :1]
            rolled = rows - first + rng.integers(-most, most + 1, samples)[:, None]
            rows = first + rolled % size
        # Always a copy, also where patches are neither cut nor rolled.
        cut = np.take_along_axis(values, rows[:, :, None, None], axis=1)
        if section.gain and changes.scale is not None:
            gains = rng.uniform(-section.gain, section.gain, samples).astype(np.float32)
            cut += gains[:, None, None, None] / changes.scale[rows][..., None]
        masked = self._draw_masks(cut.shape, changes.frame_rate, rng)
        if masked is not None:
            mean = 0.0 if changes.centred else cut.mean(axis=(1, 2, 3), keepdims=True)
            np.copyto(cut, np.asarray(mean, np.float32), where=masked[..., None])
        return np.asarray(cut, np.float32)

    def _draw_masks(
        self, shape: tuple[int, ...], frame_rate: float, rng: np.random.Generator
    ) -> NDArray[np.bool_] | None:
        """Draw which positions of patches are masked, ``(samples, frames, bins)``."""
        section = self.section
        if not (section.time_masks or section.frequency_masks):
            return None
        samples, frames, bins = shape[:3]
        longest = max(1, round(section.time_mask * frame_rate))
        in_time = _draw_stretches(samples, frames, section.time_masks, longest, rng)
        widest = section.frequency_mask
        in_frequency = _draw_stretches(samples, bins, section.frequency_masks, widest, rng)
        return in_time[:, :, None] | in_frequency[:, None, :]


def _mix(
    values: NDArray[np.float32], others: NDArray[np.int64], shares: NDArray[np.float32]
) -> NDArray[np.float32]:
    own = shares.reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(own * values + (1 - own) * values[others], np.float32)


def _draw_stretches(
    samples: int, length: int, count: int, most: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw, for each sample, stretches of 0 to ``most`` places out of ``length``."""
    masked = np.zeros((samples, length), bool)
    places = np.arange(length)
    for _ in range(count):
        sizes = rng.integers(0, min(most, length) + 1, (samples, 1))
        starts = rng.integers(length - sizes + 1)
        masked |= (places >= starts) & (places < starts + sizes)
    return masked


def crop_frames_of(experiment: Experiment, patches: Patches) -> int:
    """Return the frames of these patches that an experiment's network reads at a time.

    Raises
    ------
    RequestError
        If its crops are longer than its patches.
    """
    if experiment.patches is None or experiment.baseline is not None:
        return patches.shape[1]
    return crop_frames(patches.shape[1], experiment.patches.seconds, experiment.fitting.crops)


def open_augmentation(
    dataset: Dataset, experiment: Experiment, items: ItemSet
) -> Augmentation | None:
    """Return how the samples of a training are changed; None if they are not.

    Raises
    ------
    RequestError
        If a mask would cover all bins, or crops are longer than patches.
    DataError
        If the gain is to be changed of patches whose scaler is not there, or is damaged.
    """
    section, patches = experiment.augment or AugmentSection(), items.patches
    if patches is None:
        return Augmentation(section) if section.mixup else None
    _, frames, bins, _ = patches.shape
    size = crop_frames_of(experiment, patches)
    if section == AugmentSection() and size == frames:
        return None
    if section.frequency_mask >= bins:
        msg = f"{parameter('overrides', [f'augment.frequency_mask={section.frequency_mask}'])}: "
        msg += f"the patches of {dataset.name} have {bins} bins"
        less = parameter("overrides", [f"augment.frequency_mask={bins // 4}"])
        raise RequestError(msg, hint=f"Choose less, for example {less}.")
    source = patch_source(experiment)
    scaler = dataset.find(Kind.SCALER, **source.fields)
    scale: NDArray[Any] | None = None
    if section.gain:
        if scaler is None:
            msg = f"{parameter('overrides', [f'augment.gain={section.gain:g}'])}: the patches of "
            msg += f"{dataset.name} have no scaler, which would say what a decibel of them is"
            count, seconds = (Placeholder(source.fields[name]) for name in ("count", "seconds"))
            kind = {"per_item": count, "seconds": seconds, "name": source.name or None}
            off = parameter("overrides", ["augment.gain=0"])
            hint = f"Make them from recordings: {call('patches', dataset.name, **kind)}; or {off}"
            raise DataError(msg, hint=hint)
        scale = np.broadcast_to(read_scaler(scaler.path)[1].reshape(-1, bins), (frames, bins))
    changes = PatchChanges(
        number=next(n for n, source in enumerate(items.inputs) if isinstance(source, Patches)),
        frames=size,
        frame_rate=frames / source.seconds,
        scale=scale,
        centred=scaler is not None,
    )
    return Augmentation(section, changes)
