"""Further k of an experiment, which evaluations show beside the usual ones."""

from typing import Any

import pytest

import tartarus_cli as tt
from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.models.store import Store
from tartarus_cli.training.reuse import same_parameters
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.worlds import World

RUN = ("run", "ridge_plays", "text", "--dataset", "rec")


def good(tartarus: Command, *words: object) -> Any:
    done = tartarus(*words, "--json")
    assert done.status == 0, done.err
    return done.document


def cuts(figures: dict[str, float]) -> list[int]:
    return sorted(int(name[2:]) for name in figures if name.startswith("R@"))


@pytest.fixture
def modelled(tartarus: Command, world: World) -> World:
    """Return a workspace with a model of an experiment that names further k."""
    found = good(tartarus, *RUN, "--set", "evaluation.k=[7, 2]", "--baselines", "-w", world.root)
    for figures in (found["metrics"], *found["rows"].values()):
        assert cuts(figures) == [1, 2, 3, 5, 7]
    assert {"random", "knn", "ridge"} <= {*found["rows"]}
    return world


def test_evaluations_show_them_whenever_and_in_whatever_parts(
    tartarus: Command, modelled: World
) -> None:
    place = ("-w", modelled.root)
    whole = good(tartarus, "evaluate", "model_1", *place)["metrics"]
    assert cuts(whole) == [1, 2, 3, 5, 7]
    assert cuts(good(tartarus, "evaluate", "model_1", "--k", 4, *place)["metrics"]) == [
        *(1, 2, 3, 4, 5, 7)
    ]
    for users in ("0:4", "4:"):
        good(tartarus, "evaluate", "model_1", "--users", users, *place)
    assert good(tartarus, "evaluate", "model_1", "--merge", *place)["metrics"] == whole
    part = good(tartarus, "evaluate", "--by", "item-popularity", "--k", 4, *place)["found"]
    assert [*part["slices"][0]["metrics"]][-6:] == [
        *("nDCG@2", "R@2", "nDCG@4", "R@4", "nDCG@7", "R@7")
    ]


def test_they_are_compared_where_all_have_them_and_train_nothing_again(
    tartarus: Command, modelled: World
) -> None:
    place = ("-w", modelled.root)
    other = good(tartarus, *RUN, "--seed", 1, "--set", "evaluation.k=[7]", *place)
    found = good(tartarus, "compare", "model_1", other["model"], *place)
    assert cuts(found["rows"][0]["metrics"]) == [1, 3, 5, 7]
    model = Store(open_workspace(modelled.root)).get("model_1")
    assert model.experiment.cut_offs == (7, 2)
    without = resolve("ridge_plays", dataset="rec", overrides=["targets.dim=1"])
    assert without.evaluation is None
    assert same_parameters(model, without)


@pytest.mark.parametrize("name", ["cold_audio", "cold_multi", "cold_sparse"])
def test_experiments_for_cold_items_cut_at_20_unless_they_are_told_otherwise(name: str) -> None:
    assert resolve(name).cut_offs == (20,)
    assert resolve(name, overrides=["evaluation.k=[]"]).cut_offs == ()
    assert resolve("rec_multi").cut_offs == ()


@pytest.mark.parametrize("k", [0, -1, 2.5, 1_000_001])
@pytest.mark.parametrize("by", [None, "item-popularity"])
def test_the_function_refuses_what_is_no_k(k: Any, by: Any, modelled: World) -> None:
    with pytest.raises(RequestError, match="is no rank to cut at"):
        tt.evaluate("model_1", k=[k], by=by, workspace=modelled.root)


@pytest.mark.parametrize("k", ["0", "[0]", "[2.5]", "[true]", "20", '["20"]', "[1000001]"])
def test_what_is_no_k_is_refused(k: str, tartarus: Command, world: World) -> None:
    refused = tartarus(*RUN, "--set", f"evaluation.k={k}", "-w", world.root)
    assert (refused.status, "evaluation.k" in refused.err) == (2, True)
    classes = ("run", "prior", "--dataset", "one", "--set", "evaluation.k=[20]")
    refused = tartarus(*classes, "-w", world.root)
    assert (refused.status, "a multiclass task ranks nothing" in refused.err) == (2, True)
