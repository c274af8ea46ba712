"""``check-data`` names every damaged file; ``run`` and ``train`` stop before they begin."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, load_npz, save_npz

from tests.conftest import Command
from tests.worlds import World

Act = Callable[[World], object]
Change = Callable[[NDArray[Any]], object]
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Damage:
    """Something done to the files of a dataset, and what the check has to say of it."""

    what: str
    act: Act
    severity: Severity
    file: str
    found: str
    expected: str = ""
    dataset: str = "rec"

    def told_by(self, problem: dict[str, str]) -> bool:
        """Whether a problem of the report speaks of this damage."""
        return (
            problem["severity"] == self.severity
            and problem["file"].endswith(self.file)
            and self.found in problem["found"]
            and self.expected in problem["expected"]
        )


# ---------------------------------------------------------------------------------- what is done


def gone(*names: str) -> Act:
    def act(world: World) -> None:
        for name in names:
            (world.datasets / name).unlink()

    return act


def together(*acts: Act) -> Act:
    return lambda world: [act(world) for act in acts]


def moved(name: str, to: str) -> Act:
    def act(world: World) -> None:
        path = world.root / "data" / to
        path.parent.mkdir(parents=True, exist_ok=True)
        (world.datasets / name).rename(path)

    return act


def copied(name: str, to: str) -> Act:
    def act(world: World) -> None:
        path = world.root / "data" / to
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(world.datasets / name, path)

    return act


def written(name: str, content: bytes) -> Act:
    def act(world: World) -> None:
        path = world.root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return act


def raw(name: str, change: Callable[[bytes], bytes]) -> Act:
    """Change the bytes of a file."""

    def act(world: World) -> None:
        path = world.datasets / name
        path.write_bytes(change(path.read_bytes()))

    return act


def lines(name: str, change: Callable[[list[str]], Sequence[str]]) -> Act:
    """Change the lines of a list."""

    def act(world: World) -> None:
        path = world.datasets / name
        changed = change(path.read_text("utf-8").splitlines())
        path.write_text("".join(f"{line}\n" for line in changed), "utf-8")

    return act


def dense(name: str, change: Change) -> Act:
    """Change the array of an npy file."""

    def act(world: World) -> None:
        path = world.datasets / name
        np.save(path, np.asarray(change(np.load(path))))

    return act


def parts(name: str, **changes: Change) -> Act:
    """Change the arrays of an npz file."""

    def act(world: World) -> None:
        path = world.datasets / name
        with np.load(path) as kept:
            arrays: dict[str, Any] = {each: kept[each] for each in kept.files}
        np.savez(path, **arrays | {n: change(arrays[n]) for n, change in changes.items()})

    return act


def sparse(name: str, change: Callable[[Any], object]) -> Act:
    """Change a sparse matrix as a whole."""

    def act(world: World) -> None:
        path = world.datasets / name
        save_npz(path, change(load_npz(path)))

    return act


def put(where: Any, value: object) -> Change:
    """Write a value into some cells."""

    def change(array: NDArray[Any]) -> NDArray[Any]:
        array[where] = value
        return array

    return change


def mixed(*values: object) -> Change:
    """Put several values into the first row, as 64-bit numbers."""

    def change(array: NDArray[Any]) -> NDArray[Any]:
        array = array.astype(np.float64)
        array[0, : len(values)] = values
        return array

    return change


def fewer_classes_in_test(world: World) -> None:
    name = "item_factors_test_class_2_one.npy"
    moved(ONE_TEST, f"datasets/{name}")(world)
    dense(name, lambda a: a[:, :2])(world)
    gone("genre_labels_one.tsv")(world)


def one_flag_encrypted(content: bytes) -> bytes:
    """Set the bit of the first entry in a zip file's directory that says it is encrypted."""
    changed = bytearray(content)
    changed[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def flipped(marker: bytes, beyond: int) -> Callable[[bytes], bytes]:
    """Flip the bits of one byte that lies ``beyond`` a marker."""

    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[content.index(marker) + beyond] ^= 0xFF
        return bytes(changed)

    return change


PATCHES = "patches/patches_train_one_1_15.hdf5"
ITEMS_OF_ONE = [f"train-{n}" for n in range(40)]


def patches(
    *,
    name: str = PATCHES,
    ids: Sequence[str] = ITEMS_OF_ONE,
    shape: tuple[int, ...] = (40, 1, 5, 3),
    dtype: str = "f4",
) -> Act:
    """Write a file of patches for the train items of the dataset ``one``."""

    def act(world: World) -> None:
        path = world.root / "data" / name
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as store:
            store["features"] = np.ones(shape, dtype)
            store["index"] = np.array(ids, dtype="S20")
            store.attrs["complete"] = True

    return act


def stored(change: Callable[[Any], object]) -> Act:
    """Write a good file of patches and change it."""

    def act(world: World) -> None:
        patches()(world)
        with h5py.File(world.root / "data" / PATCHES, "a") as store:
            change(store)

    return act


def numbers_for_ids(store: Any) -> None:
    del store["index"]
    store["index"] = np.arange(40)


def one_value_is_nan(store: Any) -> None:
    store["features"][3, 0, 2, 1] = np.nan


def rows_beyond_any_memory(store: Any) -> None:
    """Promise 10¹³ rows that were never written."""
    del store["features"], store["index"]
    store.create_dataset("features", (10**13, 1, 5, 3), "f4", chunks=(1, 1, 5, 3))
    store.create_dataset("index", (10**13,), "S20", chunks=(8,))


def cut_patches(world: World) -> None:
    patches()(world)
    path = world.root / "data" / PATCHES
    path.write_bytes(path.read_bytes()[:-500])


# ------------------------------------------------------------------------- the damages, by kind

IDS, TEST_IDS = "items_index_train_rec.tsv", "items_index_test_rec.tsv"
ALS, USERS = "item_factors_als_4_rec.npy", "user_factors_als_4_rec.npy"
TRUTH, PLAYS = "matrix_test_rec.npz", "matrix_train_rec.npz"
X = "train_data/X_{}_text_rec.npy".format
S = "train_data/X_{}_text-sparse_rec.npz".format
ONE_TRAIN, ONE_TEST = "item_factors_class_3_one.npy", "item_factors_test_class_3_one.npy"
MANY_TRAIN, MANY_TEST = "item_factors_class_3_many.npy", "item_factors_test_class_3_many.npy"
X_VAL = "train_data/X_val_text_one.npy"
LABELS, LABEL_FACTORS = "genre_labels_many.tsv", "class_factors_pmi_2_many.npy"


def _missing(name: str, dataset: str = "rec", severity: Severity = "error") -> Damage:
    return Damage(f"without {name}", gone(name), severity, name, "missing", dataset=dataset)


MISSING = [
    *map(_missing, (IDS, TEST_IDS, ALS, USERS, TRUTH, X("train"), X("test"), S("test"))),
    _missing("items_index_test_many.tsv", "many"),
    _missing(MANY_TEST, "many"),
    _missing(LABEL_FACTORS, "many"),
    _missing("train_data/X_val_text_many.npy", "many"),
    _missing(ONE_TRAIN, "one"),
    _missing(ONE_TEST, "one"),
    _missing("genre_labels_one.tsv", "one", "warning"),
    Damage("factors but neither users nor truth", gone(USERS, TRUTH), "error", TRUTH, "missing"),
    Damage(
        "real-valued pmi targets instead of the classes of the test items",
        together(
            dense(MANY_TEST, lambda a: a[:, :2] - 0.5),
            moved(MANY_TEST, "datasets/item_factors_test_pmi_2_many.npy"),
        ),
        "error",
        MANY_TEST,
        "missing",
        dataset="many",
    ),
]

ROWS = [
    Damage("a row too few", dense(X("train"), lambda a: a[:-1]), "error", X("train"), "39 rows"),
    Damage("a row too many", dense(X("test"), lambda a: a[[0, *range(12)]]), "error", X("test"),
           "13 rows", "12"),
    Damage("a transposed matrix", dense(X("train"), np.transpose), "error", X("train"),
           "transposed", "40"),
    Damage("a sparse row too few", sparse(S("train"), lambda m: m[:-1]), "error", S("train"),
           "39 rows"),
    Damage("targets a row short", dense(ALS, lambda a: a[1:]), "error", ALS, "39 rows", "40"),
    Damage("an id too few", lines(IDS, lambda ids: ids[1:]), "error", X("train"), "40 rows", "39"),
    Damage("a class row too few", dense(ONE_TEST, lambda a: a[1:]), "error", ONE_TEST, "11 rows",
           "12", dataset="one"),
    Damage("val rows too many", dense(X_VAL, lambda a: a[[0, *range(10)]]), "error", X_VAL,
           "11 rows", "10", dataset="one"),
    Damage("truth of 11 items", sparse(TRUTH, lambda m: m[:-1]), "error", TRUTH, "11 × 9",
           "12 × 9"),
    Damage("truth of 8 users", sparse(TRUTH, lambda m: m[:, :-1]), "error", TRUTH, "12 × 8",
           "12 × 9"),
    Damage("transposed truth", sparse(TRUTH, lambda m: m.T.tocsr()), "error", TRUTH, "transposed",
           "12 × 9"),
    Damage("train plays of 39 items", sparse(PLAYS, lambda m: m[:-1]), "error", PLAYS, "39 × 9"),
    Damage("8 users' ids", written("datasets/users_index_rec.tsv", b"a\nb\nc\nd\ne\nf\ng\nh\n"),
           "error", USERS, "9 rows", "8"),
    Damage("4 label factors", dense(LABEL_FACTORS, lambda a: a[[0, 1, 2, 2]]), "error",
           LABEL_FACTORS, "4 rows", "3", dataset="many"),
    Damage("4 label factors and no label names",
           together(dense(LABEL_FACTORS, lambda a: a[[0, 1, 2, 2]]), gone(LABELS)), "error",
           LABEL_FACTORS, "4 rows", "3", dataset="many"),
    Damage("fewer users in the second kind of factors",
           together(copied(ALS, "datasets/item_factors_pmi_4_rec.npy"),
                    copied(USERS, "datasets/user_factors_pmi_4_rec.npy"),
                    dense("user_factors_pmi_4_rec.npy", lambda a: a[:-1])), "error",
           "user_factors_pmi_4_rec.npy", "8 rows", "9"),
]  # fmt: skip

IDS_DAMAGED = [
    Damage("a duplicate id", lines(IDS, lambda ids: [*ids[:-1], ids[0]]), "error", IDS,
           "1 duplicate ids ('train-0')"),
    Damage("an empty id", lines(IDS, lambda ids: ["", *ids[1:]]), "error", IDS,
           "1 empty ids (line 1)"),
    Damage("a blank id", lines(IDS, lambda ids: [*ids[:4], "  ", *ids[5:]]), "error", IDS,
           "1 empty ids (line 5)"),
    Damage("an id with a tab", lines(TEST_IDS, lambda ids: ["a\tb", *ids[1:]]), "error", TEST_IDS,
           "1 ids with a tab (line 1)"),
    Damage("ids in Latin 1", raw(IDS, lambda b: b.replace(b"train-7\n", b"\xe9t\xe9\n")), "error",
           IDS, "not UTF-8 in line 8", "UTF-8"),
    Damage("no ids", written(f"datasets/{IDS}", b""), "error", IDS, "no ids"),
    Damage("an id in two sets", lines(TEST_IDS, lambda ids: ["train-3", *ids[1:]]), "error",
           "_rec.tsv", "too (train-3)", "each item in one set"),
    Damage("a val id in train", lines("items_index_val_one.tsv", lambda ids: ["train-3", *ids[1:]]),
           "error", "_one.tsv", "too (train-3)", dataset="one"),
    Damage("a user twice", written("datasets/users_index_rec.tsv", b"a\nb\nc\nd\ne\nf\ng\nh\na\n"),
           "error", "users_index_rec.tsv", "1 duplicate ids ('a')"),
    Damage("a label twice", written(f"datasets/{LABELS}", b"jazz\nsoul\njazz\n"), "warning", LABELS,
           "duplicate", dataset="many"),
    Damage("labels in Latin 1", written(f"datasets/{LABELS}", b"jazz\nsoul\nm\xe9tal\n"), "error",
           LABELS, "not UTF-8 in line 3", dataset="many"),
]  # fmt: skip

WIDTHS = [
    Damage("a column too few in test", dense(X("test"), lambda a: a[:, 1:]), "error", X("test"),
           "5 columns", "6"),
    Damage("a sparse column too many in test", parts(S("test"), shape=np.array([0, 1]).__add__),
           "error", S("test"), "7 columns", "6"),
    Damage("another width of val", dense(X_VAL, lambda a: a[:, 1:]), "error", X_VAL, "5 columns",
           dataset="one"),
    Damage("5 factors under the name of 4", dense(ALS, lambda a: a[:, [0, 1, 2, 3, 0]]), "error",
           ALS, "5 columns", "4, as its name says"),
    Damage("3 user factors under the name of 4", dense(USERS, lambda a: a[:, 1:]), "error", USERS,
           "3 columns", "4"),
    Damage("4 classes under the name of 3", dense(ONE_TRAIN, lambda a: a[:, [0, 1, 2, 2]]), "error",
           ONE_TRAIN, "4 columns", "3", dataset="one"),
    Damage("fewer classes in test and no label names", fewer_classes_in_test, "error", "_one.npy",
           "", dataset="one"),
    Damage("2 label names of 3 classes", lines(LABELS, lambda names: names[1:]), "error", LABELS,
           "2 names", "3, one for each column of item_factors_class_3_many.npy", dataset="many"),
]  # fmt: skip

VALUES = [
    Damage("NaN", dense(X("train"), put((7, 2), np.nan)), "error", X("train"),
           "NaN or infinity in 1 rows (7)", "finite"),
    Damage("infinity", dense(X("test"), put(([1, 3], 0), np.inf)), "error", X("test"),
           "NaN or infinity in 2 rows (1, 3)", "finite"),
    Damage("infinities of both signs", dense(X("train"), mixed(np.inf, -np.inf)), "error",
           X("train"), "NaN or infinity in 1 rows (0)"),
    Damage("NaN and infinity", dense(X("train"), mixed(np.nan, -np.inf)), "error", X("train"),
           "NaN or infinity in 1 rows (0)"),
    Damage("64-bit numbers beyond 32 bits", dense(X("train"), mixed(1e300)), "error", X("train"),
           "NaN or infinity in 1 rows (0)", "float32"),
    Damage("infinity of 16 bits", dense(X("train"), lambda a: put((2, 1), np.inf)(
           a.astype(np.float16))), "error", X("train"), "NaN or infinity in 1 rows (2)"),
    Damage("sparse NaN", parts(S("train"), data=put(0, np.nan)), "error", S("train"),
           "NaN or infinity in 1 rows"),
    Damage("sparse NaN beside infinity",
           parts(S("train"), data=put(slice(40, 42), [np.nan, np.inf])), "error", S("train"),
           "NaN or infinity in"),
    Damage("sparse 64-bit numbers beyond 32 bits",
           parts(S("train"), data=lambda a: put(0, 1e300)(a.astype(np.float64))), "error",
           S("train"), "NaN or infinity in 1 rows"),
    Damage("NaN in targets", dense(ALS, put((0, 0), np.nan)), "error", ALS, "NaN"),
    Damage("NaN in the oracle", dense("item_factors_test_als_4_rec.npy", put((0, 0), np.nan)),
           "error", "item_factors_test_als_4_rec.npy", "NaN"),
    Damage("NaN in user factors", dense(USERS, put((8, 3), np.nan)), "error", USERS, "rows (8)"),
    Damage("NaN in label factors", dense(LABEL_FACTORS, put((2, 1), np.nan)), "error",
           LABEL_FACTORS, "NaN or infinity in 1 rows (2)", dataset="many"),
    Damage("NaN in the truth", parts(TRUTH, data=put(0, np.nan)), "error", TRUTH,
           "1 values are NaN or infinite"),
    Damage("infinite train plays", parts(PLAYS, data=put(0, np.inf)), "error", PLAYS,
           "1 values are NaN or infinite"),
    Damage("truth of zeros", parts(TRUTH, data=lambda a: 0 * a), "error", TRUTH, "no positive"),
    Damage("truth below zero", parts(TRUTH, data=np.negative), "error", TRUTH, "no positive"),
    Damage("truth without any entry", sparse(TRUTH, lambda m: csr_array(m.shape)), "error", TRUTH,
           "no positive"),
    Damage("a class counted twice", dense(MANY_TRAIN, lambda a: 2 * a), "error", MANY_TRAIN,
           "values other than 0 and 1", dataset="many"),
    Damage("half a class", dense(ONE_TEST, put((0, 0), 0.5)), "error", ONE_TEST,
           "values other than 0 and 1", dataset="one"),
    Damage("classes of NaN", dense(ONE_TRAIN, put((0, 0), np.nan)), "error", ONE_TRAIN, "NaN",
           dataset="one"),
]  # fmt: skip

WORTH_A_WARNING = [
    Damage("all-zero rows", dense(X("train"), put([3, 9], 0)), "warning", X("train"),
           "2 of 40 rows are all zero"),
    Damage("all-zero sparse rows", sparse(S("test"), lambda m: csr_array(m.multiply(
           np.arange(12)[:, None] > 11 - 1))), "warning", S("test"), "11 of 12 rows are all zero"),
    Damage("users without items", dense(USERS, put(slice(0, 3), 0)), "warning", USERS,
           "3 of 9 rows are all zero"),
    Damage("identical rows", dense(X("train"), lambda a: a[[*range(37), 0, 0, 1]]), "warning",
           X("train"), "3 rows repeat an earlier one"),
    Damage("identical sparse rows", sparse(S("test"), lambda m: m[[0, 1, 2, 3, 4, 5] * 2]),
           "warning", S("test"), "6 rows repeat an earlier one"),
    Damage("identical targets", dense(ALS, lambda a: a[[*range(39), 0]]), "warning", ALS,
           "1 rows repeat"),
    Damage("a constant column", dense(X("train"), put((slice(None), 4), 2.5)), "warning",
           X("train"), "1 of 6 columns are constant"),
    Damage("empty sparse columns",
           together(*(parts(S(s), shape=np.array([0, 3]).__add__) for s in ("train", "test"))),
           "warning", S("train"), "3 of 9 columns are constant"),
    Damage("a label without positives", dense(MANY_TRAIN, put((slice(None), 1), 0)), "warning",
           MANY_TRAIN, "1 of 3 labels have no positive", dataset="many"),
    Damage("a label without test items", dense(MANY_TEST, put((slice(None), [0, 2]), 0)), "warning",
           MANY_TEST, "2 of 3 labels have no positive", dataset="many"),
    Damage("several classes in test, one in train", dense(ONE_TEST, put(0, 1)), "warning", ONE_TEST,
           "several", "one class", dataset="one"),
    Damage("no class in val, one in train", dense("item_factors_val_class_3_one.npy", put(0, 0)),
           "warning", "item_factors_val_class_3_one.npy", "no class", dataset="one"),
    Damage("users without test items", sparse(TRUTH, lambda m: csr_array(m.multiply(
           np.arange(9) > 3))), "warning", TRUTH, "4 of 9 users have no test item"),
    Damage("test items that nobody has", sparse(TRUTH, lambda m: csr_array(m.multiply(
           np.arange(12)[:, None] > 1))), "warning", TRUTH, "2 of 12 test items have no user"),
    Damage("val rows without val ids", copied(X("test"), f"datasets/{X('val')}"), "warning",
           X("val"), "no val ids", "items_index_val_rec.tsv"),
    Damage("val targets without val ids", gone("items_index_val_one.tsv"), "warning",
           "item_factors_val_class_3_one.npy", "no val ids", dataset="one"),
    Damage("val ids without val targets", gone("item_factors_val_class_3_one.npy"), "warning",
           "items_index_val_one.tsv", "without val targets", dataset="one"),
    Damage("an unknown name", written("datasets/features_of_rec.npy", b"?"), "warning",
           "features_of_rec.npy", "means nothing"),
    Damage("a file of no dataset", written("datasets/README.txt", b"?"), "warning", "README.txt",
           "means nothing", dataset=""),
    Damage("a setting in a format that is not read",
           written("datasets/train_data/X_train_text_rec.csv", b"1,2"), "warning",
           "X_train_text_rec.csv", "means nothing"),
]  # fmt: skip

NO_NUMBERS = [
    Damage("strings", dense(X("train"), lambda a: a.astype(str)), "error", X("train"), "<U",
           "numbers"),
    Damage("bytes", dense(X("train"), lambda a: a.astype("S8")), "error", X("train"), "S8"),
    Damage("complex numbers", dense(X("train"), lambda a: a + 1j), "error", X("train"), "complex"),
    Damage("dates", dense(X("train"), lambda a: a.astype("M8[s]")), "error", X("train"),
           "datetime"),
    Damage("records", dense(X("train"), lambda a: a.view([("a", "f4"), ("b", "f4")])), "error",
           X("train"), "'a'"),
    Damage("one dimension", dense(ALS, np.ravel), "error", ALS, "(160,)", "(rows, columns)"),
    Damage("three dimensions", dense(ALS, lambda a: a[None]), "error", ALS, "(1, 40, 4)"),
    Damage("a single number", dense(ALS, lambda _: np.float32(1)), "error", ALS, "()"),
    Damage("no columns", dense(X("train"), lambda a: a[:, :0]), "error", X("train"), "(40, 0)"),
    Damage("Python objects", dense(X("train"), lambda a: a.astype(object)), "error", X("train"),
           "never loaded"),
    Damage("sparse complex numbers", parts(S("train"), data=lambda a: a + 1j), "error", S("train"),
           "complex"),
    Damage("sparse Python objects", parts(S("train"), data=lambda a: a.astype(object)), "error",
           S("train"), "never loaded"),
    Damage("truth of Python objects", parts(TRUTH, data=lambda a: a.astype(object)), "error", TRUTH,
           "never loaded"),
    Damage("a shape of Python objects", parts(TRUTH, shape=lambda a: a.astype(object)), "error",
           TRUTH, "never loaded"),
    Damage("a pickle of rows", raw(X("train"), lambda _: b"\x80\x04]."), "error", X("train"),
           "pickle"),
    Damage("a pickled truth", raw(TRUTH, lambda _: b"\x80\x02}q\x00."), "error", TRUTH, "pickle"),
    Damage("a pickled scaler", written("patches/scaler_one_1_15.pkl", b"\x80\x04]."), "error",
           "scaler_one_1_15.pkl", "pickle", dataset=""),
    Damage("a pickle of no dataset", written("datasets/index.pickle", b"\x80\x04]."), "error",
           "index.pickle", "pickle", dataset=""),
]  # fmt: skip

UNREADABLE = [
    Damage("a file cut short", raw(X("train"), lambda b: b[:-1]), "error", X("train"), "cut short",
           "1,088 bytes"),
    Damage("half a header", raw(X("train"), lambda b: b[:50]), "error", X("train"), "or no npy"),
    Damage("an empty file", raw(USERS, lambda _: b""), "error", USERS, "or no npy"),
    Damage("text instead of an array", raw(ALS, lambda _: b"1,2,3\n"), "error", ALS, "or no npy"),
    Damage("an open bracket in a header", raw(X("train"), lambda b: b.replace(b", }", b", (")),
           "error", X("train"), "or no npy"),
    Damage("a header of another shape", raw(X("train"), lambda b: b.replace(b"(40,", b"(99,")),
           "error", X("train"), "cut short"),
    Damage("a shape below zero", raw(X("train"), lambda b: b.replace(b"(40, 6)", b"(-4, 6)")),
           "error", X("train"), "-4"),
    Damage("an npz cut short", raw(S("train"), lambda b: b[:-9]), "error", S("train"),
           "damaged, or no npz"),
    Damage("an empty npz", raw(TRUTH, lambda _: b""), "error", TRUTH, "damaged, or no npz"),
    Damage("no npz at all", raw(S("test"), lambda _: b"PK or not"), "error", S("test"),
           "damaged, or no npz"),
    Damage("flipped bits", raw(S("train"), flipped(b"data.npy", 60)), "error", S("train"),
           "data"),
    Damage("flipped bits in the truth", raw(TRUTH, flipped(b"indices.npy", 60)), "error", TRUTH,
           "indices"),
    Damage("an npz that calls itself encrypted", raw(TRUTH, one_flag_encrypted), "error", TRUTH,
           ""),
    Damage("an npy that was renamed npz", copied(X("test"), f"datasets/{S('test')}"), "error",
           S("test"), "damaged, or no npz"),
    Damage("an npz that was renamed npy", copied(S("test"), f"datasets/{X('test')}"), "error",
           X("test"), "or no npy"),
    Damage("a dense matrix in an npz", lambda w: np.savez(w.datasets / S("test"), np.ones((12, 6))),
           "error", S("test"), "no array 'data'", "indptr"),
]  # fmt: skip

BAD_CSR = [
    Damage("a column out of range", parts(S("train"), indices=put(0, 6)), "error", S("train"),
           "column indices from 0 to 6", "0 to 5"),
    Damage("a column below zero", parts(S("train"), indices=put(0, -1)), "error", S("train"),
           "column indices from -1"),
    Damage("a user out of range", parts(TRUTH, indices=put(0, 9)), "error", TRUTH,
           "column indices from 0 to 9", "0 to 8"),
    Damage("falling starts", parts(S("train"), indptr=put(3, 1)), "error", S("train"),
           "not rising"),
    Damage("starts beyond the end", parts(S("train"), indptr=put(-1, 999)), "error", S("train"),
           "not rising"),
    Damage("a start too few", parts(S("train"), indptr=lambda a: a[1:]), "error", S("train"),
           "do not fit"),
    Damage("an index too few", parts(S("train"), indices=lambda a: a[1:]), "error", S("train"),
           "do not fit"),
    Damage("fractional indices", parts(S("train"), indices=lambda a: a + 0.5), "error", S("train"),
           "do not fit"),
    Damage("three lengths", parts(S("train"), shape=lambda _: np.array([40, 6, 1])), "error",
           S("train"), "shape"),
    Damage("a shape beyond any memory", parts(S("train"), shape=lambda _: np.array([40, 2**45])),
           "error", S("train"), ""),
    Damage("CSC format", sparse(S("train"), csc_array), "error", S("train"), "'csc'", "CSR"),
    Damage("truth in CSC format", sparse(TRUTH, csc_array), "error", TRUTH, "'csc'", "CSR"),
    Damage("COO format", sparse(TRUTH, lambda m: m.tocoo()), "error", TRUTH, "'coo'", "CSR"),
]  # fmt: skip


def _hdf5(what: str, act: Act, found: str, severity: Severity = "error") -> Damage:
    return Damage(what, act, severity, PATCHES, found, dataset="one")


IN_HDF5 = [
    _hdf5("unknown items", patches(ids=["who", *ITEMS_OF_ONE[1:]]), "not in train (who)"),
    _hdf5("test items in train", patches(ids=["test-0", *ITEMS_OF_ONE[1:]]), "(test-0)"),
    _hdf5("an unfinished file", stored(lambda s: s.attrs.modify("complete", value=False)),
          "never finished"),
    _hdf5("a damaged file", cut_patches, "damaged or no HDF5"),
    _hdf5("no HDF5 at all", written(PATCHES, b"\x89HDF or not"), "damaged or no HDF5"),
    _hdf5("patches of three dimensions", patches(shape=(40, 5, 3)), "(40, 5, 3)"),
    _hdf5("channels last", patches(shape=(40, 5, 3, 1)), "(40, 5, 3, 1)"),
    _hdf5("whole numbers", patches(dtype="i4"), "int32"),
    _hdf5("rows without ids", patches(ids=ITEMS_OF_ONE[1:]), "index (39,)"),
    _hdf5("no index", stored(lambda s: s.pop("index")), "no dataset 'index'"),
    _hdf5("no features", stored(lambda s: s.pop("features")), "no dataset 'features'"),
    _hdf5("ids that are numbers", stored(numbers_for_ids), "int64"),
    _hdf5("NaN in a patch", stored(one_value_is_nan), "NaN or infinity in 1 rows"),
    _hdf5("more rows than any memory holds", stored(rows_beyond_any_memory), ""),
    _hdf5("items without patches", patches(ids=["", "", *ITEMS_OF_ONE[2:]]), "2 of 40", "warning"),
    Damage("no scaler", written("patches/scaler_one_1_15.npz", b"?"), "error",
           "scaler_one_1_15.npz", "damaged, or no npz", dataset="one"),
]  # fmt: skip


def _old(name: str, to: str, dataset: str = "rec") -> Damage:
    canonical = f"data/datasets/{name}"
    return Damage(f"{name} as {to}", moved(name, to), "note", to, "old", canonical, dataset)


OLD_NAMES = [
    _old(IDS, f"splits/{IDS}"),
    _old(ALS, "splits/y_train_als_4_rec.npy"),
    _old(ALS, "datasets/item_factors_train_als_4_rec.npy"),
    _old(ALS, "datasets/y_train_als_4_rec.npy"),
    _old("item_factors_test_als_4_rec.npy", "datasets/y_test_als_4_rec.npy"),
    _old(USERS, f"splits/{USERS}"),
    _old(TRUTH, f"splits/{TRUTH}"),
    _old(X("train"), X("train")),
    _old(S("test"), S("test")),
    _old(LABELS, f"splits/{LABELS}", "many"),
    _old(MANY_TEST, "splits/y_test_class_3_many.npy", "many"),
    _old("item_factors_val_class_3_one.npy", "datasets/y_val_class_3_one.npy", "one"),
    _old(LABEL_FACTORS, "datasets/user_factors_pmi_2_many.npy", "many"),
    Damage("patches with an x", patches(name="patches/patches_train_one_1x15.hdf5"), "note",
           "patches_train_one_1x15.hdf5", "old", f"data/{PATCHES}", "one"),
]  # fmt: skip

TWICE = [
    Damage("other ids in the old place", written(f"splits/{TEST_IDS}", b"a\n"), "error", TEST_IDS,
           "another content", f"data/datasets/{TEST_IDS}"),
    Damage("other features in the old place",
           together(copied(X("train"), X("train")), dense(X("train"), np.negative)), "error",
           X("train"), "another content", f"data/datasets/{X('train')}"),
    Damage("other targets under the old name",
           together(copied(ALS, "splits/y_train_als_4_rec.npy"), dense(ALS, np.negative)), "error",
           "_als_4_rec.npy", "another content", f"data/datasets/{ALS}"),
    Damage("other label factors under the old name",
           together(copied(LABEL_FACTORS, "datasets/user_factors_pmi_2_many.npy"),
                    dense(LABEL_FACTORS, np.negative)), "error", "_factors_pmi_2_many.npy",
           "another content", f"data/datasets/{LABEL_FACTORS}", "many"),
]  # fmt: skip

DAMAGES = [
    *MISSING,
    *ROWS,
    *IDS_DAMAGED,
    *WIDTHS,
    *VALUES,
    *WORTH_A_WARNING,
    *NO_NUMBERS,
    *UNREADABLE,
    *BAD_CSR,
    *IN_HDF5,
    *OLD_NAMES,
    *TWICE,
]


def named(*names: str) -> list[Damage]:
    """Return the damages of these names, in this order."""
    known = {damage.what: damage for damage in DAMAGES}
    return [known[name] for name in names]


def only(dataset: str, folder: Path) -> World:
    """Make a tiny workspace with one dataset, which costs less than all three."""
    world = World(folder / "workspace")
    if dataset in ("", "rec"):
        world.recommendation("rec")
    else:
        world.classification(dataset, several=dataset == "many")
    return world


def check(tartarus: Command, world: World, *words: str) -> Any:
    """Run ``check-data`` and return its document; the status agrees with what it says."""
    outcome = tartarus("check-data", *words, "-w", world.root, "--json")
    document = outcome.document
    errors = [each for each in document["problems"] if each["severity"] == "error"]
    assert outcome.status == (1 if errors else 0)
    assert document["ok"] == (not errors)
    return document


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.what)
def test_a_damage_is_told_once_with_the_file_what_was_found_and_what_to_do(
    damage: Damage, tartarus: Command, tmp_path: Path
) -> None:
    world = only(damage.dataset, tmp_path)
    damage.act(world)
    document = check(tartarus, world)
    told = [problem for problem in document["problems"] if damage.told_by(problem)]
    assert len(told) == 1, document["problems"]
    assert told[0]["expected"]
    assert told[0]["hint"]
    assert document["ok"] == (damage.severity != "error"), document["problems"]


