"""Figures of classifications, against answers worked by hand and against separate computations."""

from dataclasses import dataclass
from math import isnan, log2

import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.metrics.classification import (
    ClassReport,
    class_reports,
    confusion,
    multiclass,
    multilabel,
)

Scores = NDArray[np.float64]  # (items, classes)
Truth = NDArray[np.bool_]  # (items, classes)

# Three items, four classes. The last but one item ranks a wrong class first; 0.5 is just enough.
SCORES = np.array(
    [
        [0.90, 0.50, 0.10, 0.20],
        [0.95, 0.30, 0.60, 0.40],
        [0.10, 0.20, 0.30, 0.70],
    ]
)
TRUTH = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]], np.bool_)

# Six items of three classes; the scores choose 0, 1, 1, 1, 2, 0.
CLASSES = np.array([0, 0, 1, 1, 2, 2])
CLASS_SCORES = np.array(
    [
        [0.6, 0.3, 0.1],
        [0.2, 0.7, 0.1],
        [0.1, 0.8, 0.1],
        [0.3, 0.5, 0.2],
        [0.1, 0.1, 0.8],
        [0.5, 0.1, 0.4],
    ]
)


@dataclass(frozen=True)
class Case:
    """Scores with many ties and values of exactly 0.5, and a class that no item has."""

    scores: Scores
    truth: Truth


def drawn(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 11, (40, 9)) / 10
    truth = rng.random((40, 9)) < rng.uniform(0.1, 0.7, 9)
    truth[3] = False
    truth[:, 2] = False
    truth[:, 5] = True
    truth[3, 5] = seed % 2 == 0  # now every item is of class 5, now there is one with no class
    scores[:, 7] = 0.2  # never chosen
    return Case(scores, truth)


CASES = [pytest.param(drawn(seed), id=f"seed {seed}") for seed in range(4)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # chosen are 0 and 1; 0 and 2; 3: right but for the second item's 0 and the third's 2
        ("precision_macro", (1 / 2 + 1 + 1 + 1) / 4),
        ("recall_macro", (1 + 1 + 1 / 2 + 1) / 4),
        ("f1_macro", (2 / 3 + 1 + 2 / 3 + 1) / 4),
        ("precision_micro", 4 / 5),
        ("recall_micro", 4 / 5),
        ("f1_micro", 4 / 5),
        ("LRAP", (1 + 1 / 2 + 1) / 3),
        ("coverage_error", 2),
        ("ROC-AUC", (1 / 2 + 1 + 1 + 1) / 4),
        ("PR-AUC", (1 / 2 + 1 + 1 + 1) / 4),
        ("P@1", 2 / 3),
        ("P@3", (2 + 1 + 2) / 9),
        ("P@4", (2 + 1 + 2) / 12),
        ("P@5", (2 + 1 + 2) / 15),
        ("R@1", (1 / 2 + 0 + 1 / 2) / 3),
        ("HR@1", 2 / 3),
        ("MRR", (1 + 1 / 2 + 1) / 3),
        ("nDCG@1", 2 / 3),
        ("nDCG@3", (1 + 1 / log2(3) + 1) / 3),
        ("C@1", 2 / 4),  # 0, 0 and 3 come first
        ("C@2", 4 / 4),
    ],
)
def test_multilabel_figure_has_the_value_worked_by_hand(name: str, expected: float) -> None:
    assert multilabel(SCORES, TRUTH, k=(2, 4))[name] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("score", "recall_of_its_class"), [(0.5, 1), (np.nextafter(0.5, 0), 0), (0.51, 1)]
)
def test_a_class_is_chosen_from_a_score_of_one_half(
    score: float, recall_of_its_class: float
) -> None:
    scores = SCORES.copy()
    scores[0, 1] = score
    expected = (1 + recall_of_its_class + 1 / 2 + 1) / 4
    assert multilabel(scores, TRUTH)["recall_macro"] == pytest.approx(expected)


def test_multilabel_figures_are_those_of_the_contract() -> None:
    at = {f"{name}@{k}" for name in ("P", "R", "HR", "nDCG", "C") for k in (1, 3, 5)}
    averages = {f"{n}_{a}" for n in ("precision", "recall", "f1") for a in ("macro", "micro")}
    areas = {"ROC-AUC", "PR-AUC"}
    figures = set(multilabel(SCORES, TRUTH))
    assert at | averages | areas | {"MRR", "LRAP", "coverage_error"} <= figures
    assert not any(name.startswith("MAP") for name in figures)
    assert set(multiclass(CLASS_SCORES, CLASSES)) == averages | areas | {"accuracy"}


def test_published_figures_of_a_multilabel_task_are_added_on_demand() -> None:
    plain, more = multilabel(SCORES, TRUTH), multilabel(SCORES, TRUTH, published=True)
    assert {"nDCG@1 (published)", "nDCG@3 (published)"} <= set(more) - set(plain)
    assert plain == {name: more[name] for name in plain}


