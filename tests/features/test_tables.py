"""Tables of one's own: what is read of them, in whatever form, and what is wrong with them."""

import csv
import gzip
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, save_npz

from tartarus_cli.data.tables.delimited import Delimited
from tartarus_cli.errors import FileError, RequestError
from tartarus_cli.features.tables import (
    ColumnSelection,
    FeatureBlock,
    FeatureSource,
    open_features,
    open_rows,
)

PLAIN = "id,a,b\nx,1,2.5\ny,-3e2,0\nz,.5,+7\n"
VALUES = [[1, 2.5], [-300, 0], [0.5, 7]]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def table(
    tmp_path: Path, content: str | bytes, name: str = "t.csv", **selection: Any
) -> FeatureSource:
    return open_features(written(tmp_path / name, content), ColumnSelection(**selection))


def ids(blocks: Sequence[FeatureBlock]) -> list[str]:
    return [each for block in blocks for each in block.ids]


def rows(blocks: Sequence[FeatureBlock]) -> list[list[float]]:
    return [row for block in blocks for row in block.values.tolist()]


def lines(blocks: Sequence[FeatureBlock]) -> list[int]:
    return [line for block in blocks for line in block.lines.tolist()]


FORMS: dict[str, tuple[str, bytes]] = {
    "csv": ("t.csv", PLAIN.encode()),
    "tsv": ("t.tsv", PLAIN.replace(",", "\t").encode()),
    "gzip": ("t.csv.gz", gzip.compress(PLAIN.encode())),
    "ends of lines of Windows": ("t.csv", PLAIN.replace("\n", "\r\n").encode()),
    "a byte-order mark": ("t.CSV", b"\xef\xbb\xbf" + PLAIN.encode()),
    "no last line feed": ("t.csv", PLAIN.rstrip().encode()),
    "quotes everywhere": ("t.csv", re.sub(r"[^,\n]+", r'"\g<0>"', PLAIN).encode()),
    "blank lines": ("t.csv", PLAIN.replace("\n", "\n\n").encode()),
    "blanks around numbers": ("t.csv", re.sub(r",(?=[^ab])", ", ", PLAIN).encode()),
}


@pytest.mark.parametrize("form", FORMS)
def test_text_tables_of_all_forms_say_the_same(form: str, tmp_path: Path) -> None:
    name, content = FORMS[form]
    found = table(tmp_path, content, name)
    blocks = [*found.blocks()]
    assert found.columns is not None
    assert (found.columns.id, found.columns.numbers) == ("id", ("a", "b"))
    assert ids(blocks) == ["x", "y", "z"]
    assert rows(blocks) == VALUES
    assert all(block.values.dtype == np.float32 for block in blocks)
    assert sum(block.size for block in blocks) == found.size


def test_a_table_is_read_any_number_of_times(tmp_path: Path) -> None:
    found = table(tmp_path, PLAIN)
    assert rows([*found.blocks()]) == rows([*found.blocks()])


@pytest.mark.parametrize("special", ["", '"', "\n\n"])
def test_lines_are_counted_as_an_editor_does(special: str, tmp_path: Path) -> None:
    text = 'id,a\nx,1\n"y",2\nz,3\n' if special == '"' else "id,a\nx,1\ny,2\nz,3\n"
    expected = [2, 3, 4]
    if special == "\n\n":
        text, expected = text.replace("y,2\n", "y,2\n\n\n"), [2, 3, 6]
    assert lines([*table(tmp_path, text).blocks()]) == expected


ODD_IDS = [
    "007",
    "1.0",
    "a,b",
    'say "hi"',
    "naïve ☃",
    " padded ",
    "line\u2028break",
    "NA",
    "null",
    "#1",
    "-",
]


def test_ids_are_text_to_the_letter(tmp_path: Path) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["id", "a"], *([x, "1"] for x in ODD_IDS)])
    tabs = "id\ta\n" + "".join(f"{each}\t1\n" for each in ODD_IDS)
    assert ids([*table(tmp_path, text.getvalue()).blocks()]) == ODD_IDS
    assert ids([*table(tmp_path, tabs, "t.tsv").blocks()]) == ODD_IDS
    assert ids([*_parquet(tmp_path, {"id": ODD_IDS, "a": [1] * len(ODD_IDS)}).blocks()]) == ODD_IDS


def test_a_quote_within_a_field_is_a_letter(tmp_path: Path) -> None:
    text = 'id\ta\n12" mix\t1\n"7" edit\t2\n'
    assert ids([*table(tmp_path, text, "t.tsv").blocks()]) == ['12" mix', '"7" edit']


