"""The list of all models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import document, figure, message, next_step, out, plain, table
from tartarus_cli.cli.render.groups import folded, group_cells
from tartarus_cli.cli.render.models import recipe
from tartarus_cli.errors import Placeholder, call, count_noun
from tartarus_cli.evaluation.headlines import headline

if TYPE_CHECKING:
    from tartarus_cli.models.groups import Group
    from tartarus_cli.models.store import Model


def models(
    trained_models: Sequence[Model], groups: Sequence[Group], *, members: bool, json: bool
) -> None:
    """Print the list of models, and a line for each group of them.

    Parameters
    ----------
    trained_models
        All models.
    groups
        All groups.
    members
        Whether the members of groups are listed too.
    json
        Whether one JSON document is printed; it has all models.
    """
    from tartarus_cli.evaluation.ablation import WHOLE, rows_by_model

    if json:
        _document(trained_models, groups)
        return
    hidden = folded(trained_models, () if members else groups)
    if not trained_models:
        command = call("run", *map(Placeholder, ("EXPERIMENT", "SETTING")))
        out().print(message(f"No models yet. Next: {command}"), soft_wrap=True)
        return
    headings = ("dataset", ">seed", ">validation", "test score")
    shown = table("model", "experiment and settings", *headings)
    rows = rows_by_model(trained_models[0].workspace)
    for trained_model in (each for each in trained_models if each.name not in hidden):
        name, source, *others = _cells(trained_model)
        places = [f"({text})" for text in rows.get(name, ()) if text != WHOLE]
        shown.add_row(*map(plain, (name, " ".join([source, *places]), *others)))
    for each in groups:
        shown.add_row(*map(plain, group_cells(each)))
    out().print(shown)
    if hidden:
        count = count_noun(len(hidden), "model of groups is", "models of groups are")
        out().print(f"{count} not listed; with --all they are.")
    _next_training(trained_models)


def _document(models: Sequence[Model], groups: Sequence[Group]) -> None:
    from tartarus_cli.models.lookup import way_on

    document(
        [
            {
                "model": m.name,
                "groups": [group.name for group in groups if m.name in group.models],
                "resumable": way_on(m) is not None,
                **m.manifest.model_dump(by_alias=True, exclude={"layers"}),
            }
            for m in models
        ]
    )


def _next_training(models: Sequence[Model]) -> None:
    """Show how the newest training goes on that was stopped."""
    from tartarus_cli.models.lookup import way_on

    stopped = [each.name for each in models if way_on(each) is not None]
    if stopped:
        next_step(call("train", resume=stopped[-1]))


def _cells(model: Model) -> tuple[str, ...]:
    from tartarus_cli.models.lookup import status_of

    manifest = model.manifest
    loss = manifest.validation_loss if manifest.held_out_loss is None else manifest.held_out_loss
    validation = f"loss {figure(loss)}" if loss is not None else "—"
    if loss is None and manifest.validation_score is not None:
        validation = f"{manifest.score_name} {figure(manifest.validation_score)}"
    score = headline(manifest.task)
    return (
        model.name,
        recipe(manifest),
        manifest.dataset,
        str(manifest.seed),
        validation,
        status_of(model)
        if manifest.status != "finished"
        else f"{score} {figure(manifest.scores[score])}"
        if score in manifest.scores
        else "",
    )
