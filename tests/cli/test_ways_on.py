"""What to do next: each command names one that works, from an empty workspace to a model."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array, save_npz

from tests.conftest import Command, Outcome
from tests.worlds import SPLITS, USERS, World

FEW = ("--dim", 2, "--threads", 1)
PLACEHOLDER = re.compile(r"[A-Z]{2,}…?|…")
QUICK = ("--set", "training.epochs=1", "--set", "network.hidden=4")


@pytest.fixture
def bare(world: World) -> World:
    """Return a world with a dataset ``bare``: ids and plays, and nothing else."""
    rng = np.random.default_rng(0)
    splits = {split: n for split, n in SPLITS.items() if split != "val"}
    world.ids("bare", splits)
    for split, count in splits.items():
        counts = rng.geometric(0.1, (count, USERS)) * (rng.random((count, USERS)) < 0.4)
        save_npz(world.datasets / f"matrix_{split}_bare.npz", csr_array(counts.astype(np.float32)))
    return world


@pytest.fixture(autouse=True)
def _in_the_workspace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.root)


def emb(world: World, name: str = "e.csv") -> Path:
    ids = (world.datasets / f"items_index_{split}_bare.tsv" for split in ("train", "test"))
    rows = [line for path in ids for line in path.read_text().split()]
    Path(name).write_text("id,a,b\n" + "".join(f"{each},{n},1\n" for n, each in enumerate(rows)))
    return Path(name)


def following(out: str) -> list[str]:
    """Return the words of the last command that is offered, without the remark behind it."""
    command = out.splitlines()[-1].removeprefix("Next: ").partition("   (")[0]
    return shlex.split(command)[1:]


def test_after_init_and_in_an_empty_workspace_split_and_fetch_are_named(
    tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tartarus("init", tmp_path / "new").out
    monkeypatch.chdir(tmp_path / "new")
    checked = tartarus("check-data").out
    for out in (made, checked):
        assert "tartarus split NAME --plays FILE   (or --labels FILE)" in out
        assert "tartarus fetch" in out


@pytest.mark.parametrize(
    "words",
    [
        ("check-data", "nope"),
        ("features", "nope", "emb", "--from", "e.csv"),
        ("factorize", "nope", "als"),
        ("patches", "nope"),
        ("text", "nope", "vsm"),
        ("run", "rec_dense", "emb", "--dataset", "nope"),
        ("evaluate", "e.npy", "--experiment", "rec_dense", "--dataset", "nope"),
    ],
)
def test_without_such_a_dataset_the_ways_to_one_are_named(
    words: tuple[str, ...], tartarus: Command, world: World
) -> None:
    np.save("e.npy", np.ones((3, 2)))
    refused = tartarus(*words, "-w", world.root)
    assert (refused.status, "no dataset called 'nope'" in refused.err) == (2, True)
    assert "tartarus split NAME --plays FILE   (or --labels FILE; published ones: tartarus " in (
        refused.err
    )


def test_features_come_after_factors_where_there_are_none(tartarus: Command, bare: World) -> None:
    made = tartarus("factorize", "bare", "als", *FEW, "-w", bare.root)
    assert following(made.out) == ["features", "bare", "SETTING", "--from", "FILE"]
    tartarus("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    again = tartarus("factorize", "bare", "als", *FEW, "-w", bare.root)
    assert following(again.out)[:3] == ["run", "rec_dense", "emb"]


def test_a_blend_comes_after_features_where_plays_are_known(tartarus: Command, bare: World) -> None:
    shown = tartarus("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    assert shown.out.splitlines()[-1] == "Next: tartarus run cold_audio emb --dataset bare"
    fast = ("--set", 'network.parts=["ridge_plays"]')
    assert tartarus(*following(shown.out), *fast, "-w", bare.root).status == 0


def test_among_factors_of_several_numbers_one_is_chosen(tartarus: Command, bare: World) -> None:
    for dim in (2, 3):
        tartarus("factorize", "bare", "als", "--dim", dim, "-w", bare.root)
    tartarus("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    words = ("run", "rec_dense", "emb", "--dataset", "bare", "-w", bare.root)
    refused = tartarus(*words)
    assert (refused.status, "--set targets.dim=3" in refused.err) == (1, True)
    assert tartarus(*words, "--set", "targets.dim=3", *QUICK).status == 0


def test_factors_of_mutual_information_are_asked_for(tartarus: Command, bare: World) -> None:
    tartarus("factorize", "bare", "pmi", "--dim", 2, "-w", bare.root)
    (bare.datasets / "matrix_train_bare.npz").unlink()
    shown = tartarus("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    assert following(shown.out)[-2:] == ["--set", "targets.kind=pmi"]
    assert tartarus(*following(shown.out), *QUICK, "-w", bare.root).status == 0


def test_without_plays_or_factors_check_data_says_what_is_needed(
    tartarus: Command, bare: World
) -> None:
    (bare.datasets / "matrix_train_bare.npz").unlink()
    shown = tartarus("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    assert following(shown.out) == ["check-data", "bare"]


@pytest.mark.parametrize(
    ("experiment", "command"),
    [("rec_dense", "factorize bare als"), ("cosine_multilabel_vector", "factorize bare pmi")],
)
def test_an_experiment_without_targets_says_what_makes_them(
    experiment: str, command: str, tartarus: Command, bare: World
) -> None:
    tartarus("features", "bare", "emb", "--from", emb(bare), "-w", bare.root)
    refused = tartarus("run", experiment, "emb", "--dataset", "bare", "-w", bare.root)
    assert (refused.status, f"Create them: tartarus {command}" in refused.err) == (1, True)
    shown = tartarus("check-data", "bare", "-w", bare.root)
    assert "Create them: tartarus factorize bare als" in shown.out


def test_a_setting_that_is_not_there_may_be_made_of_features(
    tartarus: Command, world: World
) -> None:
    refused = tartarus("run", "rec_dense", "my emb", "--dataset", "rec", "-w", world.root)
    assert (refused.status, "no setting called 'my emb'" in refused.err) == (2, True)
    assert "tartarus features rec 'my emb' --from FILE" in refused.err


def offered(outcome: Outcome) -> list[list[str]]:
    """Return the words of every command that is offered, without those that hold placeholders."""
    text = f"{outcome.out}\n{outcome.err}"
    word = r"(?:'[^'\n]*'|\"[^\"\n]*\"|[^\s'\"()&;,]|,(?=\S))+"
    found = re.findall(rf"tartarus ({word}(?: {word})*)", text)
    commands = [shlex.split(each) for each in found]
    return [words for words in commands if not any(map(PLACEHOLDER.fullmatch, words))]


@pytest.fixture
def elsewhere(bare: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workspace whose name has to be quoted; the current folder is another one."""
    moved = tmp_path / "my 'own' [place]"
    bare.root.rename(moved)
    monkeypatch.chdir(tmp_path)
    return moved


