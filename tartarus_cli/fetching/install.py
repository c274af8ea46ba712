"""What an archive holds of a workspace's files, and bringing them to their places."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path, PurePosixPath

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import DataError, FileError, display_path
from tartarus_cli.fetching.archives import Member, is_archive_name, read_members, unpack
from tartarus_cli.file_names import FILE_PATTERNS, DataFile, Kind, parse_path
from tartarus_cli.files import atomic_write, format_bytes, same_content
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import Progress
from tartarus_cli.signals import defer_interrupts

STAGE = ".fetch"  # where archives are unpacked before the files take their places
DUPLICATES = ".doubles"  # in it, folders of what an archive holds for the second time, the third, …
LONGEST_NAME = 245  # bytes; most systems take 255, and a file bears ten more while it is written
ELSEWHERE = {"__MACOSX", "factors", "models", "results", "spectrograms"}  # hold no data to learn of
FOLDERS = tuple(dict.fromkeys(layout.folder for layout in FILE_PATTERNS))


@dataclass(frozen=True)
class Contents:
    """What an archive holds."""

    path: Path
    datasets: frozenset[str]
    size: int  # bytes of what will be unpacked
    left_out: tuple[str, ...]  # names that mean nothing here


@dataclass(frozen=True)
class InstallResult:
    """What became of the files of an archive."""

    files: list[Path]  # new in the workspace
    present: list[Path]  # there already, with the same content


def parse_member_name(name: str) -> DataFile | None:
    """Read from the name of a member what it holds, wherever in the archive it lies.

    >>> parse_member_name("dlrs-data/splits/y_test_als_200_MSD-A-songs.npy").canonical
    'datasets/item_factors_test_als_200_MSD-A-songs.npy'
    >>> parse_member_name("dlrs-data/README.md")
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.name[:1] == "." or not path.name.isprintable() or ELSEWHERE & {*path.parts}:
        return None
    found = (parse_path(Path(path.name), folder) for folder in FOLDERS)
    return next((file for file in found if file is not None), None)


def read_contents(path: Path, progress: Progress) -> Contents:
    """Read to the end what an archive holds, and unpack nothing.

    Raises
    ------
    FileError
        If the archive is damaged or not to be trusted, or no file of it means anything here.
    """
    with progress.task(f"reading {path.name}", path.stat().st_size) as task:
        members = read_members(path, task)
    found = [(member, parse_member_name(member.name)) for member in members]
    taken = [(member, file) for member, file in found if file is not None]
    for member, file in taken:
        if not member.plain:
            raise FileError(
                path,
                found=f"{member.name} is a link or a device",
                expected="a plain file",
                hint="Unpack the archive yourself, and name the folder with --workspace.",
            )
        _check_length(path, file)
    left_out = tuple(member.name for member, file in found if file is None)
    if not taken:
        some = ", ".join(left_out[:3]) or "no files"
        hint = "Look whether it is the right archive; README.md lists the names of all files."
        if any(map(is_archive_name, left_out)):
            hint = "It holds archives: unpack it yourself, then: tartarus fetch --archive FILE"
        raise FileError(
            path,
            found=f"no file whose name means anything here ({some})",
            expected="files such as items_index_train_DATASET.tsv and X_train_SETTING_DATASET.npz",
            hint=hint,
        )
    datasets = frozenset(file.dataset for _, file in taken)
    return Contents(path, datasets, sum(member.size for member, _ in taken), left_out)


def _check_length(path: Path, file: DataFile) -> None:
    name = PurePosixPath(file.canonical).name
    length = len(name.encode())
    if length > LONGEST_NAME:
        raise FileError(
            path,
            found=f"a name of {length:,} bytes ({name[:40]}…)",
            expected=f"at most {LONGEST_NAME}",
            hint="Unpack it yourself, shorten the name, and name that folder: --workspace.",
        )


