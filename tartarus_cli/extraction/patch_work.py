"""What is to be done for the patches of a dataset: its recordings, its lock, and where they go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.folders import FolderScan
from tartarus_cli.data.lists import ListedFile
from tartarus_cli.extraction.existing_patches import check_existing_patches
from tartarus_cli.extraction.patch_job import PatchJob, PreparedRecording
from tartarus_cli.extraction.preparation import FileWork, work_digest
from tartarus_cli.extraction.recordings import find_recordings, scan_recordings, warn_unused
from tartarus_cli.extraction.request import PatchesRequest
from tartarus_cli.extraction.shards import RECORDS
from tartarus_cli.extraction.workers import Recording
from tartarus_cli.file_names import SPLITS, Kind
from tartarus_cli.files import (
    locked,
    locked_together,
    make_own_folder,
    remove_leftovers,
    remove_own_folder,
)
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import Progress

LISTS = (Kind.AUDIO_LIST, Kind.AUDIO_ERRORS)


@dataclass(frozen=True)
class PatchWork:
    """The recordings of a dataset that patches are made of."""

    sets: dict[str, list[str]]
    """Split → ids of its items."""
    listed: dict[str, ListedFile]
    """Id → its recording, of items or not."""
    scan: FolderScan | None
    """What lies in the folder of recordings, if one is named."""
    job: PatchJob
    recordings: list[Recording]
    """The recordings of items, in the order of the items."""

    @property
    def items(self) -> list[str]:
        """Ids of all items."""
        return [item for ids in self.sets.values() for item in ids]

    @property
    def files(self) -> FileWork[PreparedRecording]:
        """The recordings, as they are prepared one by one."""
        key = work_digest(self.job.recipe.model_dump_json(), self.recordings)
        return FileWork(self.job, self.recordings, self.job.staging, key)


def find_work(
    workspace: WorkspacePaths, dataset: Dataset, request: PatchesRequest, progress: Progress
) -> PatchWork:
    """Find the recordings of a dataset, and make the folder of what is prepared of them.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    dataset
        The dataset, which is locked.
    request
        How its patches are made.
    progress
        Reports recordings that are not used.

    Raises
    ------
    RequestError
        If there is no such folder, or there are patches of the same name that were made by other
        parameters.
    DataError
        If there is no list of recordings.
    """
    sets = dataset.split_ids()
    items = [item for ids in sets.values() for item in ids]
    check_existing_patches(dataset, request, sets)
    scan = scan_recordings(request.audio)
    listed = find_recordings(dataset, request.audio, items, scan=scan)
    warn_unused({*items}, listed, scan, progress)
    staging = _staging_folder(workspace, request)
    job = PatchJob(request.recipe, staging, workspace.spectrograms, request.keep_spectrograms)
    make_own_folder(staging)
    recordings = [Recording(item, listed[item].path) for item in items if item in listed]
    return PatchWork(sets, listed, scan, job, recordings)


@contextmanager
def lock_dataset(workspace: WorkspacePaths, request: PatchesRequest) -> Iterator[None]:
    """Keep other commands from making patches of the dataset; remove files that killed ones left.

    Half-written files are removed at once; patches of other kinds that were prepared, but not
    written, when the block ends, except those of shards.
    """
    folder, fields = workspace.data / "patches", request.fields
    paths = {workspace.path_of(Kind.PATCHES, split=split, **fields) for split in SPLITS}
    paths.add(workspace.path_of(Kind.SCALER, **fields))
    paths |= {workspace.path_of(kind, dataset=request.dataset) for kind in LISTS}
    own = _staging_folder(workspace, request)
    with locked(_lock_path(workspace, request)):
        for parent in {path.parent for path in paths}:
            remove_leftovers(parent, {path.name for path in paths})
        yield
        for staging in folder.glob(f".making_{escape(request.dataset)}_*"):
            if staging == own or not any(staging.glob(RECORDS)):
                remove_own_folder(staging)


def lock_for_shard(
    workspace: WorkspacePaths, request: PatchesRequest
) -> AbstractContextManager[None]:
    """Keep other commands from making patches of the dataset, but for those that do shards."""
    return locked_together(_lock_path(workspace, request))


def _lock_path(workspace: WorkspacePaths, request: PatchesRequest) -> Path:
    return workspace.data / "patches" / f".making_{request.dataset}.lock"


def _staging_folder(workspace: WorkspacePaths, request: PatchesRequest) -> Path:
    """Return the folder of patches that are not written yet; those of other recipes are ignored."""
    name = ".making_{dataset}_{count}_{seconds}{name}".format(**request.fields)
    return workspace.data / "patches" / name
