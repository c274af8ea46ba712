"""``tartarus patches``: what it writes, what it leaves out, and how it goes on after a kill."""

import errno
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from shutil import copytree
from typing import Any, NoReturn

import h5py
import librosa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from tartarus_cli.audio import TRANSFORMS
from tartarus_cli.audio.starts import patch_starts
from tartarus_cli.cli.app import app
from tartarus_cli.data.patches import read_scaler
from tartarus_cli.files import atomic_write, locked, shared_folder
from tests.conftest import Command
from tests.processes import ENOUGH_S, started, waited
from tests.sounds import FAST, Sounds, tone

FRAMES, BINS = 9, 24
ORDER = ("--seconds", "0.3", "--patches", "2", *FAST)
FILES = [f"patches_{split}_songs_2_0.3.hdf5" for split in ("test", "train", "val")]
SCALER = "scaler_songs_2_0.3.npz"
LIMIT_S = 15  # far more than a good recording takes on a busy machine


@dataclass(frozen=True)
class Made:
    """A workspace after the command, and what it said."""

    sounds: Sounds
    said: dict[str, Any]
    files: dict[str, bytes]


def run(sounds: Sounds, *more: object, status: int = 0) -> Any:
    """Run the real command in this process; return what it said as JSON."""
    words = ["patches", "songs", "-w", sounds.root, *ORDER, "--json", *more]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout) if status == 0 else result.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    sounds = Sounds(tmp_path_factory.mktemp("made") / "workspace")
    said = run(sounds, "--jobs", 1)
    return Made(sounds, said, sounds.files())


@pytest.fixture
def sounds(tmp_path: Path) -> Sounds:
    """Return a workspace with recordings, of which nothing has been made."""
    return Sounds(tmp_path / "workspace")


@pytest.fixture
def again(made: Made, tmp_path: Path) -> Sounds:
    """Return a workspace in which patches have been made."""
    copytree(made.sounds.root, tmp_path / "workspace")
    return Sounds(tmp_path / "workspace")


def rows_of(path: Path) -> tuple[list[str], NDArray[np.float32], dict[str, Any]]:
    with h5py.File(path, locking=False) as store:
        ids = [each.decode() for each in store["index"][:]]
        return ids, store["features"][:, 0], dict(store.attrs)


def raw_patches(sounds: Sounds, item: str) -> NDArray[np.float32]:
    """Return an item's patches as librosa alone makes them."""
    samples, rate = soundfile.read(sounds.audio / f"{item}.wav", dtype="float32")
    magnitude = np.abs(librosa.cqt(samples, sr=rate, hop_length=256, n_bins=BINS, fmin=110.0))
    levels = librosa.power_to_db(magnitude**2, ref=np.max).T
    starts = patch_starts(len(levels), FRAMES, 2, seed=0, item=item)
    return np.stack([levels[start : start + FRAMES] for start in starts])


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_the_files_of_all_sets_and_the_scaler_are_written(made: Made) -> None:
    assert sorted(made.files) == sorted([*FILES, SCALER])
    assert made.said["items"] == {"train": 4, "val": 2, "test": 2}
    assert made.said["shape"] == [FRAMES, BINS]
    assert made.said["failed"] == {}
    assert sorted(made.said["files"]) == sorted(f"data/patches/{f}" for f in [*FILES, SCALER])


def test_rows_stand_in_the_order_of_the_ids_n_for_each_item(made: Made) -> None:
    for split, ids in made.sounds.ids.items():
        named, features, _ = rows_of(made.sounds.patches / f"patches_{split}_songs_2_0.3.hdf5")
        assert named == [item for item in ids for _ in range(2)]
        assert features.shape == (len(named), FRAMES, BINS)
        assert features.dtype == np.float32


def test_all_that_the_patches_depend_on_is_recorded(made: Made) -> None:
    recorded = [rows_of(made.sounds.patches / name)[2] for name in FILES]
    fingerprints = {attributes.pop("fingerprint") for attributes in recorded}
    assert len(fingerprints) == 1
    expected = {
        "complete": True,
        "transform": "cqt",
        "per_item": 2,
        "seconds": 0.3,
        "seed": 0,
        "sample_rate": 8000,
        "hop_length": 256,
        "bins": 24,
        "bins_per_octave": 12,
        "fmin": 110.0,
        "scaler_patches": 300_000,
    }
    assert recorded == [expected] * 3


