"""Exports: what is written is read back by other programs, and nothing is lost on the way."""

import csv
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array, load_npz, save_npz

from tartarus_cli.data.tables import writing
from tartarus_cli.scoring.relevant import drawn_order
from tartarus_cli.scoring.scorers import FactorScorer
from tests.conftest import Command
from tests.worlds import CLASSES, DIM, SPLITS, USERS, World

ITEMS = SPLITS["test"]
ODD = (
    "007",
    "a,b",
    'say "x"',
    "Sigur Rós",
    "it's; [red]",
    "1e3",
    "名前",
    "-9",
    "a\rb",
    "",
    " ",
    "x",
)
NFC, NFD = "\u00e9", "e\u0301"  # one letter to the eye
LIKE_NUMBERS = ("00035", "35", "35.0", '"qq"', "qq", "a,b", NFC, NFD, "1e3", "null", " x", "'#")


@pytest.fixture
def export(tartarus: Command, predicted: World, tmp_path: Path) -> Callable[..., Path]:
    """Export something, and return the file."""

    def run(model: str, what: str, name: str, *more: object) -> Path:
        path = tmp_path / name
        words = ("--what", what, "--to", path, "-w", predicted.root)
        done = tartarus("export", model, *words, *more)
        assert done.status == 0, done.err
        return path

    return run


def read(path: Path) -> list[dict[str, str]]:
    """Read a table by other means than it was written by."""
    if path.suffix == ".parquet":
        rows = pl.read_parquet(path, glob=False).to_dicts()
        return [{name: str(value) for name, value in row.items()} for row in rows]
    how: dict[str, Any] = {".csv": {}, ".tsv": {"delimiter": "\t", "quoting": csv.QUOTE_NONE}}
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, **how[path.suffix]))


def factors(world: World, model: str, ending: str = "") -> Any:
    return np.load(world.root / "data" / "factors" / f"factors_{model}{ending}.npy")


def truth_without_some(world: World) -> None:
    """Take all test items from three users."""
    path = world.datasets / "matrix_test_rec.npz"
    truth = load_npz(path).toarray()
    truth[:, [0, 4, 8]] = 0
    save_npz(path, csr_array(truth))


