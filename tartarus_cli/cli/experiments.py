"""``tartarus experiments``."""

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.explained import explained
from tartarus_cli.cli.options import (
    Code,
    DatasetName,
    ExperimentName,
    Json,
    ListsByDefault,
    Overrides,
    Root,
)

app = typer.Typer(cls=ListsByDefault, help="The presets and the workspace's own experiments.")


@app.command("list")
@explained
def list_(*, code: Code = None, workspace: Root = None, json: Json = False) -> None:
    """List all experiments."""
    from tartarus_cli.api.experiments import list_experiments

    render.experiments(list_experiments(code=code or (), workspace=workspace), json=json)


@app.command()
@explained
def show(
    name: ExperimentName,
    *,
    dataset: DatasetName = None,
    overrides: Overrides = None,
    code: Code = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Show every parameter of an experiment, inherited ones and defaults included."""
    from tartarus_cli.api.experiments import show_experiment

    experiment = show_experiment(
        name, dataset=dataset, overrides=overrides or (), code=code or (), workspace=workspace
    )
    render.experiment(experiment, json=json)
