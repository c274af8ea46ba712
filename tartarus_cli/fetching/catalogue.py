"""The archives that the papers' data was published in."""

from __future__ import annotations

from dataclasses import dataclass

from tartarus_cli.errors import Placeholder, RequestError, call, nearest

ZENODO = "https://zenodo.org"
"""The usual server."""


@dataclass(frozen=True)
class ExampleRun:
    """An experiment that can be run."""

    experiment: str
    settings: tuple[str, ...]
    dataset: str | None = None
    """None: the dataset that the experiment names."""


@dataclass(frozen=True)
class PublishedArchive:
    """An archive of data that a paper was published with."""

    name: str
    doi: str
    description: str
    datasets: tuple[str, ...]
    folder: str
    """The folder that the archive unpacks to."""
    example: ExampleRun
    """An experiment that the paper reports."""
    doi_confirmed: bool = True
    """Whether the DOI is known to be that of this archive."""

    @property
    def record(self) -> str:
        """Number of its record on the server."""
        return self.doi.rpartition(".")[2]

    @property
    def page(self) -> str:
        """Address of the page that shows its files."""
        return f"{ZENODO}/records/{self.record}"

    @property
    def manual_download(self) -> str:
        """How to fetch it if the download fails: a sentence for a hint."""
        archive = f"the archive of {self.page} (it unpacks to {self.folder}/)"
        then = call("fetch", archives=[Placeholder("FILE")])
        return f"Or download {archive} by hand, and then: {then}"


PUBLISHED = (
    PublishedArchive(
        "dlrs",
        "10.5281/zenodo.831348",
        "MSD-A: cold-start recommendation of artists and songs (DLRS 2017)",
        ("MSD-A-artists", "MSD-A-songs"),
        "dlrs-data",
        ExampleRun("rec_sparse", ("sem-bio",)),
    ),
    PublishedArchive(
        "mumu",
        "10.5281/zenodo.831189",
        "MuMu: genres of albums, several each (ISMIR 2017)",
        ("MuMu-albums",),
        "ismir-data",
        ExampleRun("logistic_multilabel_bi", ("model_audio", "model_text")),
    ),
    PublishedArchive(
        "msdi",
        "10.5281/zenodo.1240485",
        "MSD-I: genres of songs, one each (TISMIR 2018)",
        ("MSD-I",),
        "msdi-data",
        ExampleRun("single-label-multimodal", ("audio", "visual")),
        doi_confirmed=False,
    ),
)


def find_archive(name: str) -> PublishedArchive:
    """Return a published archive by its name.

    Raises
    ------
    RequestError
        If there is none of this name.
    """
    archives = {archive.name: archive for archive in PUBLISHED}
    if name not in archives:
        msg = f"no archive called {name!r} is known"
        raise RequestError(msg, hint=nearest(name, archives))
    return archives[name]
