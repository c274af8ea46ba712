"""How files under ``data/`` are named, and what a name means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Formatter

SPLITS = ("train", "val", "test")
"""The sets that the items of a dataset are divided into, in order."""

PICKLES = (".pkl", ".pickle", ".joblib")
"""Endings of pickles, which are never read: reading one may run code."""


class Kind(StrEnum):
    """What a file of the workspace holds."""

    ITEMS = "item ids"
    TARGETS = "targets"
    CLASS_FACTORS = "label factors"
    USER_FACTORS = "user factors"
    TEST_MATRIX = "truth"
    TRAIN_MATRIX = "train plays"
    VAL_MATRIX = "val plays"
    FACTORIZATION = "factorization"
    USERS = "user ids"
    LABELS = "class names"
    ARTISTS = "artists"
    SPLIT = "how the sets were made"
    FOLDS = "folds"
    FEATURES = "features"
    MASK = "mask"
    VOCABULARY = "vocabulary"
    WORD_VECTORS = "word vectors"
    FEATURE_MANIFEST = "feature manifest"
    PATCHES = "patches"
    SCALER = "scaler"
    AUDIO_ERRORS = "audio failures"
    AUDIO_LIST = "audio list"
    TEXT_LIST = "text list"
    TEXT_ERRORS = "text failures"


PLAYS = {"train": Kind.TRAIN_MATRIX, "val": Kind.VAL_MATRIX, "test": Kind.TEST_MATRIX}
"""Split → the matrix of who played its items; that of the test items is the truth."""


@dataclass(frozen=True)
class FilePattern:
    """The folder and the names of one kind of file."""

    kind: Kind
    folder: str
    """The folder, below ``data/``."""
    names: tuple[str, ...]
    """Templates of its name: the one that is written, then those of older data."""
    splits: tuple[str, ...] = SPLITS
    """The sets that it may be of, if the name holds one."""

    def pattern(self, name: str) -> str:
        """Return the regular expression that one of the templates stands for."""
        fields = _FIELDS | {"split": "|".join(self.splits)}
        parts = [(re.escape(text), field) for text, field, _, _ in Formatter().parse(name)]
        return "".join(text + (f"(?P<{f}>{fields[f]})" if f else "") for text, f in parts)


# Datasets and factorizations have no underscore in their names, a setting may have some.
_FIELDS = {
    "dataset": r"[^_]+",
    "fact": r"[^_]+",
    "dim": r"\d+",
    "setting": r".+",
    "count": r"\d+",
    "seconds": r"\d+(?:\.\d+)?",
    "name": r"(?:_[^_]+)?",
    "ext": "npy|npz",
}


FILE_PATTERNS = (
    FilePattern(Kind.ITEMS, "datasets", ("items_index_{split}_{dataset}.tsv",)),
    FilePattern(
        Kind.TARGETS,
        "datasets",
        ("item_factors_{split}_{fact}_{dim}_{dataset}.npy", "y_{split}_{fact}_{dim}_{dataset}.npy"),
        splits=("val", "test"),
    ),
    FilePattern(
        Kind.TARGETS,
        "datasets",
        (
            "item_factors_{fact}_{dim}_{dataset}.npy",
            "item_factors_train_{fact}_{dim}_{dataset}.npy",
            "y_train_{fact}_{dim}_{dataset}.npy",
        ),
        splits=("train",),
    ),
    FilePattern(Kind.CLASS_FACTORS, "datasets", ("class_factors_{fact}_{dim}_{dataset}.npy",)),
    FilePattern(Kind.USER_FACTORS, "datasets", ("user_factors_{fact}_{dim}_{dataset}.npy",)),
    FilePattern(Kind.TEST_MATRIX, "datasets", ("matrix_test_{dataset}.npz",)),
    FilePattern(Kind.TRAIN_MATRIX, "datasets", ("matrix_train_{dataset}.npz",)),
    FilePattern(Kind.VAL_MATRIX, "datasets", ("matrix_val_{dataset}.npz",)),
    FilePattern(Kind.FACTORIZATION, "datasets", ("factors_{fact}_{dim}_{dataset}.json",)),
    FilePattern(Kind.USERS, "datasets", ("users_index_{dataset}.tsv",)),
    FilePattern(Kind.LABELS, "datasets", ("genre_labels_{dataset}.tsv",)),
    FilePattern(Kind.ARTISTS, "datasets", ("artists_index_{dataset}.tsv",)),
    FilePattern(Kind.SPLIT, "datasets", ("split_{dataset}.json",)),
    FilePattern(Kind.FOLDS, "datasets", ("folds_{dataset}.json",)),
    FilePattern(Kind.FEATURES, "datasets/train_data", ("X_{split}_{setting}_{dataset}.{ext}",)),
    FilePattern(Kind.MASK, "datasets/train_data", ("mask_{split}_{setting}_{dataset}.npy",)),
    FilePattern(Kind.VOCABULARY, "datasets/train_data", ("{setting}_{dataset}.vocabulary.json",)),
    FilePattern(Kind.WORD_VECTORS, "datasets/train_data", ("embedding_{setting}_{dataset}.npy",)),
    FilePattern(
        Kind.FEATURE_MANIFEST, "datasets/train_data", ("{setting}_{dataset}.features.json",)
    ),
    FilePattern(
        Kind.PATCHES,
        "patches",
        (
            "patches_{split}_{dataset}_{count}_{seconds}{name}.hdf5",
            "patches_{split}_{dataset}_{count}x{seconds}{name}.hdf5",
        ),
    ),
    FilePattern(Kind.SCALER, "patches", ("scaler_{dataset}_{count}_{seconds}{name}.npz",)),
    FilePattern(Kind.AUDIO_ERRORS, "patches", ("errors_{dataset}.tsv",)),
    FilePattern(Kind.AUDIO_LIST, "index", ("index_audio_{dataset}.tsv",)),
    FilePattern(Kind.TEXT_LIST, "index", ("index_text_{dataset}.tsv",)),
    FilePattern(Kind.TEXT_ERRORS, "index", ("errors_text_{dataset}.tsv",)),
)
"""The names of all files of datasets, by kind."""


@dataclass(frozen=True)
class DataFile:
    """A file of the workspace whose name says what it holds."""

    kind: Kind
    path: Path
    canonical: str
    """Where this version writes it, relative to ``data/``."""
    fields: Mapping[str, str]
    """The parts of its name, such as ``dataset``, ``split`` or ``setting``."""

    @property
    def dataset(self) -> str:
        """The dataset that it belongs to."""
        return self.fields["dataset"]

    @property
    def split(self) -> str:
        """Train, val or test; empty where the name has none."""
        return self.fields.get("split", "")

    @property
    def dim(self) -> int:
        """Number of factors or classes, by the name."""
        return int(self.fields["dim"])

    @property
    def key(self) -> tuple[str, ...]:
        """Kind and fields; the same for two files that stand for the same content."""
        fields = sorted(self.fields.items())
        return (self.kind, *(f"{name}={value}" for name, value in fields if name != "ext"))


PATCH_NAME = r"(?:[A-Za-z0-9][A-Za-z0-9-]{0,49})?"
"""Pattern of the name of patches; it may be empty."""


def patch_fields(per_item: int, seconds: float, name: str = "") -> dict[str, str]:
    """Return the fields of the names of files of patches; seconds have no superfluous digits.

    >>> patch_fields(1, 15.0)
    {'count': '1', 'seconds': '15', 'name': ''}
    >>> patch_fields(1, 0.5, "mel")
    {'count': '1', 'seconds': '0.5', 'name': '_mel'}
    """
    shortest = (
        f"{Decimal(repr(seconds)):f}".rstrip("0").rstrip(".") if seconds % 1 else int(seconds)
    )
    return {"count": str(per_item), "seconds": str(shortest), "name": f"_{name}" if name else ""}


def parse_path(path: Path, folder: str) -> DataFile | None:
    """Read from a file's name what it holds.

    Parameters
    ----------
    path
        The file; only its name counts.
    folder
        The folder, below ``data/``, whose names are tried.

    Returns
    -------
    None if the name means nothing in this folder.
    """
    for layout in FILE_PATTERNS:
        if layout.folder != folder:
            continue
        for name in layout.names:
            match = _compiled(layout, name).fullmatch(path.name)
            if match:
                canonical = f"{folder}/{layout.names[0].format(**match.groupdict())}"
                return DataFile(layout.kind, path, canonical, _fields(match, layout))
    return None


@cache
def _compiled(layout: FilePattern, name: str) -> re.Pattern[str]:
    return re.compile(layout.pattern(name))


def _fields(match: re.Match[str], layout: FilePattern) -> dict[str, str]:
    only_one = {"split": layout.splits[0]} if len(layout.splits) == 1 else {}
    return only_one | match.groupdict()
