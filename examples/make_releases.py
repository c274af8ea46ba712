"""Invent a year of listening: who played which song when, by whom it is, and its tags.

Usage: python make_releases.py FOLDER [SEED]

Songs come out over the year, and are played from then on. Listeners play what is near to their
taste, and songs of the artists that they know.
"""

import csv
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np

ARTISTS, SONGS, USERS, TAGS, TASTES, DAYS = 120, 600, 300, 40, 5, 366


def main(folder: Path, seed: int) -> None:
    """Write plays.csv and tags.tsv."""
    rng = np.random.default_rng(seed)
    debut = np.sort(rng.integers(-200, DAYS - 30, ARTISTS))  # most artists are known by the summer
    by = rng.integers(ARTISTS, size=SONGS)
    released = np.maximum(rng.integers(DAYS - 20, size=SONGS), debut[by]).clip(0)
    taste_of_artist = rng.standard_normal((ARTISTS, TASTES))
    songs = taste_of_artist[by] + 0.5 * rng.standard_normal((SONGS, TASTES))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "plays.csv").open("w", encoding="utf-8", newline="") as file:
        plays = csv.writer(file)
        plays.writerow(["user", "song", "artist", "time"])
        for user in range(USERS):
            joined, taste = rng.integers(-200, 250), rng.standard_normal(TASTES)
            liking = songs @ taste + rng.standard_normal(ARTISTS)[by]
            for song in np.argsort(-(liking + rng.gumbel(size=SONGS)))[:50]:
                day = min(max(released[song], joined) + rng.geometric(1 / 40), DAYS) - 1
                time = date(2024, 1, 1) + timedelta(days=int(day))
                plays.writerow([f"user {user}", f"song {song}", f"artist {by[song]}", time])
    with (folder / "tags.tsv").open("w", encoding="utf-8") as file:
        file.write("song\ttag\n")
        for song, fits in enumerate(songs @ rng.standard_normal((TASTES, TAGS))):
            for tag in np.argsort(-(fits + rng.gumbel(size=TAGS)))[:5]:
                file.write(f"song {song}\ttag {tag}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
