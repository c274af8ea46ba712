"""Split a table of many plays, beside what polars takes to read and group the same file.

python -m tests.benchmarks.split --rows 20000000
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from tests.benchmarks.million_users import own_memory

USERS, ITEMS = 1_000_000, 380_000

GROUPING = """
import sys
import polars as pl
path = sys.argv[1]
text = path.endswith(".csv")
rows = pl.scan_csv(path, infer_schema=False) if text else pl.scan_parquet(path)
count = pl.col("plays").cast(pl.Float64)
print(rows.group_by("user", "song").agg(count.sum()).collect(engine="streaming").shape)
"""


def make_tables(folder: Path, rows: int) -> list[Path]:
    """Write plays of a few popular songs and many others, as Parquet and as CSV."""
    rng = np.random.default_rng(0)
    users = pl.Series([f"{number:040x}" for number in range(10**30, 10**30 + USERS)])
    songs = pl.Series([f"SO{number:016X}" for number in range(ITEMS)])
    table = pl.DataFrame(
        {
            "user": users.gather(rng.integers(0, USERS, rows)),
            "song": songs.gather((ITEMS * rng.random(rows) ** 3).astype(np.int64)),
            "plays": rng.geometric(0.4, rows).astype(np.int32),
        }
    )
    paths = [folder / "plays.csv", folder / "plays.parquet"]
    table.write_csv(paths[0])
    table.write_parquet(paths[1])
    return paths


def measured(words: list[str]) -> tuple[float, float]:
    """Run Python; return seconds and the most memory beside mapped files, in MiB."""
    begun, peak = time.perf_counter(), [0.0]
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)  # noqa: S603

    def watch() -> None:
        while process.poll() is None:
            peak[0] = max(peak[0], own_memory(process.pid))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    watcher.join()
    if status:
        sys.exit(f"{words} ended with {status}")
    return time.perf_counter() - begun, peak[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    chosen = parser.parse_args()
    with TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        (Path(folder) / "w" / "data" / "datasets").mkdir(parents=True)
        for path in make_tables(Path(folder), chosen.rows):
            words = ["split", f"big-{path.suffix[1:]}", "--plays", str(path)]
            places = ["--item", "song", "--workspace", str(Path(folder) / "w")]
            ours, memory = measured(["-m", "tartarus_cli", *words, *places])
            theirs, other = measured(["-c", GROUPING, str(path)])
            print(f"{path.name}, {chosen.rows:,} rows: {ours:.1f} s, {memory:.0f} MiB;", end=" ")
            print(f"polars reads and groups it in {theirs:.1f} s, {other:.0f} MiB", end=" ")
            print(f"({ours / theirs:.2f} times)")


if __name__ == "__main__":
    main()
