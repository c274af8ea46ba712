"""Tables of users: rankings, and a run and its truth as trec_eval and similar programs read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tartarus_cli.errors import FileError, Placeholder, RequestError, call, parameter
from tartarus_cli.evaluation.ranking import MEMORY
from tartarus_cli.exporting.items import TableBlocks
from tartarus_cli.models.store import Model
from tartarus_cli.progress import Progress
from tartarus_cli.recommendation.id_index import IdIndex
from tartarus_cli.recommendation.recommender import (
    ListOptions,
    Recommender,
    open_recommender,
    warn_unknown_users,
)
from tartarus_cli.signals import defer_interrupts

if TYPE_CHECKING:
    from tartarus_cli.exporting.request import ExportKind, ExportRequest

TREC: tuple[ExportKind, ...] = ("run", "qrels")
"""Exports in the formats of TREC, whose columns are separated by whitespace."""

WHITESPACE = re.compile(r"\s")
"""Any character at which a reader may split a line."""

REPLACEMENTS = ("_", "~", "__", "|")
"""What may replace whitespace; the first that keeps all ids apart is suggested."""

RUN_LENGTH = 1000
"""Items of a user in a run, as usual at TREC."""

RANKING_LENGTH = 10
"""Items of a user in rankings."""


def user_tables(model: Model, request: ExportRequest, progress: Progress) -> TableBlocks:
    """Yield tables of the first items of each user, or of those that each user has."""
    is_truth = request.what == "qrels"
    memory = MEMORY if request.memory is None else request.memory
    recommender = open_recommender(model, truth=is_truth, memory=memory, progress=progress)
    if request.what in TREC:
        recommender = _replace_whitespace(recommender, request)
    if is_truth:
        return _qrels(recommender, progress)
    in_run = request.what == "run"
    length = request.top or (RUN_LENGTH if in_run else RANKING_LENGTH)
    options = ListOptions(length, distinct_scores=in_run, unknown=in_run)
    warn_unknown_users(recommender, options, progress)
    tables = recommender.tables(options, progress)
    return _run(tables, model.name) if in_run else tables


def _replace_whitespace(recommender: Recommender, request: ExportRequest) -> Recommender:
    """Replace whitespace in ids, in the same way for a run and its truth."""
    users, items = recommender.users, recommender.items
    replacement = request.replace_whitespace
    if replacement is not None:
        return replace(
            recommender,
            users=_replace_in_ids(users, replacement),
            items=_replace_in_ids(items, replacement),
        )
    for index in (users, items):
        line = next((n for n, name in enumerate(index.ids, 1) if WHITESPACE.search(name)), None)
        if line is not None:
            raise FileError(
                index.path or Path(),
                found=f"the id {index.ids[line - 1]!r} in line {line:,} contains whitespace",
                expected="ids without whitespace, which separates the columns of TREC's files",
                hint=f"Replace whitespace in ids: {_suggest_call(recommender, request)}",
            )
    return recommender


def _replace_in_ids(index: IdIndex, replacement: str) -> IdIndex:
    """Replace all whitespace.

    Raises
    ------
    RequestError
        If two ids become the same.
    """
    new_ids = [_replace_in_id(name, replacement) for name in index.ids]
    first_rows: dict[str, int] = {}
    for row, new_id in enumerate(new_ids):
        first_row = first_rows.setdefault(new_id, row)
        if first_row != row:
            pair = f"{index.ids[first_row]!r} and {index.ids[row]!r}"
            value = parameter("replace_whitespace", replacement)
            msg = f"{value}: the {index.unit}s {pair} would both be {new_id!r}"
            raise RequestError(msg, hint="Name another character, one that no id contains.")
    return replace(index, ids=new_ids)


def _replace_in_id(name: str, replacement: str) -> str:
    return WHITESPACE.sub(lambda _: replacement, name)


def _suggest_call(recommender: Recommender, request: ExportRequest) -> str:
    """Return the call of the same export, with a replacement that keeps all ids apart."""
    lists = recommender.users.ids, recommender.items.ids
    suitable = (
        text
        for text in REPLACEMENTS
        if all(len({_replace_in_id(name, text) for name in ids}) == len(ids) for ids in lists)
    )
    return call(
        "export",
        recommender.model,
        what=request.what,
        path=str(request.path),
        top=request.top,
        force=request.force or None,
        replace_whitespace=next(suitable, Placeholder("CHAR")),
    )


def _run(tables: TableBlocks, model: str) -> TableBlocks:
    """Yield tables with the columns that trec_eval reads."""
    import polars as pl

    for table in tables:
        q0, name = pl.lit("Q0").alias("Q0"), pl.lit(model).alias("model")
        yield table.select("user", q0, "item", "rank", "score", name)


def _qrels(recommender: Recommender, progress: Progress) -> TableBlocks:
    """Yield tables of the items that each user has: user, 0, item, 1."""
    import polars as pl

    users, items = recommender.users.column, recommender.items.column
    with defer_interrupts() as check, progress.task("exporting", len(users)) as task:
        for block in recommender.budget.blocks(recommender.all_users):
            user_rows, item_rows = recommender.owned(block)
            pairs = pl.DataFrame({"user": users.gather(user_rows), "item": items.gather(item_rows)})
            zero, one = pl.lit(0).alias("iteration"), pl.lit(1).alias("relevance")
            yield pairs.select("user", zero, "item", one)
            task.advance(block.stop - block.start)
            check()
