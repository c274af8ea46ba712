"""Commands that judge classes: thresholds, the tables, what is kept."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_recall_curve
from typer.testing import CliRunner

from tartarus_cli.cli.app import app
from tartarus_cli.evaluation.classification import ClassificationResult, evaluate_classes
from tartarus_cli.evaluation.plots import class_curves
from tartarus_cli.models.store import Store
from tartarus_cli.prediction.aligned import model_predictions
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.worlds import World

QUICK = ("--set", "training.epochs=1", "--json")
VAL, TEST = 10, 12  # items


@pytest.fixture(scope="module")
def _ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(tmp_path_factory.mktemp("ran") / "workspace")
    world.classification("many", several=True)
    world.classification("one", several=False)
    for words in (
        ("logistic_multilabel_vector", "text", "--dataset", "many"),
        ("cosine_multilabel_vector", "text", "--dataset", "many"),
        ("single-label-vector", "text", "--dataset", "one"),
    ):
        done = CliRunner().invoke(app, ["run", *words, "-w", str(world.root), *QUICK])
        assert done.exit_code == 0
    return world.root


@pytest.fixture
def ran(_ran: Path, tmp_path: Path) -> World:
    """Return a world with model_1 (logistic), model_2 (by label factors), model_3 (one class)."""
    return World(Path(copytree(_ran, tmp_path / "workspace")), seed=1)


def truth(world: World, split: str, dataset: str = "many") -> NDArray[Any]:
    path = world.datasets / f"item_factors_{split}_class_3_{dataset}.npy"
    return np.asarray(np.load(path) > 0)


def factors(world: World, name: str) -> Path:
    return world.root / "data" / "factors" / name


def put(world: World, model: str, val: NDArray[Any], test: NDArray[Any]) -> None:
    np.save(factors(world, f"factors_{model}_val.npy"), val.astype(np.float32))
    np.save(factors(world, f"factors_{model}.npy"), test.astype(np.float32))


def drawn(world: World) -> tuple[NDArray[Any], NDArray[Any]]:
    """Put random scores in the place of what model_1 predicted for the val and test items."""
    val, test = (world.rng.random((count, 3)).round(2) for count in (VAL, TEST))
    put(world, "model_1", val, test)
    return val.astype(np.float32), test.astype(np.float32)


def best(scores: NDArray[Any], there: NDArray[Any]) -> float:
    precision, recall, thresholds = precision_recall_curve(there, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[len(f1) - 2 - f1[-2::-1].argmax()])  # the highest of the best


def bests(scores: NDArray[Any], there: NDArray[Any]) -> list[float]:
    """Return the threshold of each class: its own if five items have it, else that of all."""
    whole = best(scores.ravel(), there.ravel())
    many = there.sum(axis=0)
    return [best(scores[:, c], there[:, c]) if many[c] >= 5 else whole for c in range(3)]


def evaluated(tartarus: Command, world: World, model: str, *words: object) -> Any:
    return tartarus("evaluate", model, "-w", world.root, "--json", *words).document


def judged(world: World, model: str) -> ClassificationResult:
    return evaluate_classes(model_predictions(Store(open_workspace(world.root)).get(model)))


# ----------------------------------------------------------------------------------- thresholds


def test_the_val_items_choose_the_threshold_of_each_class(tartarus: Command, ran: World) -> None:
    val, test = drawn(ran)
    shown = evaluated(tartarus, ran, "model_1")
    expected = bests(val, truth(ran, "val"))
    assert shown["thresholds"]["from"] == "val"
    assert shown["thresholds"]["by_class"] == pytest.approx(
        dict(zip(["jazz", "soul", "rock"], expected, strict=True))
    )
    assert [each["threshold"] for each in shown["classes"]] == pytest.approx(expected)
    chosen = test >= np.array(expected)
    for average in ("macro", "micro"):
        f1 = f1_score(truth(ran, "test"), chosen, average=average, zero_division=0)
        assert shown["metrics"][f"f1_{average}"] == pytest.approx(f1)


def test_test_items_never_choose_a_threshold(tartarus: Command, ran: World) -> None:
    val, test = drawn(ran)
    before = evaluated(tartarus, ran, "model_1")
    path = ran.datasets / "item_factors_test_class_3_many.npy"
    np.save(path, 1 - np.load(path))
    put(ran, "model_1", val, 1 - test)
    after = evaluated(tartarus, ran, "model_1")
    assert after["metrics"]["f1_micro"] != before["metrics"]["f1_micro"]
    assert after["thresholds"] == before["thresholds"]
    path = ran.datasets / "item_factors_val_class_3_many.npy"
    np.save(path, 1 - np.load(path))
    assert evaluated(tartarus, ran, "model_1")["thresholds"] != before["thresholds"]


def test_val_predictions_are_matched_by_their_ids(tartarus: Command, ran: World) -> None:
    val, test = drawn(ran)
    whole = evaluated(tartarus, ran, "model_1")
    order = [9, 3, 4, 1, 0, 2, 5, 7, 6, 8]
    ids = factors(ran, "index_factors_model_1_val.tsv")
    ids.write_text("".join(f"val-{n}\n" for n in order))
    put(ran, "model_1", val[order], test)
    assert evaluated(tartarus, ran, "model_1") == whole
    ids.write_text("".join(f"val-{n}\n" for n in order[:6]))
    put(ran, "model_1", val[order[:6]], test)
    some, there = val[order[:6]], truth(ran, "val")[order[:6]]
    assert there.any(axis=0).all()
    by_class = evaluated(tartarus, ran, "model_1")["thresholds"]["by_class"]
    assert [*by_class.values()] == pytest.approx(bests(some, there))


def test_classes_with_few_val_items_take_the_threshold_of_all(
    tartarus: Command, ran: World
) -> None:
    val, _ = drawn(ran)
    path = ran.datasets / "item_factors_val_class_3_many.npy"
    there = np.load(path)
    there[:, 0], there[:, 1] = np.arange(VAL) < 5, np.arange(VAL) < 4
    np.save(path, there)
    by_class = evaluated(tartarus, ran, "model_1")["thresholds"]["by_class"]
    assert by_class["jazz"] == pytest.approx(best(val[:, 0], there[:, 0]))
    assert by_class["soul"] == pytest.approx(best(val.ravel(), there.ravel()))
    told = " ".join(tartarus("evaluate", "model_1", "-w", ran.root).out.split())
    few = int((there.sum(axis=0) < 5).sum())
    assert f"Classes with fewer than 5 of them share one: {few}." in told


def test_cosines_with_label_factors_have_thresholds_of_validation_too(
    tartarus: Command, ran: World
) -> None:
    val, test = ran.rng.standard_normal((VAL, 2)), ran.rng.standard_normal((TEST, 2))
    put(ran, "model_2", val, test)
    labels = np.load(ran.datasets / "class_factors_pmi_2_many.npy")
    directions = (labels / np.linalg.norm(labels, axis=1, keepdims=True)).T
    cosines = val / np.linalg.norm(val, axis=1, keepdims=True) @ directions
    shown = evaluated(tartarus, ran, "model_2")
    expected = bests(cosines, truth(ran, "val"))
    assert [*shown["thresholds"]["by_class"].values()] == pytest.approx(expected, abs=1e-6)


def test_without_val_predictions_the_threshold_is_one_half_and_the_command_is_told(
    tartarus: Command, ran: World
) -> None:
    for model in ("model_1", "model_2"):
        factors(ran, f"factors_{model}_val.npy").unlink()
        told = tartarus("evaluate", model, "-w", ran.root)
        assert f"tartarus predict {model} --split val" in told.err
        assert "Every class is predicted from a score of 0.5 on." in told.out
        shown = evaluated(tartarus, ran, model)
        assert shown["thresholds"] == {
            "from": None,
            "by_class": {"jazz": 0.5, "soul": 0.5, "rock": 0.5},
        }
        tartarus("predict", model, "--split", "val", "-w", ran.root)
        again = tartarus("evaluate", model, "-w", ran.root, "--json")
        assert again.document["thresholds"]["from"] == "val"
        assert "--split val" not in again.err


@pytest.mark.parametrize("gone", ["items_index_val_many.tsv", "item_factors_val_class_3_many.npy"])
def test_a_dataset_without_val_classes_is_told_of(gone: str, tartarus: Command, ran: World) -> None:
    (ran.datasets / gone).unlink()
    told = tartarus("evaluate", "model_1", "-w", ran.root, "--json")
    assert told.document["thresholds"]["from"] is None
    assert "many has no val items with classes" in told.err
    assert "--split val" not in told.err


def test_val_items_without_any_class_choose_nothing(tartarus: Command, ran: World) -> None:
    np.save(ran.datasets / "item_factors_val_class_3_many.npy", np.zeros((VAL, 3)))
    assert evaluated(tartarus, ran, "model_1")["thresholds"]["from"] is None


def test_val_classes_out_of_step_are_refused_by_name(tartarus: Command, ran: World) -> None:
    path = ran.datasets / "item_factors_val_class_3_many.npy"
    np.save(path, np.load(path)[1:])
    refused = tartarus("evaluate", "model_1", "-w", ran.root)
    assert refused.status == 1
    assert path.name in refused.err


def test_items_without_a_prediction_are_of_no_class_however_low_the_thresholds(
    tartarus: Command, ran: World
) -> None:
    val, test = drawn(ran)
    put(ran, "model_1", val - 7, test[1:])
    ids = factors(ran, "index_factors_model_1.tsv")
    ids.write_text("".join(f"test-{n}\n" for n in range(1, TEST)))
    shown = evaluated(tartarus, ran, "model_1")
    assert max(shown["thresholds"]["by_class"].values()) < -5
    there = truth(ran, "test")  # every other item is of every class
    assert shown["metrics"]["recall_micro"] == pytest.approx(there[1:].sum() / there.sum())
    assert shown["metrics"]["precision_micro"] == pytest.approx(there[1:].mean())


def test_a_run_predicts_the_val_items_where_they_can_choose(ran: World) -> None:
    names = {path.name for path in (ran.root / "data" / "factors").glob("*.npy")}
    assert names == {
        *("factors_model_1.npy", "factors_model_1_val.npy"),
        *("factors_model_2.npy", "factors_model_2_val.npy"),
        "factors_model_3.npy",
    }


def test_a_run_without_val_items_predicts_the_test_items_alone(
    tartarus: Command, world: World
) -> None:
    for path in world.datasets.rglob("*_val_*many*"):
        path.unlink()
    words = ("run", "logistic_multilabel_vector", "text", "--dataset", "many", "-w", world.root)
    ran = tartarus(*words, *QUICK)
    assert (ran.status, ran.document["thresholds"]["from"]) == (0, None)


# ------------------------------------------------------------------------ rows, items, documents


@pytest.mark.parametrize("model", ["model_1", "model_2", "model_3"])
def test_the_random_row_and_the_perfect_one_have_the_figures_of_the_model(
    model: str, ran: World
) -> None:
    found = judged(ran, model)
    assert [*found.rows] == ["random"]
    assert {*found.rows["random"]} == {*found.perfect_metrics} == {*found.metrics}
    several = {"f1_micro": 1, "LRAP": 1, "P@1": truth(ran, "test").any(axis=1).mean()}
    once = {"accuracy": 1, "calibration_error": 0}
    for name, expected in (once if model == "model_3" else several).items():
        assert found.perfect_metrics[name] == pytest.approx(expected)
    assert found.perfect_metrics["ROC-AUC"] == found.perfect_metrics["PR-AUC"] == 1


def test_the_random_row_is_that_of_the_seed(tartarus: Command, ran: World) -> None:
    first, again = (evaluated(tartarus, ran, "model_1")["rows"] for _ in range(2))
    other = evaluated(tartarus, ran, "model_1", "--seed", 5)["rows"]
    assert first == again
    assert first != other
    given = truth(ran, "test", "one").argmax(axis=1)
    scores = np.random.default_rng(5).random((TEST, 3), np.float32)
    shown = evaluated(tartarus, ran, "model_3", "--seed", 5)["rows"]["random"]
    assert shown["accuracy"] == pytest.approx((scores.argmax(axis=1) == given).mean())


def test_figures_of_each_item_are_kept_with_its_id(tartarus: Command, ran: World) -> None:
    for model in ("model_1", "model_3"):
        shown = evaluated(tartarus, ran, model)["metrics"]
        path = ran.root / "data" / "results" / f"{model}_items.npz"
        with np.load(path, allow_pickle=False) as kept:
            assert kept["ids"].tolist() == [f"test-{n}" for n in range(TEST)]
            names = {*kept.files} - {"ids"}
            assert names >= ({"accuracy"} if model == "model_3" else {"nDCG@5", "LRAP", "MRR"})
            for name in names:
                assert kept[name].shape == (TEST,)
                assert kept[name].mean() == pytest.approx(shown[name])


def test_probabilities_have_a_calibration_error_and_cosines_have_none(
    tartarus: Command, ran: World
) -> None:
    val, test = drawn(ran)
    shown = evaluated(tartarus, ran, "model_1")
    pairs, there = test.ravel(), truth(ran, "test").ravel()
    bins = np.ceil(np.maximum(pairs, 1e-9) * 15)
    parts = [(bins == n) for n in range(1, 16) if (bins == n).any()]
    error = sum(abs(there[each].sum() - pairs[each].sum()) for each in parts) / len(pairs)
    assert shown["metrics"]["calibration_error"] == pytest.approx(error)
    put(ran, "model_1", val, test * 3)
    assert "calibration_error" not in evaluated(tartarus, ran, "model_1")["metrics"]
    put(ran, "model_2", val[:, :2], np.ones((TEST, 2)))
    classes = np.eye(3, 2) + 1  # cosines over 0
    ran.trained_on("model_2", ran.datasets / "class_factors_pmi_2_many.npy", classes)
    assert "calibration_error" not in evaluated(tartarus, ran, "model_2")["metrics"]


def test_items_without_a_prediction_are_left_out_of_the_calibration(
    tartarus: Command, ran: World
) -> None:
    scores = np.full((TEST, 3), 0.25)
    scores[:, 0] = 0.5  # the confidence of all
    put(ran, "model_3", scores[:VAL], scores[:4])
    ids = factors(ran, "index_factors_model_3.tsv")
    ids.write_text("".join(f"test-{n}\n" for n in range(4)))
    right = truth(ran, "test", "one")[:4, 0].mean()
    error = evaluated(tartarus, ran, "model_3")["metrics"]["calibration_error"]
    assert error == pytest.approx(abs(right - 0.5))


def test_a_class_without_test_items_has_no_areas(tartarus: Command, ran: World) -> None:
    path = ran.datasets / "item_factors_test_class_3_many.npy"
    there = np.load(path)
    there[:, 2] = 0
    np.save(path, there)
    last = evaluated(tartarus, ran, "model_1")["classes"][2]
    assert (last["name"], last["support"]) == ("rock", 0)
    assert last["roc_auc"] is last["pr_auc"] is None
    kept = (ran.root / "data" / "results" / "model_1.json").read_text()
    assert "NaN" not in kept
    (line,) = (
        line.split()
        for line in tartarus("evaluate", "model_1", "-w", ran.root).out.splitlines()
        if line.strip().startswith("rock")
    )
    assert line[:2] == ["rock", "0"]
    assert line[5:7] == ["—", "—"]


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("model", ["model_1", "model_3"])
def test_the_tables_tell_every_figure_once_beside_that_of_the_random_row(
    width: int, model: str, tartarus: Command, ran: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = tartarus("evaluate", model, "-w", ran.root).out
    document = json.loads((ran.root / "data" / "results" / f"{model}.json").read_text())
    lines = [line.split() for line in shown.splitlines() if line]
    whole = {line[0]: line[1:] for line in lines if len(line) == 3}
    for name, value in document["metrics"].items():
        random = document["rows"]["random"][name]
        if "@" not in name and not (model == "model_3" and name.endswith("_micro")):
            assert whole[name] == [f"{value:.4f}", f"{random:.4f}"]
    table = shown.partition("Kept in")[0]  # what follows has paths, and commands to paste
    assert max(map(len, table.splitlines())) <= width
    if model == "model_1":
        (at,) = (n for n, line in enumerate(lines) if line[:2] == ["P", "model_1"])
        cut = [document["metrics"], document["rows"]["random"]]
        expected = [[f"{each[f'P@{k}']:.4f}" for k in (1, 3, 5)] for each in cut]
        assert [lines[at][2:], lines[at + 1][1:]] == expected


# ------------------------------------------------------------------------------------- pictures


def test_the_curves_are_of_all_and_of_the_largest_classes(ran: World) -> None:
    found = judged(ran, "model_1")
    curves = class_curves(found)
    sizes = truth(ran, "test").sum(axis=0)
    names = [found.names[n] for n in np.argsort(-sizes, kind="stable")]
    assert [each.name for each in curves] == ["micro average", *names]
    areas = {each.name: each.pr_auc for each in found.classes}
    assert {each.name: each.area for each in curves[1:]} == pytest.approx(areas)


def test_pictures_are_listed_and_go_with_what_they_show(tartarus: Command, ran: World) -> None:
    results = ran.root / "data" / "results"
    kinds = {
        "model_1": ["precision_recall", "reliability"],
        "model_2": ["precision_recall"],
        "model_3": ["confusion", "precision_recall", "reliability"],
    }
    for model, drawn_kinds in kinds.items():
        expected = [f"data/results/{model}_{kind}.png" for kind in drawn_kinds]
        document = json.loads((results / f"{model}.json").read_text())
        assert document["pictures"] == expected
        told = tartarus("evaluate", model, "-w", ran.root).out
        assert [line for line in told.splitlines() if ".png" in line] == [
            f"{what}: {path}"
            for what, path in zip(
                [{"confusion": "Confusion matrix", "reliability": "Reliability"}.get(
                    kind, "Precision by recall") for kind in drawn_kinds],
                expected,
                strict=True,
            )
        ]  # fmt: skip
        assert all((ran.root / path).is_file() for path in expected)
    _, test = drawn(ran)
    put(ran, "model_1", np.zeros((VAL, 3)), test * 3)
    evaluated(tartarus, ran, "model_1")
    assert [path.name for path in results.glob("model_1_*.png")] == ["model_1_precision_recall.png"]


def test_nothing_of_a_deleted_model_is_left_in_the_results(tartarus: Command, ran: World) -> None:
    for model in ("model_1", "model_2", "model_3"):
        assert tartarus("models", "delete", model, "--yes", "-w", ran.root).status == 0
    assert [path.name for path in (ran.root / "data" / "results").iterdir()] == ["results.tsv"]
