"""Recommending: lists with ids, whose scores are those of the evaluation."""

import csv
import io
import itertools
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, load_npz, save_npz
from typer.testing import CliRunner

from tartarus_cli.api import results
from tartarus_cli.cli.app import app
from tartarus_cli.cli.render import playlists
from tartarus_cli.data.ids import suggest_ids
from tartarus_cli.data.tables.writing import open_table_writer
from tartarus_cli.errors import TartarusError
from tartarus_cli.evaluation.shares import cut_shares
from tartarus_cli.models.store import Store
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.recommendation import list_shares
from tartarus_cli.recommendation.list_shares import lists_on_cluster, write_lists
from tartarus_cli.recommendation.lists import RecommendRequest, recommend
from tartarus_cli.recommendation.recommender import ListOptions, open_recommender
from tartarus_cli.scoring.relevant import drawn_order
from tartarus_cli.scoring.scorers import FactorScorer
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.worlds import DIM, SPLITS, USERS, World

ITEMS = SPLITS["test"]
FORMS = {"model_1": "factors", "model_2": "neighbours", "model_3": "scores"}
ODD = ("007", "a,b", 'say "x"', "Sigur Rós", "it's; [red]", "1e3", "名前", "-9", "x/y")


@pytest.fixture(scope="module")
def _predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(tmp_path_factory.mktemp("predicted") / "workspace")
    world.recommendation("rec")
    world.classification("one", several=False)
    for split in ("train", "test"):
        tags = (np.random.default_rng(3).random((SPLITS[split], 5)) < 0.4).astype(np.float32)
        save_npz(world.features / f"X_{split}_tags_rec.npz", csr_array(tags))
    commands = ("ridge text --dataset rec", "knn text --dataset rec", "popularity tags")
    for words in (*commands, "ridge text --dataset one"):
        named = words if "--dataset" in words else f"{words} --dataset rec"
        for command in (f"train {named}", "predict"):
            done = CliRunner().invoke(app, [*command.split(), "-w", str(world.root)])
            assert done.exit_code == 0, done.stderr
    return world.root


@pytest.fixture
def predicted(_predicted: Path, tmp_path: Path) -> World:
    """Return a world where a ridge, neighbours and popularity, and a ridge of classes predicted."""
    return World(Path(copytree(_predicted, tmp_path / "workspace")))


def users_called(world: World, ids: tuple[str, ...]) -> None:
    (world.datasets / "users_index_rec.tsv").write_text("".join(f"{each}\n" for each in ids))


def put(world: World, rows: NDArray[Any], ids: list[str] | None = None) -> None:
    """Put other predictions into the place of those of model_1."""
    folder = world.root / "data" / "factors"
    np.save(folder / "factors_model_1.npy", rows.astype(np.float32))
    if ids is not None:
        (folder / "index_factors_model_1.tsv").write_text("".join(f"{each}\n" for each in ids))


def trained_on(world: World, users: NDArray[Any]) -> None:
    """Give the users other factors, as if model_1 had been trained on them."""
    world.trained_on("model_1", world.datasets / "user_factors_als_4_rec.npy", users)


def plain_scores(world: World) -> NDArray[np.float64]:
    """Users' factors times the directions of the items, ``(users, items)``, in float64."""
    rows = np.load(world.root / "data" / "factors" / "factors_model_1.npy").astype(np.float64)
    users = np.load(world.datasets / "user_factors_als_4_rec.npy").astype(np.float64)
    return np.asarray(users @ (rows / np.linalg.norm(rows, axis=1)[:, None]).T)


def truth(world: World) -> NDArray[np.bool_]:
    return np.asarray(load_npz(world.datasets / "matrix_test_rec.npz").toarray().T > 0)


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def lists(world: World, top: int, model: str = "model_1", more: str = "") -> Path:
    return world.root / "data" / "playlists" / f"recommendations_{model}_{top}{more}.tsv"