def test_patches_are_librosas_scaled_as_scikit_learn_does_on_train_alone(made: Made) -> None:
    train = np.concatenate([raw_patches(made.sounds, item) for item in made.sounds.ids["train"]])
    scaler = StandardScaler().fit(train.reshape(len(train), -1).astype(float))
    mean, scale = read_scaler(made.sounds.patches / SCALER)
    np.testing.assert_allclose(mean, scaler.mean_, atol=1e-3)
    np.testing.assert_allclose(scale, scaler.scale_, rtol=1e-3)
    for split, ids in made.sounds.ids.items():
        _, features, _ = rows_of(made.sounds.patches / f"patches_{split}_songs_2_0.3.hdf5")
        raw = np.concatenate([raw_patches(made.sounds, item) for item in ids])
        expected = scaler.transform(raw.reshape(len(raw), -1)).reshape(raw.shape)
        np.testing.assert_allclose(features, expected, atol=2e-3)


def test_the_number_of_processes_changes_no_byte(made: Made, sounds: Sounds) -> None:
    run(sounds, "--jobs", 3, "--no-keep-spectrograms")
    assert sounds.files() == made.files
    assert not any(sounds.spectrograms.rglob("*.npy"))


def test_a_second_run_changes_no_byte_and_leaves_nothing_behind(made: Made, again: Sounds) -> None:
    before = tree(again.root)
    run(again, "--jobs", 2)
    assert again.files() == made.files
    assert tree(again.root) == before


def test_another_seed_gives_other_patches_from_the_kept_spectrograms(again: Sounds) -> None:
    before, kept = again.files(), tree(again.spectrograms)
    for path in again.audio.iterdir():
        os.utime(path, (0, 0))
    run(again, "--seed", 1, "--force")
    assert tree(again.spectrograms) == kept
    for name in FILES:
        assert again.files()[name] != before[name]


def test_changed_parameters_compute_what_depends_on_them(again: Sounds) -> None:
    before, kept = again.files(), tree(again.spectrograms)
    run(again, "--set", "bins=12", "--force")
    assert len(tree(again.spectrograms)) == 2 * len(kept)
    _, features, attributes = rows_of(again.patches / FILES[0])
    assert features.shape[1:] == (FRAMES, 12)
    assert attributes["bins"] == 12
    run(again, "--force")
    assert again.files() == before


def test_only_train_recordings_reach_the_scaler(made: Made, again: Sounds) -> None:
    for item in again.ids["val"] + again.ids["test"]:
        again.record(f"{item}.wav", tone(900, 1))
    run(again)
    after = again.files()
    assert after[SCALER] == made.files[SCALER]
    ids, features, _ = rows_of(again.patches / FILES[1])
    expected = rows_of(made.sounds.patches / FILES[1])
    assert ids == expected[0]
    np.testing.assert_array_equal(features, expected[1])
    assert after[FILES[0]] != made.files[FILES[0]]


def test_a_scaler_of_fewer_patches_is_drawn_by_the_seed(made: Made, again: Sounds) -> None:
    run(again, "--scaler-patches", 3)
    mean, _ = read_scaler(again.patches / SCALER)
    first = again.files()
    train = np.concatenate([raw_patches(made.sounds, item) for item in made.sounds.ids["train"]])
    flat = train.reshape(len(train), -1)
    each = [flat[[a, b, c]].mean(axis=0) for a in range(8) for b in range(a) for c in range(b)]
    assert min(np.abs(mean - expected).max() for expected in each) < 1e-2
    run(again, "--scaler-patches", 3)
    assert again.files() == first
    assert first[SCALER] != made.files[SCALER]


