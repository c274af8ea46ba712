"""What feeds an experiment: its settings and patches, and the sizes that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.items import (
    InputSource,
    ItemSet,
    PatchAdvice,
    PatchSource,
    check_advice,
    infer_patches,
)
from tartarus_cli.data.patches import Patches
from tartarus_cli.data.targets import (
    USUAL_DIM,
    factorize_command,
    infer_targets,
    reference_factors,
)
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.errors import DataError, FileError, Placeholder, call, parameter
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.progress import Progress
from tartarus_cli.text.w2v import modernize_vectors

INFERENCE_BATCH_BYTES = 4 << 20
"""Size of a batch of inference, float32; several batches may be in memory at a time."""
MIN_BATCH, MAX_BATCH = 32, 512
"""Samples of such a batch, at least and at most."""


def input_sources(experiment: Experiment, settings: Sequence[str]) -> tuple[InputSource, ...]:
    """Return where each input of an experiment comes from, in order: a setting, or patches.

    Settings feed the inputs that are not patches, in the order in which they are named. The patches
    of a baseline are pooled: one row an item.
    """
    setting_names = iter(settings)
    patches = None
    if experiment.patches is not None:
        patches = replace(patch_source(experiment), pooled=experiment.baseline is not None)
    return tuple(
        patches if kind == "patches" and patches is not None else next(setting_names)
        for kind in experiment.inputs.kinds
    )


def patch_source(experiment: Experiment) -> PatchSource:
    """Return which patches an experiment reads: how many an item, and how long they are."""
    patches = experiment.patches
    if patches is None:
        msg = f"{experiment.name} reads no patches"
        raise AssertionError(msg)
    advice = PatchAdvice(patches.transform, patches.options or (), patches.scale)
    return PatchSource(patches.per_item, patches.seconds, patches.name, advice=advice)


def infer_dimensions(
    dataset: Dataset, experiment: Experiment, settings: Sequence[str], progress: Progress
) -> Experiment:
    """Take the sizes that the dataset has, where it leaves no choice, and say so.

    Parameters
    ----------
    dataset
        The dataset that the experiment is applied to.
    experiment, settings
        The experiment, and the settings that feed it.
    progress
        Receives a message for each size that differs from the experiment's.

    Returns
    -------
    The experiment with the number of its targets, the kind of its patches, and the vocabulary,
    the length and the width of its word vectors as they are in the files.

    Raises
    ------
    DataError
        If a file is missing or damaged, or there is a choice.
    """
    name, targets = dataset.name, experiment.targets
    dim = infer_targets(dataset, experiment.target_spec).dim
    factors = reference_factors(dataset) if experiment.reads_user_factors else None
    if factors is not None:
        dim = factors.dim
    elif experiment.reads_user_factors:
        raise _no_user_factors(dataset)
    if dim != targets.dim:
        progress.say(
            f"{name} has {targets.kind} targets of {dim}, not {targets.dim}: {dim} is used"
        )
    changes: dict[str, Any] = {"targets": targets.model_copy(update={"dim": dim})}
    if experiment.patches is not None:
        default = patch_source(experiment)
        source = infer_patches(dataset, default)
        if source != default:
            progress.say(
                f"{name} has {source.per_item} patches an item of {source.length}, not "
                f"{default.per_item} of {default.length}: its own are used"
            )
        difference = check_advice(dataset, source)
        if difference:
            progress.say(f"{experiment.name} is meant for other patches: {difference}")
        update = {
            "per_item": source.per_item,
            "seconds": source.seconds,
            "name": source.name,
        }
        changes["patches"] = experiment.patches.model_copy(update=update)
    if "sequence" in experiment.inputs.kinds:
        changes["network"] = _infer_word_sizes(dataset, experiment, settings, progress)
    return experiment.model_copy(update=changes)


def _no_user_factors(dataset: Dataset) -> DataError:
    command = factorize_command(dataset, TargetSpec("als", USUAL_DIM))
    learnt = f"let vectors be learnt: {parameter('overrides', 'two_tower.users=free')}"
    hint = f"Compute them: {command}; or {learnt}" if command else f"Rather {learnt}"
    return DataError(
        f"two_tower.users = als: {dataset.name} has no als factors of users", hint=hint
    )


def _infer_word_sizes(
    dataset: Dataset, experiment: Experiment, settings: Sequence[str], progress: Progress
) -> Any:
    network: Any = experiment.network
    sources = input_sources(experiment, settings)
    setting = str(sources[experiment.inputs.kinds.index("sequence")])
    words, vectors = dataset.features(setting, "train"), dataset.word_vectors(setting)
    update = {"sequence": words.shape[1], "embedding": vectors.shape[1]}
    for name, size in update.items():
        if getattr(network, name) != size:
            default = getattr(network, name)
            progress.say(f"{setting} has network.{name} = {size}, not {default}: {size} is used")
    return network.model_copy(update=update | {"vocabulary": vectors.shape[0]})


def check_word_numbers(experiment: Experiment, items: ItemSet) -> None:
    """Make sure that each number of a sequence is that of a word with a vector.

    Raises
    ------
    FileError
        If one is not a whole number from 0 up to the size of the vocabulary.
    """
    vocabulary = getattr(experiment.network, "vocabulary", 0)
    for kind, matrix in zip(experiment.inputs.kinds, items.inputs, strict=True):
        if kind != "sequence" or isinstance(matrix, Patches):
            continue
        for block in matrix.blocks():
            rows = matrix.rows(block)
            if not _are_word_numbers(rows, vocabulary):
                command = call("text", Placeholder("DATASET"), "w2v")
                raise FileError(
                    matrix.path,
                    found=f"values from {rows.min():g} to {rows.max():g}",
                    expected=f"numbers of words, 0 to {vocabulary - 1:,}: rows of the word vectors",
                    hint=f"Extract the setting again: {command}",
                )


def _are_word_numbers(rows: NDArray[np.float32], vocabulary: int) -> bool:
    """Whether all values are whole numbers, from 0 up to the size of the vocabulary."""
    if not rows.size:
        return True
    in_range = rows.min() >= 0 and rows.max() < vocabulary
    return bool(in_range and (rows % 1 == 0).all())


def load_word_vectors(
    network: Any,
    dataset: Dataset,
    experiment: Experiment,
    settings: Sequence[str],
    *,
    seed: int,
    progress: Progress,
) -> None:
    """Set the embedding of a network that reads words to the word vectors of its setting.

    Those that an earlier version wrote are brought into the form that is written now, and
    ``progress`` receives a message of it.
    """
    for kind, source in zip(
        experiment.inputs.kinds, input_sources(experiment, settings), strict=True
    ):
        if kind == "sequence":
            vectors = dataset.word_vectors(str(source)).rows(slice(None))
            modern = modernize_vectors(vectors, seed)
            if modern is not None:
                progress.say(
                    f"the word vectors of {source} have zeros for padding, as earlier versions "
                    "wrote them: they are divided by their norms, and the padding is drawn"
                )
            network.get_layer("embedding").set_weights([vectors if modern is None else modern])


def inference_batch_size(experiment: Experiment, items: ItemSet) -> int:
    """Return how many samples make a batch of inference.

    Where a network has layers along time, its activations are far larger than its input.
    """
    if set(experiment.inputs.kinds) != {"features"}:
        return MIN_BATCH
    width = sum(matrix.shape[1] for matrix in items.inputs)
    return min(max(MIN_BATCH, INFERENCE_BATCH_BYTES // (4 * width)), MAX_BATCH)
