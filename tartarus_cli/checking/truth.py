"""Checks of the matrices of who listened to what."""

import numpy as np
from scipy.sparse import csr_array

from tartarus_cli.checking.report import Report
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.file_names import PLAYS, DataFile, Kind

LISTENING = {kind: split for split, kind in PLAYS.items()}


def check_listening(
    dataset: Dataset, file: DataFile, items: int | None, users: int | None, report: Report
) -> csr_array | None:
    """Check a sparse matrix of items by users: the truth, or the train or val plays.

    Parameters
    ----------
    dataset
        Whose matrix it is.
    file
        ``matrix_test_…``, ``matrix_val_…`` or ``matrix_train_…``.
    items, users
        How many there should be, if that is known.
    report
        Gets what is wrong.
    """
    with report.catching():
        matrix = dataset.plays(LISTENING[file.kind])
        _check_shape(file, matrix.shape, (items, users), report)
        _check_plays(file, matrix, report)
        return matrix
    return None


def _check_shape(
    file: DataFile,
    found: tuple[int, int],
    expected: tuple[int | None, int | None],
    report: Report,
) -> None:
    if all(want in (None, have) for have, want in zip(found, expected, strict=True)):
        return
    turned = all(want in (None, have) for have, want in zip(found[::-1], expected, strict=True))
    split = LISTENING[file.kind]
    sizes = " × ".join("?" if n is None else f"{n:,}" for n in expected)
    report.error(
        file.path,
        f"{found[0]:,} × {found[1]:,}{' (it looks transposed)' if turned else ''}",
        expected=f"{sizes} ({split} items × users)",
        hint="Write matrix.T.tocsr()." if turned else "Make it from the same ids and users.",
    )


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
            hint="They count as no play, and factorize refuses them: leave these entries out.",
        )
    positive = matrix.data > 0
    if not positive.any():
        report.error(
            file.path,
            "no positive entry",
            expected="over 0 where the user has the item",
            hint="Nobody has any of these items: look at how the matrix was made.",
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
    idle = matrix.shape[1] - len(np.unique(matrix.indices[positive]))
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    unheard = matrix.shape[0] - len(np.unique(rows[positive]))
    for count, total, what in (
        (idle, matrix.shape[1], "users have no test item; they count as 0 in the mean"),
        (unheard, matrix.shape[0], "test items have no user"),
    ):
        if count:
            report.warn(
                file.path,
                f"{count:,} of {total:,} {what}",
                expected="some of each",
                hint="This occurs in real data; the figures say how many they are.",
            )
