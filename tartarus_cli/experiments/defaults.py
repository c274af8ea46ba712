"""Parameters of an experiment that follow from others where its file leaves them out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tartarus_cli.baselines import Baseline
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.experiments.code import TomlTable
from tartarus_cli.experiments.sections import InputsSection

PUBLISHED_ALBUM_GENRES = 250
"""Classes of the published dataset of albums."""

PUBLISHED_DIMS = {"als": 200, "pmi": 50, "class": 15, "plays": 1}
"""Kind of targets → their number in the published datasets; plays have none."""


def published_targets(_dataset: str, baseline: Baseline | None) -> TomlTable:
    """Return the task and the targets of a baseline, or of a classification, as published."""
    if baseline is None:
        return default_targets("class", "multilabel", PUBLISHED_ALBUM_GENRES)
    kind = "als" if "recommendation" in baseline.tasks else "class"
    return default_targets(kind if kind in baseline.kinds else baseline.kinds[0], "multiclass")


def default_targets(kind: str, task: str, dim: int | None = None) -> TomlTable:
    """Return a task and its targets as sections of an experiment.

    Parameters
    ----------
    kind
        ``als`` or ``plays`` (which make the task recommendation), ``pmi`` or ``class``.
    task
        The task for targets of other kinds.
    dim
        Number of factors or classes; that of the published datasets if None.

    >>> default_targets("class", "multilabel")
    {'dataset': {'task': 'multilabel'}, 'targets': {'kind': 'class', 'dim': 15}}
    """
    task = "recommendation" if kind in ("als", "plays") else task
    targets = {"kind": kind, "dim": dim or PUBLISHED_DIMS[kind]}
    return {"dataset": {"task": task}, "targets": targets}


def fill_network(values: dict[str, Any]) -> None:
    """Fill in what follows from other parameters of a network, whose sections are changed."""
    network, training = values["network"], values.setdefault("training", {})
    output, loss = _usual_output(values)
    network.setdefault("output", output)
    training.setdefault("loss", loss)
    softmax = network.get("output") == "softmax"
    plays = _learns_plays(values)
    usual = "val_map" if plays else "val_accuracy" if softmax else "val_loss"
    training.setdefault("monitor", usual)
    training.setdefault("warmup", 0.3 if training.get("schedule") == "one_cycle" else 0.0)
    training.setdefault("weight_decay", 0.004 if training.get("optimizer") == "adamw" else 0.0)
    if plays:
        values.setdefault("scoring", "dot")
        values.setdefault("two_tower", {})
    if isinstance(values.get("targets"), dict):
        whole = values.get("scoring", "cosine") == "dot"
        normal = training.get("loss") == "cosine" and not whole
        values["targets"].setdefault("normalize", normal)


def _usual_output(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return the output and the loss of a network that does not name them, by what it learns."""
    dataset, targets = values.get("dataset"), values.get("targets")
    task = dataset.get("task") if isinstance(dataset, Mapping) else None
    kind = targets.get("kind") if isinstance(targets, Mapping) else None
    if kind == PLAYS_KIND:
        return "linear", "softmax"
    if kind != "class":
        whole = values.get("scoring") == "dot"
        return ("linear", "mean_squared_error") if whole else ("unit_norm", "cosine")
    several = task != "multiclass"
    return (
        ("sigmoid", "binary_crossentropy") if several else ("softmax", "categorical_crossentropy")
    )


def _learns_plays(values: Mapping[str, Any]) -> bool:
    targets = values.get("targets")
    return isinstance(targets, dict) and targets.get("kind") == PLAYS_KIND


def fill_baseline(values: dict[str, Any], baseline: Baseline) -> dict[str, Any]:
    """Fill in the defaults of a baseline, and refuse parameters that would do nothing."""
    targets = values.get("targets")
    values["inputs"] = inputs = _inputs_of_baseline(values, baseline)
    if "patches" in inputs.kinds:
        values.setdefault("patches", {})
    if isinstance(targets, dict):
        if "normalize" in targets and not baseline.learns:
            msg = "targets.normalize: this baseline learns no targets that could be normalised"
            raise ValueError(msg)
        if _learns_plays(values):
            values.setdefault("scoring", "dot")
        whole = values.get("scoring", "cosine") == "dot"
        normal = baseline.learns and targets.get("kind") != "class" and not whole
        values["targets"] = {"normalize": normal} | targets
    values.setdefault("training", {})
    return values


def _inputs_of_baseline(values: Mapping[str, Any], baseline: Baseline) -> InputsSection:
    """Return what a baseline reads: settings or, where it can, pooled patches, or both."""
    inputs = values.get("inputs", {"kind": "features"})
    kind = inputs.get("kind", "features") if isinstance(inputs, Mapping) else "features"
    kinds = {*kind} if isinstance(kind, list | tuple) else {kind}
    counted = not isinstance(inputs, Mapping) or {*inputs} != {"kind"}
    if "inputs" in values and (counted or not baseline.reads_patches):
        msg = "inputs.*: a baseline reads the settings that are named, however many"
        if baseline.reads_patches:
            msg += '; patches with inputs.kind = patches, both with ["patches", "features"]'
        raise ValueError(msg)
    if not kinds <= {"features", "patches"}:
        msg = f"inputs.kind = {', '.join(map(str, sorted(kinds)))}: a baseline reads features, "
        msg += 'patches (pooled, one row an item), or ["patches", "features"]'
        raise ValueError(msg)
    if "patches" in kinds:
        return InputsSection(kind="patches" if len(kinds) == 1 else ("patches", "features"))
    if "patches" in values:
        msg = "patches.*: only experiments whose inputs.kind is patches have these parameters"
        raise ValueError(msg)
    return InputsSection().model_copy(update={"count": baseline.settings[0]})


def unused_sections(baseline: Baseline | None) -> tuple[str, ...]:
    """Return the sections that an experiment with a baseline may not have; None: a network."""
    if baseline is None:
        return ()
    patches = () if baseline.reads_patches else ("inputs", "patches")
    return (*patches, "augment", "two_tower")


def patch_inputs(table: Mapping[str, Any], baseline: Baseline) -> TomlTable:
    """Return the sections by which a baseline reads the patches that a network would read."""
    inputs = table.get("inputs")
    kind = inputs.get("kind") if isinstance(inputs, dict) else None
    kinds = {*kind} if isinstance(kind, list) else {kind}
    if not baseline.reads_patches or "patches" not in kinds or "sequence" in kinds:
        return {}
    patches = {"patches": table["patches"]} if "patches" in table else {}
    return {"inputs": {"kind": kind}, **patches}
