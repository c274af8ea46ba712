"""What a search for parameters would do and take, from trainings of a few of its trials."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tartarus_cli.errors import RequestError, TartarusError, call, count_noun, parameter
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.forecasting.choices import judging_users
from tartarus_cli.forecasting.forecast import Forecast, ForecastStep, Span, free_bytes
from tartarus_cli.forecasting.models import BUDGET_S, Forecaster
from tartarus_cli.forecasting.networks import NetworkCost, measure_network
from tartarus_cli.forecasting.plan import given_words
from tartarus_cli.machine import cores
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.tuning.job import TuningJob, hidden, resolve_with
from tartarus_cli.tuning.space import search_space
from tartarus_cli.tuning.storage import FIRST_RUNG
from tartarus_cli.tuning.tune import TRIALS, Search, TuneOptions, check_job, study_request
from tartarus_cli.workspace import Workspace

DRAWN = 2
"""Trials that are measured beside the experiment as it is."""
REPEATED = (
    *("dataset", "overrides", "objective", "trials", "timeout", "pruner", "jobs", "cluster"),
    *("study", "save", "force", "device", "code", "seed"),
)
"""Parameters that are given again to do what was forecast."""


def forecast_search(
    workspace: Workspace,
    search: Search | None,
    options: TuneOptions,
    given: Mapping[str, Any],
    *,
    progress: Progress = UNWATCHED,
) -> Forecast:
    """Say what a search would do and take; a few trials are trained for a few steps.

    The low end is what pruned trials take, the high end that of trials that all train as long as
    they may.

    Parameters
    ----------
    workspace
        Holds the data; nothing is written to it.
    search
        What would be searched.
    options
        How far it would go.
    given
        The arguments of the call, by name.
    progress
        Receives what is measured.

    Raises
    ------
    RequestError
        If there is no such experiment or parameter, or a study would go on.
    DataError
        If a file is missing or damaged, or there is nothing to validate by.
    """
    begun = time.perf_counter()
    if search is None or options.resume:
        msg = f"{parameter('dry_run')} forecasts a search from its first trial on"
        raise RequestError(msg, hint="Name the experiment and its settings, and resume nothing.")
    job = _job(workspace, search, options)
    check_job(job)
    spent = time.perf_counter() - begun
    forecaster = Forecaster(workspace, progress)
    requests = [job.default, *_drawn(job)]
    costs = []
    with progress.task("measuring trials", len(requests)) as task:
        for request in requests:
            costs.append(_trial(forecaster, request, judged=job.objective.name != "val_loss"))
            task.advance()
    side = max(1, min(options.jobs, cores()))
    low = job.trials * min(low for (low, _), _, _ in costs) / side
    high = job.trials * max(high for (_, high), _, _ in costs)
    if options.timeout_s is not None:
        low, high = min(low, options.timeout_s), min(high, options.timeout_s)
    what = f"train {count_noun(job.trials, 'trial')} of {search.experiment}"
    memory, disk = max(cost[1] for cost in costs), job.trials * max(cost[2] for cost in costs)
    basis = f"{count_noun(len(costs), 'trial')} that were begun"
    steps = (
        ForecastStep("check the files", (spent, spent), basis="what was just done"),
        ForecastStep(what, (low, high), memory, disk, basis),
    )
    data = workspace.relative(workspace.data)
    return Forecast(
        " ".join(("tune", search.experiment, *search.settings)),
        call("tune", search.experiment, *search.settings, **given_words(given, REPEATED)),
        steps=steps,
        remarks=(),
        files=(f"{data}/studies/{search.experiment}_…/", "experiments/….toml"),
        free_disk=free_bytes(workspace.root),
        measured_s=time.perf_counter() - begun,
    )


def _job(workspace: Workspace, search: Search, options: TuneOptions) -> TuningJob:
    """Return what trials would have in common; nothing is written."""
    request, default = study_request(workspace, search)
    paths = workspace.study("forecast")
    seen = hidden(workspace, paths)

    def resolved(overrides: Sequence[str]) -> Any:
        changes = [*request.overrides, *overrides]
        return resolve_with(seen, request.experiment, request.dataset, changes)

    space = search_space(request.ranges, resolved)
    return TuningJob(workspace, paths, request, default, space, options.trials or TRIALS)


def _drawn(job: TuningJob) -> list[TrainingRequest]:
    """Draw a few trials; those whose values do not go together are left out."""
    import optuna

    from tartarus_cli.tuning.storage import quiet_optuna

    quiet_optuna()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=job.request.seed))
    seen, requests = hidden(job.workspace, job.paths), list[TrainingRequest]()
    for _ in range(DRAWN):
        params = study.ask({each.key: each.distribution for each in job.space}).params
        try:
            requests.append(job.request_of(params, seen))
        except TartarusError:
            continue
    return requests


def _trial(
    forecaster: Forecaster, request: TrainingRequest, *, judged: bool
) -> tuple[Span, int, int]:
    """Return the seconds of a trial, with what is pruned and without, its memory and its disk."""
    experiment = request.experiment
    if experiment.baseline is not None:
        cost = forecaster.training(forecaster.sized(request))
        return cost.train, cost.memory, cost.disk
    network = measure_network(forecaster.workspace, request, budget_s=BUDGET_S, evaluated=False)
    judging = 0.0
    if judged and experiment.two_tower is None and experiment.dataset.task == "recommendation":
        dataset = forecaster.dataset(request)
        judging = judging_users(dataset, forecaster.sized(request), 1, BUDGET_S / 3)
    return _span(network, judging), network.memory, network.disk


def _span(network: NetworkCost, judging: float) -> Span:
    low, high = network.epochs
    each = network.epoch_s + judging
    return network.fixed_s + min(low, FIRST_RUNG) * each, network.fixed_s + high * each
