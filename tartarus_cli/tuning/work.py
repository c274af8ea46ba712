"""Trials of a study, one after the other, until it has as many as it is to have."""

from __future__ import annotations

import time

from tartarus_cli.errors import count_noun
from tartarus_cli.files import locked
from tartarus_cli.progress import Progress
from tartarus_cli.tuning.claims import claim_trial, count_begun, running
from tartarus_cli.tuning.job import TuningJob
from tartarus_cli.tuning.storage import PATIENCE_S, explained
from tartarus_cli.tuning.study import TrialRecord, record_of
from tartarus_cli.tuning.trials import TimeOverError, TrialRunner
from tartarus_cli.tuning.workers import working

POLL_S = 0.5
"""Seconds between two looks at the trials of other processes."""


def work(job: TuningJob, progress: Progress, *, most: int | None = None) -> int:
    """Run trials of a study until it has as many as it is to have, or the time is over.

    At the end, it waits for trials that other processes are at: one whose process is killed is
    tried again here.

    Parameters
    ----------
    job
        The study.
    progress
        Told of each trial.
    most
        How many trials to run here at most; None: as many as are left.

    Returns
    -------
    How many trials were run here.
    """
    done = 0
    with working(job.paths) as worker:
        runner = TrialRunner(job, worker, progress)
        while (most is None or done < most) and not is_over(job):
            trial = claim_trial(job, worker)
            if trial is None:
                if most is not None or not wait_for_others(job):
                    progress.say(_why_it_ends(job))
                    break
                continue
            progress.say(_begun(job, trial.number, trial.params))
            try:
                runner.run(trial)
            except TimeOverError:
                break
            done += 1
            progress.say(describe_trial(job, trial.number))
    return done


def _why_it_ends(job: TuningJob) -> str:
    """Say why no further trial begins."""
    begun = count_begun(job.study().get_trials(deepcopy=False))
    if begun < job.trials:
        return f"all combinations of values have been tried, by {count_noun(begun, 'trial')}"
    return f"study {job.paths.name} has {count_noun(begun, 'trial')}"


def is_over(job: TuningJob) -> bool:
    """Whether the time of a search is over."""
    return job.deadline is not None and time.time() >= job.deadline


def wait_for_others(job: TuningJob) -> bool:
    """Wait a moment for the trials of other processes; False if there are none."""
    with locked(job.paths.lock, PATIENCE_S), explained(job.paths):
        others = bool(running(job.study().get_trials(deepcopy=False)))
    if others:
        time.sleep(POLL_S)
    return others


def _begun(job: TuningJob, number: int, params: dict[str, object]) -> str:
    begun = count_begun(job.study().get_trials(deepcopy=False))
    values = ", ".join(f"{key.partition('.')[2]}={value}" for key, value in params.items())
    what = f"{job.request.experiment} as it is" if number == 0 else values
    return f"trial {number} ({begun} of {job.trials}): {what}"


def describe_trial(job: TuningJob, number: int) -> str:
    """Say how a trial ended, and which is the best so far."""
    records = [record_of(trial) for trial in job.study().get_trials(deepcopy=False)]
    record, name = records[number], job.objective.name
    if record.state == "pruned":
        outcome = f"fell behind, and was stopped after epoch {record.epoch_count}"
    elif record.figure is None:
        outcome = f"{record.state}: {record.reason}"
    else:
        outcome = f"{name} {record.figure:.4f}"
    best = best_of(job, records)
    known = f"; best {best.figure:.4f} (trial {best.number})" if best and best.figure else ""
    return f"trial {number}: {outcome}{known}"


def best_of(job: TuningJob, records: list[TrialRecord]) -> TrialRecord | None:
    """Return the best trial so far."""
    best: TrialRecord | None = None
    for record in records:
        if record.figure is None:
            continue
        if best is None or best.figure is None or job.objective.better(record.figure, best.figure):
            best = record
    return best
