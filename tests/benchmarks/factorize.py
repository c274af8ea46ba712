"""``tartarus factorize … als`` beside implicit called directly, on the same plays and threads.

Usage: python -m tests.benchmarks.factorize [--items 20000] [--users 30000] [--dim 100] [--turns 3]

The command's own part is the time of its iterations; reading, folding in, judging and writing
are printed beside it, and the peak of memory beside that of a dense items × users matrix.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from scipy.sparse import csr_array, csr_matrix, save_npz
from threadpoolctl import threadpool_limits

from tartarus_cli.factorization.als import AlsOptions, als
from tartarus_cli.factors.factorize import factorize
from tartarus_cli.factors.request import FactorizeRequest
from tartarus_cli.machine import cores
from tartarus_cli.workspace import open_workspace

PLAYED = 40  # items of each user


def listening(items: int, users: int, seed: int = 0) -> csr_array:
    """Draw play counts, ``(items, users)``; few items are popular."""
    rng = np.random.default_rng(seed)
    rows = (items * rng.random(PLAYED * users) ** 3).astype(np.int64)
    columns = np.repeat(np.arange(users), PLAYED)
    counts = rng.geometric(0.2, len(rows)).astype(np.float32)
    return csr_array((counts, (rows, columns)), (items, users))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that some work takes, and those of all cores, which others do not lengthen much."""
    begun, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - before


def directly(plays: csr_array, options: AlsOptions) -> None:
    """Factorize as a script would that calls the library."""
    from implicit.als import AlternatingLeastSquares

    with threadpool_limits(1, "blas"):
        confidence = csr_matrix(plays.T)
        confidence.data = 1 + options.alpha * np.log1p(confidence.data / options.eps)
        model = AlternatingLeastSquares(
            options.dim,
            regularization=options.regularization,
            iterations=options.iterations,
            num_threads=cores(),
            random_state=options.seed,
        )
        model.fit(confidence, show_progress=False)


def written(root: Path, plays: csr_array, test: csr_array) -> None:
    """Make a workspace with these plays."""
    folder = root / "data" / "datasets"
    folder.mkdir(parents=True)
    for split, counts in (("train", plays), ("test", test)):
        save_npz(folder / f"matrix_{split}_big.npz", counts)
        lines = "".join(f"{split}-{number}\n" for number in range(counts.shape[0]))
        (folder / f"items_index_{split}_big.tsv").write_text(lines)


def main() -> None:
    """Time both in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("items", 20_000), ("users", 30_000), ("dim", 100), ("turns", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    plays = listening(asked.items, asked.users)
    options = AlsOptions(dim=asked.dim, iterations=5)
    ours, theirs = [], []
    for _ in range(asked.turns):
        theirs.append(timed(lambda: directly(plays, options)))
        ours.append(timed(lambda: als(plays, options, threads=cores())))
    print(f"{asked.items:,} items × {asked.users:,} users, {plays.nnz:,} plays, {cores()} threads")
    for number, what in enumerate(("s", "s of all cores together")):
        one, other = (median(each[number] for each in taken) for taken in (theirs, ours))
        told = f"implicit {one:.2f}, als {other:.2f} {what}: {other / one:.2f} times"
        print(f"{told} (5 iterations, {asked.dim} factors)")
    with tempfile.TemporaryDirectory() as name:
        written(Path(name), plays, listening(asked.items // 5, asked.users, 1))
        for method in ("als", "pmi"):
            iterations = 5 if method == "als" else None
            request = FactorizeRequest("big", method, asked.dim, iterations=iterations)
            taken, _ = timed(partial(factorize, open_workspace(Path(name)), request))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            dense = 4 * asked.items * asked.users / 2**20
            print(f"the whole command, {method}: {taken:.1f} s, peak {peak:,.0f} MiB ", end="")
            print(f"(items × users, dense: {dense:,.0f} MiB)")


if __name__ == "__main__":
    main()
