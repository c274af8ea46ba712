"""``tartarus compare``: one table of several models, and how sure their differences are."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csr_array, load_npz, save_npz

from tartarus_cli.evaluation import differences
from tartarus_cli.evaluation.results import write_unit_values
from tartarus_cli.metrics.significance import holm
from tests.conftest import Command
from tests.worlds import CLASSES, DIM, SPLITS, World

COUNT = 400
BASIS = {"task": "recommendation", "dataset": "rec", "truth": "ab12", "users": "0:400", "k": "1, 5"}


class Results:
    """A workspace that holds nothing but results of evaluations."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "data" / "results"
        (root / "data" / "datasets").mkdir(parents=True)
        self.folder.mkdir()
        self.rng = np.random.default_rng(5)
        self.base = self.rng.random(COUNT)
        self.unknown = self.rng.random(COUNT) < 0.1  # users of whom an area says nothing

    def values(self, lead: float) -> dict[str, np.ndarray]:
        """Values of each user that are better the greater the lead is."""
        noisy = self.base + lead + 0.2 * self.rng.standard_normal(COUNT)
        return {
            "MAP@500": noisy,
            "ROC-AUC": np.where(self.unknown, np.nan, noisy / 2),
            "nDCG@5": self.rng.random(COUNT),
            "P@1": (noisy > 0.7).astype(float),
        }

    def write(self, name: str, values: dict[str, np.ndarray], **changes: Any) -> None:
        """Write both files of an evaluation."""
        means = {metric: float(np.nanmean(each)) for metric, each in values.items()}
        document = {
            "model": name,
            "experiment": "rec_dense",
            "settings": ["text"],
            "dataset": "rec",
            "task": "recommendation",
            "seed": 0,
            "metrics": means | changes.pop("metrics", {}),
            "basis": BASIS | changes.pop("basis", {}),
        }
        (self.folder / f"{name}.json").write_text(json.dumps(document | changes))
        unit = "users" if (document | changes)["task"] == "recommendation" else "items"
        ids = np.array(["a", "b"])  # no metric, and no numbers
        write_unit_values(self.folder / f"{name}_{unit}.npz", {"ids": ids, **values}.items())


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Return three models of which the last is better, in all but nDCG@5."""
    made = Results(tmp_path / "workspace")
    made.write("model_1", made.values(0), settings=["text"], metrics={"C@5": 0.5, "Gini@5": 0.9})
    made.write("model_2", made.values(0.01), metrics={"C@5": 0.7, "Gini@5": 0.8})
    made.write("model_3", made.values(0.1), metrics={"C@5": 0.7, "Gini@5": 0.95})
    return made


def read(results: Results, name: str, metric: str) -> np.ndarray:
    with np.load(results.folder / f"{name}_users.npz") as archive:
        return np.asarray(archive[metric])


ALL = ("compare", "model_1", "model_2", "model_3")


def test_differences_intervals_and_p_values_are_those_of_scipy(
    tartarus: Command, results: Results
) -> None:
    shown = tartarus(*ALL, "-w", results.root, "--json").document
    assert [(each["model"], each["metric"]) for each in shown["differences"]] == [
        (model, metric)
        for model in ("model_2", "model_3")
        for metric in ("MAP@500", "nDCG@5", "ROC-AUC")
    ]
    for each in shown["differences"]:
        one, other = (read(results, n, each["metric"]) for n in (each["model"], "model_1"))
        paired = (one - other)[~np.isnan(one - other)]
        assert each["n"] == len(paired)
        assert each["difference"] == pytest.approx(paired.mean())
        draws: dict[str, Any] = {"n_resamples": 5000, "batch": 500, "rng": np.random.default_rng(1)}
        interval = stats.bootstrap((paired,), np.mean, method="percentile", **draws)
        expected = interval.confidence_interval
        assert (each["low"], each["high"]) == pytest.approx(
            (expected.low, expected.high), abs=0.15 * interval.standard_error
        )
        p = stats.permutation_test(
            (paired,), np.mean, permutation_type="samples", vectorized=True, **draws
        ).pvalue
        assert each["p"] == pytest.approx(p, abs=0.03)
    corrected = [each["p_holm"] for each in shown["differences"]]
    assert corrected == holm([each["p"] for each in shown["differences"]])
    significant = [each["model"] for each in shown["differences"] if each["significant"]]
    assert significant == ["model_3", "model_3"]
    assert (shown["reference"], shown["resamples"], shown["seed"]) == ("model_1", 10_000, 0)


def test_users_without_a_value_are_left_out_of_that_metric_alone(
    tartarus: Command, results: Results
) -> None:
    shown = tartarus("compare", "model_1", "model_3", "-w", results.root, "--json").document
    counts = {each["metric"]: each["n"] for each in shown["differences"]}
    known = int((~results.unknown).sum())
    assert counts == {"MAP@500": COUNT, "nDCG@5": COUNT, "ROC-AUC": known}
    assert known < COUNT
    text = tartarus("compare", "model_1", "model_3", "-w", results.root).out
    assert f"means over {known} to {COUNT} users" in text


def test_further_models_metrics_and_another_order_change_no_p_value(
    tartarus: Command, results: Results
) -> None:
    def p(*words: str) -> Any:
        shown = tartarus("compare", *words, "-w", results.root, "--json").document
        return shown["differences"][-1]["p"]

    words = ("--metric", "nDCG@5")
    alone = p("model_1", "model_2", *words)
    assert alone == p("model_1", "model_3", "model_2", "--metric", "MAP@500", *words)
    assert alone == p("model_2", "model_1", *words)
    assert alone != p("model_1", "model_2", *words, "--seed", "1")


def test_a_model_compared_with_its_copy_differs_in_nothing(
    tartarus: Command, results: Results
) -> None:
    for kind in (".json", "_users.npz"):
        source = results.folder / f"model_1{kind}"
        (results.folder / f"copy{kind}").write_bytes(source.read_bytes())
    shown = tartarus("compare", "model_1", "copy.npy", "-w", results.root, "--json").document
    for each in shown["differences"]:
        assert (each["difference"], each["low"], each["high"], each["p"]) == (0, 0, 0, 1)
    assert shown["best"]["MAP@500"] == ["model_1", "copy"]


def test_the_best_is_the_lowest_where_lower_is_better_and_equal_ones_share_it(
    tartarus: Command, results: Results
) -> None:
    best = tartarus(*ALL, "-w", results.root, "--json").document["best"]
    assert best["MAP@500"] == ["model_3"]
    assert best["Gini@5"] == ["model_2"]
    assert best["C@5"] == ["model_2", "model_3"]
    results.write(
        "many_1", results.values(0), metrics={"coverage_error": 3, "calibration_error": 1}
    )
    results.write(
        "many_2", results.values(0), metrics={"coverage_error": 2, "calibration_error": 1}
    )
    best = tartarus("compare", "many_1", "many_2", "-w", results.root, "--json").document["best"]
    assert best["coverage_error"] == ["many_2"]
    assert best["calibration_error"] == ["many_1", "many_2"]


def test_the_terminal_shows_every_figure_and_what_the_numbers_are(
    tartarus: Command, results: Results
) -> None:
    shown = tartarus(*ALL, "-w", results.root).out
    assert "model_3 · rec_dense text" in shown
    row = re.search(r"model_3 +0(.*)", shown)
    assert row
    assert f"{read(results, 'model_3', 'MAP@500').mean():.4f}" in row[0]
    assert "Differences from model_1" in shown
    assert re.search(
        r"model_3 +MAP@500 +\+0\.\d+ +\[\+0\.\d+, \+0\.\d+\] .* †[<\d.]+ +400 *\n", shown
    )
    told = " ".join(shown.split())
    assert "10,000 bootstrap resamples" in told
    assert "† p < .05 after Holm's correction for 6 tests." in told
    one = tartarus("compare", "model_1", "model_2", "--metric", "P@1", "-w", results.root).out
    assert "correction for 1 test." in " ".join(one.split())


def test_a_narrow_terminal_gets_several_tables_and_no_broken_numbers(
    tartarus: Command, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    shown = tartarus(*ALL, "-w", results.root).out
    assert len(re.findall(r"^ model_1 +0\.", shown, re.MULTILINE)) > 1
    assert "…" not in shown
    models = shown[: shown.index("Differences")]
    assert all(len(line) <= 50 for line in models.splitlines())
    assert re.search(r"model_3 +MAP@500 +\+0\.\d{4} +\[\+0\.\d{4}, \+0\.\d{4}\]", shown)


def latex_rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.removesuffix(r"\\").split(" & ")]
        for line in text.splitlines()
        if line.endswith(r"\\")
    ]


def test_latex_is_a_table_with_escaped_names_bold_bests_and_marks(
    tartarus: Command, results: Results
) -> None:
    results.write("model_3", results.values(0.2), settings=["50%_{a}&b\\c~\n"])
    shown = tartarus(*ALL, "-w", results.root, "--latex").out
    heading, *rows = latex_rows(shown)
    assert heading[:3] == ["model", "experiment and settings", "MAP@500"]
    assert rows[2][0] == r"model\_3"
    name = r"50\%\_\{a\}\&b\textbackslash{}c\textasciitilde{}\textbackslash{}n"
    assert rows[2][1] == rf"rec\_dense {name}"
    mean = read(results, "model_3", "MAP@500").mean()
    assert rows[2][2] == rf"\textbf{{{mean:.4f}}}\rlap{{$^{{\dagger}}$}}"
    assert "textbf" not in rows[0][2]
    for environment in ("table", "tabular"):
        opened = shown.count(rf"\begin{{{environment}}}")
        assert opened == shown.count(rf"\end{{{environment}}}") == 2
    assert [shown.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [2, 2, 2]
    assert shown.count("{") == shown.count("}")
    assert "†" not in shown
    assert re.search(r"model\\_3 & MAP@500 & \$\+0\.\d{4}\$ & \$\[\+0", shown)
    for line in latex_rows(shown):
        assert len(line) in (6, 7)  # of the models, and of the differences


def test_markdown_is_two_tables_with_escaped_names(tartarus: Command, results: Results) -> None:
    results.write("model_3", results.values(0.2), settings=["a|b*", "_c_"])
    shown = tartarus(*ALL, "-w", results.root, "--markdown").out
    lines = [line for line in shown.splitlines() if line.startswith("|")]
    for line in lines:
        assert len(re.findall(r"(?<!\\)\|", line)) in (7, 8)
    assert r"| model_3 | rec_dense a\|b\* \_c\_ | **" in shown
    assert re.search(r"\*\*0\.\d{4}\*\*†", shown)


def test_a_paper_gets_the_metrics_that_were_asked_for(tartarus: Command, results: Results) -> None:
    words = ("--metric", "P@1", "--metric", "MAP@500", "-w", results.root, "--latex")
    heading = latex_rows(tartarus(*ALL, *words).out)[0]
    assert heading[2:] == ["P@1", "MAP@500"]


def test_classifications_are_compared_by_item(tartarus: Command, results: Results) -> None:
    about: dict[str, Any] = {"task": "multiclass", "basis": {"task": "multiclass"}}
    right = results.rng.random(COUNT) < 0.5
    better = right | (results.rng.random(COUNT) < 0.1)
    extra = {"metrics": {"f1_macro": 0.5}}
    results.write("one", {"accuracy": right.astype(float)}, **about, **extra)
    results.write("two", {"accuracy": better.astype(float)}, **about, **extra)
    shown = tartarus("compare", "one", "two", "-w", results.root, "--json").document
    (only,) = shown["differences"]
    assert (shown["unit"], only["metric"], only["n"]) == ("items", "accuracy", COUNT)
    changed = int((better != right).sum())
    assert only["p"] == pytest.approx(stats.binomtest(changed, changed).pvalue, abs=2e-4)
    refused = tartarus("compare", "one", "two", "-w", results.root, "--metric", "f1_macro")
    assert refused.status == 2
    assert "f1_macro cannot be tested: it has no value for each of the items" in refused.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"users": "0:200"}, "model_1 was evaluated on users 0:400, other on 0:200"),
        ({"truth": "cd34"}, "model_1 was evaluated on truth ab12, other on cd34"),
        ({"ties": "published"}, "model_1 was evaluated on ties unknown, other on published"),
        ({"more": 3}, "model_1 was evaluated on more unknown, other on 3"),
    ],
)
def test_what_was_evaluated_on_other_data_is_not_compared(
    changes: dict[str, Any], said: str, tartarus: Command, results: Results
) -> None:
    results.write("other", results.values(0), basis=changes)
    refused = tartarus("compare", "model_1", "model_2", "other", "-w", results.root)
    assert (refused.status, refused.out) == (2, "")
    assert said in refused.err


def test_of_evaluations_with_other_k_what_all_have_is_compared(
    tartarus: Command, results: Results
) -> None:
    more = results.values(0.1) | {"P@20": np.zeros(COUNT)}
    results.write("other", more, basis={"k": "1, 20"})
    words = ("compare", "model_1", "other", "-w", results.root)
    shown = tartarus(*words, "--json").document
    assert shown["basis"]["k"] == "1"
    assert all("P@20" not in row["metrics"] for row in shown["rows"])
    assert "P@20" not in shown["best"]
    refused = tartarus(*words, "--metric", "P@20")
    assert refused.status == 2
    assert "model_1 was evaluated without P@20" in refused.err
    assert "tartarus evaluate model_1 --k 20" in refused.err


def test_a_comparison_says_that_the_noise_of_training_is_not_in_its_intervals(
    tartarus: Command, results: Results
) -> None:
    said = "the noise of training, by which two seeds of one experiment differ, is not in them"
    for form in ((), ("--markdown",), ("--latex",), ("--json",)):
        shown = tartarus("compare", "model_1", "model_2", "-w", results.root, *form)
        assert said in " ".join(shown.out.split())


def test_two_seeds_of_one_experiment_are_called_what_they_are(
    tartarus: Command, world: World
) -> None:
    quick = ("--set", "training.epochs=1", "--set", "network.hidden=4", "-w", world.root)
    for seed, units in ((0, 4), (1, 4), (1, 5)):
        words = ("run", "rec_dense", "text", "--dataset", "rec", "--seed", seed, *quick)
        assert tartarus(*words, "--set", f"network.hidden={units}").status == 0
    seeds = tartarus("compare", "model_1", "model_2", "-w", world.root)
    said = "model_1 and model_2 are one experiment with the seeds 0 and 1"
    assert (seeds.status, said in " ".join(seeds.err.split())) == (0, True)
    others = tartarus("compare", "model_1", "model_3", "-w", world.root)
    assert (others.status, "one experiment" in others.err) == (0, False)


EVALUATED = {"rec": ("rec_dense", DIM), "many": ("logistic_multilabel_vector", CLASSES)}


@pytest.mark.parametrize("dataset", EVALUATED)
def test_what_was_evaluated_on_another_truth_is_not_compared(
    dataset: str, tartarus: Command, world: World
) -> None:
    experiment, width = EVALUATED[dataset]
    where = ("--dataset", dataset, "-w", world.root)
    for name in ("before", "copy", "after"):
        np.save(f"{name}.npy", world.rng.standard_normal((SPLITS["test"], width)))
        if name == "after":
            turn_truth(world, dataset)
        assert tartarus("evaluate", f"{name}.npy", "--experiment", experiment, *where).status == 0
    words = ("-w", world.root, "--resamples", "200")
    assert tartarus("compare", "before", "copy", *words).status == 0
    refused = tartarus("compare", "before", "copy", "after", *words)
    assert (refused.status, refused.out) == (2, "")
    assert re.search(r"before was evaluated on truth \w+, after on \w+", refused.err)


def turn_truth(world: World, dataset: str) -> None:
    """Give the test items other users, or other classes."""
    if dataset == "rec":
        path = world.datasets / "matrix_test_rec.npz"
        save_npz(path, csr_array(np.roll(load_npz(path).toarray(), 1, axis=1)))
    else:
        path = world.datasets / f"item_factors_test_class_{CLASSES}_many.npy"
        np.save(path, np.roll(np.load(path), 1, axis=1))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("model_1",), "two models or more"),
        (("model_1", "model_2", "model_1"), "model_1 is named twice"),
        (("model_1", "model_9"), "Did you mean model_3"),
        (("model_1", "model_2", "--metric", "MPA@500"), "Did you mean MAP@500?"),
        (("model_1", "model_2", "--metric", "C@5"), "C@5 cannot be tested"),
        (("model_1", "model_2", "--metric", "ids"), "no metric called 'ids'"),
        (("model_1", "model_2", "--json", "--latex"), "--json and --latex exclude each other"),
        (("model_1", "model_2", "--resamples", "3"), "--resamples"),
    ],
)
def test_what_is_asked_wrongly_exits_2(
    words: tuple[str, ...], said: str, tartarus: Command, results: Results
) -> None:
    refused = tartarus("compare", *words, "-w", results.root)
    assert (refused.status, refused.out) == (2, "")
    assert said in refused.err


def test_a_file_named_as_a_model_is_not_taken_for_it(tartarus: Command, results: Results) -> None:
    results.write("file_model_1", results.values(0.2))
    done = tartarus("compare", "model_2", "model_1.npy", "-w", results.root, "--json")
    assert [row["name"] for row in done.document["rows"]] == ["model_2", "file_model_1"]


def damage(results: Results, how: str) -> None:
    """Make the results of model_2 useless."""
    path, kept = results.folder / "model_2.json", results.folder / "model_2_users.npz"
    document = json.loads(path.read_text())
    if how == "no basis":
        del document["basis"]
    elif how == "words for figures":
        document["metrics"]["P@1"] = "seven"
    elif how == "no values":
        kept.unlink()
    elif how == "cut short":
        kept.write_bytes(kept.read_bytes()[:-100])
    path.write_text(json.dumps(document))


def of_another_evaluation(values: np.ndarray) -> np.ndarray:
    return values + 0.01


def of_fewer_users(values: np.ndarray) -> np.ndarray:
    return np.full(7, np.nanmean(values))


def without_bounds(values: np.ndarray) -> np.ndarray:
    return np.copysign(np.inf, values - 0.5)


def as_a_table(values: np.ndarray) -> np.ndarray:
    return values[None]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no basis", "model_2.json: no 'basis'"),
        ("words for figures", "metrics.P@1: Input should be a valid number"),
        ("no values", "model_2_users.npz is missing"),
        ("cut short", "model_2_users.npz: damaged"),
    ],
)
def test_damaged_or_old_results_are_told_of(
    how: str, said: str, tartarus: Command, results: Results
) -> None:
    damage(results, how)
    refused = tartarus("compare", "model_1", "model_2", "-w", results.root)
    assert (refused.status, refused.out) == (1, "")
    assert said in refused.err
    assert "tartarus evaluate model_2" in refused.err or how == "cut short"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (of_another_evaluation, "as in model_2.json"),
        (of_fewer_users, "7 users; expected 400, as for model_1"),
        (without_bounds, "as in model_2.json"),
        (as_a_table, "(1, 400) values"),
    ],
)
def test_values_that_do_not_fit_the_results_are_told_of(
    changed: Callable[[np.ndarray], np.ndarray], said: str, tartarus: Command, results: Results
) -> None:
    metrics = ("MAP@500", "nDCG@5", "ROC-AUC")
    values = {name: changed(read(results, "model_2", name)) for name in metrics}
    write_unit_values(results.folder / "model_2_users.npz", values.items())
    refused = tartarus("compare", "model_1", "model_2", "-w", results.root)
    assert (refused.status, refused.out) == (1, "")
    assert said in refused.err


def test_a_metric_that_has_no_value_for_any_user_is_not_tested_unasked(
    tartarus: Command, results: Results
) -> None:
    for name in ("one", "two"):
        values = results.values(0) | {"ROC-AUC": np.zeros(COUNT)}
        results.write(name, values, metrics={"ROC-AUC": None})
        nothing = values | {"ROC-AUC": np.full(COUNT, np.nan)}
        write_unit_values(results.folder / f"{name}_users.npz", nothing.items())
    shown = tartarus("compare", "one", "two", "-w", results.root, "--json").document
    assert shown["tested"] == ["MAP@500", "nDCG@5"]
    refused = tartarus("compare", "one", "two", "-w", results.root, "--metric", "ROC-AUC")
    assert (refused.status, "none of the users has a value" in refused.err) == (2, True)


def test_fewer_resamples_than_asked_for_are_told_of(
    tartarus: Command, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        differences, "affordable_resamples", lambda users, asked: min(asked, 800_000 // users)
    )
    shown = tartarus("compare", "model_1", "model_2", "-w", results.root, "--json")
    assert shown.document["resamples"] == 2000
    assert "400 users: each test is limited to 2,000 resamples" in shown.err
    assert "2,000 bootstrap resamples" in tartarus(*ALL, "-w", results.root).out.replace("\n", " ")


def test_markup_in_names_is_shown_as_it_is(tartarus: Command, results: Results) -> None:
    results.write("model_2", results.values(0), settings=["[red]a\x1b[31m"])
    assert "[red]a\\x1b[31m" in tartarus(*ALL, "-w", results.root).out
