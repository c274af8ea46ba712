"""Figures of classifications, against answers worked by hand and against separate computations."""

from dataclasses import dataclass
from math import isnan, log2
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.metrics.calibration import are_probabilities, reliability
from tartarus_cli.metrics.classification import (
    MAX_CURVE_POINTS,
    ClassReport,
    class_areas,
    class_reports,
    confusion_counts,
    multiclass_metrics,
    multilabel_metrics,
    precision_by_recall,
)
from tartarus_cli.metrics.thresholds import best_threshold, choose_thresholds


def of_many(*given: Any, **options: Any) -> dict[str, float]:
    return multilabel_metrics(*given, **options).overall


def of_one(*given: Any, **options: Any) -> dict[str, float]:
    return multiclass_metrics(*given, **options).overall


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
    assert of_many(SCORES, TRUTH, k=(2, 4))[name] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("score", "recall_of_its_class"), [(0.5, 1), (np.nextafter(0.5, 0), 0), (0.51, 1)]
)
def test_a_class_is_chosen_from_a_score_of_one_half(
    score: float, recall_of_its_class: float
) -> None:
    scores = SCORES.copy()
    scores[0, 1] = score
    expected = (1 + recall_of_its_class + 1 / 2 + 1) / 4
    assert of_many(scores, TRUTH)["recall_macro"] == pytest.approx(expected)


def test_multilabel_figures_are_those_of_the_contract() -> None:
    at = {f"{name}@{k}" for name in ("P", "R", "HR", "nDCG", "C") for k in (1, 3, 5)}
    averages = {f"{n}_{a}" for n in ("precision", "recall", "f1") for a in ("macro", "micro")}
    areas = {"ROC-AUC", "PR-AUC"}
    figures = set(of_many(SCORES, TRUTH))
    assert at | averages | areas | {"MRR", "LRAP", "coverage_error"} <= figures
    assert not any(name.startswith("MAP") for name in figures)
    assert set(of_one(CLASS_SCORES, CLASSES)) == averages | areas | {"accuracy"}


def test_published_figures_of_a_multilabel_task_are_added_on_demand() -> None:
    plain, more = of_many(SCORES, TRUTH), of_many(SCORES, TRUTH, published=True)
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
    figure = of_many(case.scores, case.truth)["ROC-AUC"]
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
    figure = of_many(case.scores, case.truth)["PR-AUC"]
    by_steps = [area_below_steps(case.scores[:, c], case.truth[:, c]) for c in present]
    assert figure == pytest.approx(np.mean(by_steps))
    assert figure == pytest.approx(
        average_precision_score(case.truth[:, present], case.scores[:, present], average="macro")
    )


def test_areas_have_no_value_where_no_class_allows_them() -> None:
    figures = of_many(SCORES, np.zeros_like(TRUTH))
    assert isnan(figures["ROC-AUC"])
    assert isnan(figures["PR-AUC"])
    full = of_many(SCORES, np.ones_like(TRUTH))
    assert isnan(full["ROC-AUC"])
    assert full["PR-AUC"] == pytest.approx(1)


def ratio(part: NDArray[np.integer], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), 0)


@pytest.mark.parametrize("case", CASES)
def test_averages_are_those_of_counts_class_by_class(case: Case) -> None:
    from sklearn.metrics import f1_score

    chosen = case.scores >= 0.5
    correct, true, predicted = (m.sum(axis=0) for m in (chosen & case.truth, case.truth, chosen))
    figures = of_many(case.scores, case.truth)
    assert figures["precision_macro"] == pytest.approx(ratio(correct, predicted).mean())
    assert figures["recall_macro"] == pytest.approx(ratio(correct, true).mean())
    assert figures["f1_macro"] == pytest.approx(ratio(2 * correct, predicted + true).mean())
    assert figures["precision_micro"] == pytest.approx(correct.sum() / predicted.sum())
    assert figures["recall_micro"] == pytest.approx(correct.sum() / true.sum())
    assert figures["f1_micro"] == pytest.approx(
        f1_score(case.truth.ravel(), chosen.ravel(), average="binary")
    )


