"""The epochs of a training: they begin, or go on, wherever it is, and can be stopped anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.models.checkpoint import CheckpointState, damaged, read_checkpoint
from tartarus_cli.progress import ProgressTask
from tartarus_cli.signals import is_signalled
from tartarus_cli.training.checkpoints import CheckpointWriter
from tartarus_cli.training.control import TrainingCourse
from tartarus_cli.training.rates import plateau_rate, step_schedule
from tartarus_cli.training.stopping import (
    EarlyStopping,
    Figures,
    History,
    patience_epochs,
)
from tartarus_cli.training.watch import DivergedError, TrainingWatch

if TYPE_CHECKING:
    import keras


class Inputs(Protocol):
    """Batches of inputs and targets by number."""

    def __len__(self) -> int:
        """Return the number of batches."""

    def __getitem__(self, index: int) -> tuple[Sequence[Any], Any]:
        """Return one array for each input, and the targets."""


class Feed(Inputs, Protocol):
    """The batches of one epoch after the other."""

    def reshuffle(self) -> None:
        """Begin the next epoch."""

    @property
    def state(self) -> dict[str, Any]:
        """What the order of this epoch was drawn from, to be written as JSON."""

    def restore(self, state: dict[str, Any], first: int) -> None:
        """Begin again with the epoch of a state, at the batch ``first``."""


JudgeFunction = Callable[[Callable[[], None]], Figures]
"""Returns the validation figures of an epoch, by column of the history; calls what it is given
after each batch, which may end it."""


class Epochs:
    """Trains a compiled network epoch by epoch, and knows at every moment where it is.

    Parameters
    ----------
    network
        The network, compiled.
    feed
        What it is trained with.
    validation
        The samples whose loss or accuracy is measured after each epoch; or what returns the
        figures.
    options
        How many epochs at most, and how the learning rate changes.
    course
        Where the training is recorded, and where it goes on.
    stopping
        When it stops by itself.
    """

    def __init__(
        self,
        network: keras.Model,
        feed: Feed,
        validation: Inputs | JudgeFunction,
        *,
        options: TrainingSection,
        course: TrainingCourse,
        stopping: EarlyStopping,
    ) -> None:
        self._network, self._feed, self._validation = network, feed, validation
        self._options, self._course, self._stopping = options, course, stopping
        self._writer = CheckpointWriter(course)
        self._began = time.monotonic()
        self._epoch, self._batch = 0, 0
        """Epochs that are over, and batches of the next one that are done."""
        self._figures: dict[str, float] = {}
        """Those of an epoch all of whose batches are done."""
        self._running: list[NDArray[Any]] = []
        """Running figures with which an epoch is gone on with."""
        self._epoch_s = 0.0
        """Seconds that it has taken before."""
        path = course.checkpoint
        if path is not None and path.exists():
            self._restore(path)
        else:
            self.history = History(course.history)
            feed.reshuffle()

    @property
    def network(self) -> keras.Model:
        """The network."""
        return self._network

    def run(self, task: ProgressTask, check: Callable[[], None]) -> None:
        """Train until the last epoch, or until it is stopped; leave the best weights.

        Parameters
        ----------
        task
            Gets a step for each batch.
        check
            Ends it if a signal came.
        """
        self._task, self._check = task, check
        self._watch = TrainingWatch(task, self.history, self._options)
        task.advance(self._epoch * len(self._feed) + self._batch)
        try:
            while self._epoch < self._options.epochs and not self._stopping.over:
                self._run_epoch()
        except DivergedError:
            self._writer.remove()
            raise
        if self._writer.is_due(at_the_end=True):
            self._write()
        self._network.set_weights(self._stopping.weights)

    def _run_epoch(self) -> None:
        self._watch.epoch_begins(self._epoch + 1, self._epoch_s)
        if self._batch < len(self._feed):
            self._fit()
        self._watch.require_finite(self._figures)
        self._stop_point()
        figures = self._figures | self._judge() | self._rate()
        row = self._watch.epoch_ends(figures)
        self._epoch, self._batch, self._figures, self._epoch_s = self._epoch + 1, 0, {}, 0
        self._stopping.epoch_ends(self._epoch, figures, self._network)
        self._lower_rate()
        self._stop_point()
        control = self._course.control
        if control.epoch_ended is not None:
            further = {} if control.measure is None else control.measure(self._network)
            control.epoch_ended(self._epoch, {**row, **further})

    def _fit(self) -> None:
        """Train with the batches of the epoch that are still to come."""
        rest = _batches_of_keras(self._feed, self._batch)
        self._network.fit(rest, epochs=1, verbose=0, shuffle=False, callbacks=_callbacks(self))

    def _judge(self) -> dict[str, float]:
        """Return the figures of the validation samples."""
        if callable(self._validation):
            return {k: float(value) for k, value in self._validation(self.test_batch_ends).items()}
        batches, callbacks = _batches_of_keras(self._validation), _callbacks(self)
        try:
            figures = self._network.evaluate(
                batches, verbose=0, callbacks=callbacks, return_dict=True
            )
        except BaseException:
            self._synchronize()
            raise
        return {f"val_{name}": float(value) for name, value in figures.items()}

    def _rate(self) -> dict[str, float]:
        """Return the learning rate of the last step of an epoch, if it changes at all."""
        options, batches = self._options, len(self._feed)
        if not options.changes_rate:
            return {}
        schedule = step_schedule(options, batches)
        if schedule is None:
            rate = float(self._network.optimizer.learning_rate)
        else:
            rate = float(schedule((self._epoch + 1) * batches - 1))
        return {"learning_rate": float(f"{rate:.6g}")}

    def _lower_rate(self) -> None:
        """Give the optimizer the rate of the next epoch, where the last ones decide about it."""
        options, batches = self._options, len(self._feed)
        if options.schedule == "plateau":
            patience = patience_epochs(options, batches)
            rows, rule = self.history.rows, self._stopping.rule
            rate = plateau_rate(rows, rule, options.learning_rate, patience)
            self._network.optimizer.learning_rate = rate

    def fit_begins(self) -> None:
        """Give a network the running figures of the epoch that it goes on with."""
        for variable, value in zip(self._network.metrics_variables, self._running, strict=False):
            variable.assign(value)
        self._running = []

    def batch_ends(self, figures: Mapping[str, Any]) -> None:
        """Count a batch, and stop or write a checkpoint if it is time."""
        self._batch += 1
        self._watch.batch_ends(figures)
        if self._batch < len(self._feed):
            self._stop_point()
        elif self._epoch + 1 < self._options.epochs:
            self._feed.reshuffle()  # what is read in advance is there once it has been judged

    def fit_ends(self, figures: Mapping[str, Any]) -> None:
        """Keep the figures of an epoch."""
        self._figures = {name: float(value) for name, value in figures.items()}

    def test_batch_ends(self) -> None:
        """Stop if a signal came."""
        if is_signalled():
            self._stop_point()

    def _stop_point(self) -> None:
        """Write a checkpoint if it is due, or if a signal came, which then ends the training."""
        signalled = is_signalled()
        if self._writer.is_due() or (signalled and self._writer.writes):
            self._write()
        if signalled:
            self._check()

    def _write(self) -> None:
        self._synchronize()
        state = CheckpointState(
            epoch=self._epoch,
            batch=self._batch,
            batches=len(self._feed),
            epochs=self._options.epochs,
            history=self.history.rows,
            figures=self._figures,
            best=self._stopping.best,
            waited=self._stopping.waited,
            over=self._stopping.over,
            feed=self._feed.state,
            epoch_s=self._watch.epoch_s if self._batch else 0,
            duration_s=time.monotonic() - self._began,
            counts={},
        )
        self._writer.write(state, self._arrays())

    @property
    def _within(self) -> bool:
        """Whether some batches of the epoch are done, and some not."""
        return 0 < self._batch < len(self._feed)

    def _synchronize(self) -> None:
        """Let the variables of the network hold what a step in the middle of an epoch came to."""
        if hasattr(self._network, "jax_state_sync"):
            self._network.jax_state_sync()

    def _variables(self) -> dict[str, Sequence[Any]]:
        network = self._network
        return {
            "trained": network.trainable_variables,
            "other": network.non_trainable_variables,
            "optimizer": network.optimizer.variables,
        }

    def _arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        import keras

        groups = self._variables()
        groups["metrics"] = self._network.metrics_variables if self._within else []
        for group, variables in groups.items():
            for variable in variables:
                yield group, np.asarray(keras.ops.convert_to_numpy(variable))
        for weights in self._stopping.weights:
            yield "best", np.asarray(weights)

    def _restore(self, path: Path) -> None:
        """Go on where a checkpoint was written.

        Raises
        ------
        FileError
            If the checkpoint is damaged, or one of another training.
        """
        state, arrays = read_checkpoint(path)
        batches = len(self._feed)
        if (state.batches, state.epochs) != (batches, self._options.epochs):
            raise damaged(path, f"one of {state.epochs} epochs of {state.batches} batches")
        network, stopping = self._network, self._stopping
        network.optimizer.build(network.trainable_variables)
        for group, variables in self._variables().items():
            _assign(path, variables, arrays[group])
        self._running = arrays["metrics"]
        self._epoch, self._batch, self._figures = state.epoch, state.batch, dict(state.figures)
        stopping.best, stopping.waited, stopping.over = state.best, state.waited, state.over
        stopping.weights = arrays["best"]
        try:
            self._feed.restore(state.feed, self._batch % batches)
        except ValueError as problem:
            raise damaged(path, f"damaged: its order of batches is {problem}") from None
        self.history = History(self._course.history, state.history)
        if self.history.rows:
            stopping.best_figures = self.history.rows[self.history.best(stopping.rule)]
        self._began -= state.duration_s
        self._epoch_s = state.epoch_s


def _assign(path: Path, variables: Sequence[Any], arrays: Sequence[NDArray[Any]]) -> None:
    """Give variables the values of a checkpoint."""
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [array.shape for array in arrays]:
        raise damaged(path, "one of another network")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(_as_type(array, str(variable.dtype)))


def _as_type(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Return an array of a type that NumPy knows only by name, such as bfloat16, as such."""
    if array.dtype.kind == "u" and "float" in dtype:
        import ml_dtypes

        return array.view(np.dtype(getattr(ml_dtypes, dtype)))
    return array


