"""The store of trained models: numbered folders, each with a manifest that says what it is."""

from __future__ import annotations

import math
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tartarus_cli.baselines import Arrays, Baseline, Fitted, Form, Items, Known, Train
from tartarus_cli.data.arrays import read_arrays, save_arrays
from tartarus_cli.errors import DataError, FileError, RequestError, nearest, shown
from tartarus_cli.experiments.resolve import from_toml, to_toml
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.files import remove_folder, write_text
from tartarus_cli.workspace import Workspace

Status = Literal["training", "interrupted", "failed", "finished"]
NETWORK, HISTORY, BASELINE = "model.keras", "history.csv", "model.npz"
CLAIMS = ".claimed"  # one empty file for each number ever given, so that none is given twice


class LayerInfo(BaseModel):
    """One layer of a network, as ``models show`` lists it."""

    name: str
    kind: str
    shape: tuple[int, ...]  # of one item
    parameters: int


class Manifest(BaseModel):
    """Where a model comes from and what became of it."""

    model_config = ConfigDict(extra="ignore")

    status: Status
    kind: Literal["network", "baseline"] = "network"
    beside: str = ""  # the model that a baseline was trained to be compared with, if any
    experiment: str
    dataset: str
    task: str
    settings: list[str]
    target_dim: int
    seed: int
    started: str
    reason: str = ""  # why it did not finish
    duration_s: float = 0
    peak_memory_mib: float = 0
    machine: dict[str, str | int] = {}
    versions: dict[str, str] = {}
    inputs: dict[str, str] = {}  # file → BLAKE2b hash
    train_ids: str = ""  # hash of the ids of the train items
    patches: str = ""  # how the patches were made and scaled: their fingerprint, if they have one
    items: dict[str, int] = {}  # fit, validation, held out
    epochs: int = 0
    best_epoch: int = 0
    validation_loss: float | None = None
    held_out_loss: float | None = None
    layers: list[LayerInfo] = []
    form: Form = "factors"  # of what it predicts
    widths: list[int] = []  # of the settings that a baseline read
    strength: float | None = None  # of a ridge regression
    trials: dict[str, float] = {}  # strength → validation loss
    test_evaluations: int = Field(default=0, ge=0)  # how often its test figures were computed
    scores: dict[str, float | None] = {}


@dataclass(frozen=True)
class Model:
    """A folder of the store."""

    name: str
    folder: Path
    manifest: Manifest

    @property
    def experiment(self) -> Experiment:
        """The experiment that made it, every parameter filled in."""
        path = self.folder / "experiment.toml"
        try:
            found = from_toml(path.read_text(encoding="utf-8"))
            return found.with_settings(len(self.manifest.settings))
        except (OSError, ValueError) as problem:
            msg = f"{shown(path)} cannot be read: {problem}"
            raise DataError(msg, hint=f"Train {self.name} again.") from None

    @property
    def network(self) -> Path:
        """The Keras model."""
        return self.folder / NETWORK

    @property
    def baseline(self) -> Baseline | None:
        """What it is, if it is not a network."""
        return self.experiment.baseline if self.manifest.kind == "baseline" else None

    @property
    def arrays(self) -> Path:
        """What a baseline learnt."""
        return self.folder / BASELINE

    @property
    def history(self) -> Path:
        """Losses by epoch."""
        return self.folder / HISTORY

    def layer(self, wanted: str) -> LayerInfo:
        """Find a layer by its name, its index, or ``output``.

        Raises
        ------
        RequestError
            If there is no such layer; the hint lists those there are.
        """
        if self.manifest.kind == "baseline":
            msg = f"{self.name} is a baseline ({self.manifest.experiment}), which has no layers"
            raise RequestError(msg, hint="Read out a layer of a network.")
        layers = self.manifest.layers
        if wanted == "output":
            return layers[-1]
        if re.fullmatch(r"-?\d+", wanted) and -len(layers) <= int(wanted) < len(layers):
            return layers[int(wanted)]
        for layer in layers:
            if layer.name == wanted:
                return layer
        known = ", ".join(f"{i} {layer.name}" for i, layer in enumerate(layers))
        msg = f"{self.name} has no layer {wanted!r}"
        raise RequestError(msg, hint=f"Its layers are: {known}.")


class Store:
    """All models of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._folder = workspace.models

    def claim(self) -> tuple[str, Path]:
        """Take the next number and make its folder; no two callers ever get the same one."""
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
        """Return the finished model of the highest number that is not beside another one."""
        finished = [model for model in self.finished() if not model.manifest.beside]
        if not finished:
            msg = f"there is no trained model in {shown(self._folder)}"
            raise RequestError(msg, hint="Train one: 'tartarus train EXPERIMENT SETTING…'.")
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
            said = model.manifest.reason or model.manifest.status
            hint = "Train it again; 'tartarus models list' shows the others."
            if model.manifest is UNREADABLE:
                msg = f"{shown(model.folder / 'manifest.json')} is missing or damaged"
                raise DataError(msg, hint=hint)
            msg = f"{name} was never finished ({said})"
            raise RequestError(msg, hint=hint)
        return model

    def find(self, name: str) -> Model:
        """Return a model by name, finished or not."""
        known = [f"model_{number}" for number in sorted(self._numbers(self._folder))]
        if name not in known:
            msg = f"there is no model called {name!r}"
            raise RequestError(msg, hint=nearest(name, known))
        return self._read(name)

    def delete(self, name: str) -> Model:
        """Remove the folder of a model; its number is never given again."""
        model = self.find(name)
        remove_folder(model.folder)
        return model

    def _read(self, name: str) -> Model:
        folder = self._folder / name
        try:
            text = (folder / "manifest.json").read_text(encoding="utf-8")
            return Model(name, folder, Manifest.model_validate_json(text))
        except (OSError, ValueError):
            return Model(name, folder, UNREADABLE)

    @staticmethod
    def _numbers(folder: Path) -> list[int]:
        if not folder.is_dir():
            return []
        matches = (re.fullmatch(r"model_([1-9]\d*)", path.name) for path in folder.iterdir())
        return [int(match[1]) for match in matches if match]


UNREADABLE = Manifest(
    status="failed",
    experiment="?",
    dataset="?",
    task="?",
    settings=[],
    target_dim=0,
    seed=0,
    started="",
    reason="its manifest cannot be read",
)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest in one step: a model is finished when this says so, not before."""
    write_text(folder / "manifest.json", manifest.model_dump_json(indent=2) + "\n")


