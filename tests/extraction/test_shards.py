"""Shards of ``patches``: prepared on any machine, joined to the files of one machine."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tartarus_cli.cli.app import app
from tartarus_cli.extraction.patch_job import PatchJob
from tartarus_cli.extraction.patch_shards import prepare_patch_shard
from tartarus_cli.extraction.patch_work import PatchWork
from tartarus_cli.extraction.preparation import without_slow
from tartarus_cli.extraction.request import PatchesRequest
from tartarus_cli.extraction.shards import ShardRecord, write_record
from tartarus_cli.extraction.workers import Recording, WorkerOptions
from tartarus_cli.files import locked, locked_together
from tartarus_cli.options import Shard
from tartarus_cli.workspace import open_workspace
from tests.sounds import FAST, Sounds

ORDER = ("--seconds", "0.3", "--jobs", "1", *FAST)
LOCK = ".making_songs.lock"


def run(sounds: Sounds, *more: object, status: int = 0) -> Any:
    """Run the real command in this process; return what it said as JSON."""
    words = ["patches", "songs", "-w", sounds.root, *ORDER, "--json", *more]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout) if status == 0 else result.stderr


def damaged(root: Path) -> Sounds:
    """Return a workspace with a recording that is none."""
    sounds = Sounds(root)
    (sounds.audio / "val-1.wav").write_text("no sound")
    return sounds


def request(**more: Any) -> PatchesRequest:
    parameters = ("sample_rate=8000", "hop_length=256", "bins=24", "fmin=110")
    return PatchesRequest("songs", seconds=0.3, overrides=parameters, jobs=1, **more)


@pytest.mark.parametrize(("units", "of"), [(10, 3), (2, 5), (0, 2), (7, 1)])
def test_each_unit_is_in_one_shard(units: int, of: int) -> None:
    shards = [Shard(number, of).select(range(units)) for number in range(1, of + 1)]
    assert sorted(unit for shard in shards for unit in shard) == [*range(units)]
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_shards_joined_are_the_files_of_one_machine_byte_for_byte(tmp_path: Path) -> None:
    alone, divided = damaged(tmp_path / "alone"), damaged(tmp_path / "divided")
    said = run(alone)
    first = run(divided, "--shard", "2/2")
    assert first == {
        "dataset": "songs",
        "shard": "2/2",
        "recordings": 4,
        "done": [2],
        "left": [1],
        "failed": {"val-1": "not a recording, damaged, or in an unknown format"},
    }
    assert run(divided, "--shard", "1/2")["left"] == []
    assert not [*divided.patches.glob("*.hdf5")]
    assert run(divided) == said
    assert divided.files() == alone.files()


def test_what_a_shard_prepared_is_taken_by_the_command_that_joins(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    prepare_patch_shard(open_workspace(tmp_path), request(), Shard(1, 1))
    prepared = {*sounds.patches.glob(".making_songs_*/*.npy")}
    assert len(prepared) == 8
    times = {path: path.stat().st_mtime_ns for path in prepared}
    prepare_patch_shard(open_workspace(tmp_path), request(), Shard(2, 3))
    assert {path: path.stat().st_mtime_ns for path in prepared} == times
    assert {*sounds.patches.glob(".making_songs_*/*.npy")} == prepared


def test_shards_run_side_by_side_but_not_beside_the_command_that_joins(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    with locked_together(sounds.patches / LOCK):
        assert run(sounds, "--shard", "1/8")["recordings"] == 1
        assert "another command is doing this work already" in run(sounds, status=2)
    with locked(sounds.patches / LOCK):
        message = run(sounds, "--shard", "2/8", status=2)
    assert "another command is doing this work already" in message


def test_what_shards_of_other_patches_prepared_stays(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    run(sounds, "--shard", "1/8", "--patches", 2)
    (prepared,) = sounds.patches.glob(".making_songs_2_*/*.npy")
    run(sounds)
    assert prepared.exists()
    run(sounds, "--patches", 2)
    assert not prepared.exists()


def test_records_of_other_recordings_or_parameters_do_not_count(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    assert run(sounds, "--shard", "1/4")["done"] == [1]
    assert run(sounds, "--shard", "2/4")["done"] == [1, 2]
    assert run(sounds, "--shard", "2/2")["done"] == [2]
    assert run(sounds, "--shard", "3/4", "--seed", 5)["done"] == [3]
    sounds.write_list({item: f"{item}.wav" for item in sounds.items() if item != "test-1"})
    assert run(sounds, "--shard", "4/4")["done"] == [4]


def test_a_recording_that_took_a_shard_too_long_is_not_tried_again_in_as_much_time(
    tmp_path: Path,
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.wav").write_text("sound")
    recordings = [Recording(name, tmp_path / f"{name}.wav") for name in ("a", "b")]
    job = PatchJob(request().recipe, tmp_path, tmp_path / "s", keep_spectrograms=False)
    work = PatchWork({"train": ["a", "b"]}, {}, None, job, recordings)
    key = work.files.digest
    status = recordings[0].path.stat()
    slow = {"a": (status.st_size, status.st_mtime_ns)}
    write_record(tmp_path, ShardRecord(number=1, of=2, work=key, timeout_s=9, slow=slow))
    left, failed = without_slow(work.files, WorkerOptions(1, timeout_s=9))
    assert left == recordings[1:]
    assert [(each.recording.item, each.reason) for each in failed] == [
        ("a", "it took longer than 9 s")
    ]
    assert without_slow(work.files, WorkerOptions(1, timeout_s=10)) == (recordings, [])
    other = replace(work, recordings=recordings[:1])
    assert without_slow(other.files, WorkerOptions(1, timeout_s=9)) == (recordings[:1], [])
    os.utime(recordings[0].path, (1, 1))
    assert without_slow(work.files, WorkerOptions(1, timeout_s=9)) == (recordings, [])


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2"])
def test_what_is_no_shard_is_refused(shard: str, tmp_path: Path) -> None:
    assert "is no shard" in run(Sounds(tmp_path), f"--shard={shard}", status=2)


def test_a_shard_is_not_divided_again_by_a_cluster(tmp_path: Path) -> None:
    message = run(Sounds(tmp_path), "--shard", "1/2", "--cluster", "local", status=2)
    assert "--shard and --cluster exclude each other" in message
