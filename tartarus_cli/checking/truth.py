"""Checks of the matrices of plays: which users played which items."""

import numpy as np
from scipy.sparse import csr_array

from tartarus_cli.checking.report import Report
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.file_names import PLAYS, DataFile, Kind

LISTENING = {kind: split for split, kind in PLAYS.items()}
"""Kind of a matrix of plays → its split."""


def check_listening(
    dataset: Dataset, file: DataFile, items: int | None, users: int | None, report: Report
) -> csr_array | None:
    """Check a sparse matrix of items by users: the truth, or the train or val plays.

    Parameters
    ----------
    dataset
        The dataset that the matrix belongs to.
    file
        ``matrix_test_…``, ``matrix_val_…`` or ``matrix_train_…``.
    items, users
        Expected number of rows and of columns; None if it is not known.
    report
        Receives the problems.

    Returns
    -------
    The matrix, ``(items, users)``; None if it cannot be read.
    """
    with report.catch_errors():
        matrix = dataset.plays(LISTENING[file.kind])
        _check_shape(file, matrix.shape, (items, users), report)
        _check_plays(file, matrix, report)
        return matrix
    return None


def _check_shape(
    file: DataFile,
    shape: tuple[int, int],
    expected: tuple[int | None, int | None],
    report: Report,
) -> None:
    if _fits(shape, expected):
        return
    transposed = _fits(shape[::-1], expected)
    split = LISTENING[file.kind]
    sizes = " × ".join("?" if n is None else f"{n:,}" for n in expected)
    report.error(
        file.path,
        f"{shape[0]:,} × {shape[1]:,}{' (it looks transposed)' if transposed else ''}",
        expected=f"{sizes} ({split} items × users)",
        hint="Write matrix.T.tocsr()." if transposed else "Make it from the same ids and users.",
    )


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return all(want in (None, have) for have, want in zip(shape, expected, strict=True))


def _check_plays(file: DataFile, matrix: csr_array, report: Report) -> None:
    if not np.isfinite(matrix.data).all():
        report.error(
            file.path,
            f"{np.count_nonzero(~np.isfinite(matrix.data)):,} values are NaN or infinite",
            expected="numbers of plays",
            hint="Leave these entries out.",
        )
    negative = int(np.count_nonzero(matrix.data < 0))
    if negative:
        report.warn(
            file.path,
            f"{negative:,} values are below 0",
            expected="numbers of plays",
            hint="Leave these entries out: they count as no play, and cannot be factorized.",
        )
    positive = matrix.data > 0
    if not positive.any():
        report.error(
            file.path,
            "no positive entry",
            expected="over 0 where the user has the item",
            hint="No user has any of these items: look at how the matrix was made.",
        )
        return
    if file.kind is Kind.TEST_MATRIX:
        _check_coverage(file, matrix, positive, report)


def _check_coverage(
    file: DataFile,
    matrix: csr_array,
    positive: np.ndarray,
    report: Report,
) -> None:
    users_without_items = matrix.shape[1] - len(np.unique(matrix.indices[positive]))
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    items_without_users = matrix.shape[0] - len(np.unique(rows[positive]))
    of_users = "users have no test item; they count as 0 in the mean"
    for count, total, problem in (
        (users_without_items, matrix.shape[1], of_users),
        (items_without_users, matrix.shape[0], "test items have no user"),
    ):
        if count:
            report.warn(
                file.path,
                f"{count:,} of {total:,} {problem}",
                expected="at least one each",
                hint="This is common in real data; the results say how many there are.",
            )
