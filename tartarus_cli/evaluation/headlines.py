"""The metrics that matter most."""

from tartarus_cli.data.tasks import Task

HEADLINES: dict[Task, tuple[str, ...]] = {
    "recommendation": (
        *("MAP@500", "ROC-AUC", "MRR", "P@1", "nDCG@5", "C@5"),
        *("R@20", "nDCG@20", "HR@20"),
    ),
    "multilabel": ("ROC-AUC", "PR-AUC", "P@1", "nDCG@5", "f1_macro", "LRAP"),
    "multiclass": ("accuracy", "ROC-AUC", "f1_macro"),
}
"""Task → the metrics that a paper shows, the most important one first; some may be missing."""


def headline(task: str) -> str:
    """Return the most important metric of a task; an empty text for an unknown task.

    >>> headline("multiclass")
    'accuracy'
    """
    return next((metrics[0] for name, metrics in HEADLINES.items() if name == task), "")
