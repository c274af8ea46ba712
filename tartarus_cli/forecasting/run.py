"""What a run would do and take: which models it trains, and how long each of its steps takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tartarus_cli.ablate import check_ablation, parts_of_patches, plan_rows
from tartarus_cli.errors import RequestError, TartarusError, call, count_noun, parameter
from tartarus_cli.evaluation.baseline_rows import baselines_for
from tartarus_cli.evaluation.report import EvaluationOptions, check_evaluation_options
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.forecasting.forecast import Forecast, free_bytes
from tartarus_cli.forecasting.models import Forecaster
from tartarus_cli.forecasting.plan import Plan, add_baseline, add_compared, given_words
from tartarus_cli.models.store import Model
from tartarus_cli.plural.request import check_group_options
from tartarus_cli.plural.seeds import seeds_of
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.training.records import start_manifest
from tartarus_cli.workspace import Workspace

REPEATED = (
    *("dataset", "overrides", "seed", "seeds", "folds", "cluster", "k", "users", "published"),
    *("ties", "baselines", "pool", "ablate", "device", "code"),
)
"""Parameters that are given again to do what was forecast."""


@dataclass(frozen=True)
class PlannedRun:
    """What a run is asked to do."""

    request: TrainingRequest
    options: EvaluationOptions
    ablate: bool = False
    members: int = 1
    """Number of seeds, or of folds; 1 for a single model."""
    noun: str = "seed"
    """What the members are."""
    command: str = ""
    """The call that does it."""
    shared: bool = False
    """Whether workers of a cluster would do it."""


def planned_run(
    request: TrainingRequest, options: EvaluationOptions, given: Mapping[str, Any]
) -> PlannedRun:
    """Return what a run is asked to do.

    Parameters
    ----------
    request
        What it would train.
    options
        How it would evaluate.
    given
        The arguments of the call, by name.

    Raises
    ------
    RequestError
        If these are no seeds, or there is no group of such models, or a training would go on.
    """
    if given.get("resume"):
        msg = f"{parameter('dry_run')} and {parameter('resume')} exclude each other"
        raise RequestError(msg, hint="Leave one of the two out.")
    seeds, ablate = given.get("seeds"), bool(given.get("ablate"))
    task = request.experiment.dataset.task
    members = 1
    if seeds is not None:
        members = len(seeds_of(seeds))
        check_group_options(options, task, ablate=ablate)
    words = given_words(given, REPEATED)
    if seeds is not None and not isinstance(seeds, int):
        words["seeds"] = ",".join(map(str, seeds))
    command = call("run", request.experiment.name, *request.settings, **words)
    return PlannedRun(
        request, options, ablate, members, "seed", command, bool(given.get("cluster"))
    )


def forecast_run(
    workspace: Workspace, run: PlannedRun, *, progress: Progress = UNWATCHED
) -> Forecast:
    """Say what a run would do and take; a few steps of it are done, and thrown away.

    Parameters
    ----------
    workspace
        Has the data; nothing is written to it.
    run
        What is asked for.
    progress
        Receives what is measured, and what is worth knowing of the data.

    Raises
    ------
    RequestError
        If the experiment cannot be applied to these settings, or evaluated with these options.
    DataError
        If a file is missing, damaged or out of step.
    """
    begun = time.perf_counter()
    check_evaluation_options(run.options, run.request.experiment.dataset.task)
    forecaster = Forecaster(workspace, progress)
    if run.ablate:
        check_ablation(forecaster.store, run.request, run.options)
    plan = Plan(forecaster, run.members)
    request = forecaster.check(run.request)
    plan.add("check the files", time.perf_counter() - begun, "what was just done")
    plan.start("tartarus_cli.run")
    reuse = run.ablate or run.members > 1
    whole = forecaster.training(request, reuse=reuse)
    plan.train(whole, label=_members(run), reuse=False)
    options = replace(run.options, baselines=False)
    plan.judge(whole, options)
    if run.options.baselines:
        model = _untrained(forecaster, request)
        for name, settings in baselines_for(model, progress):
            add_baseline(plan, model, name, settings, options)
    if run.ablate:
        _add_ablation(plan, request, options)
    if run.shared:
        plan.remarks.append("times are those of this machine, one model after the other")
    for cost in (whole, *whole.parts):
        if "took" in cost.basis:
            plan.remarks.append(cost.basis.partition("; ")[2])
    names = " ".join((request.experiment.name, *request.settings))
    return Forecast(
        f"run {names}",
        run.command,
        steps=tuple(plan.steps),
        free_disk=free_bytes(workspace.root),
        measured_s=time.perf_counter() - begun,
        remarks=tuple(plan.remarks),
        files=_files(workspace),
    )


def _members(run: PlannedRun) -> str:
    return f"{count_noun(run.members, run.noun)}" if run.members > 1 else ""


def _files(workspace: Workspace) -> tuple[str, ...]:
    data = workspace.relative(workspace.data)
    return tuple(f"{data}/{name}" for name in ("models/model_…/", "factors/…", "results/…"))


def _add_ablation(plan: Plan, request: TrainingRequest, options: EvaluationOptions) -> None:
    """Add the models of fewer settings, and of shuffled features."""
    store = plan.forecaster.store
    for row in plan_rows(request, parts_of_patches(store, request))[1:]:
        try:
            asked = plan.forecaster.sized(row.request)
        except TartarusError as problem:
            plan.remarks.append(f"{row.label} would be left out: {problem}")
            continue
        add_compared(plan, row.label, asked, replace(options, references=False))


def _untrained(forecaster: Forecaster, request: TrainingRequest) -> Model:
    """Return a model as it would be before its training."""
    manifest = start_manifest(forecaster.workspace, request)
    model = Model("the model", Path(), manifest, forecaster.store)
    vars(model)["experiment"] = request.experiment
    return model