def test_a_user_gets_the_items_in_the_order_of_the_scores(
    tartarus: Command, predicted: World
) -> None:
    users_called(predicted, ODD)
    scores = plain_scores(predicted)
    for number, name in enumerate(ODD):
        shown = tartarus("recommend", "model_1", f"--user={name}", "--json", "-w", predicted.root)
        told = shown.document
        assert (told["model"], told["dataset"], told["user"]) == ("model_1", "rec", name)
        order = np.argsort(-scores[number])[:10]
        assert [each["item"] for each in told["items"]] == [f"test-{n}" for n in order]
        assert [each["rank"] for each in told["items"]] == list(range(1, 11))
        found = [each["score"] for each in told["items"]]
        assert found == pytest.approx(scores[number, order], abs=1e-5)


@pytest.mark.parametrize("model", FORMS)
def test_ranks_are_those_that_the_evaluation_found(
    model: str, tartarus: Command, predicted: World
) -> None:
    tartarus("evaluate", model, "-w", predicted.root)
    with np.load(predicted.root / "data" / "results" / f"{model}_users.npz") as read:
        starts, items, ranks = read["starts"], read["items"], read["ranks"]
    assert tartarus("recommend", model, "--top", ITEMS, "-w", predicted.root).status == 0
    listed = {
        (user, item): int(rank) for user, rank, item, _ in table(lists(predicted, 12, model))[1:]
    }
    assert len(listed) == USERS * ITEMS
    for user in range(USERS):
        for entry in range(starts[user], starts[user + 1]):
            assert listed[str(user), f"test-{items[entry]}"] == ranks[entry]


@pytest.mark.parametrize("memory", ["100", "1GiB"])
@pytest.mark.parametrize("model", FORMS)
def test_a_score_is_the_same_to_the_last_digit_in_every_list(
    model: str, memory: str, tartarus: Command, predicted: World
) -> None:
    words = (model, "-w", predicted.root, "--top", ITEMS, "--memory", memory)
    tartarus("recommend", *words)
    everything = table(lists(predicted, 12, model))
    assert everything.pop(0) == ["user", "rank", "item", "score"]
    for user in ("0", "8"):
        one = tartarus("recommend", *words, "--user", user, "--tsv").out.splitlines()
        assert [line.split("\t") for line in one] == [
            ["rank", "item", "score"],
            *(line[1:] for line in everything if line[0] == user),
        ]
    for item in ("test-0", "test-11"):
        one = tartarus("recommend", *words, "--item", item, "--tsv").out.splitlines()[1:]
        column = {user: score for user, _, each, score in everything if each == item}
        assert {user: score for _, user, score in (line.split("\t") for line in one)} == column
        order = sorted(column, key=lambda user: (-float(column[user]), int(user)))
        assert [line.split("\t")[1] for line in one] == order


@pytest.mark.parametrize("near", [0, 1e-8, 1e-7, 1e-6])
def test_users_that_float32_hardly_tells_apart_have_the_scores_of_all_lists(
    near: float, tartarus: Command, world: World
) -> None:
    rng = np.random.default_rng(6)
    users = np.repeat(rng.standard_normal((3, 40)), 300, axis=0)
    users *= 1 + near * rng.standard_normal(users.shape)
    items = rng.standard_normal((SPLITS["test"], 40))
    world.rankable(users, items, np.ones((900, len(items)), np.bool_))
    for split, count in (("train", 1), ("test", len(items))):
        np.save(world.features / f"X_{split}_text_rec.npy", np.ones((count, 2)))
    words = ("--dataset", "rec", "-w", world.root)
    assert tartarus("train", "oracle", "--set", "targets.dim=40", *words).status == 0
    tartarus("predict", "model_1", "-w", world.root)
    tartarus("recommend", "model_1", "--top", len(items), "-w", world.root)
    column = {u: s for u, _, i, s in table(lists(world, len(items)))[1:] if i == "test-2"}
    best = sorted(column, key=lambda user: (-float(column[user]), int(user)))[:7]
    one = tartarus(
        "recommend", "model_1", "--item", "test-2", "--top", 7, "--tsv", "-w", world.root
    )
    found = [line.split("\t")[1:] for line in one.out.splitlines()[1:]]
    assert found == [[user, column[user]] for user in best]


