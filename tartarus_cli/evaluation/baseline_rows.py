"""The baselines that a model has to beat: trained, predicted and evaluated as the model is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tartarus_cli.baselines import BASELINES
from tartarus_cli.baselines.ridge import VALIDATED
from tartarus_cli.data.artists import read_artists
from tartarus_cli.data.plays import has_plays
from tartarus_cli.data.targets import reference_factors
from tartarus_cli.data.tasks import PLAYS_KIND, TargetSpec
from tartarus_cli.errors import DataError, TartarusError
from tartarus_cli.evaluation.class_scores import required_splits
from tartarus_cli.evaluation.evaluator import evaluate_predictions, merge_cut_offs
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.requirements import word_settings
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import Kind
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.predict import PredictOptions, predict
from tartarus_cli.progress import UNWATCHED, Progress, QuietProgress
from tartarus_cli.training.reuse import find_trained
from tartarus_cli.training.train import train

BASELINES_OF = {
    "recommendation": ("popularity", "artist_mean", "knn", "ridge"),
    "multilabel": ("knn", "ridge", "logistic", "prior"),
    "multiclass": ("knn", "ridge", "logistic", "prior"),
}
"""Task → the baselines of a model; an evaluation has rows of random and oracle anyway."""

TAG_SETTINGS = ("tags", "labels", "genres")
"""Names of settings whose columns are tags, which can be popular."""


@dataclass(frozen=True)
class BaselineRows:
    """The figures of baselines, and what each of them chose by validation items."""

    rows: dict[str, dict[str, float]]
    """Baseline → metric → value."""
    chosen: dict[str, dict[str, int | float | str]]
    """Baseline → what it chose, by name; none that chose nothing."""


def evaluate_baselines(
    model: Model, options: EvaluationOptions, progress: Progress = UNWATCHED
) -> BaselineRows:
    """Return the figures of the baselines that fit a model.

    A baseline that was trained before, with the same settings, targets and seed and from the same
    files, is reused. One that cannot be trained is left out, and that is reported.

    Parameters
    ----------
    model
        The model to compare them with; they have its dataset, targets, settings and seed.
    options
        How the model is evaluated.
    progress
        Reports each baseline.
    """
    k = merge_cut_offs(model.experiment, options)
    options = replace(options, k=k, baselines=False, resume=False, merge=False)
    quiet = QuietProgress(progress)
    beside = BaselineRows({}, {})
    for name, settings in baselines_for(model, progress):
        try:
            baseline = train_or_reuse(model, name, settings, progress)
            for split in required_splits(baseline):
                predict(baseline, PredictOptions(split=split), progress=quiet)
            adapted = replace(options, references=not baseline.manifest.compared_with)
            evaluation = evaluate_predictions(baseline, adapted, progress=quiet)
        except TartarusError as problem:
            progress.warn(f"the baseline {name} is left out: {problem}")
            continue
        beside.rows[name] = evaluation.metrics
        if baseline.manifest.chosen:
            beside.chosen[name] = baseline.manifest.chosen
        elif name == "knn" and model.experiment.dataset.task == "recommendation":
            dataset = model.manifest.dataset
            progress.say(f"knn is not tuned: too few items of {dataset} could validate")
    return beside


def baselines_for(model: Model, progress: Progress) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Choose the baselines, and their settings, that a model of this task and inputs can have.

    Parameters
    ----------
    model
        The model; that it is trained is not needed.
    progress
        Receives which are left out, and why.

    Yields
    ------
    The name of a baseline, and its settings.
    """
    names: Sequence[str] = BASELINES_OF[model.experiment.dataset.task]
    recommends = model.experiment.dataset.task == "recommendation"
    if recommends and model.experiment.patches is not None and has_plays(model.dataset, "train"):
        names = (*names, "ridge_plays")
    for name in names:
        if name == model.experiment.network.name:
            continue
        settings = _settings_for(name, model, progress)
        if settings is not None:
            yield name, settings


def _settings_for(name: str, model: Model, progress: Progress) -> tuple[str, ...] | None:
    """Return the settings for a baseline; None if there is nothing that it could read."""
    if name == "prior":
        return ()
    if name == "popularity":
        return _tag_setting(model, progress)
    if name == "artist_mean":
        return _no_setting_but_artists(model, progress)
    patches = model.experiment.patches is not None
    kinds = [kind for kind in model.experiment.inputs.kinds if kind not in ("features", "patches")]
    if kinds or not (model.manifest.settings or patches):
        inputs = ", ".join(dict.fromkeys(kinds)) or "no setting"
        progress.say(f"{name} is left out: {model.name} reads {inputs}, and {name} feature vectors")
        return None
    if name == "ridge" and _factor_spec(model, name) is None:
        progress.say(f"ridge is left out: {model.manifest.dataset} has no factors to learn")
        return None
    return tuple(model.manifest.settings)


