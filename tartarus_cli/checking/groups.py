"""Checks of groups of models: whether their files can be read, and their members are there."""

from __future__ import annotations

from tartarus_cli.checking.report import Report
from tartarus_cli.errors import FileError, call
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.groups import Groups
from tartarus_cli.models.store import Store


def check_groups(workspace: WorkspacePaths, report: Report) -> None:
    """Report groups that are damaged, lack a model or are not finished.

    Parameters
    ----------
    workspace
        The workspace.
    report
        Receives a warning, or a note, for each: the datasets are not concerned.
    """
    groups = Groups(workspace)
    known = Store(workspace).names()
    for name in groups.names():
        path = workspace.group(name)
        try:
            group = groups.find(name)
        except FileError as problem:
            report.warn(path, problem.found, expected=problem.expected, hint=_delete(name))
            continue
        missing = [model for model in group.models if model not in known]
        if missing:
            hint = f"Give the command that trained {name} again, or delete it: "
            hint += call("delete_models", name)
            expected = f"the models of {name}, {', '.join(missing)} among them"
            report.warn(workspace.models, "missing", expected=expected, hint=hint)
        elif not group.finished:
            count = f"{len(group.evaluated)} of {len(group.members)} {group.manifest.kind}"
            report.note(
                path,
                f"{count} are trained and evaluated",
                expected="all of them, unless they are being trained",
                hint="The same command goes on from there.",
            )


def _delete(name: str) -> str:
    return f"Delete it, its models stay: {call('delete_models', name)}"
