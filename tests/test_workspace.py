"""The workspace: names of files, where it is found, atomic writes, lists of ids."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import product
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tartarus_cli.data.ids import find_id_problems, read_ids, read_lines, write_ids
from tartarus_cli.errors import DataError, FileError, RequestError
from tartarus_cli.file_names import FILE_PATTERNS, FilePattern, Kind, parse_path
from tartarus_cli.files import atomic_write, digest, remove_folder, same_content, write_text
from tartarus_cli.layout import FOLDERS, OLD_FOLDERS
from tartarus_cli.workspace import Workspace, is_workspace, open_workspace
from tests.conftest import Command
from tests.worlds import World

QUICK = settings(max_examples=50)

# ------------------------------------------------------------------------------- names of files

VALUES = {
    "dataset": ("MSD-A-songs", "rec", "a.b c"),
    "fact": ("als", "class"),
    "dim": ("200", "1"),
    "setting": ("a-sem-emb", "model_1-pred_dense_2", "train_x_", "_", "test"),
    "count": ("1", "10"),
    "seconds": ("15", "0.5"),
    "name": ("", "_mel-128"),
    "ext": ("npy", "npz"),
}


def _names() -> Iterator[tuple[FilePattern, str, dict[str, str]]]:
    """Every name that a file may have, with some values of its fields."""
    for layout, split in (
        (pattern, split) for pattern in FILE_PATTERNS for split in pattern.splits
    ):
        for name in layout.names:
            known = {field for _, field, _, _ in Formatter().parse(name) if field}
            values = [VALUES[field] for field in VALUES if field in known]
            for chosen in product(*values):
                fields = dict(zip([f for f in VALUES if f in known], chosen, strict=True))
                single = len(layout.splits) == 1
                yield (
                    layout,
                    name,
                    fields | ({"split": split} if "split" in known or single else {}),
                )


@pytest.mark.parametrize("kind", Kind)
def test_every_name_is_explained_by_what_it_was_made_of(kind: Kind, tmp_path: Path) -> None:
    workspace, count = Workspace(tmp_path, tmp_path / "data"), 0
    for layout, name, fields in _names():
        if layout.kind is kind:
            path = workspace.data / layout.folder / name.format(**fields)
            file = parse_path(path, layout.folder)
            assert file is not None, path.name
            assert (file.kind, file.path, dict(file.fields)) == (kind, path, fields)
            assert workspace.path_of(kind, **fields) == workspace.data / file.canonical
            assert (file.dataset, file.split) == (fields["dataset"], fields.get("split", ""))
            count += 1
    assert count


def test_no_two_files_have_the_same_canonical_name() -> None:
    places: dict[str, tuple[str, ...]] = {}
    for layout, name, fields in _names():
        file = parse_path(Path(name.format(**fields)), layout.folder)
        assert file is not None
        key = (*file.key, fields.get("ext", ""))
        assert places.setdefault(file.canonical, key) == key


@pytest.mark.parametrize(
    ("name", "kind", "canonical"),
    [
        ("y_train_pmi_50_MuMu-albums.npy", Kind.TARGETS, "item_factors_pmi_50_MuMu-albums.npy"),
        (
            "item_factors_train_als_200_MSD-A-songs.npy",
            Kind.TARGETS,
            "item_factors_als_200_MSD-A-songs.npy",
        ),
        ("y_test_class_15_MSD-I.npy", Kind.TARGETS, "item_factors_test_class_15_MSD-I.npy"),
        ("y_val_class_15_MSD-I.npy", Kind.TARGETS, "item_factors_val_class_15_MSD-I.npy"),
        ("matrix_test_MSD-A-songs.npz", Kind.TEST_MATRIX, "matrix_test_MSD-A-songs.npz"),
        ("items_index_val_MSD-I.tsv", Kind.ITEMS, "items_index_val_MSD-I.tsv"),
    ],
)
def test_an_old_name_stands_for_a_canonical_one(name: str, kind: Kind, canonical: str) -> None:
    file = parse_path(Path(name), "datasets")
    assert file is not None
    assert (file.kind, file.canonical) == (kind, f"datasets/{canonical}")


@QUICK
@given(
    setting=st.text("aZ9_.+- é", min_size=1),
    dataset=st.text("aZ9.+- é", min_size=1),
    split=st.sampled_from(["train", "val", "test"]),
)
def test_the_set_is_the_first_part_of_a_name_and_the_dataset_the_last(
    setting: str, dataset: str, split: str
) -> None:
    file = parse_path(Path(f"X_{split}_{setting}_{dataset}.npz"), "datasets/train_data")
    assert file is not None
    expected = {"split": split, "setting": setting, "dataset": dataset, "ext": "npz"}
    assert dict(file.fields) == expected


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("X_train_text_rec.npy", "datasets"),
        ("X_train_text_rec.csv", "datasets/train_data"),
        ("X_dev_text_rec.npy", "datasets/train_data"),
        ("X_train_rec.npy", "datasets/train_data"),
        ("X_train_text_rec.npy.bak", "datasets/train_data"),
        ("x_train_text_rec.npy", "datasets/train_data"),
        ("items_index_dev_rec.tsv", "datasets"),
        ("items_index_train_a_b.tsv", "datasets"),
        ("item_factors_als_many_rec.npy", "datasets"),
        ("item_factors_als_rec.npy", "datasets"),
        ("y_als_200_rec.npy", "datasets"),
        ("matrix_test_rec.npy", "datasets"),
        ("matrix_dev_rec.npz", "datasets"),
        ("scaler_one_1_15.pkl", "patches"),
        ("patches_train_one_1.hdf5", "patches"),
        ("patches_train_one_1_15s.hdf5", "patches"),
    ],
)
def test_other_names_mean_nothing(name: str, folder: str) -> None:
    assert parse_path(Path(name), folder) is None


def test_a_kind_without_a_name_for_a_set_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no name for item ids"):
        Workspace(tmp_path, tmp_path).path_of(Kind.ITEMS, split="dev", dataset="rec")


def test_predicted_factors_of_other_sets_than_test_carry_its_name(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / "data")
    named = {
        workspace.predicted_factors("model_1"): "factors/factors_model_1.npy",
        workspace.predicted_factors("model_1", "val"): "factors/factors_model_1_val.npy",
        workspace.predicted_ids("model_1"): "factors/index_factors_model_1.tsv",
        workspace.predicted_ids("model_1", "train"): "factors/index_factors_model_1_train.tsv",
        workspace.results("model_1"): "results/model_1.json",
        workspace.results_table: "results/results.tsv",
        workspace.models: "models",
    }
    assert {path: workspace.data / name for path, name in named.items()} == {p: p for p in named}


# ---------------------------------------------------------------------------------- an inventory


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Make an empty workspace with every folder, the old ones too."""
    root = tmp_path / "workspace"
    for folder in (*FOLDERS, *OLD_FOLDERS):
        (root / "data" / folder).mkdir(parents=True)
    return Workspace(root, root / "data")


