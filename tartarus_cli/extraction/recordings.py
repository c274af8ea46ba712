"""The recordings of a dataset: which file each item has, and which ones cannot be used."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tartarus_cli.audio.decoding import RECORDING_EXTENSIONS
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.folders import FolderScan, scan_folder
from tartarus_cli.data.lists import FileSource, ListedFile, find_listed, save_list
from tartarus_cli.data.unicode_forms import same_but_for_form
from tartarus_cli.errors import Placeholder, display_path, parameter
from tartarus_cli.file_names import Kind
from tartarus_cli.files import write_text
from tartarus_cli.progress import Progress


def scan_recordings(audio: Path | None) -> FolderScan | None:
    """Look at the folder of recordings, if one is named.

    Raises
    ------
    RequestError
        If there is no such folder, or no recording in it.
    """
    if audio is None:
        return None
    return scan_folder(audio.expanduser(), RECORDING_EXTENSIONS)


def find_recordings(
    dataset: Dataset,
    folder: Path | None,
    ids: Collection[str],
    *,
    scan: FolderScan | None = None,
    save: bool = True,
) -> dict[str, ListedFile]:
    """Return the recordings of a dataset by id.

    Parameters
    ----------
    dataset
        The dataset whose list of recordings is read.
    folder
        The folder from which the list is made; None: there is a list.
    ids
        Ids of all items of the dataset.
    scan
        What lies in the folder; None: it is looked at now.
    save
        Whether to write a list that is made from a folder.
    """
    workspace, audio = dataset.workspace, parameter("audio", Placeholder("FOLDER"))
    hint = f"List the recordings in it (id, tab, path), or name their folder: {audio}. "
    hint += f"Paths start from {display_path(workspace.audio)}."
    source = FileSource(Kind.AUDIO_LIST, workspace.audio, folder, RECORDING_EXTENSIONS, hint)
    files = find_listed(dataset, ids, source, scan)
    if save and folder is not None:
        save_list(dataset.path(Kind.AUDIO_LIST), files)
    return {file.id: file for file in files}


def warn_unused(
    known: Collection[str],
    recordings: Mapping[str, ListedFile],
    scan: FolderScan | None,
    progress: Progress,
) -> None:
    """Warn of recordings of no item, of those of two items, and of files that are none."""
    for line in scan.remarks if scan else ():
        progress.warn(line)
    unknown = [item for item in recordings if item not in known]
    if unknown:
        count, names = len(unknown), _first_names(unknown)
        progress.warn(f"{count:,} recordings belong to no item and are not used: {names}")
    by_path: dict[Path, str] = {}
    pairs = [
        f"{by_path[file.path]} and {item}"
        for item, file in recordings.items()
        if item in known and by_path.setdefault(file.path, item) != item
    ]
    if pairs:
        progress.warn(f"{len(pairs):,} recordings belong to two items: {_first_names(pairs)}")


def _first_names(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def absent_reasons(
    items: Sequence[str], recordings: dict[str, ListedFile], scan: FolderScan | None
) -> dict[str, str]:
    """Say of items without a recording why they have none."""
    absent = [item for item in items if item not in recordings]
    twins = {
        item: other
        for group in same_but_for_form(items)
        for item in group
        for other in group
        if item not in recordings and other in recordings
    }
    if scan is None:
        return dict.fromkeys(absent, "it is not in the list") | _twin_reasons(twins)
    stems = {Path(name).stem.removeprefix("._"): name for name in scan.refused}
    stems |= {str(Path(name).with_suffix("")): name for name in scan.refused}
    folder = display_path(scan.folder)
    return {
        item: f"{stems[item]} is no recording: {scan.refused[stems[item]]}"
        if item in stems
        else f"it has no recording in {folder}"
        for item in absent
    } | _twin_reasons(twins)


def _twin_reasons(twins: Mapping[str, str]) -> dict[str, str]:
    """Say of items to which other item the recording belongs that seems to be theirs."""
    return {
        item: f"the file that looks like {item!a} is that of item {other!a}"
        for item, other in twins.items()
    }


def write_failures(
    path: Path,
    reasons: Mapping[str, str],
    recordings: Mapping[str, ListedFile],
    items: Collection[str],
    scan: FolderScan | None,
) -> Path | None:
    """List the items that lack something, and the files of a folder that are not used.

    Returns
    -------
    The path; None if there is nothing to list, and no such file then.
    """
    text = "".join(_failure_lines(reasons, recordings, items, scan))
    if not text:
        path.unlink(missing_ok=True)
        return None
    write_text(path, text)
    return path


def _failure_lines(
    reasons: Mapping[str, str],
    recordings: Mapping[str, ListedFile],
    items: Collection[str],
    scan: FolderScan | None,
) -> Iterator[str]:
    """Yield a line for each item that lacks something, and for each file of a folder not used."""
    names = {item: recordings[item].name if item in recordings else "" for item in reasons}
    lines = [(item, names[item], reason) for item, reason in reasons.items()]
    if scan is not None:
        lines += [(name, name, reason) for name, reason in scan.refused.items()]
        unknown = (file for item, file in recordings.items() if item not in items)
        lines += [(file.id, file.name, "it belongs to no item") for file in unknown]
    return ("\t".join(line) + "\n" for line in sorted(lines))
