"""Pictures: what is read in them again is what was to be drawn."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tartarus_cli.errors import RequestError
from tartarus_cli.pictures import (
    Curve,
    draw_confusion,
    draw_precision_recall,
    draw_reliability,
    draw_spectrogram,
)
from tartarus_cli.pictures.canvas import picture_format
from tests.conftest import Command
from tests.worlds import World

SVG = "{http://www.w3.org/2000/svg}"
COUNTS = np.array([[17, 4, 0], [2, 1234, 3], [5, 6, 7]])
CQT = 32.7 * 2 ** (np.arange(96) / 12)  # Hz
QUICK = ("--set", "training.epochs=1")


def texts(path: Path) -> list[str]:
    return ["".join(each.itertext()) for each in ET.parse(path).iter(f"{SVG}text")]  # noqa: S314


def places(path: Path) -> list[tuple[float, float, str]]:
    """Every text that has a place of its own: row, column, text."""
    every = ET.parse(path).iter(f"{SVG}text")  # noqa: S314
    placed = [each for each in every if "x" in each.attrib]
    return sorted((float(t.attrib["y"]), float(t.attrib["x"]), t.text or "") for t in placed)


def pixels(path: Path) -> NDArray[Any]:
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def drawn_confusion(path: Path, counts: NDArray[Any], names: list[str] | None = None) -> Path:
    named = names or [f"genre-{number:03d}" for number in range(len(counts))]
    drawn = draw_confusion(counts, named, "model_1 · rec", file_format=picture_format(path))
    path.write_bytes(drawn)
    return path


def drawn_spectrogram(path: Path, decibels: NDArray[Any], **changed: Any) -> Path:
    given: dict[str, Any] = {
        "starts": [0, 100, 322],
        "frames": 322,
        "seconds_per_frame": 1024 / 22_050,
    }
    given |= {"frequencies": CQT, "title": "a song"}
    given["file_format"] = picture_format(path)
    path.write_bytes(draw_spectrogram(decibels, **given | changed))
    return path


def bars(path: Path) -> list[tuple[float, float]]:
    """From where to where each bar reaches, as shares of the width of the spectrogram."""
    paths = [each.attrib for each in ET.parse(path).iter(f"{SVG}path")]  # noqa: S314
    spans = {}
    for colour in ("fill: #d9d9d9", "fill: #1f77b4"):
        drawn = [p["d"] for p in paths if p.get("style", "").startswith(colour)]
        edges = [[float(x) for x in re.findall(r"[ML] (\S+)", each)] for each in drawn]
        spans[colour] = [(min(each), max(each)) for each in edges]
    ((left, right),) = spans["fill: #d9d9d9"]
    width = right - left
    return [((a - left) / width, (b - left) / width) for a, b in spans["fill: #1f77b4"]]


# ------------------------------------------------------------------------------------- confusion


def test_counts_stand_in_rows_of_the_true_and_columns_of_the_predicted_class(
    tmp_path: Path,
) -> None:
    path = drawn_confusion(tmp_path / "a.svg", COUNTS, ["jazz", "soul", "rock"])
    read = [(row, column, text) for row, column, text in places(path) if text[0].isdigit()]
    cells = [each for each in read if "." not in each[2]]  # those of the colour bar have a point
    rows = [sorted(cells[n : n + 3], key=lambda each: each[1]) for n in (0, 3, 6)]
    assert [[int(text.replace(",", "")) for *_, text in row] for row in rows] == COUNTS.tolist()
    columns = np.array([[column for _, column, _ in row] for row in rows])
    assert np.ptp(columns, axis=0) == pytest.approx([0, 0, 0])
    told = texts(path)
    assert [told.count(name) for name in ("jazz", "soul", "rock")] == [2, 2, 2]
    assert {"true class", "predicted class", "model_1 · rec"} <= {*told}


def test_the_colour_is_the_share_of_the_row(tmp_path: Path) -> None:
    counts = np.array([[9, 1, 0], [0, 0, 0], [500, 0, 500]])
    image = pixels(drawn_confusion(tmp_path / "a.png", counts)).sum(axis=2)
    cell = 100  # pixels
    dark = np.argwhere(image < 250)  # of the frame, top left
    top, left = dark.min(axis=0)
    frame = np.flatnonzero((image == 0).sum(axis=1) >= 3 * cell)[0]
    left = np.flatnonzero((image == 0).sum(axis=0) >= 3 * cell)[0]
    assert top <= frame
    corner = image[frame + 8 :: cell, left + 8 :: cell][:3, :3]  # away from the digits
    assert corner[0, 0] < corner[2, 0] == corner[2, 2] < corner[0, 1] < corner[0, 2]
    assert (corner[1] == corner[0, 2]).all()  # a class without items


def test_many_classes_have_names_and_no_numbers(tmp_path: Path) -> None:
    counts = np.eye(120, dtype=int) * 7
    path = drawn_confusion(tmp_path / "a.svg", counts)
    told = texts(path)
    assert all(told.count(f"genre-{n:03d}") == 2 for n in range(120))
    assert "7" not in told
    heights = [row for row, _, text in places(path) if text.startswith("genre-")]
    assert np.diff(heights).min() > 7.5  # points, and the letters are of 7


def test_thirty_classes_have_numbers(tmp_path: Path) -> None:
    told = texts(drawn_confusion(tmp_path / "a.svg", np.eye(30, dtype=int) * 123_456))
    assert told.count("123,456") == 30


def test_hundreds_of_classes_still_fit_a_picture(tmp_path: Path) -> None:
    image = pixels(drawn_confusion(tmp_path / "a.png", np.ones((400, 400), int)))
    assert max(image.shape) < 4000


ODD = ["$x_{2}$ \\frac", "a_b^2 <&>", "日本語 🎵", "\x1b[31mred\x00", "%s {0} \u202e", ""]


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_odd_names_are_shown_as_they_are_and_warn_of_nothing(tmp_path: Path, ending: str) -> None:
    path = drawn_confusion(tmp_path / f"a.{ending}", np.eye(6, dtype=int), ODD)
    if ending == "png":
        assert min(pixels(path).shape[:2]) > 200
        return
    told = texts(path)
    assert [told.count(name) for name in ODD[:3]] == [2, 2, 2]
    assert told.count("\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}") == 2


def test_long_names_are_cut_in_the_middle_so_that_they_still_differ(tmp_path: Path) -> None:
    names = [f"{'very ' * 20}long genre {number}" for number in range(3)]
    told = texts(drawn_confusion(tmp_path / "a.svg", COUNTS, names))
    cut = {each for each in told if "…" in each}
    assert len(cut) == 3
    assert {len(each) for each in cut} == {24}


# ----------------------------------------------------------------------------------- spectrogram


def test_bars_lie_where_the_patches_do(tmp_path: Path) -> None:
    path = drawn_spectrogram(tmp_path / "a.svg", np.full((96, 644), -40.0))
    expected = [(0, 0.5), (100 / 644, 422 / 644), (0.5, 1)]
    assert np.array(bars(path)) == pytest.approx(np.array(expected), abs=1e-3)
    told = texts(path)
    assert {"1", "2", "3", "patches", "a song", "time (s)", "frequency (Hz)", "dB"} <= {*told}


def test_a_patch_may_reach_beyond_the_end_of_a_short_recording(tmp_path: Path) -> None:
    path = drawn_spectrogram(tmp_path / "a.svg", np.full((96, 161), -40.0), starts=[0])
    assert bars(path) == [pytest.approx((0, 1), abs=1e-3)]
    assert "14" in texts(path)  # seconds, although the recording has 7.5


def test_without_patches_there_is_no_bar(tmp_path: Path) -> None:
    path = drawn_spectrogram(tmp_path / "a.svg", np.full((96, 10), -40.0), starts=[])
    assert bars(path) == []
    assert "patches" not in texts(path)


@pytest.mark.parametrize(
    ("frequencies", "expected"),
    [
        (CQT, ["50", "100", "200", "500", "1,000", "2,000", "5,000"]),
        (np.linspace(0, 8000, 257), [f"{n:,}" for n in range(0, 8001, 1000)]),
        (np.geomspace(440, 466, 96), ["440", "466"]),
        (np.array([440.0]), ["440"]),
    ],
)
def test_frequencies_are_labelled_at_round_ones_in_their_places(
    tmp_path: Path, frequencies: NDArray[Any], expected: list[str]
) -> None:
    decibels = np.full((len(frequencies), 50), -40.0)
    path = drawn_spectrogram(tmp_path / "a.svg", decibels, starts=[], frequencies=frequencies)
    left = min(column for _, column, text in places(path) if text == expected[0])
    axis = [(row, text) for row, column, text in places(path) if column == left]
    assert [text for _, text in axis[::-1] if text[0].isdigit()] == expected
    if len(expected) > 2:
        hertz = [float(text.replace(",", "")) for _, text in axis]
        bins = np.interp(hertz, frequencies, np.arange(len(frequencies)))
        assert np.corrcoef(bins, [row for row, _ in axis])[0, 1] == pytest.approx(-1, abs=1e-4)


def test_low_bins_lie_below_and_late_frames_right(tmp_path: Path) -> None:
    decibels = np.full((96, 400), -80.0)
    decibels[:10, 300:] = 0
    image = pixels(drawn_spectrogram(tmp_path / "a.png", decibels, starts=[]))
    bright = (image.min(axis=2) > 150) & (image[..., 0] > 240) & (image[..., 2] < 210)
    rows, columns = np.nonzero(bright[:, :1000])
    assert rows.min() > 0.6 * len(image)
    assert columns.min() > 0.7 * 1000


def test_a_single_loud_frame_of_a_long_recording_is_seen_in_a_small_picture(
    tmp_path: Path,
) -> None:
    quiet = np.full((96, 100_000), -80.0, np.float32)
    one = drawn_spectrogram(tmp_path / "a.png", quiet, starts=range(0, 90_000, 1000))
    for frame in (1_000, 54_321, 54_361, 54_411, 54_461, 98_999):
        loud = quiet.copy()
        loud[:, frame] = 0
        other = drawn_spectrogram(tmp_path / "b.png", loud, starts=range(0, 90_000, 1000))
        assert (pixels(one) != pixels(other)).any(), frame
    assert other.stat().st_size < 300_000
    assert max(pixels(other).shape) < 2000


def test_a_hundred_patches_at_the_same_time_fit_a_picture(tmp_path: Path) -> None:
    path = drawn_spectrogram(tmp_path / "a.png", np.full((96, 330), -40.0), starts=[*range(5)] * 20)
    assert max(pixels(path).shape) < 2000


# --------------------------------------------------------------------- precision, recall, trust


ALL = Curve("micro average", 0.625, np.array([0, 0.5, 1.0]), np.array([1, 0.75, 0.5]))
JAZZ = Curve("jazz", 0.8123, np.array([0, 0.25, 1.0]), np.array([1, 1, 0.75]))


def drawn_curves(path: Path, curves: list[Curve]) -> Path:
    file_format = picture_format(path)
    path.write_bytes(draw_precision_recall(curves, "model_1 · genres", file_format=file_format))
    return path


def corners(path: Path, colour: str) -> NDArray[Any]:
    """Where a line of a colour turns, as shares of the width and height of the grey grid."""
    every = [each.attrib for each in ET.parse(path).iter(f"{SVG}path")]  # noqa: S314
    points = {}
    for wanted in ("#e6e6e6", colour):
        lines = [p for p in every if f"stroke: {wanted}" in p.get("style", "") and "clip-path" in p]
        numbers = [re.findall(r"[ML] (\S+) (\S+)", each["d"]) for each in lines]
        points[wanted] = [np.array(each, float) for each in numbers]
    grid = np.concatenate(points["#e6e6e6"])
    low, high = grid.min(axis=0), grid.max(axis=0)
    unit = (high - low) / (1, 1.01)  # the height shows a little more than 1
    (line,) = points[colour]
    return np.asarray((line - (low[0], high[1])) / (unit * (1, -1)))


def test_a_precision_holds_from_the_recall_before_to_its_own(tmp_path: Path) -> None:
    path = drawn_curves(tmp_path / "a.svg", [ALL, JAZZ])
    expected = [(0, 1), (0, 0.75), (0.5, 0.75), (0.5, 0.5), (1, 0.5)]
    assert corners(path, "#000000") == pytest.approx(np.array(expected), abs=1e-3)


def test_the_legend_tells_the_average_precisions(tmp_path: Path) -> None:
    told = texts(drawn_curves(tmp_path / "a.svg", [ALL, JAZZ]))
    expected = {"average precision", "0.625  micro average", "0.812  jazz", "recall", "precision"}
    assert expected | {"model_1 · genres"} <= {*told}


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_curves_with_odd_names_and_a_thousand_points_fit_a_picture(
    tmp_path: Path, ending: str
) -> None:
    rise = np.linspace(0, 1, 1000)
    curves = [ALL, *(Curve(name * 9, 0.5, rise, 1 - rise) for name in ODD)]
    path = drawn_curves(tmp_path / f"a.{ending}", curves)
    assert path.stat().st_size < 1_000_000
    if ending == "png":
        assert max(pixels(path).shape) < 1200


def drawn_reliability(path: Path, accuracy: NDArray[Any], shares: NDArray[Any]) -> Path:
    confidence = np.where(shares > 0, (np.arange(len(shares)) + 0.5) / len(shares), np.nan)
    said = ("confidence", "accuracy", "share of items")
    accuracy = np.where(shares > 0, accuracy, np.nan)
    look: Any = {"said": said, "title": "one\ntwo 0.1", "file_format": picture_format(path)}
    path.write_bytes(draw_reliability(confidence, accuracy, shares, **look))
    return path


SHARES = np.array([0.5, 0, 0.25, 0.25])


def test_bars_are_as_high_as_the_accuracy_and_the_shares_of_their_bins(tmp_path: Path) -> None:
    accuracy = np.array([0.2, 0.9, 0.4, 0.8])
    path = drawn_reliability(tmp_path / "a.svg", accuracy, SHARES)
    every = [each.attrib for each in ET.parse(path).iter(f"{SVG}path")]  # noqa: S314
    highs = {}
    for colour in ("#1f77b4", "#999999"):
        drawn = [p["d"] for p in every if p.get("style", "").startswith(f"fill: {colour}")]
        rows = [np.array(re.findall(r"[ML] \S+ (\S+)", each), float) for each in drawn]
        highs[colour] = np.array([np.ptp(each) for each in rows])
    blue, grey = highs["#1f77b4"], highs["#999999"]
    assert blue / blue[3] == pytest.approx(np.array([0.2, 0, 0.4, 0.8]) / 0.8, abs=1e-3)
    assert grey / grey[0] == pytest.approx(SHARES / 0.5, abs=1e-3)
    told = {*texts(path)}
    assert {"confidence", "accuracy", "share of items", "as it should be", "one", "two 0.1"} <= told


def test_the_diagonal_is_what_should_be(tmp_path: Path) -> None:
    path = drawn_reliability(tmp_path / "a.svg", np.array([0.2, 0.9, 0.4, 0.8]), SHARES)
    every = [each.attrib for each in ET.parse(path).iter(f"{SVG}path")]  # noqa: S314
    (dashed,) = (p["d"] for p in every if "dasharray" in p.get("style", "") and "clip-path" in p)
    ends = np.array(re.findall(r"[ML] (\S+) (\S+)", dashed), float)
    width, height = np.diff(ends, axis=0)[0]
    assert -height == pytest.approx(width / 1.01, rel=1e-3)


# ------------------------------------------------------------------------------------------ both


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_same_figures_give_the_same_bytes_without_a_date(tmp_path: Path, ending: str) -> None:
    rng = np.random.default_rng(0)
    heard = -80 * rng.random((96, 700))
    draws: list[Callable[[Path], Path]] = [
        lambda path: drawn_confusion(path, COUNTS),
        lambda path: drawn_spectrogram(path, heard),
        lambda path: drawn_curves(path, [ALL, JAZZ]),
        lambda path: drawn_reliability(path, SHARES, SHARES),
    ]
    for draw in draws:
        one = draw(tmp_path / f"one.{ending}").read_bytes()
        assert one == draw(tmp_path / f"other.{ending}").read_bytes()
        assert not re.search(rb"Matplotlib v|matplotlib version|<dc:date>", one)


def test_other_endings_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for name in ("a.pdf", "a", "png"):
        with pytest.raises(RequestError, match="PNG or SVG") as refused:
            drawn_confusion(tmp_path / name, COUNTS)
        assert ".png or .svg" in refused.value.hint
    assert not [*tmp_path.iterdir()]
    assert drawn_confusion(tmp_path / "A.PNG", COUNTS).read_bytes().startswith(b"\x89PNG")


def test_a_users_own_style_is_neither_followed_nor_changed(tmp_path: Path) -> None:
    import matplotlib as mpl

    plain = drawn_confusion(tmp_path / "a.svg", COUNTS).read_bytes()
    with mpl.rc_context({"font.size": 30, "text.usetex": True, "savefig.dpi": 7}):
        assert drawn_confusion(tmp_path / "b.svg", COUNTS).read_bytes() == plain
        assert (mpl.rcParams["font.size"], mpl.rcParams["svg.hashsalt"]) == (30, None)


# ---------------------------------------------------------------------------------- the commands


def run(tartarus: Command, world: World, *words: object) -> Any:
    return tartarus(*words, "--dataset", "one", "-w", world.root, *QUICK)


def test_a_multiclass_run_draws_its_confusion_matrix(tartarus: Command, world: World) -> None:
    ran = run(tartarus, world, "run", "single-label-vector", "text")
    assert "Confusion matrix: data/results/model_1_confusion.png" in ran.out
    path = world.root / "data" / "results" / "model_1_confusion.png"
    image = pixels(path)
    assert min(image.shape[:2]) > 250
    path.unlink()
    again = tartarus("evaluate", "-w", world.root, "--json").document
    assert again["confusion_picture"] == "data/results/model_1_confusion.png"
    assert (pixels(path) == image).all()
    tartarus("models", "delete", "model_1", "--yes", "-w", world.root)
    assert not path.exists()


def test_a_file_of_predictions_has_a_picture_by_its_name_until_its_task_is_another(
    tartarus: Command, world: World
) -> None:
    truth = np.load(world.datasets / "item_factors_test_class_3_one.npy")
    np.save(world.root / "mine.npy", truth)
    words = ("evaluate", world.root / "mine.npy", "--dataset", "one", "-w", world.root, "--json")
    shown = tartarus(*words, "--experiment", "single-label-vector").document
    assert shown["confusion_picture"] == "data/results/mine_confusion.png"
    expected = world.root / "expected.png"
    counts = np.diag(truth.sum(axis=0)).astype(int)
    names = ["jazz", "soul", "rock"]
    title = "mine · single-label-vector · one"
    expected.write_bytes(draw_confusion(counts, names, title, file_format="png"))
    path = world.root / "data" / "results" / "mine_confusion.png"
    assert (pixels(path) == pixels(expected)).all()
    other = tartarus(*words, "--experiment", "logistic_multilabel_vector").document
    assert "confusion_picture" not in other
    assert not path.exists()
