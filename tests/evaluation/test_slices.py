"""Figures of groups of users, items and plays, and how often figures were computed."""

from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, load_npz, save_npz

import tartarus_cli as tt
from tartarus_cli.cli.options import SliceName
from tartarus_cli.errors import RequestError
from tartarus_cli.evaluation.slice_kinds import SLICE_KINDS, SliceBy, quantiles
from tartarus_cli.evaluation.slices import SHOWN, EvaluatedSlices
from tests.conftest import Command
from tests.evaluation.test_ranking import REFERENCE
from tests.worlds import USERS, World

BYS = ("user-activity", "item-popularity")


@pytest.fixture
def modelled(tartarus: Command, world: World) -> World:
    """Return a workspace with an evaluated model, quickly made."""
    words = ("run", "ridge", "text", "--dataset", "rec", "-w", world.root)
    assert tartarus(*words).status == 0
    return world


@pytest.fixture
def unranked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count rankings; each ends in an error."""
    counted: list[str] = []

    def rank(*_: object) -> None:
        counted.append("ranked")
        raise KeyboardInterrupt

    monkeypatch.setattr("tartarus_cli.evaluation.user_metrics.rank_items", rank)
    return counted


def slices(tartarus: Command, world: World, by: str, *more: object) -> Any:
    done = tartarus("evaluate", *more, "--by", by, "-w", world.root, "--json")
    assert done.status == 0, done.err
    return done.document


def liked(world: World, split: str = "test") -> NDArray[np.bool_]:
    """Return who has what, ``(users, items)``."""
    truth: NDArray[np.bool_] = load_npz(world.datasets / f"matrix_{split}_rec.npz").toarray().T > 0
    return truth


def order(world: World) -> NDArray[np.int64]:
    """Items of each user from rank 1 on."""
    users = np.load(world.datasets / "user_factors_als_4_rec.npy").astype(float)
    rows = np.load(world.root / "data" / "factors" / "factors_model_1.npy").astype(float)
    scores = users @ (rows / np.linalg.norm(rows, axis=1, keepdims=True)).T
    return np.argsort(-scores, axis=1, kind="stable")


def by_hand(
    ranked: NDArray[np.int64], truth: NDArray[np.bool_], counted: NDArray[np.bool_], name: str
) -> float:
    """Return the mean of a metric over the users that have any item that counts.

    Other relevant items are no wrong answers: they do not stand in the ranking.
    """
    stem, _, k = name.partition(" ")[0].partition("@")
    values = []
    for items, relevant, mine in zip(ranked, truth, counted, strict=True):
        hits = [bool(mine[item]) for item in items if mine[item] or not relevant[item]]
        if any(hits):
            values.append(REFERENCE[stem](hits, int(k or 0)))
    return float(np.nanmean(values))


def test_users_are_cut_by_how_many_train_items_they_have(
    tartarus: Command, modelled: World
) -> None:
    counts = liked(modelled, "train").sum(axis=1)
    ranked, truth = order(modelled), liked(modelled)
    truth_of_none = truth.copy()
    found = slices(tartarus, modelled, "user-activity")
    assert found["name"] == "model_1"
    assert "train items" in found["found"]["counted"]
    parts = found["found"]["slices"]
    assert sum(part["size"] for part in parts) == USERS
    for part in parts:
        inside = (part["lowest"] <= counts) & (counts <= part["highest"])
        assert part["size"] == inside.sum() > 0
        counted = truth_of_none & inside[:, None]
        assert part["users"] == counted.any(axis=1).sum()
        assert [*part["metrics"]] == list(SHOWN)
        for name in SHOWN:
            assert part["metrics"][name] == pytest.approx(by_hand(ranked, truth, counted, name)), (
                name
            )


def test_without_train_plays_users_are_cut_by_their_test_items(
    tartarus: Command, modelled: World
) -> None:
    (modelled.datasets / "matrix_train_rec.npz").unlink()
    found = slices(tartarus, modelled, "user-activity")["found"]
    assert "test items" in found["counted"]
    counts = liked(modelled).sum(axis=1)
    for part in found["slices"]:
        inside = (part["lowest"] <= counts) & (counts <= part["highest"])
        assert part["size"] == inside.sum()


def test_items_are_cut_by_how_many_users_have_them(tartarus: Command, modelled: World) -> None:
    ranked, truth = order(modelled), liked(modelled)
    counts = truth.sum(axis=0)
    parts = slices(tartarus, modelled, "item-popularity")["found"]["slices"]
    assert sum(part["size"] for part in parts) == 12
    for part in parts:
        inside = (part["lowest"] <= counts) & (counts <= part["highest"])
        assert part["size"] == inside.sum() > 0
        counted = truth & inside
        assert part["users"] == counted.any(axis=1).sum()
        if part["users"]:
            expected = {name: by_hand(ranked, truth, counted, name) for name in SHOWN}
            assert part["metrics"] == pytest.approx(expected)
    assert [part["lowest"] for part in parts] == sorted(part["lowest"] for part in parts)


def test_figures_of_items_that_nobody_has_are_null(tartarus: Command, modelled: World) -> None:
    path = modelled.datasets / "matrix_test_rec.npz"
    truth = load_npz(path).toarray()
    truth[:6] = 0
    save_npz(path, csr_array(truth))
    done = tartarus("evaluate", "--by", "item-popularity", "-w", modelled.root, "--json")
    assert "NaN" not in done.out
    lowest = done.document["found"]["slices"][0]
    assert (lowest["highest"], lowest["size"], lowest["users"]) == (0, 6, 0)
    assert lowest["metrics"] == dict.fromkeys(SHOWN)


TRAIN_ARTISTS = ["Bach", "Holst", *["Bach"] * 37, "Ravel"]
TEST_ARTISTS = [*["Bach"] * 5, *["Cage"] * 3, "Holst", "", "", "Ravel"]


def list_artists(world: World) -> None:
    """Write who made what; the artist of two test items is not listed."""
    names = {"train": TRAIN_ARTISTS, "test": TEST_ARTISTS}
    rows = [f"{s}-{n}\t{name}" for s in names for n, name in enumerate(names[s]) if name]
    (world.datasets / "artists_index_rec.tsv").write_text("\n".join([*rows, ""]))


def check_groups(world: World, found: Any, cells: dict[str, NDArray[np.bool_]]) -> None:
    """Compare with figures by hand; ``cells`` are the plays of each group, ``(users, items)``."""
    ranked, truth = order(world), liked(world)
    assert [part["label"] for part in found["slices"]] == [*cells]
    for part, counted in zip(found["slices"], cells.values(), strict=True):
        assert part["users"] == counted.any(axis=1).sum() > 0
        expected = {name: by_hand(ranked, truth, counted, name) for name in SHOWN}
        assert part["metrics"] == pytest.approx(expected, nan_ok=True)
        assert part["lowest"] is part["highest"] is None


def test_items_of_known_and_of_new_artists_are_evaluated_apart(
    tartarus: Command, modelled: World
) -> None:
    list_artists(modelled)
    found = slices(tartarus, modelled, "known-artist")["found"]
    artists = np.array(TEST_ARTISTS)
    semi_cold = np.isin(artists, TRAIN_ARTISTS)
    items = {"semi-cold": semi_cold, "cold": artists == "Cage", "artist not listed": artists == ""}
    check_groups(modelled, found, {name: liked(modelled) & mask for name, mask in items.items()})
    assert [part["size"] for part in found["slices"]] == [7, 3, 2]
    table = tartarus("evaluate", "--by", "known-artist", "-w", modelled.root).out
    assert "items by whether their artist has train items (semi-cold) or none (cold)" in table


def test_plays_of_artists_that_are_played_before_are_evaluated_apart(
    tartarus: Command, modelled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tartarus_cli.evaluation.artist_groups.BLOCK_PLAYS", 7)
    list_artists(modelled)
    found = slices(tartarus, modelled, "discovery")["found"]
    of = np.array(TRAIN_ARTISTS)[:, None] == np.array(TEST_ARTISTS)
    played = liked(modelled, "train").astype(int) @ of > 0  # (users, test items)
    truth, unlisted = liked(modelled), np.array(TEST_ARTISTS) == ""
    cells = {
        "exploit": truth & played,
        "discovery": truth & ~played & ~unlisted,
        "artist not listed": truth & unlisted,
    }
    check_groups(modelled, found, cells)
    assert [part["size"] for part in found["slices"]] == [mask.sum() for mask in cells.values()]
    frame = tt.evaluate(by="discovery", workspace=modelled.root).to_frame()
    assert frame["label"].unique(maintain_order=True).to_list() == [*cells]
    assert frame["lowest"].null_count() == len(frame)


@pytest.mark.parametrize(
    ("by", "missing"),
    [
        ("known-artist", "artists_index_rec.tsv"),
        ("discovery", "artists_index_rec.tsv"),
        ("discovery", "matrix_train_rec.npz"),
    ],
)
def test_what_tells_artists_apart_is_missed_before_anything_is_ranked(
    by: str, missing: str, tartarus: Command, modelled: World, unranked: list[str]
) -> None:
    list_artists(modelled)
    other_predictions(modelled)
    (modelled.datasets / missing).unlink()
    refused = tartarus("evaluate", "--by", by, "-w", modelled.root)
    assert (refused.status, refused.out, unranked) == (1, "", [])
    assert f"{missing} is missing" in refused.err
    assert "--force" in refused.err


def test_train_plays_of_other_items_or_users_are_refused(
    tartarus: Command, modelled: World
) -> None:
    list_artists(modelled)
    path = modelled.datasets / "matrix_train_rec.npz"
    plays = load_npz(path)
    for damaged, found in ((plays[:-1], "39 rows"), (plays[:, :-1], "8 columns")):
        save_npz(path, damaged)
        refused = tartarus("evaluate", "--by", "discovery", "-w", modelled.root)
        assert (refused.status, found in refused.err) == (1, True)


def test_the_function_names_the_kinds_that_there_are(modelled: World) -> None:
    by: Any = "artist-known"
    with pytest.raises(RequestError, match="by='artist-known'` is no way") as caught:
        tt.evaluate(by=by, workspace=modelled.root)
    assert "known-artist" in caught.value.hint


def test_the_kinds_of_slices_are_those_that_can_be_asked_for() -> None:
    assert [*SLICE_KINDS] == [*get_args(SliceBy)] == [name.value for name in SliceName]


@pytest.mark.parametrize(
    ("name", "value"), [("starts", 7), ("starts", -1), ("items", 12), ("items", -1), ("ranks", 0)]
)
def test_kept_ranks_that_cannot_be_are_told_of(
    name: str, value: int, tartarus: Command, modelled: World
) -> None:
    path = modelled.root / "data" / "results" / "model_1_users.npz"
    with np.load(path) as read:
        arrays = dict(read)
    arrays[name][0] = value
    with path.open("wb") as file:
        np.savez(file, **arrays)
    refused = tartarus("evaluate", "--by", "user-activity", "-w", modelled.root)
    assert (refused.status, refused.out) == (1, "")
    assert "model_1_users.npz" in refused.err
    assert "that do not fit" in refused.err


def test_quantiles_are_not_explained(tartarus: Command, modelled: World) -> None:
    words = ("evaluate", "--by", "user-activity", "--explain", "-w", modelled.root)
    refused = tartarus(*words)
    assert (refused.status, "--by and --explain exclude each other" in refused.err) == (2, True)


def test_the_slices_of_users_average_to_the_whole(tartarus: Command, modelled: World) -> None:
    whole = tartarus("evaluate", "-w", modelled.root, "--json").document["metrics"]
    parts = slices(tartarus, modelled, "user-activity")["found"]["slices"]
    total = sum(part["users"] for part in parts)
    mean = (
        sum(
            part["users"] * part["metrics"]["MAP@500 (users with relevant items)"] for part in parts
        )
        / total
    )
    assert mean == pytest.approx(whole["MAP@500 (users with relevant items)"])


@pytest.mark.parametrize(
    "counts", [[5], [0, 0, 0], [1, 2], [3, 1, 2, 0, 9, 9, 9, 9], [*range(101)], [0] * 90 + [7]]
)
def test_quantiles_hold_everything_once_and_about_as_much_each(counts: list[int]) -> None:
    found = quantiles(np.array(counts))
    inside = [[n for n in counts if low <= n <= high] for low, high in found]
    assert sorted(chain.from_iterable(inside)) == sorted(counts)
    assert all(inside)
    assert len(found) <= 4
    commonest = max(Counter(counts).values())
    assert max(map(len, inside)) <= -(-len(counts) // 4) + commonest


@pytest.mark.parametrize("by", BYS)
def test_nothing_is_ranked_again_while_the_results_hold(
    by: str, tartarus: Command, modelled: World, unranked: list[str]
) -> None:
    table = tartarus("evaluate", "model_1", "--by", by, "-w", modelled.root)
    assert (table.status, unranked) == (0, [])
    assert "ROC-AUC" in table.out
    shown = tartarus("models", "show", "model_1", "-w", modelled.root, "--json").document
    assert shown["test_evaluations"] == 2  # a look all the same


def other_predictions(world: World) -> None:
    path = world.root / "data" / "factors" / "factors_model_1.npy"
    np.save(path, -np.load(path))


def other_truth(world: World) -> None:
    path = world.datasets / "matrix_test_rec.npz"
    truth = load_npz(path).toarray()
    save_npz(path, csr_array(np.roll(truth, 1, axis=0)))


def other_items(world: World) -> None:
    path = world.datasets / "items_index_test_rec.tsv"
    names = path.read_text().splitlines()
    path.write_text("\n".join([*names[1:], "another"]) + "\n")


def no_values(world: World) -> None:
    (world.root / "data" / "results" / "model_1_users.npz").unlink()


def no_results(world: World) -> None:
    (world.root / "data" / "results" / "model_1.json").unlink()


@pytest.mark.parametrize(
    "change", [other_predictions, other_truth, other_items, no_values, no_results]
)
def test_what_no_longer_holds_is_ranked_again(
    change: Callable[[World], None], tartarus: Command, modelled: World, unranked: list[str]
) -> None:
    change(modelled)
    tartarus("evaluate", "model_1", "--by", "user-activity", "-w", modelled.root)
    assert unranked == ["ranked"]


def test_slices_after_a_change_are_those_of_the_changed_files(
    tartarus: Command, modelled: World
) -> None:
    before = slices(tartarus, modelled, "user-activity")
    other_predictions(modelled)
    after = slices(tartarus, modelled, "user-activity")
    assert after != before
    kept = tartarus("evaluate", "-w", modelled.root, "--json").document["metrics"]
    parts = after["found"]["slices"]
    total = sum(part["users"] for part in parts)
    mean = sum(part["users"] * part["metrics"]["MRR"] for part in parts) / total
    assert mean == pytest.approx(kept["MRR"])  # everybody has relevant items


@pytest.mark.parametrize("by", BYS)
def test_predictions_made_elsewhere_are_cut_too(by: str, tartarus: Command, world: World) -> None:
    path = world.root / "predicted.npy"
    np.save(path, world.rng.standard_normal((12, 4)))
    asked = (path, "--experiment", "rec_dense", "--dataset", "rec")
    found = slices(tartarus, world, by, *asked)
    assert found["name"] == "predicted"
    assert (world.root / "data" / "results" / "predicted.json").exists()


@pytest.mark.parametrize("dataset", ["one", "many"])
def test_a_classification_has_no_users_to_cut(
    dataset: str, tartarus: Command, world: World
) -> None:
    assert tartarus("run", "prior", "--dataset", dataset, "-w", world.root).status == 0
    for by in BYS:
        refused = tartarus("evaluate", "--by", by, "-w", world.root)
        assert (refused.status, refused.out) == (2, "")
        assert f"model_1 is of a multi{'class' if dataset == 'one' else 'label'} task" in (
            refused.err
        )


def test_some_users_are_not_cut(tartarus: Command, modelled: World) -> None:
    words = ("evaluate", "--by", "user-activity", "--users", "0:3", "-w", modelled.root)
    refused = tartarus(*words)
    assert (refused.status, "--users" in refused.err) == (2, True)
    wrong = tartarus("evaluate", "--by", "colour", "-w", modelled.root)
    assert (wrong.status, "user-activity" in wrong.err) == (2, True)


def test_a_model_tells_how_often_its_test_figures_were_computed(
    tartarus: Command, modelled: World
) -> None:
    place = ("-w", modelled.root)
    assert "figures computed once" in tartarus("models", "show", "model_1", *place).out
    for _ in range(2):
        tartarus("evaluate", *place)
    assert "figures computed 3 times" in tartarus("models", "show", "model_1", *place).out
    refused = tartarus("evaluate", "--users", "90:99", *place)
    assert refused.status == 2
    shown = tartarus("models", "show", "model_1", *place, "--json").document
    assert shown["test_evaluations"] == 3


def test_items_are_cut_by_which_settings_they_have(tartarus: Command, world: World) -> None:
    words = ("run", "ridge", "text", "audio", "--dataset", "rec", "-w", world.root)
    assert tartarus(*words).status == 0
    items = np.arange(12)
    has = {"text": items % 2 == 0, "audio": items % 3 == 0}
    for name, present in has.items():
        np.save(world.features / f"mask_test_{name}_rec.npy", present)
    ranked, truth = order(world), liked(world)
    groups = {
        "text and audio": has["text"] & has["audio"],
        "only text": has["text"] & ~has["audio"],
        "only audio": ~has["text"] & has["audio"],
        "none": ~has["text"] & ~has["audio"],
    }
    parts = slices(tartarus, world, "modality")["found"]["slices"]
    assert [part["label"] for part in parts] == [*groups]
    for part, inside in zip(parts, groups.values(), strict=True):
        assert part["size"] == inside.sum()
        for name in SHOWN:
            expected = by_hand(ranked, truth, truth & inside, name)
            assert part["metrics"][name] == pytest.approx(expected), name
    for name in has:
        (world.features / f"mask_test_{name}_rec.npy").unlink()
    assert [p["size"] for p in slices(tartarus, world, "modality")["found"]["slices"]] == [12]


def test_classified_items_are_cut_by_which_settings_they_have(
    tartarus: Command, world: World
) -> None:
    words = ("run", "knn", "text", "--dataset", "many", "-w", world.root)
    assert tartarus(*words).status == 0
    present = np.arange(12) < 5
    np.save(world.features / "mask_test_text_many.npy", present)
    evaluation = tt.evaluate(workspace=world.root, by="modality")
    assert isinstance(evaluation, EvaluatedSlices)
    values = np.load(world.root / "data" / "results" / f"{evaluation.name}_items.npz")
    parts = evaluation.slices.slices
    assert [(part.label, part.size, part.users) for part in parts] == [
        ("text", 5, None),
        ("none", 7, None),
    ]
    for metric, value in parts[1].metrics.items():
        assert value == pytest.approx(values[metric][~present].mean())
    assert evaluation.to_frame().height == 2 * len(parts[0].metrics)
    assert "evaluated users" not in evaluation._repr_html_()
    printed = tartarus("evaluate", "--by", "modality", "-w", world.root).out
    assert "Means over the items of the group." in printed
    refused = tartarus("evaluate", "--by", "item-popularity", "-w", world.root)
    assert (refused.status, "--by modality" in refused.err) == (2, True)


def test_what_reads_no_settings_is_cut_by_those_that_test_items_lack(
    tartarus: Command, modelled: World
) -> None:
    factors = modelled.root / "data" / "factors" / "factors_model_1.npy"
    words = ("evaluate", factors, "--experiment", "ridge", "--dataset", "rec", "--by", "modality")
    refused = tartarus(*words, "-w", modelled.root)
    assert (refused.status, "--missing absent" in refused.err) == (2, True)
    np.save(modelled.features / "mask_test_audio_rec.npy", np.arange(12) > 0)
    done = tartarus(*words, "-w", modelled.root)
    assert (done.status, "audio" in done.out, "none" in done.out) == (0, True, True)
