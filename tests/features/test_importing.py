"""``tartarus features``: a table or a matrix in, a setting out; nothing half written, no leak."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, load_npz, save_npz
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import StandardScaler

from tartarus_cli.features.dense import prepare_numbers
from tartarus_cli.features.tags import prepare_tags
from tartarus_cli.files import locked
from tests.conftest import Command, Outcome
from tests.kills import killed_after
from tests.processes import ENOUGH_S, started, waited
from tests.worlds import SPLITS, World

IDS = {split: [f"{split}-{n}" for n in range(count)] for split, count in SPLITS.items()}
EVERYONE = [each for ids in IDS.values() for each in ids]
Run = Callable[..., Outcome]


@pytest.fixture
def run(tartarus: Command, world: World) -> Run:
    """Run the command on ``one``."""
    return lambda setting, *words: tartarus("features", "one", setting, *words, "-w", world.root)


def numbers(width: int = 5, *, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Draw a row for each item."""
    rng = np.random.default_rng(seed)
    return {each: rng.normal(3, 2, width).astype(np.float32) for each in EVERYONE}


def write(rows: Mapping[str, NDArray[Any]], name: str = "e.csv", *, turned: bool = True) -> Path:
    """Write a table with the items in an order of its own."""
    width = len(next(iter(rows.values())))
    order = sorted(rows, key=lambda each: each[::-1]) if turned else [*rows]
    text = ",".join(["id", *(f"c{n}" for n in range(width))]) + "\n"
    text += "".join(f"{each},{','.join(map(str, rows[each]))}\n" for each in order)
    path = Path(name)
    path.write_text(text)
    return path


def write_tags(tags: Mapping[str, list[str]], name: str = "tags.tsv") -> Path:
    path = Path(name)
    lines = (f"{item}\t{tag}\n" for item, some in tags.items() for tag in some)
    path.write_text("item\ttag\n" + "".join(lines))
    return path


def some_tags(seed: int = 0) -> dict[str, list[str]]:
    rng = np.random.default_rng(seed)
    words = [f"tag {n}" for n in range(12)]
    return {each: rng.choice(words, rng.integers(1, 6)).tolist() for each in EVERYONE}


def dense(world: World, setting: str, split: str) -> NDArray[np.float32]:
    path = world.features / f"X_{split}_{setting}_one.npy"
    return np.asarray(
        np.load(path) if path.exists() else load_npz(path.with_suffix(".npz")).toarray()
    )


def made(world: World) -> dict[str, bytes]:
    """Everything in the folder of the features, hidden files too, but for locks."""
    paths = (path for path in sorted(world.features.iterdir()) if path.suffix != ".lock")
    return {path.name: path.read_bytes() for path in paths}


def of(world: World, setting: str) -> dict[str, bytes]:
    return {name: content for name, content in made(world).items() if f"{setting}_one" in name}


# ---------------------------------------------------------------------------- what is written


def test_a_table_becomes_a_setting_whose_rows_stand_in_the_order_of_the_ids(
    run: Run, tartarus: Command, world: World
) -> None:
    rows = numbers() | {"stranger": np.ones(5)}
    shown = run("emb", "--from", write(rows))
    assert shown.status == 0
    names = [f"data/datasets/train_data/X_{split}_emb_one.npy" for split in SPLITS]
    names.append("data/datasets/train_data/emb_one.features.json")
    assert [line.strip() for line in shown.out.splitlines()[:4]] == names
    assert "emb is a new setting of one (train 40, val 10, test 12 items × 5, dense)" in shown.out
    last = "Next: tartarus run single-label-vector emb --dataset one"
    assert shown.out.splitlines()[-1].partition(" --workspace ")[0] == last
    assert "ids in column 'id', features in 'c0', 'c1', 'c2', … 5 in all" in shown.err
    assert "1 row is of no item ('stranger' for one): not used" in shown.err
    for split, ids in IDS.items():
        found = np.load(world.features / f"X_{split}_emb_one.npy")
        assert found.dtype == np.float32
        assert np.array_equal(found, [rows[each] for each in ids])
    told = tartarus("check-data", "one", "-w", world.root, "--json").document
    assert told["datasets"]["one"]["settings"]["emb"]["width"] == 5
    assert told["ok"]
    assert not [each for each in told["problems"] if "emb" in each["file"]]


def _npy(rows: dict[str, NDArray[np.float32]]) -> tuple[object, ...]:
    np.save("m.npy", np.array([*rows.values()]))
    Path("ids.txt").write_text("".join(f"{each}\n" for each in rows))
    return "m.npy", "--ids", "ids.txt"


def _npz(rows: dict[str, NDArray[np.float32]]) -> tuple[object, ...]:
    save_npz("m.npz", csr_array(np.array([*rows.values()])))
    Path("ids.txt").write_text("".join(f"{each}\n" for each in rows))
    return "m.npz", "--ids", "ids.txt"


def _parquet(rows: dict[str, NDArray[np.float32]]) -> tuple[object, ...]:
    vectors = pl.Series([*rows.values()], dtype=pl.List(pl.Float32))
    pl.DataFrame({"vector": vectors, "key": [*rows]}).write_parquet("m.parquet")
    return "m.parquet", "--id", "key"


@pytest.mark.parametrize("source", [_npy, _npz, _parquet])
def test_matrices_and_parquet_give_what_a_table_gives(
    source: Callable[[dict[str, NDArray[np.float32]]], tuple[object, ...]], run: Run, world: World
) -> None:
    rows = numbers()
    assert run("csv", "--from", write(rows)).status == 0
    shown = run("other", "--from", *source(dict(reversed(rows.items()))))
    assert shown.status == 0, shown.err
    for split in SPLITS:
        assert np.array_equal(dense(world, "other", split), dense(world, "csv", split))


