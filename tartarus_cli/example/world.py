"""A small synthetic world of music: artists, songs, albums, and people who listen.

Users and items are points in a space of tastes. Users play items that are near to them, and popular
ones. Audio, text and pictures are views of an item: each shows only some dimensions of taste, bent
and with noise, so that two views together tell more than either. A few songs have recordings and
lyrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.array_writing import save_csr, save_dense
from tartarus_cli.data.ids import write_ids
from tartarus_cli.example.songs import STYLES, write_songs
from tartarus_cli.factorization.als import AlsOptions, als
from tartarus_cli.factorization.pmi import pmi
from tartarus_cli.file_names import Kind
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import Progress

Array = NDArray[np.floating[Any]]

TASTES = 24
"""Dimensions of the space of tastes."""
GENRES = 15
ARTISTS, SONGS, USERS, ALBUMS, TRACKS = 1500, 4000, 2000, 1600, 3000
LABELS = 250
WORDS, TAGS = 2000, 120
RECORDINGS = {"train": 12, "val": 6, "test": 6}
"""Songs with a recording and lyrics in each set; a third of them in each style."""
MIN_LISTENERS = 3
"""Songs with fewer listeners are left out."""
TEXT, AUDIO, VISUAL = slice(0, 12), slice(12, 24), slice(6, 18)
"""Dimensions of taste that each view shows."""

DATASETS = ("MSD-A-artists", "MSD-A-songs", "MuMu-albums", "MSD-I", "SUPER")


@dataclass
class World:
    """The points of the genres in the space of tastes, and the source of all random draws."""

    workspace: WorkspacePaths
    seed: int
    rng: np.random.Generator = field(init=False)
    genres: Array = field(init=False)
    """``(genres, tastes)`` point of each genre."""

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.genres = self.rng.standard_normal((GENRES, TASTES))

    def draw_points(self, count: int) -> tuple[Array, NDArray[np.int64]]:
        """Draw points, ``(count, tastes)``, and the genre that each belongs to, ``(count,)``."""
        weights = 1 / np.sqrt(np.arange(1, GENRES + 1))
        genre = self.rng.choice(GENRES, count, p=weights / weights.sum())
        return self.draw_near(0.65 * self.genres[genre], 0.75), genre

    def draw_near(self, points: Array, spread: float) -> Array:
        """Draw a point near to each of these, ``(points, tastes)``."""
        near: Array = points + spread * self._noise(len(points))
        return near

    def view(self, points: Array, tastes: slice, *, width: int = 128, noise: float = 0.8) -> Array:
        """Show some dimensions of taste, bent and with noise: ``(items, width)``."""
        visible = points[:, tastes]
        mixing = self.rng.standard_normal((visible.shape[1], width)) / np.sqrt(visible.shape[1])
        bent = np.tanh(visible @ mixing + 0.3 * self.rng.standard_normal(width))
        return np.asarray(bent + noise * self.rng.standard_normal(bent.shape), np.float32)

    def count_words(
        self, points: Array, tastes: slice, *, vocabulary: int, length: float
    ) -> csr_array:
        """Draw a document for each point, and count its words: sparse ``(items, words)``."""
        visible = points[:, tastes]
        topics = self.rng.standard_normal((visible.shape[1], vocabulary))
        common = -np.log(np.arange(1, vocabulary + 1))  # Zipf's law
        logits = visible @ topics * (1.6 / np.sqrt(visible.shape[1])) + common
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        lengths = 5 + self.rng.poisson(length, len(points))
        counts = self.rng.multinomial(lengths, shares / shares.sum(axis=1, keepdims=True))
        return csr_array(counts.astype(np.float32))

    def draw_plays(self, songs: Array, popularity: Array) -> csr_array:
        """Draw how often each user plays each song: sparse ``(songs, users)``."""
        mixture = self.rng.dirichlet(np.full(GENRES, 0.15), USERS)
        users = mixture @ self.genres + 0.6 * self._noise(USERS)
        songs_per_user = np.clip(self.rng.lognormal(np.log(60), 0.6, USERS), 8, 500).astype(int)
        rows, counts = [], []
        for user, number in zip(users, songs_per_user, strict=True):
            liking = songs @ user * (2 / np.sqrt(TASTES))
            scores = popularity + liking + self.rng.gumbel(size=len(songs))
            rows.append(np.sort(np.argpartition(-scores, number)[:number]))
            counts.append(self.rng.geometric(1 / (2 + np.exp(0.5 * liking[rows[-1]]))))
        columns = np.repeat(np.arange(USERS), songs_per_user)
        plays = np.concatenate(counts).astype(np.float32)
        return csr_array((plays, (np.concatenate(rows), columns)), (len(songs), USERS))

    def _noise(self, count: int) -> Array:
        return self.rng.standard_normal((count, TASTES))


@dataclass
class ExampleDataset:
    """Writes the files of one dataset, set by set."""

    world: World
    name: str
    ids: Sequence[str]
    """Id of each item."""
    sets: dict[str, NDArray[np.int64]]
    """Split → numbers of its items."""

    def write_ids(self) -> None:
        """Write the ids of each set."""
        for split, rows in self.sets.items():
            self._write_lines(Kind.ITEMS, [self.ids[row] for row in rows], split=split)

    def write_setting(self, name: str, values: Array | csr_array) -> None:
        """Write a feature matrix for each set, from ``(items, width)`` values."""
        ext = "npz" if isinstance(values, csr_array) else "npy"
        for split, rows in self.sets.items():
            self.write_matrix(Kind.FEATURES, values[rows], setting=name, split=split, ext=ext)

    def write_tfidf(self, name: str, counts: csr_array) -> None:
        """Write counts of words as tf-idf, fitted on train items only."""
        from sklearn.feature_extraction.text import TfidfTransformer

        fitted = TfidfTransformer(sublinear_tf=True).fit(counts[self.sets["train"]])
        self.write_setting(name, csr_array(fitted.transform(counts)).astype(np.float32))

    def write_classes(self, values: NDArray[np.bool_]) -> None:
        """Write which classes the items of each set have, 0 or 1, from ``(items, classes)``."""
        for split, rows in self.sets.items():
            self.write_targets(values[rows].astype(np.float32), "class", split)

    def write_targets(self, values: Array, fact: str, split: str) -> None:
        """Write the targets of one set, ``(items, dim)``."""
        self.write_matrix(Kind.TARGETS, values, fact=fact, dim=str(values.shape[1]), split=split)

    def write_matrix(self, kind: Kind, values: Array | csr_array, **fields: str) -> None:
        """Write one matrix, sparse or dense."""
        path = self.world.workspace.path_of(kind, dataset=self.name, **fields)
        if isinstance(values, csr_array):
            save_csr(path, values)
        else:
            save_dense(path, np.ascontiguousarray(values))

    def write_labels(self, names: Iterable[str]) -> None:
        """Write the names of the classes."""
        self._write_lines(Kind.LABELS, names)

    def write_users(self) -> None:
        """Write the ids of the users."""
        self._write_lines(Kind.USERS, [f"user-{number:04d}" for number in range(USERS)])

    def _write_lines(self, kind: Kind, lines: Iterable[str], **fields: str) -> None:
        write_ids(self.world.workspace.path_of(kind, dataset=self.name, **fields), lines)


def write_example(workspace: WorkspacePaths, seed: int, progress: Progress) -> None:
    """Write the whole world into a workspace; the same seed gives the same bytes.

    Parameters
    ----------
    workspace
        An empty workspace.
    seed
        Seed of all random draws.
    progress
        Hears of each dataset.
    """
    world = World(workspace, seed)
    steps = (
        ("artists and songs", _write_artists_and_songs, 2),
        ("albums", _write_albums, 1),
        ("tracks", _write_tracks, 1),
        ("songs to hear and read", _write_recorded_songs, 1),
    )
    with progress.task("making an example world", len(DATASETS)) as task:
        for name, write, datasets in steps:
            task.describe(f"making an example world: {name}")
            write(world)
            task.advance(datasets)


def _write_artists_and_songs(world: World) -> None:
    """Write two datasets with plays: artists, and their songs; no artist is in two sets."""
    artists, _ = world.draw_points(ARTISTS)
    others = world.rng.choice(ARTISTS, SONGS - ARTISTS)
    artist_of_song = np.sort(np.concatenate([np.arange(ARTISTS), others]))
    songs = world.draw_near(artists[artist_of_song], 0.4)
    popularity = 0.8 * world.rng.standard_normal(ARTISTS)[artist_of_song]
    plays = world.draw_plays(songs, popularity + 0.6 * world.rng.standard_normal(SONGS))
    is_played = np.diff(plays.indptr) >= MIN_LISTENERS
    songs, artist_of_song = songs[is_played], artist_of_song[is_played]
    plays = csr_array(plays[is_played])
    order = world.rng.permutation(np.unique(artist_of_song))
    train_artists, test_artists = np.split(order, [round(0.8 * len(order))])
    shuffled = world.rng.permutation(len(songs))
    is_test = np.isin(artist_of_song[shuffled], test_artists)
    song_sets = {"train": shuffled[~is_test], "test": shuffled[is_test]}
    _write_song_dataset(world, song_sets, plays, songs, artists[artist_of_song])
    ones, songs_in_order = np.ones(len(songs), np.float32), np.arange(len(songs))
    songs_of_artist = csr_array((ones, (artist_of_song, songs_in_order)))
    artist_sets = {"train": train_artists, "test": test_artists}
    _write_artist_dataset(world, artist_sets, csr_array(songs_of_artist @ plays), artists)


def _write_song_dataset(
    world: World,
    sets: dict[str, NDArray[np.int64]],
    plays: csr_array,
    songs: Array,
    artists: Array,
) -> None:
    ids = [f"song-{number:05d}" for number in range(len(songs))]
    dataset = ExampleDataset(world, "MSD-A-songs", ids, sets)
    _write_plays(dataset, plays)
    dataset.write_setting("a-sem-emb", world.view(artists, TEXT))
    dataset.write_setting("audio-emb", world.view(songs, AUDIO))
    dataset.write_setting("tags", world.count_words(songs, VISUAL, vocabulary=TAGS, length=6))


def _write_artist_dataset(
    world: World, sets: dict[str, NDArray[np.int64]], plays: csr_array, artists: Array
) -> None:
    ids = [f"artist-{number:04d}" for number in range(len(artists))]
    dataset = ExampleDataset(world, "MSD-A-artists", ids, sets)
    _write_plays(dataset, plays)
    dataset.write_tfidf("sem-bio", world.count_words(artists, TEXT, vocabulary=WORDS, length=120))
    dataset.write_setting("bio-emb", world.view(artists, TEXT))
    dataset.write_setting("tags", world.count_words(artists, VISUAL, vocabulary=TAGS, length=12))


def _write_plays(dataset: ExampleDataset, plays: csr_array) -> None:
    """Write who played what, and factors that are fitted on train items only."""
    dataset.write_ids()
    dataset.write_users()
    train, test = (csr_array(plays[dataset.sets[split]]) for split in ("train", "test"))
    dataset.write_matrix(Kind.TRAIN_MATRIX, train)
    dataset.write_matrix(Kind.TEST_MATRIX, test)
    options = AlsOptions(seed=dataset.world.seed)
    factors = als(train, options)
    dataset.write_targets(factors.items, "als", "train")
    dataset.write_targets(factors.fold_in(test, options), "als", "test")
    dataset.write_matrix(Kind.USER_FACTORS, factors.users, fact="als", dim=str(options.dim))


def _write_albums(world: World) -> None:
    """Write a dataset of albums, which have several labels each."""
    albums, _ = world.draw_points(ALBUMS)
    genre_of_label = world.rng.integers(GENRES, size=LABELS)
    labels = world.draw_near(world.genres[genre_of_label], 0.5)
    common = -0.7 * np.log(1 + world.rng.permutation(LABELS))
    scores = albums @ labels.T * (3 / np.sqrt(TASTES)) + common
    scores += world.rng.gumbel(size=scores.shape)
    labels_per_album = 1 + world.rng.poisson(2.2, ALBUMS)
    rank = np.argsort(np.argsort(-scores, axis=1), axis=1)
    has_label = rank < labels_per_album[:, None]

    ids = [f"album-{number:04d}" for number in range(ALBUMS)]
    dataset = ExampleDataset(world, "MuMu-albums", ids, _three_sets(world, ALBUMS))
    dataset.write_ids()
    dataset.write_labels(f"label-{number:03d}" for number in range(LABELS))
    dataset.write_classes(has_label)
    _write_pmi(dataset, csr_array(has_label.astype(np.float64)))
    dataset.write_setting("model_audio", world.view(albums, AUDIO, noise=0.6))
    dataset.write_setting("model_text", world.view(albums, TEXT, noise=0.6))
    dataset.write_setting("model_visual", world.view(albums, VISUAL, noise=1.5))
    dataset.write_tfidf("VSM", world.count_words(albums, TEXT, vocabulary=WORDS, length=150))


def _write_pmi(dataset: ExampleDataset, labels: csr_array) -> None:
    """Write factors of items and labels, ``(items, labels)``, fitted on train items only."""
    factors = pmi(csr_array(labels[dataset.sets["train"]]), dim=50, seed=dataset.world.seed)
    dataset.write_targets(factors.items, "pmi", "train")
    dataset.write_targets(factors.fold_in(csr_array(labels[dataset.sets["val"]])), "pmi", "val")
    dataset.write_matrix(Kind.CLASS_FACTORS, factors.contexts, fact="pmi", dim="50")


def _write_tracks(world: World) -> None:
    """Write a dataset of tracks, which have one genre each."""
    tracks, genre = world.draw_points(TRACKS)
    ids = [f"track-{number:04d}" for number in range(TRACKS)]
    dataset = ExampleDataset(world, "MSD-I", ids, _three_sets(world, TRACKS))
    dataset.write_ids()
    dataset.write_labels(f"genre-{number:02d}" for number in range(GENRES))
    dataset.write_classes(genre[:, None] == np.arange(GENRES))
    dataset.write_setting("audio", world.view(tracks, AUDIO, noise=2.5))
    dataset.write_setting("visual", world.view(tracks, VISUAL, noise=3))
    dataset.write_setting("mm-audio", world.view(tracks, AUDIO, noise=2.5))
    dataset.write_setting("mm-visual", world.view(tracks, VISUAL, noise=3))


def _three_sets(world: World, items: int) -> dict[str, NDArray[np.int64]]:
    ends = [round(0.7 * items), round(0.8 * items)]
    parts = np.split(world.rng.permutation(items), ends)
    return dict(zip(("train", "val", "test"), parts, strict=True))


def _write_recorded_songs(world: World) -> None:
    """Write a dataset of songs with recordings and lyrics, in three styles."""
    # A generator of its own: what it draws changes no other dataset.
    rng = np.random.default_rng([world.seed, 1])
    sizes = [*RECORDINGS.values()]
    style = np.concatenate([rng.permutation(size) % len(STYLES) for size in sizes])
    ids = [f"S{number:02d}" for number in range(1, 1 + len(style))]
    rows = np.split(np.arange(len(style)), np.cumsum(sizes)[:-1])
    dataset = ExampleDataset(world, "SUPER", ids, dict(zip(RECORDINGS, rows, strict=True)))
    dataset.write_ids()
    dataset.write_labels(STYLES)
    dataset.write_classes(style[:, None] == np.arange(len(STYLES)))
    styles = {item: STYLES[number] for item, number in zip(ids, style, strict=True)}
    write_songs(world.workspace, dataset.name, styles, rng)
