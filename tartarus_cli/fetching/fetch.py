"""Fetch published data: download, verify, unpack, bring into place, check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from tartarus_cli.checking.check import CheckResult, check_data
from tartarus_cli.errors import DataError, RequestError, display_path, nearest
from tartarus_cli.example.init import example_seed
from tartarus_cli.example.world import DATASETS
from tartarus_cli.fetching.catalogue import PUBLISHED, PublishedArchive
from tartarus_cli.fetching.download import download, missing_bytes
from tartarus_cli.fetching.install import InstallResult, check_room, install_files, read_contents
from tartarus_cli.fetching.zenodo import Record, RemoteFile, read_record
from tartarus_cli.files import format_bytes, locked, readable
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress


@dataclass(frozen=True)
class FetchResult:
    """What was fetched, and what the check says of it."""

    sources: list[Path]  # the archives
    kept: bool  # whether they are still there
    placed: InstallResult
    left_out: list[str]  # members of the archives that mean nothing here
    check: CheckResult
    example: list[str]  # what can be given to 'run' now: an experiment and settings; or empty


@dataclass(frozen=True)
class FetchRequest:
    """What is asked for."""

    archive: PublishedArchive
    server: str
    files: tuple[str, ...] = ()  # of the record; all its archives if none is named
    keep: bool = True  # what was downloaded


def fetch(
    workspace: WorkspacePaths, asked: FetchRequest, *, progress: Progress = UNWATCHED
) -> FetchResult:
    """Download a published archive and bring its files into the workspace.

    What an interrupted try has downloaded is gone on with.

    Raises
    ------
    RequestError
        If a named file is not of the record or no archive, or the workspace holds an example of the
        same name.
    DataError
        If the server cannot be reached, or what it sends is not what it promised, or the disk has
        no room, or the workspace holds other data of the same name.
    """
    archive = asked.archive
    _refuse_example(workspace, archive.datasets)
    record = read_record(asked.server, archive)
    chosen = choose(record, archive, asked.files)
    if not archive.confirmed:
        progress.warn(
            f"{archive.doi} is not confirmed to be {archive.name}; it is {record.called!r}"
        )
    folder = workspace.downloads / archive.name
    with locked(workspace.downloads / ".lock"):
        missing = sum(missing_bytes(file, folder) for file in chosen)
        told = ", ".join(f"{file.name} ({format_bytes(file.size)})" for file in chosen)
        progress.say(
            f"{record.called or archive.page}: {told}; {format_bytes(missing)} to download"
        )
        check_room(workspace.data, missing, "to download")
        paths = [download(file, archive, folder, progress) for file in chosen]
        fetched = _arrive(workspace, paths, kept=asked.keep, progress=progress)
        if not asked.keep:
            for path in paths:
                path.unlink()
    return fetched


def fetch_archives(
    workspace: WorkspacePaths, paths: Sequence[Path], *, progress: Progress = UNWATCHED
) -> FetchResult:
    """Bring the files of archives that were downloaded by hand into the workspace.

    Raises
    ------
    RequestError
        If there is no such file, or the workspace holds an example of the same name.
    DataError
        If one is no archive, damaged, not to be trusted, or contradicts what is there.
    """
    for path in paths:
        _check_named(path)
    with locked(workspace.downloads / ".lock"):
        return _arrive(workspace, paths, kept=True, progress=progress)


def _check_named(path: Path) -> None:
    if path.is_dir():
        msg = f"{display_path(path)} is a folder, not an archive"
        use = f"tartarus check-data -w {quote(str(path))}"
        raise RequestError(msg, hint=f"If it is an archive unpacked, use it as it is: {use}")
    if not path.exists():
        msg = f"there is no file {display_path(path)}"
        raise RequestError(msg, hint="Name the archive that was downloaded.")
    with readable(path), path.open("rb"):
        pass


def choose(
    record: Record, archive: PublishedArchive, names: Sequence[str] = ()
) -> list[RemoteFile]:
    """Return the files of a record that are downloaded: those named, or all its archives.

    Raises
    ------
    RequestError
        If a name is not of the record, or not that of an archive.
    DataError
        If no name is given, and there are no archives.
    """
    known = {file.name: file for file in record.files}
    for name in names:
        if name not in known:
            msg = f"{archive.page} has no file {name!r}"
            raise RequestError(msg, hint=nearest(name, known))
        if not known[name].is_archive:
            msg = f"{name} is no archive by its name: nothing of it would be brought into place"
            hint = f"Download it from {archive.page}; if it is one, then: tartarus fetch --archive "
            raise RequestError(msg, hint=hint + quote(name))
    chosen = [known[name] for name in dict.fromkeys(names)]
    chosen = chosen or [file for file in known.values() if file.is_archive]
    if not chosen:
        some = ", ".join(known) or "no files that everybody may read"
        msg = f"{archive.page} has {some}; expected an archive, such as a .tar.gz"
        raise DataError(msg, hint=f"Look at https://doi.org/{archive.doi}.")
    return chosen


def _refuse_example(workspace: WorkspacePaths, datasets: Iterable[str]) -> None:
    """Refuse before anything is done what would end in a contradiction."""
    same = sorted({*datasets} & {*DATASETS} & {*workspace.scan().datasets()})
    if same and example_seed(workspace.root) is not None:
        msg = f"{display_path(workspace.root)} holds the synthetic example of {', '.join(same)}"
        raise RequestError(msg, hint="Fetch into a workspace of its own: tartarus init OTHER")


def _arrive(
    workspace: WorkspacePaths, paths: Sequence[Path], *, kept: bool, progress: Progress
) -> FetchResult:
    contents = [read_contents(path, progress) for path in paths]
    datasets = sorted({name for each in contents for name in each.datasets})
    _refuse_example(workspace, datasets)
    placed = install_files(workspace, contents, progress)
    check = _check(workspace, datasets, progress)
    left_out = [name for each in contents for name in each.left_out]
    return FetchResult([*paths], kept, placed, left_out, check, _example(check))


def _check(workspace: WorkspacePaths, datasets: Sequence[str], progress: Progress) -> CheckResult:
    results = [check_data(workspace, name, progress=progress) for name in datasets]
    summaries = {name: summary for each in results for name, summary in each.datasets.items()}
    return CheckResult(summaries, [problem for each in results for problem in each.problems])


def _example(check: CheckResult) -> list[str]:
    """Return an experiment and settings of a paper whose data is there, or other data like it."""
    for archive in PUBLISHED:
        experiment, *settings = archive.example
        for name, summary in check.datasets.items():
            if experiment in summary.ready and {*settings} <= summary.settings.keys():
                other = ["--dataset", name] if experiment in summary.borrowed else []
                return [*archive.example, *other]
    return []
