"""What can be fetched, and what was."""

from __future__ import annotations

from shlex import join
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.check import check_document, check_result
from tartarus_cli.cli.render.console import document, out, plain, table
from tartarus_cli.errors import count_noun
from tartarus_cli.fetching.catalogue import PUBLISHED
from tartarus_cli.files import format_bytes

if TYPE_CHECKING:
    from tartarus_cli.fetching.catalogue import PublishedArchive
    from tartarus_cli.fetching.fetch import FetchResult
    from tartarus_cli.fetching.zenodo import Record
    from tartarus_cli.workspace import Workspace

SOME = 5  # names shown of what was left out
UNCONFIRMED = (
    "not confirmed to be this archive's: the code of the papers names that of mumu here. "
    "Compare the title that --list shows"
)


def archives(*, json: bool) -> None:
    """List what can be fetched."""
    if json:
        document([_described(each) for each in PUBLISHED])
        return
    shown = table("name", "holds", "datasets", "DOI")
    for each in PUBLISHED:
        doi = each.doi + ("" if each.confirmed else " *")
        shown.add_row(each.name, each.holds, ", ".join(each.datasets), doi)
    out().print(shown)
    out().print(f"* {UNCONFIRMED}.", soft_wrap=True)
    out().print("Next: tartarus fetch dlrs --list   (files and sizes), then without --list")


def _described(archive: PublishedArchive) -> dict[str, object]:
    return {
        "name": archive.name,
        "doi": archive.doi,
        "confirmed": archive.confirmed,
        "page": archive.page,
        "holds": archive.holds,
        "datasets": archive.datasets,
    }


def record(archive: PublishedArchive, found: Record, *, json: bool) -> None:
    """List the files of a published archive, and which are fetched."""
    if json:
        files = [
            {"name": f.name, "size": f.size, "checksum": f.checksum, "fetched": f.is_archive}
            for f in found.files
        ]
        document(_described(archive) | {"title": found.called, "files": files})
        return
    console = out()
    console.print(f"[bold]{plain(found.called)}[/]  https://doi.org/{archive.doi}", soft_wrap=True)
    if not archive.confirmed:
        console.print(f"[yellow]warning:[/] the DOI is {UNCONFIRMED}.", soft_wrap=True)
    shown = table("file", ">size", "")
    for file in found.files:
        fetched = "fetched" if file.is_archive else "no archive"
        shown.add_row(plain(file.name), format_bytes(file.size), fetched)
    console.print(shown)
    size = format_bytes(sum(file.size for file in found.files if file.is_archive))
    console.print(
        f"Room on the disk: {size} to download, and what it unpacks to, which is looked at before"
        " anything is unpacked.",
        soft_wrap=True,
    )
    console.print(f"Next: tartarus fetch {archive.name}")


def fetched(workspace: Workspace, result: FetchResult, *, json: bool) -> None:
    """Say what was brought into place, what was left out, and what the check says."""
    new = [workspace.within(path) for path in result.placed.files]
    if json:
        present = [workspace.within(path) for path in result.placed.present]
        sources = [workspace.within(path) for path in result.sources] if result.kept else []
        files = {"files": new, "present": present, "left_out": result.left_out}
        document({"archives": sources} | files | check_document(result.check))
        return
    console = out()
    check_result(result.check, json=False)
    there = len(result.placed.present)
    already = f"; {count_noun(there, 'file was', 'files were')} there already" if there else ""
    console.print(
        f"{count_noun(len(new), 'new file')} in {plain(workspace.data)}{already}", soft_wrap=True
    )
    if result.left_out:
        some = ", ".join(result.left_out[:SOME]) + (", …" if len(result.left_out) > SOME else "")
        console.print(f"Left in the archive: {len(result.left_out):,} ({plain(some)})")
    if result.example:
        console.print(f"Next: tartarus run {plain(join(result.example))}", soft_wrap=True)
