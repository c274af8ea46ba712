"""``tartarus text``: documents in, a setting out; what is wrong is told and nothing is lost."""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, load_npz

from tartarus_cli.data.vocabulary import read_vocabulary
from tartarus_cli.errors import DataError
from tartarus_cli.extraction.corpus import read_document
from tartarus_cli.files import locked
from tartarus_cli.text import EXTRACTORS, DocumentRows, Tokens
from tartarus_cli.text.vsm import TermVocabulary
from tests.conftest import Command, Outcome
from tests.kills import killed_after
from tests.worlds import SPLITS, World

QUICK = ("--set", "dim=6", "--set", "epochs=1", "--set", "length=20")
Run = Callable[..., Outcome]


@pytest.fixture
def songs(world: World) -> World:
    """Return a world whose items of ``one`` have documents, which no list names yet."""
    folder = world.root / "text"
    folder.mkdir()
    rng = np.random.default_rng(0)
    words = [f"word{n}" for n in range(60)]
    for split, count in SPLITS.items():
        for number in range(count):
            chosen = rng.choice(words, 15)
            (folder / f"{split}-{number}.txt").write_text(f"{split} " + " ".join(chosen) + "\n")
    return world


@pytest.fixture
def run(tartarus: Command, songs: World) -> Run:
    """Run the command on ``one``, whose list is made beforehand."""
    lines = [f"{path.stem}\t{path.name}\n" for path in sorted((songs.root / "text").iterdir())]
    (songs.root / "data" / "index").mkdir()
    (songs.root / "data" / "index" / "index_text_one.tsv").write_text("".join(lines))
    return lambda *words: tartarus("text", "one", *words, "-w", songs.root)


def zipped(*names: str, content: bytes = b"la la") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return packed.getvalue()


def made(world: World) -> dict[str, bytes]:
    """Everything in the folder of the features, hidden files too, but for locks."""
    paths = (path for path in sorted(world.features.iterdir()) if path.suffix != ".lock")
    return {path.name: path.read_bytes() for path in paths}


# ------------------------------------------------------------------------------- what is made


def test_tf_idf_of_a_folder_becomes_a_setting(tartarus: Command, songs: World) -> None:
    shown = tartarus("text", "one", "vsm", "--text", songs.root / "text", "-w", songs.root)
    assert shown.status == 0
    names = [f"data/datasets/train_data/X_{split}_vsm_one.npz" for split in SPLITS]
    names.append("data/datasets/train_data/vsm_one.vocabulary.json")
    assert [line.strip() for line in shown.out.splitlines()[:4]] == names
    assert "vsm is a new setting of one (train 40, val 10, test 12 items × 60)" in shown.out
    command = "Next: tartarus run EXPERIMENT vsm --dataset one"
    assert shown.out.splitlines()[-1] == f"{command} --workspace {songs.root}"
    listed = (songs.root / "data" / "index" / "index_text_one.tsv").read_text().splitlines()
    assert listed[0] == "test-0\ttest-0.txt"
    assert len(listed) == sum(SPLITS.values())
    vocabulary = read_vocabulary(songs.features / "vsm_one.vocabulary.json")
    for split, count in SPLITS.items():
        rows = load_npz(songs.features / f"X_{split}_vsm_one.npz")
        assert (rows.shape, rows.format, rows.dtype) == ((count, 60), "csr", np.float32)
        texts = [(songs.root / "text" / f"{split}-{n}.txt").read_text() for n in range(count)]
        again = vocabulary.transform(texts).rows
        assert np.array_equal(rows.toarray(), csr_array(again).toarray())
    told = tartarus("check-data", "one", "-w", songs.root, "--json").document
    assert told["datasets"]["one"]["settings"]["vsm"]["width"] == 60
    assert told["ok"]


def test_word_numbers_come_with_word_vectors(run: Run, tartarus: Command, songs: World) -> None:
    assert run("w2v", *QUICK).status == 0
    words = json.loads((songs.features / "w2v_one.vocabulary.json").read_text())["words"]
    embedding = np.load(songs.features / "embedding_w2v_one.npy")
    assert (embedding.shape, embedding.dtype) == ((len(words) + 2, 6), np.float32)
    rows = np.load(songs.features / "X_test_w2v_one.npy")
    assert (rows.shape, rows.dtype) == ((SPLITS["test"], 20), np.int32)
    text = (songs.root / "text" / "test-3.txt").read_text().split()
    numbers = [words.index(word) + 2 if word in words else 1 for word in text]
    assert rows[3].tolist() == numbers + [0] * 4
    told = tartarus("check-data", "one", "-w", songs.root, "--json").document
    assert [p for p in told["problems"] if "w2v" in p["file"]] == []


