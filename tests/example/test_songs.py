"""The songs of the example world: what is heard and read in them."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from tartarus_cli.example.lyrics import STYLE_WORDS, write_lyrics
from tartarus_cli.example.songs import STYLES, write_songs
from tartarus_cli.example.synthesis import perform
from tartarus_cli.workspace import Workspace
from tests.conftest import Command

Rows = NDArray[Any]

SETS = {"train": 12, "val": 6, "test": 6}


def listed(root: Path, kind: str) -> dict[str, Path]:
    lines = (root / "data" / "index" / f"index_{kind}_SUPER.tsv").read_text("utf-8").split("\n")
    pairs = (line.split("\t") for line in lines[:-1])
    return {item: root / kind / name for item, name in pairs}


def ids(root: Path, split: str) -> list[str]:
    return (root / "data" / "datasets" / f"items_index_{split}_SUPER.tsv").read_text().split()


def classes(root: Path, split: str) -> NDArray[np.float32]:
    middle = "" if split == "train" else f"{split}_"
    path = root / "data" / "datasets" / f"item_factors_{middle}class_3_SUPER.npy"
    return np.asarray(np.load(path, allow_pickle=False))


def mean_spectrum(path: Path) -> NDArray[np.float64]:
    """Loudness in dB of 60 bands, equally wide in octaves, of the recording as a whole."""
    samples, rate = soundfile.read(path)
    power = np.abs(np.fft.rfft(samples)) ** 2
    edges = np.geomspace(40, 10_000, 61) * len(samples) / rate
    bands = [power[low:high].mean() for low, high in pairwise(edges.astype(int))]
    return np.asarray(10 * np.log10(np.array(bands) / max(bands)))


def nearest_style_is_right(train: Rows, truth: Rows, test: Rows, style: Rows) -> float:
    """Return the share of test rows that lie nearest to the mean of their own style."""
    middles = np.stack([train[truth == label].mean(axis=0) for label in range(3)])
    distance = np.linalg.norm(test[:, None] - middles, axis=2)
    return float((distance.argmin(axis=1) == style).mean())


def test_every_set_has_a_third_in_each_style_and_both_files_of_each_song(example: Path) -> None:
    known = [item for split in SETS for item in ids(example, split)]
    assert len(set(known)) == sum(SETS.values())
    for split, many in SETS.items():
        assert classes(example, split).sum(axis=0).tolist() == [many / 3] * 3
        assert classes(example, split).sum(axis=1).tolist() == [1] * many
    for kind in ("audio", "text"):
        files = listed(example, kind)
        assert list(files) == known
        assert sorted(files.values()) == sorted((example / kind).iterdir())


def test_recordings_are_small_loud_enough_and_longer_than_a_patch(example: Path) -> None:
    files = listed(example, "audio").values()
    assert sum(path.stat().st_size for path in files) < 6_000_000
    for path in files:
        samples, rate = soundfile.read(path)
        assert samples.ndim == 1
        assert 15.2 < len(samples) / rate < 20
        assert 0.4 < np.abs(samples).max() < 1
        assert samples.std() > 0.03
        for second in np.array_split(samples, 15):
            assert second.std() > 0.003  # no long silence


def test_the_sound_of_a_song_tells_its_style(example: Path) -> None:
    files = listed(example, "audio")
    heard = {s: np.stack([mean_spectrum(files[i]) for i in ids(example, s)]) for s in SETS}
    style = {split: classes(example, split).argmax(axis=1) for split in SETS}
    for split in ("val", "test"):
        right = nearest_style_is_right(heard["train"], style["train"], heard[split], style[split])
        assert right >= 5 / 6


def test_the_words_of_a_song_tell_its_style(example: Path) -> None:
    texts = {item: path.read_text("utf-8") for item, path in listed(example, "text").items()}
    tfidf = TfidfVectorizer(max_df=0.5).fit([texts[item] for item in ids(example, "train")])
    rows = {s: tfidf.transform([texts[i] for i in ids(example, s)]).toarray() for s in SETS}
    style = {split: classes(example, split).argmax(axis=1) for split in SETS}
    right = nearest_style_is_right(rows["train"], style["train"], rows["test"], style["test"])
    assert right >= 5 / 6
    assert any(not text.isascii() for text in texts.values())
    for text in texts.values():
        assert 60 <= len(text.split()) <= 150
        assert text.count("\n\n") >= 3  # verses


@pytest.mark.parametrize("style", STYLES)
def test_songs_of_a_style_differ(style: str) -> None:
    rng = np.random.default_rng(7)
    one, other = perform(style, rng), perform(style, rng)
    shorter = min(len(one), len(other))
    assert len(one) != len(other)
    assert abs(np.corrcoef(one[:shorter], other[:shorter])[0, 1]) < 0.2
    assert write_lyrics(style, rng) != write_lyrics(style, rng)


def test_no_word_belongs_to_two_styles() -> None:
    words = [word for text in STYLE_WORDS.values() for word in set(text.lower().split())]
    assert len(words) == len(set(words))
    assert tuple(STYLE_WORDS) == STYLES


def test_the_same_draws_write_the_same_bytes(tmp_path: Path) -> None:
    styles = {"é 1": STYLES[0], "b": STYLES[1], "c": STYLES[2]}
    written = []
    for name in ("one", "other"):
        root = tmp_path / name
        write_songs(Workspace(root, root / "data"), "mine", styles, np.random.default_rng(3))
        files = (path for path in root.rglob("*") if path.is_file())
        written.append({str(path.relative_to(root)): path.read_bytes() for path in files})
    assert written[0] == written[1]
    assert {"audio/é 1.flac", "text/é 1.txt", "data/index/index_text_mine.tsv"} <= written[0].keys()
    assert len(written[0]) == 8


def test_the_songs_have_no_problem(example: Path, tartarus: Command) -> None:
    checked = tartarus("check-data", "SUPER", "-w", example, "--json")
    assert (checked.status, checked.document["problems"]) == (0, [])
