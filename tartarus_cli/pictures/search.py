"""The course of a search for parameters, and how much each of them matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tartarus_cli.pictures.canvas import Format, canvas, encoded, printable


class TrialPoint(NamedTuple):
    """A trial, where it has a figure."""

    number: int
    figure: float
    pruned: bool
    """Whether it was stopped; the figure is then the last that it had."""


def draw_course(
    points: Sequence[TrialPoint],
    reference: float | None,
    *,
    maximize: bool,
    label: str,
    title: str,
    file_format: Format,
) -> bytes:
    """Draw the figure of each trial, and the best so far.

    Parameters
    ----------
    points
        The trials, in order.
    reference
        The figure of the experiment as it is, drawn as a line across.
    maximize
        Whether more is better.
    label
        What the figures are.
    title
        Stands above the picture.
    file_format
        Of the bytes that are returned.
    """
    with canvas((5.5, 3.2)) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        complete = [point for point in points if not point.pruned]
        stopped = [point for point in points if point.pruned]
        axes.plot(
            [p.number for p in complete], [p.figure for p in complete], "o", color="0.35", ms=4
        )
        if stopped:
            numbers, figures = [p.number for p in stopped], [p.figure for p in stopped]
            axes.plot(numbers, figures, "x", color="0.6", ms=5, label="stopped")
        best: list[float] = []
        for point in complete:
            pair = [*best[-1:], point.figure]
            best.append(max(pair) if maximize else min(pair))
        if best:
            axes.step([p.number for p in complete], best, color="C0", where="post", label="best")
        if reference is not None:
            axes.axhline(reference, color="black", lw=0.8, ls=(0, (4, 2)), label="as it is")
        axes.set_xlabel("trial")
        axes.set_ylabel(printable(label))
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(printable(title), loc="left", pad=6)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False)
        return encoded(figure, file_format)


def draw_importance(shares: Mapping[str, float], title: str, *, file_format: Format) -> bytes:
    """Draw how much each parameter matters, as horizontal bars, the greatest first."""
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    with canvas((4.5, 0.34 * len(ordered) + 0.2)) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        for place, (_, share) in enumerate(ordered):
            axes.barh(place, share, height=0.7, color="0.7")
        axes.set_yticks(range(len(ordered)), labels=[printable(name) for name, _ in ordered])
        axes.set_ylim(len(ordered) - 0.45, -0.55)
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of the variance (fANOVA)")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(printable(title), loc="left", pad=6)
        return encoded(figure, file_format)
