"""Model cards: what is known of a model or of a group, in Markdown; no test item is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from tartarus_cli.baselines.blend import BlendOptions
from tartarus_cli.errors import DataError, RequestError, count_noun
from tartarus_cli.evaluation.group_report import GroupEvaluation, evaluate_group
from tartarus_cli.evaluation.headlines import HEADLINES
from tartarus_cli.evaluation.results import ResultsDocument
from tartarus_cli.experiments.resolve import to_toml
from tartarus_cli.exporting.card_data import data_section, split_facts
from tartarus_cli.exporting.card_figures import (
    figures_section,
    group_figures_section,
    hub_metrics,
    protocol_facts,
    read_figures,
)
from tartarus_cli.exporting.card_use import evaluation_commands, use_section
from tartarus_cli.exporting.markdown import block, code, facts, folded, plain
from tartarus_cli.models.groups import Group
from tartarus_cli.models.manifest import ModelManifest
from tartarus_cli.models.store import Model, Store

TAGS = {
    "recommendation": ("recommendation", "cold-start"),
    "multilabel": ("classification", "multilabel"),
    "multiclass": ("classification",),
}
"""Task → tags of the front matter."""

MODALITIES = {"patches": "audio", "sequence": "text"}
"""Kind of an input → a tag of the front matter."""


@dataclass(frozen=True)
class _Subject:
    """What a card is of: a model, or a group of which one model stands for all."""

    name: str
    model: Model
    group: Group | None = None


def model_card(model: Model) -> str:
    """Return the card of a model.

    Raises
    ------
    DataError
        If a file of the model, or of its results, is damaged.
    """
    figures = read_figures(model)
    results = None if figures is None else figures.results
    subject = _Subject(model.name, model)
    metrics = [] if figures is None else hub_metrics(figures.results.metrics, figures.metrics)
    paragraphs = [
        *_introduction(subject),
        *data_section(model),
        *_protocol(subject, results),
        *(figures_section(figures) if figures else _no_figures(subject)),
        *_training(subject),
        *_environment(model.manifest),
        *use_section(model),
        *_placeholders(),
    ]
    return _join(_front_matter(subject, metrics), paragraphs)


def group_card(group: Group) -> str:
    """Return the card of a group of models, of whose members the first stands for all.

    Raises
    ------
    RequestError
        If no member is trained.
    DataError
        If a file of a member is damaged.
    """
    if not group.models:
        msg = f"no member of {group.name} is trained"
        raise RequestError(msg, hint="Give the command that began it again.")
    model = Store(group.workspace).get(group.models[0])
    subject = _Subject(group.name, model, group)
    try:
        evaluation = evaluate_group(group)
    except DataError:  # no member was evaluated
        evaluation = None
    results = None if evaluation is None else evaluation.first
    paragraphs = [
        *_introduction(subject),
        *data_section(model),
        *_protocol(subject, results),
        *(group_figures_section(evaluation) if evaluation else _no_figures(subject)),
        *_training(subject),
        *_environment(model.manifest),
        *use_section(model, group),
        *_placeholders(),
    ]
    return _join(_front_matter(subject, _group_metrics(evaluation)), paragraphs)


def _group_metrics(evaluation: GroupEvaluation | None) -> list[dict[str, Any]]:
    if evaluation is None:
        return []
    means = {name: figure.mean for name, figure in evaluation.metrics.items()}
    return hub_metrics(means, [m for m in HEADLINES[evaluation.task] if m in means])


def _join(front_matter: str, paragraphs: Sequence[str]) -> str:
    return "\n\n".join([front_matter, *(text for text in paragraphs if text)]) + "\n"


def _front_matter(subject: _Subject, metrics: Sequence[dict[str, Any]]) -> str:
    """Return what model hubs read: YAML, whose values are written as JSON."""
    manifest = subject.model.manifest
    kinds = getattr(subject.model.experiment.inputs, "kinds", ())
    modalities = dict.fromkeys(MODALITIES[kind] for kind in kinds if kind in MODALITIES)
    tags = ["tartarus", "music", *TAGS.get(manifest.task, ()), *modalities]
    name = f"{manifest.experiment} {' '.join(manifest.settings)}".strip()
    lines = [
        "---",
        "# license: to be filled in by the authors",
        "library_name: tartarus-cli",
        f"tags: {_json(tags)}",
    ]
    if metrics:
        result = {
            "task": {"type": manifest.task, "name": manifest.task},
            "dataset": {"type": manifest.dataset, "name": manifest.dataset, "split": "test"},
            "metrics": metrics,
        }
        index = [{"name": f"{name} ({subject.name})", "results": [result]}]
        lines += [f"metrics: {_json([each['type'] for each in metrics])}"]
        lines += [f"model-index: {_json(index)}"]
    return "\n".join([*lines, "---"])


def _json(value: Any) -> str:
    return json.dumps(value)  # escapes are the same in YAML, which forbids some characters


def _introduction(subject: _Subject) -> Iterator[str]:
    model, manifest, experiment = subject.model, subject.model.manifest, subject.model.experiment
    yield f"# {plain(manifest.experiment)} on {plain(manifest.dataset)} ({subject.name})"
    if experiment.description:
        yield plain(experiment.description)
    if experiment.note:
        yield f"Note: {plain(experiment.note)}"
    yield facts(
        [
            ("task", plain(manifest.task)),
            ("experiment", code(manifest.experiment)),
            ("reads", ", ".join(map(code, _inputs(model))) or "nothing of an item"),
            ("learns", _targets(model)),
            ("kind", _kind(model)),
            ("parts", _parts(model)),
            ("seed", _seeds(subject)),
            ("trained", plain(manifest.started)),
        ]
    )


def _targets(model: Model) -> str:
    kind, dim = model.target_kind, model.manifest.target_dim
    if model.manifest.blends and kind == "plays":
        return "plays"  # the parts have dimensions, the blend has none
    nouns = ("class", "classes") if kind == "class" else ("number", "numbers")
    return f"{plain(kind)}: {count_noun(dim, *nouns)} an item"


def _parts(model: Model) -> str:
    """Name the models that it blends, or adds to its own scores, each with its weight."""
    named = []
    for name, weight in model.manifest.parts.items():
        try:
            part = model.store.find(name).manifest
        except RequestError:  # deleted
            named.append(f"{weight:.3g} × {code(name)}")
            continue
        about = " ".join([part.experiment, *part.settings])
        named.append(f"{weight:.3g} × {code(name)} ({plain(about)})")
    return ", ".join(named)


def _inputs(model: Model) -> list[str]:
    patches = ["patches"] if model.experiment.patches is not None else []
    return [*model.manifest.settings, *patches]


def _kind(model: Model) -> str:
    name = code(model.experiment.network.name)
    if model.manifest.kind == "baseline":
        blend = isinstance(model.experiment.network, BlendOptions)
        return f"blend ({name})" if blend else f"baseline ({name}), in closed form"
    layers = model.manifest.layers
    weights = sum(layer.parameters for layer in layers)
    return f"network ({name}) of {len(layers)} layers and {weights:,} weights"


def _seeds(subject: _Subject) -> str:
    if subject.group is None:
        return str(subject.model.manifest.seed)
    members = subject.group.members
    if subject.group.manifest.kind == "folds":
        return f"{members[0].seed}, on {len(members)} folds"
    return ", ".join(str(member.seed) for member in members)


def _protocol(subject: _Subject, results: ResultsDocument | None) -> Iterator[str]:
    model = subject.model
    rows = [*split_facts(model), ("validation", _validation(model))]
    rows += [] if results is None else [*protocol_facts(results)]
    yield "## Protocol"
    yield facts([*rows, ("evaluations on the test set so far", _looks(subject))])


def _validation(model: Model) -> str:
    """Say which items validated, and what was chosen by them."""
    manifest, items = model.manifest, model.manifest.items
    if not items.get("validation"):
        return ""
    source = "val items" if "val" in manifest.ids else "train items at the end of their list"
    text = f"{items['validation']:,} samples of the {source}"
    if manifest.kind == "network":
        fitting = model.experiment.fitting
        text += f"; {code(fitting.monitor)} chose the epoch, patience {fitting.patience}"
    return text


def _looks(subject: _Subject) -> str:
    if subject.group is None:
        return str(subject.model.manifest.test_evaluations)
    store = Store(subject.group.workspace)
    counts = [
        f"{name} {store.find(name).manifest.test_evaluations}"
        for name in subject.group.models
        if name in store.names()
    ]
    return ", ".join(counts)


def _no_figures(subject: _Subject) -> Iterator[str]:
    yield "## Figures"
    yield "It has not been evaluated. These commands do it, and a new card has the figures:"
    yield block(evaluation_commands(subject.name, subject.group is not None), "sh")


def _training(subject: _Subject) -> Iterator[str]:
    model, manifest = subject.model, subject.model.manifest
    loss, held_out = manifest.validation_loss, manifest.held_out_loss
    chosen = ", ".join(f"{plain(name)} = {value}" for name, value in manifest.chosen.items())
    yield "## Training"
    if subject.group is not None:
        yield f"That of {code(model.name)}; the others differ in their seed or fold."
    yield facts(
        [
            ("changed in the experiment", ", ".join(map(code, manifest.overrides)) or "nothing"),
            ("epochs", manifest.epochs or None),
            ("weights of epoch", manifest.best_epoch or None),
            ("validation loss", None if loss is None else f"{loss:.4f}"),
            ("held-out loss", None if held_out is None else f"{held_out:.4f}"),
            (
                f"validation {manifest.score_name}",
                None if manifest.validation_score is None else f"{manifest.validation_score:.4f}",
            ),
            ("chosen by validation", chosen or None),
            ("regularization", manifest.strength),
            ("time", f"{manifest.duration_s:,.1f} s" if manifest.duration_s else None),
            (
                "memory",
                f"{manifest.peak_memory_mib:,.0f} MiB" if manifest.peak_memory_mib else None,
            ),
            ("stopped and gone on with", manifest.resumed or None),
        ]
    )
    yield folded("All parameters", block(to_toml(model.experiment), "toml"))


def _environment(manifest: ModelManifest) -> Iterator[str]:
    yield "## Environment"
    rows = [(plain(name), plain(value)) for name, value in manifest.machine.items()]
    versions = ", ".join(
        f"{plain(name)} {plain(value)}" for name, value in manifest.versions.items()
    )
    code_files = ", ".join(f"{code(path)} ({digest})" for path, digest in manifest.code.items())
    yield facts([*rows, ("versions", versions), ("code of one's own", code_files)])
    yield f"This card was written by tartarus-cli {version('tartarus-cli')}."


def _placeholders() -> Iterator[str]:
    yield "## Limits"
    yield "*To be filled in by the authors: what it should not be used for.*"
    yield "## Licence"
    yield "*To be filled in by the authors: of the weights, and of the data behind them.*"
