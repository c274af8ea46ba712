"""Evaluations of some users, joined; interrupted ones, resumed; killed ones."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.scoring.scorers import FactorScorer
from tests.conftest import Command, Outcome
from tests.processes import ENOUGH_S, started, waited
from tests.worlds import World

USERS, ITEMS, DIM = 50, 90, 16
SMALL = ("--memory", "5k")  # two users a block, and some of the items


@pytest.fixture
def bare(tmp_path: Path) -> World:
    """Return a workspace whose items are hardly told apart, so that every last bit counts."""
    made = World(tmp_path / "bare")
    users = made.rng.standard_normal((USERS, DIM)).astype(np.float32)
    liked = made.rng.random((USERS, ITEMS)) < 0.2
    liked[3] = False
    made.rankable(users, made.rng.standard_normal((ITEMS, DIM)), liked)
    rows = np.repeat(made.rng.standard_normal((9, DIM)), 10, axis=0)
    predict(made, rows * (1 + 1e-7 * made.rng.standard_normal(rows.shape)))
    return made


def predict(world: World, rows: NDArray[np.floating[Any]]) -> None:
    np.save(world.root / "predicted.npy", rows)


def words(world: World, *more: object) -> tuple[str, ...]:
    asked = ("--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    return tuple(map(str, ("evaluate", world.root / "predicted.npy", *asked, *more)))


def results(world: World) -> Path:
    return world.root / "data" / "results"


def parts(world: World) -> list[str]:
    found = (results(world) / "parts" / "predicted").glob("*")
    return sorted(path.name for path in found)


def part(world: World, users: str) -> Path:
    return results(world) / "parts" / "predicted" / f"users_{users}.npz"


@dataclass(frozen=True)
class Kept:
    """All that an evaluation leaves."""

    document: Any
    file: str
    arrays: dict[str, bytes]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


def ended(world: World, done: Outcome, *, others: int = 0) -> Kept:
    """Return what a whole evaluation left, once it has ended well; parts of others stay."""
    assert done.status == 0, done.err
    assert len(parts(world)) == others
    with np.load(results(world) / "predicted_users.npz", allow_pickle=False) as read:
        arrays = {name: each.tobytes() for name, each in read.items()}
    return Kept(done.document, (results(world) / "predicted.json").read_text(), arrays)


def forget(world: World) -> None:
    for path in results(world).glob("predicted*"):
        path.unlink()


@pytest.fixture
def whole(tartarus: Command, bare: World) -> Kept:
    """Return what an undisturbed evaluation leaves; it is removed."""
    found = ended(bare, tartarus(*words(bare, "--json")))
    forget(bare)
    return found


@pytest.fixture
def small(tartarus: Command, bare: World) -> Kept:
    """Return the same, of small blocks."""
    found = ended(bare, tartarus(*words(bare, *SMALL, "--json")))
    forget(bare)
    return found


# Some users at a time.


@pytest.mark.parametrize(
    "slices",
    [
        (":",),
        ("0:3", "3:9", "9:50"),
        ("21:", ":21"),
        ("31:50", "0:1", "1:2", "2:31"),
        ("0:25", "25:90"),
    ],
)
@pytest.mark.parametrize("memory", [(), SMALL])
def test_parts_join_to_the_whole_bit_for_bit(
    slices: tuple[str, ...], memory: tuple[str, ...], tartarus: Command, bare: World
) -> None:
    expected = ended(bare, tartarus(*words(bare, *memory, "--k", 7, "--json")))
    forget(bare)
    for users in slices:
        if users != ":":
            assert tartarus(*words(bare, *memory, "--k", 7, "--users", users)).status == 0
    merge = () if slices == (":",) else ("--merge",)
    joined = tartarus(*words(bare, *memory, "--k", 7, *merge, "--json"))
    assert ended(bare, joined) == expected


def test_a_part_writes_no_results_and_says_how_it_is_joined(tartarus: Command, bare: World) -> None:
    done = tartarus(*words(bare, "--users", "5:20"))
    assert done.status == 0
    assert "ranked for 15 users" in done.out
    kept = "Kept in data/results/parts/predicted/users_5_20.npz: once all users are there"
    assert kept in done.out
    assert "--merge" in done.out
    assert parts(bare) == ["users_5_20.npz"]
    assert [path.name for path in results(bare).iterdir()] == ["parts"]
    with np.load(part(bare, "5_20"), allow_pickle=False) as read:
        assert len(read["model.novelty@5"]) == 15
        assert {name.partition(".")[0] for name in read} == {"key", "model", "random", "oracle"}


def test_joining_names_the_users_that_are_missing(tartarus: Command, bare: World) -> None:
    refused = tartarus(*words(bare, "--merge"))
    assert refused.status == 2
    assert "users 0:50 were not evaluated yet" in refused.err
    for users in ("0:3", "9:20"):
        tartarus(*words(bare, "--users", users))
    refused = tartarus(*words(bare, "--merge"))
    assert (refused.status, refused.out) == (2, "")
    assert "users 3:9, 20:50 were not evaluated yet" in refused.err
    assert "--users 3:9" in refused.err
    assert parts(bare) == ["users_0_3.npz", "users_9_20.npz"]
    assert not (results(bare) / "predicted.json").exists()


def test_of_parts_that_overlap_the_larger_is_taken_and_the_rest_ranked_again(
    tartarus: Command, bare: World, whole: Kept
) -> None:
    for users in ("0:30", "25:50"):
        tartarus(*words(bare, "--users", users))
    refused = tartarus(*words(bare, "--merge"))
    assert (refused.status, "users 30:50 were not evaluated yet" in refused.err) == (2, True)
    assert parts(bare) == ["users_0_30.npz", "users_25_50.npz"]
    assert ended(bare, tartarus(*words(bare, "--resume", "--json"))) == whole


def test_a_part_replaces_those_that_it_covers(tartarus: Command, bare: World, whole: Kept) -> None:
    for users in ("0:30", "20:40", "40:50"):
        tartarus(*words(bare, "--users", users))
    part(bare, "7_9").write_bytes(b"damaged")
    assert tartarus(*words(bare, "--users", "0:40")).status == 0
    assert parts(bare) == ["users_0_40.npz", "users_40_50.npz"]
    assert ended(bare, tartarus(*words(bare, "--merge", "--json"))) == whole


def test_some_of_the_parts_may_be_joined_to_a_larger_one(
    tartarus: Command, bare: World, whole: Kept
) -> None:
    for users in ("0:3", "3:9", "9:50"):
        tartarus(*words(bare, "--users", users))
    assert tartarus(*words(bare, "--users", "0:9", "--merge")).status == 0
    assert parts(bare) == ["users_0_9.npz", "users_9_50.npz"]
    assert ended(bare, tartarus(*words(bare, "--merge", "--json"))) == whole


@pytest.mark.parametrize("memory", [(), SMALL])
@pytest.mark.parametrize("of", [1, 3, 50])
def test_shards_join_to_the_whole_bit_for_bit(
    of: int, memory: tuple[str, ...], tartarus: Command, bare: World
) -> None:
    expected = ended(bare, tartarus(*words(bare, *memory, "--json")))
    forget(bare)
    numbers = range(1, of + 1) if of < 4 else range(of, 0, -7)
    for number in numbers:
        done = tartarus(*words(bare, *memory, "--shard", f"{number}/{of}"))
        assert (done.status, "--merge" in done.out) == (0, True)
    assert not (results(bare) / "predicted.json").exists()
    join = "--merge" if of < 4 else "--resume"
    assert ended(bare, tartarus(*words(bare, *memory, join, "--json"))) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--shard", "3/2"), "--shard 3/2 is no shard"),
        (("--shard", "1/60"), "there are 50 users, so that this shard has none"),
        (("--shard", "1/2", "--users", "0:3"), "--users and --shard exclude each other"),
        (("--shard", "1/2", "--by", "user-activity"), "--by cuts all users, and --shard names"),
    ],
)
def test_a_shard_that_there_is_not_is_refused(
    options: tuple[str, ...], message: str, tartarus: Command, bare: World
) -> None:
    refused = tartarus(*words(bare, *options))
    assert (refused.status, message in refused.err) == (2, True), refused.err
    assert parts(bare) == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def keyless(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, ranks=np.zeros(3))


@pytest.mark.parametrize("damage", [cut, flip, empty, keyless])
@pytest.mark.parametrize("option", ["--merge", "--resume"])
def test_a_damaged_part_is_refused_by_name(
    option: str, damage: Callable[[Path], None], tartarus: Command, bare: World, whole: Kept
) -> None:
    for users in ("0:9", "9:50"):
        tartarus(*words(bare, "--users", users))
    damage(part(bare, "9_50"))
    refused = tartarus(*words(bare, option))
    assert (refused.status, refused.out) == (1, "")
    assert "users_9_50.npz" in refused.err
    assert not (results(bare) / "predicted.json").exists()
    assert tartarus(*words(bare, "--users", "9:50")).status == 0  # takes the place of the damaged
    assert ended(bare, tartarus(*words(bare, "--merge", "--json"))) == whole


def test_a_part_that_was_given_the_name_of_another_is_not_used(
    tartarus: Command, bare: World
) -> None:
    tartarus(*words(bare, "--users", "0:25"))
    part(bare, "25_50").write_bytes(part(bare, "0_25").read_bytes())
    refused = tartarus(*words(bare, "--merge"))
    assert (refused.status, "users 25:50 were not evaluated yet" in refused.err) == (2, True)


def other_predictions(world: World) -> None:
    rows = np.load(world.root / "predicted.npy")
    rows[3, 3] += 1e-3
    np.save(world.root / "predicted.npy", rows)


def other_users(world: World) -> None:
    path = world.datasets / f"user_factors_als_{DIM}_rec.npy"
    np.save(path, np.load(path) * 2)


def other_truth(world: World) -> None:
    path = world.datasets / "matrix_test_rec.npz"
    with np.load(path) as read:
        changed = dict(read)
    changed["data"] = changed["data"].copy()
    changed["data"][0] = 0
    with path.open("wb") as file:
        np.savez(file, **changed)


def other_oracle(world: World) -> None:
    path = world.datasets / f"item_factors_test_als_{DIM}_rec.npy"
    np.save(path, -np.load(path))


def no_oracle(world: World) -> None:
    (world.datasets / f"item_factors_test_als_{DIM}_rec.npy").unlink()


@pytest.mark.parametrize(
    "change", [other_predictions, other_users, other_truth, other_oracle, no_oracle]
)
def test_parts_of_other_files_are_not_used(
    change: Callable[[World], None], tartarus: Command, bare: World
) -> None:
    tartarus(*words(bare, "--users", "0:50"))
    change(bare)
    refused = tartarus(*words(bare, "--merge"))
    assert (refused.status, "with other files or options" in refused.err) == (2, True)
    resumed = ended(bare, tartarus(*words(bare, "--resume", "--json")), others=1)
    forget(bare)
    assert resumed == ended(bare, tartarus(*words(bare, "--json")), others=1)


@pytest.mark.parametrize("options", [("--k", "9"), ("--seed", "3"), ("--memory", "2k")])
def test_parts_of_other_options_are_not_used(
    options: tuple[str, ...], tartarus: Command, bare: World, whole: Kept
) -> None:
    tartarus(*words(bare, "--users", "0:25", *options))
    tartarus(*words(bare, "--users", "25:50"))
    refused = tartarus(*words(bare, "--merge"))
    assert (refused.status, "users 0:25 were not evaluated yet" in refused.err) == (2, True)
    assert ended(bare, tartarus(*words(bare, "--resume", "--json")), others=1) == whole


def test_other_files_among_the_parts_are_left_alone(
    tartarus: Command, bare: World, whole: Kept
) -> None:
    tartarus(*words(bare, "--users", "0:50"))
    for name in ("users_5_2.npz", "users_0_99.npz", "users_x_9.npz", "note.txt"):
        (results(bare) / "parts" / "predicted" / name).write_text("something else")
    merged = tartarus(*words(bare, "--merge", "--json"))
    assert ended(bare, merged, others=3) == whole  # users_0_99 might be a damaged part


def test_a_part_that_a_killed_process_did_not_finish_is_removed_with_the_others(
    tartarus: Command, bare: World, whole: Kept
) -> None:
    tartarus(*words(bare, "--users", "0:"))
    (results(bare) / "parts" / "predicted" / ".tartarus-0123abcd-users_0_9.npz").write_text("half")
    assert ended(bare, tartarus(*words(bare, "--merge", "--json"))) == whole
    assert not (results(bare) / "parts" / "predicted").exists()


def test_of_parts_that_cover_each_other_the_larger_is_taken(
    tartarus: Command, bare: World, whole: Kept
) -> None:
    for users in ("9:20", "0:30", "30:50"):
        tartarus(*words(bare, "--users", users))
    tartarus(*words(bare, "--users", "5:20"))
    assert parts(bare) == ["users_0_30.npz", "users_30_50.npz", "users_5_20.npz"]
    assert ended(bare, tartarus(*words(bare, "--merge", "--json"))) == whole


# Interrupted.


@dataclass
class Watched:
    """Which users the model's and the oracle's scores were computed for, and where to stop."""

    stop_at: int = USERS
    users: list[int] = field(default_factory=list)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Count what is scored, and stop where the test says."""
    found = Watched()
    score = FactorScorer.__call__

    def scored(self: FactorScorer, users: slice) -> Any:
        if users.start >= found.stop_at:
            raise KeyboardInterrupt
        found.users += range(users.start, users.stop)
        return score(self, users)

    monkeypatch.setattr(FactorScorer, "__call__", scored)
    return found


