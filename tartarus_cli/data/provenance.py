"""Documents kept beside data that say how it was made: reading them again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tartarus_cli.errors import FileError
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


def data_path(workspace: WorkspacePaths, path: Path) -> str:
    """Return how a manifest calls a file: its place below ``data``."""
    return path.relative_to(workspace.data).as_posix()
