"""Exports of groups of models: a file for each member, and one of figures for all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tartarus_cli.errors import RequestError
from tartarus_cli.exporting.card import group_card
from tartarus_cli.exporting.export import (
    ExportResult,
    check_export,
    export,
    write_tables,
)
from tartarus_cli.exporting.figures import group_figures
from tartarus_cli.exporting.model_file import ModelFile, write_card
from tartarus_cli.exporting.request import ExportRequest
from tartarus_cli.models.groups import Group, Member
from tartarus_cli.models.store import Store
from tartarus_cli.progress import UNWATCHED, Progress, QuietProgress


@dataclass(frozen=True)
class GroupExport:
    """Files that were written of a group."""

    group: str
    """Name of the group."""
    files: tuple[ExportResult | ModelFile, ...]
    """One for each member; a single one of figures, of a card, and of the truth that all have in
    common."""


def export_group(
    group: Group, request: ExportRequest, *, progress: Progress = UNWATCHED
) -> GroupExport:
    """Write what is asked for of each member, or the figures of all with mean and deviation.

    The names of the files of members end in the seed, or the fold: ``run_seed_0.trec``.

    Parameters
    ----------
    group
        The group.
    request
        What to write, and to which file.
    progress
        Shows how much is written.

    Raises
    ------
    RequestError
        If the group has no model, one of the files exists, or the request contradicts itself.
    DataError
        If something has not been predicted or evaluated, or a file is missing or damaged.
    """
    if request.what == "figures":
        check_export(request)
        about = (group.name, group.manifest.dataset)
        return GroupExport(
            group.name, (write_tables(*about, request, group_figures(group), progress),)
        )
    if request.what == "card":
        check_export(request)
        text = group_card(group)
        return GroupExport(
            group.name, (write_card(group.name, group.manifest.dataset, text, request),)
        )
    members = {member.model: member for member in reversed(group.members) if member.model}
    if not members:
        msg = f"no member of {group.name} is trained"
        raise RequestError(msg, hint="Give the command that began it again.")
    if request.what == "qrels" and group.manifest.kind == "seeds":
        members = dict([members.popitem()])  # the truth is the same for all
        requests = dict.fromkeys(members, request)
    else:
        requests = {
            model: replace(request, path=_path(request.path, member))
            for model, member in reversed(members.items())
        }
    for each in requests.values():  # before the first is written
        check_export(each)
    store, results = Store(group.workspace), list[ExportResult | ModelFile]()
    for model, each in requests.items():
        watcher = QuietProgress(progress) if results else progress
        results.append(export(store.get(model), each, progress=watcher))
    return GroupExport(group.name, tuple(results))


def _path(path: Path, member: Member) -> Path:
    """Return the file of a member.

    >>> _path(Path("run.trec"), Member(seed=0, dataset="songs")).name
    'run_seed_0.trec'
    """
    return path.with_name(f"{path.stem}_{member.label.replace(' ', '_')}{path.suffix}")
