"""What lies in a folder of recordings or documents: every file is taken, refused or counted."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tartarus_cli.audio.decoding import APPLE_DOUBLE, RECORDING_EXTENSIONS
from tartarus_cli.errors import RequestError, count_noun, display_path

BESIDE = RECORDING_EXTENSIONS | frozenset(
    {
        *(".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".svg", ".ico"),
        *(".txt", ".md", ".rst", ".pdf", ".doc", ".docx", ".rtf", ".htm", ".html", ".nfo", ".log"),
        *(".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".csv", ".tsv", ".xls", ".xlsx"),
        *(".m3u", ".m3u8", ".pls", ".cue", ".lrc", ".srt", ".vtt", ".lab", ".jams", ".sfv", ".md5"),
        *(".zip", ".gz", ".bz2", ".xz", ".tar", ".rar", ".7z", ".npy", ".npz", ".hdf5", ".h5"),
        *(".py", ".sh", ".ipynb", ".ini", ".db", ".lnk", ".url", ".torrent", ".part", ".tmp"),
    }
)
"""Extensions of files that lie beside those that are looked for; they are counted, not named."""


@dataclass(frozen=True)
class FolderScan:
    """The files of a folder and of the folders below it."""

    folder: Path
    files: dict[str, Path]
    """Path relative to the folder → path of the files that are taken, in alphabetical order."""
    refused: dict[str, str]
    """Path relative to the folder → why it is not taken, though it may be what is looked for."""
    others: Counter[str] = field(default_factory=Counter)
    """Extension → number of files of other kinds."""

    @property
    def other_kinds(self) -> str:
        """Say which files of other kinds are there, such as ``3 .jpg and 1 .txt``; or nothing."""
        kinds = [
            f"{count:,} {ext or 'without extension'}" for ext, count in self.others.most_common()
        ]
        if len(kinds) > 6:
            more = sum(count for _, count in self.others.most_common()[5:])
            kinds = [*kinds[:5], f"{more:,} more"]
        return (
            " and ".join([", ".join(kinds[:-1]), kinds[-1]]) if len(kinds) > 1 else "".join(kinds)
        )

    @property
    def remarks(self) -> list[str]:
        """What to say of the files that are not taken."""
        lines = []
        if self.refused:
            named = [f"{name} ({reason})" for name, reason in [*self.refused.items()][:3]]
            names = ", ".join(named) + (", …" if len(self.refused) > 3 else "")
            count = count_noun(len(self.refused), "file")
            lines.append(f"{count} of {display_path(self.folder)} cannot be used: {names}")
        return [*lines, *self.other_remarks]

    @property
    def other_remarks(self) -> list[str]:
        """What to say of files of other kinds alone."""
        if not self.others:
            return []
        count = count_noun(sum(self.others.values()), "other file is", "other files are")
        return [f"{count} in {display_path(self.folder)}, not read: {self.other_kinds}"]


def scan_folder(folder: Path, endings: Collection[str]) -> FolderScan:
    """Look at every file in a folder and in the folders below it.

    Parameters
    ----------
    folder
        The folder.
    endings
        Endings of the names of files that are taken, in lower case and with the dot.

    Raises
    ------
    RequestError
        If there is no such folder, or it holds no file that can be taken.
    """
    _require_folder(folder)
    scan = FolderScan(folder, {}, {})
    for path, reason in sorted(_entries(folder)):
        name, ending = str(path.relative_to(folder)), path.suffix.lower()
        if ending in endings:
            reason = reason or _reason(path)  # noqa: PLW2901
        elif not reason and (path.name.startswith(".") or ending in BESIDE):
            scan.others[ending or path.name] += 1
            continue
        else:
            reason = reason or _reason_of_name(ending)  # noqa: PLW2901
        if reason:
            scan.refused[name] = reason
        else:
            scan.files[name] = path
    if not scan.files:
        raise _nothing_error(scan, endings)
    ordered = dict(sorted(scan.files.items()))
    return FolderScan(folder, ordered, scan.refused, scan.others)


def _require_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    msg = f"there is no folder {folder}"
    if folder.exists():
        kind = "a file" if folder.is_file() else "a pipe, a device or the like"
        msg = f"{folder} is not a folder, but {kind}"
    raise RequestError(msg, hint="Give the path of the folder that holds the files.")


def _reason_of_name(ending: str) -> str:
    return f"unknown extension {ending}" if ending else "no extension"


def _nothing_error(scan: FolderScan, endings: Collection[str]) -> RequestError:
    msg = f"{display_path(scan.folder)} holds no file that ends in {', '.join(sorted(endings))}"
    found = "; ".join(scan.remarks)
    return RequestError(msg, hint=f"Give the path of another folder. {found}".strip())


def _entries(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield everything but folders, and folders that are not looked into with the reason."""
    problems: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=problems.append):
        for name in names:
            yield Path(root, name), ""
        for name in folders:
            if Path(root, name).is_symlink():
                yield Path(root, name), "a link to a folder, which is not followed"
    for problem in problems:
        yield Path(problem.filename), f"cannot be listed: {problem.strerror}"


def _reason(path: Path) -> str:
    """Say why a file is not taken although its name ends as it should; empty if it is."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return "a pipe, a device or the like"
        if path.name.startswith("._"):
            with path.open("rb") as file:
                head = file.read(4)
            return (
                "what a Mac writes beside a file, not its content" if head == APPLE_DOUBLE else ""
            )
    except FileNotFoundError:
        return "a link to what does not exist"
    except OSError:
        # Those who read it say why it cannot be read.
        return ""
    return ""
