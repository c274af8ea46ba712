"""What a model has to beat: baselines trained, predicted and evaluated beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from tartarus_cli.baselines import BASELINES
from tartarus_cli.errors import TartarusError
from tartarus_cli.evaluation.class_scores import required_splits
from tartarus_cli.evaluation.evaluator import evaluate_predictions
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.requirements import complete_settings, word_settings
from tartarus_cli.experiments.resolve import resolve, to_table
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.models.staleness import matches_training_input
from tartarus_cli.models.store import Model, Store
from tartarus_cli.prediction.predict import PredictOptions, predict
from tartarus_cli.progress import UNWATCHED, Progress, Task
from tartarus_cli.training.train import train
from tartarus_cli.workspace import Kind, Workspace, WorkspaceFiles

BESIDE = {  # task → what is trained beside a model; random and oracle rows are there anyway
    "recommendation": ("popularity", "knn", "ridge"),
    "multilabel": ("knn", "ridge", "prior"),
    "multiclass": ("knn", "ridge", "prior"),
}
TAGS = ("tags", "labels", "genres")  # what a setting is called whose columns may be popular


@dataclass(frozen=True)
class QuietProgress:
    """Passes on what is under way and what is wrong; the rest was told of the model already."""

    progress: Progress

    def say(self, message: str) -> None:
        """Drop the message."""

    def warn(self, message: str) -> None:
        """Tell something that may be a mistake of the user's."""
        self.progress.warn(message)

    def task(self, description: str, total: int) -> AbstractContextManager[Task]:
        """Begin a piece of work of ``total`` units."""
        return self.progress.task(description, total)


@dataclass(frozen=True)
class _Wanted:
    """A baseline to put beside a model."""

    name: str
    settings: tuple[str, ...]


def evaluate_baselines(
    workspace: Workspace,
    model: Model,
    options: EvaluationOptions,
    progress: Progress = UNWATCHED,
) -> dict[str, dict[str, float]]:
    """Return the figures of the baselines that fit a model, judged as the model is.

    A baseline that was trained before, with the same settings, targets and seed and from the same
    files, is taken again. One that cannot be made is left out, and that is told.

    Parameters
    ----------
    workspace
        Where the model is and the baselines go.
    model
        What they are compared with: its dataset, targets, settings and seed are theirs.
    options
        How the model is evaluated.
    progress
        Told of each baseline.
    """
    alone = replace(options, baselines=False, resume=False, merge=False)
    quiet = QuietProgress(progress)
    rows: dict[str, dict[str, float]] = {}
    for wanted in _fitting(workspace.scan(), model, progress):
        try:
            found = train_or_reuse(workspace, model, wanted, progress)
            for split in required_splits(workspace, found):
                predict(workspace, found.name, PredictOptions(split=split), progress=quiet)
            how = replace(alone, references=not found.manifest.beside)
            judged = evaluate_predictions(workspace, found.name, how, progress=quiet)
        except TartarusError as problem:
            progress.warn(f"the baseline {wanted.name} is left out: {problem}")
            continue
        rows[wanted.name] = judged.metrics
    return rows


def _fitting(inventory: WorkspaceFiles, model: Model, progress: Progress) -> Iterator[_Wanted]:
    """Choose the baselines that a model of this task, and on these inputs, can have."""
    for name in BESIDE[model.experiment.dataset.task]:
        if name == model.experiment.network.name:
            continue
        settings = _settings_for(name, inventory, model, progress)
        if settings is not None:
            yield _Wanted(name, settings)


def _settings_for(
    name: str, inventory: WorkspaceFiles, model: Model, progress: Progress
) -> tuple[str, ...] | None:
    """Return the settings for a baseline; None if there is nothing that it could read."""
    if name == "prior":
        return ()
    if name == "popularity":
        return _tags(inventory, model, progress)
    kinds = [kind for kind in model.experiment.inputs.kinds if kind != "features"]
    if kinds or not model.manifest.settings:
        inputs = ", ".join(dict.fromkeys(kinds)) or "no setting"
        progress.say(f"{name} is left out: {model.name} reads {inputs}, and {name} feature vectors")
        return None
    return tuple(model.manifest.settings)


