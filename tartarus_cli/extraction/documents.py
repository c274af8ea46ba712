"""Features of documents: a vocabulary of the train items, and a row for each item."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import vstack

from tartarus_cli.architectures import InputKind
from tartarus_cli.data.array_writing import create_dense, put_csr, put_dense
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.masks import put_mask
from tartarus_cli.experiments.settings import (
    experiments_reading,
)
from tartarus_cli.extraction.checked_documents import (
    CheckedDocuments,
    check_documents,
    find_documents,
    in_order,
)
from tartarus_cli.extraction.corpus import Corpus
from tartarus_cli.extraction.document_shards import prepare_text_shard
from tartarus_cli.extraction.held_tokens import HeldTokens
from tartarus_cli.extraction.prepared_documents import PreparedDocuments, examine_documents
from tartarus_cli.extraction.request import TextRequest, word_limit
from tartarus_cli.extraction.setting_files import (
    SettingFiles,
    lock_setting,
    refuse_other_settings,
    setting_files,
    text_options,
)
from tartarus_cli.extraction.shards import ShardResult
from tartarus_cli.extraction.word_vectors import read_vectors
from tartarus_cli.files import put_text, write_together
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.text import (
    EXTRACTORS,
    ExtractorOptions,
    FittedVocabulary,
    RowForm,
    TrainingTexts,
    Vocabulary,
)

BLOCK = 256
"""Documents that are transformed at once."""


@dataclass(frozen=True)
class TextResult:
    """A setting that was made of documents."""

    dataset: str
    setting: str
    extractor: str
    seed: int
    options: dict[str, Any]
    """Parameters of the extractor."""
    form: RowForm
    splits: dict[str, int]
    """Split → number of items."""
    width: int
    """Columns of the matrices."""
    vocabulary: int
    """Number of words or terms."""
    known: dict[str, float | None]
    """Split → mean share of a document's words that are in the vocabulary."""
    words: int | None
    """Words of a document that are read at most; None: all of them."""
    longer: int
    """Number of documents that hold more words."""
    without_document: list[str]
    """Ids of items without a document."""
    without_word: list[str]
    """Ids of items whose document contains no word."""
    files: list[Path]
    absent: dict[str, int] = field(default_factory=dict)
    """Split → number of items that lack the setting; empty if none does."""
    failures: dict[str, str] = field(default_factory=dict)
    """Id of an item whose document cannot be read → the reason; it has a row of zeros."""
    failure_list: Path | None = None
    """File that lists them, and the documents that are empty; None if there are none."""
    experiments: list[str] = field(default_factory=list)
    """Names of experiments that take this setting and nothing else."""


def extract_text(
    workspace: WorkspacePaths, request: TextRequest, *, progress: Progress = UNWATCHED
) -> TextResult:
    """Learn a vocabulary from the train documents, and write the features of every set.

    A document that cannot be read is left out and listed. All files are written before the older
    ones are deleted, and the vocabulary, without which nobody knows that they may be, is the first
    to take its place. A command that was killed can be given again, and leaves a setting without
    train rows, never one of old and new rows.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    request
        The dataset, the extractor and its parameters.
    progress
        Shows how many documents are read, and reports items without one.

    Raises
    ------
    RequestError
        If there is no such dataset, extractor or parameter, the name of the setting is not
        possible or in use, or another command is writing the setting.
    DataError
        If the list is missing or damaged, no train document can be read, or nothing can be learnt.
    """
    extractor = EXTRACTORS.get(request.extractor)
    options = text_options(request, extractor)
    ids = Dataset(workspace.scan(), request.dataset).split_ids()
    files = setting_files(workspace, request, extractor, tuple(ids))
    with lock_setting(files):
        dataset = Dataset(workspace.scan(), request.dataset)
        refuse_other_settings(dataset, request, files)
        checked, prepared, held = _checked(dataset, ids, request, options, files, progress)
        total = _count_readings(request, options, ids, checked.paths)
        with progress.task("learning a vocabulary", total) as task:
            sets = {
                split: Corpus(split_ids, checked.paths, task, request.encoding, prepared, held)
                for split, split_ids in ids.items()
            }
            fitted = extractor.fit(_training_texts(request, sets["train"]), options)
            task.describe("writing features")
            masks = _masks(request, sets)
            written = _write(sets, fitted, files, masks)
    result = _result(request, sets, fitted, written, files, checked)
    absent = {split: int((~has).sum()) for split, has in masks.items()}
    paths = [*result.files, *(files.masks[split] for split in masks)]
    result = replace(result, files=paths, absent=absent)
    _report(progress, fitted, checked, result)
    kind: InputKind = "sequence" if result.form == "sequence" else "features"
    return replace(result, experiments=experiments_reading(workspace, result.dataset, kind))


