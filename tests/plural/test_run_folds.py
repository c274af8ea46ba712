"""``run --folds``: a model for each fold, and the figures over all items."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from shutil import copytree
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, f1_score

import tartarus_cli as tt
from tartarus_cli.evaluation.group_report import GroupEvaluation
from tests.conftest import Command
from tests.sharing import made_once

GENRES = ("jazz", "rock", "soul")


def write(path: Path, header: str, rows: Iterable[Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


def tables(folder: Path, *, changed: int | None = None) -> tuple[Path, Path]:
    """Write labels and features of 60 songs in three folds; of one fold, others if changed."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    labels, features = [], []
    for n in range(60):
        genre, place = n % 3, rng.standard_normal(4)
        place[genre] += 1
        fold = n // 3 % 3 + 1
        if fold == changed:
            genre, place = (genre + 1) % 3, place[::-1] * 9
        labels.append((f"s{n:02d}", GENRES[genre], fold))
        features.append((f"s{n:02d}", *place))
    return (
        write(folder / "labels.csv", "song,genre,fold", labels),
        write(folder / "features.csv", "song,a,b,c,d", features),
    )


def prepare(root: Path, folder: Path, **changes: Any) -> None:
    """Make a dataset of three given folds, with scaled features."""
    labels, features = tables(folder, **changes)
    tt.init(root, progress=False)
    common: Any = {"workspace": root, "progress": False}
    tt.split("gt", labels=labels, folds_from=labels, **common)
    tt.features("gt", "place", source=features, scale=True, **common)


def write_world(root: Path) -> None:
    prepare(root, root.parent / "tables")
    tt.run(
        "ridge", "place", dataset="gt", folds=True, baselines=True, workspace=root, progress=False
    )


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "folds", write_world)


@pytest.fixture
def root(_written: Path, tmp_path: Path) -> Path:
    """Return a workspace with a group of three folds."""
    return Path(copytree(_written, tmp_path / "workspace"))


def pooled_by_hand(root: Path, models: Sequence[str], classes: int = 3) -> tuple[Any, Any]:
    """Return the scores and the classes of the test items of all folds, one below the other."""
    scores = [np.load(root / f"data/factors/factors_{model}.npy") for model in models]
    path = f"item_factors_test_class_{classes}_gt-fold"
    truth = [np.load(root / f"data/datasets/{path}{n}.npy") for n in (1, 2, 3)]
    return np.concatenate(scores), np.concatenate(truth)


def test_all_items_are_judged_once_as_scikit_learn_judges_them(
    root: Path, tartarus: Command
) -> None:
    words = ("run", "ridge", "place", "--dataset", "gt", "--folds", "--baselines", "-w", root)
    done = tartarus(*words, "--json")
    assert done.status == 0, done.err
    assert "group_1 goes on: 3 of 3 folds are there" in done.err
    document = done.document
    scores, truth = pooled_by_hand(root, [m["model"] for m in document["members"]])
    true, predicted = truth.argmax(axis=1), scores.argmax(axis=1)
    pooled = document["pooled"]
    assert pooled["items"] == len(true) == 60
    assert pooled["confusion"] == confusion_matrix(true, predicted).tolist()
    expected = {
        "accuracy": (true == predicted).mean(),
        "f1_macro": f1_score(true, predicted, average="macro"),
        "PR-AUC": average_precision_score(truth, scores),
    }
    assert {name: pooled["metrics"][name] for name in expected} == pytest.approx(expected)
    assert {*pooled["rows"]} == {"random", "knn", "logistic", "prior"}
    folds = [member["metrics"]["accuracy"] for member in document["members"]]
    assert document["mean"]["accuracy"] == pytest.approx(fmean(folds))
    assert document["sd"]["accuracy"] == pytest.approx(stdev(folds))
    shown = " ".join(tartarus(*words).out.split())
    assert "All 60 items, each scored by the model of the fold that tests it" in shown
    assert "Mean ± standard deviation over the folds" in shown