@pytest.mark.parametrize("transform", ["mel", "stft"])
def test_other_transforms_are_made_by_their_own_parameters(
    transform: str, sounds: Sounds, tartarus: Command
) -> None:
    words = ["--transform", transform, "--set", "sample_rate=8000", "--set", "n_fft=1024"]
    more = ["--set", "bins=40"] if transform == "mel" else []
    done = tartarus("patches", "songs", "-w", sounds.root, "--seconds", 0.5, *words, *more)
    assert done.status == 0, done.err
    _, features, attributes = rows_of(sounds.patches / "patches_train_songs_1_0.5.hdf5")
    assert features.shape == (4, 15, 40 if transform == "mel" else 513)
    assert attributes["transform"] == transform
    assert attributes["n_fft"] == 1024


def test_what_cannot_be_used_is_listed_and_left_out(sounds: Sounds, tartarus: Command) -> None:
    (sounds.audio / "train-0.wav").write_bytes(b"RIFF")
    (sounds.audio / "train-1.wav").write_bytes(b"")
    (sounds.audio / "test-0.wav").unlink()
    (sounds.audio / "test-1.wav").unlink()
    (sounds.audio / "test-1.wav").mkdir()
    sounds.record("val-0.wav", np.zeros((8000, 8), np.float32))
    sounds.record("train-2.wav", tone(500, 0.2, rate=96_000, channels=8), 96_000)
    named = {i: f"{i}.wav" for i in sounds.items() if i != "val-1"} | {"[b]nobody": "x.wav"}
    sounds.write_list(named)
    done = tartarus("patches", "songs", "-w", sounds.root, *ORDER)
    assert done.status == 0
    reasons = {
        "test-0": ("test-0.wav", "no such file or directory"),
        "test-1": ("test-1.wav", "a folder, not a file"),
        "train-0": ("train-0.wav", "not a recording, damaged, or in an unknown format"),
        "train-1": ("train-1.wav", "an empty file"),
        "val-1": ("", "it is not in the list"),
    }
    for item, (_, reason) in reasons.items():
        assert any(item in line and reason in line for line in done.out.splitlines()), done.out
    assert "1 item has silent patches: val-0" in done.out
    short = "1 item has a recording shorter than a patch of 0.3 s, filled up with -80 dB: train-2 "
    assert short + "(0.22 s); --seconds 0.22 would fit it" in done.out
    assert "1 recordings belong to no item and are not used: [b]nobody" in done.err
    written = (sounds.patches / "errors_songs.tsv").read_text()
    assert written == "".join(f"{i}\t{name}\t{why}\n" for i, (name, why) in reasons.items())
    kept = {"train": ["train-2", "train-3"], "val": ["val-0"], "test": []}
    for split, items in kept.items():
        ids, features, _ = rows_of(sounds.patches / f"patches_{split}_songs_2_0.3.hdf5")
        assert ids == [item for item in items for _ in range(2)]
        assert np.isfinite(features).all()


def test_a_pipe_is_refused_without_waiting_for_it(sounds: Sounds, tartarus: Command) -> None:
    (sounds.audio / "test-1.wav").unlink()
    os.mkfifo(sounds.audio / "test-1.wav")
    done = tartarus("patches", "songs", "-w", sounds.root, *ORDER, "--timeout", 10_000)
    assert done.status == 0
    written = (sounds.patches / "errors_songs.tsv").read_text()
    assert written == "test-1\ttest-1.wav\ta pipe, not a file\n"
    ids, _, _ = rows_of(sounds.patches / FILES[0])
    assert ids == ["test-0", "test-0"]


def test_the_length_that_is_proposed_for_short_recordings_fits(
    sounds: Sounds, tartarus: Command
) -> None:
    sounds.record("train-1.wav", tone(300, 0.25))
    sounds.record("val-0.wav", np.concatenate([tone(300, 0.05), np.zeros((8000, 1))]))
    words = ["patches", "songs", "-w", sounds.root, *FAST, "--patches", 2]
    done = tartarus(*words, "--seconds", 0.5)
    said = "1 item has a recording shorter than a patch of 0.5 s, filled up with -80 dB: train-1 "
    assert said + "(0.25 s); --seconds 0.25 would fit it" in done.out
    assert "silence within the recording" in done.out or "silent patches" in done.out
    done = tartarus(*words, "--seconds", 0.25)
    assert done.status == 0
    assert "shorter than a patch" not in done.out


