"""Cost of ``tartarus embed`` beside decoding and the bare encoder, on the same cores.

Usage: python -m tests.benchmarks.embed [--encoder mel-stats] [--files 40] [--rounds 5] [--jobs 2]

Other encoders than mel-stats and cqt-stats need their weights: see 'tartarus encoders'.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from joblib import Parallel, delayed

from tartarus_cli.audio.decoding import decode
from tartarus_cli.encoders.recipe import EncoderRecipe, load_encoder
from tartarus_cli.extraction.embed_request import EmbedRequest
from tartarus_cli.extraction.vector_job import EncodedFile, VectorJob, _start
from tartarus_cli.extraction.workers import Recording, WorkerOptions, prepare_all
from tests.benchmarks.patches import make_recordings


def bare(recipe_json: str, weights: Path | None, path: Path) -> int:
    """Decode and encode a recording, as a script would."""
    recipe = EncoderRecipe.model_validate_json(recipe_json)
    samples = decode(path, recipe.sample_rate)
    return len(load_encoder(recipe_json, weights).encode(samples, recipe.window_s, recipe.hop_s))


def bare_in_process(job: VectorJob, path: Path) -> int:
    """Do the same with libraries that are kept to one thread, as joblib keeps those it knows."""
    _start(job.start.argument)
    return bare(job.recipe.model_dump_json(), job.weights, path)


def per_core(job_in: Callable[[Path], VectorJob], recordings: list[Recording], rounds: int) -> None:
    """Print what ``prepare`` costs beside decoding and the bare encoder, in processor time."""
    ratios, bare_ms, ours_ms = [], [], []
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory() as name:
            job = job_in(Path(name))
            job.folder.mkdir()
            began = time.process_time()
            for recording in recordings:
                bare(job.recipe.model_dump_json(), job.weights, recording.path)
            between = time.process_time()
            for recording in recordings:
                job.prepare(recording)
            ended = time.process_time()
        if number:  # the first round loads and compiles
            bare_ms.append(1000 * (between - began) / len(recordings))
            ours_ms.append(1000 * (ended - between) / len(recordings))
            ratios.append(ours_ms[-1] / bare_ms[-1])
    print(
        f"a 30 s MP3, one core: {median(ours_ms):.0f} ms of processor time, "
        f"{median(bare_ms):.0f} ms for decoding and the bare encoder: ratio {median(ratios):.2f}"
    )


def rate(done: Iterator[object], first: int, count: int) -> float:
    """Return results a second, from the time when the first ones are there."""
    began = 0.0
    for number, _ in enumerate(done, 1):
        if number == first:
            began = time.perf_counter()
    return (count - first) / (time.perf_counter() - began)


def side_by_side(
    job_in: Callable[[Path], VectorJob], recordings: list[Recording], jobs: int, rounds: int
) -> None:
    """Print how many files a second all processes encode, beside joblib with the bare parts."""
    ratios, first = [], 3 * jobs
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            job = job_in(Path(name))
            job.folder.mkdir()
            tasks = (delayed(bare_in_process)(job, recording.path) for recording in recordings)
            script = Parallel(jobs, return_as="generator_unordered")(tasks)
            plain = rate(iter(script), first, len(recordings))
            ours = prepare_all(job, recordings, WorkerOptions(jobs, 600), lambda: None)
            own = rate(require_encoded(ours), first, len(recordings))
        ratios.append(plain / own)
        print(f"  joblib {plain:6.2f} files/s   embed {own:6.2f} files/s")
    print(f"{jobs} processes: embed takes {median(ratios):.2f} times as long (median)")


def require_encoded(outcomes: Iterator[object]) -> Iterator[object]:
    for outcome in outcomes:
        assert isinstance(outcome, EncodedFile), outcome
        yield outcome


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="mel-stats")
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    request = EmbedRequest(dataset="-", encoder=asked.encoder)
    recipe, weights = request.recipe, request.weights_path

    def job_in(folder: Path) -> VectorJob:
        return VectorJob(recipe, weights, folder)

    with tempfile.TemporaryDirectory() as name:
        recordings = make_recordings(Path(name), asked.files)
        side_by_side(job_in, recordings, asked.jobs, asked.rounds)
        _start(job_in(Path(name)).start.argument)
        per_core(job_in, recordings[:8], asked.rounds)


if __name__ == "__main__":
    main()
