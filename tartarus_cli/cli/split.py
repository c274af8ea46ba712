"""``tartarus split``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import Encoding, Json, Root, Seed
from tartarus_cli.cli.signatures import panels


class DivisionName(StrEnum):
    """How items are divided."""

    ITEM = "item"
    ARTIST = "artist"
    TIME = "time"
    LABEL = "label"


def _column(name: str, of: str) -> Any:
    return typer.Option(
        name,
        metavar="NAME",
        help=f"The column of {of}. Guessed where its name leaves no doubt.",
        show_default=False,
    )


def _least(name: str, of: str) -> Any:
    return typer.Option(name, metavar="N", min=1, help=of, show_default=False)


def _ids(name: str) -> Any:
    return typer.Option(
        f"--{name}-ids",
        metavar="FILE",
        help=f"The ids of the {name} items, one a line, instead of drawing them.",
        show_default=False,
    )


Name = Annotated[str, typer.Argument(metavar="DATASET", help="What the dataset will be called.")]
PlaysTable = Annotated[
    Path | None,
    typer.Option(
        "--plays",
        metavar="FILE",
        help="Who played what, a row a play or a count: .csv, .tsv (also compressed) or .parquet.",
    ),
]
LabelsTable = Annotated[
    Path | None,
    typer.Option(
        "--labels", metavar="FILE", help="Which item has which label: one row a label, or --wide."
    ),
]
Wide = Annotated[
    bool, typer.Option("--wide", help="The table of labels has one column a label, of 0 and 1.")
]
NoHeader = Annotated[
    bool,
    typer.Option(
        "--no-header",
        help="The first line holds no names: columns are called 1, 2, …; user, item, count.",
    ),
]
SkipEmpty = Annotated[
    bool,
    typer.Option(
        "--skip-empty", help="Leave out rows without a user, item, artist or label; count them."
    ),
]
LabelSeparator = Annotated[
    str | None,
    typer.Option(
        "--label-separator",
        metavar="SIGN",
        help="What stands between several labels in one cell, such as '|'.",
        show_default=False,
    ),
]
Division = Annotated[
    DivisionName | None,
    typer.Option(
        "--by",
        help="item: drawn (default); artist: no artist in two sets; time: those first played last "
        "are test (whatever the filters leave out later); label: each label in proportion (default "
        "for labels).",
        show_default=False,
    ),
]
Share = Annotated[
    float | None,
    typer.Option("--test", metavar="SHARE", min=0, max=1, help="Share of the test items (0.2)."),
]
ValShare = Annotated[
    float | None,
    typer.Option("--val", metavar="SHARE", min=0, max=1, help="Share of the val items (0.1)."),
]
Cut = Annotated[
    str | None,
    typer.Option(
        "--cut",
        metavar="DATE",
        help="With --by time: items first played before it are train (the last, --val SHARE, val), "
        "those first played from it on test. A date (UTC, if it names no zone), or a number as "
        "in the column of times.",
        show_default=False,
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="DATE",
        help="With --cut: leave out the items first played from this time on.",
        show_default=False,
    ),
]
DropLater = Annotated[
    bool,
    typer.Option(
        "--drop-later",
        help="With --cut: drop plays of train and val items from the cut on (of test items from "
        "--until on), then users without a train play, until this and the filters hold for all.",
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        "--folds",
        metavar="N",
        help="Divide the items into N folds, --by item, artist or label: datasets DATASET-fold1 "
        "and so on, each with val items of its own; each item is a test item once. 'run --folds' "
        "and the commands that prepare data take DATASET.",
        show_default=False,
    ),
]
FoldsFrom = Annotated[
    Path | None,
    typer.Option(
        "--folds-from",
        metavar="FILE",
        help="A table of the fold of each item (such as a published one), instead of drawing them.",
        show_default=False,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Recreate the dataset; files that no longer fit its sets are backed up, not deleted.",
    ),
]


@panels(
    {
        "Columns of the tables": (
            *("user", "item", "count", "time", "artist", "label", "label_item"),
            *("wide", "no_header", "skip_empty"),
        ),
        "Cells of the tables": ("encoding", "label_separator"),
        "Filters": ("min_plays", "min_users", "min_items", "core", "min_items_per_label"),
        "Train, val and test items": (
            *("by", "test", "val", "cut", "until", "drop_later"),
            *("train_ids", "val_ids", "test_ids", "seed"),
        ),
        "Folds": ("folds", "folds_from", "fold"),
    }
)
def split(
    dataset: Name,
    *,
    plays: PlaysTable = None,
    labels: LabelsTable = None,
    user: Annotated[str | None, _column("--user", "users")] = None,
    item: Annotated[str | None, _column("--item", "items")] = None,
    count: Annotated[str | None, _column("--count", "numbers of plays")] = None,
    time: Annotated[str | None, _column("--time", "times, for --by time")] = None,
    artist: Annotated[
        str | None,
        _column(
            "--artist",
            "artists, for --by artist, for artist_mean, to tell items of known and new ones apart",
        ),
    ] = None,
    label: Annotated[str | None, _column("--label", "labels")] = None,
    label_item: Annotated[
        str | None,
        _column("--label-item", "items in the table of labels"),
    ] = None,
    wide: Wide = False,
    no_header: NoHeader = False,
    skip_empty: SkipEmpty = False,
    encoding: Encoding = None,
    label_separator: LabelSeparator = None,
    min_plays: Annotated[int | None, _least("--min-plays", "Least plays of a pair.")] = None,
    min_users: Annotated[int | None, _least("--min-users", "Least users of an item.")] = None,
    min_items: Annotated[int | None, _least("--min-items", "Least items of a user.")] = None,
    core: Annotated[int | None, _least("--core", "Both, until it holds for all (k-core).")] = None,
    min_items_per_label: Annotated[
        int | None, _least("--min-items-per-label", "Least items of a label.")
    ] = None,
    by: Division = None,
    test: Share = None,
    val: ValShare = None,
    cut: Cut = None,
    until: Until = None,
    drop_later: DropLater = False,
    train_ids: Annotated[Path | None, _ids("train")] = None,
    val_ids: Annotated[Path | None, _ids("val")] = None,
    test_ids: Annotated[Path | None, _ids("test")] = None,
    folds: Folds = None,
    folds_from: FoldsFrom = None,
    fold: Annotated[str | None, _column("--fold", "folds, in the table of folds")] = None,
    force: Force = False,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Make a dataset from a table of plays or labels: ids, matrices, and sets of cold items."""
    from tartarus_cli.api.data import split as make
    from tartarus_cli.splitting.split import SplitResult
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    result = make(
        dataset,
        plays=plays,
        labels=labels,
        user=user,
        item=item,
        count=count,
        time=time,
        artist=artist,
        label=label,
        label_item=label_item,
        wide=wide,
        header=not no_header,
        skip_empty=skip_empty,
        encoding=encoding,
        label_separator=label_separator,
        min_plays=min_plays,
        min_users=min_users,
        min_items=min_items,
        core=core,
        min_items_per_label=min_items_per_label,
        by=by.value if by else None,
        test=test,
        val=val,
        cut=cut,
        until=until,
        drop_later=drop_later,
        train_ids=train_ids,
        val_ids=val_ids,
        test_ids=test_ids,
        folds=folds,
        folds_from=folds_from,
        fold=fold,
        force=force,
        seed=seed,
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    if isinstance(result, SplitResult):
        render.split_result(root, result, json=json)
    else:
        render.folded_split_result(root, result, json=json)
