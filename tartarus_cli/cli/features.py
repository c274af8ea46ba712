"""``tartarus features``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.datasets import dataset_and
from tartarus_cli.cli.options import Cluster, DatasetArgument, Encoding, Json, Root
from tartarus_cli.cli.signatures import panels


class Missing(StrEnum):
    """What becomes of items that have no row."""

    error = "error"
    zero = "zero"
    absent = "absent"


Setting = Annotated[
    str | None,
    typer.Argument(metavar="SETTING", help="What the features will be called.", show_default=False),
]
Source = Annotated[
    Path,
    typer.Option(
        "--from",
        metavar="FILE",
        help="A table (.csv, .tsv, also compressed, or .parquet) of ids and numbers; "
        "or a matrix (.npy, or .npz in CSR format) with --ids.",
        show_default=False,
    ),
]
Ids = Annotated[
    Path | None,
    typer.Option(
        "--ids",
        metavar="FILE",
        help="For a matrix: the id of each row, one a line.",
        show_default=False,
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="NAME",
        help="The column of ids (default: one called id, item, song or the like; else the first).",
        show_default=False,
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="NAME",
        help="A column to leave out; may be repeated.",
        show_default=False,
    ),
]
Tags = Annotated[
    bool,
    typer.Option(
        "--tags", help="The table has a row for each item and tag, and maybe a weight: tf-idf."
    ),
]
TagSeparator = Annotated[
    str | None,
    typer.Option(
        "--tag-separator",
        metavar="SIGN",
        help="With --tags: what stands between several tags in one cell, such as '|'.",
        show_default=False,
    ),
]
FewestItems = Annotated[
    int | None,
    typer.Option(
        "--min-items",
        min=1,
        help="With --tags: train items that a tag has to have (default: 1).",
        show_default=False,
    ),
]
MostTags = Annotated[
    int | None,
    typer.Option(
        "--max-tags",
        min=1,
        max=1 << 26,
        help="With --tags: keep the most common ones (default: 10,000).",
        show_default=False,
    ),
]
WhenMissing = Annotated[
    Missing,
    typer.Option(
        "--missing",
        help="Items without a row: an error, rows of zeros, or items that lack the setting.",
    ),
]
Tolerate = Annotated[
    float | None,
    typer.Option(
        "--tolerate",
        metavar="SHARE",
        min=0,
        max=1,
        help="Items without a row may be at most this share of each set; they get zeros, or lack "
        "the setting with --missing absent (default: 0; with that, 1).",
        show_default=False,
    ),
]
Sparse = Annotated[
    bool | None,
    typer.Option(
        "--sparse/--dense",
        help="How to write them (default: sparse if less than a tenth is not zero).",
        show_default=False,
    ),
]
Scale = Annotated[
    bool,
    typer.Option("--scale", help="Zero mean and unit variance of each column, by train items."),
]
Force = Annotated[bool, typer.Option("--force", help="Write over a setting of that name.")]


@panels(
    {
        "Tables": (
            *("id_column", "without", "encoding"),
            *("tags", "tag_separator", "min_items", "max_tags"),
        ),
        "Items without a row": ("missing", "tolerate"),
        "Values": ("sparse", "scale"),
    }
)
def features(
    dataset: DatasetArgument = None,
    setting: Setting = None,
    *,
    source: Source,
    ids: Ids = None,
    id_column: IdColumn = None,
    without: Without = None,
    encoding: Encoding = None,
    tags: Tags = False,
    tag_separator: TagSeparator = None,
    min_items: FewestItems = None,
    max_tags: MostTags = None,
    missing: WhenMissing = Missing.error,
    tolerate: Tolerate = None,
    sparse: Sparse = None,
    scale: Scale = False,
    force: Force = False,
    cluster: Cluster = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Import features or tags of your own: align them with the items, as a new setting.

    A cluster reads the rows of Parquet files and of .npy matrices in shares; of
    other files, one worker reads all rows. They are aligned and written here.
    """
    from tartarus_cli.api.settings import features as import_features
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    dataset, setting = dataset_and(root, dataset, setting, "name of the setting")
    result = import_features(
        dataset,
        setting,
        source=source,
        ids=ids,
        id_column=id_column,
        without=without or (),
        encoding=encoding,
        tags=tags,
        tag_separator=tag_separator,
        min_items=min_items,
        max_tags=max_tags,
        missing=missing.value,
        tolerate=tolerate,
        sparse=sparse,
        scale=scale,
        force=force,
        cluster=cluster,
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    render.each_fold(result, lambda each: render.features_result(root, each, json=json), json=json)
