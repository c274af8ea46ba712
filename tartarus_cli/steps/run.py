"""Check, train, predict, evaluate."""

from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.steps.evaluate import (
    Evaluation,
    EvaluationOptions,
    check_options,
    evaluate_model,
)
from tartarus_cli.steps.experiments import Order
from tartarus_cli.steps.predict import Pool, PredictOptions, predict
from tartarus_cli.steps.train import train
from tartarus_cli.workspace import Workspace


def run(
    workspace: Workspace,
    order: Order,
    options: EvaluationOptions,
    *,
    pool: Pool = "mean",
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Train a model on the train items, predict the test items, and evaluate the predictions."""
    check_options(options, order.experiment.dataset.task)
    model = train(workspace, order, evaluated=True, progress=progress)
    predict(workspace, model.name, PredictOptions(pool=pool), progress=progress)
    return evaluate_model(workspace, model.name, options, progress=progress)
