"""Find out what an installation has and lacks, without failing of whatever is broken."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tartarus_cli.devices import advise_on_cards
from tartarus_cli.diagnosis import system
from tartarus_cli.diagnosis.libraries import (
    PACKAGE,
    Requirement,
    examine,
    installed_version,
    is_older,
    requirements,
)
from tartarus_cli.diagnosis.report import Diagnosis, Fault, Library, Place
from tartarus_cli.errors import RequestError, TartarusError
from tartarus_cli.extras import OPTIONAL_LIBRARIES

INSTALL, REINSTALL = "pip install", "pip install --force-reinstall"
"""What the names of libraries are put behind, to have them or to have them anew."""

LITTLE_DISK = 1 << 30
"""Bytes; with fewer free ones, a training may not be able to end."""

VARIABLES = {
    "compiled loops (numba)": "NUMBA_CACHE_DIR",
    "compiled networks (JAX)": "TARTARUS_COMPILE_CACHE",
    "fonts (matplotlib)": "MPLCONFIGDIR",
    "temporary files": "TMPDIR",
}
"""Purpose of a folder → the variable that names another one."""


def diagnose(workspace: Path | None = None) -> Diagnosis:
    """Look at the libraries, the devices, the machine, and the workspace if there is one.

    Parameters
    ----------
    workspace
        Its folder; None: the nearest one from the current folder upwards, if there is any.

    Raises
    ------
    RequestError
        If a workspace is named that is none.
    """
    found, problem = _workspace(workspace)
    wanted, backend = requirements(), os.environ["KERAS_BACKEND"]
    libraries, facts = examine(wanted, backend)
    sound: dict[str, Any] = {name: facts[name] for name in ("soundfile", "av") if name in facts}
    diagnosis = Diagnosis(
        versions={
            "tartarus": installed_version(PACKAGE) or "not installed as a package",
            "python": platform.python_version(),
            "system": f"{platform.platform()} ({platform.machine()})",
        },
        libraries=libraries,
        backend=facts.get("keras", {}).get("backend", backend),
        devices=facts.get("jax", {}).get("devices", []),
        cards=system.find_cards(),
        cores=system.describe_cores(),
        memory=system.describe_memory(),
        sound=sound,
        places=system.find_places(),
        workspace=found,
    )
    faults = [*_library_faults(wanted, libraries, backend), *_card_faults(diagnosis)]
    faults += [*_sound_faults(sound), *_place_faults(diagnosis.places), *problem]
    faults += _workspace_faults(found)
    return replace(diagnosis, faults=sorted(faults, key=lambda fault: fault.severity))


def _workspace(named: Path | None) -> tuple[dict[str, Any] | None, list[Fault]]:
    try:
        from tartarus_cli.workspace import open_workspace

        opened = open_workspace(named)
    except RequestError:
        if named is not None:
            raise
        return None, []
    except Exception:  # noqa: BLE001 — a broken library raises anything, and is looked at anyway
        return None, []
    described = system.describe_workspace(opened.root, opened.data)
    try:
        _ = opened.defaults
    except TartarusError as problem:
        return described, [Fault("error", str(problem), problem.hint)]
    return described, []


def _library_faults(
    wanted: Sequence[Requirement], libraries: Sequence[Library], backend: str
) -> Iterator[Fault]:
    if not installed_version(PACKAGE):
        message = "the package is not installed, so that it is not known what else it needs"
        yield Fault("warning", message, f"{INSTALL} {PACKAGE}")
    for each, library in zip(wanted, libraries, strict=True):
        needed = not each.extra or each.name == backend
        if not library.version and needed:
            yield Fault("error", f"{each.name} is not installed", _install(each))
        elif library.problem:
            found = f"{each.name} {library.version}".strip()
            message = f"{found}: {library.problem}"
            old = library.version and is_older(library.version, each.least)
            hint = _blamed_variable(each) or f"{INSTALL if old else REINSTALL} {each.for_pip}"
            yield Fault("error" if needed else "warning", message, hint)


def _install(each: Requirement) -> str:
    missing = OPTIONAL_LIBRARIES.get(each.name)
    return f"{INSTALL} {each.for_pip}" if missing is None else missing.remedy


def _blamed_variable(each: Requirement) -> str:
    """Name a variable of the environment that makes a library fail; empty if there is none."""
    if each.name == "keras" and os.environ["KERAS_BACKEND"] != "jax":
        return f"unset KERAS_BACKEND   (it is {os.environ['KERAS_BACKEND']})"
    if each.name == "jax" and os.environ.get("JAX_PLATFORMS"):
        return f"unset JAX_PLATFORMS   (it is {os.environ['JAX_PLATFORMS']})"
    return ""


def _card_faults(diagnosis: Diagnosis) -> Iterator[Fault]:
    used = any(device["name"].startswith("gpu") for device in diagnosis.devices)
    if diagnosis.cards and not used and diagnosis.backend == "jax":
        cards = "; ".join(diagnosis.cards)
        message = f"there is {cards}, and JAX cannot use it"
        yield Fault("warning", message, advise_on_cards())


def _sound_faults(sound: dict[str, Any]) -> Iterator[Fault]:
    lacking = {"MP3", "FLAC", "OGG"} - {*sound.get("soundfile", {}).get("formats", ["MP3"])}
    if "soundfile" in sound and lacking:
        version = sound["soundfile"]["libsndfile"]
        message = f"libsndfile {version} does not read {', '.join(sorted(lacking))}"
        hint = f"{REINSTALL} soundfile   (its wheels bring a newer libsndfile)"
        yield Fault("warning", message, hint)
    if "av" in sound and not {"mp3", "aac"} <= {*sound["av"]["formats"]}:
        message = "PyAV's FFmpeg does not decode mp3 and aac"
        yield Fault("warning", message, f"{REINSTALL} av")


def _place_faults(places: Sequence[Place]) -> Iterator[Fault]:
    for place in places:
        if place.writable:
            continue
        temporary = place.purpose == "temporary files"
        slower = "" if temporary else ", so that every process makes them anew"
        message = f"{place.path}, for {place.purpose}, cannot be written{slower}"
        hint = f"export {VARIABLES[place.purpose]}=FOLDER   (one that can be written)"
        yield Fault("error" if temporary else "warning", message, hint)


def _workspace_faults(workspace: dict[str, Any] | None) -> Iterator[Fault]:
    if workspace is None:
        return
    if not workspace["writable"]:
        hint = f"chmod -R u+w {workspace['path']}   (or work in a copy)"
        yield Fault("error", f"{workspace['path']} cannot be written", hint)
    free = workspace["free"]
    if free is not None and free < LITTLE_DISK:
        message = f"{workspace['path']}: {free / (1 << 20):,.0f} MiB are free on its disk"
        yield Fault("warning", message, "Make room on that disk.")
