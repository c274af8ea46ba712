"""Which seeds an experiment is trained with, and the request of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tartarus_cli.errors import RequestError, parameter
from tartarus_cli.evaluation.group_report import GroupEvaluation, evaluate_group
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.models.groups import Member
from tartarus_cli.plural.request import GroupRequest, MemberRequest, check_group_options
from tartarus_cli.plural.run import run_group
from tartarus_cli.prediction.predict import Pool
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.training.control import CHECKPOINT_S
from tartarus_cli.workspace import Workspace

MAX_SEEDS = 100
"""Seeds of a group at most; more of them are rather one large seed."""

LARGEST_SEED = 2**32 - 1
"""The largest seed that all libraries take."""


def parse_seeds(text: str) -> int | list[int]:
    """Read a number of seeds, or the seeds themselves with commas between them.

    Raises
    ------
    RequestError
        If the text has another form.

    >>> parse_seeds("5"), parse_seeds("3,7,9")
    (5, [3, 7, 9])
    """
    words = [word.strip() for word in text.split(",")]
    wrong = [word for word in words if not (word.isascii() and word.isdigit())]
    if wrong:
        msg = f"{parameter('seeds', text)}: {wrong[0]!r} is no whole number from 0 on"
        raise RequestError(msg, hint=_EXAMPLES)
    numbers = [int(word) for word in words]
    return numbers if len(numbers) > 1 else numbers[0]


def seeds_of(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Return the seeds that are meant: of a number of them, those from 0 on.

    Raises
    ------
    RequestError
        If there are fewer than two, one of them is there twice, or there are too many.
    """
    if isinstance(seeds, int):
        if seeds > MAX_SEEDS:
            msg = f"{parameter('seeds', seeds)}: so many trainings are a mistake"
            single = parameter("seed", seeds)
            hint = f"At most {MAX_SEEDS} are taken. For the one seed {seeds}: {single}."
            raise RequestError(msg, hint=hint)
        if seeds < 2:
            msg = f"{parameter('seeds', seeds)}: a mean over seeds needs two of them or more"
            raise RequestError(msg, hint=f"{_EXAMPLES} A single one: {parameter('seed', 0)}.")
        return tuple(range(seeds))
    written = parameter("seeds", ",".join(map(str, seeds)))
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
            msg = f"{written}: {seed!r} is no whole number from 0 to {LARGEST_SEED}"
            raise RequestError(msg, hint=_EXAMPLES)
    twice = [seed for seed, count in Counter(seeds).items() if count > 1]
    if twice:
        msg = f"{written}: the seed {twice[0]} is there twice"
        raise RequestError(msg, hint="Name each once: the same seed gives the same model.")
    if not 2 <= len(seeds) <= MAX_SEEDS:
        msg = f"{written}: a group has 2 to {MAX_SEEDS} seeds, not {len(seeds)}"
        raise RequestError(msg, hint=_EXAMPLES)
    return tuple(seeds)


def require_no_other_seed(seed: int | None) -> None:
    """Make sure that a group of seeds is not asked for together with one seed.

    Raises
    ------
    RequestError
        If it is.
    """
    if seed is not None:
        msg = f"{parameter('seeds')} and {parameter('seed')} exclude each other"
        raise RequestError(msg, hint=f"Name all of them: {parameter('seeds', '3,7,9')}.")


def require_several(cluster: str | None) -> None:
    """Make sure that workers are not asked for where there is one training alone.

    Raises
    ------
    RequestError
        If they are.
    """
    if cluster is not None:
        msg = f"{parameter('cluster')} shares several trainings out, and this is a single one"
        several = f"{parameter('seeds', 5)} or `folds=True`"
        raise RequestError(msg, hint=f"Leave it out, or train more: {several}.")


def run_seeds(  # noqa: PLR0913 — the arguments of ``run``, and the seeds
    workspace: Workspace,
    request: TrainingRequest,
    options: EvaluationOptions,
    seeds: int | Sequence[int],
    *,
    pool: Pool = "mean",
    ablate: bool = False,
    cluster: str | None = None,
    checkpoint_every: float = CHECKPOINT_S,
    progress: Progress = UNWATCHED,
) -> GroupEvaluation:
    """Train, predict and evaluate with several seeds; the same call goes on where it was stopped.

    Parameters
    ----------
    workspace
        Holds the data, and gets the models and their results.
    request
        Experiment and settings; its own seed does not count.
    options
        How to evaluate.
    seeds
        How many, from 0 on, or which ones.
    pool
        How the predictions for an item's patches become one.
    ablate
        Whether an ablation is asked for: a group has none.
    cluster
        Who does the work; None: this process, one seed after the other.
    checkpoint_every
        Seconds between two checkpoints of a training.
    progress
        Reports each seed, and the work on it.

    Returns
    -------
    The figures of the group; those of some members may be missing.

    Raises
    ------
    RequestError
        If these are no seeds, or the experiment cannot be applied or evaluated in this way.
    DataError
        If a file is missing, damaged or out of step.
    TrainingError
        If no member has figures in the end.
    """
    chosen = seeds_of(seeds)
    check_group_options(options, request.experiment.dataset.task, ablate=ablate)
    members = members_of(request, chosen)
    dataset = request.experiment.dataset.name
    asked = GroupRequest(
        *(workspace, "seeds", dataset, members, replace(options, seed=None), pool),
        cluster=cluster,
        checkpoint_every=checkpoint_every,
    )
    return evaluate_group(run_group(asked, progress=progress))


def members_of(request: TrainingRequest, seeds: Sequence[int]) -> tuple[MemberRequest, ...]:
    """Return the request of each seed."""
    dataset = request.experiment.dataset.name
    return tuple(
        MemberRequest(Member(seed=seed, dataset=dataset), replace(request, seed=seed))
        for seed in seeds
    )


_EXAMPLES = (
    f"For example {parameter('seeds', 5)} for the seeds 0 to 4, or {parameter('seeds', '3,7,9')}."
)