def test_a_setting_that_was_made_can_be_learnt_from(
    run: Run, tartarus: Command, songs: World
) -> None:
    run("vsm", "--setting", "bow")
    words = ("single-label-vector", "bow", "--dataset", "one", "--set", "training.epochs=1")
    shown = tartarus("run", *words, "-w", songs.root, "--json")
    assert shown.document["settings"] == ["bow"]


def first_word_vectors(tartarus: Command, world: World) -> tuple[Any, str]:
    """Train hardly at all; return the word vectors of the network, and what was said."""
    import keras

    words = ["dummy_text_w2v", "w2v", "--dataset", "one", "--set", "training.epochs=1"]
    words += ["--set", "training.learning_rate=1e-9", "--set", "network.filters=2"]
    shown = tartarus("train", *words, "-w", world.root)
    assert shown.status == 0
    path = max((world.root / "data" / "models").glob("*/model.keras"))
    network = keras.saving.load_model(path, compile=False)
    return network.get_layer("embedding").get_weights()[0], shown.err


def test_a_network_starts_from_the_word_vectors_of_its_setting(
    run: Run, tartarus: Command, songs: World
) -> None:
    run("w2v", *QUICK)
    embedding = np.load(songs.features / "embedding_w2v_one.npy")
    assert np.linalg.norm(embedding[2:], axis=1) == pytest.approx(1, abs=1e-5)
    vectors, said = first_word_vectors(tartarus, songs)
    assert vectors == pytest.approx(embedding, abs=1e-5)
    assert "earlier versions" not in said


def test_word_vectors_of_an_earlier_version_are_brought_to_a_norm_of_one_and_that_is_said(
    run: Run, tartarus: Command, songs: World
) -> None:
    run("w2v", *QUICK)
    path = songs.features / "embedding_w2v_one.npy"
    embedding = np.load(path)
    embedding[0] = 0
    embedding[2:] *= 0.03
    np.save(path, embedding)
    vectors, said = first_word_vectors(tartarus, songs)
    assert np.linalg.norm(vectors[2:], axis=1) == pytest.approx(1, abs=1e-4)
    assert vectors[1] == pytest.approx(embedding[1], abs=1e-5)
    assert 0 < np.abs(vectors[0]).max() <= 0.25
    assert "the word vectors of w2v have zeros for padding, as earlier versions wrote them" in said


def test_json_says_what_was_made(run: Run, songs: World) -> None:
    told = run("vsm", "--setting", "bow", "--seed", 5, "--set", "terms=30", "--json").document
    assert told["files"][0] == "data/datasets/train_data/X_train_bow_one.npz"
    said = (told["dataset"], told["setting"], told["extractor"], told["seed"], told["width"])
    assert said == ("one", "bow", "vsm", 5, 30)
    assert told["splits"] == SPLITS
    assert told["options"]["terms"] == 30
    rows = load_npz(songs.features / "X_test_bow_one.npz")
    assert 0 < told["known"]["test"] < 1
    assert rows.nnz > 0


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_the_vocabulary_knows_nothing_of_val_and_test_documents(
    name: str, run: Run, songs: World
) -> None:
    run(name)
    path = songs.features / f"{name}_one.vocabulary.json"
    before, rows = path.read_bytes(), made(songs)
    assert b'"word1"' in before
    for document in (songs.root / "text").glob("[vt][ae][ls]*"):
        document.write_text("wholly other things")
    run(name)
    assert path.read_bytes() == before
    train = next(each for each in rows if each.startswith(f"X_train_{name}_"))
    assert made(songs)[train] == rows[train]
    assert b'"other"' not in before


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_the_same_seed_writes_the_same_bytes(name: str, run: Run, songs: World) -> None:
    run(name, "--setting", "a", "--seed", 3)
    run(name, "--setting", "b", "--seed", 3)
    files = made(songs)
    ours = [each for each in files if "_a_one" in each or each.startswith("a_one")]
    assert len(ours) >= 4
    for each in ours:
        assert files[each] == files[each.replace("a_one", "b_one")]


def test_another_seed_draws_other_word_vectors(run: Run, songs: World) -> None:
    for seed in (0, 1):
        run("w2v", "--setting", f"s{seed}", "--seed", seed, *QUICK)
    one, other = (np.load(songs.features / f"embedding_s{n}_one.npy") for n in (0, 1))
    assert (one[1:] != other[1:]).all()


def test_the_seed_may_be_that_of_the_workspace(run: Run, songs: World) -> None:
    (songs.root / "tartarus.toml").write_text("seed = 8\n")
    assert run("vsm", "--json").document["seed"] == 8


