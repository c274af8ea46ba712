"""Published archives, and the files that were fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tartarus_cli.cli.render.check import check_document, check_result
from tartarus_cli.cli.render.console import document, next_step, out, plain, table
from tartarus_cli.errors import call, count_noun, parameter
from tartarus_cli.fetching.catalogue import PUBLISHED
from tartarus_cli.files import format_bytes

if TYPE_CHECKING:
    from tartarus_cli.fetching.catalogue import ExampleRun, PublishedArchive
    from tartarus_cli.fetching.fetch import FetchResult
    from tartarus_cli.fetching.zenodo import Record
    from tartarus_cli.workspace import Workspace

MAX_NAMES = 5
"""Names that are shown of files that were left out."""
UNCONFIRMED = (
    "not confirmed to be this archive's: the code of the papers names that of mumu here. "
    "Compare the title that --list shows"
)


def archives(*, json: bool) -> None:
    """List what can be fetched."""
    if json:
        document([_describe(archive) for archive in PUBLISHED])
        return
    shown = table("name", "holds", "datasets", "DOI")
    for archive in PUBLISHED:
        doi = archive.doi + ("" if archive.doi_confirmed else " *")
        shown.add_row(archive.name, archive.description, ", ".join(archive.datasets), doi)
    out().print(shown)
    out().print(f"* {UNCONFIRMED}.", soft_wrap=True)
    listing = parameter("list")
    next_step(f"{call('fetch', 'dlrs', list=True)}   (files and sizes), then without {listing}")


def _describe(archive: PublishedArchive) -> dict[str, object]:
    return {
        "name": archive.name,
        "doi": archive.doi,
        "confirmed": archive.doi_confirmed,
        "page": archive.page,
        "holds": archive.description,
        "datasets": archive.datasets,
    }


def record(archive: PublishedArchive, zenodo_record: Record, *, json: bool) -> None:
    """List the files of a published archive, and which are fetched."""
    if json:
        files = [
            {"name": f.name, "size": f.size, "checksum": f.checksum, "fetched": f.is_archive}
            for f in zenodo_record.files
        ]
        document(_describe(archive) | {"title": zenodo_record.display_title, "files": files})
        return
    console = out()
    title = plain(zenodo_record.display_title)
    console.print(f"[bold]{title}[/]  https://doi.org/{archive.doi}", soft_wrap=True)
    if not archive.doi_confirmed:
        console.print(f"[yellow]warning:[/] the DOI is {UNCONFIRMED}.", soft_wrap=True)
    shown = table("file", ">size", "")
    for file in zenodo_record.files:
        fetched = "fetched" if file.is_archive else "no archive"
        shown.add_row(plain(file.name), format_bytes(file.size), fetched)
    console.print(shown)
    size = format_bytes(sum(file.size for file in zenodo_record.files if file.is_archive))
    console.print(
        f"Space on the disk: {size} to download, and as much as it unpacks to, which is checked"
        " before anything is unpacked.",
        soft_wrap=True,
    )
    next_step(call("fetch", archive.name))


def fetched(workspace: Workspace, result: FetchResult, *, json: bool) -> None:
    """Say which files were installed, which were left out, and what the check found."""
    new = [workspace.relative(path) for path in result.installed.files]
    if json:
        present = [workspace.relative(path) for path in result.installed.present]
        archives = [workspace.relative(path) for path in result.archives]
        files = {"archives": archives, "files": new, "present": present}
        files |= {"left_out": result.unknown_members}
        document(files | check_document(result.check))
        return
    console = out()
    check_result(result.check, json=False)
    known = len(result.installed.present)
    already = f"; {count_noun(known, 'file was', 'files were')} there already" * (known > 0)
    console.print(
        f"{count_noun(len(new), 'new file')} in {plain(workspace.data)}{already}", soft_wrap=True
    )
    unknown = result.unknown_members
    if unknown:
        names = ", ".join(unknown[:MAX_NAMES]) + (", …" if len(unknown) > MAX_NAMES else "")
        console.print(f"Left in the archive: {len(unknown):,} ({plain(names)})")
    if result.example:
        next_step(_run_command(result.example))


def _run_command(example: ExampleRun) -> str:
    return call("run", example.experiment, *example.settings, dataset=example.dataset or None)
