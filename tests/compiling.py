"""What JAX has compiled is shared by all processes of a run, and by the next run."""

import os
import time
from hashlib import blake2b
from pathlib import Path
from platform import uname

import pytest

from tests.slowness import SHORT

WEEK_S = 7 * 24 * 3600


def share_compiled(config: pytest.Config) -> None:
    """Name a folder to JAX, for this process and those that it starts, before JAX is imported.

    JAX names an entry after the program, the options and its own version; it checks what it reads,
    and compiles again what is damaged. The folder is named after the processor, which JAX
    leaves out of the name.
    """
    if SHORT:
        # Tiny networks are compiled faster, and train as quickly. At level 0, XLA gives some of
        # their gradients no number.
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")
    if not hasattr(config, "cache") or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder = config.cache.mkdir(f"jax-{processor()}")
    remove_old(folder)
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def processor() -> str:
    """Return a name for this machine and what its processor can do."""
    words = [*uname()]
    described = Path("/proc/cpuinfo")
    if described.exists():
        lines = described.read_text("utf-8").splitlines()
        words += sorted({line for line in lines if line.startswith(("model name", "flags"))})
    return blake2b("\n".join(words).encode(), digest_size=8).hexdigest()


def remove_old(folder: Path) -> None:
    """Remove what is older than a week, and what was never written to its end."""
    oldest = time.time() - WEEK_S
    for path in folder.iterdir():
        stat = path.stat()
        if stat.st_mtime < oldest or not stat.st_size:
            path.unlink(missing_ok=True)
