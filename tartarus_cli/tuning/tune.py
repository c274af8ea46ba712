"""Search for good parameters of an experiment by validation items; test items are not read."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version

from tartarus_cli.baselines.blend import BlendOptions
from tartarus_cli.checking.check import check_experiment
from tartarus_cli.errors import (
    Placeholder,
    RequestError,
    TrainingError,
    call,
    parameter,
)
from tartarus_cli.experiments.ranges import split_overrides
from tartarus_cli.experiments.request import TrainingRequest, build_request, seed_of
from tartarus_cli.experiments.resolve import to_table
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.files import locked
from tartarus_cli.machine import now
from tartarus_cli.models.store import Store
from tartarus_cli.plugins import CodeFile
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.study_layout import StudyPaths
from tartarus_cli.training.records import code_hashes
from tartarus_cli.tuning.job import TuningJob, hidden, open_job, resolve_with
from tartarus_cli.tuning.measure import Measure
from tartarus_cli.tuning.objective import choose_objective
from tartarus_cli.tuning.processes import work_in_processes, work_on_cluster
from tartarus_cli.tuning.report import draw_pictures, read_study
from tartarus_cli.tuning.saving import check_name, save_best
from tartarus_cli.tuning.space import require_something, search_space
from tartarus_cli.tuning.storage import (
    PATIENCE_S,
    PrunerName,
    StoredRequest,
    StudyRequest,
    differences,
    find_study,
    read_request,
    write_request,
)
from tartarus_cli.tuning.study import Study
from tartarus_cli.tuning.work import work
from tartarus_cli.tuning.workspace import TrialStore
from tartarus_cli.workspace import Workspace

TRIALS = 20
"""Trials of a study, if nothing is said."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TEXTS = ("description", "note", "extends", "tune", "evaluation", "name", "code")


@dataclass(frozen=True)
class Search:
    """What is asked for: an experiment, and the parameters that are varied."""

    experiment: str
    settings: tuple[str, ...] = ()
    dataset: str | None = None
    overrides: tuple[str, ...] = ()
    """``section.key=value``, the value single or a range; without a range, those of the section
    ``tune`` of the experiment count."""
    seed: int | None = None
    objective: str | None = None
    pruner: PrunerName = "asha"
    code: tuple[CodeFile, ...] = ()


@dataclass(frozen=True)
class TuneOptions:
    """How far a study is to go, and with what."""

    trials: int | None = None
    """How many trials it is to have, all processes together; None: 20, or as many as there are."""
    timeout_s: float | None = None
    """Seconds after which no trial goes on; None: no limit."""
    jobs: int = 1
    """Processes of this machine."""
    cluster: str | None = None
    """Where else trials run."""
    study: str | None = None
    """Name of the study; None: a new one is found."""
    resume: bool = False
    """Whether to go on with a study that is there."""
    save: str | None = None
    """Name of the best experiment; None: one is found."""
    force: bool = False
    """Whether a file of the best experiment may be overwritten."""


def tune(
    workspace: Workspace,
    search: Search | None,
    options: TuneOptions,
    *,
    progress: Progress = UNWATCHED,
) -> Study:
    """Search for the parameters of an experiment that make a figure of validation items best.

    Several processes may do so at once: each trial is run by one of them.

    Parameters
    ----------
    workspace
        Holds the data, and gets the study and the best experiment.
    search
        What is searched; None: what the study that is named searches.
    options
        How far to go.
    progress
        Told of each trial.

    Raises
    ------
    RequestError
        If there is no such experiment or parameter, or a value of a range is none of its values, or
        the study that is named searches something else.
    DataError
        If a file is missing, damaged, or has changed since the study began.
    TrainingError
        If no trial has a figure.
    """
    if options.cluster is not None and options.jobs > 1:
        msg = f"{parameter('jobs')} and {parameter('cluster')} exclude each other"
        raise RequestError(msg, hint="Leave one of the two out: a cluster has its own processes.")
    deadline = None if options.timeout_s is None else time.time() + options.timeout_s
    paths = _continued(workspace, options) if search is None else None
    check_name(workspace, paths or _named(workspace, options), options.save, force=options.force)
    job = _begin(workspace, search, options) if search else _go_on(workspace, paths, options)
    job = replace(job, deadline=deadline)
    try:
        _run(job, options, progress)
    except (KeyboardInterrupt, SystemExit):
        again = call("tune", study=job.paths.name, resume=True)
        progress.warn(f"the study {job.paths.name} keeps its trials; to go on: {again}")
        raise
    return _conclude(job, options)


