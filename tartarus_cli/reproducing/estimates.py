"""How long a reproduction will take, and how much memory and disk: before anything is written.

Operations, steps and bytes are counted by the rule of :mod:`~tartarus_cli.reproducing.costs`. They
become seconds by the speed of this machine, which is measured: a few products of matrices in single
precision, the fastest counts, of which trainings reach :data:`REACHED`. Where a model of the same
experiment, dataset and settings was trained in this workspace (with whatever seed), its own seconds
and its own memory are told instead; where it is the very model, it is used again.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tartarus_cli.errors import RequestError, parameter
from tartarus_cli.html_table import html_table
from tartarus_cli.models.store import Model, Store
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.reproducing.costs import evaluation_cost, read_sizes, training_cost
from tartarus_cli.reproducing.inputs import require_data
from tartarus_cli.reproducing.papers import find_paper
from tartarus_cli.reproducing.reproduce import (
    ReproduceRequest,
    choose_rows,
    training_request,
)
from tartarus_cli.reproducing.schema import PaperRow
from tartarus_cli.training.reuse import find_trained
from tartarus_cli.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

    from tartarus_cli.experiments.request import TrainingRequest

REACHED = 0.4
"""Share of the measured speed that a training reaches."""
STEP_SECONDS = 1e-3
"""Of each step of a network, beside its operations."""
START_SECONDS = 4.0
"""Of each training, to check files, import libraries and compile."""
BASE_MEMORY = 500 << 20
"""Bytes of a process with its libraries."""
PRODUCT_SIZE = 1024
"""Rows and columns of the matrices that are multiplied to measure the machine."""


@dataclass(frozen=True)
class RowEstimate:
    """What a row will take."""

    row: str
    experiment: str
    settings: tuple[str, ...]
    model: str
    """The model that is used again; empty: one is trained."""
    seconds: tuple[float, float] | None
    """At least and at most; None: not known."""
    memory: int
    """Bytes."""
    disk: int
    """Bytes."""
    basis: str
    """What it is estimated from, in words."""


@dataclass(frozen=True)
class Estimate:
    """What a reproduction will take: nothing was trained, and nothing written."""

    name: str
    """What the paper is called here."""
    title: str
    rows: tuple[RowEstimate, ...]
    gigaflops: float
    """Speed of this machine as measured, in billions of operations a second."""
    free_disk: int
    """Bytes that the disk of the workspace has left."""
    only: tuple[str, ...]
    """The rows that were named; empty: all."""
    seed: int | None
    """The seed that was named; None: the paper's."""

    @property
    def seconds(self) -> tuple[float, float] | None:
        """Of all rows whose time is known, at least and at most; None if none is."""
        known = [row.seconds for row in self.rows if row.seconds is not None]
        return (sum(low for low, _ in known), sum(high for _, high in known)) if known else None

    @property
    def memory(self) -> int:
        """Bytes of the row that needs most."""
        return max(row.memory for row in self.rows)

    @property
    def disk(self) -> int:
        """Bytes that will be written."""
        return sum(row.disk for row in self.rows)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Rows whose time is not known."""
        return tuple(row.row for row in self.rows if row.seconds is None)

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        total = {"seconds": self.seconds, "memory": self.memory, "disk": self.disk}
        machine = {"gigaflops": self.gigaflops, "free_disk": self.free_disk}
        about = {"paper": self.name, "title": self.title, "dry_run": True}
        rows = [asdict(row) for row in self.rows]
        return about | {"rows": rows, "total": total} | machine

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each row of the paper.

        Returns
        -------
        The columns ``row``, ``experiment``, ``settings``, ``model`` (null: one is trained),
        ``least_seconds`` and ``most_seconds`` (null: not known), ``memory``, ``disk`` and
        ``basis``.
        """
        import polars as pl

        columns = ("row", "experiment", "settings", "model", "least_seconds", "most_seconds")
        types: dict[str, type[pl.DataType]] = dict.fromkeys(columns, pl.String)
        types |= dict.fromkeys(columns[4:], pl.Float64)
        types |= {"memory": pl.Int64, "disk": pl.Int64, "basis": pl.String}
        cells = [
            (
                *(row.row, row.experiment, " ".join(row.settings), row.model or None),
                *(row.seconds or (None, None)),
                *(row.memory, row.disk, row.basis),
            )
            for row in self.rows
        ]
        return pl.DataFrame(cells, schema=types, orient="row")

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        return html_table(f"{self.title} ({self.name}): estimates", frame.columns, frame.rows())


