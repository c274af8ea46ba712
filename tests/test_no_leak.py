"""Nothing of a test item reaches what is learnt: the whole chain, with every test item changed.

Each chain begins from a copy of one workspace that was split already, so that nothing of it can be
left over from another one.
"""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.sparse import csr_array, load_npz, save_npz
from sklearn.preprocessing import StandardScaler

from tartarus_cli.features.dense import Moments
from tests.conftest import run_command
from tests.sharing import made_once
from tests.slowness import SHORT

ITEMS, USERS, TAGS, WIDTH = 60, 24, 9, 5
GENRES = ("jazz", "soul", "rock")
WORDS = ("night", "road", "love", "rain", "fire", "gold", "river", "heart", "city", "moon")
SETS = ("train", "val", "test")
# Changed train items show only that all of it can change.
CHANGED = ("none", *(name for name in SETS if name != "train" or not SHORT))
QUICK = ("--set", "network.hidden=[16]", "--set", "training.epochs=1")

NO_TAG = ("--missing", "zero")
FIXED = tuple(
    word
    for text in ("powers=1.25", "count_exponents=0.25", "strengths=1", "weights=1")
    for word in ("--set", f"network.{text}")
)
ONCE = ("--set", "training.epochs=1", "--set", "two_tower.count_feature=false")
HISTORIES = (*ONCE, "--set", "training.epochs=2", "--set", "two_tower.users=history")
DROPPED = ("--set", "network.modality_dropout=0.3")
SHARED = ("--set", "network.name=single_branch", "--set", "network.adapter=8")
PARTS = '["model_10", "model_11", "model_8"]'
EXPERIMENTS: tuple[tuple[object, ...], ...] = (
    ("rec_sparse", "tags", "--dataset", "mine", *QUICK),
    ("knn", "tags", "--dataset", "mine", "--set", "network.neighbours=50"),
    ("ridge", "sounds", "--dataset", "mine"),
    ("ridge", "sounds", "--dataset", "mine", "--set", "targets.kind=pmi"),
    ("popularity", "tags", "--dataset", "mine"),
    ("logistic_multilabel_vector", "sounds", "--dataset", "genres", "--set", "training.epochs=2"),
    ("prior", "--dataset", "genres"),
    ("knn", "tags", "sounds", "--dataset", "mine"),
    ("ridge", "sounds", "--dataset", "mine", "--set", "scoring=validated"),
    ("ridge_plays", "tags", "sounds", "--dataset", "mine", *FIXED),
    ("two_tower", "tags", "sounds", "--dataset", "mine", *ONCE),
    ("ridge_plays", "tags", "sounds", "--dataset", "mine"),
    ("two_tower", "tags", "sounds", "--dataset", "mine", *HISTORIES),
    ("cold_sparse", "tags", "sounds", "--dataset", "mine", "--set", f"network.parts={PARTS}"),
    ("two_tower_fusion", "tags", "sounds", "--dataset", "mine", *ONCE, *DROPPED, *QUICK),
    ("rec_multi", "tags", "sounds", "--dataset", "mine", *SHARED, *QUICK),
)
NEAR, GENRE, COMMON = "model_2", "model_6", "model_7"
JUDGED = {"model_8", "model_9", "model_12", "model_13", "model_14"}  # by how val items rank
# By val items; the others have nothing to choose, and val items have no say in anything of them.
CHOOSING = {"model_3", "model_4", GENRE} | JUDGED
CONSTANT = (
    *("format", "_is_array", "shape", "width", "form"),  # of a matrix, whatever is in it
    *(
        "chosen",
        "count_exponent",
        "neighbours",
        "feature_exponent",
        "weights",
        "mean_counts",
        "power",
    ),  # few values to choose from
)

Found = dict[str, Any]  # name → an array, a number or a text
Whose = Callable[[str], bool]  # whether an item is one of some


@dataclass(frozen=True)
class Chain:
    """A workspace and the tables that it is made of."""

    root: Path

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.root / "data"

    @property
    def tables(self) -> Path:
        """What a researcher brings."""
        return self.root / "tables"

    def run(self, *words: object) -> Any:
        """Run a command that succeeds."""
        done = run_command(*words, "-w", self.root, "--json")
        assert done.status == 0, done.err
        return json.loads(done.out)

    def ids(self, dataset: str, split: str) -> list[str]:
        """Read the ids of a set."""
        path = self.data / "datasets" / f"items_index_{split}_{dataset}.tsv"
        return path.read_text("utf-8").split("\n")[:-1]


