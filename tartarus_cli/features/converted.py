"""Sources that workers of a cluster read: rows as numbers that were checked, in files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.array_writing import save_arrays
from tartarus_cli.data.arrays import read_named_arrays
from tartarus_cli.distribution import Task, run_tasks
from tartarus_cli.errors import TartarusError
from tartarus_cli.features.request import FeaturesRequest
from tartarus_cli.features.tables import (
    ColumnSelection,
    FeatureBlock,
    FeatureSource,
    open_features,
    open_rows,
)
from tartarus_cli.files import temporary_folder
from tartarus_cli.progress import Progress

SHARES = 32
"""Shares that the rows of a source are cut into, at most."""

FEWEST_ROWS = 1024
"""Rows of a share, at least."""


@contextmanager
def read_on_cluster(
    cluster: str, request: FeaturesRequest, source: FeatureSource, data: Path, progress: Progress
) -> Iterator[FeatureSource]:
    """Let the workers of a cluster read a source; what they read can be read in the block.

    Rows of Parquet files and of dense matrices are shared out; other sources are read as a whole,
    by one worker.

    Parameters
    ----------
    cluster
        As ``run_tasks`` takes it.
    request
        How the source is read.
    source
        The source.
    data
        The data folder of the workspace.
    progress
        Shows how much was read.

    Raises
    ------
    FileError
        If the source is damaged.
    TartarusError
        If a share could not be read.
    """
    with temporary_folder(data) as folder:
        tasks = [
            Task(f"rows from {rows[0] + 1:,} on" if rows else "all rows", arguments)
            for rows in _ranges(source)
            for arguments in [_arguments(request, folder, rows)]
        ]
        shares = dict[str, list[str]]()
        with progress.task(f"reading {request.source.name} on the cluster", len(tasks)) as shown:
            for result in run_tasks(
                read_rows, tasks, cluster=cluster, folder=data, progress=progress
            ):
                if result.failed:
                    _explain(source)
                    msg = f"{result.task.name}: {result.error}"
                    raise TartarusError(msg, hint=result.hint)
                shares[result.task.name] = result.value
                shown.advance()
        files = [folder / name for task in tasks for name in shares[task.name]]
        yield replace(source, blocks=lambda: _blocks(files, source))


def _blocks(files: Sequence[Path], source: FeatureSource) -> Iterator[FeatureBlock]:
    width = None
    for block in map(_read_block, files):
        if width not in (None, block.values.shape[1]):
            _explain(source)
        width = block.values.shape[1]
        yield block


def _explain(source: FeatureSource) -> None:
    """Read a source that is damaged as a whole, which finds the first fault and explains it."""
    for _ in source.blocks():
        pass


def _ranges(source: FeatureSource) -> list[tuple[int, int] | None]:
    """Cut the rows of a source into shares; None if it can only be read as a whole."""
    rows = source.size
    if not source.divisible or not rows:
        return [None]
    step = max(FEWEST_ROWS, -(-rows // SHARES))
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def _arguments(
    request: FeaturesRequest, folder: Path, rows: tuple[int, int] | None
) -> dict[str, Any]:
    return {
        "source": str(request.source.resolve()),
        "ids": None if request.ids is None else str(request.ids.resolve()),
        "selection": asdict(request.selection),
        "folder": str(folder.resolve()),
        "rows": rows,
    }


def read_rows(
    *,
    source: str,
    ids: str | None,
    selection: Mapping[str, Any],
    folder: str,
    rows: tuple[int, int] | None,
) -> list[str]:
    """Read rows of a source on a worker, and write them as numbers.

    Parameters
    ----------
    source, ids, selection
        The source, the list of its ids, and which columns are read.
    folder
        Folder of the results, which all machines see.
    rows
        The first row, counted from 0, and the one after the last; None: all of them.

    Returns
    -------
    Names of the files, in the order of the rows.
    """
    chosen = ColumnSelection(**{**selection, "without": tuple(selection["without"])})
    if ids is None:
        opened = open_features(Path(source), chosen, rows)
    else:
        opened = open_rows(Path(source), Path(ids), rows)
    names, first = list[str](), rows[0] if rows else 0
    for number, block in enumerate(opened.blocks()):
        names.append(f"{first}_{number}.npz")
        save_arrays(Path(folder) / names[-1], _arrays(block))
    return names


def _arrays(block: FeatureBlock) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield a block as named arrays of numbers."""
    values = block.values
    if isinstance(values, csr_array):
        yield from (("data", values.data), ("indices", values.indices), ("indptr", values.indptr))
        yield "shape", np.array(values.shape)
    else:
        yield "values", values
    yield "lines", block.lines
    yield "size", np.array([block.size])
    texts = json.dumps([[*block.ids], [*block.tags]]).encode()
    yield "texts", np.frombuffer(texts, np.uint8)


def _read_block(path: Path) -> FeatureBlock:
    names, sparse = ("lines", "size", "texts"), ("data", "indices", "indptr", "shape")
    optional = ("values", *sparse)
    arrays = read_named_arrays(path, (*names, *optional), optional)
    if "values" in arrays:
        values: Any = arrays["values"]
    else:
        data, indices, indptr, shape = (arrays[name] for name in sparse)
        values = csr_array((data, indices, indptr), shape=tuple(shape))
    ids, tags = json.loads(arrays["texts"].tobytes())
    return FeatureBlock(ids, tags, values, arrays["lines"], int(arrays["size"][0]))
