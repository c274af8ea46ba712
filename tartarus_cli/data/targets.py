"""Which file holds what a network learns, and which holds the truth it is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from tartarus_cli.data.features import open_matrix
from tartarus_cli.data.ids import read_lines
from tartarus_cli.data.scan import scan_matrix
from tartarus_cli.errors import DataError
from tartarus_cli.workspace import DataFile, Kind, WorkspaceFiles

USUAL_DIM = 200  # factors that are made unless another number is said


@dataclass(frozen=True)
class TargetSpec:
    """The factors that an experiment speaks of: als 200, pmi 50, class 15."""

    dataset: str
    fact: str
    dim: int

    @property
    def fields(self) -> dict[str, str]:
        """What the names of its files say."""
        return {"dataset": self.dataset, "fact": self.fact, "dim": str(self.dim)}


def infer_dim(inventory: WorkspaceFiles, wanted: TargetSpec) -> TargetSpec:
    """Take the number of factors that the dataset has, where there is just one to take.

    Raises
    ------
    DataError
        If there are no train targets of this kind, or several and none of the wanted dim.
    """
    fields = {"split": "train", "fact": wanted.fact, "dataset": wanted.dataset}
    dims = target_dims(inventory, wanted)
    if wanted.dim in dims or len(dims) == 1:
        return TargetSpec(
            wanted.dataset, wanted.fact, wanted.dim if wanted.dim in dims else dims[0]
        )
    if not dims:
        make = factorize_command(inventory, wanted)
        hint = f"Make them: {make}" if make else ""
        inventory.require(Kind.TARGETS, hint=hint, dim=str(wanted.dim), **fields)  # says it lacks
    msg = f"{wanted.dataset} has {wanted.fact} targets of {dims} dimensions, not {wanted.dim}"
    nearest = closest_dim(dims, wanted.dim)
    raise DataError(msg, hint=f"Choose one of them: --set targets.dim={nearest}.")


def target_dims(inventory: WorkspaceFiles, wanted: TargetSpec) -> list[int]:
    """Return of how many numbers there are train targets of this kind, in order."""
    fields = {"split": "train", "fact": wanted.fact, "dataset": wanted.dataset}
    return sorted({file.dim for file in inventory.select(Kind.TARGETS, **fields)})


def closest_dim(dims: Sequence[int], wanted: int) -> int:
    """Return the number that is nearest to the wanted one.

    >>> closest_dim([20, 100, 500], 200)
    100
    """
    return min(dims, key=lambda dim: abs(dim - wanted))


def factorize_command(inventory: WorkspaceFiles, wanted: TargetSpec) -> str:
    """Return the command that makes these factors of what the dataset has; else nothing."""
    fields = {"split": "train", "fact": "class", "dataset": wanted.dataset}
    plays = bool(inventory.select(Kind.TRAIN_MATRIX, dataset=wanted.dataset))
    labels = wanted.fact == "pmi" and bool(inventory.select(Kind.TARGETS, **fields))
    if wanted.fact not in ("als", "pmi") or not (plays or labels):
        return ""
    dim = "" if wanted.dim == USUAL_DIM else f" --dim {wanted.dim}"
    return f"tartarus factorize {quote(wanted.dataset)} {wanted.fact}{dim}"


def target_file(inventory: WorkspaceFiles, wanted: TargetSpec, split: str) -> DataFile | None:
    """Return the targets of one split, if it has them."""
    return inventory.find(Kind.TARGETS, split=split, **wanted.fields)


def label_factors_file(inventory: WorkspaceFiles, wanted: TargetSpec) -> DataFile | None:
    """Return the factors of the labels, ``(classes, dim)``; old datasets call them users."""
    found = inventory.find(Kind.CLASS_FACTORS, **wanted.fields)
    return found or inventory.find(Kind.USER_FACTORS, **wanted.fields)


def label_names(inventory: WorkspaceFiles, dataset: str) -> list[str] | None:
    """Return the names of the classes, if the dataset has them."""
    file = inventory.find(Kind.LABELS, dataset=dataset)
    return read_lines(file.path) if file else None


def truth_path(inventory: WorkspaceFiles, dataset: str) -> Path:
    """Where the classes of the test items would be written."""
    known = inventory.select(Kind.TARGETS, fact="class", dataset=dataset)
    names = label_names(inventory, dataset)
    dim = str(len(names)) if names else known[0].fields["dim"] if known else "N"
    fields = {"split": "test", "fact": "class", "dim": dim, "dataset": dataset}
    return inventory.workspace.place(Kind.TARGETS, **fields)


def truth_file(inventory: WorkspaceFiles, dataset: str) -> DataFile | None:
    """Return the classes of the test items, ``(test items, classes)``, 0 or 1.

    The file of as many classes as there are label names, or the only one; a file of PMI targets
    is taken for it where it holds only 0 and 1.

    Raises
    ------
    DataError
        If there are several, and none is of the number of the labels.
    """
    fields = {"split": "test", "dataset": dataset}
    dims = sorted({f.dim for f in inventory.select(Kind.TARGETS, fact="class", **fields)})
    names = label_names(inventory, dataset)
    if names is not None and len(names) in dims:
        dims = [len(names)]
    if len(dims) > 1:
        msg = f"{dataset} has class truth of {dims} classes, and no list of labels decides"
        raise DataError(msg, hint=f"Write the names into data/datasets/genre_labels_{dataset}.tsv.")
    if dims:
        return inventory.find(Kind.TARGETS, fact="class", dim=str(dims[0]), **fields)
    for file in inventory.select(Kind.TARGETS, fact="pmi", **fields):
        if scan_matrix(open_matrix(file.path)).binary:
            return file
    return None
