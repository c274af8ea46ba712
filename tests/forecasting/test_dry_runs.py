"""``--dry-run``: what would be done, with time, memory and disk, and nothing is written."""

import re
from pathlib import Path
from typing import Any

import pytest

import tartarus_cli as tt
from tartarus_cli.errors import DataError, RequestError
from tartarus_cli.forecasting.extrapolation import Piece, extrapolate, measure_pieces
from tartarus_cli.forecasting.forecast import Forecast
from tartarus_cli.forecasting.probe import EPOCHS, LimitedFeed, StepProbe
from tartarus_cli.forecasting.run import planned_run
from tests.conftest import Command
from tests.sharing import made_once
from tests.sounds import FAST, Sounds
from tests.worlds import World

QUICK: dict[str, Any] = {
    "dataset": "rec",
    "overrides": {"network.hidden": [], "training.epochs": 7, "training.patience": 2},
    "progress": False,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with a dataset and one trained model, which nothing here changes."""

    def make(folder: Path) -> None:
        World(folder).recommendation("rec", val=True)
        tt.run("rec_multi", "text", "audio", workspace=folder, **QUICK)

    return made_once(tmp_path_factory, "forecasting", make)


def contents(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def forecast(root: Path, *words: str, **options: Any) -> Forecast:
    result = tt.run(*words, dry_run=True, workspace=root, **QUICK | options)
    assert isinstance(result, Forecast)
    return result


def steps(result: Forecast) -> list[str]:
    return [step.what for step in result.steps]


def test_a_dry_run_of_a_run_writes_nothing_and_ends_with_the_line_to_give(
    root: Path, tartarus: Command
) -> None:
    before = contents(root)
    words = ("rec_multi", "text", "audio", "--dataset", "rec", "--set", "training.epochs=7")
    outcome = tartarus("run", *words, "--baselines", "--seeds", "3,4", "--dry-run", "-w", root)
    assert contents(root) == before
    assert outcome.status == 0
    assert "nothing was written" in outcome.out
    line = "tartarus run rec_multi text audio --dataset rec --set training.epochs=7 --seeds 3,4"
    assert f"Next: {line} --baselines --workspace" in outcome.out
    assert re.search(r"train rec_multi text audio \(2 seeds\) \(× 2\) .* s ", outcome.out)
    assert "train knn text audio (knn)" in outcome.out
    assert "1 of" not in outcome.err  # no epoch of what is thrown away


def test_a_network_takes_from_its_patience_to_its_last_epoch(root: Path) -> None:
    result = forecast(root, "rec_multi", "text", "audio-sparse")
    (training,) = [step for step in result.steps if step.what.startswith("train")]
    assert training.seconds is not None
    low, high = training.seconds
    assert 0 < low < high
    assert training.memory > 0 < training.disk
    assert "evaluate rec_multi text audio-sparse" in steps(result)
    frame = result.to_frame()
    assert frame["step"].to_list() == steps(result)
    assert result.document()["total"]["seconds"] == result.seconds
    assert "forecast" in result._repr_html_()


def test_a_model_that_was_trained_alike_says_how_long_it_took(root: Path) -> None:
    result = forecast(root, "rec_multi", "text", "audio", seed=8)
    (training,) = [step for step in result.steps if step.what.startswith("train")]
    assert training.seconds is not None
    assert training.seconds[0] == training.seconds[1]  # as many epochs as it had
    assert "model_1, the same with seed 0, took" in training.basis
    assert any(remark.startswith("model_1") for remark in result.remarks)


def test_a_blend_names_its_parts_and_the_rows_of_an_ablation_share_them(root: Path) -> None:
    overrides = {"network.parts": ["ridge_plays"], "network.each_setting": ["ridge_plays"]}
    overrides |= {"network.each_sparse": [], "network.each_dense": []}
    result = forecast(root, "blend", "text", "audio", overrides=overrides, ablate=True)
    trained = [step for step in steps(result) if step.startswith("train")]
    assert trained[:3] == [f"train ridge_plays {s}" for s in ("text audio", "text", "audio")]
    assert len(trained) == len({*trained})
    assert "choose the weights of blend text audio" in steps(result)
    assert any("shuffled" in step for step in steps(result))


def test_what_cannot_be_run_is_refused_as_the_run_itself_does(root: Path) -> None:
    with pytest.raises(RequestError, match="has no setting called 'tags'"):
        forecast(root, "rec_multi", "text", "tags")
    nothing: Any = None
    with pytest.raises(RequestError, match="`dry_run` and `resume` exclude each other"):
        planned_run(nothing, nothing, {"resume": True})


def test_an_evaluation_is_forecast_from_what_was_predicted(root: Path, tartarus: Command) -> None:
    before = contents(root)
    outcome = tartarus("evaluate", "model_1", "--dry-run", "--users", "0:5", "-w", root)
    assert contents(root) == before
    assert "5 of 5 users ranked for" in outcome.out
    assert "Next: tartarus evaluate model_1 --users 0:5" in outcome.out
    with pytest.raises(RequestError, match="exclude each other"):
        tt.evaluate("model_1", by="user-activity", dry_run=True, workspace=root, progress=False)


def test_an_evaluation_of_what_has_not_predicted_is_refused(tmp_path: Path) -> None:
    World(tmp_path).recommendation("rec")
    model = tt.train("ridge", "text", dataset="rec", workspace=tmp_path, progress=False)
    with pytest.raises(DataError, match="has not predicted the test items"):
        tt.evaluate(model, dry_run=True, progress=False)


@pytest.mark.slow  # three networks
def test_a_search_is_forecast_without_a_study(root: Path, tartarus: Command) -> None:
    before = contents(root)
    words = ("rec_multi", "text", "audio", "--dataset", "rec", "--set", "network.hidden=[4],[8]")
    short = ("--set", "training.epochs=3", "--trials", "7")
    outcome = tartarus("tune", *words, *short, "--dry-run", "-w", root)
    assert contents(root) == before
    assert "train 7 trials of rec_multi" in outcome.out
    assert "3 trials that were begun" in outcome.out
    assert "Next: tartarus tune rec_multi text audio --dataset rec" in outcome.out
    with pytest.raises(RequestError, match="from its first trial on"):
        tt.tune("rec_multi", "text", dry_run=True, resume=True, workspace=root, progress=False)


def test_patches_tell_new_from_missing_recordings(tmp_path: Path, tartarus: Command) -> None:
    sounds = Sounds(tmp_path / "songs")
    (sounds.audio / "test-1.wav").unlink()
    before = contents(sounds.root)
    order = ("--seconds", "0.3", "--patches", "2", *FAST)
    outcome = tartarus("patches", "songs", "-w", sounds.root, *order, "--jobs", "1", "--dry-run")
    assert contents(sounds.root) == before
    assert "decode 7 recordings with 1 process " in outcome.out
    assert (
        "1 item would have no patches, such as 'test-1': there is no file test-1.wav" in outcome.out
    )
    assert "Next: tartarus patches songs" in outcome.out


def test_pieces_grow_until_the_time_is_over_or_all_is_done() -> None:
    done: list[int] = []
    pieces = measure_pieces(done.append, 100, first=20, budget_s=1e9)
    assert [piece.size for piece in pieces] == [20, 40, 80, 100]
    assert done == [1, 20, 40, 80, 100]
    assert [piece.size for piece in measure_pieces(done.append, 100, first=20, budget_s=0)] == [20]


def test_what_was_measured_whole_is_not_extrapolated() -> None:
    assert extrapolate([Piece(5, 1.0), Piece(10, 9.0)], 10) == 9.0
    # A piece that took no longer than a smaller one says that nothing grows.
    assert extrapolate([Piece(5, 2.0), Piece(10, 1.0)], 100) == 1.0


def test_a_probe_gives_a_training_a_few_of_its_batches() -> None:
    probe = StepProbe(budget_s=0.0)
    batches = [*range(50)]
    feed, judge = probe.limit(batches, lambda: 0.5)
    assert isinstance(feed, LimitedFeed)
    sizes = []
    for epoch in range(1, EPOCHS + 1):
        sizes.append([feed[number] for number in range(len(feed))])
        assert judge() == 0.5
        probe.epoch_ended(epoch, {})
    assert sizes == [[0, 49], [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert probe.epoch_s >= 0 <= probe.compiling_s
