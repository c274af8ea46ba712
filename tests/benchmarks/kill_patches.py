"""Kill ``tartarus patches`` at random moments: its files must be those of an undisturbed run.

python -m tests.benchmarks.kill_patches --kills 10
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.sounds import FAST, Sounds

SPLITS = {"train": 60, "val": 20, "test": 20}
WORDS = ("patches", "songs", "--patches", "3", "--seconds", "0.3", "--jobs", "2", *FAST)


def begun(sounds: Sounds) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tartarus_cli", *WORDS, "-w", str(sounds.root)]
    return subprocess.Popen(  # noqa: S603 — the command under test
        command, stdout=subprocess.DEVNULL, start_new_session=True
    )


def contents(sounds: Sounds) -> dict[str, str]:
    """Return a hash of every file under data, but for locks."""
    data = sounds.root / "data"
    files = (path for path in data.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(p.relative_to(data)): sha256(p.read_bytes()).hexdigest() for p in files}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)  # noqa: S311 — no secret
    with TemporaryDirectory() as folder:
        whole = Sounds(Path(folder) / "whole", SPLITS)
        start = time.monotonic()
        if begun(whole).wait() != 0:
            sys.exit("the undisturbed run failed")
        took = time.monotonic() - start
        expected = contents(whole)
        print(f"undisturbed: {took:.1f} s, {len(expected)} files")
        broken = Sounds(Path(folder) / "broken", SPLITS)
        killed = 0
        while killed < asked.kills:
            if (broken.patches / "scaler_songs_3_0.3.npz").exists():  # it came to its end: anew
                compare(contents(broken), expected)
                broken = Sounds(Path(folder) / f"broken-{killed}", SPLITS)
            command = begun(broken)
            moment = chance.uniform(0.3, 1) * took
            time.sleep(moment)
            if command.poll() is not None:
                continue
            if chance.random() < 0.5:
                os.killpg(command.pid, signal.SIGKILL)
                what = "all processes"
            else:
                command.kill()
                what = "the main process"
            command.wait()
            killed += 1
            kept = len(list(broken.spectrograms.rglob("[!.]*.npy")))
            hidden = sum(p.is_file() for p in broken.root.rglob(".*") if p.suffix != ".lock")
            print(f"killed {what} after {moment:.2f} s: {kept} spectrograms, {hidden} hidden files")
        if begun(broken).wait() != 0:
            sys.exit("the last run failed")
        compare(contents(broken), expected)
    print(f"after {killed} kills, every file is the same, byte for byte, and nothing else is left")


def compare(found: dict[str, str], expected: dict[str, str]) -> None:
    """End with a message if there is a difference."""
    names = found.keys() | expected.keys()
    differ = sorted(name for name in names if found.get(name) != expected.get(name))
    if differ:
        sys.exit(f"{len(differ)} files differ: {', '.join(differ[:5])}")


if __name__ == "__main__":
    main()
