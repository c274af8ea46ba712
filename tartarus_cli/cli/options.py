"""Arguments and options that several commands share, and what completes them in the shell."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from tartarus_cli.plugins import CodeFile
    from tartarus_cli.workspace import Workspace


class ListsByDefault(TyperGroup):
    """A group of commands of which ``list`` is meant if none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``list`` before the options, unless a command or help is asked for."""
        named = args and (not args[0].startswith("-") or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["list", *args])


class SliceName(StrEnum):
    """What users or items are cut into quantiles by."""

    user_activity = "user-activity"
    item_popularity = "item-popularity"


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


def _complete_from(names: Callable[[Workspace | None], list[str]]) -> Callable[[str], list[str]]:
    """Turn a list of names into a shell completion; there may be no workspace."""

    def complete(incomplete: str) -> list[str]:
        from tartarus_cli.errors import TartarusError
        from tartarus_cli.workspace import open_workspace

        named = os.environ.get("TARTARUS_WORKSPACE")
        try:
            workspace = open_workspace(Path(named) if named else None)
        except TartarusError:
            workspace = None
        return [name for name in names(workspace) if name.startswith(incomplete)]

    return complete


def _experiments(workspace: Workspace | None) -> list[str]:
    presets = Path(__file__).parent.parent / "experiments" / "presets"
    folders = [presets, workspace.experiments] if workspace else [presets]
    return sorted(path.stem for folder in folders for path in folder.glob("*.toml"))


def _settings(workspace: Workspace | None) -> list[str]:
    if workspace is None:
        return []
    inventory = workspace.scan()
    return sorted(
        {setting for name in inventory.datasets() for setting in inventory.settings(name)}
    )


def _datasets(workspace: Workspace | None) -> list[str]:
    return workspace.scan().datasets() if workspace else []


def _models(workspace: Workspace | None) -> list[str]:
    return sorted(path.name for path in workspace.models.glob("model_*")) if workspace else []


def _results(workspace: Workspace | None) -> list[str]:
    folder = workspace.data / "results" if workspace else None
    return sorted(path.stem for path in folder.glob("*.json")) if folder else []


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
        autocompletion=_complete_from(_experiments),
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SETTING...",
        help="The feature matrices to feed it.",
        autocompletion=_complete_from(_settings),
        show_default=False,
    ),
]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A model, such as model_1.", autocompletion=_complete_from(_models)
    ),
]
ComparedModels = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL",
        help="Models, or names of results, the reference first.",
        autocompletion=_complete_from(_results),
        show_default=False,
    ),
]
NewestModel = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        help="A model, such as model_1; the newest if none is named.",
        autocompletion=_complete_from(_models),
        show_default=False,
    ),
]
DatasetName = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help="Apply the experiment to another dataset than its own.",
        autocompletion=_complete_from(_datasets),
        show_default=False,
    ),
]
OneDataset = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATASET]",
        help="The dataset; all of them if none is named.",
        autocompletion=_complete_from(_datasets),
        show_default=False,
    ),
]
DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATASET", help="The dataset.", autocompletion=_complete_from(_datasets)
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Override a parameter of the experiment; may be repeated.",
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