def test_a_dataset_without_val_items_has_no_val_rows(tartarus: Command, world: World) -> None:
    folder = world.root / "lyrics"
    (folder / "deep").mkdir(parents=True)
    for split in ("train", "test"):
        for number in range(SPLITS[split]):
            (folder / "deep" / f"{split}-{number}.md").write_text(f"song {number} {number % 7} la")
    shown = tartarus("text", "rec", "vsm", "--text", folder, "-w", world.root)
    assert shown.status == 0
    assert not list(world.features.glob("X_val_vsm*"))
    listed = (world.root / "data" / "index" / "index_text_rec.tsv").read_text()
    assert str(folder / "deep" / "test-0.md") in listed  # it is not below text/


def test_an_archive_as_it_unpacks_is_a_workspace(tartarus: Command, tmp_path: Path) -> None:
    root = tmp_path / "SUPER"
    for name in ("splits", "index", "text"):
        (root / name).mkdir(parents=True)
    for split, item in (("train", "S1"), ("train", "S2"), ("test", "S3")):
        with (root / "splits" / f"items_index_{split}_SUPER.tsv").open("a") as file:
            file.write(f"{item}\n")
    (root / "index" / "index_text_SUPER.tsv").write_text("S1\ta.txt\nS2\tb.txt\nS3\tc.txt")
    for name in "abc":
        (root / "text" / f"{name}.txt").write_text(f"canción {name}{name}")
    shown = tartarus("text", "SUPER", "w2v", "-w", root, *QUICK)
    assert (root / "datasets" / "train_data" / "X_train_w2v_SUPER.npy").is_file()
    place = f"--workspace {root}"
    assert shown.out.splitlines()[-1] == f"Next: tartarus run dummy_text_w2v w2v {place}"
    shown = tartarus("text", "SUPER", "vsm", "--setting", "bow", "-w", root)
    assert shown.out.splitlines()[-1] == f"Next: tartarus run dummy_text_vsm bow {place}"


def test_word_vectors_may_come_from_a_file(run: Run, songs: World, tmp_path: Path) -> None:
    path = tmp_path / "vectors.gz"
    lines = [f"word{n} {n} 0.5 -1" for n in range(50)]
    path.write_bytes(gzip.compress("\n".join(["50 3", *lines]).encode()))
    shown = run("w2v", "--vectors", path)
    assert "50 of 61 words have a vector in vectors.gz (3 dimensions)" in shown.err
    assert "only" not in shown.err
    words = json.loads((songs.features / "w2v_one.vocabulary.json").read_text())["words"]
    embedding = np.load(songs.features / "embedding_w2v_one.npy")
    of_seven = np.array([7, 0.5, -1]) / np.sqrt(7**2 + 0.5**2 + 1)
    assert embedding[words.index("word7") + 2] == pytest.approx(of_seven, abs=1e-6)
    assert 0 < np.abs(embedding[words.index("word55") + 2]).max() <= 0.25


@pytest.mark.parametrize("word", ["WORD", "mot"])
def test_vectors_of_hardly_any_word_are_reported(word: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("\n".join(["51 2", "word7 1 2", *(f"{word}{n} {n} 0.5" for n in range(50))]))
    shown = run("w2v", "--vectors", path)
    assert shown.status == 0
    assert re.search(r"warning: only [\d,]+ of [\d,]+ words of the train documents", shown.err)
    assert ("50 of the words with upper-case letters" in shown.err) == (word == "WORD")


# ------------------------------------------------------------------------- documents as they are


def test_a_byte_order_mark_is_no_part_of_the_first_word(run: Run, songs: World) -> None:
    (songs.root / "text" / "train-0.txt").write_bytes(b"\xef\xbb\xbfna\xc3\xafve")
    run("vsm")
    assert '"naïve"' in (songs.features / "vsm_one.vocabulary.json").read_text()


def test_items_without_a_document_and_empty_documents_are_told_of(run: Run, songs: World) -> None:
    path = songs.root / "data" / "index" / "index_text_one.tsv"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("test-3\t")]
    path.write_text("\n".join(lines))
    for name in ("train-1", "val-0"):
        (songs.root / "text" / f"{name}.txt").write_text("  \n…")
    shown = run("vsm", "--json")
    assert "1 item has no document on the list (test-3)" in shown.err
    assert "2 items have a document without a word (train-1, val-0)" in shown.err
    assert shown.document["without_document"] == ["test-3"]
    assert shown.document["without_word"] == ["train-1", "val-0"]
    rows = load_npz(songs.features / "X_test_vsm_one.npz").toarray()
    assert np.flatnonzero(~rows.any(axis=1)).tolist() == [3]
    run("w2v", *QUICK)
    numbers = np.load(songs.features / "X_test_w2v_one.npy")
    assert np.flatnonzero(~numbers.any(axis=1)).tolist() == [3]


