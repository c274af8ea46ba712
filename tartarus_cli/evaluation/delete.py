"""Delete a model and what was computed with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.errors import FileError, RequestError, call
from tartarus_cli.evaluation.results import write_results_table
from tartarus_cli.file_names import Kind
from tartarus_cli.files import locked_folder, remove_own_folder
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.groups import Groups, Member
from tartarus_cli.models.lookup import is_group_name
from tartarus_cli.models.store import Store


@dataclass(frozen=True)
class Deletion:
    """What is deleted where groups and models are named."""

    groups: tuple[str, ...]
    models: tuple[str, ...]
    """Those that are named, and the members of the groups."""
    shared: dict[str, tuple[str, ...]]
    """Member that stays → the other groups that it is a member of."""
    incomplete: dict[str, tuple[str, ...]]
    """Group that stays → its members that are deleted."""


def plan_deletion(workspace: WorkspacePaths, names: Sequence[str]) -> Deletion:
    """Return what goes if groups and models are deleted; nothing is deleted yet.

    Members of a group go with it, but for those that another group has too.

    Parameters
    ----------
    workspace
        The workspace that holds them.
    names
        Names of groups and of models.

    Raises
    ------
    RequestError
        If there is no such group or model, or another model is made of one of them.
    """
    store, groups = Groups(workspace), tuple(dict.fromkeys(filter(is_group_name, names)))
    members, shared = dict[str, None](), dict[str, tuple[str, ...]]()
    for name in groups:
        for model in _members(store, name):
            others = [each.name for each in store.containing(model) if each.name not in groups]
            if others and model not in names:
                shared[model] = tuple(others)
            else:
                members[model] = None
    named = [name for name in names if name not in groups]
    models = tuple(dict.fromkeys([*named, *members]))
    require_no_part(workspace, models)
    incomplete = {
        each.name: tuple(model for model in each.models if model in models)
        for each in store.all()
        if each.name not in groups
    }
    incomplete = {name: lost for name, lost in incomplete.items() if lost}
    return Deletion(groups, models, shared, incomplete)


def _members(groups: Groups, name: str) -> list[str]:
    """Return the models of a group that are there; none of one whose file is damaged."""
    try:
        models = groups.find(name).models
    except FileError:
        return []
    known = {*Store(groups.workspace).names(), *groups.workspace.deletions()}
    return [model for model in models if model in known]


def delete_group(workspace: WorkspacePaths, name: str) -> None:
    """Delete the file of a group, when its members are gone."""
    Groups(workspace).delete(name)


def require_no_part(workspace: WorkspacePaths, names: Sequence[str]) -> None:
    """Make sure that no model is made of what is to be deleted, unless it is deleted too.

    Raises
    ------
    RequestError
        If one is, or there is no such model.
    """
    store = Store(workspace)
    for name in names:
        store.require_deletable(name)
        wholes = [model.name for model in store.made_of(name) if model.name not in names]
        if wholes:
            msg = f"{name} is a part of {', '.join(wholes)}, and was not deleted"
            together = call("delete_models", *wholes, *names)
            raise RequestError(msg, hint=f"To delete all of them: {together}")


def delete_model(workspace: WorkspacePaths, name: str) -> list[Path]:
    """Delete a model, its predictions and its results.

    Its folder is hidden first and deleted last: whoever finds a hidden one ends what was cut short.

    Returns
    -------
    The files of the settings that were made from the model, which stay.

    Raises
    ------
    RequestError
        If there is no such model.
    """
    Store(workspace).begin_deletion(name)
    _delete_rest(workspace, name)
    prefix = f"{name}-pred_"
    inventory = workspace.scan()
    files = [*inventory.select(Kind.FEATURES), *inventory.select(Kind.MASK)]
    return [file.path for file in files if file.fields["setting"].startswith(prefix)]


def end_deletions(workspace: WorkspacePaths) -> None:
    """Delete the rest of the models whose deletion was begun and cut short."""
    for name in workspace.deletions():
        _delete_rest(workspace, name)


def _delete_rest(workspace: WorkspacePaths, name: str) -> None:
    for path in workspace.predictions_of(name) + workspace.recommendations_of(name):
        path.unlink(missing_ok=True)
    remove_own_folder(workspace.result_parts(name))
    with locked_folder(workspace.results_table.parent):
        # The document first: it says that the others are whole.
        for path in reversed(workspace.results_of(name) + workspace.ablation_of(name)):
            path.unlink(missing_ok=True)
        write_results_table(workspace)
    _leave_groups(workspace, name)
    Store(workspace).end_deletion(name)


def _leave_groups(workspace: WorkspacePaths, model: str) -> None:
    """Record in the groups of a model that it is gone, so that their command trains it again."""
    groups = Groups(workspace)
    for group in groups.containing(model):
        with suppress(RequestError):  # it was deleted meanwhile
            groups.record(group.name, lambda each: _without(each, model))


def _without(member: Member, model: str) -> Member:
    if member.model != model:
        return member
    return member.model_copy(update={"status": "waiting", "model": ""})
