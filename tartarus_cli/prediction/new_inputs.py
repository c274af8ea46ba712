"""The inputs of a model, made of new recordings and documents one item at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.baselines import Presence
from tartarus_cli.data.array_writing import create_dense
from tartarus_cli.data.arrays import open_dense
from tartarus_cli.data.encoded import EncoderRecord
from tartarus_cli.errors import DataError, FileError
from tartarus_cli.extraction.corpus import read_document
from tartarus_cli.extraction.patch_job import PatchJob, PreparedRecording
from tartarus_cli.extraction.patches import longest_patch
from tartarus_cli.extraction.workers import (
    FailedRecording,
    Recording,
    WorkerOptions,
    prepare_all,
)
from tartarus_cli.models.preprocessing import (
    EncodedInput,
    FileNoun,
    NewInput,
    PatchInput,
    VocabularyInput,
)
from tartarus_cli.prediction.encoded_inputs import SettingEncoder

Rows = NDArray[np.float32]
"""``(rows, …)``."""

ABSENT: Mapping[FileNoun, str] = {
    "recordings": "it has no recording",
    "documents": "it has no document",
}
"""Why an item lacks an input for which it has no file."""


@dataclass(frozen=True)
class NewItem:
    """A new item, and its files."""

    name: str
    """How its files are called, relative to their folder."""
    files: Mapping[FileNoun, Path]


@dataclass(frozen=True)
class Preparation:
    """How new files are read."""

    workers: WorkerOptions
    """Processes that prepare recordings."""
    encoding: str | None
    """Encoding of documents without a byte-order mark; None: UTF-8."""
    spectrograms: Path
    """Folder of spectrograms; existing ones are used."""
    encoders: Mapping[str, SettingEncoder]
    """Setting → what encodes files as its own were."""
    check: Callable[[], None]
    """Called several times a second; an error that it raises stops the work."""


@dataclass(frozen=True)
class ItemInputs:
    """The inputs of one item."""

    item: NewItem
    inputs: tuple[Rows, ...]
    """One array an input: ``(1, width)``, or ``(patches, frames, bins, 1)``; zeros if absent."""
    present: tuple[bool, ...]
    """Which inputs the item has."""
    remarks: str
    """Which it lacks and why, or what may be wrong with them."""

    @property
    def usable(self) -> bool:
        """Whether a model can predict from it: it has patches, if these are an input, or any."""
        return any(self.present) and all(len(rows) for rows in self.inputs)

    @property
    def samples(self) -> int:
        """Rows that a model gives: one, or one for each patch."""
        return max(len(rows) for rows in self.inputs)

    def read(self, samples: slice) -> tuple[list[Rows], Presence]:
        """Return the inputs of some samples, and which of them the item has."""
        count = len(range(self.samples)[samples])
        blocks = [
            np.asarray(rows[samples]) if rows.ndim > 2 else np.repeat(rows, count, axis=0)
            for rows in self.inputs
        ]
        masks = tuple(None if has else np.zeros(count, bool) for has in self.present)
        return blocks, () if all(self.present) else masks


@dataclass(frozen=True)
class _Prepared:
    """One input of an item."""

    number: int
    """Of the item."""
    rows: Rows | None
    """None: it lacks this input."""
    remark: str = ""
    file: Path | None = None
    """File that is deleted once the rows were used."""


def prepare_items(
    items: Sequence[NewItem], inputs: Sequence[NewInput], preparation: Preparation
) -> Iterator[ItemInputs]:
    """Prepare new items; they come as they are done, each one once.

    Of all inputs but the last to be prepared the rows are kept in files; patches come last.

    Parameters
    ----------
    items
        The items.
    inputs
        How each input of a model is made.
    preparation
        How files are read.

    Raises
    ------
    OSError
        If what is prepared cannot be written.
    TartarusError
        If recordings cannot be prepared in other processes.
    """
    order = sorted(range(len(inputs)), key=lambda n: isinstance(inputs[n], PatchInput))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stores = dict[int, _Store]()
        for n in order[:-1]:
            stores[n] = _Store(inputs[n], folder / f"input{n}.npy", len(items))
            for prepared in _prepare(items, inputs[n], preparation, folder):
                stores[n].add(prepared)
        last = order[-1]
        for prepared in _prepare(items, inputs[last], preparation, folder):
            found = {n: store.get(prepared.number) for n, store in stores.items()}
            found[last] = prepared
            yield _join(items[prepared.number], inputs, [found[n] for n in range(len(inputs))])
            if prepared.file is not None:
                prepared.file.unlink()


def _join(item: NewItem, inputs: Sequence[NewInput], found: Sequence[_Prepared]) -> ItemInputs:
    rows = [
        _empty(source) if prepared.rows is None else prepared.rows
        for source, prepared in zip(inputs, found, strict=True)
    ]
    labels = dict[str, list[str]]()
    for source, prepared in zip(inputs, found, strict=True):
        if prepared.remark:
            labels.setdefault(prepared.remark, []).append(source.label)
    named = len(inputs) > 1
    remarks = [f"{', '.join(names)}: {text}" if named else text for text, names in labels.items()]
    present = tuple(prepared.rows is not None for prepared in found)
    return ItemInputs(item, tuple(rows), present, "; ".join(remarks))


def _empty(source: NewInput) -> Rows:
    """Return the rows of an input that an item lacks: zeros, or no patch."""
    if isinstance(source, PatchInput):
        return np.zeros((0, source.recipe.frames, source.recipe.bins, 1), np.float32)
    return np.zeros((1, source.width), np.float32)


class _Store:
    """The rows of an input of all items, in a file."""

    def __init__(self, source: NewInput, path: Path, items: int) -> None:
        width = 0 if isinstance(source, PatchInput) else source.width
        self._rows = create_dense(path, (items, width))
        self._present = np.zeros(items, bool)
        self._remarks = dict[int, str]()

    def add(self, prepared: _Prepared) -> None:
        """Keep what was prepared."""
        if prepared.rows is not None:
            self._rows[prepared.number] = prepared.rows[0]
            self._present[prepared.number] = True
        if prepared.remark:
            self._remarks[prepared.number] = prepared.remark

    def get(self, number: int) -> _Prepared:
        """Return what was prepared of an item."""
        rows = self._rows[number : number + 1] if self._present[number] else None
        return _Prepared(number, rows, self._remarks.get(number, ""))


def _prepare(
    items: Sequence[NewItem], source: NewInput, preparation: Preparation, folder: Path
) -> Iterator[_Prepared]:
    """Prepare one input of all items."""
    lacking = [n for n, item in enumerate(items) if source.noun not in item.files]
    for number in lacking:
        yield _Prepared(number, None, ABSENT[source.noun])
    files = {item.files[source.noun]: n for n, item in enumerate(items) if n not in {*lacking}}
    recordings = [
        Recording(str(Path(items[n].name).with_suffix("")), path) for path, n in files.items()
    ]
    if isinstance(source, PatchInput):
        yield from _patches(recordings, files, source, preparation, folder)
    elif isinstance(source, EncodedInput):
        yield from _vectors(items, files, source, preparation, folder)
    else:
        yield from _documents(files, source, preparation)


def _patches(
    recordings: Sequence[Recording],
    numbers: Mapping[Path, int],
    source: PatchInput,
    preparation: Preparation,
    folder: Path,
) -> Iterator[_Prepared]:
    recipe = source.recipe
    job = PatchJob(recipe, folder, preparation.spectrograms, keep_spectrograms=False)
    for prepared in prepare_all(job, recordings, preparation.workers, preparation.check):
        number = numbers[prepared.recording.path]
        if isinstance(prepared, FailedRecording):
            yield _Prepared(number, None, prepared.reason)
            continue
        patches = open_dense(prepared.patches)[..., None]
        remark = _remark(prepared, recipe)
        yield _Prepared(number, patches, remark, prepared.patches)


def _vectors(
    items: Sequence[NewItem],
    numbers: Mapping[Path, int],
    source: EncodedInput,
    preparation: Preparation,
    folder: Path,
) -> Iterator[_Prepared]:
    encoder, record = preparation.encoders[source.label], source.record
    pooling = record.pool if isinstance(record, EncoderRecord) else "mean"
    # A program tells files apart by their ids, and two recordings may have one stem.
    recordings = [Recording(items[number].name, path) for path, number in numbers.items()]
    for encoded in encoder.outcomes(recordings, preparation.workers, folder):
        number = numbers[encoded.recording.path]
        if isinstance(encoded, FailedRecording):
            yield _Prepared(number, None, encoded.reason)
            continue
        row = encoded.pooled(pooling)
        if row.shape != (source.width,):
            msg = f"the vector of {encoded.recording.path.name} has {len(row):,} numbers; "
            msg += f"expected {source.width:,}, as those of {source.label}"
            raise DataError(msg, hint="Make the setting again, and train again.")
        yield _Prepared(number, row[None], encoder.remark(encoded))


def _remark(prepared: PreparedRecording, recipe: PatchRecipe) -> str:
    """Say what a recording lacks whose patches are predicted for."""
    remarks = [prepared.remark] if prepared.remark else []
    if prepared.silent:
        remarks.append("it is silent where its patches lie")
    if prepared.frames < recipe.frames:
        seconds = longest_patch(prepared.frames, recipe)
        remarks.append(f"{seconds:g} s, shorter than a patch of {recipe.seconds:g} s: filled up")
    return "; ".join(remarks)


def _documents(
    numbers: Mapping[Path, int], source: VocabularyInput, preparation: Preparation
) -> Iterator[_Prepared]:
    for path, number in numbers.items():
        try:
            text = read_document(path, preparation.encoding)
        except FileError as problem:
            yield _Prepared(number, None, f"{problem.found}. {problem.hint}")
            continue
        document = source.vocabulary.transform([text])
        rows = document.rows
        dense = rows.toarray() if isinstance(rows, csr_array) else rows
        remark = "" if document.known[0] > 0 else "none of its words is in the vocabulary"
        yield _Prepared(number, np.asarray(dense, np.float32), remark)
