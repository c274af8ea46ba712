"""Checks of which files there are: those a dataset needs for its task, and those not used."""

from collections.abc import Iterable
from pathlib import Path

from tartarus_cli.checking.irregular import describe_irregular
from tartarus_cli.checking.leftovers import is_interrupted_split
from tartarus_cli.checking.report import Report, Reporter
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.patches import RECREATE_PATCHES
from tartarus_cli.data.targets import factorize_command
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.errors import DataError, Placeholder, call
from tartarus_cli.file_names import PICKLES, SPLITS, DataFile, Kind
from tartarus_cli.files import same_content


def check_names(dataset: Dataset, files: Iterable[DataFile], report: Report) -> list[DataFile]:
    """Report old names, old places and copies; return one file for each kind and its fields."""
    unique_files: dict[tuple[str, ...], DataFile] = {}
    for file in files:
        if file.key not in unique_files:
            unique_files[file.key] = file
            with report.catch_errors():
                unique_files[file.key] = dataset.find(file.kind, **_identity(file)) or file
        if not dataset.files.is_canonical(file):
            path = dataset.workspace.data / file.canonical
            _note_old_name(file, path, report)
    return list(unique_files.values())


def _note_old_name(file: DataFile, canonical: Path, report: Report) -> None:
    report.note(
        file.path,
        "an old name or place",
        expected=report.workspace.relative(canonical),
        hint="It is read nevertheless.",
    )


def _identity(file: DataFile) -> dict[str, str]:
    return {name: value for name, value in file.fields.items() if name not in ("ext", "dataset")}


def check_unknown(paths: Iterable[Path], report: Report) -> None:
    """Report files with names that are not known, and pickles, which are never read."""
    recreate_scaler = call("patches", Placeholder("DATASET"))
    for path in paths:
        if path.suffix in PICKLES:
            report.error(
                path,
                "a pickle, which is never loaded",
                expected="arrays in npy or npz format",
                hint=f"Delete the pickle. To recreate a scaler: {recreate_scaler}",
            )
        else:
            report.warn(
                path,
                "a name that means nothing here",
                expected="a name such as X_train_SETTING_DATASET.npy",
                hint="Rename it, or move it to another folder. It is not read.",
            )


def check_presence(dataset: Dataset, report: Report) -> None:
    """Report which files the tasks of the dataset still need, and which are not used."""
    _check_sets(dataset, report)
    if dataset.is_recommendation:
        _check_recommendation(dataset, report)
    if dataset.is_classification:
        _check_classification(dataset, report)
    _check_settings(dataset, report)
    _check_patches(dataset, report)


def _report_missing(dataset: Dataset, report: Report, hint: str, kind: Kind, **fields: str) -> None:
    _report_absent(dataset.path(kind, **fields), report.error, str(kind), hint)


def _report_absent(path: Path, severity: Reporter, expected: str, hint: str) -> None:
    # A folder or a pipe in its place is reported as such.
    if not describe_irregular(path):
        severity(path, "missing", expected=expected, hint=hint)


def _check_sets(dataset: Dataset, report: Report) -> None:
    splits = {file.split for file in dataset.select(Kind.ITEMS)}
    for split in ("train", "test"):
        if split not in splits:
            hint = f"List the {split} items, one id a line, in the order of the matrices' rows."
            if is_interrupted_split(dataset.path(Kind.ITEMS, split=split)):
                hint = f"A split was stopped before it was done: repeat it, {_split_again(dataset)}"
            _report_missing(dataset, report, hint, Kind.ITEMS, split=split)
    val_files = [f for f in dataset.own_files if _is_val(f)]
    if "val" not in splits:
        for file in val_files:
            report.warn(
                file.path,
                "val rows, but there are no val ids",
                expected=f"items_index_val_{dataset.name}.tsv",
                hint="Add the ids, or move the file away. It is not used.",
            )
    elif not any(file.kind is Kind.TARGETS for file in val_files):
        report.warn(
            next(f.path for f in val_files if f.kind is Kind.ITEMS),
            "val items without val targets",
            expected=f"item_factors_val_…_{dataset.name}.npy",
            hint="The last train items are held out for validation instead.",
        )


def _split_again(dataset: Dataset) -> str:
    return f"{call('split', dataset.name, force=True)} with what it was split with."


def _is_val(file: DataFile) -> bool:
    return file.split == "val" or file.kind is Kind.VAL_MATRIX