@settings(max_examples=60)
@given(
    cells=st.lists(st.tuples(st.text('ab,"\n ☃', min_size=1), st.floats(width=32)), min_size=1),
    size=st.integers(1, 40),
)
def test_blocks_of_any_size_give_what_csv_gives(
    cells: list[tuple[str, float]], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cells = [(name, number if np.isfinite(number) else 0.0) for name, number in cells]
    kept = [(name, number) for name, number in cells if name.strip()]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("id", "a"), *kept])
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tartarus_cli.data.tables.delimited.BLOCK_BYTES", size)
        blocks = [*open_features(written(path, text.getvalue()), ColumnSelection()).blocks()]
    again = [
        (name, float(number)) for name, number in [*csv.reader(io.StringIO(text.getvalue()))][1:]
    ]
    assert [*zip(ids(blocks), np.ravel(rows(blocks)), strict=True)] == again


def test_plain_blocks_and_those_read_one_by_one_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = np.random.default_rng(0).standard_normal((50, 18)) * 10.0 ** np.arange(-9, 9)
    text = "id," + ",".join(f"c{n}" for n in range(18)) + "\n"
    text += "".join(f"{n}," + ",".join(map(str, each)) + "\n" for n, each in enumerate(numbers))
    whole, one_by_one = table(tmp_path, text), list[object]()
    with monkeypatch.context() as patch:
        patch.setattr(Delimited, "_read_exactly", lambda _self, piece, _: one_by_one.append(piece))
        plain = [*whole.blocks()]
    assert np.array_equal(rows(plain), np.array(numbers, np.float32))
    assert not one_by_one
    monkeypatch.setattr(Delimited, "_read_fast", lambda *_: None)
    assert rows([*whole.blocks()]) == rows(plain)


def test_a_long_table_is_read_in_small_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tartarus_cli.data.tables.delimited.BLOCK_BYTES", 1000)
    text = "id,a\n" + "".join(f"i{n},{n}\n" for n in range(5000))
    sizes = [len(block.ids) for block in table(tmp_path, text).blocks()]
    assert sum(sizes) == 5000
    assert max(sizes) < 300


# -------------------------------------------------------------------------------- columns


def test_any_column_may_hold_the_ids_and_others_may_be_left_out(tmp_path: Path) -> None:
    text = "title,a,id,b\nSo, what\n".replace("So, what\n", '"So, what",1,007,2\n')
    found = table(tmp_path, text, id_column="id", without=("title", "b"))
    blocks = [*found.blocks()]
    assert (ids(blocks), rows(blocks)) == (["007"], [[1]])


def test_columns_that_pandas_numbers_are_named(tmp_path: Path) -> None:
    found = table(tmp_path, ",0,1\nx,5,6\n")
    assert (found.columns is not None and found.columns.id) == ""
    assert rows([*found.blocks()]) == [[5, 6]]


def test_tags_may_have_weights(tmp_path: Path) -> None:
    (block,) = table(tmp_path, 'i,t,w\nx,rock,2\nx,"r, b",1\n', tags=True).blocks()
    assert (block.ids, block.tags, block.values.tolist()) == (
        ["x", "x"],
        ["rock", "r, b"],
        [[2], [1]],
    )
    (block,) = table(tmp_path, "i,t\nx,007\n", tags=True).blocks()
    assert (block.tags, block.values.shape) == (["007"], (1, 0))


