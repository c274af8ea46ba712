"""What to import as a setting, and whether it can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.data.provenance import MatrixForm
from tartarus_cli.errors import Placeholder, RequestError, parameter
from tartarus_cli.experiments.settings import check_setting_name
from tartarus_cli.features.alignment import MissingRowPolicy, MissingRows
from tartarus_cli.features.tables import (
    ColumnSelection,
    FeatureSource,
    RowRange,
    is_matrix,
    open_features,
    open_rows,
)
from tartarus_cli.features.tags import TagChoice


@dataclass(frozen=True, kw_only=True)
class FeaturesRequest:
    """A source of features, how to read it, and the setting to write."""

    dataset: str
    """Name of the dataset whose items the rows are aligned with."""
    setting: str
    """Name of the setting to write."""
    source: Path
    """A table of ids and numbers or tags, or a matrix whose ids are in ``ids``."""
    ids: Path | None = None
    """For a matrix: the list of the ids of its rows, one a line."""
    id_column: str | None = None
    """Name of the column of ids; None: the one whose name says so, else the first."""
    without: tuple[str, ...] = ()
    """Names of columns to leave out."""
    encoding: str | None = None
    """Encoding of a table without a byte-order mark; None: UTF-8."""
    tags: bool = False
    """Whether the rows are (item, tag) or (item, tag, weight), to be written as tf-idf."""
    tag_separator: str | None = None
    """What stands between several tags in one cell; None: each cell is one tag."""
    min_items: int | None = None
    """Fewest train items of a tag; None: 1."""
    max_tags: int | None = None
    """Most tags, the most common ones; None: 10,000."""
    missing: MissingRows = "error"
    """Whether items without a row are an error, get rows of zeros, or lack the setting."""
    tolerate: float | None = None
    """Largest share of the items of each set that may have no row."""
    sparse: bool | None = None
    """Whether to write sparse or dense matrices; None: by the share of zeros."""
    scale: bool = False
    """Whether to scale columns to mean 0 and variance 1 of the train items."""
    force: bool = False
    """Whether to write over another setting of the same name."""
    cluster: str | None = None
    """What reads the source, as ``run_tasks`` takes it; None: this process."""

    @property
    def fields(self) -> dict[str, str]:
        """Fields of the names of its files."""
        return {"setting": self.setting, "dataset": self.dataset}

    def open(self, rows: RowRange | None = None) -> FeatureSource:
        """Open the source; of a divisible one, some of its rows may be enough."""
        if self.ids is not None:
            return open_rows(self.source, self.ids, rows)
        return open_features(self.source, self.selection, rows)

    @property
    def selection(self) -> ColumnSelection:
        """Which columns of a table to read."""
        return ColumnSelection(
            self.id_column, self.without, self.tags, self.tag_separator, self.encoding
        )

    @property
    def tag_choice(self) -> TagChoice | None:
        """Which tags become columns; None if nothing is said of it."""
        return TagChoice.of(self.min_items, self.max_tags)

    @property
    def missing_rows(self) -> MissingRowPolicy:
        """How many items may have no row.

        Raises
        ------
        RequestError
            If ``missing`` and ``tolerate`` contradict each other.
        """
        return MissingRowPolicy.of(self.missing, self.tolerate)

    @property
    def form(self) -> MatrixForm | None:
        """Form of the matrices; None: by the share of zeros."""
        return None if self.sparse is None else ("sparse" if self.sparse else "dense")


def check_parameters(request: FeaturesRequest) -> None:
    """Make sure that the parameters fit the source and each other.

    Raises
    ------
    RequestError
        If they do not.
    """
    check_setting_name(request.setting)
    _ = request.missing_rows  # raises
    for is_wrong, problem, hint in (*_reading_problems(request), *_form_problems(request)):
        if is_wrong:
            msg = f"{request.source.name}: {problem}"
            raise RequestError(msg, hint=hint)


def _reading_problems(request: FeaturesRequest) -> Iterator[tuple[bool, str, str]]:
    """Yield problems of reading such a source: whether it exists, its message, its hint."""
    matrix, has_ids = is_matrix(request.source), request.ids is not None
    names_columns = request.id_column is not None or bool(request.without)
    ids, id_column, without, tags, min_items, max_tags = map(
        parameter, ("ids", "id_column", "without", "tags", "min_items", "max_tags")
    )
    give_ids = f"Name a list of its ids, one a line: {parameter('ids', Placeholder('FILE'))}."
    yield matrix and not has_ids, "a matrix has no ids", give_ids
    yield not matrix and has_ids, f"{ids} is for .npy and .npz", "Leave it out."
    leave_out = f"Leave {id_column} and {without} out."
    yield matrix and names_columns, "a matrix has no named columns", leave_out
    yield matrix and request.tags, "a matrix is not a table of tags", f"Leave {tags} out."
    separates = request.tag_separator is not None
    hint = "Leave it out; or, for a table of tags, give `tags=True`."
    yield separates and not request.tags, f"{parameter('tag_separator')} separates tags", hint
    yield request.tag_separator == "", f"{parameter('tag_separator')} is empty", "Leave it out."
    leave_out = f"Leave {parameter('encoding')} out."
    yield matrix and request.encoding is not None, "a matrix has no encoding", leave_out
    limits_tags = request.tag_choice is not None and not request.tags
    hint = "Leave them out; or, for a table of tags, give `tags=True`."
    yield limits_tags, f"{min_items} and {max_tags} choose among tags", hint


def _form_problems(request: FeaturesRequest) -> Iterator[tuple[bool, str, str]]:
    """Yield problems of writing such matrices, in the same way."""
    tags, scale, form = request.tags, request.scale, request.form
    sparse, dense = "`sparse=True`", "`sparse=False`"
    fills = f"{parameter('scale')} would fill what is sparse"
    yield tags and scale, "tags are weighted, not scaled", f"Leave {parameter('scale')} out."
    yield tags and form == "dense", "tags are written sparse", f"Leave {dense} out."
    leave_out = f"Leave one of the two out: `scale=True` or {sparse}."
    yield scale and form == "sparse", fills, leave_out
    from_sparse = request.source.suffix == ".npz" and form is None
    yield scale and from_sparse, fills, f"Leave it out, or give {dense} too."
