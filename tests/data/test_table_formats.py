"""Tables as programs write them: compressed, in other encodings, quoted, with names of rows."""

import bz2
import gzip
import io
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tartarus_cli.data.tables.blocks import Columns, number_error
from tartarus_cli.data.tables.cells import SplitCells
from tartarus_cli.data.tables.reading import Table, open_table
from tartarus_cli.errors import FileError, RequestError, TartarusError
from tests.conftest import Command

ROWS = [("u1", "café", 2.0), ("u2", "Ωmega", 3.0), ("u1", "b", 40.0)]
CSV = "user,item,plays\n" + "".join(f"{u},{i},{n:g}\n" for u, i, n in ROWS)


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def rows_of(table: Table) -> list[tuple[str, str, float]]:
    blocks = [*table.blocks(Columns(("user", "item"), ("plays",)))]
    return [
        row
        for block in blocks
        for row in zip(*block.texts, block.values[:, 0].tolist(), strict=True)
    ]


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip of two members": lambda text: gzip.compress(text[:20]) + gzip.compress(text[20:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda text: zipped({"t.csv": text}),
    "zip of macOS": lambda text: zipped({"t.csv": text, "__MACOSX/x": b"x"}),
    "utf-8 with a mark": lambda text: b"\xef\xbb\xbf" + text,
    "utf-16": lambda text: text.decode().encode("utf-16"),
    "utf-16, big end first": lambda text: b"\xfe\xff" + text.decode().encode("utf-16-be"),
    "utf-32": lambda text: text.decode().encode("utf-32"),
    "utf-16 in gzip": lambda text: gzip.compress(text.decode().encode("utf-16")),
}


@pytest.mark.parametrize("size", [1, 7, 8 << 20])
@pytest.mark.parametrize("form", PACKED)
def test_what_shows_its_form_is_read_whatever_its_name(
    form: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tartarus_cli.data.tables.delimited.BLOCK_BYTES", size)
    (tmp_path / "t.csv").write_bytes(PACKED[form](CSV.encode()))
    assert rows_of(open_table(tmp_path / "t.csv")) == ROWS


@pytest.mark.parametrize(
    ("name", "form"),
    [("t.csv.bz2", "bzip2"), ("t.csv.xz", "xz"), ("t.csv.zip", "zip"), ("archive.zip", "zip")],
)
def test_endings_of_compressed_files_are_known(name: str, form: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(PACKED[form](CSV.encode()))
    assert rows_of(open_table(tmp_path / name)) == ROWS


@pytest.mark.parametrize("encoding", ["cp1253", "utf-16-le", "utf-16-be", "iso8859-7"])
def test_a_table_of_an_encoding_that_is_named_is_read(encoding: str, tmp_path: Path) -> None:
    text = CSV.replace("é", "e")
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    rows = [(user, item.replace("é", "e"), plays) for user, item, plays in ROWS]
    assert rows_of(open_table(tmp_path / "t.csv", encoding=encoding)) == rows
    with pytest.raises(FileError) as refused:
        rows_of(open_table(tmp_path / "t.csv"))
    assert "`encoding=" in refused.value.hint
    assert "iconv" not in refused.value.hint


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "cp1251", "latin-1"])
def test_no_encoding_is_guessed(encoding: str, tmp_path: Path) -> None:
    item = {"shift_jis": "音楽", "gb18030": "音乐", "cp1251": "музыка"}.get(encoding, "canción")
    (tmp_path / "t.csv").write_bytes(f"user,item,plays\nu,{item},1\n".encode(encoding))
    with pytest.raises(FileError, match=r"bytes that are not UTF-8 in line 2") as refused:
        rows_of(open_table(tmp_path / "t.csv"))
    assert "Name its encoding, `encoding=NAME`" in refused.value.hint
    assert rows_of(open_table(tmp_path / "t.csv", encoding=encoding)) == [("u", item, 1.0)]


def test_a_named_encoding_that_does_not_fit_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("user,item,plays\nu,a,1\nu,é,1\n".encode("latin-1"))
    with pytest.raises(FileError, match=r"t\.csv: bytes that are not shift_jis in line 3"):
        rows_of(open_table(tmp_path / "t.csv", encoding="shift_jis"))
    (tmp_path / "t.csv").write_bytes("user,item,plays\nu,a,1\n".encode("utf-16-le"))
    with pytest.raises(FileError, match="no byte-order mark that says which UTF-16") as refused:
        open_table(tmp_path / "t.csv", encoding="utf-16")
    assert "`encoding='utf-16-le'`" in refused.value.hint


