"""Shards of recordings: each prepares its own, on whatever machine, and the last command joins."""

from __future__ import annotations

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.extraction.patch_work import find_work, lock_for_shard
from tartarus_cli.extraction.preparation import prepare_shard
from tartarus_cli.extraction.request import PatchesRequest
from tartarus_cli.extraction.shards import ShardResult
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.options import Shard
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts


def prepare_patch_shard(
    workspace: WorkspacePaths,
    request: PatchesRequest,
    shard: Shard,
    *,
    progress: Progress = UNWATCHED,
) -> ShardResult:
    """Prepare the recordings of a shard: every ``of``-th one of the items, in their order.

    Other shards may be prepared at the same time. Once all are, ``extract_patches`` finds what
    they prepared, and writes what it would have written without them, byte for byte.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    request
        The dataset, and how its patches are made.
    shard
        Which recordings are prepared.
    progress
        Shows how many recordings are prepared, and reports recordings that are not used.

    Raises
    ------
    RequestError
        As ``extract_patches``; or if that is writing the patches now.
    DataError
        If there is no list of recordings.
    """
    dataset = Dataset(workspace.scan(), request.dataset)
    with lock_for_shard(workspace, request), defer_interrupts() as check:
        work = find_work(workspace, dataset, request, progress)
        return prepare_shard(work.files, request, shard, progress, check)
