"""What an experiment says: every parameter with its type, its default and its limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from tartarus_cli.architectures import ARCHITECTURES, Architecture, InputKind, NetworkOptions


def _without_underscore(name: str) -> str:
    if not name or any(c in "_/\\" or not c.isprintable() for c in name):
        msg = f"{name!r} is no name of a dataset: it holds no underscore and no slash"
        raise ValueError(msg)
    return name


Name = Annotated[str, AfterValidator(_without_underscore)]
Count = Annotated[int, Field(ge=1, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
Task = Literal["recommendation", "multilabel", "multiclass"]
TargetKind = Literal["als", "pmi", "class"]
Loss = Literal["cosine", "binary_crossentropy", "categorical_crossentropy", "mean_squared_error"]
Optimizer = Literal["adam", "adamw", "nadam", "sgd", "rmsprop", "adagrad"]
Monitor = Literal["val_loss", "val_accuracy"]

TARGETS_OF: dict[Task, tuple[TargetKind, ...]] = {
    "recommendation": ("als", "pmi"),
    "multilabel": ("class", "pmi"),
    "multiclass": ("class",),
}


class Section(BaseModel):
    """A part of an experiment; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetSection(Section):
    """What to learn from, and what for."""

    name: Name
    task: Task


class TargetsSection(Section):
    """What the network learns to predict."""

    kind: TargetKind
    dim: Count
    normalize: bool  # divide each target by its L2 norm


class InputsSection(Section):
    """What the network reads."""

    kind: InputKind = "features"
    count: Count = 1  # settings to name on the command line


class PatchesSection(Section):
    """Which spectrogram patches an item has."""

    per_item: Count = 1
    seconds: Positive = 15


class TrainingSection(Section):
    """How the network is fitted."""

    loss: Loss
    optimizer: Optimizer = "adam"
    learning_rate: Positive = 0.001
    batch_size: Count = 32
    epochs: Count = 100
    patience: Annotated[int, Field(ge=0, strict=True)] = (
        4  # epochs without a better value of the monitor
    )
    monitor: Monitor
    # Share of the train items that is held out, at their end, where there are no val items: the
    # first half of it validates, the second half gives the held-out loss.
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2


class Experiment(Section):
    """Everything that a training depends on, but for the settings and the seed."""

    name: str
    description: str = ""
    note: str = ""
    extends: str = ""
    dataset: DatasetSection
    targets: TargetsSection
    inputs: InputsSection = InputsSection()
    patches: PatchesSection | None = None
    network: SerializeAsAny[NetworkOptions]
    training: TrainingSection

    @property
    def architecture(self) -> Architecture:
        """The network that it names."""
        return ARCHITECTURES.get(self.network.name)

    @property
    def settings_needed(self) -> int:
        """How many settings are named on the command line; patches need none."""
        return 0 if self.inputs.kind == "patches" else self.inputs.count

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, said: Any) -> Any:
        """Fill in the defaults that depend on other parameters."""
        if not isinstance(said, dict):
            return said
        filled = {k: dict(v) if isinstance(v, dict) else v for k, v in said.items()}
        network, training = filled.get("network"), filled.get("training")
        if isinstance(network, dict) and isinstance(training, dict):
            softmax = network.get("output") == "softmax"
            training.setdefault("monitor", "val_accuracy" if softmax else "val_loss")
            if isinstance(filled.get("targets"), dict):
                filled["targets"].setdefault("normalize", training.get("loss") == "cosine")
        if isinstance(filled.get("inputs"), dict) and filled["inputs"].get("kind") == "patches":
            filled.setdefault("patches", {})
        return filled

    @field_validator("network", mode="before")
    @classmethod
    def _own_options(cls, said: Any) -> Any:
        if not isinstance(said, dict) or not isinstance(said.get("name"), str):
            return said
        return ARCHITECTURES.get(said["name"]).options.model_validate(said)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        task, kind, network = self.dataset.task, self.inputs.kind, self.architecture
        allowed = TARGETS_OF[task]
        if self.targets.kind not in allowed:
            msg = f"targets.kind = {self.targets.kind}: {task} takes {' or '.join(allowed)}"
            raise ValueError(msg)
        if kind != network.inputs:
            msg = f"inputs.kind = {kind}: the network {self.network.name} reads {network.inputs}"
            raise ValueError(msg)
        if network.most_inputs is not None and self.inputs.count > network.most_inputs:
            most = network.most_inputs
            msg = f"inputs.count = {self.inputs.count}: {self.network.name} takes at most {most}"
            raise ValueError(msg)
        if self.patches is not None and kind != "patches":
            msg = "patches.*: only an experiment whose inputs.kind is patches has such parameters"
            raise ValueError(msg)
        return self