def test_a_clean_world_has_none_of_these_problems_and_no_error(
    world: World, tartarus: Command
) -> None:
    document = check(tartarus, world)
    assert document["ok"]
    assert sorted(document["datasets"]) == ["many", "one", "rec"]
    told = [(d.what, p) for d in DAMAGES for p in document["problems"] if d.told_by(p)]
    assert not told


def test_every_damage_is_told_at_once(world: World, tartarus: Command) -> None:
    damages = named(
        "NaN",
        "a duplicate id",
        "a column too few in test",
        "3 user factors under the name of 4",
        "transposed truth",
        "train plays of 39 items",
        "sparse Python objects",
        "4 label factors",
        "a class counted twice",
        "genre_labels_many.tsv as splits/genre_labels_many.tsv",
        "without items_index_test_many.tsv",
        "without genre_labels_one.tsv",
        "half a class",
        "another width of val",
        "unknown items",
        "a pickle of no dataset",
        "a file of no dataset",
    )
    for damage in damages:
        damage.act(world)
    problems = check(tartarus, world)["problems"]
    silent = [d.what for d in damages if not any(d.told_by(problem) for problem in problems)]
    assert not silent


def test_the_printed_report_names_each_file_with_all_that_is_said_of_it(
    world: World, tartarus: Command
) -> None:
    for damage in named(
        "a row too few",
        "a duplicate id",
        "a pickle of no dataset",
        "a file of no dataset",
        "item_factors_test_als_4_rec.npy as datasets/y_test_als_4_rec.npy",
    ):
        damage.act(world)
    outcome = tartarus("check-data", "-w", world.root)
    assert outcome.status == 1
    printed = " ".join(outcome.out.split())
    for problem in check(tartarus, world)["problems"]:
        parts = ["severity", "file", "found", "expected"]
        for part in parts if problem["severity"] == "note" else [*parts, "hint"]:
            assert problem[part] in printed


