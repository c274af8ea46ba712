"""Tables of users: what predicted rows of items are multiplied by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tartarus_cli.errors import RequestError, call
from tartarus_cli.evaluation.relevance import factor_rows, scored_users
from tartarus_cli.exporting.items import TableBlocks, require_rows
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.aligned import model_predictions
from tartarus_cli.progress import Progress
from tartarus_cli.recommendation.id_index import user_index
from tartarus_cli.scoring.users import UserRows, user_slices
from tartarus_cli.signals import defer_interrupts

if TYPE_CHECKING:
    import polars as pl


def user_vector_tables(model: Model, progress: Progress) -> TableBlocks:
    """Yield tables of users with their factors or, of a model with vectors, with these.

    The score of an item is the product of its row and the user's, plus the bias of the item.

    Raises
    ------
    RequestError
        If the model has no factors or vectors.
    DataError
        If it has not predicted, or a file is missing, damaged or out of step.
    """
    require_rows(model)
    if model.manifest.task != "recommendation" or model.manifest.form not in ("factors", "vectors"):
        msg = f"{model.name} ({model.manifest.experiment}) has no factors or vectors of users"
        instead = call("export", model.name, what="predictions", path="predictions.csv")
        raise RequestError(msg, hint=f"What it predicts by item: {instead}")
    predictions = model_predictions(model)
    rows, targets = predictions.users, predictions.targets
    name, dim = "vector", targets.dim
    if rows is None:
        rows, _ = factor_rows(predictions, targets)
        name, dim = "factor", rows.shape[1]
    index = user_index(model.dataset, scored_users(predictions), progress)
    return _tables(rows, [f"{name}_{number}" for number in range(dim)], index.column, progress)


def _tables(rows: UserRows, names: list[str], column: pl.Series, progress: Progress) -> TableBlocks:
    import polars as pl

    users = len(column)
    with defer_interrupts() as check, progress.task("exporting", users) as task:
        for block in user_slices(users):
            # The last column of vectors, a one for the biases of items, is left out.
            values = rows.rows(block)[:, : len(names)]
            keys = pl.DataFrame({"user": column[block]})
            yield keys.hstack(pl.from_numpy(values, schema=names, orient="row"))
            task.advance(block.stop - block.start)
            check()
