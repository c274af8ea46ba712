"""What is done to a dataset, done to each of several folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tartarus_cli.data.folds import find_folds
from tartarus_cli.distribution import staying_connected
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import Progress

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class FoldResults(Generic[ResultT]):
    """What was done to each fold of a name."""

    name: str
    """What the folds have in common."""
    results: dict[str, ResultT]
    """Dataset of a fold → result, in the order of the folds."""


def for_each_fold(
    workspace: WorkspacePaths,
    name: str,
    work: Callable[[str], ResultT],
    progress: Progress,
    cluster: str | None = None,
) -> ResultT | FoldResults[ResultT]:
    """Do something to a dataset; or to each fold, if its name is that of folds.

    Folds are worked on one after the other, and each is a dataset of its own: nothing that one
    learns from its train items reaches another one.

    Parameters
    ----------
    workspace
        The workspace.
    name
        The dataset, or the name that folds have in common.
    work
        What is done, to the dataset of a name.
    progress
        Reports which fold is being worked on.
    cluster
        The cluster that the work is shared out on, whose workers stay from fold to fold.

    Raises
    ------
    TartarusError
        If it fails for one; what was done to those before stays.
    """
    folds = find_folds(workspace, name)
    if folds is None:
        return work(name)
    results = {}
    with staying_connected(cluster, progress):
        for number, fold in enumerate(folds.datasets, 1):
            progress.say(f"{fold} ({number} of {len(folds.folds)})")
            results[fold] = work(fold)
    return FoldResults(name, results)
