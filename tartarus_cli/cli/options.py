"""Arguments and options that several commands share, and what completes them in the shell."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tartarus_cli.workspace import Workspace


class Split(StrEnum):
    """Sets of items."""

    train = "train"
    val = "val"
    test = "test"
    all = "all"


def _completed(names: Callable[[Workspace], list[str]]) -> Callable[[str], list[str]]:
    """Turn a list of names into a shell completion; where there is no workspace, of nothing."""

    def complete(incomplete: str) -> list[str]:
        from tartarus_cli.errors import TartarusError
        from tartarus_cli.workspace import open_workspace

        named = os.environ.get("TARTARUS_WORKSPACE")
        try:
            known = names(open_workspace(Path(named) if named else None))
        except TartarusError:
            return []
        return [name for name in known if name.startswith(incomplete)]

    return complete


def _experiments(workspace: Workspace) -> list[str]:
    presets = Path(__file__).parent.parent / "experiments" / "presets"
    paths = [*presets.glob("*.toml"), *workspace.experiments.glob("*.toml")]
    return sorted(path.stem for path in paths)


def _settings(workspace: Workspace) -> list[str]:
    inventory = workspace.scan()
    return sorted({each for name in inventory.datasets() for each in inventory.settings(name)})


def _datasets(workspace: Workspace) -> list[str]:
    return workspace.scan().datasets()


def _models(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in workspace.models.glob("model_*"))


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
        autocompletion=_completed(_experiments),
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SETTING...",
        help="The feature matrices to feed it.",
        autocompletion=_completed(_settings),
        show_default=False,
    ),
]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A model, such as model_1.", autocompletion=_completed(_models)
    ),
]
NewestModel = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        help="A model, such as model_1; the newest if none is named.",
        autocompletion=_completed(_models),
        show_default=False,
    ),
]
DatasetName = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help="Apply the experiment to another dataset than its own.",
        autocompletion=_completed(_datasets),
        show_default=False,
    ),
]
OneDataset = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATASET]",
        help="The dataset; all of them if none is named.",
        autocompletion=_completed(_datasets),
        show_default=False,
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
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", min=0, help="Seed of everything drawn. [default: 0]", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
CutOffs = Annotated[
    list[int] | None,
    typer.Option("--k", min=1, help="A further k to cut rankings at; may be repeated."),
]
Users = Annotated[
    str | None,
    typer.Option("--users", metavar="A:B", help="Evaluate these users only, counted from 0."),
]
Published = Annotated[
    bool, typer.Option("--published", help="Add the nDCG of the papers, to compare with them.")
]
