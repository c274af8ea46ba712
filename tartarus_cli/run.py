"""Check, train, predict and evaluate, one after the other."""

from dataclasses import replace

from tartarus_cli.ablate import ablate as ablate_model
from tartarus_cli.ablate import check_ablation, find_or_train
from tartarus_cli.evaluation.class_scores import required_splits
from tartarus_cli.evaluation.evaluate import evaluate
from tartarus_cli.evaluation.report import Evaluation, EvaluationOptions, check_evaluation_options
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.store import Model, Store
from tartarus_cli.prediction.predict import Pool, PredictOptions, predict
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.training.control import DEFAULT_CONTROL, TrainingControl
from tartarus_cli.training.train import resume, train


def run(  # noqa: PLR0913 — what the command takes
    workspace: WorkspacePaths,
    request: TrainingRequest,
    options: EvaluationOptions,
    *,
    pool: Pool = "mean",
    ablate: bool = False,
    resumed: Model | None = None,
    control: TrainingControl = DEFAULT_CONTROL,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Train a model on the train items, predict, and evaluate the predictions.

    Parameters
    ----------
    workspace
        Holds the data, and gets the model and its results.
    request
        Experiment, settings and seed.
    options
        How to evaluate.
    pool
        How the predictions for an item's patches become one.
    ablate
        Whether the model is also compared with such of fewer settings, and with one of shuffled
        features. Nothing is trained then that was trained before by the same request.
    resumed
        A model of the request: its training goes on if it was stopped, else what follows it. None:
        one is trained.
    control
        How it is trained.
    progress
        Receives a task for each of the steps, and messages.

    Raises
    ------
    RequestError
        If the experiment cannot be applied to these settings, or evaluated with these options.
    DataError
        If a file is missing, damaged or does not fit the others.
    TrainingError
        If the training diverges.
    """
    check_evaluation_options(options, request.experiment.dataset.task)
    store = Store(workspace)
    if ablate:
        check_ablation(store, request, options)
    if resumed is None:
        model = _model(store, request, control, ablate=ablate, progress=progress)
    elif resumed.manifest.status == "finished":
        model = resumed
        progress.say(f"{model.name} is trained: its predictions and its evaluation follow")
    else:
        model = resume(resumed, evaluated=True, control=control, progress=progress)
    for split in required_splits(model):
        predict(model, PredictOptions(split=split, pool=pool), progress=progress)
    evaluation = evaluate(model, options, progress=progress)
    if not ablate:
        return evaluation
    ablation = ablate_model(model, request, evaluation, options, pool=pool, progress=progress)
    return replace(evaluation, ablation=ablation)


def _model(
    store: Store,
    request: TrainingRequest,
    control: TrainingControl,
    *,
    ablate: bool,
    progress: Progress,
) -> Model:
    """Train a model; take one that was trained before where the rest of the work may be there."""
    if not ablate:
        return train(store, request, evaluated=True, control=control, progress=progress)
    model, reused = find_or_train(store, request, control=control, progress=progress)
    if reused:
        progress.say(f"{model.name} is used again: it was trained by the same request")
    return model
