"""The best experiment of a study, as a file of the workspace."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import tomlkit

from tartarus_cli.errors import RequestError, TartarusError, display_path, parameter
from tartarus_cli.experiments.resolve import experiment_names, preset_paths, resolve, to_table
from tartarus_cli.files import digest, read_text, write_text
from tartarus_cli.options import parse_value
from tartarus_cli.study_layout import StudyPaths
from tartarus_cli.tuning.job import TuningJob
from tartarus_cli.tuning.space import write_override
from tartarus_cli.tuning.study import Study, TrialRecord
from tartarus_cli.workspace import Workspace

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def check_name(
    workspace: Workspace, paths: StudyPaths | None, name: str | None, *, force: bool
) -> None:
    """Make sure that the best experiment can be called so, before anything runs.

    Parameters
    ----------
    workspace
        Gets the file.
    paths
        The study, which may have written it before; None if it is a new one.
    name
        Of the experiment; None: another one is found.
    force
        Whether a file that is there may be overwritten.

    Raises
    ------
    RequestError
        If it cannot, or there is such an experiment.
    """
    if name is None:
        return
    option = parameter("save", name)
    if not NAME.fullmatch(name) or name in preset_paths():
        reason = "is a preset" if name in preset_paths() else "cannot be the name of a file"
        msg = f"{option}: {name!r} {reason}"
        raise RequestError(msg, hint="Use letters, digits, _ and -, and a name of its own.")
    path = workspace.experiments / f"{name}.toml"
    if path.exists() and not force and not (paths and _is_own(paths, path)):
        msg = f"{option}: {display_path(path)} exists"
        hint = f"Choose another name, or overwrite it: {parameter('force', value=True)}."
        raise RequestError(msg, hint=hint)


def save_best(job: TuningJob, study: Study, name: str | None, *, force: bool) -> Path | None:
    """Write the best experiment of a study into the workspace.

    None if the experiment as it is is the best.

    Raises
    ------
    RequestError
        If somebody else wrote a file of that name meanwhile.
    """
    best = study.best
    if best is None or best.default:
        return None
    path = _path(job, name)
    check_name(job.workspace, job.paths, path.stem, force=force or name is None)
    text = _describe(job, study, best)
    write_text(path, text)
    _require_same(job, path, best)
    write_text(job.paths.saved, json.dumps({"name": path.stem, "digest": digest(path)}) + "\n")
    return path


def _path(job: TuningJob, name: str | None) -> Path:
    """Return the file of the best experiment: one of its own, unless a name is given."""
    folder, stem = job.workspace.experiments, f"{job.request.experiment}_tuned"
    if name is not None:
        return folder / f"{name}.toml"
    number = 1
    while True:
        path = folder / f"{stem}{f'_{number}' if number > 1 else ''}.toml"
        free = not path.exists() and path.stem not in experiment_names(folder)
        if free or _is_own(job.paths, path):
            return path
        number += 1


def _is_own(paths: StudyPaths, path: Path) -> bool:
    """Whether a file is what the study wrote, unchanged."""
    try:
        saved = json.loads(read_text(paths.saved))
        return bool(saved["name"] == path.stem and saved["digest"] == digest(path))
    except (TartarusError, OSError, ValueError, KeyError, TypeError):
        return False


def _describe(job: TuningJob, study: Study, best: TrialRecord) -> str:
    """Write an experiment that extends the one that was tuned, and says what differs."""
    request, name = job.request, study.objective.name
    figures = f"{name} {best.figure:.4f} of validation items"
    if study.default is not None:
        figures += f", {study.default.figure:.4f} before"
    table: dict[str, Any] = {
        "extends": request.experiment,
        "description": f"{request.experiment}, tuned on {request.dataset}: {figures}",
    }
    overrides = [*request.overrides, *(write_override(k, v) for k, v in best.parameters.items())]
    own = resolve(request.experiment, folder=job.workspace.experiments).dataset.name
    if own != request.dataset:
        table["dataset"] = {"name": request.dataset}
    for text in overrides:
        key, _, value = text.partition("=")
        section, dot, field = key.strip().partition(".")
        if dot:
            table.setdefault(section, {})[field] = parse_value(value.strip())
        else:
            table[section] = parse_value(value.strip())
    sections = {key: value for key, value in table.items() if isinstance(value, dict)}
    plain = {key: value for key, value in table.items() if key not in sections}
    settings = " ".join(request.settings)
    head = f"# Trial {best.number} of the study {study.name} ({settings or 'no setting'}).\n"
    return head + tomlkit.dumps(plain | sections)


def _require_same(job: TuningJob, path: Path, best: TrialRecord) -> None:
    """Make sure that the file says what the best trial was trained by; else write all of it."""
    from tartarus_cli.experiments.resolve import to_toml
    from tartarus_cli.tuning.job import hidden, resolve_with

    seen, dataset = hidden(job.workspace, job.paths), job.request.dataset
    trained = job.request_of(best.parameters, seen).experiment
    tables = [resolve_with(seen, path.stem, dataset, ()), trained]
    compared = [{k: v for k, v in to_table(e).items() if k not in _TEXTS} for e in tables]
    if compared[0] != compared[1]:
        text = read_text(path)
        described = trained.model_copy(
            update={"description": tables[0].description, "extends": "", "tune": {}}
        )
        write_text(path, text.splitlines()[0] + "\n" + _without_name(to_toml(described)))


def _without_name(text: str) -> str:
    """Leave out the name, which is that of the file."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("name = ") or line is not lines[0])


_TEXTS = ("name", "description", "note", "extends", "tune", "evaluation")