def test_pmi_scores_are_cosines(tartarus: Command, predicted: World) -> None:
    """A user's length then changes no score, neither in a user's list nor in an item's."""
    users = np.load(predicted.datasets / "user_factors_als_4_rec.npy")
    lengths = predicted.rng.uniform(1, 9, (USERS, 1))
    np.save(predicted.datasets / "user_factors_pmi_4_rec.npy", users * lengths)
    toml = predicted.root / "data" / "models" / "model_1" / "experiment.toml"
    toml.write_text(toml.read_text().replace('kind = "als"', 'kind = "pmi"'))
    expected = plain_scores(predicted) / np.linalg.norm(users, axis=1, keepdims=True)
    for words, wanted in (
        (("--user", 4), np.sort(expected[4])[::-1]),
        (("--item", "test-4"), np.sort(expected[:, 4])[::-1]),
    ):
        told = tartarus("recommend", "model_1", *words, "--json", "-w", predicted.root).document
        found = [each["score"] for each in told["items" if "items" in told else "users"]]
        assert found == pytest.approx(wanted[:10], abs=1e-6)


def test_equal_scores_keep_one_order_that_is_drawn(tartarus: Command, predicted: World) -> None:
    users = np.ones((USERS, DIM), np.float32)
    users[[2, 5]] *= 2
    trained_on(predicted, users)
    rows = np.ones((ITEMS, DIM))
    rows[7, 0] = 5  # further from the users' direction
    put(predicted, rows)
    shown = tartarus(
        "recommend", "model_1", "--user", 1, "--top", 12, "--tsv", "-w", predicted.root
    )
    items = [line.split("\t")[1] for line in shown.out.splitlines()[1:]]
    ids = [f"test-{n}" for n in range(ITEMS)]
    order = [ids[n] for n in drawn_order(ids, 0) if n != 7]
    assert items == [*order, "test-7"]
    shown = tartarus("recommend", "model_1", "--item", "test-3", "--tsv", "-w", predicted.root)
    names = [line.split("\t")[1] for line in shown.out.splitlines()[1:]]
    assert names == list("250134678")


def test_items_without_a_prediction_are_in_no_list(tartarus: Command, predicted: World) -> None:
    some = [3, 0, 9]
    put(predicted, predicted.rng.standard_normal((3, DIM)), [f"test-{n}" for n in some])
    words = ("recommend", "model_1", "-w", predicted.root)
    told = tartarus(*words, "--user", 0, "--json").document
    assert {each["item"] for each in told["items"]} == {"test-3", "test-0", "test-9"}
    written = tartarus(*words, "--json").document
    assert (written["lines"], written["items"]) == (3 * USERS, 3)
    assert len(table(lists(predicted, 10))) == 1 + 3 * USERS
    refused = tartarus(*words, "--item", "test-1")
    assert (refused.status, "no prediction for 'test-1'" in refused.err) == (1, True)


def test_a_threshold_keeps_what_scores_as_much_as_it_says(
    tartarus: Command, predicted: World
) -> None:
    words = ("recommend", "model_1", "-w", predicted.root)
    whole = tartarus(*words, "--user", 2, "--tsv").out.splitlines()
    fourth = whole[4].split("\t")[2]
    assert (
        tartarus(*words, "--user", 2, "--tsv", f"--min-score={fourth}").out.splitlines()
        == whole[:5]
    )
    column = tartarus(*words, "--item", "test-2", "--tsv").out.splitlines()
    third = column[3].split("\t")[2]
    kept = tartarus(*words, "--item", "test-2", "--tsv", f"--min-score={third}").out.splitlines()
    assert kept == column[:4]
    tartarus(*words, "--min-score", 1, "--top", 12)
    high = lists(predicted, 12, more="_min-score-1.0")
    assert len(table(high)) == 1 + int((plain_scores(predicted) >= 1).sum())
    nobody = tartarus(*words, "--user", 2, "--min-score", "1e300")
    assert nobody.status == 0
    assert "Of 12 test items, none scores 1e+300 or more" in nobody.out


