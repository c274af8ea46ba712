"""The parameters of an experiment, each with its type, its default and its limits."""

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
from tartarus_cli.data.tasks import Scoring, TargetSpec, Task
from tartarus_cli.file_names import PATCH_NAME
from tartarus_cli.progress import warn


def _check_dataset_name(name: str) -> str:
    if not name or any(c in "_/\\" or not c.isprintable() for c in name):
        msg = f"{name!r} cannot be the name of a dataset: it holds no underscore and no slash"
        raise ValueError(msg)
    return name


def _check_kinds(value: Any) -> Any:
    for kind in value if isinstance(value, list | tuple) else [value]:
        if kind not in get_args(InputKind):
            msg = f"{kind!r} is none of {', '.join(get_args(InputKind))}"
            raise ValueError(msg)
    return value


DatasetName = Annotated[str, AfterValidator(_check_dataset_name)]
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
"""Task → the kinds of targets that a network can learn for it."""


class Section(BaseModel):
    """A part of an experiment; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetSection(Section):
    """The dataset, and the task that is solved on it."""

    name: DatasetName
    """The dataset; its name holds no underscore."""
    task: Task
    """``recommendation``, ``multilabel`` or ``multiclass``."""


class TargetsSection(Section):
    """The targets that the network learns to predict, one row an item."""

    kind: TargetKind
    """Factors of plays (``als``), of labels or plays (``pmi``), or the classes (``class``)."""
    dim: Count
    """Number of factors or classes."""
    normalize: bool
    """Whether each target is divided by its L2 norm."""


class InputsSection(Section):
    """The inputs of the network."""

    kind: Annotated[InputKind | tuple[InputKind, ...], BeforeValidator(_check_kinds)] = "features"
    """``features``, ``patches`` or ``sequence``: one for all inputs, or one for each of them."""
    count: Count = 1
    """Number of inputs; a setting is named for each that is not patches."""

    @property
    def kinds(self) -> tuple[InputKind, ...]:
        """The kind of each input, in order."""
        return self.kind if isinstance(self.kind, tuple) else (self.kind,) * self.count

    @model_validator(mode="before")
    @classmethod
    def _infer_count(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("kind"), list | tuple):
            return values
        kinds = values["kind"]
        count = values.get("count", len(kinds))
        if not kinds or count != len(kinds):
            msg = f"kind names {len(kinds)} inputs, and count says {count}"
            raise ValueError(msg)
        return values | {"count": count, "kind": kinds[0] if count == 1 else kinds}


class PatchesSection(Section):
    """Which spectrogram patches an item has."""

    per_item: Count = 1
    """Patches of each item."""
    seconds: Positive = 15
    """Length of a patch."""
    name: Annotated[str, Field(pattern=rf"^{PATCH_NAME}$")] = ""
    """Name that they were made with; empty if they have none."""


class ValidationSection(Section):
    """The training of a baseline that selects a parameter by validation loss."""

    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the train items that is held out, at their end, where there are no val items.

    The first half of it validates, the second half gives the held-out loss.
    """


class EmptyTrainingSection(Section):
    """The training of a baseline that has no parameters to set."""


