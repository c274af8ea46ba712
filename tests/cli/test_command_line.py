"""The command as a whole: help, laziness, exit statuses, messages, completion, the README."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from tartarus_cli.cli.app import app
from tartarus_cli.training.stopping import EarlyStopping
from tests.conftest import Command
from tests.processes import run_script
from tests.slowness import SHORT
from tests.worlds import World

README = Path(__file__).parents[2] / "README.md"
VIEWS = README.parent / "examples" / "one_view_or_two.sh"
HEAVY = {"keras", "jax", "librosa", "sklearn", "matplotlib", "implicit", "gensim", "polars"}


def loaded_by(code: str) -> set[str]:
    words = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
    return set(shown.stdout.split())


HELP = """
from tartarus_cli.cli.app import app
try:
    app(["--help"])
except SystemExit:
    pass
"""


def test_help_loads_no_heavy_library() -> None:
    assert not (HEAVY | {"numpy", "scipy", "pydantic"}) & loaded_by(HELP)


def test_completion_loads_no_heavy_library(world: World) -> None:
    code = "from tartarus_cli.cli.options import *\n"
    code += f"import os; os.environ['TARTARUS_WORKSPACE'] = {str(world.root)!r}\n"
    code += "from tartarus_cli.cli import completion as c\n"
    code += (
        "import types; ctx = types.SimpleNamespace(params={}, find_root=lambda: ctx, obj=None)\n"
    )
    code += "print(c.completing(c.settings)(ctx, 'te'), c.completing(c.experiments)(ctx, 'rec_m'))"
    shown = loaded_by(code)
    assert not HEAVY & shown
    assert {"['text',", "'text-sparse']", "['rec_multi']"} <= shown


def test_checking_before_a_training_loads_no_heavy_library(world: World) -> None:
    (world.datasets / "matrix_test_rec.npz").unlink()
    code = "from tartarus_cli.cli.app import app\ntry:\n    "
    code += f"app(['run','rec_dense','text','--dataset','rec','-w',{str(world.root)!r}])\n"
    code += "except SystemExit as end:\n    assert end.code == 1"
    assert not HEAVY & loaded_by(code)


def test_the_module_is_the_command() -> None:
    words = [sys.executable, "-m", "tartarus_cli", "--version"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
    assert re.fullmatch(r"tartarus \d+\.\d+\.\d+\n", shown.stdout)


def test_jax_is_the_backend_unless_the_user_chose_another() -> None:
    code = "import os; os.environ.pop('KERAS_BACKEND', None)\n"
    code += "import tartarus_cli; print(os.environ['KERAS_BACKEND'])"
    assert "jax" in loaded_by(code)
    chosen = "import os; os.environ['KERAS_BACKEND'] = 'torch'\n"
    chosen += "import tartarus_cli; print(os.environ['KERAS_BACKEND'])"
    assert "torch" in loaded_by(chosen)


ASKED_WRONGLY = {
    "an unknown command": (("trian",), ""),
    "an unknown option": (("train", "rec_multi", "text", "audio", "--sede", 1), "--seed"),
    "an unknown experiment": (("run", "rec_mutli", "text", "audio"), "rec_multi"),
    "an unknown dataset": (("run", "rec_multi", "text", "audio", "--dataset", "recs"), "rec"),
    "an unknown setting": (("run", "rec_dense", "texd", "--dataset", "rec"), "text"),
    "too few settings": (("run", "rec_multi", "text", "--dataset", "rec"), "2 settings"),
    "too many settings": (("run", "rec_dense", "text", "audio", "--dataset", "rec"), "1 setting"),
    "no settings": (("run", "rec_dense", "--dataset", "rec"), "was given none"),
    "an unknown parameter": (
        ("run", "rec_dense", "text", "--set", "training.epoch=1"),
        "training.epochs",
    ),
    "a setting for patches": (
        ("run", "single-label-audio", "text", "--dataset", "one"),
        "0 settings",
    ),
    "a transform with a parameter it lacks": (
        ("patches", "one", "--set", "n_ftt=3"),
        "cqt has no parameter",
    ),
    "an unknown transform": (("patches", "one", "--transform", "cqtt"), "cqt"),
    "an unknown extractor": (("text", "one", "vms"), "vsm"),
    "an unknown model": (("models", "show", "model_9"), "model_9"),
    "a negative seed": (("run", "rec_dense", "text", "--seed", "-1"), "--seed"),
    "a dataset with an underscore": (("run", "rec_dense", "text", "--dataset", "a_b"), "a_b"),
}


@pytest.mark.parametrize("why", ASKED_WRONGLY)
def test_asking_wrongly_exits_2_and_says_what_is_near(
    why: str, tartarus: Command, world: World
) -> None:
    words, message = ASKED_WRONGLY[why]
    where = () if why == "an unknown command" else ("-w", world.root)
    refused = tartarus(*words, *where)
    assert refused.status == 2
    assert message in refused.err
    assert not (world.root / "data" / "models").exists()


def test_outside_of_a_workspace_the_command_says_how_to_make_one(tartarus: Command) -> None:
    refused = tartarus("check-data")
    assert (refused.status, "tartarus init" in refused.err) == (2, True)


SLY = "a;b $(c)'"  # what a shell would take for commands


def commands_of(text: str) -> list[list[str]]:
    """Read the commands that a text recommends as a shell would."""
    lines = re.findall(r"(?:tartarus|mkdir|cd) [a-z-]+ .*?(?=   \(|$)", text, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def test_names_of_the_users_are_single_words_of_every_recommended_command(
    tartarus: Command, world: World
) -> None:
    world.recommendation(SLY)
    world.classification(f"{SLY}2", several=True)
    folder = Path(SLY)
    (folder / "data" / "splits").mkdir(parents=True)
    (folder / "text").mkdir()
    ids = (world.datasets / f"items_index_{split}_{SLY}.tsv" for split in ("train", "test"))
    rows = [line for path in ids for line in path.read_text().splitlines()]
    Path("f.csv").write_text("id,c\n" + "".join(f"{row},1\n" for row in rows))
    for row in rows:
        (folder / "text" / f"{row}.txt").write_text(f"la {row}")
    plays = "".join(f"u{n % 7},i{n % 31},1\n" for n in range(300))
    Path("plays.csv").write_text("user,item,count\n" + plays)
    options = ("--set", "max_df=1")
    requests: tuple[tuple[object, ...], ...] = (
        ("check-data", SLY),
        ("features", SLY, SLY, "--from", "f.csv"),
        ("text", SLY, "vsm", "--text", folder / "text", "--setting", SLY + "t", *options),
        ("factorize", SLY, "als", "--dim", 2, "--threads", 1),
        ("split", f"{SLY}3", "--plays", "plays.csv", "--min-plays", 1),
        ("fetch", "--archive", folder),
        ("run", "rec_audio", "--dataset", SLY, "--set", "targets.dim=4"),
        ("check-data", "--workspace", f"{SLY}4"),
        ("init", folder / "data"),
    )
    for words in requests:
        where = () if {"init", "--workspace"} & {*words} else ("-w", world.root)
        outcome = tartarus(*words, *where)
        recommended = commands_of(outcome.out + outcome.err)
        assert recommended, (words, outcome)
        for command in recommended:
            assert any(SLY in word for word in command), command
            assert not {"b", "$(c)", "$(c)'"} & {*command}, command


def test_in_a_data_folder_the_command_says_how_to_name_it(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = world.root.rename(world.root.with_name("was")) / "data"
    published = bare.rename(world.root)
    monkeypatch.chdir(published)
    refused = tartarus("check-data")
    assert (refused.status, "add --workspace ." in refused.err) == (2, True)
    assert tartarus("check-data", "-w", ".").status == 0


def test_the_workspace_may_come_from_the_environment(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARTARUS_WORKSPACE", str(world.root))
    assert tartarus("check-data").status == 0


def test_defaults_of_the_workspace_count_before_those_of_a_preset(
    tartarus: Command, world: World
) -> None:
    (world.root / "tartarus.toml").write_text('dataset = "rec"\nseed = 9\n')
    ran = tartarus(
        *("run", "rec_dense", "text", "-w", world.root, "--json"),
        *("--set", "training.epochs=1", "--set", "network.hidden=4"),
    )
    assert (ran.document["dataset"], ran.document["seed"]) == ("rec", 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = -1", "seed"),
        ("datset = 'rec'", "Did you mean dataset?"),
        ("[example]\nseed = 0\ndataset = 'rec'", "dataset stands below [example]"),
        ("seed = 'x'", "seed"),
        ("[", "not valid TOML"),
    ],
)
def test_a_wrong_workspace_file_is_named(
    text: str, message: str, tartarus: Command, world: World
) -> None:
    (world.root / "tartarus.toml").write_text(text)
    refused = tartarus("run", "rec_dense", "text", "-w", world.root)
    assert refused.status == 2
    assert "tartarus.toml" in refused.err
    assert message in refused.err


def test_markup_and_control_characters_in_data_are_shown_as_they_are(
    tartarus: Command, world: World
) -> None:
    refused = tartarus(
        "run", "rec_dense", "[red]te\x1b[31mxt", "--dataset", "rec", "-w", world.root
    )
    assert "[red]te\\x1b[31mxt" in refused.err


def test_models_are_listed_shown_and_deleted(tartarus: Command, world: World) -> None:
    quick = ("--set", "training.epochs=1", "--set", "network.hidden=4")
    assert "No models yet" in tartarus("models", "list", "-w", world.root).out
    tartarus("run", "rec_dense", "text", "--dataset", "rec", "-w", world.root, *quick)
    tartarus("predict", "--layer", "dense_1", "-w", world.root)
    shown = tartarus("models", "show", "model_1", "-w", world.root).out
    assert re.search(r"2 +dense_1 +Dense +4 +28", shown)
    assert "figures computed once" in shown
    assert "rec_dense text" in tartarus("models", "list", "-w", world.root).out
    refused = tartarus("models", "delete", "model_1", "-w", world.root)
    assert (refused.status, "--yes" in refused.err) == (2, True)
    deleted = tartarus("models", "delete", "model_1", "--yes", "-w", world.root)
    assert deleted.status == 0
    assert "X_train_model_1-pred_dense_1_rec.npy" in deleted.out
    data = world.root / "data"
    assert not list(data.rglob("*model_1.*"))
    assert not (data / "models" / "model_1").exists()
    assert (data / "results" / "results.tsv").read_text().splitlines()[1:] == []
    assert tartarus("models", "delete", "model_1", "--yes", "-w", world.root).status == 2


def test_a_model_whose_manifest_is_damaged_is_listed_as_such(
    tartarus: Command, world: World
) -> None:
    folder = world.root / "data" / "models" / "model_1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")
    listed = tartarus("models", "list", "-w", world.root, "--json").document
    assert listed[0]["status"] == "failed"
    refused = tartarus("evaluate", "model_1", "-w", world.root)
    assert (refused.status, "manifest.json is missing or damaged" in refused.err) == (1, True)
    (folder / "manifest.json").write_bytes(b"\xff")
    assert tartarus("models", "list", "-w", world.root).status == 0


def test_a_bare_group_lists_what_there_is(tartarus: Command, world: World) -> None:
    assert "No models yet" in tartarus("models", "-w", world.root).out
    assert tartarus("models", "-w", world.root, "--json").document == []
    assert "rec_multi" in tartarus("experiments").out
    assert "list" in tartarus("models", "--help").out
    assert tartarus("models", "lst").status == 2


def commands(group: Any, prefix: str = "tartarus") -> dict[str, set[str]]:
    """Every command with its options."""
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= commands(command, f"{prefix} {name}")
        else:
            found[f"{prefix} {name}"] = {o for p in command.params for o in p.opts if o[:1] == "-"}
    return found


def readme_commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def test_the_readme_names_every_command_and_no_option_that_does_not_exist() -> None:
    text = README.read_text()
    known = commands(typer.main.get_command(app))
    for command in known:
        words = command.split()
        assert f"{words[0]} {words[1]}" in text
        assert words[-1] in text
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
    assert options <= {o for names in known.values() for o in names} | {"--install-completion"}


def stop_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainings end after two epochs."""
    whole: Any = EarlyStopping.epoch_ends

    def last(self: EarlyStopping, epoch: int, *more: Any) -> None:
        whole(self, epoch, *more)
        self.over = epoch > 1

    monkeypatch.setattr(EarlyStopping, "epoch_ends", last)


@pytest.mark.slow
def test_the_commands_of_the_readme_work_in_a_row(
    tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    if SHORT:
        stop_early(monkeypatch)
    lines = readme_commands()
    assert len(lines) > 10
    for line in lines:
        words = line.split()
        if words[0] == "cd":
            monkeypatch.chdir(words[1])
        else:
            assert words[0] == "tartarus"
            done = tartarus(*words[1:])
            assert done.status == 0, f"{line}: {done.err}"


@pytest.mark.slow
def test_two_views_are_better_than_one_and_all_stand_between_random_and_oracle(
    tmp_path: Path,
) -> None:
    run_script(VIEWS, tmp_path / "world")
    results = tmp_path / "world" / "data" / "results"
    text, audio, both = (
        json.loads((results / f"model_{number}.json").read_text()) for number in (1, 2, 3)
    )
    assert both["settings"] == ["a-sem-emb", "audio-emb"]
    for one in (text, audio):
        assert one["metrics"]["MAP@500"] < 0.95 * both["metrics"]["MAP@500"]
        assert one["metrics"]["MAP@500"] > 2 * one["rows"]["random"]["MAP@500"]
    assert both["metrics"]["MAP@500"] < 0.7 * both["rows"]["oracle"]["MAP@500"]
