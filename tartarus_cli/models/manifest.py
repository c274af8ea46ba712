"""What is known of a trained model: where it comes from and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tartarus_cli.baselines import PredictionForm
from tartarus_cli.files import write_text

Status = Literal["training", "interrupted", "failed", "finished"]


class LayerInfo(BaseModel):
    """One layer of a network, as ``models show`` lists it."""

    name: str
    kind: str
    shape: tuple[int, ...]  # of one item
    parameters: int


class ModelManifest(BaseModel):
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
    code: dict[str, str] = {}  # file that ran for the training → BLAKE2b hash
    train_ids: str = ""  # hash of the ids of the train items
    patches: str = ""  # how the patches were made and scaled: their fingerprint, if they have one
    items: dict[str, int] = {}  # fit, validation, held out
    epochs: int = 0
    best_epoch: int = 0
    validation_loss: float | None = None
    held_out_loss: float | None = None
    layers: list[LayerInfo] = []
    form: PredictionForm = "factors"  # of what it predicts
    widths: list[int] = []  # of the settings that a baseline read
    strength: float | None = None  # of a ridge regression
    trials: dict[str, float] = {}  # strength → validation loss
    test_evaluations: int = Field(default=0, ge=0)  # how often its test figures were computed
    scores: dict[str, float | None] = {}


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


def write_model_manifest(folder: Path, manifest: ModelManifest) -> None:
    """Write a manifest in one step: a model is finished when this says so, not before."""
    write_text(folder / "manifest.json", manifest.model_dump_json(indent=2) + "\n")
