"""What the settings of a model are worth: figures of models that lack some, or shuffle them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tartarus_cli.data.tasks import Task
from tartarus_cli.errors import FileError
from tartarus_cli.evaluation.comparison import LEVEL, Difference, Unit
from tartarus_cli.evaluation.results import MetricValue
from tartarus_cli.files import read_bytes
from tartarus_cli.html_table import html_table
from tartarus_cli.layout import WorkspacePaths

if TYPE_CHECKING:
    import polars as pl

AblationKind = Literal["all", "alone", "without", "shuffled"]
"""What a row of an ablation reads: all settings, one, all but one, or all of them shuffled."""

ABLATED_METRICS: dict[Task, tuple[str, ...]] = {
    "recommendation": ("MAP@500",),
    "multilabel": ("LRAP", "PR-AUC"),
    "multiclass": ("accuracy",),
}
"""Task → the metrics of an ablation; the first has a value for each user or item, and is tested."""


WHOLE = "all"
"""Label of the row of all settings."""


class AblationRow(BaseModel):
    """A model of an ablation, with its figure, and how it differs from that of all settings."""

    model_config = ConfigDict(frozen=True)

    label: str
    """Such as ``all``, ``tags alone``, ``without tags`` or ``shuffled``."""
    kind: AblationKind
    settings: tuple[str, ...]
    """The settings that the model reads, and the parts of a blend that read patches."""
    model: str
    """Its name."""
    figures: dict[str, MetricValue]
    """Metric → figure, the tested one first."""
    low: float
    """Lower end of the bootstrap interval of the tested figure."""
    high: float
    """Upper end of the same."""
    difference: Difference | None
    """The tested figure less that of all settings; None for all settings themselves."""


class Ablation(BaseModel):
    """What a model scores, and what is left with fewer settings, or with shuffled ones.

    It is kept in ``data/results/MODEL_ablation.json``.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    """The model of all settings."""
    experiment: str
    settings: tuple[str, ...]
    dataset: str
    task: Task
    seed: int
    """Of all trainings, and of what shuffles."""
    unit: Unit
    """What the intervals and tests are over."""
    metrics: tuple[str, ...]
    """The metrics of the rows; the first one is tested."""
    rows: tuple[AblationRow, ...]
    """All settings first, shuffled ones last."""
    references: dict[str, dict[str, MetricValue]] = {}
    """Random and other systems that read less, or none of the settings → metric → figure."""
    left_out: dict[str, str] = {}
    """Label of a row that could not be had → why."""
    remark: str = ""
    """Why there are no rows of fewer settings, if there are none of several."""
    resamples: int
    """Bootstrap resamples, and random sign flips, of each test."""
    resample_seed: int
    summary: tuple[str, ...] = ()
    """What the figures say, in sentences."""
    pictures: tuple[PurePosixPath, ...] = ()
    """Relative to the root of the workspace."""

    @property
    def metric(self) -> str:
        """The metric that is tested."""
        return self.metrics[0]

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {"confidence": LEVEL, "correction": "Holm"} | self.model_dump(mode="json")

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each model, all settings first.

        Returns
        -------
        The columns ``row``, ``kind``, ``settings`` (with blanks between them), ``model``, one for
        each metric, ``low`` and ``high`` (of the tested metric); then, of its difference to all
        settings, ``difference``, ``difference_low``, ``difference_high``, ``p``, ``p_holm`` and
        ``significant``, null for all settings themselves.
        """
        import polars as pl

        texts = dict.fromkeys(("row", "kind", "settings", "model"), pl.String)
        columns = (*self.metrics, "low", "high", *DIFFERENCE_COLUMNS)
        schema = texts | dict.fromkeys(columns, pl.Float64) | {"significant": pl.Boolean}
        return pl.DataFrame([self._cells(row) for row in self.rows], schema=schema, orient="row")

    def _cells(self, row: AblationRow) -> list[Any]:
        test = row.difference
        figures = [row.figures.get(metric) for metric in self.metrics]
        differences: list[Any] = [None] * (len(DIFFERENCE_COLUMNS) + 1)
        if test is not None:
            numbers = (test.difference, test.low, test.high, test.p, test.p_holm)
            differences = [*numbers, test.significant]
        texts = (row.label, row.kind, " ".join(row.settings), row.model)
        return [*texts, *figures, row.low, row.high, *differences]

    def _repr_html_(self) -> str:
        headings = ["", "model", *self.metrics, "low", "high", "difference", "low", "high"]
        rows = []
        for row in self.rows:
            cells = self._cells(row)
            rows.append([cells[0], *cells[3:-3], *cells[-2:]])
        caption = f"{self.experiment}: what its settings are worth · {self.dataset}"
        return html_table(caption, [*headings, "p (Holm)", "significant"], rows)


DIFFERENCE_COLUMNS = ("difference", "difference_low", "difference_high", "p", "p_holm")
"""Columns of a table of an ablation that all settings have no value in."""


def find_ablation(workspace: WorkspacePaths, model: str) -> Ablation | None:
    """Read the ablation of a model; None if there is none.

    Raises
    ------
    FileError
        If its file is damaged.
    """
    path = workspace.ablation(model)
    if not path.is_file():
        return None
    try:
        return Ablation.model_validate_json(read_bytes(path))
    except ValidationError as problem:
        first = problem.errors()[0]
        raise FileError(
            path,
            found=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            expected="an ablation as `run()` writes it",
            hint="Delete it, and run the ablation again.",
        ) from None


def ablations_of(workspace: WorkspacePaths) -> Iterator[Ablation]:
    """Yield all ablations of a workspace that can be read."""
    for model in workspace.ablated_models():
        with suppress(FileError):
            ablation = find_ablation(workspace, model)
            if ablation is not None:
                yield ablation


def rows_by_model(workspace: WorkspacePaths) -> dict[str, list[str]]:
    """Return what each model is in ablations: ``shuffled, in the ablation of model_6``."""
    texts: dict[str, list[str]] = {}
    for ablation in ablations_of(workspace):
        for row in ablation.rows:
            place = "" if row.model == ablation.model else f", in the ablation of {ablation.model}"
            texts.setdefault(row.model, []).append(f"{row.label}{place}")
    return texts