def again(watched: Watched, stop_at: int = USERS) -> None:
    watched.stop_at = stop_at
    watched.users.clear()


@pytest.mark.parametrize("stop", [2, 18, 48])
def test_an_interrupted_evaluation_goes_on_where_it_stopped(
    stop: int, tartarus: Command, bare: World, small: Kept, watched: Watched
) -> None:
    again(watched, stop)
    stopped = tartarus(*words(bare, *SMALL, "--json"))
    assert (stopped.status, stopped.out) == (130, "")
    assert f"what was ranked is kept, up to user {stop}" in stopped.err
    assert "--resume" in stopped.err
    assert parts(bare) == [f"users_0_{stop}.npz"]
    again(watched)
    assert ended(bare, tartarus(*words(bare, *SMALL, "--resume", "--json"))) == small
    assert sorted(watched.users) == sorted(2 * [*range(stop, USERS)])


def test_an_evaluation_may_be_interrupted_again_and_again(
    tartarus: Command, bare: World, small: Kept, watched: Watched
) -> None:
    resume: tuple[str, ...] = ()
    for stop in (12, 24, 36):
        again(watched, stop)
        assert tartarus(*words(bare, *SMALL, *resume)).status == 130
        resume = ("--resume",)
    assert len(parts(bare)) == 3
    again(watched)
    assert ended(bare, tartarus(*words(bare, *SMALL, *resume, "--json"))) == small
    assert min(watched.users) == 36


