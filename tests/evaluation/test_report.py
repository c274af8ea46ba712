"""Typed results: as frames, as HTML, and as the one document that is written and read."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from tartarus_cli.errors import FileError, RequestError
from tartarus_cli.evaluation.compare import CompareOptions, compare
from tartarus_cli.evaluation.comparison import Comparison
from tartarus_cli.evaluation.evaluate import evaluate, find_subject
from tartarus_cli.evaluation.report import (
    ClassEvaluation,
    Evaluation,
    EvaluationOptions,
    RankingEvaluation,
)
from tartarus_cli.evaluation.results import read_results
from tartarus_cli.evaluation.slices import evaluate_slices
from tartarus_cli.experiments.request import ExperimentRequest
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.worlds import DIM, World

TASKS = {
    "rec": ("rec_dense", DIM, RankingEvaluation),
    "many": ("logistic_multilabel_vector", 3, ClassEvaluation),
    "one": ("single-label-vector", 3, ClassEvaluation),
}


def evaluated(world: World, dataset: str, name: str = "predicted") -> Evaluation:
    """Evaluate random predictions for a dataset of the world."""
    experiment, width, _ = TASKS[dataset]
    path = world.root / f"{name}.npy"
    np.save(path, world.rng.random((12, width)))
    request = ExperimentRequest(experiment, dataset, ())
    subject = find_subject(open_workspace(world.root), str(path), request, None)
    return evaluate(subject, EvaluationOptions())


@pytest.mark.parametrize("dataset", TASKS)
def test_an_evaluation_is_written_and_read_as_one_document(dataset: str, world: World) -> None:
    evaluation = evaluated(world, dataset)
    assert isinstance(evaluation, TASKS[dataset][2])
    results = read_results(open_workspace(world.root), evaluation.name)
    assert results.document() == evaluation.document()
    written = (world.root / "data" / "results" / "predicted.json").read_text()
    assert json.loads(written) == evaluation.document()
    assert [*json.loads(written)] == [*evaluation.document()]


def test_a_document_has_the_keys_of_its_task(world: World) -> None:
    keys = {dataset: {*evaluated(world, dataset).document()} for dataset in TASKS}
    common = keys["rec"]
    assert {"users", "users_without_relevant", "metrics", "rows", "basis"} < common
    classes = common | {"classes", "confusion", "pictures"}
    assert keys["many"] == classes | {"thresholds"}
    assert keys["one"] == classes | {"confusion_picture"}


@pytest.mark.parametrize("dataset", TASKS)
def test_a_document_names_all_that_figures_are_compared_on(dataset: str, world: World) -> None:
    basis = evaluated(world, dataset).document()["basis"]
    own = {"rec": {"users", "ties"}, "many": {"thresholds", "ties"}, "one": set()}[dataset]
    assert {*basis} == {"task", "dataset", "truth", "test items", "k"} | own
    assert basis["dataset"] == dataset


@pytest.mark.parametrize("dataset", TASKS)
def test_a_frame_has_a_row_for_each_system_and_metric(dataset: str, world: World) -> None:
    evaluation = evaluated(world, dataset)
    frame = evaluation.to_frame()
    assert frame.columns == ["system", "metric", "value", "gap_closed"]
    systems = {evaluation.name: evaluation.metrics} | evaluation.rows
    expected = [(system, metric) for system, row in systems.items() for metric in row]
    assert list(zip(frame["system"], frame["metric"], strict=True)) == expected
    document = evaluation.document()
    for row in frame.iter_rows(named=True):
        system, metric = row["system"], row["metric"]
        of_model = system == evaluation.name
        values = document["metrics"] if of_model else document["rows"][system]
        gaps = document["gap_closed"].get("model" if of_model else system, {})
        assert row["value"] == values[metric]
        assert row["gap_closed"] == gaps.get(metric)


def test_what_has_no_value_is_null_in_a_frame_and_a_dash_in_html(world: World) -> None:
    evaluation = replace(evaluated(world, "rec"), metrics={"MRR": float("nan"), "P@1": 0.5})
    values = evaluation.to_frame().filter(pl.col("system") == "predicted")["value"]
    assert values.to_list() == [None, 0.5]
    assert '<td style="text-align: right">—</td>' in evaluation._repr_html_()


@pytest.mark.parametrize(("dataset", "first"), [("rec", "MAP@500"), ("one", "accuracy")])
def test_html_shows_headline_metrics_first_and_the_rows_beneath(
    dataset: str, first: str, world: World
) -> None:
    evaluation = evaluated(world, dataset)
    html = evaluation._repr_html_()
    assert f"<th></th><th>{first}</th>" in html
    assert html.index("<td>predicted</td>") < html.index("<td>random</td>")
    assert all(f"<th>{metric}</th>" in html for metric in evaluation.metrics)


def test_names_of_users_do_no_harm_in_html(world: World) -> None:
    evaluation = replace(evaluated(world, "rec"), name="<script>", dataset="a & b")
    html = evaluation._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt; · rec_dense · a &amp; b" in html


def compared(world: World) -> Comparison:
    for name in ("<one>", "two"):
        evaluated(world, "rec", name)
    options = CompareOptions(resamples=100)
    return compare(open_workspace(world.root), ["<one>.npy", "two.npy"], options)


def test_a_comparison_is_a_frame_of_models_and_metrics_with_their_tests(world: World) -> None:
    comparison = compared(world)
    frame = comparison.to_frame()
    assert frame.height == 2 * len(comparison.metrics)
    assert frame["model"].unique(maintain_order=True).to_list() == ["<one>", "two"]
    tested = frame.filter(pl.col("p").is_not_null())
    columns = ("model", "metric", "n", "difference", "low", "high", "p", "p_holm", "significant")
    assert sorted(tested.select(columns).rows()) == sorted(
        tuple(getattr(test, name) for name in columns) for test in comparison.differences
    )
    best = comparison.best()
    for row in frame.iter_rows(named=True):
        assert row["best"] == (row["model"] in best[row["metric"]])


def test_a_comparison_in_html_has_two_escaped_tables(world: World) -> None:
    html = compared(world)._repr_html_()
    assert html.count("<table>") == 2
    assert "<one>" not in html
    assert "Differences from &lt;one&gt;" in html


def test_slices_are_a_frame_and_a_table_of_quantiles(world: World) -> None:
    evaluated(world, "rec")
    path, request = str(world.root / "predicted.npy"), ExperimentRequest("rec_dense", "rec", ())
    workspace = open_workspace(world.root)
    subject = find_subject(workspace, path, request, None)
    slices = evaluate_slices(subject, EvaluationOptions(), "item-popularity")
    frame, parts = slices.to_frame(), slices.document()["found"]["slices"]
    assert frame.height == sum(len(part["metrics"]) for part in parts)
    values = [value for part in parts for value in part["metrics"].values()]
    assert frame["value"].to_list() == values
    assert slices._repr_html_().count("<tr>") == 1 + len(parts)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"metrics": {"MRR": "seven"}}, FileError, "metrics.MRR: Input should be a valid number"),
        ({"metrics": {"MRR": float("nan")}}, FileError, "metrics.MRR: Input should be a finite"),
        ({"task": "cooking"}, FileError, "task: Input should be 'recommendation'"),
        ({"metrics": None}, FileError, "metrics: Input should be an object"),
        ([], RequestError, "predicted has no results"),
    ],
)
def test_damaged_results_are_refused_and_have_no_line_in_the_table(
    changes: Any, error: type[Exception], message: str, world: World
) -> None:
    evaluated(world, "rec")
    workspace = open_workspace(world.root)
    path = workspace.results("predicted")
    document = json.loads(path.read_text()) | changes if changes else changes
    path.write_text(json.dumps(document))
    with pytest.raises(error, match=message):
        read_results(workspace, "predicted")
    evaluated(world, "rec", "other")
    lines = workspace.results_table.read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["model", "other"]


def test_older_results_without_a_basis_are_read_but_not_compared(
    world: World, tartarus: Command
) -> None:
    compared(world)
    path = open_workspace(world.root).results("two")
    document = json.loads(path.read_text())
    keys = ("experiment", "settings", "dataset", "task", "seed", "metrics")
    path.write_text(json.dumps({key: document[key] for key in keys}))
    assert read_results(open_workspace(world.root), "two").metrics == document["metrics"]
    refused = tartarus("compare", "<one>", "two", "-w", world.root)
    assert (refused.status, "two.json: no 'basis'" in refused.err) == (1, True)
