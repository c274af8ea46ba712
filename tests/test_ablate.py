"""``run --ablate``: what each setting is worth, and whether content matters at all."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

import tartarus_cli as tt
from tartarus_cli.ablate import parts_of_patches, plan_rows
from tartarus_cli.evaluation.ablation import find_ablation
from tartarus_cli.evaluation.group_report import GroupEvaluation
from tartarus_cli.experiments.request import TrainingRequest, build_request
from tartarus_cli.forecasting.forecast import Forecast
from tartarus_cli.metrics.significance import holm
from tartarus_cli.models.store import Store
from tartarus_cli.training.blend_parts import requested_parts
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.sharing import made_once
from tests.worlds import World

THREE = ("ridge_plays", "text", "audio", "noise")
KINDS = ("all", *["alone"] * 3, *["without"] * 3, "shuffled")


def write_ablated(root: Path) -> None:
    """Ablate a ridge of three settings, of which one is noise."""
    world = World(root)
    world.recommendation("rec", val=True)
    for path in world.features.glob("X_*_text_rec.npy"):
        noise = world.rng.standard_normal(np.load(path).shape).astype(np.float32)
        np.save(path.with_name(path.name.replace("text", "noise")), noise)
    tt.run(*THREE, dataset="rec", ablate=True, workspace=root, progress=False)


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "ablated", write_ablated)


@pytest.fixture
def root(_written: Path, tmp_path: Path) -> Path:
    """Return a workspace with an ablation."""
    return Path(copytree(_written, tmp_path / "workspace"))


def ablation_of(root: Path, model: str = "model_1") -> Any:
    ablation = find_ablation(open_workspace(root), model)
    assert ablation is not None
    return ablation


def test_an_ablation_has_each_setting_alone_all_but_each_and_shuffled_ones(root: Path) -> None:
    ablation = ablation_of(root)
    assert tuple(row.kind for row in ablation.rows) == KINDS
    read = {row.label: row.settings for row in ablation.rows}
    assert read["text alone"] == ("text",)
    assert read["without noise"] == ("text", "audio")
    assert read["shuffled"] == ("text", "audio", "noise")
    assert ablation.metrics == ("MAP@500",)
    assert {"random", "oracle"} <= {*ablation.references}


def test_figures_and_differences_are_those_of_the_models_that_it_names(root: Path) -> None:
    ablation = ablation_of(root)
    names = [row.model for row in ablation.rows]
    compared = tt.compare(*names, metrics=["MAP@500"], workspace=root, progress=False)
    assert [row.difference for row in ablation.rows[1:]] == [*compared.differences]
    assert ablation.rows[0].difference is None
    tests = [row.difference for row in ablation.rows[1:]]
    assert [test.p_holm for test in tests] == holm([test.p for test in tests])
    for row in ablation.rows:
        results = json.loads((root / f"data/results/{row.model}.json").read_text())
        assert row.figures == {"MAP@500": results["metrics"]["MAP@500"]}
        with np.load(root / f"data/results/{row.model}_users.npz") as values:
            mean = float(values["MAP@500"].mean())
        assert row.figures["MAP@500"] == pytest.approx(mean)
        assert row.low <= mean <= row.high


def test_what_the_table_says_follows_from_its_rows(root: Path) -> None:
    ablation = ablation_of(root)
    rows = {row.label: row for row in ablation.rows}
    worth, content, *alone = ablation.summary
    for setting in ablation.settings:
        lead = -rows[f"without {setting}"].difference.difference
        assert f"{setting} {lead:+.4f} (" in worth
    shuffled = rows["shuffled"].figures["MAP@500"]
    assert f"{shuffled:.4f} with those of other items (random " in content
    better = [row for row in rows.values() if row.kind == "alone" if row.difference.difference > 0]
    assert len(alone) == max(1, len(better))


def test_rows_never_become_the_newest_model_and_say_what_they_are(
    root: Path, tartarus: Command
) -> None:
    store = Store(open_workspace(root))
    assert store.newest().name == "model_1"
    shuffled = ablation_of(root).rows[-1].model
    shown = tartarus("models", "show", shuffled, "-w", root).out
    assert "shuffled, in the ablation of model_1" in " ".join(shown.split())
    listed = tartarus("models", "list", "-w", root).out
    assert "(without noise, in the ablation of model_1)" in " ".join(listed.split())


def test_the_same_command_again_trains_and_evaluates_nothing_and_goes_on_where_it_was_stopped(
    root: Path, tartarus: Command
) -> None:
    before = ablation_of(root)
    store = Store(open_workspace(root))
    names = store.names()
    lost = before.rows[-1].model
    tt.delete_models(lost, workspace=root)
    (root / "data/results/model_1_ablation.json").unlink()
    done = tartarus("run", *THREE, "--dataset", "rec", "--ablate", "-w", root)
    assert done.status == 0, done.err
    assert "ablation, row 7 of 7: shuffled" in done.err
    again = ablation_of(root)
    assert again.rows[:-1] == before.rows[:-1]
    assert again.rows[-1].figures == before.rows[-1].figures
    assert Store(open_workspace(root)).names() - names == {again.rows[-1].model}
    evaluated = store.get(before.rows[1].model).manifest.test_evaluations
    assert evaluated == 1
    pictures = [root / str(picture) for picture in again.pictures]
    assert [picture.suffix for picture in pictures] == [".svg", ".png"]
    assert "without noise" in pictures[0].read_text()


def test_compare_of_an_ablated_model_is_that_of_its_rows(root: Path, tartarus: Command) -> None:
    shown = tartarus("compare", "model_1", "--metric", "MRR", "-w", root)
    assert "Differences from all" in shown.out
    assert "without noise" in shown.out
    latex = tartarus("compare", "model_1", "--latex", "-w", root).out
    assert r"shuffled & ridge\_plays text audio noise --set shuffled=true &" in latex
    document = tartarus("compare", "model_1", "--json", "-w", root).document
    assert [row["label"] for row in document["rows"]][::7] == ["all", "shuffled"]
    first, last = (document["rows"][place]["name"] for place in (0, -1))
    other = tartarus("compare", last, first, "--json", "-w", root).document
    assert [row["label"] for row in other["rows"]] == ["", ""]


def test_a_row_that_is_gone_is_reported_and_an_ablation_is_deleted_with_its_model(
    root: Path, tartarus: Command
) -> None:
    gone = ablation_of(root).rows[1].model
    tt.delete_models(gone, workspace=root)
    shown = tartarus("compare", "model_1", "-w", root)
    assert f"text alone is left out: {gone} has no results any more" in shown.err
    alone = tartarus("compare", gone, "-w", root)
    assert alone.status == 2
    tt.delete_models("model_1", workspace=root)
    assert not [*(root / "data" / "results").glob("model_1_*")]


def test_ablations_are_no_results_and_damaged_ones_are_reported(
    root: Path, tartarus: Command
) -> None:
    table = (root / "data/results/results.tsv").read_text()
    assert "model_1_ablation" not in table
    found = tartarus("check-data", "rec", "-w", root).out
    assert "model_1_ablation" not in found
    (root / "data/results/model_1_ablation.json").write_text("{}")
    done = tartarus("compare", "model_1", "-w", root)
    assert done.status == 1
    assert "model_1_ablation.json" in done.err
    assert "Delete it, and run the ablation again." in done.err


def test_of_two_settings_each_is_trained_alone_by_a_network_of_one_input(tmp_path: Path) -> None:
    World(tmp_path).recommendation("rec", val=True)
    quick = {"training.epochs": 1, "network.hidden": []}
    result = tt.run(
        *("rec_multi", "text", "audio"),
        dataset="rec",
        overrides=quick,
        ablate=True,
        workspace=tmp_path,
        progress=False,
    )
    assert not isinstance(result, GroupEvaluation | Forecast)
    ablation = result.ablation
    assert ablation is not None
    labels = ["all", "text alone (without audio)", "audio alone (without text)", "shuffled"]
    assert [row.label for row in ablation.rows] == labels
    store = Store(open_workspace(tmp_path))
    assert len(store.all()) == len(labels)
    assert store.newest().name == ablation.model
    frame = ablation.to_frame()
    assert frame["row"].to_list() == labels
    assert frame["difference"].null_count() == 1
    assert "audio alone (without text)" in result._repr_html_()
    assert result.document()["ablation"]["rows"][3]["kind"] == "shuffled"
    assert store.get(ablation.rows[1].model).experiment.inputs.count == 1


def test_classes_are_ablated_by_their_accuracy(tmp_path: Path) -> None:
    World(tmp_path).classification("cls", several=False)
    result = tt.run("ridge", "text", ablate=True, workspace=tmp_path, progress=False)
    assert not isinstance(result, GroupEvaluation | Forecast)
    assert result.ablation is not None
    assert [row.label for row in result.ablation.rows] == ["all", "shuffled"]
    assert [*result.ablation.rows[0].figures] == ["accuracy"]
    assert result.ablation.unit == "items"


def test_a_part_of_a_blend_that_reads_patches_counts_as_a_setting(root: Path) -> None:
    workspace = open_workspace(root)
    parts = ('network.parts=["ridge_plays", "rec_audio", "rec_multi", "artist_mean"]',)
    request = build_request(workspace, "blend", ("text", "audio"), "rec", parts, None)
    rows = plan_rows(request, parts_of_patches(Store(workspace), request))
    read = {row.label: row for row in rows}
    assert read["all"].inputs == read["shuffled"].inputs == ("text", "audio", "rec_audio")
    sound, words = read["rec_audio alone"].request, read["without rec_audio"].request
    assert (sound.experiment.name, sound.settings) == ("rec_audio", ())
    assert words.experiment.network.model_dump()["parts"] == (
        *("ridge_plays", "rec_multi", "artist_mean"),
    )
    assert read["without text"].request.settings == ("audio",)
    both = requested_parts(Store(workspace), read["without text"].request)
    counts = [part.experiment.inputs.count for part in both if isinstance(part, TrainingRequest)]
    assert counts[2] == 1  # of rec_multi, which reads two settings elsewhere


def test_models_of_code_are_used_again_while_the_same_code_is_named(tmp_path: Path) -> None:
    World(tmp_path).recommendation("rec", val=True)
    code = tmp_path / "own.py"
    code.write_text('"""Nothing is registered."""\n')
    ours: Any = {"dataset": "rec", "ablate": True, "workspace": tmp_path, "progress": False}
    first: Any = tt.run("ridge_plays", "text", code=[code], **ours)
    again: Any = tt.run("ridge_plays", "text", code=[code], **ours)
    assert again.ablation == first.ablation
    anew: Any = tt.run("ridge_plays", "text", **ours)
    assert anew.name != first.name


REFUSED = {
    "no features": (("random",), "random reads no features"),
    "users": ((*THREE, "--users", "0:4"), "--ablate and --users exclude each other"),
    "shuffled": ((*THREE, "--set", "shuffled=true"), "learn from shuffled features anyway"),
    "models": (
        ("blend", "text", "audio", "--set", 'network.parts=["model_1", "ridge"]'),
        "blend blends model_1, which is trained already",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_ablated_is_refused_before_anything_is_trained(
    case: str, root: Path, tartarus: Command
) -> None:
    words, message = REFUSED[case]
    before = Store(open_workspace(root)).names()
    done = tartarus("run", *words, "--dataset", "rec", "--ablate", "-w", root)
    assert done.status == 2
    assert message in " ".join(done.err.split())
    assert Store(open_workspace(root)).names() == before
