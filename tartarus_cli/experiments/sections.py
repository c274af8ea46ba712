"""The sections of an experiment: what each parameter is, its default and its limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tartarus_cli.architectures import InputKind
from tartarus_cli.data.tasks import Task
from tartarus_cli.environment import Precision
from tartarus_cli.file_names import PATCH_NAME


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


def _check_count(value: Any) -> Any:
    if value != "any" and (type(value) is not int or value < 1):
        msg = f"{value!r} is neither a number of inputs, 1 or more, nor any"
        raise ValueError(msg)
    return value


DatasetName = Annotated[str, AfterValidator(_check_dataset_name)]
Count = Annotated[int, Field(ge=1, strict=True)]
CutOff = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]

TargetKind = Literal["als", "pmi", "class", "plays"]
Loss = Literal[
    "cosine", "binary_crossentropy", "categorical_crossentropy", "mean_squared_error", "softmax"
]
Optimizer = Literal["adam", "adamw", "nadam", "sgd", "rmsprop", "adagrad"]
Monitor = Literal["val_loss", "val_accuracy", "val_map"]
UserVectors = Literal["als", "free", "history"]
ClassWeights = Literal["none", "balanced"]
Schedule = Literal["constant", "cosine", "one_cycle", "plateau"]

TARGETS_OF: dict[Task, tuple[TargetKind, ...]] = {
    "recommendation": ("als", "pmi", "plays"),
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
    """``recommendation``, ``multilabel`` or ``multiclass``; ``classification`` in a file stands for
    one of the latter two, as the dataset is."""


class TargetsSection(Section):
    """The targets that the network learns to predict, one row an item."""

    kind: TargetKind
    """Factors of plays (``als``), of labels or plays (``pmi``), the classes (``class``), or who
    played an item (``plays``)."""
    dim: Count
    """Number of factors or classes; for plays, of a vector that a two-tower network learns."""
    normalize: bool
    """Whether each target is divided by its L2 norm."""


class InputsSection(Section):
    """The inputs of the network."""

    kind: Annotated[InputKind | tuple[InputKind, ...], BeforeValidator(_check_kinds)] = "features"
    """``features``, ``patches`` or ``sequence``: one for all inputs, or one for each of them."""
    count: Annotated[int | Literal["any"], BeforeValidator(_check_count)] = 1
    """Number of inputs; a setting is named for each that is not patches. ``any``: as many as there
    are settings named."""

    @property
    def kinds(self) -> tuple[InputKind, ...]:
        """The kind of each input, in order."""
        count = self.count if isinstance(self.count, int) else 1
        return self.kind if isinstance(self.kind, tuple) else (self.kind,) * count

    def with_settings(self, count: int) -> Self:
        """Return inputs of so many settings; of patches alone the same, else beside the patches."""
        if "patches" not in self.kinds:
            return self.model_copy(update={"count": count})
        if isinstance(self.kind, str) or not count:
            return self
        kinds = ("patches", *("features",) * count)
        return self.model_copy(update={"kind": kinds, "count": len(kinds)})

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
    transform: str | None = None
    """Transform that the network is meant for; None: any. Patches of others are used, and said."""
    options: tuple[str, ...] | None = None
    """Parameters of that transform, ``key=value``, where they are not the usual ones."""
    scale: Literal["position", "bin"] | None = None
    """How patches are to be scaled for the network, as ``scale`` of ``patches``; None: anyhow."""


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
    """What chooses the epoch whose weights are kept; ``val_accuracy`` for softmax outputs,
    ``val_map``, how well validation items rank, where plays are learnt."""
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the train items that is held out, as in :class:`ValidationSection`."""
    precision: Precision = "float32"
    """What the layers compute with: ``bfloat16`` is faster on graphics cards, and takes half the
    memory; weights, outputs and the loss are float32 in any case."""
    crops: NotNegative = 0
    """Seconds that are cut out of each patch, anew in each epoch; 0: patches are read whole. The
    network reads crops; what it predicts of a patch is the mean over its overlapping crops."""
    schedule: Schedule = "constant"
    """How the learning rate changes: ``cosine`` falls to 0 over all steps, ``one_cycle`` rises to
    ``learning_rate`` and then falls to 0, ``plateau`` halves it while the monitor is no better."""
    warmup: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0
    """Share of all steps in which the learning rate rises, at their beginning; .3 of one cycle."""
    weight_decay: NotNegative = 0
    """Share of each weight that a step takes away, times the learning rate; not of biases and
    normalisations. ``adamw`` has .004 if nothing is said, the others have none."""
    class_weights: ClassWeights = "none"
    """``balanced``: in the loss, all classes count as much, however many items have them."""
    patience_steps: Annotated[int, Field(ge=0, strict=True)] = 0
    """Batches without a better value of the monitor that there have to be as well before the
    training stops: for few items, whose epochs are short."""
    ties: Literal["first", "loss"] = "first"
    """Which of the epochs with the same best value of the monitor is kept: the first of them, or
    the one with the lowest validation loss, which then counts as better."""

    @property
    def changes_rate(self) -> bool:
        """Whether the learning rate is not the same in all steps."""
        return self.schedule != "constant" or self.warmup > 0


class AugmentSection(Section):
    """How the samples of a training are changed, anew in each epoch; nothing is if all are 0."""

    time_masks: Annotated[int, Field(ge=0, strict=True)] = 0
    """Stretches of time that are masked in each patch (SpecAugment)."""
    time_mask: NotNegative = 0
    """Seconds that such a stretch has at most."""
    frequency_masks: Annotated[int, Field(ge=0, strict=True)] = 0
    """Bands of bins that are masked in each patch (SpecAugment)."""
    frequency_mask: Annotated[int, Field(ge=0, strict=True)] = 0
    """Bins that such a band has at most."""
    mixup: NotNegative = 0
    """Two samples and their targets are mixed, in shares from a beta distribution with this alpha
    (mixup); of items with several inputs all are mixed in the same shares."""
    gain: NotNegative = 0
    """Decibels by which patches become louder or quieter, at most."""
    shift: NotNegative = 0
    """Seconds by which patches are rolled in time, at most."""

    @property
    def of_patches(self) -> dict[str, float]:
        """What changes patches and nothing else: parameter → its value, where it is not 0."""
        values = self.model_dump(exclude={"mixup"})
        return {name: value for name, value in values.items() if value}


class TwoTowerSection(Section):
    """The users of a network that learns from plays: it gives items a vector and a bias."""

    users: UserVectors = "free"
    """Vectors of users: learnt (``free``), their ALS factors as they are (``als``), or sums of the
    vectors of the items that they played (``history``)."""
    count_feature: bool = True
    """Whether an item's number of non-zero features is a feature itself."""
    users_a_step: Count = 4096
    """Users of a step, at most; of more that have one of its items, so many are drawn."""
    residual: Literal["none", "ridge"] = "none"
    """Learn what a ridge on plays, fitted without the item, leaves over; its scores are added."""


class EvaluationSection(Section):
    """What an evaluation shows beside the usual figures; the training does not depend on it."""

    k: tuple[CutOff, ...] = ()
    """Further k to cut rankings at, beside those of ``--k``."""