@pytest.mark.parametrize("case", CASES)
def test_lrap_takes_equal_scores_as_ranked_together_at_their_worst(case: Case) -> None:
    precisions = []
    for scores, truth in zip(case.scores, case.truth, strict=True):
        true_scores = scores[truth]
        above = [(true_scores >= score).sum() / (scores >= score).sum() for score in true_scores]
        # Of an item without a class, nothing is wrong.
        precisions.append(np.mean(above) if above else 1)
    assert of_many(case.scores, case.truth)["LRAP"] == pytest.approx(np.mean(precisions))


@pytest.mark.parametrize("case", CASES)
def test_coverage_error_counts_classes_down_to_the_last_true_one(case: Case) -> None:
    pairs = zip(case.scores, case.truth, strict=True)
    counts = [
        (scores >= scores[truth].min()).sum() if truth.any() else 0 for scores, truth in pairs
    ]
    assert of_many(case.scores, case.truth)["coverage_error"] == pytest.approx(np.mean(counts))


def minus_ranks(scores: Scores) -> Scores:
    order = np.argsort(-scores, axis=1, kind="stable")
    return -np.argsort(order, axis=1).astype(np.float64)


@pytest.mark.parametrize("k", [1, 3, 5, 7, 9, 20])
@pytest.mark.parametrize("case", CASES)
def test_ranked_figures_are_means_over_items_at_any_k(case: Case, k: int) -> None:
    from sklearn.metrics import ndcg_score

    figures = of_many(case.scores, case.truth, k=(7, 9, 20))
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
    assert of_many(scores, scores > 0.5)[f"C@{k}"] == k / 8


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
    assert of_one(CLASS_SCORES, CLASSES)[name] == pytest.approx(expected)


def test_confusion_has_true_classes_in_rows_and_chosen_ones_in_columns() -> None:
    assert confusion_counts(CLASSES, CLASS_SCORES).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]


def test_confusion_has_a_place_for_classes_that_do_not_occur() -> None:
    scores = np.array([[0.1, 0.0, 0.9, 0.0], [0.1, 0.0, 0.9, 0.0]])
    expected = np.zeros((4, 4))
    expected[2, 2] = expected[0, 2] = 1
    assert np.array_equal(confusion_counts(np.array([2, 0]), scores), expected)


def test_the_first_of_equal_scores_is_the_chosen_class() -> None:
    scores = np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])
    assert of_one(scores, np.array([0, 1]))["accuracy"] == 1
    assert of_one(scores, np.array([1, 2]))["accuracy"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_multiclass_figures_are_those_of_scikit_learn_called_otherwise(seed: int) -> None:
    from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.arange(60) % 5)
    scores = rng.dirichlet(np.ones(5), 60) + np.eye(5)[classes] * rng.uniform(0, 0.6, (60, 1))
    scores /= scores.sum(axis=1, keepdims=True)
    figures = of_one(scores, classes)
    assert figures["ROC-AUC"] == pytest.approx(roc_auc_score(classes, scores, multi_class="ovr"))
    assert figures["PR-AUC"] == pytest.approx(average_precision_score(classes, scores))
    right = scores.argmax(axis=1) == classes
    assert figures["recall_macro"] == pytest.approx(
        balanced_accuracy_score(classes, scores.argmax(axis=1))
    )
    for name in ("accuracy", "precision_micro", "recall_micro", "f1_micro"):
        assert figures[name] == pytest.approx(right.mean())
    table = confusion_counts(classes, scores)
    precisions = ratio(table.diagonal(), table.sum(axis=0))
    assert figures["precision_macro"] == pytest.approx(precisions.mean())


