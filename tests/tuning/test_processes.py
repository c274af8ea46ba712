"""Several processes work on one study, one of which is killed."""

import json
import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

import tartarus_cli as tt
from tartarus_cli.tuning.study import Study
from tests.processes import BIN, started, waited

COMMAND: tuple[str | Path, ...] = (
    *(BIN / "tartarus", "tune", "ridge_plays", "text", "--dataset", "rec", "--study", "shared"),
    *("--set", "network.powers=0.5..2", "--json"),
)
TRIALS = 12


def distinct(study: Study) -> int:
    tried = [trial for trial in study.trials if trial.state != "lost"]
    return len({json.dumps(trial.parameters, sort_keys=True) for trial in tried})


@pytest.mark.slow
def test_processes_share_a_study_and_the_trial_of_a_killed_one_alone_is_tried_again(
    root: Path,
) -> None:
    def study() -> Study:
        return tt.show_study("shared", workspace=root)

    def complete() -> int:
        known = (root / "data/studies/shared/study.json").exists()
        return study().counts.get("complete", 0) if known else 0

    command: list[str | Path] = [*COMMAND, "--trials", str(TRIALS), "--workspace", root]
    with ExitStack() as stack:
        processes = [stack.enter_context(started(command)) for _ in range(3)]
        assert waited(lambda: complete() >= 2)
        victim = processes[0]
        own = f"-{victim.pid}-"
        assert waited(lambda: any(own in t.worker and t.state == "running" for t in study().trials))
        os.kill(victim.pid, signal.SIGKILL)
        for process in processes[1:]:
            out, err = process.communicate()
            assert process.returncode == 0, err
            assert json.loads(out)["study"] == "shared"
    result = study()
    lost = [trial for trial in result.trials if trial.state == "lost"]
    assert all(own in trial.worker for trial in lost)
    assert len(lost) <= 1
    assert [trial.retry_of for trial in result.trials if trial.retry_of is not None] == [
        trial.number for trial in lost
    ]
    assert result.begun == distinct(result) == TRIALS
    assert result.counts["complete"] == TRIALS
    assert not list(result.folder.glob("workers/*"))


@pytest.mark.slow
def test_jobs_are_processes_that_end_with_the_command(root: Path) -> None:
    command: list[str | Path] = [*COMMAND, "--trials", "500", "--jobs", "2", "--workspace", root]

    def workers() -> list[Path]:
        return list((root / "data/studies/shared/workers").glob("*.lock"))

    with started(command) as process:
        assert waited(lambda: len(workers()) == 2)
        assert waited(lambda: tt.show_study("shared", workspace=root).counts.get("complete", 0) > 1)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    assert process.returncode == 143
    assert "tartarus tune --study shared --resume" in err
    assert waited(lambda: not workers())
    study = tt.tune(
        *("ridge_plays", "text"),
        dataset="rec",
        overrides=["network.powers=0.5..2"],
        study="shared",
        trials=tt.show_study("shared", workspace=root).begun + 4,
        jobs=2,
        workspace=root,
        progress=False,
    )
    assert isinstance(study, Study)
    assert "running" not in study.counts
    assert distinct(study) == study.begun
    assert study.counts["complete"] == study.begun
