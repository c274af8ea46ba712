"""Groups of models: one experiment trained with several seeds, or on several folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tartarus_cli.data.tasks import Task
from tartarus_cli.errors import FileError, RequestError, call, nearest
from tartarus_cli.files import locked_folder, read_bytes, write_text
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.lookup import is_group_name
from tartarus_cli.models.store import CLAIMS

GroupKind = Literal["seeds", "folds"]
"""What the members of a group differ in."""

MemberStatus = Literal["waiting", "trained", "evaluated", "failed"]
"""How far a member came: only its figures make it whole."""

MAX_BYTES = 1 << 24
"""The largest file of a group."""


class Member(BaseModel):
    """One model of a group: that of a seed, or of a fold."""

    model_config = ConfigDict(frozen=True)

    seed: int = Field(ge=0)
    """Of its training."""
    dataset: str
    """What it is trained on: the dataset of its fold, or that of all seeds."""
    fold: int | None = Field(default=None, ge=1)
    """Its fold, counted from 1; None in a group of seeds."""
    status: MemberStatus = "waiting"
    model: str = Field(default="", pattern=r"^(model_[1-9]\d*)?$")
    """The name of its model; empty before it is trained."""
    error: str = ""
    """Why it failed."""

    @property
    def label(self) -> str:
        """What a table calls it.

        >>> Member(seed=3, dataset="songs").label
        'seed 3'
        """
        return f"seed {self.seed}" if self.fold is None else f"fold {self.fold}"


class GroupManifest(BaseModel):
    """What a group is made of: its ``data/groups/group_N.json``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: GroupKind
    experiment: str
    dataset: str
    """The dataset, or the name that its folds have in common."""
    task: Task
    settings: tuple[str, ...] = ()
    """Names of the settings that feed its models, in order."""
    overrides: tuple[str, ...] = ()
    """What was changed in the experiment by the request, as ``section.key=value``."""
    code: dict[str, str] = {}
    """File of code that ran for the training → BLAKE2b hash of its bytes."""
    options: dict[str, Any] = {}
    """How the members are predicted and evaluated: parameter → value."""
    started: str
    """When the work on it began, in ISO 8601."""
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Group:
    """A group of models, finished or not."""

    name: str
    """Such as ``group_1``."""
    manifest: GroupManifest
    workspace: WorkspacePaths

    @property
    def members(self) -> tuple[Member, ...]:
        """All members, in the order of the request."""
        return self.manifest.members

    @property
    def evaluated(self) -> tuple[Member, ...]:
        """The members that have figures."""
        return tuple(member for member in self.members if member.status == "evaluated")

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models of all members, each once: what draws nothing is one model."""
        return tuple(dict.fromkeys(member.model for member in self.members if member.model))

    @property
    def finished(self) -> bool:
        """Whether each member has figures."""
        return len(self.evaluated) == len(self.members)


class Groups:
    """All groups of models of a workspace: numbered files."""

    def __init__(self, workspace: WorkspacePaths) -> None:
        self.workspace = workspace

    def add(self, manifest: GroupManifest) -> Group:
        """Write a group under the next number, which no other group ever gets."""
        claims = self.workspace.groups / CLAIMS
        claims.mkdir(parents=True, exist_ok=True)
        number = max([0, *map(_number, self.names()), *(_number(p.name) for p in claims.iterdir())])
        while True:
            number += 1
            try:
                (claims / f"group_{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            name = f"group_{number}"
            self._write(name, manifest)
            return Group(name, manifest, self.workspace)

    def names(self) -> list[str]:
        """Return the names of all groups, by number; a damaged one is among them."""
        folder = self.workspace.groups
        stems = [path.stem for path in folder.glob("group_*.json")] if folder.is_dir() else []
        return sorted((stem for stem in stems if is_group_name(stem)), key=_number)

    def all(self) -> list[Group]:
        """Return the groups whose files can be read, by number."""
        groups = []
        for name in self.names():
            try:
                groups.append(self._read(name))
            except FileError:  # the checks of the workspace report it
                continue
        return groups

    def find(self, name: str) -> Group:
        """Return a group by name.

        Raises
        ------
        RequestError
            If there is none of that name.
        FileError
            If its file is damaged.
        """
        if name not in self.names():
            msg = f"there is no group called {name!r}"
            raise RequestError(msg, hint=nearest(name, self.names()))
        return self._read(name)

    def containing(self, model: str) -> list[Group]:
        """Return the groups that a model is a member of."""
        return [group for group in self.all() if model in group.models]

    def record(
        self,
        name: str,
        change: Callable[[Member], Member],
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> Group:
        """Change members of a group; what another command has recorded meanwhile is read again.

        Parameters
        ----------
        name
            The group.
        change
            From each member to what it becomes.
        options
            How the members are evaluated from now on.

        Raises
        ------
        RequestError
            If the group was deleted meanwhile.
        """
        with locked_folder(self.workspace.groups):
            manifest = self.find(name).manifest
            members = tuple(map(change, manifest.members))
            update = {"members": members, "options": {**manifest.options, **options}}
            manifest = manifest.model_copy(update=update)
            self._write(name, manifest)
        return Group(name, manifest, self.workspace)

    def delete(self, name: str) -> None:
        """Delete the file of a group, whose number is never used again; its models stay."""
        self.workspace.group(name).unlink(missing_ok=True)

    def _write(self, name: str, manifest: GroupManifest) -> None:
        write_text(self.workspace.group(name), manifest.model_dump_json(indent=2) + "\n")

    def _read(self, name: str) -> Group:
        path = self.workspace.group(name)
        try:
            text = read_bytes(path, most=MAX_BYTES)
            return Group(name, GroupManifest.model_validate_json(text), self.workspace)
        except ValidationError as problem:
            first = problem.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise FileError(
                path,
                found=f"{where}: {first['msg']}" if where else first["msg"],
                expected="a group of models, as `run()` writes it",
                hint=f"Delete it, its models stay: {call('delete_models', name)}",
            ) from None


def same_request(one: GroupManifest, other: GroupManifest) -> bool:
    """Whether two groups are of the same request: all but what became of their members."""
    left, right = (
        (manifest.model_dump(exclude={"started", "members"}), _requested(manifest.members))
        for manifest in (one, other)
    )
    return left == right


def _requested(members: Sequence[Member]) -> list[tuple[int, str, int | None]]:
    return [(member.seed, member.dataset, member.fold) for member in members]


def _number(name: str) -> int:
    digits = name.removeprefix("group_")
    return int(digits) if digits.isascii() and digits.isdigit() else 0
