"""The parameters of an experiment, each with its type, its default and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tartarus_cli.architectures import ARCHITECTURES, Architecture, NetworkOptions
from tartarus_cli.baselines import BASELINES, Baseline, BaselineOptions
from tartarus_cli.data.tasks import PLAYS_KIND, ScoringChoice, TargetSpec
from tartarus_cli.experiments.combinations import check_augment, check_training
from tartarus_cli.experiments.defaults import fill_baseline, fill_network
from tartarus_cli.experiments.ranges import check_ranges
from tartarus_cli.experiments.sections import (
    TARGETS_OF,
    AugmentSection,
    DatasetSection,
    EmptyTrainingSection,
    EvaluationSection,
    InputsSection,
    PatchesSection,
    Section,
    TargetsSection,
    TrainingSection,
    TwoTowerSection,
    ValidationSection,
)
from tartarus_cli.progress import warn


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
    scoring: ScoringChoice = "cosine"
    """How predicted factors of plays rank: divided by their norm as in the papers (``cosine``), as
    they are (``dot``), or with a norm that is learnt beside the direction (``norm``); ``validated``
    chooses one of these by validation items, where the plays of these are known."""
    shuffled: bool = False
    """Whether items have each other's features, permuted within each set: a model that is as good
    with them does not use the content."""
    two_tower: TwoTowerSection | None = None
    """The users of a network that learns from plays; None for all others."""
    training: TrainingSection | ValidationSection | None
    """How it is fitted; None for a baseline that has nothing to set."""
    augment: AugmentSection | None = None
    """How the samples of its training are changed; None: they are not."""
    evaluation: EvaluationSection | None = None
    """What an evaluation shows beside the usual figures; None: nothing."""
    tune: Annotated[dict[str, str], BeforeValidator(check_ranges)] = Field(default_factory=dict)
    """Parameter → the range that a search for good values tries; no training depends on it."""

    @property
    def target_spec(self) -> TargetSpec:
        """Kind and number of the factors or classes that it learns."""
        return TargetSpec(self.targets.kind, self.targets.dim)

    @property
    def reads_user_factors(self) -> bool:
        """Whether it learns from plays, with the factors of users as they are."""
        return self.two_tower is not None and self.two_tower.users == "als"

    @property
    def factor_spec(self) -> TargetSpec:
        """Kind and number of the factors that its predictions are multiplied with."""
        kind = "als" if self.reads_user_factors else self.targets.kind
        return TargetSpec(kind, self.targets.dim)

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
    def cut_offs(self) -> tuple[int, ...]:
        """Further k that its rankings are cut at."""
        return () if self.evaluation is None else self.evaluation.k

    @property
    def settings_needed(self) -> int:
        """How many settings have to be named; an input of patches needs none."""
        return sum(kind != "patches" for kind in self.inputs.kinds)

    @property
    def reads_features(self) -> bool:
        """Whether it reads anything of an item: features or patches."""
        return self.baseline is None or self.baseline.settings[1] != 0

    @property
    def takes_any_settings(self) -> bool:
        """Whether it reads however many settings are named.

        Baselines do, experiments that say so, and networks of features that learn from plays, if
        they take any number of inputs.
        """
        if self.baseline is not None:
            return self.inputs.kind != "patches"
        if self.inputs.count == "any":
            return True
        features = set(self.inputs.kinds) == {"features"}
        return self.two_tower is not None and features and self.architecture.most_inputs is None

    def with_settings(self, count: int) -> Experiment:
        """Return the experiment with as many inputs as it is given settings, if it takes any."""
        if not self.takes_any_settings or (self.baseline is None and not count):
            return self
        inputs = self.inputs.with_settings(count)
        return self.model_copy(update={"inputs": inputs})

    @property
    def takes_fewer_settings(self) -> bool:
        """Whether it stays what it is where some of its settings are left out.

        A network that reads one input of each kind does not.
        """
        if self.baseline is not None:
            return self.patches is None or not self.settings_needed
        return len({*self.inputs.kinds}) == 1 and isinstance(self.architecture.inputs, str)

    def with_fewer_settings(self, count: int) -> Experiment:
        """Return the experiment with so many of its settings, all of which are of one kind."""
        if self.baseline is not None:
            return self.with_settings(count)
        (kind,) = {*self.inputs.kinds}
        return self.model_copy(update={"inputs": InputsSection(kind=kind, count=count)})

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
            return fill_baseline(filled, baseline)
        if isinstance(network, dict) and isinstance(training, dict | None):
            fill_network(filled)
        if isinstance(filled.get("inputs"), dict):
            kind = filled["inputs"].get("kind")
            if "patches" in (kind if isinstance(kind, list | tuple) else [kind]):
                filled.setdefault("patches", {})
                filled.setdefault("augment", {})
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
    def _check_shuffled(self) -> Self:
        if self.shuffled and not self.reads_features:
            msg = f"shuffled = true: {self.network.name} reads no features that could be shuffled"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_scoring(self) -> Self:
        scoring, targets = self.scoring, self.targets
        if scoring == "cosine" or (scoring == "dot" and targets.kind == PLAYS_KIND):
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
        if scoring != "validated" and targets.normalize != (scoring == "norm"):
            msg = f"{key}: targets.normalize has to be {str(scoring == 'norm').lower()}"
            raise ValueError(msg)
        return self

    def _check_scoring_of_network(self, output: str) -> None:
        loss = self.fitting.loss
        if self.scoring == "validated":
            msg = "scoring = validated: a network takes cosine, dot or norm"
            raise ValueError(msg)
        if self.scoring == "dot" and (output, loss) != ("linear", "mean_squared_error"):
            msg = "scoring = dot: a network learns the norm with network.output = linear and "
            msg += "training.loss = mean_squared_error"
            raise ValueError(msg)
        if self.scoring == "norm" and loss != "cosine":
            msg = "scoring = norm: the direction is learnt with training.loss = cosine"
            raise ValueError(msg)

    @model_validator(mode="after")
    def _check_plays(self) -> Self:
        if self.baseline is not None or not isinstance(self.network, NetworkOptions):
            if self.two_tower is not None:
                msg = f"two_tower.*: {self.network.name} is no network, and has no such parameters"
                raise ValueError(msg)
            return self
        training, plays = self.fitting, self.targets.kind == PLAYS_KIND
        if plays != (training.loss == "softmax") or plays != (training.monitor == "val_map"):
            msg = f"targets.kind = {self.targets.kind}: training.loss = softmax and "
            msg += "training.monitor = val_map belong to targets.kind = plays, and to no other"
            raise ValueError(msg)
        if plays and self.network.output != "linear":
            msg = "targets.kind = plays: network.output has to be linear"
            raise ValueError(msg)
        if self.two_tower is None:
            return self
        if not plays:
            msg = "two_tower.*: only experiments whose targets.kind is plays have these parameters"
            raise ValueError(msg)
        self._check_users(self.two_tower)
        return self

    def _check_users(self, users: TwoTowerSection) -> None:
        features = {*self.inputs.kinds} == {"features"}
        hidden: Any = getattr(self.network, "hidden", None)
        if users.users == "history" and not features:
            msg = "two_tower.users = history: inputs.kind has to be features, which are summed up"
            raise ValueError(msg)
        if users.users == "history" and hidden:
            msg = "two_tower.users = history: network.hidden has to be empty ([]), because vectors "
            msg += "of users are sums of those of items only in a linear network"
            raise ValueError(msg)
        gate, dropped = (
            getattr(self.network, "gate", "none"),
            getattr(self.network, "modality_dropout", 0),
        )
        if users.users == "history" and (gate != "none" or dropped):
            msg = "two_tower.users = history: network.gate has to be none, and "
            msg += (
                "network.modality_dropout 0, because vectors of users are sums of those of items "
            )
            msg += "only in a linear network"
            raise ValueError(msg)
        if users.residual == "ridge" and not features:
            msg = "two_tower.residual = ridge: inputs.kind has to be features, which a ridge reads"
            raise ValueError(msg)

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        task, allowed = self.dataset.task, TARGETS_OF[self.dataset.task]
        if self.targets.kind not in allowed:
            msg = f"targets.kind = {self.targets.kind}: {task} takes {' or '.join(allowed)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if self.baseline is None:
            check_training(self, self.fitting)
        if self.augment is not None:
            check_augment(self, self.augment)
        return self

    @model_validator(mode="after")
    def _check_evaluation(self) -> Self:
        if self.cut_offs and self.dataset.task == "multiclass":
            msg = "evaluation.k cuts rankings, and a multiclass task ranks nothing"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        if self.baseline is not None:
            return self
        inputs, network, name = self.inputs, self.architecture, self.network.name
        if inputs.count == "any" and (network.most_inputs or inputs.kinds == ("patches",)):
            msg = f"inputs.count = any: {name} takes {network.most_inputs or 'one of patches'}"
            raise ValueError(msg)
        if network.most_inputs and len(inputs.kinds) > network.most_inputs:
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