@pytest.mark.parametrize("chosen", [[0, 2, 1, 1, 1, 2], [3, 2, 1, 1, 1, 2]])
def test_a_class_that_no_item_has_counts_as_zero_whether_predicted_or_not(
    chosen: list[int],
) -> None:
    # Of each class: right / predicted 1/1, 2/3, 1/2; right / true 1/2, 2/2, 1/2; F1 2/3, 4/5, 1/2.
    figures = of_one(np.eye(4)[chosen], CLASSES)  # the fourth class is predicted once, or never
    names = ("precision_macro", "recall_macro", "f1_macro")
    expected = (
        [(2 / 3 + 1 / 2) / 4, (1 + 1 / 2) / 4, (4 / 5 + 1 / 2) / 4]
        if 3 in chosen
        else [0.5417, 0.5, 0.4917]
    )
    assert [figures[name] for name in names] == pytest.approx(expected, abs=5e-5)


def test_areas_of_a_multiclass_task_leave_out_classes_without_test_items() -> None:
    widened = np.column_stack([CLASS_SCORES, np.linspace(0, 0.05, 6)])
    plain, wide = of_one(CLASS_SCORES, CLASSES), of_one(widened, CLASSES)
    assert wide["ROC-AUC"] == pytest.approx(plain["ROC-AUC"])
    assert wide["PR-AUC"] == pytest.approx(plain["PR-AUC"])


def test_class_reports_count_each_class_by_itself() -> None:
    chosen = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], np.bool_)
    areas = {"ROC-AUC": np.array([0.5, 1, 0.75, np.nan]), "PR-AUC": np.array([0.5, 1, 1, np.nan])}
    names = ["jazz", "soul", "rock", "folk"]
    assert class_reports(TRUTH, chosen, areas, names) == [
        ClassReport("jazz", 1, 1 / 2, 1, 2 / 3, 0.5, 0.5, None),
        ClassReport("soul", 1, 1, 1, 1, 1, 1, None),
        ClassReport("rock", 2, 1, 1 / 2, 2 / 3, 0.75, 1, None),
        ClassReport("folk", 1, 0, 0, 0, None, None, None),  # never chosen
    ]
    at = class_reports(TRUTH, chosen, areas, names, np.array([0.1, 0.2, 0.3, 0.4]))
    assert [report.threshold for report in at] == [0.1, 0.2, 0.3, 0.4]


def test_float32_scores_in_the_same_order_give_the_same_figures() -> None:
    narrow, narrow_class = SCORES.astype(np.float32), CLASS_SCORES.astype(np.float32)
    assert of_many(narrow, TRUTH) == pytest.approx(of_many(SCORES, TRUTH))
    assert of_one(narrow_class, CLASSES) == pytest.approx(of_one(CLASS_SCORES, CLASSES))


# ------------------------------------------------------------------------------ figures by item


@pytest.mark.parametrize("case", CASES)
def test_figures_by_item_have_the_reported_ones_as_their_means(case: Case) -> None:
    metrics = multilabel_metrics(case.scores, case.truth, k=(7,), published=True)
    assert {"P@1", "R@7", "HR@5", "nDCG@3", "MRR", "LRAP", "coverage_error"} <= {*metrics.by_item}
    for name, values in metrics.by_item.items():
        assert values.shape == (40,)
        assert values.dtype == np.float64
        assert values.mean() == pytest.approx(metrics.overall[name])
    single = multiclass_metrics(CLASS_SCORES, CLASSES)
    assert single.by_item["accuracy"].tolist() == [1, 0, 1, 1, 1, 0]
    assert single.overall["accuracy"] == pytest.approx(4 / 6)


@pytest.mark.parametrize("case", CASES)
def test_each_item_has_the_lrap_and_coverage_that_scikit_learn_gives_it_alone(case: Case) -> None:
    from sklearn.metrics import coverage_error, label_ranking_average_precision_score

    by_item = multilabel_metrics(case.scores, case.truth).by_item
    for n in range(40):
        alone = case.truth[n : n + 1], case.scores[n : n + 1]
        assert by_item["LRAP"][n] == pytest.approx(label_ranking_average_precision_score(*alone))
        assert by_item["coverage_error"][n] == coverage_error(*alone)


