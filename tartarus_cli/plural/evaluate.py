"""Evaluate the members of a group anew, with other options."""

from __future__ import annotations

from collections.abc import Mapping

from tartarus_cli.errors import RequestError, TrainingError, call, parameter
from tartarus_cli.evaluation.group_report import GroupEvaluation, evaluate_group
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.groups import Groups, Member
from tartarus_cli.plural.request import check_group_options, plain_options
from tartarus_cli.plural.run import evaluate_trained
from tartarus_cli.progress import UNWATCHED, Progress


def require_group_parameters(given: Mapping[str, object]) -> None:
    """Make sure that nothing is asked of a group that only one model, or a file, can have.

    Parameters
    ----------
    given
        Parameter → its value; None or empty where it is not given.

    Raises
    ------
    RequestError
        If one of them is given.
    """
    names = [name for name, value in given.items() if value is not None and value != ()]
    if names:
        msg = f"{parameter(names[0])} is not for a group of models"
        raise RequestError(msg, hint="Leave it out, or name one of the members.")


def evaluate_members(
    workspace: WorkspacePaths,
    name: str,
    options: EvaluationOptions,
    *,
    cluster: str | None = None,
    progress: Progress = UNWATCHED,
) -> GroupEvaluation:
    """Compute the figures of all members of a group again, and put them together.

    Parameters
    ----------
    workspace
        The workspace of the group.
    name
        The group.
    options
        How to evaluate; the group records them.
    cluster
        Which workers do it; None: this process.
    progress
        Reports the work on each member.

    Raises
    ------
    RequestError
        If there is no such group, none of its members is trained, or the options do not fit.
    TrainingError
        If no member could be evaluated.
    """
    groups = Groups(workspace)
    group = groups.find(name)
    check_group_options(options, group.manifest.task)
    if not group.models:
        msg = f"no member of {name} is trained"
        again = call("run", group.manifest.experiment, *group.manifest.settings, seeds=2)
        raise RequestError(msg, hint=f"Give the command that began it again, such as {again}")
    group = groups.record(name, _to_evaluate, plain_options(options))
    group = evaluate_trained(groups, group, options, cluster=cluster, progress=progress)
    if not group.evaluated:
        failed = next(member for member in group.members if member.error)
        msg = f"no member of {name} could be evaluated: {failed.error}"
        raise TrainingError(msg, hint="Remove the cause, and give the same command again.")
    return evaluate_group(group)


def _to_evaluate(member: Member) -> Member:
    if not member.model:
        return member
    return member.model_copy(update={"status": "trained", "error": ""})
