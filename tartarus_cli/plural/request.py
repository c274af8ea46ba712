"""What is asked for when one experiment is trained several times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tartarus_cli.data.tasks import Task
from tartarus_cli.errors import RequestError, parameter
from tartarus_cli.evaluation.report import EvaluationOptions, check_evaluation_options
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.machine import now
from tartarus_cli.models.groups import GroupKind, GroupManifest, Member
from tartarus_cli.prediction.predict import Pool
from tartarus_cli.training.control import CHECKPOINT_S
from tartarus_cli.training.records import code_hashes
from tartarus_cli.workspace import Workspace


@dataclass(frozen=True)
class MemberRequest:
    """One training of several."""

    member: Member
    """What the group calls it; it has no model yet."""
    request: TrainingRequest
    """What to train: that of its seed, or on its fold."""


@dataclass(frozen=True)
class GroupRequest:
    """What to train several times, and how to evaluate each model."""

    workspace: Workspace
    kind: GroupKind
    dataset: str
    """The dataset, or the name that its folds have in common."""
    members: tuple[MemberRequest, ...]
    evaluation: EvaluationOptions
    pool: Pool = "mean"
    """How the predictions for an item's patches become one."""
    cluster: str | None = None
    """Who does the work; None: this process, one member after the other."""
    checkpoint_every: float = CHECKPOINT_S
    """Seconds between two checkpoints of a training."""

    def manifest(self) -> GroupManifest:
        """Return the record of a group that begins now."""
        first, options = self.members[0].request, self.evaluation
        return GroupManifest(
            kind=self.kind,
            experiment=first.experiment.name,
            dataset=self.dataset,
            task=first.experiment.dataset.task,
            settings=first.settings,
            overrides=first.overrides,
            code=code_hashes(self.workspace, first),
            options=plain_options(options) | {"pool": self.pool},
            started=now(),
            members=tuple(each.member for each in self.members),
        )


def plain_options(options: EvaluationOptions) -> dict[str, Any]:
    """Return how members are evaluated, as plain values."""
    return {
        "k": list(options.k),
        "published": options.published,
        "ties": options.ties,
        "baselines": options.baselines,
    }


def check_group_options(options: EvaluationOptions, task: Task, *, ablate: bool = False) -> None:
    """Make sure that the figures of a group's members can be put together.

    Raises
    ------
    RequestError
        If some users only are evaluated, or an ablation is asked for, or the options do not fit.
    """
    check_evaluation_options(options, task)
    if options.partial:
        option = parameter("users" if options.shard is None else "shard")
        msg = f"{option} is for one model: figures of several need all users"
        raise RequestError(msg, hint="Leave it out.")
    if options.resume or options.merge:
        option = parameter("resume" if options.resume else "merge")
        msg = f"{option} is for one model, not for a group"
        raise RequestError(msg, hint="Leave it out, or name one of its members.")
    if ablate:
        msg = f"{parameter('ablate')} is for one model, not for several"
        raise RequestError(msg, hint="Ablate a single seed, or one fold, in a command of its own.")