def _check_recommendation(dataset: Dataset, report: Report) -> None:
    factors = dataset.select(Kind.USER_FACTORS)
    users = {(f.fields["fact"], f.fields["dim"]) for f in factors}
    targets = dataset.select(Kind.TARGETS, split="train")
    items = {(f.fields["fact"], f.fields["dim"]) for f in targets if f.fields["fact"] != "class"}
    if not dataset.select(Kind.TEST_MATRIX):
        hint = "Nothing can be evaluated without it: sparse, test items × users, over 0 = relevant."
        _report_missing(dataset, report, hint, Kind.TEST_MATRIX)
    for fact, dim in sorted(users | items or {("als", "200")}):
        fields = {"fact": fact, "dim": dim}
        if (fact, dim) not in items:
            command = factorize_command(dataset, TargetSpec(fact, int(dim)))
            hint = "The networks learn these: the factors of the train items."
            hint += f" Create them: {command}" if command else ""
            _report_missing(dataset, report, hint, Kind.TARGETS, split="train", **fields)
        if (fact, dim) not in users:
            hint = "Items are ranked by the product of their predicted factors and these."
            _report_missing(dataset, report, hint, Kind.USER_FACTORS, **fields)


def _check_classification(dataset: Dataset, report: Report) -> None:
    targets = dataset.select(Kind.TARGETS)
    classes = {file.fields["dim"] for file in targets if file.fields["fact"] == "class"}
    labels = dataset.select(Kind.LABELS)
    dim = min(classes, key=int) if classes else "1"
    facts = {(file.split, file.fields["fact"]) for file in targets}
    try:
        has_truth = dataset.class_truth is not None
    except DataError:
        has_truth = True
        # It is damaged, or there are several sizes: its contents are checked and reported.
    if not {("train", "class"), ("train", "pmi")} & facts:
        fields = {"fact": "class", "dim": dim}
        hint = "Write 1 where the item has the class, else 0."
        _report_missing(dataset, report, hint, Kind.TARGETS, split="train", **fields)
    if not has_truth:
        hint = "Nothing can be evaluated without it."
        path = dataset.class_truth_path
        _report_absent(path, report.error, "classes of the test items", hint)
    if not labels:
        expected = "the names of the classes, one a line"
        hint = "Classes are numbered instead."
        _report_absent(dataset.path(Kind.LABELS), report.warn, expected, hint)
    if not dataset.is_recommendation:
        _check_label_factors(dataset, report)


def _check_label_factors(dataset: Dataset, report: Report) -> None:
    for file in dataset.select(Kind.TARGETS, split="train", fact="pmi"):
        fields = {"fact": "pmi", "dim": file.fields["dim"]}
        current = dataset.select(Kind.CLASS_FACTORS, **fields)
        old = dataset.select(Kind.USER_FACTORS, **fields)
        path = dataset.path(Kind.CLASS_FACTORS, **fields)
        for old_file in old:
            _note_old_name(old_file, path, report)
        if not current and not old:
            hint = "The score of a class is the cosine of the predicted factors and these."
            _report_missing(dataset, report, hint, Kind.CLASS_FACTORS, **fields)
        if current and old and not same_content(current[0].path, old[0].path):
            report.error(
                old[0].path,
                f"another content than in {current[0].path.name}",
                expected=f"one file, {report.workspace.relative(path)}",
                hint="Keep the right one of the two and move the other away.",
            )


def _check_settings(dataset: Dataset, report: Report) -> None:
    splits = [s for s in SPLITS if dataset.select(Kind.ITEMS, split=s)]
    for setting in dataset.settings:
        files = dataset.select(Kind.FEATURES, setting=setting)
        for split in splits:
            if split not in {file.split for file in files}:
                fields = {"setting": setting, "ext": files[0].fields["ext"]}
                hint = f"The setting {setting} needs a matrix for each set."
                _report_missing(dataset, report, hint, Kind.FEATURES, split=split, **fields)


def _check_patches(dataset: Dataset, report: Report) -> None:
    """Warn of patches that some sets have, and others not."""
    splits = [s for s in SPLITS if dataset.select(Kind.ITEMS, split=s)]
    by_name: dict[frozenset[tuple[str, str]], list[DataFile]] = {}
    for file in dataset.select(Kind.PATCHES):
        shared = frozenset(item for item in file.fields.items() if item[0] != "split")
        by_name.setdefault(shared, []).append(file)
    for shared, members in by_name.items():
        present = {file.split for file in members}
        for split in [s for s in splits if s not in present]:
            path = dataset.path(Kind.PATCHES, **{**dict(shared), "split": split})
            expected = f"patches of {split}, as there are of {members[0].split}"
            _report_absent(path, report.warn, expected, RECREATE_PATCHES)
