"""Trainings that are stopped at any step and go on: they come to the same, bit for bit."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.patches import open_patches, write_patches
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.errors import FileError, TrainingError
from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.losses import cosine_loss
from tartarus_cli.models.checkpoint import read_checkpoint, read_state
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.training import batches, checkpoints, epochs
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.control import TrainingControl, TrainingCourse
from tartarus_cli.training.fit import fit_compiled
from tests.architectures.test_architectures import SHAPES, WORDS, kinds_of, network_of

SAMPLES, SIZE = 9, 3
OPTIONS = TrainingSection(
    loss="cosine", monitor="val_loss", learning_rate=0.01, batch_size=SIZE, epochs=3, patience=3
)


class Stopped(BaseException):
    """Stands for a signal that ends the process."""


def subset_of(name: str, samples: int, seed: int) -> TrainingSubset:
    rng = np.random.default_rng(seed)
    inputs = []
    for kind in kinds_of(name):
        values = rng.random((samples, *SHAPES[kind]))
        if kind == "sequence":
            values = np.floor(WORDS * values)
        inputs.append(Matrix(Path(), values.astype(np.float32)))
    targets = Matrix(Path(), rng.random((samples, 4), np.float32))
    items = ItemSet("train", [], tuple(inputs), np.arange(samples))
    return TrainingSubset(items, targets, np.arange(samples))


class Training:
    """The small training of one network that can be done again and again."""

    def __init__(self, network: Any, name: str, folder: Path, *, judged: bool = False) -> None:
        self.network, self.name, self.folder, self.judged = network, name, folder, judged
        network.compile(keras.optimizers.Adam(0.01), cosine_loss)
        network.optimizer.build(network.trainable_variables)
        self.variables = [
            *network.trainable_variables,
            *network.non_trainable_variables,
            *network.optimizer.variables,
        ]
        self.first = [np.array(variable) for variable in self.variables]

    @property
    def checkpoint(self) -> Path:
        """The file of its checkpoint."""
        return self.folder / "checkpoint.npz"

    def judge(self, _batch_ended: Callable[[], None]) -> dict[str, float]:
        """Return a number that depends on the weights, in place of a validation."""
        weights = self.network.get_weights()
        return {"val_loss": float(sum(np.abs(each).sum() for each in weights))}

    def begin(self, values: list[NDArray[Any]] | None = None) -> None:
        """Give everything that a training changes its first value, or any other one."""
        for variable, value in zip(self.variables, values or self.first, strict=True):
            variable.assign(value)

    def run(self, control: TrainingControl | None = None) -> list[bytes]:
        """Train, and return the weights and the history."""
        validation = Batches(subset_of(self.name, 4, 1), size=2)
        fit_compiled(
            self.network,
            Batches(subset_of(self.name, SAMPLES, 0), size=SIZE, rng=np.random.default_rng(0)),
            self.judge if self.judged else validation,
            options=OPTIONS,
            course=TrainingCourse(
                self.folder / "history.csv",
                control or TrainingControl(),
                self.checkpoint,
            ),
            progress=UNWATCHED,
        )
        lines = (self.folder / "history.csv").read_bytes().splitlines()
        history = [line.rsplit(b",", 1)[0] for line in lines]  # without the seconds
        return [*(np.asarray(w).tobytes() for w in self.network.get_weights()), *history]


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what lets a signal come when it is looked for so many times more."""
    left = [10**9]

    def is_signalled() -> bool:
        left[0] -= 1
        return left[0] < 0

    def check() -> None:
        raise Stopped

    def run(self: epochs.Epochs, task: Any, _check: Any) -> None:
        original(self, task, check)

    original = epochs.Epochs.run
    monkeypatch.setattr(epochs, "is_signalled", is_signalled)
    monkeypatch.setattr(epochs.Epochs, "run", run)

    def after(looks: int) -> None:
        left[0] = looks

    return after


@pytest.fixture(scope="module")
def _vector(tmp_path_factory: pytest.TempPathFactory) -> Training:
    network = network_of("vector", dropout=0.3)
    return Training(network, "vector", tmp_path_factory.mktemp("vector"))


@pytest.fixture
def vector(_vector: Training) -> Training:
    """Return a training that is to begin; it is compiled once."""
    _vector.begin()
    _vector.checkpoint.unlink(missing_ok=True)
    return _vector


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES.names())
def test_every_network_that_is_stopped_again_and_again_comes_to_the_same_bits(
    name: str, stop: Callable[[int], None], tmp_path: Path
) -> None:
    training = Training(network_of(name, dropout=0.3), name, tmp_path, judged=True)
    expected = training.run()
    training.begin()
    places = set()
    for looks in itertools.cycle((0, 2)):
        stop(looks)
        try:
            found = training.run()
            break
        except Stopped:
            state = read_state(training.checkpoint)
            places.add((state.epoch, state.batch))
            # Nothing of what the network holds counts any more.
            training.begin([value + 1 for value in training.first])
    assert found == expected
    assert {(0, 1), (1, 0)} <= places
    assert len(places) > 5


