"""Models that were trained before, in place of the same training again."""

from __future__ import annotations

from pathlib import Path

from tartarus_cli.baselines.blend import BlendOptions
from tartarus_cli.data.patches import read_fingerprint
from tartarus_cli.errors import TartarusError
from tartarus_cli.experiments.inference import infer_task
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.resolve import experiment_names, resolve, to_table
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import SPLITS, Kind, parse_path
from tartarus_cli.models.staleness import changed_masks, matches_training_input
from tartarus_cli.models.store import Model, Store
from tartarus_cli.training.records import code_hashes


def find_trained(store: Store, request: TrainingRequest) -> Model | None:
    """Return the newest model that a training would give again; None if there is none.

    It has the same experiment, settings and seed, and was trained on files as they are now. What
    draws nothing, such as a ridge regression, is the same model for all seeds.

    Parameters
    ----------
    store
        The models of a workspace.
    request
        What would be trained; the experiment has the sizes of its dataset.
    """
    models = reversed(store.finished())
    return next((model for model in models if is_reusable(model, request)), None)


def is_reusable(model: Model, request: TrainingRequest) -> bool:
    """Whether a model is what a request would train, from files as they are."""
    if not is_of_request(model, request) or _has_changed_inputs(model):
        return False
    return not (model.manifest.blends and _lacks_part(model))


def is_of_request(model: Model, request: TrainingRequest) -> bool:
    """Whether a model was trained by a request, or began to be; its inputs are not looked at."""
    manifest = model.manifest
    kind = "network" if request.experiment.baseline is None else "baseline"
    if (manifest.kind, manifest.experiment) != (kind, request.experiment.name):
        return False
    if manifest.code and manifest.code != code_hashes(model.workspace, request):
        return False  # to look closer, its code would have to run, which nobody named
    if manifest.settings != list(request.settings):
        return False
    if not same_parameters(model, request.experiment) or _has_changed_inputs(model):
        return False
    if manifest.seed != request.seed and draws(model):
        return False
    return not (model.manifest.blends and _lacks_part(model))


def draws(model: Model) -> bool:
    """Whether a model would be another one with another seed.

    A network is; so is what learns from shuffled features, or blends what draws. Models that a
    blend names, instead of experiments, are the same for all seeds.
    """
    if model.baseline is None or model.manifest.shuffled:
        return True
    if not model.baseline.blends:
        return model.baseline.draws
    options = model.experiment.network
    named = options.parts if isinstance(options, BlendOptions) else ()
    return any(draws(part) for part, _ in model.parts if part.name not in named)


def _lacks_part(model: Model) -> bool:
    """Whether a blend left out a part whose factors the dataset did not have, and now has."""
    options, dataset = model.experiment.network, model.dataset
    if not isinstance(options, BlendOptions):
        return False
    folder = model.workspace.experiments
    for name in {*options.names} & {*experiment_names(folder)}:
        experiment = resolve(
            name,
            folder=folder,
            dataset=dataset.name,
            infer=lambda _, baseline: infer_task(dataset, baseline),
        )
        files = dataset.select(Kind.TARGETS, split="train", fact=experiment.targets.kind)
        read = {model.workspace.root / path for path in model.manifest.inputs}
        if files and not {file.path for file in files} & read:
            return True
    return False


def same_parameters(model: Model, experiment: Experiment) -> bool:
    """Whether a model has the parameters of an experiment that its training depends on.

    The number of classes is not compared: it is that of the dataset.
    """
    try:
        tables = [to_table(model.experiment), to_table(experiment)]
    except TartarusError:
        return False
    kind = experiment.targets.kind
    for table in tables:
        for name in ("description", "note", "extends", "evaluation", "tune"):
            table.pop(name, None)
        if kind == "class":
            del table["targets"]["dim"]
    return tables[0] == tables[1]


def _has_changed_inputs(model: Model) -> bool:
    """Whether a file has changed, or there are plays or masks now that it would read."""
    paths = [model.workspace.root / name for name in model.manifest.inputs]
    if not all(path.is_file() for path in paths):
        return True
    baseline, recommends = model.baseline, model.manifest.task == "recommendation"
    if baseline is not None and baseline.plays and recommends:
        kinds = [Kind.TRAIN_MATRIX]
        if baseline.judged and model.dataset.find(Kind.TRAIN_MATRIX):
            kinds += [Kind.VAL_MATRIX] * ("val" in model.dataset.splits)
        files = [model.dataset.find(kind) for kind in kinds]
        if any(file is not None and file.path not in paths for file in files):
            return True
    if changed_masks(model, SPLITS):
        return True
    return not all(is_unchanged(model, path) for path in paths)


def is_unchanged(model: Model, path: Path) -> bool:
    """Whether a file is as in the training; of patches, how they were made and scaled counts."""
    file = parse_path(path, "patches")
    if file is not None and file.kind is Kind.PATCHES:
        fingerprint = read_fingerprint(path)
        if fingerprint:
            return model.manifest.inputs[model.workspace.relative(path)] == fingerprint
    return matches_training_input(model, path)
