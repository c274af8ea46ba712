"""Arguments and options that several commands share, and what completes them in the shell."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from tartarus_cli.cli import completion
from tartarus_cli.cli.completion import completing

if TYPE_CHECKING:
    from tartarus_cli.plugins import CodeFile


class ListsByDefault(TyperGroup):
    """A group of commands of which ``list`` is meant if none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``list`` before the options, unless a command or help is asked for."""
        if ctx.resilient_parsing:  # the shell asks which commands there are
            return super().parse_args(ctx, args)
        named = args and (not args[0].startswith("-") or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["list", *args])


class SliceName(StrEnum):
    """What users, items or plays are cut by."""

    user_activity = "user-activity"
    item_popularity = "item-popularity"
    known_artist = "known-artist"
    discovery = "discovery"
    modality = "modality"


class Split(StrEnum):
    """Sets of items."""

    train = "train"
    val = "val"
    test = "test"
    all = "all"


class PoolName(StrEnum):
    """How the rows of an item's patches become one."""

    mean = "mean"
    max = "max"


class PoolOrNot(StrEnum):
    """The same, or not at all."""

    mean = "mean"
    max = "max"
    none = "none"


def parameter_option(names: str) -> Any:
    """Return the option ``--set``; its help lists the ``names`` of the parameters."""
    text = f"Override a parameter; may be repeated. {names}."
    return typer.Option("--set", metavar="KEY=VALUE", help=text, show_default=False)


def run_code(files: list[Path] | None) -> tuple[CodeFile, ...]:
    """Run the files of ``--code``."""
    from tartarus_cli.plugins import run_files

    return run_files(files)


Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="The encoding of what is not in UTF-8 and has no byte-order mark, such as cp1252.",
        show_default=False,
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        envvar="TARTARUS_WORKSPACE",
        help="The workspace, or a data folder; else the nearest one from here upwards.",
        show_default=False,
    ),
]
ExperimentName = Annotated[
    str,
    typer.Argument(
        metavar="EXPERIMENT",
        help="A preset or one of the workspace's own; see 'tartarus experiments list'.",
        autocompletion=completing(completion.experiments),
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SETTING...",
        help="The feature matrices to feed it.",
        autocompletion=completing(completion.settings),
        show_default=False,
    ),
]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model, such as model_1.",
        autocompletion=completing(completion.models),
    ),
]
ComparedModels = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL",
        help="Models, groups, or names of results, the reference first; or one model, for the rows "
        "of its ablation.",
        autocompletion=completing(completion.results),
        show_default=False,
    ),
]
NewestModel = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        help="A model, such as model_1; the newest if none is named.",
        autocompletion=completing(completion.models),
        show_default=False,
    ),
]
NewestModelOrGroup = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL|GROUP]",
        help="A model, such as model_1, or a group; the newest model if none is named.",
        autocompletion=completing(completion.models_and_groups),
        show_default=False,
    ),
]
DatasetName = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help="Apply the experiment to another dataset than its own.",
        autocompletion=completing(completion.datasets),
        show_default=False,
    ),
]
OneDataset = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATASET]",
        help="The dataset; all of them if none is named.",
        autocompletion=completing(completion.datasets),
        show_default=False,
    ),
]
DatasetArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATASET]",
        help="The dataset; the workspace's default, or its only one, if none is named.",
        autocompletion=completing(completion.datasets),
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Override a parameter of the experiment; may be repeated.",
        autocompletion=completing(completion.overrides),
        show_default=False,
    ),
]
Code = Annotated[
    list[Path] | None,
    typer.Option(
        "--code",
        metavar="FILE",
        help="Run a Python file, whose networks, metrics and the like can then be used; may be "
        "repeated.",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        help="Seed of everything drawn (default: the workspace's, else 0).",
        show_default=False,
    ),
]
Folds = Annotated[
    bool,
    typer.Option(
        "--folds",
        help="A model for each fold of --dataset, as 'split --folds' made them: figures over all "
        "items once, where they are classified, and the mean and standard deviation over folds.",
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="N|A,B,...",
        help="Train with several seeds, as one group: 5 are those from 0 to 4. Figures are means "
        "with standard deviations; the same command goes on after an interruption.",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Only say what would be done, with time, memory and disk, from a few measured steps; "
        "nothing is written.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        help="Write what happens, with times, to the end of this file.",
        show_default=False,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Print on standard error what a log has, and the files read and written.",
    ),
]
CutOffs = Annotated[
    list[int] | None,
    typer.Option(
        "--k", min=1, max=1_000_000, help="A further k to cut rankings at; may be repeated."
    ),
]
Users = Annotated[
    str | None,
    typer.Option("--users", metavar="A:B", help="Evaluate these users only, counted from 0."),
]
Published = Annotated[
    bool, typer.Option("--published", help="Add the nDCG of the papers, to compare with them.")
]


class TiesName(StrEnum):
    """How ties are broken."""

    drawn = "drawn"
    published = "published"


Ties = Annotated[
    TiesName,
    typer.Option(
        "--ties",
        help="Equal scores keep an order drawn from the seed, or that of the list of items.",
    ),
]
Baselines = Annotated[
    bool,
    typer.Option(
        "--baselines", help="Train and evaluate simple baselines too, as rows under the model."
    ),
]
Ablate = Annotated[
    bool,
    typer.Option(
        "--ablate",
        help="Also train each setting alone, all but each, and shuffled ones; what is trained "
        "already is used again.",
    ),
]
Memory = Annotated[
    str,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Room for scores and factors, beside the files, which are read as needed.",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where an interrupted evaluation stopped.")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        max=1024,
        help="Processes (default: one for each core).",
        show_default=False,
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="local|ADDRESS|FILE.toml",
        help="Share the work out to processes here, to the workers of a Dask scheduler, or to jobs "
        "of a batch system that a file describes.",
        show_default=False,
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="N/OF",
        help="Do only every OF-th part of the work, from the N-th on, such as 2/8: shards may be "
        "done at once, on machines that share the workspace. The same command without it joins "
        "them.",
        show_default=False,
    ),
]


def _prepare_device(device: str) -> str:
    """Leave cards alone if none is wanted."""
    from tartarus_cli.devices import spare_accelerators

    spare_accelerators(device)
    return device


Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|gpu|gpu:N",
        help="Where to compute; auto: on a GPU that JAX can use, if there is one "
        "(see 'tartarus doctor').",
        callback=_prepare_device,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.1,
        help="Give up on a recording after so many seconds (default: 300).",
        show_default=False,
    ),
]
Pooled = Annotated[PoolName, typer.Option("--pool", help="How an item's patches become one row.")]
PooledOrNot = Annotated[
    PoolOrNot,
    typer.Option("--pool", help="How an item's patches become one row; none: each keeps its own."),
]
