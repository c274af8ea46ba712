"""What a table says: whether the model beats its baselines, and what to try where it does not."""

from __future__ import annotations

from collections.abc import Mapping

from tartarus_cli.data.features import open_matrix
from tartarus_cli.data.plays import has_plays
from tartarus_cli.errors import TartarusError, call
from tartarus_cli.evaluation.headlines import headline
from tartarus_cli.experiments.requirements import word_settings
from tartarus_cli.file_names import Kind
from tartarus_cli.models.store import Model

NO_BASELINES = ("random", "oracle")
"""Rows beneath a model that it does not have to beat: the bottom, and the top."""


def advise(
    model: Model,
    metrics: Mapping[str, float],
    rows: Mapping[str, Mapping[str, float]],
    *,
    name: str = "",
) -> str:
    """Say in a line whether a model beats its baselines, and which experiment to try if not.

    Parameters
    ----------
    model
        A model that ranks items for users.
    metrics
        Metric → its value for the model.
    rows
        System → metric → value, for the baselines, random and the oracle.
    name
        What the figures are those of, if not of the model alone: a group that it is a member of.

    Returns
    -------
    A message with a call to try; empty where there are no baselines, or where nothing is sure.
    """
    metric = headline(model.manifest.task)
    figures = {row: f.get(metric, 0.0) for row, f in rows.items() if row not in NO_BASELINES}
    name = name or model.name
    if model.manifest.task != "recommendation" or not figures:
        return ""
    own, best = metrics[metric], max(figures, key=lambda row: figures[row])
    if own > figures[best] > 0:
        ratio = own / figures[best]
        return f"{name} beats every baseline: its {metric} is {ratio:.2f} × that of {best}"
    if figures[best] <= own:
        return ""
    text = f"{best} beats {name} by {metric}: {figures[best]:.4f} to {own:.4f}"
    command = _proposal(model)
    return f"{text}. To try: {command}" if command else text


def _proposal(model: Model) -> str:
    """Return the call of the blend for a model's settings; empty if it has none, or is one."""
    dataset, settings = model.dataset, model.manifest.settings
    if not settings or model.manifest.form == "blend" or not has_plays(dataset, "train"):
        return ""
    if {*settings} & {*word_settings(dataset)} or not {*settings} <= {*dataset.complete_settings}:
        return ""
    experiment = "cold_multi"
    if len(settings) == 1:
        try:
            file = dataset.require(Kind.FEATURES, split="train", setting=settings[0])
            experiment = "cold_sparse" if open_matrix(file.path).sparse else "cold_audio"
        except TartarusError:  # the features are gone since
            return ""
    return call("run", experiment, *settings, dataset=dataset.name, baselines=True)
