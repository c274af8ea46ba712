"""What trained models are worth, and what they recommend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tartarus_cli.api.arguments import (
    Code,
    ModelLike,
    Overrides,
    SplitName,
    WorkspaceLike,
    bytes_of,
    group_of,
    model_of,
    overrides_of,
    path_of,
    run_code,
    workspace_of,
    workspace_of_models,
)
from tartarus_cli.api.progress import ProgressOption, shown
from tartarus_cli.devices import on_device
from tartarus_cli.models.groups import Group
from tartarus_cli.models.store import Model

if TYPE_CHECKING:
    from tartarus_cli.evaluation.comparison import Comparison
    from tartarus_cli.evaluation.group_report import GroupEvaluation
    from tartarus_cli.evaluation.report import Evaluation
    from tartarus_cli.evaluation.slice_kinds import SliceBy
    from tartarus_cli.evaluation.slices import EvaluatedSlices
    from tartarus_cli.exporting.export import ExportResult
    from tartarus_cli.exporting.groups import GroupExport
    from tartarus_cli.exporting.model_file import ModelFile
    from tartarus_cli.exporting.request import ExportKind
    from tartarus_cli.forecasting.forecast import Forecast
    from tartarus_cli.recommendation.lists import RecommendationFile, RecommendationList
    from tartarus_cli.scoring.relevant import TieBreaking


def evaluate(
    model: ModelLike | Group | Path = None,
    *,
    experiment: str | None = None,
    dataset: str | None = None,
    ids: Path | str | None = None,
    overrides: Overrides = (),
    k: Sequence[int] = (),
    users: str | None = None,
    published: bool = False,
    ties: TieBreaking = "drawn",
    baselines: bool = False,
    by: SliceBy | None = None,
    memory: int | str = "1GiB",
    resume: bool = False,
    shard: str | None = None,
    merge: bool = False,
    cluster: str | None = None,
    device: str = "auto",
    dry_run: bool = False,
    code: Code = (),
    seed: int | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> Evaluation | EvaluatedSlices | GroupEvaluation | Forecast:
    """Compute the metrics of a model, of a group of them, or of predictions made elsewhere.

    Parameters
    ----------
    model
        A model, the newest if None; a group, all whose members are evaluated; or a ``.npy`` file of
        predictions.
    experiment, dataset, ids, overrides
        For a file: the experiment whose predictions these are, another dataset than its own, the
        ids of the rows, parameters of the experiment.
    k
        Cut-offs beside the usual ones.
    users
        Only these users, as ``"0:1000"``.
    published
        Add the nDCG of the papers.
    ties
        Whether equal scores keep an order of the items that is drawn from the seed (``"drawn"``),
        or the order of their list (``"published"``).
    baselines
        Train and evaluate simple baselines too, as rows beneath the model.
    by
        Figures apart for groups instead of the whole: quantiles of users (``"user-activity"``) or
        items (``"item-popularity"``), items of known (semi-cold) and of new artists
        (``"known-artist"``), plays of artists that the user has train plays of, and of others
        (``"discovery"``), test items by which settings they have (``"modality"``; also for a
        classification).
    memory
        Room for scores and factors, in bytes or as ``"1GiB"``.
    resume, merge
        Go on where an interrupted evaluation stopped; join what was evaluated for some users.
    shard
        Only one of several equal shares of the users: ``"2/8"`` is the second of eight.
    cluster
        Who ranks: ``"local"`` (processes of this machine), the address of a Dask scheduler, or a
        file that describes jobs; None: this process.
    device
        ``"cpu"``, ``"gpu"``, or one of several as ``"gpu:1"``; ``"auto"``: a GPU that JAX can use,
        if there is one.
    dry_run
        Only say what would be done, and forecast time, memory and disk from a few users that are
        ranked for; nothing is written.
    code
        Python files with metrics and the like of your own.
    seed
        Of the random row and of the order of ties; None: that of the training.
    workspace
        Where the model is, if it is named.
    progress
        Told of each block of users.

    Raises
    ------
    RequestError
        If there is no such model, or the request does not fit what is evaluated.
    DataError
        If a file is missing, damaged or out of step.
    """
    given = {**locals()}
    from tartarus_cli.evaluation.evaluate import evaluate as evaluate_subject
    from tartarus_cli.evaluation.evaluate import find_subject
    from tartarus_cli.evaluation.report import EvaluationOptions, parse_users
    from tartarus_cli.evaluation.slices import evaluate_slices
    from tartarus_cli.experiments.request import ExperimentRequest
    from tartarus_cli.forecasting.evaluate import forecast_evaluation, forecast_group
    from tartarus_cli.options import Shard
    from tartarus_cli.plural.evaluate import evaluate_members, require_group_parameters

    with shown(progress) as watcher, on_device(device):
        run_code(code)
        options = EvaluationOptions(
            tuple(k),
            parse_users(users),
            memory=bytes_of(memory),
            published=published,
            ties=ties,
            seed=seed,
            baselines=baselines,
            resume=resume,
            shard=None if shard is None else Shard.parse(shard),
            merge=merge,
            cluster=cluster,
        )
        root = workspace_of(model.workspace.root if isinstance(model, Model | Group) else workspace)
        group = group_of(model, root)
        if group is not None:
            others = {"experiment": experiment, "dataset": dataset, "ids": ids, "by": by}
            require_group_parameters({**others, "overrides": overrides or None, "seed": seed})
            if dry_run:
                return forecast_group(root, group.name, options, given, progress=watcher)
            alone = replace(options, cluster=None)  # each worker has members of its own
            return evaluate_members(root, group.name, alone, cluster=cluster, progress=watcher)
        named = str(model) if isinstance(model, Path | Group) else model
        request = ExperimentRequest(experiment, dataset, overrides_of(overrides))
        subject = find_subject(root, named, request, path_of(ids))
        if dry_run:
            return forecast_evaluation(root, subject, options, given, progress=watcher)
        if by is not None:
            return evaluate_slices(subject, options, by, progress=watcher)
        return evaluate_subject(subject, options, progress=watcher)


def compare(
    *models: Model | Group | str,
    metrics: Sequence[str] = (),
    resamples: int = 10_000,
    seed: int | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> Comparison:
    """Put the metrics of several models side by side, and how sure the differences are.

    Parameters
    ----------
    models
        Models or names of results, the reference first; all were evaluated. One alone stands for
        the rows of its ablation.
    metrics
        Which differences are tested; one or two usual ones if none is named.
    resamples
        Of the bootstrap and of the randomization test.
    seed
        Of both.
    workspace
        Where the models are.
    progress
        Told of each test.

    Raises
    ------
    RequestError
        If there is no such model or metric, or they are of several workspaces or were not evaluated
        on the same data.
    """
    from tartarus_cli.evaluation import compare as comparing

    names = [model if isinstance(model, str) else model.name for model in models]
    root = workspace_of(workspace_of_models(models) if workspace is None else workspace)
    options = comparing.CompareOptions(tuple(metrics), resamples, seed)
    with shown(progress) as watcher:
        return comparing.compare(root, names, options, progress=watcher)


def recommend(
    model: ModelLike = None,
    *,
    user: str | None = None,
    item: str | None = None,
    top: int = 10,
    min_score: float | None = None,
    known: bool = False,
    memory: int | str = "1GiB",
    cluster: str | None = None,
    device: str = "auto",
    code: Code = (),
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> RecommendationList | RecommendationFile:
    """Rank new items for a user, users for a new item, or the items for all users into a file.

    Parameters
    ----------
    model
        The newest if None.
    user, item
        Whose list; neither: those of all users, in a file.
    top
        How long a list is.
    min_score
        Leave out what scores less.
    known
        Mark what the user has, according to the truth.
    memory
        Room for scores and factors, in bytes or as ``"1GiB"``.
    cluster
        Who makes the lists of all users: ``"local"`` (processes of this machine), the address of a
        Dask scheduler, or a file that describes jobs; None: this process.
    device
        ``"cpu"``, ``"gpu"``, or one of several as ``"gpu:1"``; ``"auto"``: a GPU that JAX can use,
        if there is one.
    code
        Python files with networks and the like of your own.
    workspace
        Where the model is, if it is named.
    progress
        Told of each block of users.

    Raises
    ------
    RequestError
        If there is no such model, user or item.
    DataError
        If the model has not predicted, or a file is missing or damaged.
    """
    from tartarus_cli.recommendation.lists import RecommendRequest
    from tartarus_cli.recommendation.lists import recommend as recommend_items
    from tartarus_cli.recommendation.recommender import ListOptions

    with shown(progress) as watcher, on_device(device):
        run_code(code)
        trained = model_of(model, workspace)
        options = ListOptions(top, min_score, known=known)
        request = RecommendRequest(user, item)
        return recommend_items(
            trained, request, options, memory=bytes_of(memory), cluster=cluster, progress=watcher
        )


def export(
    model: ModelLike | Group = None,
    *,
    what: ExportKind,
    path: Path | str | None = None,
    layer: str | int | None = None,
    split: SplitName | None = None,
    top: int | None = None,
    memory: int | str | None = None,
    replace_whitespace: str | None = None,
    escape_formulas: bool = False,
    force: bool = False,
    code: Code = (),
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> ExportResult | ModelFile | GroupExport:
    """Write what a model predicts, ranks or scores as a table, or the model itself.

    Parameters
    ----------
    model
        The newest if None.
    what
        ``predictions``, ``users`` (what predicted rows are multiplied by), ``embeddings`` (of a
        layer), ``rankings``, ``run``, ``qrels``, or ``figures`` of the evaluation; ``onnx`` (the
        network, with dynamic batches; of one that learns from plays also the vectors of users),
        ``safetensors`` (weights, or the arrays of a baseline) or ``card`` (a model card).
    path
        Its ending says the form: ``.parquet``, ``.csv`` or ``.tsv``. Of a group, each member has a
        file, with its seed before the ending. None, for ``onnx``, ``safetensors`` and ``card``: the
        name of the model in the current folder.
    layer
        For embeddings: name or index of the layer; for ``onnx``: the last layer that is written.
    split
        Which items; the usual ones if None.
    top
        For rankings and runs: items for each user.
    memory
        For rankings and runs: room for scores and factors.
    replace_whitespace
        For runs and truth: what stands for whitespace in ids.
    escape_formulas
        For ``.csv`` and ``.tsv``: write an apostrophe before texts that a spreadsheet would run.
    force
        Write over a file that is there.
    code
        Python files with networks and the like of your own.
    workspace
        Where the model is, if it is named.
    progress
        Told of each block.

    Raises
    ------
    RequestError
        If there is no such model or layer, the file exists, or the options contradict each other.
    DataError
        If something has not been predicted, or a file is missing or damaged.
    """
    from tartarus_cli.exporting.export import export as export_model
    from tartarus_cli.exporting.groups import export_group
    from tartarus_cli.exporting.request import ExportRequest, export_path

    with shown(progress) as watcher:
        run_code(code)
        exported = group_of(model, workspace) or model_of(model, workspace)
        request = ExportRequest(
            what,
            export_path(exported.name, what, path),
            layer=None if layer is None else str(layer),
            split=split,
            top=top,
            memory=None if memory is None else bytes_of(memory),
            replace_whitespace=replace_whitespace,
            escape_formulas=escape_formulas,
            force=force,
        )
        if isinstance(exported, Group):
            return export_group(exported, request, progress=watcher)
        return export_model(exported, request, progress=watcher)