def test_what_a_used_recording_lacks_is_listed_in_every_run(
    sounds: Sounds, tartarus: Command
) -> None:
    path = sounds.audio / "train-0.wav"
    path.write_bytes(path.read_bytes()[:-2000])
    wave = tone(300, 1)
    sounds.record("val-0.wav", np.column_stack([wave, -wave]))
    for more in ((), ("--seed", 1, "--force"), ("--no-keep-spectrograms", "--force")):
        done = tartarus("patches", "songs", "-w", sounds.root, *ORDER, *more)
        assert done.status == 0
        assert "2 recordings are used, though not as they should be" in done.out
        first, second = (sounds.patches / "errors_songs.tsv").read_text().splitlines()
        assert first.startswith("train-0\ttrain-0.wav\tused: only 0.4 of 0.5 s announced")
        assert second.startswith("val-0\tval-0.wav\tused: its channels cancel each other out")
        ids, features, _ = rows_of(sounds.patches / FILES[2])
        assert ids.count("val-0") == 2
        assert features.std() > 0.1


def test_a_list_of_failures_goes_when_there_are_none(again: Sounds) -> None:
    place = again.patches / "errors_songs.tsv"
    place.write_text("train-0\ttrain-0.wav\tdamaged\n")
    run(again)
    assert not place.exists()


def test_without_one_good_train_recording_nothing_is_written(made: Made, again: Sounds) -> None:
    for item in again.ids["train"]:
        (again.audio / f"{item}.wav").write_text("no sound")
    said = run(again, status=1)
    assert "no train recording of songs can be used; 'train-" in said
    assert "errors_songs.tsv names them all" in said
    files = again.files()
    assert files.pop("errors_songs.tsv").count(b"\n") == 4
    assert {name: files[name] for name in made.files} == made.files


NAMES = ["a/b", "../../x", "..", " blank ", "é\u2028ü", "[red]x", "x" * 3000, "~", "-w"]
SHOWN = ["../../x", "x" * 3000]


def test_no_id_makes_a_file_outside_of_the_workspace(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path / "workspace", {"train": 1, "val": 1})
    sounds.name("train", NAMES)
    sounds.write_list({item: f"sub/{n}.wav" for n, item in enumerate(NAMES)})
    for n in range(len(NAMES)):
        sounds.record(f"sub/{n}.wav", tone(200 + 50 * n, 0.4))
    before = tree(tmp_path)
    run(sounds, "--seed", 3)
    ids, _, _ = rows_of(sounds.patches / FILES[1])
    assert ids == [item for item in NAMES for _ in range(2)]
    for item in SHOWN:
        run(sounds, f"--show={item}")
    new = {name.split("/")[:3][-1] for name in tree(tmp_path) - before}
    assert new == {"patches", "spectrograms", "results"}
    assert len(list((sounds.root / "data" / "results").iterdir())) == len(SHOWN)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--transform", "cqqt"], "Did you mean cqt"),
        (["--set", "binz=3"], "Did you mean bins"),
        (["--set", "bins=two"], "valid integer, not 'two'"),
        (["--set", "bins=0"], "greater than or equal to 1"),
        (["--set", "bins=90"], "above half the sample rate of 8,000"),
        (["--seconds", "0.01"], "shorter than one frame"),
        (["--seed", str(1 << 63)], "seed: Input should be less than"),
        (["--patches", "0"], "'--patches'"),
        (["--seconds", "nan"], "'--seconds'"),
        (["--audio", "nowhere"], "there is no folder nowhere"),
        (["--show", "train-9"], "Did you mean train-"),
        (["--show", "train-0", "--to", "x.gif"], "x.gif"),
        (["--to", "x.png"], "--show"),
    ],
)
def test_what_is_asked_wrongly_is_told_and_nothing_is_written(
    words: list[str], reason: str, sounds: Sounds
) -> None:
    assert reason in run(sounds, *words, status=2)
    assert sounds.files() == {}


