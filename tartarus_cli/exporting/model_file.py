"""Files of a model itself: its network, its weights, and the vectors of users beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tartarus_cli.data.array_writing import create_dense
from tartarus_cli.data.ids import put_ids
from tartarus_cli.data.plays import read_plays
from tartarus_cli.errors import RequestError, call, display_path
from tartarus_cli.exporting.card import model_card
from tartarus_cli.exporting.onnx_file import put_onnx
from tartarus_cli.exporting.request import ExportKind, ExportRequest
from tartarus_cli.exporting.weights_file import put_safetensors
from tartarus_cli.files import write_text, write_together
from tartarus_cli.models.store import Model
from tartarus_cli.models.user_vectors import user_rows
from tartarus_cli.progress import Progress
from tartarus_cli.recommendation.id_index import user_index
from tartarus_cli.scoring.users import UserRows, user_slices
from tartarus_cli.signals import defer_interrupts


@dataclass(frozen=True)
class ModelFile:
    """A file of a model itself that was written, and others beside it."""

    model: str
    """Name of the model, or of the group."""
    dataset: str
    """Name of its dataset."""
    what: ExportKind
    path: Path
    bytes: int
    """Size of the file."""
    others: tuple[Path, ...] = ()
    """The vectors of the users, and their ids, of a network that learns from plays."""
    contents: dict[str, Any] = field(default_factory=dict)
    """What is in it, as plain values."""


def export_model_file(model: Model, request: ExportRequest, progress: Progress) -> ModelFile:
    """Write the card of a model, its network or its weights; vectors of its users lie beside these.

    Raises
    ------
    RequestError
        If the model has no network, or no arrays; the hint says which of its parts have, or a file
        exists.
    DataError
        If a file of the model is missing or damaged.
    TartarusError
        If the network cannot be converted.
    """
    if request.what == "card":
        return write_card(model.name, model.manifest.dataset, model_card(model), request)
    _require_own_arrays(model, request)
    _say_what_is_left_out(model, progress)
    users = _users(model, request)
    vectors, ids = _beside(request)
    files = () if users is None else (vectors, ids)
    _require_free(files, request)
    with write_together([*files, request.path]) as temporary:
        if request.what == "onnx":
            contents = put_onnx(temporary[request.path], model, request.layer)
        else:
            contents = put_safetensors(temporary[request.path], model)
        if users is not None:
            _put_vectors(temporary[vectors], users, progress)
            index = user_index(model.dataset, users.shape[0], progress)
            put_ids(temporary[ids], index.ids)
    return ModelFile(
        model=model.name,
        dataset=model.manifest.dataset,
        what=request.what,
        path=request.path,
        bytes=request.path.stat().st_size,
        others=files,
        contents=contents,
    )


def write_card(name: str, dataset: str, text: str, request: ExportRequest) -> ModelFile:
    """Write the card of a model, or group, of a name and a dataset."""
    write_text(request.path, text)
    size = request.path.stat().st_size
    return ModelFile(name, dataset, request.what, request.path, size)


def _require_own_arrays(model: Model, request: ExportRequest) -> None:
    """Make sure that a model has something of its own that can be written."""
    ending = request.path.suffix
    if model.manifest.blends:
        parts = [
            f"{part.name} ({part.manifest.experiment}): "
            + call("export", part.name, what=_kind_for(part, request), path=f"{part.name}{ending}")
            for part, _ in model.parts
            if _kind_for(part, request) is not None
        ]
        msg = f"{model.name} is a blend of other models, and has no network itself"
        weights = ", ".join(f"{weight:.3g} × {part.name}" for part, weight in model.parts)
        hint = f"It is {weights}. Export its parts: {'; '.join(parts)}" if parts else weights
        raise RequestError(msg, hint=hint)
    if request.what == "onnx" and model.baseline is not None:
        msg = f"{model.name} is a baseline ({model.manifest.experiment}), and has no network"
        other = call("export", model.name, what="safetensors", path=f"{model.name}.safetensors")
        predicted = call("export", model.name, what="predictions", path=f"{model.name}.parquet")
        hint = f"The arrays that it learnt: {other}" if model.arrays.exists() else predicted
        raise RequestError(msg, hint=hint)


def _kind_for(part: Model, request: ExportRequest) -> ExportKind | None:
    """Return what can be written of a part of a model; None: nothing."""
    if request.what == "onnx" and part.manifest.kind != "network":
        return None
    return None if part.manifest.blends else request.what


def _say_what_is_left_out(model: Model, progress: Progress) -> None:
    parts = ", ".join(f"{weight:.3g} × {name}" for name, weight in model.manifest.parts.items())
    if parts:
        progress.say(f"the scores of {model.name} have others added, which are not in: {parts}")


def _users(model: Model, request: ExportRequest) -> UserRows | None:
    """Return the vectors of the users of a network that learns from plays; None for others."""
    manifest = model.manifest
    if manifest.form != "vectors" or manifest.kind != "network" or request.layer is not None:
        return None
    plays = None
    if manifest.users in ("history", "features"):
        plays = read_plays(model.dataset, "train").matrix.T.tocsr()
    return user_rows(model, plays)


def _beside(request: ExportRequest) -> tuple[Path, Path]:
    """Return the files of the vectors of users, and of their ids."""
    stem = request.path.stem
    return request.path.with_name(f"{stem}_users.npy"), request.path.with_name(f"{stem}_users.tsv")


def _require_free(files: Sequence[Path], request: ExportRequest) -> None:
    """Make sure that files may be written.

    Raises
    ------
    RequestError
        If one is there, and must not be written over.
    """
    for path in files:
        if path.exists() and not request.force:
            msg = f"{display_path(path)} is there already, where the vectors of the users belong"
            raise RequestError(msg, hint="Name another file, or write over it with `force=True`.")


def _put_vectors(path: Path, users: UserRows, progress: Progress) -> None:
    """Write the vectors of users, without the ones for the biases of items."""
    count, columns = users.shape
    rows = create_dense(path, (count, columns - 1))
    with defer_interrupts() as check, progress.task("exporting", count) as task:
        for block in user_slices(count):
            rows[block] = users.rows(block)[:, :-1]
            task.advance(block.stop - block.start)
            check()
