"""What exactly was done in an evaluation: for the reader of its figures."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from tartarus_cli.data.plays import LIKELY
from tartarus_cli.data.targets import reference_factors
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.file_names import DataFile, Kind
from tartarus_cli.metrics.explained import explain
from tartarus_cli.models.manifest import UserSource
from tartarus_cli.models.user_vectors import HISTORY_EXPONENT
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.scoring.relevant import TieBreaking

ComparisonBasis = dict[str, str | int]
"""What two evaluations must have in common for their figures to be compared."""

Protocol = dict[str, str | dict[str, str]]
"""What was done, in words; under ``figures`` a dictionary: metric → its formula and source."""

USERS: dict[UserSource, str] = {
    "factors": "the user's ALS factors",
    "own": "the user's, learnt together with it",
    "history": "the sum of the vectors of the train items that the user has, divided by their "
    f"number to the power of {HISTORY_EXPONENT}",
}
"""Source of the users' vectors → what an item's vector is multiplied by."""


def comparison_basis(
    predictions: Predictions, users: slice | None, ks: Iterable[int], ties: TieBreaking
) -> ComparisonBasis:
    """Return all that two evaluations must have in common for their figures to be compared.

    Parameters
    ----------
    predictions
        The predictions that are evaluated.
    users
        The users ranked for; None for a classification.
    ks
        Where lists are cut; empty where there are none.
    ties
        How ties are broken.
    """
    dataset = predictions.dataset
    truth = _truth_file(predictions)
    basis: ComparisonBasis = {
        "task": predictions.task,
        "dataset": dataset.name,
        "truth": dataset.digest(truth.path) if truth else "",
        "test items": blake2b("\n".join(dataset.ids("test")).encode(), digest_size=16).hexdigest(),
        "k": ", ".join(map(str, ks)),
    }
    if basis["k"]:
        basis["ties"] = ties
    return basis | ({"users": f"{users.start}:{users.stop}"} if users else {})


def _truth_file(predictions: Predictions) -> DataFile | None:
    if predictions.task == "recommendation":
        return predictions.dataset.find(Kind.TEST_MATRIX)
    return predictions.dataset.class_truth


def describe_protocol(
    predictions: Predictions,
    basis: ComparisonBasis,
    metrics: Iterable[str],
    seed: int,
) -> Protocol:
    """Say what was done: candidates, users or items, scores, ties, k, and each figure's formula.

    Parameters
    ----------
    predictions
        The predictions that were evaluated.
    basis
        What :func:`comparison_basis` returns for them.
    metrics
        The names of the figures.
    seed
        Of the random row and of the order of ties.
    """
    recommends = predictions.task == "recommendation"
    steps = (
        _of_users(predictions, basis, seed) if recommends else _of_items(predictions, basis, seed)
    )
    truth = _truth_file(predictions)
    file_name = truth.path.name if truth else ""
    relevant = "an item is relevant to a user" if recommends else "an item has a class"
    ks = str(basis["k"])
    return {
        **steps,
        "truth": f"{file_name} (BLAKE2b {basis['truth']}): {relevant} where the entry is over 0",
        "k": f"{ks or 'none'}, and 500 for MAP" if recommends else ks or "none",
        **_accepted_inputs(predictions),
        "test set": _readers_of_test_set(predictions),
        "figures": {name: explain(name, classes=not recommends) for name in metrics},
    }


def _accepted_inputs(predictions: Predictions) -> dict[str, str]:
    """Name the inputs that were not those of the training, and were accepted."""
    accepted = predictions.model.manifest.accepted_inputs if predictions.model else {}
    if not accepted:
        return {}
    return {"changed inputs": f"{', '.join(accepted)}: not as in the training, and accepted"}


def _readers_of_test_set(predictions: Predictions) -> str:
    if predictions.model is None:
        return "the predictions were made elsewhere; what they were made from is not known here"
    baseline = predictions.experiment.baseline
    if baseline is not None and baseline.sees_truth:
        return "what is predicted are the true factors of the test items themselves"
    readers = (
        "training, early stopping, scaling, weights and thresholds see train and validation items"
    )
    return f"read by nothing but this evaluation: {readers} alone"


def _tie_rule(basis: ComparisonBasis, seed: int, names: str) -> str:
    if basis.get("ties") == "published":
        return f"equal scores keep the order of the list of {names}"
    return f"equal scores keep one order of the {names}, drawn from the seed {seed} by their names"


def _of_users(predictions: Predictions, basis: ComparisonBasis, seed: int) -> dict[str, str]:
    items, absent = len(predictions.absent), int(predictions.absent.sum())
    return {
        "candidates": f"all {items:,} test items of {predictions.dataset.name}, for every user; "
        "none is sampled or left out",
        "users": f"{basis['users']} (counted from 0, the last not included); those without "
        "relevant test items count as 0 where a figure does not say otherwise",
        "scores": _scores(predictions),
        "ranks": "counted in float32, one more than the items scored above; no list is cut off",
        "ties": f"{_tie_rule(basis, seed, 'test items')}; in ROC-AUC and PR-AUC they count as "
        "one group, as in scikit-learn",
        "without a prediction": f"{absent:,} items; they rank last",
        "random": "the items in a random order for each user, from the seed and the user's number",
        "oracle": _oracle(predictions),
        **_source_of_plays(predictions),
    }


def _scores(predictions: Predictions) -> str:
    """Say what the scores are, of whatever form and of however many models."""
    own = "" if predictions.form == "blend" else _own_scores(predictions)
    if not predictions.parts:
        return own
    parts = [(weight, part, _describe_part(part)) for weight, part in predictions.parts]
    added = " + ".join(f"{weight:.3g} × {part.name} ({about})" for weight, part, about in parts)
    if not predictions.standardize:
        return f"{own}; to these are added {added}"
    spread = "the scores of each part, less the user's mean over all candidates, divided by their "
    return f"{spread}standard deviation, and added with weights chosen by validation MAP: {added}"


def _class_scores(predictions: Predictions) -> str:
    """Say what the scores of classes are: those of a network, or a mean of several models'."""
    if not predictions.parts:
        return "as predicted, one for each class"
    parts = " + ".join(
        f"{weight:.3g} × {part.name} ({' '.join([part.experiment.name, *part.settings])})"
        for weight, part in predictions.parts
    )
    mean = "the mean of the scores of several models, over those that know something of an item"
    return f"{mean}, with weights chosen by the PR-AUC of validation items: {parts}"