def test_what_users_have_is_marked_in_every_list(tartarus: Command, predicted: World) -> None:
    liked = truth(predicted)
    words = ("recommend", "model_1", "-w", predicted.root, "--known", "--top", 12)
    for user in range(USERS):
        told = tartarus(*words, "--user", user, "--json").document
        had = {each["item"] for each in told["items"] if each["known"]}
        assert had == {f"test-{n}" for n in np.flatnonzero(liked[user])}
    told = tartarus(*words, "--item", "test-1", "--json").document
    had = {int(each["user"]) for each in told["users"] if each["known"]}
    assert had == {*np.flatnonzero(liked[:, 1]).tolist()}
    tartarus(*words)
    lines = table(lists(predicted, 12, more="_known"))
    assert lines[0] == ["user", "rank", "item", "score", "known"]
    had_by_all = {(int(line[0]), int(line[2][5:])) for line in lines[1:] if line[4] == "1"}
    assert had_by_all == {*zip(*(each.tolist() for each in np.nonzero(liked)), strict=True)}


def test_no_list_takes_the_place_of_one_that_was_asked_for_otherwise(
    tartarus: Command, predicted: World
) -> None:
    words = ("recommend", "model_1", "-w", predicted.root, "--top", 12)
    tartarus(*words)
    whole = lists(predicted, 12).read_bytes()
    asked = {
        "_min-score-99.0": ("--min-score", 99),
        "_known": ("--known",),
        "_min-score--0.5_known": ("--known", "--min-score", "-0.5"),
    }
    for more, options in asked.items():
        done = tartarus(*words, *options, "--json")
        told = done.document
        assert ("no test item scores 99 or more" in done.err) == (told["lines"] == 0)
        assert told["file"] == f"data/playlists/recommendations_model_1_12{more}.tsv"
        assert len(table(lists(predicted, 12, more=more))) == 1 + told["lines"]
    assert told["lines"] > len(table(lists(predicted, 12, more="_min-score-99.0"))) - 1 == 0
    assert lists(predicted, 12).read_bytes() == whole
    assert len([*lists(predicted, 12).parent.iterdir()]) == 1 + len(asked)


STRANGERS = (2, 7)  # users of whom nothing is known


@pytest.fixture
def strange(predicted: World) -> World:
    """Return a world in which two users have no train plays, and factors of zero."""
    users = np.load(predicted.datasets / "user_factors_als_4_rec.npy")
    users[[*STRANGERS]] = 0
    trained_on(predicted, users)
    path = predicted.datasets / "matrix_train_rec.npz"
    plays = load_npz(path).toarray()
    plays[:, [*STRANGERS]] = 0
    save_npz(path, csr_array(plays))
    return predicted


