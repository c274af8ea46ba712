"""``tartarus fetch``."""

from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import Json, Root
from tartarus_cli.errors import RequestError
from tartarus_cli.fetching.catalogue import PUBLISHED, ZENODO, find_archive

NAMES = [archive.name for archive in PUBLISHED]
"""Names of the published archives."""


def _names(incomplete: str) -> list[str]:
    return [name for name in NAMES if name.startswith(incomplete)]


Name = Annotated[
    str | None,
    typer.Argument(
        metavar="|".join(NAMES),
        help="The published archive; all are listed if none is named.",
        autocompletion=_names,
        show_default=False,
    ),
]
List = Annotated[
    bool, typer.Option("--list", help="Ask the server for names and sizes, download nothing.")
]
Files = Annotated[
    list[str] | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="Of the archives that --list shows, only this one; may be repeated.",
        show_default=False,
    ),
]
Archives = Annotated[
    list[Path] | None,
    typer.Option(
        "--archive",
        metavar="FILE",
        help="An archive that was downloaded by hand; may be repeated.",
        show_default=False,
    ),
]
Keep = Annotated[
    bool, typer.Option("--keep/--no-keep", help="Keep what was downloaded, in data/downloads.")
]
Server = Annotated[str, typer.Option("--zenodo", envvar="TARTARUS_ZENODO", hidden=True)]


def fetch(
    name: Name = None,
    *,
    listed: List = False,
    files: Files = None,
    archives: Archives = None,
    keep: Keep = True,
    server: Server = ZENODO,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Download published data, unpack it and bring its files into place; go on where it stopped."""
    _check_options(name, listed=listed, files=files, archives=archives, keep=keep)
    if name is None and not archives:
        render.archives(json=json)
    elif name is not None and listed:
        _list(name, server, json=json)
    else:
        _fetch(name, files, archives, keep=keep, server=server, workspace=workspace, json=json)


def _list(name: str, server: str, *, json: bool) -> None:
    from tartarus_cli.fetching.zenodo import read_record

    render.record(find_archive(name), read_record(server, find_archive(name)), json=json)


def _fetch(
    name: str | None,
    files: list[str] | None,
    archives: list[Path] | None,
    *,
    keep: bool,
    server: str,
    workspace: Path | None,
    json: bool,
) -> None:
    from tartarus_cli.api.data import fetch as download
    from tartarus_cli.workspace import open_workspace

    if name is not None:
        # An unknown name is an error, before the workspace is looked for.
        find_archive(name)
    root = open_workspace(workspace)
    result = download(
        name,
        files=files or (),
        archives=archives or (),
        keep=keep,
        server=server,
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    render.fetched(root, result, json=json)
    raise typer.Exit(0 if result.check.ok else 1)


def _check_options(
    name: str | None,
    *,
    listed: bool,
    files: list[str] | None,
    archives: list[Path] | None,
    keep: bool,
) -> None:
    """Refuse what would be ignored."""
    values = {"--list": listed, "--file": files, "--no-keep": not keep}
    options = [option for option, value in values.items() if value]
    if archives and (name or options):
        msg = f"--archive and {name or options[0]} exclude each other"
        raise RequestError(
            msg, hint="Leave one of the two out: --archive FILE names a file that was downloaded."
        )
    if options and name is None:
        msg = f"{options[0]} needs the name of an archive"
        raise RequestError(msg, hint=f"Name one: {', '.join(NAMES)}.")
    if listed and len(options) > 1:
        msg = f"--list and {options[1]} exclude each other"
        raise RequestError(msg, hint="Leave one of the two out: --list downloads nothing.")
