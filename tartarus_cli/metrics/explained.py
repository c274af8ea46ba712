"""What each figure is, in words: its formula and where that comes from."""

import re
from inspect import getdoc

from tartarus_cli.metrics import METRICS, lists

OF_LISTS = {"C": lists.coverage, "Gini": lists.gini, "novelty": lists.self_information}
OF_CLASSES = {
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


def explain(figure: str, *, classes: bool) -> str:
    """Return what a figure is.

    Parameters
    ----------
    figure
        Its name in the tables, such as ``MAP@500``.
    classes
        Whether it is of a classification, where items stand for users and classes for items.

    Examples
    --------
    >>> explain("HR@3", classes=False)
    'HR@k: 1 if a relevant item stands among the first k (Deshpande and Karypis, TOIS 2004).'
    """
    name = re.sub(r"@\d+", "", figure)
    if classes and name in OF_CLASSES:
        return OF_CLASSES[name]
    told = getdoc(OF_LISTS[name] if name in OF_LISTS else METRICS.get(name).measure) or ""
    words = " ".join(told.partition("\n\nParameters")[0].partition(">>>")[0].split())
    said = words.replace("``", "")
    return said[7:8].upper() + said[8:] if said.startswith("Return ") else said