def test_a_setting_of_ones_own_can_be_learnt_from(
    run: Run, tartarus: Command, world: World
) -> None:
    run("emb", "--from", write(numbers()))
    words = ("single-label-vector", "emb", "--dataset", "one", "--set", "training.epochs=1")
    shown = tartarus("run", *words, "-w", world.root, "--json")
    assert shown.document["settings"] == ["emb"]


@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_next_names_an_experiment_that_fits_the_form(
    form: str, tartarus: Command, world: World
) -> None:
    rows = {each: np.ones(3) for s in ("train", "test") for each in IDS[s]}
    shown = tartarus("features", "rec", "emb", "--from", write(rows), f"--{form}", "-w", world.root)
    blend = {"dense": "cold_audio", "sparse": "cold_sparse"}[form]
    last = f"Next: tartarus run {blend} emb --dataset rec --workspace {world.root}"
    assert shown.out.splitlines()[-1] == last


def test_json_says_what_was_made(run: Run) -> None:
    rows = numbers()
    del rows["test-3"]
    words = ("--from", write(rows), "--missing", "zero", "--json")
    told = run("emb", *words).document
    assert told["files"][0] == "data/datasets/train_data/X_train_emb_one.npy"
    said = {name: told[name] for name in ("dataset", "setting", "kind", "form", "width", "splits")}
    assert said == {
        "dataset": "one",
        "setting": "emb",
        "kind": "numbers",
        "form": "dense",
        "width": 5,
        "splits": SPLITS,
    }
    assert told["missing"] == {"train": [], "val": [], "test": ["test-3"]}


@pytest.mark.parametrize("filled", [1, 2])
def test_what_is_nearly_empty_is_written_sparse(filled: int, run: Run, world: World) -> None:
    rows = {each: np.zeros(20) for each in EVERYONE}
    for each in rows.values():
        each[:filled] = 1.5
    shown = run("emb", "--from", write(rows))
    form = "sparse" if filled == 1 else "dense"
    assert f"× 20, {form})" in shown.out
    assert (world.features / f"X_test_emb_one.{'npz' if filled == 1 else 'npy'}").exists()
    other = {"sparse": "dense", "dense": "sparse"}[form]
    assert run("asked", "--from", "e.csv", f"--{other}").status == 0
    for split in SPLITS:
        assert np.array_equal(dense(world, "asked", split), dense(world, "emb", split))
    assert (world.features / f"X_test_asked_one.{'npy' if filled == 1 else 'npz'}").exists()


def test_scaled_columns_are_those_of_scikit_learn_fitted_on_train_items(
    run: Run, world: World
) -> None:
    rows = {each: np.append(row, np.float32(0.1)) for each, row in numbers().items()}
    rows |= {each: np.append(rows[each][:-1], np.float32(0.7)) for each in IDS["test"]}
    assert run("emb", "--from", write(rows), "--scale").status == 0
    as_in_table = sorted(IDS["train"], key=lambda item: item[::-1])
    train = np.array([rows[item] for item in as_in_table], np.float64)
    scaler = StandardScaler().fit(train)
    for split, ids in IDS.items():
        expected = scaler.transform([rows[each].astype(np.float64) for each in ids])
        assert np.array_equal(dense(world, "emb", split), expected.astype(np.float32))
    kept = json.loads((world.features / "emb_one.features.json").read_text())["scale"]
    assert kept["mean"] == scaler.mean_.tolist()
    assert kept["deviation"] == scaler.scale_.tolist()


def test_train_rows_of_many_blocks_are_scaled_by_the_moments_of_all(
    tartarus: Command, tmp_path: Path
) -> None:
    count, width = 3000, 200  # 2.4 MB of 32-bit numbers, where 1 MiB is a block
    world = World(tmp_path / "large")
    world.ids("rec", {"train": count, "test": 1})
    rows = np.random.default_rng(0).normal(3, 2, (count + 1, width)).astype(np.float32)
    rows += np.linspace(0, 5, count + 1, dtype=np.float32)[:, None]  # so that blocks differ
    np.save("rows.npy", rows)
    Path("ids.txt").write_text("".join(f"train-{n}\n" for n in range(count)) + "test-0\n")
    words = ("features", "rec", "emb", "--from", "rows.npy", "--ids", "ids.txt", "--scale")
    assert tartarus(*words, "-w", world.root).status == 0
    scaler = StandardScaler().fit(rows[:-1].astype(np.float64))
    kept = json.loads((world.features / "emb_rec.features.json").read_text())["scale"]
    assert kept["mean"] == pytest.approx(scaler.mean_)
    assert kept["deviation"] == pytest.approx(scaler.scale_)
    scaled = np.load(world.features / "X_train_emb_rec.npy")
    assert scaled == pytest.approx(scaler.transform(rows[:-1].astype(np.float64)), abs=1e-5)


