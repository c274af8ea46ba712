"""Lists of recommendations."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import (
    document,
    figure,
    next_step,
    out,
    plain,
    printable,
    table,
)
from tartarus_cli.errors import Placeholder, call, count_noun

if TYPE_CHECKING:
    from tartarus_cli.recommendation.lists import RecommendationFile, RecommendationList


class ListForm(StrEnum):
    """How a list is printed."""

    terminal = "terminal"
    tsv = "tsv"
    json = "json"


def recommended(result: RecommendationList | RecommendationFile, form: ListForm) -> None:
    """Print one list, or which file holds the lists of all users."""
    from tartarus_cli.recommendation.lists import RecommendationFile

    if form is ListForm.json:
        document(result.document())
    elif isinstance(result, RecommendationFile):
        _file(result)
    elif form is ListForm.tsv:
        _lines(result)
    else:
        _one(result)


def _lines(result: RecommendationList) -> None:
    """Print lines with tabs; ids hold none, and a terminal gets no control characters of theirs."""
    write = printable if sys.stdout.isatty() else str
    marked = ["known"] if result.options.known else []
    lines = [["rank", result.listed, "score", *marked]]
    for rank, entry in enumerate(result.entries, 1):
        mark = [] if entry.known is None else [str(int(entry.known))]
        lines.append([str(rank), write(entry.id), str(entry.score), *mark])
    sys.stdout.write("".join("\t".join(line) + "\n" for line in lines))


def _one(result: RecommendationList) -> None:
    marked = ["has it"] if result.options.known else []
    shown = table(">rank", result.listed, ">score", *marked)
    for rank, entry in enumerate(result.entries, 1):
        mark = [] if entry.known is None else ["yes" if entry.known else ""]
        shown.add_row(str(rank), plain(entry.id), figure(float(entry.score)), *mark)
    console = out()
    console.print(_title(result), soft_wrap=True)
    if result.entries:
        console.print(shown)
    console.print(_footer(result), soft_wrap=True)
    next_step(_next(result))


def _title(result: RecommendationList) -> str:
    name = f"[bold]{plain(result.id)}[/]"
    content = f"new items for user {name}" if result.of == "user" else f"users for new item {name}"
    return f"\n[bold]{result.model}[/] · {plain(result.dataset)} · {content}"


def _footer(result: RecommendationList) -> str:
    candidates = count_noun(result.candidates, "test item" if result.of == "user" else "user")
    least = result.options.min_score
    if result.unknown:
        return "There is no list: nothing is known of this user."
    if not result.entries and least is None:
        return f"There is no list: nothing is known of any of {candidates}."
    if not result.entries:
        return f"Of {candidates}, none scores {least:g} or more."
    shown = f"The first {len(result.entries):,} of {candidates}"
    return f"{shown}." if least is None else f"{shown}; those below {least:g} are left out."


def _next(result: RecommendationList) -> str:
    if result.of == "item":
        return f"{call('recommend', result.model)}   (the lists of all users, in a file)"
    if result.entries and result.entries[0].id.isprintable():
        best = call("recommend", result.model, item=result.entries[0].id)
        return f"{best}   (who else would like it)"
    command = call("recommend", result.model, item=Placeholder("ID"))
    return f"{command}   (who would like an item)"


def _file(result: RecommendationFile) -> None:
    console = out()
    console.print(f"  {plain(result.file)}", soft_wrap=True)
    console.print(
        f"[bold]{result.model}[/] ranked {count_noun(result.items, 'test item')} for "
        f"{count_noun(result.users - result.unknown, 'user')} of {plain(result.dataset)}: "
        f"{count_noun(result.lines, 'line')} of user, rank, item, score",
        soft_wrap=True,
    )
    next_step(f"{call('recommend', result.model, user=Placeholder('ID'))}   (one list, here)")