def _run(job: TuningJob, options: TuneOptions, progress: Progress) -> None:
    progress.say(f"study {job.paths.name}: {job.objective.name} of the validation items")
    if options.cluster is not None:
        work_on_cluster(job, options.cluster, progress)
    elif options.jobs > 1:
        work_in_processes(job, options.jobs, progress)
    else:
        work(job, progress)


def _conclude(job: TuningJob, options: TuneOptions) -> Study:
    """Draw pictures, and write the best experiment.

    Raises
    ------
    TrainingError
        If no trial has a figure.
    """
    study = read_study(job.workspace, job.paths)
    if study.best is None:
        reasons = [trial.reason for trial in study.trials if trial.reason]
        if not reasons:
            msg = f"no trial of {study.name} came to an end"
            raise TrainingError(msg, hint=f"Go on: {call('tune', study=study.name, resume=True)}")
        msg = f"no trial of {study.name} has a figure: {reasons[-1]}"
        raise TrainingError(msg, hint=f"See all: {call('show_study', study.name)}")
    draw_pictures(job.paths, study)
    with locked(job.paths.lock, PATIENCE_S):
        path = save_best(job, study, options.save, force=options.force)
    pictures = tuple(picture for picture in job.paths.pictures if picture.is_file())
    return replace(study, pictures=pictures, experiment=path.stem if path else "", path=path)


def _named(workspace: Workspace, options: TuneOptions) -> StudyPaths | None:
    if options.study is None:
        return None
    if not _NAME.fullmatch(options.study):
        msg = f"{parameter('study', options.study)} cannot be the name of a folder"
        raise RequestError(msg, hint="Use letters, digits, '.', '_' and '-'.")
    return workspace.study(options.study)


def _continued(workspace: Workspace, options: TuneOptions) -> StudyPaths:
    """Return the study to go on with, where no experiment is named."""
    if options.study is None or not options.resume:
        msg = "it is not known what to tune"
        again = call("tune", study=Placeholder("NAME"), resume=True)
        begin = call("tune", Placeholder("EXPERIMENT"), Placeholder("SETTING"))
        raise RequestError(msg, hint=f"Begin a study: {begin} or go on with one: {again}")
    return find_study(workspace, options.study)


def _go_on(workspace: Workspace, paths: StudyPaths | None, options: TuneOptions) -> TuningJob:
    if paths is None:
        raise AssertionError
    job = open_job(workspace, paths, trials=_trials(workspace, paths, options))
    check_job(job)
    return job


def _trials(workspace: Workspace, paths: StudyPaths, options: TuneOptions) -> int:
    """Return how many trials a study is to have."""
    if options.trials is not None:
        return options.trials
    return max(TRIALS, read_study(workspace, paths, importance=False).begun)


def _begin(workspace: Workspace, search: Search, options: TuneOptions) -> TuningJob:
    """Begin a study, or join one that searches the same."""
    request, default = study_request(workspace, search)
    workspace.studies.mkdir(parents=True, exist_ok=True)
    with locked(workspace.studies / "studies.lock", PATIENCE_S):
        paths = _named(workspace, options)
        if paths is None and options.resume:
            paths = _newest(workspace, request)
        if paths is None:
            paths = _unused(workspace, search.experiment)
        exists = paths.request.is_file()
        if exists:
            _require_same(paths, request)
        elif options.resume:
            find_study(workspace, paths.name)  # says which there are
    job = _job(workspace, paths, request, default, options)
    try:
        check_job(job)
    except BaseException:
        with suppress(OSError):
            paths.folder.rmdir()  # unless there is something in it
        raise
    if not exists:
        _store(workspace, job, request)
    return replace(job, trials=_trials(workspace, paths, options))


def _store(workspace: Workspace, job: TuningJob, request: StudyRequest) -> None:
    """Write the request of a study, unless another process was quicker."""
    with locked(workspace.studies / "studies.lock", PATIENCE_S):
        if job.paths.request.is_file():
            _require_same(job.paths, request)
            return
        job.paths.folder.mkdir(parents=True, exist_ok=True)
        packages = ("tartarus-cli", "optuna", "keras", "jax")
        versions = {package: version(package) for package in packages}
        stored = StoredRequest(**request.model_dump(), started=now(), versions=versions)
        write_request(job.paths, stored)


