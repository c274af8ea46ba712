"""How systems rank all items for users in a row: stored shard by shard, and joined."""

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

from tartarus_cli.data.arrays import array_names, read_arrays
from tartarus_cli.errors import FileError, RequestError, parameter
from tartarus_cli.evaluation.results import write_unit_values
from tartarus_cli.files import remove_leftovers

KEY = "key"
"""Name of the hash in the file of a shard."""

JOIN_EVERY = 8
"""Parts that wait before they are joined, since each of them counts all items."""


@dataclass(frozen=True)
class RankSummary:
    """How one system ranks all items for users in a row."""

    ranks: NDArray[np.int32]
    """``(relevant,)``: the ranks of the relevant items, in the order of the truth."""
    best: NDArray[np.int32]
    """``(relevant,)``: the best rank of the items of the same score."""
    worst: NDArray[np.int32]
    """``(relevant,)``: the worst rank of the items of the same score."""
    shown: dict[int, NDArray[np.int64]]
    """k → number of users that have each item among their first k, ``(items,)``."""
    novelty: dict[int, NDArray[np.float64]]
    """k → mean self-information of the first k items of each user, ``(users,)``."""

    @property
    def tied(self) -> bool:
        """Whether a relevant item has the score of another item."""
        return self.best is not self.ranks

    @property
    def rank_arrays(self) -> dict[str, NDArray[Any]]:
        """The ranks, by the names that they have in a file; best and worst only if any are tied."""
        ties = {"best": self.best, "worst": self.worst} if self.tied else {}
        return {"ranks": self.ranks} | ties

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays, by the names that they have in a file."""
        arrays = self.rank_arrays
        arrays |= {f"shown@{k}": counts for k, counts in self.shown.items()}
        return arrays | {f"novelty@{k}": means for k, means in self.novelty.items()}


def join_summaries(summaries: Sequence[RankSummary]) -> RankSummary:
    """Join the summaries of one system for blocks of users that follow each other."""
    first, *others = summaries
    ranks = np.concatenate([summary.ranks for summary in summaries])
    best = worst = ranks
    if any(summary.tied for summary in summaries):
        best = np.concatenate([summary.best for summary in summaries])
        worst = np.concatenate([summary.worst for summary in summaries])
    return RankSummary(
        ranks,
        best,
        worst,
        {k: sum((other.shown[k] for other in others), first.shown[k]) for k in first.shown},
        {k: np.concatenate([summary.novelty[k] for summary in summaries]) for k in first.shown},
    )


@dataclass(frozen=True)
class RankingShard:
    """How all systems rank, for users in a row."""

    users: slice
    summaries: dict[str, RankSummary]
    """System → how it ranks."""


def join_shards(shards: Sequence[RankingShard]) -> RankingShard:
    """Join shards of users that follow each other."""
    summaries = {
        system: join_summaries([shard.summaries[system] for shard in shards])
        for system in shards[0].summaries
    }
    return RankingShard(slice(shards[0].users.start, shards[-1].users.stop), summaries)


@dataclass(frozen=True)
class CheckpointStore:
    """Where the shards of one evaluation are stored."""

    folder: Path
    key: Callable[[], bytes]
    """Hashes all that the ranks depend on; shards with another hash are not used."""
    systems: tuple[str, ...]
    ks: tuple[int, ...]
    """Where lists are cut."""

    def write(self, shard: RankingShard) -> Path:
        """Write a shard, and return its file."""
        arrays = [(KEY, np.frombuffer(self._key_of(shard.users), np.uint8))]
        for system, summary in shard.summaries.items():
            arrays += [(f"{system}.{name}", array) for name, array in summary.arrays.items()]
        path = self.path(shard.users)
        write_unit_values(path, arrays)
        return path

    def replace(self, shard: RankingShard) -> Path:
        """Write a shard in place of those that it covers, damaged ones among them."""
        path = self.write(shard)
        for users in self._file_names(shard.users):
            if users != shard.users and self._is_superseded(users):
                self.path(users).unlink(missing_ok=True)
        return path

    def read(
        self, within: slice, check: Callable[[RankingShard], None] = lambda _: None
    ) -> list[RankingShard]:
        """Read shards that lie within a range of users and do not overlap, in their order.

        Those that follow each other are joined now and then, since each counts all items.

        Parameters
        ----------
        within
            The users.
        check
            Looks at each shard, and raises an error if it is damaged.

        Raises
        ------
        FileError
            If one of them is damaged.
        """
        users = [users for users in self._file_names(within) if self._has_key(users)]
        joined, waiting = list[RankingShard](), list[RankingShard]()
        for part in non_overlapping(users):
            shard = self._read(part)
            check(shard)
            if waiting and waiting[-1].users.stop != part.start:
                joined, waiting = [*joined, join_shards(waiting)], []
            waiting.append(shard)
            if len(waiting) == JOIN_EVERY:
                waiting = [join_shards(waiting)]
        return [*joined, join_shards(waiting)] if waiting else joined

    def delete(self) -> None:
        """Delete the shards of this evaluation; those of other predictions or options stay."""
        for users in self._file_names(slice(0, sys.maxsize)):
            if self._is_superseded(users):
                self.path(users).unlink(missing_ok=True)
        with suppress(OSError):  # others are there, or nothing ever was
            remove_leftovers(self.folder)
            self.folder.rmdir()
            self.folder.parent.rmdir()

    def path(self, users: slice) -> Path:
        """Return the file of a shard."""
        return self.folder / f"users_{users.start}_{users.stop}.npz"

    def _file_names(self, within: slice) -> list[slice]:
        """Return the users that the files in the folder are named after."""
        names = self.folder.glob("users_*.npz") if self.folder.is_dir() else []
        matches = (re.fullmatch(r"users_(\d+)_(\d+)", path.stem) for path in names)
        users = [slice(int(match[1]), int(match[2])) for match in matches if match]
        return [u for u in users if within.start <= u.start < u.stop <= within.stop]

    def _is_superseded(self, users: slice) -> bool:
        """Whether a file that a larger one covers can go: it is damaged, or of this evaluation."""
        try:
            return self._has_key(users)
        except FileError:
            return True

    def _has_key(self, users: slice) -> bool:
        (key,) = read_arrays(self.path(users), (KEY,))
        return bytes(key.astype(np.uint8)) == self._key_of(users)

    def _key_of(self, users: slice) -> bytes:
        return self.key() + f" {users.start}:{users.stop}".encode()

    def _read(self, users: slice) -> RankingShard:
        summaries = {system: self._read_summary(users, system) for system in self.systems}
        return RankingShard(users, summaries)

    def _read_summary(self, users: slice, system: str) -> RankSummary:
        path, kinds = self.path(users), ("shown", "novelty")
        names = [f"{system}.{kind}@{k}" for kind in kinds for k in self.ks]
        by_k = read_arrays(path, tuple(names))
        half = len(self.ks)
        return RankSummary(
            *read_ranks(path, f"{system}."),
            dict(zip(self.ks, by_k[:half], strict=True)),
            dict(zip(self.ks, by_k[half:], strict=True)),
        )


def read_ranks(path: Path, prefix: str = "") -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Read ranks, and the best and worst ranks of the same score, as they were written.

    Raises
    ------
    FileError
        If the file is damaged, or there are none.
    """
    tied = f"{prefix}best" in array_names(path)
    names = ("ranks", "best", "worst") if tied else ("ranks",)
    ranks, *others = read_arrays(path, tuple(f"{prefix}{name}" for name in names))
    best, worst = others or (ranks, ranks)
    return ranks, best, worst