def _make(workspace: Workspace, *names: str, content: str = "") -> None:
    for name in names:
        (workspace.data / name).write_text(content)


def test_an_inventory_lists_datasets_settings_and_unknown_names(workspace: Workspace) -> None:
    _make(
        workspace,
        "datasets/train_data/X_train_b_rec.npy",
        "datasets/train_data/X_test_b_rec.npz",
        "train_data/X_train_model_1-pred_dense_2_rec.npy",
        "splits/genre_labels_one.tsv",
        "patches/patches_test_two_1x0.5.hdf5",
        "datasets/notes.txt",
        "datasets/.items_index_train_hidden.tsv",
        "models/genre_labels_none.tsv",
    )
    (workspace.data / "datasets/genre_labels_folder.tsv").mkdir()
    inventory = workspace.scan()
    assert inventory.datasets() == ["one", "rec", "two"]
    assert inventory.settings("rec") == ["b", "model_1-pred_dense_2"]
    assert inventory.unknown == (workspace.data / "datasets/notes.txt",)
    assert [inventory.is_canonical(file) for file in inventory.files].count(False) == 3
    canonical = {file.path.name: file.canonical for file in inventory.files}
    assert canonical["genre_labels_one.tsv"] == "datasets/genre_labels_one.tsv"
    assert canonical["patches_test_two_1x0.5.hdf5"] == "patches/patches_test_two_1_0.5.hdf5"
    old = "X_train_model_1-pred_dense_2_rec.npy"
    assert canonical[old] == f"datasets/train_data/{old}"


