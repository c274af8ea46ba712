"""Everything the user sees: the only package that prints."""

from tartarus_cli.cli.render.check import checked
from tartarus_cli.cli.render.console import confirmed, error, interrupted, version
from tartarus_cli.cli.render.evaluation import evaluation
from tartarus_cli.cli.render.experiments import experiment, experiments
from tartarus_cli.cli.render.models import deleted, made, model, models, predicted, trained
from tartarus_cli.cli.render.progress import Watching

__all__ = [
    "Watching",
    "checked",
    "confirmed",
    "deleted",
    "error",
    "evaluation",
    "experiment",
    "experiments",
    "interrupted",
    "made",
    "model",
    "models",
    "predicted",
    "trained",
    "version",
]
