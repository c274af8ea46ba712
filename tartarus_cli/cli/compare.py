"""``tartarus compare``."""

from typing import Annotated

import typer

from tartarus_cli.cli import completion, render
from tartarus_cli.cli.completion import completing
from tartarus_cli.cli.options import ComparedModels, Json, Root, Seed
from tartarus_cli.cli.signatures import panels
from tartarus_cli.errors import RequestError

Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        help="A metric to test; may be repeated (default: the main ones of the task).",
        autocompletion=completing(completion.metrics),
        show_default=False,
    ),
]
Resamples = Annotated[
    int,
    typer.Option(
        "--resamples",
        min=100,
        max=10_000_000,
        help="Bootstrap resamples and random sign flips of each test.",
    ),
]
Latex = Annotated[bool, typer.Option("--latex", help="Tables for LaTeX, with booktabs.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Tables in Markdown.")]


@panels({"For a paper": ("latex", "markdown")})
def compare(
    models: ComparedModels,
    *,
    metrics: Metrics = None,
    resamples: Resamples = 10_000,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
    latex: Latex = False,
    markdown: Markdown = False,
) -> None:
    """Print the metrics of several models in one table, and how sure the differences are."""
    form = _form(json=json, latex=latex, markdown=markdown)
    from tartarus_cli.api.results import compare as compute

    result = compute(
        *models,
        metrics=metrics or (),
        resamples=resamples,
        seed=seed,
        workspace=workspace,
        progress=render.ConsoleProgress(),
    )
    render.comparison(result, form)


def _form(**options: bool) -> render.Form:
    """Return the form of the one option that is given, or that of a terminal."""
    forms = [render.Form(name) for name, given in options.items() if given]
    if len(forms) > 1:
        msg = f"{' and '.join(f'--{form}' for form in forms)} exclude each other"
        raise RequestError(msg, hint="Give one of them.")
    return forms[0] if forms else render.Form.terminal
