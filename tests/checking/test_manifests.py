"""``check-data`` compares what manifests say with the files that are there now."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from scipy.sparse import load_npz, save_npz

from tests.conftest import Command
from tests.test_no_leak import Chain, begun

Act = Callable[[Chain], object]
Change = Callable[[Any], object]

FACTORS, PMI = "datasets/factors_als_4_mine.json", "datasets/factors_pmi_2_genres.json"
TAGS = "datasets/train_data/tags_mine.features.json"
SOUNDS = "datasets/train_data/sounds_mine.features.json"
SPLIT, GENRES = "datasets/split_mine.json", "datasets/split_genres.json"
PLAYS = "datasets/matrix_{}_mine.npz".format
IDS = "datasets/items_index_{}_mine.tsv".format
X = "datasets/train_data/X_{}_{}_mine.{}".format
ALS = "datasets/item_factors_{}als_4_mine.npy".format
USERS = "datasets/users_index_mine.tsv"


def document(name: str, change: Change) -> Act:
    """Change a JSON document; what comes back, if anything, stands in its place."""

    def act(chain: Chain) -> None:
        path = chain.data / name
        said = json.loads(path.read_text("utf-8"))
        changed = change(said)
        path.write_text(json.dumps(said if changed is None else changed), "utf-8")

    return act


def entry(name: str, *keys: str, value: object) -> Act:
    """Change one value of a JSON document."""

    def change(said: Any) -> None:
        for key in keys[:-1]:
            said = said[key]
        said[keys[-1]] = value

    return document(name, change)


def raw(name: str, content: bytes) -> Act:
    return lambda chain: (chain.data / name).write_bytes(content)


def gone(*names: str) -> Act:
    def act(chain: Chain) -> None:
        for name in names:
            (chain.data / name).unlink()

    return act


def renamed(name: str, to: str) -> Act:
    return lambda chain: (chain.data / name).rename(chain.data / to)


def sparse(name: str, change: Change) -> Act:
    def act(chain: Chain) -> None:
        save_npz(chain.data / name, change(load_npz(chain.data / name)))

    return act


def dense(name: str, change: Change) -> Act:
    def act(chain: Chain) -> None:
        np.save(chain.data / name, np.asarray(change(np.load(chain.data / name))))

    return act


def lines(name: str, change: Callable[[list[str]], list[str]]) -> Act:
    def act(chain: Chain) -> None:
        path = chain.data / name
        changed = change(path.read_text("utf-8").split("\n")[:-1])
        path.write_text("".join(f"{line}\n" for line in changed), "utf-8")

    return act


def longer_table(chain: Chain) -> None:
    with (chain.tables / "plays.csv").open("a") as table:
        table.write("u1,007,3\n")


def table_of_the_same_size(chain: Chain) -> None:
    path = chain.tables / "plays.csv"
    path.write_bytes(path.read_bytes()[::-1])


def doubled(matrix: Any) -> Any:
    matrix.data *= 2
    return matrix


def swapped(ids: list[str]) -> list[str]:
    return [ids[1], ids[0], *ids[2:]]


def negative(matrix: Any) -> Any:
    matrix.data[:2] *= -1
    return matrix


def infinite(matrix: Any) -> Any:
    matrix.data = matrix.data.astype(float)
    matrix.data[0] = np.inf
    return matrix


TABLE: dict[str, tuple[Act, str, str, str, str]] = {
    # what is done: how, then severity, file, found, expected
    "train plays were changed": (sparse(PLAYS("train"), doubled), "warning", FACTORS,
        "made from another matrix_train_mine.npz", "what is there now"),
    "test plays were changed": (sparse(PLAYS("test"), doubled), "warning", FACTORS,
        "made from another matrix_test_mine.npz", ""),
    "val plays are gone": (gone(PLAYS("val")), "warning", FACTORS,
        "made from matrix_val_mine.npz, no longer there", ""),
    "train factors were changed": (dense(ALS(""), lambda a: 2 * a), "warning", ALS(""),
        "changed since it was made", "what factors_als_4_mine.json speaks of"),
    "test factors are gone": (gone(ALS("test_")), "warning", FACTORS,
        "item_factors_test_als_4_mine.npy of it no longer there", ""),
    "an item less": (lines(IDS("train"), lambda a: a[1:]), "warning", FACTORS,
        "it speaks of 27 train items", "26, as there are now"),
    "no val items": (gone(IDS("val")), "warning", FACTORS,
        "it speaks of 15 val items", "none, as none are listed"),
    "val items that were not there": (document(FACTORS, lambda d: d["items"].pop("val") and None),
        "warning", FACTORS, "it speaks of no val items", "15, as there are now"),
    "a user less": (lines(USERS, lambda a: a[1:]), "warning", FACTORS,
        "it speaks of 24 users", "23, as there are now"),
    "a label more": (entry(PMI, "columns", value=4), "warning", PMI, "it speaks of 4 labels", "3"),
    "factors of another dataset": (entry(FACTORS, "recipe", "dataset", value="yours"), "warning",
        FACTORS, "it speaks of dataset yours", "mine, its name"),
    "factors of another method": (entry(FACTORS, "recipe", "method", value="pmi"), "warning",
        FACTORS, "it speaks of fact pmi", "als, its name"),
    "another number of factors": (renamed(FACTORS, "datasets/factors_als_9_mine.json"), "warning",
        "datasets/factors_als_9_mine.json", "it speaks of dim 4", "9, its name"),
    "half a manifest of factors": (raw(FACTORS, b'{"recipe": {"dataset'), "error", FACTORS,
        "EOF", "as tartarus factorize writes it"),
    "a list for a manifest of factors": (document(FACTORS, lambda _: [1]), "error", FACTORS, "",
        "as tartarus factorize writes it"),
    "a manifest of factors that is not UTF-8": (raw(FACTORS, b"\xff\xfa"), "error", FACTORS,
        "not UTF-8", ""),
    "nothing in a manifest of factors": (raw(FACTORS, b""), "error", FACTORS, "", "factorize"),

    "a column less": (dense(X("test", "sounds", "npy"), lambda a: a[:, 1:]), "warning",
        X("test", "sounds", "npy"), "4 columns", "5, as sounds_mine.features.json says"),
    "another form": (entry(SOUNDS, "form", value="sparse"), "warning", X("val", "sounds", "npy"),
        "a dense matrix", "a sparse one, as sounds_mine.features.json says"),
    "the same train items in another order": (lines(IDS("train"), swapped), "warning", SOUNDS,
        "its rows are of other train items", "those that are listed now"),
    "tags of other val items": (lines(IDS("val"), swapped), "warning", TAGS,
        "its rows are of other val items", ""),
    "features of an item less": (lines(IDS("test"), lambda a: a[1:]), "warning", TAGS,
        "it speaks of 18 test items", "17, as there are now"),
    "no rows of a setting": (gone(*(X(s, "sounds", "npy") for s in ("train", "val", "test"))),
        "warning", SOUNDS, "there are no rows of this setting", ""),
    "a tag less": (document(TAGS, lambda d: d["tags"].pop() and None), "error", TAGS,
        "8 tags and 9 weights", "9 of each"),
    "half an origin": (raw(TAGS, b'{"form": "spa'), "error", TAGS, "EOF",
        "what tartarus features writes"),
    "an origin without its width": (document(TAGS, lambda d: d.pop("width") and None), "error",
        TAGS, "width: Field required", ""),
    "an origin nested beyond all bounds": (raw(TAGS, b"[" * 100_000), "error", TAGS, "", ""),

    "a split of more items": (entry(SPLIT, "sets", "test", "items", value=19), "warning", SPLIT,
        "it speaks of 19 test items", "18"),
    "a set that is not there": (gone(IDS("val")), "warning", SPLIT, "it speaks of 15 val items",
        "none"),
    "a split of more users": (entry(SPLIT, "users", value=25), "warning", SPLIT,
        "it speaks of 25 users", "24"),
    "a split of more labels": (entry(GENRES, "labels", value=4), "warning", GENRES,
        "it speaks of 4 labels", "3"),
    "plays left out": (sparse(PLAYS("val"), lambda m: m.multiply(m > 1).tocsr()), "warning", SPLIT,
        "pairs of val", "as there are now"),
    "a split of another dataset": (entry(SPLIT, "dataset", value="yours"), "warning", SPLIT,
        "it speaks of dataset yours", "mine"),
    "a longer table": (longer_table, "note", SPLIT, "made from another plays.csv", ""),
    "another table of the same size": (table_of_the_same_size, "note", SPLIT,
        "made from another plays.csv", ""),
    "no table": (document(SPLIT, lambda d: d.pop("sets") and None), "error", SPLIT,
        "sets: Field required", "what tartarus split writes"),
    "half a manifest of sets": (raw(SPLIT, b'{"dataset": "mi'), "error", SPLIT, "EOF", ""),

    "swapped val plays": (sparse(PLAYS("val"), lambda m: m.T.tocsr()), "error", PLAYS("val"),
        "24 × 15 (it looks transposed)", "15 × 24 (val items × users)"),
    "val plays of fewer items": (sparse(PLAYS("val"), lambda m: m[1:]), "error", PLAYS("val"),
        "14 × 24", "15 × 24 (val items × users)"),
    "val plays of fewer users": (sparse(PLAYS("val"), lambda m: m[:, 1:]), "error", PLAYS("val"),
        "15 × 23", "15 × 24"),
    "infinite val plays": (sparse(PLAYS("val"), infinite), "error", PLAYS("val"),
        "1 values are NaN or infinite", ""),
    "negative val plays": (sparse(PLAYS("val"), negative), "warning", PLAYS("val"),
        "2 values are below 0", "numbers of plays"),
    "negative test plays": (sparse(PLAYS("test"), negative), "warning", PLAYS("test"),
        "2 values are below 0", "numbers of plays"),
    "val plays in COO format": (sparse(PLAYS("val"), lambda m: m.tocoo()), "error", PLAYS("val"),
        "", ""),
    "damaged val plays": (raw(PLAYS("val"), b"PK"), "error", PLAYS("val"), "", ""),
    "val plays without val ids": (gone(IDS("val")), "warning", PLAYS("val"),
        "val rows, but there are no val ids", ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    chain = begun(tmp_path_factory.mktemp("manifests") / "workspace")
    tables = chain.tables
    chain.run("factorize", "mine", "als", "--dim", 4, "--alpha", 2, "--seed", 3)
    chain.run("factorize", "genres", "pmi", "--dim", 2)
    more = ("--tags", "--missing", "zero")
    chain.run("features", "mine", "tags", "--from", tables / "tags.tsv", *more)
    chain.run("features", "mine", "sounds", "--from", tables / "sounds.csv", "--scale")
    return chain


@pytest.fixture
def made(_made: Chain, tmp_path: Path) -> Chain:
    """Return a workspace in which sets, factors and features were made by the commands."""
    root = Path(copytree(_made.root, tmp_path / "workspace"))
    for name in ("mine", "genres"):
        path = root / "data" / "datasets" / f"split_{name}.json"
        told = path.read_text("utf-8").replace(str(_made.root), str(root))
        path.write_text(told, "utf-8")
    return Chain(root)


def problems(tartarus: Command, chain: Chain) -> list[dict[str, str]]:
    """Return what the check tells of manifests and of plays."""
    found: list[dict[str, str]] = tartarus("check-data", "-w", chain.root, "--json").document[
        "problems"
    ]
    return found


def test_what_the_commands_made_is_as_their_manifests_say(tartarus: Command, made: Chain) -> None:
    told = problems(tartarus, made)
    assert not [p for p in told if p["severity"] == "error"]
    assert not [p for p in told if p["file"].endswith(".json")]


@pytest.mark.parametrize("what", TABLE)
def test_what_is_out_of_step_is_told(what: str, tartarus: Command, made: Chain) -> None:
    act, severity, file, found, expected = TABLE[what]
    act(made)
    told = [p for p in problems(tartarus, made) if p["file"].endswith(f"data/{file}")]
    kinds = [p for p in told if p["severity"] == severity]
    assert any(found in p["found"] and expected in p["expected"] for p in kinds), told
    assert all(p["hint"] for p in told)


def test_other_sets_of_the_same_size_are_told_once_of_each(tartarus: Command, made: Chain) -> None:
    for split in ("train", "val", "test"):
        lines(IDS(split), swapped)(made)
        sparse(PLAYS(split), doubled)(made)
    told = {p["file"]: p["found"] for p in problems(tartarus, made) if p["file"].endswith("json")}
    names = ", ".join(f"matrix_{split}_mine.npz" for split in ("train", "val", "test"))
    assert told == {
        f"data/{FACTORS}": f"made from another {names}",
        f"data/{TAGS}": "its rows are of other train, val, test items",
        f"data/{SOUNDS}": "its rows are of other train, val, test items",
    }


def test_the_hint_is_the_command_that_made_the_factors(tartarus: Command, made: Chain) -> None:
    sparse(PLAYS("train"), doubled)(made)
    hints = {p["hint"] for p in problems(tartarus, made) if p["file"].endswith(FACTORS)}
    command = "tartarus factorize mine als --dim 4 --alpha 2.0 --seed 3 --force"
    command += f" --workspace {made.root}"
    assert hints == {f"Factorize again: {command}"}
    assert tartarus(*command.split()[1:]).status == 0
    told = [p for p in problems(tartarus, made) if p["file"].endswith(FACTORS)]
    assert told == []


def test_a_manifest_cannot_make_the_check_read_files_of_elsewhere(
    tartarus: Command, made: Chain
) -> None:
    pipe = {"../../../../../../../../dev/zero": "0" * 32}
    entry(FACTORS, "recipe", "inputs", value=pipe)(made)
    entry(FACTORS, "outputs", value=pipe)(made)
    entry(SPLIT, "read", value=[{"file": "/dev/zero", "bytes": 0, "blake2b": ""}])(made)
    told = [p["found"] for p in problems(tartarus, made) if p["file"].endswith(".json")]
    assert told == ["made from zero, no longer there", "zero of it no longer there"]


def test_an_origin_of_before_the_lists_were_kept_is_read(tartarus: Command, made: Chain) -> None:
    document(TAGS, lambda said: said.pop("sets") and None)(made)
    lines(IDS("train"), swapped)(made)
    assert not [p for p in problems(tartarus, made) if p["file"].endswith(TAGS)]


def test_a_run_says_that_there_is_a_warning(tartarus: Command, made: Chain) -> None:
    sparse(PLAYS("train"), doubled)(made)
    more = ("--set", "network.hidden=[4]", "--set", "training.epochs=1", "--dataset", "mine")
    done = tartarus("train", "rec_dense", "sounds", *more, "-w", made.root)
    assert done.status == 0
    assert "1 warning about the data; to see it: tartarus check-data mine" in done.err
