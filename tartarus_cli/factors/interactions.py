"""Who has what: the matrices that a factorization reads, plays of users or labels of items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, vstack

from tartarus_cli.data.arrays import MAX_PLAYS, open_csr
from tartarus_cli.data.features import open_matrix, require_finite
from tartarus_cli.data.ids import read_ids
from tartarus_cli.data.provenance import InteractionKind
from tartarus_cli.data.targets import label_names
from tartarus_cli.errors import DataError, FileError, RequestError, count_noun
from tartarus_cli.workspace import PLAYS, DataFile, Kind, WorkspaceFiles


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


def load_interactions(
    inventory: WorkspaceFiles,
    dataset: str,
    source: InteractionKind | None,
    items: Mapping[str, int],
) -> InteractionMatrices:
    """Find the plays or the labels of a dataset, and look at each matrix once.

    Parameters
    ----------
    inventory, dataset
        Whose they are.
    source
        Which of the two; whichever there is, if None.
    items
        How many items each split has.

    Raises
    ------
    RequestError
        If there are both and none is named.
    DataError
        If there is none, or a file is damaged or out of step with the others.
    """
    source = source or _only_source(inventory, dataset)
    paths = {s: file.path for s in items if (file := _file(inventory, dataset, source, s))}
    if "train" not in paths:
        _require_train(inventory, dataset, source)
    columns = _columns(inventory, dataset, source, paths["train"])
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


def _require_train(inventory: WorkspaceFiles, dataset: str, source: InteractionKind) -> None:
    """Say that the matrix of the train items is missing."""
    if source == "plays":
        inventory.require(Kind.TRAIN_MATRIX, dataset=dataset, hint=_NO_PLAYS)
    number = str(len(label_names(inventory, dataset) or []) or "N")
    fields = {"split": "train", "fact": "class", "dim": number, "dataset": dataset}
    inventory.require(Kind.TARGETS, hint=_NO_LABELS, **fields)


def _only_source(inventory: WorkspaceFiles, dataset: str) -> InteractionKind:
    plays = inventory.find(Kind.TRAIN_MATRIX, dataset=dataset) is not None
    labels = bool(inventory.select(Kind.TARGETS, split="train", fact="class", dataset=dataset))
    if plays and labels:
        msg = f"{dataset} has plays and labels: which of them is to be factorized?"
        raise RequestError(msg, hint="Say --from plays or --from labels.")
    return "labels" if labels else "plays"


def _file(
    inventory: WorkspaceFiles, dataset: str, source: InteractionKind, split: str
) -> DataFile | None:
    if source == "plays":
        return inventory.find(PLAYS[split], dataset=dataset)
    fields = {"fact": "class", "dataset": dataset}
    dims = {f.dim for f in inventory.select(Kind.TARGETS, split="train", **fields)}
    names = label_names(inventory, dataset)
    if names is not None and len(names) in dims:
        dims = {len(names)}
    if len(dims) > 1:
        msg = f"{dataset} has matrices of {sorted(dims)} classes, and no list of labels decides"
        raise DataError(msg, hint=f"Write the names into data/datasets/genre_labels_{dataset}.tsv.")
    return inventory.find(Kind.TARGETS, split=split, dim=str(*dims), **fields) if dims else None


def _columns(inventory: WorkspaceFiles, dataset: str, source: InteractionKind, train: Path) -> int:
    """Return how many users or labels there are: as many as names, if they are named."""
    if source == "labels":
        names = label_names(inventory, dataset)
        return len(names) if names is not None else open_matrix(train).shape[1]
    users = inventory.find(Kind.USERS, dataset=dataset)
    return len(read_ids(users.path)) if users else int(open_csr(train).shape[1])


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
