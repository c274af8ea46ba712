"""The checkpoint of a training: one file, from which it is gone on with where it was stopped.

It is an npz file of plain numbers, written in one step. Its last array is the state, as JSON, with
a hash of everything: a file that is cut short or damaged is never taken for a whole one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tartarus_cli.data.array_writing import save_arrays
from tartarus_cli.data.arrays import array_names, read_arrays, read_named_arrays
from tartarus_cli.errors import FileError, call

CHECKPOINT, LOCK = "checkpoint.npz", ".training.lock"
"""Files of the folder of a model that is being trained: its checkpoint, and what is locked."""

GROUPS = ("trained", "other", "optimizer", "metrics", "best")
"""What the arrays are: weights, what else layers keep (such as random states), what the optimizer
keeps, running figures of the epoch, and the best weights so far."""

_STATE = "state"


class CheckpointState(BaseModel):
    """How far a training is, beside its arrays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal[1] = 1
    """Number of the form of the file."""
    epoch: int = Field(ge=0)
    """Epochs that are over."""
    batch: int = Field(ge=0)
    """Batches of the next epoch that are done."""
    batches: int = Field(ge=1)
    """Batches of an epoch."""
    epochs: int = Field(ge=1)
    """Epochs at most."""
    history: list[dict[str, int | float]]
    """The figures of each epoch that is over."""
    figures: dict[str, float] = {}
    """Figures of an epoch all of whose batches are done, and which is still to be judged."""
    best: float | None
    """The best of what decides when the training stops; None before the first epoch is over."""
    waited: int = Field(ge=0)
    """Epochs since then."""
    over: bool
    """Whether the training is to stop."""
    feed: dict[str, Any]
    """What the order of the batches of the next epoch is drawn from."""
    epoch_s: float = Field(ge=0)
    """Seconds that the batches of the next epoch took."""
    duration_s: float = Field(ge=0)
    """Seconds that everything took."""
    counts: dict[str, int]
    """Number of arrays of each of :data:`GROUPS`."""
    digest: str = ""
    """BLAKE2b hash of the arrays, and of the rest of the state."""

    @property
    def where(self) -> str:
        """Say where the training is."""
        if self.epoch >= self.epochs or self.over:
            return f"after epoch {self.epoch}"
        return f"epoch {self.epoch + 1} of {self.epochs}"


def write_checkpoint(
    path: Path, state: CheckpointState, arrays: Iterable[tuple[str, NDArray[Any]]]
) -> None:
    """Write a checkpoint in one step.

    Parameters
    ----------
    path
        The file; an earlier checkpoint is replaced once this one is whole.
    state
        How far the training is; it gets the hash.
    arrays
        Group and array, in order; an iterator needs memory for one at a time.

    Raises
    ------
    DiskFullError
        If the disk has no room.
    """
    save_arrays(path, _members(state, arrays))


def _members(
    state: CheckpointState, arrays: Iterable[tuple[str, NDArray[Any]]]
) -> Iterator[tuple[str, NDArray[Any]]]:
    hashed, counts = blake2b(digest_size=16), dict.fromkeys(GROUPS, 0)
    for group, array in arrays:
        name, plain = f"{group}_{counts[group]}", _as_numbers(array)
        counts[group] += 1
        _hash(hashed, name, plain)
        yield name, plain
    counted = state.model_copy(update={"counts": counts, "digest": ""})
    digest = _final_digest(hashed, counted)
    text = counted.model_copy(update={"digest": digest}).model_dump_json()
    yield _STATE, np.frombuffer(text.encode(), np.uint8)


def _as_numbers(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as numbers that NumPy knows: those of bfloat16 as whole ones."""
    return array if array.dtype.kind in "fiub" else array.view(f"u{array.dtype.itemsize}")


def _hash(hashed: Any, name: str, array: NDArray[Any]) -> None:
    hashed.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
    hashed.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _final_digest(hashed: Any, state: CheckpointState) -> str:
    hashed.update(state.model_copy(update={"digest": ""}).model_dump_json().encode())
    return str(hashed.hexdigest())


def read_checkpoint(path: Path) -> tuple[CheckpointState, dict[str, list[NDArray[Any]]]]:
    """Read a checkpoint.

    Returns
    -------
    How far the training is, and the arrays of each of :data:`GROUPS`.

    Raises
    ------
    FileError
        If it is damaged or cut short, or not of this form.
    """
    state = read_state(path)
    names = [f"{group}_{n}" for group in GROUPS for n in range(state.counts.get(group, 0))]
    try:
        if {*array_names(path)} != {*names, _STATE}:
            raise damaged(path, "damaged: its arrays are not those that it lists")
        arrays = read_named_arrays(path, names)
    except FileError as problem:
        raise damaged(path, problem.found) from None
    hashed = blake2b(digest_size=16)
    for name, array in arrays.items():
        _hash(hashed, name, array)
    if _final_digest(hashed, state) != state.digest:
        raise damaged(path, "damaged: its content has another hash")
    values = iter(arrays.values())
    return state, {g: [next(values) for _ in range(state.counts.get(g, 0))] for g in GROUPS}


def read_state(path: Path) -> CheckpointState:
    """Read how far a training is; the arrays are not looked at.

    Raises
    ------
    FileError
        If the file is missing, damaged or cut short, or not of this form.
    """
    try:
        (text,) = read_arrays(path, (_STATE,))
        return CheckpointState.model_validate_json(text.astype(np.uint8).tobytes())
    except FileNotFoundError:
        raise damaged(path, "missing") from None
    except FileError as problem:
        raise damaged(path, problem.found) from None
    except ValueError:
        raise damaged(path, "damaged, or of another version of Tartarus") from None


def damaged(path: Path, found: str) -> FileError:
    """Return an error of a checkpoint that cannot be gone on from."""
    model = path.parent.name
    hint = f"Delete the file; {call('train', resume=model)} then begins the training anew."
    return FileError(path, found=found, expected=f"a whole checkpoint of {model}", hint=hint)