# ---------------------------------------------------------------- a little world, and its change


def write_rows(path: Path, head: list[str], rows: Iterator[list[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(head)
        writer.writerows(rows)


def write_tables(folder: Path) -> None:
    """Write plays, genres, tags, numbers and texts of items that have a hidden place."""
    rng = np.random.default_rng(0)
    places = rng.standard_normal((ITEMS, 3))
    ids = [f"{number:03d}" for number in range(ITEMS)]
    liking = places @ rng.standard_normal((3, USERS)) + rng.gumbel(size=(ITEMS, USERS))
    plays = ([f"u{u}", ids[i], rng.geometric(0.3)] for i, u in np.argwhere(liking > 0.5))
    genres = ([ids[i], GENRES[g]] for i, g in np.argwhere(places > -0.3))
    fits = places @ rng.standard_normal((3, TAGS)) + rng.gumbel(size=(ITEMS, TAGS))
    tags = ([ids[i], f"tag {t}", rng.integers(1, 9)] for i, t in np.argwhere(fits > 0.6))
    sounds = places @ rng.standard_normal((3, WIDTH)) + 0.1 * rng.standard_normal((ITEMS, WIDTH))
    (folder / "texts").mkdir(parents=True)
    write_rows(folder / "plays.csv", ["user", "item", "plays"], plays)
    write_rows(folder / "genres.csv", ["item", "genre"], genres)
    write_rows(folder / "tags.tsv", ["item", "tag", "weight"], tags)
    numbers = ([item, *row] for item, row in zip(ids, sounds.tolist(), strict=True))
    write_rows(folder / "sounds.csv", ["item", *"abcde"], numbers)
    for item in ids:
        text = " ".join(rng.choice(WORDS, 12))
        (folder / "texts" / f"{item}.txt").write_text(text, "utf-8")


def change_tables(folder: Path, changed: Whose) -> None:
    """Give some items other tags, which come first now, far larger numbers and other words."""
    with (folder / "tags.tsv").open(encoding="utf-8", newline="") as file:
        head, *tags = csv.reader(file, delimiter="\t")
    with (folder / "sounds.csv").open(encoding="utf-8", newline="") as file:
        columns, *sounds = csv.reader(file)
    some = [row[0] for row in sounds if changed(row[0])]
    new = [[item, tag, 1000 + n] for n, item in enumerate(some) for tag in ("tag 0", "a new tag")]
    kept = [row for row in tags if not changed(row[0])]
    write_rows(folder / "tags.tsv", head, iter(new + kept))
    rows = ([i, *(1000 * float(v) + 7 if changed(i) else v for v in row)] for i, *row in sounds)
    write_rows(folder / "sounds.csv", columns, rows)
    for item in some:
        (folder / "texts" / f"{item}.txt").write_text("love love unheard of " + item, "utf-8")


def change_matrices(chain: Chain, split: str) -> None:
    """Let other users play the items of a set, often; turn their genres over."""
    folder = chain.data / "datasets"
    path = folder / f"matrix_{split}_mine.npz"
    plays = load_npz(path).toarray()
    turned = 1000 * np.roll(plays, 5, axis=1) + np.roll(plays, 11, axis=1)
    save_npz(path, csr_array(turned))
    middle = "" if split == "train" else f"{split}_"
    path = folder / f"item_factors_{middle}class_{len(GENRES)}_genres.npy"
    np.save(path, 1 - np.load(path))


# --------------------------------------------------------------- the chain, and what it leaves


def begun(root: Path) -> Chain:
    """Return a workspace of two datasets of the same items, split and nothing more."""
    chain = Chain(root)
    assert run_command("init", root).status == 0
    write_tables(chain.tables)
    shares = ("--test", 0.3, "--val", 0.25)
    chain.run("split", "mine", "--plays", chain.tables / "plays.csv", *shares)
    lists = [
        word
        for split in SETS
        for word in (
            f"--{split}-ids",
            chain.data / "datasets" / f"items_index_{split}_mine.tsv",
        )
    ]
    chain.run("split", "genres", "--labels", chain.tables / "genres.csv", *lists)
    return chain


def go_on(chain: Chain) -> None:
    """Go the whole way from a split to figures."""
    tables = chain.tables
    chain.run("factorize", "mine", "als", "--dim", 4, "--threads", 1)
    chain.run("factorize", "mine", "pmi", "--dim", 3)
    chain.run("factorize", "genres", "pmi", "--dim", 2)
    for dataset in ("mine", "genres"):
        chain.run("features", dataset, "tags", "--from", tables / "tags.tsv", "--tags", *NO_TAG)
        chain.run("features", dataset, "sounds", "--from", tables / "sounds.csv", "--scale")
    chain.run("text", "mine", "vsm", "--text", tables / "texts", "--set", "max_df=1.0")
    for number, (experiment, *more) in enumerate(EXPERIMENTS, 1):
        chain.run("train", experiment, *more)
        splits = SETS if f"model_{number}" in (NEAR, GENRE) else ("test",)
        for split in splits:
            chain.run("predict", f"model_{number}", "--split", split)
    chain.run("evaluate", GENRE)


def arrays_of(path: Path) -> Found:
    """Read every array of a file."""
    if path.suffix == ".npy":
        return {path.name: np.load(path)}
    if path.suffix == ".npz":
        with np.load(path) as kept:
            return {f"{path.name}/{name}": kept[name] for name in kept.files}
    with zipfile.ZipFile(path) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    found: Found = {}

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[f"{path.name}/{name}"] = node[...]

    with h5py.File(weights) as file:
        file.visititems(visit)
    return found


def arrays_in(folder: Path, *patterns: str) -> Found:
    """Read every array of the files of some names."""
    paths = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    assert paths
    return {name: array for path in paths for name, array in arrays_of(path).items()}


def models(chain: Chain, *, choosing: bool) -> Iterator[Path]:
    for folder in sorted((chain.data / "models").glob("model_*")):
        if (folder.name in CHOOSING) == choosing:
            yield folder


def weights(folder: Path) -> Found:
    """Return all that a model remembers of its training."""
    found = arrays_in(folder, "*.keras", "*.npz")
    for path in sorted(folder.glob("*_vectors.npy")):
        found |= arrays_of(path)
    return {f"{folder.name}/{name}": array for name, array in found.items()}


def made_of_train(chain: Chain) -> Found:
    """Return what train items alone decide on."""
    data = chain.data / "datasets"
    found = arrays_in(data, "item_factors_als_*", "item_factors_pmi_*")
    found |= arrays_in(data, "user_factors_*", "class_factors_*")
    found |= arrays_in(data / "train_data", "X_train_*")
    found |= arrays_in(chain.data / "factors", f"neighbours_{NEAR}_train.npz")
    for path in sorted((data / "train_data").glob("*.json")):
        told = json.loads(path.read_text("utf-8"))
        learnt = ("tags", "terms", "idf", "scale", "width", "form")
        found |= {f"{path.name}/{name}": told[name] for name in learnt if told.get(name)}
    for folder in models(chain, choosing=False):
        found |= weights(folder)
    history = (chain.data / "models" / GENRE / "history.csv").read_text("utf-8")
    return found | {"loss": [row["loss"] for row in csv.DictReader(io.StringIO(history))]}


def chosen_by_val(chain: Chain) -> Found:
    """Return what val items may have had a say in, and test items may not."""
    data = chain.data / "datasets"
    found = arrays_in(data, "item_factors_val_*") | arrays_in(data / "train_data", "X_val_*")
    found |= arrays_in(chain.data / "factors", f"factors_{GENRE}_val.npy")
    for folder in models(chain, choosing=True):
        found |= weights(folder)
        told = json.loads((folder / "manifest.json").read_text("utf-8"))
        chosen = ("validation_loss", "validation_score", "strength", "chosen", "trials")
        found |= {f"{folder.name}/{name}": told[name] for name in chosen if told[name]}
    results = json.loads((chain.data / "results" / f"{GENRE}.json").read_text("utf-8"))
    return found | {"thresholds": results["thresholds"]["by_class"]}


def made_of_test(chain: Chain) -> Found:
    """Return what belongs to the test items."""
    data = chain.data / "datasets"
    found = arrays_in(data, "item_factors_test_*") | arrays_in(data / "train_data", "X_test_*")
    predicted = ("factors_model_?.npy", "factors_model_1?.npy", "neighbours_*_?.npz")
    return found | arrays_in(chain.data / "factors", *predicted)


def differing(one: Found, other: Found) -> set[str]:
    """Name what is not the same, to the last bit."""
    assert {*one} == {*other}
    return {name for name in one if not same(one[name], other[name])}


def same(one: Any, other: Any) -> bool:
    if not isinstance(one, np.ndarray):
        return bool(one == other)
    kind = one.shape, one.dtype
    return kind == (other.shape, other.dtype) and bool(one.tobytes() == other.tobytes())


def changeable(found: Found) -> set[str]:
    """Name what the values of a table decide on."""
    return {name for name in found if name.rpartition("/")[2] not in CONSTANT}


# -------------------------------------------------------------------------------------- what holds


def write_chains(folder: Path) -> None:
    """Go the whole way, once as it is, and with all items of each set changed after the split."""
    first = begun(folder / "split")
    for changed in CHANGED:
        chain = Chain(Path(copytree(first.root, folder / changed)))
        if changed != "none":
            change_matrices(chain, changed)
            change_tables(chain.tables, {*first.ids("mine", changed)}.__contains__)
        go_on(chain)


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Chain]:
    """Return the chain as it is, and with all items of a set changed."""
    folder = made_once(tmp_path_factory, "leak", write_chains)
    return {changed: Chain(folder / changed) for changed in CHANGED}


def test_nothing_of_a_test_item_reaches_what_is_learnt_or_chosen(
    chains: Mapping[str, Chain],
) -> None:
    before, after = chains["none"], chains["test"]
    assert differing(made_of_train(before), made_of_train(after)) == set()
    assert differing(chosen_by_val(before), chosen_by_val(after)) == set()


def test_val_items_teach_nothing_but_choose(chains: Mapping[str, Chain]) -> None:
    before, after = chains["none"], chains["val"]
    assert differing(made_of_train(before), made_of_train(after)) == set()
    chosen = differing(chosen_by_val(before), chosen_by_val(after))
    assert {
        "thresholds",
        "model_3/trials",
        *(f"{name}/trials" for name in JUDGED - {"model_13"}),
        "model_13/validation_score",
        f"{GENRE}/validation_loss",
    } <= chosen


def test_all_that_is_made_of_test_items_did_change(chains: Mapping[str, Chain]) -> None:
    before, after = made_of_test(chains["none"]), made_of_test(chains["test"])
    alike = changeable(before) - differing(before, after)
    assert alike == {f"factors_{COMMON}.npy"}  # it scores all items the same


def test_all_that_must_not_change_can_do_so(chains: Mapping[str, Chain]) -> None:
    before, after = chains["none"], chains["train"]
    for found in (made_of_train, chosen_by_val):
        changed = differing(found(before), found(after))
        own = {name for name in changeable(found(before)) if "_val" in name}
        assert changeable(found(before)) - own <= changed


def test_the_scale_is_the_same_however_the_rows_of_other_items_cut_those_of_train(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tartarus_cli.features.dense.BLOCK_BYTES", 1200)  # 100 rows
    rows = (1e4 + np.random.default_rng(0).standard_normal((1050, 3))).astype(np.float32)
    scales = []
    for cuts in ([], [1], [7, 500, 900], list(range(1050))):
        moments = Moments(3)
        for some in np.split(np.asfortranarray(rows), cuts):
            moments.add(some)
        moments.finish()
        assert moments.rows == len(rows)
        scales.append((moments.mean.tobytes(), moments.deviation.tobytes()))
    assert len({*scales}) == 1
    scaler = StandardScaler()
    for block in np.split(rows, range(100, 1050, 100)):
        scaler.partial_fit(block)
    assert scales[0] == (scaler.mean_.tobytes(), scaler.scale_.tobytes())


def test_the_scale_of_more_than_one_block_is_that_of_all_rows_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tartarus_cli.features.dense.BLOCK_BYTES", 1200)  # 100 rows
    rng = np.random.default_rng(0)
    drift = np.linspace(0, 50, 1050)[:, None]  # each block has another mean
    rows = (drift + rng.standard_normal((1050, 3))).astype(np.float32)
    moments = Moments(3)
    moments.add(rows)
    moments.finish()
    scaler = StandardScaler().fit(rows.astype(np.float64))
    assert moments.mean == pytest.approx(scaler.mean_, rel=1e-12)
    assert moments.deviation == pytest.approx(scaler.scale_, rel=1e-12)
    assert moments.scale(rows) == pytest.approx(scaler.transform(rows), abs=1e-6)


def test_without_rows_nothing_is_scaled() -> None:
    moments = Moments(2)
    moments.add(np.empty((0, 2), np.float32))
    moments.finish()
    assert moments.rows == 0
    assert moments.scale(np.array([[3, 4]], np.float32)).tolist() == [[3, 4]]
