"""The vectors of one recording or document: read, encoded, and kept by its content."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from tartarus_cli.audio.decoding import RecordingError, read_recording
from tartarus_cli.data.array_writing import save_dense
from tartarus_cli.data.arrays import open_dense
from tartarus_cli.encoders import LoadedEncoder, Pooling, Vectors, pool_windows
from tartarus_cli.encoders.recipe import EncoderRecipe, load_encoder
from tartarus_cli.errors import FileError, RequestError, TartarusError, parameter
from tartarus_cli.extraction.corpus import read_document
from tartarus_cli.extraction.processes import ProcessStart
from tartarus_cli.extraction.workers import JobError, Recording, recording_digest
from tartarus_cli.files import read_text, write_text

SILENT = 1e-5
"""Amplitude above which no sample of a silent recording lies."""

ONE_THREAD = {
    "NPROC": "1",  # of JAX on processors
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
"""Variables that keep libraries which are not imported yet to one thread, and quiet."""

XLA_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


@dataclass(frozen=True)
class EncodedFile:
    """The vectors of a recording or a document, in a file."""

    recording: Recording
    vectors: Path
    """NumPy file, ``(windows, width)``, float32."""
    remark: str = ""
    """What the recording lacks; empty if nothing."""
    silent: bool = False
    """Whether the recording is silent."""
    short_s: float | None = None
    """Seconds of a recording that is shorter than a window; None if it is not."""

    def pooled(self, pooling: Pooling) -> Vectors:
        """Read the vectors, and make one of them, ``(width,)``.

        Raises
        ------
        FileError
            If the file is damaged.
        """
        return pool_windows(open_dense(self.vectors), pooling)


class _Facts(BaseModel):
    """What is kept beside the vectors of a recording of which there is something to say."""

    remark: str = ""
    silent: bool = False
    short_s: float | None = None


@dataclass(frozen=True)
class VectorJob:
    """How all files are encoded, and where their vectors are kept."""

    recipe: EncoderRecipe
    weights: Path | None
    """The file of weights, if the encoder needs one."""
    vectors: Path
    """Folder of all vectors; existing ones are used."""
    encoding: str | None = None
    """Encoding of documents without a byte-order mark; None: UTF-8."""

    @property
    def folder(self) -> Path:
        """The folder of the vectors that were made by the same recipe."""
        return self.vectors / self.recipe.key

    @property
    def start(self) -> ProcessStart:
        """What each process does before the first file: it loads the encoder."""
        return ProcessStart(_start, self._arguments.model_dump_json())

    @property
    def _arguments(self) -> _Arguments:
        return _Arguments(recipe=self.recipe.model_dump_json(), weights=self.weights)

    def prepare(self, recording: Recording) -> EncodedFile:
        """Read a recording or a document and encode it; use vectors that exist.

        Raises
        ------
        RecordingError
            If it cannot be used.
        JobError
            If the encoder cannot be loaded.
        """
        content = recording_digest(recording.path)
        if self.encoding is not None:
            content = blake2b(f"{content} {self.encoding}".encode(), digest_size=16).hexdigest()
        path = self.folder / f"{content}.npy"
        facts = _read_existing(path)
        if facts is None:
            encoder = self._load()
            vectors, facts = self._encode(encoder, recording.path)
            _write(path, vectors, facts)
        return EncodedFile(recording, path, **facts.model_dump())

    def _load(self) -> LoadedEncoder:
        try:
            return load_encoder(self.recipe.model_dump_json(), self.weights)
        except TartarusError as problem:
            raise JobError(str(problem), problem.hint, problem.exit_code) from None
        except ValueError as problem:
            msg = f"{self.recipe.encoder}: {problem}"
            hint = f"Change its parameters with {parameter('overrides')}."
            raise JobError(msg, hint, RequestError.exit_code) from None

    def _encode(self, encoder: LoadedEncoder, path: Path) -> tuple[Vectors, _Facts]:
        if self.recipe.variant.kind == "audio":
            return self._encode_recording(encoder, path)
        try:
            text = read_document(path, self.encoding)
        except FileError as problem:
            msg = f"{problem.found}. {problem.hint}"
            raise RecordingError(msg) from None
        if not text.strip():
            msg = "it is empty"
            raise RecordingError(msg)
        return _checked(encoder.encode([text]), encoder.width, most=1), _Facts()

    def _encode_recording(self, encoder: LoadedEncoder, path: Path) -> tuple[Vectors, _Facts]:
        recipe = self.recipe
        recording = read_recording(path, recipe.sample_rate)
        samples = recording.samples
        vectors = _checked(encoder.encode(samples, recipe.window_s, recipe.hop_s), encoder.width)
        seconds = len(samples) / recipe.sample_rate
        is_short = recipe.window_s is not None and seconds < recipe.window_s
        return vectors, _Facts(
            remark=recording.remark,
            silent=bool(np.abs(samples).max() <= SILENT),
            short_s=round(seconds, 3) if is_short else None,
        )

    def to_plain(self) -> dict[str, Any]:
        """Return the job as plain values, which a worker of a cluster can be sent."""
        return {
            "recipe": self.recipe.model_dump_json(),
            "weights": None if self.weights is None else str(self.weights),
            "vectors": str(self.vectors),
            "encoding": self.encoding,
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> VectorJob:
        """Return the job that :meth:`to_plain` returned the values of."""
        recipe = EncoderRecipe.model_validate_json(plain["recipe"])
        weights = plain["weights"] and Path(plain["weights"])
        return cls(recipe, weights, Path(plain["vectors"]), plain["encoding"])

    def outcome_to_plain(self, outcome: EncodedFile) -> dict[str, Any]:
        """Return what became of a file as plain values."""
        return {
            "file": outcome.vectors.name,
            "remark": outcome.remark,
            "silent": outcome.silent,
            "short_s": outcome.short_s,
        }

    def outcome_of(self, recording: Recording, plain: Mapping[str, Any]) -> EncodedFile:
        """Return what became of a file, of plain values."""
        values = {name: value for name, value in plain.items() if name != "file"}
        return EncodedFile(recording, self.folder / plain["file"], **values)


class _Arguments(BaseModel):
    recipe: str
    weights: Path | None


def _start(arguments_json: str) -> None:
    """Keep libraries to one thread, as each core has its process; load the encoder."""
    arguments = _Arguments.model_validate_json(arguments_json)
    os.environ |= ONE_THREAD | {"JAX_PLATFORMS": "cpu"}
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {XLA_ONE_THREAD}".strip()
    # It is raised again, and reported, with the first file.
    with suppress(Exception):
        load_encoder(arguments.recipe, arguments.weights)


def _checked(vectors: Vectors, width: int, most: int | None = None) -> Vectors:
    """Make sure that vectors are what the encoder promises.

    Raises
    ------
    RecordingError
        If they are not.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    rows = len(vectors) if vectors.ndim == 2 else 0
    if vectors.ndim != 2 or vectors.shape[1] != width or not 1 <= rows <= (most or rows):
        msg = f"the encoder made an array {vectors.shape} of it, not one of {width} columns"
        raise RecordingError(msg)
    if not np.isfinite(vectors).all():
        msg = "the encoder made NaN or infinity of it"
        raise RecordingError(msg)
    return vectors


def _write(path: Path, vectors: Vectors, facts: _Facts) -> None:
    if facts != _Facts():
        write_text(path.with_suffix(".json"), facts.model_dump_json(), one_of_many=True)
    save_dense(path, vectors, one_of_many=True)


def _read_existing(path: Path) -> _Facts | None:
    """Return what is known of a file whose vectors exist; None if they are missing or damaged."""
    with suppress(FileError, OSError):
        vectors = open_dense(path)
        if vectors.ndim == 2 and vectors.size and np.isfinite(vectors).all():
            facts = path.with_suffix(".json")
            return _read_facts(facts) if facts.exists() else _Facts()
    return None


def _read_facts(path: Path) -> _Facts | None:
    with suppress(TartarusError, OSError, ValueError):
        return _Facts.model_validate_json(read_text(path))
    return None
