"""Features of a dataset's items: brought along, cut from recordings, counted in texts."""

from __future__ import annotations

from collections.abc import Sequence
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
    from tartarus_cli.extraction.documents import TextResult
    from tartarus_cli.extraction.patches import PatchesResult
    from tartarus_cli.extraction.request import PatchesRequest
    from tartarus_cli.extraction.shards import ShardResult
    from tartarus_cli.features.importing import FeaturesResult
    from tartarus_cli.forecasting.forecast import Forecast
    from tartarus_cli.progress import Progress
    from tartarus_cli.workspace import Workspace


def features(
    dataset: str,
    setting: str,
    *,
    source: Path | str,
    ids: Path | str | None = None,
    id_column: str | None = None,
    without: Sequence[str] = (),
    encoding: str | None = None,
    tags: bool = False,
    tag_separator: str | None = None,
    min_items: int | None = None,
    max_tags: int | None = None,
    missing: Literal["error", "zero", "absent"] = "error",
    tolerate: float | None = None,
    sparse: bool | None = None,
    scale: bool = False,
    force: bool = False,
    cluster: str | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> FeaturesResult | FoldResults[FeaturesResult]:
    """Bring features or tags of your own into a dataset as a new setting, aligned with its items.

    Parameters
    ----------
    dataset, setting
        Where the features go, and what they will be called.
    source
        A table (CSV, TSV, Parquet) or a matrix (``.npy``, ``.npz``).
    ids
        For a matrix: the id of each row, one a line.
    id_column
        The column of ids; the first one if None.
    without
        Columns to leave out.
    encoding
        Encoding of a table in CSV or TSV that is not in UTF-8 and has no byte-order mark, such as
        ``cp1252``.
    tags
        The table has a row for each item and tag.
    tag_separator
        What stands between several tags in one cell, such as ``|``; each cell is one if None.
    min_items, max_tags
        For tags: the train items that one needs, and how many are used.
    missing
        What is done with items without a row: an error; a row of zeros; or they lack the setting,
        which a mask beside the matrix says.
    tolerate
        Items without a row are no error while they are at most this share of each set: they get
        rows of zeros, or lack the setting with ``missing="absent"``.
    sparse
        How the matrices are written; by the values if None.
    scale
        Zero mean and unit variance of each column, by the train items.
    force
        Replace a setting of this name.
    cluster
        Read the rows on a cluster: ``local``, the address of a scheduler of Dask, or a file that
        describes jobs of a batch system. Parquet files and ``.npy`` are read in shares.
    workspace
        Where the dataset is.
    progress
        Told of each block.

    Raises
    ------
    RequestError
        If there is no such dataset, file or column, or there is such a setting.
    DataError
        If the source is damaged, or lacks items.
    """
    from tartarus_cli.encodings import check_encoding
    from tartarus_cli.features.importing import import_features
    from tartarus_cli.features.request import FeaturesRequest

    request = FeaturesRequest(
        dataset=dataset,
        setting=setting,
        source=Path(source),
        ids=path_of(ids),
        id_column=id_column,
        without=tuple(without),
        encoding=check_encoding(encoding),
        tags=tags,
        tag_separator=tag_separator,
        min_items=min_items,
        max_tags=max_tags,
        missing=missing,
        tolerate=tolerate,
        sparse=sparse,
        scale=scale,
        force=force,
        cluster=cluster,
    )
    with shown(progress) as watcher:
        root = workspace_of(workspace)
        return for_each_fold(
            root,
            dataset,
            lambda name: import_features(root, replace(request, dataset=name), progress=watcher),
            watcher,
            request.cluster,
        )


def patches(
    dataset: str,
    *,
    audio: Path | str | None = None,
    transform: str = "cqt",
    per_item: int = 1,
    seconds: float = 15,
    starts: Literal["random", "even", "sound"] = "random",
    scale: Literal["position", "bin"] = "position",
    overrides: Overrides = (),
    name: str = "",
    force: bool = False,
    scaler_patches: int = 300_000,
    jobs: int | None = None,
    timeout: float | None = None,
    cluster: str | None = None,
    shard: str | None = None,
    keep_spectrograms: bool = True,
    dry_run: bool = False,
    code: Code = (),
    seed: int | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> PatchesResult | ShardResult | Forecast | FoldResults[PatchesResult | ShardResult]:
    """Turn recordings into spectrogram patches; interrupted, it goes on where it was.

    Parameters
    ----------
    dataset
        Of this workspace.
    audio
        A folder of recordings, of which the list is made; None: there is a list.
    transform
        ``cqt``, ``mel``, ``stft``, or one of your own.
    per_item, seconds
        Patches of each recording, and how long they are.
    starts
        Where they begin: at drawn frames, evenly spaced over the recording, or spread over where it
        sounds most.
    scale
        What is scaled to zero mean and unit variance: each position (frame and bin), or each bin
        alone, as is right for networks that are trained on crops of patches.
    overrides
        Parameters of the transform.
    name
        Name of these patches, where there are others of the same number and length.
    force
        Replace patches that were made by other parameters.
    scaler_patches
        Fit the scaler on at most so many train patches.
    jobs
        Processes; one for each core if None.
    timeout
        Give up on a recording after so many seconds.
    cluster
        Prepare the recordings on a cluster: ``local``, the address of a scheduler of Dask, or a
        file that describes jobs of a batch system; ``jobs`` is then the number of processes of
        each worker.
    shard
        Prepare a part of the recordings, such as ``2/8``: every eighth one from the second on. It
        may be done at the same time as others, on machines that share the workspace; a call
        without ``shard`` then joins them.
    keep_spectrograms
        Keep the spectrograms, so that other patches are cut from them quickly.
    dry_run
        Only say what would be done, and forecast time, memory and disk from a few recordings that
        are prepared; nothing is written.
    code
        Python files with transforms of your own.
    seed
        Of where patches are cut; the workspace's, else 0, if None.
    workspace
        Where the dataset is.
    progress
        Told of each recording.

    Raises
    ------
    RequestError
        If there is no such dataset, folder, transform or parameter.
    DataError
        If there is no list of recordings, or no train recording can be used.
    """
    from tartarus_cli.experiments.request import seed_of
    from tartarus_cli.extraction.request import PatchesRequest
    from tartarus_cli.options import shard_of

    with shown(progress) as watcher:
        run_code(code)
        root = workspace_of(workspace)
        request = PatchesRequest(
            dataset,
            audio=path_of(audio),
            transform=transform,
            per_item=per_item,
            seconds=seconds,
            starts=starts,
            scale=scale,
            name=name,
            force=force,
            overrides=overrides_of(overrides),
            scaler_patches=scaler_patches,
            jobs=jobs,
            timeout_s=timeout,
            keep_spectrograms=keep_spectrograms,
            seed=seed_of(root, seed),
            cluster=cluster,
            shard=shard_of(shard, cluster),
        )
        if dry_run:
            from tartarus_cli.forecasting.patches import forecast_patches

            return forecast_patches(root, request, progress=watcher)
        return patches_of_folds(root, request, progress=watcher)


def patches_of_folds(
    workspace: Workspace, request: PatchesRequest, *, progress: Progress
) -> PatchesResult | ShardResult | FoldResults[PatchesResult | ShardResult]:
    """Turn the recordings of a dataset into patches, or those of each fold.

    Spectrograms are kept by the content of the recordings: what one fold has decoded, the next one
    reads.
    """
    from tartarus_cli.extraction.patches import make_patches

    return for_each_fold(
        workspace,
        request.dataset,
        lambda name: make_patches(workspace, replace(request, dataset=name), progress=progress),
        progress,
        request.cluster,
    )


def text(
    dataset: str,
    extractor: str,
    *,
    text: Path | str | None = None,
    setting: str | None = None,
    words: int | None = None,
    encoding: str | None = None,
    vectors: Path | str | None = None,
    missing: Literal["zero", "absent"] = "zero",
    overrides: Overrides = (),
    cluster: str | None = None,
    shard: str | None = None,
    code: Code = (),
    seed: int | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> TextResult | ShardResult | FoldResults[TextResult | ShardResult]:
    """Turn documents into a setting: a vocabulary of the train items, a row for each item.

    Parameters
    ----------
    dataset
        Of this workspace.
    extractor
        ``vsm`` (tf-idf), ``w2v`` (sequences of words, word vectors), or one of your own.
    text
        A folder of documents, of which the list is made; None: there is a list.
    setting
        What the setting is called; as the extractor if None.
    words
        How many words of a document are read, from the first on; the extractor's default if None.
    encoding
        Encoding of documents that are not in UTF-8 and have no byte-order mark, such as ``cp1252``.
    vectors
        For ``w2v``: word vectors in word2vec's format, or GloVe's, instead of learning them.
    missing
        What items without a document are: items without a word, or items that lack the setting.
    overrides
        Parameters of the extractor.
    cluster
        Read the documents, and find their words, on a cluster: ``local``, the address of a
        scheduler of Dask, or a file that describes jobs of a batch system. The vocabulary and word
        vectors are learnt here.
    shard
        Read a part of the documents, such as ``2/8``: every eighth block of 64 from the second on.
        It may be done at the same time as others, on machines that share the workspace; a call
        without ``shard`` then learns from all of them.
    code
        Python files with extractors of your own.
    seed
        Of what is learnt; the workspace's, else 0, if None.
    workspace
        Where the dataset is.
    progress
        Told of each document.

    Raises
    ------
    RequestError
        If there is no such dataset, extractor or parameter, or there is another such setting.
    DataError
        If the list or a document is missing or damaged, or nothing can be learnt.
    """
    from tartarus_cli.encodings import check_encoding
    from tartarus_cli.experiments.request import seed_of
    from tartarus_cli.extraction.documents import make_text
    from tartarus_cli.extraction.request import TextRequest
    from tartarus_cli.options import shard_of

    with shown(progress) as watcher:
        run_code(code)
        root = workspace_of(workspace)
        request = TextRequest(
            dataset=dataset,
            extractor=extractor,
            setting=setting,
            text=path_of(text),
            words=words,
            encoding=check_encoding(encoding),
            vectors=path_of(vectors),
            missing=missing,
            overrides=overrides_of(overrides),
            seed=seed_of(root, seed),
            cluster=cluster,
            shard=shard_of(shard, cluster),
        )
        return for_each_fold(
            root,
            dataset,
            lambda name: make_text(root, replace(request, dataset=name), progress=watcher),
            watcher,
            request.cluster,
        )
