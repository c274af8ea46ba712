"""Checks of which files there are: what a dataset lacks for its use, and what is left over."""

from collections.abc import Iterable
from pathlib import Path

from tartarus_cli.checking.report import Report
from tartarus_cli.data.dataset import Dataset, TargetSpec
from tartarus_cli.data.targets import factorize_command
from tartarus_cli.errors import DataError
from tartarus_cli.file_names import SPLITS, DataFile, Kind
from tartarus_cli.files import same_content
from tartarus_cli.layout import PICKLES


def check_names(dataset: Dataset, files: Iterable[DataFile], report: Report) -> list[DataFile]:
    """Report old names, old places and doubles; return one file for each thing."""
    kept: dict[tuple[str, ...], DataFile] = {}
    for file in files:
        if file.key not in kept:
            kept[file.key] = file
            with report.catching():
                kept[file.key] = dataset.find(file.kind, **_identity(file)) or file
        if not dataset.files.is_canonical(file):
            path = dataset.workspace.data / file.canonical
            _note_old(file, path, report)
    return list(kept.values())


def _note_old(file: DataFile, canonical: Path, report: Report) -> None:
    report.note(
        file.path,
        "an old name or place",
        expected=report.workspace.within(canonical),
        hint="It is read all the same.",
    )


def _identity(file: DataFile) -> dict[str, str]:
    return {name: value for name, value in file.fields.items() if name not in ("ext", "dataset")}


def check_unknown(paths: Iterable[Path], report: Report) -> None:
    """Report files whose names mean nothing, and pickles, which are never read."""
    for path in paths:
        if path.suffix in PICKLES:
            report.error(
                path,
                "a pickle, which is never loaded",
                expected="arrays in npy or npz format",
                hint="A scaler is made again by 'tartarus patches'; delete the pickle.",
            )
        else:
            report.warn(
                path,
                "a name that means nothing here",
                expected="a name such as X_train_SETTING_DATASET.npy",
                hint="It is not read. Rename it, or keep it elsewhere.",
            )


def check_presence(dataset: Dataset, report: Report) -> None:
    """Report what is missing for what the dataset is used for, and what is not used."""
    _check_sets(dataset, report)
    if dataset.is_recommendation:
        _check_recommendation(dataset, report)
    if dataset.is_classification:
        _check_classification(dataset, report)
    _check_settings(dataset, report)


def _missing(dataset: Dataset, report: Report, why: str, kind: Kind, **fields: str) -> None:
    report.error(dataset.path(kind, **fields), "missing", expected=str(kind), hint=why)


def _check_sets(dataset: Dataset, report: Report) -> None:
    splits = {file.split for file in dataset.select(Kind.ITEMS)}
    for split in ("train", "test"):
        if split not in splits:
            why = f"List the {split} items, one id a line, in the order of the matrices' rows."
            _missing(dataset, report, why, Kind.ITEMS, split=split)
    late = [f for f in dataset.own_files if _is_val(f)]
    if "val" not in splits:
        for file in late:
            report.warn(
                file.path,
                "val rows, but there are no val ids",
                expected=f"items_index_val_{dataset.name}.tsv",
                hint="The file is not used; add the ids, or move it away.",
            )
    elif not any(file.kind is Kind.TARGETS for file in late):
        report.warn(
            next(f.path for f in late if f.kind is Kind.ITEMS),
            "val items without val targets",
            expected=f"item_factors_val_…_{dataset.name}.npy",
            hint="The tail of train is held out instead.",
        )


def _is_val(file: DataFile) -> bool:
    return file.split == "val" or file.kind is Kind.VAL_MATRIX


def _check_recommendation(dataset: Dataset, report: Report) -> None:
    factors = dataset.select(Kind.USER_FACTORS)
    users = {(f.fields["fact"], f.fields["dim"]) for f in factors}
    targets = dataset.select(Kind.TARGETS, split="train")
    items = {(f.fields["fact"], f.fields["dim"]) for f in targets if f.fields["fact"] != "class"}
    if not dataset.select(Kind.TEST_MATRIX):
        why = "Without it nothing can be evaluated: sparse, test items × users, over 0 = relevant."
        _missing(dataset, report, why, Kind.TEST_MATRIX)
    for fact, dim in sorted(users | items or {("als", "200")}):
        fields = {"fact": fact, "dim": dim}
        if (fact, dim) not in items:
            make = factorize_command(dataset, TargetSpec(fact, int(dim)))
            why = "The networks learn these: the factors of the train items."
            why += f" Make them: {make}" if make else ""
            _missing(dataset, report, why, Kind.TARGETS, split="train", **fields)
        if (fact, dim) not in users:
            why = "Predicted factors are ranked by their product with these."
            _missing(dataset, report, why, Kind.USER_FACTORS, **fields)


def _check_classification(dataset: Dataset, report: Report) -> None:
    targets = dataset.select(Kind.TARGETS)
    classes = {file.fields["dim"] for file in targets if file.fields["fact"] == "class"}
    labels = dataset.select(Kind.LABELS)
    dim = min(classes, key=int) if classes else "1"
    facts = {(file.split, file.fields["fact"]) for file in targets}
    try:
        has_truth = dataset.class_truth is not None
    except DataError:
        has_truth = True  # but damaged, or of several sizes: reported with its contents
    if not {("train", "class"), ("train", "pmi")} & facts:
        fields = {"fact": "class", "dim": dim}
        why = "Write 1 where the item has the class, else 0."
        _missing(dataset, report, why, Kind.TARGETS, split="train", **fields)
    if not has_truth:
        report.error(
            dataset.class_truth_path,
            "missing",
            expected="classes of the test items",
            hint="Without it nothing can be evaluated.",
        )
    if not labels:
        report.warn(
            dataset.path(Kind.LABELS),
            "missing",
            expected="the names of the classes, one a line",
            hint="Classes are numbered instead.",
        )
    if not dataset.is_recommendation:
        _check_label_factors(dataset, report)


def _check_label_factors(dataset: Dataset, report: Report) -> None:
    for file in dataset.select(Kind.TARGETS, split="train", fact="pmi"):
        fields = {"fact": "pmi", "dim": file.fields["dim"]}
        found = dataset.select(Kind.CLASS_FACTORS, **fields)
        old = dataset.select(Kind.USER_FACTORS, **fields)
        path = dataset.path(Kind.CLASS_FACTORS, **fields)
        for each in old:
            _note_old(each, path, report)
        if not found and not old:
            why = "Scores of classes are the cosine of predicted factors and these."
            _missing(dataset, report, why, Kind.CLASS_FACTORS, **fields)
        if found and old and not same_content(found[0].path, old[0].path):
            report.error(
                old[0].path,
                f"another content than in {found[0].path.name}",
                expected=f"one file, {report.workspace.within(path)}",
                hint="Keep the right one of the two and move the other away.",
            )


def _check_settings(dataset: Dataset, report: Report) -> None:
    splits = [s for s in SPLITS if dataset.select(Kind.ITEMS, split=s)]
    for setting in dataset.settings:
        files = dataset.select(Kind.FEATURES, setting=setting)
        for split in splits:
            if split not in {file.split for file in files}:
                fields = {"setting": setting, "ext": files[0].fields["ext"]}
                why = f"The setting {setting} needs a matrix for each set."
                _missing(dataset, report, why, Kind.FEATURES, split=split, **fields)
