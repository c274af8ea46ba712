"""Who has what: the matrices that a factorization reads, plays of users or labels of items."""

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
from tartarus_cli.errors import DataError, FileError, RequestError, count_noun
from tartarus_cli.file_names import PLAYS, DataFile, Kind


@dataclass(frozen=True)
class InteractionMatrices:
    """The matrices of a dataset, ``(items, users)`` or ``(items, labels)``; read one at a time."""

    source: InteractionKind
    paths: Mapping[str, Path]  # split → file; train is there, val and test may be
    items: Mapping[str, int]  # split → number of its ids
    columns: int  # users or labels

    @property
    def what(self) -> str:
        """What the columns are."""
        return {"plays": "users", "labels": "labels"}[self.source]

    def read(self, split: str) -> csr_array:
        """Read the matrix of one split; labels of 0 and less are none.

        Raises
        ------
        FileError
            If it is damaged, of another shape than the ids and the train matrix, or holds what is
            no count.
        """
        path = self.paths[split]
        matrix = _read_plays(path) if self.source == "plays" else _read_labels(path)
        for many, wanted, what in (
            (matrix.shape[0], self.items[split], f"rows, one for each of the {split} items"),
            (matrix.shape[1], self.columns, f"columns, one for each of the {self.what}"),
        ):
            if many != wanted:
                found = f"{matrix.shape[0]:,} × {matrix.shape[1]:,}"
                turned = self.items[split] == matrix.shape[1] != matrix.shape[0]
                hint = "Write matrix.T.tocsr()." if turned else _CHECK
                raise FileError(path, found=found, expected=f"{wanted:,} {what}", hint=hint)
        return matrix


_CHECK = "Run 'tartarus check-data' to see which file is out of step."


def load_interactions(dataset: Dataset, source: InteractionKind | None) -> InteractionMatrices:
    """Find the plays or the labels of a dataset, and look at each matrix once.

    Parameters
    ----------
    dataset
        It has train items at least.
    source
        Which of the two; whichever there is, if None.

    Raises
    ------
    RequestError
        If there is no such dataset, or both and none is named.
    DataError
        If there is none, or a file is damaged or out of step with the others.
    """
    items = {split: len(ids) for split, ids in dataset.split_ids().items()}
    source = source or _only_source(dataset)
    paths = {s: file.path for s in items if (file := _file(dataset, source, s))}
    if "train" not in paths:
        _require_train(dataset, source)
    columns = _columns(dataset, source, paths["train"])
    counts = InteractionMatrices(source, paths, items, columns)
    for split, path in paths.items():
        if not counts.read(split).nnz and split == "train":
            raise FileError(
                path,
                found="no positive entry",
                expected=f"over 0 where the item has one of the {counts.what}",
                hint="Nothing can be learnt from it: look at how the matrix was made.",
            )
    return counts


_NO_PLAYS = (
    "Plays are needed: sparse (scipy.sparse.save_npz), train items × users, number of plays."
)
_NO_LABELS = "Labels are needed: train items × labels, 1 where the item has the label, else 0."


def _require_train(dataset: Dataset, source: InteractionKind) -> None:
    """Say that the matrix of the train items is missing."""
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


def _file(dataset: Dataset, source: InteractionKind, split: str) -> DataFile | None:
    if source == "plays":
        return dataset.find(PLAYS[split])
    fields = {"fact": "class"}
    dims = {f.dim for f in dataset.select(Kind.TARGETS, split="train", **fields)}
    names = dataset.label_names
    if names is not None and len(names) in dims:
        dims = {len(names)}
    if len(dims) > 1:
        msg = (
            f"{dataset.name} has matrices of {sorted(dims)} classes, and no list of labels decides"
        )
        raise DataError(
            msg, hint=f"Write the names into data/datasets/genre_labels_{dataset.name}.tsv."
        )
    return dataset.find(Kind.TARGETS, split=split, dim=str(*dims), **fields) if dims else None


def _columns(dataset: Dataset, source: InteractionKind, train: Path) -> int:
    """Return how many users or labels there are: as many as names, if they are named."""
    if source == "labels":
        names = dataset.label_names
        return len(names) if names is not None else open_matrix(train).shape[1]
    users = dataset.user_ids
    return len(users) if users is not None else int(open_csr(train).shape[1])


def _read_plays(path: Path) -> csr_array:
    plays = open_csr(path)
    plain = np.isfinite(plays.data) & (plays.data <= MAX_PLAYS)
    if not plain.all():
        many = int(np.count_nonzero(~plain))
        wrong = count_noun(many, "value that is", "values that are")
        raise FileError(
            path,
            found=f"{wrong} NaN, infinite or over {MAX_PLAYS:g}",
            expected="numbers of plays",
            hint="Leave these entries out.",
        )
    negative = int(np.count_nonzero(plays.data < 0))
    if negative:
        raise FileError(
            path,
            found=f"{count_noun(negative, 'value')} below 0",
            expected="numbers of plays",
            hint="Nobody plays an item less than never: leave these entries out.",
        )
    return plays


def _read_labels(path: Path) -> csr_array:
    matrix, parts = open_matrix(path), []
    for block in matrix.blocks():
        rows = matrix.rows(block)
        require_finite(path, rows, block.start)
        parts.append(csr_array(rows > 0, dtype=np.float32))
    return csr_array(vstack(parts, format="csr")) if parts else csr_array(matrix.shape)
