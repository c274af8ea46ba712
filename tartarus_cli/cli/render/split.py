"""What ``split`` made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.render.console import (
    document,
    message,
    next_step,
    out,
    plain,
    table,
    unbroken,
)
from tartarus_cli.errors import Placeholder, call, count_noun

if TYPE_CHECKING:
    from tartarus_cli.data.provenance import SplitManifest
    from tartarus_cli.splitting.folds import FoldedSplitResult
    from tartarus_cli.splitting.split import SplitResult
    from tartarus_cli.workspace import Workspace


BY_ARTIST = ("semi-cold", "cold")
"""Columns of the items of known and of new artists."""


def split_result(workspace: Workspace, result: SplitResult, *, json: bool) -> None:
    """Say what was left out, how large the sets are, and what comes next."""
    manifest = result.manifest
    files = [workspace.relative(path) for path in result.files]
    backups = [workspace.relative(path) for path in result.backups]
    if json:
        fields = manifest.model_dump(by_alias=True, exclude={"request"})
        document(fields | {"files": files, "set_aside": backups})
        return
    console = out()
    _show_stages(manifest)
    _show_sets(manifest)
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    for file in backups:
        console.print(f"  backed up: {plain(file)}", soft_wrap=True)
    items = sum(size.items for size in manifest.sets.values())
    counts = [
        count_noun(count, noun)
        for count, noun in ((items, "item"), (manifest.users, "user"), (manifest.labels, "label"))
        if count is not None
    ]
    strategies = {"lists": "by the lists", "label": "by label, in proportion"}
    strategy = strategies.get(manifest.by, f"by {manifest.by}{_cut(manifest)}")
    drawn = "" if manifest.by == "lists" else f", seed {manifest.seed}"
    console.print(
        f"[bold]{plain(manifest.dataset)}[/] is a dataset of {', '.join(counts)}, divided "
        f"{strategy}{drawn}",
        soft_wrap=True,
    )
    next_step(_next_command(manifest))


def folded_split_result(workspace: Workspace, result: FoldedSplitResult, *, json: bool) -> None:
    """Say how large each fold is, and what comes next."""
    manifest, first = result.manifest, result.splits[0].manifest
    path = workspace.relative(result.path)
    backups = [workspace.relative(path) for path in result.backups]
    if json:
        files = [workspace.relative(path) for split in result.splits for path in split.files]
        files += [path]
        document(_folds_document(result) | {"files": files, "set_aside": backups})
        return
    console = out()
    _show_stages(first)
    _show_folds(result)
    for file in backups:
        console.print(f"  backed up: {plain(file)}", soft_wrap=True)
    strategies = {"label": "by label, in proportion", "folds": "by the given folds"}
    strategy = strategies.get(manifest.by, f"by {manifest.by}")
    counts = f"{count_noun(len(manifest.folds), 'fold')} of {count_noun(manifest.items, 'item')}"
    console.print(
        f"[bold]{plain(manifest.dataset)}[/] is {counts}, divided {strategy}, seed "
        f"{manifest.seed}: each item is a test item once (kept in {plain(path)})",
        soft_wrap=True,
    )
    next_step(_next_command(first.model_copy(update={"dataset": manifest.dataset})))


def _folds_document(result: FoldedSplitResult) -> dict[str, Any]:
    manifest = result.manifest
    sizes = [s.manifest.model_dump(include={"sets", "leakage"}) for s in result.splits]
    folds = [fold.model_dump() | size for fold, size in zip(manifest.folds, sizes, strict=True)]
    return manifest.model_dump(exclude={"request", "tables", "folds"}) | {"folds": folds}


def _show_folds(result: FoldedSplitResult) -> None:
    """Show the size of each fold."""
    folds, first = result.manifest.folds, result.splits[0].manifest
    labelled = any(fold.label for fold in folds)
    columns = [">labels of test"] if first.labels is not None else []
    given = ["fold"] if labelled else []
    shown = table("dataset", *given, *(f">{name}" for name in first.sets), *columns)
    for fold, split in zip(folds, result.splits, strict=True):
        sets = split.manifest.sets
        cells = [plain(fold.dataset), *([plain(fold.label)] if labelled else [])]
        cells += [f"{size.items:,}" for size in sets.values()]
        cells += [f"{sets['test'].labels or 0:,}"] if columns else []
        shown.add_row(*cells)
    unbroken(shown)


def _cut(manifest: SplitManifest) -> str:
    time = manifest.time
    if time is None:
        return ""
    return f" at {plain(time.cut)}" + (f" (until {plain(time.until)})" if time.until else "")


def _show_stages(manifest: SplitManifest) -> None:
    rows = {stage.after: stage.model_dump() for stage in manifest.stages}
    _show("left after", rows, ("items", "users", "pairs", "plays", "labels"))


def _show_sets(manifest: SplitManifest) -> None:
    rows = {name: size.model_dump() for name, size in manifest.sets.items()}
    for row in rows.values():
        row["semi-cold"] = row.pop("semi_cold")
        row["density"] = None if row["density"] is None else f"{row['density']:.3%}"
    _show("set", rows, ("items", "users", "pairs", "plays", "labels", "density", *BY_ARTIST))
    if any(size.cold is not None for size in manifest.sets.values()):
        out().print("semi-cold items are of artists that have train items, cold ones of others")


def _show(heading: str, rows: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Show a table, without the columns of which nothing is known."""
    known = [name for name in columns if any(row.get(name) is not None for row in rows.values())]
    shown = table(heading, *(f">{name}" for name in known))
    for label, row in rows.items():
        shown.add_row(message(label), *(_number(row[name]) for name in known))
    unbroken(shown)


def _number(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:,}"


def _next_command(manifest: SplitManifest) -> str:
    if manifest.users is None:
        setting, file = Placeholder("SETTING"), Placeholder("FILE")
        command = call("features", manifest.dataset, setting, source=file)
        return f"{command}   (or: embed, patches, text, predict)"
    return call("factorize", manifest.dataset, "als")
