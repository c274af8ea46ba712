"""Run the rows of a paper, and put the figures beside those that it printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tartarus_cli.checking.check import check_experiment
from tartarus_cli.errors import Placeholder, RequestError, TartarusError, nearest, parameter
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.experiments.request import TrainingRequest, build_request
from tartarus_cli.files import write_text
from tartarus_cli.models.store import Model, Store
from tartarus_cli.progress import UNWATCHED, Progress, QuietProgress
from tartarus_cli.reproducing.figures import check_metrics, evaluate_row, evaluation_options
from tartarus_cli.reproducing.inputs import dataset_sizes, find_missing, require_data
from tartarus_cli.reproducing.papers import PaperFile, find_paper, paper_files
from tartarus_cli.reproducing.preparation import made_of_plays, prepare
from tartarus_cli.reproducing.report import DatasetSizes, Reproduction, compare_figure
from tartarus_cli.reproducing.schema import PaperDataset, PaperRow
from tartarus_cli.run import run
from tartarus_cli.training.reuse import find_trained
from tartarus_cli.workspace import Workspace


@dataclass(frozen=True)
class ReproduceRequest:
    """A paper, and which of its rows are run with which seed."""

    paper: str
    only: tuple[str, ...] = ()
    """Names of rows; empty: all."""
    seed: int | None = None
    """None: the paper's."""
    plays: Path | None = None
    """A table of plays that the paper's dataset is made of; None: the dataset is there."""


@dataclass(frozen=True)
class ListedPaper:
    """A paper in the list of all."""

    name: str
    file: PaperFile | None
    """None: its file cannot be used."""
    missing: tuple[str, ...] | None = None
    """What the workspace lacks, in words; None: there is no workspace."""
    problem: str = ""
    """Why its file cannot be used."""


def list_papers(workspace: Workspace | None) -> list[ListedPaper]:
    """List all papers, and what each lacks in a workspace; a file that is wrong is told."""
    listed = []
    for name in paper_files(workspace):
        try:
            file = find_paper(workspace, name)
        except TartarusError as problem:
            listed.append(ListedPaper(name, None, problem=f"{problem}. {problem.hint}"))
            continue
        missing = None
        if workspace is not None:
            lacks = find_missing(workspace, name, file.paper)
            missing = tuple(dict.fromkeys(each.what for each in lacks))
        listed.append(ListedPaper(name, file, missing))
    return listed


def choose_rows(file: PaperFile, only: Sequence[str]) -> list[PaperRow]:
    """Return the rows that are named, in the order of the paper; all if none is.

    Raises
    ------
    RequestError
        If there is no such row, or no metric that one of them compares.
    """
    rows = file.paper.rows
    names = [row.name for row in rows]
    for name in only:
        if name not in names:
            msg = f"{file.name} has no row called {name!r}"
            raise RequestError(msg, hint=nearest(name, names))
    chosen = [row for row in rows if not only or row.name in only]
    for row in chosen:
        check_metrics(file.paper, row)
    return chosen


def reproduce(
    workspace: Workspace, request: ReproduceRequest, *, progress: Progress = UNWATCHED
) -> Reproduction:
    """Train and evaluate the systems of a paper, and compare the figures with the published ones.

    A model that was trained before, with the same experiment, settings and seed and from the same
    files, is used again, so that an interrupted reproduction goes on where it was.

    Parameters
    ----------
    workspace
        Has the data; gets the models, and the table of figures.
    request
        The paper, its rows, and the seed.
    progress
        Receives the tasks of each row, and messages.

    Raises
    ------
    RequestError
        If there is no such paper or row, or its file asks for what does not exist.
    DataError
        If data of the paper is missing, damaged or out of step.
    TrainingError
        If a training diverges.
    """
    file = find_paper(workspace, request.paper)
    paper, rows = file.paper, choose_rows(file, request.only)
    if request.plays is not None:
        prepare(workspace, file.name, _dataset_of_plays(file), request.plays, progress)
    require_data(workspace, file.name, paper, rows)
    seed = paper.seed if request.seed is None else request.seed
    names = list(dict.fromkeys(row.dataset for row in rows))
    sizes = dataset_sizes(workspace, paper, names)
    other = {size.name for size in sizes if size.other}
    requests = [training_request(workspace, row, seed, progress) for row in rows]
    figures = []
    for row, training in zip(rows, requests, strict=True):
        progress.say(f"{row.name}: {row.experiment} {' '.join(row.settings)}".rstrip())
        model = _train_or_reuse(workspace, training, evaluation_options(paper, row), progress)
        ours = evaluate_row(model, row, paper, progress)
        figures += [
            compare_figure(paper, row, figure, value, model.name, other_data=row.dataset in other)
            for figure, value in zip(row.figures, ours, strict=True)
        ]
    result = Reproduction(
        file.name,
        paper,
        seed,
        tuple(figures),
        tuple(sizes),
        tuple(_differences(workspace, file, rows, sizes)),
        file.path,
        workspace.reproduction(file.name),
    )
    text = json.dumps(result.document(), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(result.file, text + "\n")
    return result


def _dataset_of_plays(file: PaperFile) -> PaperDataset:
    """Return the dataset of a paper that is made of a table of plays.

    Raises
    ------
    RequestError
        If there is none.
    """
    for dataset in file.paper.datasets:
        if dataset.windows is not None:
            return dataset
    msg = f"no dataset of {file.name} is made of a table of plays"
    raise RequestError(msg, hint=f"Leave {parameter('plays')} out.")


def training_request(
    workspace: Workspace, row: PaperRow, seed: int, progress: Progress
) -> TrainingRequest:
    """Return what a row trains, once its files have been checked.

    Raises
    ------
    RequestError
        If there is no such experiment, a parameter or its value is wrong, or the experiment cannot
        be applied to the settings.
    DataError
        If a file is missing, damaged or out of step.
    """
    words = (row.experiment, row.settings, row.dataset, row.overrides)
    try:
        request = build_request(workspace, *words, seed)
        experiment = check_experiment(
            *(workspace.dataset(row.dataset), request.experiment, request.settings),
            evaluated=True,
            progress=QuietProgress(progress),
        )
    except RequestError as problem:
        msg = f"the row {row.name}: {problem}"
        raise RequestError(msg, hint=problem.hint) from None
    return replace(request, experiment=experiment)


def _train_or_reuse(
    workspace: Workspace, request: TrainingRequest, options: EvaluationOptions, progress: Progress
) -> Model:
    model = find_trained(Store(workspace), request)
    if model is not None:
        progress.say(f"{model.name} is used again")
        return model
    evaluation = run(workspace, request, options, progress=progress)
    return Store(workspace).get(evaluation.model)


def _differences(
    workspace: Workspace,
    file: PaperFile,
    rows: Sequence[PaperRow],
    sizes: Sequence[DatasetSizes],
) -> Iterator[str]:
    """Yield all that differs from the paper, in sentences: the data, the rest, then single rows."""
    paper = file.paper
    for size in sizes:
        yield from size.remarks
        dataset = paper.dataset(size.name)
        if dataset.windows is not None and not made_of_plays(workspace, file.name, dataset):
            table = parameter("plays", Placeholder("FILE"))
            text = "was not made by this command from a table of plays"
            yield f"Split: {size.name} {text} ({table}), and may be split otherwise."
    yield from paper.differs
    for row in rows:
        yield from row.differs