def _tags(inventory: WorkspaceFiles, model: Model, progress: Progress) -> tuple[str, ...] | None:
    """Return the setting whose columns are tags: one of the model's, else one of the dataset."""
    words = word_settings(inventory, model.manifest.dataset)
    complete = complete_settings(inventory, model.manifest.dataset)
    for setting in (*model.manifest.settings, *(each for each in TAGS if each in complete)):
        if setting in TAGS and setting not in words:
            progress.say(f"popularity is that of the {setting}")
            return (setting,)
    told = f"no setting of {model.manifest.dataset} is called {', '.join(TAGS)}"
    progress.say(f"popularity is left out: {told}")
    return None


def train_or_reuse(
    workspace: Workspace, model: Model, wanted: _Wanted, progress: Progress
) -> Model:
    """Return a baseline beside a model: one that is there already, or a new one."""
    inventory = workspace.scan()
    experiment = _experiment(model, wanted.name)
    order = TrainingRequest(experiment, wanted.settings, model.manifest.seed)
    for each in reversed(Store(workspace).finished()):
        if _is_the_same(inventory, each, order):
            progress.say(f"{wanted.name}: {each.name} is taken")
            return each
    found = train(
        workspace, order, evaluated=True, beside=model.name, progress=QuietProgress(progress)
    )
    progress.say(f"{wanted.name}: {found.name} is trained")
    return found


def _experiment(model: Model, name: str) -> Experiment:
    """Return a baseline as an experiment on the dataset and the targets of a model."""
    own = model.experiment
    kind = "class" if name == "prior" else own.targets.kind
    said = [f"dataset.task={own.dataset.task}", f"targets.kind={kind}"]
    if kind == own.targets.kind:
        said.append(f"targets.dim={own.targets.dim}")
    baseline = BASELINES.get(name)
    if baseline.learns and kind == own.targets.kind:
        said.append(f"targets.normalize={str(own.targets.normalize).lower()}")
    share = getattr(own.training, "validation", None)
    if baseline.validates and share is not None:
        said.append(f"training.validation={share}")
    return resolve(name, dataset=own.dataset.name, overrides=said)


def _is_the_same(inventory: WorkspaceFiles, found: Model, order: TrainingRequest) -> bool:
    """Whether a model is this baseline, of these settings and seed, and of files as they are."""
    manifest = found.manifest
    if manifest.kind != "baseline" or manifest.experiment != order.experiment.name:
        return False
    if (manifest.settings, manifest.seed) != (list(order.settings), order.seed):
        return False
    return same_parameters(found, order.experiment) and not _changed(inventory, found)


def same_parameters(found: Model, experiment: Experiment) -> bool:
    """Compare parameters, but for the number of classes, which is that of the dataset."""
    try:
        tables = [to_table(found.experiment), to_table(experiment)]
    except TartarusError:
        return False
    kind = experiment.targets.kind
    for table in tables:
        for name in ("description", "note", "extends"):
            table.pop(name, None)
        if kind == "class":
            del table["targets"]["dim"]
    return tables[0] == tables[1]


def _changed(inventory: WorkspaceFiles, found: Model) -> bool:
    """Whether a file is not what it was, or there are plays now that there were not."""
    root, recorded = inventory.workspace.root, found.manifest.inputs
    paths = [root / name for name in recorded]
    if not all(path.is_file() for path in paths):
        return True
    plays = inventory.find(Kind.TRAIN_MATRIX, dataset=found.manifest.dataset)
    reads_plays = found.baseline is not None and found.baseline.plays
    recommends = found.manifest.task == "recommendation"
    if plays and reads_plays and recommends and plays.path not in paths:
        return True
    return not all(matches_training_input(found, path) for path in paths)
