"""Rows of numbers of one's own, aligned with the items of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import MAX_COLUMNS
from tartarus_cli.errors import FileError, count_noun
from tartarus_cli.features.alignment import (
    DuplicateRows,
    ItemAlignment,
    MatrixForm,
    Paths,
    PreparedFeatures,
    Reader,
    write_dense,
    write_sparse,
)
from tartarus_cli.features.tables import FeatureBlock

DENSE_FROM = 0.1  # share of values other than zero among the train rows
BLOCK_BYTES = 1 << 20  # of train rows whose mean and variance are taken at once


class Moments:
    """Mean and standard deviation of each column, of rows that come in parts.

    They are those of scikit-learn's ``StandardScaler``, which is given blocks of one length,
    however the parts are cut, so that what lies between the rows in a table does not even show in
    the rounding.
    """

    def __init__(self, width: int) -> None:
        from sklearn.preprocessing import StandardScaler

        self.width, self.rows = width, 0
        # (rows, width), less than a block
        self._waiting = np.empty((0, width), np.float32)
        self._scaler = StandardScaler()

    def add(self, values: NDArray[np.float32]) -> None:
        """Count some rows, ``(rows, width)``."""
        waiting = np.ascontiguousarray(np.concatenate([self._waiting, values]))
        size = max(1, BLOCK_BYTES // (4 * max(self.width, 1)))
        whole = len(waiting) - len(waiting) % size
        for start in range(0, whole, size):
            self._fit(waiting[start : start + size])
        self._waiting = waiting[whole:].copy()

    def end(self) -> None:
        """Count the rows that still wait: no more will come."""
        if len(self._waiting):
            self._fit(self._waiting)
        self._waiting = self._waiting[:0]

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
        """Take the mean away and divide by the deviation."""
        return np.asarray((values - self.mean) / self.deviation, np.float32)


@dataclass
class _Survey:
    """What one reading of a table tells."""

    reader: Reader
    roll: ItemAlignment
    scaled: bool
    width: int | None = None
    filled: int = 0  # values of train rows that are not zero
    moments: Moments | None = None

    def read(self) -> None:
        doubles = DuplicateRows(self.reader.table)
        for block in self.reader.blocks():
            self.width = self._checked_width(block)
            for split in self.roll.sets:
                doubles.check(block, self.roll.locate(block, split)[0])
            self.roll.call(block)
            rows, _ = self.roll.locate(block, "train")
            train = block.values[rows]
            self.filled += int(np.count_nonzero(_values(train)))
            if self.scaled:
                self.moments = self.moments or Moments(self.width)
                self.moments.add(_dense(train))
        if self.moments is not None:
            self.moments.end()

    def _checked_width(self, block: FeatureBlock) -> int:
        """Return how many columns there are, and make sure that there are not too many."""
        width = int(block.values.shape[1])
        if width > MAX_COLUMNS:
            raise FileError(
                self.reader.table.path,
                found=f"{width:,} columns",
                expected=f"at most {MAX_COLUMNS:,}",
                hint="Leave columns out.",
            )
        return width

    @property
    def density(self) -> float:
        cells = int(self.roll.found["train"].sum()) * (self.width or 0)
        return self.filled / max(cells, 1)


def survey_numbers(reader: Reader, roll: ItemAlignment, *, scaled: bool) -> _Survey:
    """Read a table once, to know its width, its items and how full its train rows are.

    Raises
    ------
    FileError
        If it is damaged, or an item has two rows.
    """
    survey = _Survey(reader, roll, scaled)
    survey.read()
    return survey


def prepare_numbers(survey: _Survey, wanted: MatrixForm | None) -> PreparedFeatures:
    """Decide on the form of the matrices; nothing is written yet.

    Parameters
    ----------
    survey
        What the table is like.
    wanted
        The form that was asked for; None: sparse if less than a tenth of the train values are
        other than zero, and nothing is scaled.
    """
    width, moments = survey.width or 0, survey.moments
    fits: MatrixForm = "sparse" if survey.density < DENSE_FROM and moments is None else "dense"
    form = wanted or fits

    def dense() -> Iterator[tuple[FeatureBlock, Any]]:
        for block in survey.reader.blocks():
            values = _dense(block.values)
            yield block, values if moments is None else moments.scale(values)

    def sparse() -> Iterator[tuple[FeatureBlock, csr_array]]:
        for block in survey.reader.blocks():
            yield block, csr_array(block.values)

    def write(paths: Paths) -> list[str]:
        if form == "sparse":
            write_sparse(paths, survey.roll, width, sparse)
        else:
            write_dense(paths, survey.roll, width, dense)
        return []

    return PreparedFeatures(form, width, write, _origin(survey), _remarks(survey, form, wanted))


def _origin(survey: _Survey) -> dict[str, Any]:
    columns, moments = survey.reader.table.columns, survey.moments
    named = None if columns is None else {"id": columns.id, "numbers": list(columns.numbers)}
    scale = moments and {"mean": moments.mean.tolist(), "deviation": moments.deviation.tolist()}
    return {"kind": "numbers", "columns": named, "scale": scale}


def _remarks(survey: _Survey, form: MatrixForm, wanted: MatrixForm | None) -> list[str]:
    other = {"sparse": "dense", "dense": "sparse"}[form]
    told = f"{survey.density:.1%} of the train values are other than zero: written {form}"
    if survey.moments is not None:
        tell = count_noun(survey.moments.rows, "train item tells", "train items tell")
        return [f"scaled to mean 0 and variance 1, as {tell}"]
    unlike = form == "sparse" or survey.density < DENSE_FROM
    return [f"{told} (--{other} writes the other form)"] if wanted is None and unlike else []


def _values(rows: Any) -> NDArray[np.float32]:
    return np.asarray(rows.data if isinstance(rows, csr_array) else rows)


def _dense(rows: Any) -> NDArray[np.float32]:
    return np.asarray(rows.toarray() if isinstance(rows, csr_array) else rows)
