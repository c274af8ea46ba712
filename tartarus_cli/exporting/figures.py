"""Figures of an evaluation as a table: of a model, or of a group with mean and deviation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tartarus_cli.evaluation.group_report import evaluate_group
from tartarus_cli.evaluation.results import read_results
from tartarus_cli.models.groups import Group
from tartarus_cli.models.store import Model

if TYPE_CHECKING:
    from tartarus_cli.exporting.items import TableBlocks


def model_figures(model: Model) -> TableBlocks:
    """Yield one table: ``system``, ``metric`` and ``value``, the model first.

    Raises
    ------
    RequestError
        If it was not evaluated.
    FileError
        If its results are damaged.
    """
    import polars as pl

    results = read_results(model.workspace, model.name)
    cells = [
        (system, metric, value)
        for system, values in {model.name: results.metrics, **results.rows}.items()
        for metric, value in values.items()
    ]
    types = {"system": pl.String, "metric": pl.String, "value": pl.Float64}
    yield pl.DataFrame(cells, schema=types, orient="row")


def group_figures(group: Group) -> TableBlocks:
    """Yield one table: ``system``, ``metric``, ``mean``, ``sd`` and ``n``, the group first.

    Raises
    ------
    DataError
        If no member was evaluated.
    """
    yield evaluate_group(group).to_frame()
