"""Which file holds the classes of the test items of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tartarus_cli.data.scan import scan_matrix
from tartarus_cli.errors import DataError
from tartarus_cli.file_names import DataFile, Kind

if TYPE_CHECKING:
    from tartarus_cli.data.dataset import Dataset


def find_class_truth(dataset: Dataset) -> DataFile | None:
    """Return the file of the classes of the test items, ``(test items, classes)``, 0 or 1.

    The file of as many classes as there are label names, or the only one; else a file of PMI
    targets, if it holds only 0 and 1. None if there is no such file.

    Raises
    ------
    DataError
        If there are several, and none has as many classes as there are label names.
    """
    dims = sorted({f.dim for f in dataset.select(Kind.TARGETS, fact="class", split="test")})
    if len(dataset.label_names or ()) in dims:
        dims = [len(dataset.label_names or ())]
    if len(dims) > 1:
        msg = f"{dataset.name} has truth of {dims} classes, and no list of names says which counts"
        path = f"data/datasets/genre_labels_{dataset.name}.tsv"
        raise DataError(msg, hint=f"Write the names of the classes, one a line, into {path}.")
    if dims:
        return dataset.find(Kind.TARGETS, split="test", fact="class", dim=str(dims[0]))
    files = dataset.select(Kind.TARGETS, fact="pmi", split="test")
    return next((file for file in files if scan_matrix(dataset.matrix(file.path)).binary), None)


def class_truth_path(dataset: Dataset) -> Path:
    """Return the path that the classes of the test items are written to."""
    files = dataset.select(Kind.TARGETS, fact="class")
    names = dataset.label_names
    dim = str(len(names)) if names else files[0].fields["dim"] if files else "N"
    return dataset.path(Kind.TARGETS, split="test", fact="class", dim=dim)
