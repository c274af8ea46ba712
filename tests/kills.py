"""Commands that are killed between two of their files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Killed(BaseException):
    """What no command catches, as nothing catches a kill."""


@contextmanager
def killed_after(renames: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the command in this block end after so many renames, and leave what it wrote."""
    rename, unlink, left = Path.replace, Path.unlink, renames

    def replace(path: Path, target: Path) -> Path:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        return rename(path, target)

    def unlink_visible(path: Path, *, missing_ok: bool = False) -> None:
        if not path.name.startswith("."):
            unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        patch.setattr(Path, "unlink", unlink_visible)
        with pytest.raises(Killed):
            yield
