"""Check, train, predict and evaluate, one after the other."""

from tartarus_cli.evaluation.class_scores import required_splits
from tartarus_cli.evaluation.evaluate import evaluate
from tartarus_cli.evaluation.report import Evaluation, EvaluationOptions, check_evaluation_options
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.store import Store
from tartarus_cli.prediction.predict import Pool, PredictOptions, predict
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.training.train import train


def run(
    workspace: WorkspacePaths,
    request: TrainingRequest,
    options: EvaluationOptions,
    *,
    pool: Pool = "mean",
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
    model = train(Store(workspace), request, evaluated=True, progress=progress)
    for split in required_splits(model):
        predict(model, PredictOptions(split=split, pool=pool), progress=progress)
    return evaluate(model, options, progress=progress)
