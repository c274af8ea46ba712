"""Checks of vocabularies, and whether they fit the matrices that were made with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tartarus_cli.checking.matrices import CheckedMatrix
from tartarus_cli.checking.report import Report
from tartarus_cli.data.vocabulary import RECREATE_TEXT, read_vocabulary
from tartarus_cli.errors import FileError
from tartarus_cli.file_names import DataFile, Kind


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
                _check_word_numbers(checked, vocabulary.vectors or 0, file)


def check_words(
    files: Sequence[DataFile], matrices: Sequence[CheckedMatrix], report: Report
) -> None:
    """Check the numbers of words of settings that have word vectors, but no vocabulary."""
    described = {f.fields["setting"] for f in files if f.kind is Kind.VOCABULARY}
    for vectors in matrices:
        setting = vectors.file.fields.get("setting")
        if vectors.file.kind is not Kind.WORD_VECTORS or setting in described:
            continue
        for checked in matrices:
            file = checked.file
            if file.kind is Kind.FEATURES and file.fields["setting"] == setting:
                with report.catch_errors():
                    _check_word_numbers(checked, vectors.matrix.shape[0], vectors.file)


def _check_word_numbers(features: CheckedMatrix, vectors: int, file: DataFile) -> None:
    matrix = features.matrix
    low, high, whole = np.inf, -np.inf, True
    for block in map(matrix.rows, matrix.blocks()):
        low, high = min(low, block.min(initial=low)), max(high, block.max(initial=high))
        whole = whole and bool((block % 1 == 0).all())
    if low <= high and not (0 <= low <= high < vectors and whole):
        found = f"numbers of words from {low:g} to {high:g}{'' if whole else ', not all whole'}"
        _refuse(features, found, f"whole numbers from 0 to {vectors - 1:,}", file)


def _refuse(matrix: CheckedMatrix, found: str, expected: str, file: DataFile) -> None:
    expected = f"{expected}, as {file.path.name} says"
    raise FileError(matrix.file.path, found=found, expected=expected, hint=RECREATE_TEXT)