@pytest.mark.parametrize("model", ["model_1", "model_2", "model_3"])
def test_ranx_judges_an_exported_run_as_evaluate_does(
    model: str,
    export: Callable[..., Path],
    tartarus: Command,
    predicted: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Popularity and neighbours give many items equal scores, whose order has to survive."""
    truth_without_some(predicted)
    ours = tartarus("evaluate", model, "--json", "-w", predicted.root).document
    files = [str(export(model, what, f"{what}.trec")) for what in ("run", "qrels")]
    # As plain Python: compiling takes most of a minute, and numba warns about ranx' own casts.
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    from ranx import Qrels, Run
    from ranx import evaluate as judge

    run, qrels = Run.from_file(files[0], kind="trec"), Qrels.from_file(files[1], kind="trec")
    assert (len(run), len(qrels)) == (USERS, USERS - 3)
    theirs = judge(qrels, run, ["map@500", "ndcg@5", "precision@5"], make_comparable=True)
    figures, some = ours["metrics"], (USERS - 3) / USERS
    assert theirs["map@500"] == pytest.approx(figures["MAP@500 (users with relevant items)"])
    assert theirs["ndcg@5"] * some == pytest.approx(figures["nDCG@5"])
    assert theirs["precision@5"] * some == pytest.approx(figures["P@5"])


def test_a_run_has_six_columns_and_scores_that_fall(
    export: Callable[..., Path], predicted: World
) -> None:
    lines = [line.split(" ") for line in export("model_3", "run", "r").read_text().splitlines()]
    assert {(line[1], line[5]) for line in lines} == {("Q0", "model_3")}
    for user in range(USERS):
        mine = [line for line in lines if line[0] == str(user)]
        assert [int(line[3]) for line in mine] == list(range(1, ITEMS + 1))
        scores = [np.float32(line[4]) for line in mine]
        assert (np.diff(scores) < 0).all()
        true = np.sort(factors(predicted, "model_3")[:, 0])[::-1]
        assert scores == pytest.approx(true, rel=1e-5, abs=1e-30)


def test_qrels_hold_the_truth_and_nothing_else(
    export: Callable[..., Path], predicted: World
) -> None:
    lines = [line.split(" ") for line in export("model_1", "qrels", "q").read_text().splitlines()]
    assert {(line[1], line[3]) for line in lines} == {("0", "1")}
    items, users = np.nonzero(load_npz(predicted.datasets / "matrix_test_rec.npz").toarray() > 0)
    pairs = {(str(u), f"test-{i}") for u, i in zip(users, items, strict=True)}
    assert ({(line[0], line[2]) for line in lines}, len(lines)) == (pairs, len(pairs))


@pytest.mark.parametrize("where", ["users", "items"])
@pytest.mark.parametrize("what", ["run", "qrels"])
def test_ids_with_whitespace_are_refused_where_whitespace_separates(
    where: str, what: str, tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    names = "users_index_rec.tsv" if where == "users" else "items_index_test_rec.tsv"
    ids = "".join(f"test-{n}\n" for n in range(USERS if where == "users" else ITEMS))
    (predicted.datasets / names).write_text(ids.replace("test-2", "test\u00a02"))
    words = ("export", "model_1", "--what", what, "--to", tmp_path / "run", "-w", predicted.root)
    refused = tartarus(*words)
    assert (refused.status, f"{names}: the id 'test\\xa02' in line 3" in refused.err) == (1, True)
    command = f"--what {what} --to {tmp_path / 'run'} --replace-whitespace _"
    assert command in " ".join(refused.err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def called(world: World, users: list[str], items: list[str]) -> None:
    for name, ids in (("users_index_rec.tsv", users), ("items_index_test_rec.tsv", items)):
        (world.datasets / name).write_text("".join(f"{each}\n" for each in ids))
    index = world.root / "data" / "factors" / "index_factors_model_1.tsv"
    index.write_text("".join(f"{each}\n" for each in items))


BLANK_USERS = ["a b", "a  b", " a", "a\u00a0", *(f"u_{n}" for n in range(USERS - 4))]


def test_a_character_replaces_whitespace_in_a_run_and_in_its_qrels(
    export: Callable[..., Path], predicted: World
) -> None:
    items = [f"song {n}" for n in range(ITEMS)]
    plain = [export("model_1", what, f"plain.{what}").read_text() for what in ("run", "qrels")]
    called(predicted, BLANK_USERS, items)
    users = ["a~b", "a~~b", "~a", "a~", *BLANK_USERS[4:]]
    for what, before in zip(("run", "qrels"), plain, strict=True):
        lines = (
            export("model_1", what, f"signed.{what}", "--replace-whitespace", "~")
            .read_text()
            .splitlines()
        )
        for line, was in zip(lines, before.splitlines(), strict=True):
            user, mark, item, *rest = was.split(" ")
            item = item.replace("test-", "song~")
            assert line.split() == [users[int(user)], mark, item, *rest]


def test_the_other_file_is_proposed_with_the_same_replacement(
    tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    words = ("--to", tmp_path / "my.trec", "--replace-whitespace", "|", "-w", predicted.root)
    shown = tartarus("export", "model_1", "--what", "run", *words)
    assert "--replace-whitespace '|'" in shown.out


def test_the_proposed_command_has_a_replacement_that_works(
    tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    called(predicted, [*BLANK_USERS[:-1], "a_b"], [f"test-{n}" for n in range(ITEMS)])
    words = ("--what", "run", "--to", tmp_path / "my run", "--top", 3, "-w", predicted.root)
    refused = tartarus("export", "model_1", *words)
    proposed = " ".join(refused.err.split()).partition("Replace whitespace in ids: ")[2]
    name, *command = shlex.split(proposed)
    assert (refused.status, name) == (1, "tartarus")
    end = ["--replace-whitespace", "~", "--workspace", str(predicted.root)]
    assert command[-4:] == end
    assert tartarus(*command).status == 0
    assert len((tmp_path / "my run").read_text().splitlines()) == 3 * USERS


@pytest.mark.parametrize("which", ["user", "item"])
def test_a_replacement_that_makes_two_ids_the_same_is_refused(
    which: str, tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    ids = {"user": [f"u{n}" for n in range(USERS)], "item": [f"i{n}" for n in range(ITEMS)]}
    ids[which][3], ids[which][5] = "x y", "x_y"
    called(predicted, ids["user"], ids["item"])
    for what in ("run", "qrels"):
        words = (
            "--what",
            what,
            "--to",
            tmp_path / "t",
            "--replace-whitespace",
            "_",
            "-w",
            predicted.root,
        )
        refused = tartarus("export", "model_1", *words)
        said = f"the {which}s 'x y' and 'x_y' would both be 'x_y'"
        assert (refused.status, said in refused.err) == (2, True)
    assert not (tmp_path / "t").exists()


def test_the_old_name_of_the_option_works_and_is_hidden(
    export: Callable[..., Path], tartarus: Command, predicted: World
) -> None:
    called(predicted, BLANK_USERS, [f"song {n}" for n in range(ITEMS)])
    new, old = (
        export("model_1", "run", f"{option}.trec", f"--{option}", "~").read_text()
        for option in ("replace-whitespace", "blanks")
    )
    assert (old == new, "song~1" in old) == (True, True)
    shown = tartarus("export", "--help").out
    assert ("--replace-white" in shown, "--blanks" in shown) == (True, False)


@pytest.mark.parametrize("replacement", ["", " ", "a\tb", "\u2003"])
def test_a_replacement_is_no_whitespace_itself(
    replacement: str, tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    words = (
        "--what",
        "run",
        "--to",
        tmp_path / "t",
        "--replace-whitespace",
        replacement,
        "-w",
        predicted.root,
    )
    refused = tartarus("export", "model_1", *words)
    assert (refused.status, "cannot replace whitespace" in refused.err) == (2, True)


def test_users_of_whom_nothing_is_known_are_in_a_run_and_not_in_rankings(
    export: Callable[..., Path], tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    path = predicted.datasets / "matrix_train_rec.npz"
    plays = load_npz(path).toarray()
    plays[:, [1, 8]] = 0
    save_npz(path, csr_array(plays))
    users = {row["user"] for row in read(export("model_2", "rankings", "r.csv"))}
    assert users == {str(n) for n in range(USERS)} - {"1", "8"}
    words = ("--what", "run", "--to", tmp_path / "run", "-w", predicted.root)
    done = tartarus("export", "model_2", *words)
    assert "nothing is known of 2 of 9 users" in done.err
    lines = [line.split(" ") for line in (tmp_path / "run").read_text().splitlines()]
    ids = [f"test-{n}" for n in range(ITEMS)]
    drawn = [ids[n] for n in drawn_order(ids, 0)]
    assert [line[2] for line in lines if line[0] == "8"] == drawn


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_rankings_are_the_lists_of_recommend(
    ending: str, export: Callable[..., Path], tartarus: Command, predicted: World
) -> None:
    rows = read(export("model_1", "rankings", f"r.{ending}", "--top", 4))
    tartarus("recommend", "model_1", "--top", 4, "-w", predicted.root)
    lists = read(predicted.root / "data" / "playlists" / "recommendations_model_1_4.tsv")
    for each in rows + lists:
        each["score"] = str(np.float32(each["score"]))
    assert rows == lists


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_ids_of_any_signs_come_back_as_they_are(
    ending: str, export: Callable[..., Path], predicted: World
) -> None:
    """A carriage return inside of an id is more than most readers of TSV take."""
    kept = [each or "empty" for each in ODD]
    kept[10] = "blank s"
    if ending == "tsv":
        kept[8] = "a b"
    folder = predicted.root / "data" / "factors"
    text = "".join(f"{each}\n" for each in kept)
    (folder / "index_factors_model_1.tsv").write_text(text, newline="\n")
    rows = read(export("model_1", "predictions", f"p.{ending}"))
    assert [row["id"] for row in rows] == kept
    values = [[float(row[f"factor_{n}"]) for n in range(DIM)] for row in rows]
    assert np.array_equal(np.array(values, np.float32), factors(predicted, "model_1"))


def test_a_parquet_file_knows_the_types(export: Callable[..., Path]) -> None:
    schema = pl.read_parquet_schema(export("model_1", "rankings", "r.parquet"))
    types = {"user": pl.String, "rank": pl.Int32, "item": pl.String, "score": pl.Float32}
    assert dict(schema) == types


def test_class_scores_come_by_the_names_of_the_classes(
    export: Callable[..., Path], predicted: World
) -> None:
    rows = read(export("model_4", "predictions", "p.csv", "--split", "val"))
    assert list(rows[0]) == ["id", "split", "jazz", "soul", "rock"]
    assert [row["id"] for row in rows] == [f"val-{n}" for n in range(SPLITS["val"])]
    found = [[float(row[name]) for name in ("jazz", "soul", "rock")] for row in rows]
    assert np.array_equal(np.array(found, np.float32), factors(predicted, "model_4", "_val"))


def test_all_sets_are_one_table_in_order(export: Callable[..., Path]) -> None:
    rows = read(export("model_4", "predictions", "p.parquet", "--split", "all"))
    ids = [(split, f"{split}-{n}") for split, count in SPLITS.items() for n in range(count)]
    assert [(row["split"], row["id"]) for row in rows] == ids


def test_classes_without_names_are_counted(export: Callable[..., Path], predicted: World) -> None:
    (predicted.datasets / "genre_labels_one.tsv").unlink()
    rows = read(export("model_4", "predictions", "p.csv"))
    assert list(rows[0])[2:] == [f"class_{n}" for n in range(1, CLASSES + 1)]


@pytest.mark.parametrize("names", ["jazz\njazz\nrock\n", "id\nsoul\nrock\n", "jazz\nsoul\n"])
def test_names_of_classes_that_are_no_columns_are_refused(
    names: str, tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    (predicted.datasets / "genre_labels_one.tsv").write_text(names)
    path = tmp_path / "p.csv"
    words = ("--what", "predictions", "--to", path, "-w", predicted.root)
    refused = tartarus("export", "model_4", *words)
    assert (refused.status, "genre_labels_one.tsv" in refused.err) == (1, True)
    assert not path.exists()


def test_neighbours_and_single_scores_have_columns_of_their_own(
    export: Callable[..., Path], predicted: World
) -> None:
    rows = read(export("model_2", "predictions", "n.csv"))
    found = np.zeros((ITEMS, SPLITS["train"]), np.float32)
    for row in rows:
        item, train = (int(row[name].partition("-")[2]) for name in ("id", "neighbour"))
        found[item, train] = np.float32(row["similarity"])
    kept = load_npz(predicted.root / "data" / "factors" / "neighbours_model_2.npz")
    assert found == pytest.approx(kept.toarray(), rel=1e-6)
    assert len(rows) == kept.nnz
    rows = read(export("model_3", "predictions", "s.csv"))
    scores = np.array([row["score"] for row in rows], np.float32)
    assert np.array_equal(scores, factors(predicted, "model_3")[:, 0])


def test_a_layer_is_exported_for_all_sets_that_were_read_out(
    export: Callable[..., Path], predicted: World
) -> None:
    rows = read(export("model_5", "embeddings", "e.parquet", "--layer", "dense_1"))
    path = predicted.features / "X_{}_model_5-pred_dense_1_rec.npy"
    sets = [np.load(str(path).format(split)) for split in ("train", "test")]
    values = [[row[f"dense_1_{n}"] for n in range(8)] for row in rows]
    assert np.array_equal(np.array(values, np.float32), np.concatenate(sets))
    assert [row["id"] for row in rows] == [f"train-{n}" for n in range(40)] + [
        f"test-{n}" for n in range(12)
    ]
    only = read(export("model_5", "embeddings", "t.csv", "--layer", "dense_1", "--split", "test"))
    assert [row["id"] for row in only] == [f"test-{n}" for n in range(12)]
    np.save(predicted.features / "mask_test_model_5-pred_dense_1_rec.npy", np.arange(12) != 4)
    only = read(export("model_5", "embeddings", "m.csv", "--layer", "dense_1", "--split", "test"))
    assert [row["id"] for row in only] == [f"test-{n}" for n in range(12) if n != 4]


NOT_THERE = {
    "a layer that was not read out": ("model_5", "embeddings", "--layer", "dense_2"),
    "a set that was not predicted": ("model_1", "predictions", "--split", "train"),
}


@pytest.mark.parametrize("why", NOT_THERE)
def test_what_was_not_predicted_says_what_to_run(
    why: str, tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    for path in (predicted.root / "data" / "factors").glob("*model_1_train*"):
        path.unlink()
    model, what, *more = NOT_THERE[why]
    words = ("--what", what, *more, "--to", tmp_path / "x.csv", "-w", predicted.root)
    refused = tartarus("export", model, *words)
    assert refused.status == 1
    assert f"tartarus predict {model} {' '.join(more)}" in refused.err.replace("--split all", "")


WRONG = {
    "no layer named": (("model_5", "embeddings", "x.csv"), "--layer names none"),
    "no such layer": (("model_5", "embeddings", "x.csv", "--layer", "dense_9"), "dense_9"),
    "a layer of a baseline": (("model_1", "embeddings", "x.csv", "--layer", "1"), "baseline"),
    "a layer of a run": (("model_1", "run", "x", "--layer", "dense_1"), "--layer means nothing"),
    "a set of rankings": (("model_1", "rankings", "x.csv", "--split", "val"), "--split means"),
    "room for embeddings": (
        ("model_5", "embeddings", "x.csv", "--layer", "dense_1", "--memory", "1GiB"),
        "--memory means nothing",
    ),
    "no amount": (("model_1", "run", "x", "--memory", "much"), "'much' is not an amount of memory"),
    "a length of qrels": (("model_1", "qrels", "x", "--top", "3"), "--top means nothing"),
    "a set that is not there": (("model_1", "predictions", "x.csv", "--split", "val"), "no val"),
    "an unknown ending": (("model_1", "predictions", "x.xls"), ".csv, .tsv, .parquet"),
    "a table of a run": (("model_1", "run", "x.parquet"), "x.trec"),
    "a folder that is not there": (("model_1", "run", "no/x"), "mkdir -p"),
    "a folder": (("model_1", "run", "workspace"), "is a folder"),
    "whitespace in a table": (
        ("model_1", "rankings", "x.csv", "--replace-whitespace", "_"),
        "--replace-whitespace means",
    ),
    "a classification": (("model_4", "run", "x"), "model_4 classifies"),
    "an unknown thing": (("model_1", "playlist", "x.csv"), "playlist"),
}


@pytest.mark.parametrize("why", WRONG)
def test_asking_wrongly_exits_2_and_writes_nothing(
    why: str, tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    (model, what, name, *more), said = WRONG[why]
    words = ("--what", what, "--to", tmp_path / name, "-w", predicted.root)
    refused = tartarus("export", model, *words, *more)
    assert (refused.status, said in refused.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_a_file_that_is_there_is_kept_unless_forced(
    tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    path = tmp_path / "r.csv"
    path.write_text("mine")
    words = ("export", "model_1", "--what", "rankings", "--to", path, "-w", predicted.root)
    refused = tartarus(*words)
    assert (refused.status, "--force" in refused.err, path.read_text()) == (2, True, "mine")
    told = tartarus(*words, "--force", "--json").document
    assert told["lines"] == len(read(path)) == 10 * USERS
    assert (told["what"], told["columns"]) == ("rankings", ["user", "rank", "item", "score"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_do_not_depend_on_the_size_of_the_pieces(
    ending: str, export: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ("predictions", "rankings"):
        whole = read(export("model_1", what, f"whole_{what}.{ending}"))
        with monkeypatch.context() as small:
            small.setattr(writing, "PIECE_CELLS", 100)
            small.setattr("tartarus_cli.exporting.items.TABLE_BYTES", 100)
            small.setattr("tartarus_cli.recommendation.recommender.MOST_ROWS", 15)
            assert read(export("model_1", what, f"pieces_{what}.{ending}")) == whole


@pytest.mark.parametrize("name", ["r.csv", "r.parquet"])
def test_an_interrupted_export_leaves_nothing(
    name: str,
    tartarus: Command,
    predicted: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "PIECE_CELLS", 1)
    score: Callable[..., Any] = FactorScorer.__call__

    def interrupted(self: FactorScorer, users: slice) -> Any:
        if users.start > 4:
            raise KeyboardInterrupt
        return score(self, users)

    monkeypatch.setattr(FactorScorer, "__call__", interrupted)
    words = ("--what", "rankings", "--to", tmp_path / name, "--memory", "100")
    assert tartarus("export", "model_1", *words, "-w", predicted.root).status == 130
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_numbers_that_are_none_are_named_and_nothing_is_written(
    tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    path = predicted.features / "X_test_model_5-pred_dense_1_rec.npy"
    rows = np.load(path)
    rows[3, 1] = np.nan
    np.save(path, rows)
    to = tmp_path / "e.csv"
    words = ("--what", "embeddings", "--layer", "dense_1", "--to", to, "-w", predicted.root)
    refused = tartarus("export", "model_5", *words)
    assert (refused.status, "NaN or infinity in 1 rows (3" in refused.err) == (1, True)
    assert not to.exists()


def test_rows_out_of_step_with_the_ids_are_an_error(
    tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    path = predicted.root / "data" / "factors" / "factors_model_1.npy"
    np.save(path, factors(predicted, "model_1")[:-1])
    words = ("--what", "predictions", "--to", tmp_path / "p.csv", "-w", predicted.root)
    refused = tartarus("export", "model_1", *words)
    assert (refused.status, "11 rows; expected 12" in refused.err) == (1, True)


def calls(world: World, ids: tuple[str, ...]) -> None:
    """Give the test items these ids."""
    text = "".join(f"{each}\n" for each in ids)
    (world.datasets / "items_index_test_rec.tsv").write_text(text)
    (world.root / "data" / "factors" / "index_factors_model_1.tsv").write_text(text)


@pytest.mark.parametrize("name", ["p", "it's [1] \\n*"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_the_command_that_an_export_recommends_reads_the_ids_as_they_are(
    ending: str, name: str, tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    calls(predicted, LIKE_NUMBERS)
    for what, column in (("predictions", "id"), ("rankings", "item")):
        path = tmp_path / f"{name}{what}.{ending}"
        words = ("--what", what, "--to", path, "-w", predicted.root)
        said = tartarus("export", "model_1", *words).out.splitlines()[-1]
        command = said.removeprefix("Next: ").removesuffix("   (in Python)")
        assert command.startswith("polars.")
        found = eval(command, {"polars": pl})[column].to_list()  # noqa: S307 — what a user would do
        assert found == [row[column] for row in read(path)]
        assert {*found} == {*LIKE_NUMBERS} if what == "predictions" else {*found} <= {*LIKE_NUMBERS}


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
@pytest.mark.parametrize("what", ["predictions", "embeddings"])
def test_features_read_what_was_exported(
    what: str, ending: str, tartarus: Command, predicted: World, export: Callable[..., Path]
) -> None:
    model, *more = ("model_1",) if what == "predictions" else ("model_5", "--layer", "dense_1")
    folder = predicted.root / "data" / "factors"
    endings = {"train": "_train", "test": ""}
    train = [f"{each}/" for each in LIKE_NUMBERS]
    train += [f"0{n}" for n in range(SPLITS["train"] - len(train))]
    for split, ids in {"train": train, "test": LIKE_NUMBERS}.items():
        text = "".join(f"{each}\n" for each in ids)
        (predicted.datasets / f"items_index_{split}_rec.tsv").write_text(text)
        (folder / f"index_factors_model_1{endings[split]}.tsv").write_text(text)
    path = export(model, what, f"x.{ending}", "--split", "all", *more)
    words = ("--from", path, "--without", "split", "--dense", "-w", predicted.root)
    done = tartarus("features", "rec", "again", *words)
    assert done.status == 0, done.err
    for split, ending_of in endings.items():
        kept = np.load(predicted.features / f"X_{split}_again_rec.npy")
        true = predicted.features / f"X_{split}_model_5-pred_dense_1_rec.npy"
        true = folder / f"factors_model_1{ending_of}.npy" if what == "predictions" else true
        assert np.array_equal(kept, np.load(true))


def test_an_export_says_what_reads_it(tartarus: Command, predicted: World, tmp_path: Path) -> None:
    """The name of the file is a single word of the command, whatever it is."""
    name = "it's; [red] $(r)"
    for what in ("run", "qrels"):
        where = ("--to", tmp_path / f"{name}.{what}", "-w", predicted.root)
        said = tartarus("export", "model_1", "--what", what, *where).out.splitlines()[-1]
        words = shlex.split(said.partition("   (")[0])[1:]
        other = str(tmp_path / f"{name}.qrels")
        assert (
            words
            == {
                "run": [
                    *("tartarus", "export", "model_1", "--what", "qrels", "--to", other),
                    *("--workspace", str(predicted.root)),
                ],
                "qrels": ["trec_eval", other, "RUN"],
            }[what]
        )
