"""What JAX has compiled, stored on the disk, so that the next process need not compile it again."""

from __future__ import annotations

import os
import platform
import time
import warnings
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tartarus_cli.errors import expand_home

VARIABLE = "TARTARUS_COMPILE_CACHE"
"""Variable of the environment that names another folder, or switches it ``off``."""
JAX_VARIABLE = "JAX_COMPILATION_CACHE_DIR"
"""Variable of JAX; where it is set, everything is left as it says."""
OFF = "off"

MAX_BYTES = 1 << 30
"""Of all that is stored; what was not read for longest is removed first."""
WEEKS_S = 4 * 7 * 24 * 3600
"""Seconds after which something is removed in any case, such as what was never written whole."""
MIN_COMPILE_S = 0.3
"""What takes less time to compile is not stored."""


def cache_folder() -> Path | None:
    """Return the folder, which need not exist; None if nothing is stored.

    It is named after the processor, for which JAX compiles, and which it leaves out of the names of
    the files.
    """
    named = os.environ.get(VARIABLE, "")
    if named == OFF:
        return None
    if named:
        return Path.cwd() / expand_home(Path(named)) / processor()
    from platformdirs import user_cache_path

    shared = os.environ.get("TARTARUS_CACHE")
    folder = Path(shared) if shared else user_cache_path("tartarus", appauthor=False)
    folder = Path.cwd() / expand_home(folder)
    return folder / "compiled" / processor() if folder.is_absolute() else None


@cache
def processor() -> str:
    """Return a name for what the processor can do, 16 hexadecimal digits."""
    words = [platform.system(), platform.machine()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        words += sorted({line for line in lines if line.startswith(("model name", "flags"))})
    return blake2b("\n".join(words).encode(), digest_size=8).hexdigest()


def use_cache() -> None:
    """Let JAX store what it compiles, and read what is stored, if the folder can be written.

    Several processes may do so at a time: JAX locks the folder while one reads or writes. What is
    damaged is compiled again.
    """
    import jax

    config: Any = jax.config
    if os.environ.get(JAX_VARIABLE) or config.jax_compilation_cache_dir:
        return
    folder = cache_folder()
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if not is_private(folder):
            return
        remove_old(folder)
    except OSError:
        return
    config.update("jax_compilation_cache_max_size", MAX_BYTES)
    config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_S)
    config.update("jax_compilation_cache_dir", str(folder))
    for verb in ("reading", "writing"):
        message = f"Error {verb} persistent compilation cache entry"
        warnings.filterwarnings("ignore", message, UserWarning)


def is_private(folder: Path) -> bool:
    """Whether the user alone can write to a folder: what lies in it is run as it is."""
    if not hasattr(os, "getuid"):
        return os.access(folder, os.W_OK)
    status = folder.stat()
    others = status.st_mode & 0o022
    return status.st_uid == os.getuid() and not others and os.access(folder, os.W_OK | os.X_OK)


def remove_old(folder: Path) -> None:
    """Remove what is older than four weeks."""
    oldest = time.time() - WEEKS_S
    for path in folder.glob("*-cache"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name.removesuffix('-cache')}-atime").unlink(missing_ok=True)
