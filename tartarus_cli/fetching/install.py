"""Which data files of a workspace an archive holds, and how they get into their places."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path, PurePosixPath

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import DataError, FileError, Placeholder, call, display_path
from tartarus_cli.fetching.archives import Member, is_archive_name, read_members, unpack
from tartarus_cli.file_names import FILE_PATTERNS, DataFile, Kind, parse_path
from tartarus_cli.files import (
    atomic_write,
    format_bytes,
    make_own_folder,
    remove_own_folder,
    same_content,
)
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import Progress
from tartarus_cli.signals import defer_interrupts

STAGE = ".fetch"
"""Folder below ``data`` into which archives are unpacked before the files take their places."""
DUPLICATES_FOLDER = ".doubles"
"""Folder of the stage for files that an archive holds a second time, a third time, …"""
MAX_NAME_BYTES = 245
"""Most systems allow 255 bytes, and a name has ten more while the file is written."""
IGNORED_FOLDERS = {"__MACOSX", "factors", "models", "results", "spectrograms"}
"""Folders in archives whose files are no data of a workspace."""
FOLDERS = tuple(dict.fromkeys(layout.folder for layout in FILE_PATTERNS))


@dataclass(frozen=True)
class ArchiveContents:
    """The data files that an archive holds."""

    path: Path
    datasets: frozenset[str]
    size: int
    """Bytes that will be unpacked."""
    unknown_members: tuple[str, ...]
    """Names of members that are no data files of a workspace."""


@dataclass(frozen=True)
class InstallResult:
    """The files of archives, in their places."""

    files: list[Path]
    """New files of the workspace."""
    present: list[Path]
    """Files that were there already, with the same content."""


def parse_member_name(name: str) -> DataFile | None:
    """Read from the name of a member what it holds, in whatever folder of the archive it is.

    None: it is no data file of a workspace.

    >>> parse_member_name("dlrs-data/splits/y_test_als_200_MSD-A-songs.npy").canonical
    'datasets/item_factors_test_als_200_MSD-A-songs.npy'
    >>> parse_member_name("dlrs-data/README.md")
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.name[:1] == "." or not path.name.isprintable() or IGNORED_FOLDERS & {*path.parts}:
        return None
    files = (parse_path(Path(path.name), folder) for folder in FOLDERS)
    return next((file for file in files if file is not None), None)


def read_contents(path: Path, progress: Progress) -> ArchiveContents:
    """Read an archive to its end and list its data files, without unpacking it.

    Raises
    ------
    FileError
        If the archive is damaged or not safe, or holds no data file of a workspace.
    """
    with progress.task(f"reading {path.name}", path.stat().st_size) as task:
        members = read_members(path, task)
    parsed = [(member, parse_member_name(member.name)) for member in members]
    data_files = [(member, file) for member, file in parsed if file is not None]
    for member, file in data_files:
        if not member.plain:
            raise FileError(
                path,
                found=f"{member.name} is a link or a device",
                expected="a plain file",
                hint="Unpack the archive yourself, and name the folder with `workspace`.",
            )
        _check_length(path, file)
    unknown = tuple(member.name for member, file in parsed if file is None)
    if not data_files:
        raise _no_data_error(path, unknown)
    datasets = frozenset(file.dataset for _, file in data_files)
    return ArchiveContents(path, datasets, sum(member.size for member, _ in data_files), unknown)


def _no_data_error(path: Path, names: Sequence[str]) -> FileError:
    hint = "Look whether it is the right archive; README.md lists the names of all files."
    if any(map(is_archive_name, names)):
        then = call("fetch", archives=[Placeholder("FILE")])
        hint = f"It holds archives: unpack it yourself, and then: {then}"
    return FileError(
        path,
        found=f"no file whose name means anything here ({', '.join(names[:3]) or 'no files'})",
        expected="files such as items_index_train_DATASET.tsv and X_train_SETTING_DATASET.npz",
        hint=hint,
    )


def _check_length(path: Path, file: DataFile) -> None:
    name = PurePosixPath(file.canonical).name
    length = len(name.encode())
    if length > MAX_NAME_BYTES:
        raise FileError(
            path,
            found=f"a name of {length:,} bytes ({name[:40]}…)",
            expected=f"at most {MAX_NAME_BYTES}",
            hint="Unpack it yourself, shorten the name, and name the folder with `workspace`.",
        )


