"""Ids of users and items, and the rows that they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import read_ids, suggest_ids
from tartarus_cli.errors import FileError, RequestError, count_noun, display_path
from tartarus_cli.file_names import Kind
from tartarus_cli.progress import Progress

if TYPE_CHECKING:
    import polars as pl

Unit = Literal["user", "item"]


@dataclass(frozen=True)
class IdIndex:
    """Ids of users or items, in the order of their rows."""

    unit: Unit
    dataset: str
    ids: list[str]
    path: Path | None
    """The list of ids; None: there is no list, and the ids are numbers counted from 0."""
    old: Mapping[str, Path] = field(default_factory=dict)
    """Split → its list of ids, for the items that are not new."""

    def number(self, name: str) -> int:
        """Return the row of an id.

        Raises
        ------
        RequestError
            If there is none: the item is not new, or the hint names those that come nearest.
        """
        try:
            return self.ids.index(name)
        except ValueError:
            unit = "test item" if self.unit == "item" else "user"
            msg = f"{self.dataset} has no {unit} {name!r}"
        for split, path in self.old.items():
            if name in read_ids(path):
                hint = f"Name a test item, one of those in {display_path(self.path or path)}."
                msg += f": it is a {split} item, and a model ranks new ones"
                raise RequestError(msg, hint=hint)
        raise RequestError(msg, hint=self._hint(name))

    def _hint(self, name: str) -> str:
        if self.path is None:
            last = len(self.ids) - 1
            return f"Its users have no list of ids: name one by its number, from 0 to {last}."
        return suggest_ids(name, self.ids)

    @cached_property
    def column(self) -> pl.Series:
        """The ids, to take many from."""
        import polars as pl

        return pl.Series(self.unit, self.ids, dtype=pl.String)


def item_index(dataset: Dataset) -> IdIndex:
    """Return the ids of the test items of a dataset.

    Raises
    ------
    DataError
        If they have no list.
    """
    paths = {file.split: file.path for file in dataset.select(Kind.ITEMS)}
    path = dataset.require(Kind.ITEMS, split="test").path
    old = {split: path for split, path in paths.items() if split != "test"}
    return IdIndex("item", dataset.name, dataset.ids("test"), path, old)


def user_index(dataset: Dataset, count: int, progress: Progress) -> IdIndex:
    """Return the ids of the users of a dataset; their numbers if there is no list.

    Parameters
    ----------
    dataset
        A dataset whose users have factors.
    count
        Number of users, as in their factors.
    progress
        Reports if there is no list.

    Raises
    ------
    FileError
        If the list has another number of users.
    """
    file = dataset.find(Kind.USERS)
    if file is None:
        path = dataset.workspace.relative(dataset.path(Kind.USERS))
        progress.say(
            f"{dataset.name} has no ids of users: they are numbered from 0 "
            f"(to name them, write a list into {path}, one id a line)"
        )
        return IdIndex("user", dataset.name, [*map(str, range(count))], None)
    ids = dataset.user_ids or []
    if len(ids) != count:
        raise FileError(
            file.path,
            found=count_noun(len(ids), "id"),
            expected=f"{count:,}, one for each row of the users' factors",
            hint="Correct the list, or move it away: users are then numbered from 0.",
        )
    return IdIndex("user", dataset.name, ids, file.path)