def test_an_error_in_the_middle_loses_nothing_either(
    tartarus: Command, bare: World, small: Kept
) -> None:
    path = bare.datasets / f"user_factors_als_{DIM}_rec.npy"
    good = np.load(path)
    bad = good.copy()
    bad[40] = np.nan
    np.save(path, bad)
    refused = tartarus(*words(bare, *SMALL))
    assert (refused.status, "in 1 rows (40," in refused.err) == (1, True)
    assert parts(bare) == ["users_0_40.npz"]
    np.save(path, good)  # other factors, so the part is of another evaluation
    done = tartarus(*words(bare, *SMALL, "--resume", "--json"))
    assert ended(bare, done, others=1) == small


def test_gaps_between_parts_that_were_filled_are_not_filled_twice(
    tartarus: Command, bare: World, small: Kept, watched: Watched
) -> None:
    tartarus(*words(bare, *SMALL, "--users", "4:10"))
    tartarus(*words(bare, *SMALL, "--users", "20:30"))
    again(watched, 36)
    assert tartarus(*words(bare, *SMALL, "--resume")).status == 130
    again(watched)
    assert ended(bare, tartarus(*words(bare, *SMALL, "--resume", "--json"))) == small
    assert sorted(watched.users) == sorted(2 * [*range(36, USERS)])


