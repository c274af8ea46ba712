"""Turn the documents of a dataset into a setting: a vocabulary, and a row for each item."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from scipy.sparse import save_npz, vstack

from tartarus_cli.architectures import InputKind
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import DataError, RequestError, display_path
from tartarus_cli.experiments.settings import (
    check_setting_name,
    experiments_reading,
    setting_name_error,
)
from tartarus_cli.extraction.corpus import Corpus, find_corpus
from tartarus_cli.extraction.word_vectors import read_vectors
from tartarus_cli.file_names import Kind, parse_path
from tartarus_cli.files import atomic_write, locked, remove_leftovers
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.options import parse_options
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.text import (
    EXTRACTORS,
    Extractor,
    ExtractorOptions,
    FittedVocabulary,
    RowForm,
    TrainingTexts,
    Vocabulary,
)

BLOCK = 256  # documents transformed at once


@dataclass(frozen=True)
class TextRequest:
    """What is asked for."""

    dataset: str
    extractor: str
    seed: int = 0
    folder: Path | None = None  # of documents of which the list is made
    setting: str | None = None  # the extractor's name, if None
    vectors: Path | None = None  # word vectors learnt elsewhere
    overrides: tuple[str, ...] = ()  # key=value

    @property
    def name(self) -> str:
        """What the setting is called."""
        return self.extractor if self.setting is None else self.setting


@dataclass(frozen=True)
class TextResult:
    """What was written."""

    dataset: str
    setting: str
    extractor: str
    seed: int
    options: dict[str, Any]
    form: RowForm  # of the rows
    splits: dict[str, int]  # split → items
    width: int
    vocabulary: int  # words or terms
    known: dict[str, float | None]  # split → mean share of a document's words that it holds
    without_document: list[str]  # ids
    without_word: list[str]  # ids of documents that hold none
    files: list[Path]
    experiments: list[str] = field(default_factory=list)  # that it can be given to as it is


def extract_text(
    workspace: WorkspacePaths, asked: TextRequest, *, progress: Progress = UNWATCHED
) -> TextResult:
    """Learn a vocabulary from the train documents and write the features of every set.

    All files are written before any of them takes the place of an older one, the vocabulary first:
    a command that was killed can be given again.

    Parameters
    ----------
    workspace
        Where the ids and the list of documents are.
    asked
        The dataset, the extractor and its parameters.
    progress
        Told of each document, and of items without one.

    Raises
    ------
    RequestError
        If there is no such dataset, extractor or parameter, or the setting cannot be called so, or
        another command is making it.
    DataError
        If the list or a document is missing or damaged, or nothing can be learnt.
    """
    extractor = EXTRACTORS.get(asked.extractor)
    options = parse_options(extractor.options, asked.overrides, asked.extractor)
    _check_vectors(asked, extractor)
    ids = Dataset(workspace.scan(), asked.dataset).split_ids()
    places = _places(workspace, asked, extractor, tuple(ids))
    with _alone(places):
        dataset = Dataset(workspace.scan(), asked.dataset)
        _refuse_others(dataset, asked, places)
        everyone = dict.fromkeys(item for items in ids.values() for item in items)
        paths = find_corpus(dataset, everyone, asked.folder)
        work = _amount(asked, options, ids, paths)
        with progress.task("reading documents", work) as task:
            sets = {split: Corpus(items, paths, task) for split, items in ids.items()}
            _read_all(sets[split] for split in ids if split != "train")
            learnt = extractor.fit(_lesson(asked, sets["train"]), options)
            task.describe("writing features")
            known = _write(sets, learnt, places)
    if learnt.remark:
        progress.say(learnt.remark)
    made = _made(asked, sets, learnt, known, places)
    _warn(progress, made.without_document, "no document on the list")
    _warn(progress, made.without_word, "a document without a word")
    words = made.form == "sequence"
    kind: InputKind = "sequence" if words else "features"
    return replace(made, experiments=experiments_reading(workspace, made.dataset, kind))


def _lesson(asked: TextRequest, train: Corpus) -> TrainingTexts:
    vectors = None if asked.vectors is None else partial(read_vectors, asked.vectors)
    return TrainingTexts(train, asked.seed, vectors)


def _made(
    asked: TextRequest,
    sets: Mapping[str, Corpus],
    learnt: FittedVocabulary,
    known: Mapping[str, NDArray[np.float64]],
    places: _Places,
) -> TextResult:
    vocabulary = learnt.vocabulary
    return TextResult(
        dataset=asked.dataset,
        setting=asked.name,
        extractor=asked.extractor,
        seed=asked.seed,
        options=vocabulary.options.model_dump(mode="json"),
        form=vocabulary.form,
        splits={split: len(documents.ids) for split, documents in sets.items()},
        width=vocabulary.width,
        vocabulary=vocabulary.size,
        known={split: _mean(shares) for split, shares in known.items()},
        without_document=[i for s in sets.values() for i in s.ids if i not in s.paths],
        without_word=[i for s, documents in sets.items() for i in documents.wordless(known[s])],
        files=places.files(with_vectors=learnt.word_vectors is not None),
    )


def _amount(
    asked: TextRequest,
    options: ExtractorOptions,
    ids: Mapping[str, list[str]],
    paths: Mapping[str, Path],
) -> int:
    """Return how many documents will be read in all; there have to be some to learn from."""
    counts = {split: sum(item in paths for item in items) for split, items in ids.items()}
    if not counts["train"]:
        msg = f"no train item of {asked.dataset} has a document on the list"
        raise DataError(msg, hint="Add the documents of the train items: others teach nothing.")
    passes = 1 if asked.vectors else options.passes
    return 2 * sum(counts.values()) + (passes - 1) * counts["train"]


def _read_all(sets: Iterable[Corpus]) -> None:
    """Read documents in vain, so that one that cannot be read is told before the work begins."""
    for documents in sets:
        deque(documents, maxlen=0)


def _check_vectors(asked: TextRequest, extractor: Extractor) -> None:
    if asked.vectors is None:
        return
    if not extractor.takes_vectors:
        able = [name for name in EXTRACTORS.names() if EXTRACTORS.get(name).takes_vectors]
        msg = f"{asked.extractor} uses no word vectors"
        raise RequestError(msg, hint=f"Leave --vectors out, or choose {' or '.join(able)}.")
    if not asked.vectors.is_file():
        msg = f"there is no file {asked.vectors}"
        raise RequestError(msg, hint="Name a file in word2vec's text or binary format.")


@dataclass(frozen=True)
class _Places:
    """Where everything is written."""

    features: Mapping[str, Path]  # split → path
    vocabulary: Path
    word_vectors: Path

    def files(self, *, with_vectors: bool) -> list[Path]:
        last = [self.word_vectors] if with_vectors else []
        return [*self.features.values(), self.vocabulary, *last]


_ENDINGS: Mapping[RowForm, str] = {"sparse": "npz", "dense": "npy", "sequence": "npy"}


def _places(
    workspace: WorkspacePaths, asked: TextRequest, extractor: Extractor, splits: Sequence[str]
) -> _Places:
    """Return where the setting is written."""
    check_setting_name(asked.name, option="--setting ")
    fields = {"setting": asked.name, "dataset": asked.dataset}
    place, ext = workspace.place, _ENDINGS[extractor.vocabulary.form]
    places = _Places(
        {split: place(Kind.FEATURES, split=split, ext=ext, **fields) for split in splits},
        place(Kind.VOCABULARY, **fields),
        place(Kind.WORD_VECTORS, **fields),
    )
    read = parse_path(places.vocabulary, "datasets/train_data")
    if read is None or read.fields != fields:
        raise setting_name_error(asked.name, option="--setting ")
    return places


@contextmanager
def _alone(places: _Places) -> Iterator[None]:
    """Let nobody else make this setting, and remove what a killed command left half written."""
    folder, written = places.vocabulary.parent, places.files(with_vectors=True)
    with locked(folder / f".making_{places.vocabulary.name}.lock"):
        remove_leftovers(folder, {path.name for path in written})
        yield


def _refuse_others(dataset: Dataset, asked: TextRequest, places: _Places) -> None:
    """Make sure that nothing else is called as the setting will be."""
    fields = {"setting": asked.name}
    ours = {*places.files(with_vectors=True)} if places.vocabulary.exists() else set()
    for file in dataset.own_files:
        if fields.items() <= file.fields.items() and file.path not in ours:
            msg = f"{asked.dataset} has a setting {asked.name} already, made in another way: "
            hint = "Choose another name with --setting NAME, or move its files away."
            raise RequestError(msg + display_path(file.path), hint=hint)


def _write(
    sets: Mapping[str, Corpus], learnt: FittedVocabulary, places: _Places
) -> dict[str, NDArray[np.float64]]:
    """Write everything; return the share of known words in each document of each set."""
    known = {}
    with defer_interrupts() as check, ExitStack() as stack:
        for split, documents in sets.items():
            beside = stack.enter_context(atomic_write(places.features[split]))
            known[split] = _write_rows(beside, documents, learnt.vocabulary, check)
        if learnt.word_vectors is not None:
            beside = stack.enter_context(atomic_write(places.word_vectors))
            np.save(beside, learnt.word_vectors, allow_pickle=False)
        # the last to be written is the first to take its place: the others are then known as ours
        beside = stack.enter_context(atomic_write(places.vocabulary))
        document = learnt.vocabulary.model_dump(mode="json")
        text = json.dumps(document, ensure_ascii=False, indent=1)
        beside.write_text(text + "\n", encoding="utf-8", newline="\n")
    return known


def _write_rows(
    path: Path, documents: Corpus, vocabulary: Vocabulary, check: Callable[[], None]
) -> NDArray[np.float64]:
    """Write the rows of one set, some documents at a time."""
    known: list[NDArray[np.float64]] = []

    def blocks() -> Iterator[Any]:
        for texts in documents.blocks(BLOCK):
            check()
            transformed = vocabulary.transform(texts)
            known.append(transformed.known)
            yield transformed.rows

    if vocabulary.form == "sparse":
        save_npz(path, vstack([*blocks()], format="csr"))
    else:
        dtype = np.int32 if vocabulary.form == "sequence" else np.float32
        rows = open_memmap(path, "w+", dtype, (len(documents.ids), vocabulary.width))
        start = 0
        for block in blocks():
            rows[start : start + len(block)] = block
            start += len(block)
        rows.flush()
    return np.concatenate(known)


def _warn(progress: Progress, items: Sequence[str], what: str) -> None:
    if items:
        some = ", ".join(items[:3]) + (", …" if len(items) > 3 else "")
        have = "items have" if len(items) > 1 else "item has"
        progress.warn(f"{len(items):,} {have} {what} ({some}): no word, a row of zeros")


def _mean(shares: NDArray[np.float64]) -> float | None:
    told = shares[~np.isnan(shares)]
    return float(told.mean()) if told.size else None
