"""Blends of models that each know some of the items, of scores for users and of classes."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.experiments.request import build_request
from tartarus_cli.metrics.classification import class_areas
from tartarus_cli.models.store import Store
from tartarus_cli.training.reuse import find_trained
from tartarus_cli.workspace import open_workspace
from tests.conftest import run_command
from tests.sharing import made_once
from tests.worlds import SPLITS, USERS, World

Floats = NDArray[np.floating[Any]]
LACKING = {"text": slice(0, 4), "audio": slice(3, 7)}  # item 3 of each set lacks both
PARTS = ("--set", "network.parts=[]", "--set", 'network.each_setting=["ridge"]')
TASKS = {"rec": "recommendation", "many": "multilabel", "one": "multiclass"}
BLENDS = {"rec": "model_3", "many": "model_6", "one": "model_9"}


def run(root: Path, *words: object) -> Any:
    done = run_command(*words, "-w", root, "--json")
    assert done.status == 0, done.err
    return json.loads(done.out)


def write_blends(root: Path) -> None:
    world = World(root)
    world.recommendation("rec", val=True)
    world.classification("many", several=True)
    world.classification("one", several=False)
    for dataset in TASKS:
        for setting, rows in LACKING.items():
            for split in SPLITS:
                path = world.features / f"X_{split}_{setting}_{dataset}.npy"
                features = np.load(path)
                features[rows] = 0
                np.save(path, features)
        name = "late" if dataset == "rec" else "genre_multi"
        empty = ("--set", "network.each_sparse=[]", "--set", "network.each_dense=[]")
        words = (name, "text", "audio", "--dataset", dataset, *PARTS)
        run(root, "run", *words, *(empty if name == "late" else ()))


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "blends", write_blends)


@pytest.fixture
def blended(_written: Path, tmp_path: Path) -> World:
    """Return a world with a blend of a ridge for each of two settings, for each task."""
    return World(Path(copytree(_written, tmp_path / "workspace")))


def manifest_of(world: World, model: str) -> Any:
    return json.loads((world.root / "data" / "models" / model / "manifest.json").read_text())


def rows_of(world: World, model: str, split: str = "test") -> tuple[list[str], Floats]:
    """Return what was predicted: ids, and rows."""
    suffix = "" if split == "test" else f"_{split}"
    folder = world.root / "data" / "factors"
    ids = (folder / f"index_factors_{model}{suffix}.tsv").read_text().split()
    return ids, np.load(folder / f"factors_{model}{suffix}.npy")


def has(setting: str, split: str) -> NDArray[np.bool_]:
    known = np.ones(SPLITS[split], bool)
    known[LACKING[setting]] = False
    return known


def spread(world: World, model: str, split: str) -> Floats:
    """Return the rows of a model for all items of a set, zeros for those without a prediction."""
    ids, rows = rows_of(world, model, split)
    whole = np.zeros((SPLITS[split], rows.shape[1]))
    whole[[int(item.rpartition("-")[2]) for item in ids]] = rows
    return whole


def averaged(world: World, dataset: str, split: str) -> Floats:
    """Average the scores of the parts by hand, over those that know an item; NaN where none."""
    blend = manifest_of(world, BLENDS[dataset])
    total, weights = 0.0, np.zeros(SPLITS[split])
    for (part, weight), setting in zip(blend["parts"].items(), LACKING, strict=True):
        counts = weight * has(setting, split)
        total = total + counts[:, None] * spread(world, part, split)
        weights += counts
    left = weights == 0
    for (part, weight), setting in zip(blend["parts"].items(), LACKING, strict=True):
        if not weight:
            counts = left * has(setting, split).astype(float)
            total = total + counts[:, None] * spread(world, part, split)
            weights += counts
    with np.errstate(invalid="ignore"):
        return np.asarray(total / weights[:, None])


@pytest.mark.parametrize("dataset", ["many", "one"])
def test_classes_are_predicted_by_the_settings_that_an_item_has(
    dataset: str, blended: World
) -> None:
    expected = averaged(blended, dataset, "test")
    ids, rows = rows_of(blended, BLENDS[dataset])
    lacking = np.isnan(expected).any(axis=1)
    assert np.isfinite(rows).all()
    assert ids == [f"test-{n}" for n in np.flatnonzero(~lacking)]
    assert "test-3" not in ids
    assert rows == pytest.approx(expected[~lacking], abs=1e-6)
    weights = manifest_of(blended, BLENDS[dataset])["parts"].values()
    assert max(weights) == 1
    if all(weights):
        assert {"test-0", "test-5"} <= {*ids}


@pytest.mark.parametrize("dataset", ["many", "one"])
def test_weights_of_classes_are_those_of_the_best_macro_average_precision_of_val_items(
    dataset: str, blended: World
) -> None:
    manifest = manifest_of(blended, BLENDS[dataset])
    for part in manifest["parts"]:
        run(blended.root, "predict", part, "--split", "val")
    found = averaged(blended, dataset, "val")
    found = np.where(np.isnan(found), np.nanmin(found) - 1, found)
    truth = np.load(blended.datasets / f"item_factors_val_class_3_{dataset}.npy") > 0
    expected = np.nanmean(class_areas(found, truth)["PR-AUC"])
    assert manifest["validation_score"] == pytest.approx(expected, abs=1e-6)
    assert manifest["validation_score"] == max(manifest["trials"].values())


def test_an_item_that_lacks_a_setting_is_ranked_by_the_other_one(blended: World) -> None:
    folder = blended.root / "data" / "models" / "model_3"
    manifest = manifest_of(blended, "model_3")
    manifest["parts"] = dict.fromkeys(manifest["parts"], 1.0)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    users = np.load(blended.datasets / "user_factors_als_4_rec.npy")
    expected = np.zeros((USERS, SPLITS["test"]))
    for part, setting in zip(manifest["parts"], LACKING, strict=True):
        rows = rows_of(blended, part)[1].astype(float)
        if (manifest_of(blended, part)["scoring"] or "cosine") == "cosine":
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        known, scores = has(setting, "test"), users @ rows.T
        centred = scores - scores[:, known].mean(axis=1, keepdims=True)
        expected += known * centred / scores[:, known].std(axis=1, keepdims=True)
    told = run(blended.root, "recommend", "model_3", "--top", SPLITS["test"])
    lines = (blended.root / told["file"]).read_text().splitlines()[1:]
    listed = np.full(expected.shape, np.nan)
    for user, _, item, score in (line.split("\t") for line in lines):
        listed[int(user), int(item.removeprefix("test-"))] = float(score)
    present = np.arange(SPLITS["test"]) != 3
    assert np.isnan(listed[:, ~present]).all() or np.isneginf(listed[:, ~present]).all()
    assert listed[:, present] == pytest.approx(expected[:, present], abs=1e-4)
    figures = run(blended.root, "evaluate", "model_3")
    assert figures["items_without_prediction"] == 1


def weigh(world: World, model: str, *weights: float) -> dict[str, float]:
    """Give the parts of a blend other weights."""
    path = world.root / "data" / "models" / model / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["parts"] = dict(zip(manifest["parts"], weights, strict=True))
    path.write_text(json.dumps(manifest))
    run(world.root, "predict", model)
    return dict(manifest["parts"])


def test_parts_of_weight_0_serve_items_that_the_others_know_nothing_of(blended: World) -> None:
    alone, other = weigh(blended, "model_6", 1.0, 0.0)
    ids, rows = rows_of(blended, "model_6")
    for item in range(SPLITS["test"]):
        if item == 3:
            assert "test-3" not in ids
            continue
        part_ids, part = rows_of(blended, alone if has("text", "test")[item] else other)
        expected = part[part_ids.index(f"test-{item}")]
        assert rows[ids.index(f"test-{item}")] == pytest.approx(expected)
    whole = run(blended.root, "evaluate", "model_3")["items_without_prediction"]
    weigh(blended, "model_3", 1.0, 0.0)
    figures = run(blended.root, "evaluate", "model_3")
    assert figures["items_without_prediction"] == whole == 1
    told = run(blended.root, "recommend", "model_3", "--user", "0", "--top", SPLITS["test"])
    assert "test-0" in json.dumps(told)
    assert "for items that the others know nothing of" in json.dumps(figures)


def test_blends_of_classes_are_listed_shown_exported_and_explained(blended: World) -> None:
    root, model = blended.root, BLENDS["many"]
    shown = run_command("models", "show", model, "-w", root)
    assert "a blend" in shown.out
    assert "by validation PR-AUC" in shown.out
    listed = run_command("models", "list", "-w", root).out
    assert "PR-AUC" in listed
    done = run_command("export", model, "--what", "predictions", "--to", root / "p.csv", "-w", root)
    assert done.status == 0, done.err
    assert (root / "p.csv").read_text().splitlines()[0] == "id,split,jazz,soul,rock"
    scores = run(root, "evaluate", model)["protocol"]["scores"]
    assert scores.startswith("the mean of the scores of several models")
    for part, weight in manifest_of(blended, model)["parts"].items():
        assert (f"{weight:.3g} × {part} (ridge " in scores) == (weight > 0)
    done = run_command("predict", model, "--layer", "dense_1", "-w", root)
    assert (done.status, "is made of other models" in done.err) == (2, True)


def test_parts_for_another_task_are_refused(blended: World) -> None:
    for name, dataset, found in (
        ("cold_multi", "many", "two_tower_deep cannot be a part of cold_multi: it is for recom"),
        ("genre_multi", "rec", "genre_network"),
    ):
        words = ("train", name, "text", "audio", "--dataset", dataset, "-w", blended.root)
        done = run_command(*words)
        assert done.status in (1, 2), done.err
        assert found in done.err or "class" in done.err
        assert "Traceback" not in done.err


def test_a_blend_is_trained_again_once_there_are_factors_that_a_part_lacked(
    blended: World,
) -> None:
    factors = [*blended.datasets.glob("*_als_4_rec.npy")]
    aside = {path: path.rename(path.with_suffix(".aside")) for path in factors}
    parts = 'network.parts=["ridge_plays", "ridge"]'
    words = ("train", "blend", "text", "--dataset", "rec", "--set", parts, "-w", blended.root)
    done = run_command(*words)
    assert "ridge text is left out of the blend" in done.err

    def trained_before() -> bool:
        workspace = open_workspace(blended.root)
        request = build_request(workspace, "blend", ("text",), "rec", (parts,), 0)
        return find_trained(Store(workspace), request) is not None

    assert trained_before()
    for path, other in aside.items():
        other.rename(path)
    assert not trained_before()
