"""Folds: datasets of the same items, of which each item is a test item once."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.provenance import SPLIT_AGAIN, SourceTable, read_json_model
from tartarus_cli.errors import FileError, RequestError, call, nearest
from tartarus_cli.file_names import Kind
from tartarus_cli.layout import FOLD, WorkspacePaths

MAX_FOLDS = 100
"""Folds that items can be divided into."""


def fold_name(dataset: str, fold: int) -> str:
    """Return the name of the dataset of a fold, counted from 1.

    >>> fold_name("ballroom", 2)
    'ballroom-fold2'
    """
    return f"{dataset}{FOLD}{fold}"


class Fold(BaseModel):
    """One fold: a dataset with train, val and test items of its own."""

    model_config = ConfigDict(frozen=True)

    fold: int = Field(ge=1, le=MAX_FOLDS)
    """Its number, counted from 1."""
    dataset: str = Field(pattern=r"^[^_/]+$")
    """The name of its dataset."""
    label: str = ""
    """What the file of given folds calls it; empty where folds were drawn."""
    items: dict[str, int]
    """Set → number of items."""
    digests: dict[str, str]
    """Set → BLAKE2b hash of the ids of its items, in order."""


class FoldsManifest(BaseModel):
    """What items were divided into, and how: the document ``folds_{dataset}.json``."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    """What the folds have in common."""
    by: str
    """How items were divided: item, artist, label, or as a file says."""
    val_by: str
    """How the val items of each fold were chosen among those that are not its test items."""
    val: float
    """Share of the val items of each fold, of all items."""
    seed: int
    items: int
    """Number of all items."""
    folds: tuple[Fold, ...] = Field(min_length=2, max_length=MAX_FOLDS)
    tables: list[SourceTable] = []
    """What the items were read from."""
    version: str = ""
    """The version that wrote this."""
    request: dict[str, Any] = {}

    @property
    def datasets(self) -> list[str]:
        """The names of the datasets of all folds, in order."""
        return [fold.dataset for fold in self.folds]

    def to_json(self) -> str:
        """Return the text of the document."""
        return self.model_dump_json(indent=1) + "\n"


def find_folds(workspace: WorkspacePaths, name: str) -> FoldsManifest | None:
    """Return the folds of a name; None if it is that of a dataset, or of nothing.

    Raises
    ------
    FileError
        If the document is damaged.
    """
    path = workspace.path_of(Kind.FOLDS, dataset=name)
    if not path.is_file():
        return None
    expected = f"the folds of {name}, as {call('split')} writes them"
    return read_json_model(path, FoldsManifest, expected=expected, hint=SPLIT_AGAIN)


def require_folds(workspace: WorkspacePaths, name: str) -> FoldsManifest:
    """Return the folds of a name.

    Raises
    ------
    RequestError
        If it is not divided into folds.
    FileError
        If the document is damaged.
    """
    folds = find_folds(workspace, name)
    if folds is not None:
        return folds
    files = workspace.scan()
    known = files.folded()
    msg = f"{name} is not divided into folds" if name in files.datasets() else ""
    msg = msg or f"there is nothing called {name!r} that is divided into folds"
    hint = nearest(name, known) if known else ""
    again = call("split", f"{name}-cv" if name in files.datasets() else name, folds=5)
    raise RequestError(msg, hint=f"{hint} To divide items: {again} and their tables.".strip())


def find_changed_fold(workspace: WorkspacePaths, folds: FoldsManifest) -> FileError | None:
    """Return what is wrong with the first fold whose items are not those that it was made of.

    None if all have the items of the document: then each item is a test item once.

    Raises
    ------
    DataError
        If a list of ids is missing or damaged.
    """
    files = workspace.scan()
    for fold in folds.folds:
        dataset = Dataset(files, fold.dataset)
        for split in dict.fromkeys([*fold.digests, *dataset.splits]):
            path = dataset.require(Kind.ITEMS, split=split).path
            if dataset.ids_digest(split) != fold.digests.get(split):
                return FileError(
                    path,
                    found=f"other {split} items than {fold.dataset} was made of",
                    expected=f"the items that folds_{folds.dataset}.json records",
                    hint="Split again, with `force=True`: only then is each item a test item once.",
                )
    return None
