"""Shards of documents: each reads its own, on whatever machine, and the last command joins."""

from __future__ import annotations

import time

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.extraction.checked_documents import find_documents, in_order
from tartarus_cli.extraction.prepared_documents import PreparedDocuments
from tartarus_cli.extraction.request import TextRequest
from tartarus_cli.extraction.setting_files import (
    lock_for_shard,
    refuse_other_settings,
    setting_files,
    text_options,
)
from tartarus_cli.extraction.shards import ShardRecord, ShardResult, shards_done, write_record
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.options import Shard
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.text import EXTRACTORS


def prepare_text_shard(
    workspace: WorkspacePaths, request: TextRequest, shard: Shard, *, progress: Progress = UNWATCHED
) -> ShardResult:
    """Read the documents of a shard and find their tokens: every ``of``-th block of documents.

    Other shards may do so at the same time. Once all are done, ``extract_text`` finds what they
    read, learns the vocabulary, and writes what it would have written without them, byte for byte.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    request
        The dataset, the extractor and its parameters.
    shard
        Which documents are read.
    progress
        Shows how many are read.

    Raises
    ------
    RequestError
        As ``extract_text``; or if that is writing the setting now.
    DataError
        If the list is missing or damaged.
    """
    start = time.monotonic()
    extractor = EXTRACTORS.get(request.extractor)
    options = text_options(request, extractor)
    dataset = Dataset(workspace.scan(), request.dataset)
    ids = dataset.split_ids()
    files = setting_files(workspace, request, extractor, tuple(ids))
    with lock_for_shard(files):
        refuse_other_settings(dataset, request, files)
        documents = in_order(find_documents(dataset, ids, request), ids)
        prepared = PreparedDocuments(
            files.prepared, request.extractor, options, request.encoding, documents
        )
        blocks = shard.select(prepared.blocks)
        total = sum(len(block.files) for block in blocks)
        with progress.task("reading documents", total) as task:
            failures = {
                file.id: document.problem
                for file, document in prepared.examine(blocks, task)
                if document.problem
            }
        record = ShardRecord(number=shard.number, of=shard.of, work=prepared.digest)
        write_record(prepared.folder, record)
        done = shards_done(prepared.folder, prepared.digest, shard)
    return ShardResult(
        dataset=request.dataset,
        shard=shard,
        noun="document",
        units=total,
        failures=failures,
        done=done,
        seconds=time.monotonic() - start,
    )
