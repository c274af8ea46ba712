"""``tartarus factorize``: plays or labels in, factors out; nothing of val and test in train."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix, load_npz, save_npz

from tartarus_cli.evaluation.upper_bound import upper_bound
from tartarus_cli.factors import factorize as step
from tartarus_cli.scoring.relevant import drawn_order
from tests.conftest import Command, Outcome
from tests.worlds import CLASSES, SPLITS, USERS, World

Run = Callable[..., Outcome]
Floats = NDArray[np.float32]
DIM = 3
IDLE_USER, UNHEARD = 4, 7  # nobody's train plays; a train item that nobody plays


def plays(items: int, seed: int) -> NDArray[np.float32]:
    """Play counts, ``(items, users)``."""
    rng = np.random.default_rng(seed)
    counts = rng.geometric(0.1, (items, USERS)) * (rng.random((items, USERS)) < 0.4)
    return counts.astype(np.float32)


def put(world: World, split: str, counts: NDArray[Any], dataset: str = "rec") -> Path:
    path = world.datasets / f"matrix_{split}_{dataset}.npz"
    save_npz(path, csr_array(counts))
    return path


@pytest.fixture
def listening(world: World) -> World:
    """Return a world whose ``rec`` has plays of train and test items."""
    train = plays(SPLITS["train"], 1)
    train[:, IDLE_USER] = 0
    train[UNHEARD] = 0
    put(world, "train", train)
    put(world, "test", plays(SPLITS["test"], 2))
    return world


@pytest.fixture
def run(tartarus: Command, listening: World) -> Run:
    """Run the command on ``rec``, with three factors."""
    return lambda method, *words: tartarus(
        "factorize", "rec", method, "--dim", DIM, *words, "-w", listening.root
    )


def read(world: World, what: str, dataset: str = "rec") -> Floats:
    return np.asarray(np.load(world.datasets / f"{what}_{dataset}.npy"))


def files(world: World) -> dict[str, bytes]:
    """All files of the datasets, hidden ones too, but for locks."""
    paths = (path for path in sorted(world.datasets.iterdir()) if path.is_file())
    return {path.name: path.read_bytes() for path in paths if path.suffix != ".lock"}


# ------------------------------------------------------------------------------- what is made


def test_als_factors_are_those_of_implicit_on_the_train_plays_alone(
    run: Run, listening: World
) -> None:
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    done = run("als", "--alpha", 3, "--eps", 0.5, "--regularization", 0.2, "--iterations", 4,
               "--seed", 6, "--threads", 1)  # fmt: skip
    assert done.status == 0
    confidence = load_npz(listening.datasets / "matrix_train_rec.npz").astype(np.float32)
    confidence.data = 1 + 3 * np.log1p(confidence.data / 0.5)
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            DIM, regularization=0.2, iterations=4, num_threads=1, random_state=6
        )
        model.fit(csr_matrix(confidence.T), show_progress=False)
    assert np.array_equal(read(listening, "item_factors_als_3"), model.item_factors)
    assert np.array_equal(read(listening, "user_factors_als_3"), model.user_factors)


def test_true_factors_of_test_items_solve_the_equation_on_the_users_factors(
    run: Run, listening: World
) -> None:
    run("als", "--alpha", 3, "--eps", 0.5, "--regularization", 0.2)
    users = read(listening, "user_factors_als_3").astype(float)
    found = read(listening, "item_factors_test_als_3")
    for row, counts in zip(found, plays(SPLITS["test"], 2), strict=True):
        confidence = np.where(counts > 0, 1 + 3 * np.log(1 + counts / 0.5), 1)
        left = (users.T * confidence) @ users + 0.2 * np.eye(DIM)
        expected = np.linalg.solve(left, (users.T * confidence) @ (counts > 0))
        assert row == pytest.approx(expected, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("method", ["als", "pmi"])
def test_plays_of_test_and_val_items_leave_no_trace_in_train_and_user_factors(
    method: str, run: Run, listening: World
) -> None:
    threads = ("--threads", 1) if method == "als" else ()
    run(method, *threads)
    learnt = (f"item_factors_{method}_3_rec.npy", f"user_factors_{method}_3_rec.npy")
    before = files(listening)
    put(listening, "test", plays(SPLITS["test"], 99) * 7)
    (listening.datasets / "items_index_val_rec.tsv").write_text("v-1\nv-2\n")
    put(listening, "val", plays(2, 98))
    assert run(method, *threads, "--force").status == 0
    after = files(listening)
    for name in learnt:
        assert after[name] == before[name]
    name = f"item_factors_test_{method}_3_rec.npy"
    assert after[name] != before[name]


@pytest.mark.parametrize("method", ["als", "pmi"])
def test_val_items_get_targets_from_their_own_plays(
    method: str, run: Run, listening: World, tartarus: Command
) -> None:
    counts = plays(SPLITS["test"], 2)
    (listening.datasets / "items_index_val_rec.tsv").write_text("v-1\nv-2\nv-3\n")
    put(listening, "val", counts[[5, 0, 3]])
    told = run(method, "--json").document
    assert told["items"] == {"train": 40, "val": 3, "test": 12}
    val, test = (read(listening, f"item_factors_{s}_{method}_3") for s in ("val", "test"))
    assert val == pytest.approx(test[[5, 0, 3]], rel=1e-5)
    told = tartarus("check-data", "rec", "-w", listening.root, "--json").document
    assert not [p for p in told["problems"] if "factors_val" in p["file"]]


def test_without_val_plays_there_are_no_val_targets_and_it_is_said(
    run: Run, listening: World
) -> None:
    (listening.datasets / "items_index_val_rec.tsv").write_text("v-1\n")
    assert "the val items have no plays: no targets\n" in run("als").err
    assert not (listening.datasets / "item_factors_val_als_3_rec.npy").exists()


def test_without_truth_there_is_no_oracle_and_it_is_said(run: Run, listening: World) -> None:
    (listening.datasets / "matrix_test_rec.npz").unlink()
    done = run("als")
    assert "the test items have no plays: no true factors, and no oracle row" in done.err
    assert "is not known: the test items have no truth" in done.out
    assert not (listening.datasets / "item_factors_test_als_3_rec.npy").exists()


@pytest.mark.parametrize("method", ["als", "pmi"])
def test_factors_lie_row_by_row_in_single_precision(
    method: str, run: Run, listening: World
) -> None:
    run(method)
    for what, rows in (("item", 40), ("item_factors_test", 12), ("user", USERS)):
        name = what if "_" in what else f"{what}_factors"
        found = read(listening, f"{name}_{method}_3")
        assert (found.shape, found.dtype) == ((rows, DIM), np.dtype(np.float32))
        assert found.flags.c_contiguous


def test_any_number_of_threads_gives_the_same_bytes(run: Run, listening: World) -> None:
    run("als", "--threads", 1)
    alone = {name: each for name, each in files(listening).items() if name.endswith(".npy")}
    run("als", "--threads", 3, "--force")
    again = {name: each for name, each in files(listening).items() if name.endswith(".npy")}
    assert again == alone


@pytest.mark.parametrize("method", ["als", "pmi"])
def test_the_oracle_is_the_one_that_an_evaluation_shows(
    method: str, run: Run, listening: World, tartarus: Command
) -> None:
    told = run(method, "--json").document
    predicted = listening.root / "guess.npy"
    np.save(predicted, np.random.default_rng(0).random((SPLITS["test"], DIM), np.float32))
    judged = tartarus(
        *("evaluate", predicted, "--experiment", "rec_dense", "--dataset", "rec"),
        *("--set", f"targets.kind={method}", "--set", f"targets.dim={DIM}"),
        *("-w", listening.root, "--json"),
    ).document
    assert told["oracle"]["MAP@500"] == judged["rows"]["oracle"]["MAP@500"]
    assert told["random"] == judged["rows"]["random"]
    assert told["oracle"]["MAP@500"] > told["random"]["MAP@500"]


def test_the_oracle_is_shown_with_what_chance_does(run: Run) -> None:
    done = run("als")
    told = run("als", "--json").document
    best, random = (told[each]["MAP@500"] for each in ("oracle", "random"))
    assert f"reach MAP@500 {best:.4f}, that of the test items' true factors; at random it is " in (
        done.out
    )
    assert f"{random:.4f}" in done.out
    last = "Next: tartarus run rec_dense audio --dataset rec --set targets.dim=3"
    assert done.out.splitlines()[-1].partition(" --workspace ")[0] == last


def test_popularity_and_length_go_together_as_scipy_says(run: Run, listening: World) -> None:
    from scipy.stats import spearmanr

    done = run("als")
    counts = load_npz(listening.datasets / "matrix_train_rec.npz").toarray()
    norms = np.linalg.norm(read(listening, "item_factors_als_3"), axis=1)
    expected = spearmanr((counts > 0).sum(axis=1), norms).statistic
    manifest = json.loads((listening.datasets / "factors_als_3_rec.json").read_text())
    assert manifest["popularity_and_norm"] == pytest.approx(expected)
    assert f"Popularity of the items and length of their factors: Spearman {expected:+.2f}; " in (
        done.out
    )


@pytest.mark.parametrize("method", ["als", "pmi"])
def test_users_and_items_without_plays_have_zero_factors_and_are_told(
    method: str, run: Run, listening: World
) -> None:
    test = plays(SPLITS["test"], 2)
    test[[1, 3]] = 0
    put(listening, "test", test)
    done = run(method)
    users, train, cold = (
        np.flatnonzero(~read(listening, f"{what}_{method}_3").any(axis=1)).tolist()
        for what in ("user_factors", "item_factors", "item_factors_test")
    )
    by_chance = [7] if method == "pmi" else []  # who is as likely to play it as anything
    assert (users, train, cold) == ([IDLE_USER], [UNHEARD], [1, 3, *by_chance])
    assert "1 of 9 users have no train plays: zero factors" in done.err
    assert "1 of 40 train items have no plays: zero factors" in done.err
    assert "2 of 12 test items have no plays: zero factors" in done.err
    told = "1 of 12 test items have no mutual information with any of the users: zero factors"
    assert (told in done.err) == bool(by_chance)


def test_entries_of_0_are_no_plays(run: Run, listening: World) -> None:
    run("als", "--threads", 1)
    before = read(listening, "user_factors_als_3").tobytes()
    every = plays(SPLITS["train"], 1)
    every[:, IDLE_USER] = every[UNHEARD] = 0
    stored = csr_array(every + 1)  # so that each place is stored
    stored.data -= 1
    assert (stored.data == 0).any()
    save_npz(listening.datasets / "matrix_train_rec.npz", stored)
    run("als", "--threads", 1, "--force")
    assert read(listening, "user_factors_als_3").tobytes() == before


def test_everything_that_factors_depend_on_is_recorded(run: Run, listening: World) -> None:
    told = run("als", "--alpha", 2.5, "--iterations", 3, "--seed", 8, "--json").document
    manifest = json.loads((listening.datasets / "factors_als_3_rec.json").read_text())
    recipe = manifest["recipe"]
    assert recipe["options"] == {
        "dim": 3, "alpha": 2.5, "eps": 1.0, "regularization": 0.01, "iterations": 3, "seed": 8,
    }  # fmt: skip
    assert set(recipe["inputs"]) == {f"datasets/matrix_{s}_rec.npz" for s in ("train", "test")}
    assert {"implicit", "numpy", "scipy"} == set(manifest["versions"])
    assert set(manifest["outputs"]) | {"datasets/factors_als_3_rec.json"} == {
        name.removeprefix("data/") for name in told["files"]
    }
    assert told["options"] == recipe["options"]


def test_a_network_learns_the_factors_that_were_made(
    run: Run, listening: World, tartarus: Command
) -> None:
    run("als")
    quick = ("--set", "training.epochs=1", "--set", "network.hidden=4", "--set", "targets.dim=3")
    words = ("run", "rec_dense", "text", "--dataset", "rec", *quick)
    ran = tartarus(*words, "-w", listening.root, "--json")
    assert ran.status == 0
    assert "oracle" in ran.document["rows"]
    replaced = run("als", "--seed", 5, "--force", "--json").document
    assert replaced["models_of_replaced"] == ["model_1"]
    shown = run("als", "--seed", 6, "--force").out
    assert "Trained on the factors that were replaced: model_1" in shown


def test_check_data_has_nothing_against_the_files(
    run: Run, listening: World, tartarus: Command
) -> None:
    run("als")
    run("pmi")
    problems = tartarus("check-data", "rec", "-w", listening.root, "--json").document["problems"]
    assert not [p for p in problems if p["file"].endswith(".json")]
    assert not [p for p in problems if p["severity"] == "error"]


# ------------------------------------------------------------------------------- labels


def labels(world: World, split: str) -> NDArray[np.float64]:
    middle = "" if split == "train" else f"{split}_"
    return np.asarray(np.load(world.datasets / f"item_factors_{middle}class_3_many.npy"), float)


def test_label_and_item_factors_multiply_to_the_best_approximation_of_the_ppmi(
    world: World, tartarus: Command
) -> None:
    done = tartarus("factorize", "many", "pmi", "--dim", 1, "-w", world.root)
    assert done.status == 0
    joint = labels(world, "train") / labels(world, "train").sum()
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    ratio = np.divide(joint, independent, out=np.ones_like(joint), where=joint > 0)
    u, s, vt = np.linalg.svd(np.maximum(np.log(ratio), 0), full_matrices=False)
    items, columns = (read(world, f"{w}_factors_pmi_1", "many") for w in ("item", "class"))
    assert items @ columns.T == pytest.approx(s[0] * np.outer(u[:, 0], vt[0]), abs=1e-5)
    for split in ("val", "test"):
        found = read(world, f"item_factors_{split}_pmi_1", "many")
        same = (labels(world, "train")[None] == labels(world, split)[:, None]).all(axis=2)
        for row, twins in zip(found, same, strict=True):
            if twins.any():
                assert row == pytest.approx(items[twins.argmax()], abs=1e-5)
    assert "1 pmi factors of many from labels" in done.out
    assert "ROC-AUC" in done.out
    last = "Next: tartarus run cosine_multilabel_vector audio --dataset many --set targets.dim=1"
    assert done.out.splitlines()[-1].partition(" --workspace ")[0] == last


def test_labels_of_test_items_leave_no_trace_in_train_and_label_factors(
    world: World, tartarus: Command
) -> None:
    words = ("factorize", "many", "pmi", "--dim", 1, "-w", world.root)
    tartarus(*words)
    before = files(world)
    test = np.roll(labels(world, "test"), 1, axis=1)
    np.save(world.datasets / "item_factors_test_class_3_many.npy", test)
    assert tartarus(*words, "--force").status == 0
    after = files(world)
    for name in ("item_factors_pmi_1_many.npy", "class_factors_pmi_1_many.npy"):
        assert after[name] == before[name]
    name = "item_factors_test_pmi_1_many.npy"
    assert after[name] != before[name]


def test_where_there_are_plays_and_labels_it_must_be_said_which(run: Run, listening: World) -> None:
    for split in ("train", "test"):
        middle = "" if split == "train" else f"{split}_"
        place = f"item_factors_{middle}class_{CLASSES}"
        shape = SPLITS[split], CLASSES
        values = np.random.default_rng(3).random(shape) < 0.5
        np.save(listening.datasets / f"{place}_rec.npy", values.astype(np.float32))
    refused = run("pmi")
    assert (refused.status, "--from plays or --from labels" in refused.err) == (2, True)
    assert run("als").status == 0
    done = run("pmi", "--from", "plays", "--json").document
    assert (done["source"], done["columns"]) == ("plays", USERS)
    refused = run("pmi", "--from", "labels", "--force")
    assert (refused.status, "is there, of another factorization" in refused.err) == (2, True)
    done = run("pmi", "--from", "labels", "--dim", 2, "--json").document
    assert (done["source"], done["columns"]) == ("labels", CLASSES)


# ------------------------------------------------------------------------------- nothing is lost


def test_the_same_again_finds_the_factors_there(run: Run, listening: World) -> None:
    run("als")
    before = files(listening)
    again = run("als")
    assert "were there already, made in the same way: nothing was done" in again.out
    assert run("als", "--json").document["made"] is False
    assert files(listening) == before


CHANGES: dict[str, tuple[tuple[Any, ...], str]] = {
    "another seed": (("--seed", 3), "seed 0, not 3"),
    "another alpha": (("--alpha", 3), "alpha 1.0, not 3.0"),
    "more iterations": (("--iterations", 16), "iterations 15, not 16"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_factors_made_in_another_way_are_replaced_only_by_force(
    change: str, run: Run, listening: World
) -> None:
    words, said = CHANGES[change]
    run("als")
    before = files(listening)
    refused = run("als", *words)
    assert (refused.status, said in refused.err, "--force" in refused.err) == (2, True, True)
    assert files(listening) == before
    assert run("als", *words, "--force").status == 0
    after = files(listening)
    for name in ("item_factors_als_3_rec.npy", "user_factors_als_3_rec.npy"):
        assert after[name] != before[name]


def test_factors_of_other_plays_are_replaced_only_by_force(run: Run, listening: World) -> None:
    run("als")
    before = files(listening)
    put(listening, "train", plays(SPLITS["train"], 5))
    refused = run("als")
    assert (refused.status, "made in another way (from other matrices)" in refused.err) == (2, True)
    assert run("als", "--force").status == 0
    name = "item_factors_als_3_rec.npy"
    assert files(listening)[name] != before[name]


def test_factors_that_nobody_knows_the_origin_of_are_kept(
    listening: World, tartarus: Command
) -> None:
    before = files(listening)
    refused = tartarus("factorize", "rec", "als", "--dim", 4, "-w", listening.root)
    assert refused.status == 2
    assert "item_factors_als_4_rec.npy is there already, and nothing says" in refused.err
    assert files(listening) == before


def test_factors_that_were_changed_since_are_kept(run: Run, listening: World) -> None:
    run("als")
    np.save(listening.datasets / "user_factors_als_3_rec.npy", np.ones((USERS, DIM)))
    before = files(listening)
    refused = run("als")
    assert refused.status == 2
    assert "user_factors_als_3_rec.npy is there already, and was changed since" in refused.err
    assert files(listening) == before


def test_factors_under_an_old_name_are_not_joined_by_others(run: Run, listening: World) -> None:
    np.save(listening.datasets / "y_train_als_3_rec.npy", np.ones((SPLITS["train"], DIM)))
    for words in ((), ("--force",)):
        refused = run("als", *words)
        assert (refused.status, "y_train_als_3_rec.npy" in refused.err) == (2, True)


def test_what_a_killed_command_did_not_put_in_place_is_made_again(
    run: Run, listening: World
) -> None:
    run("als")
    before = files(listening)
    (listening.datasets / "user_factors_als_3_rec.npy").unlink()
    (listening.datasets / ".0123abcd-user_factors_als_3_rec.npy").write_bytes(b"half")
    assert run("als", "--json").document["made"] is True
    assert files(listening) == before


@pytest.mark.parametrize("words", [(), ("--force", "--seed", 3)], ids=["first", "by force"])
def test_interrupted_it_leaves_everything_as_it_was(
    words: tuple[Any, ...], run: Run, listening: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words:
        run("als")
    before = files(listening)

    def interrupted(*_: Any, **__: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    monkeypatch.setattr(step, "als", interrupted)
    assert run("als", *words).status == 130
    monkeypatch.undo()

    def interrupted_late(*args: Any, **kwargs: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return upper_bound(*args, **kwargs)

    monkeypatch.setattr(step, "upper_bound", interrupted_late)
    stopped = run("als", *words)
    assert stopped.status == 130
    assert "--resume" not in stopped.err
    assert files(listening) == before
    assert not (listening.root / "data" / "results").exists()


def test_a_damaged_manifest_is_told(run: Run, listening: World) -> None:
    run("als")
    (listening.datasets / "factors_als_3_rec.json").write_text("{}")
    refused = run("als")
    assert (refused.status, "factors_als_3_rec.json" in refused.err) == (1, True)
    assert "--force" in refused.err
    assert run("als", "--force").status == 0
    assert run("als", "--json").document["made"] is False


# ------------------------------------------------------------------------------- what is wrong

ASKED_WRONGLY: dict[str, tuple[tuple[Any, ...], str]] = {
    "a shift of als": (("als", "--shift", 2), "als has no parameter 'shift'"),
    "an alpha of pmi": (("pmi", "--alpha", 2), "pmi has no parameter 'alpha'"),
    "threads of pmi": (("pmi", "--threads", 2), "pmi works on one thread"),
    "als of labels": (("als", "--from", "labels"), "als factorizes plays, not labels"),
    "a negative alpha": (("als", "--alpha", -1), "alpha: Input should be greater"),
    "no eps": (("als", "--eps", 0), "eps: Input should be greater than 0"),
    "an infinite alpha": (("als", "--alpha", "inf"), "alpha: Input should be a finite number"),
    "an alpha that is no number": (("als", "--alpha", "nan"), "alpha: Input should be"),
    "no iterations": (("als", "--iterations", 0), "iterations: Input should be greater"),
    "a shift below 1": (("pmi", "--shift", 0.5), "shift: Input should be greater"),
    "another method": (("svd",), "svd"),
}


@pytest.mark.parametrize("case", ASKED_WRONGLY)
def test_what_is_asked_wrongly_is_told(case: str, run: Run, listening: World) -> None:
    words, said = ASKED_WRONGLY[case]
    before = files(listening)
    refused = run(*words)
    assert (refused.status, said in refused.err) == (2, True)
    assert files(listening) == before


def test_an_unknown_dataset_is_told(listening: World, tartarus: Command) -> None:
    refused = tartarus("factorize", "recs", "als", "-w", listening.root)
    assert (refused.status, "Did you mean rec?" in refused.err) == (2, True)


TRAIN, TEST = plays(SPLITS["train"], 1), plays(SPLITS["test"], 2)
WRONG: dict[str, tuple[str, NDArray[Any], str]] = {
    "transposed train plays": ("train", TRAIN.T, "Write matrix.T.tocsr()"),
    "too few train items": (
        "train",
        TRAIN[1:],
        "39 × 9; expected 40 rows, one for each of the train items",
    ),
    "test plays of other users": (
        "test",
        TEST[:, 1:],
        "12 × 8; expected 9 columns, one for each of the users",
    ),
    "transposed test plays": ("test", TEST.T, "Write matrix.T.tocsr()"),
    "no plays at all": ("train", TRAIN * 0, "no positive entry"),
    "NaN": ("train", np.where(TRAIN > 0, np.nan, 0), "values that are NaN"),
    "two below 0": (
        "train",
        TRAIN - 99 * (np.arange(40) < 2)[:, None] * (np.arange(9) == 3),
        "2 values below 0; expected numbers of plays",
    ),
    "one below 0 in test": (
        "test",
        TEST - 99 * (np.arange(12 * 9) == 5).reshape(12, 9),
        "1 value below 0",
    ),
    "endless plays": ("test", np.where(TEST > 0, np.inf, 0), "values that are NaN, infinite"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_matrix_that_does_not_fit_is_told_before_anything_is_made(
    case: str, run: Run, listening: World
) -> None:
    split, counts, said = WRONG[case]
    path = put(listening, split, counts)
    before = files(listening)
    refused = run("als")
    assert (refused.status, path.name in refused.err, said in refused.err) == (1, True, True)
    assert files(listening) == before


def test_named_users_have_to_be_as_many_as_the_columns(run: Run, listening: World) -> None:
    (listening.datasets / "users_index_rec.tsv").write_text("a\nb\n")
    refused = run("als")
    assert (refused.status, "40 × 9; expected 2 columns" in refused.err) == (1, True)


def test_plays_that_are_missing_are_asked_for(run: Run, listening: World) -> None:
    (listening.datasets / "matrix_train_rec.npz").unlink()
    refused = run("als")
    assert (refused.status, "matrix_train_rec.npz is missing" in refused.err) == (1, True)
    assert "train items × users" in refused.err


def test_labels_that_are_missing_are_asked_for(run: Run) -> None:
    refused = run("pmi", "--from", "labels")
    assert (refused.status, "item_factors_class_N_rec.npy is missing" in refused.err) == (1, True)


def test_a_pickle_is_not_read(run: Run, listening: World) -> None:
    (listening.datasets / "matrix_train_rec.npz").write_bytes(b"\x80\x04K\x01.")
    refused = run("als")
    assert (refused.status, "a pickle, which is never loaded" in refused.err) == (1, True)


def test_more_factors_than_pmi_has_are_refused(run: Run) -> None:
    refused = run("pmi", "--dim", USERS)
    assert (refused.status, "at most 8: --dim 8" in refused.err) == (1, True)
    assert "rec has 40 train items and 9 users, too few for 9 PMI factors" in refused.err


def test_more_factors_than_labels_are_refused_in_one_message(
    world: World, tartarus: Command
) -> None:
    refused = tartarus("factorize", "many", "pmi", "--dim", 50, "-w", world.root)
    assert refused.status == 1
    assert "many has 40 train items and 3 labels, too few for 50 PMI factors" in refused.err
    assert ("warning" in refused.err, "users" in refused.err) == (False, False)


def test_more_als_factors_than_users_are_told(run: Run) -> None:
    told = "20 factors of 40 train items and 9 users say no more than 9 do"
    assert told in run("als", "--dim", 20).err


def test_true_factors_that_do_worse_than_chance_are_told_with_what_it_means(
    run: Run, listening: World, tartarus: Command
) -> None:
    train, test = plays(SPLITS["train"], 1), np.zeros((SPLITS["test"], USERS))
    train[:, 4:] = 0
    last = drawn_order([f"test-{n}" for n in range(SPLITS["test"])], 0)[-1]
    test[last, 4:] = 1  # played by nobody who is known: it ties with all others, and ranks last
    put(listening, "train", train)
    put(listening, "test", test)
    said = "the test items' true factors do worse than chance (MAP@500 0.0463, at random 0."
    remedy = "there are too few plays for 3 factors; try fewer: --dim 1"
    for done in (run("als"), run("als"), run("als", "--force", "--json")):
        assert done.status == 0
        assert said in done.err
        assert remedy in done.err
    quick = ("--set", "training.epochs=1", "--set", "network.hidden=4", "--set", "targets.dim=3")
    ran = tartarus("run", "rec_dense", "text", "--dataset", "rec", *quick, "-w", listening.root)
    table = ran.out.partition("test items ranked")[0]
    assert (ran.status, said in ran.err, "%" in table) == (0, True, False)


@pytest.mark.parametrize("method", ["als", "pmi"])
def test_true_factors_that_do_better_than_chance_are_not(method: str, run: Run) -> None:
    assert "worse than chance" not in run(method).err


def test_factors_that_diverge_are_no_traceback(run: Run, listening: World) -> None:
    before = files(listening)
    refused = run("als", "--alpha", 1e38, "--eps", 1e-30)
    assert (refused.status, "the factors diverged" in refused.err) == (1, True)
    assert files(listening) == before


def test_two_commands_do_not_make_the_same_factors(run: Run, listening: World) -> None:
    from tartarus_cli.files import locked

    with locked(listening.datasets / ".making_factors_als_3_rec.json.lock"):
        refused = run("als")
    assert (refused.status, "another command" in refused.err) == (2, True)
