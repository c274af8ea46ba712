"""What a blend predicts: by its parts, whose scores are blended for each user, or averaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tartarus_cli.baselines.blend import mean_rows
from tartarus_cli.data.array_writing import put_dense
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import put_ids
from tartarus_cli.files import write_together
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.aligned import align_predictions, undescribed_items
from tartarus_cli.prediction.outcome import Prediction
from tartarus_cli.scoring.blocks import Floats


def predict_blend(model: Model, splits: Sequence[str]) -> Prediction:
    """Write what a blend predicts, from what its parts have predicted.

    Scores of classes are averaged. Items are ranked by the scores of the parts as they are
    evaluated, so that there is only a list of the items.

    Parameters
    ----------
    model
        The blend.
    splits
        The sets, which each part has predicted.
    """
    if model.manifest.form == "blend":
        return _list_items(model, splits)
    dataset, workspace = model.dataset, model.workspace
    rows = {split: workspace.predicted_factors(model.name, split) for split in splits}
    ids = {split: workspace.predicted_ids(model.name, split) for split in splits}
    counts, width = dict[str, int](), 0
    with write_together([*rows.values(), *ids.values()]) as temporary:
        for split in splits:
            predicted, values = _average(model, dataset, split)
            put_dense(temporary[rows[split]], values)
            put_ids(temporary[ids[split]], predicted)
            counts[split], width = len(predicted), values.shape[1]
    return Prediction(
        model=model.name,
        dataset=dataset.name,
        splits=counts,
        width=width,
        files=[*rows.values(), *ids.values()],
        absent=tuple(s for s in dataset.splits if s not in splits),
        undescribed={s: len(dataset.ids(s)) - count for s, count in counts.items()},
    )


def _list_items(model: Model, splits: Sequence[str]) -> Prediction:
    dataset = model.dataset
    ids = {split: model.workspace.predicted_ids(model.name, split) for split in splits}
    with write_together([*ids.values()]) as temporary:
        for split, path in ids.items():
            put_ids(temporary[path], dataset.ids(split))
    return Prediction(
        model=model.name,
        dataset=model.manifest.dataset,
        splits={split: len(dataset.ids(split)) for split in splits},
        width=len(model.manifest.parts),
        files=[*ids.values()],
        form="blend",
        absent=tuple(s for s in dataset.splits if s not in splits),
    )


def _average(model: Model, dataset: Dataset, split: str) -> tuple[list[str], Floats]:
    """Return the items that any part knows something of, and their mean scores of classes."""
    workspace, rows, weights, unknown = model.workspace, [], [], []
    for part, weight in model.parts:
        paths = (
            workspace.predicted_factors(part.name, split),
            workspace.predicted_ids(part.name, split),
        )
        values, absent = align_predictions(dataset, *paths, split)
        rows.append(values)
        weights.append(weight)
        unknown.append(absent | undescribed_items(part, split))
    mean, absent = mean_rows(rows, weights, unknown)
    items = dataset.ids(split)
    return [items[row] for row in np.flatnonzero(~absent)], mean[~absent]
