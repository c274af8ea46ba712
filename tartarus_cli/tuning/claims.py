"""The next trial of a study: claimed by one process, begun once, and tried again if that dies."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tartarus_cli.files import locked
from tartarus_cli.tuning.job import TuningJob
from tartarus_cli.tuning.sampling import combinations, key_of, make_sampler
from tartarus_cli.tuning.storage import PATIENCE_S, explained
from tartarus_cli.tuning.workers import Worker, is_alive, remove_dead

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

DEFAULT, LOST, REASON, RETRY_OF, WORKER = "default", "lost", "reason", "retry_of", "worker"
"""What a trial has beside its values: whether it is the experiment as it is, whether its process
stopped in the middle of it, why it failed, which trial it tries again, and its process."""

MOST_LOSSES = 3
"""How often the same values are tried when their process dies each time."""


def claim_trial(job: TuningJob, worker: Worker) -> Trial | None:
    """Begin the next trial of a study; None if it has as many as it is to have.

    Trials of processes that were killed are recorded as lost, and tried again before any other. No
    two processes get the same one, and no two trials the same values.
    """
    with locked(job.paths.lock, PATIENCE_S), explained(job.paths):
        study = job.study()
        _record_lost(job, study, worker)
        _enqueue_lost(study)
        trials = study.get_trials(deepcopy=False)
        if not trials:
            study.enqueue_trial(_default_values(job), user_attrs={DEFAULT: True})
            trials = study.get_trials(deepcopy=False)
        waiting = [trial for trial in trials if trial.state.name == "WAITING"]
        if count_begun(trials) >= job.trials or (not waiting and is_exhausted(job, trials)):
            return None
        return _begin(job, trials, waiting, worker)


def _begin(
    job: TuningJob, trials: Sequence[FrozenTrial], waiting: Sequence[FrozenTrial], worker: Worker
) -> Trial:
    taken = {key_of(trial.params) for trial in trials}
    study = job.study(make_sampler(job.space, job.request.seed, len(trials), taken))
    distributions = {dimension.key: dimension.distribution for dimension in job.space}
    if waiting and DEFAULT in waiting[0].user_attrs:
        fixed = waiting[0].system_attrs.get("fixed_params", {})
        distributions = {key: distributions[key] for key in fixed}
        study.sampler = make_sampler([d for d in job.space if d.key in fixed], 0, 0)
    trial = study.ask(fixed_distributions=distributions)
    trial.set_user_attr(WORKER, worker.name)
    return trial


def _default_values(job: TuningJob) -> dict[str, Any]:
    """Return the values of the experiment as it is, as far as they are among those to try."""
    values = {each.key: each.value_of(job.default.experiment) for each in job.space}
    return {key: value for key, value in values.items() if value is not None}


def is_lost(trial: FrozenTrial) -> bool:
    """Whether the process of a trial stopped in the middle of it."""
    return LOST in trial.user_attrs


def count_begun(trials: Sequence[FrozenTrial]) -> int:
    """Count the trials that have begun; those that were lost do not count."""
    return sum(trial.state.name != "WAITING" and not is_lost(trial) for trial in trials)


def is_exhausted(job: TuningJob, trials: Sequence[FrozenTrial]) -> bool:
    """Whether all combinations of values have had a trial."""
    count, keys = combinations(job.space), {dimension.key for dimension in job.space}
    if count is None:
        return False
    tried = {key_of(t.params) for t in trials if not is_lost(t) and t.params.keys() == keys}
    return len(tried) >= count


def running(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that have begun and not ended."""
    return [trial for trial in trials if trial.state.name == "RUNNING"]


def fail_trial(study: Study, trial: Trial | FrozenTrial, reason: str, *, lost: bool) -> None:
    """Record that a trial failed, or that its process stopped; once it has ended, nothing."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    storage, number = study._storage, trial._trial_id
    attributes = {REASON: reason} | ({LOST: True} if lost else {})
    with suppress(UpdateFinishedTrialError):  # another process took this one for dead
        for name, value in attributes.items():
            storage.set_trial_user_attr(number, name, value)
        storage.set_trial_state_values(number, TrialState.FAIL)


def _record_lost(job: TuningJob, study: Study, worker: Worker) -> None:
    """Record the trials of processes that are dead, and remove what these left behind."""
    for trial in running(study.get_trials(deepcopy=False)):
        owner = trial.user_attrs.get(WORKER)
        if owner != worker.name and (owner is None or not is_alive(job.paths, owner)):
            fail_trial(study, trial, "its process was killed", lost=True)
    remove_dead(job.paths)


def _enqueue_lost(study: Study) -> None:
    """Let the values of lost trials be tried again, once for each time that they were lost."""
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    for trial in trials:
        if is_lost(trial) and trial.number not in again and _losses(trials, trial) < MOST_LOSSES:
            attributes = {RETRY_OF: trial.number}
            if DEFAULT in trial.user_attrs:
                attributes[DEFAULT] = True
            study.enqueue_trial(trial.params, user_attrs=attributes)


def _losses(trials: Sequence[FrozenTrial], trial: FrozenTrial) -> int:
    """Count how often the values of a lost trial were lost, it included; stops do not count."""
    count = 0
    while True:
        count += trial.user_attrs.get(REASON) != STOPPED
        before = trial.user_attrs.get(RETRY_OF)
        if before is None:
            return count
        trial = trials[before]


STOPPED = "it was stopped"
"""Why a trial was lost that Ctrl-C, the end of the time or the like ended in order."""
