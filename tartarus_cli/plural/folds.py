"""The request of each fold of an experiment that is trained and judged on all of them."""

from __future__ import annotations

from collections.abc import Sequence

from tartarus_cli.data.folds import FoldsManifest, find_changed_fold, require_folds
from tartarus_cli.errors import RequestError, parameter
from tartarus_cli.evaluation.group_report import GroupEvaluation, evaluate_group
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.experiments.request import ExperimentRequest, build_request
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.models.groups import Member
from tartarus_cli.plugins import CodeFile
from tartarus_cli.plural.request import GroupRequest, MemberRequest, check_group_options
from tartarus_cli.plural.run import run_group
from tartarus_cli.prediction.predict import Pool
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.training.control import CHECKPOINT_S
from tartarus_cli.workspace import Workspace


def require_no_seeds(seeds: int | Sequence[int] | None, *, dry_run: bool = False) -> None:
    """Make sure that folds are not asked for together with several seeds, or with a forecast.

    Raises
    ------
    RequestError
        If they are.
    """
    if seeds is not None:
        msg = f"{parameter('folds')} and {parameter('seeds')} exclude each other"
        other = parameter("seed", 1)
        hint = f"Train the folds with one seed, then again with another one, such as {other}."
        raise RequestError(msg, hint=hint)
    if dry_run:
        msg = f"{parameter('folds')} and {parameter('dry_run')} exclude each other"
        raise RequestError(msg, hint="Forecast one fold, by the name of its dataset.")


def run_folds(  # noqa: PLR0913 — the arguments of ``run``
    workspace: Workspace,
    experiment: ExperimentRequest,
    settings: Sequence[str],
    options: EvaluationOptions,
    *,
    seed: int | None = None,
    code: Sequence[CodeFile] = (),
    pool: Pool = "mean",
    ablate: bool = False,
    cluster: str | None = None,
    checkpoint_every: float = CHECKPOINT_S,
    progress: Progress = UNWATCHED,
) -> GroupEvaluation:
    """Train, predict and evaluate on each fold; the same call goes on where it was stopped.

    Each fold is a dataset of its own, with features, factors, val items and models of its own: no
    test item of a fold has a part in anything that its model learns or chooses. Test items that
    are classified are then also judged all together, each by the model of its fold.

    Parameters
    ----------
    workspace
        Holds the data, and gets the models and their results.
    experiment
        The experiment; its dataset is the name that the folds have in common.
    settings
        Names of the settings that feed it.
    options
        How to evaluate.
    seed
        Of each training; the workspace's, else 0, if None.
    code
        Files that the user named, and that ran already.
    pool
        How the predictions for an item's patches become one.
    ablate
        Whether an ablation is asked for: a group has none.
    cluster
        Who does the work; None: this process, one fold after the other.
    checkpoint_every
        Seconds between two checkpoints of a training.
    progress
        Reports each fold, and the work on it.

    Returns
    -------
    The figures of the group; those of some members may be missing.

    Raises
    ------
    RequestError
        If there are no such folds, or the experiment cannot be applied or evaluated in this way.
    DataError
        If a file is missing, damaged or out of step, or a fold has other items than it was made of.
    TrainingError
        If no member has figures in the end.
    """
    folds = require_folds(workspace, _common_name(workspace, experiment))
    changed = find_changed_fold(workspace, folds)
    if changed is not None:
        raise changed
    members = _members(workspace, folds, experiment, settings, seed, code)
    task = members[0].request.experiment.dataset.task
    check_group_options(options, task, ablate=ablate)
    asked = GroupRequest(
        *(workspace, "folds", folds.dataset, members, options, pool),
        cluster=cluster,
        checkpoint_every=checkpoint_every,
    )
    return evaluate_group(run_group(asked, progress=progress))


def _common_name(workspace: Workspace, experiment: ExperimentRequest) -> str:
    """Return the dataset that is asked for, else the workspace's, else the experiment's own."""
    name = experiment.dataset or workspace.default_dataset
    if name is not None:
        return name
    folder, own = workspace.experiments, str(experiment.experiment)
    return resolve(own, folder=folder, run_code=True).dataset.name


def _members(
    workspace: Workspace,
    folds: FoldsManifest,
    experiment: ExperimentRequest,
    settings: Sequence[str],
    seed: int | None,
    code: Sequence[CodeFile],
) -> tuple[MemberRequest, ...]:
    """Return the request of each fold; all are of one task."""
    members = []
    for fold in folds.folds:
        request = build_request(
            *(workspace, str(experiment.experiment), settings, fold.dataset),
            *(experiment.overrides, seed),
            code=code,
        )
        member = Member(seed=request.seed, dataset=fold.dataset, fold=fold.fold)
        members.append(MemberRequest(member, request))
    tasks = {each.request.experiment.dataset.task for each in members}
    if len(tasks) > 1:
        msg = f"the folds of {folds.dataset} are of several tasks: {', '.join(sorted(tasks))}"
        hint = f"Name one: {parameter('overrides', 'dataset.task=' + max(tasks))}"
        raise RequestError(msg, hint=hint)
    return tuple(members)
