"""What is compared: models, or groups of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tartarus_cli.errors import DataError, RequestError, call
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.groups import Groups
from tartarus_cli.models.lookup import is_group_name
from tartarus_cli.progress import Progress


@dataclass(frozen=True)
class ComparedSystem:
    """A model, a file of predictions, or a group: one or more results."""

    name: str
    results: tuple[str, ...]
    """Names of its results: one, or one of each seed."""
    seeds: tuple[int, ...] = ()
    """The seed of each; empty where nothing is known of the noise of training."""

    @property
    def grouped(self) -> bool:
        """Whether it has several trainings, which differ."""
        return len(self.results) > 1

    def rows_by_seed(self) -> list[str]:
        """Return the names of the results in the order of their seeds."""
        return [name for _, name in sorted(zip(self.seeds, self.results, strict=True))]

    def is_paired_with(self, other: ComparedSystem) -> bool:
        """Whether both have several trainings, with the same seeds."""
        return self.grouped and sorted(self.seeds) == sorted(other.seeds)


def find_systems(
    workspace: WorkspacePaths, names: Sequence[str], progress: Progress
) -> list[ComparedSystem]:
    """Return what names stand for: groups, where there are such, else results.

    Parameters
    ----------
    workspace
        The workspace that holds groups and results.
    names
        Of groups, models or files of predictions.
    progress
        Reports members that have no figures.

    Raises
    ------
    RequestError
        If there is no such group, or it is one of folds.
    DataError
        If a group is damaged, or none of its members has figures.
    """
    groups = Groups(workspace)
    known = groups.names()
    systems = []
    for name in names:
        is_group = name in known or (is_group_name(name) and not workspace.results(name).is_file())
        systems.append(
            _find_group(groups, name, progress) if is_group else ComparedSystem(name, (name,))
        )
    return systems


def _find_group(groups: Groups, name: str, progress: Progress) -> ComparedSystem:
    group = groups.find(name)
    if group.manifest.kind != "seeds":
        msg = f"{name} is a group of {group.manifest.kind}, whose test items are not the same"
        raise RequestError(msg, hint="Compare its models one by one, or groups of seeds.")
    results = {
        member.model: member
        for member in group.evaluated
        if groups.workspace.results(member.model).is_file()
    }
    missing = [m for m in group.members if m.model not in results]
    if not results:
        msg = f"no member of {name} has figures"
        again = call("run", group.manifest.experiment, *group.manifest.settings, seeds=2)
        raise DataError(msg, hint=f"Give the command that trained it again, such as {again}")
    if missing:
        labels = ", ".join(member.label for member in missing)
        progress.warn(f"{name} is compared without {labels}, which has no figures")
    if len(results) == 1:  # nothing is drawn, or one alone is left
        return ComparedSystem(name, tuple(results))
    return ComparedSystem(name, tuple(results), tuple(m.seed for m in results.values()))