def test_stopped_anywhere_it_comes_to_the_same_bits(
    stop: Callable[[int], None], vector: Training
) -> None:
    expected, places = vector.run(), set()
    for looks in range(100):
        vector.begin()
        vector.checkpoint.unlink(missing_ok=True)
        stop(looks)
        try:
            vector.run()
            break
        except Stopped:
            state = read_state(vector.checkpoint)
            places.add((state.epoch, state.batch))
        # Nothing of what the network holds counts any more.
        vector.begin([value + 1 for value in vector.first])
        stop(10**9)
        assert vector.run() == expected
    assert {(e, b) for e in range(3) for b in range(4)} - {(0, 0)} <= places


def test_another_network_of_the_same_kind_goes_on(
    stop: Callable[[int], None], vector: Training
) -> None:
    expected = vector.run()
    vector.begin()
    stop(5)
    with pytest.raises(Stopped):
        vector.run()
    stop(10**9)
    other = Training(network_of("vector", dropout=0.3, seed=9), "vector", vector.folder)
    assert other.run() == expected


def test_checkpoints_are_written_at_the_interval_and_none_without_one(
    vector: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    vector.run(TrainingControl(1e-9))
    state = read_state(vector.checkpoint)
    assert (state.epoch, state.batch) == (OPTIONS.epochs, 0)
    vector.begin()
    vector.checkpoint.unlink()
    vector.run(TrainingControl(0))
    assert not vector.checkpoint.exists()


def test_what_is_told_of_an_epoch_may_end_the_training_which_goes_on_after_it(
    vector: Training,
) -> None:
    expected, told = vector.run(), []
    vector.begin()

    def ended(epoch: int, figures: Any) -> None:
        told.append((epoch, sorted(figures)))
        if epoch == 2:
            msg = "enough"
            raise TrainingError(msg, hint="")

    with pytest.raises(TrainingError, match="enough"):
        vector.run(TrainingControl(1e-9, ended))
    assert told == [(n, ["epoch", "loss", "seconds", "val_loss"]) for n in (1, 2)]
    assert vector.run() == expected


def test_a_training_that_diverges_leaves_no_checkpoint(vector: Training) -> None:
    vector.begin([v * np.nan if v.dtype.kind == "f" else v for v in vector.first])
    with pytest.raises(TrainingError, match="diverged"):
        vector.run(TrainingControl(1e-9))
    assert not vector.checkpoint.exists()


@pytest.fixture(scope="module")
def whole(_vector: Training) -> bytes:
    """Return a checkpoint."""
    _vector.begin()
    _vector.run(TrainingControl(1e-9))
    return _vector.checkpoint.read_bytes()


def test_a_checkpoint_that_is_cut_short_anywhere_is_refused(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    for length in [*range(0, len(whole), max(1, len(whole) // 50)), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(FileError, match=r"a whole checkpoint") as refused:
            read_checkpoint(path)
        assert "Delete the file" in refused.value.hint


def test_a_checkpoint_with_a_byte_changed_anywhere_in_its_arrays_is_refused(
    whole: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(whole)
    expected = repr(read_checkpoint(path))
    for place in range(40, len(whole), max(1, len(whole) // 80)):
        changed = bytearray(whole)
        changed[place] ^= 4
        path.write_bytes(changed)
        try:
            found = repr(read_checkpoint(path))
        except FileError:
            continue
        assert found == expected  # such as the time in the header of a member


@pytest.mark.parametrize("other", ["hidden", "epochs", "batches"])
def test_a_checkpoint_of_another_training_is_refused(
    other: str, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoint.npz").write_bytes(whole)
    options: dict[str, Any] = {"hidden": (9,)} if other == "hidden" else {}
    if other == "epochs":
        monkeypatch.setattr(f"{__name__}.OPTIONS", OPTIONS.model_copy(update={"epochs": 4}))
    if other == "batches":
        monkeypatch.setattr(f"{__name__}.SIZE", 2)
    training = Training(network_of("vector", dropout=0.3, **options), "vector", tmp_path)
    with pytest.raises(FileError, match=r"expected a whole checkpoint"):
        training.run()


def test_patches_go_on_in_the_middle_of_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BLOCK_BYTES", 2 * 4 * 6)
    monkeypatch.setattr(batches, "WINDOW_BYTES", 7 * 4 * 6)
    values = np.broadcast_to(np.arange(23, dtype=np.float32)[:, None, None], (23, 3, 2))
    write_patches(tmp_path / "p.hdf5", [f"i{n}" for n in range(23)], [values], (3, 2), {})

    def feed() -> Batches:
        patches = open_patches(tmp_path / "p.hdf5", [f"i{n}" for n in range(23)])
        items = ItemSet("train", [], (patches,), patches.items)
        targets = Matrix(Path(), np.arange(23, dtype=np.float32)[:, None])
        subset = TrainingSubset(items, targets, np.arange(23))
        return Batches(subset, size=3, rng=np.random.default_rng(0))

    def read(feed: Batches, first: int) -> list[Any]:
        return [feed[number][1][:, 0].tolist() for number in range(first, len(feed))]

    straight = feed()
    straight.reshuffle()
    state, rest = straight.state, read(straight, 0)
    straight.reshuffle()
    following = read(straight, 0)
    for first in range(len(rest)):
        again = feed()
        again.restore(state, first)
        assert read(again, first) == rest[first:]
        again.reshuffle()
        assert read(again, 0) == following
