"""What each metric is, in words: its formula and where that comes from."""

import re
from inspect import getdoc

from tartarus_cli.metrics import METRICS, lists

LIST_FUNCTIONS = {"C": lists.coverage, "Gini": lists.gini, "novelty": lists.self_information}
"""Metric of the lists of all users → the function whose docstring explains it."""

CLASS_DESCRIPTIONS = {
    "accuracy": "The share of items whose class is the one of the highest score.",
    "precision_macro": "Mean over classes of right / predicted (scikit-learn).",
    "recall_macro": "Mean over classes of right / true (scikit-learn).",
    "f1_macro": "Mean over classes of the harmonic mean of precision and recall (scikit-learn).",
    "precision_micro": "Right / predicted over all pairs of an item and a class (scikit-learn).",
    "recall_micro": "Right / true over all pairs of an item and a class (scikit-learn).",
    "f1_micro": "F1 of the micro precision and the micro recall (scikit-learn).",
    "ROC-AUC": "Mean over classes of the area under the ROC curve over items; classes that have "
    "both kinds of items (scikit-learn).",
    "PR-AUC": "Mean over classes of the average precision over items; classes that have items "
    "(scikit-learn).",
    "LRAP": "Label-ranking average precision: mean over items and their classes of the share of "
    "true ones among the classes scored at least as high (scikit-learn).",
    "coverage_error": "How many classes must be read, by falling score, to find all true ones; "
    "mean over items (scikit-learn); lower is better.",
    "calibration_error": "Expected calibration error: Σ over 15 equal bins of confidence of the "
    "bin's share times |accuracy - mean confidence| (Guo et al., ICML 2017); lower is better.",
}


def explain(name: str, *, classes: bool) -> str:
    """Return what a metric is: its formula, and the paper that defines it.

    Parameters
    ----------
    name
        Its name in the tables, such as ``MAP@500``.
    classes
        Whether it is a metric of a classification, where items take the place of users, and classes
        that of items.

    Examples
    --------
    >>> explain("HR@3", classes=False)
    'HR@k: 1 if a relevant item stands among the first k (Deshpande and Karypis, TOIS 2004).'
    """
    metric = re.sub(r"@\d+", "", name)
    if classes and metric in CLASS_DESCRIPTIONS:
        return CLASS_DESCRIPTIONS[metric]
    function = LIST_FUNCTIONS[metric] if metric in LIST_FUNCTIONS else METRICS.get(metric).measure
    summary = (getdoc(function) or "").partition("\n\nParameters")[0].partition(">>>")[0]
    text = " ".join(summary.split()).replace("``", "")
    return text[7:8].upper() + text[8:] if text.startswith("Return ") else text
