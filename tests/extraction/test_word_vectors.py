"""Files of word vectors."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.errors import FileError
from tartarus_cli.extraction import word_vectors
from tartarus_cli.extraction.word_vectors import read_vectors

WORDS = ["música", "rock", "音楽", "n't", "(", "New York", "jazz"]


@pytest.fixture
def table() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((len(WORDS), 5)).astype(np.float32)


def as_text(table: NDArray[np.float32], end: str = "\n") -> bytes:
    rows = (
        " ".join([word, *map(repr, map(float, row))])
        for word, row in zip(WORDS, table, strict=True)
    )
    return f"{len(table)} {table.shape[1]}\n{end.join(rows)}{end}".encode()


def as_binary(table: NDArray[np.float32], end: bytes = b"") -> bytes:
    words = [word.replace(" ", "_").encode() for word in WORDS]
    rows = (word + b" " + row.tobytes() + end for word, row in zip(words, table, strict=True))
    return b"%d %d\n" % table.shape + b"".join(rows)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("block", [1, 64, 1 << 20])
def test_what_gensim_writes_is_read(
    binary: bool,  # noqa: FBT001
    packed: bool,  # noqa: FBT001
    block: int,
    table: NDArray[np.float32],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("gensim")
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(table.shape[1])
    keyed.add_vectors([word.replace(" ", "_") if binary else word for word in WORDS], table)
    path = tmp_path / ("vectors.gz" if packed else "vectors")
    keyed.save_word2vec_format(str(path), binary=binary)
    monkeypatch.setattr(word_vectors, "BLOCK", block)
    monkeypatch.setattr(word_vectors, "LONGEST_WORD", 40)
    wanted = {"rock": 0, "absent": 1, "música": 2, "音楽": 3, "jazz": 4, "Rock": 5}
    found = read_vectors(path, wanted)
    assert found.present.tolist() == [True, False, True, True, True, False]
    places = [WORDS.index(word) for word in ("rock", "música", "音楽", "jazz")]
    assert np.array_equal(found.values[found.present], table[places])
    assert not found.values[~found.present].any()


def test_the_other_ways_of_writing_the_formats_are_read(
    table: NDArray[np.float32], tmp_path: Path
) -> None:
    wanted = {word: place for place, word in enumerate(WORDS)}
    path = tmp_path / "vectors"
    spaced = as_text(table, " \n")  # as the first word2vec wrote lines
    for content in (spaced, as_text(table, "\r\n"), as_text(table).removesuffix(b"\n")):
        path.write_bytes(content)
        assert np.array_equal(read_vectors(path, wanted).values, table)
    path.write_bytes(as_binary(table, b"\n"))
    found = read_vectors(path, {"jazz": 0, "New_York": 1})
    assert np.array_equal(found.values, table[[6, 5]])


@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])
@pytest.mark.parametrize("block", [1, 64, 1 << 20])
def test_a_text_without_a_first_line_is_read_as_glove_writes_it(
    end: str,
    block: int,
    table: NDArray[np.float32],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(word_vectors, "BLOCK", block)
    path = tmp_path / "glove.txt"
    lines = as_text(table, end).partition(b"\n")[2]
    wanted = {word: place for place, word in enumerate(WORDS)}
    for content in (lines, lines.removesuffix(end.encode()), lines + b"\n", gzip.compress(lines)):
        path.write_bytes(content)
        assert np.array_equal(read_vectors(path, wanted).values, table)


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    for text in ("1 2\nrock 1 2\n", "rock 1 2\n"):
        path.write_bytes(text.encode("utf-8-sig"))
        assert read_vectors(path, {"rock": 0}).values.tolist() == [[1, 2]]
        path.write_bytes(text.encode("utf-16"))
        with pytest.raises(FileError, match="vectors: text in UTF-16; expected UTF-8"):
            read_vectors(path, {"rock": 0})


@pytest.mark.parametrize("text", ["1 2\nrock 0,5 1\n", "1 2\nrock\t0.5\t1\n", "rock\t0.5\t1\n"])
def test_text_of_another_form_is_to_be_written_otherwise(text: str, tmp_path: Path) -> None:
    (tmp_path / "vectors").write_text(text)
    with pytest.raises(FileError) as refused:
        read_vectors(tmp_path / "vectors", {"rock": 0})
    assert "separated by single spaces" in refused.value.hint


def test_models_of_fasttext_are_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "cc.es.300.bin"
    path.write_bytes(struct.pack("<ii", 793712314, 12) + b"\0" * 300)
    with pytest.raises(FileError, match="a model of fastText") as refused:
        read_vectors(path, {"rock": 0})
    assert "Use the .vec file" in refused.value.hint
    assert "load_facebook_vectors" in refused.value.hint


def test_words_that_would_match_in_lower_case_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(b"3 1\nRock 1\nJAZZ 2\nX 3\n")
    assert read_vectors(path, {"rock": 0, "jazz": 1}).upper == 2


def test_the_first_of_two_vectors_of_a_word_counts(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(b"2 1\nrock 1\nrock 2\n")
    assert read_vectors(path, {"rock": 0}).values.tolist() == [[1]]


def broken(table: NDArray[np.float32]) -> dict[str, tuple[bytes, str]]:
    text, binary = as_text(table), as_binary(table)
    lines = text.splitlines(keepends=True)
    nan = table.copy()
    nan[1, 2] = np.nan
    return {
        "empty": (b"", "'' in its first line; expected two numbers"),
        "no numbers": (b"a list of words\n", "in its first line; expected two numbers"),
        "a single number": (b"rock 1\n", "in its first line; expected two numbers"),
        "a pickle": (b"\x80\x04\x95", "a pickle, which is never loaded"),
        "no header and a shorter line": (
            b"".join(lines[1:3]) + b"jazz 1 2\n",
            "2 numbers in line 3; expected a word and 5 numbers",
        ),
        "no header and an empty line": (
            b"".join([*lines[1:3], b"\n", lines[3]]),
            "cut short after 2 words",
        ),
        "no words": (b"0 5\n", "0 words of 5 dimensions"),
        "no dimensions": (b"5 0\n", "5 words of 0 dimensions"),
        "huge dimensions": (b"5 99999999\nrock 1\n", "99,999,999 dimensions"),
        "text cut short": (b"".join(lines[:-2]), "cut short after 5 words; expected 7 words"),
        "text cut in a line": (b"".join(lines[:-1]) + lines[-1][:20], r"line 8; expected a word"),
        "text with more words": (text + lines[-1], "more than 7 words"),
        "text of fewer dimensions": (text.replace(b"7 5", b"7 6", 1), "5 numbers in line 2"),
        "text with a letter": (
            text.replace(b"rock ", b"rock x", 1),
            "else than numbers for word 2",
        ),
        "text with NaN": (as_text(nan), "NaN or infinity for word 2"),
        "text with a number too large": (b"1 1\nrock 1e99\n", "NaN or infinity for word 1"),
        "text with one long line": (b"1 2\n" + b"x" * 9000, "0 numbers in line 2"),
        "binary cut short": (binary[:-3], "cut short or damaged after 6 words; expected 7 words"),
        "binary with more words": (binary + binary[-25:], "more than 7 words"),
        "binary of more dimensions": (binary.replace(b"7 5", b"7 9", 1), "cut short or damaged"),
        "binary with NaN": (as_binary(nan), "NaN or infinity for word 2"),
        "gzip cut short": (gzip.compress(binary)[:-20], "damaged gzip data"),
        "gzip with a wrong sum": (gzip.compress(binary)[:-8] + bytes(8), "damaged gzip data"),
        "gzip of nothing": (b"\x1f\x8b", "damaged gzip data"),
        "gzip damaged": (gzip.compress(binary)[:20] + b"\xff" * 40, "damaged gzip data"),
    }


@pytest.mark.parametrize("what", broken(np.ones((len(WORDS), 5), np.float32)))
def test_a_damaged_file_of_vectors_is_an_error_that_names_it(
    what: str, table: NDArray[np.float32], tmp_path: Path
) -> None:
    content, said = broken(table)[what]
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"^vectors: ") as caught:
        read_vectors(path, {"rock": 0, "jazz": 1})
    assert said in str(caught.value)


def test_vectors_name_the_file_that_they_come_from(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(b"1 1\nrock 1\n")
    assert read_vectors(path, {"rock": 0}).source == "vectors"


def test_most_of_a_large_file_of_vectors_is_skipped(tmp_path: Path) -> None:
    """Its memory is that of the words that are wanted."""
    import tracemalloc

    path, dim = tmp_path / "vectors", 300
    with path.open("wb") as file:
        file.write(b"20000 %d\n" % dim)
        for number in range(20_000):
            file.write(b"word%d " % number + struct.pack("<f", number) * dim)
    tracemalloc.start()
    found = read_vectors(path, {"word19999": 0})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.values[0].tolist() == [19999] * dim
    assert path.stat().st_size > 23_000_000
    assert peak < 4 * word_vectors.BLOCK