def test_every_command_that_is_offered_runs_when_pasted(tartarus: Command, elsewhere: Path) -> None:
    """Each runs as it stands: exit 1 is a problem of the data, 2 a command that is wrong."""
    features = emb(World(elsewhere))
    waiting = [
        ("factorize", "bare", "als", "--dim", 2),
        ("features", "bare", "emb", "--from", features),
        ("run", "rec_dense", "emb", "--dataset", "bare", *QUICK),
        ("models", "list"),
        ("models", "show", "model_1"),
        ("predict", "model_1", "--layer", "dense_1"),
        ("recommend", "model_1", "--top", 2),
        ("recommend", "model_1", "--item", "test-1"),
        ("export", "model_1", "--what", "run", "--to", "x.run"),
        ("train", "rec_multi", "emb", "emb", "--dataset", "bare", *QUICK),
        ("evaluate", "model_2"),
        ("run", "rec_dense", "nope", "--dataset", "bare"),
        ("predict", "model_1", "--layer", "nope"),
        ("check-data", "nope"),
        ("check-data",),
        ("experiments", "list"),
        ("compare", "model_1"),
    ]
    pasted = 0
    for words in waiting:
        for command in offered(tartarus(*words, "--workspace", elsewhere)):
            if command[0] not in ("run", "fetch", "init"):
                shown = tartarus(*command)
                assert shown.status != 2, (words, command, shown.err)
                pasted += 1
            assert command[0] in ("init", "fetch") or command[-2:] == [
                "--workspace",
                str(elsewhere),
            ], command
    assert pasted >= 8
    assert "there is no workspace" in tartarus("models", "list").err


