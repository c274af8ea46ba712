"""The workspace: the only module that knows how files under ``data/`` are named."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from shlex import quote
from string import Formatter

from tartarus_cli.errors import DataError, FileError, RequestError, display_path, nearest
from tartarus_cli.files import same_content

MARK = "tartarus.toml"
FOLDERS = (
    "datasets/train_data",
    "factors",
    "models",
    "results",
    "patches",
    "spectrograms",
    "index",
    "playlists",
)
OLD_FOLDERS = {"splits": "datasets", "train_data": "datasets/train_data"}  # old place → its own
SPLITS = ("train", "val", "test")
PICKLES = (".pkl", ".pickle", ".joblib")


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
    SPLIT = "how the sets were made"
    FEATURES = "features"
    VOCABULARY = "vocabulary"
    WORD_VECTORS = "word vectors"
    ORIGIN = "origin"
    PATCHES = "patches"
    SCALER = "scaler"
    AUDIO_ERRORS = "audio failures"
    AUDIO_LIST = "audio list"
    TEXT_LIST = "text list"


PLAYS = {"train": Kind.TRAIN_MATRIX, "val": Kind.VAL_MATRIX, "test": Kind.TEST_MATRIX}
"""Split → the matrix of who played its items; that of the test items is the truth."""


@dataclass(frozen=True)
class Layout:
    """Where one kind of file lies and what it is called: the canonical name, then the old ones."""

    kind: Kind
    folder: str
    names: tuple[str, ...]
    splits: tuple[str, ...] = SPLITS

    def pattern(self, name: str) -> str:
        """Return the regular expression that one of the names stands for."""
        known = _FIELDS | {"split": "|".join(self.splits)}
        parts = [(re.escape(text), field) for text, field, _, _ in Formatter().parse(name)]
        return "".join(text + (f"(?P<{f}>{known[f]})" if f else "") for text, f in parts)


_FIELDS = {  # a dataset and a factorization hold no underscore, a setting may
    "dataset": r"[^_]+",
    "fact": r"[^_]+",
    "dim": r"\d+",
    "setting": r".+",
    "count": r"\d+",
    "seconds": r"\d+(?:\.\d+)?",
    "ext": "npy|npz",
}

LAYOUTS = (
    Layout(Kind.ITEMS, "datasets", ("items_index_{split}_{dataset}.tsv",)),
    Layout(
        Kind.TARGETS,
        "datasets",
        ("item_factors_{split}_{fact}_{dim}_{dataset}.npy", "y_{split}_{fact}_{dim}_{dataset}.npy"),
        splits=("val", "test"),
    ),
    Layout(
        Kind.TARGETS,
        "datasets",
        (
            "item_factors_{fact}_{dim}_{dataset}.npy",
            "item_factors_train_{fact}_{dim}_{dataset}.npy",
            "y_train_{fact}_{dim}_{dataset}.npy",
        ),
        splits=("train",),
    ),
    Layout(Kind.CLASS_FACTORS, "datasets", ("class_factors_{fact}_{dim}_{dataset}.npy",)),
    Layout(Kind.USER_FACTORS, "datasets", ("user_factors_{fact}_{dim}_{dataset}.npy",)),
    Layout(Kind.TEST_MATRIX, "datasets", ("matrix_test_{dataset}.npz",)),
    Layout(Kind.TRAIN_MATRIX, "datasets", ("matrix_train_{dataset}.npz",)),
    Layout(Kind.VAL_MATRIX, "datasets", ("matrix_val_{dataset}.npz",)),
    Layout(Kind.FACTORIZATION, "datasets", ("factors_{fact}_{dim}_{dataset}.json",)),
    Layout(Kind.USERS, "datasets", ("users_index_{dataset}.tsv",)),
    Layout(Kind.LABELS, "datasets", ("genre_labels_{dataset}.tsv",)),
    Layout(Kind.SPLIT, "datasets", ("split_{dataset}.json",)),
    Layout(Kind.FEATURES, "datasets/train_data", ("X_{split}_{setting}_{dataset}.{ext}",)),
    Layout(Kind.VOCABULARY, "datasets/train_data", ("{setting}_{dataset}.vocabulary.json",)),
    Layout(Kind.WORD_VECTORS, "datasets/train_data", ("embedding_{setting}_{dataset}.npy",)),
    Layout(Kind.ORIGIN, "datasets/train_data", ("{setting}_{dataset}.features.json",)),
    Layout(
        Kind.PATCHES,
        "patches",
        (
            "patches_{split}_{dataset}_{count}_{seconds}.hdf5",
            "patches_{split}_{dataset}_{count}x{seconds}.hdf5",
        ),
    ),
    Layout(Kind.SCALER, "patches", ("scaler_{dataset}_{count}_{seconds}.npz",)),
    Layout(Kind.AUDIO_ERRORS, "patches", ("errors_{dataset}.tsv",)),
    Layout(Kind.AUDIO_LIST, "index", ("index_audio_{dataset}.tsv",)),
    Layout(Kind.TEXT_LIST, "index", ("index_text_{dataset}.tsv",)),
)


@dataclass(frozen=True)
class DataFile:
    """A file of the workspace whose name says what it holds."""

    kind: Kind
    path: Path
    canonical: str  # where it is written nowadays, relative to data/
    fields: Mapping[str, str]

    @property
    def dataset(self) -> str:
        """The dataset it belongs to."""
        return self.fields["dataset"]

    @property
    def split(self) -> str:
        """Train, val or test; empty where the name has none."""
        return self.fields.get("split", "")

    @property
    def dim(self) -> int:
        """Number of factors or classes that the name promises."""
        return int(self.fields["dim"])

    @property
    def key(self) -> tuple[str, ...]:
        """What two files share that stand for the same thing."""
        said = (f"{name}={value}" for name, value in sorted(self.fields.items()) if name != "ext")
        return (self.kind, *said)


@dataclass(frozen=True)
class WorkspaceFiles:
    """Every file under the data folder, as its name explains it."""

    workspace: Workspace
    files: tuple[DataFile, ...]
    unknown: tuple[Path, ...]  # names that mean nothing here

    def datasets(self) -> list[str]:
        """Names of all datasets, in alphabetical order."""
        return sorted({file.dataset for file in self.files})

    def select(self, kind: Kind, **fields: str) -> list[DataFile]:
        """All files of a kind whose fields are these."""
        wanted = fields.items()
        return [f for f in self.files if f.kind is kind and wanted <= f.fields.items()]

    def settings(self, dataset: str) -> list[str]:
        """Names of all settings of a dataset, in alphabetical order."""
        return sorted({f.fields["setting"] for f in self.select(Kind.FEATURES, dataset=dataset)})

    def find(self, kind: Kind, **fields: str) -> DataFile | None:
        """Return the one file of a kind whose fields are these, or None.

        Raises
        ------
        FileError
            If the file exists in two places with different contents.
        """
        found = self.select(kind, **fields)
        if len({file.key for file in found}) > 1:
            msg = f"{kind} of {fields} may be any of {[display_path(f.path) for f in found]}"
            raise ValueError(msg)
        for other in found[1:]:
            if not same_content(found[0].path, other.path):
                raise FileError(
                    other.path,
                    found=f"another content than in {display_path(found[0].path)}",
                    expected=f"one file, {display_path(self.workspace.data / found[0].canonical)}",
                    hint="Keep the right one of the two and move the other away.",
                )
        return min(found, key=lambda file: not self.is_canonical(file)) if found else None

    def is_canonical(self, file: DataFile) -> bool:
        """Whether a file has the name and the place that is written nowadays."""
        return file.path == self.workspace.data / file.canonical

    def require(self, kind: Kind, *, hint: str = "", **fields: str) -> DataFile:
        """Return the file, or explain that it is missing."""
        file = self.find(kind, **fields)
        if file is None:
            path = self.workspace.place(kind, **{"ext": "npy", **fields})
            dataset = fields.get("dataset", "")
            msg = f"{display_path(path)} is missing ({kind} of {dataset})"
            see = f"To see what the dataset needs: tartarus check-data {quote(dataset)}"
            raise DataError(msg, hint=hint or see)
        return file


@dataclass(frozen=True)
class Workspace:
    """A folder with the ``data/`` layout, and the path of everything in it."""

    root: Path
    data: Path

    def scan(self) -> WorkspaceFiles:
        """Read the names of all files under the data folder (and open none)."""
        files: list[DataFile] = []
        unknown: list[Path] = []
        folders = dict.fromkeys([layout.folder for layout in LAYOUTS] + list(OLD_FOLDERS))
        for folder in folders:
            for path in sorted(_visible_files(self.data / folder)):
                file = parse_path(path, OLD_FOLDERS.get(folder, folder))
                if file is None:
                    unknown.append(path)
                else:
                    files.append(file)
        return WorkspaceFiles(self, tuple(files), tuple(unknown))

    def place(self, kind: Kind, **fields: str) -> Path:
        """Where a file of this kind is written."""
        for layout in LAYOUTS:
            if layout.kind is kind and fields.get("split", layout.splits[0]) in layout.splits:
                return self.data / layout.folder / layout.names[0].format(**fields)
        msg = f"no name for {kind} with {fields}"
        raise ValueError(msg)

    def predicted_factors(self, model: str, split: str = "test") -> Path:
        """Factors (or class scores) that a model predicted, ``(items, dim)``."""
        return self.data / "factors" / f"factors_{model}{_suffix(split)}.npy"

    def predicted_neighbours(self, model: str, split: str = "test") -> Path:
        """Similarities of items to train items, sparse, that a baseline found instead."""
        return self.data / "factors" / f"neighbours_{model}{_suffix(split)}.npz"

    def predicted_ids(self, model: str, split: str = "test") -> Path:
        """Ids of the rows of the predicted factors."""
        return self.data / "factors" / f"index_factors_{model}{_suffix(split)}.tsv"

    def predicted_patches(self, model: str, what: str, split: str) -> tuple[Path, Path]:
        """Return the places of what was predicted of each patch, and of the item of each row."""
        name = f"{what}_{model}_{split}_patches"
        folder = self.data / "factors"
        return folder / f"{name}.npy", folder / f"index_{name}.tsv"

    def predicted_new(self, model: str, layer: str | None) -> tuple[Path, Path]:
        """Return the places of what was predicted for new files, and of their names."""
        name = f"{layer or 'factors'}_{model}_new"
        folder = self.data / "factors"
        return folder / f"{name}.npy", folder / f"index_{name}.tsv"

    def predictions_of(self, model: str) -> list[Path]:
        """List all that a model predicted, of items, of patches and of new files."""
        names = re.compile(
            rf".+_{re.escape(model)}(_(train|val|test|new))?(_patches)?\.(npy|npz|tsv)"
        )
        paths = _visible_files(self.data / "factors")
        return [path for path in paths if names.fullmatch(path.name)]

    def recommendations(
        self, model: str, top: int, min_score: float | None = None, *, known: bool = False
    ) -> Path:
        """First items of each user, by a model: user, rank, item and score in a line.

        What else was asked for is part of the name, so that no list takes the place of another.
        """
        least = "" if min_score is None else f"_min-score-{min_score!r}"
        name = f"recommendations_{model}_{top}{least}{'_known' if known else ''}.tsv"
        return self.data / "playlists" / name

    def recommendations_of(self, model: str) -> list[Path]:
        """List all such files of a model."""
        name = re.compile(
            rf"recommendations_{re.escape(model)}_\d+(_min-score-[^_]+)?(_known)?\.tsv"
        )
        paths = _visible_files(self.data / "playlists")
        return [path for path in paths if name.fullmatch(path.name)]

    def results(self, model: str) -> Path:
        """All figures of a model."""
        return self.data / "results" / f"{model}.json"

    def unit_values(self, model: str, unit: str) -> Path:
        """Return the place of a model's figures for each of its ``users``, or ``items``."""
        return self.data / "results" / f"{model}_{unit}.npz"

    def result_parts(self, model: str) -> Path:
        """Return the folder of how a model ranks the items for some of the users."""
        return self.data / "results" / "parts" / model

    def confusion_picture(self, model: str) -> Path:
        """Return the place of the picture of which classes a model takes for which."""
        return self.picture(f"{model}_confusion")

    def pictures_of(self, model: str) -> list[Path]:
        """Return the places of all pictures of a model's results, the confusion matrix first."""
        others = [self.picture(f"{model}_{what}") for what in ("precision_recall", "reliability")]
        return [self.confusion_picture(model), *others]

    def picture(self, name: str) -> Path:
        """Return the place of a picture of results or of data."""
        return self.data / "results" / f"{name}.png"

    @property
    def results_table(self) -> Path:
        """One line a model."""
        return self.data / "results" / "results.tsv"

    @property
    def models(self) -> Path:
        """The folder of all models."""
        return self.data / "models"

    @property
    def downloads(self) -> Path:
        """The folder of what was downloaded: one folder a published archive."""
        return self.data / "downloads"

    @property
    def spectrograms(self) -> Path:
        """The folder of spectrograms: one folder a transform, one file a recording."""
        return self.data / "spectrograms"

    @property
    def audio(self) -> Path:
        """The folder that the list of recordings speaks of."""
        return self._beside_data("audio")

    @property
    def text(self) -> Path:
        """The folder that the list of documents speaks of."""
        return self._beside_data("text")

    def _beside_data(self, name: str) -> Path:
        inside = self.data / name
        return inside if inside.is_dir() and not (self.root / name).is_dir() else self.root / name

    @property
    def experiments(self) -> Path:
        """The folder of the user's own experiments."""
        return self.root / "experiments"

    @cached_property
    def defaults(self) -> dict[str, str | int]:
        """The ``dataset`` and ``seed`` that the workspace's own settings name.

        Raises
        ------
        RequestError
            If ``tartarus.toml`` is not TOML or says something else.
        """
        path = self.root / MARK
        if not path.is_file():
            return {}
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
            msg = f"{display_path(path)} is not valid TOML: {problem}"
            raise RequestError(msg, hint="Correct that line.") from None
        example = said.pop("example", {})
        below = [name for name in example if name != "seed"] if isinstance(example, dict) else []
        if below:
            msg = f"{display_path(path)}: {below[0]} stands below [example], where it means nothing"
            raise RequestError(msg, hint="Move it above that line.")
        types = {"dataset": str, "seed": int}
        for name, value in said.items():
            if name not in types or type(value) is not types[name] or _negative(value):
                msg = f"{display_path(path)}: {name} = {value!r} is no setting of a workspace"
                hint = 'It may hold dataset = "NAME" and seed = NUMBER. '
                raise RequestError(msg, hint=hint + nearest(name, types))
        return said

    def within(self, path: Path) -> str:
        """Write a path relative to the root, as ``check-data`` shows it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def patch_fields(dataset: str, per_item: int, seconds: float) -> dict[str, str]:
    """Return what the names of files of patches say; seconds are written shortest.

    >>> patch_fields("MSD-I", 1, 15.0)
    {'dataset': 'MSD-I', 'count': '1', 'seconds': '15'}
    """
    shortest = (
        f"{Decimal(repr(seconds)):f}".rstrip("0").rstrip(".") if seconds % 1 else int(seconds)
    )
    return {"dataset": dataset, "count": str(per_item), "seconds": str(shortest)}


def _negative(value: object) -> bool:
    return isinstance(value, int) and value < 0


def open_workspace(named: Path | None = None) -> Workspace:
    """Return the workspace at ``named``, or the nearest one from here upwards.

    A named folder may also be a data folder itself (holds ``datasets`` or ``splits``).

    Raises
    ------
    RequestError
        If there is no workspace there.
    """
    if named is not None:
        return _named_workspace(named)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if is_workspace(folder):
            return Workspace(folder, folder / "data")
    msg = f"there is no workspace in {Path.cwd()} or above it"
    hint = "Make one with 'tartarus init PATH', or name one with --workspace PATH."
    if is_data_folder(Path.cwd()):
        hint = "This looks like a data folder: add --workspace . to the command."
    raise RequestError(msg, hint=hint)


def is_workspace(folder: Path) -> bool:
    """Whether a folder is the root of a workspace."""
    holds_data = any((folder / "data" / name).is_dir() for name in ("datasets", "splits"))
    return (folder / MARK).is_file() or holds_data


def is_data_folder(folder: Path) -> bool:
    """Whether a folder is what is called ``data`` in a workspace."""
    return any((folder / name).is_dir() for name in ("datasets", "splits"))


def _named_workspace(named: Path) -> Workspace:
    folder = named.expanduser().resolve()
    if not folder.is_dir():
        msg = f"there is no folder {named}"
        raise RequestError(msg, hint=f"Make a workspace: tartarus init {quote(str(named))}")
    if is_workspace(folder):
        return Workspace(folder, folder / "data")
    if not is_data_folder(folder):
        msg = f"{named} is no workspace: it has no {MARK}, data/datasets, data/splits or datasets"
        raise RequestError(
            msg, hint=f"Name another, or make one: tartarus init {quote(str(named))}"
        )
    inside = folder.name == "data" and is_workspace(folder.parent)
    return Workspace(folder.parent if inside else folder, folder)


def parse_path(path: Path, folder: str) -> DataFile | None:
    """Read from a file's name what it holds; None if the name means nothing in this folder."""
    for layout in LAYOUTS:
        if layout.folder != folder:
            continue
        for name in layout.names:
            match = _compiled(layout, name).fullmatch(path.name)
            if match:
                canonical = f"{folder}/{layout.names[0].format(**match.groupdict())}"
                return DataFile(layout.kind, path, canonical, _fields(match, layout))
    return None


@cache
def _compiled(layout: Layout, name: str) -> re.Pattern[str]:
    return re.compile(layout.pattern(name))


def _fields(match: re.Match[str], layout: Layout) -> dict[str, str]:
    only_one = {"split": layout.splits[0]} if len(layout.splits) == 1 else {}
    return only_one | match.groupdict()


def _suffix(split: str) -> str:
    return "" if split == "test" else f"_{split}"


def _visible_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
