"""Windows of time: sizes worked by hand, and the way from a table of plays to the paper's sets."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import load_npz

import tartarus_cli as tt
from tartarus_cli.errors import RequestError
from tartarus_cli.reproducing.papers import find_paper
from tartarus_cli.reproducing.windows import NONE, TEST, TRAIN, VAL, Moments, TimedPlays, divide
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.reproducing.test_papers import PAPER, write
from tests.worlds import World

# Item: artist, then (user, time) of each play. Val begins at 10, test at 20.
PLAYS = {
    0: (0, [(0, 1), (1, 2), (2, 3), (0, 4), (0, 25)]),  # train; the play at 25 is dropped
    1: (0, [(0, 1), (1, 12), (2, 21)]),  # train; of 2, it is no train play
    2: (1, [(3, 5)]),  # a single user: not in the core
    3: (0, [(0, 10), (1, 26), (9, 11)]),  # val, from its first moment on; user 9 has no train play
    4: (0, [(1, 20), (2, 22), (0, 23), (0, 24)]),  # test
    5: (7, [(0, 22)]),  # test, of a new artist
    6: (0, [(9, 22)]),  # test, of nobody who has train plays
}


def timed() -> TimedPlays:
    """Return the plays above as arrays."""
    rows = [(user, item, time) for item, (_, plays) in PLAYS.items() for user, time in plays]
    return as_arrays(rows, [artist for artist, _ in PLAYS.values()], 10)


def as_arrays(rows: list[tuple[int, int, int]], artists: list[int], users: int) -> TimedPlays:
    """Return rows of user, item and time as arrays."""
    user, item, time = (np.array(column) for column in zip(*rows, strict=True))
    numbers = user.astype(np.int32), item.astype(np.int32), time.astype(float)
    return TimedPlays(*numbers, np.ones(len(rows)), np.array(artists), users)


@pytest.mark.parametrize("known_artists", [True, False])
def test_sets_and_plays_agree_with_a_table_worked_by_hand(*, known_artists: bool) -> None:
    found = divide(timed(), Moments(0, 10, 20, 30), 2, known_artists=known_artists)
    new_artist = NONE if known_artists else TEST
    assert found.set_of_item.tolist() == [TRAIN, TRAIN, NONE, VAL, TEST, new_artist, NONE]
    pairs = dict(
        zip(zip(found.item.tolist(), found.user.tolist(), strict=True), found.count, strict=True)
    )
    expected = {(0, 0): 2, (0, 1): 1, (1, 0): 1, (1, 1): 1, (3, 0): 1, (3, 1): 1}
    expected |= {(4, 0): 2, (4, 1): 1}  # user 2 has one train item only, and is not in the core
    assert {key: n for key, n in pairs.items() if key[0] < 5} == expected


def divided_by_sets(
    rows: list[tuple[int, int, int]], artists: list[int], core: int
) -> dict[str, set[tuple[int, int]]]:
    """Divide plays as the published preparation of ACARec does, with sets of pairs."""
    items = {item for _, item, _ in rows}
    first = {item: min(t for _, i, t in rows if i == item) for item in items}
    held = {item for item in items if 10 <= first[item] < 20}
    train = {(u, i) for u, i, t in rows if t < 20 and i not in held}
    before = {i for _, i in train}
    size = -1
    while len(train) != size:
        size = len(train)
        of_item, of_user = Counter(i for _, i in train), Counter(u for u, _ in train)
        train = {(u, i) for u, i in train if of_item[i] >= core and of_user[u] >= core}
    users, known = {u for u, _ in train}, {artists[i] for _, i in train}
    pairs = {(u, i) for u, i, _ in rows if u in users and artists[i] in known}
    new = {(u, i) for u, i in pairs if i not in before | held}
    return {"train": train, "val": {(u, i) for u, i in pairs if i in held}, "test": new}


@pytest.mark.parametrize("seed", range(5))
def test_sets_and_plays_are_those_of_the_published_preparation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts, artists = rng.integers(0, 28, 30), rng.integers(0, 8, 30).tolist()
    user, item = rng.integers(0, 12, 400), rng.integers(0, 30, 400)
    time = starts[item] + rng.integers(0, 30 - starts[item])
    rows = list(zip(user.tolist(), item.tolist(), time.tolist(), strict=True))
    found = divide(as_arrays(rows, artists, 12), Moments(0, 10, 20, 30), 3, known_artists=True)
    pairs = list(zip(found.user.tolist(), found.item.tolist(), strict=True))
    expected = divided_by_sets(rows, artists, 3)
    assert all(expected.values())
    for number, name in ((TRAIN, "train"), (VAL, "val"), (TEST, "test")):
        assert {pair for pair in pairs if found.set_of_item[pair[1]] == number} == expected[name]
        assert {*found.items_of(number).tolist()} == {i for _, i in expected[name]}


def test_windows_hold_their_first_moment_and_not_their_last() -> None:
    inside = Moments(0, 10, 20, 30).inside(np.array([-1, 0, 29, 30]))
    assert inside.tolist() == [False, True, True, False]


@pytest.mark.parametrize("windows", ["val = '2019-01-01'", "val = '17'", "val = 'soon'"])
def test_windows_that_are_not_in_order_are_refused(windows: str, world: World) -> None:
    lines = "since = '2017-01-01'\ncut = '2018-02-01'\nuntil = '2018-03-01'"
    section = f'name = "rec"\n[datasets.windows]\n{lines}\n{windows}\n'
    write(world, PAPER.replace('name = "rec"\n', section, 1))
    with pytest.raises(RequestError, match="windows: since, val, cut and until have to be dates"):
        find_paper(open_workspace(world.root), "songs")


def table_of_plays(path: Path) -> Path:
    """Write plays of which six users and six items are the core."""
    core = [(u, t, f"2018-01-0{u + 1} 00:00:00", t % 2) for u in range(6) for t in range(6)]
    others = [
        (0, 0, "2018-10-01 00:00:00", 0),  # a later play of a train item
        (0, 6, "2018-08-01 00:00:00", 0),  # val
        (1, 7, "2018-09-01 00:00:00", 1),  # test
        (2, 7, "2018-09-02 00:00:00", 1),
        (2, 8, "2018-09-03 00:00:00", 9),  # of a new artist
        (1, 9, "2018-01-01 00:00:00", 1),  # rare in train
        (9, 7, "2018-09-03 00:00:00", 1),  # of a new user
        (1, 5, "2019-01-01 00:00:00", 1),  # after the end
        (1, 7, "2017-01-01 00:00:00", 1),  # before the beginning
    ]
    lines = [f"u{u}\tt{t}\t{time}\ta{artist}\n" for u, t, time, artist in [*core, *others]]
    path.write_text("user_id\ttrack_id\ttimestamp\tartist\n" + "".join(lines))
    return path


def test_the_dataset_of_a_paper_is_made_of_a_table_of_plays(
    tmp_path: Path, tartarus: Command
) -> None:
    root = tmp_path / "w"
    tt.init(root, progress=False)
    table = table_of_plays(tmp_path / "plays.tsv")
    words = ("reproduce", "acarec2026", "-w", root)
    assert "tartarus reproduce acarec2026 --plays FILE" in tartarus(*words).err
    made = tartarus(*words, "--plays", table)
    assert made.status == 1
    assert "M4A-Onion is made: 6 train items, 1 val items, 1 test items" in made.err
    assert "user from 'user_id', item from 'track_id', time from 'timestamp'" in made.err
    assert "plays.parquet" not in made.err
    assert "the setting muq of M4A-Onion" in made.err
    assert "tartarus factorize M4A-Onion als" in made.err
    assert "tartarus features M4A-Onion muq --from FILE" in made.err
    dataset = tt.open_workspace(root).dataset("M4A-Onion")
    assert (dataset.ids("val"), dataset.ids("test")) == (["t6"], ["t7"])
    assert dataset.user_ids == [f"u{n}" for n in range(6)]
    train = load_npz(root / "data" / "datasets" / "matrix_train_M4A-Onion.npz")
    assert train.toarray().tolist() == [[1] * 6] * 6
    assert "was made of this table before" in tartarus(*words, "--plays", table).err
    table.write_text(table.read_text() + "u1\tt1\t2018-01-01 00:00:00\ta1\n")
    other = tartarus(*words, "--plays", table)
    assert other.status == 2
    assert "M4A-Onion is there already" in other.err


@pytest.mark.parametrize(
    ("paper", "more", "status", "message"),
    [
        ("dlrs2017", (), 2, "no dataset of dlrs2017 is made of a table of plays"),
        ("acarec2026", ("--dry-run",), 2, "--dry-run estimates what data that is there takes"),
        ("acarec2026", (), 1, "holds no play from 2017-09-01 to 2018-12-01"),
    ],
)
def test_plays_that_cannot_be_used_are_refused(
    *,
    paper: str,
    more: tuple[str, ...],
    status: int,
    message: str,
    tmp_path: Path,
    tartarus: Command,
) -> None:
    tt.init(tmp_path / "w", progress=False)
    table = tmp_path / "plays.tsv"
    table.write_text("user\titem\ttime\tartist\nu\ti\t2001-01-01\ta\n")
    outcome = tartarus("reproduce", paper, "--plays", table, *more, "-w", tmp_path / "w")
    assert outcome.status == status
    assert message in outcome.err


def test_times_that_are_no_dates_are_refused(tmp_path: Path, tartarus: Command) -> None:
    tt.init(tmp_path / "w", progress=False)
    table = tmp_path / "plays.csv"
    table.write_text("user,item,time,artist\nu,i,12,a\n")
    outcome = tartarus("reproduce", "acarec2026", "--plays", table, "-w", tmp_path / "w")
    assert outcome.status == 2
    assert "times such as 12 cannot be compared with 2017-09-01" in outcome.err
