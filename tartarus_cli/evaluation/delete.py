"""Delete a model and what was computed with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tartarus_cli.errors import RequestError, call
from tartarus_cli.evaluation.results import write_results_table
from tartarus_cli.file_names import Kind
from tartarus_cli.files import locked_folder, remove_own_folder
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.store import Store


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
    Store(workspace).end_deletion(name)
