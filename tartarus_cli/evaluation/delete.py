"""Delete a model and what was computed with it."""

from __future__ import annotations

from pathlib import Path

from tartarus_cli.evaluation.results import write_results_table
from tartarus_cli.file_names import Kind
from tartarus_cli.files import remove_folder
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.store import Store


def delete_model(workspace: WorkspacePaths, name: str) -> list[Path]:
    """Delete a model, its predictions and its results.

    Returns
    -------
    The files of the settings that were made from the model, which stay.

    Raises
    ------
    RequestError
        If there is no such model.
    """
    Store(workspace).delete(name)
    for path in workspace.predictions_of(name) + workspace.recommendations_of(name):
        path.unlink(missing_ok=True)
    values = [workspace.unit_values(name, unit) for unit in ("users", "items")]
    for path in (workspace.results(name), *values, *workspace.pictures_of(name)):
        path.unlink(missing_ok=True)
    if workspace.result_parts(name).is_dir():
        remove_folder(workspace.result_parts(name))
    write_results_table(workspace)
    prefix = f"{name}-pred_"
    settings = workspace.scan().select(Kind.FEATURES)
    return [file.path for file in settings if file.fields["setting"].startswith(prefix)]
