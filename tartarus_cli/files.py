"""Files written in one step, so that nobody ever sees half of one."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from tartarus_cli.errors import FileError


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Explain why a file cannot be opened, such as for want of permission."""
    try:
        yield
    except OSError as problem:
        raise FileError(
            path,
            found=f"it cannot be read ({problem.strerror or problem})",
            expected="a file that may be read",
            hint="Look at its permissions, and at the disk.",
        ) from None


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    if one.stat().st_size != other.stat().st_size:
        return False
    return digest(one) == digest(other)


def digest(path: Path) -> str:
    """BLAKE2b hash of a file's bytes, read in blocks; 32 hexadecimal digits."""
    hashed = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; only when the block succeeds does it become ``path``.

    The file written lies beside ``path``, so that it can take its place in one step, and nobody
    ever sees half of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, in UTF-8 and with the same line ends on every system."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


def remove_folder(path: Path) -> None:
    """Delete a folder so that no half of it is ever seen: it loses its name first."""
    away = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    path.replace(away)
    shutil.rmtree(away)
