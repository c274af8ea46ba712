"""Watch whether the memory of ``tartarus patches`` or ``embed`` grows with the recordings.

python -m tests.benchmarks.patches_memory --files 2000 [--command embed]
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.sounds import FAST, Sounds

MOMENTS = (0.2, 0.4, 0.6, 0.8, 0.98)  # shares of the recordings that are done


WORDS = {
    "patches": ("patches", "songs", "--seconds", "0.3", *FAST),
    "embed": ("embed", "songs", "mel-stats", "--set", "bins=16"),
}


def resident(process: int) -> float:
    """Return the resident memory of a process in MiB; 0 if it is gone."""
    try:
        status = (Path("/proc") / str(process) / "status").read_text()
    except OSError:
        return 0
    told = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(told[0]) / 1024 if told else 0


def family(session: int) -> list[int]:
    """Return the processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found.append(int(stat.parent.name))
    return sorted(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--command", choices=WORDS, default="patches")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        sounds = Sounds(Path(folder) / "workspace", {"train": asked.files})
        words = [*WORDS[asked.command], "--jobs", str(asked.jobs)]
        command = subprocess.Popen(  # noqa: S603 — the command under test
            [sys.executable, "-m", "tartarus_cli", *words, "-w", str(sounds.root)],
            start_new_session=True,
        )
        seen = []
        for share in MOMENTS:
            while command.poll() is None and done(sounds) < share * asked.files:
                time.sleep(0.02)
            memory = {process: resident(process) for process in family(command.pid)}
            main_one = memory.pop(command.pid, 0)
            seen.append((main_one, max(memory.values(), default=0)))
            print(f"{share:4.0%}: main {main_one:.1f} MiB, largest worker {seen[-1][1]:.1f} MiB")
        if command.wait() != 0:
            sys.exit("the command failed")
        (main_first, worker_first), (main_last, worker_last) = seen[0], seen[-1]
        print(
            f"growth: main {main_last - main_first:+.1f} MiB, "
            f"worker {worker_last - worker_first:+.1f} MiB"
        )


def done(sounds: Sounds) -> int:
    """Count the spectrograms or vectors that are there."""
    folders = (sounds.spectrograms, sounds.root / "data" / "vectors")
    return sum(1 for folder in folders for _ in folder.glob("*/[!.]*.npy"))


if __name__ == "__main__":
    main()
