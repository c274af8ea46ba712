"""From the name of an experiment to all its parameters: presets, own files, overrides."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

import tomlkit
from pydantic import BaseModel, ValidationError

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.baselines import BASELINES, Baseline
from tartarus_cli.errors import RequestError, display_path, nearest
from tartarus_cli.experiments.code import Table, prepare_code
from tartarus_cli.experiments.schema import (
    Experiment,
    ValidationSection,
    baseline_of,
    is_baseline,
    options_of,
    training_of,
)
from tartarus_cli.options import parse_value

TaskInference = Callable[[str, Baseline], Table]  # the task and the targets that a dataset is for


@cache
def preset_paths() -> dict[str, Path]:
    """Presets of the package by name."""
    folder = Path(str(resources.files("tartarus_cli.experiments") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def own_paths(folder: Path | None) -> dict[str, Path]:
    """Experiments in the workspace's folder by name."""
    found = sorted(folder.glob("*.toml")) if folder is not None else []
    return {path.stem: path for path in found}


def experiment_names(own: Path | None) -> list[str]:
    """Names of all experiments: presets first, then those in the folder ``own``."""
    return list(dict.fromkeys([*preset_paths(), *own_paths(own)]))


def resolve(
    name: str,
    *,
    own: Path | None = None,
    dataset: str | None = None,
    overrides: Sequence[str] = (),
    follow: TaskInference | None = None,
    run_code: bool = False,
) -> Experiment:
    """Return an experiment with every parameter filled in.

    A baseline that leaves its task or its targets unsaid takes those of its dataset.

    Parameters
    ----------
    name
        A preset, or a file in ``own`` without its ending.
    own
        The folder of the user's own experiments.
    dataset
        The dataset to apply it to, instead of its own.
    overrides
        ``section.key=value``, the value written as in TOML (quotes around text may be left out).
    follow
        Tells the task and the targets of a dataset; those of the published one if None.
    run_code
        Whether files of code that it names are run; if not, it needs none but those that ran.

    Raises
    ------
    RequestError
        If there is no such experiment or parameter, or a value does not fit.
    CodeNotRunError
        If it names code that has not been run and is not to be.
    """
    lineage = _lineage(name, own)
    code = prepare_code(lineage, own, run=run_code)
    table = _inherited(lineage) | ({"code": code} if code else {})
    path = own_paths(own).get(name)
    if path is not None and (overrides or dataset):
        its_own = _followed(table, follow)
        _validated(
            name, its_own, display_path(path)
        )  # so that its faults are not blamed on the command
    if dataset is not None:
        table = _merged(table, {"dataset": {"name": dataset}})
    for override in overrides:
        table = _merged(table, _override(override))
    table = _followed(table, follow)
    asked = "--set" if overrides else "--dataset"
    return _validated(
        name, table, asked if overrides or dataset else display_path(path) if path else name
    )


def _followed(table: Table, follow: TaskInference | None) -> Table:
    """Fill in the task and the targets of a baseline from its dataset."""
    baseline = baseline_of(table.get("network"))
    dataset = table.get("dataset")
    if baseline is None or not isinstance(dataset, dict):
        return table
    known = (follow or _published)(str(dataset.get("name")), baseline)
    asked = table.get("targets")
    kind = asked.get("kind") if isinstance(asked, dict) else None
    if kind is not None and kind != known["targets"]["kind"]:
        known = known | {"targets": {"dim": PUBLISHED_DIMS.get(str(kind), 1)}}
    return _merged(known, table)


PUBLISHED_DIMS = {"als": 200, "pmi": 50, "class": 15}


def _published(_dataset: str, baseline: Baseline) -> Table:
    return default_targets("als" if "recommendation" in baseline.tasks else "class", "multiclass")


def default_targets(kind: str, task: str, dim: int | None = None) -> Table:
    """Return a task and its targets as sections of an experiment; als is for recommendation.

    Their number is that of the published datasets if None.

    >>> default_targets("class", "multilabel")
    {'dataset': {'task': 'multilabel'}, 'targets': {'kind': 'class', 'dim': 15}}
    """
    task = "recommendation" if kind == "als" else task
    targets = {"kind": kind, "dim": dim or PUBLISHED_DIMS[kind]}
    return {"dataset": {"task": task}, "targets": targets}


def _lineage(name: str, own: Path | None) -> list[tuple[Path, Table]]:
    """Read an experiment, what it extends, and so on."""
    lineage: list[tuple[Path, Table]] = []
    names: list[str] = []
    while True:
        path = _path_of(name, own)
        table = {**_read(path), "name": name}
        lineage.append((path, table))
        names.append(name)
        if table.get("extends") is None:
            return lineage
        name = str(table["extends"])
        if name not in experiment_names(own):
            msg = f"{display_path(path)} extends {name!r}, and there is no such experiment"
            raise RequestError(msg, hint=nearest(name, experiment_names(own)))
        if name in names:
            msg = f"{display_path(path)} extends itself: {' → '.join([*names, name])}"
            raise RequestError(msg, hint="Let one of them extend a preset instead.")


def _inherited(lineage: Sequence[tuple[Path, Table]]) -> Table:
    """Lay an experiment over what it extends."""
    *heirs, (_, result) = lineage
    for _, table in reversed(heirs):
        kept = {k: v for k, v in result.items() if k not in ("note", "description")}
        result = _merged(kept, table)
    return result


