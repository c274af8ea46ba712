"""A generated world of items with two views that are partly redundant, and one that says nothing.

``first`` shows three quarters of what decides who plays an item; ``second`` shows three quarters
too, half of them the same, but of half of the items it is pure noise; ``noise`` is that of all
items. Every tenth item lacks ``first``, and every tenth of the others ``second``: their rows are
zeros, and masks tell of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, save_npz

import tartarus_cli as tt
from tests.worlds import World

Rows = NDArray[np.floating[Any]]

PLAYS, GENRES = "views", "viewgenres"
"""Datasets of the same items: who plays them, and which genres they are of."""
FIRST, SECOND, NOISE = "first", "second", "noise"
"""The settings of both."""
FACTORS, CLASSES, FACTOR_DIM = 16, 10, 32
SHOWN = {FIRST: slice(0, 12), SECOND: slice(4, 16), NOISE: slice(0, 0)}
"""Setting → the factors that it shows."""
WIDTHS = {FIRST: 48, SECOND: 64, NOISE: 64}


@dataclass(frozen=True)
class WorldSize:
    """How large a world is."""

    items: int = 1500
    users: int = 1500
    plays_each: int = 30
    """Items that a user plays, on average."""
    noise: float = 0.7
    """Standard deviation of what is added to a view whose values have one of about 1."""


def write_world(root: Path, size: WorldSize | None = None, *, seed: int = 0) -> tt.Workspace:
    """Write a workspace with both datasets, and with the factors of the plays.

    Parameters
    ----------
    root
        A folder that does not exist yet.
    size
        How large it is; two thirds of the items are for training, and a sixth each for validation
        and test.
    seed
        Of all that is drawn.
    """
    size = size or WorldSize()
    workspace = tt.init(root)
    world, rng = World(root), np.random.default_rng(seed)
    factors = rng.standard_normal((size.items, FACTORS))
    held_out = size.items // 6
    counts = {"train": size.items - 2 * held_out, "val": held_out, "test": held_out}
    plays, genres = _draw_plays(factors, size, rng), _draw_genres(factors, rng)
    views, present = _draw_views(factors, size, rng)
    start = 0
    for dataset in (PLAYS, GENRES):
        world.ids(dataset, counts)
    for split, count in counts.items():
        rows, middle = slice(start, start + count), "" if split == "train" else f"{split}_"
        save_npz(world.datasets / f"matrix_{split}_{PLAYS}.npz", plays[rows])
        name = f"item_factors_{middle}class_{CLASSES}_{GENRES}.npy"
        np.save(world.datasets / name, genres[rows])
        for dataset in (PLAYS, GENRES):
            for setting, view in views.items():
                name = f"{split}_{setting}_{dataset}.npy"
                np.save(world.features / f"X_{name}", view[rows])
                if not present[setting].all():
                    np.save(world.features / f"mask_{name}", present[setting][rows])
        start += count
    labels = "".join(f"genre {n}\n" for n in range(CLASSES))
    (world.datasets / f"genre_labels_{GENRES}.tsv").write_text(labels)
    tt.factorize(PLAYS, "als", dim=FACTOR_DIM, workspace=workspace, progress=False)
    return workspace


def _draw_plays(factors: Rows, size: WorldSize, rng: np.random.Generator) -> csr_array:
    """Draw who plays what, ``(items, users)``: the items whose factors a user likes, and chance."""
    tastes = rng.standard_normal((FACTORS, size.users))
    popularity = 0.5 * rng.standard_normal((size.items, 1))
    liking = 3 * factors @ tastes / np.sqrt(FACTORS) + popularity
    liking += rng.gumbel(size=liking.shape)
    wanted = np.clip(rng.poisson(size.plays_each, size.users), 4, size.items)
    ranks = (-liking).argsort(axis=0).argsort(axis=0)
    return csr_array((ranks < wanted).astype(np.int32))


def _draw_genres(factors: Rows, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the genres of each item, ``(items, genres)``: one at least."""
    fits = factors @ rng.standard_normal((FACTORS, CLASSES)) / np.sqrt(FACTORS)
    fits += 0.3 * rng.standard_normal(fits.shape)
    best = np.eye(CLASSES)[fits.argmax(axis=1)]
    return np.asarray(np.maximum(best, fits > 1), np.float32)


def _draw_views(
    factors: Rows, size: WorldSize, rng: np.random.Generator
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.bool_]]]:
    """Return the rows of each setting, and which items have it."""
    items = len(factors)
    draw = rng.random(items)
    present = {FIRST: draw > 0.1, SECOND: draw < 0.9, NOISE: np.ones(items, bool)}
    says_nothing = rng.random(items) < 0.5
    views = {}
    for setting, columns in SHOWN.items():
        shown, width = factors[:, columns].copy(), WIDTHS[setting]
        turn = rng.standard_normal((shown.shape[1], width)) / np.sqrt(max(1, shown.shape[1]))
        if setting == SECOND:
            shown[says_nothing] = 0
        rows = shown @ turn + size.noise * rng.standard_normal((items, width))
        # Where it says nothing, it is as large as elsewhere.
        spread = np.sqrt(1 + size.noise**2) / size.noise
        rows[~shown.any(axis=1)] *= spread
        views[setting] = (rows * present[setting][:, None]).astype(np.float32)
    return views, present
