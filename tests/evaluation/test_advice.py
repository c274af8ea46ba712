"""The line beneath a table with baselines: whether the model beats them, and what to try if not."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.evaluation.advice import advise
from tartarus_cli.file_names import Kind
from tartarus_cli.models.manifest import ModelManifest, write_model_manifest
from tartarus_cli.models.store import Model, Store
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.worlds import World

QUICK = ("--set", "training.epochs=1", "--dataset", "rec")


@pytest.fixture
def recommending(tmp_path: Path) -> World:
    world = World(tmp_path / "workspace")
    world.recommendation("rec")
    return world


def model(
    world: World, *settings: str, form: str = "factors", task: str = "recommendation"
) -> Model:
    folder = world.root / "data" / "models" / "model_1"
    folder.mkdir(parents=True, exist_ok=True)
    fields = {"experiment": "x", "dataset": "rec", "target_dim": 4, "seed": 0, "started": ""}
    manifest = ModelManifest.model_validate(
        {"status": "finished", "task": task, "settings": [*settings], "form": form, **fields}
    )
    write_model_manifest(folder, manifest)
    return Store(open_workspace(world.root)).get("model_1")


def advice(model: Model, own: float, **rows: float) -> str:
    systems = {name: {"MAP@500": value} for name, value in rows.items()}
    return in_shell(advise(model, {"MAP@500": own}, systems))


def test_a_model_that_beats_its_baselines_is_compared_with_the_best_of_them(
    recommending: World,
) -> None:
    found = advice(model(recommending, "text"), 0.3, random=0.1, knn=0.2, ridge=0.1, oracle=0.9)
    assert found == "model_1 beats every baseline: its MAP@500 is 1.50 × that of knn"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("text",), "cold_audio text"),
        (("text-sparse",), "cold_sparse text-sparse"),
        (("text", "audio"), "cold_multi text audio"),
    ],
)
def test_a_model_that_is_beaten_gets_an_experiment_for_its_settings(
    recommending: World, settings: tuple[str, ...], words: str
) -> None:
    found = advice(model(recommending, *settings), 0.1, knn=0.2, ridge=0.3, random=0.5)
    beaten = "ridge beats model_1 by MAP@500: 0.3000 to 0.1000"
    assert found == f"{beaten}. To try: tartarus run {words} --dataset rec --baselines"


def test_nothing_is_advised_that_could_not_be_run_or_is_not_known(recommending: World) -> None:
    beaten = "knn beats model_1 by MAP@500: 0.2000 to 0.1000"
    assert advice(model(recommending, "text", form="blend"), 0.1, knn=0.2) == beaten
    assert advice(model(recommending), 0.1, knn=0.2) == beaten
    assert advice(model(recommending, "gone"), 0.1, knn=0.2) == beaten
    assert advice(model(recommending, "text"), 0.2, knn=0.2) == ""
    assert advice(model(recommending, "text"), 0.2, knn=0.0) == ""
    assert advice(model(recommending, "text"), 0.2, random=0.1, oracle=0.9) == ""
    assert advice(model(recommending, "text", task="multilabel"), 0.2, knn=0.1) == ""
    for kind in (Kind.TRAIN_MATRIX, Kind.TARGETS):
        for file in Store(open_workspace(recommending.root)).dataset("rec").select(kind):
            file.path.unlink()
    assert advice(model(recommending, "text"), 0.1, knn=0.2) == beaten


def test_the_advice_stands_in_the_table_and_in_json_and_can_be_pasted(
    tartarus: Command, recommending: World
) -> None:
    words = ("run", "rec_sparse", "text-sparse", *QUICK, "-w", recommending.root)
    shown = tartarus(*words, "--baselines")
    assert shown.status == 0, shown.err
    found = tartarus("evaluate", "model_1", "--baselines", "--json", "-w", recommending.root)
    document = json.loads(found.out)
    assert document["advice"].replace(f" --workspace {recommending.root}", "") in shown.out or (
        document["advice"] in shown.out
    )
    rows = {name: row["MAP@500"] for name, row in document["rows"].items()}
    best = max((name for name in rows if name not in ("random", "oracle")), key=rows.__getitem__)
    own = document["metrics"]["MAP@500"]
    if own > rows[best]:
        assert document["advice"].startswith("model_1 beats every baseline")
        return
    assert document["advice"].startswith(f"{best} beats model_1")
    command = shlex.split(document["advice"].partition("To try: ")[2])
    assert command[:3] == ["tartarus", "run", "cold_sparse"]
    assert tartarus(*command[1:]).status == 0


def test_without_baselines_there_is_no_advice(tartarus: Command, recommending: World) -> None:
    words = ("run", "knn", "text", "--dataset", "rec", "-w", recommending.root, "--json")
    assert json.loads(tartarus(*words).out)["advice"] == ""