def install_files(
    workspace: WorkspacePaths, archives: Sequence[Contents], progress: Progress
) -> InstallResult:
    """Unpack archives aside, then give their files their places: all of them or none.

    Raises
    ------
    DataError
        If the disk has no room, an archive contradicts itself, or the workspace holds other files
        of the same names.
    """
    size = sum(each.size for each in archives)
    check_room(workspace.data, size, "to unpack")
    progress.say(f"{format_bytes(size)} to unpack")
    with _stage(workspace) as stage:
        with progress.task("unpacking", size) as task:
            for each in archives:
                unpack(each.path, _Places(stage), task)
                _join_doubles(stage, each.path)
        _name_label_factors(stage)
        return _place(stage, workspace)


def check_room(folder: Path, size: int, what: str) -> None:
    """Make sure that a disk has room for so many bytes.

    Raises
    ------
    DataError
        If it has not.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        msg = f"{format_bytes(size)} are needed {what}, and {format_bytes(free)} are free"
        hint = (
            f"Make room on the disk of {display_path(folder)}, or use a workspace on another one."
        )
        raise DataError(msg, hint=hint)


@contextmanager
def _stage(workspace: WorkspacePaths) -> Iterator[WorkspacePaths]:
    folder = workspace.data / STAGE
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        yield WorkspacePaths(folder, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Places:
    """Where in the stage each member is unpacked; a second one of a name lies apart."""

    def __init__(self, stage: WorkspacePaths) -> None:
        self.stage = stage

    def __call__(self, member: Member) -> Path | None:
        file = parse_member_name(member.name)
        if file is None:
            return None
        folders = (self.stage.data / DUPLICATES / str(number) for number in count(1))
        places = (folder / file.canonical for folder in chain([self.stage.data], folders))
        return next(place for place in places if not place.exists())


def _join_doubles(stage: WorkspacePaths, archive: Path) -> None:
    """Delete what an archive holds twice."""
    doubles = stage.data / DUPLICATES
    for double in sorted(path for path in doubles.glob("*/**/*") if path.is_file()):
        canonical = Path(*double.relative_to(doubles).parts[1:])
        if not same_content(double, stage.data / canonical):
            raise FileError(
                archive,
                found=f"{canonical.name} under two names or in two places, with different contents",
                expected="one file",
                hint="Unpack it yourself, keep the right one, and name that folder: --workspace.",
            )
        double.unlink()


def _name_label_factors(stage: WorkspacePaths) -> None:
    """Give the factors of labels, which used to be called those of users, their own name."""
    files = stage.scan()
    for file in files.select(Kind.USER_FACTORS):
        dataset = Dataset(files, file.dataset)
        if dataset.is_classification and not dataset.is_recommendation:
            place = stage.place(Kind.CLASS_FACTORS, **file.fields)
            if not place.exists():
                file.path.replace(place)


def _place(stage: WorkspacePaths, workspace: WorkspacePaths) -> InstallResult:
    there = {file.key: file.path for file in workspace.scan().files}
    arrived = stage.scan().files
    for file in arrived:
        if file.key in there and not same_content(file.path, there[file.key]):
            raise _taken(there[file.key])
    new = [file for file in arrived if file.key not in there]
    new.sort(key=lambda file: file.kind is Kind.ITEMS)  # without ids, nothing is taken for whole
    places = [workspace.data / file.canonical for file in new]
    with defer_interrupts():
        _link_all([file.path for file in new], places)
    return InstallResult(places, [there[file.key] for file in arrived if file.key in there])


def _link_all(files: Sequence[Path], places: Sequence[Path]) -> None:
    done: list[Path] = []
    try:
        for file, place in zip(files, places, strict=True):
            _link(file, place)
            done.append(place)
    except BaseException:
        for place in done:
            place.unlink(missing_ok=True)
        raise


def _link(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, place)
    except FileExistsError:
        raise _taken(place) from None
    except OSError:  # another disk, or a file system without hard links
        with atomic_write(place) as beside:
            shutil.copyfile(file, beside)
        file.unlink()  # or all of it would need room twice


def _taken(place: Path) -> FileError:
    return FileError(
        place,
        found="another content than in the archive",
        expected="no such file, or the same",
        hint="Nothing was changed. Move it away, or fetch into a workspace of its own: "
        "tartarus init OTHER",
    )