@pytest.mark.parametrize("case", CASES)
def test_areas_of_a_class_are_those_of_scikit_learn_or_have_no_value(case: Case) -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    areas = class_areas(case.scores, case.truth)
    for c in range(9):
        truth, scores = case.truth[:, c], case.scores[:, c]
        assert np.isnan(areas["PR-AUC"][c]) == (not truth.any())
        assert np.isnan(areas["ROC-AUC"][c]) == (not truth.any() or bool(truth.all()))
        if truth.any():
            assert areas["PR-AUC"][c] == average_precision_score(truth, scores)
        if truth.any() and not truth.all():
            assert areas["ROC-AUC"][c] == roc_auc_score(truth, scores)


# ----------------------------------------------------------------------------------- thresholds


@pytest.mark.parametrize("case", CASES)
def test_no_threshold_has_a_greater_f1_than_the_chosen_one(case: Case) -> None:
    from sklearn.metrics import f1_score

    chosen = choose_thresholds(case.scores, case.truth, min_items=1)
    for c in np.flatnonzero(case.truth.any(axis=0)):
        truth, scores = case.truth[:, c], case.scores[:, c]
        f1 = {
            threshold: f1_score(truth, scores >= threshold) for threshold in np.arange(-1, 12) / 10
        }
        assert f1_score(truth, scores >= chosen[c]) == pytest.approx(max(f1.values()))
        above = [threshold for threshold in f1 if threshold > chosen[c]]
        assert all(f1[threshold] < max(f1.values()) - 1e-9 for threshold in above)


@pytest.mark.parametrize("case", CASES)
def test_classes_that_no_item_has_take_the_threshold_of_the_greatest_micro_f1(case: Case) -> None:
    from sklearn.metrics import f1_score

    assert not case.truth[:, 2].any()
    chosen = choose_thresholds(case.scores, case.truth, min_items=1)[2]
    micro = [
        f1_score(case.truth, case.scores >= threshold, average="micro")
        for threshold in np.arange(12) / 10
    ]
    reached = f1_score(case.truth, case.scores >= chosen, average="micro")
    assert reached == pytest.approx(max(micro))


def test_a_threshold_worked_by_hand() -> None:
    # from 0.8 one is right of one, F1 2/3; from 0.4 two of three, 4/5; from 0.3 two of four, 2/3
    truth = np.array([1, 0, 1, 0]) > 0
    assert best_threshold(np.array([0.8, 0.5, 0.4, 0.3]), truth) == 0.4
    assert best_threshold(np.array([-0.8, -0.9, -0.9, -0.9]), truth) == -0.8  # 2/3 from both


@pytest.mark.parametrize("case", CASES)
def test_each_class_is_predicted_from_its_own_threshold_on(case: Case) -> None:
    from sklearn.metrics import f1_score, precision_score

    thresholds = np.linspace(0.1, 0.9, 9).round(1)
    figures = of_many(case.scores, case.truth, thresholds=thresholds)
    chosen = np.stack([case.scores[:, c] >= (c + 1) / 10 for c in range(9)], axis=1)
    expected = f1_score(case.truth, chosen, average="macro", zero_division=0)
    assert figures["f1_macro"] == pytest.approx(expected)
    expected = precision_score(case.truth, chosen, average="micro", zero_division=0)
    assert figures["precision_micro"] == pytest.approx(expected)


# ---------------------------------------------------------------------------------- calibration


def test_calibration_error_of_four_predictions_worked_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.85, 0.35])  # in bins 15, 15, 13 and 6 of 15
    curve = reliability(confidence, np.array([1, 0, 1, 0]) > 0)
    assert curve.error == pytest.approx((2 * abs(0.5 - 0.95) + (1 - 0.85) + 0.35) / 4)
    assert curve.shares[[14, 12, 5]].tolist() == [0.5, 0.25, 0.25]
    assert curve.accuracy[[14, 12, 5]].tolist() == [0.5, 1, 0]
    assert curve.confidence[[14, 12, 5]].tolist() == pytest.approx([0.95, 0.85, 0.35])
    assert np.isnan(curve.accuracy).sum() == 12


