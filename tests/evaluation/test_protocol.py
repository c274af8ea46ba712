"""What an evaluation tells beside the metrics (lists, gaps, words), and how it reads amounts."""

from math import log2
from pathlib import Path

import numpy as np
import pytest

from tartarus_cli.errors import RequestError
from tartarus_cli.evaluation.evaluator import gaps_closed
from tartarus_cli.metrics.lists import coverage, gini, self_information
from tartarus_cli.metrics.ranks import top_items
from tartarus_cli.options import parse_bytes
from tests.conftest import Command
from tests.evaluation.test_engine import KS, apart, figures, likes, orders, plain_scores
from tests.worlds import DIM, World


@pytest.fixture
def bare(tmp_path: Path) -> World:
    """Return a workspace without a dataset."""
    return World(tmp_path / "bare")


def test_coverage_evenness_and_novelty_are_those_of_the_first_items(
    tartarus: Command, bare: World
) -> None:
    theirs, rows = apart(6, 30, 20)
    liked = likes(6, 30, 20)
    bare.rankable(theirs, rows, liked)
    found = figures(tartarus, bare, rows, "--k", 25)["metrics"]
    first = orders(plain_scores(theirs, rows))
    unknown = [log2((1 + 30) / (1 + n)) for n in liked.sum(axis=0)]
    for k in (*KS, 25):
        counts = [int((first[:, :k] == item).sum()) for item in range(20)]
        assert found[f"C@{k}"] == sum(n > 0 for n in counts) / 20
        differences = sum(abs(one - other) for one in counts for other in counts)
        assert found[f"Gini@{k}"] == pytest.approx(differences / (2 * 20 * sum(counts)))
        expected = np.mean([[unknown[item] for item in user[:k]] for user in first])
        assert found[f"novelty@{k}"] == pytest.approx(expected)


def test_lists_have_the_figures_worked_by_hand() -> None:
    shown = np.array([3, 0, 1, 0])  # three users saw the first item, one the third
    assert coverage(shown) == 1 / 2
    assert gini(shown) == pytest.approx((4 * 3 + 2 * (3 + 1 + 2)) / (2 * 4 * 4) - 1 / 8)
    assert np.isnan(gini(np.zeros(4, np.int64)))
    assert self_information(np.array([7, 1, 0]), 7) == pytest.approx([0, 2, 3])


def test_first_items_of_the_ranking_are_those_that_lists_show() -> None:
    first = top_items(np.array([[1.0, 3.0, 2.0], [5.0, 4.0, 6.0]]), 2)
    assert coverage(np.bincount(first.ravel(), minlength=3)) == 1


# What figures are compared with, and told of.


def test_the_gap_closed_is_the_share_of_the_way_from_random_to_the_oracle(
    tartarus: Command, world: World
) -> None:
    found = figures(tartarus, world, world.rng.standard_normal((12, DIM)))
    random, oracle = found["rows"]["random"], found["rows"]["oracle"]
    closed = found["gap_closed"]["model"]
    for name, share in closed.items():
        way = oracle[name] - random[name]
        expected = (found["metrics"][name] - random[name]) / way if way else None
        assert share == (None if expected is None else pytest.approx(expected)), name
    assert not [name for name in closed if name.startswith(("C@", "Gini", "novelty"))]
    assert {"MAP@500", "ROC-AUC", "P@1", "nDCG@5"} <= {*closed}


def test_the_gap_closed_is_that_worked_by_hand() -> None:
    rows = {
        "model": {"P@1": 0.4, "R@1": 0.2, "C@1": 0.9},
        "knn": {"P@1": 0.1, "R@1": 0.2, "C@1": 0.9},
        "random": {"P@1": 0.2, "R@1": 0.2, "C@1": 1.0},
        "oracle": {"P@1": 0.7, "R@1": 0.2, "C@1": 0.3},
    }
    closed = gaps_closed(rows, None)
    assert {name: row["P@1"] for name, row in closed.items()} == pytest.approx(
        {"model": 0.4, "knn": -0.2}
    )
    assert np.isnan(closed["model"]["R@1"])  # there is no way to go
    assert "C@1" not in closed["model"]
    assert gaps_closed(rows, {"P@1": 1.0, "R@1": 1.0})["model"]["P@1"] == pytest.approx(0.25)
    assert gaps_closed({"model": rows["model"], "random": rows["random"]}, None) == {}


