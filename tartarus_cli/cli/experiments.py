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
    run_code,
)

app = typer.Typer(cls=ListsByDefault, help="The presets and the workspace's own experiments.")


@app.command("list")
@explained
def list_(*, code: Code = None, workspace: Root = None, json: Json = False) -> None:
    """List all experiments."""
    from tartarus_cli.experiments.request import list_experiments

    run_code(code)
    render.experiments(list_experiments(workspace), json=json)


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
    from tartarus_cli.experiments.request import show_experiment

    run_code(code)
    experiment = show_experiment(workspace, name, dataset=dataset, overrides=overrides or ())
    render.experiment(experiment, json=json)