def test_an_unknown_dataset_is_told(sounds: Sounds, tartarus: Command) -> None:
    done = tartarus("patches", "song", "-w", sounds.root)
    assert done.status == 2
    assert "Did you mean songs?" in done.err
    assert tartarus("patches", "../x", "-w", sounds.root).status == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "name their folder: --audio FOLDER"),
        ("", "an empty list"),
        ("train-0 train-0.wav\n", "line 1: 'train-0 train-0.wav'"),
        ("train-0\ta\ntrain-0\tb\n", "'train-0' in lines 1 and 2"),
        ("somebody\ta.wav\n", "songs.tsv: none of its ids ('somebody', …) is an item of songs"),
    ],
)
def test_a_list_that_cannot_be_used_is_told(
    content: str | None, reason: str, sounds: Sounds
) -> None:
    sounds.list.unlink()
    if content is not None:
        sounds.list.write_text(content)
    assert reason in run(sounds, status=1).replace("\n", " ")


def test_two_items_of_one_file_are_told_and_both_made(sounds: Sounds, tartarus: Command) -> None:
    named = {item: f"{item}.wav" for item in sounds.items()} | {"train-1": "train-0.wav"}
    sounds.write_list(named)
    done = tartarus("patches", "songs", "-w", sounds.root, *ORDER)
    assert done.status == 0
    assert "1 recordings belong to two items: train-0 and train-1" in done.err
    ids, features, _ = rows_of(sounds.patches / FILES[1])
    assert ids[:4] == ["train-0", "train-0", "train-1", "train-1"]
    assert (features[0] != features[2]).any()


def test_a_folder_becomes_the_list(made: Made, sounds: Sounds) -> None:
    expected = sounds.list.read_text()
    sounds.list.unlink()
    run(sounds, "--audio", sounds.audio)
    assert sorted(sounds.list.read_text().splitlines()) == sorted(expected.splitlines())
    assert sounds.files() == made.files
    sounds.list.write_text("train-0\ttrain-1.wav\n")
    assert "is there already" in run(sounds, "--audio", sounds.audio, status=2)
    assert sounds.list.read_text() == "train-0\ttrain-1.wav\n"


def test_two_files_of_one_name_in_a_folder_are_told(sounds: Sounds) -> None:
    sounds.list.unlink()
    sounds.record("other/train-0.flac", tone(300, 1))
    assert "would both be 'train-0'" in run(sounds, "--audio", sounds.audio, status=2)
    assert not sounds.list.exists()


@pytest.mark.parametrize(("name", "start"), [("x.png", b"\x89PNG"), ("x.svg", b"<?xml")])
def test_an_items_patches_are_drawn(
    name: str, start: bytes, sounds: Sounds, tmp_path: Path
) -> None:
    said = run(sounds, "--show", "train-0", "--to", tmp_path / name)
    assert said == {"picture": str(tmp_path / name)}
    assert (tmp_path / name).read_bytes().startswith(start)
    assert sounds.files() == {}
    assert not any(sounds.spectrograms.rglob("*"))


def test_a_recording_that_cannot_be_drawn_is_told(sounds: Sounds) -> None:
    (sounds.audio / "train-0.wav").write_text("no sound")
    sounds.write_list({"train-0": "train-0.wav"})
    assert "train-0.wav: not a recording" in run(sounds, "--show", "train-0", status=1)
    assert "does not name 'val-0'" in run(sounds, "--show", "val-0", status=1)


def test_two_commands_at_the_same_dataset_are_one_too_many(sounds: Sounds) -> None:
    with locked(sounds.patches / ".making_songs.lock"):
        assert "another command is doing this work already" in run(sounds, status=2)