def test_without_an_oracle_no_gap_is_closed(tartarus: Command, world: World) -> None:
    (world.datasets / "item_factors_test_als_4_rec.npy").unlink()
    found = figures(tartarus, world, world.rng.standard_normal((12, DIM)))
    assert (found["gap_closed"], [*found["rows"]]) == ({}, ["random"])


EXPLAINED = {
    "rec": ("rec_dense", 4, ("--k", "7", "--published")),
    "many": ("logistic_multilabel_vector", 3, ("--k", "2", "--published")),
    "one": ("single-label-vector", 3, ()),
}


@pytest.mark.parametrize("dataset", EXPLAINED)
def test_every_figure_of_the_table_is_told_in_words(
    dataset: str, tartarus: Command, world: World
) -> None:
    experiment, width, more = EXPLAINED[dataset]
    path = world.root / "predicted.npy"
    np.save(path, world.rng.standard_normal((12, width)))
    words = ("evaluate", path, "--experiment", experiment, "--dataset", dataset, "-w", world.root)
    found = tartarus(*words, *more, "--json").document
    told = found["protocol"]["figures"]
    assert [*told] == [*found["metrics"]]
    assert min(len(said.split()) for said in told.values()) > 3
    assert all(">>>" not in said and "Parameters" not in said for said in told.values())
    for row in found["rows"].values():
        assert {*row} <= {*told}
    kept_document = (world.root / "data" / "results" / "predicted.json").read_text()
    assert all(said[:20] in kept_document for said in told.values())
    printed = tartarus(*words, *more, "--explain").out
    words_printed = " ".join(printed.split())
    for said in {*told.values()}:
        assert " ".join(said.split()[:3]) in words_printed
    for said in ("candidates", "ties", "truth", "scores"):
        assert said in printed
    assert "candidates" not in tartarus(*words, *more).out


def test_a_file_named_as_a_row_keeps_a_row_of_its_own(tartarus: Command, world: World) -> None:
    path = world.root / "random.npy"
    np.save(path, world.rng.standard_normal((12, 4)))
    words = ("evaluate", path, "--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    firsts = [line.split()[0] for line in tartarus(*words).out.splitlines() if line.split()]
    assert {"file_random", "random", "oracle"} <= {*firsts}
    assert (world.root / "data" / "results" / "file_random.json").exists()


def test_the_protocol_vouches_for_no_predictions_made_elsewhere(
    tartarus: Command, world: World
) -> None:
    path = world.root / "predicted.npy"
    np.save(path, world.rng.standard_normal((12, 4)))
    words = ("--dataset", "rec", "-w", world.root, "--json")
    told = {
        name: tartarus(*asked, *words).document["protocol"]["test set"]
        for name, asked in {
            "file": ("evaluate", path, "--experiment", "rec_dense"),
            "oracle": ("run", "oracle"),
            "ridge": ("run", "ridge", "text"),
        }.items()
    }
    assert "made elsewhere" in told["file"]
    assert "true factors of the test items" in told["oracle"]
    assert told["ridge"].startswith("read by nothing but this evaluation")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("512", 512),
        ("512b", 512),
        ("1k", 1024),
        ("1 KiB", 1024),
        ("1KB", 1000),
        (" 2 GiB ", 2 << 30),
        ("1.5m", 3 << 19),
        ("3TB", 3 * 10**12),
    ],
)
def test_amounts_of_memory_are_read_with_and_without_units(text: str, expected: int) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "much", "-1", "1e9", "1.k", "1 PB", "1,5G", "9" * 400])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="is not an amount of memory"):
        parse_bytes(text)
