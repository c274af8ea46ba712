"""One trial: train an experiment with some values, measure it on validation items, forget it."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tartarus_cli.errors import DataError, TartarusError, display_path
from tartarus_cli.experiments.inputs import infer_dimensions
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.files import DiskFullError, locked, read_text, remove_own_folder, write_text
from tartarus_cli.models.store import Model
from tartarus_cli.progress import UNWATCHED, Progress, ProgressTask
from tartarus_cli.training.control import TrainingControl
from tartarus_cli.training.train import train
from tartarus_cli.tuning.claims import STOPPED, fail_trial
from tartarus_cli.tuning.job import TuningJob
from tartarus_cli.tuning.measure import Measure
from tartarus_cli.tuning.storage import PATIENCE_S
from tartarus_cli.tuning.workers import Worker
from tartarus_cli.tuning.workspace import TrialStore, TuningWorkspace

if TYPE_CHECKING:
    from optuna import Trial

LOGGER = logging.getLogger(__name__)


class PrunedError(Exception):
    """A trial falls behind the others, and is stopped."""


class TimeOverError(Exception):
    """The time of the search is over in the middle of a trial."""


STOPS = (TimeOverError, KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends a process of a search in order."""


def _reason(problem: Exception) -> str:
    """Say why a trial failed."""
    if isinstance(problem, TartarusError):
        return str(problem)
    if isinstance(problem, MemoryError):
        return "there is not enough memory"
    return f"{type(problem).__name__}: {problem}"


@dataclass(frozen=True)
class TrialProgress:
    """Passes on tasks alone: what is said of a model that is forgotten at once is not shown."""

    progress: Progress

    def say(self, message: str) -> None:
        """Write the message into the log of details."""
        LOGGER.debug("%s", message)

    def warn(self, message: str) -> None:
        """Write the message into the log of details."""
        LOGGER.debug("%s", message)

    def task(self, description: str, total: int) -> AbstractContextManager[ProgressTask]:
        """Begin a piece of work of ``total`` units."""
        return self.progress.task(description, total)


@dataclass
class TrialRunner:
    """Runs the trials of one process, one after the other."""

    job: TuningJob
    worker: Worker
    progress: Progress
    _store: TrialStore = field(init=False)

    def __post_init__(self) -> None:
        workspace = self.job.workspace
        self._seen = TuningWorkspace(workspace.root, workspace.data, self.worker.folder)
        self._store = TrialStore(self._seen)

    def run(self, trial: Trial) -> None:
        """Run a trial, and record how it ends: with a figure, pruned, or failed with a reason.

        Raises
        ------
        DiskFullError
            If there is no space left: no other trial could go better.
        DataError
            If files have changed since the study began.
        TimeOverError
            If the time of the search is over.
        """
        start, study = time.monotonic(), self.job.study()
        try:
            self._end(trial, start, self._train(trial))
        except PrunedError:
            self._end(trial, start, None)
        except STOPS:
            fail_trial(study, trial, STOPPED, lost=True)
            raise
        except (DiskFullError, _ChangedInputsError) as problem:
            fail_trial(study, trial, str(problem), lost=True)
            raise
        except Exception as problem:
            LOGGER.debug("a trial failed", exc_info=True)
            fail_trial(study, trial, _reason(problem), lost=False)
        finally:
            self._forget()

    def _end(self, trial: Trial, start: float, figure: float | None) -> None:
        """Record the figure of a trial; None: that it was pruned."""
        from optuna.trial import TrialState

        if figure is not None and not math.isfinite(figure):
            reason = f"it has no {self.job.objective.name}"
            fail_trial(self.job.study(), trial, reason, lost=False)
            return

        trial.set_user_attr("seconds", round(time.monotonic() - start, 3))
        state = TrialState.PRUNED if figure is None else TrialState.COMPLETE
        self.job.study().tell(trial, figure, state=state, skip_if_finished=True)

    def _train(self, trial: Trial) -> float:
        request = self.job.request_of(trial.params, self._seen)
        measure = self._measure(request)
        control = TrainingControl(
            checkpoint_every=0,
            epoch_ended=_Watch(self.job, trial, measure),
            measure=self._further(measure),
        )
        model = train(self._store, request, control=control, progress=TrialProgress(self.progress))
        manifest = model.manifest
        trial.set_user_attr("epochs", manifest.epochs)
        trial.set_user_attr("best_epoch", manifest.best_epoch)
        self._compare_inputs(model)
        return measure.of_model(model)

    def _further(self, measure: Measure) -> Any:
        if not measure.judges_epochs or self.job.request.pruner == "none":
            return None
        return lambda network: {measure.objective.name: measure.of_network(network)}

    def _measure(self, request: TrainingRequest) -> Measure:
        experiment, settings = request.experiment, request.settings
        dataset = self._store.dataset(experiment.dataset.name, request.shuffle)
        sized = infer_dimensions(
            dataset, experiment.with_settings(len(settings)), settings, UNWATCHED
        )
        return Measure(dataset, sized, settings, request.seed, self.job.objective)

    def _compare_inputs(self, model: Model) -> None:
        """Make sure that all trials are trained from the same files.

        Raises
        ------
        DataError
            If one has changed since the first trial.
        """
        path, hashes = self.job.paths.inputs, model.manifest.inputs
        with locked(self.job.paths.lock, PATIENCE_S):
            if not path.exists():
                write_text(path, json.dumps({}))
            before = json.loads(read_text(path))
            for name, digest in hashes.items():
                if before.setdefault(name, digest) != digest:
                    changed = display_path(self.job.workspace.root / name)
                    msg = f"{changed} has changed since the study {self.job.paths.name} began, "
                    msg += "whose figures cannot be compared any more"
                    hint = "Put the file back, or begin another study."
                    raise _ChangedInputsError(msg, hint=hint)
            write_text(path, json.dumps(before, indent=2))

    def _forget(self) -> None:
        """Remove the models of a trial; parts of a blend stay for the next one."""
        for model in self._store.all():
            finished = model.manifest.status == "finished"
            if finished and model.manifest.experiment != self.job.request.experiment:
                continue  # a part, which the next trial uses again
            remove_own_folder(model.folder)


class _ChangedInputsError(DataError):
    """A file of the dataset has changed in the middle of a study."""


@dataclass
class _Watch:
    """Looks at a trial after each epoch, and stops it if it falls behind, or the time is over."""

    job: TuningJob
    trial: Trial
    measure: Measure

    def __call__(self, epoch: int, figures: Mapping[str, float]) -> None:
        self.trial.set_user_attr("epochs", epoch)
        if self.job.deadline is not None and time.time() > self.job.deadline:
            raise TimeOverError
        value = self.measure.of_epoch(figures)
        if self.job.request.pruner == "none" or value is None or not math.isfinite(value):
            return
        self.trial.report(value, epoch)
        if self.trial.should_prune():
            raise PrunedError
