"""Trainings that are killed at random moments, again and again, and go on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slowness import SHORT

KILLS = 6 if SHORT else 50


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_trainings_that_are_killed_at_random_moments_come_to_the_same_bits(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 — our own module
        [sys.executable, "-m", "tests.killed_trainings", str(tmp_path), str(KILLS)],
        cwd=Path(__file__).parent.parent.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["wrong"] == []
    assert len(found["places"]) == KILLS
    # They were killed in the middle of an epoch, and not always at the same step.
    assert len({place for place in found["places"] if not place.endswith(":0")}) >= KILLS // 5
