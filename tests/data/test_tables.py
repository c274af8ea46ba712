"""Reading tables of text: what polars reads at once, and what Python's csv reads of the same."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tartarus_cli.data.tables.blocks import Columns
from tartarus_cli.data.tables.delimited import Delimited
from tartarus_cli.data.tables.numbering import NumberedTable, Numbering
from tartarus_cli.data.tables.reading import open_table
from tartarus_cli.errors import FileError
from tartarus_cli.progress import UNWATCHED

NAMES = ("k", "l", "m")


def plainly(text: str, columns: Sequence[str]) -> list[list[str]] | None:
    """Read a table with Python's csv; None if a row is not as it should be."""
    try:
        reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
        rows = [row for row in reader if row][1:]
    except csv.Error:
        return None
    if any(len(row) != len(NAMES) for row in rows):
        return None
    cells = [[row[NAMES.index(name)] for name in columns] for row in rows]
    fits = all(cell.strip() and not {*cell} & {"\n", "\r"} for row in cells for cell in row)
    return cells if fits else None


def by_blocks(path: Path, columns: Sequence[str]) -> list[list[str]] | None:
    """Read the same in blocks; None if a row is refused."""
    table = NumberedTable(open_table(path), Columns(tuple(columns)))
    try:
        blocks = [block for _, block in table.blocks(UNWATCHED)]
    except FileError:
        return None
    texts = [pl.concat([block.texts[n] for block in blocks]) for n in range(len(columns))]
    return [[*row] for row in zip(*texts, strict=True)] if blocks else []


CELLS = st.text('ab",\n\r ', max_size=4)
LINES = st.lists(
    st.lists(CELLS, min_size=2, max_size=4).map(",".join)
    | st.lists(st.text("ab", min_size=1, max_size=3), min_size=3, max_size=3).map(",".join)
    | st.lists(st.text('ab,"', min_size=1, max_size=3), min_size=3, max_size=3).map(
        lambda row: ",".join('"' + cell.replace('"', '""') + '"' for cell in row)
    )
)


@settings(max_examples=300)
@given(lines=LINES, wanted=st.sets(st.sampled_from(NAMES), min_size=1), size=st.integers(1, 60))
@example(lines=["a,a,a", "b,b", "a,b,a,b"], wanted={"k"}, size=60)  # as many commas as should be
@example(lines=["a,a,a", "a,b,b,b", "c,c,c"], wanted={"k", "m"}, size=60)
@example(lines=["a,a,a", "b,b"], wanted={"k", "l"}, size=60)
@example(lines=["\ufeffa,a,a", "\ufeffb,b,b"], wanted={"k"}, size=9)
def test_rows_are_those_of_csv_or_refused_as_there(
    lines: list[str], wanted: set[str], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = "\n".join([",".join(NAMES), *lines]) + "\n"
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tartarus_cli.data.tables.delimited.BLOCK_BYTES", size)
        found = by_blocks(path, sorted(wanted))
    assert found == plainly(text, sorted(wanted))


@pytest.mark.parametrize("row", ["u1,2009,Earth, Wind & Fire,September", "u1,2009,September"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_a_row_of_other_than_all_fields_is_refused_whatever_is_read(
    row: str, name: str, tmp_path: Path
) -> None:
    whole = "user,when,artist,track\nu1,2008,ABBA,SOS\n"
    tab = "\t" if name == "t.tsv" else ","
    (tmp_path / name).write_text((whole + row + "\n").replace(",", tab))
    table = open_table(tmp_path / name)
    with pytest.raises(FileError, match=f"{row.count(',') + 1} fields in line 3; expected 4"):
        [*table.blocks(Columns(("user", "track")))]


def test_carriage_returns_that_end_lines_are_reported(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"user,item\ru,a\rv,b\r")
    with pytest.raises(FileError, match=r"a carriage return in line 1; expected line feeds"):
        open_table(tmp_path / "t.csv")


def test_quoted_fields_are_read_at_once_and_as_csv_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Delimited, "_read_exactly", None)
    rows = [("a,b", 'say "hi"', 1), ("", "", 2), ("plain", '""', 3), ('"', " x ", 4)]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("user", "item", "count"), *rows])
    (tmp_path / "t.csv").write_text(text.getvalue(), newline="")
    (block,) = open_table(tmp_path / "t.csv").blocks(Columns(("user", "item"), ("count",)))
    assert [*zip(*block.texts, *block.values.T, strict=True)] == rows


def test_as_many_ids_as_there_are_get_numbers_of_their_own() -> None:
    ids = [f"{number:x}" for number in range(5000)]
    drawn = np.random.default_rng(0).integers(0, len(ids), 40_000)
    numbering = Numbering(slots=16)
    texts = pl.Series([ids[number] for number in drawn])
    parts = [numbering.codes(part) for part in (texts[:7], texts[7:30_000], texts[30_000:])]
    assert [numbering.ids[code] for code in np.concatenate(parts)] == texts.to_list()
    assert len(numbering.ids) == len(set(texts))
    ordered = numbering.sorted_ids()
    assert ordered.ids.tolist() == sorted(numbering.ids)
    assert ordered.ids[ordered.position].tolist() == numbering.ids
