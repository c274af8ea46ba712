"""What the trials of a study have in common, as each process that works on it needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tartarus_cli.errors import DataError, RequestError, display_path
from tartarus_cli.experiments.inference import infer_task
from tartarus_cli.experiments.request import TrainingRequest, build_request
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.plugins import CodeFile, run_files
from tartarus_cli.study_layout import StudyPaths
from tartarus_cli.tuning.objective import Objective
from tartarus_cli.tuning.space import Dimension, Value, search_space, write_override
from tartarus_cli.tuning.storage import (
    StoredRequest,
    StudyRequest,
    make_pruner,
    open_storage,
    open_study,
    read_request,
)
from tartarus_cli.tuning.workspace import TuningWorkspace
from tartarus_cli.workspace import Workspace

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage


@dataclass(frozen=True)
class TuningJob:
    """A study, and how far it is to go."""

    workspace: Workspace
    paths: StudyPaths
    request: StoredRequest | StudyRequest
    default: TrainingRequest
    """The experiment as it is, with what was fixed."""
    space: tuple[Dimension, ...]
    trials: int
    """How many trials the study is to have, of all processes together."""
    deadline: float | None = None
    """When no trial goes on, in seconds of ``time.time()``; None: there is no such time."""

    @property
    def objective(self) -> Objective:
        """What is to be as good as it can be."""
        return Objective(self.request.objective)

    @cached_property
    def storage(self) -> BaseStorage:
        """The journal."""
        return open_storage(self.paths)

    def study(self, sampler: BaseSampler | None = None) -> Study:
        """Return the study for Optuna."""
        training = self.default.experiment.training
        pruner = make_pruner(self.request.pruner, int(getattr(training, "epochs", 0)))
        maximize = self.objective.maximize
        return open_study(
            self.paths, self.storage, maximize=maximize, sampler=sampler, pruner=pruner
        )

    def request_of(self, params: dict[str, Value], workspace: TuningWorkspace) -> TrainingRequest:
        """Return what a trial trains.

        Raises
        ------
        RequestError
            If these values do not go together.
        """
        return build_request(
            workspace,
            self.request.experiment,
            self.request.settings,
            self.request.dataset,
            [*self.request.overrides, *(write_override(k, v) for k, v in params.items())],
            self.request.seed,
            code=self.default.code,
        )


def resolve_with(
    workspace: Workspace, experiment: str, dataset: str | None, overrides: Sequence[str]
) -> Experiment:
    """Return an experiment with some overrides, for a dataset whose test items are not read."""
    return resolve(
        experiment,
        folder=workspace.experiments,
        dataset=dataset,
        overrides=overrides,
        infer=lambda name, baseline: infer_task(workspace.dataset(name), baseline),
        run_code=True,
    )


def hidden(workspace: Workspace, paths: StudyPaths) -> TuningWorkspace:
    """Return a workspace as the trials see it before they begin."""
    return TuningWorkspace(workspace.root, workspace.data, paths.folder)


def open_job(
    workspace: Workspace, paths: StudyPaths, *, trials: int, deadline: float | None = None
) -> TuningJob:
    """Read a study that another process has begun.

    Parameters
    ----------
    workspace
        Holds it.
    paths
        Its files.
    trials, deadline
        As the fields of :class:`TuningJob`.

    Raises
    ------
    DataError
        If its request is damaged, or code of its has changed.
    """
    request = read_request(paths)
    code = _run_code(workspace, request)
    seen = hidden(workspace, paths)
    default = build_request(
        seen,
        request.experiment,
        request.settings,
        request.dataset,
        request.overrides,
        request.seed,
        code=code,
    )

    def resolved(overrides: Sequence[str]) -> Experiment:
        changes = [*request.overrides, *overrides]
        return resolve_with(seen, request.experiment, request.dataset, changes)

    space = search_space(request.ranges, resolved)
    return TuningJob(workspace, paths, request, default, space, trials, deadline)


def _run_code(workspace: Workspace, request: StoredRequest) -> tuple[CodeFile, ...]:
    try:
        code = run_files([workspace.root / name for name in request.code])
    except RequestError as problem:
        raise DataError(str(problem), hint=problem.hint) from None
    for (name, digest), file in zip(request.code.items(), code, strict=True):
        if file.digest != digest:
            msg = f"{display_path(workspace.root / name)} has changed since the study began"
            raise DataError(msg, hint="Put it back, or begin another study.")
    return code
