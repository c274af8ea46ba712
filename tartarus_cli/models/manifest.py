"""The manifest of a model: how it was trained, from which files, and its scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tartarus_cli.baselines import (
    BaselineResult,
    ChosenScoring,
    Parameters,
    PredictionForm,
    weight_name,
)
from tartarus_cli.files import write_text

UserSource = Literal["factors", "own", "history", "features"]
"""What the vectors that a model predicts are multiplied by."""

Status = Literal["training", "interrupted", "failed", "finished"]
"""How far a training came; only a finished model can be used."""


class LayerInfo(BaseModel):
    """One layer of a network."""

    name: str
    """Unique in its network, such as ``dense_2``."""
    kind: str
    """Its class in Keras, such as ``Dense``."""
    shape: tuple[int, ...]
    """Shape of its output for one sample."""
    parameters: int
    """Number of its weights."""


class WholeRequest(BaseModel):
    """A request of which the training of a model is only a part, such as that of a blend."""

    experiment: str
    """All its parameters, as ``experiment.toml``."""
    settings: list[str]
    """Names of the settings that feed it, in order."""
    overrides: list[str] = []
    """What was changed in it by the request, as ``section.key=value``."""


class ModelManifest(BaseModel):
    """How a model was trained, from which files, and its scores: its ``manifest.json``."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    status: Status
    kind: Literal["network", "baseline"] = "network"
    compared_with: str = Field(default="", alias="beside")
    """The model that this one was trained to be compared with: as a baseline, or as a row of an
    ablation; empty if none."""
    experiment: str
    """Name of the experiment; all its parameters are in ``experiment.toml`` of the same folder."""
    dataset: str
    """Name of the dataset."""
    task: str
    """``recommendation``, ``multilabel`` or ``multiclass``."""
    settings: list[str]
    """Names of the settings that feed it, in order."""
    target_dim: int
    """Number of factors or classes that it learns."""
    seed: int
    """Of everything random in its training."""
    shuffled: bool = False
    """Whether items have each other's features, as the experiment says."""
    overrides: list[str] = []
    """What was changed in the experiment by the request, as ``section.key=value``."""
    started: str
    """When the training began, in ISO 8601."""
    reason: str = ""
    """Why it did not finish."""
    part_of: WholeRequest | None = None
    """What was asked for, if not this model alone: to go on with it is to go on with that."""
    resumed: int = 0
    """How often the training was stopped, and gone on with."""
    duration_s: float = 0
    """Wall-clock time of the training."""
    peak_memory_mib: float = 0
    """Peak resident memory of the process."""
    machine: dict[str, str | int] = {}
    """The computer that trained it: system, processor, cores and the like."""
    versions: dict[str, str] = {}
    """Library → version."""
    inputs: dict[str, str] = {}
    """File, relative to the workspace → BLAKE2b hash of its bytes."""
    code: dict[str, str] = {}
    """File of code that ran for the training → BLAKE2b hash of its bytes."""
    train_ids: str = ""
    """BLAKE2b hash of the ids of the train items, in order."""
    ids: dict[str, str] = {}
    """Set → BLAKE2b hash of the ids of its items, in order."""
    sorted_test_ids: str = ""
    """BLAKE2b hash of the ids of the test items, sorted."""
    accepted_inputs: dict[str, str] = {}
    """File, relative to the workspace, that was not as in the training and from which the model
    predicted all the same → BLAKE2b hash of its bytes; of a list, that of its ids."""
    patches: str = ""
    """Fingerprint of how the patches were made and scaled; empty if they have none."""
    items: dict[str, int] = {}
    """Samples by use: ``fit``, ``validation``, ``held out``."""
    epochs: int = 0
    """Epochs that were run."""
    best_epoch: int = 0
    """The epoch whose weights are kept, counted from 1."""
    validation_loss: float | None = None
    """Loss of the validation samples with these weights."""
    held_out_loss: float | None = None
    """Loss of samples that chose nothing; None where the dataset has val items."""
    layers: list[LayerInfo] = []
    """Layers of the network, from input to output; none for a baseline."""
    form: PredictionForm = "factors"
    """What it predicts: ``factors`` (or class scores), ``neighbours`` or ``scores``."""
    scoring: ChosenScoring = ""
    """How its factors rank, where that was chosen by validation items; empty: as its experiment."""
    users: UserSource = "factors"
    """What its vectors are multiplied by: factors of the dataset's users, vectors of users of its
    own, or sums of the vectors, or of the features, of what a user played."""
    parts: dict[str, float] = {}
    """Model that is blended or added → its weight."""
    widths: list[int] = []
    """Widths of the settings that a baseline was fitted to, in order."""
    strength: float | None = None
    """The regularization of a ridge regression that was chosen by validation items."""
    chosen: dict[str, int | float | str] = {}
    """Name → value of all that a baseline chose by how well validation items rank."""
    validation_score: float | None = None
    """Mean average precision of the validation items, where something was chosen by it."""
    trials: dict[str, float] = {}
    """Each regularization that was tried → validation loss, or all that was tried → mean average
    precision of the validation items."""
    test_evaluations: int = Field(default=0, ge=0)
    """How often figures of the test items were computed."""
    scores: dict[str, float | None] = {}
    """Metric → its value for the test items."""

    @property
    def blends(self) -> bool:
        """Whether it is a blend of other models, which predicts nothing by itself."""
        averaged = bool(self.parts) and self.task != "recommendation"
        return self.form == "blend" or averaged

    @property
    def score_name(self) -> str:
        """What :attr:`validation_score` is: the mean average precision over users, or classes."""
        return "MAP" if self.task == "recommendation" else "PR-AUC"


def record_trials(manifest: ModelManifest, fitted: BaselineResult) -> None:
    """Record what a baseline tried on validation items, and what it chose."""
    best, manifest.scoring = fitted.best, fitted.scoring
    if best is None:
        return
    strength = best.parameters.get("strength")
    manifest.strength = None if strength is None else float(strength)
    manifest.validation_loss, manifest.validation_score = best.loss, best.score
    if [*best.parameters] == ["strength"] and best.score is None:
        manifest.trials = {
            repr(trial.parameters["strength"]): trial.loss
            for trial in fitted.trials
            if trial.loss is not None
        }
        return
    pooled = ["patches"] * (len(manifest.widths) - len(manifest.settings))
    manifest.chosen = _with_names(best.parameters, [*pooled, *manifest.settings])
    figures = {
        describe_parameters(trial.parameters): trial.loss if trial.score is None else trial.score
        for trial in fitted.trials
    }
    manifest.trials = {name: figure for name, figure in figures.items() if figure is not None}


def _with_names(parameters: Parameters, settings: Sequence[str]) -> dict[str, int | float | str]:
    """Return parameters with the names of the settings in those of their weights."""
    if len({*settings}) < len(settings):
        return dict(parameters)
    names = {weight_name(number): f"weight_{name}" for number, name in enumerate(settings)}
    return {names.get(name, name): value for name, value in parameters.items()}


def describe_parameters(parameters: Parameters) -> str:
    """Write parameters in a line, with as many digits as tell them apart.

    >>> describe_parameters({"neighbours": 50, "feature_exponent": 0.25})
    'neighbours=50, feature_exponent=0.25'
    """
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


UNREADABLE = ModelManifest(
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
"""Stands for a manifest that is missing or damaged."""


def write_model_manifest(folder: Path, manifest: ModelManifest) -> None:
    """Write ``manifest.json`` in one step: a model is finished when it says so, not before."""
    write_text(folder / "manifest.json", manifest.model_dump_json(by_alias=True, indent=2) + "\n")