def test_what_a_killed_command_left_is_removed(made: Made, again: Sounds) -> None:
    (kept,) = again.spectrograms.iterdir()
    left = [
        again.patches / f".0123abcd-{FILES[0]}",
        again.patches / f".0123abce-{SCALER}",
        kept / ".tartarus-0123abcf-0.npy",
        again.patches / ".tartarus-0123abcf-0.hdf5",
        again.list.with_name(f".0123abcf-{again.list.name}"),
    ]
    stays = [again.patches / ".0123abcd-notes.txt", again.patches / ".x", kept / "README"]
    for path in left + stays:
        path.write_text("half")
    run(again)
    assert not any(path.exists() for path in left)
    for path in stays:
        path.unlink()
    assert again.files() == made.files


def test_patches_under_an_older_name_are_neither_lost_nor_contradicted(
    again: Sounds, tartarus: Command
) -> None:
    for name in FILES:
        old = (again.patches / name).rename(again.patches / name.replace("_2_0.3", "_2x0.3"))
        before = old.read_bytes()
    done = tartarus("patches", "songs", "-w", again.root, *ORDER, "--seed", 1)
    assert done.status == 1
    assert "_2x0.3.hdf5 is there already" in done.err
    assert old.read_bytes() == before
    assert sorted(again.files()) == sorted([SCALER, *(n.replace("_2_0", "_2x0") for n in FILES)])


def test_a_file_system_without_locks_is_no_hindrance(
    sounds: Sounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: object) -> NoReturn:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refused)
    run(sounds)
    assert sorted(sounds.files()) == sorted([*FILES, SCALER])


def test_nobody_tidies_a_folder_up_that_another_writes_into(tmp_path: Path) -> None:
    left = tmp_path / ".tartarus-0123abcd-0.npy"
    left.write_text("half")
    with atomic_write(tmp_path / "0.npy", one_of_many=True) as half:
        half.write_text("whole")
        with shared_folder(tmp_path):
            assert not left.exists()
            assert half.exists()
        assert half.exists()
    assert (tmp_path / "0.npy").read_text() == "whole"


def patches_of(sounds: Sounds) -> "AbstractContextManager[subprocess.Popen[str]]":
    """Start the command with two processes."""
    words = ["patches", "songs", "-w", str(sounds.root), *ORDER, "--jobs", "2"]
    return started([sys.executable, "-m", "tartarus_cli", *words])


