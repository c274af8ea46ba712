"""Parameters of the training of a network that exclude each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.experiments.sections import AugmentSection, TrainingSection

if TYPE_CHECKING:
    from tartarus_cli.experiments.schema import Experiment

PAIRS = (("time_masks", "time_mask"), ("frequency_masks", "frequency_mask"))
"""Number of masks, and how large one is at most: one without the other does nothing."""
WEIGHTED_LOSSES = ("binary_crossentropy", "categorical_crossentropy")
"""Losses in which classes can have weights."""


def check_training(experiment: Experiment, training: TrainingSection) -> None:
    """Make sure that what the ``training`` section of a network says can be done.

    Raises
    ------
    ValueError
        If it cannot; the message names the parameters, and what to set instead.
    """
    crops, patches = training.crops, experiment.patches
    if crops and patches is None:
        msg = f"training.crops = {crops:g}: crops are cut out of patches, and inputs.kind is "
        msg += f"{', '.join(experiment.inputs.kinds)}; set training.crops to 0"
        raise ValueError(msg)
    if crops and patches is not None and crops > patches.seconds:
        msg = f"training.crops = {crops:g} s are longer than the patches, patches.seconds = "
        msg += f"{patches.seconds:g} s: set training.crops to {patches.seconds:g} or less, or "
        msg += f"patches.seconds to {crops:g} or more"
        raise ValueError(msg)
    if training.warmup and training.schedule == "plateau":
        msg = f"training.warmup = {training.warmup:g}: training.schedule = plateau begins with the "
        msg += "whole learning rate; set training.warmup to 0, or training.schedule to cosine"
        raise ValueError(msg)
    if training.class_weights == "none":
        return
    key = f"training.class_weights = {training.class_weights}"
    if experiment.targets.kind != "class":
        msg = f"{key}: targets.kind = {experiment.targets.kind} are no classes; "
        msg += "set training.class_weights to none"
        raise ValueError(msg)
    if training.loss not in WEIGHTED_LOSSES:
        msg = f"{key}: training.loss has to be {' or '.join(WEIGHTED_LOSSES)}"
        raise ValueError(msg)


def check_augment(experiment: Experiment, augment: AugmentSection) -> None:
    """Make sure that the samples of a training can be changed as its ``augment`` section says.

    Raises
    ------
    ValueError
        If they cannot; the message names the parameters, and what to set instead.
    """
    inputs, patches = experiment.inputs, experiment.patches
    if experiment.baseline is not None:
        msg = f"augment.*: {experiment.network.name} is no network, and has no such parameters"
        raise ValueError(msg)
    for name, value in augment.of_patches.items():
        if patches is None:
            msg = f"augment.{name} = {value:g}: only patches can be changed so, and inputs.kind is "
            msg += f"{', '.join(inputs.kinds)}; set augment.{name} to 0"
            raise ValueError(msg)
    for pair in PAIRS:
        values = [getattr(augment, name) for name in pair]
        if any(values) and not all(values):
            given, missing = pair if values[0] else pair[::-1]
            msg = f"augment.{given} = {max(values):g} does nothing while augment.{missing} is 0: "
            msg += f"set augment.{missing} too, or augment.{given} to 0"
            raise ValueError(msg)
    if patches is not None:
        _check_lengths(experiment.fitting.crops or patches.seconds, augment)
    if augment.mixup:
        _check_mixup(experiment, f"augment.mixup = {augment.mixup:g}")


def _check_lengths(seconds: float, augment: AugmentSection) -> None:
    """Make sure that a mask of time, or a shift, is shorter than what the network reads."""
    for name in ("time_mask", "shift"):
        value = getattr(augment, name)
        if value >= seconds:
            msg = f"augment.{name} = {value:g} s: the network reads {seconds:g} s at a time; set "
            msg += f"augment.{name} to less than {seconds:g}"
            raise ValueError(msg)


def _check_mixup(experiment: Experiment, key: str) -> None:
    """Make sure that two samples and their targets can be mixed."""
    if experiment.targets.kind == PLAYS_KIND:
        msg = f"{key}: training.loss = softmax compares the items of a step, which cannot be mixed"
    elif experiment.scoring == "norm":
        msg = f"{key}: scoring = norm learns the norm of each item, and a mixture has none"
    elif "sequence" in experiment.inputs.kinds:
        msg = f"{key}: inputs.kind = sequence is of words, which cannot be mixed"
    else:
        return
    msg += "; set augment.mixup to 0"
    raise ValueError(msg)
