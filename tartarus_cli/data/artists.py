"""The list of a dataset's artists: which item is of which artist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.unicode_forms import UnicodeForms
from tartarus_cli.errors import FileError, display_path
from tartarus_cli.file_names import Kind
from tartarus_cli.progress import warn

EXPECTED = "an item id, a tab and an artist in each line"
"""What a list of artists holds; it has no header, and may leave items out."""


def find_fault(line: str) -> str:
    r"""Say what is wrong with a line of a list of artists; empty if nothing is.

    >>> find_fault("song-1\tBach"), find_fault("song-1\t ")
    ('', 'without an artist')
    """
    item, tab, artist = line.partition("\t")
    if not line.strip():
        return "without anything"
    if not tab:
        return "without a tab"
    if not item.strip():
        return "without an id"
    if not artist.strip():
        return "without an artist"
    return "with more than one tab" if "\t" in artist else ""


def parse_artists(path: Path, lines: Sequence[str]) -> dict[str, str]:
    """Return the artist of each item that is listed: id → artist.

    Raises
    ------
    FileError
        If a line is of another form, or an item comes twice.
    """
    artists: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        item, _, artist = line.partition("\t")
        found = find_fault(line)
        if not found and item in artists:
            found = f"with the item {item!r} again"
        if found:
            raise FileError(
                path,
                found=f"line {number} {found}",
                expected=f"{EXPECTED}, and each item once",
                hint="Correct that line.",
            )
        artists[item] = artist
    return artists


def count_known(artists: Sequence[str], train: Sequence[str]) -> tuple[int, int]:
    """Count the items whose artist has train items (semi-cold), and whose has none (cold).

    Parameters
    ----------
    artists, train
        The artist of each item, and of each train item; "" where it is not known.

    >>> count_known(["Bach", "Cage", "Bach", ""], ["Bach", ""])
    (2, 1)
    """
    known, names = {*train}, [artist for artist in artists if artist]
    semi_cold = sum(artist in known for artist in names)
    return semi_cold, len(names) - semi_cold


def read_artists(dataset: Dataset, ids: Sequence[str]) -> tuple[Path, list[str]]:
    """Read who the artist of each item is, "" where that is not known.

    Parameters
    ----------
    dataset
        The dataset, which has a list of artists.
    ids
        Ids of items.

    Returns
    -------
    The path of the list, and the artist of each item, ``(items,)``.

    Raises
    ------
    DataError
        If there is no such list, or it is damaged.
    """
    path = dataset.require(Kind.ARTISTS).path
    artists = parse_artists(path, dataset.lines(path))
    forms = UnicodeForms(ids)
    known = {forms.find(item): artist for item, artist in artists.items()} | artists
    if forms.replaced:
        warn(forms.describe(display_path(path)))
    return path, [known.get(item, "") for item in ids]
