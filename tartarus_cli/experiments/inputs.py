"""What feeds an experiment: its settings and patches, and the sizes that these settle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tartarus_cli.data.dataset import InputSource, ItemSet, PatchSource, infer_patches
from tartarus_cli.data.features import open_matrix
from tartarus_cli.data.patches import Patches
from tartarus_cli.data.targets import TargetSpec, infer_dim
from tartarus_cli.errors import FileError
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.progress import Progress
from tartarus_cli.workspace import Kind, WorkspaceFiles

INFERENCE_BATCH_BYTES = 4 << 20  # of a batch where nothing is learnt; many of them may be under way
MIN_BATCH, MAX_BATCH = 32, 512  # samples of such a batch


def input_sources(experiment: Experiment, settings: Sequence[str]) -> tuple[InputSource, ...]:
    """Return where each input of an experiment comes from, in order."""
    rest = iter(settings)
    return tuple(
        patch_source(experiment) if kind == "patches" else next(rest)
        for kind in experiment.inputs.kinds
    )


def patch_source(experiment: Experiment) -> PatchSource:
    """Return which patches an experiment reads."""
    patches = experiment.patches
    if patches is None:
        msg = f"{experiment.name} reads no patches"
        raise AssertionError(msg)
    return PatchSource(patches.per_item, patches.seconds)


def infer_dimensions(
    inventory: WorkspaceFiles, experiment: Experiment, settings: Sequence[str], progress: Progress
) -> Experiment:
    """Take the sizes that the dataset has, where it leaves no choice, and say so.

    Parameters
    ----------
    inventory
        The workspace's files.
    experiment, settings
        What is about to run.
    progress
        Told of each size that differs from the experiment's.

    Returns
    -------
    The experiment with the number of its targets, the kind of its patches, and the vocabulary,
    the length and the width of its word vectors as they are in the files.

    Raises
    ------
    DataError
        If a file is missing or damaged, or there is a choice.
    """
    dataset, targets = experiment.dataset.name, experiment.targets
    wanted = infer_dim(inventory, TargetSpec(dataset, targets.kind, targets.dim))
    if wanted.dim != targets.dim:
        told = f"{dataset} has {targets.kind} targets of {wanted.dim}, not {targets.dim}: taken"
        progress.say(told)
    changes: dict[str, Any] = {"targets": targets.model_copy(update={"dim": wanted.dim})}
    if experiment.patches is not None:
        asked = patch_source(experiment)
        found = infer_patches(inventory, dataset, asked)
        if found != asked:
            progress.say(
                f"{dataset} has {found.per_item} patches an item of {found.seconds:g} s, not "
                f"{asked.per_item} of {asked.seconds:g} s: taken"
            )
        update = {"per_item": found.per_item, "seconds": found.seconds}
        changes["patches"] = experiment.patches.model_copy(update=update)
    if "sequence" in experiment.inputs.kinds:
        changes["network"] = _settle_words(inventory, experiment, settings, progress)
    return experiment.model_copy(update=changes)


def _settle_words(
    inventory: WorkspaceFiles, experiment: Experiment, settings: Sequence[str], progress: Progress
) -> Any:
    network: Any = experiment.network
    sources = input_sources(experiment, settings)
    setting = str(sources[experiment.inputs.kinds.index("sequence")])
    fields = {"setting": setting, "dataset": experiment.dataset.name}
    words = open_matrix(inventory.require(Kind.FEATURES, split="train", **fields).path)
    vectors = open_matrix(inventory.require(Kind.WORD_VECTORS, **fields).path)
    update = {"sequence": words.shape[1], "embedding": vectors.shape[1]}
    for name, size in update.items():
        if getattr(network, name) != size:
            told = f"{setting} has network.{name} = {size}, not {getattr(network, name)}: taken"
            progress.say(told)
    return network.model_copy(update=update | {"vocabulary": vectors.shape[0]})


def check_word_numbers(experiment: Experiment, items: ItemSet) -> None:
    """Make sure that sequences hold numbers of words that there are.

    Raises
    ------
    FileError
        If they do not.
    """
    most = getattr(experiment.network, "vocabulary", 0)
    for kind, matrix in zip(experiment.inputs.kinds, items.inputs, strict=True):
        if kind != "sequence" or isinstance(matrix, Patches):
            continue
        for block in matrix.blocks():
            rows = matrix.rows(block)
            if rows.size and not (rows.min() >= 0 and rows.max() < most and (rows % 1 == 0).all()):
                raise FileError(
                    matrix.path,
                    found=f"values from {rows.min():g} to {rows.max():g}",
                    expected=f"numbers of words, 0 to {most - 1:,}, as the word vectors have rows",
                    hint="Make the setting again with 'tartarus text'.",
                )


def load_word_vectors(
    network: Any, inventory: WorkspaceFiles, experiment: Experiment, settings: Sequence[str]
) -> None:
    """Start the word vectors of a network from those of its setting."""
    for kind, source in zip(
        experiment.inputs.kinds, input_sources(experiment, settings), strict=True
    ):
        if kind == "sequence":
            fields = {"setting": str(source), "dataset": experiment.dataset.name}
            vectors = open_matrix(inventory.require(Kind.WORD_VECTORS, **fields).path)
            network.get_layer("embedding").set_weights([vectors.rows(slice(None))])


def inference_batch_size(experiment: Experiment, items: ItemSet) -> int:
    """Return how many samples make a batch where nothing is learnt.

    What lies between the layers of a network along time is far larger than its input.
    """
    if set(experiment.inputs.kinds) != {"features"}:
        return MIN_BATCH
    width = sum(each.shape[1] for each in items.inputs)
    return min(max(MIN_BATCH, INFERENCE_BATCH_BYTES // (4 * width)), MAX_BATCH)
