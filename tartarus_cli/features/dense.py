"""Imported rows of numbers, aligned with the items of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import MAX_COLUMNS
from tartarus_cli.data.provenance import MatrixForm
from tartarus_cli.errors import FileError, count_noun, parameter
from tartarus_cli.features.alignment import (
    DuplicateRows,
    ItemAlignment,
    Paths,
    PreparedFeatures,
    SourceReader,
    write_dense,
    write_sparse,
)
from tartarus_cli.features.tables import FeatureBlock

DENSE_FROM = 0.1
"""Share of values other than zero in the train rows, from which on matrices are dense."""

BLOCK_BYTES = 1 << 20
"""Size of the blocks of train rows whose mean and variance are computed at once."""


class Moments:
    """Mean and standard deviation of each column, of rows that come in parts.

    They are those of scikit-learn's ``StandardScaler``. It is given blocks of one length, however
    the parts are cut, so that not even the rounding depends on other rows between the train rows.
    """

    def __init__(self, width: int) -> None:
        from sklearn.preprocessing import StandardScaler

        self.width, self.rows = width, 0
        # Rows that do not fill a block yet, (rows, width).
        self._pending = np.empty((0, width), np.float32)
        self._scaler = StandardScaler()

    def add(self, values: NDArray[np.float32]) -> None:
        """Count rows, ``(rows, width)``."""
        pending = np.ascontiguousarray(np.concatenate([self._pending, values]))
        size = max(1, BLOCK_BYTES // (4 * max(self.width, 1)))
        complete = len(pending) - len(pending) % size
        for start in range(0, complete, size):
            self._fit(pending[start : start + size])
        self._pending = pending[complete:].copy()

    def finish(self) -> None:
        """Count the last rows, which do not fill a block."""
        if len(self._pending):
            self._fit(self._pending)
        self._pending = self._pending[:0]

    def _fit(self, block: NDArray[np.float32]) -> None:
        self._scaler.partial_fit(block)
        self.rows += len(block)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean, ``(width,)``; 0 where there is no row."""
        return np.asarray(self._scaler.mean_) if self.rows else np.zeros(self.width)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviation, ``(width,)``; 1 where a column is constant but for rounding."""
        return np.asarray(self._scaler.scale_) if self.rows else np.ones(self.width)

    def scale(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Subtract the mean and divide by the deviation, ``(rows, width)``."""
        return np.asarray((values - self.mean) / self.deviation, np.float32)


@dataclass
class NumberSurvey:
    """Width, items and train values of a source of numbers, from one reading."""

    reader: SourceReader
    alignment: ItemAlignment
    scaled: bool
    width: int | None = None
    nonzero: int = 0
    """Values of train rows other than zero."""
    moments: Moments | None = None
    """Mean and deviation of the train rows, if they are to be scaled."""

    def read(self) -> None:
        """Read the source once."""
        duplicates = DuplicateRows(self.reader.source)
        for block in self.reader.blocks():
            self.width = self._require_width(block)
            for split in self.alignment.sets:
                duplicates.check(block, self.alignment.locate(block, split)[0])
            self.alignment.record(block)
            rows, _ = self.alignment.locate(block, "train")
            train = block.values[rows]
            self.nonzero += int(np.count_nonzero(_values(train)))
            if self.scaled:
                self.moments = self.moments or Moments(self.width)
                self.moments.add(_dense(train))
        if self.moments is not None:
            self.moments.finish()

    def _require_width(self, block: FeatureBlock) -> int:
        """Return how many columns there are, and make sure that there are not too many."""
        width = int(block.values.shape[1])
        if width > MAX_COLUMNS:
            raise FileError(
                self.reader.source.path,
                found=f"{width:,} columns",
                expected=f"at most {MAX_COLUMNS:,}",
                hint="Leave columns out.",
            )
        return width

    @property
    def density(self) -> float:
        """Share of values other than zero in the train rows."""
        cells = int(self.alignment.has_row["train"].sum()) * (self.width or 0)
        return self.nonzero / max(cells, 1)


def survey_numbers(reader: SourceReader, alignment: ItemAlignment, *, scaled: bool) -> NumberSurvey:
    """Read a source once, for its width, its items and the density of its train rows.

    Raises
    ------
    FileError
        If it is damaged, or an item has two rows.
    """
    survey = NumberSurvey(reader, alignment, scaled)
    survey.read()
    return survey


def prepare_numbers(survey: NumberSurvey, requested: MatrixForm | None) -> PreparedFeatures:
    """Decide on the form of the matrices; nothing is written yet.

    Parameters
    ----------
    survey
        Width, items and train values of the source.
    requested
        Form to write; None: sparse if less than a tenth of the train values are other than zero,
        and nothing is scaled.
    """
    width, moments = survey.width or 0, survey.moments
    is_sparse = survey.density < DENSE_FROM and moments is None
    form: MatrixForm = requested or ("sparse" if is_sparse else "dense")

    def dense_blocks() -> Iterator[tuple[FeatureBlock, Any]]:
        for block in survey.reader.blocks():
            values = _dense(block.values)
            yield block, values if moments is None else moments.scale(values)

    def sparse_blocks() -> Iterator[tuple[FeatureBlock, csr_array]]:
        for block in survey.reader.blocks():
            yield block, csr_array(block.values)

    def write(paths: Paths) -> list[str]:
        if form == "sparse":
            write_sparse(paths, survey.alignment, width, sparse_blocks)
        else:
            write_dense(paths, survey.alignment, width, dense_blocks)
        return []

    remarks = _remarks(survey, form, requested)
    return PreparedFeatures(form, width, write, _manifest_fields(survey), remarks)


def _manifest_fields(survey: NumberSurvey) -> dict[str, Any]:
    columns, moments = survey.reader.source.columns, survey.moments
    names = None if columns is None else {"id": columns.id, "numbers": columns.numbers}
    scale = moments and {"mean": moments.mean.tolist(), "deviation": moments.deviation.tolist()}
    return {"kind": "numbers", "columns": names, "scale": scale}


def _remarks(survey: NumberSurvey, form: MatrixForm, requested: MatrixForm | None) -> list[str]:
    if survey.moments is not None:
        items = count_noun(survey.moments.rows, "train item")
        return [f"scaled to mean 0 and variance 1, as computed from {items}"]
    if requested is not None or (form == "dense" and survey.density >= DENSE_FROM):
        return []
    remark = f"{survey.density:.1%} of the train values are other than zero: written {form}"
    return [f"{remark} ({parameter('sparse', form == 'dense')} writes the other form)"]


def _values(rows: Any) -> NDArray[np.float32]:
    return np.asarray(rows.data if isinstance(rows, csr_array) else rows)


def _dense(rows: Any) -> NDArray[np.float32]:
    return np.asarray(rows.toarray() if isinstance(rows, csr_array) else rows)
