"""Which targets of a dataset an experiment learns, and how missing ones are computed."""

from collections.abc import Sequence

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.errors import DataError, call, parameter
from tartarus_cli.file_names import Kind

USUAL_DIM = 200
"""Factors that ``factorize`` computes unless another number is named."""


def target_dims(dataset: Dataset, kind: str) -> list[int]:
    """Return the numbers of factors or classes of all train targets of a kind, ascending."""
    return sorted({file.dim for file in dataset.select(Kind.TARGETS, split="train", fact=kind)})


def infer_targets(dataset: Dataset, spec: TargetSpec) -> TargetSpec:
    """Return the targets that a dataset has in place of those of an experiment.

    Those of the same number if it has them, else the only ones of their kind.

    Raises
    ------
    DataError
        If there are no train targets of this kind, or several, none of that number.
    """
    dims = target_dims(dataset, spec.kind)
    if spec.dim in dims or len(dims) == 1:
        return TargetSpec(spec.kind, spec.dim if spec.dim in dims else dims[0])
    if not dims:
        command = factorize_command(dataset, spec)
        hint = f"Create them: {command}" if command else ""
        # Raises the error that they are missing.
        dataset.require(Kind.TARGETS, hint=hint, split="train", **spec.fields)
    msg = f"{dataset.name} has {spec.kind} targets of {dims} dimensions, not {spec.dim}"
    override = parameter("overrides", f"targets.dim={closest_dim(dims, spec.dim)}")
    raise DataError(msg, hint=f"Choose one of them: {override}.")


def closest_dim(dims: Sequence[int], dim: int) -> int:
    """Return the number of ``dims`` that is closest to ``dim``.

    >>> closest_dim([20, 100, 500], 200)
    100
    """
    return min(dims, key=lambda candidate: abs(candidate - dim))


def factorize_command(dataset: Dataset, spec: TargetSpec) -> str:
    """Return the call that computes these factors; empty if nothing can be factorized."""
    plays = bool(dataset.select(Kind.TRAIN_MATRIX))
    classes = dataset.select(Kind.TARGETS, split="train", fact="class")
    if spec.kind not in ("als", "pmi") or not (plays or (spec.kind == "pmi" and classes)):
        return ""
    dim = None if spec.dim == USUAL_DIM else spec.dim
    return call("factorize", dataset.name, spec.kind, dim=dim)
