"""A small synthetic world of music: artists, songs, albums, and people who listen.

Everyone and everything has a place in a space of tastes. Users play what lies near to them, and
what is popular. Audio, text and pictures are views of an item: each shows some of the dimensions
of taste only, bent and noisy, so that two views together tell more than either. A few songs can be
heard and read: they have recordings and lyrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.arrays import save_csr, save_dense
from tartarus_cli.data.ids import write_ids
from tartarus_cli.example.songs import STYLES, write_songs
from tartarus_cli.factorization.als import AlsOptions, als
from tartarus_cli.factorization.pmi import pmi
from tartarus_cli.file_names import Kind
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import Progress

Floats = NDArray[np.floating[Any]]

TASTES = 24  # dimensions of the space
GENRES = 15
ARTISTS, SONGS, USERS, ALBUMS, TRACKS = 1500, 4000, 2000, 1600, 3000
LABELS = 250
WORDS, TAGS = 2000, 120
RECORDED = {"train": 12, "val": 6, "test": 6}  # songs that can be heard; a third in each style
FEWEST_LISTENERS = 3  # of a song that is kept
TEXT, AUDIO, VISUAL = slice(0, 12), slice(12, 24), slice(6, 18)  # the tastes that each shows

DATASETS = ("MSD-A-artists", "MSD-A-songs", "MuMu-albums", "MSD-I", "SUPER")


@dataclass
class World:
    """Where genres lie in the space of tastes, and the one source of chance."""

    workspace: WorkspacePaths
    seed: int
    rng: np.random.Generator = field(init=False)
    genres: Floats = field(init=False)  # (genres, tastes)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.genres = self.rng.standard_normal((GENRES, TASTES))

    def places(self, count: int) -> tuple[Floats, NDArray[np.int64]]:
        """Draw places in the space, ``(count, tastes)``, and the genre that each belongs to."""
        weights = 1 / np.sqrt(np.arange(1, GENRES + 1))
        genre = self.rng.choice(GENRES, count, p=weights / weights.sum())
        return self.near(0.65 * self.genres[genre], 0.75), genre

    def near(self, places: Floats, spread: float) -> Floats:
        """Draw a place near to each of these."""
        moved: Floats = places + spread * self._noise(len(places))
        return moved

    def view(
        self, places: Floats, tastes: slice, *, width: int = 128, noise: float = 0.8
    ) -> Floats:
        """Show some dimensions of taste, bent and noisy: ``(items, width)``."""
        seen = places[:, tastes]
        turn = self.rng.standard_normal((seen.shape[1], width)) / np.sqrt(seen.shape[1])
        bent = np.tanh(seen @ turn + 0.3 * self.rng.standard_normal(width))
        return np.asarray(bent + noise * self.rng.standard_normal(bent.shape), np.float32)

    def words(self, places: Floats, tastes: slice, *, vocabulary: int, length: float) -> csr_array:
        """Write a document about each place, and count its words: sparse ``(items, words)``."""
        seen = places[:, tastes]
        topics = self.rng.standard_normal((seen.shape[1], vocabulary))
        common = -np.log(np.arange(1, vocabulary + 1))  # Zipf
        logits = seen @ topics * (1.6 / np.sqrt(seen.shape[1])) + common
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        lengths = 5 + self.rng.poisson(length, len(places))
        drawn = self.rng.multinomial(lengths, shares / shares.sum(axis=1, keepdims=True))
        return csr_array(drawn.astype(np.float32))

    def plays(self, songs: Floats, popularity: Floats) -> csr_array:
        """Let everybody listen: play counts, sparse ``(songs, users)``."""
        mixture = self.rng.dirichlet(np.full(GENRES, 0.15), USERS)
        users = mixture @ self.genres + 0.6 * self._noise(USERS)
        heard = np.clip(self.rng.lognormal(np.log(60), 0.6, USERS), 8, 500).astype(int)
        rows, counts = [], []
        for user, many in zip(users, heard, strict=True):
            liking = songs @ user * (2 / np.sqrt(TASTES))
            drawn = popularity + liking + self.rng.gumbel(size=len(songs))
            rows.append(np.sort(np.argpartition(-drawn, many)[:many]))
            counts.append(self.rng.geometric(1 / (2 + np.exp(0.5 * liking[rows[-1]]))))
        columns = np.repeat(np.arange(USERS), heard)
        plays = np.concatenate(counts).astype(np.float32)
        return csr_array((plays, (np.concatenate(rows), columns)), (len(songs), USERS))

    def _noise(self, count: int) -> Floats:
        return self.rng.standard_normal((count, TASTES))


@dataclass
class ExampleDataset:
    """Writes the files of one dataset; rows are cut into sets by item."""

    world: World
    name: str
    ids: Sequence[str]
    sets: dict[str, NDArray[np.int64]]  # split → rows

    def write_ids(self) -> None:
        """Write the ids of each set."""
        for split, rows in self.sets.items():
            self._lines(Kind.ITEMS, [self.ids[row] for row in rows], split=split)

    def setting(self, name: str, values: Floats | csr_array) -> None:
        """Write a feature matrix for each set."""
        ext = "npz" if isinstance(values, csr_array) else "npy"
        for split, rows in self.sets.items():
            self.matrix(Kind.FEATURES, values[rows], setting=name, split=split, ext=ext)

    def tfidf(self, name: str, counts: csr_array) -> None:
        """Write counts of words as tf-idf, fitted on the train items alone."""
        from sklearn.feature_extraction.text import TfidfTransformer

        fitted = TfidfTransformer(sublinear_tf=True).fit(counts[self.sets["train"]])
        self.setting(name, csr_array(fitted.transform(counts)).astype(np.float32))

    def classes(self, values: NDArray[np.bool_]) -> None:
        """Write which classes the items of each set have, 0 or 1."""
        for split, rows in self.sets.items():
            self.targets(values[rows].astype(np.float32), "class", split)

    def targets(self, values: Floats, fact: str, split: str) -> None:
        """Write the targets of one set."""
        self.matrix(Kind.TARGETS, values, fact=fact, dim=str(values.shape[1]), split=split)

    def matrix(self, kind: Kind, values: Floats | csr_array, **fields: str) -> None:
        """Write one matrix, sparse or dense."""
        path = self.world.workspace.place(kind, dataset=self.name, **fields)
        if isinstance(values, csr_array):
            save_csr(path, values)
        else:
            save_dense(path, np.ascontiguousarray(values))

    def labels(self, names: Iterable[str]) -> None:
        """Write the names of the classes."""
        self._lines(Kind.LABELS, names)

    def users(self) -> None:
        """Write the ids of the users."""
        self._lines(Kind.USERS, [f"user-{number:04d}" for number in range(USERS)])

    def _lines(self, kind: Kind, lines: Iterable[str], **fields: str) -> None:
        write_ids(self.world.workspace.place(kind, dataset=self.name, **fields), lines)


def write_example(workspace: WorkspacePaths, seed: int, progress: Progress) -> None:
    """Write the whole world into a workspace; the same seed gives the same bytes.

    Parameters
    ----------
    workspace
        Where to; nothing else should be there.
    seed
        Of everything that is drawn.
    progress
        Told of each dataset.
    """
    world = World(workspace, seed)
    with progress.task("making an example world", len(DATASETS)) as task:
        for each in (_listening, _albums, _tracks, _recorded):
            task.describe(f"making an example world: {(each.__doc__ or '').split(':')[0].lower()}")
            each(world)
            task.advance(2 if each is _listening else 1)


def _listening(world: World) -> None:
    """Artists and songs: who played what, and what texts and recordings are like."""
    artists, _ = world.places(ARTISTS)
    by = np.sort(np.concatenate([np.arange(ARTISTS), world.rng.choice(ARTISTS, SONGS - ARTISTS)]))
    songs = world.near(artists[by], 0.4)
    popularity = 0.8 * world.rng.standard_normal(ARTISTS)[by]
    plays = world.plays(songs, popularity + 0.6 * world.rng.standard_normal(SONGS))
    kept = np.diff(plays.indptr) >= FEWEST_LISTENERS
    songs, by, plays = songs[kept], by[kept], csr_array(plays[kept])
    order = world.rng.permutation(np.unique(by))
    train_artists, test_artists = np.split(order, [round(0.8 * len(order))])
    shuffled = world.rng.permutation(len(songs))
    is_test = np.isin(by[shuffled], test_artists)
    _songs(
        world, {"train": shuffled[~is_test], "test": shuffled[is_test]}, plays, songs, artists[by]
    )
    shared = csr_array((np.ones(len(by), np.float32), (by, np.arange(len(by)))))
    sets = {"train": train_artists, "test": test_artists}
    _artists(world, sets, csr_array(shared @ plays), artists)


def _songs(
    world: World,
    sets: dict[str, NDArray[np.int64]],
    plays: csr_array,
    songs: Floats,
    artists: Floats,
) -> None:
    ids = [f"song-{number:05d}" for number in range(len(songs))]
    dataset = ExampleDataset(world, "MSD-A-songs", ids, sets)
    _write_plays(dataset, plays)
    dataset.setting("a-sem-emb", world.view(artists, TEXT))
    dataset.setting("audio-emb", world.view(songs, AUDIO))
    dataset.setting("tags", world.words(songs, VISUAL, vocabulary=TAGS, length=6))


def _artists(
    world: World, sets: dict[str, NDArray[np.int64]], plays: csr_array, artists: Floats
) -> None:
    ids = [f"artist-{number:04d}" for number in range(len(artists))]
    dataset = ExampleDataset(world, "MSD-A-artists", ids, sets)
    _write_plays(dataset, plays)
    dataset.tfidf("sem-bio", world.words(artists, TEXT, vocabulary=WORDS, length=120))
    dataset.setting("bio-emb", world.view(artists, TEXT))
    dataset.setting("tags", world.words(artists, VISUAL, vocabulary=TAGS, length=12))


def _write_plays(dataset: ExampleDataset, plays: csr_array) -> None:
    """Write who played what, and factors that know the train items alone."""
    dataset.write_ids()
    dataset.users()
    train, test = (csr_array(plays[dataset.sets[split]]) for split in ("train", "test"))
    dataset.matrix(Kind.TRAIN_MATRIX, train)
    dataset.matrix(Kind.TEST_MATRIX, test)
    options = AlsOptions(seed=dataset.world.seed)
    factors = als(train, options)
    dataset.targets(factors.items, "als", "train")
    dataset.targets(factors.fold_in(test, options), "als", "test")
    dataset.matrix(Kind.USER_FACTORS, factors.users, fact="als", dim=str(options.dim))


def _albums(world: World) -> None:
    """Albums: several genre labels each."""
    albums, _ = world.places(ALBUMS)
    family = world.rng.integers(GENRES, size=LABELS)
    meaning = world.near(world.genres[family], 0.5)
    common = -0.7 * np.log(1 + world.rng.permutation(LABELS))
    liking = albums @ meaning.T * (3 / np.sqrt(TASTES)) + common
    liking += world.rng.gumbel(size=liking.shape)
    many = 1 + world.rng.poisson(2.2, ALBUMS)
    place = np.argsort(np.argsort(-liking, axis=1), axis=1)
    has = place < many[:, None]

    ids = [f"album-{number:04d}" for number in range(ALBUMS)]
    dataset = ExampleDataset(world, "MuMu-albums", ids, _three_sets(world, ALBUMS))
    dataset.write_ids()
    dataset.labels(f"label-{number:03d}" for number in range(LABELS))
    dataset.classes(has)
    _write_pmi(dataset, csr_array(has.astype(np.float64)))
    dataset.setting("model_audio", world.view(albums, AUDIO, noise=0.6))
    dataset.setting("model_text", world.view(albums, TEXT, noise=0.6))
    dataset.setting("model_visual", world.view(albums, VISUAL, noise=1.5))
    dataset.tfidf("VSM", world.words(albums, TEXT, vocabulary=WORDS, length=150))


def _write_pmi(dataset: ExampleDataset, has: csr_array) -> None:
    factors = pmi(csr_array(has[dataset.sets["train"]]), dim=50, seed=dataset.world.seed)
    dataset.targets(factors.items, "pmi", "train")
    dataset.targets(factors.fold_in(csr_array(has[dataset.sets["val"]])), "pmi", "val")
    dataset.matrix(Kind.CLASS_FACTORS, factors.contexts, fact="pmi", dim="50")


def _tracks(world: World) -> None:
    """Tracks: one genre each."""
    tracks, genre = world.places(TRACKS)
    ids = [f"track-{number:04d}" for number in range(TRACKS)]
    dataset = ExampleDataset(world, "MSD-I", ids, _three_sets(world, TRACKS))
    dataset.write_ids()
    dataset.labels(f"genre-{number:02d}" for number in range(GENRES))
    dataset.classes(genre[:, None] == np.arange(GENRES))
    dataset.setting("audio", world.view(tracks, AUDIO, noise=2.5))
    dataset.setting("visual", world.view(tracks, VISUAL, noise=3))
    dataset.setting("mm-audio", world.view(tracks, AUDIO, noise=2.5))
    dataset.setting("mm-visual", world.view(tracks, VISUAL, noise=3))


def _three_sets(world: World, items: int) -> dict[str, NDArray[np.int64]]:
    cuts = [round(0.7 * items), round(0.8 * items)]
    return dict(
        zip(("train", "val", "test"), np.split(world.rng.permutation(items), cuts), strict=True)
    )


def _recorded(world: World) -> None:
    """Songs to hear and read: recordings and lyrics, in three styles."""
    rng = np.random.default_rng([world.seed, 1])  # of its own: the other datasets stay as they are
    style = np.concatenate([rng.permutation(many) % len(STYLES) for many in RECORDED.values()])
    ids = [f"S{number:02d}" for number in range(1, 1 + len(style))]
    rows = np.split(np.arange(len(style)), np.cumsum([*RECORDED.values()])[:-1])
    dataset = ExampleDataset(world, "SUPER", ids, dict(zip(RECORDED, rows, strict=True)))
    dataset.write_ids()
    dataset.labels(STYLES)
    dataset.classes(style[:, None] == np.arange(len(STYLES)))
    styles = {item: STYLES[number] for item, number in zip(ids, style, strict=True)}
    write_songs(world.workspace, dataset.name, styles, rng)
