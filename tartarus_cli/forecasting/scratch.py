"""A workspace whose models are thrown away: what is trained to measure is none of the user's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tartarus_cli.models.store import Store
from tartarus_cli.workspace import Workspace


@dataclass(frozen=True)
class ScratchWorkspace(Workspace):
    """A workspace with all its data, and with models of its own."""

    folder: Path
    """Holds the folder ``models``."""

    @property
    def models(self) -> Path:
        """The folder of all models."""
        return self.folder / "models"


@contextmanager
def scratch_store(workspace: Workspace) -> Iterator[Store]:
    """Yield a store of models that are gone after the block."""
    with TemporaryDirectory(prefix="tartarus-") as folder:
        yield Store(ScratchWorkspace(workspace.root, workspace.data, Path(folder)))
