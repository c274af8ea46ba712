"""Songs of the example world that can be heard and read: recordings, lyrics, and lists of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tartarus_cli.data.lists import ListedFile, save_list
from tartarus_cli.example import lyrics as example_lyrics
from tartarus_cli.example import synthesis as example_sounds
from tartarus_cli.file_names import Kind
from tartarus_cli.files import atomic_write, write_text
from tartarus_cli.layout import WorkspacePaths

STYLES = tuple(example_sounds.STYLES)


def write_songs(
    workspace: WorkspacePaths, dataset: str, styles: Mapping[str, str], rng: np.random.Generator
) -> None:
    """Write a recording and a text for each song, and the lists that name them.

    Parameters
    ----------
    workspace
        Where to: the folders ``audio`` and ``text``, and the lists below ``data``.
    dataset
        Whose songs they are.
    styles
        The id of each song, and its style, one of ``STYLES``.
    rng
        Draws everything: the same state gives the same bytes.
    """
    recordings, texts = [], []
    for item, style in styles.items():
        recordings.append(ListedFile(item, f"{item}.flac", workspace.audio / f"{item}.flac"))
        texts.append(ListedFile(item, f"{item}.txt", workspace.text / f"{item}.txt"))
        _record(recordings[-1].path, example_sounds.perform(style, rng))
        write_text(texts[-1].path, example_lyrics.write_lyrics(style, rng))
    save_list(workspace.place(Kind.AUDIO_LIST, dataset=dataset), recordings)
    save_list(workspace.place(Kind.TEXT_LIST, dataset=dataset), texts)


def _record(path: Path, samples: example_sounds.Samples) -> None:
    import soundfile

    with atomic_write(path) as beside:
        soundfile.write(beside, samples, example_sounds.RATE, format="FLAC", subtype="PCM_16")
