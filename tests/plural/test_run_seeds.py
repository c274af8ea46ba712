"""``run --seeds``: one experiment with several seeds, as a group of models."""

import json
from pathlib import Path
from shutil import copytree
from statistics import fmean, stdev
from typing import Any

import pytest

import tartarus_cli as tt
from tartarus_cli.api.arguments import overrides_of
from tartarus_cli.errors import TrainingError
from tartarus_cli.evaluation.group_report import GroupEvaluation
from tartarus_cli.experiments.request import build_request
from tartarus_cli.models.groups import Groups
from tartarus_cli.models.store import Store
from tartarus_cli.plural import run as running
from tartarus_cli.plural.tasks import train_member
from tartarus_cli.training.control import TrainingControl
from tartarus_cli.training.shared_parts import train_shared_parts
from tartarus_cli.training.train import train
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.sharing import made_once
from tests.worlds import World

QUICK = ("--set", "network.hidden=[3]", "--set", "training.epochs=1")
WORDS = ("run", "rec_dense", "text", "--dataset", "rec", *QUICK)


def write_group(root: Path) -> None:
    """Train a tiny network with two seeds, and its baselines."""
    World(root).recommendation("rec", val=True)
    overrides = {"network.hidden": [3], "training.epochs": 1}
    tt.run(
        *("rec_dense", "text"),
        dataset="rec",
        overrides=overrides,
        seeds=2,
        baselines=True,
        workspace=root,
        progress=False,
    )


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "group", write_group)


@pytest.fixture
def root(_written: Path, tmp_path: Path) -> Path:
    """Return a workspace with a group of two seeds."""
    return Path(copytree(_written, tmp_path / "workspace"))


def results_of(root: Path, model: str) -> Any:
    return json.loads((root / f"data/results/{model}.json").read_text())


def manifests(root: Path) -> dict[str, tuple[str, int]]:
    models = Store(open_workspace(root)).all()
    return {model.name: (model.manifest.experiment, model.manifest.seed) for model in models}


def test_the_same_command_again_shows_the_group_and_trains_nothing(
    root: Path, tartarus: Command
) -> None:
    before = manifests(root)
    done = tartarus(*WORDS, "--seeds", 2, "--baselines", "--json", "-w", root)
    assert done.status == 0, done.err
    assert "group_1 goes on: 2 of 2 seeds are there" in done.err
    assert manifests(root) == before
    document = done.document
    figures = [results_of(root, f"model_{n}")["metrics"]["MAP@500"] for n in (1, 2)]
    assert document["mean"]["MAP@500"] == pytest.approx(fmean(figures))
    assert document["sd"]["MAP@500"] == pytest.approx(stdev(figures))
    assert [member["metrics"]["MAP@500"] for member in document["members"]] == figures
    assert [member["seed"] for member in document["members"]] == [0, 1]


def test_baselines_that_draw_nothing_are_trained_once_and_shown_without_a_deviation(
    root: Path, tartarus: Command
) -> None:
    trained = [experiment for experiment, _ in manifests(root).values()]
    assert sorted(trained) == ["knn", "rec_dense", "rec_dense", "ridge"]
    rows = tartarus(*WORDS, "--seeds", 2, "--baselines", "--json", "-w", root).document["rows"]
    assert {name for name, row in rows.items() if row["P@1"]["sd"] is None} == {
        *("knn", "ridge", "oracle"),
    }
    random = [results_of(root, f"model_{n}")["rows"]["random"]["P@1"] for n in (1, 2)]
    assert rows["random"]["P@1"]["sd"] == pytest.approx(stdev(random))
    shown = tartarus(*WORDS, "--seeds", 2, "--baselines", "-w", root).out
    line = {words[0]: words for words in map(str.split, shown.splitlines()) if len(words) > 2}
    assert line["group_1"].count("±") > line["ridge"].count("±") == 0
    assert "mean ± standard deviation over the seeds (n - 1)" in " ".join(shown.split())