def estimate(
    workspace: Workspace, request: ReproduceRequest, *, progress: Progress = UNWATCHED
) -> Estimate:
    """Estimate time, memory and disk of a reproduction; trains nothing and writes nothing.

    Parameters
    ----------
    workspace
        Has the data.
    request
        The paper, its rows, and the seed.
    progress
        Receives what is said of the data.

    Raises
    ------
    RequestError
        If there is no such paper or row, or its file asks for what does not exist.
    DataError
        If data of the paper is missing, damaged or out of step.
    """
    if request.plays is not None:
        msg = f"{parameter('dry_run')} estimates what data that is there takes, and makes none"
        raise RequestError(msg, hint=f"Leave {parameter('plays')} out.")
    file = find_paper(workspace, request.paper)
    rows = choose_rows(file, request.only)
    require_data(workspace, file.name, file.paper, rows)
    seed = file.paper.seed if request.seed is None else request.seed
    speed = measure_speed()
    rows_of = [_estimate_row(workspace, row, seed, speed, progress) for row in rows]
    free = shutil.disk_usage(workspace.root).free
    about = (file.name, file.paper.title)
    return Estimate(*about, tuple(rows_of), speed / 1e9, free, request.only, request.seed)


def measure_speed() -> float:
    """Return how many operations this machine does in a second, in products of matrices."""
    numbers = np.random.default_rng(0).random((PRODUCT_SIZE, PRODUCT_SIZE), np.float32)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        numbers @ numbers
        seconds.append(time.perf_counter() - start)
    return 2.0 * PRODUCT_SIZE**3 / min(seconds)


def _estimate_row(
    workspace: Workspace, row: PaperRow, seed: int, speed: float, progress: Progress
) -> RowEstimate:
    request = training_request(workspace, row, seed, progress)
    sizes = read_sizes(workspace.dataset(row.dataset), row.settings)
    evaluation = evaluation_cost(request.experiment, sizes)
    evaluating = evaluation.operations[0] / (REACHED * speed)
    base = BASE_MEMORY + sizes.file_bytes
    trained = find_trained(Store(workspace), request)
    if trained is not None:
        return RowEstimate(
            *(row.name, row.experiment, row.settings, trained.name, (evaluating, evaluating)),
            *(base + evaluation.memory, evaluation.disk, f"{trained.name} is used again"),
        )
    alike = _alike(workspace, request)
    training = training_cost(workspace, request, sizes)
    seconds = _seconds(training.operations, training.steps, speed)
    known: tuple[float, float] | None = seconds if training.estimated else None
    memory = base + max(training.memory, evaluation.memory)
    basis = "the sizes of the files"
    if alike is not None:
        spent = alike.manifest.duration_s
        known, basis = (spent, spent), f"{alike.name}, the same with seed {alike.manifest.seed}"
        memory = int(alike.manifest.peak_memory_mib * (1 << 20)) or memory
    elif known is None:
        basis = "no model of this experiment, which reads patches or words, was trained here"
    total = None if known is None else (known[0] + evaluating, known[1] + evaluating)
    return RowEstimate(
        *(row.name, row.experiment, row.settings, "", total),
        *(memory, training.disk + evaluation.disk, basis),
    )


def _seconds(
    operations: tuple[float, float], steps: tuple[float, float], speed: float
) -> tuple[float, float]:
    low, high = (
        START_SECONDS + o / (REACHED * speed) + s * STEP_SECONDS
        for o, s in zip(operations, steps, strict=True)
    )
    return low, high


def _alike(workspace: Workspace, request: TrainingRequest) -> Model | None:
    """Return the newest model of the same experiment, dataset, settings and changes."""
    experiment = request.experiment
    for model in reversed(Store(workspace).finished()):
        m = model.manifest
        same = (m.experiment, m.dataset) == (experiment.name, experiment.dataset.name)
        if same and (*m.settings,) == request.settings and (*m.overrides,) == request.overrides:
            return model
    return None