def alive(group: int) -> list[int]:
    """Return the processes of a group that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.fixture
def many(tmp_path: Path) -> Sounds:
    return Sounds(tmp_path / "workspace", {"train": 8, "val": 2, "test": 2})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    sounds = Sounds(
        tmp_path_factory.mktemp("whole") / "workspace", {"train": 8, "val": 2, "test": 2}
    )
    run(sounds)
    return contents(sounds)


def contents(sounds: Sounds) -> dict[str, str]:
    """Return a hash of every file under data, but for locks."""
    data = sounds.root / "data"
    files = (path for path in data.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(p.relative_to(data)): sha256(p.read_bytes()).hexdigest() for p in files}


linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def ended(command: "subprocess.Popen[str]") -> bool:
    """Whether all processes of a command end soon."""
    return waited(lambda: not alive(command.pid))


@linux
@pytest.mark.slow
@pytest.mark.parametrize("killed", ["main process", "all processes"])
def test_killed_at_any_moment_it_goes_on_and_ends_the_same(
    killed: str, many: Sounds, undisturbed: dict[str, str]
) -> None:
    rng = np.random.default_rng(len(killed))
    for least in rng.permutation([0, 3, 8, 12])[:3]:
        with patches_of(many) as command:
            assert waited(partial(has_done, many, least))
            time.sleep(rng.uniform(0, 0.2))
            if killed == "main process":
                command.kill()
            else:
                os.killpg(command.pid, signal.SIGKILL)
            command.communicate(timeout=ENOUGH_S)
            assert ended(command)
    run(many)
    assert contents(many) == undisturbed


def has_done(sounds: Sounds, least: int) -> bool:
    """Whether so many spectrograms are there."""
    return len(list(sounds.spectrograms.glob("*/[!.]*.npy"))) >= least


@linux
@pytest.mark.slow
def test_an_interrupted_command_ends_tidily_and_goes_on(
    many: Sounds, undisturbed: dict[str, str]
) -> None:
    for wait, times in ((0.0, 1), (0.4, 2)):
        with patches_of(many) as command:
            assert waited(many.patches.exists)
            time.sleep(wait)
            for _ in range(times):
                with suppress(ProcessLookupError):  # it may have ended by itself
                    os.killpg(command.pid, signal.SIGINT)
                time.sleep(0.05)
            out, err = command.communicate(timeout=ENOUGH_S)
            if command.returncode:
                assert command.returncode in (130, -signal.SIGINT)  # a shell says 130 of both
                assert out == ""
                assert err in ("", "interrupted\n")  # nothing is said before the command is loaded
            assert ended(command)
    run(many)
    assert contents(many) == undisturbed


def test_a_folder_of_which_no_file_is_of_an_item_is_not_listed(sounds: Sounds) -> None:
    sounds.list.unlink()
    names = {sounds.audio / f"{item}.wav": item for item in sounds.items()}
    for number, path in enumerate(names):
        path.rename(path.with_name(f"track{number}.wav"))
    said = run(sounds, "--audio", sounds.audio, status=1)
    assert "audio: none of its ids ('track0.wav', …) is an item of songs" in said
    assert "ids such as 'train-0'" in said
    assert not sounds.list.exists()
    for number, path in enumerate(names):
        path.with_name(f"track{number}.wav").rename(path)
    run(sounds, "--audio", sounds.audio)
    assert sounds.list.exists()


def test_every_file_of_a_folder_is_used_or_listed(sounds: Sounds, tartarus: Command) -> None:
    sounds.list.unlink()
    audio = sounds.audio
    (audio / "train-0.wav").rename(audio / "train-0.xyz")
    (audio / "train-1.wav").rename(audio / "stranger.wav")
    (audio / "._val-0.wav").write_bytes(b"\0\x05\x16\x07" + bytes(200))
    (audio / "cover.jpg").touch()
    done = tartarus("patches", "songs", "-w", sounds.root, *ORDER, "--audio", audio)
    assert done.status == 0
    assert "1 other file is in " in done.err
    assert "not read: 1 .jpg" in done.err
    assert "2 files of " in done.err
    lines = (sounds.patches / "errors_songs.tsv").read_text().splitlines()
    assert [line.split("\t")[::2] for line in lines] == [
        ["._val-0.wav", "what a Mac writes beside a file, not its content"],
        ["stranger.wav", "it belongs to no item"],
        ["train-0", "train-0.xyz is no recording: unknown extension .xyz"],
        ["train-0.xyz", "unknown extension .xyz"],
        ["train-1", "it has no recording in workspace/audio"],
    ]
    assert "._val-0" not in sounds.list.read_text()
    # An older version listed it.
    sounds.list.write_text(sounds.list.read_text() + "._val-0.wav\t._val-0.wav\n")
    assert tartarus("patches", "songs", "-w", sounds.root, *ORDER, "--audio", audio).status == 0


def test_other_patches_are_not_replaced_without_being_asked(
    made: Made, again: Sounds, tartarus: Command
) -> None:
    words = ["patches", "songs", "-w", again.root, "--seconds", 0.3, "--patches", 2]
    for change, said in (
        (["--transform", "mel", "--set", "sample_rate=8000"], "transform cqt, not mel"),
        ([*FAST, "--seed", 1], "seed 0, not 1"),
        ([*FAST[:-2], "--set", "fmin=100"], "fmin 110.0, not 100.0"),
    ):
        done = tartarus(*words, *change)
        assert done.status == 2
        assert f"songs_2_0.3.hdf5 holds other patches already: {said}" in done.err
        assert "To replace them: --force" in done.err
        assert {name: again.files()[name] for name in made.files} == made.files
        proposed = re.search(r"--name [\w-]+", done.err)
        assert proposed is not None
        done = tartarus(*words, *change, *proposed[0].split())
        assert done.status == 0, done.err
        files = again.files()
        assert {name: files[name] for name in made.files} == made.files
    assert len(files) == 4 * len(made.files)
    done = tartarus(*words, *FAST, "--seed", 1, "--force")
    assert done.status == 0
    assert again.files()[FILES[0]] != made.files[FILES[0]]


def test_patches_that_do_not_say_how_they_were_made_are_not_replaced(again: Sounds) -> None:
    path = again.patches / FILES[1]
    with h5py.File(path, "a", locking=False) as store:
        for name in list(store.attrs):
            del store.attrs[name]
    before = path.read_bytes()
    assert "they do not say how they were made" in run(again, status=2)
    assert path.read_bytes() == before
    run(again, "--force")


@pytest.mark.parametrize("damage", ["cut", "unfinished"])
def test_damaged_patches_are_replaced(damage: str, made: Made, again: Sounds) -> None:
    path = again.patches / FILES[1]
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    else:
        with h5py.File(path, "a", locking=False) as store:
            store.attrs["complete"] = False
            store.attrs["seed"] = 4
    run(again)
    assert again.files() == made.files


@pytest.mark.parametrize("name", ["a_b", "a/b", "..", "-x", "é", "x" * 60])
def test_a_name_that_no_file_can_have_is_refused(name: str, sounds: Sounds) -> None:
    assert "no possible name of patches" in run(sounds, f"--name={name}", status=2)
    assert sounds.files() == {}


def test_what_a_drawn_recording_lacks_is_said(
    sounds: Sounds, tartarus: Command, tmp_path: Path
) -> None:
    wave = tone(300, 1)
    sounds.record("val-0.wav", np.column_stack([wave, -wave]))
    sounds.record("val-1.wav", np.zeros((8000, 2), np.float32))
    words = ["patches", "songs", "-w", sounds.root, *ORDER, "--to", tmp_path / "x.png", "--show"]
    assert "val-0.wav: its channels cancel each other out" in tartarus(*words, "val-0").err
    assert "val-1.wav is silent" in tartarus(*words, "val-1").err
    assert tartarus(*words, "train-0").err == ""


def test_a_picture_needs_no_list_and_keeps_none(sounds: Sounds, tmp_path: Path) -> None:
    sounds.list.unlink()
    to = tmp_path / "x.png"
    run(sounds, "--show", "train-0", "--to", to, "--audio", sounds.audio)
    assert to.exists()
    assert not sounds.list.exists()


def test_the_folder_may_start_from_the_home_of_the_user(
    sounds: Sounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds.list.unlink()
    monkeypatch.setenv("HOME", str(sounds.root))
    run(sounds, "--audio", "~/audio")
    assert "train-0\ttrain-0.wav" in sounds.list.read_text()


def test_patches_under_both_names_are_never_made_to_disagree(again: Sounds) -> None:
    copy = again.patches / FILES[1].replace("_2_0.3", "_2x0.3")
    copy.write_bytes((again.patches / FILES[1]).read_bytes())
    before = again.files()
    said = run(again, "--seed", 3, status=1)
    assert "_2x0.3.hdf5 is there already" in said
    assert again.files() == before


def test_what_was_prepared_for_patches_of_another_kind_goes_in_the_end(sounds: Sounds) -> None:
    left = [sounds.patches / f".making_{name}" for name in ("songs_50_2", "songs_2_0.4")]
    stays = [sounds.patches / f".making_{name}" for name in ("song_50_2", "songs-b_2_0.3")]
    for folder in left + stays:
        folder.mkdir(parents=True)
        (folder / "half.npy").write_text("half")
    sounds.write_list({"val-0": "val-0.wav"})
    run(sounds, status=1)
    assert all(folder.exists() for folder in left)  # it did not end well
    sounds.write_list({item: f"{item}.wav" for item in sounds.items()})
    run(sounds)
    assert not any(folder.exists() for folder in left)
    assert all(folder.exists() for folder in stays)


def test_help_names_the_parameters_of_each_transform(tartarus: Command) -> None:
    told = re.sub(r"[│\s]+", " ", tartarus("patches", "--help").out)
    for name in TRANSFORMS.names():
        found = re.search(rf"\b{name}: (\w+(, \w+)*)[;.] ", told[told.index("Override") :])
        assert found
        assert {*found[1].split(", ")} == {*TRANSFORMS.get(name).options.model_fields}
