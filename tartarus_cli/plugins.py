"""Files of code that the user names: each runs once and registers networks, metrics and the like.

Code runs only when somebody names it, names an experiment that names it, or uses a model that was
trained with it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from traceback import walk_tb
from types import CodeType

from tartarus_cli.errors import (
    DataError,
    FileError,
    RequestError,
    TartarusError,
    display_path,
    expand_home,
)
from tartarus_cli.files import read_bytes
from tartarus_cli.progress import warn
from tartarus_cli.registry import CODE_PREFIX, forget_unloaded, importing


@dataclass(frozen=True)
class CodeFile:
    """A file of code that has run."""

    path: Path
    """Its absolute path."""
    digest: str
    """BLAKE2b hash of its bytes; 32 hexadecimal digits."""


_RUN: dict[Path, CodeFile] = {}


def run_files(paths: Sequence[Path] | None) -> tuple[CodeFile, ...]:
    """Run files of code, except those that ran before and have not changed since.

    Raises
    ------
    RequestError
        If one is missing, is no Python file, raises an exception, or registers a name that exists.
    """
    return tuple(run_file(path) for path in paths or ())


def run_file(path: Path) -> CodeFile:
    """Run a file of code, unless it ran before and has not changed since.

    Raises
    ------
    RequestError
        As :func:`run_files`.
    """
    path = expand_home(path).resolve()
    source = _read(path)
    file = CodeFile(path, blake2b(source, digest_size=16).hexdigest())
    if _RUN.get(path) != file:
        _RUN.pop(path, None)
        _run(path, source)
        _RUN[path] = file
    return file


def has_run(path: Path) -> bool:
    """Whether a file of code has run already."""
    return path.resolve() in _RUN


def files_run() -> tuple[CodeFile, ...]:
    """Return the files of code that have run, in order."""
    return tuple(_RUN.values())


def run_recorded(root: Path, recorded: Mapping[str, str], model: str) -> None:
    """Run the code that a model was trained with.

    Parameters
    ----------
    root
        The workspace, in which relative paths start.
    recorded
        Path → hash, as :attr:`CodeFile.digest`. A file of the same content that has run already
        counts, wherever it lies. One that has changed since the training runs, with a warning.
    model
        The name of the model, for messages.

    Raises
    ------
    DataError
        If a file is missing, or raises an exception.
    """
    for name, recorded_digest in recorded.items():
        path = root / name
        if recorded_digest in {file.digest for file in _RUN.values()}:
            continue
        if not path.is_file():
            msg = f"{display_path(path)} is gone, the code that {model} was trained with"
            hint = "Put it back, name it where it is now with `code=FILE`, or train again."
            raise DataError(msg, hint=hint)
        try:
            file = run_file(path)
        except RequestError as problem:
            msg = f"{problem}; {model} was trained with this code"
            raise DataError(msg, hint=f"{problem.hint} Or train again.") from None
        if file.digest != recorded_digest:
            change = f"{display_path(path)} has changed since {model} was trained with it"
            effect = "what the model predicts may no longer be what it learnt"
            warn(f"{change}: {effect}; put the file back or train again")


def _read(path: Path) -> bytes:
    if path.suffix != ".py" or path.is_dir():
        msg = f"{display_path(path)} is not a file of Python code"
        raise RequestError(msg, hint="Name a file that ends in .py.")
    try:
        return read_bytes(path)
    except FileError as problem:
        msg = f"{display_path(path)}: {problem.found}"
        raise RequestError(msg, hint="Name a file of Python code that can be read.") from None


class _Loader(SourceFileLoader):
    """Runs the very bytes that were hashed, and writes no compiled file next to the user's."""

    def __init__(self, name: str, path: Path, source: bytes) -> None:
        super().__init__(name, str(path))
        self._source = source

    def get_data(self, path: str) -> bytes:  # noqa: ARG002 — there is one path
        return self._source

    def path_stats(self, path: str) -> Mapping[str, float]:
        raise OSError(path)


def _run(path: Path, source: bytes) -> None:
    """Import a file as a module, under a name made from its path."""
    stem = "".join(c if c.isalnum() else "_" for c in path.stem)
    name = f"{CODE_PREFIX}{stem}_{blake2b(str(path).encode(), digest_size=4).hexdigest()}"
    loader = _Loader(name, path, source)
    spec = ModuleSpec(name, loader, origin=str(path))
    spec.has_location = True
    module = module_from_spec(spec)
    _forget(name)
    try:
        with importing():
            # Its classes are looked up by this name.
            sys.modules[name] = module
            loader.exec_module(module)
    except TartarusError:
        _forget(name)
        raise
    except (Exception, SystemExit) as problem:  # noqa: BLE001 — whatever the code raises
        _forget(name)
        raise _code_error(path, problem) from None


def _forget(module: str) -> None:
    sys.modules.pop(module, None)
    forget_unloaded()


def _code_error(path: Path, problem: BaseException) -> RequestError:
    """Return an error that names the line of the file in which an exception was raised."""
    lines = [n for frame, n in walk_tb(problem.__traceback__) if _is_in(path, frame.f_code)]
    line, reason = (lines[-1] if lines else None), str(problem)
    if isinstance(problem, SyntaxError) and problem.filename == str(path):
        line, reason = problem.lineno, problem.msg
    where = f"{display_path(path)}, line {line}" if line else display_path(path)
    reason = " ".join(f"{type(problem).__name__}: {reason}".split())
    return RequestError(f"{where}: {reason}", hint="Correct the code.")


def _is_in(path: Path, code: CodeType) -> bool:
    return code.co_filename == str(path)
