"""Datasets whose test items cannot be read: what choices are made by never sees them."""

from __future__ import annotations

from dataclasses import replace

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import DataError
from tartarus_cli.file_names import DataFile, Kind
from tartarus_cli.layout import WorkspaceFiles


def without_test_files(files: WorkspaceFiles) -> WorkspaceFiles:
    """Leave out all files of test items: ids, plays, classes, factors, features, patches, masks."""
    return replace(
        files,
        files=tuple(file for file in files.files if not _is_of_test(file)),
        irregular=tuple(file for file in files.irregular if not _is_of_test(file)),
    )


def _is_of_test(file: DataFile) -> bool:
    return file.split == "test" or file.kind is Kind.TEST_MATRIX


class TrainAndValDataset(Dataset):
    """A dataset of train and val items: asked for anything of the test items, it raises.

    Its files are those that :func:`without_test_files` leaves.
    """

    def require(self, kind: Kind, *, hint: str = "", **fields: str) -> DataFile:
        """Return its one file of a kind that has these fields.

        Raises
        ------
        DataError
            If it is missing, or of test items.
        """
        if fields.get("split") == "test" or kind is Kind.TEST_MATRIX:
            msg = f"the test items of {self.name} are not read while parameters are chosen"
            raise DataError(msg, hint="This is a fault of the program: please report it.")
        return super().require(kind, hint=hint, **fields)