def right_order(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return the share of pairs of an item of the class and another in order; a tie is half."""
    difference = scores[truth][:, None] - scores[~truth][None, :]
    return float(((difference > 0) + (difference == 0) / 2).mean())


def area_below_steps(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return the sum over thresholds of the gain in recall times the precision there."""
    area, before = 0.0, 0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        right = int(truth[chosen].sum())
        area += (right - before) / truth.sum() * right / chosen.sum()
        before = right
    return area


@pytest.mark.parametrize("case", CASES)
def test_roc_auc_is_a_mean_over_classes_that_some_items_have_and_some_have_not(case: Case) -> None:
    from sklearn.metrics import roc_auc_score

    mixed = [c for c in range(9) if 0 < case.truth[:, c].sum() < len(case.truth)]
    assert 2 not in mixed
    figure = multilabel(case.scores, case.truth)["ROC-AUC"]
    by_pairs = [right_order(case.scores[:, c], case.truth[:, c]) for c in mixed]
    assert figure == pytest.approx(np.mean(by_pairs))
    assert figure == pytest.approx(
        roc_auc_score(case.truth[:, mixed], case.scores[:, mixed], average="macro")
    )


@pytest.mark.parametrize("case", CASES)
def test_pr_auc_is_a_mean_over_classes_that_some_items_have(case: Case) -> None:
    from sklearn.metrics import average_precision_score

    present = [c for c in range(9) if case.truth[:, c].any()]
    assert len(present) == 8
    figure = multilabel(case.scores, case.truth)["PR-AUC"]
    by_steps = [area_below_steps(case.scores[:, c], case.truth[:, c]) for c in present]
    assert figure == pytest.approx(np.mean(by_steps))
    assert figure == pytest.approx(
        average_precision_score(case.truth[:, present], case.scores[:, present], average="macro")
    )


def test_areas_have_no_value_where_no_class_allows_them() -> None:
    figures = multilabel(SCORES, np.zeros_like(TRUTH))
    assert isnan(figures["ROC-AUC"])
    assert isnan(figures["PR-AUC"])
    full = multilabel(SCORES, np.ones_like(TRUTH))
    assert isnan(full["ROC-AUC"])
    assert full["PR-AUC"] == pytest.approx(1)


def ratio(part: NDArray[np.integer], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), 0)


@pytest.mark.parametrize("case", CASES)
def test_averages_are_those_of_counts_class_by_class(case: Case) -> None:
    from sklearn.metrics import f1_score

    chosen = case.scores >= 0.5
    right, wanted, given = (m.sum(axis=0) for m in (chosen & case.truth, case.truth, chosen))
    figures = multilabel(case.scores, case.truth)
    assert figures["precision_macro"] == pytest.approx(ratio(right, given).mean())
    assert figures["recall_macro"] == pytest.approx(ratio(right, wanted).mean())
    assert figures["f1_macro"] == pytest.approx(ratio(2 * right, given + wanted).mean())
    assert figures["precision_micro"] == pytest.approx(right.sum() / given.sum())
    assert figures["recall_micro"] == pytest.approx(right.sum() / wanted.sum())
    assert figures["f1_micro"] == pytest.approx(
        f1_score(case.truth.ravel(), chosen.ravel(), average="binary")
    )


@pytest.mark.parametrize("case", CASES)
def test_lrap_takes_equal_scores_as_ranked_together_at_their_worst(case: Case) -> None:
    each = []
    for scores, truth in zip(case.scores, case.truth, strict=True):
        own = scores[truth]
        above = [(own >= score).sum() / (scores >= score).sum() for score in own]
        each.append(np.mean(above) if above else 1)  # of an item without a class, nothing is wrong
    assert multilabel(case.scores, case.truth)["LRAP"] == pytest.approx(np.mean(each))


@pytest.mark.parametrize("case", CASES)
def test_coverage_error_counts_classes_down_to_the_last_true_one(case: Case) -> None:
    pairs = zip(case.scores, case.truth, strict=True)
    each = [(scores >= scores[truth].min()).sum() if truth.any() else 0 for scores, truth in pairs]
    assert multilabel(case.scores, case.truth)["coverage_error"] == pytest.approx(np.mean(each))


def minus_ranks(scores: Scores) -> Scores:
    order = np.argsort(-scores, axis=1, kind="stable")
    return -np.argsort(order, axis=1).astype(np.float64)


