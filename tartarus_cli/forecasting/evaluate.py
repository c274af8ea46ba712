"""What an evaluation would do and take, from a few blocks of users that are ranked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tartarus_cli.errors import RequestError, call, parameter
from tartarus_cli.evaluation.baseline_rows import baselines_for
from tartarus_cli.evaluation.evaluate import PredictionFile
from tartarus_cli.evaluation.evaluator import fingerprint_of
from tartarus_cli.evaluation.report import EvaluationOptions, check_evaluation_options
from tartarus_cli.forecasting.evaluation import measure_evaluation
from tartarus_cli.forecasting.forecast import Forecast, ForecastStep, free_bytes
from tartarus_cli.forecasting.models import BUDGET_S, Forecaster
from tartarus_cli.forecasting.plan import Plan, add_baseline, given_words
from tartarus_cli.models.groups import Groups
from tartarus_cli.models.store import Model, Store
from tartarus_cli.prediction.aligned import file_predictions, model_predictions
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.workspace import Workspace

REPEATED = (
    *("experiment", "dataset", "ids", "overrides", "k", "users", "published", "ties", "baselines"),
    *("memory", "resume", "device", "seed", "code"),
)
"""Parameters that are given again to do what was forecast."""


def forecast_evaluation(
    workspace: Workspace,
    subject: Model | PredictionFile,
    options: EvaluationOptions,
    given: Mapping[str, Any],
    *,
    members: int = 1,
    progress: Progress = UNWATCHED,
) -> Forecast:
    """Say what an evaluation would do and take; its figures are neither computed nor written.

    Parameters
    ----------
    workspace
        Has the data.
    subject
        A model that has predicted its test items, or a file of predictions.
    options
        How it would be evaluated.
    given
        The arguments of the call, by name, but for what is evaluated.
    members
        How many models of a group are evaluated like this one.
    progress
        Receives what is measured.

    Raises
    ------
    RequestError
        If the options do not fit what is evaluated, or nothing would be ranked.
    DataError
        If nothing was predicted yet, or a file is missing, damaged or out of step.
    """
    begun = time.perf_counter()
    for name in ("by", "merge", "shard", "cluster"):
        if given.get(name):
            msg = f"{parameter('dry_run')} and {parameter(name)} exclude each other"
            raise RequestError(msg, hint="Leave one of the two out.")
    if isinstance(subject, PredictionFile):
        predictions = file_predictions(
            subject.path, subject.experiment, subject.dataset, subject.ids, progress
        )
        named = str(subject.path)
    else:
        predictions, named = model_predictions(subject), subject.name
    check_evaluation_options(options, predictions.task)
    fingerprint_of(predictions, options)
    plan, spent = Plan(Forecaster(workspace, progress), members), time.perf_counter() - begun
    plan.start("tartarus_cli.evaluation.evaluate")
    plan.add("read the predictions", spent, "what was just done", times=members)
    if options.baselines and isinstance(subject, Model):
        for name, settings in baselines_for(subject, progress):
            add_baseline(plan, subject, name, settings, options)
    with progress.task("measuring the evaluation", 1) as task:
        own = replace(options, baselines=False)
        measured = measure_evaluation(predictions, own, budget_s=BUDGET_S)
        task.advance()
    seconds = (measured.seconds, measured.seconds)
    about = (measured.memory, measured.disk, measured.basis)
    plan.steps.append(ForecastStep(f"evaluate {named}", seconds, *about, members))
    data = workspace.relative(workspace.data)
    return Forecast(
        f"evaluate {named}",
        call("evaluate", named, **given_words(given, REPEATED)),
        steps=tuple(plan.steps),
        free_disk=free_bytes(workspace.root),
        measured_s=time.perf_counter() - begun,
        remarks=tuple(plan.remarks),
        files=(f"{data}/results/{predictions.name}…",),
    )


def forecast_group(
    workspace: Workspace,
    name: str,
    options: EvaluationOptions,
    given: Mapping[str, Any],
    *,
    progress: Progress = UNWATCHED,
) -> Forecast:
    """Say what the evaluation of a group would do and take: one of its members is looked at.

    Parameters
    ----------
    workspace, options, given, progress
        As for :func:`forecast_evaluation`.
    name
        The group.

    Raises
    ------
    RequestError
        If there is no such group, or none of its members is trained.
    DataError
        If a member has not predicted, or a file is missing, damaged or out of step.
    """
    group = Groups(workspace).find(name)
    if not group.models:
        msg = f"no member of {name} is trained"
        raise RequestError(msg, hint="Give the command that it comes from again.")
    model = Store(workspace).get(group.models[-1])
    members = len(group.models)
    whole = forecast_evaluation(
        workspace, model, options, given, members=members, progress=progress
    )
    return replace(
        whole,
        work=f"evaluate {name}",
        command=call("evaluate", name, **given_words(given, REPEATED)),
    )
