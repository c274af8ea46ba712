"""Turn who played what, or which item has which label, into the factors that networks learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.dataset import Dataset, TargetSpec
from tartarus_cli.data.provenance import FactorManifest, FactorRecipe, InteractionKind, data_path
from tartarus_cli.data.targets import USUAL_DIM
from tartarus_cli.errors import DataError, RequestError
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
    models_that_learnt,
    reusable_factors,
    with_new_factors,
)
from tartarus_cli.factors.interactions import InteractionMatrices, load_interactions
from tartarus_cli.files import atomic_write, digest, locked, remove_leftovers
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.machine import cores, factorizer_versions
from tartarus_cli.options import parse_options
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts

Method = Literal["als", "pmi"]
Factors = NDArray[np.float32]  # (rows, dim)
ROWS_AT_ONCE = 2048  # items folded in


@dataclass(frozen=True)
class FactorizeRequest:
    """What is asked for."""

    dataset: str
    method: Method
    dim: int = USUAL_DIM
    seed: int = 0
    source: InteractionKind | None = None  # whichever there is
    threads: int | None = None  # all cores
    given: Mapping[str, float] = field(default_factory=dict)  # parameters of the method
    force: bool = False  # replace other factors of the same name

    @property
    def targets(self) -> TargetSpec:
        """Which factors these are."""
        return TargetSpec(self.method, self.dim)

    @property
    def options(self) -> AlsOptions | PmiOptions:
        """Parameters, checked.

        Raises
        ------
        RequestError
            If the method has no such parameter, or a value does not fit.
        """
        said = {"dim": self.dim, "seed": self.seed, **self.given}
        told = [f"{name}={value!r}" for name, value in said.items()]
        if self.method == "als":
            return parse_options(AlsOptions, told, self.method)
        return parse_options(PmiOptions, told, self.method)


@dataclass(frozen=True)
class FactorizeResult:
    """What was written, or was there already."""

    manifest: FactorManifest
    files: list[Path]
    made: bool
    replaced_under: list[str]  # models that were trained on what was replaced
    settings: list[str]  # of feature vectors, that a network could learn the factors from


class FoldIn(Protocol):
    """Gives factors to further items."""

    def __call__(self, counts: csr_array, /) -> Factors:
        """Solve for ``(items, users or labels)``; returns ``(items, dim)``."""


@dataclass(frozen=True)
class LearntFactors:
    """What was learnt from the train items alone."""

    items: Factors
    columns: Factors
    fold_in: FoldIn
    correlation: float | None  # of popularity and norm
    idle: dict[str, int]  # train, and users or labels → those without any


def factorize(
    workspace: WorkspacePaths, asked: FactorizeRequest, *, progress: Progress = UNWATCHED
) -> FactorizeResult:
    """Factorize the train matrix of a dataset, and fold in the val and test items.

    Factors of train items and of users, or labels, know nothing of val and test items. All files
    are written before any takes its place; older ones are gone before the first new one is there.

    Parameters
    ----------
    workspace
        Where the ids and the matrices are.
    asked
        The dataset, the method and its parameters.
    progress
        Told of each iteration, and of users and items that have nothing.

    Raises
    ------
    RequestError
        If there is no such dataset or parameter, it is not clear what to factorize, other factors
        of the same name are there, or another command is making them.
    DataError
        If a matrix is missing, damaged, or out of step with the ids, or too small for so many
        factors.
    TrainingError
        If the factors diverge.
    """
    options = asked.options
    _check(asked)
    dataset = Dataset(workspace.scan(), asked.dataset)
    source: InteractionKind | None = "plays" if asked.method == "als" else asked.source
    counts = load_interactions(dataset, source)
    places = factor_files(dataset, asked.targets, counts)
    with locked(places.lock):
        dataset = Dataset(workspace.scan(), asked.dataset)
        names = [path.name for path in (*places.factors, places.manifest)]
        remove_leftovers(places.manifest.parent, names)
        recipe = factor_recipe(dataset, asked.method, counts, options.model_dump(mode="json"))
        known = reusable_factors(dataset, places, recipe, force=asked.force)
        if known is not None:
            _tell_of_best(known, progress)
            return _result(dataset, places, known)
        _check_rank(asked, counts)
        _tell_before(asked, counts, progress)
        learnt = _learn(asked, options, counts, progress)
        work = FactorWriter(dataset, places, recipe, counts, asked, progress)
        old = [path for path in places.factors if path.exists()]
        manifest = work.write(learnt)
    _tell_of_best(manifest, progress)
    present = Dataset(workspace.scan(), asked.dataset)
    return _result(present, places, manifest, replaced=old)


def _check(asked: FactorizeRequest) -> None:
    if asked.method == "als" and asked.source == "labels":
        msg = "als factorizes plays, not labels"
        raise RequestError(msg, hint="Use pmi for labels, or leave --from out.")
    if asked.method == "pmi" and asked.threads is not None:
        msg = "pmi works on one thread, whatever --threads says"
        raise RequestError(msg, hint="Leave --threads out.")


def _threads(asked: FactorizeRequest) -> int:
    return 1 if asked.method == "pmi" else asked.threads or cores()


def _fewest(counts: InteractionMatrices) -> tuple[int, str]:
    """Return the smaller side of the train matrix, and what its two sides are."""
    items = counts.items["train"]
    there = f"{items:,} train items and {counts.columns:,} {counts.what}"
    return min(items, counts.columns), there


def _check_rank(asked: FactorizeRequest, counts: InteractionMatrices) -> None:
    """Make sure that a decomposition has so many factors."""
    fewest, there = _fewest(counts)
    if asked.method == "pmi" and asked.dim >= fewest:
        msg = f"{asked.dataset} has {there}, too few for {asked.dim} PMI factors"
        most = f"Ask for at most {fewest - 1:,}: --dim {fewest - 1}"
        raise DataError(msg, hint=most if fewest > 1 else "There is nothing to factorize.")


def _tell_before(asked: FactorizeRequest, counts: InteractionMatrices, progress: Progress) -> None:
    fewest, there = _fewest(counts)
    if asked.dim > fewest:
        progress.warn(f"{asked.dim} factors of {there} say no more than {fewest:,} do")
    for split in counts.items:
        if split not in counts.paths:
            what = "targets" if split == "val" else "true factors, and no oracle row"
            progress.say(f"the {split} items have no {counts.source}: no {what} of theirs")


def _tell_of_best(manifest: FactorManifest, progress: Progress) -> None:
    dim = int(manifest.recipe.options["dim"])
    told = worse_than_chance(manifest.oracle, manifest.random, manifest.recipe.source, dim)
    if told:
        progress.warn(told)


def _result(
    dataset: Dataset,
    places: FactorFiles,
    manifest: FactorManifest,
    replaced: list[Path] | None = None,
) -> FactorizeResult:
    words = word_settings(dataset)
    return FactorizeResult(
        manifest,
        [*places.factors, places.manifest],
        made=replaced is not None,
        replaced_under=models_that_learnt(dataset.workspace, replaced or []),
        settings=[name for name in dataset.complete_settings if name not in words],
    )


def _learn(
    asked: FactorizeRequest,
    options: AlsOptions | PmiOptions,
    counts: InteractionMatrices,
    progress: Progress,
) -> LearntFactors:
    """Factorize the train matrix."""
    train = counts.read("train")
    popularity = np.bincount(train.indices, minlength=counts.columns)
    of_items = np.diff(train.indptr)
    items, columns, fold_in = (
        _als(train, options, _threads(asked), progress)
        if isinstance(options, AlsOptions)
        else _pmi(train, options, progress)
    )
    idle = {
        "train": _count_idle(progress, counts, "train", of_items, items),
        counts.what: _count_idle(progress, counts, counts.what, popularity, columns),
    }
    judged = (of_items, items) if counts.source == "plays" else (popularity, columns)
    correlation = spearman(judged[0], np.linalg.norm(judged[1], axis=1))
    return LearntFactors(
        items, columns, fold_in, None if math.isnan(correlation) else correlation, idle
    )


def _als(
    train: csr_array, options: AlsOptions, threads: int, progress: Progress
) -> tuple[Factors, Factors, FoldIn]:
    with progress.task("factorizing", options.iterations) as task:
        found = als(train, options, threads=threads, on_iteration=task.advance)
    return found.items, found.users, lambda counts: found.fold_in(counts, options)


def _pmi(
    train: csr_array, options: PmiOptions, progress: Progress
) -> tuple[Factors, Factors, FoldIn]:
    expected = 6 * options.dim  # of products; how many it takes shows only in the end
    with progress.task("factorizing", expected) as task:
        found = pmi(
            train, dim=options.dim, seed=options.seed, shift=options.shift, on_product=task.advance
        )
    return found.items, found.contexts, found.fold_in


def _count_idle(
    progress: Progress,
    counts: InteractionMatrices,
    which: str,
    has: NDArray[np.integer],
    factors: Factors,
) -> int:
    """Count those that have nothing, and tell of all whose factors are zero.

    Parameters
    ----------
    progress, counts
        Who is told, and of what.
    which
        A split, or users or labels.
    has
        How many plays or labels each has.
    factors
        A row for each.
    """
    idle, total = has == 0, f"{len(has):,} {which}"
    lack = "train plays" if counts.source == "plays" else "train item"
    if which in counts.items:
        total, lack = f"{total} items", counts.source
    others = "train items" if which == counts.what else counts.what
    blank = ~factors.any(axis=1) & ~idle
    for some, why in ((idle, lack), (blank, f"mutual information with any of the {others}")):
        if some.any():
            progress.warn(f"{np.count_nonzero(some):,} of {total} have no {why}: zero factors")
    return int(idle.sum())


@dataclass(frozen=True)
class FactorWriter:
    """Writes what was learnt, with the further items folded in, and judges it."""

    dataset: Dataset
    places: FactorFiles
    recipe: FactorRecipe
    counts: InteractionMatrices
    asked: FactorizeRequest
    progress: Progress

    def write(self, learnt: LearntFactors) -> FactorManifest:
        """Write everything beside its place, and put it there in the end."""
        with defer_interrupts() as check, ExitStack() as stack:
            # the last to be written is the first to take its place
            written = {
                path: stack.enter_context(atomic_write(path)) for path in self.places.factors
            }
            last = stack.enter_context(atomic_write(self.places.manifest))
            idle = self._write_factors(learnt, written, check)
            best = self._judge(written)
            manifest = self._manifest(learnt, written, idle, best)
            last.write_text(manifest_json(manifest), encoding="utf-8", newline="\n")
            check()
            for path in (*self.places.factors, self.places.manifest):
                path.unlink(missing_ok=True)  # so that old and new ones are never side by side
        return manifest

    def _write_factors(
        self, learnt: LearntFactors, written: Mapping[Path, Path], check: Callable[[], None]
    ) -> dict[str, int]:
        np.save(written[self.places.columns], learnt.columns, allow_pickle=False)
        np.save(written[self.places.items["train"]], learnt.items, allow_pickle=False)
        idle = dict(learnt.idle)
        for split, place in self.places.items.items():
            if split != "train":
                idle[split] = self._fold_in(split, written[place], learnt.fold_in, check)
        return idle

    def _fold_in(self, split: str, path: Path, fold_in: FoldIn, check: Callable[[], None]) -> int:
        """Write the factors of the items of one split; return how many have nothing."""
        further = self.counts.read(split)
        shape = (further.shape[0], self.asked.dim)
        rows = open_memmap(path, "w+", np.float32, shape)
        with self.progress.task(f"folding in the {split} items", shape[0]) as task:
            for some in _blocks(shape[0]):
                rows[some] = fold_in(csr_array(further[some]))
                task.advance(some.stop - some.start)
                check()
        rows.flush()
        return _count_idle(self.progress, self.counts, split, np.diff(further.indptr), rows)

    def _judge(self, written: Mapping[Path, Path]) -> UpperBound:
        if "test" not in self.places.items:
            return UpperBound()
        return upper_bound(
            with_new_factors(self.dataset, self.asked.targets, written),
            self.asked.targets,
            self.counts.source,
            true=written[self.places.items["test"]],
            seed=self.asked.seed,
            progress=self.progress,
        )

    def _manifest(
        self,
        learnt: LearntFactors,
        written: Mapping[Path, Path],
        idle: dict[str, int],
        best: UpperBound,
    ) -> FactorManifest:
        workspace = self.dataset.workspace
        return FactorManifest(
            recipe=self.recipe,
            threads=_threads(self.asked),
            versions=factorizer_versions(),
            outputs={
                data_path(workspace, path): digest(beside) for path, beside in written.items()
            },
            items=dict(self.counts.items),
            columns=self.counts.columns,
            without=idle,
            oracle=best.oracle,
            random=best.random,
            popularity_and_norm=learnt.correlation,
        )


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + ROWS_AT_ONCE, rows)) for start in range(0, rows, ROWS_AT_ONCE))
