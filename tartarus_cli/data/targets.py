"""Which targets of a dataset an experiment learns, and how missing ones are computed."""

from collections.abc import Sequence

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.tasks import PLAYS_KIND, TargetSpec
from tartarus_cli.errors import DataError, call, parameter
from tartarus_cli.file_names import Kind

USUAL_DIM = 200
"""Factors that ``factorize`` computes unless another number is named."""


def target_dims(dataset: Dataset, kind: str) -> list[int]:
    """Return the numbers of factors or classes of all train targets of a kind, ascending."""
    return sorted({file.dim for file in dataset.select(Kind.TARGETS, split="train", fact=kind)})


def infer_targets(dataset: Dataset, spec: TargetSpec) -> TargetSpec:
    """Return the targets that a dataset has in place of those of an experiment.

    Those of the same number if it has them, else the only ones of their kind. Plays have no number
    that the dataset knows.

    Raises
    ------
    DataError
        If there are no train targets of this kind, or several, none of that number.
    """
    if spec.kind == PLAYS_KIND:
        return spec
    dims = target_dims(dataset, spec.kind)
    if spec.dim in dims or len(dims) == 1:
        return TargetSpec(spec.kind, spec.dim if spec.dim in dims else dims[0])
    if not dims:
        command = factorize_command(dataset, spec)
        hint = f"Create them: {command}" if command else ""
        # Raises the error that they are missing.
        dataset.require(Kind.TARGETS, hint=hint, split="train", **spec.fields)
    raise _other_dims(dataset, spec, dims)


def reference_factors(dataset: Dataset) -> TargetSpec | None:
    """Return the factors of plays that users have; of several, those closest to the usual number.

    None if the dataset has none.
    """
    if not dataset.is_recommendation:
        return None
    dims = sorted({file.dim for file in dataset.select(Kind.USER_FACTORS, fact="als")})
    return TargetSpec("als", closest_dim(dims, USUAL_DIM)) if dims else None


def scored_targets(dataset: Dataset, spec: TargetSpec, width: int) -> TargetSpec:
    """Return the targets that predictions are of, by what they are scored with.

    These are the factors of the users or of the labels, or the classes of the test items; no train
    item is needed. Of several, those as wide as the predictions, else those of the experiment.

    Parameters
    ----------
    dataset
        The dataset.
    spec
        The targets of the experiment.
    width
        Number of columns of the predictions.

    Raises
    ------
    DataError
        If there are none of this kind, or several, none of them of that width or number.
    """
    if spec.kind == "class":
        truth = dataset.class_truth
        dims = [truth.dim] if truth is not None and truth.dim is not None else [width]
    else:
        kinds = (Kind.USER_FACTORS, Kind.CLASS_FACTORS)
        files = [file for kind in kinds for file in dataset.select(kind, fact=spec.kind)]
        dims = sorted({file.dim for file in files})
    for dim in (width, spec.dim, *(dims if len(dims) == 1 else ())):
        if dim in dims:
            return TargetSpec(spec.kind, dim)
    if not dims:
        command = factorize_command(dataset, spec)
        hint = f"Create them: {command}" if command else ""
        kind = Kind.USER_FACTORS if dataset.is_recommendation else Kind.CLASS_FACTORS
        dataset.require(kind, hint=hint, **spec.fields)  # raises the error that they are missing
    raise _other_dims(dataset, spec, dims)


def _other_dims(dataset: Dataset, spec: TargetSpec, dims: Sequence[int]) -> DataError:
    msg = f"{dataset.name} has {spec.kind} targets of {dims} dimensions, not {spec.dim}"
    override = parameter("overrides", f"targets.dim={closest_dim(dims, spec.dim)}")
    return DataError(msg, hint=f"Choose one of them: {override}.")


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
