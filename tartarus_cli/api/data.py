"""From tables, recordings and texts to datasets and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tartarus_cli import workspace as workspaces
from tartarus_cli.api.arguments import (
    Code,
    TimeLike,
    WorkspaceLike,
    path_of,
    run_code,
    text_of_time,
    workspace_of,
)
from tartarus_cli.api.folds import FoldResults, for_each_fold
from tartarus_cli.api.progress import ProgressOption, shown
from tartarus_cli.errors import RequestError
from tartarus_cli.fetching.catalogue import ZENODO
from tartarus_cli.workspace import Workspace

if TYPE_CHECKING:
    from tartarus_cli.checking.check import CheckResult
    from tartarus_cli.factors.factorize import FactorizeResult
    from tartarus_cli.fetching.fetch import FetchResult
    from tartarus_cli.splitting.folds import FoldedSplitResult
    from tartarus_cli.splitting.split import SplitResult


def open_workspace(path: Path | str | None = None) -> Workspace:
    """Return the workspace at a path, or the nearest one from the current folder upwards.

    Raises
    ------
    RequestError
        If there is none.
    """
    return workspaces.open_workspace(path_of(path))


def init(
    path: Path | str, *, example: bool = False, seed: int = 0, progress: ProgressOption = "auto"
) -> Workspace:
    """Make a workspace in a new or empty folder, and return it; what is there stays as it is.

    Parameters
    ----------
    path
        The folder.
    example
        Add a small synthetic world to try everything in.
    seed
        Of the example world.
    progress
        Told how it goes.

    Raises
    ------
    RequestError
        If the folder holds something else.
    """
    from tartarus_cli.example import init as example_init

    with shown(progress) as watcher:
        made = example_init.init(Path(path), example=example, seed=seed, progress=watcher)
    return open_workspace(made.root)


def fetch(
    name: str | None = None,
    *,
    files: Sequence[str] = (),
    archives: Sequence[Path | str] = (),
    keep: bool = True,
    server: str = ZENODO,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> FetchResult:
    """Download published data, unpack it and bring its files into place; go on where it stopped.

    Parameters
    ----------
    name
        A published archive.
    files
        Files of its record; all its archives if none is named.
    archives
        Archives that were downloaded already, instead of a name.
    keep
        Keep the downloaded files.
    server
        Where they are.
    workspace
        Where the files go.
    progress
        Told of each file.

    Raises
    ------
    RequestError
        If there is no such archive or file, or both are named, or none.
    TartarusError
        If the server cannot be reached.
    DataError
        If an archive is damaged, or holds none of the files.
    """
    from tartarus_cli.fetching.catalogue import PUBLISHED, find_archive
    from tartarus_cli.fetching.fetch import FetchRequest, fetch_archives
    from tartarus_cli.fetching.fetch import fetch as download

    if (name is None) == (not archives):
        msg = "the name of a published archive or `archives` is needed, and not both"
        names = ", ".join(archive.name for archive in PUBLISHED)
        raise RequestError(msg, hint=f"Published are {names}.")
    root = workspace_of(workspace)
    with shown(progress) as watcher:
        if name is None:
            return fetch_archives(root, [Path(archive) for archive in archives], progress=watcher)
        request = FetchRequest(find_archive(name), server, tuple(files), keep=keep)
        return download(root, request, progress=watcher)


def check(
    dataset: str | None = None,
    *,
    code: Code = (),
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> CheckResult:
    """Check every file of a dataset, or of all, and how the files fit together.

    Raises
    ------
    RequestError
        If there is no such dataset.
    """
    from tartarus_cli.checking.check import check_data

    with shown(progress) as watcher:
        run_code(code)
        return check_data(workspace_of(workspace), dataset, progress=watcher)


def split(
    dataset: str,
    *,
    plays: Path | str | None = None,
    labels: Path | str | None = None,
    user: str | None = None,
    item: str | None = None,
    count: str | None = None,
    time: str | None = None,
    artist: str | None = None,
    label: str | None = None,
    label_item: str | None = None,
    wide: bool = False,
    header: bool = True,
    skip_empty: bool = False,
    encoding: str | None = None,
    label_separator: str | None = None,
    min_plays: int | None = None,
    min_users: int | None = None,
    min_items: int | None = None,
    core: int | None = None,
    min_items_per_label: int | None = None,
    by: Literal["item", "artist", "time", "label"] | None = None,
    test: float | None = None,
    val: float | None = None,
    cut: TimeLike = None,
    until: TimeLike = None,
    drop_later: bool = False,
    train_ids: Path | str | None = None,
    val_ids: Path | str | None = None,
    test_ids: Path | str | None = None,
    folds: int | None = None,
    folds_from: Path | str | None = None,
    fold: str | None = None,
    force: bool = False,
    seed: int | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> SplitResult | FoldedSplitResult:
    """Make a dataset from a table of plays or labels: ids, matrices, and sets of cold items.

    With ``folds``, there is a dataset for each, ``mine-fold1`` and so on: each item is a test item
    of one of them, no artist has test items in two (by artist), or classes are spread evenly.
    :func:`run` with ``folds=True`` and the preparing functions take the common name, ``mine``.

    Parameters
    ----------
    dataset
        What it will be called.
    plays, labels
        Who played what, a row a play or a count; which item has which label. CSV, TSV or Parquet.
    user, item, count, time, artist, label, label_item
        Columns, by name; guessed where their names leave no doubt.
    wide
        The table of labels has one column a label, of 0 and 1.
    header
        Whether the first line names the columns; else they are called 1, 2, …
    skip_empty
        Leave out rows without an id, instead of refusing them.
    encoding
        Encoding of tables in CSV or TSV that are not in UTF-8 and have no byte-order mark, such as
        ``cp1252``.
    label_separator
        What stands between several labels in one cell, such as ``|``; each cell is one if None.
    min_plays, min_users, min_items, core, min_items_per_label
        What is rarer is left out: plays of a pair, users of an item, items of a user, both of
        these until it holds for all, items of a label.
    by
        How the items are divided: drawn, by artist, by the time of their first play, or each label
        in proportion.
    test, val
        Shares of the items (0.2 and 0.1).
    cut
        By time: items first played before it are train and val items (``val`` is the share of these
        that were first played last), those first played from it on test items. A date, a text such
        as ``"2024-06-01"`` (UTC, if it names no zone), or a number as the column of times has it.
    until
        With ``cut``: leave out the items that are first played from this time on.
    drop_later
        With ``cut``: drop plays of train and val items from the cut on, and of test items from
        ``until`` on; then users without a train play, until this and the filters hold for all.
    train_ids, val_ids, test_ids
        Lists of ids, one a line, instead of drawing them.
    folds
        Into how many folds to divide the items, by item, artist or label; of the items that are not
        test items of a fold, ``val`` (a share of all) are val items, chosen in the same way.
    folds_from, fold
        A table of the fold of each item, such as a published one, instead of drawing them; and its
        column, guessed where its name leaves no doubt.
    force
        Replace a dataset of this name; what no longer fits is backed up.
    seed
        Of the drawing; the workspace's, else 0, if None.
    workspace
        Where the dataset goes.
    progress
        Told how it goes.

    Raises
    ------
    RequestError
        If the options contradict each other, a column is missing, or there is such a dataset.
    DataError
        If a table is damaged; the message names the line.
    """
    from tartarus_cli.data.provenance import Filters
    from tartarus_cli.encodings import check_encoding
    from tartarus_cli.experiments.request import seed_of
    from tartarus_cli.splitting import split as splitting
    from tartarus_cli.splitting.columns import ColumnNames
    from tartarus_cli.splitting.folds import split_folds
    from tartarus_cli.splitting.request import SplitBy, SplitRequest

    root = workspace_of(workspace)
    columns = (user, item, count, time, artist, label, label_item)
    request = SplitRequest(
        dataset=dataset,
        plays=path_of(plays),
        labels=path_of(labels),
        columns=ColumnNames(
            *columns,
            wide=wide,
            header=header,
            skip_empty=skip_empty,
            encoding=check_encoding(encoding),
            label_separator=label_separator,
        ),
        filters=Filters(
            min_items_per_label=min_items_per_label,
            min_plays=min_plays,
            min_users=min_users,
            min_items=min_items,
            core=core,
        ),
        by=SplitBy(by) if by else None,
        val=val,
        test=test,
        cut=text_of_time(cut),
        until=text_of_time(until),
        drop_later=drop_later,
        train_ids=path_of(train_ids),
        val_ids=path_of(val_ids),
        test_ids=path_of(test_ids),
        folds=folds,
        folds_from=path_of(folds_from),
        fold=fold,
        seed=seed_of(root, seed),
        force=force,
    )
    with shown(progress) as watcher:
        if request.folded:
            return split_folds(root, request, progress=watcher)
        return splitting.split(root, request, progress=watcher)


def factorize(
    dataset: str,
    method: Literal["als", "pmi"],
    *,
    dim: int = 200,
    source: Literal["plays", "labels"] | None = None,
    alpha: float | None = None,
    eps: float | None = None,
    regularization: float | None = None,
    iterations: int | None = None,
    shift: float | None = None,
    threads: int | None = None,
    force: bool = False,
    seed: int | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> FactorizeResult | FoldResults[FactorizeResult]:
    """Turn the plays of the train items, or their labels, into the factors that networks learn.

    Parameters
    ----------
    dataset
        Of this workspace.
    method
        Alternating least squares of plays, or shifted pointwise mutual information.
    dim
        Number of factors.
    source
        Which of the two, for ``pmi`` where the dataset has both.
    alpha, eps, regularization, iterations
        Parameters of ``als``.
    shift
        The parameter of ``pmi``.
    threads
        For ``als``; one thread gives the same factors every time.
    force
        Replace other factors of this name.
    seed
        Of the first factors; the workspace's, else 0, if None.
    workspace
        Where the dataset is.
    progress
        Told of each iteration.

    Raises
    ------
    RequestError
        If there is no such dataset or parameter, or there are other factors of this name.
    DataError
        If a matrix is missing or damaged.
    """
    from tartarus_cli.experiments.request import seed_of
    from tartarus_cli.factors.factorize import factorize as factorize_dataset
    from tartarus_cli.factors.request import FactorizeRequest

    root = workspace_of(workspace)
    request = FactorizeRequest(
        dataset=dataset,
        method=method,
        dim=dim,
        source=source,
        threads=threads,
        seed=seed_of(root, seed),
        force=force,
        alpha=alpha,
        regularization=regularization,
        iterations=iterations,
        eps=eps,
        shift=shift,
    )
    with shown(progress) as watcher:
        return for_each_fold(
            root,
            dataset,
            lambda name: factorize_dataset(root, replace(request, dataset=name), progress=watcher),
            watcher,
        )
