"""Papers, and what comes out when their experiments are run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tartarus_cli.api.arguments import WorkspaceLike, path_of, workspace_of
from tartarus_cli.api.progress import ProgressOption, shown
from tartarus_cli.errors import RequestError

if TYPE_CHECKING:
    from tartarus_cli.reproducing.estimates import Estimate
    from tartarus_cli.reproducing.report import Reproduction
    from tartarus_cli.reproducing.reproduce import ListedPaper


def reproduce(
    paper: str,
    *,
    only: Sequence[str] = (),
    dry_run: bool = False,
    plays: Path | str | None = None,
    seed: int | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> Reproduction | Estimate:
    """Run the experiments of a paper: the published figures, ours, and all that differs.

    Models that were trained as it asks for are used again.

    Parameters
    ----------
    paper
        One of the package's, or of the workspace's folder ``papers``.
    only
        Rows of its table; all if none is named.
    dry_run
        Estimate time, memory and disk instead; nothing is written.
    plays
        A table of plays, with users, items, times and artists, where the paper's dataset is made of
        one: it is divided by the paper's windows of time first.
    seed
        Of the models; the paper's if None.
    workspace
        Where the data is, and the models go.
    progress
        Told of each row.

    Raises
    ------
    RequestError
        If there is no such paper or row, or its file asks for what does not exist.
    DataError
        If data of the paper is missing, damaged or out of step; the hint says how to get it.
    TrainingError
        If a training diverges.
    """
    from tartarus_cli.reproducing import estimates
    from tartarus_cli.reproducing import reproduce as reproducing

    request = reproducing.ReproduceRequest(paper, tuple(only), seed, path_of(plays))
    with shown(progress) as watcher:
        root = workspace_of(workspace)
        if dry_run:
            return estimates.estimate(root, request, progress=watcher)
        return reproducing.reproduce(root, request, progress=watcher)


def list_papers(*, workspace: Path | str | None = None) -> list[ListedPaper]:
    """Return all papers that can be reproduced, and what a workspace lacks for each.

    Parameters
    ----------
    workspace
        The workspace; the nearest one if None. Where there is none, only the papers are listed.

    Raises
    ------
    RequestError
        If a folder is named that is no workspace.
    """
    from tartarus_cli.reproducing.reproduce import list_papers as list_all

    try:
        root = workspace_of(workspace)
    except RequestError:
        if workspace is not None:
            raise
        return list_all(None)
    return list_all(root)