def test_the_list_may_lead_anywhere_and_name_a_document_twice(
    run: Run, songs: World, tmp_path: Path
) -> None:
    outside = tmp_path / "elsewhere.txt"
    outside.write_text("quite another thing")
    path = songs.root / "data" / "index" / "index_text_one.tsv"
    changed = {"train-0": str(outside), "train-1": "../../elsewhere.txt"}
    lines = (line.split("\t") for line in path.read_text().splitlines())
    path.write_text("".join(f"{item}\t{changed.get(item, name)}\n" for item, name in lines))
    assert run("vsm").status == 0
    rows = load_npz(songs.features / "X_train_vsm_one.npz").toarray()
    assert np.array_equal(rows[0], rows[1])
    assert outside.read_text() == "quite another thing"


def test_documents_of_no_item_are_left_alone(run: Run, songs: World) -> None:
    with (songs.root / "data" / "index" / "index_text_one.tsv").open("a") as file:
        file.write("stranger\tno-such-file.txt\n")
    assert run("vsm").status == 0


# --------------------------------------------------------------------------- what may be wrong


def spoil(name: str, content: bytes) -> Callable[[World], object]:
    return lambda world: (world.root / name).write_bytes(content)


def lose(*names: str) -> Callable[[World], object]:
    def act(world: World) -> None:
        for name in names:
            (world.root / name).unlink()

    return act


LIST = "data/index/index_text_one.tsv"
WRONG_DATA: dict[str, tuple[Callable[[World], object], str, str]] = {
    "no list": (lose(LIST), "index_text_one.tsv is missing", "--text FOLDER"),
    "an empty list": (spoil(LIST, b""), "index_text_one.tsv: an empty list", ""),
    "a list without tabs": (spoil(LIST, b"train-0 a.txt\n"), "line 1: 'train-0 a.txt'", ""),
    "a list of other items": (spoil(LIST, b"x\tx.txt\n"), "'x', …) is an item of one", "train-0"),
    "a list without train items": (
        spoil(LIST, b"test-0\ttest-0.txt\n"),
        "no train item of one has a document",
        "",
    ),
    "no train document that can be read": (
        spoil(LIST, b"train-0\tx.txt\ntrain-1\ty.txt\ntest-0\ttest-0.txt\n"),
        "no train document of one can be read; 'train-0': it is missing",
        "Paths in the list start from workspace/text",
    ),
    "Windows' separators in the list": (
        spoil(LIST, b"train-0\tsub\\x.txt\n"),
        "no train document of one can be read",
        "A backslash \\ separates no folders here: write /.",
    ),
    "a damaged list of ids": (
        spoil("data/datasets/items_index_val_one.tsv", b"a\na\n"),
        "duplicate ids",
        "",
    ),
    "no train ids": (
        lose("data/datasets/items_index_train_one.tsv"),
        "items_index_train_one.tsv is missing",
        "",
    ),
}


@pytest.mark.parametrize("what", WRONG_DATA)
@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_what_is_wrong_with_the_data_is_told_and_nothing_is_written(
    what: str, name: str, run: Run, songs: World
) -> None:
    act, said, hint = WRONG_DATA[what]
    act(songs)
    before = made(songs)
    refused = run(name)
    assert refused.status == 1
    assert said in refused.err
    assert hint in refused.err
    assert made(songs) == before


WRONGLY: dict[str, tuple[tuple[object, ...], str, str]] = {
    "an unknown extractor": (("w2vec",), "no text extractor called 'w2vec'", "w2v"),
    "an unknown parameter": (("vsm", "--set", "max_dff=1"), "'max_dff'", "Did you mean max_df?"),
    "a parameter of another extractor": (("vsm", "--set", "window=1"), "'window'", "max_df"),
    "a value that does not fit": (("w2v", "--set", "window=0"), "w2v: window: ", "window=10"),
    "vectors for tf-idf": (("vsm", "--vectors", "x"), "vsm uses no word vectors", "w2v"),
    "vectors that do not exist": (("w2v", "--vectors", "x"), "there is no file x", "word2vec"),
    "a folder that does not exist": (("vsm", "--text", "x"), "there is no folder x", ""),
    "a folder without documents": (("vsm", "--text", "."), "ends in .md, .txt", ""),
    "a negative seed": (("vsm", "--seed", -1), "--seed", ""),
    **{
        f"a setting called {name!r}": (
            ("vsm", f"--setting={name}"),
            "cannot have this name",
            "short",
        )
        for name in ("", "../x", "a\\b", "a\nb", ".hidden", "-w", " ", "x" * 300, "a\x1b[0m")
    },
    "a setting of a model": (
        ("vsm", "--setting", "model_1-pred_dense_1"),
        "such names are those of layers of models",
        "Use another name",
    ),
    "a setting that is there": (
        ("vsm", "--setting", "text"),
        "a setting text already",
        "--setting",
    ),
}