def test_a_file_of_many_blocks_gives_the_same_bytes(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = numbers(8) | {f"x{n}": np.ones(8) for n in range(500)}
    write(rows)
    write_tags(some_tags())
    for setting, words in (("emb", ()), ("scaled", ("--scale",)), ("thin", ("--sparse",))):
        assert run(setting, "--from", "e.csv", *words).status == 0
    assert run("tags", "--from", "tags.tsv", "--tags").status == 0
    before = made(world)
    monkeypatch.setattr("tartarus_cli.data.tables.delimited.BLOCK_BYTES", 300)
    for setting, words in (("emb", ()), ("scaled", ("--scale",)), ("thin", ("--sparse",))):
        name = f"X_train_{setting}_one"
        scaled = dense(world, setting, "train")
        assert run(setting, "--from", "e.csv", *words, "--force").status == 0
        assert np.array_equal(dense(world, setting, "train"), scaled)
        assert [each for each in made(world) if name in each] == [n for n in before if name in n]
    assert run("tags", "--from", "tags.tsv", "--tags").status == 0
    assert of(world, "tags") == {name: each for name, each in before.items() if "tags_one" in name}
    assert of(world, "emb") == {name: each for name, each in before.items() if "emb_one" in name}


# -------------------------------------------------------------------------------------- tags


def test_tags_become_tf_idf_whose_weights_are_those_of_train_items(run: Run, world: World) -> None:
    tags = some_tags()
    tags["test-0"].append("only here")
    shown = run("tags", "--from", write_tags(tags), "--tags")
    assert shown.status == 0
    assert "items in column 'item', tags in 'tag'" in shown.err
    origin = json.loads((world.features / "tags_one.features.json").read_text())
    terms = sorted({tag for each in IDS["train"] for tag in tags[each]})
    assert origin["tags"] == terms
    counts = {
        split: csr_array([[tags[each].count(term) for term in terms] for each in ids])
        for split, ids in IDS.items()
    }
    weights = TfidfTransformer().fit(counts["train"])
    assert origin["idf"] == pytest.approx(weights.idf_)
    for split in IDS:
        found = load_npz(world.features / f"X_{split}_tags_one.npz")
        assert (found.dtype, found.format) == (np.float32, "csr")
        expected = weights.transform(counts[split]).toarray()
        assert found.toarray() == pytest.approx(expected, abs=1e-6)


def test_weights_of_tags_are_added_up(run: Run, world: World) -> None:
    lines = [f"{each},rock,1\n{each},jazz,1\n" for each in EVERYONE if each != "train-0"]
    text = "item,tag,weight\ntrain-0,rock,1\ntrain-0,jazz,0.5\ntrain-0,jazz,2.5\n"
    Path("tags.csv").write_text(text + "".join(lines))
    assert run("tags", "--from", "tags.csv", "--tags").status == 0
    jazz, rock = dense(world, "tags", "train")[0]  # all items have both: their idf is the same
    assert jazz == pytest.approx(3 * rock)


def test_rare_tags_and_the_least_common_of_too_many_are_left_out(run: Run, world: World) -> None:
    tags = {each: ["a"] for each in EVERYONE}
    for each in IDS["train"][:5]:
        tags[each] = ["a", "c", "b"]
    tags["train-9"] = ["a", "rare"]
    for each in IDS["test"]:
        tags[each] = ["a", "rare"]
    shown = run("few", "--from", write_tags(tags), "--tags", "--min-items", 2)
    assert "1 of the 4 tags of train items left out (--min-items 2" in shown.err
    kept = json.loads((world.features / "few_one.features.json").read_text())["tags"]
    assert kept == ["a", "b", "c"]
    run("most", "--from", "tags.tsv", "--tags", "--max-tags", 2)
    assert json.loads((world.features / "most_one.features.json").read_text())["tags"] == ["a", "b"]


def test_items_with_unknown_tags_alone_are_told_of(run: Run, world: World) -> None:
    tags = some_tags()
    tags["test-5"] = ["never heard"]
    shown = run("tags", "--from", write_tags(tags), "--tags")
    assert "1 test item has no tag that is a column: a row of zeros" in shown.err
    assert np.flatnonzero(~dense(world, "tags", "test").any(axis=1)).tolist() == [5]


def test_no_tag_left_is_an_error(run: Run, world: World) -> None:
    before = made(world)
    refused = run("tags", "--from", write_tags(some_tags()), "--tags", "--min-items", 41)
    assert (refused.status, "of its 12 tags of train items, none is given" in refused.err) == (
        1,
        True,
    )
    assert made(world) == before


# ---------------------------------------------------------------------------- nothing leaks


@pytest.mark.parametrize(
    "words", [(), ("--scale",), ("--sparse",), ("--tags",), ("--tags", "--max-tags", 5)]
)
def test_other_rows_of_val_and_test_items_change_nothing_of_train(
    words: tuple[object, ...], run: Run, world: World
) -> None:
    if "--tags" in words:
        tags, others = some_tags(), some_tags(1)
        path = write_tags(tags)
        run("mine", "--from", path, *words)
        before = of(world, "mine")
        changed = {each: others[each] + ["new", "new"] for each in IDS["val"] + IDS["test"]}
        write_tags(tags | changed | {"stranger": ["tag 3"] * 9})
    else:
        rows = numbers()
        path = write(rows)
        run("mine", "--from", path, *words)
        before = of(world, "mine")
        write(rows | {each: np.full(5, 1e6) for each in IDS["val"] + IDS["test"]})
    assert run("mine", "--from", path, *words, "--force").status == 0
    after = of(world, "mine")
    (train,) = (name for name in before if "X_train" in name)
    (test,) = (name for name in before if "X_test" in name)
    assert after[train] == before[train]
    assert after[test] != before[test]
    origins = [json.loads(each["mine_one.features.json"]) for each in (before, after)]
    for origin in origins:
        origin.pop("digest")
    assert origins[0] == origins[1]


def test_the_form_is_decided_by_train_items(run: Run, world: World) -> None:
    rows = {each: np.append(np.zeros(19), 1) for each in EVERYONE}
    rows |= {each: np.ones(20) for each in IDS["test"]}
    assert run("emb", "--from", write(rows)).status == 0
    assert (world.features / "X_train_emb_one.npz").exists()


# ------------------------------------------------------------------------------ missing items


def test_missing_items_are_an_error_that_names_them(run: Run, world: World) -> None:
    rows = numbers()
    for each in ("train-3", "test-0", "test-7"):
        del rows[each]
    before = made(world)
    refused = run("emb", "--from", write(rows))
    assert refused.status == 1
    said = "e.csv lacks 1 of 40 train items ('train-3') and 2 of 12 test items ('test-0', 'test-7')"
    assert said in refused.err
    assert "--missing zero; --tolerate 0.17 " in refused.err
    assert made(world) == before
    assert run("emb", "--from", "e.csv", "--tolerate", 0.1).status == 1
    shown = run("emb", "--from", "e.csv", "--tolerate", 0.17)
    assert shown.status == 0
    assert "no row for 1 of 40 train items ('train-3') and 2 of 12 test items" in shown.err
    for split in SPLITS:
        zero = [n for n, each in enumerate(IDS[split]) if each not in rows]
        assert np.flatnonzero(~dense(world, "emb", split).any(axis=1)).tolist() == zero


@pytest.mark.parametrize("words", [("--scale",), ("--sparse",), ("--tags",)])
def test_missing_items_are_zeros_and_teach_nothing(
    words: tuple[str, ...], run: Run, world: World
) -> None:
    gone = {*IDS["train"][:20], *IDS["val"]}
    if "--tags" in words:
        path = write_tags({each: tags for each, tags in some_tags().items() if each not in gone})
    else:
        path = write({each: row for each, row in numbers().items() if each not in gone})
    assert run("emb", "--from", path, "--missing", "zero", *words).status == 0
    assert not dense(world, "emb", "train")[:20].any()
    assert not dense(world, "emb", "val").any()
    assert dense(world, "emb", "test").any(axis=1).all()
    origin = json.loads((world.features / "emb_one.features.json").read_text())
    if "--scale" in words:
        train = dense(world, "emb", "train")[20:]
        assert train.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-6)
    elif "--tags" in words:
        assert origin["train_items"] == 20