def study_request(workspace: Workspace, search: Search) -> tuple[StudyRequest, TrainingRequest]:
    """Return what a study searches, every value checked, and the experiment as it is."""
    seen = hidden(workspace, workspace.study("new"))
    fixed, ranges = split_overrides(search.overrides)
    default = build_request(
        *(seen, search.experiment, search.settings, search.dataset, fixed, search.seed),
        code=search.code,
    )
    experiment = default.experiment
    keys = {text.partition("=")[0].strip() for text in fixed}
    varied = ranges or {k: v for k, v in experiment.tune.items() if k not in keys}
    source = "" if ranges else f"[tune] of {search.experiment}"

    def resolved(overrides: Sequence[str]) -> Experiment:
        return resolve_with(seen, search.experiment, experiment.dataset.name, [*fixed, *overrides])

    space = search_space(varied, resolved, source)
    require_something(experiment, space)
    objective = choose_objective(search.objective, experiment, [each.key for each in space])
    request = StudyRequest(
        experiment=search.experiment,
        parameters=_fixed_parameters(experiment, [each.key for each in space]),
        settings=tuple(search.settings),
        dataset=experiment.dataset.name,
        overrides=fixed,
        ranges={each.key: each.text for each in space},
        objective=objective.name,
        pruner=search.pruner,
        seed=seed_of(workspace, search.seed),
        code=code_hashes(workspace, default),
    )
    return request, default


def _fixed_parameters(experiment: Experiment, varied: Sequence[str]) -> Mapping[str, object]:
    """Return the parameters of an experiment that are not varied."""
    table = {key: value for key, value in to_table(experiment).items() if key not in _TEXTS}
    for key in varied:
        section, dot, field = key.partition(".")
        if dot and isinstance(table.get(section), dict):
            table[section] = {k: v for k, v in table[section].items() if k != field}
        elif not dot:
            table.pop(section, None)
    return table


def _job(
    workspace: Workspace,
    paths: StudyPaths,
    request: StudyRequest,
    default: TrainingRequest,
    options: TuneOptions,
) -> TuningJob:
    seen = hidden(workspace, paths)

    def resolved(overrides: Sequence[str]) -> Experiment:
        changes = [*request.overrides, *overrides]
        return resolve_with(seen, request.experiment, request.dataset, changes)

    space = search_space(request.ranges, resolved)
    return TuningJob(workspace, paths, request, default, space, options.trials or TRIALS)


def _newest(workspace: Workspace, request: StudyRequest) -> StudyPaths:
    """Return the newest study that searches the same.

    Raises
    ------
    RequestError
        If there is none; the message says what differs in the newest one of the experiment.
    """
    studies = [workspace.study(name) for name in workspace.study_names()]
    requests = {paths.name: read_request(paths) for paths in studies}
    studies.sort(key=lambda paths: (requests[paths.name].started, paths.name), reverse=True)
    for paths in studies:
        if not differences(requests[paths.name], request):
            return paths
    same = [each for each in studies if requests[each.name].experiment == request.experiment]
    if same:
        _require_same(same[0], request)
    msg = f"there is no study of {request.experiment} to go on with"
    option = parameter("resume", value=True)
    raise RequestError(msg, hint=f"To begin one, leave out {option}.")


def _require_same(paths: StudyPaths, request: StudyRequest) -> None:
    """Make sure that a study searches what is asked for.

    Raises
    ------
    RequestError
        If something differs; the message names all of it.
    """
    differing = differences(read_request(paths), request)
    if differing:
        msg = f"the study {paths.name} searches something else: {'; '.join(differing)}"
        again = call("tune", study=paths.name, resume=True)
        option = parameter("study", Placeholder("NAME"))
        raise RequestError(msg, hint=f"Go on with it as it is: {again} or begin another: {option}")


def _unused(workspace: Workspace, experiment: str) -> StudyPaths:
    """Return the files of a new study of an experiment, and take its name."""
    number = 1
    while True:
        paths = workspace.study(f"{experiment}_{number}")
        try:
            paths.folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return paths


def check_job(job: TuningJob) -> None:
    """Make sure that trials can be trained, and measured, before the first one begins.

    Raises
    ------
    RequestError
        If the experiment cannot be applied to these settings, or blends models that are there.
    DataError
        If a file is missing, damaged or out of step, or there is nothing to validate by.
    """
    experiment, settings = job.default.experiment, job.default.settings
    seen = hidden(job.workspace, job.paths)
    options = experiment.network
    if isinstance(options, BlendOptions):
        models = {*options.parts} & Store(job.workspace).names()
        if models:
            name = min(models)
            msg = f"{experiment.name} blends {name}, which is trained already"
            raise RequestError(
                msg, hint="Name experiments in network.parts, which are trained anew."
            )
    store = TrialStore(seen)
    dataset = store.dataset(experiment.dataset.name)
    sized = check_experiment(dataset, experiment, settings, evaluated=False)
    Measure(dataset, sized, settings, job.request.seed, job.objective).prepare()