@pytest.mark.parametrize("k", [1, 3, 5, 7, 9, 20])
@pytest.mark.parametrize("case", CASES)
def test_ranked_figures_are_means_over_items_at_any_k(case: Case, k: int) -> None:
    from sklearn.metrics import ndcg_score

    figures = multilabel(case.scores, case.truth, k=(7, 9, 20))
    ranked = minus_ranks(case.scores)
    first = ranked > -k
    right = (first & case.truth).sum(axis=1)
    assert figures[f"P@{k}"] == pytest.approx(right.mean() / k)
    assert figures[f"R@{k}"] == pytest.approx(ratio(right, case.truth.sum(axis=1)).mean())
    assert figures[f"HR@{k}"] == pytest.approx((right > 0).mean())
    assert figures[f"C@{k}"] == pytest.approx(first.any(axis=0).mean())
    expected = ndcg_score(case.truth, ranked, k=k, ignore_ties=True)
    assert figures[f"nDCG@{k}"] == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_catalogue_coverage_counts_classes_and_not_items(k: int) -> None:
    scores = np.tile(np.linspace(1, 0, 8), (30, 1))  # every item has the same first k classes
    assert multilabel(scores, scores > 0.5)[f"C@{k}"] == k / 8


# Multiclass: one class an item.


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", 4 / 6),
        ("precision_macro", (1 / 2 + 2 / 3 + 1) / 3),
        ("recall_macro", (1 / 2 + 1 + 1 / 2) / 3),
        ("f1_macro", (1 / 2 + 4 / 5 + 2 / 3) / 3),
        ("precision_micro", 4 / 6),
        ("recall_micro", 4 / 6),
        ("f1_micro", 4 / 6),
        # class 0: .6 .2 against .1 .3 .1 .5; class 1: .8 .5 against .3 .7 .1 .1; class 2: all right
        ("ROC-AUC", (6 / 8 + 7 / 8 + 1) / 3),
        ("PR-AUC", ((1 + 2 / 4) / 2 + (1 + 2 / 3) / 2 + 1) / 3),
    ],
)
def test_multiclass_figure_has_the_value_worked_by_hand(name: str, expected: float) -> None:
    assert multiclass(CLASS_SCORES, CLASSES)[name] == pytest.approx(expected)


def test_confusion_has_true_classes_in_rows_and_chosen_ones_in_columns() -> None:
    assert confusion(CLASSES, CLASS_SCORES).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]


def test_confusion_has_a_place_for_classes_that_do_not_occur() -> None:
    scores = np.array([[0.1, 0.0, 0.9, 0.0], [0.1, 0.0, 0.9, 0.0]])
    expected = np.zeros((4, 4))
    expected[2, 2] = expected[0, 2] = 1
    assert np.array_equal(confusion(np.array([2, 0]), scores), expected)


def test_the_first_of_equal_scores_is_the_chosen_class() -> None:
    scores = np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])
    assert multiclass(scores, np.array([0, 1]))["accuracy"] == 1
    assert multiclass(scores, np.array([1, 2]))["accuracy"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_multiclass_figures_are_those_of_scikit_learn_called_otherwise(seed: int) -> None:
    from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.arange(60) % 5)
    scores = rng.dirichlet(np.ones(5), 60) + np.eye(5)[classes] * rng.uniform(0, 0.6, (60, 1))
    scores /= scores.sum(axis=1, keepdims=True)
    figures = multiclass(scores, classes)
    assert figures["ROC-AUC"] == pytest.approx(roc_auc_score(classes, scores, multi_class="ovr"))
    assert figures["PR-AUC"] == pytest.approx(average_precision_score(classes, scores))
    right = scores.argmax(axis=1) == classes
    assert figures["recall_macro"] == pytest.approx(
        balanced_accuracy_score(classes, scores.argmax(axis=1))
    )
    for name in ("accuracy", "precision_micro", "recall_micro", "f1_micro"):
        assert figures[name] == pytest.approx(right.mean())
    table = confusion(classes, scores)
    precisions = ratio(table.diagonal(), table.sum(axis=0))
    assert figures["precision_macro"] == pytest.approx(precisions.mean())


def test_areas_of_a_multiclass_task_leave_out_classes_without_test_items() -> None:
    widened = np.column_stack([CLASS_SCORES, np.linspace(0, 0.05, 6)])
    plain, wide = multiclass(CLASS_SCORES, CLASSES), multiclass(widened, CLASSES)
    assert wide["ROC-AUC"] == pytest.approx(plain["ROC-AUC"])
    assert wide["PR-AUC"] == pytest.approx(plain["PR-AUC"])


def test_class_reports_count_each_class_by_itself() -> None:
    chosen = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], np.bool_)
    assert class_reports(TRUTH, chosen, ["jazz", "soul", "rock", "folk"]) == [
        ClassReport("jazz", 1 / 2, 1, 2 / 3, 1),
        ClassReport("soul", 1, 1, 1, 1),
        ClassReport("rock", 1, 1 / 2, 2 / 3, 2),
        ClassReport("folk", 0, 0, 0, 1),  # never chosen
    ]


def test_float32_scores_in_the_same_order_give_the_same_figures() -> None:
    narrow, narrow_class = SCORES.astype(np.float32), CLASS_SCORES.astype(np.float32)
    assert multilabel(narrow, TRUTH) == pytest.approx(multilabel(SCORES, TRUTH))
    assert multiclass(narrow_class, CLASSES) == pytest.approx(multiclass(CLASS_SCORES, CLASSES))
