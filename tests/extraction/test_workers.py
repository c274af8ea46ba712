"""Recordings are prepared side by side; what one of them does harms no other."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PosixPath
from typing import Any, NoReturn

import librosa
import numpy as np
import pytest
import soundfile

from tartarus_cli.audio.cqt import CqtOptions
from tartarus_cli.audio.decoding import RecordingError
from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.errors import FileError, TartarusError
from tartarus_cli.extraction import processes
from tartarus_cli.extraction import workers as recordings
from tartarus_cli.extraction.patch_job import PatchJob, PreparedRecording, prepare
from tartarus_cli.extraction.workers import (
    FailedRecording,
    Recording,
    WorkerOptions,
    prepare_all,
    worker_options,
)
from tests.sounds import tone

RECIPE = PatchRecipe(
    transform="cqt",
    parameters=CqtOptions(sample_rate=8000, hop_length=256, bins=24, fmin=110.0),
    per_item=2,
    seconds=0.3,
)


LIMIT_S = 15  # far more than a good recording takes on a busy machine


class Deadly(PosixPath):
    """A recording whose decoder crashes."""

    def open(self, *_args: Any, **_more: Any) -> NoReturn:
        """Crash."""
        os._exit(3)


class Endless(PosixPath):
    """A recording that is never read to its end."""

    def open(self, *_args: Any, **_more: Any) -> NoReturn:
        """Wait for ever."""
        while True:
            time.sleep(1)


class Strange(PosixPath):
    """A recording that makes a library raise what cannot be sent to another process."""

    def open(self, *_args: Any, **_more: Any) -> NoReturn:
        """Raise."""
        raise FileError(self, found="one\tthing", expected="another", hint="none")


@pytest.fixture
def job(tmp_path: Path) -> PatchJob:
    return PatchJob(RECIPE, tmp_path / "staging", tmp_path / "spectrograms", keep_spectrograms=True)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "sound.wav", tone(440, 1), 8000, subtype="FLOAT")
    return tmp_path / "sound.wav"


def all_of(
    job: PatchJob, some: Sequence[Recording], workers: WorkerOptions
) -> dict[str, PreparedRecording | FailedRecording]:
    found = prepare_all(job, some, workers, lambda: None)
    return {each.recording.item: each for each in found}


def test_patches_are_those_of_librosa(job: PatchJob, sound: Path) -> None:
    prepared = prepare(job, Recording("a", sound))
    samples, rate = soundfile.read(sound, dtype="float32")
    whole = np.abs(librosa.cqt(samples, sr=rate, hop_length=256, n_bins=24, fmin=110.0))
    levels = librosa.power_to_db(whole**2, ref=np.max).T
    windows = np.lib.stride_tricks.sliding_window_view(levels, (RECIPE.frames, 24))[:, 0]
    for patch in np.load(prepared.patches):
        assert np.abs(windows - patch).max(axis=(1, 2)).min() < 1e-2
    assert not prepared.silent


def test_a_kept_spectrogram_is_used_again(job: PatchJob, sound: Path) -> None:
    first = np.load(prepare(job, Recording("a", sound)).patches)
    (kept,) = job.spectrogram_folder.iterdir()
    magnitude = np.load(kept)
    np.save(kept, magnitude[::-1])
    again = np.load(prepare(replace_staging(job), Recording("a", sound)).patches)
    np.testing.assert_array_equal(again, first[..., ::-1])


def replace_staging(job: PatchJob) -> PatchJob:
    return replace(job, staging=job.staging / "other")


@pytest.mark.parametrize("damage", ["cut", "text", "bins", "nan", "negative", "flat", "a folder"])
def test_a_damaged_spectrogram_is_computed_again(damage: str, job: PatchJob, sound: Path) -> None:
    first = prepare(job, Recording("a", sound)).patches.read_bytes()
    (kept,) = job.spectrogram_folder.iterdir()
    good = kept.read_bytes()
    magnitude = np.load(kept)
    if damage == "cut":
        kept.write_bytes(good[:-1])
    elif damage == "text":
        kept.write_text("spectrogram")
    elif damage == "a folder":
        kept.unlink()
        kept.with_suffix("").mkdir()
    else:
        bad = {
            "bins": magnitude[:-1],
            "nan": magnitude * np.nan,
            "negative": -magnitude,
            "flat": magnitude.ravel(),
        }
        np.save(kept, bad[damage])
    again = prepare(replace_staging(job), Recording("a", sound))
    assert again.patches.read_bytes() == first
    assert kept.read_bytes() == good


def test_damaged_patches_that_wait_are_cut_again(job: PatchJob, sound: Path) -> None:
    prepared = prepare(job, Recording("a", sound))
    good = prepared.patches.read_bytes()
    for bad in (b"", good[:100], good[:-1]):
        prepared.patches.write_bytes(bad)
        assert prepare(job, Recording("a", sound)) == prepared
        assert prepared.patches.read_bytes() == good


def test_a_changed_recording_is_not_taken_for_the_old_one(job: PatchJob, sound: Path) -> None:
    before = prepare(job, Recording("a", sound))
    soundfile.write(sound, tone(200, 1), 8000)
    after = prepare(job, Recording("a", sound))
    assert after.patches != before.patches
    assert len(list(job.spectrogram_folder.iterdir())) == 2


def test_spectrograms_are_not_kept_where_they_are_not_wanted(job: PatchJob, sound: Path) -> None:
    prepare(replace(job, keep_spectrograms=False), Recording("a", sound))
    assert not job.spectrograms.exists()


def test_ids_are_no_part_of_a_file_name(job: PatchJob, sound: Path) -> None:
    for item in ("../../../x", "/etc/x", "é\u2028 b", "x" * 5000, "a\0b", "..", "~"):
        place = prepare(job, Recording(item, sound)).patches
        assert place.parent == job.staging
        assert place.stem.isalnum()


def test_silence_is_told(job: PatchJob, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    prepared = prepare(job, Recording("a", tmp_path / "silent.wav"))
    assert prepared.silent
    assert (np.load(prepared.patches) == -80).all()


def test_a_remark_is_kept_with_the_spectrogram_and_with_the_patches(
    job: PatchJob, tmp_path: Path
) -> None:
    wave = tone(440, 1)[:, 0]
    soundfile.write(tmp_path / "a.wav", np.column_stack([wave, -wave]), 8000)
    recording = Recording("a", tmp_path / "a.wav")
    first = prepare(job, recording)
    assert "cancel" in first.remark
    assert prepare(job, recording) == first
    again = prepare(replace_staging(job), recording)
    assert again.remark == first.remark
    first.patches.with_suffix(".json").unlink()
    assert prepare(job, recording) == first


def test_a_file_that_may_not_be_read_is_told(
    job: PatchJob, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(recordings, "digest", refused)
    with pytest.raises(RecordingError, match=r"^permission denied$"):
        prepare(job, Recording("a", sound))


def test_what_fails_or_crashes_is_told_and_harms_nothing_else(
    job: PatchJob, sound: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    bad = {
        "missing": tmp_path / "none.wav",
        "folder": tmp_path,
        "text": tmp_path / "text.wav",
        "deadly": Deadly(sound),
        "strange": Strange(sound),
        "long": tmp_path / ("x" * 300),
    }
    good = {f"good-{n}": sound for n in range(6)}
    some = [Recording(item, path) for item, path in (bad | good).items()]
    found = all_of(job, some, WorkerOptions(2, timeout_s=300))
    reasons = {i: each.reason for i, each in found.items() if isinstance(each, FailedRecording)}
    assert found.keys() == bad.keys() | good.keys()
    assert reasons == {
        "missing": "no such file or directory",
        "folder": "a folder, not a file",
        "text": "not a recording, damaged, or in an unknown format",
        "deadly": "it makes the decoder crash, or needs more memory than there is",
        "strange": "FileError: sound.wav: one thing; expected another",
        "long": "file name too long",
    }


@pytest.mark.slow
def test_what_hangs_is_given_up_and_harms_nothing_else(job: PatchJob, sound: Path) -> None:
    some = [Recording("endless", Endless(sound))]
    some += [Recording(f"good-{n}", sound) for n in range(6)]
    found = all_of(job, some, WorkerOptions(2, timeout_s=LIMIT_S))
    reasons = {i: each.reason for i, each in found.items() if isinstance(each, FailedRecording)}
    assert found.keys() == {each.item for each in some}
    assert reasons == {"endless": f"it took longer than {LIMIT_S} s"}


def test_processes_that_cannot_begin_are_told_and_not_taken_for_bad_recordings(
    job: PatchJob, sound: Path
) -> None:
    above = CqtOptions(bins=500)
    impossible = replace(job, recipe=PatchRecipe(transform="cqt", parameters=above))
    with pytest.raises(TartarusError, match="cannot go on"):
        all_of(impossible, [Recording("a", sound)], WorkerOptions(1, 60))


def test_a_full_disk_stops_the_work(job: PatchJob, sound: Path, tmp_path: Path) -> None:
    (tmp_path / "staging").write_text("no folder")
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        all_of(job, [Recording("a", sound)], WorkerOptions(1, 60))


def test_an_interruption_stops_all_processes(job: PatchJob, sound: Path) -> None:
    before = set(multiprocessing.active_children())

    def interrupted() -> NoReturn:
        raise KeyboardInterrupt

    some = [Recording(str(n), Endless(sound)) for n in range(3)]
    with pytest.raises(KeyboardInterrupt):
        list(prepare_all(job, some, WorkerOptions(2, 60), interrupted))
    assert not set(multiprocessing.active_children()) - before


def test_no_recordings_take_no_time(job: PatchJob) -> None:
    assert all_of(job, [], WorkerOptions(2, 60)) == {}


def test_no_more_processes_than_cores_are_used_unless_asked_for() -> None:
    assert worker_options(None, 5).jobs <= (os.cpu_count() or 1)
    assert worker_options(3, 5) == WorkerOptions(3, 5)


def test_where_no_socket_can_be_made_processes_start_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        msg = "AF_UNIX path too long"
        raise OSError(msg)

    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", fail)
    assert processes.fresh_processes().get_start_method() == "spawn"


@pytest.mark.slow
def test_recordings_are_prepared_below_a_long_folder_of_temporary_files(
    example: Path, tmp_path: Path
) -> None:
    folder = tmp_path / ("scratch_" * 12)
    folder.mkdir()
    words = [sys.executable, "-m", "tartarus_cli", "patches", "SUPER", "-w", str(example)]
    done = subprocess.run(  # noqa: S603 — our own words
        words, capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": str(folder)}
    )
    assert done.returncode == 0, done.stderr