def test_further_seeds_use_the_models_that_are_there(root: Path, tartarus: Command) -> None:
    done = tartarus(*WORDS, "--seeds", "1,5", "--json", "-w", root)
    assert done.status == 0, done.err
    assert "model_2 is used again" in done.err
    models = [member["model"] for member in done.document["members"]]
    assert models == ["model_2", "model_5"]
    assert done.document["group"] == "group_2"


def test_changed_data_begins_another_group(root: Path, tartarus: Command) -> None:
    labels = root / "data/datasets/items_index_train_rec.tsv"
    labels.write_text(labels.read_text().replace("train-0\n", "other\n"))
    done = tartarus(*WORDS, "--seeds", 2, "--baselines", "--json", "-w", root)
    assert done.document["group"] == "group_2"
    assert not {m["model"] for m in done.document["members"]} & {"model_1", "model_2"}


def test_a_member_that_fails_is_told_and_the_next_command_tries_it_alone(
    world: World, tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = train_member

    def failing(**arguments: Any) -> str:
        if arguments["seed"] == 1:
            msg = "the loss is not a number"
            raise TrainingError(msg, hint="Lower the learning rate.")
        return real(**arguments)

    words = (*WORDS, "--seeds", 3, "--json", "-w", world.root)
    with monkeypatch.context() as patched:
        patched.setattr(running, "train_member", failing)
        done = tartarus(*words)
    assert done.status == 1
    assert "seed 1 failed, and is left out: the loss is not a number" in done.err
    assert done.document["n"] == 2
    assert done.document["members"][1]["status"] == "failed"
    again = tartarus(*words)
    assert again.status == 0, again.err
    assert again.document["group"] == "group_1"
    assert [member["model"] for member in again.document["members"]] == [
        *("model_1", "model_3", "model_2"),
    ]


def test_the_same_command_goes_on_after_an_interruption(
    world: World, tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = train_member

    def interrupted(**arguments: Any) -> str:
        if arguments["seed"] == 1:
            raise KeyboardInterrupt
        return real(**arguments)

    words = (*WORDS, "--seeds", 2, "--json", "-w", world.root)
    with monkeypatch.context() as patched:
        patched.setattr(running, "train_member", interrupted)
        assert tartarus(*words).status == 130
    (group,) = Groups(open_workspace(world.root)).all()
    assert [member.status for member in group.members] == ["trained", "waiting"]
    done = tartarus(*words)
    assert "seed 0" not in done.err
    assert [member["model"] for member in done.document["members"]] == ["model_1", "model_2"]


def test_a_member_that_was_stopped_within_its_training_goes_on(
    world: World, tartarus: Command
) -> None:
    workspace = open_workspace(world.root)
    overrides = ("network.hidden=[3]", "training.epochs=3")
    request = build_request(workspace, "rec_dense", ["text"], "rec", overrides, 0)

    def stop(epoch: int, _figures: object) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(Store(workspace), request, control=TrainingControl(1e-6, stop))
    changes = [word for override in overrides for word in ("--set", override)]
    words = ("run", "rec_dense", "text", "--dataset", "rec", *changes, "--json")
    done = tartarus(*words, "--seeds", 2, "-w", world.root)
    assert done.status == 0, done.err
    assert [member["model"] for member in done.document["members"]] == ["model_1", "model_2"]
    assert "model_1 goes on: epoch" in done.err


def test_what_draws_nothing_is_one_model_for_all_seeds(world: World, tartarus: Command) -> None:
    words = ("run", "ridge", "text", "--dataset", "rec", "--seeds", 3, "-w", world.root)
    done = tartarus(*words)
    assert done.status == 0, done.err
    assert "Nothing is drawn: model_1 is the model of all seeds" in " ".join(done.out.split())
    assert "±" not in done.out
    assert len(Store(open_workspace(world.root)).all()) == 1
    document = tartarus(*words, "--json").document
    assert [member["model"] for member in document["members"]] == ["model_1"] * 3
    assert document["sd"]["P@1"] is None


def test_shuffled_features_are_drawn_even_for_what_draws_nothing(
    world: World, tartarus: Command
) -> None:
    words = ("run", "ridge", "text", "--dataset", "rec", "--set", "shuffled=true", "--json")
    done = tartarus(*words, "--seeds", 2, "-w", world.root)
    assert [member["model"] for member in done.document["members"]] == ["model_1", "model_2"]


def write_blend(root: Path) -> dict[str, Any]:
    """Write a world, and return the request of a blend of a tiny network and two ridges."""
    World(root).recommendation("rec", val=True)
    (root / "experiments").mkdir()
    (root / "experiments" / "quick.toml").write_text(
        'extends = "two_tower"\n[training]\nepochs = 1\n[network]\nhidden = [3]\n'
    )
    parts = {"network.parts": ["quick", "ridge_plays", "ridge"]}
    return {"dataset": "rec", "overrides": parts, "workspace": root, "progress": False}


BLENDED = ["blend", "blend", "quick", "quick", "ridge", "ridge_plays"]


def test_parts_of_a_blend_that_draw_nothing_are_trained_once(tmp_path: Path) -> None:
    result = tt.run("blend", "text-sparse", seeds=2, **write_blend(tmp_path))
    assert isinstance(result, GroupEvaluation)
    trained = [experiment for experiment, _ in manifests(tmp_path).values()]
    assert sorted(trained) == BLENDED
    assert len(result.group.models) == 2


def test_parts_that_trainings_have_in_common_are_trained_before_them(tmp_path: Path) -> None:
    ours = write_blend(tmp_path)
    workspace = open_workspace(tmp_path)
    changes = overrides_of(ours["overrides"])
    request = build_request(workspace, "blend", ["text-sparse"], "rec", changes, 0)
    parts = train_shared_parts(Store(workspace), request)
    assert [part.manifest.experiment for part in parts] == ["ridge_plays", "ridge"]
    assert train_shared_parts(Store(workspace), request) == parts
    alone = build_request(workspace, "quick", ["text-sparse"], "rec", (), 0)
    assert train_shared_parts(Store(workspace), alone) == []


@pytest.mark.slow
def test_a_cluster_gives_the_figures_of_one_machine(tmp_path: Path) -> None:
    World(tmp_path).recommendation("rec")
    ours: Any = {"dataset": "rec", "overrides": {"shuffled": True}, "workspace": tmp_path}
    first = tt.run("ridge", "text", seeds=2, cluster="local", progress=False, **ours)
    assert isinstance(first, GroupEvaluation)
    assert not first.failed
    figures = [each.metrics for each in first.members]
    tt.delete_models("group_1", workspace=tmp_path)
    again = tt.run("ridge", "text", seeds=2, progress=False, **ours)
    assert isinstance(again, GroupEvaluation)
    assert [each.metrics for each in again.members] == figures


def test_a_classification_has_means_and_deviations_too(world: World) -> None:
    result = tt.run(
        *("ridge", "text"),
        dataset="one",
        overrides={"shuffled": True},
        seeds=[4, 2],
        workspace=world.root,
        progress=False,
    )
    assert isinstance(result, GroupEvaluation)
    values = [each.metrics["accuracy"] for each in result.members]
    assert result.metrics["accuracy"].mean == pytest.approx(
        fmean(v for v in values if v is not None)
    )
    frame = result.to_frame()
    assert {*frame["system"]} == {"group_1", "random", "seed 4", "seed 2"}
    assert "mean ± sd of 2 seeds" in result._repr_html_()
    assert "<td>seed 4</td>" in result._repr_html_()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--seeds", "x"), "--seeds x: 'x' is no whole number"),
        (("--seeds", "3,3"), "the seed 3 is there twice"),
        (("--seeds", "0"), "needs two of them or more"),
        (("--seeds", "2", "--seed", "1"), "--seeds and --seed exclude each other"),
        (("--seeds", "2", "--users", "0:3"), "--users is for one model"),
        (("--seeds", "2", "--ablate"), "--ablate is for one model"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_trained(
    words: tuple[str, ...], found: str, world: World, tartarus: Command
) -> None:
    done = tartarus(*WORDS, *words, "-w", world.root)
    assert done.status == 2
    assert found in done.err
    assert not (world.root / "data/models").exists()
    assert not (world.root / "data/groups").exists()
