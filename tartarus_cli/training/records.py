"""The record of a training: what it began with, what it read, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.patches import read_fingerprint
from tartarus_cli.data.training_data import TrainingData
from tartarus_cli.devices import CPU, current_device
from tartarus_cli.errors import SizeError, TartarusError, call
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import Kind, parse_path
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.machine import describe_environment, now, peak_memory_mib
from tartarus_cli.models.checkpoint import CHECKPOINT, read_state
from tartarus_cli.models.manifest import ModelManifest, write_model_manifest
from tartarus_cli.models.staleness import companion_factors, feature_files, sorted_digest
from tartarus_cli.progress import Progress


def start_manifest(workspace: WorkspacePaths, request: TrainingRequest) -> ModelManifest:
    """Return the manifest of a training that begins now."""
    experiment = request.experiment
    return ModelManifest(
        status="training",
        experiment=experiment.name,
        dataset=experiment.dataset.name,
        task=experiment.dataset.task,
        settings=list(request.settings),
        target_dim=experiment.targets.dim,
        seed=request.seed,
        shuffled=experiment.shuffled,
        overrides=list(request.overrides),
        code=code_hashes(workspace, request),
        started=now(),
        **describe_environment(CPU if experiment.baseline is not None else current_device()),
    )


def code_hashes(workspace: WorkspacePaths, request: TrainingRequest) -> dict[str, str]:
    """Return the hash of each file of code that a training needs, as its manifest names them."""
    return {_portable_path(workspace, file.path): file.digest for file in request.code}


def _portable_path(workspace: WorkspacePaths, path: Path) -> str:
    """Write the path of a file of code relative to the workspace, if it lies there."""
    root = workspace.root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def record_ids(manifest: ModelManifest, dataset: Dataset) -> None:
    """Record the ids of the items of each set, as hashes."""
    manifest.train_ids = dataset.ids_digest("train")
    manifest.ids = {split: dataset.ids_digest(split) for split in dataset.splits}
    if "test" in dataset.splits:
        manifest.sorted_test_ids = sorted_digest(dataset.ids("test"))


def reference_files(
    dataset: Dataset, experiment: Experiment, settings: Sequence[str]
) -> list[Path]:
    """Return the files that give meaning to predictions: ids, features, factors of users or labels.

    The features of val and test items are hashed, not read.
    """
    lists = [file.path for file in dataset.select(Kind.ITEMS)]
    features = feature_files(dataset, settings)
    return [*lists, *features, *companion_factors(dataset, experiment.factor_spec)]


@contextmanager
def recording_outcome(
    name: str,
    folder: Path,
    manifest: ModelManifest,
    progress: Progress,
    *,
    start: float | None = None,
    resumed_by: str = "train",
) -> Iterator[None]:
    """Write into the manifest how the training ended, in whatever way.

    Parameters
    ----------
    name, folder, manifest
        Those of the model.
    progress
        Reports what did not finish, and how it goes on.
    start
        When the training began, by the monotonic clock; now, if None.
    resumed_by
        The function that goes on with it, if there is a checkpoint.
    """
    start = time.monotonic() if start is None else start
    try:
        yield
        manifest.status, manifest.reason = "finished", ""
    except BaseException as problem:
        failed = isinstance(problem, Exception)
        manifest.status = "failed" if failed else "interrupted"
        manifest.reason = str(problem) if failed else "stopped from outside"
        outcome = "failed" if failed else "was interrupted"
        way_on = _way_on(name, folder, resumed_by, failed=failed)
        progress.warn(f"the training of {name} {outcome}{way_on}")
        raise
    finally:
        manifest.duration_s = round(time.monotonic() - start, 3)
        manifest.peak_memory_mib = peak_memory_mib()
        # It may have been deleted meanwhile.
        if folder.is_dir():
            write_model_manifest(folder, manifest)


def _way_on(name: str, folder: Path, resumed_by: str, *, failed: bool) -> str:
    """Say what becomes of a training that did not finish."""
    try:
        where = read_state(folder / CHECKPOINT).where
    except TartarusError:
        return "; the model cannot be used"
    cause = "once the cause is removed, it goes on" if failed else "it goes on"
    return f"; {cause} ({where}) with {call(resumed_by, resume=name)}"


@contextmanager
def memory_errors_explained() -> Iterator[None]:
    """Turn the errors of the libraries, where memory is short, into one that says what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as problem:
        text = str(problem)
        if isinstance(problem, RuntimeError) and "RESOURCE_EXHAUSTED" not in text:
            raise
        hint = "Reduce network.hidden or training.batch_size."
        msg = f"there is not enough memory: {text.splitlines()[0] if text else 'out of memory'}"
        raise SizeError(msg, hint=hint) from None


def count_items(data: TrainingData) -> dict[str, int]:
    """Count the samples by use: ``fit``, ``validation``, ``held out``."""
    held_out = len(data.held_out) if data.held_out else 0
    return {"fit": len(data.fit), "validation": len(data.validation), "held out": held_out}


def file_digest(dataset: Dataset, path: Path) -> str:
    """Return the hash of a file; of patches, whose file may be very large, their fingerprint."""
    file = parse_path(path, "patches")
    known = read_fingerprint(path) if file is not None and file.kind is Kind.PATCHES else ""
    return known or dataset.digest(path)


def input_digest(dataset: Dataset, path: Path, data: TrainingData) -> str:
    """Return the hash of a file; for patches, whose file may be very large, their fingerprint."""
    for subset in data.subsets:
        patches = subset.set.patches
        if patches is not None and patches.path == path and patches.fingerprint:
            return patches.fingerprint
    return dataset.digest(path)
