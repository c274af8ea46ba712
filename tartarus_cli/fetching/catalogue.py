"""The archives that the papers' data was published in."""

from __future__ import annotations

from dataclasses import dataclass

from tartarus_cli.errors import RequestError, nearest

ZENODO = "https://zenodo.org"


@dataclass(frozen=True)
class PublishedArchive:
    """A published archive of data."""

    name: str
    doi: str
    holds: str
    datasets: tuple[str, ...]
    unpacks_to: str
    example: tuple[str, ...]  # an experiment and settings that its paper reports
    confirmed: bool = True  # that the DOI is that of this archive

    @property
    def record(self) -> str:
        """Number of its record."""
        return self.doi.rpartition(".")[2]

    @property
    def page(self) -> str:
        """Where a browser shows its files."""
        return f"{ZENODO}/records/{self.record}"

    @property
    def by_hand(self) -> str:
        """What to do without this command's help."""
        what = f"the archive of {self.page} (it unpacks to {self.unpacks_to}/)"
        return f"Or download {what} by hand, and: tartarus fetch --archive FILE"


PUBLISHED = (
    PublishedArchive(
        "dlrs",
        "10.5281/zenodo.831348",
        "MSD-A: cold-start recommendation of artists and songs (DLRS 2017)",
        ("MSD-A-artists", "MSD-A-songs"),
        "dlrs-data",
        ("rec_sparse", "sem-bio"),
    ),
    PublishedArchive(
        "mumu",
        "10.5281/zenodo.831189",
        "MuMu: genres of albums, several each (ISMIR 2017)",
        ("MuMu-albums",),
        "ismir-data",
        ("logistic_multilabel_bi", "model_audio", "model_text"),
    ),
    PublishedArchive(
        "msdi",
        "10.5281/zenodo.1240485",
        "MSD-I: genres of songs, one each (TISMIR 2018)",
        ("MSD-I",),
        "msdi-data",
        ("single-label-multimodal", "audio", "visual"),
        confirmed=False,
    ),
)


def published(name: str) -> PublishedArchive:
    """Return a published archive by its name.

    Raises
    ------
    RequestError
        If there is none of this name.
    """
    for each in PUBLISHED:
        if each.name == name:
            return each
    msg = f"no archive called {name!r} is known"
    raise RequestError(msg, hint=nearest(name, [each.name for each in PUBLISHED]))