def _factor_spec(model: Model, name: str) -> TargetSpec | None:
    """Return what a baseline learns: as the model or, if it learns no plays, factors of them."""
    spec = model.experiment.target_spec
    if spec.kind == PLAYS_KIND and PLAYS_KIND not in BASELINES.get(name).kinds:
        return reference_factors(model.dataset)
    return spec


def _no_setting_but_artists(model: Model, progress: Progress) -> tuple[str, ...] | None:
    """Return no settings, or None where artists are unknown or say nothing of the test items."""
    dataset = model.dataset
    if dataset.find(Kind.ARTISTS) is None:
        return None
    try:
        train, test = ({*read_artists(dataset, dataset.ids(s))[1]} for s in ("train", "test"))
    except DataError as problem:
        progress.warn(f"the baseline artist_mean is left out: {problem}")
        return None
    if train & test - {""}:
        return ()
    progress.say("artist_mean is left out: no artist of a test item has a train item")
    return None


def _tag_setting(model: Model, progress: Progress) -> tuple[str, ...] | None:
    """Return the setting whose columns are tags: one of the model's, else one of the dataset."""
    words = word_settings(model.dataset)
    complete = [name for name in TAG_SETTINGS if name in model.dataset.complete_settings]
    for setting in (*model.manifest.settings, *complete):
        if setting in TAG_SETTINGS and setting not in words:
            progress.say(f"popularity is that of the {setting}")
            return (setting,)
    names = f"{', '.join(TAG_SETTINGS[:-1])} or {TAG_SETTINGS[-1]}"
    gap = f"no setting of {model.manifest.dataset} is called {names}"
    progress.say(f"popularity is left out: {gap}")
    return None


def find_baseline(model: Model, name: str) -> Model | None:
    """Return the baseline of a name that a model was compared with; None if it is gone."""
    settings = _settings_for(name, model, UNWATCHED)
    if settings is None:
        return None
    request = TrainingRequest(_experiment(model, name), settings, model.manifest.seed)
    return find_trained(model.store, request)


def train_or_reuse(model: Model, name: str, settings: tuple[str, ...], progress: Progress) -> Model:
    """Return a baseline to compare a model with: one that was trained before, or a new one.

    Parameters
    ----------
    model
        The model to compare it with.
    name
        The baseline.
    settings
        The settings that the baseline reads.
    progress
        Reports which model is used.
    """
    request = baseline_request(model, name, settings)
    candidate = find_trained(model.store, request)
    if candidate is not None:
        progress.say(f"{name}: {candidate.name} is used again")
        return candidate
    quiet = QuietProgress(progress)
    trained = train(model.store, request, evaluated=True, compared_with=model.name, progress=quiet)
    progress.say(f"{name}: {trained.name} is trained")
    return trained


def baseline_request(model: Model, name: str, settings: tuple[str, ...]) -> TrainingRequest:
    """Return what trains a baseline to compare a model with."""
    return TrainingRequest(_experiment(model, name), settings, model.manifest.seed)


def _is_published(experiment: Experiment) -> bool:
    """Whether a model learns and ranks as in the papers: so do its baselines, then."""
    return experiment.targets.kind != PLAYS_KIND and experiment.scoring == "cosine"


def _experiment(model: Model, name: str) -> Experiment:
    """Return a baseline as an experiment on the dataset and the targets of a model."""
    original, baseline = model.experiment, BASELINES.get(name)
    spec = _factor_spec(model, name) or original.target_spec
    kind = spec.kind if len(baseline.kinds) > 1 else baseline.kinds[0]
    overrides = [f"dataset.task={original.dataset.task}", f"targets.kind={kind}"]
    if kind == spec.kind != PLAYS_KIND:
        overrides.append(f"targets.dim={spec.dim}")
    if spec.kind == "als" and VALIDATED in baseline.scorings and not _is_published(original):
        overrides.append(f"scoring={VALIDATED}")
    elif baseline.learns and kind == original.targets.kind != PLAYS_KIND:
        overrides.append(f"targets.normalize={str(original.targets.normalize).lower()}")
    if original.patches is not None and baseline.reads_patches:
        kinds = "patches" if {*original.inputs.kinds} == {"patches"} else '["patches", "features"]'
        patches = original.patches
        overrides += [f"inputs.kind={kinds}", f"patches.per_item={patches.per_item}"]
        overrides += [f"patches.seconds={patches.seconds}", f'patches.name="{patches.name}"']
    share = getattr(original.training, "validation", None)
    if baseline.validates and share is not None:
        overrides.append(f"training.validation={share}")
    experiment = resolve(name, dataset=original.dataset.name, overrides=overrides)
    return experiment.with_settings(len(model.manifest.settings))