def write_experiment(folder: Path, experiment: Experiment) -> None:
    """Write the resolved experiment beside the model."""
    write_text(folder / "experiment.toml", to_toml(experiment))


def now() -> str:
    """Return the time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def surroundings() -> dict[str, Any]:
    """Describe machine and library versions, for the manifest."""
    packages = ("tartarus-cli", "keras", "jax", "numpy", "scipy", "scikit-learn")
    backend = os.environ["KERAS_BACKEND"]
    return {
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        },
        "versions": {package: version(package) for package in packages} | {"backend": backend},
    }


def peak_memory_mib() -> float:
    """Most memory that this process ever had resident, in MiB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


class Predictor(Protocol):
    """Anything that turns the features of items into rows of factors, scores or activations."""

    width: int

    def __call__(self, inputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Predict a block of items, ``(items, width)``."""


def open_predictor(model: Model, layer: LayerInfo | None = None) -> Predictor:
    """Load a model to predict with, or to read out one of its layers.

    Raises
    ------
    RequestError
        If it is a baseline that looks at more than the features of an item.
    DataError
        If its file is damaged.
    """
    if model.baseline is None:
        return _NetworkPredictor(model, layer)
    if model.baseline.remembers:
        msg = f"{model.name} ({model.manifest.experiment}) predicts for items of its dataset alone"
        raise RequestError(msg, hint="Use a network, or the baseline ridge.")
    return _BaselinePredictor(model, model.baseline)


def write_fitted(folder: Path, fitted: Fitted) -> None:
    """Write what a baseline learnt, and the strengths that it tried."""
    save_arrays(folder / BASELINE, fitted.arrays.items())
    if fitted.trials:
        lines = (f"{trial.strength!r},{trial.loss!r}\n" for trial in fitted.trials)
        write_text(folder / HISTORY, "strength,val_loss\n" + "".join(lines))


def read_known(model: Model, baseline: Baseline, train: Train | None = None) -> Known:
    """Read what a baseline learnt.

    Raises
    ------
    DataError
        If its file is missing or damaged.
    """
    experiment, manifest = model.experiment, model.manifest
    return Known(
        options=experiment.network,
        arrays=_read_fitted(model, baseline),
        form=manifest.form,
        dim=manifest.target_dim,
        seed=manifest.seed,
        classes=experiment.targets.kind == "class",
        single=experiment.dataset.task == "multiclass",
        train=train,
    )


def _read_fitted(model: Model, baseline: Baseline) -> Arrays:
    shapes = baseline.shapes(sum(model.manifest.widths), model.manifest.target_dim)
    try:
        arrays = dict(zip(shapes, read_arrays(model.arrays, tuple(shapes)), strict=True))
    except FileError as problem:
        msg = f"{shown(model.arrays)}: {problem.found}"
        raise DataError(msg, hint=f"Train {model.name} again.") from None
    for name, array in arrays.items():
        if array.shape != shapes[name] or not np.isfinite(array).all():
            raise FileError(
                model.arrays,
                found=f"{name} of shape {array.shape}, or values that are not finite",
                expected=f"numbers of shape {shapes[name]}",
                hint=f"Train {model.name} again.",
            )
    return arrays


class _BaselinePredictor:
    """A baseline that needs nothing but the features of an item."""

    def __init__(self, model: Model, baseline: Baseline) -> None:
        self._known, self._predict = read_known(model, baseline), baseline.predict
        self.width = 1 if model.manifest.form == "scores" else model.manifest.target_dim

    def __call__(self, inputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        rows = self._predict(self._known, Items([""] * len(inputs[0]), tuple(inputs)))
        return np.asarray(rows, np.float32)


class _NetworkPredictor:
    """A Keras network, up to one of its layers."""

    def __init__(self, model: Model, layer: LayerInfo | None) -> None:
        import keras

        import tartarus_cli.layers  # noqa: F401 — registers the layers that a saved model names

        try:
            network = keras.saving.load_model(model.network, compile=False, safe_mode=True)
        except Exception as problem:  # noqa: BLE001 — a damaged file makes Keras raise anything
            said = (str(problem) or type(problem).__name__).splitlines()[0]
            msg = f"{shown(model.network)} cannot be loaded: {said}"
            raise DataError(msg, hint=f"Train {model.name} again.") from None
        if layer is not None:
            several = len(network.inputs) > 1  # as it is fed
            inputs = network.inputs if several else network.inputs[0]
            network = keras.Model(inputs, network.get_layer(layer.name).output)
        self._network = network
        self.width = math.prod(network.output_shape[1:])

    def __call__(self, inputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        fed = list(inputs) if len(inputs) > 1 else inputs[0]
        rows = np.asarray(self._network.predict_on_batch(fed), np.float32)
        return rows.reshape(len(rows), self.width)
