"""Registries: what other packages add by entry points, and what cannot be imported."""

import importlib
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import tartarus_cli as tt
from tartarus_cli.errors import PluginError, RequestError
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.experiments.schema import baseline_of
from tartarus_cli.progress import SilentProgress, watching
from tests.conftest import Command
from tests.foreign import BASELINE, CODE, METRIC, NETWORK, REGISTRIES, Foreign
from tests.worlds import World

GROUPS = pytest.mark.parametrize("group", REGISTRIES)


class Watcher(SilentProgress):
    """Keeps what it is warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        """Keep it."""
        self.warnings.append(message)


def warnings_of(group: str) -> list[str]:
    watcher = Watcher()
    with watching(watcher):
        REGISTRIES[group].names()
        REGISTRIES[group].names()
    return watcher.warnings


@GROUPS
def test_what_a_package_announces_is_there_at_first_use_and_not_imported_before(
    group: str, foreign: Foreign
) -> None:
    name, code = CODE[group]
    foreign.install("shop", {"things": code}, {group: {"thing": "shop.things"}})
    registry = REGISTRIES[group]
    assert "shop.things" not in sys.modules
    built_in = [each for each in registry.names() if registry.is_built_in(each)]
    assert registry.names() == sorted([*built_in, name])
    assert registry.get(name) is not None
    assert registry.origin(name) == "shop.things"
    assert warnings_of(group) == []


@GROUPS
def test_what_cannot_be_imported_is_named_and_left_out(group: str, foreign: Foreign) -> None:
    name, code = CODE[group]
    built_in = REGISTRIES[group].names()
    foreign.restart()
    broken = f"{code}\nimport a_module_that_is_not_there\n"
    foreign.install("shop", {"things": broken}, {group: {name: "shop.things"}})
    (told,) = warnings_of(group)
    kind = REGISTRIES[group].kind
    assert told == (
        f"the {kind} plug-in {name!r} of the package shop (shop.things) cannot be imported and is "
        "left out: ModuleNotFoundError: No module named 'a_module_that_is_not_there'"
    )
    assert REGISTRIES[group].names() == built_in
    with pytest.raises(PluginError, match="cannot be imported: ModuleNotFoundError") as caught:
        REGISTRIES[group].get(name)
    assert "update or remove the package shop" in caught.value.hint


@GROUPS
def test_a_built_in_name_is_not_taken_and_both_are_named(group: str, foreign: Foreign) -> None:
    registry = REGISTRIES[group]
    taken, (name, code) = registry.names()[0], CODE[group]
    before = registry.get(taken)
    foreign.restart()
    thief = code.replace(f'"{name}"', f'"{taken}"')
    foreign.install("shop", {"things": thief}, {group: {"thing": "shop.things"}})
    (told,) = warnings_of(group)
    assert f"the {registry.kind} {taken!r} of shop.things has the name of one of Tartarus" in told
    assert registry.get(taken) is before


@GROUPS
def test_of_two_plug_ins_with_one_name_the_second_is_left_out(group: str, foreign: Foreign) -> None:
    name, code = CODE[group]
    for package in ("z-shop", "a-shop"):
        module = package.replace("-", "_")
        foreign.install(package, {"things": code}, {group: {"thing": f"{module}.things"}})
    (told,) = warnings_of(group)
    assert f"{name!r} of z_shop.things has the name of one of a_shop.things, and is left" in told
    assert REGISTRIES[group].origin(name) == "a_shop.things"


def test_only_the_group_of_a_registry_that_is_used_is_looked_for(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, groups = importlib.metadata.entry_points, []

    def recorded(*, group: str) -> Any:
        groups.append(group)
        return find(group=group)

    monkeypatch.setattr(importlib.metadata, "entry_points", recorded)
    foreign.install("shop", {"things": METRIC}, {"tartarus.metrics": {"thing": "shop.things"}})
    for _ in range(2):
        REGISTRIES["tartarus.baselines"].names()
    assert groups == ["tartarus.baselines"]
    assert "shop.things" not in sys.modules


def test_an_entry_point_may_name_an_object(foreign: Foreign) -> None:
    points = {"tartarus.metrics": {"right": "shop.things:relevant_items", "wrong": "shop.things:x"}}
    foreign.install("shop", {"things": METRIC}, points)
    assert "relevant items" in REGISTRIES["tartarus.metrics"].names()
    (told,) = warnings_of("tartarus.metrics")
    assert "'wrong' of the package shop (shop.things:x) cannot be imported" in told
    assert "AttributeError" in told


def test_what_a_module_registered_stays_though_another_one_that_imports_it_fails(
    foreign: Foreign,
) -> None:
    modules = {"things": METRIC, "broken": "import shop.things\nraise SystemExit(3)"}
    points = {"tartarus.metrics": {"a": "shop.broken", "b": "shop.things"}}
    foreign.install("shop", modules, points)
    (told,) = warnings_of("tartarus.metrics")
    assert "'a' of the package shop (shop.broken) cannot be imported" in told
    assert "SystemExit: 3" in told
    assert "relevant items" in REGISTRIES["tartarus.metrics"].names()


def test_a_module_that_is_loaded_again_replaces_what_it_registered(foreign: Foreign) -> None:
    foreign.install("shop", {"things": METRIC}, {"tartarus.metrics": {"thing": "shop.things"}})
    before = REGISTRIES["tartarus.metrics"].get("relevant items")
    importlib.reload(sys.modules["shop.things"])
    assert REGISTRIES["tartarus.metrics"].get("relevant items") is not before
    assert warnings_of("tartarus.metrics") == []


def test_cells_of_a_notebook_may_run_again_and_take_no_other_name(foreign: Foreign) -> None:
    assert foreign.folder.is_dir()
    cell = {"__name__": "__main__"}
    exec(METRIC, cell)  # noqa: S102 — as a notebook does
    before = REGISTRIES["tartarus.metrics"].get("relevant items")
    exec(METRIC, cell)  # noqa: S102
    assert REGISTRIES["tartarus.metrics"].get("relevant items") is not before
    with pytest.raises(RequestError, match="of __main__ has the name of one of Tartarus itself"):
        exec(METRIC.replace("relevant items", "MAP"), cell)  # noqa: S102


def test_a_plug_in_that_registers_nothing_by_its_name_is_told_to_who_asks(foreign: Foreign) -> None:
    foreign.install("shop", {"things": METRIC}, {"tartarus.metrics": {"thing": "shop.things"}})
    with pytest.raises(RequestError, match="no metric called 'thing'") as caught:
        REGISTRIES["tartarus.metrics"].get("thing")
    assert "the package shop announces it, and registers no metric of" in caught.value.hint


@pytest.mark.parametrize("taken", ["C", "novelty", "accuracy", "f1_macro"])
def test_figures_that_are_no_metrics_of_ranks_keep_their_names(
    taken: str, foreign: Foreign
) -> None:
    code = METRIC.replace("relevant items", taken)
    foreign.install("shop", {"things": code}, {"tartarus.metrics": {"thing": "shop.things"}})
    (told,) = warnings_of("tartarus.metrics")
    assert f"{taken!r} of shop.things has the name of one of Tartarus itself" in told
    assert taken not in REGISTRIES["tartarus.metrics"].names()


def test_the_k_of_a_metric_stands_not_in_its_name(foreign: Foreign) -> None:
    code = METRIC.replace("relevant items", "P@1")
    foreign.install("shop", {"things": code}, {"tartarus.metrics": {"thing": "shop.things"}})
    (told,) = warnings_of("tartarus.metrics")
    assert "ValueError: the name of a metric must not hold '@', as 'P@1' does" in told


def test_a_network_goes_not_before_a_built_in_baseline_nor_a_baseline_before_a_network(
    foreign: Foreign,
) -> None:
    modules = {
        "networks": NETWORK.replace('"twin"', '"knn"'),
        "baselines": BASELINE.replace('"average"', '"vector"'),
    }
    points = {
        "tartarus.architectures": {"a": "shop.networks"},
        "tartarus.baselines": {"b": "shop.baselines"},
    }
    foreign.install("shop", modules, points)
    watcher = Watcher()
    with watching(watcher):
        assert resolve("knn").baseline is baseline_of({"name": "knn"})
        assert resolve("rec_dense").baseline is None
    assert watcher.warnings == [
        "the network 'knn' of shop.networks is left out: there is a baseline of this name, of "
        "Tartarus itself",
        "the baseline 'vector' of shop.baselines is left out: there is a network of this name, of "
        "Tartarus itself",
    ]


QUICK = ("--set", "training.epochs=1", "--set", "network.hidden=4", "--dataset", "rec")


def test_a_network_and_a_metric_of_a_package_are_used_like_those_of_the_tool(
    foreign: Foreign, tartarus: Command, world: World
) -> None:
    modules = {"networks": NETWORK, "metrics": f"print('hello')\n{METRIC}"}
    points = {
        "tartarus.architectures": {"twin": "shop.networks"},
        "tartarus.metrics": {"relevant": "shop.metrics"},
    }
    foreign.install("shop", modules, points)
    words = ("--set", "network.name=twin", "--set", "network.twins=3", "-w", world.root, "--json")
    ran = tartarus("run", "rec_dense", "text", *QUICK, *words)
    assert (ran.status, "hello" in ran.err) == (0, True)
    relevant = ran.document["metrics"]["relevant items"]
    assert relevant >= 1
    layers = tartarus("models", "show", "model_1", "-w", world.root, "--json").document["layers"]
    assert {"doubled": [12]}.items() <= {each["name"]: each["shape"] for each in layers}.items()
    foreign.restart()
    done = tartarus("predict", "model_1", "--layer", "doubled", "-w", world.root, "--json")
    assert done.document["setting"] == "model_1-pred_doubled"
    foreign.restart()
    explained = tartarus("evaluate", "model_1", "--explain", "-w", world.root, "--json").document
    assert explained["metrics"]["relevant items"] == relevant


def test_a_broken_plug_in_stops_nothing_that_does_not_use_it(
    foreign: Foreign, tartarus: Command, world: World
) -> None:
    points = {group: {"thing": "shop.things"} for group in REGISTRIES}
    foreign.install("shop", {"things": "1 / 0"}, points)
    ran = tartarus("run", "ridge", "text", "--dataset", "rec", "-w", world.root, "--json")
    assert (ran.status, "MAP@500" in json.loads(ran.out)["metrics"]) == (0, True)
    for kind in ("network", "baseline", "metric"):
        assert ran.err.count(f"warning: the {kind} plug-in 'thing' of the package shop") == 1
    assert "left out: ZeroDivisionError: division by zero" in ran.err
    words = ("train", "rec_dense", "text", *QUICK, "--set", "network.name=thing", "-w", world.root)
    refused = tartarus(*words)
    assert refused.status == 1
    assert (
        "plug-in 'thing' of the package shop (shop.things) cannot be imported: Zero" in refused.err
    )
    assert not (world.root / "data" / "models" / "model_2").exists()


def test_a_caller_from_python_hears_of_a_broken_plug_in_once(
    foreign: Foreign, world: World
) -> None:
    foreign.install("shop", {"things": "1 / 0"}, {"tartarus.baselines": {"thing": "shop.things"}})
    watcher = Watcher()
    tt.run("random", dataset="rec", workspace=world.root, progress=watcher)
    assert ["the baseline plug-in 'thing'" in message for message in watcher.warnings] == [True]


def test_a_model_whose_plug_in_is_gone_says_so(
    foreign: Foreign, tartarus: Command, world: World
) -> None:
    foreign.install("shop", {"things": BASELINE}, {"tartarus.baselines": {"x": "shop.things"}})
    name = ("--set", "network.name=average")
    trained = tartarus("train", "random", "--dataset", "rec", *name, "-w", world.root)
    assert trained.status == 0, trained.err
    (foreign.folder / "shop-1.0.dist-info" / "entry_points.txt").write_text("")
    foreign.restart()
    refused = tartarus("predict", "model_1", "-w", world.root)
    assert refused.status == 1
    assert "experiment.toml: there is no network called 'average'" in refused.err
    assert "Install the plug-in that model_1 was trained with" in refused.err
    assert tartarus("models", "show", "model_1", "-w", world.root).status == 0


def test_a_vocabulary_whose_extractor_cannot_be_imported_is_a_problem_of_its_file(
    foreign: Foreign, tartarus: Command, world: World
) -> None:
    foreign.install("shop", {"things": "1 / 0"}, {"tartarus.extractors": {"odd": "shop.things"}})
    path: Path = world.features / "text_rec.vocabulary.json"
    path.write_text('{"extractor": "odd"}')
    checked = tartarus("check-data", "rec", "-w", world.root, "--json")
    (problem,) = [p for p in checked.document["problems"] if p["severity"] == "error"]
    assert problem["file"].endswith("text_rec.vocabulary.json")
    assert "cannot be imported: ZeroDivisionError" in problem["found"]