WRONG: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "an empty file": ("", {}, "t.csv: an empty table; expected names"),
    "text for a number": (
        "id,a\nx,1\ny,one\n",
        {},
        "'one' in line 3, column 'a'; expected",
    ),
    "an empty cell": ("id,a,b\nx,1,2\ny,,2\n", {}, "nothing in line 3, column 'a'"),
    "a cell too few": ("id,a,b\nx,1,2\ny,1\n", {}, "2 fields in line 3; expected 3, as in line 1"),
    "a cell too many": ("id,a\nx,1\ny,1,2\n", {}, "3 fields in line 3; expected 2"),
    "one too few and one too many": ("id,a,b\nx,1\ny,1,2,3\n", {}, "2 fields in line 2"),
    "NaN": ("id,a\nx,nan\n", {}, "'nan' in line 2, column 'a'"),
    "infinity": ("id,a\nx,inf\n", {}, "'inf' in line 2"),
    "too large for float32": ("id,a\nx,1e39\n", {}, "'1e+39' in line 2"),
    "underscores": ("id,a\nx,1_000\n", {}, "'1_000' in line 2"),
    "no id": ("id,a\nx,1\n,2\n", {}, "nothing in line 3, column 'id'"),
    "no tag": ("id,t\nx,a\ny,\n", {"tags": True}, "nothing in line 3, column 't'"),
    "no names": ("x,0.5,0.25\ny,1,2\n", {}, "numbers in the first line (0.5, …); expected names"),
    "two names alike": ("id,a,a\nx,1,2\n", {}, "two columns called 'a'"),
    "ids alone": ("id\nx\n", {}, "a single column, 'id'"),
    "semicolons": ("id;a\nx;1\n", {}, "a single column, 'id;a'"),
    "too many columns for tags": ("i,t,w,z\n", {"tags": True}, "columns 'i', 't', 'w', 'z'"),
    "another encoding": (b"id,a\nx,1\n" + "é,1\n".encode("latin-1"), {}, "UTF-8 in line 3"),
    "a quote that is not closed": ('id,a\n"x,1\ny,2\n', {}, "unexpected end of data in line 2"),
    "letters after a quote": ('id,a\n"x"y,1\n', {}, "in line 2; expected fields as CSV has them"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_with_its_line(what: str, tmp_path: Path) -> None:
    content, selection, said = WRONG[what]
    with pytest.raises(FileError) as refused:
        [*table(tmp_path, content, **selection).blocks()]
    assert said in str(refused.value)
    assert refused.value.hint


def test_the_line_is_right_far_into_a_long_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tartarus_cli.data.tables.delimited.BLOCK_BYTES", 100)
    text = "id,a\n" + "".join(
        f'"i\n{n}",{n}\n' if n % 7 == 0 else f"i{n},{n}\n" for n in range(500)
    )
    bad = text.replace("i400,400", "i400,x400")
    line = bad[: bad.index("x400")].count("\n") + 1
    with pytest.raises(FileError, match=f"'x400' in line {line}, "):
        [*table(tmp_path, bad).blocks()]


def test_decimal_commas_are_explained(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="'0,5' in line 2") as refused:
        [*table(tmp_path, "id\ta\nx\t0,5\n", "t.tsv").blocks()]
    assert "with a point" in refused.value.hint


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:-9], lambda b: b[:30] + b"\0\1\2" + b[33:], lambda _: b"id,a\n"]
)
def test_damaged_gzip_is_told(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    text = "id,a\n" + "".join(f"{n},{n * 7919 % 1000}\n" for n in range(300))
    with pytest.raises(FileError, match=r"t\.csv\.gz: damaged"):
        [*table(tmp_path, spoil(gzip.compress(text.encode())), "t.csv.gz").blocks()]


def test_a_row_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tartarus_cli.data.tables.delimited.BLOCK_BYTES", 100)
    monkeypatch.setattr("tartarus_cli.data.tables.delimited.LONGEST_ROW", 1000)
    text = 'id,a\nx,1\n"y,2\n' + "z,3\n" * 1000
    with pytest.raises(FileError, match="a row of more than 0 MiB in line 3"):
        [*table(tmp_path, text).blocks()]


def test_columns_that_are_not_there_and_other_files_are_refused(tmp_path: Path) -> None:
    for selection in ({"id_column": "idd"}, {"without": ("idd",)}):
        with pytest.raises(RequestError, match="no column called 'idd'") as refused:
            table(tmp_path, PLAIN, **selection)
        assert refused.value.hint == "Did you mean id?"
    with pytest.raises(RequestError, match="leaves no column of ids"):
        table(tmp_path, PLAIN, id_column="id", without=("id",))
    with pytest.raises(RequestError, match="its ending does not say"):
        table(tmp_path, PLAIN, "t.xlsx")
    with pytest.raises(RequestError, match="there is no file"):
        open_features(tmp_path / "other.csv", ColumnSelection())


# -------------------------------------------------------------------------------- parquet


def _parquet(tmp_path: Path, columns: dict[str, Any], **selection: Any) -> FeatureSource:
    frame = columns if isinstance(columns, pl.DataFrame) else pl.DataFrame(columns)
    frame.write_parquet(tmp_path / "t.parquet")
    return open_features(tmp_path / "t.parquet", ColumnSelection(**selection))


def test_parquet_holds_numbers_of_any_type_and_vectors(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "id": ["x", "y"],
        "a": pl.Series([1, 2], dtype=pl.Int8),
        "v": [[0.5, 1], [2, 3]],
        "w": pl.Series([[4, 5], [6, 7]], dtype=pl.Array(pl.Float32, 2)),
        "b": [True, False],
    }
    found = _parquet(tmp_path, columns)
    blocks = [*found.blocks()]
    assert rows(blocks) == [[1, 0.5, 1, 4, 5, 1], [2, 2, 3, 6, 7, 0]]
    assert (lines(blocks), found.size, found.noun) == ([1, 2], 2, "row")


def test_parquet_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tartarus_cli.data.tables.parquet.BLOCK_ROWS", 100)
    monkeypatch.setattr("tartarus_cli.data.tables.parquet.BLOCK_CELLS", 100)
    names = [f"{n:04}" for n in range(1000)]
    blocks = [*_parquet(tmp_path, {"id": names, "a": range(1000)}).blocks()]
    assert ids(blocks) == names
    assert np.ravel(rows(blocks)).tolist() == [*range(1000)]
    assert max(len(block.ids) for block in blocks) <= 100


def test_integers_may_be_ids_in_parquet(tmp_path: Path) -> None:
    assert ids([*_parquet(tmp_path, {"id": [7, 12], "a": [1, 2]}).blocks()]) == ["7", "12"]


WRONG_PARQUET: dict[str, tuple[dict[str, Any], str]] = {
    "ids that are no text": ({"id": [1.5], "a": [1]}, "column 'id' of type Float64"),
    "text for numbers": ({"id": ["x"], "a": ["1"]}, "column 'a' of type String; expected numbers"),
    "a missing number": ({"id": ["x", "y"], "a": [1, None]}, "nothing in row 2, column 'a'"),
    "NaN": ({"id": ["x"], "a": [float("nan")]}, "'nan' in row 1"),
    "a missing id": ({"id": ["x", None], "a": [1, 2]}, "nothing in row 2, column 'id'"),
    "vectors of two lengths": ({"id": ["x", "y"], "a": [[1.0, 2], [1]]}, "a vector of 1 in row 2"),
    "a missing vector": ({"id": ["x", "y"], "a": [[1.0], None]}, "no vector in row 2"),
    "NaN in a vector": ({"id": ["x"], "a": [[1.0, None]]}, "infinite number in row 1, column 'a'"),
}


@pytest.mark.parametrize("what", WRONG_PARQUET)
def test_what_is_wrong_with_parquet_is_told_with_its_row(what: str, tmp_path: Path) -> None:
    columns, said = WRONG_PARQUET[what]
    with pytest.raises(FileError) as refused:
        [*_parquet(tmp_path, columns).blocks()]
    assert said in str(refused.value)


def test_damaged_parquet_is_told(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [str(n) for n in range(200)], "a": range(200)})
    frame.write_parquet(tmp_path / "t.parquet", compression="uncompressed")
    whole = (tmp_path / "t.parquet").read_bytes()
    for content in (
        b"",
        b"id,a\n",
        whole[:-20],
        whole[: len(whole) // 2],
        whole[:40] + whole[-40:],
    ):
        with pytest.raises(FileError, match=r"t\.parquet: damaged, or no Parquet file"):
            [*open_features(written(tmp_path / "t.parquet", content), ColumnSelection()).blocks()]


# ------------------------------------------------------------------------------- matrices


def test_rows_of_matrices_are_named_by_a_list(tmp_path: Path) -> None:
    values = np.arange(6).reshape(3, 2)
    np.save(tmp_path / "m.npy", np.asfortranarray(values.astype(np.float16)))
    save_npz(tmp_path / "m.npz", csr_array(values.astype(np.float64)))
    names = written(tmp_path / "ids.txt", "\ufeff007\r\na,b\r\n☃")
    for name in ("m.npy", "m.npz"):
        blocks = [*open_rows(tmp_path / name, names).blocks()]
        assert ids(blocks) == ["007", "a,b", "☃"]
        found = blocks[0].values
        assert np.array_equal(found.toarray() if name == "m.npz" else found, values)
        assert found.dtype == np.float32


def test_lists_that_do_not_fit_a_matrix_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.ones((3, 2)))
    for text, said in (("a\nb\n", "2 ids; expected 3"), ("a\n\nb\n", "nothing in line 2")):
        with pytest.raises(FileError, match=said):
            open_rows(tmp_path / "m.npy", written(tmp_path / "ids.txt", text))


@pytest.mark.parametrize("name", ["m.npy", "m.npz"])
def test_infinite_rows_of_matrices_are_named(name: str, tmp_path: Path) -> None:
    values = np.ones((3, 4))
    values[2, 1] = np.inf
    np.save(tmp_path / "m.npy", values)
    save_npz(tmp_path / "m.npz", csr_array(values))
    names = written(tmp_path / "ids.txt", "a\nb\nc\n")
    with pytest.raises(FileError, match="in row 2, column 1"):
        [*open_rows(tmp_path / name, names).blocks()]