def test_ids_of_another_kind_are_told(run: Run) -> None:
    rows = {f"{n}.0": np.ones(2) for n in range(5)}
    refused = run("emb", "--from", write(rows), "--missing", "zero")
    assert refused.status == 1
    assert "e.csv has no train item of one; its ids look like '0.0'" in refused.err
    assert "Ids of one are such as 'train-0'" in refused.err


def test_ids_keep_their_zeros_and_signs(tartarus: Command, world: World) -> None:
    odd = {"train": ["007", "7", 'a,"b"'], "test": ["☃", "7.0"]}
    for split, ids in odd.items():
        path = world.datasets / f"items_index_{split}_odd.tsv"
        path.write_text("".join(f"{each}\n" for each in ids))
    lines = ['"a,""b""",3', "7.0,5", "7,2", "☃,4", "007,1"]
    Path("odd.csv").write_text("id,a\n" + "\n".join(lines))
    shown = tartarus("features", "odd", "emb", "--from", "odd.csv", "-w", world.root)
    assert shown.status == 0, shown.err
    assert np.load(world.features / "X_train_emb_odd.npy").ravel().tolist() == [1, 2, 3]
    assert np.load(world.features / "X_test_emb_odd.npy").ravel().tolist() == [4, 5]
    last = f"Next: tartarus run EXPERIMENT emb --dataset odd --workspace {world.root}"
    assert shown.out.splitlines()[-1] == last


