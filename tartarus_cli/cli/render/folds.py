"""What was done to each of several folds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tartarus_cli.cli.render.console import collect_results, document, next_step

_RUN = re.compile(r"(`run\([^`]*)\)`")
"""A call of ``run``."""


def each_fold(result: Any, show: Callable[[Any], None], *, json: bool) -> None:
    """Show one result, or that of each fold and, once, what comes next.

    Parameters
    ----------
    result
        Of a dataset, or of folds.
    show
        Prints the result of a dataset.
    json
        Whether that is a document: then those of the folds become one.
    """
    from tartarus_cli.api.folds import FoldResults

    if not isinstance(result, FoldResults):
        show(result)
        return
    with collect_results() as collected:
        for each in result.results.values():
            show(each)
    if json:
        document({"dataset": result.name, "folds": [*collected.documents]})
    elif collected.steps:
        fold = next(reversed(result.results))
        step = collected.steps[-1].replace(fold, result.name)
        next_step(_RUN.sub(r"\1, folds=True)`", step))
