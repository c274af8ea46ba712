"""What trainings with several seeds have in common: parts that draw nothing."""

from __future__ import annotations

from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.models.store import Model, Store
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.training.blend_parts import requested_parts, train_parts, with_targets
from tartarus_cli.training.train import train


def train_shared_parts(
    store: Store, request: TrainingRequest, *, progress: Progress = UNWATCHED
) -> list[Model]:
    """Train the parts of a blend that draw nothing, unless they are trained already.

    Trainings of the blend with other seeds find them, even where these are done at the same time.

    Parameters
    ----------
    store
        The models of a workspace.
    request
        What is to be trained with several seeds.
    progress
        Reports each part.

    Returns
    -------
    The parts; none of what is no blend.

    Raises
    ------
    TartarusError
        If a part does not exist, or cannot be trained.
    """
    baseline = request.experiment.baseline
    if baseline is None or not baseline.blends:
        return []
    dataset = store.dataset(request.experiment.dataset.name, request.shuffle)
    wanted = with_targets(dataset, requested_parts(store, request), progress)
    shared = [each for each in wanted if isinstance(each, TrainingRequest) and not draws(each)]
    if not shared:
        return []
    return train_parts(
        store, shared, lambda part, quiet: train(store, part, progress=quiet), progress
    )


def draws(request: TrainingRequest) -> bool:
    """Whether a part of a blend would be another model with another seed."""
    baseline = request.experiment.baseline
    return baseline is None or baseline.draws or request.experiment.shuffled