@pytest.mark.parametrize("memory", [100, 1 << 30])
@pytest.mark.parametrize("model", ["model_1", "model_2"])
def test_users_of_whom_nothing_is_known_have_no_list_and_are_counted(
    model: str, memory: int, tartarus: Command, strange: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tartarus_cli.recommendation.recommender.USERS_AT_ONCE", 2)
    words = ("recommend", model, "--memory", memory, "-w", strange.root)
    done = tartarus(*words, "--json")
    assert "nothing is known of 2 of 9 users" in done.err
    assert "popularity" in done.err
    told = done.document
    assert (told["users"], told["unknown_users"], told["lines"]) == (9, 2, 70)
    listed = {line[0] for line in table(lists(strange, 10, model))[1:]}
    assert listed == {str(user) for user in range(USERS)} - {"2", "7"}
    for item in ("test-0", "test-5"):
        users = tartarus(*words, "--item", item, "--json").document["users"]
        assert {each["user"] for each in users} == listed


def test_a_user_of_whom_nothing_is_known_is_told_so_and_has_no_list(
    tartarus: Command, strange: World
) -> None:
    words = ("recommend", "model_1", "-w", strange.root, "--user")
    done = tartarus(*words, 7)
    assert (done.status, "nothing is known of user '7'" in done.err) == (0, True)
    assert ("There is no list" in done.out, "test-0" in done.out) == (True, False)
    told = tartarus(*words, 7, "--json").document
    assert (told["unknown"], told["items"]) == (True, [])
    assert tartarus(*words, 7, "--tsv").out == "rank\titem\tscore\n"
    known = tartarus(*words, 6, "--json")
    assert (known.document["unknown"], "nothing is known" in known.err) == (False, False)


def test_what_is_popular_is_for_everybody(tartarus: Command, strange: World) -> None:
    done = tartarus("recommend", "model_3", "--json", "-w", strange.root)
    assert (done.document["unknown_users"], done.document["lines"]) == (0, 10 * USERS)
    assert "nothing is known" not in done.err


def test_test_items_that_came_after_the_prediction_are_counted(
    tartarus: Command, predicted: World
) -> None:
    path = predicted.datasets / "items_index_test_rec.tsv"
    path.write_text("".join(f"test-{n}\n" for n in range(8, 40)))
    words = ("recommend", "model_1", "-w", predicted.root)
    done = tartarus(*words, "--user", 1, "--top", 40, "--json")
    assert "28 of the 32 test items of rec have no prediction by model_1" in done.err
    assert "tartarus predict model_1" in done.err
    assert {each["item"] for each in done.document["items"]} == {f"test-{n}" for n in range(8, 12)}
    path.write_text("new-1\nnew-2\n")
    for options in ((), ("--user", 1), ("--item", "new-1")):
        refused = tartarus(*words, *options)
        assert (refused.status, "none of the 2 test items of rec" in refused.err) == (1, True)
        assert "tartarus predict model_1" in refused.err


def test_new_items_need_no_truth(tartarus: Command, predicted: World) -> None:
    (predicted.datasets / "matrix_test_rec.npz").unlink()
    words = ("recommend", "model_1", "--user", 0, "-w", predicted.root)
    assert tartarus(*words).status == 0
    refused = tartarus(*words, "--known")
    assert (refused.status, "matrix_test_rec.npz is missing" in refused.err) == (1, True)


def test_odd_ids_are_in_the_file_as_they_are(tartarus: Command, predicted: World) -> None:
    users_called(predicted, ODD)
    assert tartarus("recommend", "model_1", "--top", 1, "-w", predicted.root).status == 0
    lines = lists(predicted, 1).read_bytes().decode().split("\n")
    assert [line.split("\t")[0] for line in lines] == ["user", *ODD, ""]


def test_users_without_a_list_of_ids_are_numbered_and_this_is_said(
    tartarus: Command, predicted: World
) -> None:
    words = ("recommend", "model_1", "-w", predicted.root, "--user")
    assert "users_index_rec.tsv" in tartarus(*words, 8).err
    for wrong in ("9", "-1", "08", ""):
        refused = tartarus(*words[:-1], f"--user={wrong}")
        assert (refused.status, "from 0 to 8" in refused.err) == (2, True)


def test_unknown_ids_name_the_nearest(tartarus: Command, predicted: World) -> None:
    users_called(predicted, ODD)
    words = ("recommend", "model_1", "-w", predicted.root)
    refused = tartarus(*words, "--user", "Sigur Ros")
    assert (refused.status, "Did you mean 'Sigur Rós'?" in refused.err) == (2, True)
    refused = tartarus(*words, "--item", "tset-11")
    assert (refused.status, "'test-11'" in refused.err) == (2, True)


@pytest.mark.parametrize("split", ["train", "val"])
def test_an_item_that_is_not_new_is_said_to_be_so(
    split: str, tartarus: Command, predicted: World
) -> None:
    (predicted.datasets / "items_index_val_rec.tsv").write_text("val-1\n")
    refused = tartarus("recommend", "model_1", "--item", f"{split}-1", "-w", predicted.root)
    said = f"rec has no test item '{split}-1': it is a {split} item, and a model ranks new ones"
    assert (refused.status, said in refused.err) == (2, True)
    assert ("Did you mean" in refused.err, "items_index_test_rec.tsv" in refused.err) == (
        False,
        True,
    )


def test_of_many_ids_those_are_near_that_begin_alike() -> None:
    ids = [f"song-{n}" for n in range(100)]
    assert "'song-42'" in suggest_ids("song-4_2", ids, most=20)
    assert suggest_ids("42", ids, most=20) == "There are 'song-0', 'song-1', 'song-2', …."


def test_a_list_of_users_out_of_step_is_an_error_and_not_a_guess(
    tartarus: Command, predicted: World
) -> None:
    users_called(predicted, ODD[:-1])
    refused = tartarus("recommend", "model_1", "--user", ODD[0], "-w", predicted.root)
    assert (refused.status, "users_index_rec.tsv: 8 ids; expected 9" in refused.err) == (1, True)


WRONG = {
    "a classification": (("model_4", "--user", "0"), "model_4 classifies (ridge)"),
    "user and item": (("model_1", "--user", "0", "--item", "test-0"), "exclude each other"),
    "tsv of all": (("model_1", "--tsv"), "written to a file"),
    "two forms": (("model_1", "--user", "0", "--tsv", "--json"), "exclude each other"),
    "no number": (("model_1", "--min-score", "nan"), "not a number"),
    "an empty list": (("model_1", "--top", "0"), "--top"),
    "no such model": (("model_9",), "model_9"),
}


@pytest.mark.parametrize("why", WRONG)
def test_asking_wrongly_exits_2_and_writes_nothing(
    why: str, tartarus: Command, predicted: World
) -> None:
    words, said = WRONG[why]
    refused = tartarus("recommend", *words, "-w", predicted.root)
    assert (refused.status, said in refused.err) == (2, True)
    assert not (predicted.root / "data" / "playlists").exists()


def test_a_model_that_has_not_predicted_says_what_to_run(
    tartarus: Command, predicted: World
) -> None:
    (predicted.root / "data" / "factors" / "factors_model_1.npy").unlink()
    refused = tartarus("recommend", "model_1", "-w", predicted.root)
    assert (refused.status, "tartarus predict model_1" in refused.err) == (1, True)


def test_an_interrupted_command_leaves_the_lists_as_they_were(
    tartarus: Command, predicted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("model_1", "-w", predicted.root, "--memory", "100")
    tartarus("recommend", *words)
    path = lists(predicted, 10)
    before = path.read_bytes()
    score: Callable[..., Any] = FactorScorer.__call__

    def interrupted(self: FactorScorer, users: slice) -> Any:
        if users.start > 4:
            raise KeyboardInterrupt
        return score(self, users)

    monkeypatch.setattr(FactorScorer, "__call__", interrupted)
    assert tartarus("recommend", *words).status == 130
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_for_an_item_only_those_users_are_scored_in_whole_who_may_be_listed(
    tartarus: Command, predicted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[slice] = []
    score: Callable[..., Any] = FactorScorer.__call__

    def noted(self: FactorScorer, users: slice) -> Any:
        scored.append(users)
        return score(self, users)

    monkeypatch.setattr(FactorScorer, "__call__", noted)
    words = ("--item", "test-0", "--top", 2, "--tsv", "--memory", "100")  # one user in a block
    shown = tartarus("recommend", "model_1", *words, "-w", predicted.root)
    best = {int(line.split("\t")[1]) for line in shown.out.splitlines()[1:]}
    assert (
        {each.start for each in scored} == best == {*np.argsort(-plain_scores(predicted)[:, 0])[:2]}
    )


def test_deleting_a_model_deletes_its_lists(tartarus: Command, predicted: World) -> None:
    for model in ("model_1", "model_2"):
        tartarus("recommend", model, "--top", 3, "-w", predicted.root)
    more = ("--min-score", "-1e-9", "--known", "-w", predicted.root)
    tartarus("recommend", "model_1", "--top", 3, *more)
    tartarus("models", "delete", "model_1", "--yes", "-w", predicted.root)
    left = (predicted.root / "data" / "playlists").iterdir()
    assert [path.name for path in left] == ["recommendations_model_2_3.tsv"]


def test_a_list_on_the_terminal_says_what_is_next(tartarus: Command, predicted: World) -> None:
    users_called(predicted, ODD)
    shown = tartarus("recommend", "model_1", "--user", "it's; [red]", "-w", predicted.root)
    assert "new items for user it's; [red]" in shown.out
    assert "The first 10 of 12 test items." in shown.out
    assert "Next: tartarus recommend model_1 --item test-" in shown.out


@pytest.mark.parametrize("item", ["a;touch${IFS}pwned", "it's $(x) [red]", "-9", "007"])
def test_the_next_command_asks_for_the_best_item_whatever_it_is_called(
    item: str, tartarus: Command, predicted: World
) -> None:
    ids = [f"{item}{n}" for n in range(ITEMS)]
    (predicted.datasets / "items_index_test_rec.tsv").write_text("".join(f"{i}\n" for i in ids))
    put(predicted, np.ones((ITEMS, DIM)), ids)
    shown = tartarus("recommend", "model_1", "--user", "0", "-w", predicted.root).out
    said = shown.splitlines()[-1].removeprefix("Next: ").partition("   (")[0]
    first = ids[drawn_order(ids, 0)[0]]
    command = ["tartarus", "recommend", "model_1", "--item", first]
    assert shlex.split(said) == [*command, "--workspace", str(predicted.root)]
    told = tartarus(*shlex.split(said)[1:], "--json").document
    assert told["item"] == first


def test_an_item_that_no_terminal_can_show_is_not_put_into_a_command(
    tartarus: Command, predicted: World
) -> None:
    ids = [f"a\x1b]{n}" for n in range(ITEMS)]
    (predicted.datasets / "items_index_test_rec.tsv").write_text("".join(f"{i}\n" for i in ids))
    put(predicted, np.ones((ITEMS, DIM)), ids)
    shown = tartarus("recommend", "model_1", "--user", "0", "-w", predicted.root).out
    assert "Next: tartarus recommend model_1 --item ID" in shown


def test_a_table_that_fails_is_not_there(tmp_path: Path) -> None:
    import polars as pl

    for form in ("csv", "tsv", "trec", "parquet"):
        with suppress(KeyboardInterrupt), open_table_writer(tmp_path / "x", form) as put:
            put(pl.DataFrame({"a": [1]}))
            raise KeyboardInterrupt
    assert not [*tmp_path.iterdir()]


# From Python: the same lists as frames, and as tables of a notebook.


def recommended(world: World, *, known: bool = False, **request: str) -> Any:
    """Recommend by the ridge, as a Python caller does."""
    options = ListOptions(top=4, known=known)
    model = Store(open_workspace(world.root)).get("model_1")
    return recommend(model, RecommendRequest(**request), options)


@pytest.mark.parametrize("marks", [[], ["known"]])
@pytest.mark.parametrize(("unit", "name"), [("user", "it's; [red]"), ("item", "test-3")])
def test_a_list_is_a_frame_of_the_same_entries(
    unit: str, name: str, marks: list[str], predicted: World
) -> None:
    users_called(predicted, ODD)
    result = recommended(predicted, known=bool(marks), **{unit: name})
    frame, document = result.to_frame(), result.document()
    assert frame.columns == ["user", "rank", "item", "score", *marks]
    assert frame[unit].unique().to_list() == [name]
    entries = document[f"{result.listed}s"]
    names = ["rank", result.listed, "score", *marks]
    assert frame.select(names).to_dicts() == entries
    assert len(entries) == 4


@pytest.mark.parametrize("marks", [[], ["known"]])
def test_the_file_of_all_lists_is_read_as_it_was_written(
    marks: list[str], predicted: World
) -> None:
    users_called(predicted, ODD)
    known = bool(marks)
    result = recommended(predicted, known=known)
    frame = result.to_frame()
    assert (frame.height, frame["user"].n_unique()) == (result.lines, USERS)
    assert frame["user"].unique(maintain_order=True).to_list() == [*ODD]
    for user in ODD:
        single = recommended(predicted, known=known, user=user).to_frame()
        assert frame.filter(user=user).equals(single)


def test_lists_in_a_notebook_have_escaped_ids(predicted: World) -> None:
    users_called(predicted, ("<b>", *ODD[1:]))
    html = recommended(predicted, user="<b>")._repr_html_()
    assert ("items for user &lt;b&gt;" in html, "<b>" in html) == (True, False)
    assert html.count("<tr>") == 1 + 4
    html = recommended(predicted)._repr_html_()
    assert ("<td>&lt;b&gt;</td>" in html, "<b>" in html) == (True, False)
    assert f"the first 10 of {4 * USERS} lines" in html
    assert html.count("<tr>") == 1 + 10


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(io.StringIO, "\x1b[31m"), (_Terminal, "\\x1b[31m")])
def test_a_terminal_gets_no_control_characters_of_ids(
    stream: type[io.StringIO], shown: str, predicted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    result: Any = results.recommend("model_1", user="0", workspace=predicted.root)
    result = replace(result, entries=[replace(result.entries[0], id="\x1b[31mred")])
    written = stream()
    monkeypatch.setattr(sys, "stdout", written)
    playlists.recommended(result, playlists.ListForm.tsv)
    assert f"1\t{shown}red\t" in written.getvalue()


# Shares of the users, as workers make them.


@pytest.mark.parametrize("options", [ListOptions(3), ListOptions(3, 0.1, known=True)])
def test_shares_of_the_lists_join_to_the_file_of_one_machine(
    options: ListOptions, predicted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Store(open_workspace(predicted.root)).get("model_1")
    one, joined = (predicted.root / name for name in ("one.tsv", "joined.tsv"))
    recommender = open_recommender(model, truth=options.known, memory=1000, progress=UNWATCHED)
    assert len(cut_shares([recommender.all_users], recommender.budget)) > 2
    asked: Any = None  # as a cluster would, but here
    written = write_lists(recommender, options, one, UNWATCHED)
    assert lists_on_cluster(model, recommender, options, joined, asked, UNWATCHED) == written
    assert joined.read_bytes() == one.read_bytes()
    assert not list(predicted.root.glob(".tartarus-*"))
    counter = itertools.count()  # the files change all the time
    monkeypatch.setattr(list_shares, "_OPENED", {})
    monkeypatch.setattr(list_shares, "ranking_fingerprint", lambda _: bytes([next(counter)]))
    with pytest.raises(TartarusError, match="is not the same on this worker"):
        lists_on_cluster(model, recommender, options, joined, asked, UNWATCHED)


def test_a_single_list_is_not_shared_out(tartarus: Command, predicted: World) -> None:
    refused = tartarus("recommend", "--user", "0", "--cluster", "local", "-w", predicted.root)
    assert (refused.status, "--cluster shares out the lists of all users" in refused.err) == (
        2,
        True,
    )
