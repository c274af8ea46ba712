"""Factorize plays or labels into the latent factors that networks learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.array_writing import create_dense, put_dense
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.provenance import FactorManifest, FactorRecipe, InteractionKind, data_path
from tartarus_cli.errors import DataError, RequestError, parameter
from tartarus_cli.evaluation.upper_bound import UpperBound, upper_bound, worse_than_chance
from tartarus_cli.experiments.requirements import word_settings
from tartarus_cli.factorization.als import AlsOptions, als
from tartarus_cli.factorization.pmi import PmiOptions, pmi
from tartarus_cli.factorization.popularity import spearman
from tartarus_cli.factors.files import (
    FactorFiles,
    factor_files,
    factor_recipe,
    manifest_json,
    models_trained_on,
    reusable_factors,
    with_new_factors,
)
from tartarus_cli.factors.interactions import InteractionMatrices, load_interactions
from tartarus_cli.factors.request import FactorizeRequest
from tartarus_cli.files import digest, locked, put_text, remove_leftovers, write_together
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.machine import cores, factorizer_versions
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts

Factors = NDArray[np.float32]
"""Factors of items, users or labels, ``(rows, dim)``."""

FOLD_IN_ROWS = 2048
"""Items that are folded in at once."""


@dataclass(frozen=True)
class FactorizeResult:
    """Factors that were written, or existed already."""

    manifest: FactorManifest
    files: list[Path]
    """The factors, and their manifest."""
    is_new: bool
    """Whether they were computed now; else the same ones existed already."""
    outdated_models: list[str]
    """Names of models that were trained on factors which were replaced."""
    settings: list[str]
    """Settings of feature vectors, from which a network could learn the factors."""


class FoldIn(Protocol):
    """Computes the factors of further items, with those of users or labels held fixed."""

    def __call__(self, counts: csr_array, /) -> Factors:
        """Solve for ``counts``, ``(items, users or labels)``; returns ``(items, dim)``."""


@dataclass(frozen=True)
class TrainFactors:
    """Factors that were computed from the train items alone."""

    items: Factors
    """Factors of the train items, ``(train items, dim)``."""
    columns: Factors
    """Factors of the users or labels, ``(users or labels, dim)``."""
    fold_in: FoldIn
    correlation: float | None
    """Spearman correlation of popularity and norm."""
    empty: dict[str, int]
    """``train``, and ``users`` or ``labels`` → how many have no play or label."""


def factorize(
    workspace: WorkspacePaths, request: FactorizeRequest, *, progress: Progress = UNWATCHED
) -> FactorizeResult:
    """Factorize the train matrix of a dataset, and fold in the val and test items.

    Factors of train items, and of users or labels, do not depend on val and test items. All files
    are written before any takes its place; the old ones are deleted before the first new one is
    in its place.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    request
        The dataset, the method and its options.
    progress
        Shows the iterations, and reports users and items without plays or labels.

    Raises
    ------
    RequestError
        If there is no such dataset or option, the dataset has plays and labels and neither is
        chosen, there are other factors of the same name, or another command is writing them.
    DataError
        If a matrix is missing or damaged, does not fit the ids, or is too small for so many
        factors.
    TrainingError
        If the factors diverge.
    """
    options = request.options
    _check_request(request)
    dataset = Dataset(workspace.scan(), request.dataset)
    source: InteractionKind | None = "plays" if request.method == "als" else request.source
    matrices = load_interactions(dataset, source)
    files = factor_files(dataset, request.targets, matrices)
    with locked(files.lock):
        dataset = Dataset(workspace.scan(), request.dataset)
        names = [path.name for path in (*files.factors, files.manifest)]
        remove_leftovers(files.manifest.parent, names)
        recipe = factor_recipe(dataset, request.method, matrices, options.model_dump(mode="json"))
        existing = reusable_factors(dataset, files, recipe, force=request.force)
        if existing is not None:
            _warn_below_chance(existing, progress)
            return _result(dataset, files, existing)
        _check_rank(request, matrices)
        _report_sizes(request, matrices, progress)
        factors = _factorize_train(request, options, matrices, progress)
        writer = FactorWriter(dataset, files, recipe, matrices, request, progress)
        replaced = [path for path in files.factors if path.exists()]
        manifest = writer.write(factors)
    _warn_below_chance(manifest, progress)
    updated = Dataset(workspace.scan(), request.dataset)
    return _result(updated, files, manifest, replaced=replaced)


def _check_request(request: FactorizeRequest) -> None:
    if request.method == "als" and request.source == "labels":
        msg = "als factorizes plays, not labels"
        raise RequestError(msg, hint=f"Use pmi for labels, or leave {parameter('source')} out.")
    if request.method == "pmi" and request.threads is not None:
        threads = parameter("threads")
        msg = f"pmi works on one thread, and takes no {threads}"
        raise RequestError(msg, hint=f"Leave {threads} out.")


def _threads(request: FactorizeRequest) -> int:
    return 1 if request.method == "pmi" else request.threads or cores()


def _smaller_side(matrices: InteractionMatrices) -> tuple[int, str]:
    """Return the size of the smaller side of the train matrix, and a text with both sizes."""
    items = matrices.items["train"]
    sizes = f"{items:,} train items and {matrices.columns:,} {matrices.column_kind}"
    return min(items, matrices.columns), sizes


def _check_rank(request: FactorizeRequest, matrices: InteractionMatrices) -> None:
    """Make sure that a singular value decomposition has so many factors."""
    smaller, sizes = _smaller_side(matrices)
    if request.method == "pmi" and request.dim >= smaller:
        msg = f"{request.dataset} has {sizes}, too few for {request.dim} PMI factors"
        most = f"Compute at most {smaller - 1:,}: {parameter('dim', smaller - 1)}"
        raise DataError(msg, hint=most if smaller > 1 else "There is nothing to factorize.")


def _report_sizes(
    request: FactorizeRequest, matrices: InteractionMatrices, progress: Progress
) -> None:
    smaller, sizes = _smaller_side(matrices)
    if request.dim > smaller:
        progress.warn(f"{request.dim} factors of {sizes} say no more than {smaller:,} do")
    for split in matrices.items:
        if split not in matrices.paths:
            absent = "targets" if split == "val" else "true factors, and no oracle row"
            progress.say(f"the {split} items have no {matrices.source}: no {absent}")


def _warn_below_chance(manifest: FactorManifest, progress: Progress) -> None:
    dim = int(manifest.recipe.options["dim"])
    warning = worse_than_chance(manifest.oracle, manifest.random, manifest.recipe.source, dim)
    if warning:
        progress.warn(warning)


def _result(
    dataset: Dataset,
    files: FactorFiles,
    manifest: FactorManifest,
    replaced: list[Path] | None = None,
) -> FactorizeResult:
    sequences = word_settings(dataset)
    return FactorizeResult(
        manifest,
        [*files.factors, files.manifest],
        is_new=replaced is not None,
        outdated_models=models_trained_on(dataset.workspace, replaced or []),
        settings=[name for name in dataset.complete_settings if name not in sequences],
    )


def _factorize_train(
    request: FactorizeRequest,
    options: AlsOptions | PmiOptions,
    matrices: InteractionMatrices,
    progress: Progress,
) -> TrainFactors:
    """Factorize the train matrix."""
    train = matrices.read("train")
    column_counts = np.bincount(train.indices, minlength=matrices.columns)
    item_counts = np.diff(train.indptr)
    items, columns, fold_in = (
        _als(train, options, _threads(request), progress)
        if isinstance(options, AlsOptions)
        else _pmi(train, options, progress)
    )
    kind = matrices.column_kind
    empty = {
        "train": _count_empty(progress, matrices, "train", item_counts, items),
        kind: _count_empty(progress, matrices, kind, column_counts, columns),
    }
    popularity, factors = (
        (item_counts, items) if matrices.source == "plays" else (column_counts, columns)
    )
    rho = spearman(popularity, np.linalg.norm(factors, axis=1))
    return TrainFactors(items, columns, fold_in, None if math.isnan(rho) else rho, empty)


def _als(
    train: csr_array, options: AlsOptions, threads: int, progress: Progress
) -> tuple[Factors, Factors, FoldIn]:
    with progress.task("factorizing", options.iterations) as task:
        factors = als(train, options, threads=threads, on_iteration=task.advance)
    return factors.items, factors.users, lambda counts: factors.fold_in(counts, options)


def _pmi(
    train: csr_array, options: PmiOptions, progress: Progress
) -> tuple[Factors, Factors, FoldIn]:
    # Number of products: a guess, for how many it takes is known only at the end.
    expected = 6 * options.dim
    with progress.task("factorizing", expected) as task:
        factors = pmi(
            train, dim=options.dim, seed=options.seed, shift=options.shift, on_product=task.advance
        )
    return factors.items, factors.contexts, factors.fold_in


def _count_empty(
    progress: Progress,
    matrices: InteractionMatrices,
    group: str,
    counts: NDArray[np.integer],
    factors: Factors,
) -> int:
    """Count the items, users or labels that have no play or label; warn of zero factors.

    Parameters
    ----------
    progress
        Receives the warnings.
    matrices
        The matrices that are factorized.
    group
        Name of a split, or ``users`` or ``labels``.
    counts
        Number of plays or labels of each of them, ``(rows,)``.
    factors
        Factors of each of them, ``(rows, dim)``.
    """
    column_kind = matrices.column_kind
    empty, total = counts == 0, f"{len(counts):,} {group}"
    lack = "train plays" if matrices.source == "plays" else "train item"
    if group in matrices.items:
        total, lack = f"{total} items", matrices.source
    others = "train items" if group == column_kind else column_kind
    unrelated = ~factors.any(axis=1) & ~empty
    reason = f"mutual information with any of the {others}"
    for rows, absent in ((empty, lack), (unrelated, reason)):
        if rows.any():
            progress.warn(f"{np.count_nonzero(rows):,} of {total} have no {absent}: zero factors")
    return int(empty.sum())


@dataclass(frozen=True)
class FactorWriter:
    """Writes factors, folds in the val and test items, and evaluates the factors."""

    dataset: Dataset
    files: FactorFiles
    recipe: FactorRecipe
    matrices: InteractionMatrices
    request: FactorizeRequest
    progress: Progress

    def write(self, factors: TrainFactors) -> FactorManifest:
        """Write all files to temporary ones, and then let them take their places."""
        # The manifest goes last and comes first: it says that the others may be replaced.
        paths = [self.files.manifest, *reversed(self.files.factors)]
        with defer_interrupts() as check, write_together(paths) as temporary:
            written = {path: temporary[path] for path in self.files.factors}
            empty = self._write_factors(factors, written, check)
            best = self._evaluate(written)
            manifest = self._manifest(factors, written, empty, best)
            put_text(temporary[self.files.manifest], manifest_json(manifest))
            check()
        return manifest

    def _write_factors(
        self, factors: TrainFactors, written: Mapping[Path, Path], check: Callable[[], None]
    ) -> dict[str, int]:
        put_dense(written[self.files.columns], factors.columns)
        put_dense(written[self.files.items["train"]], factors.items)
        empty = dict(factors.empty)
        for split, path in self.files.items.items():
            if split != "train":
                empty[split] = self._fold_in(split, written[path], factors.fold_in, check)
        return empty

    def _fold_in(self, split: str, path: Path, fold_in: FoldIn, check: Callable[[], None]) -> int:
        """Write the factors of the items of a split; return how many have no play or label."""
        matrix = self.matrices.read(split)
        shape = (matrix.shape[0], self.request.dim)
        rows = create_dense(path, shape)
        with self.progress.task(f"folding in the {split} items", shape[0]) as task:
            for block in _blocks(shape[0]):
                rows[block] = fold_in(csr_array(matrix[block]))
                task.advance(block.stop - block.start)
                check()
        return _count_empty(self.progress, self.matrices, split, np.diff(matrix.indptr), rows)

    def _evaluate(self, written: Mapping[Path, Path]) -> UpperBound:
        if "test" not in self.files.items:
            return UpperBound()
        return upper_bound(
            with_new_factors(self.dataset, self.request.targets, written),
            self.request.targets,
            self.matrices.source,
            true=written[self.files.items["test"]],
            seed=self.request.seed,
            progress=self.progress,
        )

    def _manifest(
        self,
        factors: TrainFactors,
        written: Mapping[Path, Path],
        empty: dict[str, int],
        best: UpperBound,
    ) -> FactorManifest:
        workspace = self.dataset.workspace
        return FactorManifest(
            recipe=self.recipe,
            threads=_threads(self.request),
            versions=factorizer_versions(),
            outputs={
                data_path(workspace, path): digest(temporary) for path, temporary in written.items()
            },
            items=dict(self.matrices.items),
            columns=self.matrices.columns,
            without=empty,
            oracle=best.oracle,
            random=best.random,
            popularity_and_norm=factors.correlation,
        )


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + FOLD_IN_ROWS, rows)) for start in range(0, rows, FOLD_IN_ROWS))
