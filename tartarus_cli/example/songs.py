"""Songs of the example world that can be heard and read: recordings, lyrics, and lists of both."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

from tartarus_cli.data.lists import ListedFile, save_list
from tartarus_cli.example import lyrics, synthesis
from tartarus_cli.file_names import Kind
from tartarus_cli.files import write_bytes, write_text
from tartarus_cli.layout import WorkspacePaths

STYLES = tuple(synthesis.STYLES)
"""Names of the styles."""


def write_songs(
    workspace: WorkspacePaths, dataset: str, styles: Mapping[str, str], rng: np.random.Generator
) -> None:
    """Write a recording and a text for each song, and the lists that name them.

    Parameters
    ----------
    workspace
        Gets the recordings in ``audio``, the texts in ``text``, and the lists below ``data``.
    dataset
        Name of the dataset that the lists belong to.
    styles
        Id of a song → its style, one of ``STYLES``.
    rng
        Draws everything: the same state gives the same bytes.
    """
    recordings, texts = [], []
    for item, style in styles.items():
        recordings.append(ListedFile(item, f"{item}.flac", workspace.audio / f"{item}.flac"))
        texts.append(ListedFile(item, f"{item}.txt", workspace.text / f"{item}.txt"))
        _write_recording(recordings[-1].path, synthesis.perform(style, rng))
        write_text(texts[-1].path, lyrics.write_lyrics(style, rng), one_of_many=True)
    save_list(workspace.path_of(Kind.AUDIO_LIST, dataset=dataset), recordings)
    save_list(workspace.path_of(Kind.TEXT_LIST, dataset=dataset), texts)


def _write_recording(path: Path, samples: synthesis.Waveform) -> None:
    import soundfile

    # libsndfile does not say what is wrong with a disk.
    content = BytesIO()
    soundfile.write(content, samples, synthesis.RATE, format="FLAC", subtype="PCM_16")
    write_bytes(path, content.getvalue(), one_of_many=True)
