"""From the name of an experiment to all its parameters: presets, own files, overrides."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

import tomlkit
from pydantic import BaseModel, ValidationError

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.errors import RequestError, nearest, shown
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.options import parse_value

Table = dict[str, Any]


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
) -> Experiment:
    """Return an experiment with every parameter filled in.

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

    Raises
    ------
    RequestError
        If there is no such experiment or parameter, or a value does not fit.
    """
    table = _inherited(name, own, ())
    path = own_paths(own).get(name)
    if path is not None and (overrides or dataset):
        _validated(name, table, shown(path))  # so that its faults are not blamed on the command
    if dataset is not None:
        table = _merged(table, {"dataset": {"name": dataset}})
    for override in overrides:
        table = _merged(table, _override(override))
    asked = "--set" if overrides else "--dataset"
    return _validated(name, table, asked if overrides or dataset else shown(path) if path else name)


def _inherited(name: str, own: Path | None, heirs: tuple[str, ...]) -> Table:
    path = _path_of(name, own)
    table = {**_read(path), "name": name}
    parent = table.get("extends")
    if parent is None:
        return table
    if parent not in experiment_names(own):
        msg = f"{shown(path)} extends {parent!r}, and there is no such experiment"
        raise RequestError(msg, hint=nearest(str(parent), experiment_names(own)))
    if parent in (*heirs, name):
        msg = f"{shown(path)} extends itself: {' → '.join((*heirs, name, str(parent)))}"
        raise RequestError(msg, hint="Let one of them extend a preset instead.")
    inherited = _inherited(str(parent), own, (*heirs, name))
    inherited = {k: v for k, v in inherited.items() if k not in ("note", "description")}
    return _merged(inherited, table)


def _path_of(name: str, own: Path | None) -> Path:
    presets, mine = preset_paths(), own_paths(own)
    if name in presets and name in mine:
        msg = f"{shown(mine[name])} has the name of a preset"
        raise RequestError(msg, hint=f'Rename it; it may say extends = "{name}".')
    if name not in presets and name not in mine:
        msg = f"there is no experiment called {name!r}"
        raise RequestError(msg, hint=nearest(name, [*presets, *mine]))
    return presets.get(name) or mine[name]


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        msg = f"{shown(path)} is not valid TOML: {problem}"
        raise RequestError(msg, hint="Correct that line.") from None


def _merged(base: Table, over: Mapping[str, Any]) -> Table:
    """Lay one table over another; another network leaves behind what it does not know."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, Mapping)
        if key == "network" and both:
            below = _known_to(value.get("name"), cast("Table", below))
        result[key] = _merged(cast("Table", below), value) if both else value
    return result


def _known_to(network: Any, options: Table) -> Table:
    if network is None or network == options.get("name") or network not in ARCHITECTURES.names():
        return options
    known = ARCHITECTURES.get(network).options.model_fields
    before = options.get("name")
    old = ARCHITECTURES.get(before).options.model_fields if before in ARCHITECTURES.names() else {}
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
    own = ARCHITECTURES.get(network).options if network in ARCHITECTURES.names() else None
    return [f"{section}.{key}" if key else section for section, key in _pairs(Experiment, own)]


def _pairs(model: type[BaseModel], network: type[BaseModel] | None) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        inner = network if name == "network" else _section(field.annotation)
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
    return experiment.model_dump(mode="json", exclude_none=True)


def to_toml(experiment: Experiment) -> str:
    """Write a resolved experiment as TOML; it depends on no other file any more."""
    table = {k: v for k, v in to_table(experiment).items() if v != "" and k != "extends"}
    return tomlkit.dumps(table)


def from_toml(text: str) -> Experiment:
    """Read back what :func:`to_toml` wrote."""
    return Experiment.model_validate(tomllib.loads(text))