OTHER_FORMATS: dict[str, tuple[str, bytes, str, str]] = {
    "Excel": ("t.csv", zipped({"xl/workbook.xml": b""}), "an Excel workbook", "save it as CSV"),
    "Excel by name": (
        "t.xlsx",
        zipped({"xl/workbook.xml": b""}),
        "an Excel workbook|its ending",
        "",
    ),
    "old Excel": ("t.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "old Excel", "CSV"),
    "HDF5": ("t.csv", b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file", "as text"),
    "an array": ("t.tsv", b"\x93NUMPY\x01\0", r"a NumPy array \(\.npy\)", "as text"),
    "arrays": ("t.csv", zipped({"a.npy": b""}), r"arrays of NumPy \(\.npz\)", "as text"),
    "a pickle": ("t.csv", b"\x80\x04\x95\x10\0", "a pickle, which is never loaded", "as text"),
    "zstd": ("t.csv.zst", b"\x28\xb5\x2f\xfd\x04", "compressed with zstd", "zstd -dc "),
    "two files": (
        "t.csv",
        zipped({"a.csv": b"", "b.csv": b""}),
        "a zip archive of 2 files",
        "unzip",
    ),
    "a tar archive": (
        "t.csv.gz",
        gzip.compress(bytes(257) + b"ustar" + bytes(250)),
        "tar",
        "tar xf",
    ),
    "SQLite": ("t.csv", b"SQLite format 3\0" + bytes(99), "an SQLite database", "CSV"),
    "data of R": ("t.csv", gzip.compress(b"X\n\0\0\0\x03"), r"data of R \(\.rds\)", "write.csv"),
    "cut gzip": ("t.csv", gzip.compress(CSV.encode() * 99)[:-9], "damaged gzip data", "again"),
    "cut bzip2": ("t.csv", bz2.compress(CSV.encode() * 99)[:-9], "damaged bzip2 data", "again"),
    "cut xz": ("t.csv", lzma.compress(CSV.encode() * 99)[:-9], "damaged xz data", "again"),
    "cut zip": ("t.csv", zipped({"t.csv": CSV.encode() * 99})[:-40], "damaged zip data", "again"),
    "NUL bytes": ("t.csv", b"user,item,plays\nu,a,1\nu,\0b,1\n", "NUL bytes in line 3", "is text"),
}


@pytest.mark.parametrize("what", OTHER_FORMATS)
def test_other_formats_are_called_by_their_names(what: str, tmp_path: Path) -> None:
    name, content, found, hint = OTHER_FORMATS[what]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TartarusError, match=found) as refused:
        rows_of(open_table(tmp_path / name))
    assert hint in refused.value.hint


def test_parquet_is_known_by_its_content(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS, schema=["user", "item", "plays"], orient="row")
    frame.write_parquet(tmp_path / "t.csv")
    assert rows_of(open_table(tmp_path / "t.csv")) == ROWS
    (tmp_path / "t.parquet").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    with pytest.raises(FileError, match="compressed with gzip; expected a Parquet file"):
        open_table(tmp_path / "t.parquet")


def test_a_folder_of_parquet_files_is_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "plays.parquet"
    folder.mkdir()
    frame = pl.DataFrame(ROWS, schema=["user", "item", "plays"], orient="row")
    frame[2:].write_parquet(folder / "part-00001.snappy.parquet")
    frame[:2].write_parquet(folder / "part-00000.snappy.parquet")
    (folder / "_SUCCESS").touch()
    (folder / ".part-00000.crc").touch()
    assert rows_of(open_table(folder)) == ROWS
    (folder / "day=1").mkdir()
    frame.write_parquet(folder / "day=1" / "x.parquet")
    with pytest.raises(RequestError, match="is a folder") as refused:
        open_table(folder)
    assert "read_parquet" in refused.value.hint


def test_a_folder_of_csv_files_is_refused_with_a_command_that_joins_them(tmp_path: Path) -> None:
    import subprocess

    folder = tmp_path / "plays csv"
    folder.mkdir()
    lines = CSV.splitlines(keepends=True)
    (folder / "part-0.csv").write_text("".join(lines[:2]))
    (folder / "part-1.csv.gz").write_bytes(gzip.compress("".join(lines[:1] + lines[2:]).encode()))
    with pytest.raises(RequestError, match="plays csv is a folder") as refused:
        open_table(folder)
    command = refused.value.hint.partition("once: ")[2]
    subprocess.run(["bash", "-c", command], check=True, cwd=Path.cwd())  # noqa: S603, S607
    assert Path("all.csv").read_text() == CSV


def test_a_tsv_whose_names_are_all_quoted_is_quoted_as_r_writes_it(tmp_path: Path) -> None:
    text = '"user"\t"item"\t"plays"\n"u1"\t"caf\u00e9\tnoir"\t2\n"u1"\t"say ""Heroes"""\t3\n'
    for bom in ("", "\ufeff"):
        (tmp_path / "r.tsv").write_text(bom + text)
        rows = rows_of(open_table(tmp_path / "r.tsv"))
        assert rows == [("u1", "caf\u00e9\tnoir", 2), ("u1", 'say "Heroes"', 3)]
    (tmp_path / "r.tsv").write_text('"user"\titem\tplays\nu\t"Heroes"\t1\n')
    (block,) = open_table(tmp_path / "r.tsv").blocks(Columns(('"user"', "item"), ("plays",)))
    assert block.texts[1].to_list() == ['"Heroes"']


def test_names_of_rows_that_have_no_name_themselves_are_explained(tmp_path: Path) -> None:
    text = '"user"\t"item"\t"plays"\n"1"\t"u1"\t"a"\t2\n'
    (tmp_path / "r.tsv").write_text(text)
    with pytest.raises(FileError, match="4 fields in line 2; expected 3") as refused:
        rows_of(open_table(tmp_path / "r.tsv"))
    assert "row.names = FALSE" in refused.value.hint
    (tmp_path / "r.tsv").write_text('"row"\t' + text)
    assert rows_of(open_table(tmp_path / "r.tsv")) == [("u1", "a", 2)]


@pytest.mark.parametrize("cell", ['"' + "la\n" * 60_000 + '"', '"' + "la, " * 60_000 + '"'])
def test_a_field_of_any_length_may_stand_in_a_column_that_is_not_read(
    cell: str, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(f"user,item,plays,lyrics\nu,a,1,{cell}\nu,b,2,x\n")
    assert rows_of(open_table(tmp_path / "t.csv")) == [("u", "a", 1), ("u", "b", 2)]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("1,234,567", "without separators of thousands: 1234567."),
        ("1.234.567", "without separators of thousands: 1234567."),
        ("1.234,5", "without separators of thousands: 1234.5."),
        ("1,234.5", "without separators of thousands: 1234.5."),
        ("12 345", "without separators of thousands: 12345."),
        ("12\u202f345", "without separators of thousands: 12345."),
        ("12'345", "without separators of thousands: 12345."),
        ("1_000", "without separators of thousands: 1000."),
        ("1,234", "1234 if this comma separates thousands, 1.234 if it is a decimal comma"),
        ("-0,25", "with a point, not with a comma: -0.25."),
        ("12,5", "with a point, not with a comma: 12.5."),
        ("one", "Correct it"),
        ("1,2,3", "Correct it"),
    ],
)
def test_the_advice_about_a_number_never_makes_another_of_it(cell: str, said: str) -> None:
    assert said in number_error(Path("t.csv"), cell, "line 2", "plays").hint


def test_cells_of_several_names_are_rows_of_one(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("item,genre\na,rock | pop\nb,||\nc,jazz|\n\nd,pop\n")
    table = SplitCells(open_table(tmp_path / "g.csv"), "genre", "|")
    (block,) = table.blocks(Columns(("item", "genre")))
    assert [*zip(*block.texts, block.lines.tolist(), strict=True)] == [
        ("a", "rock", 2),
        ("a", "pop", 2),
        ("b", "", 3),
        ("c", "jazz", 4),
        ("d", "pop", 6),
    ]


def test_a_pipe_is_no_table_and_is_not_waited_for(tartarus: Command, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    tartarus("init", tmp_path / "w")
    refused = tartarus("split", "mine", "--plays", tmp_path / "t.csv", "-w", tmp_path / "w")
    assert (refused.status, "is a pipe or a device" in refused.err) == (2, True)
