"""Checks of vocabularies, and whether they fit the matrices that were made with them."""

from __future__ import annotations

from collections.abc import Iterable

from tartarus_cli.checking.matrices import CheckedMatrix
from tartarus_cli.checking.report import Report
from tartarus_cli.data.vocabulary import RECREATE_TEXT, read_vocabulary
from tartarus_cli.errors import FileError
from tartarus_cli.file_names import DataFile, Kind
from tartarus_cli.text import Vocabulary


def check_vocabulary(file: DataFile, matrices: Iterable[CheckedMatrix], report: Report) -> None:
    """Check a vocabulary, and that the matrices of its setting were made with it."""
    with report.catch_errors():
        vocabulary = read_vocabulary(file.path)
        for checked in matrices:
            if checked.file.fields.get("setting") != file.fields["setting"]:
                continue
            rows, width = checked.matrix.shape
            if checked.file.kind is Kind.FEATURES and width != vocabulary.width:
                _refuse(checked, f"{width:,} columns", f"{vocabulary.width:,}", file)
            elif checked.file.kind is Kind.WORD_VECTORS and rows != vocabulary.vectors:
                _refuse(checked, f"{rows:,} rows", f"{vocabulary.vectors or 0:,}", file)
            elif checked.file.kind is Kind.FEATURES and vocabulary.form == "sequence":
                _check_word_numbers(checked, vocabulary, file)


def _check_word_numbers(features: CheckedMatrix, vocabulary: Vocabulary, file: DataFile) -> None:
    matrix = features.matrix
    ranges = [(block.min(), block.max()) for block in map(matrix.rows, matrix.blocks())]
    low = min((lowest for lowest, _ in ranges), default=0)
    high = max((highest for _, highest in ranges), default=0)
    if not 0 <= low <= high < (vocabulary.vectors or 0):
        expected = f"0 to {(vocabulary.vectors or 0) - 1:,}"
        _refuse(features, f"numbers of words from {low:g} to {high:g}", expected, file)


def _refuse(matrix: CheckedMatrix, found: str, expected: str, file: DataFile) -> None:
    expected = f"{expected}, as {file.path.name} says"
    raise FileError(matrix.file.path, found=found, expected=expected, hint=RECREATE_TEXT)
