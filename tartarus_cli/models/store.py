"""The store of trained models: numbered folders, each with a manifest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tartarus_cli.baselines import Baseline
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.shuffling import ShuffledDataset
from tartarus_cli.errors import (
    DataError,
    FileError,
    Placeholder,
    RequestError,
    call,
    display_path,
    nearest,
    parameter,
)
from tartarus_cli.experiments.resolve import from_toml, to_toml
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.files import (
    locked_folder,
    parse_toml,
    read_bytes,
    read_text,
    remove_own_folder,
    require_regular,
    write_text,
)
from tartarus_cli.html_table import Cell, html_table
from tartarus_cli.layout import WorkspaceFiles, WorkspacePaths
from tartarus_cli.models.lookup import (
    find_layer,
    find_parts,
    group_error,
    is_group_name,
    unfinished,
)
from tartarus_cli.models.manifest import (
    UNREADABLE,
    LayerInfo,
    ModelManifest,
    write_model_manifest,
)
from tartarus_cli.plugins import run_recorded

if TYPE_CHECKING:
    import polars as pl

NETWORK, HISTORY, BASELINE = "model.keras", "history.csv", "model.npz"
"""Files of a model's folder: the network, its losses, the arrays of a baseline."""
CLAIMS = ".claimed"
"""Folder of an empty file for each number ever given, so that none is given twice."""
MAX_BYTES = 1 << 20
"""The largest experiment of a model."""