# ----------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("far", [False, True])
def test_items_with_two_rows_are_an_error_that_names_both_lines(
    split: str, *, far: bool, run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    if far:
        monkeypatch.setattr("tartarus_cli.data.tables.delimited.BLOCK_BYTES", 100)
    path = write(numbers(), turned=False)
    line = 2 + EVERYONE.index(f"{split}-2")
    with path.open("a") as file:
        file.write(f"{split}-2,1,2,3,4,5\n")
    before = made(world)
    refused = run("emb", "--from", path)
    assert refused.status == 1
    assert f"e.csv: '{split}-2' in lines {line} and 64; expected one row" in refused.err
    assert made(world) == before


def test_two_rows_of_a_matrix_with_one_id_are_named_by_the_list(run: Run) -> None:
    rows = numbers()
    words = _npy(rows)
    Path("ids.txt").write_text("\n".join([*EVERYONE[:-1], "train-1"]))
    refused = run("emb", "--from", *words)
    assert "ids.txt: 'train-1' in lines 2 and 62" in refused.err


def test_a_cell_that_is_no_number_is_named_and_may_be_left_out(run: Run, world: World) -> None:
    lines = [f"{each},{n},The Song\n" for n, each in enumerate(EVERYONE)]
    Path("e.csv").write_text("id,a,its title\n" + "".join(lines))
    before = made(world)
    refused = run("emb", "--from", "e.csv")
    assert refused.status == 1
    assert "e.csv: 'The Song' in line 2, column 'its title'; expected a finite" in refused.err
    assert "--without 'its title'" in refused.err
    assert made(world) == before
    assert run("emb", "--from", "e.csv", "--without", "its title").status == 0
    assert dense(world, "emb", "train").ravel().tolist() == [*range(40)]


@pytest.mark.parametrize("name", ["id", "Item_ID", "song", "track id"])
def test_a_column_that_is_called_as_that_of_the_ids_is_taken_wherever_it_stands(
    name: str, run: Run, world: World
) -> None:
    lines = [f"{n},{each}\n" for n, each in enumerate(EVERYONE)]
    Path("e.csv").write_text(f"a,{name}\n" + "".join(lines))
    shown = run("emb", "--from", "e.csv")
    assert f"ids in column '{name}', features in 'a'" in shown.err
    assert dense(world, "emb", "train").ravel().tolist() == [*range(40)]


def test_without_such_a_column_the_ids_are_the_first_and_that_is_told(run: Run) -> None:
    Path("e.csv").write_text("key,a\n" + "".join(f"{each},1\n" for each in EVERYONE))
    shown = run("emb", "--from", "e.csv")
    assert "ids in column 'key' (the first; --id names another), features in 'a'" in shown.err
    Path("t.csv").write_text("key,a\n" + "".join(f"{each},x\n" for each in EVERYONE))
    shown = run("tags", "--from", "t.csv", "--tags")
    assert "items in column 'key' (the first; --id names another), tags in 'a'" in shown.err


def test_where_two_columns_may_hold_the_ids_it_must_be_said_which(run: Run) -> None:
    rows = "".join(f"x,{n},{each}\n" for n, each in enumerate(EVERYONE))
    Path("e.csv").write_text(f"title,track,id\n{rows}")
    refused = run("emb", "--from", "e.csv")
    assert (refused.status, "may be in the columns track, id" in refused.err) == (2, True)
    assert "--id track" in refused.err
    assert run("emb", "--from", "e.csv", "--id", "id", "--without", "title").status == 0


def test_ids_in_a_column_of_another_name_are_asked_for_rather_than_left_out(run: Run) -> None:
    rows = "".join(f"song {n},{each},{n}\n" for n, each in enumerate(EVERYONE))
    Path("e.csv").write_text(f"name,my key,a\n{rows}")
    refused = run("emb", "--from", "e.csv")
    assert "'train-0' in line 2, column 'my key'" in refused.err
    assert "or, if it holds the ids, give --id 'my key'" in refused.err
    refused = run("emb", "--from", "e.csv", "--id", "name")
    assert ("--without 'my key'" in refused.err, "if it holds" in refused.err) == (True, False)


def test_numbers_of_rows_without_a_name_are_no_feature(run: Run) -> None:
    rows = "".join(f"{n},{each},{n}\n" for n, each in enumerate(EVERYONE))
    Path("e.csv").write_text(f",id,a\n{rows}")
    refused = run("emb", "--from", "e.csv")
    assert (refused.status, "e.csv: a column without a name" in refused.err) == (1, True)
    assert "--without ''" in refused.err
    assert run("emb", "--from", "e.csv", "--without", "").status == 0


OFFER = "if these are tags of items, give --tags"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_text_that_may_be_tags_is_offered_to_be_read_as_tags(ending: str, run: Run) -> None:
    frame = pl.DataFrame({"item": EVERYONE, "tag name": "rock", "weight": 1})
    table = Path(f"t.{ending}")
    (frame.write_csv if ending == "csv" else frame.write_parquet)(table)
    assert OFFER in run("tags", "--from", table).err
    assert run("tags", "--from", table, "--tags").status == 0


@pytest.mark.parametrize("text", ["item,a\ntrain-0,nan\n", "item,a,b,c\ntrain-0,x,1,2\n",
                                  "item,a\ntrain-0,\n", "item,a,b\ntrain-0,1,x\n"])  # fmt: skip
def test_what_cannot_be_tags_is_not(text: str, run: Run) -> None:
    Path("t.csv").write_text(text)
    refused = run("emb", "--from", "t.csv")
    assert (refused.status, OFFER in refused.err) == (1, False)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_rows_of_ids_in_another_unicode_form_are_those_of_the_items(
    form: Literal["NFC", "NFD"], run: Run, world: World
) -> None:
    other: Literal["NFC", "NFD"] = "NFD" if form == "NFC" else "NFC"
    for split in SPLITS:
        path = world.root / "data" / "datasets" / f"items_index_{split}_one.tsv"
        path.write_text(normalize(form, path.read_text().replace("-", "-é")))
    rows = {normalize(other, item.replace("-", "-é")): row for item, row in numbers().items()}
    shown = run("emb", "--from", write(rows))
    assert shown.status == 0
    assert "62 ids are written in another Unicode form than the dataset's" in shown.err
    assert "not used" not in shown.err
    expected = [numbers()[item] for item in IDS["val"]]
    assert dense(world, "emb", "val") == pytest.approx(np.array(expected))
    both = rows | {normalize(form, "val-é0"): next(iter(rows.values()))}
    refused = run("emb2", "--from", write(both))
    assert (refused.status, "expected one row for each id" in refused.err) == (1, True)


def test_row_numbers_that_pandas_reads_and_writes_again_are_no_feature(run: Run) -> None:
    rows = numbers()
    text = write(rows).read_text().splitlines()
    lines = [f"{n},{line}" for n, line in enumerate(text[1:])]
    Path("e.csv").write_text("\n".join([f"Unnamed: 0,{text[0]}", *lines]))
    refused = run("emb", "--from", "e.csv")
    assert (refused.status, "leave it out: --without 'Unnamed: 0'" in refused.err) == (1, True)
    assert run("emb", "--from", "e.csv", "--without", "Unnamed: 0").status == 0


def test_a_dense_matrix_in_an_npz_is_refused_with_a_command_that_writes_it(run: Run) -> None:
    words = _npy(numbers())
    np.savez("m.npz", emb=np.load("m.npy"))
    Path("m.npy").unlink()
    refused = run("emb", "--from", "m.npz", *words[1:])
    assert (refused.status, "no sparse matrix, but the arrays emb" in refused.err) == (1, True)
    command = re.sub(r"\s+", " ", refused.err).partition("dense: ")[2]
    subprocess.run(  # noqa: S602
        command.replace("python", sys.executable, 1), shell=True, check=True
    )
    assert run("emb", "--from", "m.npy", *words[1:]).status == 0


@pytest.mark.parametrize("separator", ["|", ";", ", "])
def test_several_tags_in_a_cell_are_reported_and_separated_where_that_is_asked_for(
    separator: str, run: Run, world: World
) -> None:
    tags = some_tags()
    run("each", "--from", write_tags(tags), "--tags")
    joined = {item: [separator.join(names)] for item, names in tags.items()}
    path = write_tags(joined, "joined.tsv")
    shown = run("cells", "--from", path, "--tags")
    assert "tags look like several in one cell" in shown.err
    assert "to separate them: --tag-separator " in shown.err
    shown = run("emb", "--from", path, "--tags", "--tag-separator", separator)
    assert "in one cell" not in shown.err
    for split in SPLITS:
        assert np.array_equal(dense(world, "emb", split), dense(world, "each", split))
    refused = run("emb", "--from", write(numbers()), "--tag-separator", separator)
    assert (refused.status, "--tag-separator separates tags" in refused.err) == (2, True)


def test_tags_that_no_two_items_share_are_reported(run: Run) -> None:
    shown = run(
        "emb", "--from", write_tags({item: [f"song {item}"] for item in EVERYONE}), "--tags"
    )
    assert "no two train items share a tag, of 40 tags such as 'song " in shown.err
    assert "no two" not in run("emb2", "--from", write_tags(some_tags(), "a.tsv"), "--tags").err


def test_times_taken_for_weights_of_tags_are_reported(run: Run) -> None:
    for weight, warned in ((1_300_000_001, True), (3, False)):
        lines = [f"{item}\ttag {n % 3}\t{weight + n}\n" for n, item in enumerate(EVERYONE)]
        Path("tags.tsv").write_text("item\ttag\tstamp\n" + "".join(lines))
        shown = run("emb", "--from", "tags.tsv", "--tags", "--force")
        said = "the weights of tags in column 'stamp' look like times (seconds since 1970)"
        assert (said in shown.err) == warned
    assert run("emb2", "--from", "tags.tsv", "--tags", "--without", "stamp").status == 0


@pytest.mark.parametrize("change", [str.upper, lambda item: f"{item} "])
def test_ids_that_differ_by_case_or_whitespace_alone_are_named(
    change: Callable[[str], str], run: Run
) -> None:
    rows = {
        change(item) if n == 3 else item: row for n, (item, row) in enumerate(numbers().items())
    }
    refused = run("emb", "--from", write(rows))
    assert refused.status == 1
    said = f"{change('train-3')!r} differs from 'train-3' by case or whitespace alone"
    assert said in re.sub(r"\s+", " ", refused.err)


def test_a_header_in_the_list_of_a_matrix_is_named(run: Run) -> None:
    words = _npy(numbers())
    Path("ids.txt").write_text("item_id\n" + Path("ids.txt").read_text())
    refused = run("emb", "--from", *words)
    assert "its first line, 'item_id', is taken as an id, and looks like a header" in refused.err
    assert "63 ids; expected 62" in refused.err


def test_a_negative_weight_is_named(run: Run) -> None:
    lines = "".join(f"{each},rock,1\n" for each in EVERYONE)
    Path("tags.csv").write_text(f"item,tag,weight\n{lines}train-0,jazz,-2\n")
    refused = run("tags", "--from", "tags.csv", "--tags")
    assert "tags.csv: a weight of -2 in line 64; expected 0 or more" in refused.err


WRONGLY: dict[str, tuple[tuple[object, ...], str, str]] = {
    "no such file": (("--from", "no.csv"), "there is no file no.csv", "table"),
    "a matrix without ids": (("--from", "m.npy"), "a matrix has no ids", "--ids FILE"),
    "a table with ids": (("--from", "e.csv", "--ids", "ids.txt"), "--ids is for", "Leave it out"),
    "no list of ids": (("--from", "m.npy", "--ids", "no.txt"), "there is no file no.txt", ""),
    "a column of a matrix": (
        ("--from", "m.npy", "--ids", "ids.txt", "--id", "x"),
        "no named columns",
        "",
    ),
    "tags in a matrix": (
        ("--from", "m.npy", "--ids", "ids.txt", "--tags"),
        "not a table of tags",
        "",
    ),
    "scaled tags": (("--from", "tags.tsv", "--tags", "--scale"), "not scaled", "out."),
    "scaled tags, dense": (
        ("--from", "tags.tsv", "--tags", "--scale", "--dense"),
        "not scaled",
        "Leave --scale out.",
    ),
    "scaled and sparse": (("--from", "e.csv", "--scale", "--sparse"), "would fill", "or --sparse"),
    "a scaled npz": (("--from", "m.npz", "--ids", "ids.txt", "--scale"), "would fill", "--dense"),
    "dense tags": (("--from", "tags.tsv", "--tags", "--dense"), "written sparse", "--dense out"),
    "numbers of few items": (("--from", "e.csv", "--min-items", 1), "choose among tags", "--tags"),
    "few numbers": (("--from", "e.csv", "--max-tags", 10_000), "choose among tags", "--tags"),
    "tags in npy": (
        ("--from", "m.npy", "--ids", "ids.txt", "--max-tags", 5),
        "choose among tags",
        "Leave them out",
    ),
    "any number and few": (
        ("--from", "e.csv", "--missing", "zero", "--tolerate", 0.1),
        "--missing zero tolerates any",
        "--tolerate 0.1",
    ),
    "an unknown column": (("--from", "e.csv", "--id", "idd"), "no column called 'idd'", "id?"),
    "a share above 1": (("--from", "e.csv", "--tolerate", 2), "--tolerate", ""),
    "another ending": (("--from", "ids.txt"), "its ending does not say what it is", ".parquet"),
    "nothing": ((), "--from", ""),
}


@pytest.mark.parametrize("what", WRONGLY)
def test_asking_wrongly_exits_2_and_writes_nothing(what: str, run: Run, world: World) -> None:
    words, said, hint = WRONGLY[what]
    _npy(numbers())
    _npz(numbers())
    write(numbers())
    write_tags(some_tags())
    before = made(world)
    refused = run("emb", *words)
    assert refused.status == 2
    assert said in refused.err
    assert hint in refused.err
    assert made(world) == before


@pytest.mark.parametrize("name", ["", "../x", "a\\b", ".hidden", "x" * 300, "model_1-pred_dense_1"])
def test_a_setting_cannot_be_called_anything(name: str, run: Run, world: World) -> None:
    before = made(world)
    refused = run(name, "--from", write(numbers()))
    assert refused.status == 2
    assert made(world) == before


def test_an_unknown_dataset_is_told(tartarus: Command, world: World) -> None:
    refused = tartarus("features", "onne", "emb", "--from", write(numbers()), "-w", world.root)
    assert (refused.status, "no dataset called 'onne'" in refused.err) == (2, True)


# ------------------------------------------------------------------------- all of it or nothing


def test_a_setting_is_not_written_over_unless_forced(run: Run, world: World) -> None:
    assert run("emb", "--from", write(numbers())).status == 0
    before = made(world)
    assert run("emb", "--from", "e.csv").status == 0  # the same content
    assert made(world) == before
    write(numbers(seed=1))
    for words in ((), ("--sparse",)):
        refused = run("emb", "--from", "e.csv", *words)
        assert refused.status == 2
        assert "has a setting emb already, with another content" in refused.err
        assert "--force" in refused.err
        assert made(world) == before
    assert run("emb", "--from", "e.csv", "--sparse", "--force").status == 0
    assert {*of(world, "emb")} == {
        "emb_one.features.json",
        *(f"X_{split}_emb_one.npz" for split in SPLITS),
    }


def test_settings_of_documents_and_of_ones_own_stay_apart(
    run: Run, tartarus: Command, world: World
) -> None:
    folder = world.root / "text"
    folder.mkdir()
    for each in EVERYONE:
        (folder / f"{each}.txt").write_text(f"la la {each} word{hash(each) % 3}")
    text = ("text", "one", "vsm", "--text", folder, "-w", world.root)
    assert tartarus(*text).status == 0
    before = made(world)
    refused = run("vsm", "--from", write(numbers()), "--force")
    assert (refused.status, "made by tartarus text" in refused.err) == (2, True)
    assert made(world) == before
    assert run("emb", "--from", "e.csv").status == 0
    refused = tartarus(*text, "--setting", "emb")
    assert (refused.status, "made in another way" in refused.err) == (2, True)


@pytest.mark.parametrize("renames", range(4))
def test_a_killed_command_never_leaves_old_rows_beside_new_ones(
    renames: int, run: Run, tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("emb", "--from", write(numbers()))
    write(numbers(seed=1))
    with killed_after(renames, monkeypatch):
        run("emb", "--from", "e.csv", "--force")
    words = ("run", "single-label-vector", "emb", "--dataset", "one")
    assert tartarus(*words, "-w", world.root).status != 0
    assert run("emb", "--from", "e.csv", "--force").status == 0
    again = of(world, "emb")
    assert run("fresh", "--from", "e.csv").status == 0
    assert {
        name.replace("fresh", "emb"): each for name, each in of(world, "fresh").items()
    } == again


def test_a_failure_in_the_middle_leaves_the_old_files_as_they_were(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("emb", "--from", write(numbers()))
    before = made(world)
    monkeypatch.setattr("tartarus_cli.features.importing.table_digest", _full)
    write(numbers(seed=1))
    assert run("emb", "--from", "e.csv", "--force").status == 1
    assert made(world) == before


def _full(_path: Path) -> str:
    raise OSError(28, "No space left on device")


def test_a_table_that_changes_while_it_is_read_is_told(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = write(numbers()), prepare_numbers

    def losing(*words: Any) -> Any:
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
        return whole(*words)

    monkeypatch.setattr("tartarus_cli.features.importing.prepare_numbers", losing)
    before = made(world)
    for words in ((), ("--sparse",)):
        write(numbers())
        refused = run("emb", "--from", path, *words)
        assert (refused.status, "was changed while it was read" in refused.err) == (1, True)
        assert made(world) == before


@pytest.mark.parametrize("which", ["e.csv", "tags.tsv", "m.npy", "ids.txt"])
@pytest.mark.parametrize("when", ["survey", "write"])
def test_other_values_at_the_second_reading_are_told_whatever_is_read(
    which: str, when: str, run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many rows, of the same items, and as many bytes: only what they say is another."""
    words: dict[str, tuple[object, ...]] = {
        "e.csv": ("--from", write(numbers())),
        "tags.tsv": ("--from", write_tags(some_tags()), "--tags"),
        "m.npy": ("--from", *_npy(numbers())),
    }
    path = Path(which)
    step = "prepare_tags" if "--tags" in words.get(which, ()) else "prepare_numbers"
    place = f"tartarus_cli.features.importing.{step if when == 'survey' else 'table_digest'}"
    whole = prepare_tags if step == "prepare_tags" else prepare_numbers

    def changing(*given: Any) -> Any:
        path.write_bytes(path.read_bytes()[:-2] + b"7\n")
        return whole(*given) if when == "survey" else ""

    monkeypatch.setattr(place, changing)
    before = made(world)
    refused = run("emb", *words.get(which, words["m.npy"]))
    assert (refused.status, "was changed while it was read" in refused.err) == (1, True)
    assert made(world) == before


def test_two_commands_never_make_the_same_setting_at_once(run: Run, world: World) -> None:
    path = write(numbers())
    with locked(world.features / ".making_emb_one.vocabulary.json.lock"):
        refused = run("emb", "--from", path)
        assert (refused.status, "already" in refused.err) == (2, True)
        assert run("other", "--from", path).status == 0
    assert run("emb", "--from", path).status == 0


# Reads a small table twice, in 286 blocks each time, and takes its time from one of them on.
SLOWLY = """
import sys, time
from pathlib import Path
from tartarus_cli.cli.app import main
from tartarus_cli.data.tables import delimited
from tartarus_cli.features.alignment import SourceReader

delimited.BLOCK_BYTES = 30
slow_from, read, blocks = int(sys.argv.pop(1)), 0, SourceReader.blocks

def slowly(self):
    global read
    for block in blocks(self):
        read += 1
        if read >= slow_from:
            Path("is_slow").touch()
            time.sleep(0.5)
        yield block

SourceReader.blocks = slowly
main()
"""


@pytest.mark.parametrize("block", [5, 450], ids=["survey", "write"])
def test_ctrl_c_leaves_nothing_behind(block: int, world: World) -> None:
    rows = {f"x{n}": np.ones(3) for n in range(400)} | numbers(3)
    path = write(rows, turned=False)
    before = made(world)
    words = [sys.executable, "-c", SLOWLY, str(block), "features", "one", "emb"]
    with started([*words, "--from", path, "-w", world.root]) as process:
        assert waited(Path("is_slow").exists)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=ENOUGH_S)
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "interrupted"
    assert "Traceback" not in said
    assert made(world) == before


def test_help_names_the_options(tartarus: Command) -> None:
    told = re.sub(r"[│\s]+", " ", tartarus("features", "--help").out)
    for option in ("--from", "--ids", "--tags", "--missing", "--tolerate", "--scale", "--force"):
        assert option in told


GONE = {*IDS["train"][::2], *IDS["val"][:1], *IDS["test"]}


def mask(world: World, split: str) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.load(world.features / f"mask_{split}_emb_one.npy")
    assert found.dtype == bool
    return found


@pytest.mark.parametrize("words", [(), ("--scale",), ("--sparse",), ("--tags",)])
def test_absent_items_are_told_from_zeros_and_teach_nothing(
    words: tuple[str, ...], run: Run, world: World
) -> None:
    """What is written for the others is what it is without the absent ones."""
    zero = {"val-2": np.zeros(5, np.float32)}
    if "--tags" in words:
        path = write_tags({each: tags for each, tags in some_tags().items() if each not in GONE})
    else:
        rows = numbers() | zero
        path = write({each: row for each, row in rows.items() if each not in GONE})
    done = run("emb", "--from", path, "--missing", "absent", "--json", *words)
    assert done.status == 0
    absent = {"train": 20, "val": 1, "test": 12}
    assert json.loads(done.out)["absent"] == absent
    assert "test items ('test-0', 'test-1', 'test-2', …): they lack the setting" in done.err
    for split in SPLITS:
        present = np.array([each not in GONE for each in IDS[split]])
        assert mask(world, split).tolist() == present.tolist()
        assert not dense(world, "emb", split)[~present].any()
    manifest = json.loads((world.features / "emb_one.features.json").read_text())
    assert (manifest["absent"], "zeros" in manifest) == (absent, False)
    if "--scale" in words:
        train = dense(world, "emb", "train")[1::2]
        assert train.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-6)
    elif "--tags" in words:
        assert manifest["train_items"] == 20


def test_a_mask_is_part_of_a_setting_and_an_old_one_does_not_survive(
    run: Run, world: World
) -> None:
    path = write({each: row for each, row in numbers().items() if each not in GONE})
    assert run("emb", "--from", path, "--missing", "zero").status == 0
    words = ("--from", path, "--missing", "absent")
    refused = run("emb", *words)
    assert (refused.status, "mask_" in refused.err) == (2, True)
    assert run("emb", *words, "--force").status == 0
    assert run("emb", *words).status == 0  # the same
    (world.features / "X_train_emb_one.npy").unlink()  # as if it had been killed
    assert run("emb", *words).status == 0
    for again in (("--missing", "zero"), ("--tolerate", 1)):
        refused = run("emb", "--from", path, *again)
        assert (refused.status, "mask_" in refused.err) == (2, True)
    assert run("emb", "--from", path, "--missing", "zero", "--force").status == 0
    assert not [*world.features.glob("mask_*")]
    manifest = json.loads((world.features / "emb_one.features.json").read_text())
    assert (manifest["zeros"]["test"], "absent" in manifest) == (12, False)


def test_absent_items_may_be_limited_and_train_must_have_one(run: Run, world: World) -> None:
    rows = {each: row for each, row in numbers().items() if each not in GONE}
    refused = run("emb", "--from", write(rows), "--missing", "absent", "--tolerate", 0.5)
    assert (refused.status, "--tolerate 1" in refused.err) == (1, True)
    assert run("emb", "--from", "e.csv", "--missing", "absent", "--tolerate", 1).status == 0
    few = {each: row for each, row in numbers().items() if each in IDS["val"]}
    refused = run("few", "--from", write(few, "few.csv"), "--missing", "absent")
    assert (refused.status, "no train item" in refused.err) == (1, True)
    Path("blank.csv").write_text("id,a\ntrain-0,1\ntrain-1,\n")
    refused = run("blank", "--from", "blank.csv", "--missing", "absent")
    assert (refused.status, "delete its row" in refused.err) == (1, True)
    assert run("all", "--from", write(numbers()), "--missing", "absent").status == 0
    assert not [*world.features.glob("mask_*_all_*")]
