"""The machine: cores, memory, cards, and the folders that libraries and commands write to."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tartarus_cli.compile_cache import JAX_VARIABLE, cache_folder
from tartarus_cli.devices import has_nvidia_card
from tartarus_cli.diagnosis.report import Place
from tartarus_cli.machine import cores

CONTROL_GROUPS = Path("/sys/fs/cgroup")


def describe_cores() -> dict[str, float]:
    """Return how many cores there are, and how many this process may use."""
    found: dict[str, float] = {"all": os.cpu_count() or 1, "usable": cores()}
    quota = core_quota(CONTROL_GROUPS)
    return found if quota is None else found | {"limit": quota}


def core_quota(root: Path) -> float | None:
    """Return how many cores' time a control group grants; None if it limits nothing."""
    words = _read(root / "cpu.max").split()
    if not words:
        words = [_read(root / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    try:
        quota, period = map(int, words)
    except ValueError:
        return None  # "max", or no such file
    return quota / period if quota > 0 and period > 0 else None


def describe_memory() -> dict[str, int]:
    """Return the bytes of memory that there are, that are free, and that may be used."""
    found = {}
    for line in _read(Path("/proc/meminfo")).splitlines():
        name, _, value = line.partition(":")
        number = value.split()[:1]
        if name in ("MemTotal", "MemAvailable") and number:
            found["all" if name == "MemTotal" else "free"] = int(number[0]) << 10
    if not found:
        try:
            found["all"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, OSError, ValueError):
            return {}
    limit = memory_limit(CONTROL_GROUPS)
    limited = limit is not None and limit < found.get("all", 1 << 62)
    return found | ({"limit": limit} if limit is not None and limited else {})


def memory_limit(root: Path) -> int | None:
    """Return how many bytes a control group grants; None if it limits nothing."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(root / name).strip()
        if text.isdecimal():
            return int(text)
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def find_cards() -> list[str]:
    """Name the cards of NVIDIA that the system shows, with memory and driver."""
    program = shutil.which("nvidia-smi")
    if program is not None:
        query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
        try:
            done = subprocess.run(  # noqa: S603 — NVIDIA's own program
                [program, *query], capture_output=True, check=False, timeout=30
            )
        except (OSError, subprocess.TimeoutExpired):
            done = None
        if done is not None and done.returncode == 0:
            lines = done.stdout.decode("utf-8", "replace").splitlines()
            return [line.strip() for line in lines if line.strip()]
    return ["a card of NVIDIA (nvidia-smi does not list it)"] if has_nvidia_card() else []


def find_places() -> list[Place]:
    """Look at the folders that libraries keep something in, and at that of temporary files."""
    return [Place(purpose, str(path), writable=is_writable(path)) for purpose, path in _places()]


def _places() -> Iterator[tuple[str, Path]]:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 — pathlib raises where there is no home
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    beside = Path(__file__).parents[1] / "metrics" / "__pycache__"
    usual = beside if is_writable(beside) else cache / "numba"
    yield "compiled loops (numba)", Path(os.environ.get("NUMBA_CACHE_DIR") or usual)
    named = os.environ.get(JAX_VARIABLE)
    compiled = Path(named) if named else cache_folder()
    if compiled is not None:
        yield "compiled networks (JAX)", compiled
    yield "fonts (matplotlib)", Path(os.environ.get("MPLCONFIGDIR") or config / "matplotlib")
    try:
        yield "temporary files", Path(tempfile.gettempdir())
    except OSError:
        yield "temporary files", Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, or the folder itself where it is not there yet."""
    try:
        if folder.is_dir():
            with tempfile.TemporaryFile(dir=folder):
                return True
        if folder.exists():
            return False
    except OSError:
        return False
    return folder.parent != folder and is_writable(folder.parent)


def describe_workspace(folder: Path, data: Path) -> dict[str, Any]:
    """Return where a workspace is, whether it can be written, and what is free on its disk."""
    try:
        free: int | None = shutil.disk_usage(data if data.is_dir() else folder).free
    except OSError:
        free = None
    writable = is_writable(folder) and is_writable(data)
    return {"path": str(folder), "writable": writable, "free": free}