def test_of_two_equal_files_the_canonical_one_is_taken(workspace: Workspace) -> None:
    _make(workspace, "splits/genre_labels_one.tsv", "datasets/genre_labels_one.tsv")
    _make(workspace, "datasets/y_train_als_4_rec.npy", "splits/y_train_als_4_rec.npy")
    inventory = workspace.scan()
    file = inventory.find(Kind.LABELS, dataset="one")
    assert file is not None
    assert file.path == workspace.data / "datasets/genre_labels_one.tsv"
    assert inventory.find(Kind.TARGETS, dataset="rec", split="train") is not None


def test_two_files_for_one_thing_that_differ_are_refused(workspace: Workspace) -> None:
    _make(workspace, "splits/genre_labels_one.tsv", content="a")
    _make(workspace, "datasets/genre_labels_one.tsv", content="b")
    pattern = r"another content than in .*expected one file, .*datasets/genre_labels_one\.tsv"
    with pytest.raises(FileError, match=pattern):
        workspace.scan().find(Kind.LABELS, dataset="one")


def test_a_request_that_fits_two_things_is_a_bug(workspace: Workspace) -> None:
    _make(workspace, "datasets/genre_labels_one.tsv", "datasets/genre_labels_two.tsv")
    with pytest.raises(ValueError, match="may be any of"):
        workspace.scan().find(Kind.LABELS)


def test_what_is_not_there_is_none_or_a_file_that_is_missing(workspace: Workspace) -> None:
    inventory = workspace.scan()
    assert inventory.find(Kind.LABELS, dataset="one") is None
    with pytest.raises(DataError, match=r"genre_labels_one\.tsv is missing") as caught:
        inventory.require(Kind.LABELS, dataset="one")
    assert "`check('one')`" in caught.value.hint
    with pytest.raises(DataError, match=r"X_val_text_one\.npy is missing") as caught:
        inventory.require(Kind.FEATURES, hint="Do it.", split="val", setting="text", dataset="one")
    assert caught.value.hint == "Do it."


# -------------------------------------------------------------------------------- where it is


@pytest.mark.parametrize("mark", ["tartarus.toml", "data/datasets/", "data/splits/"])
def test_the_nearest_workspace_upwards_is_taken(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data/datasets").mkdir(parents=True)  # a further one
    root, below = tmp_path / "root", tmp_path / "root/some/where"
    below.mkdir(parents=True)
    if mark.endswith("/"):
        (root / mark).mkdir(parents=True)
    else:
        (root / mark).touch()
    monkeypatch.chdir(below)
    assert open_workspace() == Workspace(root, root / "data")
    monkeypatch.chdir(root)
    assert open_workspace().root == root
    monkeypatch.chdir(tmp_path)
    assert open_workspace().root == tmp_path


def test_nowhere_in_a_workspace_is_told_with_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no workspace in .* or above it") as caught:
        open_workspace()
    assert "`init(PATH)`" in caught.value.hint
    assert not is_workspace(tmp_path)


@pytest.mark.parametrize("name", ["datasets", "splits"])
def test_a_data_folder_of_any_name_may_be_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "published" / name).mkdir(parents=True)
    published = tmp_path / "published"
    assert open_workspace(published) == Workspace(published, published)


def test_the_data_folder_of_a_workspace_leads_to_its_root(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "datasets").mkdir(parents=True)
    assert open_workspace(data) == open_workspace(tmp_path) == Workspace(tmp_path, data)


def test_a_named_folder_may_be_relative_a_link_or_below_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root/data/datasets").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "root")
    monkeypatch.setenv("HOME", str(tmp_path))
    for named in ("root", "./root/../root", "link", "~/root"):
        assert open_workspace(Path(named)).root == (tmp_path / "root").resolve()


def test_a_named_folder_that_is_no_workspace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no folder nowhere") as caught:
        open_workspace(Path("nowhere"))
    assert "`init('nowhere')`" in caught.value.hint
    (tmp_path / "other").mkdir()
    with pytest.raises(RequestError, match=r"other is not a workspace: it has no tartarus\.toml"):
        open_workspace(Path("other"))
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="there is no folder file"):
        open_workspace(Path("file"))


