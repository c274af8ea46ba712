"""Figures with their intervals as bars, for a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from tartarus_cli.pictures.canvas import Format, canvas, encoded, printable

BarLook = Literal["reference", "usual", "hatched"]
"""Dark, light or hatched: told apart in grey."""


class Bar(NamedTuple):
    """A figure with its interval."""

    name: str
    value: float
    low: float
    high: float
    look: BarLook


BAR_LOOKS: dict[BarLook, Any] = {
    "reference": {"color": "0.35"},
    "usual": {"color": "0.7"},
    "hatched": {"color": "white", "edgecolor": "0.35", "hatch": "////"},
}


def draw_bars(
    bars: Sequence[Bar],
    lines: Mapping[str, float],
    *,
    label: str,
    title: str,
    file_format: Format,
) -> bytes:
    """Draw figures with their intervals as horizontal bars, and others as lines across them.

    Parameters
    ----------
    bars
        From top to bottom.
    lines
        Name of a line → its figure.
    label
        What the figures are.
    title
        Stands above the picture.
    file_format
        Of the bytes that are returned.
    """
    with canvas((4.5, 0.34 * len(bars) + 0.2)) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        for place, bar in enumerate(bars):
            interval = [[max(0, bar.value - bar.low)], [max(0, bar.high - bar.value)]]
            look: Any = {"height": 0.7, "capsize": 3, "linewidth": 0.8} | BAR_LOOKS[bar.look]
            axes.barh(place, bar.value, xerr=interval, ecolor="black", **look)
        axes.set_yticks(range(len(bars)), labels=[printable(bar.name) for bar in bars])
        axes.set_ylim(len(bars) - 0.45, -0.55)
        axes.set_xlim(left=0)
        for number, (name, value) in enumerate(lines.items()):
            style: Any = (0, (1 + 3 * number, 1.5))  # the dashes of each are longer than before
            text = f"{printable(name)} {value:.4f}"
            axes.axvline(value, color="black", linewidth=1, linestyle=style, label=text)
        if lines:
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(label)
        axes.set_title(printable(title), loc="left", pad=6)
        return encoded(figure, file_format)
