"""Documents kept beside data that say how it was made: reading them again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tartarus_cli.errors import FileError, Placeholder, call
from tartarus_cli.files import read_text
from tartarus_cli.layout import WorkspacePaths

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_json_model(path: Path, model: type[ModelT], *, expected: str, hint: str) -> ModelT:
    """Read a JSON document that a command kept.

    Parameters
    ----------
    path
        Where it is.
    model
        What it holds.
    expected, hint
        Told if it holds something else.

    Raises
    ------
    FileError
        If the file is damaged; it tells the first fault.
    """
    try:
        return model.model_validate_json(read_text(path))
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"]))
        found = f"{where}: {first['msg']}" if where else first["msg"]
    except RecursionError:
        found = "a document that is nested too deeply"
    raise FileError(path, found=found[:200], expected=expected, hint=hint)


InteractionKind = Literal["plays", "labels"]


class FactorRecipe(BaseModel):
    """All that factors depend on."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    method: str
    source: InteractionKind
    options: dict[str, int | float]
    inputs: dict[str, str]  # file below data → BLAKE2b hash


class FactorManifest(BaseModel):
    """Where factors come from, and what they are like."""

    model_config = ConfigDict(frozen=True)

    recipe: FactorRecipe
    threads: int
    versions: dict[str, str]
    outputs: dict[str, str]  # file below data → BLAKE2b hash
    items: dict[str, int]  # split → items
    columns: int  # users or labels
    without: dict[str, int]  # split, and users or labels → those without a play or label
    oracle: dict[str, float | None]  # metrics of the test items' true factors; empty: no truth
    random: dict[str, float | None]
    popularity_and_norm: float | None  # Spearman correlation


def read_factor_manifest(path: Path) -> FactorManifest:
    """Read what is known of factors.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    expected = "a manifest as 'tartarus factorize' writes it"
    hint = "Delete it, and factorize with --force."
    return read_json_model(path, FactorManifest, expected=expected, hint=hint)


MatrixForm = Literal["sparse", "dense"]
"""How a matrix of features is stored: CSR in ``.npz``, or ``.npy``."""

RECREATE_FEATURES = "Recreate the setting: " + call(
    "features",
    Placeholder("DATASET"),
    Placeholder("SETTING"),
    source=Placeholder("FILE"),
    force=True,
)
"""What to do about a damaged manifest of features."""


class ItemsOfSet(BaseModel):
    """The items of one set that features have rows of."""

    model_config = ConfigDict(frozen=True)

    items: int
    """Number of items."""
    digest: str
    """BLAKE2b hash of their ids, in order."""


class SourceColumns(BaseModel):
    """Columns of the table that features were read from."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Name of the column of ids."""
    tag: str | None = None
    """Name of the column of tags, of a table of tags."""
    weight: tuple[str, ...] = ()
    """Name of the column of weights, of a table of tags that has one."""
    numbers: tuple[str, ...] = ()
    """Names of the columns of numbers, of any other table."""


class ColumnScale(BaseModel):
    """Mean and standard deviation of each column, of the train items."""

    model_config = ConfigDict(frozen=True)

    mean: list[float]
    deviation: list[float]


class FeatureManifest(BaseModel):
    """How imported features were made. Fields that were never set are not written."""

    model_config = ConfigDict(frozen=True)

    source: str = ""
    """Name of the file that was read."""
    digest: str = ""
    """BLAKE2b hash of that file."""
    ids: str | None = None
    """Name of the list of ids, if the source was a matrix."""
    ids_digest: str | None = None
    """BLAKE2b hash of that list."""
    sets: dict[str, ItemsOfSet] = {}
    """Split → its items; empty in manifests of early versions."""
    form: MatrixForm
    width: int
    """Columns of the matrices."""
    kind: Literal["numbers", "tags"] = "numbers"
    columns: SourceColumns | None = None
    """Columns of the table; None if the source was a matrix."""
    scale: ColumnScale | None = None
    """The scale of numbers that were scaled."""
    train_items: int | None = None
    """Number of train items with a tag, of which the weights were computed."""
    tags: list[str] | None = None
    """The tag of each column."""
    idf: list[float] | None = None
    """Inverse document frequency of each tag."""

    def to_json(self) -> str:
        """Return the text of the document."""
        document = self.model_dump(exclude_unset=True)
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def read_feature_manifest(path: Path) -> FeatureManifest:
    """Read the manifest of imported features.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    expected = f"what {call('features')} writes"
    return read_json_model(path, FeatureManifest, expected=expected, hint=RECREATE_FEATURES)


def data_path(workspace: WorkspacePaths, path: Path) -> str:
    """Return how a manifest calls a file: its place below ``data``."""
    return path.relative_to(workspace.data).as_posix()