@pytest.mark.parametrize("what", WRONGLY)
def test_asking_wrongly_exits_2_and_writes_nothing(what: str, run: Run, songs: World) -> None:
    words, said, hint = WRONGLY[what]
    (Path.cwd() / "nothing").mkdir()
    words = tuple("nothing" if word == "." else word for word in words)
    before = made(songs)
    refused = run(*words)
    assert refused.status == 2
    assert said in refused.err
    assert hint in refused.err
    assert made(songs) == before


def test_a_dataset_without_ids_is_none(tartarus: Command, world: World) -> None:
    (world.root / "data" / "index").mkdir()
    (world.root / "data" / "index" / "index_text_two.tsv").write_text("a\tb\n")
    for name in ("two", "onne"):
        refused = tartarus("text", name, "vsm", "-w", world.root)
        assert refused.status == 2
        assert f"there is no dataset called '{name}'" in refused.err
        assert "one" in refused.err


def test_a_folder_whose_names_are_no_ids_is_not_listed(tartarus: Command, songs: World) -> None:
    folder = songs.root / "other"
    folder.mkdir()
    (folder / "berlina.txt").write_text("la la")
    refused = tartarus("text", "one", "vsm", "--text", folder, "-w", songs.root)
    assert refused.status == 1
    assert "other: none of its ids ('berlina.txt', …) is an item of one" in refused.err
    assert not (songs.root / "data" / "index").exists()


def test_another_list_is_never_written_over(run: Run, songs: World, tmp_path: Path) -> None:
    path = songs.root / LIST
    before = path.read_text()
    assert run("vsm", "--text", songs.root / "text").status == 0  # it says the same
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "train-0.txt").write_text("la la")
    refused = run("vsm", "--text", folder)
    assert (refused.status, "differs from the folder" in refused.err) == (2, True)
    assert path.read_text() == before


BAD_DOCUMENTS: dict[str, tuple[bytes | None, str, str]] = {
    "missing": (None, "it is missing", "Paths in the list start from workspace/text"),
    "latin-1": (
        "una\ncanción".encode("latin-1"),
        "bytes that are not UTF-8 in line 2",
        "Name its encoding, --encoding NAME (such as cp1251 or shift_jis), or save it as UTF-8.",
    ),
    "utf-16": (
        "canción".encode("utf-16-le"),
        "NUL bytes in line 1, as in UTF-16 (little end first) without a byte-order mark",
        "--encoding utf-16-le",
    ),
    "no text": (b"\x01\0\0\xff\x07" * 9, "NUL bytes in line 1", "Look whether it is text"),
    "a PDF": (b"%PDF-1.7\n...", "a PDF document", "pdftotext workspace/text/"),
    "Word": (zipped("word/document.xml", "mimetype"), "a Word document", "Save it as plain text"),
    "a zip of two": (zipped("a.txt", "b.txt"), "a zip archive of 2 files (a.txt, b.txt)", "unzip"),
    "cut gzip": (gzip.compress(b"canto " * 999)[:-9], "damaged gzip data", "Copy or compress"),
    "huge": (b"la " * 1000, "3.0 kB, more than 2.0 kB", "Shorten it"),
}


