"""``--resume``: what goes on, what is refused by name, and what is said of it."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

import tartarus_cli as tt
from tartarus_cli import plugins, signals
from tartarus_cli.files import locked
from tartarus_cli.models.store import Model, Store
from tartarus_cli.training import epochs
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command, run_command
from tests.sharing import made_once
from tests.worlds import World

QUICK = (
    *("--set", "training.epochs=2", "--set", "training.batch_size=20"),
    *("--set", "network.hidden=8", "--set", "network.dropout=0.3"),
)
WORDS = ("rec_dense", "text", "--dataset", "rec", *QUICK)


@contextmanager
def stopped_after(steps: int) -> Iterator[None]:
    """Let a signal come while a step of a training is done."""
    left = [steps]
    original = epochs.Epochs.batch_ends

    def batch_ends(self: epochs.Epochs, figures: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            assert signals._pending is not None
            signals._pending.append(signal.SIGINT)
        original(self, figures)

    # It may be ignored here, as in what a shell has put into the background.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(epochs.Epochs, "batch_ends", batch_ends)
            yield
    finally:
        signal.signal(signal.SIGINT, handler)


def bits_of(model: Model) -> tuple[bytes, list[str]]:
    """Return the weights of a model, and its history without the seconds."""
    import h5py

    arrays: list[bytes] = []
    with ZipFile(model.network) as archive, archive.open("model.weights.h5") as member:
        file = h5py.File(member)
        file.visititems(
            lambda _, each: (
                arrays.append(np.asarray(each).tobytes())
                if isinstance(each, h5py.Dataset)
                else None
            )
        )
    lines = model.history.read_text().splitlines()
    return b"".join(arrays), [line.rpartition(",")[0] for line in lines]


def write_stopped(root: Path) -> None:
    """Write a workspace with a finished model_1, and a model_2 that was stopped."""
    world = World(root)
    world.recommendation("rec", val=True)
    assert run_command("train", *WORDS, "-w", root).status == 0
    with stopped_after(3):
        done = run_command("train", *WORDS, "-w", root)
    assert done.status == 130
    line = "model_2 was interrupted; it goes on (epoch 2 of 2) with tartarus train --resume model_2"
    assert line in done.err


@pytest.fixture(scope="module")
def _stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "stopped", write_stopped)


@pytest.fixture
def stopped(_stopped: Path, tmp_path: Path) -> World:
    """Return a world whose model_2 was stopped; model_1 is what it would have become."""
    return World(Path(copytree(_stopped, tmp_path / "workspace")))


def store_of(world: World) -> Store:
    return Store(open_workspace(world.root))


def test_the_newest_goes_on_and_keeps_its_number(stopped: World, tartarus: Command) -> None:
    done = tartarus("train", "--resume", "-w", stopped.root)
    assert done.status == 0, done.err
    assert "model_2 goes on: epoch 2 of 2" in done.err
    store = store_of(stopped)
    assert bits_of(store.get("model_2")) == bits_of(store.get("model_1"))
    assert store.get("model_2").manifest.resumed == 1
    assert store.names() == {"model_1", "model_2"}
    files = {path.name for path in store.get("model_2").folder.iterdir()}
    assert files == {path.name for path in store.get("model_1").folder.iterdir()}
    again = tartarus("train", "--resume", "-w", stopped.root)
    assert (again.status, "no training that was stopped" in again.err) == (2, True)


def test_run_goes_on_with_the_training_and_then_to_the_figures(
    stopped: World, tartarus: Command
) -> None:
    done = tartarus("run", "--resume", "model_2", "-w", stopped.root, "--json")
    assert done.status == 0, done.err
    assert done.document["model"] == "model_2"
    again = tartarus("run", "model_2", "--resume", "-w", stopped.root, "--json")
    assert again.status == 0, again.err
    assert "model_2 is trained: its predictions and its evaluation follow" in again.err
    assert again.document["metrics"] == done.document["metrics"]


def test_what_can_go_on_is_listed_and_shown(stopped: World, tartarus: Command) -> None:
    listed = tartarus("models", "list", "-w", stopped.root)
    assert "Next: tartarus train --resume model_2" in listed.out
    shown = tartarus("models", "show", "model_2", "-w", stopped.root).out
    assert "interrupted, epoch 2 of 2, resumable: stopped from outside" in shown
    document = tartarus("models", "list", "-w", stopped.root, "--json").document
    assert [each["resumable"] for each in document] == [False, True]
    used = tartarus("predict", "model_2", "-w", stopped.root)
    assert (used.status, "tartarus train --resume model_2" in used.err) == (2, True)


def forget_status(world: World, status: str) -> Path:
    """Let a manifest say what it says after its process was killed."""
    path = world.root / "data" / "models" / "model_2" / "manifest.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"status": status, "reason": ""}))
    return path


def test_a_killed_training_is_no_running_one_and_a_running_one_is_refused(
    stopped: World, tartarus: Command
) -> None:
    folder = forget_status(stopped, "training").parent
    assert "stopped, epoch 2" in tartarus("models", "show", "model_2", "-w", stopped.root).out
    checked = tartarus("check-data", "-w", stopped.root, "--json").out
    assert "the training of model_2 has not ended (epoch 2 of 2)" in checked
    assert "tartarus train --resume model_2" in checked
    with locked(folder / ".training.lock"):
        refused = tartarus("train", "--resume", "model_2", "-w", stopped.root)
        assert (refused.status, "is being trained" in refused.err) == (2, True)
        newest = tartarus("train", "--resume", "-w", stopped.root)
        assert (newest.status, "model_2 is being trained" in newest.err) == (2, True)
        assert "has not ended" not in tartarus("check-data", "-w", stopped.root).out
    assert tartarus("train", "--resume", "model_2", "-w", stopped.root).status == 0


def change_features(world: World) -> str:
    path = world.features / "X_val_text_rec.npy"
    np.save(path, np.load(path) * 2)
    return "X_val_text_rec.npy is not what it was"


def remove_targets(world: World) -> str:
    (world.datasets / "item_factors_als_4_rec.npy").unlink()
    return "item_factors_als_4_rec.npy is missing"


def add_mask(world: World) -> str:
    count = len(np.load(world.features / "X_train_text_rec.npy"))
    mask = np.ones(count, bool)
    np.save(world.features / "mask_train_text_rec.npy", mask)
    return "mask_train_text_rec.npy was not there"


def change_version(world: World) -> str:
    path = world.root / "data" / "models" / "model_2" / "manifest.json"
    document = json.loads(path.read_text())
    document["versions"]["keras"] = "3.0.0"
    path.write_text(json.dumps(document))
    return "began with keras 3.0.0; here is keras"


def change_backend(world: World) -> str:
    path = world.root / "data" / "models" / "model_2" / "manifest.json"
    document = json.loads(path.read_text())
    document["versions"]["backend"] = "torch"
    path.write_text(json.dumps(document))
    return "Set KERAS_BACKEND=torch"


def damage_checkpoint(world: World) -> str:
    path = world.root / "data" / "models" / "model_2" / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-100])
    return "expected a whole checkpoint of model_2"


@pytest.mark.parametrize(
    "change",
    [
        change_features,
        remove_targets,
        add_mask,
        change_version,
        change_backend,
        damage_checkpoint,
    ],
)
def test_what_has_changed_is_refused_by_name_and_nothing_else_changes(
    change: Callable[[World], str], stopped: World, tartarus: Command
) -> None:
    named = change(stopped)
    before = store_of(stopped).find("model_2").manifest
    refused = tartarus("train", "--resume", "model_2", "-w", stopped.root)
    assert refused.status == 1, refused.err
    assert named in refused.err.replace("\n", " ")
    after = store_of(stopped).find("model_2").manifest
    assert after == before


def test_code_that_has_changed_or_is_gone_is_refused_by_name(
    stopped: World, tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = stopped.root / "mine.py"
    code.write_text("NUMBER = 1\n")
    with stopped_after(1):
        assert tartarus("train", *WORDS, "--code", code, "-w", stopped.root).status == 130
    monkeypatch.setattr(plugins, "_RUN", {})  # as in a new process
    code.write_text("NUMBER = 2\n")
    refused = tartarus("train", "--resume", "-w", stopped.root)
    assert refused.status == 1
    assert "mine.py is not what it was when the training of model_3 began" in refused.err
    moved = code.rename(stopped.root / "moved.py")
    refused = tartarus("train", "--resume", "-w", stopped.root)
    assert (refused.status, "mine.py is missing, the code" in refused.err) == (1, True)
    moved.write_text("NUMBER = 1\n")
    done = tartarus("train", "--resume", "--code", moved, "-w", stopped.root)
    assert done.status == 0, done.err


def test_a_damaged_checkpoint_is_reported_and_its_training_begins_again_without_it(
    stopped: World, tartarus: Command
) -> None:
    damage_checkpoint(stopped)
    assert "checkpoint.npz" in tartarus("check-data", "-w", stopped.root).out
    (stopped.root / "data" / "models" / "model_2" / "checkpoint.npz").unlink()
    done = tartarus("train", "--resume", "model_2", "-w", stopped.root)
    assert (done.status, "begins again" in done.err) == (0, True)
    store = store_of(stopped)
    assert bits_of(store.get("model_2")) == bits_of(store.get("model_1"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--resume", "rec_dense", "text"), "--resume takes the name of a model"),
        (("--resume", "--seed", "3"), "--resume and --seed exclude each other"),
        (("--resume", "--set", "training.epochs=9"), "--resume and --set exclude each other"),
        (("--resume", "model_2", "--dataset", "rec"), "--resume and --dataset exclude"),
        (("--resume", "model_9"), "there is no model called 'model_9'"),
        (("--resume", "model_1"), "model_1 is finished"),
        ((), "no experiment is named"),
        ((*WORDS, "--checkpoint-every", "10"), "'10' is not a time"),
    ],
)
def test_wrong_requests_are_explained(
    words: tuple[str, ...], said: str, stopped: World, tartarus: Command
) -> None:
    refused = tartarus("train", *words, "-w", stopped.root)
    assert (refused.status, said in refused.err) == (2, True), refused.err
    assert store_of(stopped).names() == {"model_1", "model_2"}


def test_in_python_it_goes_on_too_and_a_deleted_one_leaves_nothing(stopped: World) -> None:
    with pytest.raises(tt.TartarusError, match="`resume` and `seed` exclude each other"):
        tt.train(resume=True, seed=2, workspace=stopped.root)
    model = tt.train(resume="model_2", workspace=stopped.root, checkpoint_every=0)
    assert model.manifest.status == "finished"


def test_a_stopped_model_is_deleted_with_its_checkpoint(stopped: World, tartarus: Command) -> None:
    assert tartarus("models", "delete", "model_2", "--yes", "-w", stopped.root).status == 0
    assert not (stopped.root / "data" / "models" / "model_2").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["als", "free", "history", "residual"])
def test_two_towers_of_every_kind_go_on(kind: str, world: World, tartarus: Command) -> None:
    world.recommendation("plays", val=True)
    users = ("two_tower.residual=ridge",) if kind == "residual" else (f"two_tower.users={kind}",)
    words = ["train", "two_tower", "text-sparse", "--dataset", "plays", "-w", world.root]
    for each in (*users, "targets.dim=4", "training.epochs=2", "training.batch_size=20"):
        words += ["--set", each]
    assert tartarus(*words).status == 0
    with stopped_after(3):
        assert tartarus(*words).status == 130
    assert tartarus("train", "--resume", "-w", world.root).status == 0
    first, *_, last = [m for m in store_of(world).finished() if m.manifest.kind == "network"]
    assert bits_of(last) == bits_of(first)
    assert last.manifest.resumed == 1


@pytest.mark.slow
def test_a_blend_goes_on_with_the_part_in_the_middle(world: World, tartarus: Command) -> None:
    world.recommendation("plays", val=True)
    words = ["train", "cold_sparse", "text-sparse", "--dataset", "plays", "-w", world.root]
    words += ["--set", 'network.parts=["knn", "two_tower"]']
    with stopped_after(3):
        stopped = tartarus(*words)
    assert stopped.status == 130
    assert "tartarus train --resume model_2" in stopped.err
    done = tartarus("train", "--resume", "-w", world.root, "--json")
    assert done.status == 0, done.err
    assert "model_2 is a part of cold_sparse text-sparse, which goes on" in done.err
    blend = store_of(world).get(done.document["model"])
    assert (blend.name, {*blend.manifest.parts}) == ("model_3", {"model_1", "model_2"})
    assert store_of(world).get("model_2").manifest.resumed == 1
