"""Shards of the work of a command: what each came to stands in a file, for those that follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tartarus_cli.errors import TartarusError
from tartarus_cli.files import read_text, write_text
from tartarus_cli.options import Shard

RECORDS = "shard_*.json"
"""Names of the records of shards."""


@dataclass(frozen=True)
class ShardResult:
    """What a shard came to; the command without one joins all of them."""

    dataset: str
    shard: Shard
    noun: str
    """What its units are: recordings or documents."""
    units: int
    """Number of its units, those that failed included."""
    failures: dict[str, str]
    """Id of an item whose recording or document cannot be used → the reason."""
    done: tuple[int, ...]
    """Shards of this division that are done, this one included."""
    seconds: float
    """Time that it took."""

    @property
    def left(self) -> tuple[int, ...]:
        """Shards of this division that are not done."""
        return tuple(n for n in range(1, self.shard.of + 1) if n not in self.done)


class ShardRecord(BaseModel):
    """What a shard leaves in the folder of what was prepared."""

    model_config = ConfigDict(frozen=True)

    number: int
    of: int
    work: str
    """Hash of what the whole work is; a record of other work says nothing."""
    timeout_s: float = 0
    """Seconds after which a recording was given up."""
    slow: dict[str, tuple[int, int]] = {}
    """Id of a recording that was given up → size and time of its file."""


def write_record(folder: Path, record: ShardRecord) -> None:
    """Write that a shard is done."""
    path = folder / RECORDS.replace("*", f"{record.number}_of_{record.of}")
    write_text(path, record.model_dump_json(), one_of_many=True)


def read_records(folder: Path, work: str) -> Iterator[ShardRecord]:
    """Read the records of the shards of some work; damaged ones, and those of other work, are none.

    Parameters
    ----------
    folder
        The folder of what was prepared.
    work
        Hash of what the whole work is.
    """
    for path in sorted(folder.glob(RECORDS)):
        with suppress(TartarusError, OSError, ValueError):
            record = ShardRecord.model_validate_json(read_text(path))
            if record.work == work:
                yield record


def shards_done(folder: Path, work: str, shard: Shard) -> tuple[int, ...]:
    """Return the numbers of the shards of some work that are done, of those of one division."""
    records = read_records(folder, work)
    return tuple(sorted(record.number for record in records if record.of == shard.of))
