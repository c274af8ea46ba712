"""How systems rank all items for some users in a row: kept part by part, and joined."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.arrays import read_arrays
from tartarus_cli.errors import FileError, RequestError
from tartarus_cli.evaluation.results import write_unit_values

KEY = "key"


@dataclass(frozen=True)
class RankSummary:
    """How one system ranks all items for some users in a row."""

    ranks: NDArray[np.int32]  # (relevant,), in the order of the truth
    shown: dict[int, NDArray[np.int64]]  # k → users that have each item among their first k
    novelty: dict[int, NDArray[np.float64]]  # k → mean self-information of the first k, (users,)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that it is made of, by name."""
        named: dict[str, NDArray[Any]] = {"ranks": self.ranks}
        named |= {f"shown@{k}": each for k, each in self.shown.items()}
        return named | {f"novelty@{k}": each for k, each in self.novelty.items()}


def join_summaries(tallies: Sequence[RankSummary]) -> RankSummary:
    """Join what was ranked for users that follow each other."""
    ks = tallies[0].shown
    return RankSummary(
        np.concatenate([each.ranks for each in tallies]),
        {k: sum((t.shown[k] for t in tallies[1:]), tallies[0].shown[k]) for k in ks},
        {k: np.concatenate([each.novelty[k] for each in tallies]) for k in ks},
    )


@dataclass(frozen=True)
class RankingShard:
    """All systems, for some users in a row."""

    users: slice
    tallies: dict[str, RankSummary]


@dataclass(frozen=True)
class CheckpointStore:
    """Where the parts of one evaluation are kept."""

    folder: Path
    key: Callable[[], bytes]  # of all that the ranks depend on; parts of others are not taken
    systems: tuple[str, ...]
    ks: tuple[int, ...]

    def keep(self, part: RankingShard) -> Path:
        """Write a part."""
        arrays = [(KEY, np.frombuffer(self._key_of(part.users), np.uint8))]
        for system, tally in part.tallies.items():
            arrays += [(f"{system}.{name}", each) for name, each in tally.arrays.items()]
        path = self.path(part.users)
        write_unit_values(path, arrays)
        return path

    def replace(self, part: RankingShard) -> Path:
        """Write a part in place of those that it covers, damaged ones among them."""
        path = self.keep(part)
        for users in self._named(part.users):
            if users != part.users and self._superseded(users):
                self.path(users).unlink(missing_ok=True)
        return path

    def parts(self, within: slice) -> list[RankingShard]:
        """Return parts that lie within some users and do not overlap, in their order."""
        return [self._read(users) for users in non_overlapping(self._there(within))]

    def delete(self) -> None:
        """Delete the parts of this evaluation; those of other predictions or options stay."""
        for users in self._named(slice(0, sys.maxsize)):
            if self._superseded(users):
                self.path(users).unlink(missing_ok=True)
        with suppress(OSError):  # others are there, or nothing ever was
            self.folder.rmdir()

    def _named(self, within: slice) -> list[slice]:
        names = self.folder.glob("users_*.npz") if self.folder.is_dir() else []
        matches = (re.fullmatch(r"users_(\d+)_(\d+)", path.stem) for path in names)
        found = [slice(int(match[1]), int(match[2])) for match in matches if match]
        return [u for u in found if within.start <= u.start < u.stop <= within.stop]

    def _there(self, within: slice) -> list[slice]:
        return [users for users in self._named(within) if self._ours(users)]

    def _superseded(self, users: slice) -> bool:
        try:
            return self._ours(users)
        except FileError:
            return True

    def path(self, users: slice) -> Path:
        """Where a part is written."""
        return self.folder / f"users_{users.start}_{users.stop}.npz"

    def _ours(self, users: slice) -> bool:
        (key,) = read_arrays(self.path(users), (KEY,))
        return bytes(key.astype(np.uint8)) == self._key_of(users)

    def _key_of(self, users: slice) -> bytes:
        return self.key() + f" {users.start}:{users.stop}".encode()

    def _read(self, users: slice) -> RankingShard:
        return RankingShard(users, {system: self._tally(users, system) for system in self.systems})

    def _tally(self, users: slice, system: str) -> RankSummary:
        kinds = ("shown", "novelty")
        names = [f"{system}.ranks", *(f"{system}.{kind}@{k}" for kind in kinds for k in self.ks)]
        ranks, *rest = read_arrays(self.path(users), tuple(names))
        half = len(self.ks)
        return RankSummary(
            ranks,
            dict(zip(self.ks, rest[:half], strict=True)),
            dict(zip(self.ks, rest[half:], strict=True)),
        )


def non_overlapping(parts: Sequence[slice]) -> list[slice]:
    """Choose parts that do not overlap, the larger ones first, and put them into order.

    >>> non_overlapping([slice(0, 9), slice(2, 4), slice(8, 12), slice(9, 11)])
    [slice(0, 9, None), slice(9, 11, None)]
    """
    chosen: list[slice] = []
    for part in sorted(parts, key=lambda users: (users.start - users.stop, users.start)):
        if all(part.stop <= other.start or other.stop <= part.start for other in chosen):
            chosen.append(part)
    return sorted(chosen, key=lambda users: users.start)


def missing_users(users: slice, parts: Sequence[RankingShard]) -> list[slice]:
    """Return which of the users no part covers; parts are in order.

    >>> missing_users(slice(0, 9), [RankingShard(slice(2, 4), {}), RankingShard(slice(4, 7), {})])
    [slice(0, 2, None), slice(7, 9, None)]
    """
    edges = [users.start, *(n for p in parts for n in (p.users.start, p.users.stop)), users.stop]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [slice(first, last) for first, last in pairs if first < last]


def require_all_users(users: slice, parts: Sequence[RankingShard]) -> None:
    """Make sure that parts cover all users.

    Raises
    ------
    RequestError
        If some are missing; the hint says how they are made.
    """
    missing = [f"{gap.start}:{gap.stop}" for gap in missing_users(users, parts)]
    if missing:
        msg = f"users {', '.join(missing)} were not evaluated yet, or with other files or options"
        raise RequestError(
            msg, hint=f"The same with --users {missing[0]} and no --merge does that."
        )
