"""The patches of one recording: decoded, transformed, cut, and written for later."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from tartarus_cli.audio import Magnitude, cached_transform
from tartarus_cli.audio.decoding import read_recording
from tartarus_cli.audio.patches import FLOOR_DB, PatchRecipe, sound_lengths
from tartarus_cli.data.array_writing import save_dense
from tartarus_cli.data.arrays import open_dense
from tartarus_cli.errors import FileError, TartarusError
from tartarus_cli.extraction.processes import ProcessStart
from tartarus_cli.extraction.workers import Recording, recording_digest
from tartarus_cli.files import read_text, write_text


@dataclass(frozen=True)
class PreparedRecording:
    """The patches of a recording, in a file."""

    recording: Recording
    patches: Path
    """NumPy file, ``(per_item, frames, bins)`` in decibels."""
    frames: int
    """Frames of its spectrogram; if it has fewer than a patch, that was filled up."""
    silent: bool
    """Whether all patches are silent."""
    ends_silent: bool
    """Whether a patch ends in silence, though the recording does not end before it."""
    lengths: tuple[int, ...] = ()
    """Frames of each patch before the silence at its end."""
    remark: str = ""
    """What the recording lacks; empty if nothing."""


@dataclass(frozen=True)
class PatchJob:
    """How all recordings are prepared, and where the results are written."""

    recipe: PatchRecipe
    staging: Path
    """Folder to which the patches of each recording are written."""
    spectrograms: Path
    """Folder of spectrograms; existing ones are used."""
    keep_spectrograms: bool
    """Whether to write spectrograms there."""

    @property
    def spectrogram_folder(self) -> Path:
        """The folder of spectrograms that were made by the same recipe."""
        return self.spectrograms / self.recipe.spectrogram_key

    @property
    def start(self) -> ProcessStart:
        """What each process does before the first recording: it computes its filters."""
        return ProcessStart(_plan_filters, self.recipe.model_dump_json())

    def prepare(self, recording: Recording) -> PreparedRecording:
        """Decode a recording, compute its spectrogram and cut its patches; use results that exist.

        Raises
        ------
        RecordingError
            If the recording cannot be used.
        """
        return prepare(self, recording)

    def to_plain(self) -> dict[str, Any]:
        """Return the job as plain values, which a worker of a cluster can be sent."""
        return {
            "recipe": self.recipe.model_dump_json(),
            "staging": str(self.staging),
            "spectrograms": str(self.spectrograms),
            "keep_spectrograms": self.keep_spectrograms,
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> PatchJob:
        """Return the job that :meth:`to_plain` returned the values of."""
        recipe = PatchRecipe.model_validate_json(plain["recipe"])
        staging, spectrograms = Path(plain["staging"]), Path(plain["spectrograms"])
        return cls(recipe, staging, spectrograms, plain["keep_spectrograms"])

    def outcome_to_plain(self, outcome: PreparedRecording) -> dict[str, Any]:
        """Return what became of a recording as plain values."""
        return {
            "file": outcome.patches.name,
            "frames": outcome.frames,
            "silent": outcome.silent,
            "ends_silent": outcome.ends_silent,
            "lengths": [*outcome.lengths],
            "remark": outcome.remark,
        }

    def outcome_of(self, recording: Recording, plain: Mapping[str, Any]) -> PreparedRecording:
        """Return what became of a recording, of plain values."""
        values = {name: value for name, value in plain.items() if name != "file"}
        values["lengths"] = tuple(values["lengths"])
        return PreparedRecording(recording, self.staging / plain["file"], **values)


def _plan_filters(recipe_json: str) -> None:
    recipe = PatchRecipe.model_validate_json(recipe_json)
    cached_transform(recipe.transform, recipe.parameters)


def prepare(job: PatchJob, recording: Recording) -> PreparedRecording:
    """Decode a recording, compute its spectrogram and cut its patches; use results that exist.

    Raises
    ------
    RecordingError
        If the recording cannot be used.
    """
    content = recording_digest(recording.path)
    recipe = job.recipe
    # Another machine may see the folder under another path.
    key = "\0".join([recipe.model_dump_json(), recording.item, recording.path.name, content])
    path = job.staging / f"{blake2b(key.encode(), digest_size=16).hexdigest()}.npy"
    patches = _read_existing(path, (recipe.per_item, recipe.frames, recipe.bins), FLOOR_DB)
    facts = _read_facts(path)
    if patches is None or facts is None:
        magnitude, remark = _spectrogram(job, recording.path, content)
        facts = _Facts(frames=magnitude.shape[1], remark=remark)
        _write_facts(path, facts)
        patches = recipe.cut(magnitude, recording.item)
        save_dense(path, patches, one_of_many=True)
    is_short = facts.frames < recipe.frames
    return PreparedRecording(
        recording,
        path,
        frames=facts.frames,
        silent=bool((patches <= FLOOR_DB).all()),
        ends_silent=not is_short and bool((patches[:, -1] <= FLOOR_DB).all(axis=1).any()),
        lengths=tuple(sound_lengths(patches).tolist()),
        remark=facts.remark,
    )


class _Facts(BaseModel):
    """What is kept beside the patches or the spectrogram of a recording."""

    frames: int
    """Frames of its spectrogram."""
    remark: str = ""


def _facts_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _write_facts(path: Path, facts: _Facts) -> None:
    """Write what belongs to an array, before the array itself."""
    write_text(_facts_path(path), facts.model_dump_json(), one_of_many=True)


def _read_facts(path: Path) -> _Facts | None:
    """Read what belongs to an array; None if it is missing or damaged."""
    with suppress(TartarusError, OSError, ValueError):
        return _Facts.model_validate_json(read_text(_facts_path(path)))
    return None


def spectrogram(job: PatchJob, path: Path) -> tuple[Magnitude, str]:
    """Compute the spectrogram of a recording, or read it if it exists.

    Returns
    -------
    The magnitude, ``(bins, frames)``, and a remark about what the recording lacks, or none.

    Raises
    ------
    RecordingError
        If the recording cannot be used.
    """
    return _spectrogram(job, path, recording_digest(path))


def _spectrogram(job: PatchJob, path: Path, content: str) -> tuple[Magnitude, str]:
    recipe = job.recipe
    file = job.spectrogram_folder / f"{content}.npy"
    existing = _read_existing(file, (recipe.bins, -1), 0)
    if existing is not None:
        # Only a recording with a remark has such a file.
        facts = _read_facts(file) if _facts_path(file).exists() else _Facts(frames=0)
        if facts is not None:
            return existing, facts.remark
    recording = read_recording(path, recipe.parameters.sample_rate)
    magnitude = recipe.spectrogram(recording.samples)
    if job.keep_spectrograms:
        if recording.remark:
            _write_facts(file, _Facts(frames=magnitude.shape[1], remark=recording.remark))
        save_dense(file, magnitude, one_of_many=True)
    return magnitude, recording.remark


def _read_existing(path: Path, shape: tuple[int, ...], lowest: float) -> NDArray[np.float32] | None:
    """Read an array that was written before; None if it is missing or damaged.

    Parameters
    ----------
    path
        The file.
    shape
        Shape of the array; -1 for a dimension of any length.
    lowest
        Lowest value that it may hold.
    """
    with suppress(FileError, OSError):
        array = open_dense(path)
        fits = array.ndim == len(shape) and all(
            expected in (-1, length) for expected, length in zip(shape, array.shape, strict=True)
        )
        if fits and np.isfinite(array).all() and array.min(initial=lowest) >= lowest:
            return np.asarray(array, np.float32)
    return None
