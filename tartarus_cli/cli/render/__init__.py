"""Everything the user sees: the only package that prints."""

from tartarus_cli.cli.render.check import check_result
from tartarus_cli.cli.render.comparison import Form, comparison
from tartarus_cli.cli.render.console import confirmed, version
from tartarus_cli.cli.render.doctor import diagnosis
from tartarus_cli.cli.render.embed import embed_result
from tartarus_cli.cli.render.encoders import added_encoder, encoder, encoders
from tartarus_cli.cli.render.evaluation import evaluation, slices
from tartarus_cli.cli.render.experiments import experiment, experiments
from tartarus_cli.cli.render.exports import exported
from tartarus_cli.cli.render.factorize import factorize_result
from tartarus_cli.cli.render.features import features_result
from tartarus_cli.cli.render.fetch import archives, fetched, record
from tartarus_cli.cli.render.folds import each_fold
from tartarus_cli.cli.render.forecast import forecast
from tartarus_cli.cli.render.groups import (
    deleted_group,
    deletion_question,
    deletion_remarks,
    group,
    group_evaluation,
)
from tartarus_cli.cli.render.init import created_workspace
from tartarus_cli.cli.render.log import close_handlers, log_crash, log_shown, open_handlers
from tartarus_cli.cli.render.messages import error, interrupted
from tartarus_cli.cli.render.model_list import models
from tartarus_cli.cli.render.models import (
    deleted,
    model,
    predicted,
    predicted_new,
    trained,
)
from tartarus_cli.cli.render.papers import papers, reproduction
from tartarus_cli.cli.render.patches import patches_picture, patches_result
from tartarus_cli.cli.render.playlists import ListForm, recommended
from tartarus_cli.cli.render.progress import ConsoleProgress
from tartarus_cli.cli.render.split import folded_split_result, split_result
from tartarus_cli.cli.render.studies import studies, study
from tartarus_cli.cli.render.text import text_result

__all__ = [
    "ConsoleProgress",
    "Form",
    "ListForm",
    "added_encoder",
    "archives",
    "check_result",
    "close_handlers",
    "comparison",
    "confirmed",
    "created_workspace",
    "deleted",
    "deleted_group",
    "deletion_question",
    "deletion_remarks",
    "diagnosis",
    "each_fold",
    "embed_result",
    "encoder",
    "encoders",
    "error",
    "evaluation",
    "experiment",
    "experiments",
    "exported",
    "factorize_result",
    "features_result",
    "fetched",
    "folded_split_result",
    "forecast",
    "group",
    "group_evaluation",
    "interrupted",
    "log_crash",
    "log_shown",
    "model",
    "models",
    "open_handlers",
    "papers",
    "patches_picture",
    "patches_result",
    "predicted",
    "predicted_new",
    "recommended",
    "record",
    "reproduction",
    "slices",
    "split_result",
    "studies",
    "study",
    "text_result",
    "trained",
    "version",
]