def test_a_named_workspace_wins_over_the_environment_and_that_over_where_one_stands(
    tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "env", "named"):
        World(tmp_path / name).ids(name, {"train": 1, "test": 1})
    monkeypatch.chdir(tmp_path / "here")
    assert list(tartarus("check-data", "--json").document["datasets"]) == ["here"]
    monkeypatch.setenv("TARTARUS_WORKSPACE", str(tmp_path / "env"))
    assert list(tartarus("check-data", "--json").document["datasets"]) == ["env"]
    named = tmp_path / "named"
    for option in ("-w", "--workspace"):
        outcome = tartarus("check-data", "--json", option, named)
        assert list(outcome.document["datasets"]) == ["named"]


@pytest.mark.parametrize("words", [["check-data"], ["run", "rec_multi", "a", "b"], ["predict"]])
def test_every_command_asks_for_a_workspace_with_status_2(
    words: list[str], tartarus: Command
) -> None:
    outcome = tartarus(*words)
    assert (outcome.status, outcome.out) == (2, "")
    assert "there is no workspace" in outcome.err
    assert "tartarus init" in outcome.err


def test_paths_are_shown_below_the_root(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / "data")
    assert workspace.relative(tmp_path / "data/a.npy") == "data/a.npy"
    assert workspace.relative(tmp_path.parent / "a.npy") == str(tmp_path.parent / "a.npy")


@pytest.mark.parametrize(
    ("text", "defaults"),
    [
        ("", {}),
        ('dataset = "rec"\nseed = 7\n', {"dataset": "rec", "seed": 7}),
        ('example = "synthetic"\nseed = 1\n', {"seed": 1}),
    ],
)
def test_a_workspace_has_defaults_of_its_own(
    text: str, defaults: dict[str, object], tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path, tmp_path / "data")
    (tmp_path / "tartarus.toml").write_text(text)
    assert workspace.defaults == defaults


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("seed 7", "not valid TOML", "Correct that line"),
        ("sed = 7", "sed = 7 is no setting", "Did you mean seed"),
        ('seed = "7"', "seed = '7' is no setting", "seed = NUMBER"),
        ("seed = true", "seed = True is no setting", "seed = NUMBER"),
        ("dataset = 1", "dataset = 1 is no setting", 'dataset = "NAME"'),
        ("\xe9 = 1", "not valid TOML: bytes that are not UTF-8 in line 1", "Save it as UTF-8"),
    ],
)
def test_a_malformed_default_is_refused_with_the_file_and_the_key(
    text: str, message: str, hint: str, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path, tmp_path / "data")
    (tmp_path / "tartarus.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(RequestError, match=rf"tartarus\.toml.*{message}") as caught:
        _ = workspace.defaults
    assert hint in caught.value.hint


def test_a_workspace_without_a_file_of_its_own_has_no_defaults(tmp_path: Path) -> None:
    assert Workspace(tmp_path, tmp_path / "data").defaults == {}


# ------------------------------------------------------------------------------- atomic writes


def test_a_file_is_replaced_only_when_the_writing_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "new/er/a.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("one")
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".")
        assert temporary.suffix == path.suffix
        assert not path.exists()
    with atomic_write(path) as temporary:
        temporary.write_text("two")
        assert path.read_text() == "one"
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", ["old", None])
def test_a_write_that_fails_keeps_what_was_there_and_leaves_nothing_beside(
    problem: type[BaseException], before: str | None, tmp_path: Path
) -> None:
    path, words = tmp_path / "a.txt", ["enough"]
    if before is not None:
        path.write_text(before)

    def write() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise problem(*words)

    with pytest.raises(problem, match="enough"):
        write()
    assert [file.read_text() for file in tmp_path.iterdir()] == ([] if before is None else [before])


