"""What is asked of an evaluation, and what it answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tartarus_cli.data.tasks import Task
from tartarus_cli.errors import RequestError
from tartarus_cli.evaluation.classification import Thresholds
from tartarus_cli.evaluation.protocol import ComparisonBasis
from tartarus_cli.evaluation.ranking import MEMORY
from tartarus_cli.evaluation.user_metrics import json_metrics
from tartarus_cli.metrics.classification import ClassReport

OF_CLASSES = ("metrics", "rows", "classes", "confusion", "thresholds")  # what is told of them


OF_RANKINGS = ("metrics", "rows", "users_without_relevant", "part")


@dataclass(frozen=True)
class EvaluationOptions:
    """How to evaluate."""

    k: tuple[int, ...] = ()  # cut-offs beside the usual ones
    users: slice = field(default_factory=lambda: slice(None))
    published: bool = False  # add the figures that exist only to compare with the papers
    seed: int | None = None  # of the random row; that of the training if None
    memory: int = MEMORY  # bytes for scores and factors
    references: bool = True  # rank at random and by the true factors too
    resume: bool = False  # take what an interrupted evaluation left
    merge: bool = False  # take all users from parts that were evaluated before
    baselines: bool = False  # train, predict and judge those that fit the model


@dataclass(frozen=True)
class Evaluation:
    """All figures of one set of predictions."""

    model: str | None
    experiment: str
    settings: tuple[str, ...]
    dataset: str
    task: str
    seed: int
    random_seed: int  # of the random row
    items: int
    items_without_prediction: int
    users: int | None
    users_without_relevant: int | None
    metrics: dict[str, float]
    rows: dict[str, dict[str, float]]  # random, oracle
    classes: list[ClassReport]
    confusion: list[list[int]]
    results: Path | None  # where they are kept; None for a part of the users
    thresholds: Thresholds | None = None  # where an item may have several classes
    pictures: tuple[Path, ...] = ()  # relative to the root of the workspace
    embedding: str | None = None  # the last hidden layer of the model, worth reading out
    part: Path | None = None  # where the ranks for a part of the users are kept
    gap_closed: dict[str, dict[str, float]] = field(default_factory=dict)  # of each row
    basis: ComparisonBasis = field(default_factory=dict)  # what others must share to be compared
    protocol: dict[str, Any] = field(default_factory=dict)  # what was done, in words
    fingerprint: str = ""  # hash of the predictions and of all else that the figures depend on

    @property
    def name(self) -> str:
        """What the results are called: as the model, or as the file of predictions."""
        results = self.results.stem if self.results else ""
        return self.model or (self.part.parent.name if self.part else results)

    def document(self) -> dict[str, Any]:
        """Everything as plain values for JSON; a figure that has no value is null."""
        values = asdict(self) | {"settings": list(self.settings)}
        del values["results"], values["embedding"], values["thresholds"], values["part"]
        values["pictures"] = [path.as_posix() for path in self.pictures]
        if self.thresholds is not None:
            values["thresholds"] = self.thresholds.document()
        if self.task == "multiclass":
            confusion = (each for each in values["pictures"] if each.endswith("_confusion.png"))
            values["confusion_picture"] = next(confusion, None)
        if self.task == "recommendation":
            del values["classes"], values["confusion"], values["pictures"]
        values["metrics"] = json_metrics(self.metrics)
        for rows in ("rows", "gap_closed"):
            values[rows] = {name: json_metrics(row) for name, row in getattr(self, rows).items()}
        return values


def check_evaluation_options(options: EvaluationOptions, task: Task) -> None:
    """Make sure that nothing is asked of an evaluation that its task does not have.

    Raises
    ------
    RequestError
        If users are cut out of a classification, or rankings cut where there are none.
    """
    if options.users != slice(None) and task != "recommendation":
        msg = f"--users: a {task} task has no users"
        raise RequestError(msg, hint="Leave it out.")
    if (options.resume or options.merge) and task != "recommendation":
        msg = f"--resume and --merge: a {task} task is evaluated in one go"
        raise RequestError(msg, hint="Leave them out.")
    if (options.k or options.published) and task == "multiclass":
        msg = "--k and --published cut rankings, and a multiclass task ranks nothing"
        raise RequestError(msg, hint="Leave them out.")
