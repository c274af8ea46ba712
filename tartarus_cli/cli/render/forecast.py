"""What a piece of work would do and take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.console import (
    document,
    message,
    next_step,
    out,
    plain,
    table,
    unbroken,
)
from tartarus_cli.cli.render.spans import written_duration, written_size, written_span

if TYPE_CHECKING:
    from tartarus_cli.forecasting.forecast import Forecast


def forecast(result: Forecast, *, json: bool) -> None:
    """Print what would be done, with time, memory and disk of each step and of all together."""
    if json:
        document(result.document() | {"command": in_shell(result.command)})
        return
    console = out()
    console.print(f"\n[bold]{plain(result.work)}[/], forecast", soft_wrap=True)
    _steps(result)
    for remark in result.remarks:
        console.print(f"{message(remark)}.", soft_wrap=True)
    if result.unknown:
        text = f"How long it takes to {', to '.join(result.unknown)} is not known."
        console.print(plain(text), soft_wrap=True)
    if result.files:
        console.print(f"It would write {plain(', '.join(result.files))}.", soft_wrap=True)
    console.print(f"The disk of the workspace has {written_size(result.free_disk)} left.")
    if result.disk > result.free_disk:
        console.print("[bold]That is too little.[/]")
    spent = written_duration(result.measured_s)
    console.print(f"Measured in {spent}; nothing was written.")
    next_step(result.command)


def _steps(result: Forecast) -> None:
    shown = table("step", ">time", ">memory", ">disk", "forecast from")
    for step in result.steps:
        times = f" (× {step.times})" if step.times > 1 else ""
        disk = written_size(step.disk * step.times) if step.disk else "—"
        memory = written_size(step.memory) if step.memory else "—"
        shown.add_row(
            *(plain(step.what + times), written_span(step.total), memory, disk),
            message(step.basis),
        )
    if len(result.steps) > 1:
        disk, memory = written_size(result.disk), written_size(result.memory)
        shown.add_row("all", written_span(result.seconds), memory, disk, "")
    unbroken(shown)
