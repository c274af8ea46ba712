"""Fetch published data: download, verify, unpack, install, check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tartarus_cli.checking.check import CheckResult, check_data
from tartarus_cli.errors import (
    DataError,
    Placeholder,
    RequestError,
    call,
    display_path,
    nearest,
)
from tartarus_cli.example.init import example_seed
from tartarus_cli.example.world import DATASETS
from tartarus_cli.fetching.catalogue import PUBLISHED, ExampleRun, PublishedArchive
from tartarus_cli.fetching.download import count_missing_bytes, download
from tartarus_cli.fetching.install import (
    InstallResult,
    install_files,
    read_contents,
    require_disk_space,
)
from tartarus_cli.fetching.zenodo import Record, RemoteFile, read_record
from tartarus_cli.files import format_bytes, locked, open_regular, readable
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress


@dataclass(frozen=True)
class FetchResult:
    """Data that was fetched, and what the check says of it."""

    archives: list[Path]
    """The archives that are still there."""
    installed: InstallResult
    unknown_members: list[str]
    """Members of the archives that are no data files of a workspace."""
    check: CheckResult
    example: ExampleRun | None
    """An experiment that can be run now."""


@dataclass(frozen=True)
class FetchRequest:
    """A published archive to fetch."""

    archive: PublishedArchive
    server: str
    """Base address, such as ``https://zenodo.org``."""
    files: tuple[str, ...] = ()
    """Files of the record to download; none: all its archives."""
    keep: bool = True
    """Whether to keep the downloaded files."""


def fetch(
    workspace: WorkspacePaths, request: FetchRequest, *, progress: Progress = UNWATCHED
) -> FetchResult:
    """Download a published archive, and install its files in the workspace.

    An unfinished download is continued.

    Parameters
    ----------
    workspace
        Gets the files.
    request
        The archive, and which of its files to download.
    progress
        Hears of each byte, and of all that may be a mistake.

    Raises
    ------
    RequestError
        If a named file does not belong to the record or is no archive, or the workspace holds an
        example of the same name.
    DataError
        If the server cannot be reached, or sends something else than it announced, or the disk has
        no room, or the workspace holds other data of the same name.
    """
    archive = request.archive
    _refuse_example(workspace, archive.datasets)
    record = read_record(request.server, archive)
    files = choose_files(record, archive, request.files)
    if not archive.doi_confirmed:
        progress.warn(
            f"{archive.doi} is not confirmed to be {archive.name}; its title is "
            f"{record.display_title!r}"
        )
    folder = workspace.downloads / archive.name
    with locked(workspace.downloads / ".lock"):
        missing = sum(count_missing_bytes(file, folder) for file in files)
        names = ", ".join(f"{file.name} ({format_bytes(file.size)})" for file in files)
        title = record.display_title or archive.page
        progress.say(f"{title}: {names}; {format_bytes(missing)} to download")
        require_disk_space(workspace.data, missing, "to download")
        paths = [download(file, archive, folder, progress) for file in files]
        result = _install_archives(workspace, paths, keep=request.keep, progress=progress)
        if not request.keep:
            for path in paths:
                path.unlink()
    return result


def fetch_archives(
    workspace: WorkspacePaths, paths: Sequence[Path], *, progress: Progress = UNWATCHED
) -> FetchResult:
    """Install the files of archives that were downloaded by hand.

    Parameters
    ----------
    workspace
        Gets the files.
    paths
        The archives.
    progress
        Hears of each byte.

    Raises
    ------
    RequestError
        If there is no such file, or the workspace holds an example of the same name.
    DataError
        If one is no archive, is damaged or not safe, or contradicts files of the workspace.
    """
    for path in paths:
        _require_archive(path)
    with locked(workspace.downloads / ".lock"):
        return _install_archives(workspace, paths, keep=True, progress=progress)


def _require_archive(path: Path) -> None:
    if path.is_dir():
        msg = f"{display_path(path)} is a folder, not an archive"
        use = call("check", workspace=str(path))
        raise RequestError(msg, hint=f"If it is an unpacked archive, use it as it is: {use}")
    if not path.exists():
        msg = f"there is no file {display_path(path)}"
        raise RequestError(msg, hint="Give the path of a downloaded archive.")
    with readable(path), open_regular(path):
        pass


def choose_files(
    record: Record, archive: PublishedArchive, names: Sequence[str] = ()
) -> list[RemoteFile]:
    """Return the files of a record to download: the named ones, or all its archives.

    Parameters
    ----------
    record, archive
        The published archive, as the server and as the catalogue describe it.
    names
        Names of files; none: all archives.

    Raises
    ------
    RequestError
        If a file does not belong to the record, or is no archive.
    DataError
        If no name is given, and there are no archives.
    """
    known = {file.name: file for file in record.files}
    for name in names:
        if name not in known:
            msg = f"{archive.page} has no file {name!r}"
            raise RequestError(msg, hint=nearest(name, known))
        if not known[name].is_archive:
            msg = f"{name} is no archive by its name: none of its files could be installed"
            then = call("fetch", archives=[name])
            hint = f"Download it from {archive.page}; if it is an archive, then: {then}"
            raise RequestError(msg, hint=hint)
    files = [known[name] for name in dict.fromkeys(names)]
    files = files or [file for file in known.values() if file.is_archive]
    if not files:
        listing = ", ".join(known) or "no files that everybody may read"
        msg = f"{archive.page} has {listing}; expected an archive, such as a .tar.gz"
        raise DataError(msg, hint=f"Look at https://doi.org/{archive.doi}.")
    return files


def _refuse_example(workspace: WorkspacePaths, datasets: Iterable[str]) -> None:
    """Refuse, before anything is downloaded, to mix published data with the example's."""
    same = sorted({*datasets} & {*DATASETS} & {*workspace.scan().datasets()})
    if same and example_seed(workspace.root) is not None:
        msg = f"{display_path(workspace.root)} holds the synthetic example of {', '.join(same)}"
        make = call("init", Placeholder("OTHER"))
        raise RequestError(msg, hint=f"Fetch into another workspace; to make one: {make}")


def _install_archives(
    workspace: WorkspacePaths, paths: Sequence[Path], *, keep: bool, progress: Progress
) -> FetchResult:
    archives = [read_contents(path, progress) for path in paths]
    datasets = sorted({name for archive in archives for name in archive.datasets})
    _refuse_example(workspace, datasets)
    installed = install_files(workspace, archives, progress)
    check = _check_datasets(workspace, datasets, progress)
    unknown = [name for archive in archives for name in archive.unknown_members]
    archive_paths = [*paths] if keep else []
    return FetchResult(archive_paths, installed, unknown, check, _find_example(check))


def _check_datasets(
    workspace: WorkspacePaths, datasets: Sequence[str], progress: Progress
) -> CheckResult:
    results = [check_data(workspace, name, progress=progress) for name in datasets]
    summaries = {name: summary for result in results for name, summary in result.datasets.items()}
    return CheckResult(summaries, [problem for result in results for problem in result.problems])


def _find_example(check: CheckResult) -> ExampleRun | None:
    """Return an experiment of a paper that can be run with its data, or with other data like it."""
    for archive in PUBLISHED:
        example = archive.example
        for name, summary in check.datasets.items():
            has_settings = {*example.settings} <= summary.settings.keys()
            if example.experiment in summary.ready and has_settings:
                is_other = example.experiment in summary.borrowed
                return replace(example, dataset=name) if is_other else example
    return None
