"""Train, predict and evaluate the members of a group, and go on where that was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from tartarus_cli.distribution import Task, run_tasks
from tartarus_cli.errors import TartarusError, TrainingError
from tartarus_cli.evaluation.baseline_rows import BaselineRows, evaluate_baselines
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.experiments.inputs import infer_dimensions
from tartarus_cli.experiments.requirements import check_request
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.groups import Group, Groups, Member, same_request
from tartarus_cli.models.store import Store
from tartarus_cli.plural.request import GroupRequest
from tartarus_cli.plural.tasks import (
    evaluate_member,
    evaluation_arguments,
    train_member,
    training_arguments,
)
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.training.reuse import is_reusable
from tartarus_cli.training.shared_parts import train_shared_parts

Outcome = tuple[str, Any, str]
"""Label of a member, what its task returned, and why it failed; empty if it did not."""


def run_group(request: GroupRequest, *, progress: Progress = UNWATCHED) -> Group:
    """Train, predict and evaluate each member; what was done by the same request is found.

    A member that fails is recorded and reported, and the others go on.

    Parameters
    ----------
    request
        What to train, and how to evaluate it.
    progress
        Reports each member, and the work on it.

    Returns
    -------
    The group, of which some members may have failed.

    Raises
    ------
    RequestError
        If the experiment cannot be applied to its settings.
    TrainingError
        If no member has figures in the end.
    """
    store, groups = Store(request.workspace), Groups(request.workspace)
    for each in request.members:
        check_request(
            store.dataset(each.request.experiment.dataset.name),
            each.request.experiment.with_settings(len(each.request.settings)),
            each.request.settings,
        )
    group = _find_or_add(store, groups, request, progress)
    group = _train(request, groups, group, progress)
    group = evaluate_trained(
        groups, group, request.evaluation, cluster=request.cluster, progress=progress
    )
    if not group.evaluated:
        msg = (
            f"none of the {len(group.members)} {group.manifest.kind} of {group.name} has figures: "
        )
        msg += group.members[0].error
        hint = "Remove the cause, and give the same command again."
        raise TrainingError(msg, hint=hint)
    return group


def _find_or_add(store: Store, groups: Groups, request: GroupRequest, progress: Progress) -> Group:
    """Return the newest group of this request whose models are as they would be trained now."""
    manifest = request.manifest()
    for group in reversed(groups.all()):
        if same_request(group.manifest, manifest) and _is_current(store, group, request):
            found = groups.record(group.name, partial(_again, request.workspace))
            progress.say(f"{found.name} goes on: {_count(found)}")
            return found
    group = groups.add(manifest)
    progress.say(f"{group.name}: {len(group.members)} {manifest.kind}")
    return group


def _count(group: Group) -> str:
    return f"{len(group.evaluated)} of {len(group.members)} {group.manifest.kind} are there"


def _again(workspace: WorkspacePaths, member: Member) -> Member:
    """Let a member try again that failed, or whose results were deleted since."""
    if member.status == "failed":
        return member.model_copy(update={"status": "waiting", "model": "", "error": ""})
    if member.status == "evaluated" and not workspace.results(member.model).is_file():
        return member.model_copy(update={"status": "trained"})
    return member


def _is_current(store: Store, group: Group, request: GroupRequest) -> bool:
    """Whether all models of a group are still there, and what would be trained now."""
    known = store.names()
    for member, each in zip(group.members, request.members, strict=True):
        if not member.model:
            continue
        if member.model not in known:
            return False
        asked = each.request
        dataset = store.dataset(asked.experiment.dataset.name)
        experiment = asked.experiment.with_settings(len(asked.settings))
        sized = infer_dimensions(dataset, experiment, asked.settings, UNWATCHED)
        if not is_reusable(store.find(member.model), replace(asked, experiment=sized)):
            return False
    return True


def _train(request: GroupRequest, groups: Groups, group: Group, progress: Progress) -> Group:
    """Train the members that have no model, and let them predict."""
    waiting = [
        each
        for each, member in zip(request.members, group.members, strict=True)
        if member.status == "waiting"
    ]
    if request.cluster is not None and request.kind == "seeds" and len(waiting) > 1:
        with suppress(TartarusError):  # which each member comes upon itself
            train_shared_parts(Store(request.workspace), waiting[0].request, progress=progress)
    tasks = {
        each.member.label: training_arguments(
            request.workspace, each.request, request.pool, request.checkpoint_every
        )
        for each in waiting
    }
    outcomes = _outcomes(request.workspace, train_member, tasks, request.cluster, progress)
    for label, model, error in outcomes:
        update = {"status": "failed", "error": error}
        if not error:
            update = {"status": "trained", "model": model}
        group = groups.record(group.name, _updating("label", label, update))
    return group


def evaluate_trained(
    groups: Groups,
    group: Group,
    options: EvaluationOptions,
    *,
    cluster: str | None = None,
    progress: Progress,
) -> Group:
    """Evaluate the members that are trained and have no figures; one that fails is recorded."""
    trained = {m.model: m for m in reversed(group.members) if m.status == "trained"}
    rows = _common_rows(group, options, [*trained], progress)
    beside = (None, None) if rows is None else (rows.rows, rows.chosen)
    tasks = {
        member.label: evaluation_arguments(groups.workspace, model, options, *beside)
        for model, member in reversed(trained.items())
    }
    for label, _, error in _outcomes(groups.workspace, evaluate_member, tasks, cluster, progress):
        update = {"status": "failed", "error": error} if error else {"status": "evaluated"}
        model = tasks[label]["model"]
        group = groups.record(group.name, _updating("model", model, update))
    return group


def _common_rows(
    group: Group, options: EvaluationOptions, models: Sequence[str], progress: Progress
) -> BaselineRows | None:
    """Return the figures of the baselines of all seeds, which draw nothing; None for folds."""
    if group.manifest.kind != "seeds" or not options.baselines or not models:
        return None
    return evaluate_baselines(Store(group.workspace).get(models[-1]), options, progress)


def _updating(field: str, value: str, update: Mapping[str, str]) -> Callable[[Member], Member]:
    """Return what changes the members whose label, or model, is a certain one."""
    return lambda each: each.model_copy(update=update) if getattr(each, field) == value else each


def _outcomes(
    workspace: WorkspacePaths,
    function: Callable[..., Any],
    tasks: Mapping[str, Mapping[str, Any]],
    cluster: str | None,
    progress: Progress,
) -> Iterator[Outcome]:
    """Run tasks, here one after the other or on a cluster, and yield what became of each."""
    results = run_tasks(
        function,
        [Task(label, arguments) for label, arguments in tasks.items()],
        cluster=cluster,
        folder=workspace.data,
        announced=function is train_member,
        progress=progress,
    )
    for result in results:
        error = f"{result.error}. {result.hint}" if result.failed else ""
        if error:
            progress.warn(f"{result.task.name} failed, and is left out: {error}")
        yield result.task.name, result.value, error
