"""Searches: their trials, their figures, what they leave, and that test items have no part."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

import tartarus_cli as tt
from tartarus_cli.errors import DataError, RequestError, TrainingError
from tartarus_cli.experiments.resolve import resolve, to_table
from tartarus_cli.progress import SilentProgress
from tartarus_cli.training.train import train
from tartarus_cli.tuning.claims import claim_trial
from tartarus_cli.tuning.job import open_job
from tartarus_cli.tuning.study import Study
from tartarus_cli.tuning.workers import working
from tartarus_cli.tuning.workspace import TrialStore, TuningWorkspace
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command

KNN = ("network.neighbours=1..30:log", "network.feature_exponent=0..1")
NETWORK = (
    *("training.epochs=2", "training.patience=9", "training.batch_size=8"),
    *("network.hidden=[3],[4,4]", "training.learning_rate=1e-3..1e-1:log"),
)


def search(root: Path, *overrides: str, experiment: str = "knn", **options: Any) -> Study:
    settings = options.pop("settings", ("text",))
    chosen: dict[str, Any] = {"dataset": "rec", "trials": 4, "progress": False} | options
    done = tt.tune(experiment, *settings, overrides=overrides or KNN, workspace=root, **chosen)
    assert isinstance(done, Study)
    return done


def values_of(study: Study) -> list[tuple[Any, ...]]:
    return [(t.state, t.parameters, t.figure, t.epochs) for t in study.trials]


def test_a_search_begins_with_the_experiment_as_it_is_and_keeps_the_best(root: Path) -> None:
    study = search(root, trials=5)
    assert [trial.number for trial in study.trials] == [*range(5)]
    assert study.trials[0].default
    assert study.default is not None
    assert study.best is not None
    figures = [trial.figure for trial in study.trials]
    assert study.best.figure == max(figures, key=lambda figure: figure or 0)
    assert len({str(trial.parameters) for trial in study.trials}) == 5
    assert not list((root / "data" / "models").glob("model_*"))
    assert not list(study.folder.glob("workers/*"))
    assert study.request.ranges == dict(text.split("=") for text in KNN)


def test_the_figure_is_that_of_a_model_of_these_values(root: Path) -> None:
    study = search(root, "network.powers=1.0,1.7", experiment="ridge_plays", trials=3)
    for trial in study.trials[1:]:
        overrides = [f"network.powers={trial.parameters['network.powers']}"]
        model = tt.train(
            *("ridge_plays", "text"),
            dataset="rec",
            overrides=overrides,
            workspace=root,
            progress=False,
        )
        assert model.manifest.validation_score == pytest.approx(trial.figure)


def test_the_best_experiment_is_a_file_that_trains_the_best_trial(
    root: Path, tartarus: Command
) -> None:
    folder = root / "experiments"
    folder.mkdir(exist_ok=True)
    poor = 'extends = "ridge_plays"\n[network]\npowers = 90.0\n'
    poor += '[tune]\n"network.powers" = "1,1.4"\n"network.count_exponents" = ""\n'
    (folder / "poor.toml").write_text(poor)
    options = ("--set", "network.weights=1", "--trials", 3, "-w", root)
    done = tartarus("tune", "poor", "text", "--dataset", "rec", *options)
    assert done.status == 0, done.err
    study = tt.show_study("poor_1", workspace=root)
    assert study.best is not None
    assert not study.best.default
    assert "run poor_tuned text" in done.out
    assert study.path == folder / "poor_tuned.toml"
    tuned = to_table(resolve("poor_tuned", folder=folder))
    powers = study.best.parameters["network.powers"]
    overrides = [f"network.powers={powers}", "network.weights=1"]
    other = to_table(resolve("poor", folder=folder, dataset="rec", overrides=overrides))
    for table in (tuned, other):
        for key in ("name", "description", "extends"):
            table.pop(key, None)
    assert tuned == other
    again = tartarus("run", study.experiment, "text", "-w", root)
    assert again.status == 0, again.err
    (model,) = tt.list_models(workspace=root)
    assert model.manifest.validation_score == pytest.approx(study.best.figure)


def test_an_experiment_is_not_overwritten_unless_that_is_asked_for(root: Path) -> None:
    folder = root / "experiments"
    folder.mkdir(exist_ok=True)
    (folder / "mine.toml").write_text('extends = "knn"\n')
    with pytest.raises(RequestError, match=r"mine\.toml exists"):
        search(root, save="mine")
    assert not (root / "data" / "studies" / "knn_1").exists()
    study = search(root, "network.neighbours=1,9,30", save="mine", force=True)
    changed = (folder / "mine.toml").read_text() != 'extends = "knn"\n'
    assert changed == (study.best is not None and not study.best.default)
    with pytest.raises(RequestError, match="is a preset"):
        search(root, save="knn")


def test_the_same_seed_gives_the_same_trials_and_another_one_others(root: Path) -> None:
    first, second = search(root, trials=3), search(root, trials=3)
    assert first.name != second.name
    assert values_of(first) == values_of(second)
    assert [t.parameters for t in search(root, seed=1, trials=3).trials] != [
        t.parameters for t in first.trials
    ]


class Messages(SilentProgress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def warn(self, message: str) -> None:
        """Keep it."""
        self.messages.append(message)


def test_a_search_that_was_stopped_goes_on_to_the_same_trials(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = search(root, study="whole")
    calls: list[int] = []

    def stopped(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    monkeypatch.setattr("tartarus_cli.tuning.trials.train", stopped)
    progress = Messages()
    with pytest.raises(KeyboardInterrupt):
        search(root, study="parts", progress=progress)
    assert "resume=True" in progress.messages[-1]
    assert [trial.state for trial in tt.show_study("parts", workspace=root).trials] == [
        *("complete", "complete", "lost")
    ]
    # Neither experiment nor settings have to be named again.
    study = tt.tune(study="parts", resume=True, trials=4, workspace=root, progress=False)
    assert isinstance(study, Study)
    assert study.trials[3].retry_of == 2
    kept = [trial for trial in study.trials if trial.state != "lost"]
    assert [t.parameters for t in kept[:3]] == [t.parameters for t in whole.trials[:3]]
    assert study.begun == 4


def test_a_trial_of_a_dead_process_is_tried_again_and_none_is_lost(root: Path) -> None:
    whole = search(root, study="dead", trials=2)
    workspace = open_workspace(root)
    job = open_job(workspace, workspace.study("dead"), trials=4)
    with working(job.paths) as worker:
        claimed = claim_trial(job, worker)
        (worker.folder / "models" / "model_1").mkdir(parents=True)
        assert claimed is not None
        with working(job.paths) as other:  # it is not taken while its process lives
            assert [t.state.name for t in job.study().get_trials()][2] == "RUNNING"
            second = claim_trial(job, other)
            assert second is not None
            assert second.number == 3
            assert claim_trial(job, other) is None
    # Both processes are gone now, and said nothing of how their trials ended.
    study = search(root, study="dead", trials=4)
    states = [trial.state for trial in study.trials]
    assert states == [*["complete"] * 2, "lost", "lost", "complete", "complete"]
    assert [trial.retry_of for trial in study.trials[4:]] == [2, 3]
    assert study.trials[4].parameters == claimed.params
    assert values_of(study)[:2] == values_of(whole)
    assert not list(study.folder.glob("workers/*"))


def test_half_a_line_of_the_journal_is_cut_off(root: Path) -> None:
    study = search(root, study="half", trials=2)
    journal = study.folder / "journal.log"
    with journal.open("ab") as file:
        file.write(b'{"op_code": 4, "study_')
    assert len(search(root, study="half", trials=3).trials) == 3
    lines = journal.read_bytes().splitlines()
    assert all(json.loads(line) for line in lines)


def test_a_damaged_journal_is_named(root: Path) -> None:
    study = search(root, study="damaged", trials=1)
    journal = study.folder / "journal.log"
    journal.write_bytes(b"rubbish\n" + journal.read_bytes())
    with pytest.raises(DataError, match=r"journal\.log: a line that cannot be read"):
        search(root, study="damaged", trials=2)


def test_another_search_under_the_name_of_a_study_is_refused_by_what_differs(root: Path) -> None:
    search(root, study="mine", trials=1)
    with pytest.raises(
        RequestError, match=r"network\.neighbours: 1\.\.30:log \(varied\), not 1\.\.9"
    ):
        search(root, "network.neighbours=1..9", "network.feature_exponent=0..1", study="mine")
    with pytest.raises(RequestError, match="experiment: knn, not ridge"):
        search(root, "network.weights=1,[[1,0]]", experiment="ridge", study="mine")
    with pytest.raises(RequestError, match="seed: 0, not 3"):
        search(root, study="mine", seed=3)
    with pytest.raises(RequestError, match="settings: text, not audio"):
        search(root, study="mine", settings=("audio",))
    with pytest.raises(RequestError, match=r"there is no study called 'mien'"):
        search(root, study="mien", resume=True)


def test_all_combinations_are_tried_once_and_then_the_search_ends(root: Path) -> None:
    study = search(root, "network.neighbours=1,2", "network.feature_exponent=0,0.5", trials=50)
    assert study.exhausted
    tried = [t.parameters for t in study.trials if not t.default]
    assert len(tried) == 4 == len({str(sorted(values.items())) for values in tried})


def test_a_narrow_range_has_values_enough_and_a_step_need_not_reach_the_end(root: Path) -> None:
    study = search(root, "network.feature_exponent=0.10001..0.10002", "network.neighbours=9")
    drawn = {trial.parameters["network.feature_exponent"] for trial in study.trials[1:]}
    assert len(drawn) == 3
    assert all(0.10001 <= float(value) <= 0.10002 for value in drawn)
    study = search(root, "network.feature_exponent=0..1:0.4", "network.neighbours=9", trials=9)
    values = sorted(float(t.parameters["network.feature_exponent"]) for t in study.trials)
    assert values == pytest.approx([0, 0.4, 0.8])


@pytest.mark.slow
def test_no_values_are_tried_twice_by_hyperband_which_looks_at_some_trials_alone(
    root: Path,
) -> None:
    study = search(
        *(root, "training.epochs=6", "network.hidden=[3],[4]", "training.batch_size=8,16"),
        experiment="rec_multi",
        settings=("text", "audio"),
        pruner="hyperband",
        trials=9,
    )
    tried = [str(sorted(trial.parameters.items())) for trial in study.trials]
    assert len({*tried}) == len(tried) == 5


def test_files_that_change_during_a_study_stop_it(root: Path) -> None:
    study = search(root, study="mine", trials=2)
    path = root / "data/datasets/train_data/X_train_text_rec.npy"
    np.save(path, np.load(path)[:, ::-1])
    with pytest.raises(DataError, match=r"X_train_text_rec\.npy has changed since the study mine"):
        search(root, study="mine", trials=3)
    assert tt.show_study("mine", workspace=root).begun == study.begun


@pytest.mark.slow
def test_a_trial_that_diverges_or_does_not_fit_is_a_failed_one(root: Path) -> None:
    study = search(
        root,
        *NETWORK[:3],
        "training.learning_rate=0.01,1e30",
        experiment="rec_multi",
        settings=("text", "audio"),
        trials=3,
    )
    failed = [trial for trial in study.trials if trial.state == "failed"]
    assert [trial.parameters["training.learning_rate"] for trial in failed] == ["1e30"]
    assert "diverged" in failed[0].reason
    assert study.best is not None


@pytest.mark.slow
def test_a_search_whose_trials_all_fail_says_why(root: Path) -> None:
    with pytest.raises(TrainingError, match="has a figure: the training diverged"):
        search(
            *(root, *NETWORK[:3], "training.learning_rate=1e30", "network.dropout=0.1,0.2"),
            experiment="rec_multi",
            settings=("text", "audio"),
            trials=3,
            study="diverging",
        )


TOWER = ("two_tower", (*NETWORK[:3], "targets.dim=3,5"), ("text",), "rec")


def damage_tests(root: Path, how: str) -> int:
    """Delete, damage or replace every file of test items."""
    files = [path for path in root.rglob("*_test_*") if path.is_file()]
    for path in files:
        if how == "deleted":
            path.unlink()
        elif how == "damaged":
            path.write_bytes(b"\x80\x04rubbish")
        elif path.suffix == ".npy":
            rows = np.load(path)
            np.save(path, np.random.default_rng(9).standard_normal(rows.shape).astype(rows.dtype))
        elif path.suffix == ".tsv":
            path.write_text("".join(f"other-{n}\n" for n in range(12)))
        else:
            with np.load(path) as arrays:
                changed = {name: arrays[name] for name in arrays}
            changed["data"] = np.ones_like(changed["data"]) * 3
            np.savez(path, **changed)
    return len(files)


@pytest.mark.parametrize(
    ("experiment", "overrides", "settings", "dataset"),
    [
        ("knn", KNN, ("text",), "rec"),
        ("rec_multi", NETWORK, ("text", "audio"), "rec"),
        pytest.param("genre_network", NETWORK, ("text",), "many", marks=pytest.mark.slow),
        pytest.param(*TOWER, marks=pytest.mark.slow),
    ],
)
def test_test_items_have_no_part_in_a_search(
    root: Path,
    tmp_path: Path,
    experiment: str,
    overrides: tuple[str, ...],
    settings: tuple[str, ...],
    dataset: str,
) -> None:
    roots = {"as they are": root}
    for how in ("deleted", "damaged", "replaced") if experiment == "knn" else ("replaced",):
        roots[how] = Path(copytree(root, tmp_path / how))
        assert damage_tests(roots[how], how) >= 10
    studies = [
        search(
            each, *overrides, experiment=experiment, settings=settings, dataset=dataset, trials=2
        )
        for each in roots.values()
    ]
    assert {trial.state for trial in studies[0].trials} == {"complete"}
    for study in studies[1:]:
        assert values_of(study) == values_of(studies[0])
        assert study.best is not None
        assert studies[0].best is not None
        assert study.best.number == studies[0].best.number


def test_asking_for_test_items_raises(root: Path) -> None:
    workspace = open_workspace(root)
    seen = TuningWorkspace(workspace.root, workspace.data, root / "elsewhere")
    for dataset in (seen.dataset("rec"), TrialStore(seen).dataset("rec")):
        assert dataset.splits == ("train", "val")
        asked: list[Callable[[], object]] = [
            partial(dataset.ids, "test"),
            partial(dataset.features, "text", "test"),
            partial(dataset.targets, "als", 4, "test"),
            partial(dataset.plays, "test"),
            dataset.truth,
        ]
        for ask in asked:
            with pytest.raises(DataError, match="test items of rec are not read"):
                ask()


@pytest.mark.parametrize(
    ("experiment", "settings", "dataset", "objective", "name"),
    [
        pytest.param(
            "rec_multi", ("text", "audio"), "rec", "nDCG@7", "nDCG@7", marks=pytest.mark.slow
        ),
        pytest.param(
            "rec_multi", ("text", "audio"), "rec", "val_loss", "val_loss", marks=pytest.mark.slow
        ),
        pytest.param(
            "cosine_multilabel_vector", ("text",), "many", None, "PR-AUC", marks=pytest.mark.slow
        ),
        pytest.param("genre_network", ("text",), "one", None, "accuracy", marks=pytest.mark.slow),
        ("ridge_plays", ("text",), "rec", None, "MAP@500"),
    ],
)
def test_the_objective_follows_the_task_or_is_named(
    root: Path,
    experiment: str,
    settings: tuple[str, ...],
    dataset: str,
    objective: str | None,
    name: str,
) -> None:
    fixed = () if experiment == "ridge_plays" else (*NETWORK[:3], "network.dropout=0.1..0.2")
    study = search(
        root,
        *(fixed or ("network.powers=0.8..1.2",)),
        experiment=experiment,
        settings=settings,
        dataset=dataset,
        objective=objective,
        trials=2,
    )
    assert study.objective.name == name
    assert study.objective.maximize == (name != "val_loss")
    assert all(trial.figure is not None for trial in study.trials)
    if fixed:  # the figure is that of the epoch that is kept
        for trial in study.trials:
            assert any(
                value == pytest.approx(trial.figure, abs=1e-5) for value in trial.epochs.values()
            )


@pytest.mark.slow
def test_without_val_items_those_that_are_held_out_count(root: Path) -> None:
    for path in root.rglob("*val*"):
        path.unlink()
    study = search(root, *NETWORK, experiment="rec_multi", settings=("text", "audio"), trials=2)
    assert all(trial.figure is not None for trial in study.trials)


def test_a_blend_is_searched_by_what_its_weights_are_chosen_by(root: Path) -> None:
    study = search(
        root,
        'network.parts=["ridge_plays","knn"],["ridge_plays"]',
        "network.weights=[0,1],[0,0.5,1]",
        experiment="blend",
        trials=3,
    )
    assert {trial.state for trial in study.trials[1:]} == {"complete"}


@pytest.mark.parametrize(
    ("experiment", "objective", "said"),
    [
        ("knn", "MAP@5O0", "Did you mean MAP@500"),
        ("two_tower", "val_loss", "no such figure"),
        ("blend", "nDCG@5", "There are MAP@500"),
    ],
)
def test_a_figure_that_there_is_not_is_refused(
    root: Path, experiment: str, objective: str, said: str
) -> None:
    ranges = {"knn": KNN, "two_tower": ("targets.dim=3,5",), "blend": ("network.weights=[0],[1]",)}
    with pytest.raises(RequestError) as caught:
        search(root, *ranges[experiment], experiment=experiment, objective=objective)
    assert said in f"{caught.value} {caught.value.hint}"


def test_losses_are_no_objective_where_the_loss_is_varied(root: Path) -> None:
    with pytest.raises(RequestError, match="losses cannot be compared"):
        search(
            *(root, "training.loss=cosine,mean_squared_error"),
            experiment="rec_multi",
            settings=("text", "audio"),
            objective="val_loss",
        )


@pytest.mark.slow
def test_a_trial_that_falls_behind_is_stopped_and_counts(root: Path) -> None:
    study = search(
        root,
        *("training.epochs=5", "training.patience=9", "training.batch_size=8"),
        *("network.dropout=0.0", "network.hidden=[8]", "training.learning_rate=0.02,1e-9,2e-9"),
        experiment="rec_multi",
        settings=("text", "audio"),
        trials=4,
    )
    slow = [t for t in study.trials if t.parameters.get("training.learning_rate") != "0.02"]
    assert "pruned" in {trial.state for trial in slow}
    pruned = next(trial for trial in study.trials if trial.state == "pruned")
    assert pruned.figure is None
    assert pruned.epoch_count == len(pruned.epochs) == 5
    assert study.begun == 4


@pytest.mark.slow
def test_measuring_epochs_does_not_change_what_is_learnt(root: Path) -> None:
    options: Any = {"experiment": "rec_multi", "settings": ("text", "audio"), "trials": 2}
    measured = search(root, *NETWORK, **options)
    plain = search(root, *NETWORK, pruner="none", **options)
    assert not plain.trials[0].epochs
    for one, other in zip(measured.trials, plain.trials, strict=True):
        assert one.figure == pytest.approx(other.figure, abs=1e-6)


def test_a_search_is_a_table_a_frame_and_json(root: Path, tartarus: Command) -> None:
    study = search(root, trials=6, study="shown")
    frame = study.to_frame()
    assert frame.columns[:4] == ["number", "state", "MAP@500", "network.neighbours"]
    assert frame.height == 6
    assert "as it is" in study._repr_html_()
    document = tartarus("studies", "show", "shown", "--json", "-w", root).document
    assert document == study.document()
    assert document["trials"][1]["figure"] == study.trials[1].figure
    listed = tartarus("studies", "-w", root)
    assert "shown" in listed.out
    assert sum(study.importance.values()) == pytest.approx(1)
    names = {path.name for path in study.pictures}
    assert names == {f"{n}.{kind}" for n in ("course", "importance") for kind in ("svg", "png")}
    shown = tartarus("studies", "show", "shown", "-w", root)
    assert "0 (as it is)" in shown.out
    assert "test items were not read" in shown.out


def test_what_has_no_parameters_is_not_searched(root: Path, tartarus: Command) -> None:
    done = tartarus("tune", "popularity", "text", "--dataset", "rec", "-w", root)
    assert done.status == 2
    assert "popularity has no parameters" in done.err


def test_a_search_ends_in_time(root: Path) -> None:
    study = search(root, trials=2, study="timed")
    again = search(root, trials=50, study="timed", timeout=1e-6)
    assert again.begun == study.begun


def test_missing_files_are_named_before_a_study_begins(root: Path) -> None:
    (root / "data/datasets/train_data/X_val_text_rec.npy").unlink()
    with pytest.raises(DataError, match="X_val_text_rec"):
        search(root)
    assert not [path for path in (root / "data/studies").iterdir() if path.is_dir()]


def test_a_full_disk_stops_a_search(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tartarus_cli.files import DiskFullError

    def full(*_arguments: Any, **_options: Any) -> Any:
        raise DiskFullError(root / "file", "no space left")

    monkeypatch.setattr("tartarus_cli.tuning.trials.train", full)
    with pytest.raises(DiskFullError):
        search(root)