def test_the_printed_verdict_counts_the_problems(world: World, tartarus: Command) -> None:
    named("all-zero rows")[0].act(world)
    problems = check(tartarus, world, "rec")["problems"]
    outcome = tartarus("check-data", "rec", "-w", world.root)
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == f"{len(problems)} warnings"


def test_what_is_printed_does_no_harm_however_a_file_is_called(
    world: World, tartarus: Command
) -> None:
    written("datasets/[bold]é\x1b[31m_rec.npy", b"?")(world)
    assert "[bold]é\\x1b[31m_rec.npy" in tartarus("check-data", "rec", "-w", world.root).out


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_file_name_that_is_not_unicode_is_told_all_the_same(
    option: list[str], tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    os.close(os.open(os.fsencode(world.datasets) + b"/\xff_rec.npy", os.O_CREAT))
    outcome = tartarus("check-data", "-w", world.root, *option)
    assert outcome.status == 0
    assert "_rec.npy" in outcome.out
    assert "means nothing" in outcome.out


@pytest.mark.parametrize("name", [IDS, X("train"), USERS])
def test_a_file_that_may_not_be_read_is_told_like_any_damage(
    name: str, tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, opened = only("rec", tmp_path), Path.open

    def refuse(path: Path, *args: Any, **options: Any) -> Any:
        if path == world.datasets / name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    errors = [p for p in check(tartarus, world)["problems"] if p["severity"] == "error"]
    assert any(p["file"].endswith(name) and "ermission denied" in p["found"] for p in errors)


# ------------------------------------------------------------------------------ nothing unpickled


class Trap:
    """An object that makes a file when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sprung,)


def _trapped(sprung: Path) -> NDArray[Any]:
    return np.array([Trap(sprung)], dtype=object)


TRAPS: dict[str, Callable[[World, Path], object]] = {
    "an array of objects": lambda w, sprung: np.save(w.datasets / X("train"), _trapped(sprung)),
    "a pickle that is called npy": lambda w, sprung: _trapped(sprung).dump(w.datasets / X("train")),
    "objects in a sparse matrix": lambda w, sprung: parts(
        S("train"), data=lambda _: _trapped(sprung)
    )(w),
    "a pickle that is called npz": lambda w, sprung: _trapped(sprung).dump(w.datasets / TRUTH),
    "objects as the format": lambda w, sprung: parts(TRUTH, format=lambda _: _trapped(sprung))(w),
    "a pickle": lambda w, sprung: _trapped(sprung).dump(w.datasets / "scaler_rec.pkl"),
}


@pytest.mark.parametrize("lay", TRAPS.values(), ids=TRAPS)
def test_nothing_is_ever_unpickled(
    lay: Callable[[World, Path], object], world: World, tartarus: Command, tmp_path: Path
) -> None:
    sprung = tmp_path / "sprung"
    lay(world, sprung)
    errors = [p for p in check(tartarus, world, "rec")["problems"] if p["severity"] == "error"]
    assert errors
    assert all(p["file"].endswith(("_rec.npy", "_rec.npz", "_rec.pkl")) for p in errors)
    assert not sprung.exists()


def test_the_traps_do_spring_when_they_are_unpickled(tmp_path: Path) -> None:
    path, sprung = tmp_path / "trap.npy", tmp_path / "sprung"
    np.save(path, _trapped(sprung))
    np.load(path, allow_pickle=True)
    assert sprung.exists()


# ------------------------------------------------------------------------- old names and places


def test_a_world_in_old_places_under_old_names_is_read_like_any_other(
    world: World, tartarus: Command
) -> None:
    before = check(tartarus, world)
    for path in sorted(world.datasets.iterdir()):
        old = path.name.replace("item_factors_class_3", "y_train_class_3")
        old = old.replace("item_factors_test_", "y_test_").replace("item_factors_val_", "y_val_")
        if path.is_file():
            moved(path.name, f"splits/{old}")(world)
    world.features.rename(world.root / "data" / "train_data")
    world.datasets.rmdir()
    after = check(tartarus, world)
    assert after["datasets"] == before["datasets"]
    notes = [problem for problem in after["problems"] if problem["severity"] == "note"]
    assert len(notes) == len(list((world.root / "data").glob("*/*_*")))
    assert len(after["problems"]) == len(before["problems"]) + len(notes)


def test_the_same_file_in_an_old_and_a_new_place_is_worth_a_note_alone(
    world: World, tartarus: Command
) -> None:
    before = check(tartarus, world, "rec")
    for name in (IDS, ALS, TRUTH):
        copied(name, f"splits/{name}")(world)
    copied(X("train"), X("train"))(world)
    after = check(tartarus, world, "rec")
    new = [problem for problem in after["problems"] if problem not in before["problems"]]
    assert [problem["severity"] for problem in new] == ["note"] * 4
    assert after["datasets"] == before["datasets"]


def test_two_different_lists_of_ids_do_not_keep_the_rest_from_being_told(
    world: World, tartarus: Command
) -> None:
    _experiment(world, "mine", "rec_multi", "rec", dim=4)
    damages = named("other ids in the old place", "NaN")
    for damage in damages:
        damage.act(world)
    problems = check(tartarus, world)["problems"]
    assert all(any(d.told_by(problem) for problem in problems) for d in damages)


def test_class_truth_under_the_name_of_pmi_is_taken_where_it_is_binary(
    world: World, tartarus: Command
) -> None:
    moved(MANY_TEST, "datasets/y_test_pmi_3_many.npy")(world)
    assert check(tartarus, world, "many")["ok"]


def test_of_two_numbers_of_classes_the_label_names_decide(world: World, tartarus: Command) -> None:
    for name in (MANY_TRAIN, MANY_TEST, "item_factors_val_class_3_many.npy"):
        fewer = name.replace("_3_", "_2_")
        copied(name, f"datasets/{fewer}")(world)
        dense(fewer, lambda a: a[:, :2])(world)
    document = check(tartarus, world, "many")
    assert document["ok"]
    assert document["datasets"]["many"]["classes"] == 3


def test_the_padding_of_word_vectors_is_worth_no_warning(world: World, tartarus: Command) -> None:
    vectors = world.rng.standard_normal((5, 3))
    vectors[0] = 0
    np.save(world.features / "embedding_w2v_rec.npy", vectors)
    assert not [p for p in check(tartarus, world, "rec")["problems"] if "w2v" in p["file"]]


# ----------------------------------------------------------------------------------- the summary


def _experiment(world: World, name: str, preset: str, dataset: str, dim: int) -> None:
    path = world.root / "experiments" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f'extends = "{preset}"\n[dataset]\nname = "{dataset}"\n[targets]\ndim = {dim}\n'
        "[training]\nepochs = 1\n"
    )


def test_the_summary_counts_items_users_classes_and_settings(
    world: World, tartarus: Command
) -> None:
    summaries = check(tartarus, world)["datasets"]
    rec, many = summaries["rec"], summaries["many"]
    assert rec["items"] == {"train": 40, "test": 12}
    assert many["items"] == {"train": 40, "val": 10, "test": 12}
    assert (rec["users"], rec["classes"]) == (9, None)
    assert (many["users"], many["classes"], many["density"]) == (None, 3, None)
    truth = load_npz(world.datasets / TRUTH)
    assert rec["density"] == pytest.approx((truth.toarray() > 0).mean())
    filled = load_npz(world.datasets / S("train")).toarray() != 0
    assert sorted(rec["settings"]) == ["audio", "audio-sparse", "text", "text-sparse"]
    assert rec["settings"]["text"] == {"width": 6, "density": 1.0, "sparse": False}
    expected = {"width": 6, "density": pytest.approx(filled.mean()), "sparse": True}
    assert rec["settings"]["text-sparse"] == expected


def test_explicit_zeros_count_neither_as_truth_nor_as_features(
    world: World, tartarus: Command
) -> None:
    parts(TRUTH, data=put(slice(1, None), 0))(world)
    parts(S("train"), data=put(slice(1, None), 0))(world)
    rec = check(tartarus, world, "rec")["datasets"]["rec"]
    assert rec["density"] == pytest.approx(1 / (12 * 9))
    assert rec["settings"]["text-sparse"]["density"] == pytest.approx(1 / (40 * 6))


def test_experiments_are_ready_or_wait_for_what_is_missing(world: World, tartarus: Command) -> None:
    _experiment(world, "mine", "rec_multi", "rec", dim=4)
    _experiment(world, "greedy", "single-label-all", "one", dim=3)
    _experiment(world, "labels", "cosine_multilabel_vector", "many", dim=2)
    _experiment(world, "nothing", "logistic_multilabel_vector", "rec", dim=3)
    summaries = check(tartarus, world)["datasets"]
    own = {
        name: {e: n for e, n in each["ready"].items() if e not in each["borrowed"]}
        for name, each in summaries.items()
    }
    assert own == {"rec": {"mine": 2}, "one": {"greedy": 4}, "many": {"labels": 1}}
    assert sorted(summaries["rec"]["borrowed"]) == ["rec_dense", "rec_multi", "rec_sparse"]
    assert summaries["rec"]["waiting"] == {"nothing": ["class targets"]}
    gone("train_data/X_val_text_one.npy")(world)
    gone(LABEL_FACTORS)(world)
    gone(TRUTH, USERS)(world)
    summaries = check(tartarus, world)["datasets"]
    assert summaries["one"]["waiting"] == {"greedy": ["4 settings (there are 3)"]}
    assert summaries["many"]["waiting"] == {"labels": ["label factors"]}
    assert sorted(summaries["rec"]["waiting"]["mine"]) == ["truth", "user factors"]


def test_a_preset_waits_for_the_number_of_settings_it_takes(
    tartarus: Command, tmp_path: Path
) -> None:
    world = World(tmp_path / "workspace")
    world.recommendation("MSD-A-songs")
    summary = check(tartarus, world)["datasets"]["MSD-A-songs"]
    assert summary["ready"] == {"rec_multi": 2}
    assert list(summary["waiting"]) == ["rec_audio"]
    assert summary["waiting"]["rec_audio"] == ["patches of train", "patches of test"]


# ------------------------------------------------------------------------------ which data is read


def test_a_named_dataset_is_reported_alone(world: World, tartarus: Command) -> None:
    for damage in named(
        "a row too few", "a val id in train", "2 label names of 3 classes", "a file of no dataset"
    ):
        damage.act(world)
    document = check(tartarus, world, "rec")
    assert list(document["datasets"]) == ["rec"]
    assert document["problems"]
    assert all("_rec." in problem["file"] for problem in document["problems"])
    everything = check(tartarus, world)["problems"]
    assert {p["file"].rpartition("_")[2] for p in everything} >= {"one.tsv", "many.tsv", "rec.npy"}


@pytest.mark.parametrize(("asked", "near"), [("recc", "rec"), ("may", "many"), ("onee", "one")])
def test_an_unknown_dataset_is_a_wrong_question_that_suggests_a_near_one(
    asked: str, near: str, world: World, tartarus: Command
) -> None:
    outcome = tartarus("check-data", asked, "-w", world.root, "--json")
    assert (outcome.status, outcome.out) == (2, "")
    assert f"no dataset called {asked!r}" in outcome.err
    assert f"Did you mean {near}" in outcome.err


def test_an_unknown_dataset_near_to_none_lists_them_all(world: World, tartarus: Command) -> None:
    outcome = tartarus("check-data", "zzzz", "-w", world.root)
    assert outcome.status == 2
    assert "many, one, rec" in outcome.err


@pytest.mark.parametrize("name", ["data", "published"])
@pytest.mark.parametrize("place", ["datasets", "splits"])
def test_a_data_folder_can_be_named_itself(
    name: str, place: str, world: World, tartarus: Command, tmp_path: Path
) -> None:
    expected = check(tartarus, world)["datasets"]
    folder = tmp_path / "elsewhere" / name
    shutil.copytree(world.datasets, folder / place)
    shutil.move(folder / place / "train_data", folder / "train_data")
    outcome = tartarus("check-data", "-w", folder, "--json")
    assert outcome.status == 0
    assert outcome.document["datasets"] == expected
    assert all(str(tmp_path) not in problem["file"] for problem in outcome.document["problems"])


def test_an_empty_workspace_has_nothing_wrong_and_says_how_to_begin(
    tartarus: Command, tmp_path: Path
) -> None:
    world = World(tmp_path / "workspace")
    assert check(tartarus, world) == {"datasets": {}, "problems": [], "ok": True}
    assert "tartarus init" in tartarus("check-data", "-w", world.root).out


def test_hidden_files_and_folders_are_passed_over(world: World, tartarus: Command) -> None:
    written("datasets/.X_train_text_rec.npy.part", b"?")(world)
    written("datasets/older/X_train_text_rec.npy", b"?")(world)
    assert not [p for p in check(tartarus, world)["problems"] if "part" in p["file"]]
    assert check(tartarus, world)["ok"]


def test_checking_changes_no_file(world: World, tartarus: Command) -> None:
    named("unknown items")[0].act(world)
    before = {path: path.stat() for path in world.root.rglob("*")}
    check(tartarus, world)
    after = {path: path.stat() for path in world.root.rglob("*")}
    assert {p: (s.st_mtime_ns, s.st_size) for p, s in after.items()} == {
        p: (s.st_mtime_ns, s.st_size) for p, s in before.items()
    }


# ------------------------------------------------------------------------- before the work begins

STOPPING_BOTH = (
    *named("NaN", "NaN in targets", "64-bit numbers beyond 32 bits"),
    *named("a row too few", "targets a row short"),
    *named("a duplicate id", "ids in Latin 1", "no ids"),
    *named("a file cut short", "half a header"),
    *named("Python objects", "a pickle of rows", "strings"),
    *named("other ids in the old place", "other features in the old place"),
    *named("other targets under the old name"),
    *map(_missing, (IDS, ALS, X("train"))),
)
STOPPING_RUN = (
    *STOPPING_BOTH,
    *named("an empty npz", "flipped bits in the truth", "an npz that calls itself encrypted"),
    *named("a user out of range", "truth in CSC format", "COO format"),
    *named("truth of zeros", "NaN in user factors", "infinity", "a column too few in test"),
    *named("truth of 11 items", "truth of 8 users", "transposed truth", "8 users' ids"),
    *map(_missing, (TEST_IDS, USERS, TRUTH, X("test"))),
)
NO_CLASSES, FOUR_FACTORS = named(
    "real-valued pmi targets instead of the classes of the test items",
    "4 label factors and no label names",
)
NO_TRAINING = ("keras", "jax", "sklearn")


def _stops(tartarus: Command, world: World, *words: str, file: str) -> None:
    outcome = tartarus(*words, "-w", world.root)
    assert outcome.status == 1
    assert outcome.out == ""
    assert Path(file).name in outcome.err
    assert "hint:" in outcome.err
    assert not list((world.root / "data").glob("models/*"))
    assert not list((world.root / "data").glob("factors/*"))


@pytest.fixture
def _keras_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every import of the heavy libraries fail, so that one is a traceback."""
    for name in NO_TRAINING:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("_keras_is_out_of_reach")
@pytest.mark.parametrize("damage", STOPPING_RUN, ids=lambda damage: damage.what)
def test_a_run_stops_at_a_damaged_file_and_leaves_nothing(
    damage: Damage, tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    _experiment(world, "mine", "rec_dense", "rec", dim=4)
    damage.act(world)
    _stops(tartarus, world, "run", "mine", "text", file=damage.file)


@pytest.mark.usefixtures("_keras_is_out_of_reach")
@pytest.mark.parametrize("damage", STOPPING_BOTH, ids=lambda damage: damage.what)
def test_a_training_stops_at_a_damaged_file_and_leaves_nothing(
    damage: Damage, tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    _experiment(world, "mine", "rec_dense", "rec", dim=4)
    damage.act(world)
    _stops(tartarus, world, "train", "mine", "text", file=damage.file)


@pytest.mark.usefixtures("_keras_is_out_of_reach")
@pytest.mark.parametrize(
    ("preset", "dataset", "act", "file"),
    [
        ("single-label-vector", "one", dense(ONE_TRAIN, put(0, 1)), ONE_TRAIN),
        ("single-label-vector", "one", dense(ONE_TEST, put(0, 0)), ONE_TEST),
        ("single-label-vector", "one", gone(ONE_TEST), ONE_TEST),
        ("single-label-vector", "one", dense(ONE_TEST, lambda a: a[1:]), ONE_TEST),
        ("logistic_multilabel_vector", "many", dense(MANY_TRAIN, put(0, 0.5)), MANY_TRAIN),
        ("logistic_multilabel_vector", "many", lines(LABELS, lambda a: a[1:]), LABELS),
        ("cosine_multilabel_vector", "many", gone(LABEL_FACTORS), LABEL_FACTORS),
        ("cosine_multilabel_vector", "many", gone(MANY_TEST), MANY_TEST),
        ("cosine_multilabel_vector", "many", raw(MANY_TEST, lambda b: b[:9]), MANY_TEST),
        ("cosine_multilabel_vector", "many", dense(LABEL_FACTORS, np.transpose), LABEL_FACTORS),
        ("cosine_multilabel_vector", "many", NO_CLASSES.act, MANY_TEST),
        ("cosine_multilabel_vector", "many", FOUR_FACTORS.act, LABEL_FACTORS),
        ("single-label-vector", "one", fewer_classes_in_test, "_one.npy"),
    ],
)
def test_a_run_of_a_classification_stops_at_a_damaged_file_and_leaves_nothing(
    preset: str, dataset: str, act: Act, file: str, tartarus: Command, tmp_path: Path
) -> None:
    world = only(dataset, tmp_path)
    _experiment(world, "mine", preset, dataset, 2 if "cosine" in preset else 3)
    act(world)
    _stops(tartarus, world, "run", "mine", "text", file=file)


@pytest.mark.parametrize("command", ["run", "train"])
def test_a_damaged_file_is_told_before_anything_heavy_is_imported(
    command: str, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    _experiment(world, "mine", "rec_dense", "rec", dim=4)
    named("NaN")[0].act(world)
    code = (
        "import json, sys\n"
        "from tartarus_cli.cli.app import app\n"
        "try:\n    app()\nexcept SystemExit as end:\n    status = end.code\n"
        "print(json.dumps([status, sorted({name.partition('.')[0] for name in sys.modules})]))\n"
    )
    words = [sys.executable, "-c", code, command, "mine", "text", "-w", str(world.root)]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
    status, modules = json.loads(shown.stdout)
    assert status == 1
    assert "X_train_text_rec.npy: NaN or infinity" in shown.stderr
    heavy = {"keras", "jax", "torch", "tensorflow", "librosa", "sklearn", "matplotlib", "implicit"}
    assert "scipy" in modules
    assert not heavy & set(modules)


@pytest.mark.usefixtures("_keras_is_out_of_reach")
def test_warnings_do_not_stop_a_training(tartarus: Command, tmp_path: Path) -> None:
    world = only("rec", tmp_path)
    _experiment(world, "mine", "rec_dense", "rec", dim=4)
    named("all-zero rows")[0].act(world)
    with pytest.raises(ModuleNotFoundError, match="import of keras halted"):
        tartarus("train", "mine", "text", "-w", world.root)


def test_binary_pmi_targets_of_test_are_the_class_truth_however_wide(
    world: World, tartarus: Command
) -> None:
    old = world.datasets / "item_factors_test_class_3_many.npy"
    old.rename(world.datasets / "y_test_pmi_2_many.npy")
    assert not [p for p in check(tartarus, world, "many")["problems"] if p["severity"] == "error"]


def test_a_dataset_that_no_preset_names_borrows_the_experiments_of_others(
    world: World, tartarus: Command
) -> None:
    summary = json.loads(tartarus("check-data", "rec", "-w", world.root, "--json").out)
    rec = summary["datasets"]["rec"]
    assert "rec_multi" in rec["borrowed"]
    assert rec["ready"]["rec_multi"] == 2
    assert "single-label-vector" not in rec["ready"]
    told = tartarus("check-data", "rec", "-w", world.root).out
    assert "tartarus run rec_multi SETTING SETTING --dataset rec" in told
