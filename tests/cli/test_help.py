"""The help of every command: options in panels, whole at 80 columns."""

import re
from typing import Any

import pytest
import typer

from tartarus_cli.cli.app import PANELS, app
from tartarus_cli.cli.signatures import arrange_signature, panels
from tests.conftest import Command

MOST_OPTIONS = 10  # in a panel that a reader still surveys
WIDTH = 80


def leaves(group: Any, *path: str) -> dict[tuple[str, ...], Any]:
    """Every command that does something, by its words."""
    found: dict[tuple[str, ...], Any] = {}
    for name, command in group.commands.items():
        nested = hasattr(command, "commands")
        found |= leaves(command, *path, name) if nested else {(*path, name): command}
    return found


COMMANDS = leaves(typer.main.get_command(app))


@pytest.fixture(autouse=True)
def _narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))


def panels_of(text: str) -> dict[str, str]:
    """Cut a help into its panels."""
    return dict(re.findall(r"╭─ (.+?) ─+╮\n(.*?)\n╰─", text, re.DOTALL))


def test_the_commands_stand_in_four_panels(tartarus: Command) -> None:
    shown = panels_of(tartarus("--help").out)
    names = {
        title: re.findall(r"^│ ([a-z-]+) ", text, re.MULTILINE) for title, text in shown.items()
    }
    assert names | {"Options": []} == {
        "Options": [],
        "Start": ["init", "fetch", "check-data", "doctor"],
        "Data": ["split", "factorize", "features", "embed", "patches", "text", "encoders"],
        "Experiments": [
            "train",
            "predict",
            "evaluate",
            "compare",
            "run",
            "tune",
            "reproduce",
            "experiments",
            "studies",
        ],
        "Models": ["recommend", "export", "models"],
    }
    assert {name for title in PANELS for name in names[title]} == {path[0] for path in COMMANDS}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_help_is_whole_at_80_columns(path: tuple[str, ...], tartarus: Command) -> None:
    text = tartarus(*path, "--help").out
    assert max(map(len, text.splitlines())) <= WIDTH
    shown = panels_of(text)
    for option in (p for p in COMMANDS[path].params if p.opts[0][0] == "-" and not p.hidden):
        names = "|".join(map(re.escape, (*option.opts, *option.secondary_opts)))
        rows = [line for part in shown.values() for line in part.splitlines()]
        # A name ends where the next column begins; a shortened one would end in an ellipsis.
        found = [set(re.findall(rf"(?<![\w-])({names})(?= |,)", row)) for row in rows]
        assert {*option.opts, *option.secondary_opts} in found


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_panel_is_too_long_to_survey(path: tuple[str, ...]) -> None:
    titles = [
        option.rich_help_panel for option in COMMANDS[path].params if option.opts[0][0] == "-"
    ]
    assert max(titles.count(title) for title in titles) <= MOST_OPTIONS


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_a_log(path: tuple[str, ...], tartarus: Command) -> None:
    text = tartarus(*path, "--help").out
    assert re.search(r"--log +FILE", text)
    assert re.search(r"--verbose +-v ", text)


def test_the_options_of_split_are_grouped_with_those_of_all_commands_last(
    tartarus: Command,
) -> None:
    shown = panels_of(tartarus("split", "--help").out)
    options = {
        title: re.findall(r"^│ (--[a-z-]+)", text, re.MULTILINE)
        for title, text in shown.items()
        if title != "Arguments"
    }
    assert options == {
        "Options": ["--plays", "--labels", "--force", "--help"],
        "Columns of the tables": [
            *("--user", "--item", "--count", "--time", "--artist", "--label", "--label-item"),
            *("--wide", "--no-header", "--skip-empty"),
        ],
        "Cells of the tables": ["--encoding", "--label-separator"],
        "Filters": [
            *("--min-plays", "--min-users", "--min-items", "--core", "--min-items-per-label"),
        ],
        "Train, val and test items": [
            *("--by", "--test", "--val", "--cut", "--until", "--drop-later"),
            *("--train-ids", "--val-ids", "--test-ids", "--seed"),
        ],
        "Folds": ["--folds", "--folds-from", "--fold"],
        "Everywhere": ["--workspace", "--json", "--log", "--verbose"],
    }


def test_a_flag_names_no_type(tartarus: Command) -> None:
    assert re.search(r"--force +Write over", tartarus("features", "x", "y", "--help").out)


def test_a_panel_of_a_parameter_that_does_not_exist_is_an_error() -> None:
    @panels({"Sizes": ("width", "heigth")})
    def draw(width: int, height: int) -> None:
        """Draw."""

    with pytest.raises(ValueError, match=r"draw has no parameters \['heigth'\]"):
        arrange_signature(draw, ())


def test_lists_and_help_begin_with_what_to_run_first(tartarus: Command) -> None:
    listed = tartarus("experiments", "list").out
    order = ("learn from plays", "cold_multi", "published", "rec_multi", "baselines", " knn ")
    places = [listed.index(words) for words in order]
    assert places == sorted(places)
    assert "tartarus run cold_multi SETTING SETTING --baselines" in listed
    for command in ("run", "train"):
        assert "begin with cold_multi" in tartarus(command, "--help").out
