"""The items of a set with their inputs: features, patches."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.patches import Patches, open_patch_file, open_patches
from tartarus_cli.data.shuffling import ShuffledDataset
from tartarus_cli.errors import DataError, FileError, Placeholder, call, display_path, parameter
from tartarus_cli.file_names import Kind, patch_fields


@dataclass(frozen=True)
class PatchAdvice:
    """How patches are best made for an experiment; None: as usual."""

    transform: str | None = None
    """Name of the transform."""
    options: tuple[str, ...] = ()
    """Its parameters, ``key=value``."""
    scale: str | None = None
    """What has a mean and a deviation of its own."""

    def as_call(self, dataset: str, **others: Any) -> str:
        """Write, for a message, the call that makes such patches of a dataset."""
        options = [*self.options] or None
        advised = {"transform": self.transform, "scale": self.scale, "overrides": options}
        return call("patches", dataset, **others, **advised)


@dataclass(frozen=True)
class PatchSource:
    """An input that comes from the dataset's patches."""

    per_item: int
    """Patches of each item."""
    seconds: float
    """Length of a patch."""
    name: str = ""
    """Name that tells them from others of this length; empty if they have none."""
    pooled: bool = False
    """Whether an item has one row, of all its patches, for models that read vectors."""
    advice: PatchAdvice = field(default_factory=PatchAdvice, compare=False)
    """How they are best made for what reads them."""

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the names of their files."""
        return patch_fields(self.per_item, self.seconds, self.name)

    @property
    def length(self) -> str:
        """Length and name in words, such as ``15 s`` or ``15 s (mel)``."""
        return f"{self.seconds:g} s ({self.name})" if self.name else f"{self.seconds:g} s"


InputSource = str | PatchSource
"""What an input is read from: the name of a setting, or patches."""


@dataclass(frozen=True)
class ItemSet:
    """The items of a set and the inputs of a network for them.

    A sample is what a network sees at a time: an item, or one patch of it.
    """

    split: str
    """``train``, ``val`` or ``test``."""
    ids: list[str]
    """Ids of the items, in the order of the rows of their matrices."""
    inputs: tuple[Matrix | Patches, ...]
    """Features ``(items, width)``, or patches ``(samples, frames, bins, 1)``."""
    items: NDArray[np.int64]
    """``(samples,)``: the number of the item that each sample belongs to."""

    @property
    def patches(self) -> Patches | None:
        """The input that is read from a file of patches, if there is one."""
        return next((source for source in self.inputs if isinstance(source, Patches)), None)

    @property
    def patch_file(self) -> Patches | None:
        """The file of patches that an input is read from, or was pooled from."""
        origins = (source.pooled for source in self.inputs if isinstance(source, Matrix))
        return self.patches or next((origin.patches for origin in origins if origin), None)

    @property
    def described(self) -> NDArray[np.bool_]:
        """``(items,)``: of which items an input has a patch, or a feature that is not 0."""
        described = np.zeros(len(self.ids), bool)
        if not self.inputs or self.patches is not None:
            described[self.items] = True
        for source in self.inputs:
            if isinstance(source, Matrix) and source.pooled is not None:
                described |= True if source.present is None else source.present
            elif isinstance(source, Matrix):
                described |= source.rows_with_values()
        return described

    def read(self, samples: slice | NDArray[np.integer]) -> tuple[NDArray[np.float32], ...]:
        """Read samples of each input: one array ``(samples, …)`` an input."""
        rows = self.items[samples]
        return tuple(
            source.rows(samples) if isinstance(source, Patches) else source.rows(rows)
            for source in self.inputs
        )

    def lengths(self, samples: slice | NDArray[np.integer]) -> NDArray[np.int64] | None:
        """Return the frames of patches before the silence at their ends; None if not recorded."""
        lengths = None if self.patches is None else self.patches.lengths
        return None if lengths is None else lengths[samples]

    @property
    def absent(self) -> NDArray[np.bool_]:
        """``(items,)``: items that lack all that is read.

        They have no patch, where there are patches; else masks say that they have no setting.
        """
        if self.patches is not None:
            return ~np.isin(np.arange(len(self.ids)), self.items)
        masks = [source.present for source in self.inputs if isinstance(source, Matrix)]
        absent = np.full(len(self.ids), bool(masks))
        for mask in masks:
            absent &= False if mask is None else ~mask
        return absent


def open_items(dataset: Dataset, sources: Sequence[InputSource], split: str) -> ItemSet:
    """Open the ids and the inputs of one set.

    Parameters
    ----------
    dataset
        The dataset.
    sources
        What each input is read from, in order.
    split
        ``train``, ``val`` or ``test``.

    Raises
    ------
    DataError
        If a file is missing or damaged, has not one row for each id, or no patch of any of them.
    """
    ids = dataset.ids(split)
    inputs: list[Matrix | Patches] = []
    for source in sources:
        if isinstance(source, PatchSource) and source.pooled:
            _patch_file(dataset, source, split)
            inputs.append(dataset.pooled_patches(split, **source.fields))
        elif isinstance(source, PatchSource):
            patches = open_patches(_patch_file(dataset, source, split), ids)
            if isinstance(dataset, ShuffledDataset):
                patches = dataset.shuffle_patches(patches, split)
            inputs.append(patches)
        else:
            inputs.append(require_rows(dataset.features(source, split), len(ids)))
    items = ItemSet(split, ids, tuple(inputs), np.arange(len(ids)))
    if items.patch_file is None:
        return items
    if not len(items.patch_file.items):
        raise FileError(
            items.patch_file.path,
            found="no patch of any item",
            expected=f"patches of the {split} items",
            hint=f"To see why its recordings have none: {call('patches', dataset.name)}",
        )
    return items if items.patches is None else replace(items, items=items.patches.items)


def check_advice(dataset: Dataset, source: PatchSource) -> str:
    """Say in what the train patches of a dataset differ from those advised; empty if they do not.

    Raises
    ------
    FileError
        If their file is damaged.
    """
    advice = source.advice
    file = dataset.find(Kind.PATCHES, split="train", **source.fields)
    if advice == PatchAdvice() or file is None:
        return ""
    with open_patch_file(file.path) as store:
        attributes = {name: str(value) for name, value in store.attrs.items()}
    if "transform" not in attributes:
        return ""
    advised: dict[str, Any] = {"transform": advice.transform, "scale": advice.scale}
    if attributes["transform"] == advice.transform:
        advised |= dict(option.split("=", 1) for option in advice.options)
    present = {"scale": "position"} | attributes
    others = [
        f"{key} {present.get(key, 'unknown')}, not {value}"
        for key, value in advised.items()
        if value not in (None, present.get(key))
    ]
    if not others:
        return ""
    name = "-".join(filter(None, (advice.transform, advice.scale)))
    length = {"per_item": source.per_item, "seconds": Placeholder(source.fields["seconds"])}
    command = advice.as_call(dataset.name, **length, name=name)
    choice = parameter("overrides", [f"patches.name={name}"])
    return f"{', '.join(others)}. To make such: {command}, and choose them: {choice}"


def _patch_file(dataset: Dataset, source: PatchSource, split: str) -> Path:
    count, seconds = (Placeholder(source.fields[name]) for name in ("count", "seconds"))
    name = source.name or None
    command = source.advice.as_call(dataset.name, per_item=count, seconds=seconds, name=name)
    hint = f"Make it: {command}"
    return dataset.require(Kind.PATCHES, split=split, hint=hint, **source.fields).path


def infer_patches(dataset: Dataset, source: PatchSource) -> PatchSource:
    """Return the patches of a name that a dataset has, if they are of one kind; else ``source``.

    Those that have a name are taken if it is given, or if there are no others.

    Raises
    ------
    DataError
        If there are no patches of that kind, or several that may be meant.
    """
    present = [PatchSource(*kind) for kind in dataset.patches]
    candidates = [kind for kind in present if kind.name == source.name]
    if not candidates and not source.name:
        candidates = present
    if source in present or not present:
        # Raises an error that says how to make them, if there are none.
        _patch_file(dataset, source, "train")
        return source
    if len(candidates) == 1:
        return replace(candidates[0], advice=source.advice)
    kinds = ", ".join(f"{kind.per_item} of {kind.length}" for kind in present)
    patches = f"{source.per_item} patch{'es' * (source.per_item > 1)} an item of {source.length}"
    msg = f"{dataset.name} has no patches of this kind, {patches}, but {kinds}"
    other = min(candidates or present, key=lambda kind: abs(kind.seconds - source.seconds))
    choice = [f"patches.per_item={other.per_item}", f"patches.seconds={other.seconds:g}"]
    choice += [f"patches.name={other.name}"] if other.name else []
    options = " ".join(parameter("overrides", [value]) for value in choice)
    raise DataError(msg, hint=f"To choose those of {other.length}: {options}")


def require_rows(matrix: Matrix, rows: int) -> Matrix:
    """Make sure that a matrix has a row for each id of its set, and return it.

    Raises
    ------
    FileError
        If it has more or fewer.
    """
    if matrix.shape[0] != rows:
        raise FileError(
            matrix.path,
            found=f"{matrix.shape[0]:,} rows",
            expected=f"{rows:,} rows, one for each id",
            hint=f"Compare {display_path(matrix.path)} with the list of ids of its set.",
        )
    return matrix
