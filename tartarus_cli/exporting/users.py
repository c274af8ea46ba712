"""Tables of users: rankings, and a run and its truth as trec_eval and its kin read them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from tartarus_cli.errors import FileError, RequestError
from tartarus_cli.evaluation.ranking import MEMORY
from tartarus_cli.exporting.items import TableBlocks
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.store import Model
from tartarus_cli.progress import Progress
from tartarus_cli.recommendation.recommender import (
    IdIndex,
    ListOptions,
    Recommender,
    open_recommender,
    warn_unknown_users,
)
from tartarus_cli.signals import defer_interrupts

if TYPE_CHECKING:
    from tartarus_cli.exporting.request import ExportRequest

TREC = ("run", "qrels")
BLANK = re.compile(r"\s")  # of any kind: a reader splits lines at each of them
SIGNS = ("_", "~", "__", "|")  # that may stand for blanks; the first that keeps ids apart is told
DEEP = 1000  # items of a user in a run, as TREC has it
SHORT = 10  # in rankings


def user_tables(
    workspace: WorkspacePaths, model: Model, asked: ExportRequest, progress: Progress
) -> TableBlocks:
    """List the first items of each user, or those that each user has."""
    judged = asked.what == "qrels"
    memory = MEMORY if asked.memory is None else asked.memory
    recommender = open_recommender(
        workspace, model.name, truth=judged, memory=memory, progress=progress
    )
    if asked.what in TREC:
        recommender = _without_blanks(recommender, asked)
    if judged:
        return _qrels(recommender, progress)
    in_run = asked.what == "run"
    options = ListOptions(asked.top or (DEEP if in_run else SHORT), apart=in_run, unknown=in_run)
    warn_unknown_users(recommender, options, progress)
    tables = recommender.tables(options, progress)
    return _run(tables, model.name) if in_run else tables


def _without_blanks(recommender: Recommender, asked: ExportRequest) -> Recommender:
    """Put a sign in the place of the blanks in ids, the same one in a run and in its truth."""
    users, items = recommender.users, recommender.items
    for names in (users, items):
        line = next((n for n, each in enumerate(names.ids) if BLANK.search(each)), None)
        if line is not None and asked.blanks is None:
            raise FileError(
                names.path or Path(),
                found=f"the id {names.ids[line]!r} in line {line + 1:,} has a blank",
                expected="ids without, since blanks separate the columns of TREC's files",
                hint=f"Let a sign stand for blanks: {_with_a_sign(recommender, asked)}",
            )
    if asked.blanks is None:
        return recommender
    sign = asked.blanks
    return replace(recommender, users=_signed(users, sign), items=_signed(items, sign))


def _signed(names: IdIndex, sign: str) -> IdIndex:
    """Put a sign in the place of all blanks.

    Raises
    ------
    RequestError
        If two ids become the same.
    """
    new = [_joined(each, sign) for each in names.ids]
    seen: dict[str, int] = {}
    for row, each in enumerate(new):
        first = seen.setdefault(each, row)
        if first != row:
            one, other = names.ids[first], names.ids[row]
            msg = f"--blanks {sign}: the {names.unit}s {one!r} and {other!r} would both be {each!r}"
            raise RequestError(msg, hint="Name another sign, one that no id has.")
    return replace(names, ids=new)


def _joined(name: str, sign: str) -> str:
    return BLANK.sub(lambda _: sign, name)


def _with_a_sign(recommender: Recommender, asked: ExportRequest) -> str:
    """Return the command again, with a sign for blanks that keeps all ids apart."""
    lists = recommender.users.ids, recommender.items.ids
    apart = (
        sign
        for sign in SIGNS
        if all(len({_joined(each, sign) for each in ids}) == len(ids) for ids in lists)
    )
    words = ["tartarus", "export", recommender.model, "--what", asked.what, "--to", str(asked.path)]
    words += [] if asked.top is None else ["--top", str(asked.top)]
    words += ["--force"] if asked.force else []
    return join([*words, "--blanks", next(apart, "SIGN")])


def _run(tables: TableBlocks, model: str) -> TableBlocks:
    """Order the columns as trec_eval reads them."""
    import polars as pl

    for table in tables:
        q0, name = pl.lit("Q0").alias("Q0"), pl.lit(model).alias("model")
        yield table.select("user", q0, "item", "rank", "score", name)


def _qrels(recommender: Recommender, progress: Progress) -> TableBlocks:
    """List what each user has: user, 0, item, 1."""
    import polars as pl

    users, items = recommender.users.column, recommender.items.column
    with defer_interrupts() as check, progress.task("exporting", len(users)) as task:
        for some in recommender.room.blocks(recommender.everybody):
            whose, which = recommender.owned(some)
            pairs = pl.DataFrame({"user": users.gather(whose), "item": items.gather(which)})
            zero, one = pl.lit(0).alias("iteration"), pl.lit(1).alias("relevance")
            yield pairs.select("user", zero, "item", one)
            task.advance(some.stop - some.start)
            check()