def test_thresholds_are_those_of_the_fold_of_each_item(root: Path) -> None:
    common: Any = {"workspace": root, "progress": False}
    overrides = {"dataset.task": "multilabel"}
    result = tt.run("ridge", "place", dataset="gt", overrides=overrides, folds=True, **common)
    assert isinstance(result, GroupEvaluation)
    scores, truth = pooled_by_hand(root, [m.model for m in result.group.members])
    lowest = [
        [c.threshold for c in each.results.classes] for each in result.members if each.results
    ]
    predicted = scores >= np.repeat(np.array(lowest, float), (21, 21, 18), axis=0)
    pooled = result.pooled["group_2"].metrics
    assert pooled["f1_micro"] == pytest.approx(f1_score(truth, predicted, average="micro"))
    assert pooled["P@1"] == pytest.approx((truth[np.arange(60), scores.argmax(axis=1)]).mean())


def test_test_items_of_a_fold_have_no_part_in_what_its_model_learns_from(tmp_path: Path) -> None:
    prepare(tmp_path / "one", tmp_path / "tables")
    prepare(tmp_path / "other", tmp_path / "changed", changed=1)
    for fold, same in ((1, True), (2, False)):
        names = [
            f"items_index_val_gt-fold{fold}.tsv",
            f"item_factors_class_3_gt-fold{fold}.npy",
            f"item_factors_val_class_3_gt-fold{fold}.npy",
            f"train_data/X_train_place_gt-fold{fold}.npy",
            f"train_data/X_val_place_gt-fold{fold}.npy",
        ]
        contents = [
            [(tmp_path / world / "data/datasets" / name).read_bytes() for name in names]
            for world in ("one", "other")
        ]
        assert (contents[0] == contents[1]) == same


def test_folds_of_plays_have_means_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [(f"u{rng.integers(8)}", f"s{n % 30:02d}") for n in range(240)]
    plays = write(tmp_path / "plays.csv", "user,song", rows)
    places = [(f"s{n:02d}", *rng.standard_normal(3)) for n in range(30)]
    features = write(tmp_path / "features.csv", "song,a,b,c", places)
    root = tmp_path / "w"
    tt.init(root, progress=False)
    common: Any = {"workspace": root, "progress": False}
    tt.split("gt", plays=plays, folds=3, **common)
    tt.features("gt", "place", source=features, **common)
    result = tt.run("ridge_plays", "place", dataset="gt", folds=True, **common)
    assert isinstance(result, GroupEvaluation)
    values = [each.metrics["MAP@500"] for each in result.members]
    assert result.metrics["MAP@500"].mean == pytest.approx(
        fmean(v for v in values if v is not None)
    )
    assert not result.pooled


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--folds", "--seeds", "3"), "--folds and --seeds exclude each other"),
        (("--folds", "--dry-run"), "--folds and --dry-run exclude each other"),
        (("--folds", "--ablate"), "--ablate is for one model"),
        (("--folds", "--dataset", "gt-fold1"), "gt-fold1 is not divided into folds"),
        ((), "gt is divided into folds: as many datasets, and one is needed here"),
    ],
)
def test_a_wrong_request_is_refused(
    words: tuple[str, ...], found: str, root: Path, tartarus: Command
) -> None:
    done = tartarus("run", "single-label-vector", "place", "--dataset", "gt", *words, "-w", root)
    assert done.status == 2
    assert found in done.err


def test_a_fold_with_other_items_than_it_was_made_of_is_refused(
    root: Path, tartarus: Command
) -> None:
    path = root / "data/datasets/items_index_test_gt-fold2.tsv"
    path.write_text(path.read_text().replace("s0", "x0"))
    done = tartarus("run", "ridge", "place", "--dataset", "gt", "--folds", "-w", root)
    assert done.status == 1
    assert "other test items than gt-fold2 was made of" in done.err