class TrainingSection(Section):
    """How the network is fitted."""

    loss: Loss
    """The loss that is minimised."""
    optimizer: Optimizer = "adam"
    """Keras' name of the optimizer."""
    learning_rate: Positive = 0.001
    """Step size of the optimizer."""
    batch_size: Count = 32
    """Samples of a batch: items, or patches."""
    epochs: Count = 100
    """Passes over the train items, at most."""
    patience: Annotated[int, Field(ge=0, strict=True)] = 4
    """Epochs without a better value of the monitor, after which the training stops."""
    monitor: Monitor
    """What chooses the epoch whose weights are kept; ``val_accuracy`` for softmax outputs."""
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the train items that is held out, as in :class:`ValidationSection`."""


def is_baseline(name: Any) -> bool:
    """Whether ``network.name`` means a baseline; of two with one name, the built-in one counts."""
    if name not in BASELINES.names() or name not in ARCHITECTURES.names():
        return name in BASELINES.names()
    network = ARCHITECTURES.is_built_in(name)
    ignored, used = ("baseline", "network") if network else ("network", "baseline")
    first, second = (BASELINES, ARCHITECTURES) if network else (ARCHITECTURES, BASELINES)
    subject = f"the {ignored} {name!r} of {first.origin(name)} is left out"
    warn(f"{subject}: there is a {used} of this name, of {second.origin(name)}")
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


def training_of(network: Any) -> type[TrainingSection | ValidationSection | EmptyTrainingSection]:
    """Return the type of the ``training`` section that belongs to a ``network`` section."""
    baseline = baseline_of(network)
    if baseline is None:
        return TrainingSection
    return ValidationSection if baseline.validates else EmptyTrainingSection


class Experiment(Section):
    """Everything that a training depends on, except the settings and the seed."""

    name: str
    """The preset, or the file without its ending."""
    description: str = ""
    """One line for the list of experiments."""
    note: str = ""
    """A doubt about a published preset, for whoever looks at it."""
    extends: str = ""
    """The experiment whose parameters it inherits; empty if none."""
    code: tuple[str, ...] = ()
    """Files that register what it uses, relative to the workspace; they run when it is used."""
    dataset: DatasetSection
    """The dataset, and the task that is solved on it."""
    targets: TargetsSection
    """What the network learns to predict."""
    inputs: InputsSection = InputsSection()
    """What the network reads."""
    patches: PatchesSection | None = None
    """The patches of each item; None if it reads none."""
    network: SerializeAsAny[NetworkOptions | BaselineOptions]
    """The network or the baseline, by name, with its options."""
    scoring: Scoring = "cosine"
    """How predicted factors of plays rank: divided by their norm as in the papers (``cosine``), as
    they are (``dot``), or with a norm that is learnt beside the direction (``norm``)."""
    training: TrainingSection | ValidationSection | None
    """How it is fitted; None for a baseline that has nothing to set."""

    @property
    def target_spec(self) -> TargetSpec:
        """Kind and number of the factors or classes that it learns."""
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
        """How its network is fitted.

        Raises
        ------
        TypeError
            If it is a baseline.
        """
        if not isinstance(self.training, TrainingSection):
            msg = f"{self.name} is a baseline, which is not fitted by epochs"
            raise TypeError(msg)
        return self.training

    @property
    def settings_needed(self) -> int:
        """How many settings have to be named; an input of patches needs none."""
        return sum(kind != "patches" for kind in self.inputs.kinds)

    def with_settings(self, count: int) -> Experiment:
        """Return the experiment with as many inputs as a baseline is given settings."""
        if self.baseline is None:
            return self
        inputs = self.inputs.model_copy(update={"count": count})
        return self.model_copy(update={"inputs": inputs})

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        """Fill in the defaults that depend on other parameters."""
        if not isinstance(values, dict):
            return values
        filled = {k: dict(v) if isinstance(v, dict) else v for k, v in values.items()}
        network, training = filled.get("network"), filled.get("training")
        baseline = baseline_of(network)
        if baseline is not None:
            return _fill_baseline(filled, baseline)
        if isinstance(network, dict) and isinstance(training, dict):
            softmax = network.get("output") == "softmax"
            training.setdefault("monitor", "val_accuracy" if softmax else "val_loss")
            if isinstance(filled.get("targets"), dict):
                whole = filled.get("scoring", "cosine") == "dot"
                normal = training.get("loss") == "cosine" and not whole
                filled["targets"].setdefault("normalize", normal)
        if isinstance(filled.get("inputs"), dict):
            kind = filled["inputs"].get("kind")
            if "patches" in (kind if isinstance(kind, list | tuple) else [kind]):
                filled.setdefault("patches", {})
        return filled

    @field_validator("network", mode="before")
    @classmethod
    def _validate_network(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("name"), str):
            return values
        return options_of(values["name"]).model_validate(values)

    @field_validator("training", mode="before")
    @classmethod
    def _validate_training(cls, values: Any, info: ValidationInfo) -> Any:
        if not isinstance(values, dict):
            return values
        section = training_of(info.data.get("network")).model_validate(values)
        return None if isinstance(section, EmptyTrainingSection) else section

    @model_validator(mode="after")
    def _check_baseline(self) -> Self:
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
    def _check_scoring(self) -> Self:
        scoring, targets = self.scoring, self.targets
        if scoring == "cosine":
            return self
        key = f"scoring = {scoring}"
        if targets.kind != "als":
            msg = f"{key}: only factors of plays (targets.kind = als) have a norm that ranks"
            raise ValueError(msg)
        if self.baseline is not None and scoring not in self.baseline.scorings:
            msg = f"{key}: {self.network.name} takes {' or '.join(self.baseline.scorings)}"
            raise ValueError(msg)
        if isinstance(self.network, NetworkOptions):
            self._check_scoring_of_network(self.network.output)
        if targets.normalize != (scoring == "norm"):
            msg = f"{key}: targets.normalize has to be {str(scoring == 'norm').lower()}"
            raise ValueError(msg)
        return self

    def _check_scoring_of_network(self, output: str) -> None:
        loss = self.fitting.loss
        if self.scoring == "dot" and (output, loss) != ("linear", "mean_squared_error"):
            msg = "scoring = dot: a network learns the norm with network.output = linear and "
            msg += "training.loss = mean_squared_error"
            raise ValueError(msg)
        if self.scoring == "norm" and loss != "cosine":
            msg = "scoring = norm: the direction is learnt with training.loss = cosine"
            raise ValueError(msg)

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        task, allowed = self.dataset.task, TARGETS_OF[self.dataset.task]
        if self.targets.kind not in allowed:
            msg = f"targets.kind = {self.targets.kind}: {task} takes {' or '.join(allowed)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        if self.baseline is not None:
            return self
        inputs, network, name = self.inputs, self.architecture, self.network.name
        if network.most_inputs is not None and inputs.count > network.most_inputs:
            msg = f"inputs.count = {inputs.count}: {name} takes at most {network.most_inputs}"
            raise ValueError(msg)
        if not network.reads(inputs.kinds):
            kinds = network.inputs
            one_kind = isinstance(kinds, str)
            inputs_read = kinds if one_kind else f"one input of each kind: {', '.join(kinds)}"
            msg = f"inputs.kind = {', '.join(inputs.kinds)}: the network {name} reads {inputs_read}"
            raise ValueError(msg)
        if inputs.kinds.count("patches") > 1:
            msg = f"inputs.kind = {', '.join(inputs.kinds)}: only one input may be patches"
            raise ValueError(msg)
        if self.patches is not None and "patches" not in inputs.kinds:
            msg = "patches.*: only experiments whose inputs.kind is patches have these parameters"
            raise ValueError(msg)
        return self


def _fill_baseline(values: dict[str, Any], baseline: Baseline) -> dict[str, Any]:
    """Fill in the defaults of a baseline, and refuse parameters that would do nothing."""
    targets = values.get("targets")
    if "inputs" in values or "patches" in values:
        msg = "inputs.*: a baseline reads the settings that are named, however many"
        raise ValueError(msg)
    if isinstance(targets, dict):
        if "normalize" in targets and not baseline.learns:
            msg = "targets.normalize: this baseline learns no targets that could be normalised"
            raise ValueError(msg)
        whole = values.get("scoring", "cosine") == "dot"
        normal = baseline.learns and targets.get("kind") != "class" and not whole
        values["targets"] = {"normalize": normal} | targets
    values["inputs"] = InputsSection().model_copy(update={"count": baseline.settings[0]})
    values.setdefault("training", {})
    return values
