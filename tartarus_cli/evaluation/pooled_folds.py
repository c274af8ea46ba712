"""The figures of all items of several folds at once, each judged by the model of its fold."""

from __future__ import annotations

from collections.abc import Sequence

from tartarus_cli.baselines import BASELINES
from tartarus_cli.errors import TartarusError
from tartarus_cli.evaluation.baseline_rows import find_baseline
from tartarus_cli.evaluation.classification import PooledClasses, pool_classes, score_classes
from tartarus_cli.evaluation.evaluator import merge_cut_offs
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.models.groups import Group
from tartarus_cli.models.store import Model, Store
from tartarus_cli.prediction.aligned import model_predictions


def pool_folds(group: Group, systems: Sequence[str]) -> dict[str, PooledClasses]:
    """Return the figures over the test items of all folds: every item once.

    Parameters
    ----------
    group
        A group of folds.
    systems
        Names of the rows beneath the group: of its baselines, figures are pooled too, if the model
        of each fold is still there.

    Returns
    -------
    System → figures, the group itself first. Empty for a recommendation, whose lists are of one
    fold each; for a group of seeds; and where predictions are gone or have changed.
    """
    if group.manifest.kind != "folds" or group.manifest.task == "recommendation":
        return {}
    store = Store(group.workspace)
    try:
        models = [store.find(member.model) for member in group.evaluated]
        pooled = {group.name: _pool(group, models)}
    except TartarusError:
        return {}
    for system in systems:
        if system not in BASELINES.names():
            continue
        try:
            found = [find_baseline(model, system) for model in models]
            baselines = [model for model in found if model is not None]
            if len(baselines) == len(models):
                pooled[system] = _pool(group, baselines)
        except TartarusError:
            continue
    return pooled


def _pool(group: Group, models: Sequence[Model]) -> PooledClasses:
    options = group.manifest.options
    evaluation = EvaluationOptions(tuple(options.get("k", ())))
    return pool_classes(
        [score_classes(model_predictions(model)) for model in models],
        k=merge_cut_offs(models[0].experiment, evaluation),
        published=bool(options.get("published")),
        seed=models[0].manifest.seed,
        ties=options.get("ties", "drawn"),
    )
