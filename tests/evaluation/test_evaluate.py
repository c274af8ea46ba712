"""Evaluating models and files, for the three tasks."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array, load_npz, save_npz
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from tartarus_cli.evaluation.report import parse_users
from tests.conftest import Command
from tests.worlds import USERS, World

FILE = "predicted.npy"


def write(world: World, rows: np.ndarray) -> Path:
    path = world.root / FILE
    np.save(path, rows)
    return path


def hand_map(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Mean average precision over users, by the book."""
    values = []
    for user_scores, owned in zip(scores, relevant, strict=True):
        order = np.argsort(-user_scores, kind="stable")
        hits, found = [], 0
        for rank, item in enumerate(order, 1):
            if owned[item]:
                found += 1
                hits.append(found / rank)
        values.append(sum(hits) / min(owned.sum(), 500) if owned.any() else 0)
    return float(np.mean(values))


def test_als_scores_are_the_product_with_normalised_predictions(
    tartarus: Command, world: World
) -> None:
    rows = world.rng.standard_normal((12, 4)) * world.rng.uniform(0.1, 9, (12, 1))
    shown = tartarus(
        *("evaluate", write(world, rows), "--experiment", "rec_dense", "--dataset", "rec"),
        *("-w", world.root, "--json"),
    ).document
    users = np.load(world.datasets / "user_factors_als_4_rec.npy")
    relevant = load_npz(world.datasets / "matrix_test_rec.npz").toarray().T > 0
    scores = users @ (rows / np.linalg.norm(rows, axis=1, keepdims=True)).T
    assert shown["metrics"]["MAP@500"] == pytest.approx(hand_map(scores, relevant))
    true = np.load(world.datasets / "item_factors_test_als_4_rec.npy")
    oracle = users @ (true / np.linalg.norm(true, axis=1, keepdims=True)).T
    assert shown["rows"]["oracle"]["MAP@500"] == pytest.approx(hand_map(oracle, relevant))
    assert (shown["model"], shown["items"], shown["users"]) == (None, 12, USERS)


def test_pmi_scores_are_the_cosine_with_the_users(tartarus: Command, world: World) -> None:
    users = np.load(world.datasets / "user_factors_als_4_rec.npy")
    np.save(world.datasets / "user_factors_pmi_4_rec.npy", users * world.rng.uniform(1, 9, (9, 1)))
    np.save(world.datasets / "item_factors_pmi_4_rec.npy", world.rng.standard_normal((40, 4)))
    rows = world.rng.standard_normal((12, 4))
    words = ("evaluate", write(world, rows), "--experiment", "rec_dense", "--dataset", "rec")
    als = tartarus(*words, "-w", world.root, "--json").document
    pmi = tartarus(*words, "-w", world.root, "--json", "--set", "targets.kind=pmi").document
    assert pmi["metrics"] == pytest.approx(als["metrics"])  # a user's length changes no ranking
    assert "oracle" not in pmi["rows"]


FILES = {
    "rec": ("rec_dense", "item_factors_test_als_4_rec.npy", "user_factors_als_4_rec.npy"),
    "many": ("cosine_multilabel_vector", "", "class_factors_pmi_2_many.npy"),
    "one": ("single-label-vector", "item_factors_test_class_3_one.npy", ""),
}
"""Dataset → experiment, a file of predictions, and what they are scored with."""


@pytest.mark.parametrize("dataset", FILES)
def test_predictions_of_a_file_need_test_ids_truth_and_what_they_are_scored_with_alone(
    dataset: str, tartarus: Command, world: World
) -> None:
    experiment, predicted, scored_with = FILES[dataset]
    rows = np.load(world.datasets / predicted) if predicted else np.eye(12, 2)
    words = ("evaluate", write(world, rows), "--experiment", experiment, "--dataset", dataset)
    whole = tartarus(*words, "-w", world.root, "--json").document
    for path in [*world.datasets.glob("*.*"), *world.features.glob("*")]:
        needed = "_test_" in path.name or path.name == scored_with or "labels" in path.name
        if not needed and path.stem.endswith(f"_{dataset}"):
            path.unlink()
    alone = tartarus(*words, "-w", world.root, "--json")
    assert alone.status == 0, alone.err
    assert alone.document["metrics"] == whole["metrics"]


