"""The recipes of CONTRIBUTING.md are complete: one file, no edit elsewhere."""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tartarus_cli import architectures, audio, metrics
from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.audio import TRANSFORMS
from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.plugins import run_file
from tartarus_cli.registry import Registry
from tartarus_cli.text import EXTRACTORS
from tests.conftest import Command
from tests.foreign import Foreign
from tests.worlds import SPLITS, World

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
NETWORK, METRIC, TRANSFORM, EXTRACTOR = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def _recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lay the recipes beside the modules of their packages, and take them away again."""
    recipes = (
        (architectures, NETWORK, ARCHITECTURES),
        (metrics, METRIC, metrics.METRICS),
        (audio, TRANSFORM, TRANSFORMS),
        (import_module("tartarus_cli.text"), EXTRACTOR, EXTRACTORS),
    )
    for package, code, registry in recipes:
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / "recipe.py").write_text(code)
        registry.names()
        monkeypatch.setattr(registry, "_variants", dict(registry._variants))
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    yield
    for name in ("architectures.recipe", "metrics.recipe", "audio.recipe", "text.recipe"):
        sys.modules.pop(f"tartarus_cli.{name}", None)


@pytest.mark.parametrize(
    ("code", "registry", "name"),
    [
        (NETWORK, ARCHITECTURES, "twin"),
        (METRIC, metrics.METRICS, "relevant items"),
        (TRANSFORM, TRANSFORMS, "loudness"),
        (EXTRACTOR, EXTRACTORS, "lengths"),
    ],
)
def test_a_recipe_also_works_in_a_file_that_is_named(
    code: str, registry: Registry[Any], name: str, foreign: Foreign
) -> None:
    path = foreign.folder / "recipe.py"
    path.write_text(code)
    assert name not in registry.names()
    run_file(path)
    variant = registry.get(name)
    if registry is ARCHITECTURES:
        options = variant.options(name="twin", output="linear", twins=3)
        assert variant.build([(5,)], options, 4, 0).output.shape == (None, 4)


@pytest.mark.usefixtures("_recipes")
def test_a_network_of_the_recipe_can_be_named_by_an_experiment() -> None:
    found = resolve("rec_dense", overrides=["network.name=twin", "network.twins=3"])
    build = found.architecture.build
    network = build([(5,)], found.network, 4, 0)
    assert network.predict_on_batch(np.ones((2, 5))).shape == (2, 4)
    assert network.get_layer("joined").output.shape == (None, 3 * 256)


@pytest.mark.usefixtures("_recipes")
def test_a_metric_of_the_recipe_stands_in_the_table(tartarus: Command, world: World) -> None:
    path = world.root / "predicted.npy"
    np.save(path, np.ones((12, 4)))
    words = ("evaluate", path, "--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    assert tartarus(*words, "--json").document["metrics"]["relevant items"] > 0


@pytest.mark.usefixtures("_recipes")
def test_a_transform_of_the_recipe_makes_patches() -> None:
    told = {"transform": "loudness", "parameters": {"hop_length": 100}, "seconds": 1}
    recipe = PatchRecipe.model_validate(told)
    samples = np.full(22_050, 0.5, np.float32)
    magnitude = recipe.spectrogram(samples)
    assert magnitude[0, :220] == pytest.approx(np.full(220, 0.5))
    assert recipe.cut(magnitude, "item").shape == (1, 220, 1)


@pytest.mark.usefixtures("_recipes")
def test_an_extractor_of_the_recipe_makes_a_setting(tartarus: Command, world: World) -> None:
    folder = world.root / "text"
    folder.mkdir()
    for split, count in SPLITS.items():
        for number in range(count):
            (folder / f"{split}-{number}.txt").write_text("la " * number)
    words = ("text", "one", "lengths", "--text", folder, "--set", "scale=0.5", "-w", world.root)
    assert tartarus(*words).status == 0
    rows = np.load(world.features / "X_test_lengths_one.npy")
    assert rows.tolist() == [[1.5 * number, number] for number in range(SPLITS["test"])]
    assert tartarus("check-data", "one", "-w", world.root).status == 0
