"""Evaluate all users of a dataset of the size of MSD-A's songs, and watch time and memory.

python -m tests.benchmarks.million_users --users 1019318
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.listeners import DIM, ITEMS, RELEVANT, make_listeners

USERS = 1_019_318


def own_memory(process: int) -> float:
    """Return the memory of a process beside the files it maps, in MiB; 0 if it is gone."""
    try:
        status = (Path("/proc") / str(process) / "status").read_text()
    except OSError:
        return 0
    told = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(told[0]) / 1024 if told else 0


def watch(process: subprocess.Popen[str], peak: list[float]) -> None:
    """Note the most memory that a process has."""
    time.sleep(0.2)  # until it is itself and no copy of us
    while process.poll() is None:
        peak[0] = max(peak[0], own_memory(process.pid))
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=USERS)
    chosen = parser.parse_args()
    with TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        root = Path(folder) / "w"
        predicted = make_listeners(root, users=chosen.users)
        words = ["evaluate", str(predicted), "--experiment", "rec_multi", "--dataset", "big"]
        begun, peak = time.perf_counter(), [0.0]
        command = subprocess.Popen(  # noqa: S603 — our own command
            [sys.executable, "-m", "tartarus_cli", *words, "-w", str(root), "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        watcher = threading.Thread(target=watch, args=(command, peak))
        watcher.start()
        out, _ = command.communicate()
        watcher.join()
        took = time.perf_counter() - begun
        shown = json.loads(out)
        print(f"{chosen.users:,} users × {ITEMS:,} items × {DIM} factors, {RELEVANT} relevant each")
        print(f"model, random and oracle, all metrics, every user's figures kept: {took:.0f} s")
        print(f"most memory beside the mapped files: {peak[0]:.0f} MiB (at most 1024)")
        print(f"MAP@500 {shown['metrics']['MAP@500']:.6f}, {shown['users']:,} users")


if __name__ == "__main__":
    main()
