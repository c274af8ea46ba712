"""Results of ``doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.console import document, message, out, plain, table

if TYPE_CHECKING:
    from tartarus_cli.diagnosis.report import Diagnosis

COLOURS = {"error": "red", "warning": "yellow"}
"""Severity of a fault → its colour."""


def diagnosis(found: Diagnosis, *, json: bool) -> None:
    """Print what an installation has, what it lacks, and what mends it."""
    if json:
        _print_document(found)
        return
    rows = table("", "")
    rows.show_header = False
    for subject, text in _lines(found):
        rows.add_row(f"[bold]{plain(subject)}[/]", plain(text))
    out().print(rows)
    for fault in found.faults:
        colour = COLOURS[fault.severity]
        out().print(f"[{colour}]{fault.severity}:[/] {message(fault.message)}", soft_wrap=True)
        out().print(f"  {message(fault.hint)}", soft_wrap=True)
    if not found.faults:
        out().print("[green]No problems.[/]")


def _print_document(found: Diagnosis) -> None:
    from dataclasses import asdict

    values = asdict(found)
    for fault in values["faults"]:
        fault.update({name: in_shell(fault[name]) for name in ("message", "hint")})
    document(values | {"ok": found.ok})


def _lines(found: Diagnosis) -> Iterator[tuple[str, str]]:
    """Write what there is, a subject a line."""
    yield "tartarus", found.versions["tartarus"]
    yield "Python", f"{found.versions['python']}, {found.versions['system']}"
    yield "Keras", f"computes with {found.backend}"
    yield from _machine(found)
    for name, about in found.sound.items():
        library = next(f"{key} {value}" for key, value in about.items() if key != "formats")
        yield f"sound, {name}", f"{library}: {', '.join(about['formats'])}"
    for place in found.places:
        state = "" if place.writable else "   (cannot be written)"
        yield place.purpose, f"{place.path}{state}"
    yield "workspace", _workspace(found.workspace)
    for extra in dict.fromkeys(library.extra for library in found.libraries):
        there = [lib for lib in found.libraries if lib.extra == extra]
        shown = ", ".join(f"{lib.name} {lib.version or '(not installed)'}" for lib in there)
        yield f"[{extra}]" if extra else "libraries", shown


def _machine(found: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "devices", "; ".join(_device(each) for each in found.devices) or "none of JAX"
    if found.cards:
        yield "cards", "; ".join(found.cards)
    yield "cores", _limited(found.cores, "{:g}", ("usable", "{} of which may be used"))
    in_gib = {name: value / 2**30 for name, value in found.memory.items()}
    yield "memory", _limited(in_gib, "{:.1f} GiB", ("free", "{} free"))


def _workspace(workspace: dict[str, Any] | None) -> str:
    if workspace is None:
        return "none here"
    free = workspace["free"]
    room = "" if free is None else f", {free / 2**30:.1f} GiB free"
    return f"{workspace['path']}{'' if workspace['writable'] else ' (cannot be written)'}{room}"


def _device(device: dict[str, object]) -> str:
    kind, memory = device["kind"], device.get("memory")
    about = [str(kind)] if kind != device["name"] else []
    about += [f"{memory / 2**30:.1f} GiB"] if isinstance(memory, int) else []
    inner = ", ".join(about)
    return f"{device['name']} ({inner})" if inner else str(device["name"])


def _limited(values: dict[str, float], form: str, part: tuple[str, str]) -> str:
    """Write what there is of something, how much of it is the ``part``, and its limit."""
    if "all" not in values:
        return "unknown"
    texts = [form.format(values["all"])]
    name, text = part
    if name in values and values[name] != values["all"]:
        texts.append(text.format(form.format(values[name])))
    if "limit" in values:
        texts.append(f"limited to {form.format(values['limit'])} by the control group")
    return ", ".join(texts)