@pytest.mark.parametrize("seed", range(3))
def test_calibration_error_is_that_of_bins_cut_out_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    confidence = rng.random(300) ** 2
    right = rng.random(300) < confidence
    error = 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            gap = right[inside].mean() - confidence[inside].mean()
            error += inside.sum() / 300 * abs(gap)
    assert reliability(confidence, right).error == pytest.approx(error)


def test_a_bin_holds_its_upper_edge_and_the_first_holds_zero() -> None:
    edges = np.array([0, 1 / 15, 2 / 15, 1])
    shares = reliability(edges, np.ones(4, np.bool_)).shares
    assert np.flatnonzero(shares).tolist() == [0, 1, 14]
    assert shares[0] == 0.5


def test_calibration_of_a_multilabel_task_counts_every_pair_of_a_known_item() -> None:
    known = np.array([1, 0, 1]) > 0
    metrics = multilabel_metrics(SCORES, TRUTH, with_probabilities=known)
    expected = reliability(SCORES[[0, 2]].ravel(), TRUTH[[0, 2]].ravel())
    # 0.9 and 0.5 are true, 0.1 and 0.2 are not; 0.1 and 0.2 are not, 0.3 and 0.7 are
    by_hand = 2 * 0.1 + 2 * 0.2 + 0.1 + 0.5 + 0.7 + 0.3
    assert metrics.overall["calibration_error"] == pytest.approx(by_hand / 8)
    assert expected.error == pytest.approx(by_hand / 8)


def test_calibration_of_a_multiclass_task_is_of_the_chosen_class() -> None:
    known = np.array([1, 1, 1, 1, 1, 0]) > 0
    # chosen with .6 right, .7 wrong, .8 right, .5 right, .8 right: in bins 9, 11, 12, 8 and 12
    by_hand = 0.4 + 0.7 + 2 * 0.2 + 0.5
    figures = of_one(CLASS_SCORES, CLASSES, with_probabilities=known)
    assert figures["calibration_error"] == pytest.approx(by_hand / 5)


def test_scores_that_are_no_probabilities_have_no_calibration_error() -> None:
    assert multilabel_metrics(SCORES, TRUTH).reliability is None
    assert "calibration_error" not in of_many(SCORES, TRUTH) | of_one(CLASS_SCORES, CLASSES)
    assert are_probabilities(SCORES)
    assert are_probabilities(np.array([[1 + 1e-7]]))  # of rounding
    for wrong in (SCORES - 0.2, SCORES * 1.2, SCORES[:0]):
        assert not are_probabilities(wrong)


# --------------------------------------------------------------------------------------- curves


@pytest.mark.parametrize("case", CASES)
def test_the_area_below_a_curve_is_the_average_precision(case: Case) -> None:
    from sklearn.metrics import average_precision_score

    for c in np.flatnonzero(case.truth.any(axis=0)):
        truth, scores = case.truth[:, c], case.scores[:, c]
        area, recall, precision = precision_by_recall(scores, truth)
        assert area == pytest.approx(average_precision_score(truth, scores))
        assert area == pytest.approx(sum(np.diff(recall) * precision[1:]))
        assert (recall[0], recall[-1]) == (0, 1)
        assert (np.diff(recall) > 0).all()


def test_a_long_curve_keeps_its_ends_and_its_area() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.3
    scores = rng.random(20_000) + truth
    area, recall, precision = precision_by_recall(scores, truth)
    assert len(recall) == len(precision) == MAX_CURVE_POINTS
    assert (recall[0], recall[-1]) == (0, 1)
    assert area == pytest.approx(average_precision_score(truth, scores))
    assert np.diff(recall) @ precision[1:] == pytest.approx(area, abs=1e-3)