def _checked(
    dataset: Dataset,
    ids: Mapping[str, list[str]],
    request: TextRequest,
    options: ExtractorOptions,
    files: SettingFiles,
    progress: Progress,
) -> tuple[CheckedDocuments, PreparedDocuments | None, HeldTokens | None]:
    """Read all documents once, and hold their tokens, or those in files of shards or a cluster."""
    documents = find_documents(dataset, ids, request)
    prepared = held = None
    if request.cluster is not None or files.prepared.is_dir():
        ordered, encoding = in_order(documents, ids), request.encoding
        prepared = PreparedDocuments(files.prepared, request.extractor, options, encoding, ordered)
    if request.cluster is not None and prepared is not None:
        prepared.prepare_on(request.cluster, progress)
    if prepared is None and options.tokenizes:
        held = HeldTokens(options)
    with progress.task("reading documents", len(documents)) as task:
        examined = (
            examine_documents(documents, request.encoding, task, held)
            if prepared is None
            else prepared.examine(prepared.blocks, task)
        )
        return check_documents(dataset, ids, documents, examined), prepared, held


def make_text(
    workspace: WorkspacePaths, request: TextRequest, *, progress: Progress = UNWATCHED
) -> TextResult | ShardResult:
    """Make features of the documents of a dataset, or read the shard that the request names."""
    if request.shard is not None:
        return prepare_text_shard(workspace, request, request.shard, progress=progress)
    return extract_text(workspace, request, progress=progress)


def _report(
    progress: Progress, fitted: FittedVocabulary, checked: CheckedDocuments, result: TextResult
) -> None:
    """Say what the user may want to know, and what may be a mistake."""
    if fitted.remark:
        progress.say(fitted.remark)
    if fitted.warning:
        progress.warn(fitted.warning)
    outcome = "they lack the setting" if result.absent else "no word, a row of zeros"
    checked.warn(progress, outcome)
    _warn(progress, result.without_document, "no document on the list", outcome)
    _warn(progress, result.without_word, "a document without a word", "no word, a row of zeros")


def _training_texts(request: TextRequest, train: Corpus) -> TrainingTexts:
    vectors = None if request.vectors is None else partial(read_vectors, request.vectors)
    return TrainingTexts(train, request.seed, vectors, train.tokens)


def _result(
    request: TextRequest,
    sets: Mapping[str, Corpus],
    fitted: FittedVocabulary,
    written: Mapping[str, _WrittenRows],
    files: SettingFiles,
    checked: CheckedDocuments,
) -> TextResult:
    vocabulary = fitted.vocabulary
    known = {split: rows.known for split, rows in written.items()}
    return TextResult(
        dataset=request.dataset,
        setting=request.setting_name,
        extractor=request.extractor,
        seed=request.seed,
        options=vocabulary.options.model_dump(mode="json"),
        form=vocabulary.form,
        splits={split: len(documents.ids) for split, documents in sets.items()},
        width=vocabulary.width,
        vocabulary=vocabulary.size,
        known={split: _mean(shares) for split, shares in known.items()},
        words=word_limit(vocabulary.options),
        longer=sum(rows.longer for rows in written.values()),
        without_document=[
            item
            for documents in sets.values()
            for item in documents.ids
            if item not in documents.paths and item not in checked.failures
        ],
        failures=checked.failures,
        failure_list=checked.failure_list,
        without_word=[i for s, documents in sets.items() for i in documents.wordless(known[s])],
        files=files.paths(with_vectors=fitted.word_vectors is not None),
    )