def test_a_workspace_that_is_found_anyway_is_not_named(
    tartarus: Command, bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = tartarus("factorize", "bare", "als", *FEW, "-w", bare.root)
    assert "--workspace" not in shown.out
    monkeypatch.chdir(bare.datasets)
    assert "--workspace" not in tartarus("models", "list", "-w", bare.root).out
    monkeypatch.chdir(bare.root.parent)
    assert f"--workspace {bare.root}" in tartarus("models", "list", "-w", bare.root).out
    monkeypatch.setenv("TARTARUS_WORKSPACE", str(bare.root))
    assert "--workspace" not in tartarus("models", "list").out


def test_a_setting_of_another_dataset_names_that_dataset(tartarus: Command, world: World) -> None:
    places = world.places(SPLITS)
    world.setting("lyrics", "many", places)
    refused = tartarus("run", "rec_dense", "lyrics", "--dataset", "rec")
    assert "rec has no setting called 'lyrics'; many has it" in refused.err
    assert "add --dataset many." in refused.err


def test_the_only_dataset_of_a_workspace_need_not_be_named(
    tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = World(tmp_path / "one")
    one.recommendation("rec")
    monkeypatch.chdir(one.root)
    rows = [f"{split}-{n},{n}" for split in ("train", "test") for n in range(SPLITS[split])]
    Path("e.csv").write_text("id,a\n" + "\n".join(rows))
    assert tartarus("run", "rec_dense", "text", *QUICK).status == 0
    assert tartarus("features", "emb", "--from", "e.csv").status == 0
    assert (one.features / "X_train_emb_rec.npy").is_file()
    assert tartarus("factorize", "als", *FEW).status == 0
    for words in (("patches",), ("text", "vsm")):
        shown = tartarus(*words)
        assert "rec" in shown.err
        assert "none is named" not in shown.err
    missing = tartarus("features", "rec", "--from", "e.csv")
    assert (missing.status, "the name of the setting is missing" in missing.err) == (2, True)
    wrong = tartarus("factorize", "alz")
    assert (wrong.status, "Did you mean als?" in wrong.err) == (2, True)
    one.classification("many", several=True)
    for words in (("patches",), ("text", "vsm"), ("factorize", "als")):
        several = tartarus(*words)
        assert (several.status, "Name one: many, rec." in several.err) == (2, True)


@pytest.mark.usefixtures("world")
def test_what_was_changed_and_the_seed_are_shown_with_a_model(
    tartarus: Command,
) -> None:
    place = ("--dataset", "rec")
    for more in ((), ("--set", "network.dropout=0.25", "--seed", 7)):
        assert tartarus("run", "rec_dense", "text", *place, *QUICK, *more).status == 0
    changed = "--set training.epochs=1 --set network.hidden=4 --set network.dropout=0.25"
    listed = tartarus("models", "list").out
    shown = tartarus("models", "show", "model_2").out
    compared = tartarus("compare", "model_1", "model_2").out
    for out in (listed, shown, compared):
        assert f"rec_dense text {changed}" in out
    assert "· seed 7" in next(line for line in compared.splitlines() if changed in line)
    assert "· seed 0" in compared
    row = next(line for line in listed.splitlines() if line.strip().startswith("model_2"))
    assert " 7 " in row.partition(changed)[2]
    document = tartarus("models", "show", "model_2", "--json").document
    assert document["overrides"][-1] == "network.dropout=0.25"


@pytest.mark.usefixtures("world")
def test_epochs_are_lines_where_there_is_no_terminal(tartarus: Command) -> None:
    shown = tartarus("train", "rec_dense", "text", "--dataset", "rec", "--set", "training.epochs=3")
    lines = [line for line in shown.err.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all(re.search(r" loss 0\.\d+ val 0\.\d+ best 0\.\d+$", line) for line in lines)
