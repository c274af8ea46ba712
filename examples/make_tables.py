"""Invent what a researcher may have: plays, tags and short texts about some hundred songs.

Usage: python make_tables.py FOLDER [SEED]

Listeners play what is near to their taste and what is popular; few songs have most of the plays.
"""

import csv
import sys
from pathlib import Path

import numpy as np

ARTISTS, SONGS, USERS, TAGS, TASTES = 200, 1000, 500, 40, 6
WORDS = ("night", "road", "love", "rain", "fire", "gold", "river", "heart", "city", "moon", "dance")


def main(folder: Path, seed: int) -> None:
    """Write plays.csv, tags.tsv and a folder of texts."""
    rng = np.random.default_rng(seed)
    artists = rng.standard_normal((ARTISTS, TASTES))
    by = rng.integers(ARTISTS, size=SONGS)
    songs = artists[by] + 0.4 * rng.standard_normal((SONGS, TASTES))
    popularity = -1.2 * np.log(1 + rng.permutation(SONGS))
    ids = [f"{number:05d}" for number in range(SONGS)]
    (folder / "texts").mkdir(parents=True, exist_ok=True)
    with (folder / "plays.csv").open("w", encoding="utf-8", newline="") as file:
        plays = csv.writer(file)
        plays.writerow(["user", "song", "plays", "artist"])
        for user in range(USERS):
            liking = songs @ rng.standard_normal(TASTES) + popularity + rng.gumbel(size=SONGS)
            for song in np.argsort(-liking)[: rng.geometric(1 / 30) + 5]:
                row = [f"user {user}", ids[song], rng.geometric(0.3), f"Artist, no. {by[song]}"]
                plays.writerow(row)
    with (folder / "tags.tsv").open("w", encoding="utf-8") as file:
        file.write("song\ttag\tweight\n")
        for song, fits in enumerate(songs @ rng.standard_normal((TASTES, TAGS))):
            liked = fits + rng.gumbel(size=TAGS)
            for tag in np.argsort(-liked)[: rng.integers(2, 7)]:
                file.write(f"{ids[song]}\ttag {tag}\t{rng.integers(1, 101)}\n")
    for song, fits in enumerate(songs @ rng.standard_normal((TASTES, len(WORDS)))):
        chances = np.exp(fits) / np.exp(fits).sum()
        text = " ".join(rng.choice(WORDS, 40, p=chances))
        (folder / "texts" / f"{ids[song]}.txt").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
