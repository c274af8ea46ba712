"""``check-data`` names what is wrong with the workspace's own settings."""

import os
from pathlib import Path

import pytest

from tests.checking.damage import check, only
from tests.conftest import Command

# What the file holds; what is found in it; and what is expected, or what the hint says.
DAMAGED = {
    "seed = -1\n": ("line 1: seed = -1", "a whole number from 0"),
    "\nseed = 1.5": ("line 2: seed = 1.5", "a whole number from 0"),
    "seed = true": ("line 1: seed = true", "a whole number from 0"),
    'seed = "3"': ("line 1: seed = '3'", "a whole number from 0"),
    "seed = 9223372036854775808": ("seed = 9223372036854775808", "below 2^63"),
    "dataset = 3": ("line 1: dataset = 3", "the name of a dataset"),
    'dataset = ["rec"]': ("line 1: dataset = ['rec']", "the name of a dataset"),
    'dataset = ""': ("line 1: dataset = ''", "the name of a dataset"),
    'dataset = "recc"': ("line 1: dataset = 'recc', and there is no such", "Did you mean rec?"),
    "# mine\nsede = 1": ("line 2: there is no setting 'sede'", "Did you mean seed?"),
    "colour = 1": ("line 1: there is no setting 'colour'", "There are dataset, seed."),
    "[tartarus]\nseed = 1": ("line 1: seed below [tartarus]", "above the first section"),
    "tool.seed = 1": ("line 1: seed below [tool]", "above the first section"),
    "[[seed]]\n": ("line 1: seed = [{}]", "a whole number from 0"),
    "example = 1": ("line 1: example = 1", "a section, [example]"),
    '[example]\nseed = "x"': ("line 2: example.seed = 'x'", "a whole number from 0"),
    '[example]\ndataset = "rec"': ("line 2: dataset stands below [example]", "above that section"),
    "seed = 1\nseed = 2": ("not TOML: Cannot overwrite a value", "Correct that line."),
    "seed 1": ("not TOML: Expected '='", "Correct that line."),
    "seed = " + "9" * 6000: ("not TOML", "Correct that line."),
    "a = " + "[" * 20_000: ("not TOML: tables or lists", "Correct that line."),
    "seed\0 = 1": ("", ""),
    "#" * (2 << 20): ("2,097,152 bytes", ""),
}


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: repr(text[:30]))
def test_every_damage_of_the_settings_is_told_with_its_line(
    text: str, tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    (world.root / "tartarus.toml").write_text(text)
    problems = [p for p in check(tartarus, world)["problems"] if p["file"] == "tartarus.toml"]
    assert [problem["severity"] for problem in problems] == ["error"]
    found, remedy = DAMAGED[text]
    assert found in problems[0]["found"]
    assert remedy in problems[0]["expected"] + problems[0]["hint"]
    assert problems[0]["hint"]


@pytest.mark.parametrize("content", [b"\xff\xfes\0e\0", b'dataset = "caf\xe9"'])
def test_settings_in_another_encoding_are_told(
    content: bytes, tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    (world.root / "tartarus.toml").write_bytes(content)
    problems = check(tartarus, world)["problems"]
    assert [p["file"] for p in problems if p["severity"] == "error"] == ["tartarus.toml"]


@pytest.mark.parametrize(
    ("put", "found"),
    [
        (os.mkdir, "a folder"),
        (os.mkfifo, "a pipe"),
        (lambda path: path.symlink_to("nowhere"), "a link to a file that is not there"),
    ],
    ids=["folder", "pipe", "link"],
)
def test_what_stands_in_the_place_of_the_settings_is_told(
    put: object, found: str, tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    assert callable(put)
    put(world.root / "tartarus.toml")
    problems = [p for p in check(tartarus, world)["problems"] if p["file"] == "tartarus.toml"]
    assert [(p["severity"], p["found"]) for p in problems] == [("error", found)]


def test_all_that_is_wrong_with_the_settings_is_told_at_once(
    tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    (world.root / "tartarus.toml").write_text('seed = -1\ndataset = "x"\nsede = 1\n')
    problems = check(tartarus, world, "rec")["problems"]
    errors = [p["found"] for p in problems if p["severity"] == "error"]
    assert [text.partition(":")[0] for text in errors] == ["line 1", "line 2", "line 3"]


@pytest.mark.parametrize(
    "text",
    ["# nothing\n", 'dataset = "rec"\nseed = 0\n[example]\nseed = 0\n', "\ufeffseed = 1\r\n"],
)
def test_sound_settings_are_told_nothing_of(text: str, tartarus: Command, tmp_path: Path) -> None:
    world = only("rec", tmp_path)
    (world.root / "tartarus.toml").write_text(text)
    assert not [p for p in check(tartarus, world)["problems"] if p["file"] == "tartarus.toml"]


def test_an_empty_file_of_settings_is_worth_a_note(tartarus: Command, tmp_path: Path) -> None:
    world = only("rec", tmp_path)
    (world.root / "tartarus.toml").touch()
    problems = [p for p in check(tartarus, world)["problems"] if p["file"] == "tartarus.toml"]
    assert [(p["severity"], p["found"]) for p in problems] == [("note", "an empty file")]
