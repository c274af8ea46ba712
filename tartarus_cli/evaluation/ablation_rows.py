"""The figures of an ablation, from what its models scored for each user or item, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zlib import crc32

import numpy as np

from tartarus_cli.evaluation.ablation import ABLATED_METRICS, Ablation, AblationKind, AblationRow
from tartarus_cli.evaluation.ablation_summary import summarize
from tartarus_cli.evaluation.compare import CompareOptions, compare_results
from tartarus_cli.evaluation.comparison import LEVEL, Comparison, Unit
from tartarus_cli.evaluation.differences import StoredValues
from tartarus_cli.evaluation.report import Evaluation
from tartarus_cli.evaluation.results import read_results
from tartarus_cli.files import put_text, room_for, write_together
from tartarus_cli.metrics.significance import bootstrap_interval
from tartarus_cli.models.store import Model
from tartarus_cli.pictures.bars import Bar, BarLook, draw_bars
from tartarus_cli.pictures.canvas import picture_format
from tartarus_cli.progress import Progress, QuietProgress

OF_CONTENT = ("knn", "ridge", "oracle")
"""Rows beneath a model that read its settings, or the truth: they are no lines of the picture."""


LOOKS: dict[AblationKind, BarLook] = {
    "all": "reference",
    "alone": "usual",
    "without": "usual",
    "shuffled": "hatched",
}
"""Kind of row → how its bar looks."""


@dataclass(frozen=True)
class AblatedModel:
    """A model of an ablation, which has been evaluated."""

    label: str
    kind: AblationKind
    inputs: tuple[str, ...]
    """The settings that it reads, and the parts of a blend that read patches."""
    model: Model


def compute_ablation(
    evaluation: Evaluation,
    models: Sequence[AblatedModel],
    *,
    left_out: Mapping[str, str],
    remark: str,
    seed: int,
    progress: Progress,
) -> Ablation:
    """Compare the models of an ablation, say what that means, draw it, and keep all of it.

    Parameters
    ----------
    evaluation
        That of the first of the models.
    models
        Two or more: that of all settings first.
    left_out
        Label of a row that could not be had → why.
    remark
        Why there are no rows of fewer settings, if there are none of several.
    seed
        Of the resamples.
    progress
        Reports the resamples.

    Raises
    ------
    DataError
        If results are missing, damaged or out of step.
    """
    whole = models[0].model
    workspace = whole.workspace
    metrics = [name for name in ABLATED_METRICS[evaluation.task] if name in evaluation.metrics]
    names = [each.model.name for each in models]
    options, quiet = CompareOptions((metrics[0],), seed=seed), QuietProgress(progress)
    labels = {each.model.name: each.label for each in models}
    comparison = compare_results(workspace, names, options, labels=labels, progress=quiet)
    ablation = Ablation(
        model=whole.name,
        experiment=evaluation.experiment,
        settings=evaluation.settings,
        dataset=evaluation.dataset,
        task=evaluation.task,
        seed=evaluation.seed,
        unit=comparison.unit,
        metrics=tuple(metrics),
        rows=_rows(models, comparison, metrics),
        references={
            name: {metric: row.get(metric) for metric in metrics}
            for name, row in evaluation.rows.items()
        },
        left_out=dict(left_out),
        remark=remark,
        resamples=comparison.resamples,
        resample_seed=comparison.seed,
    )
    ablation = ablation.model_copy(update={"summary": summarize(ablation)})
    return _keep(ablation, whole)


def _rows(
    models: Sequence[AblatedModel], comparison: Comparison, metrics: Sequence[str]
) -> tuple[AblationRow, ...]:
    workspace, metric = models[0].model.workspace, metrics[0]
    results = {each.model.name: read_results(workspace, each.model.name) for each in models}
    stored = StoredValues(workspace, comparison.unit, results)
    differences = {test.model: test for test in comparison.differences}
    rows = []
    for each in models:
        name = each.model.name
        values = stored.values(name, metric)
        low, high = bootstrap_interval(
            values[~np.isnan(values)],
            np.random.default_rng((comparison.seed, crc32(metric.encode()))),
            resamples=comparison.resamples,
            level=LEVEL,
        )
        row = AblationRow(
            label=each.label,
            kind=each.kind,
            settings=each.inputs,
            model=name,
            figures={metric: results[name].metrics.get(metric) for metric in metrics},
            low=low,
            high=high,
            difference=differences.get(name),
        )
        rows.append(row)
    return tuple(rows)


def _keep(ablation: Ablation, whole: Model) -> Ablation:
    """Write an ablation, with its pictures."""
    workspace = whole.workspace
    paths = workspace.ablation_of(ablation.model)
    *pictures, document = paths
    relative = tuple(PurePosixPath(workspace.relative(path)) for path in pictures)
    ablation = ablation.model_copy(update={"pictures": relative})
    with write_together(paths) as temporary:
        for path in pictures:
            picture = draw_ablation(ablation, path)
            with room_for(temporary[path]):
                temporary[path].write_bytes(picture)
        put_text(temporary[document], ablation.model_dump_json(indent=2) + "\n")
    return ablation


def draw_ablation(ablation: Ablation, path: Path) -> bytes:
    """Draw the rows of an ablation as bars, in the format of a path."""
    bars = [
        Bar(row.label, row.figures[ablation.metric] or 0, row.low, row.high, LOOKS[row.kind])
        for row in ablation.rows
    ]
    lines = {
        name: figure
        for name, figures in ablation.references.items()
        if name not in OF_CONTENT
        for figure in (figures[ablation.metric],)
        if figure is not None
    }
    return draw_bars(
        bars,
        lines,
        label=f"{ablation.metric}, with {LEVEL:.0%} intervals over {_noun(ablation.unit)}",
        title=f"{ablation.experiment} · {ablation.dataset}",
        file_format=picture_format(path),
    )


def _noun(unit: Unit) -> str:
    return "test items" if unit == "items" else unit
