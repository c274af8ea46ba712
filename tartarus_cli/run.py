"""Check, train, predict, evaluate."""

from tartarus_cli.evaluation.class_scores import required_splits
from tartarus_cli.evaluation.evaluate import evaluate_model
from tartarus_cli.evaluation.report import Evaluation, EvaluationOptions, check_evaluation_options
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.prediction.predict import Pool, PredictOptions, predict
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.training.train import train
from tartarus_cli.workspace import Workspace


def run(
    workspace: Workspace,
    order: TrainingRequest,
    options: EvaluationOptions,
    *,
    pool: Pool = "mean",
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Train a model on the train items, predict, and evaluate the predictions."""
    check_evaluation_options(options, order.experiment.dataset.task)
    model = train(workspace, order, evaluated=True, progress=progress)
    for split in required_splits(workspace, model):
        predict(workspace, model.name, PredictOptions(split=split, pool=pool), progress=progress)
    return evaluate_model(workspace, model.name, options, progress=progress)
