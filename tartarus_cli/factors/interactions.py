"""The matrices that a factorization reads: plays of users, or labels of items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, vstack

from tartarus_cli.data.arrays import MAX_PLAYS, open_csr
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import open_matrix, require_finite
from tartarus_cli.data.provenance import InteractionKind
from tartarus_cli.errors import DataError, FileError, RequestError, call, count_noun
from tartarus_cli.file_names import PLAYS, DataFile, Kind


@dataclass(frozen=True)
class InteractionMatrices:
    """The matrices of a dataset, ``(items, users)`` or ``(items, labels)``; read one at a time."""

    source: InteractionKind
    paths: Mapping[str, Path]
    """Split → file; there is one of the train items at least."""
    items: Mapping[str, int]
    """Split → number of its ids."""
    columns: int
    """Number of users or labels."""

    @property
    def column_kind(self) -> str:
        """What the columns are: ``users`` or ``labels``."""
        return {"plays": "users", "labels": "labels"}[self.source]

    def read(self, split: str) -> csr_array:
        """Read the matrix of one split; labels of 0 and less count as no label.

        Raises
        ------
        FileError
            If it is damaged, does not fit the ids or the train matrix, or holds values that are
            not numbers of plays.
        """
        path = self.paths[split]
        matrix = _read_plays(path) if self.source == "plays" else _read_labels(path)
        for size, expected, noun in (
            (matrix.shape[0], self.items[split], f"rows, one for each of the {split} items"),
            (matrix.shape[1], self.columns, f"columns, one for each of the {self.column_kind}"),
        ):
            if size != expected:
                shape = f"{matrix.shape[0]:,} × {matrix.shape[1]:,}"
                transposed = self.items[split] == matrix.shape[1] != matrix.shape[0]
                hint = "Write matrix.T.tocsr()." if transposed else _CHECK
                raise FileError(path, found=shape, expected=f"{expected:,} {noun}", hint=hint)
        return matrix


_CHECK = f"To see which files do not fit each other: {call('check')}"


def load_interactions(dataset: Dataset, source: InteractionKind | None) -> InteractionMatrices:
    """Find the matrices of plays or labels of a dataset, and check each by reading it once.

    Parameters
    ----------
    dataset
        A dataset that has train items at least.
    source
        Whether to take plays or labels; None: the one that the dataset has.

    Raises
    ------
    RequestError
        If there is no such dataset, or ``source`` is None and the dataset has both.
    DataError
        If the dataset has neither, or a file is damaged or does not fit the others.
    """
    items = {split: len(ids) for split, ids in dataset.split_ids().items()}
    source = source or _only_source(dataset)
    paths = {s: file.path for s in items if (file := _find_matrix(dataset, source, s))}
    if "train" not in paths:
        _require_train(dataset, source)
    columns = _count_columns(dataset, source, paths["train"])
    matrices = InteractionMatrices(source, paths, items, columns)
    for split, path in paths.items():
        if not matrices.read(split).nnz and split == "train":
            raise FileError(
                path,
                found="no positive entry",
                expected=f"over 0 where the item has one of the {matrices.column_kind}",
                hint="Look at how the matrix was made: nothing can be learnt from it.",
            )
    return matrices


_NO_PLAYS = (
    "Plays are needed: sparse (scipy.sparse.save_npz), train items × users, number of plays."
)
_NO_LABELS = "Labels are needed: train items × labels, 1 where the item has the label, else 0."


def _require_train(dataset: Dataset, source: InteractionKind) -> None:
    """Raise the error that the matrix of the train items is missing."""
    if source == "plays":
        dataset.require(Kind.TRAIN_MATRIX, hint=_NO_PLAYS)
    number = str(len(dataset.label_names or []) or "N")
    fields = {"split": "train", "fact": "class", "dim": number}
    dataset.require(Kind.TARGETS, hint=_NO_LABELS, **fields)


def _only_source(dataset: Dataset) -> InteractionKind:
    plays = dataset.find(Kind.TRAIN_MATRIX) is not None
    labels = bool(dataset.select(Kind.TARGETS, split="train", fact="class"))
    if plays and labels:
        msg = f"{dataset.name} has plays and labels: which of them is to be factorized?"
        raise RequestError(msg, hint="Name one: `source='plays'` or `source='labels'`.")
    return "labels" if labels else "plays"


def _find_matrix(dataset: Dataset, source: InteractionKind, split: str) -> DataFile | None:
    if source == "plays":
        return dataset.find(PLAYS[split])
    fields = {"fact": "class"}
    dims = {f.dim for f in dataset.select(Kind.TARGETS, split="train", **fields)}
    names = dataset.label_names
    if names is not None and len(names) in dims:
        dims = {len(names)}
    if len(dims) > 1:
        msg = f"{dataset.name} has matrices of {sorted(dims)} classes, and no list of labels"
        path = f"data/datasets/genre_labels_{dataset.name}.tsv"
        raise DataError(msg, hint=f"Write the names of the labels into {path}.")
    return dataset.find(Kind.TARGETS, split=split, dim=str(*dims), **fields) if dims else None


def _count_columns(dataset: Dataset, source: InteractionKind, train: Path) -> int:
    """Return the number of users or labels: as many as there are names, if they have names."""
    if source == "labels":
        names = dataset.label_names
        return len(names) if names is not None else open_matrix(train).shape[1]
    users = dataset.user_ids
    return len(users) if users is not None else int(open_csr(train).shape[1])


def _read_plays(path: Path) -> csr_array:
    plays = open_csr(path)
    valid = np.isfinite(plays.data) & (plays.data <= MAX_PLAYS)
    if not valid.all():
        count = int(np.count_nonzero(~valid))
        values = count_noun(count, "value that is", "values that are")
        raise FileError(
            path,
            found=f"{values} NaN, infinite or over {MAX_PLAYS:g}",
            expected="numbers of plays",
            hint="Leave these entries out.",
        )
    negative = int(np.count_nonzero(plays.data < 0))
    if negative:
        raise FileError(
            path,
            found=f"{count_noun(negative, 'value')} below 0",
            expected="numbers of plays",
            hint="Leave these entries out: an item cannot be played less than 0 times.",
        )
    return plays


def _read_labels(path: Path) -> csr_array:
    matrix, parts = open_matrix(path), []
    for block in matrix.blocks():
        rows = matrix.rows(block)
        require_finite(path, rows, block.start)
        parts.append(csr_array(rows > 0, dtype=np.float32))
    return csr_array(vstack(parts, format="csr")) if parts else csr_array(matrix.shape)
