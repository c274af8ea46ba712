"""What ``recommend`` found, and what ``export`` wrote."""

from __future__ import annotations

import sys
from enum import StrEnum
from shlex import quote
from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.render.console import document, figure, out, plain, table
from tartarus_cli.errors import count_noun

if TYPE_CHECKING:
    from tartarus_cli.exporting.export import ExportResult
    from tartarus_cli.recommendation.lists import Playlist, Playlists
    from tartarus_cli.workspace import Workspace


class ListForm(StrEnum):
    """How a list is printed."""

    terminal = "terminal"
    tsv = "tsv"
    json = "json"


def recommended(workspace: Workspace, result: Playlist | Playlists, form: ListForm) -> None:
    """Print one list, or say where all are."""
    from tartarus_cli.recommendation.lists import Playlists

    if isinstance(result, Playlists):
        _all(workspace, result, form)
    elif form is ListForm.json:
        document(_one_document(result))
    elif form is ListForm.tsv:
        _lines(result)
    else:
        _one(result)


def _one_document(result: Playlist) -> dict[str, Any]:
    entries = [
        {"rank": rank, result.listed: each.id, "score": float(each.score)}
        | ({} if each.known is None else {"known": each.known})
        for rank, each in enumerate(result.entries, 1)
    ]
    what: dict[str, Any] = {"model": result.model, "dataset": result.dataset}
    what |= {result.of: result.id}
    what |= {"unknown": result.unknown} if result.of == "user" else {}
    asked = {"top": result.options.top, "min_score": result.options.min_score}
    return {**what, **asked, f"{result.listed}s": entries}


def _lines(result: Playlist) -> None:
    """Print lines with tabs; ids hold none."""
    marked = ["known"] if result.options.known else []
    lines = [["rank", result.listed, "score", *marked]]
    for rank, each in enumerate(result.entries, 1):
        mark = [] if each.known is None else [str(int(each.known))]
        lines.append([str(rank), each.id, str(each.score), *mark])
    sys.stdout.write("".join("\t".join(line) + "\n" for line in lines))


def _one(result: Playlist) -> None:
    marked = ["has it"] if result.options.known else []
    shown = table(">rank", result.listed, ">score", *marked)
    for rank, each in enumerate(result.entries, 1):
        mark = [] if each.known is None else ["yes" if each.known else ""]
        shown.add_row(str(rank), plain(each.id), figure(float(each.score)), *mark)
    console = out()
    console.print(_title(result), soft_wrap=True)
    if result.entries:
        console.print(shown)
    console.print(_footer(result), soft_wrap=True)
    console.print(f"Next: {plain(_next(result))}", soft_wrap=True)


def _title(result: Playlist) -> str:
    whose = f"[bold]{plain(result.id)}[/]"
    said = f"new items for user {whose}" if result.of == "user" else f"users for new item {whose}"
    return f"\n[bold]{result.model}[/] · {plain(result.dataset)} · {said}"


def _footer(result: Playlist) -> str:
    of = count_noun(result.candidates, "test item" if result.of == "user" else "user")
    least = result.options.min_score
    if result.unknown:
        return "There is no list: nothing is known of this user."
    if not result.entries and least is None:
        return f"There is no list: nothing is known of any of {of}."
    if not result.entries:
        return f"Of {of}, none scores {least:g} or more."
    told = f"The first {len(result.entries):,} of {of}"
    return f"{told}." if least is None else f"{told}; those below {least:g} are left out."


def _next(result: Playlist) -> str:
    if result.of == "item":
        return f"tartarus recommend {result.model}   (the lists of all users, in a file)"
    if result.entries and result.entries[0].id.isprintable():
        best = f"tartarus recommend {result.model} --item {quote(result.entries[0].id)}"
        return f"{best}   (who else would like it)"
    return f"tartarus recommend {result.model} --item ID   (who would like an item)"


def _all(workspace: Workspace, result: Playlists, form: ListForm) -> None:
    file = workspace.within(result.path)
    if form is ListForm.json:
        counts = {"users": result.users, "unknown_users": result.unknown}
        counts |= {"items": result.items, "lines": result.lines}
        asked = {"top": result.options.top, "min_score": result.options.min_score}
        document(
            {"model": result.model, "dataset": result.dataset} | asked | counts | {"file": file}
        )
        return
    console = out()
    console.print(f"  {plain(file)}", soft_wrap=True)
    console.print(
        f"[bold]{result.model}[/] ranked {count_noun(result.items, 'test item')} for "
        f"{count_noun(result.users - result.unknown, 'user')} of {plain(result.dataset)}: "
        f"{count_noun(result.lines, 'line')} of user, rank, item, score",
        soft_wrap=True,
    )
    console.print(
        f"Next: tartarus recommend {result.model} --user ID   (one list, here)", soft_wrap=True
    )


def exported(result: ExportResult, *, json: bool) -> None:
    """Say what was written."""
    if json:
        what = {"model": result.model, "dataset": result.dataset, "what": result.what}
        file = {"file": str(result.path), "lines": result.lines, "columns": [*result.columns]}
        document(what | file)
        return
    columns = list(result.columns)
    named = ", ".join(columns if len(columns) <= 6 else [*columns[:4], "…", columns[-1]])
    console = out()
    console.print(f"  {plain(result.path)}", soft_wrap=True)
    console.print(
        f"{plain(result.what)} of [bold]{result.model}[/] ({plain(result.dataset)}): "
        f"{count_noun(result.lines, 'line')} of {plain(named)}",
        soft_wrap=True,
    )
    console.print(f"Next: {plain(_after(result))}", soft_wrap=True)


READS = {  # as polars has to be told, lest it takes ids for numbers and quotes for its own
    ".csv": "polars.read_csv({}, infer_schema=False{})",
    ".tsv": "polars.read_csv({}, infer_schema=False, separator='\\t', quote_char=None{})",
    ".parquet": "polars.read_parquet({}{})",
}


def _after(result: ExportResult) -> str:
    """Say what reads it."""
    file, model = result.path, result.model
    if result.what == "run":
        other = quote(str(file.with_suffix(".qrels")))
        command = f"tartarus export {model} --what qrels --to {other}"
        if result.replace_whitespace is not None:
            command += f" --replace-whitespace {quote(result.replace_whitespace)}"
        return f"{command}   (the truth, to judge it by)"
    if result.what == "qrels":
        return f"trec_eval {quote(str(file))} RUN   (a RUN comes from --what run)"
    pattern = any(sign in str(file) for sign in "*?[")
    read = READS[file.suffix.lower()].format(repr(str(file)), ", glob=False" * pattern)
    return f"{read}   (in Python)"
