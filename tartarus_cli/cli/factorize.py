"""``tartarus factorize``."""

from enum import StrEnum
from typing import Annotated, Literal

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.datasets import dataset_and
from tartarus_cli.cli.options import DatasetArgument, Json, Root, Seed
from tartarus_cli.cli.signatures import panels
from tartarus_cli.errors import RequestError, nearest


class MethodName(StrEnum):
    """How to factorize."""

    als = "als"
    pmi = "pmi"


class From(StrEnum):
    """What to factorize."""

    plays = "plays"
    labels = "labels"


MethodArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="{als|pmi}",
        help="als: alternating least squares of plays; pmi: mutual information of plays or labels.",
        show_default=False,
    ),
]
Dim = Annotated[int, typer.Option("--dim", min=1, max=10_000, help="Number of factors.")]
Source = Annotated[
    From | None,
    typer.Option("--from", help="Where a dataset has both, for pmi.", show_default=False),
]
Alpha = Annotated[
    float | None,
    typer.Option(
        "--alpha",
        help="als: n plays have the confidence 1 + alpha · log(1 + n / eps) (default: 1).",
        show_default=False,
    ),
]
Eps = Annotated[
    float | None, typer.Option("--eps", help="als: see --alpha (default: 1).", show_default=False)
]
Regularization = Annotated[
    float | None,
    typer.Option(
        "--regularization",
        help="als: keeps factors short (default: 0.01).",
        show_default=False,
    ),
]
Iterations = Annotated[
    int | None,
    typer.Option("--iterations", help="als: how many (default: 15).", show_default=False),
]
Shift = Annotated[
    float | None,
    typer.Option(
        "--shift",
        help="pmi: takes log SHIFT from each PMI; 1 takes nothing (default: 1).",
        show_default=False,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        max=1024,
        help="als: threads (default: one for each core); no matter how many, the factors are "
        "the same.",
        show_default=False,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace other factors of the same kind and number.")
]


def _method(name: str) -> Literal["als", "pmi"]:
    """Return the name of a method if there is one of that name."""
    if name not in [*MethodName]:
        msg = f"there is no method called {name!r}"
        raise RequestError(msg, hint=nearest(name, [*MethodName]))
    return MethodName(name).value


@panels(
    {
        "als": ("alpha", "eps", "regularization", "iterations", "threads"),
        "pmi": ("source", "shift"),
    }
)
def factorize(
    dataset: DatasetArgument = None,
    method: MethodArgument = None,
    *,
    dim: Dim = 200,
    source: Source = None,
    alpha: Alpha = None,
    eps: Eps = None,
    regularization: Regularization = None,
    iterations: Iterations = None,
    shift: Shift = None,
    threads: Threads = None,
    force: Force = False,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Turn the plays of the train items, or their labels, into factors to learn."""
    from tartarus_cli.api.data import factorize as compute
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    dataset, method = dataset_and(root, dataset, method, "method")
    result = compute(
        dataset,
        _method(method),
        dim=dim,
        source=source.value if source else None,
        alpha=alpha,
        eps=eps,
        regularization=regularization,
        iterations=iterations,
        shift=shift,
        threads=threads,
        force=force,
        seed=seed,
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    render.each_fold(result, lambda each: render.factorize_result(root, each, json=json), json=json)
