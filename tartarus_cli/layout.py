"""The layout of a workspace: where everything in it lies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.errors import DataError, FileError, call, display_path
from tartarus_cli.file_names import FILE_PATTERNS, DataFile, Kind, parse_path
from tartarus_cli.files import same_content, visible_files, visible_paths
from tartarus_cli.study_layout import StudyPaths

MARK = "tartarus.toml"
"""File of a workspace's own settings; a folder that has it is a workspace."""


FOLD = "-fold"
"""Stands between a name that folds have in common and the number of one."""


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
"""Folders below ``data/`` that a new workspace gets."""


OLD_FOLDERS = {"splits": "datasets", "train_data": "datasets/train_data"}
"""Folder of published archives, below ``data/`` → the folder that has its files today."""


@dataclass(frozen=True)
class WorkspacePaths:
    """A folder with the ``data/`` layout, and the path of everything in it."""

    root: Path
    """The folder of the workspace."""
    data: Path
    """Its data folder: ``data`` below the root, or the root itself."""

    def scan(self) -> WorkspaceFiles:
        """List the files under the data folder by what their names mean; opens none of them."""
        files: list[DataFile] = []
        unknown: list[Path] = []
        irregular: list[DataFile] = []
        folders = dict.fromkeys([layout.folder for layout in FILE_PATTERNS] + list(OLD_FOLDERS))
        paths = {self.data / folder for folder in folders}
        for folder in folders:
            for path in sorted(visible_paths(self.data / folder)):
                file = parse_path(path, OLD_FOLDERS.get(folder, folder))
                if path in paths:
                    continue  # a folder, or what stands in its place
                if not path.is_file():
                    irregular += [] if file is None else [file]
                elif file is None:
                    unknown.append(path)
                else:
                    files.append(file)
        return WorkspaceFiles(self, tuple(files), tuple(unknown), tuple(irregular))

    def path_of(self, kind: Kind, **fields: str) -> Path:
        """Return the path that a file of a kind is written to.

        Parameters
        ----------
        kind
            What the file holds.
        fields
            The parts of its name, such as ``dataset``, ``split`` or ``setting``.
        """
        for layout in FILE_PATTERNS:
            if layout.kind is kind and fields.get("split", layout.splits[0]) in layout.splits:
                return self.data / layout.folder / layout.names[0].format(**fields)
        msg = f"no name for {kind} with {fields}"
        raise ValueError(msg)

    def predicted_factors(self, model: str, split: str = "test") -> Path:
        """Return the path of factors or class scores that a model predicted, ``(items, dim)``."""
        return self.data / "factors" / f"factors_{model}{_suffix(split)}.npy"

    def predicted_neighbours(self, model: str, split: str = "test") -> Path:
        """Return the path of similarities to train items, sparse, that a baseline predicted."""
        return self.data / "factors" / f"neighbours_{model}{_suffix(split)}.npz"

    def predicted_ids(self, model: str, split: str = "test") -> Path:
        """Return the path of the ids of the rows of predictions."""
        return self.data / "factors" / f"index_factors_{model}{_suffix(split)}.tsv"

    def predicted_patches(self, model: str, content: str, split: str) -> tuple[Path, Path]:
        """Return the paths of predictions for each patch, and of the item id of each row.

        Parameters
        ----------
        model
            Name of the model.
        content
            ``factors``, or the name of a layer.
        split
            The set.
        """
        name = f"{content}_{model}_{split}_patches"
        folder = self.data / "factors"
        return folder / f"{name}.npy", folder / f"index_{name}.tsv"

    def predicted_new(self, model: str, layer: str | None) -> tuple[Path, Path]:
        """Return the paths of predictions for new files, and of the names of these files."""
        name = f"{layer or 'factors'}_{model}_new"
        folder = self.data / "factors"
        return folder / f"{name}.npy", folder / f"index_{name}.tsv"

    def predictions_of(self, model: str) -> list[Path]:
        """List the files of a model's predictions: for items, for patches and for new files."""
        names = re.compile(
            rf".+_{re.escape(model)}(_(train|val|test|new))?(_patches)?\.(npy|npz|tsv)"
        )
        paths = visible_files(self.data / "factors")
        return [path for path in paths if names.fullmatch(path.name)]

    def recommendations(
        self, model: str, top: int, min_score: float | None = None, *, known: bool = False
    ) -> Path:
        """Return the path of the first items of each user: user, rank, item and score in a line.

        The options are part of the name, so that no file replaces one of other options.

        Parameters
        ----------
        model
            Name of the model.
        top
            Items for each user.
        min_score
            The lowest score that was included; None: no limit.
        known
            Whether the items that a user has are marked.
        """
        lowest = "" if min_score is None else f"_min-score-{min_score!r}"
        name = f"recommendations_{model}_{top}{lowest}{'_known' if known else ''}.tsv"
        return self.data / "playlists" / name

    def recommendations_of(self, model: str) -> list[Path]:
        """List the files of a model's recommendations, whatever their options."""
        name = re.compile(
            rf"recommendations_{re.escape(model)}_\d+(_min-score-[^_]+)?(_known)?\.tsv"
        )
        paths = visible_files(self.data / "playlists")
        return [path for path in paths if name.fullmatch(path.name)]

    def results(self, model: str) -> Path:
        """Return the path of the results of a model, as JSON."""
        return self.data / "results" / f"{model}.json"

    def unit_values(self, model: str, unit: str) -> Path:
        """Return the path of a model's metrics for each of its ``users``, or ``items``."""
        return self.data / "results" / f"{model}_{unit}.npz"

    def result_parts(self, model: str) -> Path:
        """Return the folder of the checkpoints of a model's evaluation, one a range of users."""
        return self.data / "results" / "parts" / model

    def confusion_picture(self, model: str) -> Path:
        """Return the path of the picture of a model's confusion matrix."""
        return self.picture(f"{model}_confusion")

    def pictures_of(self, model: str) -> list[Path]:
        """Return the paths of all pictures of a model's results, the confusion matrix first."""
        others = [self.picture(f"{model}_{plot}") for plot in ("precision_recall", "reliability")]
        return [self.confusion_picture(model), *others]

    def ablation(self, model: str) -> Path:
        """Return the path of the ablation of a model, as JSON."""
        return self.data / "results" / f"{model}_ablation.json"

    def ablation_of(self, model: str) -> list[Path]:
        """Return the paths of an ablation: its pictures, and the document."""
        document = self.ablation(model)
        return [*(document.with_suffix(ending) for ending in (".svg", ".png")), document]

    def ablated_models(self) -> list[str]:
        """List the models that have an ablation."""
        matches = (_ABLATION.fullmatch(path.name) for path in visible_files(self._results))
        return sorted(match[1] for match in matches if match)

    def results_of(self, name: str) -> list[Path]:
        """Return the paths of all results of a name that are or may once have been written."""
        values = [self.unit_values(name, unit) for unit in ("users", "items")]
        return [*self.pictures_of(name), *values, self.results(name)]

    def documents_of_results(self) -> list[Path]:
        """List the results that are there, as JSON."""
        files = (path for path in visible_files(self._results) if path.suffix == ".json")
        return sorted(path for path in files if not _ABLATION.fullmatch(path.name))

    def reproduction(self, paper: str) -> Path:
        """Return the path of the figures of a paper that was reproduced, as JSON."""
        return self.data / "results" / "papers" / f"reproduce_{paper}.json"

    def picture(self, name: str) -> Path:
        """Return the path of a picture of results or of data."""
        return self.data / "results" / f"{name}.png"

    @property
    def _results(self) -> Path:
        return self.data / "results"

    @property
    def results_table(self) -> Path:
        """The table of results, one line a model."""
        return self.data / "results" / "results.tsv"

    @property
    def models(self) -> Path:
        """The folder of all models."""
        return self.data / "models"

    @property
    def groups(self) -> Path:
        """The folder of groups of models: one file a group."""
        return self.data / "groups"

    def group(self, name: str) -> Path:
        """Return the path of a group of models, as JSON."""
        return self.groups / f"{name}.json"

    def deleted(self, model: str) -> Path:
        """Return the folder of a model that is being deleted."""
        return self.models / f"{_DELETED}{model}"

    def deletions(self) -> list[str]:
        """List the models whose deletion was begun and has not ended."""
        if not self.models.is_dir():
            return []
        folders = (p for p in self.models.iterdir() if p.is_dir() and not p.is_symlink())
        matches = (_DELETED_MODEL.fullmatch(folder.name) for folder in folders)
        return sorted(match[1] for match in matches if match)

    @property
    def downloads(self) -> Path:
        """The folder of downloads: one folder a published archive."""
        return self.data / "downloads"

    @property
    def spectrograms(self) -> Path:
        """The folder of spectrograms: one folder a transform, one file a recording."""
        return self.data / "spectrograms"

    @property
    def vectors(self) -> Path:
        """The folder of what encoders made: one folder an encoder, one file a recording or text."""
        return self.data / "vectors"

    @property
    def audio(self) -> Path:
        """The folder that the paths of the list of recordings start in."""
        return self._sibling_of_data("audio")

    @property
    def text(self) -> Path:
        """The folder that the paths of the list of documents start in."""
        return self._sibling_of_data("text")

    def _sibling_of_data(self, name: str) -> Path:
        inside = self.data / name
        return inside if inside.is_dir() and not (self.root / name).is_dir() else self.root / name

    def paper_data(self, paper: str) -> Path:
        """Return the folder of what a paper's dataset is made of."""
        return self.data / "papers" / paper

    @property
    def papers(self) -> Path:
        """The folder of the user's own papers to reproduce."""
        return self.root / "papers"

    @property
    def experiments(self) -> Path:
        """The folder of the user's own experiments."""
        return self.root / "experiments"

    @property
    def studies(self) -> Path:
        """The folder of all searches for parameters."""
        return self.data / "studies"

    def study(self, name: str) -> StudyPaths:
        """Return the files of a search for parameters."""
        return StudyPaths(self.studies / name)

    def study_names(self) -> list[str]:
        """List the searches for parameters that are there."""
        folders = visible_paths(self.studies)
        return sorted(
            folder.name for folder in folders if self.study(folder.name).request.is_file()
        )

    def relative(self, path: Path) -> str:
        """Write a path relative to the root; as it is, if it lies elsewhere."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


@dataclass(frozen=True)
class WorkspaceFiles:
    """Every file under the data folder, by what its name means."""

    workspace: WorkspacePaths
    files: tuple[DataFile, ...]
    """Files of datasets."""
    unknown: tuple[Path, ...]
    """Files whose names mean nothing in their folder."""
    irregular: tuple[DataFile, ...] = ()
    """Folders, pipes and the like that are called as files of datasets."""

    def datasets(self) -> list[str]:
        """Return the names of all datasets, in alphabetical order.

        Each fold is one; what is divided into folds is none itself.
        """
        return sorted({file.dataset for file in self.files} - {*self.folded()})

    def folded(self) -> list[str]:
        """Return the names of all that is divided into folds, in alphabetical order."""
        return sorted({file.dataset for file in self.select(Kind.FOLDS)})

    def common_name(self, dataset: str) -> str | None:
        """Return the name that a fold has in common with others; None of what is no fold."""
        name, _, number = dataset.rpartition(FOLD)
        return name if number.isdecimal() and name in self.folded() else None

    def names(self) -> list[str]:
        """Return what can be named instead of datasets: their names, but for folds the common one.

        In alphabetical order.
        """
        datasets = [name for name in self.datasets() if self.common_name(name) is None]
        return sorted({*datasets, *self.folded()})

    def select(self, kind: Kind, **fields: str) -> list[DataFile]:
        """Return all files of a kind that have these fields, such as ``dataset="mine"``."""
        required = fields.items()
        return [f for f in self.files if f.kind is kind and required <= f.fields.items()]

    def settings(self, dataset: str) -> list[str]:
        """Return the names of all settings of a dataset, in alphabetical order."""
        return sorted({f.fields["setting"] for f in self.select(Kind.FEATURES, dataset=dataset)})

    def find(self, kind: Kind, **fields: str) -> DataFile | None:
        """Return the one file of a kind that has these fields; None if it is missing.

        Raises
        ------
        FileError
            If the file exists in two places with different contents.
        """
        files = self.select(kind, **fields)
        if len({file.key for file in files}) > 1:
            msg = f"{kind} of {fields} may be any of {[display_path(f.path) for f in files]}"
            raise ValueError(msg)
        for other in files[1:]:
            if not same_content(files[0].path, other.path):
                raise FileError(
                    other.path,
                    found=f"another content than in {display_path(files[0].path)}",
                    expected=f"one file, {display_path(self.workspace.data / files[0].canonical)}",
                    hint="Keep the right one of the two and move the other away.",
                )
        return min(files, key=lambda file: not self.is_canonical(file)) if files else None

    def is_canonical(self, file: DataFile) -> bool:
        """Whether a file has the name and the folder that this version writes."""
        return file.path == self.workspace.data / file.canonical

    def require(self, kind: Kind, *, hint: str = "", **fields: str) -> DataFile:
        """Return the one file of a kind that has these fields.

        Raises
        ------
        DataError
            If it is missing; ``hint`` says what to do, by default to check the dataset.
        """
        file = self.find(kind, **fields)
        if file is None:
            path = self.workspace.path_of(kind, **{"ext": "npy", **fields})
            dataset = fields.get("dataset", "")
            msg = f"{display_path(path)} is missing ({kind} of {dataset})"
            see = f"To see what the dataset needs: {call('check', dataset)}"
            raise DataError(msg, hint=hint or see)
        return file


_DELETED = ".deleted-"
"""Stands before the name of a model that is being deleted."""
_ABLATION = re.compile(r"(model_[1-9]\d*)_ablation\.json")
_DELETED_MODEL = re.compile(rf"{re.escape(_DELETED)}(model_[1-9]\d*)")


def _suffix(split: str) -> str:
    return "" if split == "test" else f"_{split}"