def test_two_writers_of_one_file_do_not_share_what_they_write(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with atomic_write(path) as one, atomic_write(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # the outer one ends last
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_the_same_on_every_system(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "é\r\nb\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\r\nb\n"


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_a_digest_is_that_of_the_whole_file(size: int, tmp_path: Path) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "a").write_bytes(content[:size])
    assert digest(tmp_path / "a") == blake2b(content[:size], digest_size=16).hexdigest()


def test_files_are_the_same_when_every_byte_is(tmp_path: Path) -> None:
    contents = {"a": b"x" * 3_000_000, "b": b"x" * 2_999_999 + b"y", "c": b"x"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"{name}2").write_bytes(content)
    for one, other in product(contents, contents):
        assert same_content(tmp_path / one, tmp_path / f"{other}2") == (one == other)


def test_a_folder_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "model_1/deep").mkdir(parents=True)
    (tmp_path / "model_1/deep/a").touch()
    (tmp_path / "model_2").mkdir()
    remove_folder(tmp_path / "model_1")
    assert [path.name for path in tmp_path.iterdir()] == ["model_2"]


# ------------------------------------------------------------------------------------------- ids


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\nb", ["a", "b"]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbfa\r\nb", ["a", "b"]),
        ("a\u2028b\nc\u2029d\u0085e\n".encode(), ["a\u2028b", "c\u2029d\u0085e"]),
        (b"a\x0bb\x0cc\x1cd\x1de\x1ef\n", ["a\x0bb\x0cc\x1cd\x1de\x1ef"]),
        (b"a\rb\n", ["a\rb"]),
        ("Björk\n椎名林檎\n🎵\n".encode(), ["Björk", "椎名林檎", "🎵"]),
        (b"a,b\n\"c\"\n'd'\n", ["a,b", '"c"', "'d'"]),
        (b"007\n7\n1e3\nNaN\n", ["007", "7", "1e3", "NaN"]),
        (b" a\nb \n a b \n", [" a", "b ", " a b "]),
        (b"#a\n//b\n\\n\n", ["#a", "//b", "\\n"]),
        (b"e\xcc\x81\n\xc3\xa9\n", ["e\u0301", "\xe9"]),
        (b"A\na\n", ["A", "a"]),
    ],
)
def test_ids_are_read_as_they_are(content: bytes, ids: list[str], tmp_path: Path) -> None:
    (tmp_path / "ids.tsv").write_bytes(content)
    assert read_ids(tmp_path / "ids.tsv") == ids


IDS = st.text(st.characters(exclude_characters="\t\n", codec="utf-8"), min_size=1).filter(
    lambda text: bool(text.strip()) and not text.endswith("\r") and not text.startswith("\ufeff")
)


@QUICK
@given(ids=st.lists(IDS, min_size=1, unique=True))
def test_ids_survive_being_written_and_read(
    ids: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("ids") / "ids.tsv"
    write_ids(path, ids)
    assert read_ids(path) == ids


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no ids; expected one id a line"),
        (b"a\n\nb\n", r"1 empty ids \(line 2\)"),
        (b"a\n\n\n", r"2 empty ids \(line 2, line 3\)"),
        (b"\n", r"1 empty ids \(line 1\)"),
        (b"a\r\n\r\nb\r\n", r"1 empty ids \(line 2\)"),
        (b"a\n  \n", r"1 empty ids \(line 2\)"),
        (b"a\nb\tc\n", r"1 ids with a tab \(line 2\)"),
        (b"a\nb\na\n", r"1 duplicate ids \('a'\)"),
        (b"a\na\r\n", r"1 duplicate ids \('a'\)"),
        (b"a\nb\nc\nd\n" * 2, r"4 duplicate ids \('a', 'b', 'c', …\)"),
        (b"a\n\xff\n", "not UTF-8 in line 2; expected UTF-8"),
        (b"\xe9\n", "not UTF-8 in line 1; expected UTF-8"),
        ("item\n".encode("utf-16-be"), r"NUL bytes in line 1, as in UTF-16 \(big end first\)"),
    ],
)
def test_a_faulty_list_is_refused_with_the_line(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "ids.tsv").write_bytes(content)
    with pytest.raises(FileError, match=rf"ids\.tsv: .*{message}") as caught:
        read_ids(tmp_path / "ids.tsv")
    assert caught.value.hint


def test_every_kind_of_fault_in_a_list_is_told(tmp_path: Path) -> None:
    problems = find_id_problems(tmp_path / "ids.tsv", ["a", "", "b\tc", "a", "a"])
    assert [problem.found for problem in problems] == [
        "1 empty ids (line 2)",
        "1 ids with a tab (line 3)",
        "1 duplicate ids ('a')",
    ]
    assert not find_id_problems(tmp_path / "ids.tsv", ["a", "b"])


def test_lines_are_read_even_where_ids_would_be_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"a\tb\n\na\tb")
    assert read_lines(tmp_path / "a.tsv") == ["a\tb", "", "a\tb"]