def test_of_several_factors_those_as_wide_as_the_predictions_are_taken(
    tartarus: Command, world: World
) -> None:
    np.save(world.datasets / "user_factors_als_7_rec.npy", np.ones((USERS, 7)))
    words = ("--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    shown = tartarus("evaluate", write(world, np.ones((12, 7))), *words)
    assert (shown.status, "als targets of 7, not 200: 7 is used" in shown.err) == (0, True)
    refused = tartarus("evaluate", write(world, np.ones((12, 5))), *words)
    assert (refused.status, "has als targets of [4, 7] dimensions" in refused.err) == (1, True)


def test_equal_scores_of_classes_keep_one_order_that_is_drawn(
    tartarus: Command, world: World
) -> None:
    of = ("--experiment", "logistic_multilabel_vector", "--dataset", "many", "-w", world.root)
    words = ("evaluate", write(world, np.zeros((12, 3))), *of, "--json")
    truth = np.zeros((12, 3))
    truth[:, 0] = 1
    (path,) = world.datasets.glob("item_factors_test_class_*_many.npy")
    np.save(path, truth)
    published = tartarus(*words, "--ties", "published").document["metrics"]
    assert published["P@1"] == 1
    drawn = [tartarus(*words, "--seed", seed).document["metrics"]["P@1"] for seed in range(8)]
    assert {*drawn} == {0, 1}
    assert drawn[:2] == [
        tartarus(*words, "--seed", seed).document["metrics"]["P@1"] for seed in (0, 1)
    ]


def test_a_user_without_relevant_items_counts_as_zero_and_is_counted(
    tartarus: Command, world: World
) -> None:
    path = world.datasets / "matrix_test_rec.npz"
    truth = load_npz(path).toarray()
    truth[:, :3] = 0
    save_npz(path, csr_array(truth))
    true = np.load(world.datasets / "item_factors_test_als_4_rec.npy")
    shown = tartarus(
        *("evaluate", write(world, true), "--experiment", "rec_dense", "--dataset", "rec"),
        *("-w", world.root, "--json"),
    ).document
    figures = shown["metrics"]
    assert shown["users_without_relevant"] == 3
    some = figures["MAP@500 (users with relevant items)"]
    assert figures["MAP@500"] == pytest.approx(some * 6 / 9)


def test_items_without_a_prediction_rank_last_and_are_counted(
    tartarus: Command, world: World
) -> None:
    true = np.load(world.datasets / "item_factors_test_als_4_rec.npy")
    ids = world.root / "ids.tsv"
    order = [7, 3, 5, 0, 1]
    ids.write_text("".join(f"test-{n}\n" for n in order))
    shown = tartarus(
        *("evaluate", write(world, true[order]), "--experiment", "rec_dense"),
        *("--dataset", "rec", "--ids", ids, "-w", world.root, "--json", "--ties", "published"),
    ).document
    assert shown["items_without_prediction"] == 7
    users = np.load(world.datasets / "user_factors_als_4_rec.npy")
    scores = users @ (true / np.linalg.norm(true, axis=1, keepdims=True)).T
    scores[:, sorted(set(range(12)) - set(order))] = -np.inf
    relevant = load_npz(world.datasets / "matrix_test_rec.npz").toarray().T > 0
    assert shown["metrics"]["MAP@500"] == pytest.approx(hand_map(scores, relevant))


def test_the_list_that_lies_beside_predictions_names_their_rows(
    tartarus: Command, world: World
) -> None:
    true = np.load(world.datasets / "item_factors_test_als_4_rec.npy")
    rows = write(world, true[::-1])
    words = ("evaluate", rows, "--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    wrong = tartarus(*words, "--json").document["metrics"]["MAP@500"]
    ids = rows.with_name(f"index_{rows.stem}.tsv")
    ids.write_text("".join(f"test-{n}\n" for n in reversed(range(12))))
    told = tartarus(*words, "--json")
    assert f"the rows are those of {ids.parent.name}/{ids.name}" in told.err
    oracle = told.document["rows"]["oracle"]["MAP@500"]
    assert told.document["metrics"]["MAP@500"] == pytest.approx(oracle)
    assert wrong < oracle


def test_ids_that_are_no_test_items_are_told_of(tartarus: Command, world: World) -> None:
    ids = world.root / "ids.tsv"
    ids.write_text("".join(f"test-{n}\n" for n in range(11)) + "tset-11\n")
    told = tartarus(
        *("evaluate", write(world, np.ones((12, 4))), "--experiment", "rec_dense"),
        *("--dataset", "rec", "--ids", ids, "-w", world.root, "--json"),
    )
    assert "1 ids of workspace/ids.tsv are no test items of rec: 'tset-11'" in told.err
    assert told.document["items_without_prediction"] == 1


def test_slices_of_users_add_up_to_the_whole(tartarus: Command, world: World) -> None:
    rows = write(world, world.rng.standard_normal((12, 4)))
    words = ("evaluate", rows, "--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    whole = tartarus(*words, "--json").document
    parts = [tartarus(*words, "--users", part, "--json").document for part in ("0:4", "4:")]
    assert [part["users"] for part in parts] == [4, 5]
    for row in ("metrics", "rows"):
        first, second, all_ = (
            (each[row] if row == "metrics" else each[row]["random"])["MAP@500"]
            for each in (*parts, whole)
        )
        assert all_ == pytest.approx((4 * first + 5 * second) / 9)


@pytest.mark.parametrize("memory", ["64", "1k"])
def test_figures_do_not_depend_on_the_size_of_the_blocks(
    memory: str, tartarus: Command, world: World
) -> None:
    rows = write(world, world.rng.standard_normal((12, 4)))
    words = ("evaluate", rows, "--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    whole = tartarus(*words, "--json").document
    small = tartarus(*words, "--memory", memory, "--json").document
    assert small["metrics"] == pytest.approx(whole["metrics"])
    assert small["rows"]["random"] == whole["rows"]["random"]


def test_k_adds_cut_offs_and_published_adds_its_ndcg(tartarus: Command, world: World) -> None:
    rows = write(world, world.rng.standard_normal((12, 4)))
    words = ("evaluate", rows, "--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    usual = set(tartarus(*words, "--json").document["metrics"])
    more = set(tartarus(*words, "--json", "--k", 10, "--published").document["metrics"])
    assert {"MAP@500", "MRR", "ROC-AUC", "PR-AUC", "C@5", "HR@1"} <= usual
    assert {"P@10", "R@10", "nDCG@10", "C@10", "nDCG@5 (published)"} <= more - usual


def test_multiclass_figures_are_those_of_sklearn(tartarus: Command, world: World) -> None:
    scores = world.rng.standard_normal((12, 3))
    shown = tartarus(
        *("evaluate", write(world, scores), "--experiment", "single-label-vector"),
        *("--dataset", "one", "-w", world.root, "--json"),
    ).document
    truth = np.load(world.datasets / "item_factors_test_class_3_one.npy").argmax(axis=1)
    best = scores.argmax(axis=1)
    assert shown["metrics"]["accuracy"] == pytest.approx(accuracy_score(truth, best))
    assert shown["metrics"]["f1_macro"] == pytest.approx(f1_score(truth, best, average="macro"))
    assert np.sum(shown["confusion"]) == 12
    assert [each["name"] for each in shown["classes"]] == ["jazz", "soul", "rock"]
    assert (shown["users"], [*shown["rows"]]) == (None, ["random"])


def test_items_without_a_prediction_are_never_right(tartarus: Command, world: World) -> None:
    truth = np.load(world.datasets / "item_factors_test_class_3_one.npy")
    shown_items = np.flatnonzero(truth.argmax(axis=1) != 0)
    ids = world.root / "ids.tsv"
    ids.write_text("".join(f"test-{n}\n" for n in shown_items))
    words = ("evaluate", write(world, truth[shown_items]), "--ids", ids, "-w", world.root, "--json")
    one = tartarus(*words, "--experiment", "single-label-vector", "--dataset", "one").document
    assert one["items_without_prediction"] == 12 - len(shown_items) > 0
    assert one["metrics"]["accuracy"] == pytest.approx(len(shown_items) / 12)

    truth = np.load(world.datasets / "item_factors_test_class_3_many.npy")
    write(world, truth[shown_items])
    many = tartarus(*words, "--experiment", "logistic_multilabel_vector", "--dataset", "many")
    has_class = truth.any(axis=1)
    assert many.document["metrics"]["P@1"] == pytest.approx(has_class[shown_items].sum() / 12)
    assert many.document["metrics"]["recall_micro"] == pytest.approx(
        truth[shown_items].sum() / truth.sum()
    )


def test_what_a_task_does_not_have_is_refused(tartarus: Command, world: World) -> None:
    words = ("evaluate", write(world, np.eye(12, 3)), "--experiment", "single-label-vector")
    for option in (("--users", "0:3"), ("--k", "2"), ("--published",)):
        refused = tartarus(*words, "--dataset", "one", "-w", world.root, *option)
        assert (refused.status, option[0] in refused.err) == (2, True)
    early = tartarus(
        "run", "single-label-vector", "text", "--dataset", "one", "-w", world.root, "--k", "2"
    )
    assert early.status == 2
    assert not (world.root / "data" / "models").exists()


def test_a_damaged_document_of_results_does_not_stop_the_others(
    tartarus: Command, world: World
) -> None:
    results = world.root / "data" / "results"
    results.mkdir()
    for name, text in (("model_8", "{"), ("model_9", "[]"), ("other", '{"metrics": 3}')):
        (results / f"{name}.json").write_text(text)
    rows = write(world, world.rng.standard_normal((12, 4)))
    words = ("evaluate", rows, "--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    assert tartarus(*words).status == 0
    lines = (results / "results.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["model", "predicted"]


@pytest.mark.parametrize("kind", ["user_factors_als_4_rec", "item_factors_test_als_4_rec"])
def test_factors_that_are_no_numbers_are_named(kind: str, tartarus: Command, world: World) -> None:
    path = world.datasets / f"{kind}.npy"
    rows = np.load(path)
    rows[2] = np.inf
    np.save(path, rows)
    rows = write(world, world.rng.standard_normal((12, 4)))
    words = ("evaluate", rows, "--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    refused = tartarus(*words)
    assert refused.status == 1
    assert f"{kind}.npy: NaN or infinity in 1 rows (2," in refused.err


def test_the_random_row_has_the_seed_of_the_training(tartarus: Command, world: World) -> None:
    (world.root / "tartarus.toml").write_text("seed = 9\n")  # counts where none is named
    quick = ("--set", "training.epochs=1", "--set", "network.hidden=4", "--seed", 3, "--json")
    ran = tartarus("run", "rec_dense", "text", "--dataset", "rec", "-w", world.root, *quick)
    again = tartarus("evaluate", "-w", world.root, "--json")
    other = tartarus("evaluate", "-w", world.root, "--json", "--seed", 4)
    assert ran.document == again.document
    assert (other.document["seed"], other.document["random_seed"]) == (3, 4)
    assert other.document["rows"]["random"] != again.document["rows"]["random"]
    one, two = (
        tartarus("evaluate", "-w", world.root, "--json", "--ties", "published", "--seed", seed)
        for seed in (3, 4)
    )
    assert one.document["metrics"] == two.document["metrics"]


def test_multilabel_pmi_scores_are_cosines_with_the_labels(tartarus: Command, world: World) -> None:
    rows = world.rng.standard_normal((12, 2))
    shown = tartarus(
        *("evaluate", write(world, rows), "--experiment", "cosine_multilabel_vector"),
        *("--dataset", "many", "-w", world.root, "--json"),
    ).document
    labels = np.load(world.datasets / "class_factors_pmi_2_many.npy")
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (rows, labels)]
    truth = np.load(world.datasets / "item_factors_test_class_3_many.npy")
    expected = roc_auc_score(truth, unit[0] @ unit[1].T, average="macro")
    assert shown["metrics"]["ROC-AUC"] == pytest.approx(expected)


def test_label_factors_may_be_called_user_factors_and_the_truth_y_test_pmi(
    tartarus: Command, world: World
) -> None:
    rows = write(world, world.rng.standard_normal((12, 2)))
    many = ("--experiment", "cosine_multilabel_vector", "--dataset", "many")
    words = ("evaluate", rows, *many, "-w", world.root, "--json")
    expected = tartarus(*words).document["metrics"]
    there = world.datasets
    (there / "class_factors_pmi_2_many.npy").rename(there / "user_factors_pmi_2_many.npy")
    old = there / "item_factors_test_class_3_many.npy"
    old.rename(there / "y_test_pmi_3_many.npy")
    assert tartarus(*words).document["metrics"] == pytest.approx(expected)


def test_results_are_kept_with_one_line_a_model(tartarus: Command, world: World) -> None:
    quick = ("--set", "training.epochs=1", "--set", "network.hidden=4")
    words = ("run", "rec_dense", "text", "--dataset", "rec", "-w", world.root, *quick)
    first = tartarus(*words, "--json").document
    tartarus("run", "single-label-vector", "text", "--dataset", "one", "-w", world.root, *quick)
    results = world.root / "data" / "results"
    assert json.loads((results / "model_1.json").read_text()) == first
    lines = [line.split("\t") for line in (results / "results.tsv").read_text().splitlines()]
    assert [line[0] for line in lines] == ["model", "model_1", "model_2"]
    assert lines[1][:6] == ["model_1", "rec_dense", "text", "rec", "recommendation", "0"]
    assert {len(line) for line in lines} == {len(lines[0])}
    column = lines[0].index("MAP@500")
    assert float(lines[1][column]) == first["metrics"]["MAP@500"]
    assert lines[2][column] == ""


def test_a_model_counts_how_often_its_test_figures_were_computed(
    tartarus: Command, world: World
) -> None:
    quick = ("--set", "training.epochs=1", "--set", "network.hidden=4")
    ran = tartarus(
        "run", "rec_dense", "text", "--dataset", "rec", "-w", world.root, *quick, "--json"
    )
    again = tartarus("evaluate", "-w", world.root, "--json")
    assert again.document == ran.document
    shown = tartarus("models", "show", "model_1", "-w", world.root, "--json").document
    assert shown["test_evaluations"] == 2
    assert shown["scores"]["MAP@500"] == ran.document["metrics"]["MAP@500"]


def test_evaluating_before_predicting_says_what_to_do(tartarus: Command, world: World) -> None:
    quick = ("--set", "training.epochs=1", "--set", "network.hidden=4")
    tartarus("train", "rec_dense", "text", "--dataset", "rec", "-w", world.root, *quick)
    refused = tartarus("evaluate", "model_1", "-w", world.root)
    assert refused.status == 1
    assert "factors_model_1.npy is missing" in refused.err
    assert "tartarus predict model_1" in refused.err


WRONG_ROWS = {
    "too few rows": (np.zeros((11, 4)), "11 rows"),
    "too few factors": (np.zeros((12, 3)), "predicted.npy: 3 factors; expected 4, as in user_"),
    "a vector": (np.zeros(12), "shape (12,)"),
    "text": (np.array([["a"] * 4] * 12), "<U1"),
    "NaN": (np.where(np.eye(12, 4) > 0, np.nan, 1), "NaN or infinity in 4 rows (0, 1, 2, 3"),
}


@pytest.mark.parametrize("why", WRONG_ROWS)
def test_wrong_predictions_are_refused_with_their_fault(
    why: str, tartarus: Command, world: World
) -> None:
    rows, said = WRONG_ROWS[why]
    refused = tartarus(
        *("evaluate", write(world, rows), "--experiment", "rec_dense", "--dataset", "rec"),
        *("-w", world.root),
    )
    assert refused.status == 1
    assert said in refused.err
    assert not (world.root / "data" / "results").exists()


def test_what_is_asked_wrongly_exits_2(tartarus: Command, world: World) -> None:
    path = write(world, np.zeros((12, 4)))
    base = ("evaluate", path, "-w", world.root, "--dataset", "rec")
    assert "--experiment" in tartarus(*base).err
    assert tartarus(*base).status == 2
    assert tartarus(*base, "--experiment", "rec_dens").status == 2
    assert tartarus(*base, "--experiment", "rec_dense", "--users", "5").status == 2
    assert tartarus(*base, "--experiment", "rec_dense", "--users", "50:60").status == 2
    assert tartarus(*base, "--experiment", "rec_dense", "--k", "0").status == 2
    other = ("evaluate", path, "-w", world.root, "--experiment", "rec_dense", "--dataset", "reck")
    assert (tartarus(*other).status, "rec" in tartarus(*other).err) == (2, True)
    assert tartarus("evaluate", "model_1", "-w", world.root).status == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1:5", slice(1, 5)), (":5", slice(None, 5)), ("1:", slice(1, None)), (None, slice(None))],
)
def test_users_are_given_as_a_slice(text: str | None, expected: slice) -> None:
    assert parse_users(text) == expected
