"""What a study has come to: its trials, pictures of them, and the experiment that it found."""

from __future__ import annotations

import json
from pathlib import Path

from tartarus_cli.errors import TartarusError
from tartarus_cli.files import locked, read_text, write_bytes
from tartarus_cli.pictures.canvas import picture_format
from tartarus_cli.pictures.search import TrialPoint, draw_course, draw_importance
from tartarus_cli.progress import warn
from tartarus_cli.study_layout import StudyPaths
from tartarus_cli.tuning.objective import Objective
from tartarus_cli.tuning.storage import PATIENCE_S, open_storage, open_study, read_request
from tartarus_cli.tuning.study import Study, parameter_importance, record_of
from tartarus_cli.workspace import Workspace


def read_study(workspace: Workspace, paths: StudyPaths, *, importance: bool = True) -> Study:
    """Read a study, whether or not somebody works on it.

    Parameters
    ----------
    workspace
        Holds it.
    paths
        Its files.
    importance
        Whether to compute how much each parameter matters, which takes a moment.

    Raises
    ------
    FileError
        If its request or its journal is damaged.
    """
    request = read_request(paths)
    maximize = Objective(request.objective).maximize
    study = open_study(paths, open_storage(paths), maximize=maximize)
    trials = tuple(record_of(trial) for trial in study.get_trials(deepcopy=False))
    keys = list(request.ranges)
    pictures = tuple(path for path in paths.pictures if path.is_file())
    path = _saved(workspace, paths)
    return Study(
        name=paths.name,
        folder=paths.folder,
        request=request,
        trials=trials,
        importance=parameter_importance(study, keys, request.seed) if importance else {},
        pictures=pictures,
        experiment=path.stem if path else "",
        path=path,
    )


def _saved(workspace: Workspace, paths: StudyPaths) -> Path | None:
    try:
        path = workspace.experiments / f"{json.loads(read_text(paths.saved))['name']}.toml"
    except (TartarusError, OSError, ValueError, KeyError, TypeError):
        return None
    return path if path.is_file() else None


def draw_pictures(paths: StudyPaths, study: Study) -> None:
    """Write the pictures of a study, where there is something to see."""
    title = f"{study.name}: {study.request.experiment} {' '.join(study.request.settings)}".rstrip()
    points = [
        TrialPoint(trial.number, figure, trial.state == "pruned")
        for trial in study.trials
        for figure in [
            trial.figure,
            *([*trial.epochs.values()][-1:] if trial.state == "pruned" else []),
        ]
        if figure is not None
    ]
    with locked(paths.lock, PATIENCE_S):
        for path in paths.pictures:
            file_format = picture_format(path)
            if path.stem == "importance" and study.importance:
                content = draw_importance(study.importance, title, file_format=file_format)
            elif path.stem == "course" and points:
                content = draw_course(
                    points,
                    study.default.figure if study.default else None,
                    maximize=study.objective.maximize,
                    label=f"validation {study.objective.name}",
                    title=title,
                    file_format=file_format,
                )
            else:
                continue
            write_bytes(path, content)


def list_studies(workspace: Workspace) -> list[Study]:
    """Return all studies of a workspace, by name; a damaged one is left out, and warned of."""
    studies = []
    for name in workspace.study_names():
        try:
            studies.append(read_study(workspace, workspace.study(name), importance=False))
        except TartarusError as problem:
            warn(f"{name} cannot be read: {problem}")
    return studies
