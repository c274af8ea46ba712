"""Pictures of results and of recordings, as the bytes of a PNG or SVG file.

The same figures give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.pictures.canvas import (
    DOTS_PER_INCH,
    Format,
    canvas,
    cut,
    encoded,
    printable,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.floating[Any]]
FLOOR = -80.0  # dB, the darkest colour
MOST_NUMBERED = 30  # classes whose counts are written into the cells
MOST_INCHES = 24  # of a side of a confusion matrix
SQUARE = (5.0, 5.0)  # inches of a picture of shares by shares
LOW = 1.2  # inches of what stands below such a picture
INCHES = (10.0, 4.0)  # of a spectrogram
TICKS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)  # Hz


def draw_confusion(
    counts: NDArray[np.integer[Any]], names: Sequence[str], title: str, *, file_format: Format
) -> bytes:
    """Draw how often items of each class were taken for each other class.

    The colour of a cell is its share of the row; up to 30 classes, its count is written into it.

    Parameters
    ----------
    counts
        ``(classes, classes)``, true classes in rows, predicted ones in columns.
    names
        Of the classes; long ones are cut.
    title
        Stands above the picture.
    file_format
        Of the bytes that are returned.
    """
    inches = _cell_inches(len(names)) * len(names)
    with canvas((inches, inches)) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", interpolation="nearest")
        axes.set_title(printable(title), pad=12)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        _name_classes(axes, names, inches)
        if len(names) <= MOST_NUMBERED:
            _write_counts(axes, counts, shares)
        beside = figure.add_axes((1 + 0.2 / inches, 0, 0.12 / inches, 1))
        figure.colorbar(image, cax=beside, label="share of the row")
        return encoded(figure, file_format)


def _cell_inches(classes: int) -> float:
    if classes <= 5:
        return max(0.9, 3 / classes)
    return min(0.45 if classes <= MOST_NUMBERED else 0.16, MOST_INCHES / classes)


def _name_classes(axes: Axes, names: Sequence[str], inches: float) -> None:
    """Name each class, or each so-many-th where there is no room for more."""
    every = math.ceil(0.14 * len(names) / inches)
    named = [cut(printable(name)) for name in names[::every]]
    across = max(map(len, named)) * 0.085 < inches / len(names)
    size = 9 if len(names) <= MOST_NUMBERED else 7
    places = range(0, len(names), every)
    axes.set_xticks(places, labels=named, rotation=0 if across else 90, fontsize=size)
    axes.set_yticks(places, labels=named, fontsize=size)


def _write_counts(axes: Axes, counts: NDArray[np.integer[Any]], shares: Floats) -> None:
    widest = len(f"{counts.max():,}")
    room = 72 * _cell_inches(len(counts)) / (0.7 * widest)  # points that a digit may be high
    for (row, column), count in np.ndenumerate(counts):
        colour = "0.75" if count == 0 else "white" if shares[row, column] > 0.5 else "black"
        _centre(axes, (column, row), f"{count:,}", color=colour, fontsize=min(10, room))


def _centre(axes: Axes, place: tuple[float, float], text: str, **look: Any) -> None:
    axes.text(*place, text, ha="center", va="center", **look)


class Curve(NamedTuple):
    """Precision by recall of a class."""

    name: str
    area: float  # the average precision
    recall: Floats  # (points,), rising
    precision: Floats  # (points,): each holds from the recall of the point before


def draw_precision_recall(curves: Sequence[Curve], title: str, *, file_format: Format) -> bytes:
    """Draw precision by recall, step by step; the legend tells the average precisions.

    Parameters
    ----------
    curves
        The first, drawn black, is of all classes together.
    title
        Stands above the picture.
    file_format
        Of the bytes that are returned.
    """
    with canvas(SQUARE) as figure:
        axes = _square(figure, title)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        colours = ["black", *(f"C{number}" for number in range(len(curves) - 1))]
        for curve, colour in zip(curves, colours, strict=True):
            label = f"{curve.area:.3f}  {cut(printable(curve.name))}"
            thick = 2.0 if colour == "black" else 1.2
            axes.step(curve.recall, curve.precision, color=colour, lw=thick, label=label)
        axes.legend(title="average precision", loc="upper left", bbox_to_anchor=(1.01, 1.01))
        return encoded(figure, file_format)


def draw_reliability(
    confidence: Floats,
    accuracy: Floats,
    shares: Floats,
    *,
    said: tuple[str, str, str],
    title: str,
    file_format: Format,
) -> bytes:
    """Draw accuracy by confidence, and below it how much was said with such confidence.

    Parameters
    ----------
    confidence, accuracy
        Means of each bin, ``(bins,)``, NaN where it is empty; the bins are equally wide and reach
        from 0 to 1.
    shares
        Of all, in each bin, ``(bins,)``.
    said
        What confidence, accuracy and shares are called.
    title
        Stands above the picture.
    file_format
        Of the bytes that are returned.
    """
    there = shares > 0
    edges = np.linspace(0, 1, len(shares) + 1)
    look: Any = {"width": np.diff(edges), "align": "edge", "edgecolor": "white"}
    with canvas(SQUARE) as figure:
        axes = _square(figure, title)
        axes.set_ylabel(said[1])
        axes.bar(edges[:-1], np.where(there, accuracy, 0), color="tab:blue", **look)
        axes.plot((0, 1), (0, 1), color="0.4", ls="--", lw=1, label="as it should be")
        axes.plot(
            confidence[there], accuracy[there], "o", color="black", ms=4, label="mean of the bin"
        )
        axes.legend(loc="upper left")
        below = figure.add_axes((0, -(LOW + 0.2) / SQUARE[1], 1, LOW / SQUARE[1]), sharex=axes)
        below.bar(edges[:-1], shares, color="0.6", **look)
        below.set_xlabel(said[0])
        below.set_ylabel(said[2])
        axes.tick_params(labelbottom=False)
        return encoded(figure, file_format)


def _square(figure: Figure, title: str) -> Axes:
    """Make room for shares by shares."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.set_title("\n".join(map(printable, title.split("\n"))), pad=10)
    return axes


