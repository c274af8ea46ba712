"""Checks of which files there are: what a dataset lacks for its use, and what is left over."""

from collections.abc import Iterable
from pathlib import Path

from tartarus_cli.checking.report import Report
from tartarus_cli.data.targets import TargetSpec, factorize_command, truth_file, truth_path
from tartarus_cli.data.tasks import is_classification, is_recommendation
from tartarus_cli.errors import DataError
from tartarus_cli.files import same_content
from tartarus_cli.workspace import PICKLES, SPLITS, DataFile, Kind, WorkspaceFiles


def check_names(
    inventory: WorkspaceFiles, files: Iterable[DataFile], report: Report
) -> list[DataFile]:
    """Report old names, old places and doubles; return one file for each thing."""
    kept: dict[tuple[str, ...], DataFile] = {}
    for file in files:
        if file.key not in kept:
            kept[file.key] = file
            with report.catching():
                kept[file.key] = inventory.find(file.kind, **_identity(file)) or file
        if not inventory.is_canonical(file):
            path = inventory.workspace.data / file.canonical
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
    return {name: value for name, value in file.fields.items() if name != "ext"}


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


def check_presence(inventory: WorkspaceFiles, dataset: str, report: Report) -> None:
    """Report what is missing for what the dataset is used for, and what is not used."""
    _check_sets(inventory, dataset, report)
    if is_recommendation(inventory, dataset):
        _check_recommendation(inventory, dataset, report)
    if is_classification(inventory, dataset):
        _check_classification(inventory, dataset, report)
    _check_settings(inventory, dataset, report)


def _missing(
    inventory: WorkspaceFiles, report: Report, why: str, kind: Kind, **fields: str
) -> None:
    report.error(inventory.workspace.place(kind, **fields), "missing", expected=str(kind), hint=why)


def _check_sets(inventory: WorkspaceFiles, dataset: str, report: Report) -> None:
    splits = {file.split for file in inventory.select(Kind.ITEMS, dataset=dataset)}
    for split in ("train", "test"):
        if split not in splits:
            why = f"List the {split} items, one id a line, in the order of the matrices' rows."
            _missing(inventory, report, why, Kind.ITEMS, split=split, dataset=dataset)
    late = [f for f in inventory.files if f.dataset == dataset and _is_val(f)]
    if "val" not in splits:
        for file in late:
            report.warn(
                file.path,
                "val rows, but there are no val ids",
                expected=f"items_index_val_{dataset}.tsv",
                hint="The file is not used; add the ids, or move it away.",
            )
    elif not any(file.kind is Kind.TARGETS for file in late):
        report.warn(
            next(f.path for f in late if f.kind is Kind.ITEMS),
            "val items without val targets",
            expected=f"item_factors_val_…_{dataset}.npy",
            hint="The tail of train is held out instead.",
        )


def _is_val(file: DataFile) -> bool:
    return file.split == "val" or file.kind is Kind.VAL_MATRIX


def _check_recommendation(inventory: WorkspaceFiles, dataset: str, report: Report) -> None:
    factors = inventory.select(Kind.USER_FACTORS, dataset=dataset)
    users = {(f.fields["fact"], f.fields["dim"]) for f in factors}
    targets = inventory.select(Kind.TARGETS, dataset=dataset, split="train")
    items = {(f.fields["fact"], f.fields["dim"]) for f in targets if f.fields["fact"] != "class"}
    if not inventory.select(Kind.TEST_MATRIX, dataset=dataset):
        why = "Without it nothing can be evaluated: sparse, test items × users, over 0 = relevant."
        _missing(inventory, report, why, Kind.TEST_MATRIX, dataset=dataset)
    for fact, dim in sorted(users | items or {("als", "200")}):
        fields = {"fact": fact, "dim": dim, "dataset": dataset}
        if (fact, dim) not in items:
            make = factorize_command(inventory, TargetSpec(dataset, fact, int(dim)))
            why = "The networks learn these: the factors of the train items."
            why += f" Make them: {make}" if make else ""
            _missing(inventory, report, why, Kind.TARGETS, split="train", **fields)
        if (fact, dim) not in users:
            why = "Predicted factors are ranked by their product with these."
            _missing(inventory, report, why, Kind.USER_FACTORS, **fields)


def _check_classification(inventory: WorkspaceFiles, dataset: str, report: Report) -> None:
    targets = inventory.select(Kind.TARGETS, dataset=dataset)
    classes = {file.fields["dim"] for file in targets if file.fields["fact"] == "class"}
    labels = inventory.select(Kind.LABELS, dataset=dataset)
    dim = min(classes, key=int) if classes else "1"
    facts = {(file.split, file.fields["fact"]) for file in targets}
    try:
        has_truth = truth_file(inventory, dataset) is not None
    except DataError:
        has_truth = True  # but damaged, or of several sizes: reported with its contents
    if not {("train", "class"), ("train", "pmi")} & facts:
        fields = {"fact": "class", "dim": dim, "dataset": dataset}
        why = "Write 1 where the item has the class, else 0."
        _missing(inventory, report, why, Kind.TARGETS, split="train", **fields)
    if not has_truth:
        report.error(
            truth_path(inventory, dataset),
            "missing",
            expected="classes of the test items",
            hint="Without it nothing can be evaluated.",
        )
    if not labels:
        report.warn(
            inventory.workspace.place(Kind.LABELS, dataset=dataset),
            "missing",
            expected="the names of the classes, one a line",
            hint="Classes are numbered instead.",
        )
    if not is_recommendation(inventory, dataset):
        _check_label_factors(inventory, dataset, report)


def _check_label_factors(inventory: WorkspaceFiles, dataset: str, report: Report) -> None:
    for file in inventory.select(Kind.TARGETS, dataset=dataset, split="train", fact="pmi"):
        fields = {"fact": "pmi", "dim": file.fields["dim"], "dataset": dataset}
        found = inventory.select(Kind.CLASS_FACTORS, **fields)
        old = inventory.select(Kind.USER_FACTORS, **fields)
        path = inventory.workspace.place(Kind.CLASS_FACTORS, **fields)
        for each in old:
            _note_old(each, path, report)
        if not found and not old:
            why = "Scores of classes are the cosine of predicted factors and these."
            _missing(inventory, report, why, Kind.CLASS_FACTORS, **fields)
        if found and old and not same_content(found[0].path, old[0].path):
            report.error(
                old[0].path,
                f"another content than in {found[0].path.name}",
                expected=f"one file, {report.workspace.within(path)}",
                hint="Keep the right one of the two and move the other away.",
            )


def _check_settings(inventory: WorkspaceFiles, dataset: str, report: Report) -> None:
    splits = [s for s in SPLITS if inventory.select(Kind.ITEMS, split=s, dataset=dataset)]
    for setting in inventory.settings(dataset):
        files = inventory.select(Kind.FEATURES, setting=setting, dataset=dataset)
        for split in splits:
            if split not in {file.split for file in files}:
                fields = {"setting": setting, "dataset": dataset, "ext": files[0].fields["ext"]}
                why = f"The setting {setting} needs a matrix for each set."
                _missing(inventory, report, why, Kind.FEATURES, split=split, **fields)
