"""The manifest of a model keeps its keys, whatever its fields are called."""

import json

from tartarus_cli.models.manifest import ModelManifest, write_model_manifest
from tartarus_cli.models.store import Store
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.worlds import World


def manifest(compared_with: str) -> ModelManifest:
    return ModelManifest(
        status="finished",
        kind="baseline",
        compared_with=compared_with,
        experiment="prior",
        dataset="one",
        task="multiclass",
        settings=[],
        target_dim=3,
        seed=0,
        started="2020-01-01T00:00:00Z",
    )


def test_the_model_that_a_baseline_is_compared_with_is_called_beside_in_json(
    tartarus: Command, world: World
) -> None:
    folder = world.root / "data" / "models" / "model_2"
    folder.mkdir(parents=True)
    write_model_manifest(folder, manifest("model_1"))
    document = json.loads((folder / "manifest.json").read_text())
    assert (document["beside"], "compared_with" in document) == ("model_1", False)
    assert Store(open_workspace(world.root)).find("model_2").manifest == manifest("model_1")
    where = ("-w", world.root, "--json")
    (listed,) = tartarus("models", "list", *where).document
    for shown in (listed, tartarus("models", "show", "model_2", *where).document):
        assert (shown["beside"], "compared_with" in shown) == ("model_1", False)