def _count_readings(
    request: TextRequest,
    options: ExtractorOptions,
    ids: Mapping[str, list[str]],
    paths: Mapping[str, Path],
) -> int:
    """Return how often a document will be read in all, once all were checked."""
    counts = {split: sum(item in paths for item in items) for split, items in ids.items()}
    passes = 1 if request.vectors else options.passes
    return sum(counts.values()) + passes * counts["train"]


@dataclass(frozen=True)
class _WrittenRows:
    """What is known of the documents of one set once their rows are written."""

    known: NDArray[np.float64]
    """``(items,)`` share of known words in each document."""
    longer: int
    """Number of documents of which only the first words were read."""


def _masks(request: TextRequest, sets: Mapping[str, Corpus]) -> dict[str, NDArray[np.bool_]]:
    """Return which items of each set have a document, of the sets of which some lack it."""
    if request.missing != "absent":
        return {}
    has = {
        split: np.array([item in documents.paths for item in documents.ids], bool)
        for split, documents in sets.items()
    }
    return {split: present for split, present in has.items() if not present.all()}


def _write(
    sets: Mapping[str, Corpus],
    fitted: FittedVocabulary,
    files: SettingFiles,
    masks: Mapping[str, NDArray[np.bool_]],
) -> dict[str, _WrittenRows]:
    """Write everything; return what is known of the documents of each set."""
    written = {}
    paths = [*files.paths(with_vectors=fitted.word_vectors is not None)]
    count = len(files.features)
    order = [*reversed(paths[count:]), *(files.masks[s] for s in masks), *reversed(paths[:count])]
    together = write_together(order, outdated=files.masks.values())
    with defer_interrupts() as check, together as temporary:
        for split, documents in sets.items():
            path = temporary[files.features[split]]
            written[split] = _write_rows(path, documents, fitted.vocabulary, check)
        for split, present in masks.items():
            put_mask(temporary[files.masks[split]], present)
        if fitted.word_vectors is not None:
            put_dense(temporary[files.word_vectors], fitted.word_vectors)
        document = fitted.vocabulary.model_dump(mode="json")
        text = json.dumps(document, ensure_ascii=False, indent=1)
        put_text(temporary[files.vocabulary], text + "\n")
    return written


def _write_rows(
    path: Path, documents: Corpus, vocabulary: Vocabulary, check: Callable[[], None]
) -> _WrittenRows:
    """Write the rows of one set, block by block."""
    known, longer = list[NDArray[np.float64]](), list[int]()

    def blocks() -> Iterator[Any]:
        for transformed in documents.transformed(vocabulary, BLOCK):
            check()
            known.append(transformed.known)
            longer.append(transformed.longer)
            yield transformed.rows

    if vocabulary.form == "sparse":
        put_csr(path, vstack([*blocks()], format="csr"))
    else:
        dtype = np.int32 if vocabulary.form == "sequence" else np.float32
        rows = create_dense(path, (len(documents.ids), vocabulary.width), dtype)
        start = 0
        for block in blocks():
            rows[start : start + len(block)] = block
            start += len(block)
    return _WrittenRows(np.concatenate(known), sum(longer))


def _warn(progress: Progress, items: Sequence[str], problem: str, outcome: str) -> None:
    if items:
        names = ", ".join(items[:3]) + (", …" if len(items) > 3 else "")
        have = "items have" if len(items) > 1 else "item has"
        progress.warn(f"{len(items):,} {have} {problem} ({names}): {outcome}")


def _mean(shares: NDArray[np.float64]) -> float | None:
    defined = shares[~np.isnan(shares)]
    return float(defined.mean()) if defined.size else None
