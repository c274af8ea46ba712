"""The commands as functions: lazy, complete, and named as the options are."""

import inspect
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from typer.main import get_command

import tartarus_cli as tt
from tartarus_cli.cli.app import app
from tartarus_cli.cli.flags import COMMANDS, flag
from tartarus_cli.exporting.export import ExportResult
from tests.worlds import World

HEAVY = {"keras", "jax", "librosa", "sklearn", "polars", "matplotlib", "numba", "numpy", "scipy"}

FUNCTIONS = (
    *("init", "fetch", "split", "factorize", "features", "patches", "text", "check"),
    *("train", "predict", "evaluate", "run", "compare", "reproduce", "recommend", "export"),
)

NAMES: list[str] = vars(tt)["__all__"]

ONLY_PRINTING = {"json", "latex", "markdown", "tsv", "explain", "log", "verbose", "show", "help"}
"""Options of commands that say how something is printed or drawn."""


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = "import sys, tartarus_cli; print(*sys.modules)"
    words = [sys.executable, "-c", code]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
    assert not HEAVY & {*shown.stdout.split()}


def test_every_name_of_the_front_door_can_be_had() -> None:
    assert {*FUNCTIONS, "Dataset", "Model", "open_workspace"} <= {*NAMES}
    for name in NAMES:
        assert getattr(tt, name) is not None
    assert tt.__version__.count(".") == 2


def test_a_misspelt_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"evalute"):
        tt.evalute  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", ["text", "features", "run"])
def test_a_module_that_has_the_name_of_a_function_is_both(name: str) -> None:
    both = getattr(tt, name)
    call: Any = both
    assert isinstance(both, ModuleType)
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        call(nonsense=True)


MODULES = ("data", "settings", "models", "results", "papers")


def is_of(module: ModuleType, function: str) -> bool:
    value = vars(module).get(function)
    return inspect.isfunction(value) and value.__module__ == module.__name__


def options_of(function: str) -> set[str]:
    command: Any = get_command(app)
    return {
        word
        for parameter in command.commands[COMMANDS.get(function, function)].params
        if parameter.param_type_name == "option" and parameter.name not in ONLY_PRINTING
        for word in (*parameter.opts, *parameter.secondary_opts)
        if word.startswith("--") and not parameter.hidden
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_option_is_a_parameter_of_the_function(function: str) -> None:
    modules = (import_module(f"tartarus_cli.api.{name}") for name in MODULES)
    found = next(vars(module)[function] for module in modules if is_of(module, function))
    parameters = inspect.signature(found).parameters.values()
    known = {flag(p.name) for p in parameters if p.kind is p.KEYWORD_ONLY} - {"--progress"}
    negated = {f"--no-{name.removeprefix('--')}" for name in known}
    options = options_of(function)
    shown = {"patches": {"--to"}, "fetch": {"--list"}}.get(function, set())
    assert not options - known - negated - shown - {"--dense"}
    assert not known - options - {"--header", "--server"}


def test_a_notebook_goes_from_plays_to_a_compared_table(world: World, tmp_path: Path) -> None:
    root = tt.open_workspace(world.root)
    quick = {"training.epochs": 2, "network.hidden": [8]}
    one = tt.run("rec_dense", "text", dataset="rec", overrides=quick, workspace=root)
    model = tt.train("rec_dense", "audio", dataset="rec", overrides=quick, workspace=root)
    tt.predict(model)
    other = tt.evaluate(model)
    names = [getattr(evaluation, "name", "") for evaluation in (one, other)]
    assert names == ["model_1", "model_2"]
    assert "hidden=(8,)" in repr(model.experiment.network)
    compared = tt.compare("model_1", model, resamples=100, workspace=root)
    assert [row.name for row in compared.rows] == ["model_1", "model_2"]
    assert tt.check("rec", workspace=root).ok
    exported = tt.export(model, what="predictions", path=tmp_path / "factors.csv")
    assert isinstance(exported, ExportResult)
    assert exported.lines == 12


def test_a_dataset_answers_for_its_files(world: World) -> None:
    dataset = tt.open_workspace(world.root).dataset("rec")
    assert (dataset.splits, dataset.task) == (("train", "test"), "recommendation")
    assert dataset.ids("test")[:2] == ["test-0", "test-1"]
    assert dataset.targets("als", 4).shape == (40, 4)
    assert dataset.plays("train").shape == (40, 9)
    truth: Any = dataset.truth()
    assert truth.shape == (12, 9)
    assert "text" in dataset.settings
    assert dataset.ids("test") is dataset.ids("test")
    with pytest.raises(tt.TartarusError, match=r"items_index_val_rec\.tsv is missing"):
        dataset.ids("val")
    assert np.isfinite(dataset.features("text", "test").rows(slice(None))).all()


def test_an_error_names_the_parameter_and_tells_the_remedy(world: World) -> None:
    quick = {"training.epochs": 1, "network.hidden": [8]}
    model = tt.train("rec_dense", "text", dataset="rec", overrides=quick, workspace=world.root)
    with pytest.raises(tt.TartarusError, match="rec has no val items") as caught:
        tt.predict(model, split="val")
    assert "`split='test'`" in caught.value.hint
    assert caught.value.__notes__ == [caught.value.hint]


def test_what_hints_speak_of_is_listed(world: World) -> None:
    assert tt.list_models(workspace=world.root) == []
    model = tt.train("random", dataset="rec", workspace=world.root, progress=False)
    assert [trained.name for trained in tt.list_models(workspace=world.root)] == [model.name]
    folder = tt.open_workspace(world.root).experiments
    folder.mkdir(exist_ok=True)
    (folder / "mine.toml").write_text('extends = "rec_dense"\n')
    experiments = tt.list_experiments(workspace=world.root)
    presets = {experiment.name: experiment.preset for experiment in experiments}
    assert (presets["mine"], presets["rec_dense"]) == (False, True)
    changed = tt.show_experiment("mine", overrides={"training.epochs": 7}, workspace=world.root)
    assert changed.model_dump()["training"]["epochs"] == 7


def test_models_of_several_workspaces_are_not_compared(world: World, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(world.root, copy)
    models = [
        tt.train("random", dataset="rec", workspace=root, progress=False)
        for root in (world.root, copy)
    ]
    with pytest.raises(tt.TartarusError, match="several workspaces"):
        tt.compare(*models)


@pytest.mark.parametrize("given", [{}, {"name": "dlrs", "archives": ["dlrs.zip"]}])
def test_a_fetch_is_of_a_name_or_of_files(given: dict[str, Any], world: World) -> None:
    with pytest.raises(tt.TartarusError, match="name of a published archive or `archives`"):
        tt.fetch(**given, workspace=world.root)


def test_progress_is_quiet_where_nobody_looks(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    tt.check("rec", workspace=world.root)
    assert capsys.readouterr() == ("", "")
    tt.check("rec", workspace=world.root, progress=True)
    assert "checking" in capsys.readouterr().err


def test_datasets_and_models_are_shown_in_a_notebook(world: World) -> None:
    dataset = tt.open_workspace(world.root).dataset("rec")
    assert dataset.to_frame().rows() == [("train", 40, 9), ("test", 12, 9)]
    assert ">train<" in dataset._repr_html_()
    assert ">40<" in dataset._repr_html_()
    quick = {"training.epochs": 2, "network.hidden": [8]}
    model = tt.train("rec_dense", "text", dataset="rec", overrides=quick, workspace=world.root)
    assert model.to_frame().height == 2
    assert "<caption>model_1: rec_dense text</caption>" in model._repr_html_()