def _batches_of_keras(batches: Inputs, first: int = 0) -> Any:
    """Return batches, from the one of a number on, as Keras takes them."""
    import keras

    class Rest(keras.utils.PyDataset):  # type: ignore[misc]
        """Gives batches to Keras in their order."""

        def __len__(self) -> int:
            return len(batches) - first

        def __getitem__(self, index: int) -> Any:
            inputs, targets = batches[first + index]
            return network_input(inputs), targets

    return Rest()


def network_input(inputs: Sequence[Any]) -> Any:
    """Return inputs as Keras takes them: a single one not in a tuple."""
    return tuple(inputs) if len(inputs) > 1 else inputs[0]


def _callbacks(epochs: Epochs) -> Any:
    """Return callbacks of Keras that pass each batch on.

    Keras' own list of callbacks converts the losses of every batch, which makes each step wait
    for the device, or hands them to a pool of threads; this one does neither.
    """
    import keras

    class Watched(keras.callbacks.Callback):  # type: ignore[misc]
        """Passes the epoch on."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            epochs.fit_begins()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            epochs.fit_ends(logs or {})

    class Callbacks(keras.callbacks.CallbackList):  # type: ignore[misc]
        """Passes the batches on."""

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            epochs.batch_ends(logs)

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            epochs.test_batch_ends()

    return Callbacks([Watched()], add_history=True, model=epochs.network)
