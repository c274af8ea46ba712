"""The workspace as a search sees it: without test items, and with models of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.hidden_test import TrainAndValDataset, without_test_files
from tartarus_cli.data.shuffling import ShuffledDataset
from tartarus_cli.layout import WorkspaceFiles
from tartarus_cli.models.store import Store
from tartarus_cli.workspace import Workspace


@dataclass(frozen=True)
class TuningWorkspace(Workspace):
    """A workspace whose test items cannot be read, and whose models lie elsewhere."""

    folder: Path
    """Holds the folder ``models``."""

    def scan(self) -> WorkspaceFiles:
        """List the files under the data folder, but those of test items."""
        return without_test_files(super().scan())

    def dataset(self, name: str) -> Dataset:
        """Return a dataset of train and val items."""
        return TrainAndValDataset(self.scan(), name)

    @property
    def models(self) -> Path:
        """The folder of all models."""
        return self.folder / "models"


class TrialStore(Store):
    """The models of trials, of datasets whose test items cannot be read."""

    def dataset(self, name: str, shuffle: int | None = None) -> Dataset:
        """Return a dataset of train and val items, or a shuffled one; always the same one."""
        key = (name, shuffle)
        if key not in self._datasets:
            plain = TrainAndValDataset(self.files, name)
            shuffled = shuffle is not None
            self._datasets[key] = ShuffledDataset.of(plain, shuffle or 0) if shuffled else plain
        return self._datasets[key]