def _describe_part(part: Predictions) -> str:
    """Name the experiment of a part of a model, and what its scores are."""
    only = "" if part.only is None else ", for items that the others know nothing of"
    return f"{' '.join([part.experiment.name, *part.settings])}: {_scores(part)}{only}"


def _own_scores(predictions: Predictions) -> str:
    """Say what the rows that a model predicts are multiplied by."""
    if predictions.form == "neighbours":
        return "summed similarity to the nearest train items that the user has"
    if predictions.form == "weights":
        return (
            "summed weights, as ridge regression gives them, of the train items that the user has"
        )
    if predictions.form == "scores":
        return "one score for each item, the same for every user"
    if predictions.form == "vectors":
        source = predictions.model.manifest.users if predictions.model else "factors"
        return (
            f"the item's vector times {USERS[source]}, plus the item's bias; nothing is normalised"
        )
    if predictions.targets.kind == "pmi":
        return "cosine of predicted factors and the user's factors"
    return {
        None: "",
        "cosine": "predicted factors divided by their L2 norm, times the user's factors",
        "dot": "predicted factors, times the user's factors",
        "norm": "predicted factors, whose norm was learnt beside their direction, times the user's",
    }[predictions.scoring]


def _oracle(predictions: Predictions) -> str:
    """Say what the oracle's scores are."""
    if predictions.targets.kind != PLAYS_KIND:
        return "the test items' true factors, scored in the same way"
    factors = reference_factors(predictions.dataset)
    if factors is None:
        return "none: the dataset has no factors"
    return f"the test items' true {factors.kind} factors of {factors.dim}, times the user's factors"


def _source_of_plays(predictions: Predictions) -> dict[str, str]:
    """Say that train plays are no record of what was played, where they are not."""
    dataset = predictions.dataset
    reads = predictions.targets.kind == PLAYS_KIND or predictions.form == "neighbours"
    if not reads or dataset.find(Kind.TRAIN_MATRIX) is not None:
        return {}
    product = f"an item counts as played where the product of its and a user's is over {LIKELY}"
    return {"train plays": f"rebuilt from factors, as {dataset.name} has none: {product}"}


def _of_items(predictions: Predictions, basis: ComparisonBasis, seed: int) -> dict[str, str]:
    items, absent = len(predictions.absent), int(predictions.absent.sum())
    cosine = "cosine of predicted factors and the label's factors"
    multilabel = predictions.task == "multilabel"
    chosen = (
        "those whose score reaches the class's threshold" if multilabel else "the highest score"
    )
    pmi = predictions.targets.kind == "pmi"
    return {
        "candidates": f"all classes, for each of the {items:,} test items of "
        f"{predictions.dataset.name}",
        "scores": cosine if pmi else _class_scores(predictions),
        "predicted classes": chosen,
        "ties": _tie_rule(basis, seed, "classes")
        if multilabel
        else "of classes with the same highest score, the first is predicted",
        "in the words below": "a user stands for an item here, and an item for a class",
        "without a prediction": f"{absent:,} items; they count as wrong",
        "random": "scores drawn from the seed",
    }
