"""Masks of features: which items have a setting, where some lack it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.array_writing import put_dense
from tartarus_cli.data.arrays import digest_mapped, open_dense
from tartarus_cli.errors import FileError, Placeholder, call
from tartarus_cli.file_names import DataFile, Kind
from tartarus_cli.files import digest
from tartarus_cli.layout import WorkspacePaths


def read_mask(path: Path, items: int, digests: dict[Path, str] | None = None) -> NDArray[np.bool_]:
    """Read which items of a set have a setting, ``(items,)``.

    Parameters
    ----------
    path
        The file.
    items
        Number of items of the set.
    digests
        Gets the BLAKE2b hash of the file under its path.

    Raises
    ------
    FileError
        If the file is damaged, or has not one value of type bool for each item.
    """
    values = open_dense(path)
    if values.shape != (items,) or values.dtype != np.bool_:
        again = call(
            "features",
            Placeholder("DATASET"),
            Placeholder("SETTING"),
            source=Placeholder("FILE"),
            missing="absent",
            force=True,
        )
        raise FileError(
            path,
            found=f"an array {values.shape} of {values.dtype}",
            expected=f"an array ({items},) of bool: one value an item, True if it has the setting",
            hint=f"Recreate the setting: {again}",
        )
    if digests is not None:
        digests[path] = digest_mapped(values) or digest(path)
    return np.asarray(values.view(np.uint8) != 0)


def put_mask(path: Path, present: NDArray[np.bool_]) -> None:
    """Write which items of a set have a setting into a temporary file, ``(items,)``."""
    put_dense(path, np.asarray(present, np.bool_))


def mask_file(workspace: WorkspacePaths, features: DataFile) -> DataFile:
    """Return the mask of a file of features, whether it exists or not."""
    fields = {name: text for name, text in features.fields.items() if name != "ext"}
    path = workspace.path_of(Kind.MASK, **fields)
    return DataFile(Kind.MASK, path, path.relative_to(workspace.data).as_posix(), fields)
