"""The layout of a workspace: where everything in it lies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from tartarus_cli.errors import DataError, FileError, display_path
from tartarus_cli.file_names import FILE_PATTERNS, DataFile, Kind, parse_path
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


PICKLES = (".pkl", ".pickle", ".joblib")


@dataclass(frozen=True)
class WorkspacePaths:
    """A folder with the ``data/`` layout, and the path of everything in it."""

    root: Path
    data: Path

    def scan(self) -> WorkspaceFiles:
        """Read the names of all files under the data folder (and open none)."""
        files: list[DataFile] = []
        unknown: list[Path] = []
        folders = dict.fromkeys([layout.folder for layout in FILE_PATTERNS] + list(OLD_FOLDERS))
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
        for layout in FILE_PATTERNS:
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

    def within(self, path: Path) -> str:
        """Write a path relative to the root, as ``check-data`` shows it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


@dataclass(frozen=True)
class WorkspaceFiles:
    """Every file under the data folder, as its name explains it."""

    workspace: WorkspacePaths
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


def _suffix(split: str) -> str:
    return "" if split == "test" else f"_{split}"


def _visible_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
