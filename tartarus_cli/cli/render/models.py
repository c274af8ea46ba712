"""Models and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.classes import class_figures
from tartarus_cli.cli.render.console import document, figure, next_step, out, plain, table
from tartarus_cli.cli.render.evaluation import choices, figures
from tartarus_cli.errors import Placeholder, call

if TYPE_CHECKING:
    from rich.table import Table

    from tartarus_cli.models.manifest import ModelManifest
    from tartarus_cli.models.store import Model
    from tartarus_cli.prediction.new_files import NewPrediction
    from tartarus_cli.prediction.outcome import Prediction
    from tartarus_cli.workspace import Workspace

MAX_CLASSES = 3
"""Classes that are shown of a new file, those of the highest scores."""
MAX_FILES = 50
"""New files that are shown; the written files have all of them."""


def trained(model: Model, *, json: bool) -> None:
    """Say what a training made."""
    manifest = model.manifest
    if json:
        _document(model)
        return
    if manifest.kind == "baseline":
        _trained_baseline(model)
        return
    quality = f"validation loss {figure(manifest.validation_loss)}"
    if manifest.validation_score is not None:
        quality = f"validation {manifest.score_name} {figure(manifest.validation_score)}"
    if manifest.held_out_loss is not None:
        quality += f", held-out loss {figure(manifest.held_out_loss)}"
    parts = f", added to {parts_of(model)}" if manifest.parts else ""
    out().print(
        f"[bold]{model.name}[/] is trained: {manifest.epochs} epochs in "
        f"{manifest.duration_s:.0f} s, the weights of epoch {manifest.best_epoch} kept, "
        f"{quality}{plain(parts)}",
        soft_wrap=True,
    )
    next_step(f"{call('predict', model.name)} && {call('evaluate', model.name)}")


def _trained_baseline(model: Model) -> None:
    manifest = model.manifest
    source = " ".join([manifest.experiment, *manifest.settings])
    text = f" is trained: {_noun(manifest)}{source} in {manifest.duration_s:.1f} s"
    for name, choice in _choices(model).items():
        text += f", {name} {choice}"
    out().print(f"[bold]{model.name}[/]{plain(text)}", soft_wrap=True)
    next_step(f"{call('predict', model.name)} && {call('evaluate', model.name)}")


def _noun(manifest: ModelManifest) -> str:
    """Say what a model without epochs is: what proposes itself is no baseline."""
    if manifest.blends:
        return "the blend "
    return "" if manifest.form == "weights" and not manifest.compared_with else "the baseline "


def parts_of(model: Model) -> str:
    """Name the models that a model is made of, with their weights; those of weight 0 not."""
    known = model.store.names()
    texts = []
    for name, weight in model.manifest.parts.items():
        manifest = model.store.find(name).manifest if name in known else None
        source = recipe(manifest) if manifest else "gone"
        if weight or len(model.manifest.parts) == 1:
            texts.append(f"{source} ({name}) × {weight:.3g}")
    return " and ".join([", ".join(texts[:-1])] * bool(texts[:-1]) + texts[-1:])


def _choices(model: Model) -> dict[str, str]:
    """Say what was chosen by validation items: nothing, parts, a strength, or several things."""
    manifest = model.manifest
    tried = len(manifest.trials)
    score = "" if manifest.validation_score is None else figure(manifest.validation_score)
    if manifest.parts:
        quality = (
            f", the best of {tried} by validation {manifest.score_name} {score}" if score else ""
        )
        return {"of": f"{parts_of(model)}{quality}"}
    if score:
        best = f"the best of {tried} by validation {manifest.score_name} {score}"
        return {"chosen": f"{choices(manifest.chosen)}, {best}"}
    if manifest.strength is None and not manifest.chosen:
        return {}
    best = f"the best of {tried} by validation loss {figure(manifest.validation_loss)}"
    if manifest.chosen:
        return {"chosen": f"{choices(manifest.chosen)}, {best}"}
    return {"strength": f"{manifest.strength:.3g}, {best}"}


def predicted(workspace: Workspace, result: Prediction, *, json: bool) -> None:
    """Say what was predicted and where it was written."""
    files = [workspace.relative(path) for path in result.files]
    if json:
        source = {"model": result.model, "dataset": result.dataset, "layer": result.layer}
        output = {"setting": result.setting, "splits": result.splits, "files": files}
        absent = {"undescribed": result.undescribed, "without_patch": result.without_patch}
        document({**source, **output, **absent})
        return
    sets = ", ".join(f"{split} {count:,}" for split, count in result.splits.items())
    console = out()
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    _warn_of_absent(result)
    if result.setting is not None:
        console.print(
            f"[bold]{plain(result.setting)}[/] is a new setting of {plain(result.dataset)} "
            f"({sets} items × {result.width})"
        )
        next_step(_next(result))
    elif result.by_patch:
        console.print(f"{result.model} computed a row for each patch: {sets} × {result.width}")
    else:
        console.print(f"{result.model} {_amount(result, sets)}")
        next_step(call("evaluate", result.model))


def _amount(result: Prediction, sets: str) -> str:
    """Say how much was predicted."""
    if result.form == "blend":
        return f"predicted {sets} items, by its {result.width} parts"
    if result.form == "neighbours":
        return f"found, among {result.width:,} train items, the nearest to {sets} items"
    return f"predicted {sets} items × {result.width}"


def _warn_of_absent(result: Prediction) -> None:
    """Say which items have nothing that the model reads, and what became of them."""
    for reason, absent in (
        ("without a patch", result.without_patch),
        ("without any setting of the model", result.undescribed),
    ):
        lacking = {split: count for split, count in absent.items() if count}
        if lacking:
            counts = ", ".join(f"{split} {count:,}" for split, count in lacking.items())
            left_out = "they are left out"
            became = f"they lack {plain(result.setting)}" if result.setting else left_out
            text = f"[yellow]warning:[/] items {reason}: {counts}; {became}"
            out().print(text, soft_wrap=True)


def predicted_new(workspace: Workspace, result: NewPrediction, *, json: bool) -> None:
    """Say what was predicted for new files."""
    files = [workspace.relative(path) for path in result.files]
    failed = {name: in_shell(reason) for name, reason in result.failed.items()}
    if json:
        source = {"model": result.model, "layer": result.layer, "files": files}
        document({**source, "items": _items(result), "failed": failed, "remarks": result.remarks})
        return
    console = out()
    if result.classes:
        console.print(_best_classes(result))
    for name, remark in result.remarks.items():
        text = f"[yellow]warning:[/] {plain(name)}: {plain(remark)}"
        console.print(text, soft_wrap=True)
    for name, reason in failed.items():
        text = f"[yellow]warning:[/] {plain(name)} is left out: {plain(reason)}"
        console.print(text, soft_wrap=True)
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    values = "vectors, with a bias in the last column" if result.form == "vectors" else "factors"
    kind = result.layer or ("class scores" if result.classes else values)
    count, width = result.rows.shape
    console.print(
        f"{result.model} predicted {plain(kind)}: {count:,} row{'s' * (count != 1)} × {width:,}"
    )


def _items(result: NewPrediction) -> list[dict[str, Any]]:
    """Write each row with the name of its file; scores by class, other values as a list."""
    return [
        {"file": name, "scores": dict(zip(result.classes, values, strict=True))}
        if result.classes
        else {"file": name, "values": values}
        for name, values in zip(result.names, result.rows.tolist(), strict=True)
    ]


def _best_classes(result: NewPrediction) -> Table:
    """Show the classes of the highest scores, best first."""
    shown = table("file", *["class", ">score"] * min(MAX_CLASSES, len(result.classes)))
    for name, values in zip(result.names[:MAX_FILES], result.rows, strict=False):
        best = (-values).argsort(kind="stable")[:MAX_CLASSES]
        cells = [cell for n in best for cell in (plain(result.classes[n]), figure(values[n]))]
        shown.add_row(plain(name), *cells)
    if len(result.names) > MAX_FILES:
        shown.add_row(f"… and {len(result.names) - MAX_FILES:,} more")
    return shown


def _next(result: Prediction) -> str:
    if result.absent:
        lacking = " and ".join(result.absent)
        again = call("predict", result.model, layer=result.layer)
        return f"{again}   (the setting still lacks its rows of {lacking})"
    experiment = Placeholder("EXPERIMENT")
    return call("run", experiment, result.setting, dataset=result.dataset)


def recipe(manifest: ModelManifest) -> str:
    """Write the experiment with its settings, and what was changed in it."""
    changes = (f"--set {quote(override)}" for override in manifest.overrides)
    named = "shuffled=true" in manifest.overrides
    shuffled = ["(shuffled)"] if manifest.shuffled and not named else []
    return " ".join([manifest.experiment, *manifest.settings, *changes, *shuffled])


def model(model: Model, *, json: bool) -> None:
    """Print where a model comes from, its layers and its scores."""
    manifest = model.manifest
    if json:
        _document(model)
        return
    out().print(f"[bold]{model.name}[/] · {plain(recipe(manifest))}", soft_wrap=True)
    for name, text in _describe(model).items():
        out().print(f"  [dim]{name:<8}[/] {plain(text)}", soft_wrap=True)
    if manifest.kind == "network":
        _layers(manifest)
    if manifest.scores and manifest.task == "recommendation":
        figures({model.name: manifest.scores})
    elif manifest.scores:
        class_figures({model.name: manifest.scores}, single=manifest.task == "multiclass")


def _layers(manifest: ModelManifest) -> None:
    shown = table(">index", "layer", "kind", ">shape", ">parameters")
    for index, layer in enumerate(manifest.layers):
        shape = " × ".join(map(str, layer.shape))
        shown.add_row(str(index), plain(layer.name), layer.kind, shape, f"{layer.parameters:,}")
    out().print(shown)


def _document(model: Model) -> None:
    document({"model": model.name, **model.manifest.model_dump(by_alias=True)})


def _describe(model: Model) -> dict[str, str]:
    from tartarus_cli.models.lookup import status_of

    manifest = model.manifest
    losses = (manifest.validation_loss, manifest.held_out_loss)
    device = f" on {manifest.machine['device']}" if "device" in manifest.machine else ""
    times = "once" if manifest.test_evaluations == 1 else f"{manifest.test_evaluations} times"
    lines = {
        "status": ": ".join(filter(None, (status_of(model), manifest.reason))),
        "dataset": f"{manifest.dataset} ({manifest.task})",
        "items": ", ".join(f"{name} {count:,}" for name, count in manifest.items.items()),
        "trained": f"{manifest.started}, {manifest.duration_s:.0f} s{device}, "
        f"seed {manifest.seed}, peak memory {manifest.peak_memory_mib:,.0f} MiB",
        "epochs": f"{manifest.epochs}, the weights of epoch {manifest.best_epoch} kept",
        "loss": "validation {}, held out {}".format(*map(figure, losses)),
        "test": f"figures computed {times}",
    }
    if manifest.accepted_inputs:
        files = ", ".join(manifest.accepted_inputs)
        lines["changed inputs"] = f"{files}: not as in the training, and accepted"
    lines |= _comparisons(model)
    if manifest.code:
        lines["code"] = ", ".join(manifest.code)
    if manifest.kind != "network":
        return _baseline_lines(model, lines)
    if manifest.validation_score is not None:
        lines["loss"] = f"validation {manifest.score_name} {figure(manifest.validation_score)}"
        lines = {"score" if name == "loss" else name: text for name, text in lines.items()}
        lines["users"] = USERS[manifest.users]
    if manifest.parts:
        lines["added to"] = parts_of(model)
    return lines


def _comparisons(model: Model) -> dict[str, str]:
    """Say in which ablations a model is, and what a network was trained to be compared with."""
    from tartarus_cli.evaluation.ablation import WHOLE, rows_by_model

    workspace, other = model.workspace, model.manifest.compared_with
    network = bool(other) and model.manifest.kind == "network"
    lines = {"kind": f"a network, compared with {other}"} if network else {}
    places = rows_by_model(workspace).get(model.name, [])
    if places:
        document = workspace.relative(workspace.ablation(model.name))
        lines["ablation"] = "; ".join(p if p != WHOLE else f"{p}, {document}" for p in places)
    return lines


USERS = {
    "factors": "the ALS factors of the dataset",
    "own": "vectors that were learnt with it",
    "history": "sums of the vectors of what each of them played",
}
"""Where the vectors of users come from."""


def _baseline_lines(model: Model, lines: dict[str, str]) -> dict[str, str]:
    """Return the lines of a model without epochs, and maybe without losses."""
    manifest = model.manifest
    unused = {"epochs"} | ({"loss"} if manifest.validation_loss is None else set())
    compared = f", compared with {manifest.compared_with}" if manifest.compared_with else ""
    kind = _noun(manifest).strip().replace("the ", "a ", 1) or "a model in closed form"
    lines = {"kind": f"{kind}{compared}"} | {
        name: text for name, text in lines.items() if name not in unused
    }
    return lines | _choices(model)


def deleted(workspace: Workspace, name: str, settings: Sequence[Path]) -> None:
    """Say what was deleted, and list the files of settings that stay."""
    out().print(f"Deleted {plain(name)}, its predictions and its results.")
    if settings:
        out().print("Settings made from its layers are kept:")
    for path in settings:
        out().print(f"  {plain(workspace.relative(path))}", soft_wrap=True)
