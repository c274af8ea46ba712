"""Checks of matrices whose rows are items, users or labels."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.checking.masks import check_absent_rows
from tartarus_cli.checking.report import Report
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.provenance import read_feature_manifest
from tartarus_cli.data.scan import MatrixStatistics, scan_matrix
from tartarus_cli.errors import FileError
from tartarus_cli.file_names import SPLITS, DataFile, Kind


@dataclass(frozen=True)
class CheckedMatrix:
    """A matrix that could be read."""

    file: DataFile
    matrix: Matrix
    statistics: MatrixStatistics


def check_matrix(
    dataset: Dataset,
    file: DataFile,
    rows: int | None,
    report: Report,
    advance: Callable[[float], None],
    present: NDArray[np.bool_] | None = None,
) -> CheckedMatrix | None:
    """Check one matrix: whether it can be read and has a row for each id, and its values.

    Parameters
    ----------
    dataset
        The dataset that the matrix belongs to.
    file
        Features, targets, or factors of users or labels.
    rows
        Expected number of rows; None if it is not known.
    report
        Receives the problems.
    advance
        Called with the share of the file that each block is.
    present
        Of features: which items have them, ``(items,)``; None: all.

    Returns
    -------
    The matrix and its statistics; None if it cannot be read.
    """
    matrix = None
    with report.catch_errors():
        matrix = dataset.matrix(file.path)
    if matrix is None:
        return None
    statistics = scan_matrix(matrix, advance)
    classes = is_classes(file, statistics)
    _check_shape(file, matrix, rows, report, named=not classes or file.fields["fact"] == "class")
    if present is not None and len(present) == statistics.rows:
        check_absent_rows(file, statistics.zero_rows, present, report)
        statistics = replace(statistics, zero_rows=statistics.zero_rows & present)
    _check_values(file, statistics, report)
    if classes:
        _check_classes(file, statistics, report)
    elif not _may_have_constant_columns(dataset, file, matrix):
        _check_columns(file, statistics, report)
    return CheckedMatrix(file, matrix, statistics)


def _may_have_constant_columns(dataset: Dataset, file: DataFile, matrix: Matrix) -> bool:
    """Whether columns may well be constant: padding after words, or idle units of a network."""
    words = not matrix.sparse and matrix.values.dtype.kind in "iu"
    setting = file.fields.get("setting", "")
    return words or "-pred_" in setting or _is_encoded(dataset, setting)


def _is_encoded(dataset: Dataset, setting: str) -> bool:
    """Whether an encoder made a setting."""
    manifests = dataset.select(Kind.FEATURE_MANIFEST, setting=setting)
    with suppress(FileError):  # a damaged one is reported as such
        return any(read_feature_manifest(file.path).maker is not None for file in manifests)
    return False


def is_classes(file: DataFile, statistics: MatrixStatistics) -> bool:
    """Whether targets are classes; those of test items named ``pmi`` are if all are 0 or 1."""
    fact = file.fields.get("fact")
    truth = file.split == "test" and statistics.binary
    return file.kind is Kind.TARGETS and (fact == "class" or (fact == "pmi" and truth))


def _check_shape(
    file: DataFile, matrix: Matrix, rows: int | None, report: Report, *, named: bool
) -> None:
    height, width = matrix.shape
    if rows is not None and height != rows:
        transposed = " (it may be transposed)" if width == rows else ""
        report.error(
            file.path,
            f"{height:,} rows{transposed}",
            expected=f"{rows:,}, one for each line of its list of ids",
            hint="Write the rows in the order of the ids, none left out.",
        )
    if named and "dim" in file.fields and width != file.dim:
        report.error(
            file.path,
            f"{width} columns",
            expected=f"{file.dim}, as its name says",
            hint="Rename the file, or compute it again.",
        )


def _check_values(file: DataFile, statistics: MatrixStatistics, report: Report) -> None:
    bad_rows, zero_rows = statistics.bad_rows, int(statistics.zero_rows.sum())
    if bad_rows.size:
        report.error(
            file.path,
            f"NaN or infinity in {bad_rows.size:,} rows ({_first_numbers(bad_rows, 3)})",
            expected="finite numbers (within the range of float32)",
            hint="Compute these rows again, or fill in 0. Rows are counted from 0.",
        )
    # The first row of word vectors is padding.
    if zero_rows and file.kind is not Kind.WORD_VECTORS:
        report.warn(
            file.path,
            f"{zero_rows:,} of {statistics.rows:,} rows are all zero",
            expected="values other than zero in each row",
            hint=_ZERO_ROWS.get(file.kind, "Nothing can be learnt from such rows."),
        )
    if statistics.identical_rows and file.fields.get("fact") not in ("class", "pmi"):
        report.warn(
            file.path,
            f"{statistics.identical_rows:,} rows repeat an earlier one",
            expected="rows that differ",
            hint="Look for items that are listed twice under different ids.",
        )


_ZERO_ROWS = {
    Kind.USER_FACTORS: "Such users have no train item; all their scores are equal.",
    Kind.FEATURES: "Such items have no known word or feature; they all get the same prediction.",
}


def _check_columns(file: DataFile, statistics: MatrixStatistics, report: Report) -> None:
    constant = int(statistics.constant_columns.sum())
    if constant and statistics.rows > 1 and file.split in ("", "train"):
        report.warn(
            file.path,
            f"{constant:,} of {statistics.width:,} columns are constant",
            expected="columns that tell items apart",
            hint="They do no harm, but cost time: leave them out when you recreate the file.",
        )


def _check_classes(file: DataFile, statistics: MatrixStatistics, report: Report) -> None:
    if not statistics.binary:
        report.error(
            file.path,
            "values other than 0 and 1",
            expected="1 where the item has the class, else 0",
            hint="Write class matrices as 0 and 1.",
        )
    empty = np.flatnonzero(statistics.empty_columns)
    if empty.size and file.split != "val":
        report.warn(
            file.path,
            f"{empty.size:,} of {statistics.width:,} labels have no positive item",
            expected="at least one item of each label",
            hint=f"Look at columns {_first_numbers(empty, 5)}. Columns are counted from 0.",
        )


def _first_numbers(numbers: np.ndarray, count: int) -> str:
    return ", ".join(map(str, numbers[:count])) + (", …" if numbers.size > count else "")


def check_labels(
    labels: tuple[Path, list[str]] | None, matrices: list[CheckedMatrix], report: Report
) -> None:
    """Check that there are as many label names as classes, and as many classes in each set.

    Parameters
    ----------
    labels
        The list of class names, and the names; None if there is no list.
    matrices
        All matrices of the dataset.
    report
        Receives the problems.
    """
    classes = [c for c in matrices if is_classes(c.file, c.statistics)]
    dims = {c.matrix.shape[1] for c in classes}
    if labels is not None and dims and len(labels[1]) not in dims:
        files = ", ".join(sorted(c.file.path.name for c in classes))
        report.error(
            labels[0],
            f"{len(labels[1]):,} names",
            expected=f"{' or '.join(map(str, sorted(dims)))}, one for each column of {files}",
            hint="Write one name a line, in the order of the columns.",
        )
    if labels is None:
        _check_same_classes(classes, report)


def _check_same_classes(classes: list[CheckedMatrix], report: Report) -> None:
    train = {c.matrix.shape[1] for c in classes if c.file.split == "train"}
    for checked in classes:
        if train and checked.matrix.shape[1] not in train:
            report.error(
                checked.file.path,
                f"{checked.matrix.shape[1]:,} classes",
                expected=f"{' or '.join(map(str, sorted(train)))}, as in train",
                hint="Write the same classes, in the same order, in each set.",
            )


def check_users(matrices: list[CheckedMatrix], report: Report) -> None:
    """Check that all matrices of user factors are those of the same number of users."""
    factors = [c for c in matrices if c.file.kind is Kind.USER_FACTORS]
    for checked in factors[1:]:
        if checked.matrix.shape[0] != factors[0].matrix.shape[0]:
            report.error(
                checked.file.path,
                f"{checked.matrix.shape[0]:,} rows",
                expected=f"{factors[0].matrix.shape[0]:,}, as in {factors[0].file.path.name}",
                hint="Factorize the plays of the same users.",
            )


def check_one_hot(matrices: list[CheckedMatrix], report: Report, *, required: bool) -> None:
    """Check that items have one class each, if that is required or holds for the train items."""
    classes = [c for c in matrices if is_classes(c.file, c.statistics)]
    single = required or any(c.statistics.one_hot for c in classes if c.file.split == "train")
    for checked in classes:
        if single and not checked.statistics.one_hot:
            add = report.error if required else report.warn
            add(
                checked.file.path,
                "items with no class, or with several",
                expected="one class for each item, as in train" if not required else "one class",
                hint="Write a single 1 in each row, or set dataset.task to multilabel.",
            )


def check_widths(features: list[CheckedMatrix], report: Report) -> None:
    """Check that a setting has as many columns in each set as in the first, which is train."""
    first_matrices: dict[str, CheckedMatrix] = {}
    for checked in sorted(features, key=lambda c: SPLITS.index(c.file.split)):
        first = first_matrices.setdefault(checked.file.fields["setting"], checked)
        if checked.matrix.shape[1] != first.matrix.shape[1]:
            report.error(
                checked.file.path,
                f"{checked.matrix.shape[1]:,} columns",
                expected=f"{first.matrix.shape[1]:,}, as in {first.file.path.name}",
                hint="Compute the sets with the same vocabulary or network.",
            )