def non_overlapping(ranges: Sequence[slice]) -> list[slice]:
    """Choose ranges of users that do not overlap, the larger ones first, and sort them.

    >>> non_overlapping([slice(0, 9), slice(2, 4), slice(8, 12), slice(9, 11)])
    [slice(0, 9, None), slice(9, 11, None)]
    """
    chosen: list[slice] = []
    for users in sorted(ranges, key=lambda users: (users.start - users.stop, users.start)):
        if all(users.stop <= other.start or other.stop <= users.start for other in chosen):
            chosen.append(users)
    return sorted(chosen, key=lambda users: users.start)


def missing_users(users: slice, shards: Sequence[RankingShard]) -> list[slice]:
    """Return the users that no shard covers; shards are in order.

    >>> missing_users(slice(0, 9), [RankingShard(slice(2, 4), {}), RankingShard(slice(4, 7), {})])
    [slice(0, 2, None), slice(7, 9, None)]
    """
    edges = [users.start, *(n for s in shards for n in (s.users.start, s.users.stop)), users.stop]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [slice(first, last) for first, last in pairs if first < last]


def require_all_users(users: slice, shards: Sequence[RankingShard]) -> None:
    """Make sure that shards cover all users.

    Raises
    ------
    RequestError
        If some are missing; the hint says how to evaluate them.
    """
    missing = [f"{gap.start}:{gap.stop}" for gap in missing_users(users, shards)]
    if missing:
        msg = f"users {', '.join(missing)} were not evaluated yet, or with other files or options"
        option = parameter("users", missing[0])
        hint = f"Evaluate them: give {option} and leave out {parameter('merge')}."
        raise RequestError(msg, hint=hint)
