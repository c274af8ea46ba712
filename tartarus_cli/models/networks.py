"""Files of networks as Keras writes them: looked at before Keras reads them, and loaded in bounds.

Such a file comes from anybody. It may be made to fill the memory (an archive that inflates, layers
of a billion units), or name code that is not of a network.
"""

from __future__ import annotations

import io
import json
import math
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.data.arrays import LARGE_BYTES, USUAL_COMPRESSION
from tartarus_cli.environment import backend_error
from tartarus_cli.errors import DataError, FileError, display_path
from tartarus_cli.files import open_regular
from tartarus_cli.models.manifest import LayerInfo
from tartarus_cli.models.store import Model

if TYPE_CHECKING:
    import keras

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
MEMBERS = (METADATA, CONFIG, WEIGHTS)
"""Files in the archive that Keras writes of a network."""

MAX_CONFIG_BYTES = 4 << 20
"""The longest description of a network; one of a hundred layers has 0.1 MB."""

MAX_DEPTH = 100
"""Levels of the description beyond which it is damage."""

CODE = {"__lambda__", "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
"""Classes of Keras that run code out of the file, or out of another one."""


class _RefusalError(Exception):
    """What is wrong with the file of a network."""


def load_network(model: Model) -> keras.Model:
    """Load the network of a model.

    Raises
    ------
    DataError
        If its file is missing, damaged, or holds anything but the network of the manifest.
    BackendError
        If Keras cannot load it although it is whole.
    """
    import keras

    import tartarus_cli.layers  # noqa: F401 — registers the layers that a saved model names

    # Looking it up imports the plug-in that it may be of, with layers of its own.
    ARCHITECTURES.get(model.experiment.network.name)
    weights = check_archive(model)
    excess: list[str] = []
    try:
        with _bounded(weights, excess):
            network = keras.saving.load_model(model.network, compile=False, safe_mode=True)
    except Exception as problem:  # noqa: BLE001 — another Keras, or a layer, may raise anything
        if excess:
            raise _refused(model, excess[0]) from None
        subject = f"{display_path(model.network)} is undamaged, but Keras cannot load it"
        raise backend_error(subject, problem, made_with=model.manifest.versions) from None
    if model.manifest.layers and layers_of(network) != model.manifest.layers:
        raise _refused(model, "its layers are not those that the manifest of the model lists")
    return network


def layers_of(network: keras.Model) -> list[LayerInfo]:
    """List the layers of a network, from input to output."""
    return [
        LayerInfo(
            name=layer.name,
            kind=type(layer).__name__,
            shape=tuple(layer.output.shape[1:]),
            parameters=layer.count_params(),
        )
        for layer in network.layers
    ]


def check_archive(model: Model) -> int:
    """Make sure that the file of a network is whole, and holds only what Keras writes.

    Returns
    -------
    int
        Number of its weights.

    Raises
    ------
    DataError
        If it is missing, damaged, made to fill the memory, or names code of other modules.
    """
    try:
        with open_regular(model.network) as file, ZipFile(file) as archive:
            _check_members(archive)
            damaged = archive.testzip()
            if damaged:
                msg = f"its {damaged} is damaged"
                raise _RefusalError(msg)  # noqa: TRY301 — one message for all reasons
            _check_config(archive.read(CONFIG))
            return _count_weights(archive.read(WEIGHTS))
    except FileNotFoundError:
        reason = "it is missing"
    except FileError as problem:
        reason = f"it is {problem.found}"
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as problem:
        reason = f"it is damaged, or no file of Keras ({problem})"
    except _RefusalError as problem:
        reason = str(problem)
    raise _refused(model, reason)


def _refused(model: Model, reason: str) -> DataError:
    msg = f"{display_path(model.network)} cannot be loaded: {reason}"
    return DataError(msg, hint=f"Train {model.name} again.")


def _check_members(archive: ZipFile) -> None:
    """Look at the directory of an archive; nothing is inflated."""
    names = archive.namelist()
    lacking = next((name for name in MEMBERS if name not in names), None)
    if lacking:
        msg = f"it lacks {lacking}"
        raise _RefusalError(msg)
    if len(names) > len(MEMBERS):
        other = next((name for name in names if name not in MEMBERS), "a file twice")
        msg = f"it holds {other!r}, which Keras does not write of a network"
        raise _RefusalError(msg)
    for info in archive.infolist():
        most = _most_bytes(info)
        if info.file_size > most:
            msg = f"its {info.filename} has {info.file_size:,} bytes, at most {most:,} are read"
            raise _RefusalError(msg)


def _most_bytes(info: ZipInfo) -> int:
    """Return how many bytes a member may have; Keras compresses none of them."""
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return 0
    if info.filename != WEIGHTS:
        return MAX_CONFIG_BYTES
    if info.compress_type == ZIP_STORED:
        return info.compress_size
    return max(LARGE_BYTES, USUAL_COMPRESSION * info.compress_size)


def _check_config(content: bytes) -> None:
    """Make sure that a description names layers of Keras, of ours or of a plug-in only."""
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as problem:
        msg = f"its {CONFIG} is damaged ({type(problem).__name__}: {str(problem)[:80]})"
        raise _RefusalError(msg) from None
    level = [config]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [value for each in level for value in _parts(each)]
    msg = f"its {CONFIG} is nested deeper than {MAX_DEPTH} levels"
    raise _RefusalError(msg)


def _parts(value: Any) -> list[Any]:
    """Return the values in a list or an object, whose class is checked."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return []
    name, module = value.get("class_name"), value.get("module")
    if isinstance(name, str) and name in CODE:
        msg = f"its {CONFIG} has a layer {name}, which runs code out of a file"
        raise _RefusalError(msg)
    if isinstance(module, str) and name is not None and not _is_known(module):
        # Keras would import the module, whatever it is.
        msg = f"its {CONFIG} names {module}.{name}, which is neither Keras' nor a plug-in's"
        raise _RefusalError(msg)
    return [*value.values()]


def _is_known(module: str) -> bool:
    return module.partition(".")[0] in ("keras", "builtins") or module in sys.modules


def _count_weights(content: bytes) -> int:
    """Count the numbers of all weights, all of which have to be in the file itself."""
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _count_in(file, set())
    except (OSError, RuntimeError, ValueError, KeyError) as problem:
        msg = f"its {WEIGHTS} is damaged ({str(problem)[:80]})"
        raise _RefusalError(msg) from None


def _count_in(file: Any, seen: set[int]) -> int:
    import h5py

    groups, count = [file], 0
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                msg = f"{group.name}/{name} of its {WEIGHTS} is a link"
                raise _RefusalError(msg)
            thing = group[name]
            address = h5py.h5o.get_info(thing.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(thing, h5py.Group):
                groups.append(thing)
            elif isinstance(thing, h5py.Dataset):
                _check_weights(thing)
                count += math.prod(thing.shape or ())
    return count


def _check_weights(dataset: Any) -> None:
    """Make sure that a dataset is as Keras writes it: plain numbers, one after another."""
    plain = dataset.dtype.kind in "fiub" and dataset.shape is not None
    own = dataset.chunks is None and not dataset.is_virtual and not dataset.external
    if not plain or not own or dataset.id.get_storage_size() < dataset.nbytes:
        msg = f"{dataset.name} of its {WEIGHTS} is no plain array of numbers in the file itself"
        raise _RefusalError(msg)


@contextmanager
def _bounded(weights: int, excess: list[str]) -> Iterator[None]:
    """Refuse to make more weights in the block than there are in the file.

    Keras turns errors into others: ``excess`` gets what is said.
    """
    import keras

    add_weight, left = keras.layers.Layer.add_weight, weights

    def add(layer: keras.layers.Layer, shape: Any = None, *args: Any, **options: Any) -> Any:
        nonlocal left
        left -= math.prod([shape] if isinstance(shape, int) else shape or ())
        if left < 0:
            msg = f"its {CONFIG} describes more weights than the {weights:,} of its {WEIGHTS}"
            excess.append(msg)
            raise _RefusalError(msg)
        return add_weight(layer, shape, *args, **options)

    keras.layers.Layer.add_weight = add
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight
