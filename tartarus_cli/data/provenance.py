"""Manifests: JSON documents beside data files that record how the data was made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
)

from tartarus_cli.data.encoded import EncoderRecord, ProgramRecord
from tartarus_cli.errors import FileError, Placeholder, call, parameter
from tartarus_cli.files import read_text
from tartarus_cli.layout import WorkspacePaths

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_json_model(path: Path, model: type[ModelT], *, expected: str, hint: str) -> ModelT:
    """Read a JSON document as a pydantic model.

    Parameters
    ----------
    path
        The document.
    model
        The type to return.
    expected, hint
        For the error: what the document should be, and what to do about it.

    Raises
    ------
    FileError
        If the file is damaged or holds something else; the message names the first fault.
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
"""What ties items to users, or to classes."""


class FactorRecipe(BaseModel):
    """All that factors depend on."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    method: str
    source: InteractionKind
    options: dict[str, int | float]
    inputs: dict[str, str]
    """File below ``data`` → BLAKE2b hash."""


class FactorManifest(BaseModel):
    """How factors were made, and what they are like."""

    model_config = ConfigDict(frozen=True)

    recipe: FactorRecipe
    threads: int
    versions: dict[str, str]
    outputs: dict[str, str]
    """File below ``data`` → BLAKE2b hash."""
    items: dict[str, int]
    """Split → number of items."""
    columns: int
    """Number of users or labels."""
    without: dict[str, int]
    """Split, and ``users`` or ``labels`` → how many have no play or no label."""
    oracle: dict[str, float | None]
    """Metrics of the test items' true factors; empty where there is no truth."""
    random: dict[str, float | None]
    """The same metrics of a random ranking."""
    popularity_and_norm: float | None
    """Spearman correlation of items' popularity and the norm of their factors."""


def read_factor_manifest(path: Path) -> FactorManifest:
    """Read the manifest of factors.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    expected = f"a manifest as {call('factorize')} writes it"
    again = call("factorize", Placeholder("DATASET"), Placeholder("METHOD"), force=True)
    hint = f"Delete it, and factorize again: {again}"
    return read_json_model(path, FactorManifest, expected=expected, hint=hint)


class SourceTable(BaseModel):
    """A table that a dataset was made of; the other keys say which column holds what."""

    model_config = ConfigDict(frozen=True, extra="allow")

    table: InteractionKind | None = None
    """What the table holds."""
    file: str
    """Path as it was given."""
    bytes: int
    blake2b: str
    """BLAKE2b hash, 32 hexadecimal digits."""


class Filters(BaseModel):
    """The least that labels, pairs, items and users must have to stay; None: no such filter."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    min_items_per_label: int | None = Field(None, alias="items_per_label")
    """Items of a label."""
    min_plays: int | None = Field(None, alias="plays")
    """Plays of a pair of a user and an item."""
    min_users: int | None = Field(None, alias="users")
    """Users of an item."""
    min_items: int | None = Field(None, alias="items")
    """Items of a user."""
    core: int | None = None
    """Users of an item, and items of a user, until all that are left have so many."""

    @property
    def filter_plays(self) -> bool:
        """Whether a filter needs plays."""
        least = (self.min_plays, self.min_users, self.min_items, self.core)
        return any(number is not None for number in least)


class Stage(BaseModel):
    """How much was left after a table was read, or a filter applied."""

    model_config = ConfigDict(frozen=True)

    after: str
    """What was done, such as "1,200 rows of plays", or the filter, such as "`min_plays=3`"."""
    items: int
    users: int | None = None
    pairs: int | None = None
    plays: int | float | None = None
    labels: int | None = None

    # Documents have always named a filter by its option: --min-plays 3.

    @field_serializer("after")
    def _write_filter(self, after: str) -> str:
        name, equals, number = after.strip("`").partition("=")
        return f"--{name.replace('_', '-')} {number}" if equals else after

    @field_validator("after")
    @classmethod
    def _read_filter(cls, after: str) -> str:
        option = re.fullmatch(r"--([a-z-]+) (\d+)", after)
        return parameter(option[1].replace("-", "_"), int(option[2])) if option else after


class SetSize(BaseModel):
    """How much one of the sets holds."""

    model_config = ConfigDict(frozen=True)

    items: int
    users: int | None = None
    """Users that have one of its items."""
    pairs: int | None = None
    """Pairs of a user and an item."""
    plays: int | float | None = None
    density: float | None = None
    """Pairs, as a share of all items times all users."""
    labels: int | None = None
    """Labels that one of its items has."""
    semi_cold: int | None = None
    """Val or test items whose artist has train items; None where artists are not known."""
    cold: int | None = None
    """Val or test items whose artist has none."""


class Leakage(BaseModel):
    """What the sets share, and what cannot be learnt from train; None where it is not known."""

    model_config = ConfigDict(frozen=True)

    items_in_two_sets: int
    artists_in_two_sets: int | None
    users_without_train_items: int | None
    users_without_test_items: int | None
    items_without_users: int | None
    items_without_labels: int | None
    train_items_played_later: int | None = None
    """Train items with plays later than the first test item."""
    labels_without_train_items: list[str] | None
    labels_without_test_items: list[str] | None


class TimeDivision(BaseModel):
    """Where time was cut."""

    model_config = ConfigDict(frozen=True)

    cut: str
    """The time, as it was given: items first played before it are train and val items."""
    until: str | None
    """Items first played from this time on were left out."""
    drop_later: bool
    """Whether plays later than the time of their item's set were dropped."""
    dropped_plays: int | float | None
    """How many these were."""
    dropped_users: int | None
    """Users of val or test items that were dropped then, because they had no train play."""


SPLIT_AGAIN = "Split again, with `force=True`; or delete it, if the files are right."
"""What to do about a manifest of a split that does not fit the files."""


class SplitManifest(BaseModel):
    """How the sets of a dataset were made: the document ``split_{dataset}.json``."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    dataset: str
    seed: int
    by: str
    """How items were divided: item, artist, time, label, or lists."""
    shares: dict[str, float] | None
    """Requested shares of val and test items; None for lists of ids."""
    time: TimeDivision | None = None
    """Where time was cut, if it was."""
    tables: list[SourceTable] = Field(alias="read")
    filters: Filters
    stages: list[Stage]
    users: int | None
    labels: int | None
    sets: dict[str, SetSize]
    leakage: Leakage
    version: str
    """Version of Tartarus."""
    files: list[str]
    """Names of the files that were written."""
    request: dict[str, Any] = Field(default_factory=dict, alias="asked")
    """The request without the dataset's name: the same request may finish an interrupted split."""

    def to_json(self) -> str:
        """Return the text of the document."""
        document = self.model_dump(by_alias=True)
        return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def read_split_manifest(path: Path) -> SplitManifest:
    """Read how the sets of a dataset were made.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    expected = f"what {call('split')} writes"
    return read_json_model(path, SplitManifest, expected=expected, hint=SPLIT_AGAIN)


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
    """How features were imported, or made by an encoder. Fields never set are not written."""

    model_config = ConfigDict(frozen=True)

    source: str = ""
    """Name of the file that was read; empty if an encoder made the features."""
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
    absent: dict[str, int] = {}
    """Split → number of items that lack the setting; empty if all have it."""
    zeros: dict[str, int] = {}
    """Split → number of items that were filled with zeros, as the source had no row of them."""
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
    encoder: EncoderRecord | None = None
    """The encoder that made them; None if they were made otherwise."""
    program: ProgramRecord | None = None
    """The program of others that made them; None if they were made otherwise."""

    @property
    def maker(self) -> EncoderRecord | ProgramRecord | None:
        """The encoder or the program that made them; None if they were imported."""
        return self.encoder or self.program

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
    """Return the name of a file in a manifest: its path below ``data``."""
    return path.relative_to(workspace.data).as_posix()
