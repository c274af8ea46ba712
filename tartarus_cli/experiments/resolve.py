"""From the name of an experiment to all its parameters: presets, the workspace's, overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

import tomlkit
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.baselines import BASELINES, Baseline
from tartarus_cli.errors import FileError, RequestError, call, display_path, nearest, parameter
from tartarus_cli.experiments.code import TomlTable, prepare_code
from tartarus_cli.experiments.defaults import (
    PUBLISHED_DIMS,
    patch_inputs,
    published_targets,
    unused_sections,
)
from tartarus_cli.experiments.ranges import flatten_ranges
from tartarus_cli.experiments.schema import (
    Experiment,
    baseline_of,
    options_of,
    training_of,
)
from tartarus_cli.experiments.sections import ValidationSection
from tartarus_cli.files import TomlError, parse_toml, read_toml
from tartarus_cli.options import parse_value

CLASSIFICATION = "classification"
"""Task of a network that is multilabel or multiclass, as its dataset is."""

TaskInference = Callable[[str, Baseline | None], TomlTable]
"""From a dataset's name and a baseline to its task and its targets, as sections; None instead of a
baseline for a classification of whichever kind."""


@cache
def preset_paths() -> dict[str, Path]:
    """Return the files of the package's presets by name."""
    folder = Path(str(resources.files("tartarus_cli.experiments") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def user_paths(folder: Path | None) -> dict[str, Path]:
    """Return the files of the experiments in a workspace's folder of them, by name."""
    paths = sorted(folder.glob("*.toml")) if folder is not None else []
    return {path.stem: path for path in paths if not path.name.startswith(".")}


def experiment_names(folder: Path | None) -> list[str]:
    """Return the names of all experiments: presets first, then those in a workspace's folder."""
    return list(dict.fromkeys([*preset_paths(), *user_paths(folder)]))


def resolve(
    name: str,
    *,
    folder: Path | None = None,
    dataset: str | None = None,
    overrides: Sequence[str] = (),
    infer: TaskInference | None = None,
    run_code: bool = False,
) -> Experiment:
    """Return an experiment with every parameter filled in.

    A baseline that leaves its task or its targets unsaid takes those of its dataset, and so does a
    network whose task is ``classification``.

    Parameters
    ----------
    name
        A preset, or a file in ``folder`` without its ending.
    folder
        The workspace's folder of experiments.
    dataset
        The dataset to apply it to, instead of its own.
    overrides
        ``section.key=value``, the value written as in TOML (quotes around text may be left out).
    infer
        Gives the task and the targets of a dataset; those of the published one if None.
    run_code
        Whether files of code that it names are run; if not, it needs none but those that ran.

    Raises
    ------
    RequestError
        If there is no such experiment or parameter, or a value does not fit.
    CodeNotRunError
        If it names code that has not been run and is not to be.
    """
    lineage = _read_lineage(name, folder)
    code = prepare_code(lineage, folder, run=run_code)
    table = _inherit(lineage) | ({"code": code} if code else {})
    path = user_paths(folder).get(name)
    source = display_path(path) if path else name
    _check_tuned(lineage[0][1], table, source)
    if path is not None and (overrides or dataset):
        # So that faults of the file are not blamed on the overrides.
        _validate(name, _infer_targets(_with_known_ranges(table), infer), source)
    if dataset is not None:
        table = _merge(table, {"dataset": {"name": dataset}})
        source = parameter("dataset")
    # The network first, so that what is asked of it is not taken for the previous network's.
    changes = map(_parse_override, overrides)
    for change in sorted(changes, key=lambda change: "name" not in change.get("network", ())):
        table = _merge(table, change)
        source = parameter("overrides")
    return _validate(name, _infer_targets(_with_known_ranges(table), infer), source)


def _check_tuned(own: TomlTable, table: TomlTable, source: str) -> None:
    """Make sure that the ranges that a file itself names are of parameters that there are."""
    tuned = own.get("tune")
    known = _known_keys(table) if isinstance(tuned, dict) else []
    for key in tuned if isinstance(tuned, dict) else ():
        if key not in known:
            fault = ExperimentFault(
                f"tune.{key}", f"tune: there is no parameter {key}", nearest(key, known)
            )
            raise InvalidExperimentError(source, [fault])


def _with_known_ranges(table: TomlTable) -> TomlTable:
    """Leave out inherited ranges of parameters that another network does not have, and empty ones.

    An empty text takes away the range that is inherited.
    """
    if not isinstance(table.get("tune"), dict):
        return table
    known = _known_keys(table)
    ranges = {key: text for key, text in table["tune"].items() if key in known and text != ""}
    return table | {"tune": ranges}


def _infer_targets(table: TomlTable, infer: TaskInference | None) -> TomlTable:
    """Fill in the task and the targets of a baseline, or of a classification, from its dataset."""
    baseline = baseline_of(table.get("network"))
    dataset = table.get("dataset")
    if not isinstance(dataset, dict):
        return table
    task = dataset.get("task")
    if task == CLASSIFICATION:
        dataset = {key: value for key, value in dataset.items() if key != "task"}
        table = table | {"dataset": dataset}
    elif baseline is None and ("targets" in table or task not in ("multilabel", "multiclass")):
        return table
    inferred = (infer or published_targets)(str(dataset.get("name")), baseline)
    targets = table.get("targets")
    kind = targets.get("kind") if isinstance(targets, dict) else None
    if kind is not None and kind != inferred["targets"]["kind"]:
        inferred = inferred | {"targets": {"dim": PUBLISHED_DIMS.get(str(kind), 1)}}
        if kind == "class" and inferred["dataset"]["task"] == "recommendation":
            inferred = inferred | {"dataset": {"task": "multilabel"}}
    return _merge(inferred, table)


def _read_lineage(name: str, folder: Path | None) -> list[tuple[Path, TomlTable]]:
    """Read the file of an experiment, that of the one it extends, and so on."""
    lineage: list[tuple[Path, TomlTable]] = []
    names: list[str] = []
    while True:
        # What is extended is the preset, also where a file has its name.
        path = preset_paths().get(name) if names else None
        path = path or _find(name, folder)
        table = {**_read(path), "name": name}
        if "tune" in table:
            table["tune"] = flatten_ranges(table["tune"])
        lineage.append((path, table))
        names.append(name)
        if table.get("extends") is None:
            return lineage
        name = str(table["extends"])
        if name not in experiment_names(folder):
            msg = f"{display_path(path)} extends {name!r}, and there is no such experiment"
            raise RequestError(msg, hint=nearest(name, experiment_names(folder)))
        if name in names:
            msg = f"{display_path(path)} extends itself: {' → '.join([*names, name])}"
            raise RequestError(msg, hint="Let one of them extend a preset instead.")


def _inherit(lineage: Sequence[tuple[Path, TomlTable]]) -> TomlTable:
    """Merge an experiment into what it extends."""
    *descendants, (_, result) = lineage
    for _, table in reversed(descendants):
        inherited = {k: v for k, v in result.items() if k not in ("note", "description")}
        result = _merge(inherited, table)
    return result


def _find(name: str, folder: Path | None) -> Path:
    presets, others = preset_paths(), user_paths(folder)
    if name in presets and name in others:
        msg = f"{display_path(others[name])} has the name of a preset"
        raise RequestError(msg, hint=f'Rename the file; it may still say extends = "{name}".')
    if name not in presets and name not in others:
        msg = f"there is no experiment called {name!r}"
        raise RequestError(msg, hint=nearest(name, [*presets, *others]))
    return presets.get(name) or others[name]


def _read(path: Path) -> TomlTable:
    try:
        return read_toml(path)
    except TomlError as problem:
        msg = f"{display_path(path)} is not valid TOML: {problem}"
        raise RequestError(msg, hint="Correct that line.") from None
    except FileError as problem:
        msg = f"{display_path(path)} is not valid TOML: {problem.found}"
        raise RequestError(msg, hint=problem.hint) from None


def _merge(base: TomlTable, changes: Mapping[str, Any]) -> TomlTable:
    """Return a table with changes; options that another network does not have are left out."""
    result = _drop_unused(base, changes.get("network"))
    for key, value in changes.items():
        previous = result.get(key)
        both = isinstance(previous, dict) and isinstance(value, Mapping)
        if key == "network" and both:
            previous = _supported_options(value.get("name"), cast("TomlTable", previous))
        result[key] = _merge(cast("TomlTable", previous), value) if both else value
    return result


def _drop_unused(base: Mapping[str, Any], network: Any) -> TomlTable:
    """Leave out the sections of a network that the baseline that replaces it does not use."""
    baseline = baseline_of(network)
    if baseline is None or baseline_of(base.get("network")) is not None:
        return dict(base)
    unused = ("inputs", "patches", "training", "augment", "two_tower", "scoring", "note")
    table = {k: v for k, v in base.items() if k not in unused} | patch_inputs(base, baseline)
    training = base.get("training")
    if baseline.validates and isinstance(training, dict):
        fields = ValidationSection.model_fields
        table["training"] = {key: value for key, value in training.items() if key in fields}
    return table


def _supported_options(network: Any, options: TomlTable) -> TomlTable:
    """Leave out what the next network does not have, and what has another meaning there.

    The next network's own default stands for an option whose default differs from the previous
    network's, such as the windows of the convolutions: so it is the published one.
    """
    networks = [*ARCHITECTURES.names(), *BASELINES.names()]
    if network is None or network == options.get("name") or network not in networks:
        return options
    supported = options_of(network).model_fields
    previous = options.get("name")
    old = options_of(str(previous)).model_fields if previous in networks else {}

    def has_same_meaning(key: str) -> bool:
        return key in supported and supported[key].default == old[key].default

    return {k: v for k, v in options.items() if k not in old or k == "name" or has_same_meaning(k)}


TOP_KEYS = ("scoring", "shuffled")
"""Parameters of an experiment that stand in no section."""


def _parse_override(text: str) -> TomlTable:
    path, equals, value = text.partition("=")
    section, dot, key = path.strip().partition(".")
    if equals and not dot and section in TOP_KEYS:
        return {section: parse_value(value.strip())}
    if not (equals and dot and key):
        msg = f"{parameter('overrides', text)}: not of the form section.key=value"
        example = parameter("overrides", "training.batch_size=64")
        raise RequestError(msg, hint=f"For example {example}.")
    return {section: {key: parse_value(value.strip())}}


@dataclass(frozen=True)
class ExperimentFault:
    """One parameter of an experiment that is wrong."""

    key: str
    """The parameter, such as ``training.epochs``; empty where it is none in particular."""
    message: str
    """What is wrong with it."""
    hint: str
    """What to do about it."""


class InvalidExperimentError(RequestError):
    """An experiment has parameters that are wrong; the message is about the first of them."""

    def __init__(self, source: str, faults: Sequence[ExperimentFault]) -> None:
        super().__init__(f"{source}: {faults[0].message}", hint=faults[0].hint)
        self.faults = tuple(faults)
        """All of them."""


def _validate(name: str, table: TomlTable, source: str) -> Experiment:
    """Return the experiment of a table; ``source`` is what messages blame for its faults."""
    try:
        return Experiment.model_validate(table)
    except ValidationError as problem:
        details = problem.errors(include_url=False)
        # What is missing may follow from the other faults.
        others = [detail for detail in details if detail["type"] != "missing"]
        faults = [_explain_fault(name, table, detail) for detail in others or details]
        raise InvalidExperimentError(source, [*dict.fromkeys(faults)]) from None


def _explain_fault(name: str, table: TomlTable, detail: ErrorDetails) -> ExperimentFault:
    location = [str(part) for part in detail["loc"] if not str(part).startswith("function-")]
    key = ".".join(location)
    if detail["type"] == "extra_forbidden":
        known = _known_keys(table)
        sections = list(dict.fromkeys(known_key.partition(".")[0] for known_key in known))
        hint = nearest(key, known if "." in key else sections)
        return ExperimentFault(key, f"there is no parameter {key}", hint)
    base = name if name in preset_paths() else str(table.get("extends") or "rec_multi")
    hint = f"To see the parameters of an experiment: {call('show_experiment', base)}"
    if detail["type"] in ("model_type", "dict_type"):
        key = location[0]
        message = f"{key}: Input should be a section, [{key}], not {detail['input']!r}"
        return ExperimentFault(key, message, hint)
    value = "" if detail["type"] in ("missing", "value_error") else f", not {detail['input']!r}"
    reason = detail["msg"].removeprefix("Value error, ")
    return ExperimentFault(key, f"{key}: {reason}{value}" if key else f"{reason}{value}", hint)


def _known_keys(table: TomlTable) -> list[str]:
    """Every parameter that an experiment with this network may set."""
    section = table.get("network")
    network = section.get("name") if isinstance(section, dict) else None
    networks = [*ARCHITECTURES.names(), *BASELINES.names()]
    models = {"network": options_of(network) if network in networks else None}
    pairs = _pairs(Experiment, models | {"training": training_of(table.get("network"))})
    unused = unused_sections(baseline_of(table.get("network")))
    return [f"{s}.{key}" if key else s for s, key in pairs if s not in unused]


def _pairs(
    model: type[BaseModel], sections: Mapping[str, type[BaseModel] | None]
) -> Iterator[tuple[str, str]]:
    """Yield each section with each of its keys; ``sections`` are those that depend on others."""
    for name, field in model.model_fields.items():
        section = sections[name] if name in sections else _section_type(field.annotation)
        if section is None:
            yield name, ""
        else:
            yield from ((name, key) for key in section.model_fields)


def _section_type(annotation: Any) -> type[BaseModel] | None:
    choices = getattr(annotation, "__args__", (annotation,))
    models = (c for c in choices if isinstance(c, type) and issubclass(c, BaseModel))
    return next(models, None)


def to_table(experiment: Experiment) -> TomlTable:
    """Return all parameters as plain values; None, and settings of a baseline, are left out."""
    table = experiment.model_dump(mode="json", exclude_none=True)
    baseline = experiment.baseline
    if baseline is not None:
        del table["inputs"]
    if baseline is not None and experiment.patches is not None:
        both = ["patches", "features"]
        table["inputs"] = {"kind": both if experiment.settings_needed else "patches"}
    if baseline is not None and not baseline.learns:
        del table["targets"]["normalize"]
    if not experiment.tune:
        del table["tune"]
    return table


def to_toml(experiment: Experiment) -> str:
    """Write a resolved experiment as TOML, which depends on no other file except its code."""
    table = {
        key: value
        for key, value in to_table(experiment).items()
        if value not in ("", [], {}) and key != "extends"
    }
    return tomlkit.dumps(table)


def from_toml(text: str) -> Experiment:
    """Read an experiment that :func:`to_toml` wrote.

    Raises
    ------
    ValueError
        If the text is not TOML, or not a complete experiment.
    RequestError
        If it names a network or baseline that is not registered.
    """
    return Experiment.model_validate(parse_toml(text))
