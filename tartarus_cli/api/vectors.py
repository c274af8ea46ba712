"""Vectors of recordings and documents, made by encoders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tartarus_cli.api.arguments import (
    Code,
    Overrides,
    WorkspaceLike,
    overrides_of,
    path_of,
    run_code,
    workspace_of,
)
from tartarus_cli.api.folds import FoldResults, for_each_fold
from tartarus_cli.api.progress import ProgressOption, shown

if TYPE_CHECKING:
    from tartarus_cli.extraction.embed import EmbedResult
    from tartarus_cli.extraction.shards import ShardResult


def embed(
    dataset: str,
    encoder: str | None = None,
    *,
    command: str | None = None,
    source: Literal["recordings", "documents"] | None = None,
    chunk: int | None = None,
    setting: str | None = None,
    audio: Path | str | None = None,
    text: Path | str | None = None,
    window: float | None = None,
    hop: float | None = None,
    pool: Literal["mean", "mean+std", "max"] = "mean",
    layer: str | None = None,
    overrides: Overrides = (),
    weights: Path | str | None = None,
    encoding: str | None = None,
    missing: Literal["absent", "zero"] = "absent",
    force: bool = False,
    jobs: int | None = None,
    timeout: float | None = None,
    cluster: str | None = None,
    shard: str | None = None,
    code: Code = (),
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> EmbedResult | ShardResult | FoldResults[EmbedResult | ShardResult]:
    """Turn recordings or documents into vectors by an encoder: a setting for every set.

    Vectors are kept by the content of each file and by the encoder: interrupted, it goes on where
    it was, and another pooling or dataset encodes nothing again.

    Parameters
    ----------
    dataset
        Of this workspace.
    encoder
        ``mel-stats``, ``cqt-stats``, ``musicnn``, …, or one of your own.
    command
        In place of an encoder: a program of any environment, such as
        ``python my_clap.py {list} {out}``, which runs without a shell. ``{list}`` becomes the name
        of a Parquet file with the columns ``id`` and ``path`` (absolute) of recordings, or ``id``
        and ``text`` of documents; ``{out}`` that of the Parquet file that it has to write: ``id``,
        and ``vector`` (a list of numbers) or a column for each dimension. Vectors are kept by the
        command, the code files that it names, and the content of each file.
    source
        What the program reads; if None, documents where ``text`` is given, else recordings.
    chunk
        Files that the program is given at once, at most; 256 if None. An interrupted call goes on
        with the first chunk that was not finished.
    setting
        What the setting is called; as the encoder if None. A command needs a name.
    audio, text
        A folder of recordings, or of documents, of which the list is made; None: there is a list.
    window
        Seconds of the windows that a recording is cut into; 0: the whole recording is one; the
        encoder's default if None.
    hop
        Seconds from one window to the next; the encoder's default, or as a window, if None.
    pool
        What becomes of the vectors of a recording's windows.
    layer
        Another output of the encoder.
    overrides
        Parameters of the encoder.
    weights
        The file of weights, where it is not the one in the user's cache.
    encoding
        Encoding of documents that are not in UTF-8 and have no byte-order mark, such as ``cp1252``.
    missing
        What items without a recording or document are: items that lack the setting, which a mask
        beside the matrix says, or rows of zeros.
    force
        Replace a setting of this name that was made otherwise.
    jobs
        Processes; one for each core if None.
    timeout
        Give up on a file, or on a call of the program, after so many seconds.
    cluster
        Encode on a cluster: ``local``, the address of a scheduler of Dask, or a file that describes
        jobs of a batch system; ``jobs`` is then the number of processes of each worker.
    shard
        Encode a part of the files, such as ``2/8``: every eighth one from the second on. It may be
        done at the same time as others, on machines that share the workspace; a call without
        ``shard`` then writes the setting.
    code
        Python files with encoders of your own.
    workspace
        Where the dataset is.
    progress
        Told of each file.

    Raises
    ------
    RequestError
        If there is no such dataset, folder, encoder or parameter, or there is another such setting.
    DataError
        If there is no list of files, or none of a train item can be used.
    TartarusError
        If the encoder lacks weights or a library; the hint says how to get them.
    """
    from tartarus_cli.encodings import check_encoding
    from tartarus_cli.extraction.embed import make_vectors
    from tartarus_cli.extraction.embed_request import EmbedRequest
    from tartarus_cli.options import shard_of

    with shown(progress) as watcher:
        run_code(code)
        root = workspace_of(workspace)
        request = EmbedRequest(
            dataset=dataset,
            encoder=encoder or "",
            command=command,
            source=source,
            chunk=chunk,
            setting=setting,
            audio=path_of(audio),
            text=path_of(text),
            window_s=window,
            hop_s=hop,
            pool=pool,
            layer=layer,
            overrides=overrides_of(overrides),
            weights=path_of(weights),
            encoding=check_encoding(encoding),
            missing=missing,
            force=force,
            jobs=jobs,
            timeout_s=timeout,
            cluster=cluster,
            shard=shard_of(shard, cluster),
        )
        return for_each_fold(
            root,
            dataset,
            lambda name: make_vectors(root, replace(request, dataset=name), progress=watcher),
            watcher,
            request.cluster,
        )
