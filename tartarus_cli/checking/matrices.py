"""Checks of matrices whose rows are items, users or labels."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tartarus_cli.checking.report import Report
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.scan import MatrixStatistics, scan_matrix
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
    seen: Callable[[float], None],
) -> CheckedMatrix | None:
    """Check one matrix: can it be read, has it a row for each id, what are its values like.

    Parameters
    ----------
    dataset
        Whose matrix it is.
    file
        Features, targets, or factors of users or labels.
    rows
        How many there should be, if that is known.
    report
        Gets what is wrong.
    seen
        Told what share of the file each block is.
    """
    matrix = None
    with report.catching():
        matrix = dataset.matrix(file.path)
    if matrix is None:
        return None
    statistics = scan_matrix(matrix, seen)
    classes = is_classes(file, statistics)
    _check_shape(file, matrix, rows, report, named=not classes or file.fields["fact"] == "class")
    _check_values(file, statistics, report)
    if classes:
        _check_classes(file, statistics, report)
    elif not _may_stand_still(file, matrix):
        _check_columns(file, statistics, report)
    return CheckedMatrix(file, matrix, statistics)


def _may_stand_still(file: DataFile, matrix: Matrix) -> bool:
    """Whether columns may well be constant: padding after words, or idle units of a layer."""
    words = not matrix.sparse and matrix.values.dtype.kind in "iu"
    return words or "-pred_" in file.fields.get("setting", "")


def is_classes(file: DataFile, statistics: MatrixStatistics) -> bool:
    """Whether targets say which classes items have; PMI ones of test do where they are 0 and 1."""
    fact = file.fields.get("fact")
    truth = file.split == "test" and statistics.binary
    return file.kind is Kind.TARGETS and (fact == "class" or (fact == "pmi" and truth))


def _check_shape(
    file: DataFile, matrix: Matrix, rows: int | None, report: Report, *, named: bool
) -> None:
    found, width = matrix.shape
    if rows is not None and found != rows:
        turned = " (it may be transposed)" if width == rows else ""
        report.error(
            file.path,
            f"{found:,} rows{turned}",
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
    bad, zero = statistics.bad_rows, int(statistics.zero_rows.sum())
    if bad.size:
        some = ", ".join(str(row) for row in bad[:3])
        report.error(
            file.path,
            f"NaN or infinity in {bad.size:,} rows ({some}{', …' if bad.size > 3 else ''})",
            expected="finite numbers (within the range of float32)",
            hint="Compute these rows again (they are counted from 0), or fill in 0.",
        )
    if zero and file.kind is not Kind.WORD_VECTORS:  # whose first row is padding
        report.warn(
            file.path,
            f"{zero:,} of {statistics.rows:,} rows are all zero",
            expected="something said of each row",
            hint=_ZERO.get(file.kind, "Nothing can be learnt from such rows."),
        )
    if statistics.identical_rows and file.fields.get("fact") not in ("class", "pmi"):
        report.warn(
            file.path,
            f"{statistics.identical_rows:,} rows repeat an earlier one",
            expected="rows that differ",
            hint="Look for items that are listed twice under different ids.",
        )


_ZERO = {
    Kind.USER_FACTORS: "Such users have no train item; all their scores tie.",
    Kind.FEATURES: "Such items have no known word or feature; they all get the same prediction.",
}


def _check_columns(file: DataFile, statistics: MatrixStatistics, report: Report) -> None:
    constant = int(statistics.constant_columns.sum())
    if constant and statistics.rows > 1 and file.split in ("", "train"):
        report.warn(
            file.path,
            f"{constant:,} of {statistics.width:,} columns are constant",
            expected="columns that tell items apart",
            hint="They do no harm but cost time; leave them out if you make the file again.",
        )


def _check_classes(file: DataFile, statistics: MatrixStatistics, report: Report) -> None:
    if not statistics.binary:
        report.error(
            file.path,
            "values other than 0 and 1",
            expected="1 where the item has the class, else 0",
            hint="Write class matrices as 0 and 1.",
        )
    empty = int(statistics.empty_columns.sum())
    if empty and file.split != "val":
        report.warn(
            file.path,
            f"{empty:,} of {statistics.width:,} labels have no positive item",
            expected="items of each label",
            hint=f"Labels in columns {_some(statistics.empty_columns)} (counted from 0).",
        )


def _some(which: np.ndarray) -> str:
    columns = np.flatnonzero(which)
    return ", ".join(map(str, columns[:5])) + (", …" if columns.size > 5 else "")


def check_labels(
    labels: tuple[Path, list[str]] | None, checked: list[CheckedMatrix], report: Report
) -> None:
    """Check that there are as many label names as classes, and as many classes in each set."""
    classes = [c for c in checked if is_classes(c.file, c.statistics)]
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
    for each in classes:
        if train and each.matrix.shape[1] not in train:
            report.error(
                each.file.path,
                f"{each.matrix.shape[1]:,} classes",
                expected=f"{' or '.join(map(str, sorted(train)))}, as in train",
                hint="Write the same classes, in the same order, in each set.",
            )


def check_users(checked: list[CheckedMatrix], report: Report) -> None:
    """Check that all factors of users are those of as many users."""
    factors = [c for c in checked if c.file.kind is Kind.USER_FACTORS]
    for each in factors[1:]:
        if each.matrix.shape[0] != factors[0].matrix.shape[0]:
            report.error(
                each.file.path,
                f"{each.matrix.shape[0]:,} rows",
                expected=f"{factors[0].matrix.shape[0]:,}, as in {factors[0].file.path.name}",
                hint="Factorize the plays of the same users.",
            )


def check_one_hot(checked: list[CheckedMatrix], report: Report, *, required: bool) -> None:
    """Check that items have one class each, where they should or where the train items do."""
    classes = [c for c in checked if is_classes(c.file, c.statistics)]
    single = required or any(c.statistics.one_hot for c in classes if c.file.split == "train")
    for each in classes:
        if single and not each.statistics.one_hot:
            say = report.error if required else report.warn
            say(
                each.file.path,
                "items with no class, or with several",
                expected="one class for each item, as in train" if not required else "one class",
                hint="A multiclass task needs a single 1 in each row; or set dataset.task.",
            )


def check_widths(checked: list[CheckedMatrix], report: Report) -> None:
    """Check that a setting is as wide in each set as in the first, which is train."""
    first: dict[str, CheckedMatrix] = {}
    for each in sorted(checked, key=lambda c: SPLITS.index(c.file.split)):
        one = first.setdefault(each.file.fields["setting"], each)
        if each.matrix.shape[1] != one.matrix.shape[1]:
            report.error(
                each.file.path,
                f"{each.matrix.shape[1]:,} columns",
                expected=f"{one.matrix.shape[1]:,}, as in {one.file.path.name}",
                hint="Compute the sets with the same vocabulary or network.",
            )