@dataclass(frozen=True)
class Model:
    """A model: a folder of the store, finished or not."""

    name: str
    """Such as ``model_1``."""
    folder: Path
    """The folder of its files."""
    manifest: ModelManifest
    """How it was trained, from which files, and its scores."""
    store: Store = field(repr=False, compare=False)
    """The models of its workspace."""

    @property
    def workspace(self) -> WorkspacePaths:
        """The workspace that it belongs to."""
        return self.store.workspace

    @property
    def dataset(self) -> Dataset:
        """The dataset that it was trained on, bound to its files."""
        manifest = self.manifest
        return self.store.dataset(manifest.dataset, manifest.seed if manifest.shuffled else None)

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment that it was trained with, every parameter filled in; runs its code.

        Raises
        ------
        DataError
            If its file is missing or damaged.
        """
        run_recorded(self.workspace.root, self.manifest.code, self.name)
        path = self.folder / "experiment.toml"
        try:
            experiment = from_toml(self._experiment_text)
            return experiment.with_settings(len(self.manifest.settings))
        except RequestError as problem:
            msg = f"{display_path(path)}: {problem}"
            hint = f"Install the plug-in that {self.name} was trained with, or name its file: "
            raise DataError(msg, hint=f"{hint}{parameter('code', Placeholder('FILE'))}.") from None
        except ValueError as problem:
            raise self._unreadable(path, problem) from None

    @property
    def target_kind(self) -> str:
        """The kind of targets that it learnt (als, pmi, class); this runs no code.

        Raises
        ------
        DataError
            If its file is missing or damaged.
        """
        path = self.folder / "experiment.toml"
        try:
            return str(parse_toml(self._experiment_text)["targets"]["kind"])
        except (ValueError, LookupError, TypeError) as problem:
            raise self._unreadable(path, problem) from None

    @cached_property
    def _experiment_text(self) -> str:
        try:
            return read_bytes(self.folder / "experiment.toml", most=MAX_BYTES).decode()
        except FileError as problem:
            raise self._unreadable(problem.path, problem.found) from None

    def _unreadable(self, path: Path, problem: Exception | str) -> DataError:
        msg = f"{display_path(path)} cannot be read: {problem}"
        return DataError(msg, hint=f"Train {self.name} again.")

    @property
    def network(self) -> Path:
        """The file of the Keras model."""
        return self.folder / NETWORK

    @property
    def baseline(self) -> Baseline | None:
        """The baseline that it is; None for a network."""
        return self.experiment.baseline if self.manifest.kind == "baseline" else None

    @property
    def arrays(self) -> Path:
        """The file of the arrays of a fitted baseline."""
        return self.folder / BASELINE

    @property
    def history(self) -> Path:
        """The file of the losses: by epoch, or by what a baseline tried."""
        return self.folder / HISTORY

    @property
    def parts(self) -> list[tuple[Model, float]]:
        """The models that it blends, or adds its scores to, each with its weight.

        Raises
        ------
        DataError
            If one is gone.
        """
        return find_parts(self)

    def count_evaluation(self, scores: dict[str, float | None] | None) -> None:
        """Record that figures of the test items were computed, and the figures of all of them."""

        def count(manifest: ModelManifest) -> None:
            manifest.test_evaluations += 1
            if scores is not None:
                manifest.scores = scores

        self._record(count)

    def accept_inputs(self, hashes: Mapping[str, str]) -> None:
        """Record files that were not as in the training, and from which it predicts all the same.

        Parameters
        ----------
        hashes
            File, relative to the workspace → its hash.
        """
        self._record(lambda manifest: manifest.accepted_inputs.update(hashes))

    def _record(self, change: Callable[[ModelManifest], None]) -> None:
        """Change the manifest; what another command has recorded meanwhile is read again."""
        with locked_folder(self.workspace.models):
            if not self.folder.is_dir():  # deleted meanwhile
                return
            recorded = self.store.find(self.name).manifest
            if recorded is not UNREADABLE:
                self.manifest.test_evaluations = recorded.test_evaluations
                self.manifest.scores = recorded.scores
                self.manifest.accepted_inputs |= recorded.accepted_inputs
            change(self.manifest)
            write_model_manifest(self.folder, self.manifest)

    def layer(self, name: str) -> LayerInfo:
        """Find a layer by its name, its index, or ``output``.

        Raises
        ------
        RequestError
            If there is no such layer, which the hint lists, or the model is a baseline.
        """
        return find_layer(self, name)

    def to_frame(self) -> pl.DataFrame:
        """Return the losses of its training, an epoch in a row; of a baseline, what it tried.

        Raises
        ------
        DataError
            If nothing was trained by steps, or the file is missing or damaged.
        """
        import polars as pl

        try:
            require_regular(self.history)
            return pl.read_csv(self.history)
        except (OSError, FileError, pl.exceptions.PolarsError) as problem:
            msg = f"{display_path(self.history)} cannot be read: {problem}"
            raise DataError(
                msg, hint="Only networks, and baselines that chose something, keep losses."
            ) from None

    def _repr_html_(self) -> str:
        manifest = self.manifest
        caption = f"{self.name}: {manifest.experiment} {' '.join(manifest.settings)}".rstrip()
        rows: list[tuple[str, Cell]] = [
            ("dataset", manifest.dataset),
            ("task", manifest.task),
            ("seed", manifest.seed),
            ("epochs", manifest.epochs),
            ("validation loss", manifest.validation_loss),
            (f"validation {manifest.score_name}", manifest.validation_score),
            *manifest.scores.items(),
        ]
        return html_table(caption, ("", ""), rows)


class Store:
    """All models of a workspace, with the datasets that they were trained on.

    The files of the workspace are those of the moment when a dataset is first asked for.
    """

    def __init__(self, workspace: WorkspacePaths) -> None:
        self.workspace = workspace
        self._folder = workspace.models
        self._datasets: dict[tuple[str, int | None], Dataset] = {}

    @cached_property
    def files(self) -> WorkspaceFiles:
        """All files of datasets in the workspace."""
        return self.workspace.scan()

    def dataset(self, name: str, shuffle: int | None = None) -> Dataset:
        """Return a dataset, bound to its files, or shuffled by a seed; always the same one."""
        key = (name, shuffle)
        if key not in self._datasets:
            plain = self.dataset(name) if shuffle is not None else Dataset(self.files, name)
            self._datasets[key] = plain if shuffle is None else ShuffledDataset.of(plain, shuffle)
        return self._datasets[key]

    def claim(self) -> tuple[str, Path]:
        """Take the next number and make its folder; no two callers ever get the same one.

        Returns
        -------
        The name of the new model, and its folder.
        """
        claims = self._folder / CLAIMS
        claims.mkdir(parents=True, exist_ok=True)
        number = max([0, *self._numbers(claims), *self._numbers(self._folder)])
        while True:
            number += 1
            try:
                (claims / f"model_{number}").touch(exist_ok=False)
                (self._folder / f"model_{number}").mkdir()
            except FileExistsError:
                continue
            return f"model_{number}", self._folder / f"model_{number}"

    def all(self) -> list[Model]:
        """Every model, finished or not, by number."""
        names = sorted(self._numbers(self._folder))
        return [self._read(f"model_{number}") for number in names]

    def finished(self) -> list[Model]:
        """Every model that can be used, by number."""
        return [model for model in self.all() if model.manifest.status == "finished"]

    def newest(self) -> Model:
        """Return the finished model of the highest number.

        Baselines that were trained to be compared with a model do not count.

        Raises
        ------
        RequestError
            If there is none.
        """
        finished = [model for model in self.finished() if not model.manifest.compared_with]
        if not finished:
            msg = f"there is no trained model in {display_path(self._folder)}"
            command = call("train", Placeholder("EXPERIMENT"), Placeholder("SETTING"))
            raise RequestError(msg, hint=f"Train one: {command}")
        return finished[-1]

    def get(self, name: str | None) -> Model:
        """Return a finished model by name; the newest if None.

        Raises
        ------
        RequestError
            If there is no such model, or its training did not come to an end.
        DataError
            If its manifest cannot be read.
        """
        if name is None:
            return self.newest()
        model = self.find(name)
        if model.manifest.status != "finished":
            raise unfinished(model)
        return model

    def find(self, name: str) -> Model:
        """Return a model by name, finished or not.

        Raises
        ------
        RequestError
            If there is none of that name.
        """
        known = [f"model_{number}" for number in sorted(self._numbers(self._folder))]
        if name in known:
            return self._read(name)
        if is_group_name(name):
            raise group_error(self, name)
        msg = f"there is no model called {name!r}"
        raise RequestError(msg, hint=nearest(name, known))

    def made_of(self, name: str) -> list[Model]:
        """Return the models that another one is a part of, by number."""
        return [model for model in self.finished() if name in model.manifest.parts]

    def names(self) -> set[str]:
        """Return the names of all models, finished or not."""
        return {f"model_{number}" for number in self._numbers(self._folder)}

    def begin_deletion(self, name: str) -> None:
        """Hide the folder of a model, whose number is never used again, in one step.

        Raises
        ------
        RequestError
            If there is no such model, and none whose deletion was begun.
        """
        self.require_deletable(name)
        if name not in self.workspace.deletions():
            with suppress(FileNotFoundError):  # somebody else deletes it
                self.find(name).folder.replace(self.workspace.deleted(name))

    def require_deletable(self, name: str) -> None:
        """Make sure that there is a model of that name, or one whose deletion has not ended.

        Raises
        ------
        RequestError
            If there is none.
        """
        if name not in self.workspace.deletions():
            self.find(name)

    def end_deletion(self, name: str) -> None:
        """Remove the hidden folder of a model; what was computed with it is gone by now."""
        remove_own_folder(self.workspace.deleted(name))

    def _read(self, name: str) -> Model:
        folder = self._folder / name
        try:
            text = read_text(folder / "manifest.json")
            return Model(name, folder, ModelManifest.model_validate_json(text), self)
        except (FileError, ValueError):
            return Model(name, folder, UNREADABLE, self)

    @staticmethod
    def _numbers(folder: Path) -> list[int]:
        if not folder.is_dir():
            return []
        matches = (re.fullmatch(r"model_([1-9]\d*)", path.name) for path in folder.iterdir())
        return [int(match[1]) for match in matches if match]


def write_experiment(folder: Path, experiment: Experiment) -> None:
    """Write the resolved experiment into the folder of a model."""
    write_text(folder / "experiment.toml", to_toml(experiment))