def draw_spectrogram(  # noqa: PLR0913
    decibels: Floats,
    *,
    starts: Sequence[int] | NDArray[np.integer[Any]],
    frames: int,
    seconds_per_frame: float,
    frequencies: Floats,
    title: str,
    file_format: Format,
) -> bytes:
    """Draw the spectrogram of a recording, and above it a numbered bar for each of its patches.

    Parameters
    ----------
    decibels
        ``(bins, frames)``, from -80 to 0, one frame or more. Of a long recording, the loudest of
        neighbouring frames is shown.
    starts
        The frame that each patch starts at; it may be empty.
    frames
        Of a patch. A patch may reach beyond the end of the recording.
    seconds_per_frame
        What a frame lasts.
    frequencies
        ``(bins,)``, rising, in Hz.
    title
        Stands above the picture.
    file_format
        Of the bytes that are returned.
    """
    last = max([decibels.shape[1], *(int(start) + frames for start in starts)])
    with canvas(INCHES) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        lasts = decibels.shape[1] * seconds_per_frame
        image = axes.imshow(
            _narrowed(decibels, int(INCHES[0] * DOTS_PER_INCH * decibels.shape[1] / last)),
            extent=(0, lasts, -0.5, len(decibels) - 0.5),
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            vmin=FLOOR,
            vmax=0,
            cmap="magma",
        )
        axes.set_facecolor("0.85")  # where a patch reaches beyond the end
        axes.set_xlim(0, last * seconds_per_frame)
        axes.set_xlabel("time (s)")
        _mark_frequencies(axes, frequencies)
        spans = [(start * seconds_per_frame, frames * seconds_per_frame) for start in starts]
        _draw_patches(figure, axes, spans).set_title(printable(title), pad=8)
        beside = figure.add_axes((1.02, 0, 0.012, 1))
        figure.colorbar(image, cax=beside, label="dB")
        return encoded(figure, file_format)


def _narrowed(decibels: Floats, pixels: int) -> Floats:
    """Keep the loudest of neighbouring frames, so that no column is narrower than a pixel."""
    every = math.ceil(decibels.shape[1] / max(pixels, 1))
    columns = np.arange(0, decibels.shape[1], every)
    return np.asarray(np.maximum.reduceat(decibels, columns, axis=1))


def _round_frequencies(frequencies: Floats) -> Floats:
    from matplotlib.ticker import MaxNLocator

    lowest, highest = frequencies[0], frequencies[-1]
    steps = np.diff(frequencies)
    even = len(steps) > 0 and np.allclose(steps, steps[0], rtol=0.01)
    ticks = np.array(MaxNLocator(8).tick_values(lowest, highest) if even else TICKS)
    within = ticks[(ticks >= lowest) & (ticks <= highest)]
    return within if len(within) > 1 else frequencies[[0, -1]]


def _mark_frequencies(axes: Axes, frequencies: Floats) -> None:
    """Label round frequencies that lie within the bins and far enough from each other."""
    axes.set_ylabel("frequency (Hz)")
    hertz = _round_frequencies(frequencies)
    places = np.interp(hertz, frequencies, np.arange(len(frequencies)))
    marked: dict[float, str] = {}
    for place, each in zip(places[::-1], hertz[::-1], strict=True):
        if not marked or min(marked) - place >= len(frequencies) / 20:
            marked[float(place)] = f"{each:,.0f}"
    axes.set_yticks([*marked], labels=[*marked.values()])


def _draw_patches(figure: Figure, below: Axes, spans: Sequence[tuple[float, float]]) -> Axes:
    """Draw a bar for each patch, in as few rows as there are patches at the same time."""
    if not spans:
        return below
    lanes = _lanes(spans)
    high = min(0.2, 6 / (max(lanes) + 1))  # inches of a row
    axes = figure.add_axes((0, 1.02, 1, high * (max(lanes) + 1) / INCHES[1]), sharex=below)
    axes.set(ylim=(max(lanes) + 1, 0), yticks=[], frame_on=False)
    axes.tick_params(bottom=False, labelbottom=False)
    axes.set_ylabel("patches", rotation=0, ha="right", va="center")
    inch = below.get_xlim()[1] / INCHES[0]  # in seconds
    for number, (lane, (start, lasts)) in enumerate(zip(lanes, spans, strict=True), 1):
        axes.barh(lane + 0.5, lasts, 0.8, start, color="tab:blue", alpha=0.8)
        if high > 0.1 and lasts > 0.08 * len(str(number)) * inch:
            middle = (start + lasts / 2, lane + 0.5)
            _centre(axes, middle, str(number), color="white", fontsize=50 * high - 2)
    return axes


def _lanes(spans: Sequence[tuple[float, float]]) -> list[int]:
    """Give each span the first row in which it touches no other.

    >>> _lanes([(0, 4), (2, 4), (4, 4)])
    [0, 1, 0]
    """
    lanes = [0] * len(spans)
    ends: list[float] = []
    for number in sorted(range(len(spans)), key=lambda each: spans[each]):
        start, lasts = spans[number]
        free = next((lane for lane, end in enumerate(ends) if end <= start), len(ends))
        ends[free : free + 1] = [start + lasts]
        lanes[number] = free
    return lanes