def _path_of(name: str, own: Path | None) -> Path:
    presets, mine = preset_paths(), own_paths(own)
    if name in presets and name in mine:
        msg = f"{display_path(mine[name])} has the name of a preset"
        raise RequestError(msg, hint=f'Rename it; it may say extends = "{name}".')
    if name not in presets and name not in mine:
        msg = f"there is no experiment called {name!r}"
        raise RequestError(msg, hint=nearest(name, [*presets, *mine]))
    return presets.get(name) or mine[name]


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        msg = f"{display_path(path)} is not valid TOML: {problem}"
        raise RequestError(msg, hint="Correct that line.") from None


def _merged(base: Table, over: Mapping[str, Any]) -> Table:
    """Lay one table over another; another network leaves behind what it does not know."""
    result = _left_by(base, over.get("network"))
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, Mapping)
        if key == "network" and both:
            below = _known_to(value.get("name"), cast("Table", below))
        result[key] = _merged(cast("Table", below), value) if both else value
    return result


def _left_by(base: Mapping[str, Any], network: Any) -> Table:
    """Leave out what a network was told and the baseline that takes its place has no use for."""
    baseline = baseline_of(network)
    if baseline is None or baseline_of(base.get("network")) is not None:
        return dict(base)
    kept = {k: v for k, v in base.items() if k not in ("inputs", "patches", "training", "note")}
    training = base.get("training")
    if baseline.validates and isinstance(training, dict):
        fields = ValidationSection.model_fields
        kept["training"] = {key: value for key, value in training.items() if key in fields}
    return kept


def _known_to(network: Any, options: Table) -> Table:
    there = [*ARCHITECTURES.names(), *BASELINES.names()]
    if network is None or network == options.get("name") or network not in there:
        return options
    known = options_of(network).model_fields
    before = options.get("name")
    old = options_of(str(before)).model_fields if before in there else {}
    return {key: value for key, value in options.items() if key in known or key not in old}


def _override(text: str) -> Table:
    path, equals, value = text.partition("=")
    section, dot, key = path.strip().partition(".")
    if not (equals and dot and key):
        msg = f"--set {text}: not of the form section.key=value"
        raise RequestError(msg, hint="For example --set training.batch_size=64.")
    return {section: {key: parse_value(value.strip())}}


def _validated(name: str, table: Table, where: str) -> Experiment:
    try:
        return Experiment.model_validate(table)
    except ValidationError as problem:
        faults = problem.errors(include_url=False)
        first = min(faults, key=lambda fault: fault["type"] == "missing")
        location = [str(part) for part in first["loc"] if not str(part).startswith("function-")]
        parameter = ".".join(location)
        base = name if name in preset_paths() else str(table.get("extends") or "rec_multi")
        hint = f"See 'tartarus experiments show {base}'."
        if first["type"] == "extra_forbidden":
            known = _parameters(table)
            sections = list(dict.fromkeys(each.partition(".")[0] for each in known))
            hint = nearest(parameter, known if "." in parameter else sections)
            msg = f"{where}: there is no parameter {parameter}"
            raise RequestError(msg, hint=hint) from None
        said = "" if first["type"] in ("missing", "value_error") else f", not {first['input']!r}"
        reason = first["msg"].removeprefix("Value error, ")
        subject = f"{parameter}: " if parameter else ""
        msg = f"{where}: {subject}{reason}{said}"
        raise RequestError(msg, hint=hint) from None


def _parameters(table: Table) -> list[str]:
    """Every parameter that an experiment with this network may set."""
    network = table.get("network", {}).get("name")
    there = [*ARCHITECTURES.names(), *BASELINES.names()]
    own = {"network": options_of(network)} if network in there else {"network": None}
    pairs = _pairs(Experiment, own | {"training": training_of(table.get("network"))})
    unused = ("inputs", "patches") if is_baseline(network) else ()
    return [f"{s}.{key}" if key else s for s, key in pairs if s not in unused]


def _pairs(
    model: type[BaseModel], own: Mapping[str, type[BaseModel] | None]
) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        inner = own[name] if name in own else _section(field.annotation)
        if inner is None:
            yield name, ""
        else:
            yield from ((name, key) for key in inner.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    choices = getattr(annotation, "__args__", (annotation,))
    models = (c for c in choices if isinstance(c, type) and issubclass(c, BaseModel))
    return next(models, None)


def to_table(experiment: Experiment) -> Table:
    """All parameters as plain values, sections in order; what is not set is left out."""
    table = experiment.model_dump(mode="json", exclude_none=True)
    baseline = experiment.baseline
    if baseline is not None:
        del table["inputs"]  # which follow from the settings that are named
    if baseline is not None and not baseline.learns:
        del table["targets"]["normalize"]
    return table


def to_toml(experiment: Experiment) -> str:
    """Write a resolved experiment as TOML; it depends on no other file any more, but its code."""
    table = {k: v for k, v in to_table(experiment).items() if v not in ("", []) and k != "extends"}
    return tomlkit.dumps(table)


def from_toml(text: str) -> Experiment:
    """Read back what :func:`to_toml` wrote."""
    return Experiment.model_validate(tomllib.loads(text))
