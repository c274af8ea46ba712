"""A dataset of which only the first items of each set are there: to measure with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from scipy.sparse import csr_array

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix


@dataclass(frozen=True, eq=False)
class SampledDataset(Dataset):
    """A dataset of fewer items; its users, factors of users and word vectors are all there."""

    whole: Dataset | None = None
    """The dataset that it is a part of."""
    share: float = 1.0
    """Share of the items of each set."""

    @classmethod
    def of(cls, whole: Dataset, share: float) -> Self:
        """Return a share of the items of a dataset, whose files are read only once."""
        return cls(whole.files, whole.name, whole, share)

    def ids(self, split: str) -> list[str]:
        """Return the ids of the items of a set, in the order of the rows of its matrices."""
        ids = self._all.ids(split)
        return ids[: self._rows(len(ids))]

    def features(self, setting: str, split: str) -> Matrix:
        """Open the features of the items of a set, ``(items, width)``, and their mask."""
        return self._cut(self._all.features(setting, split))

    def pooled_patches(self, split: str, **fields: str) -> Matrix:
        """Open the pooled patches of the items of a set, ``(items, width)``."""
        return self._cut(self._all.pooled_patches(split, **fields))

    def matrix(self, path: Path) -> Matrix:
        """Open one of its matrices; of those that have a row for each item, the first rows."""
        matrix = self._all.matrix(path)
        splits = {file.path: file.split for file in self.own_files}
        return self._cut(matrix) if splits.get(path) else matrix

    def plays(self, split: str) -> csr_array:
        """Read how often each user played the items of a set, ``(items, users)``."""
        plays = self._all.plays(split)
        return plays[: self._rows(int(plays.shape[0]))]

    def digest(self, path: Path) -> str:
        """Return the hash of a file's bytes."""
        return self._all.digest(path)

    @property
    def _all(self) -> Dataset:
        return self if self.whole is None else self.whole

    def _rows(self, rows: int) -> int:
        return max(1, round(self.share * rows))

    def _cut(self, matrix: Matrix) -> Matrix:
        return matrix.select(slice(self._rows(matrix.shape[0])))
