"""Shards of ``text``: documents read on any machine, joined to the files of one machine."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tartarus_cli.cli.app import app
from tartarus_cli.extraction import corpus, prepared_documents
from tartarus_cli.files import locked, locked_together
from tartarus_cli.registry import CODE_PREFIX, forget_unloaded
from tests.worlds import World

SPLITS = {"train": 6, "val": 2, "test": 3}
LOCK = ".making_vsm_songs.vocabulary.json.lock"
OWN = """
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from tartarus_cli.text import (
    DocumentRows, ExtractorOptions, FittedVocabulary, TrainingTexts, Vocabulary, extractor
)


class Lengths(Vocabulary):
    form: ClassVar = "dense"
    extractor: Literal["lengths"] = "lengths"

    @property
    def size(self) -> int:
        return 1

    @property
    def width(self) -> int:
        return 1

    def transform(self, texts: Sequence[str]) -> DocumentRows:
        rows = np.array([[len(text)] for text in texts], np.float32)
        return DocumentRows(rows, np.ones(len(texts)))


@extractor("lengths", options=ExtractorOptions, vocabulary=Lengths)
def fit(train: TrainingTexts, options: ExtractorOptions) -> FittedVocabulary:
    return FittedVocabulary(Lengths(options=options, documents=len([*train.texts])))
"""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few documents fill several blocks."""
    monkeypatch.setattr(prepared_documents, "BLOCK", 2)


@pytest.fixture
def own_code(tmp_path: Path) -> Iterator[Path]:
    """Write an extractor that reads whole texts; what was run of it is forgotten."""
    path = tmp_path / "own.py"
    path.write_text(OWN)
    yield path
    for name in [name for name in sys.modules if name.startswith(f"{CODE_PREFIX}own_")]:
        del sys.modules[name]
    forget_unloaded()


def songs(root: Path) -> World:
    """Return a workspace whose items have documents, but for one that has none and two bad ones."""
    world = World(root)
    world.ids("songs", SPLITS)
    folder = root / "text"
    folder.mkdir(parents=True)
    items = [f"{split}-{n}" for split, count in SPLITS.items() for n in range(count)]
    for number, item in enumerate(items):
        words = " ".join(f"word{(number * k) % 7} and{k}" for k in range(number + 1))
        (folder / f"{item}.txt").write_text(f"Don't stop, {words}!", encoding="utf-8")
    (folder / f"{items[1]}.txt").write_bytes(b"caf\xe9")
    (folder / f"{items[2]}.txt").write_text(" \n")
    (folder / f"{items[-1]}.txt").unlink()
    return world


def run(world: World, *more: object, status: int = 0) -> Any:
    """Run the real command in this process; return what it said as JSON."""
    words = ["text", "songs", *more, "-w", world.root, "--text", world.root / "text", "--json"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout) if status == 0 else result.stderr


def files(world: World) -> dict[str, bytes]:
    """Return all files of the workspace but locks."""
    paths = (path for path in (world.root / "data").rglob("*") if path.is_file())
    return {
        str(path.relative_to(world.root)): path.read_bytes()
        for path in paths
        if path.suffix != ".lock"
    }


@pytest.mark.parametrize(
    "words",
    [
        ("vsm", "--words", "7"),
        ("vsm", "--set", "unit=character"),
        ("w2v", "--set", "dim=4", "--words", "5"),
        ("lengths", "--missing", "absent"),
    ],
    ids=" ".join,
)
def test_shards_joined_are_the_files_of_one_machine_byte_for_byte(
    words: Sequence[str], tmp_path: Path, own_code: Path
) -> None:
    alone, divided = songs(tmp_path / "alone"), songs(tmp_path / "divided")
    if words[0] == "lengths":
        words = [*words, "--code", str(own_code)]
    said = run(alone, *words)
    done = [run(divided, *words, "--shard", f"{n}/2") for n in (2, 1)]
    assert [each["documents"] for each in done] == [4, 6]
    assert [[*each["failed"]] for each in done] == [[], ["train-1"]]
    assert [each["left"] for each in done] == [[1], []]
    joined = run(divided, *words)

    assert joined == said
    assert files(divided) == files(alone)


def test_a_document_is_not_read_again_once_a_shard_did_unless_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, read = songs(tmp_path), list[str]()
    for n in (1, 2):
        run(world, "vsm", "--shard", f"{n}/2")

    original = corpus.read_document

    def reading(path: Path, encoding: str | None = None) -> str:
        read.append(path.stem)
        return original(path, encoding)

    monkeypatch.setattr(prepared_documents, "read_document", reading)
    monkeypatch.setattr(corpus, "read_document", reading)
    (tmp_path / "text" / "val-0.txt").write_text("something else")
    run(world, "vsm")
    assert read == ["val-0", "val-1"]


def test_shards_run_side_by_side_but_not_beside_the_command_that_joins(tmp_path: Path) -> None:
    world = songs(tmp_path)
    folder = world.root / "data" / "datasets" / "train_data"
    with locked_together(folder / LOCK):
        assert run(world, "vsm", "--shard", "1/8")["documents"] == 2
        assert "another command is doing this work already" in run(world, "vsm", status=2)
    with locked(folder / LOCK):
        message = run(world, "vsm", "--shard", "2/8", status=2)
    assert "another command is doing this work already" in message


def test_damaged_results_of_a_shard_are_made_again(tmp_path: Path) -> None:
    alone, divided = songs(tmp_path / "alone"), songs(tmp_path / "divided")
    run(alone, "vsm")
    run(divided, "vsm", "--shard", "1/1")
    for number, path in enumerate(sorted(divided.root.rglob(".making_*/*.json"))):
        content = path.read_bytes()
        path.write_bytes([b"", content[:-1], b'{"documents": []}'][number % 3])
    run(divided, "vsm")
    assert files(divided) == files(alone)


def test_records_of_other_documents_or_parameters_do_not_count(tmp_path: Path) -> None:
    world = songs(tmp_path)
    assert run(world, "vsm", "--shard", "1/3")["done"] == [1]
    assert run(world, "vsm", "--shard", "2/3")["done"] == [1, 2]
    assert run(world, "vsm", "--shard", "3/3", "--words", "5")["done"] == [3]
    (tmp_path / "text" / "val-0.txt").write_text("something else")
    assert run(world, "vsm", "--shard", "2/3")["done"] == [2]
