"""Every damage that ``check-data`` has to name, by kind."""

import numpy as np
from scipy.sparse import csc_array, csr_array

from tests.checking.damage import (
    ITEMS_OF_ONE,
    PATCHES,
    Act,
    Damage,
    Severity,
    array,
    copied,
    cut_patches,
    dense,
    fewer_classes_in_test,
    flipped,
    gone,
    lines,
    mixed,
    moved,
    numbers_for_ids,
    one_flag_encrypted,
    one_value_is_nan,
    parts,
    patches,
    put,
    raw,
    rows_beyond_any_memory,
    sparse,
    stored,
    together,
    written,
)

IDS, TEST_IDS = "items_index_train_rec.tsv", "items_index_test_rec.tsv"
ALS, USERS = "item_factors_als_4_rec.npy", "user_factors_als_4_rec.npy"
TRUTH, PLAYS = "matrix_test_rec.npz", "matrix_train_rec.npz"
X = "train_data/X_{}_text_rec.npy".format
S = "train_data/X_{}_text-sparse_rec.npz".format
ONE_TRAIN, ONE_TEST = "item_factors_class_3_one.npy", "item_factors_test_class_3_one.npy"
MANY_TRAIN, MANY_TEST = "item_factors_class_3_many.npy", "item_factors_test_class_3_many.npy"
X_VAL = "train_data/X_val_text_one.npy"
LABELS, LABEL_FACTORS = "genre_labels_many.tsv", "class_factors_pmi_2_many.npy"


def missing(name: str, dataset: str = "rec", severity: Severity = "error") -> Damage:
    return Damage(f"without {name}", gone(name), severity, name, "missing", dataset=dataset)


MISSING = [
    *map(missing, (IDS, TEST_IDS, ALS, USERS, TRUTH, X("train"), X("test"), S("test"))),
    missing("items_index_test_many.tsv", "many"),
    missing(MANY_TEST, "many"),
    missing(LABEL_FACTORS, "many"),
    missing("train_data/X_val_text_many.npy", "many"),
    missing(ONE_TRAIN, "one"),
    missing(ONE_TEST, "one"),
    missing("genre_labels_one.tsv", "one", "warning"),
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
           "error", S("test"), "no sparse matrix, but the arrays arr_0", "indptr"),
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

MASK = "train_data/mask_{}_text_rec.npy".format
NOT_FIRST = np.arange(12) > 0

MASKS = [
    Damage("a mask an item short", array(MASK("test"), NOT_FIRST[1:]), "error", MASK("test"),
           "an array (11,) of bool", "(12,)"),
    Damage("a mask of numbers", array(MASK("test"), NOT_FIRST + 0.5), "error", MASK("test"),
           "of float64", "bool"),
    Damage("values of an item that lacks the setting", array(MASK("test"), NOT_FIRST), "error",
           X("test"), "values in 1 row of items that lack the setting by its mask (0,"),
    Damage("a mask of a set without features",
           together(array(MASK("test"), NOT_FIRST), gone(X("test"))), "error", MASK("test"),
           "features that are not there"),
    Damage("a setting that all test items lack",
           together(array(MASK("test"), NOT_FIRST & False), dense(X("test"), np.zeros_like)),
           "warning", MASK("test"), "all 12 test items lack text"),
    Damage("a mask that holds Python objects", array(MASK("train"), np.array([None] * 40)),
           "error", MASK("train"), "never loaded"),
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
    *MASKS,
]


def named(*names: str) -> list[Damage]:
    """Return the damages of these names, in this order."""
    known = {damage.what: damage for damage in DAMAGES}
    return [known[name] for name in names]
