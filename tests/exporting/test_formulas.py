"""Texts that a spreadsheet would run."""

from pathlib import Path

import polars as pl
import pytest

from tartarus_cli.exporting.formulas import FormulaGuard
from tests.conftest import Command
from tests.worlds import World

STRANGE = "=cmd|' /C calc'!A0"


@pytest.fixture
def strange(world: World, tartarus: Command) -> World:
    """Return a world with a model that has predicted an item whose id is a formula."""
    ids = world.datasets / "items_index_test_rec.tsv"
    ids.write_text(ids.read_text().replace("test-0\n", f"{STRANGE}\n").replace("test-1\n", "-5\n"))
    assert tartarus("train", "ridge", "text", "--dataset", "rec", "-w", world.root).status == 0
    assert tartarus("predict", "model_1", "-w", world.root).status == 0
    return world


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_ids_that_are_formulas_are_told_and_marked_if_asked(
    ending: str, strange: World, tartarus: Command, tmp_path: Path
) -> None:
    words = ("export", "model_1", "--what", "predictions", "-w", strange.root, "--to")
    plain = tartarus(*words, tmp_path / f"plain.{ending}")
    assert plain.status == 0
    assert "1 text begins like a formula" in plain.err
    assert "--escape-formulas" in plain.err
    assert f"\n{STRANGE}" in (tmp_path / f"plain.{ending}").read_text()
    marked = tartarus(*words, tmp_path / f"marked.{ending}", "--escape-formulas")
    assert (marked.status, "formula" in marked.err) == (0, False)
    text = (tmp_path / f"marked.{ending}").read_text()
    assert f"\n'{STRANGE}" in text
    assert "\n-5" in text


def test_formulas_are_no_matter_of_parquet(
    strange: World, tartarus: Command, tmp_path: Path
) -> None:
    words = ("export", "model_1", "--what", "predictions", "-w", strange.root)
    silent = tartarus(*words, "--to", tmp_path / "a.parquet")
    assert (silent.status, "formula" in silent.err) == (0, False)
    refused = tartarus(*words, "--to", tmp_path / "b.parquet", "--escape-formulas")
    assert refused.status == 2
    assert "means nothing for b.parquet" in refused.err


def test_names_of_columns_are_marked_too_and_numbers_are_left() -> None:
    guard = FormulaGuard(escape=True)
    table = guard(pl.DataFrame({"@a": ["+1.5", "-x", None], "b": [1, 2, 3]}))
    assert table.columns == ["'@a", "b"]
    assert table["'@a"].to_list() == ["+1.5", "'-x", None]