def test_some_users_go_on_as_all_do(
    tartarus: Command, bare: World, small: Kept, watched: Watched
) -> None:
    again(watched, 18)
    assert tartarus(*words(bare, *SMALL, "--users", "10:40")).status == 130
    assert parts(bare) == ["users_10_18.npz"]
    again(watched)
    assert tartarus(*words(bare, *SMALL, "--users", "10:40", "--resume")).status == 0
    assert (parts(bare), min(watched.users)) == (["users_10_40.npz"], 18)
    assert ended(bare, tartarus(*words(bare, *SMALL, "--resume", "--json"))) == small


def test_an_evaluation_begun_anew_and_interrupted_earlier_goes_on_where_the_first_stopped(
    tartarus: Command, bare: World, small: Kept, watched: Watched
) -> None:
    for stop in (36, 12):
        again(watched, stop)
        assert tartarus(*words(bare, *SMALL)).status == 130
    again(watched)
    assert ended(bare, tartarus(*words(bare, *SMALL, "--resume", "--json"))) == small
    assert min(watched.users) == 36


def test_without_resume_everything_is_ranked_anew(
    tartarus: Command, bare: World, small: Kept, watched: Watched
) -> None:
    again(watched, 10)
    assert tartarus(*words(bare, *SMALL)).status == 130
    again(watched)
    assert ended(bare, tartarus(*words(bare, *SMALL, "--json"))) == small
    assert sorted({*watched.users}) == [*range(USERS)]


