"""What exactly was done in an evaluation: for the reader of its figures."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from tartarus_cli.data.ids import read_ids
from tartarus_cli.data.targets import truth_file
from tartarus_cli.files import digest
from tartarus_cli.metrics.explained import explain
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.workspace import DataFile, Kind, WorkspaceFiles

ComparisonBasis = dict[str, str | int]


def comparison_basis(
    inventory: WorkspaceFiles, predictions: Predictions, users: slice | None, ks: Iterable[int]
) -> ComparisonBasis:
    """Return all that two evaluations must have in common for their figures to be compared."""
    dataset = predictions.wanted.dataset
    test = read_ids(inventory.require(Kind.ITEMS, split="test", dataset=dataset).path)
    truth = _truth(inventory, predictions)
    common: ComparisonBasis = {
        "task": predictions.experiment.dataset.task,
        "dataset": dataset,
        "truth": digest(truth.path) if truth else "",
        "test items": blake2b("\n".join(test).encode(), digest_size=16).hexdigest(),
        "k": ", ".join(map(str, ks)),
    }
    return common | ({"users": f"{users.start}:{users.stop}"} if users else {})


def _truth(inventory: WorkspaceFiles, predictions: Predictions) -> DataFile | None:
    dataset = predictions.wanted.dataset
    if predictions.experiment.dataset.task == "recommendation":
        return inventory.find(Kind.TEST_MATRIX, dataset=dataset)
    return truth_file(inventory, dataset)


def describe_protocol(
    inventory: WorkspaceFiles,
    predictions: Predictions,
    common: ComparisonBasis,
    figures: Iterable[str],
) -> dict[str, Any]:
    """Say what was done: candidates, users or items, scores, ties, k, and each figure's formula."""
    recommends = predictions.experiment.dataset.task == "recommendation"
    card = _of_users(predictions, common) if recommends else _of_items(predictions)
    truth = _truth(inventory, predictions)
    named = truth.path.name if truth else ""
    relevant = "an item is relevant to a user" if recommends else "an item has a class"
    return {
        **card,
        "truth": f"{named} (BLAKE2b {common['truth']}): {relevant} where the entry is over 0",
        "k": f"{common['k'] or 'none'}, and 500 for MAP" if recommends else common["k"] or "none",
        "test set": _who_reads_it(predictions),
        "figures": {each: explain(each, classes=not recommends) for each in figures},
    }


def _who_reads_it(predictions: Predictions) -> str:
    if predictions.model is None:
        return "the predictions were made elsewhere; what they were made from is not known here"
    baseline = predictions.experiment.baseline
    if baseline is not None and baseline.sees_truth:
        return "what is predicted are the true factors of the test items themselves"
    alone = "training, early stopping, scaling and thresholds see train and validation items alone"
    return f"read by nothing but this evaluation: {alone}"


def _of_users(predictions: Predictions, common: ComparisonBasis) -> dict[str, str]:
    items, absent = predictions.values.shape[0], int(predictions.absent.sum())
    return {
        "candidates": f"all {items:,} test items of {predictions.wanted.dataset}, for every user; "
        "none is sampled or left out",
        "users": f"{common['users']} (counted from 0, the last not included); those without "
        "relevant test items count as 0 where a figure does not say otherwise",
        "scores": _SCORES[predictions.form, predictions.wanted.fact == "pmi"],
        "ranks": "counted in float32, one more than the items scored above; no list is cut off",
        "ties": "equal scores keep the order of the test ids",
        "without a prediction": f"{absent:,} items; they rank last",
        "random": "the items in a random order for each user, from the seed and the user's number",
        "oracle": "the test items' true factors, scored in the same way",
    }


_SCORES = {
    ("factors", False): "predicted factors divided by their L2 norm, times the user's factors",
    ("factors", True): "cosine of predicted factors and the user's factors",
} | {
    (form, cosine): said
    for cosine in (False, True)
    for form, said in {
        "neighbours": "summed similarity to the nearest train items that the user has",
        "scores": "one score for each item, the same for every user",
    }.items()
}


def _of_items(predictions: Predictions) -> dict[str, str]:
    items, absent = predictions.values.shape[0], int(predictions.absent.sum())
    pmi = "cosine of predicted factors and the label's factors"
    several = predictions.experiment.dataset.task == "multilabel"
    chosen = "those whose score reaches the class's threshold" if several else "the highest score"
    return {
        "candidates": f"all classes, for each of the {items:,} test items of "
        f"{predictions.wanted.dataset}",
        "scores": pmi if predictions.wanted.fact == "pmi" else "as predicted, one for each class",
        "predicted classes": chosen,
        "ties": "equal scores keep the order of the classes",
        "in the words below": "a user stands for an item here, and an item for a class",
        "without a prediction": f"{absent:,} items; they count as wrong",
        "random": "scores drawn from the seed",
    }
