"""A study on the disk: what is searched, and the journal of all trials, for many processes.

Every step is a line of JSON at the end of the journal, so that processes on several machines that
share a folder work on one study without a server. Nothing is unpickled.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from tartarus_cli.data.provenance import read_json_model
from tartarus_cli.errors import FileError, Placeholder, RequestError, call, display_path, nearest
from tartarus_cli.files import locked, write_text
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.study_layout import StudyPaths

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage

PATIENCE_S = 120.0
"""How long a process waits for another one that begins a trial, or writes into the journal."""

PrunerName = Literal["asha", "hyperband", "none"]
"""How trials that fall behind are stopped."""

FIRST_RUNG = 5
"""Epochs before a trial can be stopped for falling behind."""
KEPT = 2
"""At each rung, one in so many trials goes on; the next one is so many times as many epochs on."""


class StudyRequest(BaseModel):
    """What a study searches: all that its trials have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: str
    """The experiment that is tuned."""
    parameters: dict[str, Any]
    """Its parameters, without what is varied and what no training depends on."""
    settings: tuple[str, ...]
    dataset: str
    overrides: tuple[str, ...] = ()
    """What was changed in the experiment, one value each."""
    ranges: dict[str, str]
    """Parameter → the values to try."""
    objective: str
    """The figure of the validation items that is to be as good as it can be."""
    pruner: PrunerName
    seed: int
    code: dict[str, str] = {}
    """File of code → hash of its bytes."""


class StoredRequest(StudyRequest):
    """The same with what does not tell two searches apart."""

    started: str
    """When it began, in ISO 8601."""
    versions: dict[str, str] = {}
    """Library → version."""


SHOWN = ("experiment", "dataset", "settings", "objective", "pruner", "seed", "code")


def differences(one: StudyRequest, other: StudyRequest) -> list[str]:
    """Say what differs between two searches: what the first one has, and what the second one.

    An empty list if nothing does.
    """
    first, second = _compared(one), _compared(other)
    new = {*_flat(other.parameters)} - {*first}  # parameters that an older version did not have
    return [
        f"{key}: {first.get(key, 'one value')}, not {second.get(key, 'one value')}"
        for key in dict.fromkeys([*first, *second])
        if first.get(key) != second.get(key) and key not in new
    ]


def _compared(request: StudyRequest) -> dict[str, Any]:
    """Return what tells a search from others, by what it is called."""
    named = {name: getattr(request, name) for name in SHOWN}
    named["settings"] = " ".join(request.settings) or "none"
    ranges = {key: f"{text} (varied)" for key, text in request.ranges.items()}
    return named | _flat(request.parameters) | ranges


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def read_request(paths: StudyPaths) -> StoredRequest:
    """Read what a study searches.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    return read_json_model(
        paths.request,
        StoredRequest,
        expected="a search, as tuning writes it",
        hint=f"Move {display_path(paths.folder)} away, and begin another one.",
    )


def write_request(paths: StudyPaths, request: StoredRequest) -> None:
    """Write what a study searches."""
    write_text(paths.request, request.model_dump_json(indent=2) + "\n")


def find_study(workspace: WorkspacePaths, name: str) -> StudyPaths:
    """Return a study by name.

    Raises
    ------
    RequestError
        If there is none.
    """
    known = workspace.study_names()
    if name not in known:
        msg = f"there is no study called {name!r}"
        begin = call("tune", Placeholder("EXPERIMENT"), Placeholder("SETTING"))
        raise RequestError(msg, hint=nearest(name, known) if known else f"Begin one: {begin}")
    return workspace.study(name)


class _JournalLock:
    """The lock of a journal; the system gives it back when its process dies, in whatever way.

    Whoever gets it cuts off half a line that a process left that was killed while it wrote.
    """

    def __init__(self, paths: StudyPaths) -> None:
        self._paths, self._stack = paths, ExitStack()

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._stack.enter_context(locked(self._paths.journal_lock, PATIENCE_S))
        mend_journal(self._paths)
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._stack.close()


def mend_journal(paths: StudyPaths) -> None:
    """Cut off half a line at the end of a journal; the lock is held."""
    if not paths.journal.exists():
        return
    with paths.journal.open("r+b") as file:
        end = position = file.seek(0, 2)
        while position:
            start = max(0, position - (1 << 16))
            file.seek(start)
            newline = file.read(position - start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        if position < end:
            file.truncate(position)


def open_storage(paths: StudyPaths) -> BaseStorage:
    """Open the journal of a study, which is made if it is missing."""
    quiet_optuna()
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    lock: Any = _JournalLock(paths)
    with explained(paths):
        return JournalStorage(JournalFileBackend(str(paths.journal), lock_obj=lock))


@contextmanager
def explained(paths: StudyPaths) -> Iterator[None]:
    """Turn what is wrong in a journal into an error that names it.

    Raises
    ------
    FileError
        If a line of it is damaged.
    """
    from json import JSONDecodeError

    try:
        yield
    except (JSONDecodeError, UnicodeDecodeError, KeyError) as problem:
        raise FileError(
            paths.journal,
            found=f"a line that cannot be read ({problem})",
            expected="a JSON document in each line, as Optuna writes it",
            hint=f"Move {display_path(paths.folder)} away, and begin another search.",
        ) from None


def open_study(
    paths: StudyPaths,
    storage: BaseStorage,
    *,
    maximize: bool,
    sampler: BaseSampler | None = None,
    pruner: BasePruner | None = None,
) -> Study:
    """Return the study of a journal for Optuna, which is made if it is not there.

    Raises
    ------
    FileError
        If a line of the journal is damaged.
    """
    import optuna

    with explained(paths):
        return optuna.create_study(
            study_name=paths.name,
            storage=storage,
            direction="maximize" if maximize else "minimize",
            load_if_exists=True,
            sampler=sampler,
            pruner=pruner or optuna.pruners.NopPruner(),
        )


def make_pruner(name: PrunerName, epochs: int) -> BasePruner:
    """Return what stops trials that fall behind."""
    from optuna.pruners import HyperbandPruner, NopPruner, SuccessiveHalvingPruner

    if name == "asha":
        return SuccessiveHalvingPruner(min_resource=FIRST_RUNG, reduction_factor=KEPT)
    if name == "hyperband" and epochs > FIRST_RUNG:
        return HyperbandPruner(min_resource=FIRST_RUNG, max_resource=epochs, reduction_factor=KEPT)
    return NopPruner()


def quiet_optuna() -> None:
    """Let Optuna write into our log, at the level of details, if at all."""
    import optuna

    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna").setLevel(logging.ERROR)