def test_an_interruption_before_the_first_block_is_over_leaves_nothing(
    tartarus: Command, bare: World, watched: Watched
) -> None:
    again(watched, 0)
    stopped = tartarus(*words(bare, *SMALL))
    assert stopped.status == 130
    assert "--resume" not in stopped.err
    assert not results(bare).exists()


def test_what_is_ranked_is_kept_every_minute(
    tartarus: Command,
    bare: World,
    small: Kept,
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tartarus_cli.evaluation.block_ranking.SAVE_EVERY_S", -1)
    again(watched, 14)
    assert tartarus(*words(bare, *SMALL)).status == 130
    assert parts(bare) == sorted(f"users_{2 * n}_{2 * n + 2}.npz" for n in range(7))
    again(watched)
    assert ended(bare, tartarus(*words(bare, *SMALL, "--resume", "--json"))) == small
    assert min(watched.users) == 14


# A process of its own, stopped from outside.

SLOWLY = """
import sys, time
from pathlib import Path
from tartarus_cli.__main__ import main
from tartarus_cli.evaluation import block_ranking
from tartarus_cli.scoring import scorers as scoring

block_ranking.SAVE_EVERY_S = float(sys.argv.pop(1))
score = scoring.FactorScorer.__call__

def slowly(self, users):
    with Path("blocks").open("a") as file:
        file.write(".")
    time.sleep(1 if Path("blocks").stat().st_size >= 12 else 0)
    return score(self, users)

scoring.FactorScorer.__call__ = slowly
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_process_loses_no_more_than_was_not_kept(
    number: signal.Signals, tartarus: Command, bare: World, small: Kept, watched: Watched
) -> None:
    every = "0" if number == signal.SIGKILL else "60"
    blocks = Path("blocks")
    asked = [sys.executable, "-c", SLOWLY, every, *words(bare, *SMALL, "--json")]
    with started(asked) as command:
        assert waited(lambda: blocks.exists() and blocks.stat().st_size >= 12)
        command.send_signal(number)
        out, err = command.communicate(timeout=ENOUGH_S)
    assert out == ""
    assert command.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}.get(number, -number)
    assert ("--resume" in err) == (number != signal.SIGKILL)
    assert parts(bare)
    assert not (results(bare) / "predicted.json").exists()
    again(watched)
    assert ended(bare, tartarus(*words(bare, *SMALL, "--resume", "--json"))) == small
    assert 0 < min(watched.users) < USERS