@pytest.mark.parametrize("what", BAD_DOCUMENTS)
def test_a_document_that_cannot_be_read_is_left_out_and_listed(
    what: str, run: Run, songs: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, reason, hint = BAD_DOCUMENTS[what]
    monkeypatch.setattr("tartarus_cli.extraction.corpus.MAX_BYTES", 2000)
    for name in ("train-5", "test-11"):
        path = songs.root / "text" / f"{name}.txt"
        path.unlink() if content is None else path.write_bytes(content)
    shown = run("vsm", "--json")
    assert shown.status == 0
    assert shown.document["failures"].keys() == {"train-5", "test-11"}
    assert all(why.startswith(reason) for why in shown.document["failures"].values())
    assert "2 documents cannot be read: no word, a row of zeros (test-11: " in shown.err
    assert hint in shown.err
    listed = (songs.root / "data" / "index" / "errors_text_one.tsv").read_text().splitlines()
    assert [line.split("\t")[:2] for line in listed] == [
        ["test-11", "test-11.txt"],
        ["train-5", "train-5.txt"],
    ]
    assert all(reason in line for line in listed)
    for split, zeros in (("train", [5]), ("test", [11])):
        rows = load_npz(songs.features / f"X_{split}_vsm_one.npz").toarray()
        assert np.flatnonzero(~rows.any(axis=1)).tolist() == zeros
    if content is not None:
        for name in ("train-5", "test-11"):
            (songs.root / "text" / f"{name}.txt").write_text("word1 word2")
        assert run("vsm", "--json").document["failures"] == {}
        assert not (songs.root / "data" / "index" / "errors_text_one.tsv").exists()


@pytest.mark.parametrize(
    "pack",
    [
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode("utf-32"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: gzip.compress(text.encode()),
        lambda text: bz2.compress(text.encode("utf-16")),
        lambda text: lzma.compress(text.encode()),
        lambda text: zipped("a.txt", "__MACOSX/._a.txt", content=text.encode()),
    ],
)
def test_what_shows_its_compression_and_encoding_is_read_as_it_is(
    pack: Callable[[str], bytes], run: Run, songs: World
) -> None:
    run("vsm")
    before = made(songs)
    for path in (songs.root / "text").iterdir():
        path.write_bytes(pack(path.read_text()))
    assert "cannot be read" not in run("vsm").err
    assert made(songs) == before


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le"])
def test_documents_of_an_encoding_that_is_named_are_read(
    encoding: str, run: Run, songs: World
) -> None:
    text = songs.root / "text" / "train-0.txt"
    text.write_text("canción")
    run("vsm")
    before = made(songs)
    assert b"canci\xc3\xb3n" in before["vsm_one.vocabulary.json"]
    for path in (songs.root / "text").iterdir():
        path.write_bytes(path.read_text().encode(encoding))
    text.write_bytes("canción".encode("utf-8-sig"))  # a mark counts more
    assert run("vsm", "--encoding", encoding).status == 0
    assert made(songs) == before
    (songs.root / "text" / "train-1.txt").write_text("canción")  # as is what is UTF-8
    if encoding != "utf-16-le":
        run("vsm", "--encoding", encoding)
        vocabulary = (songs.features / "vsm_one.vocabulary.json").read_text()
        assert "canción" in vocabulary
        assert "canciã" not in vocabulary
    refused = run("vsm", "--encoding", "latin-11")
    assert (refused.status, "Did you mean latin-1?" in refused.err) == (2, True)


@pytest.mark.parametrize(("name", "parameter"), [("vsm", "words"), ("w2v", "length")])
def test_how_many_words_are_read_is_shown_and_can_be_chosen(
    name: str, parameter: str, run: Run, songs: World
) -> None:
    words = () if name == "vsm" else QUICK[:4]
    shown = run(name, *words)
    default = EXTRACTORS.get(name).options().model_dump()[parameter]
    assert f"The first {default} words of each document are read (--words); 0 are" in shown.out
    shown = run(name, *words, "--words", 7)
    assert "The first 7 words of each document are read (--words); 62 are longer." in shown.out
    vocabulary = read_vocabulary(songs.features / f"{name}_one.vocabulary.json")
    assert vocabulary.options.model_dump()[parameter] == 7
    long = ["word1 " * 7 + "word2", "word1 " * 7 + "word3"]
    rows = vocabulary.transform(long).rows
    dense = rows.toarray() if isinstance(rows, csr_array) else rows
    assert np.array_equal(dense[0], dense[1])
    refused = run(name, "--words", 7, "--set", f"{parameter}=8")
    assert (refused.status, "say the same" in refused.err) == (2, True)


def test_damaged_vectors_are_an_error_that_names_the_file(
    run: Run, songs: World, tmp_path: Path
) -> None:
    (tmp_path / "vectors.txt").write_text("3 2\nword1 1 2\n")
    before = made(songs)
    refused = run("w2v", "--vectors", "vectors.txt")
    assert refused.status == 1
    assert "vectors.txt: cut short after 1 words; expected 3 words" in refused.err
    assert made(songs) == before


def test_a_setting_is_made_again_but_never_in_another_form(run: Run, songs: World) -> None:
    assert run("vsm", "--setting", "bow").status == 0
    before = made(songs)
    assert run("vsm", "--setting", "bow", "--set", "terms=9").status == 0
    assert made(songs) != before
    again = made(songs)
    refused = run("w2v", "--setting", "bow", *QUICK)
    assert (refused.status, "made in another way" in refused.err) == (2, True)
    assert made(songs) == again


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_a_failure_in_the_middle_leaves_the_old_files_as_they_were(
    name: str, run: Run, songs: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(name)
    before = made(songs)
    vocabulary = EXTRACTORS.get(name).vocabulary
    whole: Any = vocabulary.transform_tokens
    calls = 0

    def failing(self: Any, texts: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == len(SPLITS):
            raise DataError("the disk is full", hint="Make room.")  # noqa: EM101, TRY003
        return whole(self, texts)

    monkeypatch.setattr(vocabulary, "transform_tokens", failing)
    (songs.root / "text" / "train-0.txt").write_text("something else, something else")
    assert run(name).status == 1
    assert calls == len(SPLITS)
    assert made(songs) == before


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_a_command_killed_between_two_files_can_be_given_again(
    name: str, run: Run, songs: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (name, *QUICK) if name == "w2v" else (name,)
    others = made(songs)
    assert run(*words).status == 0
    whole = made(songs)
    for renames in range(len(whole) - len(others)):
        for each in {*whole} - {*others}:
            (songs.features / each).unlink()
        with killed_after(renames, monkeypatch):
            run(*words)
        assert len(made(songs)) == len(whole)  # those that are left have another name
        assert run(*words).status == 0
        assert made(songs) == whole


def test_two_commands_never_make_the_same_setting_at_once(run: Run, songs: World) -> None:
    with locked(songs.features / ".making_vsm_one.vocabulary.json.lock"):
        before = made(songs)
        refused = run("vsm")
        assert (refused.status, "already" in refused.err) == (2, True)
        assert made(songs) == before
        assert run("vsm", "--setting", "bow").status == 0
    assert run("vsm").status == 0


def test_help_names_the_parameters_of_each_extractor(tartarus: Command) -> None:
    told = re.sub(r"[│\s]+", " ", tartarus("text", "--help").out)
    for name in EXTRACTORS.names():
        found = re.search(rf"\b{name}: (\w+(, \w+)*)[;.] ", told[told.index("Override") :])
        assert found
        assert {*found[1].split(", ")} == {*EXTRACTORS.get(name).options.model_fields}


def test_documents_are_transformed_some_at_a_time(
    run: Run, songs: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("vsm")
    run("w2v", *QUICK)
    before = made(songs)
    monkeypatch.setattr("tartarus_cli.extraction.documents.BLOCK", 3)
    sizes: list[int] = []
    whole = TermVocabulary.transform_tokens

    def counting(self: TermVocabulary, documents: Sequence[Tokens]) -> DocumentRows:
        sizes.append(len(documents))
        return whole(self, documents)

    monkeypatch.setattr(TermVocabulary, "transform_tokens", counting)
    run("vsm")
    run("w2v", *QUICK)
    assert max(sizes) == 3
    assert made(songs) == before


@pytest.mark.parametrize("name", EXTRACTORS.names())
@pytest.mark.parametrize("most", [0, 100])
def test_documents_are_opened_once_unless_there_are_too_many_to_be_held(
    name: str, most: int, run: Run, songs: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (name, *QUICK) if name == "w2v" else (name,)
    run(*words)
    before = made(songs)
    opened: list[Path] = []

    def counting(path: Path, encoding: str | None = None) -> str:
        opened.append(path)
        return read_document(path, encoding)

    for module in ("corpus", "prepared_documents"):
        monkeypatch.setattr(f"tartarus_cli.extraction.{module}.read_document", counting)
    run(*words)
    assert len(opened) == len({*opened}) > 0
    opened.clear()
    monkeypatch.setattr("tartarus_cli.extraction.held_tokens.MAX_TOKENS", most)
    run(*words)
    assert len(opened) > 2 * len({*opened})
    assert made(songs) == before


def test_the_list_may_be_made_on_windows_or_on_a_mac(run: Run, songs: World) -> None:
    run("vsm")
    before = made(songs)
    folder = songs.root / "text" / "sub" / "é"
    folder.mkdir(parents=True)
    for path in (songs.root / "text").glob("*.txt"):
        path.rename(folder / path.name)
    lines = (songs.root / LIST).read_text().splitlines()
    windows = (line.replace("\t", "\tsub\\é\\") + "\r\n" for line in lines)
    (songs.root / LIST).write_bytes("".join(windows).encode("utf-16"))
    shown = run("vsm")
    assert "is in UTF-16, and is read so; save it as UTF-8" in shown.err
    assert made(songs) == before
    (folder / "a\\b.txt").write_text("la la")  # where a name has a backslash, it is that of a file
    (songs.root / LIST).write_text("train-0\tsub/é/a\\b.txt\ntrain-1\tsub/é/train-1.txt\n")
    assert "cannot be read" not in run("vsm").err


@pytest.mark.parametrize("listed", [True, False])
def test_documents_of_items_in_another_unicode_form_are_theirs(
    listed: bool,  # noqa: FBT001
    tartarus: Command,
    songs: World,
) -> None:
    for split in SPLITS:
        path = songs.root / "data" / "datasets" / f"items_index_{split}_one.tsv"
        path.write_text(path.read_text().replace("-", "-\u00e9"))
    folder = songs.root / "decomposed"
    folder.mkdir()
    lines = []
    for path in (songs.root / "text").iterdir():
        name = path.name.replace("-", "-e\u0301")
        (folder / name).write_text(path.read_text())
        lines.append(f"{Path(name).stem}\t../decomposed/{name}\n")
    words: tuple[object, ...] = ("--text", folder)
    if listed:
        (songs.root / "data" / "index").mkdir()
        (songs.root / LIST).write_text("".join(lines))
        words = ()
    shown = tartarus("text", "one", "vsm", *words, "-w", songs.root)
    assert shown.status == 0
    assert ("62 ids are written in another Unicode form" in shown.err) == listed
    for split in SPLITS:
        rows = load_npz(songs.features / f"X_{split}_vsm_one.npz")
        assert np.diff(rows.indptr).all()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_document_that_may_not_be_read_is_named(run: Run, songs: World) -> None:
    (songs.root / "text" / "train-0.txt").chmod(0)
    shown = run("vsm")
    assert (shown.status, "train-0: it cannot be read" in shown.err) == (0, True)


# ---------------------------------------------------------------------------- check-data on it

MISMATCHES: dict[str, tuple[str, Callable[[World], object], str, str]] = {
    "no JSON": (
        "vsm_one.vocabulary.json",
        lambda world: (world.features / "vsm_one.vocabulary.json").write_text("{"),
        "Expecting property name",
        "a vocabulary as tartarus text writes it",
    ),
    "no vocabulary": (
        "vsm_one.vocabulary.json",
        lambda world: (world.features / "vsm_one.vocabulary.json").write_text("[]"),
        "not a vocabulary of",
        "a vocabulary",
    ),
    "nested without end": (
        "vsm_one.vocabulary.json",
        lambda world: (world.features / "vsm_one.vocabulary.json").write_text("[" * 200_000),
        "recursion",
        "a vocabulary",
    ),
    "rows of another width": (
        "X_test_w2v_one.npy",
        lambda world: np.save(world.features / "X_test_w2v_one.npy", np.ones((12, 19), np.int32)),
        "19 columns",
        "20, as w2v_one.vocabulary.json says",
    ),
    "a number of no word": (
        "X_test_w2v_one.npy",
        lambda world: np.save(world.features / "X_test_w2v_one.npy", np.full((12, 20), 9999)),
        "numbers of words from 9999 to 9999",
        "0 to 62",
    ),
    "too few word vectors": (
        "embedding_w2v_one.npy",
        lambda world: np.save(world.features / "embedding_w2v_one.npy", np.eye(7)),
        "7 rows",
        "63, as w2v_one.vocabulary.json says",
    ),
}


@pytest.mark.parametrize("what", MISMATCHES)
def test_check_data_finds_a_vocabulary_that_does_not_fit(
    what: str, run: Run, tartarus: Command, songs: World
) -> None:
    run("vsm")
    run("w2v", *QUICK)
    assert tartarus("check-data", "one", "-w", songs.root).status == 0
    name, act, found, expected = MISMATCHES[what]
    act(songs)
    told = tartarus("check-data", "one", "-w", songs.root, "--json")
    assert told.status == 1
    assert any(
        problem["file"].endswith(name)
        and found in problem["found"]
        and expected in problem["expected"]
        for problem in told.document["problems"]
        if problem["severity"] == "error"
    )


@pytest.mark.parametrize("extractor", ["vsm", "w2v"])
def test_items_without_a_document_may_lack_the_setting(
    extractor: str, run: Run, songs: World
) -> None:
    """One has no document on the list, one cannot be read, and one has no words."""
    for name, content in (("train-3", None), ("test-0", None), ("test-1", b"\xff"), ("val-2", b"")):
        path = songs.root / "text" / f"{name}.txt"
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    words = (extractor, *(QUICK if extractor == "w2v" else ()))
    zeros = run(*words)
    assert (zeros.status, "no word, a row of zeros" in zeros.err) == (0, True)
    assert not [*songs.features.glob("mask_*")]
    before = made(songs)
    done = run(*words, "--missing", "absent")
    assert (done.status, "they lack the setting" in done.err) == (0, True)
    assert "absent: 1 of 40 train items, 2 of 12 test items" in done.out
    masks = {path.name: np.load(path) for path in songs.features.glob("mask_*")}
    assert {name: np.flatnonzero(~mask).tolist() for name, mask in masks.items()} == {
        f"mask_train_{extractor}_one.npy": [3],
        f"mask_test_{extractor}_one.npy": [0, 1],
    }
    assert {n: c for n, c in made(songs).items() if n not in masks} == before
    assert run(*words).status == 0
    assert made(songs) == before
