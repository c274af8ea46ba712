"""The data of a paper in a workspace: what is missing, and whether it is the paper's at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import DataError, Placeholder, call, parameter
from tartarus_cli.example.world import DATASETS as INVENTED
from tartarus_cli.file_names import Kind
from tartarus_cli.files import TomlError, read_toml
from tartarus_cli.layout import MARK
from tartarus_cli.reproducing.report import DatasetSizes
from tartarus_cli.reproducing.schema import Paper, PaperDataset, PaperRow
from tartarus_cli.workspace import Workspace


@dataclass(frozen=True)
class Missing:
    """What a row needs and the workspace lacks."""

    row: str
    what: str
    """A dataset, or a setting of one, in words."""
    remedy: str
    """How one gets it: a call, or words."""


def find_missing(workspace: Workspace, name: str, paper: Paper) -> list[Missing]:
    """List what the rows of a paper need and a workspace lacks, row by row.

    Parameters
    ----------
    workspace
        Where the data is looked for.
    name
        What the paper is called here.
    paper
        The paper.
    """
    files = workspace.scan()
    known = {*files.datasets()}
    missing = []
    for row in paper.rows:
        described = paper.dataset(row.dataset)
        if row.dataset not in known:
            remedy = _remedy(name, described)
            missing.append(Missing(row.name, f"the dataset {row.dataset}", remedy))
            continue
        settings, factors = files.settings(row.dataset), described.factors
        kinds = {file.fields["fact"] for file in files.select(Kind.TARGETS, dataset=row.dataset)}
        if factors is not None and factors not in kinds:
            what = f"the {factors} factors of {row.dataset}"
            missing.append(Missing(row.name, what, call("factorize", row.dataset, factors)))
        for setting in (each for each in row.settings if each not in settings):
            what = f"the setting {setting} of {row.dataset}"
            missing.append(Missing(row.name, what, _setting_remedy(described, setting)))
    return missing


def _remedy(name: str, dataset: PaperDataset) -> str:
    if dataset.archive:
        return call("fetch", dataset.archive)
    if dataset.windows is not None:
        made = call("reproduce", name, plays=Placeholder("FILE"))
        return f"{made} ({dataset.obtain})" if dataset.obtain else made
    return dataset.obtain or f"a file that describes {name} does not say how one gets it"


def _setting_remedy(dataset: PaperDataset, setting: str) -> str:
    if setting not in dataset.settings and dataset.archive:
        return call("fetch", dataset.archive)
    command = call("features", dataset.name, setting, source=Placeholder("FILE"))
    described = dataset.settings.get(setting)
    return f"{command} ({described})" if described else command


def require_data(workspace: Workspace, name: str, paper: Paper, rows: Sequence[PaperRow]) -> None:
    """Make sure that all is there that some rows need, before anything heavy is done.

    Raises
    ------
    DataError
        If something is missing: the message names it, the hint how one gets it.
    """
    missing = find_missing(workspace, name, paper)
    concerned = {row.name for row in rows}
    lacks = [each for each in missing if each.row in concerned]
    if not lacks:
        return
    what = list(dict.fromkeys(each.what for each in lacks))
    rest = f" and {len(what) - 3} more" if len(what) > 3 else ""
    msg = f"{name} needs {', '.join(what[:3])}{rest}, which {workspace.root} does not have"
    hint = f"Get it: {'; '.join(dict.fromkeys(each.remedy for each in lacks))}"
    complete = [row.name for row in paper.rows if row.name not in {m.row for m in missing}]
    if complete:
        option = parameter("only", complete[0])
        hint = f"{', '.join(complete)} can be run, with {option}. {hint}"
    raise DataError(msg, hint=hint)


def dataset_sizes(workspace: Workspace, paper: Paper, names: Sequence[str]) -> list[DatasetSizes]:
    """Compare the sizes of datasets with those that were published.

    Parameters
    ----------
    workspace
        Has the datasets.
    paper
        The paper, with what is known of their sizes.
    names
        The datasets.

    Raises
    ------
    DataError
        If a list of ids is damaged.
    """
    invented = {*INVENTED} if _is_example(workspace) else set()
    return [
        _compare_sizes(
            paper.dataset(name), _sizes(workspace.dataset(name)), invented=name in invented
        )
        for name in names
    ]


def _compare_sizes(
    described: PaperDataset, here: dict[str, int], *, invented: bool
) -> DatasetSizes:
    name, sizes = described.name, described.sizes
    published = sizes.known() if sizes else {}
    remarks = []
    if invented:
        example = "is of the synthetic example world, whose songs and listeners are invented"
        remarks.append(f"Data: {name} {example}: it is not the data of the paper.")
    wrong = [what for what, count in published.items() if here.get(what) != count]
    if sizes is not None and wrong:
        pairs = (f"{here.get(what, 0):,} here and {published[what]:,} there" for what in wrong)
        nouns = (what if what == "users" else f"{what} items" for what in wrong)
        counts = ", ".join(f"{noun} {pair}" for noun, pair in zip(nouns, pairs, strict=True))
        remarks.append(f"Data: {name} has another size: {counts} ({sizes.source}).")
    elif sizes is None and not invented:
        unknown = "its published sizes are not known here"
        remarks.append(f"Data: whether {name} is that of the paper cannot be told: {unknown}.")
    other = invented or (sizes is not None and sizes.certain and bool(wrong))
    source = sizes.source if sizes else ""
    return DatasetSizes(name, here, published, source, tuple(remarks), other)


def _sizes(dataset: Dataset) -> dict[str, int]:
    sizes = {split: len(dataset.ids(split)) for split in dataset.splits}
    if dataset.is_recommendation and "test" in sizes:
        sizes["users"] = dataset.plays("test").shape[1]
    return sizes


def _is_example(workspace: Workspace) -> bool:
    """Whether the workspace was made with the example world in it."""
    path = workspace.root / MARK
    try:
        return path.is_file() and "example" in read_toml(path)
    except (TomlError, DataError):
        return False