def install_files(
    workspace: WorkspacePaths, archives: Sequence[ArchiveContents], progress: Progress
) -> InstallResult:
    """Unpack archives into a stage, then move their files into place: all of them or none.

    Parameters
    ----------
    workspace
        Gets the files.
    archives
        The archives, and what they hold.
    progress
        Hears of each byte.

    Raises
    ------
    DataError
        If the disk has no room, an archive contradicts itself, or the workspace holds other files
        of the same names.
    """
    size = sum(archive.size for archive in archives)
    require_disk_space(workspace.data, size, "to unpack")
    progress.say(f"{format_bytes(size)} to unpack")
    with _stage(workspace) as stage:
        with progress.task("unpacking", size) as task:
            for archive in archives:
                unpack(archive.path, _StagePaths(stage), task)
                _remove_duplicates(stage, archive.path)
        _rename_label_factors(stage)
        return _install(stage, workspace)


def require_disk_space(folder: Path, size: int, purpose: str) -> None:
    """Make sure that a disk has room for so many bytes.

    Parameters
    ----------
    folder
        A folder of the disk.
    size
        Bytes that are needed.
    purpose
        Completes the message: such as "to unpack".

    Raises
    ------
    DataError
        If it has less.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        msg = f"{format_bytes(size)} are needed {purpose}, and {format_bytes(free)} are free"
        hint = (
            f"Make room on the disk of {display_path(folder)}, or use a workspace on another one."
        )
        raise DataError(msg, hint=hint)


@contextmanager
def _stage(workspace: WorkspacePaths) -> Iterator[WorkspacePaths]:
    folder = workspace.data / STAGE
    remove_own_folder(folder)
    try:
        make_own_folder(folder)
        yield WorkspacePaths(folder, folder)
    finally:
        remove_own_folder(folder)


class _StagePaths:
    """Chooses the path of each member in the stage; duplicates get folders of their own."""

    def __init__(self, stage: WorkspacePaths) -> None:
        self.stage = stage

    def __call__(self, member: Member) -> Path | None:
        file = parse_member_name(member.name)
        if file is None:
            return None
        folders = (self.stage.data / DUPLICATES_FOLDER / str(number) for number in count(1))
        paths = (folder / file.canonical for folder in chain([self.stage.data], folders))
        return next(path for path in paths if not path.exists())


def _remove_duplicates(stage: WorkspacePaths, archive: Path) -> None:
    """Delete the duplicates of an archive's files.

    Raises
    ------
    FileError
        If one differs from the first file of its name.
    """
    folder = stage.data / DUPLICATES_FOLDER
    for duplicate in sorted(path for path in folder.glob("*/**/*") if path.is_file()):
        canonical = Path(*duplicate.relative_to(folder).parts[1:])
        if not same_content(duplicate, stage.data / canonical):
            raise FileError(
                archive,
                found=f"{canonical.name} under two names or in two places, with different contents",
                expected="one file",
                hint="Unpack it yourself, delete the wrong file, and name the folder with "
                "`workspace`.",
            )
        duplicate.unlink()


def _rename_label_factors(stage: WorkspacePaths) -> None:
    """Rename factors of labels, which old archives name like those of users."""
    files = stage.scan()
    for file in files.select(Kind.USER_FACTORS):
        dataset = Dataset(files, file.dataset)
        if dataset.is_classification and not dataset.is_recommendation:
            path = stage.path_of(Kind.CLASS_FACTORS, **file.fields)
            if not path.exists():
                file.path.replace(path)


def _install(stage: WorkspacePaths, workspace: WorkspacePaths) -> InstallResult:
    old = {file.key: file.path for file in workspace.scan().files}
    staged = stage.scan().files
    for file in staged:
        if file.key in old and not same_content(file.path, old[file.key]):
            raise _conflict_error(old[file.key])
    new = [file for file in staged if file.key not in old]
    # Ids come last: a dataset without ids does not count as complete.
    new.sort(key=lambda file: file.kind is Kind.ITEMS)
    targets = [workspace.data / file.canonical for file in new]
    with defer_interrupts():
        _link_all([file.path for file in new], targets)
    return InstallResult(targets, [old[file.key] for file in staged if file.key in old])


def _link_all(files: Sequence[Path], targets: Sequence[Path]) -> None:
    linked: list[Path] = []
    try:
        for file, target in zip(files, targets, strict=True):
            _link(file, target)
            linked.append(target)
    except BaseException:
        for target in linked:
            target.unlink(missing_ok=True)
        raise


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except FileExistsError:
        raise _conflict_error(target) from None
    except OSError:  # another disk, or a file system without hard links
        with atomic_write(target) as temporary:
            shutil.copyfile(file, temporary)
        file.unlink()  # else all files together would need twice the room


def _conflict_error(path: Path) -> FileError:
    make = call("init", Placeholder("OTHER"))
    return FileError(
        path,
        found="another content than in the archive",
        expected="no such file, or the same",
        hint="Nothing was changed. Move it away, or fetch into another workspace; to make one: "
        f"{make}",
    )
