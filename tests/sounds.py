"""Tiny workspaces with recordings: tones of a known pitch, and the lists that name them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 8000
SPLITS = {"train": 4, "val": 2, "test": 2}
FAST = (  # parameters that make a command quick
    *("--set", "sample_rate=8000"),
    *("--set", "hop_length=256"),
    *("--set", "bins=24"),
    *("--set", "fmin=110"),
)


def tone(
    pitch: float, seconds: float, *, rate: int = RATE, channels: int = 1
) -> NDArray[np.float32]:
    """Return a tone that fades, with a little noise of its own, ``(samples, channels)``."""
    rng = np.random.default_rng(int(pitch))
    time = np.arange(int(seconds * rate)) / rate
    wave = 0.4 * np.sin(2 * np.pi * pitch * time) * np.exp(-time)
    louder = np.linspace(0.5, 1, channels)
    noise = 0.02 * rng.standard_normal((len(time), channels))
    return (wave[:, None] * louder + noise).astype(np.float32)


class Sounds:
    """A workspace of one dataset, ``songs``, whose items each have a short tone."""

    def __init__(self, root: Path, splits: Mapping[str, int] | None = None) -> None:
        self.root = root
        self.audio = root / "audio"
        self.patches = root / "data" / "patches"
        self.spectrograms = root / "data" / "spectrograms"
        self.ids = {s: [f"{s}-{n}" for n in range(c)] for s, c in (splits or SPLITS).items()}
        self.list = root / "data" / "index" / "index_audio_songs.tsv"
        for folder in (self.audio, self.list.parent, root / "data" / "datasets"):
            folder.mkdir(parents=True, exist_ok=True)
        for split, ids in self.ids.items():
            self.name(split, ids)
        for number, item in enumerate(self.items()):
            self.record(f"{item}.wav", tone(150 + 40 * number, 0.5 + 0.15 * (number % 8)))
        self.write_list({item: f"{item}.wav" for item in self.items()})

    def items(self) -> Iterator[str]:
        """Return the ids of all sets."""
        return (item for ids in self.ids.values() for item in ids)

    def name(self, split: str, ids: Sequence[str]) -> None:
        """Write the ids of a set."""
        path = self.root / "data" / "datasets" / f"items_index_{split}_songs.tsv"
        path.write_text("".join(f"{item}\n" for item in ids), encoding="utf-8")
        self.ids[split] = [*ids]

    def record(self, name: str, samples: NDArray[np.float32], rate: int = RATE) -> Path:
        """Write a recording; the format follows from the name."""
        path = self.audio / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate)
        return path

    def write_list(self, named: Mapping[str, str]) -> None:
        """Write which file belongs to which item."""
        lines = "".join(f"{item}\t{name}\n" for item, name in named.items())
        self.list.write_text(lines, encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        """Return every file that was made of the recordings, hidden ones too, but for locks."""
        made = (path for path in self.patches.rglob("*") if path.is_file())
        return {path.name: path.read_bytes() for path in made if path.suffix != ".lock"}
