"""What an experiment says: every parameter with its type, its default and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tartarus_cli.architectures import ARCHITECTURES, Architecture, InputKind, NetworkOptions
from tartarus_cli.baselines import BASELINES, Baseline, BaselineOptions
from tartarus_cli.data.dataset import TargetSpec
from tartarus_cli.data.tasks import Task
from tartarus_cli.progress import warn


def _without_underscore(name: str) -> str:
    if not name or any(c in "_/\\" or not c.isprintable() for c in name):
        msg = f"{name!r} is no name of a dataset: it holds no underscore and no slash"
        raise ValueError(msg)
    return name


def _kinds(said: Any) -> Any:
    for kind in said if isinstance(said, list | tuple) else [said]:
        if kind not in get_args(InputKind):
            msg = f"{kind!r} is none of {', '.join(get_args(InputKind))}"
            raise ValueError(msg)
    return said


Name = Annotated[str, AfterValidator(_without_underscore)]
Count = Annotated[int, Field(ge=1, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]

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

    # One for all inputs, or one for each of them.
    kind: Annotated[InputKind | tuple[InputKind, ...], BeforeValidator(_kinds)] = "features"
    count: Count = 1  # of the inputs; those that are not patches are settings to name

    @property
    def kinds(self) -> tuple[InputKind, ...]:
        """The kind of each input."""
        return self.kind if isinstance(self.kind, tuple) else (self.kind,) * self.count

    @model_validator(mode="before")
    @classmethod
    def _count_the_kinds(cls, said: Any) -> Any:
        if not isinstance(said, dict) or not isinstance(said.get("kind"), list | tuple):
            return said
        kinds = said["kind"]
        count = said.get("count", len(kinds))
        if not kinds or count != len(kinds):
            msg = f"kind names {len(kinds)} inputs, and count says {count}"
            raise ValueError(msg)
        return said | {"count": count, "kind": kinds[0] if count == 1 else kinds}


class PatchesSection(Section):
    """Which spectrogram patches an item has."""

    per_item: Count = 1
    seconds: Positive = 15


class ValidationSection(Section):
    """What a baseline is chosen by."""

    # Share of the train items that is held out, at their end, where there are no val items: the
    # first half of it validates, the second half gives the held-out loss.
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2


class NothingToSet(Section):
    """The training of a baseline that chooses nothing."""


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
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2  # as above


def is_baseline(name: Any) -> bool:
    """Whether ``network.name`` means a baseline; a built-in network goes before a plug-in."""
    if name not in BASELINES.names() or name not in ARCHITECTURES.names():
        return name in BASELINES.names()
    network = ARCHITECTURES.is_built_in(name)
    left_out, other = ("baseline", "network") if network else ("network", "baseline")
    first, second = (BASELINES, ARCHITECTURES) if network else (ARCHITECTURES, BASELINES)
    told = f"the {left_out} {name!r} of {first.origin(name)} is left out: "
    warn(f"{told}there is a {other} of this name, of {second.origin(name)}")
    return not network


def baseline_of(network: Any) -> Baseline | None:
    """Return the baseline that a ``network`` section names, if it is one."""
    name = network.get("name") if isinstance(network, Mapping) else getattr(network, "name", None)
    return BASELINES.get(str(name)) if is_baseline(name) else None


def options_of(name: str) -> type[NetworkOptions] | type[BaselineOptions]:
    """Return the options of a network or of a baseline.

    Raises
    ------
    RequestError
        If there is neither of that name.
    PluginError
        If a plug-in of that name could not be imported.
    """
    if is_baseline(name):
        return BASELINES.get(name).options
    if BASELINES.broken(name):
        raise BASELINES.absent(name)
    if name not in ARCHITECTURES.names():
        raise ARCHITECTURES.absent(name, tuple(BASELINES.names()))
    return ARCHITECTURES.get(name).options


def training_of(network: Any) -> type[TrainingSection | ValidationSection | NothingToSet]:
    """Return what the ``training`` section of such a network may say."""
    baseline = baseline_of(network)
    if baseline is None:
        return TrainingSection
    return ValidationSection if baseline.validates else NothingToSet


class Experiment(Section):
    """Everything that a training depends on, but for the settings and the seed."""

    name: str
    description: str = ""
    note: str = ""
    extends: str = ""
    # Files that register what it uses, relative to the workspace; they run when it is used.
    code: tuple[str, ...] = ()
    dataset: DatasetSection
    targets: TargetsSection
    inputs: InputsSection = InputsSection()
    patches: PatchesSection | None = None
    network: SerializeAsAny[NetworkOptions | BaselineOptions]
    training: TrainingSection | ValidationSection | None

    @property
    def target_spec(self) -> TargetSpec:
        """Which factors or classes it learns."""
        return TargetSpec(self.targets.kind, self.targets.dim)

    @property
    def architecture(self) -> Architecture:
        """The network that it names."""
        return ARCHITECTURES.get(self.network.name)

    @property
    def baseline(self) -> Baseline | None:
        """The baseline that it names, if it is not a network."""
        return baseline_of(self.network)

    @property
    def fitting(self) -> TrainingSection:
        """How its network is fitted."""
        if not isinstance(self.training, TrainingSection):
            msg = f"{self.name} is a baseline, which is not fitted by epochs"
            raise TypeError(msg)
        return self.training

    @property
    def settings_needed(self) -> int:
        """How many settings are named on the command line; patches need none."""
        return sum(kind != "patches" for kind in self.inputs.kinds)

    def with_settings(self, count: int) -> Experiment:
        """Return it for so many settings: a baseline reads those that are named."""
        if self.baseline is None:
            return self
        inputs = self.inputs.model_copy(update={"count": count})
        return self.model_copy(update={"inputs": inputs})

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, said: Any) -> Any:
        """Fill in the defaults that depend on other parameters."""
        if not isinstance(said, dict):
            return said
        filled = {k: dict(v) if isinstance(v, dict) else v for k, v in said.items()}
        network, training = filled.get("network"), filled.get("training")
        baseline = baseline_of(network)
        if baseline is not None:
            return _filled_baseline(filled, baseline)
        if isinstance(network, dict) and isinstance(training, dict):
            softmax = network.get("output") == "softmax"
            training.setdefault("monitor", "val_accuracy" if softmax else "val_loss")
            if isinstance(filled.get("targets"), dict):
                filled["targets"].setdefault("normalize", training.get("loss") == "cosine")
        if isinstance(filled.get("inputs"), dict):
            kind = filled["inputs"].get("kind")
            if "patches" in (kind if isinstance(kind, list | tuple) else [kind]):
                filled.setdefault("patches", {})
        return filled

    @field_validator("network", mode="before")
    @classmethod
    def _own_options(cls, said: Any) -> Any:
        if not isinstance(said, dict) or not isinstance(said.get("name"), str):
            return said
        return options_of(said["name"]).model_validate(said)

    @field_validator("training", mode="before")
    @classmethod
    def _own_training(cls, said: Any, info: ValidationInfo) -> Any:
        if not isinstance(said, dict):
            return said
        found = training_of(info.data.get("network")).model_validate(said)
        return None if isinstance(found, NothingToSet) else found

    @model_validator(mode="after")
    def _suits_the_baseline(self) -> Self:
        baseline, name = self.baseline, self.network.name
        if baseline is not None and self.dataset.task not in baseline.tasks:
            msg = (
                f"dataset.task = {self.dataset.task}: {name} is for {' and '.join(baseline.tasks)}"
            )
            raise ValueError(msg)
        if baseline is not None and self.targets.kind not in baseline.kinds:
            msg = f"targets.kind = {self.targets.kind}: {name} takes {' or '.join(baseline.kinds)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _agree(self) -> Self:
        task, allowed = self.dataset.task, TARGETS_OF[self.dataset.task]
        if self.targets.kind not in allowed:
            msg = f"targets.kind = {self.targets.kind}: {task} takes {' or '.join(allowed)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _inputs_agree(self) -> Self:
        if self.baseline is not None:
            return self
        inputs, network, name = self.inputs, self.architecture, self.network.name
        if network.most_inputs is not None and inputs.count > network.most_inputs:
            msg = f"inputs.count = {inputs.count}: {name} takes at most {network.most_inputs}"
            raise ValueError(msg)
        if not network.reads(inputs.kinds):
            read = network.inputs
            told = read if isinstance(read, str) else f"one input of each kind: {', '.join(read)}"
            msg = f"inputs.kind = {', '.join(inputs.kinds)}: the network {name} reads {told}"
            raise ValueError(msg)
        if inputs.kinds.count("patches") > 1:
            msg = f"inputs.kind = {', '.join(inputs.kinds)}: only one input may be patches"
            raise ValueError(msg)
        if self.patches is not None and "patches" not in inputs.kinds:
            msg = "patches.*: only an experiment whose inputs.kind is patches has such parameters"
            raise ValueError(msg)
        return self


def _filled_baseline(said: dict[str, Any], baseline: Baseline) -> dict[str, Any]:
    """Fill in what a baseline leaves unsaid, and refuse what would do nothing."""
    targets = said.get("targets")
    if "inputs" in said or "patches" in said:
        msg = "inputs.*: a baseline reads the settings that are named, however many"
        raise ValueError(msg)
    if isinstance(targets, dict):
        if "normalize" in targets and not baseline.learns:
            msg = "targets.normalize: this baseline learns no targets that could be normalised"
            raise ValueError(msg)
        normal = baseline.learns and targets.get("kind") != "class"
        said["targets"] = {"normalize": normal} | targets
    said["inputs"] = InputsSection().model_copy(update={"count": baseline.settings[0]})
    said.setdefault("training", {})
    return said
