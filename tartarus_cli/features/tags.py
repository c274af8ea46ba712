"""Imported tags, as tf-idf aligned with the items of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, save_npz

from tartarus_cli.data.several_names import find_joined
from tartarus_cli.data.tables.times import kind_of_times
from tartarus_cli.errors import DataError, FileError, count_noun, display_path, parameter
from tartarus_cli.features.alignment import (
    ItemAlignment,
    Numbers,
    Paths,
    PreparedFeatures,
    SourceReader,
)
from tartarus_cli.features.tables import FeatureBlock
from tartarus_cli.text.tags import TagWeights, choose_tags, fit_tags


@dataclass(frozen=True)
class TagChoice:
    """Which tags become columns."""

    min_items: int = 1
    """Fewest train items of a tag."""
    max_tags: int = 10_000
    """Most tags; the most common ones are taken."""

    @classmethod
    def of(cls, min_items: int | None, max_tags: int | None) -> TagChoice | None:
        """Return the choice that these parameters ask for; None if both are None."""
        values = {"min_items": min_items, "max_tags": max_tags}
        requested = {name: value for name, value in values.items() if value is not None}
        return cls(**requested) if requested else None


@dataclass
class _TagCounts:
    """How often each item of a set has each tag; the weights of equal pairs are added."""

    items: list[Numbers] = field(default_factory=list)
    tags: list[Numbers] = field(default_factory=list)
    weights: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, items: Numbers, tags: Numbers, weights: NDArray[np.float64]) -> None:
        counts = (tags >= 0) & (weights > 0)
        self.items.append(items[counts])
        self.tags.append(tags[counts])
        self.weights.append(weights[counts])

    def matrix(self, items: int, tags: int) -> csr_array:
        empty = np.empty(0, np.int64)
        rows, columns = np.concatenate([*self.items, empty]), np.concatenate([*self.tags, empty])
        weights = np.concatenate([*self.weights, np.empty(0)])
        # The rounding of a sum depends on the order of what is added.
        order = np.lexsort((weights, rows, columns))
        positions = rows[order], columns[order]
        return csr_array(coo_array((weights[order], positions), shape=(items, tags)))


@dataclass(frozen=True)
class TagSurvey:
    """Items and train tags of a table of tags, from one reading."""

    reader: SourceReader
    alignment: ItemAlignment
    tags: list[str]
    """Tags of train items, in the order of the table."""
    train: csr_array
    """Sum of the weights of each tag, ``(train items, tags)``."""


def survey_tags(reader: SourceReader, alignment: ItemAlignment) -> TagSurvey:
    """Read a table of tags once, for its items and the tags of its train items.

    Raises
    ------
    FileError
        If it is damaged, or a weight is negative.
    """
    numbers: dict[str, int] = {}
    counts = _TagCounts()
    for block in reader.blocks():
        alignment.record(block)
        rows, items = alignment.locate(block, "train")
        weights = _weights(reader, block)[rows]
        tags = (numbers.setdefault(block.tags[row], len(numbers)) for row in rows)
        counts.add(items, np.fromiter(tags, np.int64, len(rows)), weights)
    train = counts.matrix(len(alignment.sets["train"]), len(numbers))
    return TagSurvey(reader, alignment, [*numbers], train)


def _weights(reader: SourceReader, block: FeatureBlock) -> NDArray[np.float64]:
    if not block.values.shape[1]:
        return np.ones(len(block.ids))
    weights = np.asarray(block.values[:, 0], np.float64)
    if (weights < 0).any():
        row = int((weights < 0).argmax())
        raise FileError(
            reader.source.path,
            found=f"a weight of {weights[row]:g} in {reader.source.noun} {block.lines[row]}",
            expected="0 or more",
            hint="Correct it, or read such numbers as columns, without `tags=True`.",
        )
    return weights


def prepare_tags(survey: TagSurvey, choice: TagChoice) -> PreparedFeatures:
    """Choose the tags and weigh them, by the train items alone; nothing is written yet.

    Raises
    ------
    DataError
        If no tag is left.
    """
    limits = {"min_items": choice.min_items, "max_tags": choice.max_tags}
    chosen = choose_tags(survey.train, survey.tags, **limits)
    if not len(chosen):
        path = display_path(survey.reader.source.path)
        tags = count_noun(len(survey.tags), "tag")
        msg = (
            f"{path}: of its {tags} of train items, none is given to {choice.min_items:,} of these"
        )
        raise DataError(msg, hint=f"Allow rarer ones: {parameter('min_items', 1)}.")
    train = csr_array(survey.train[:, chosen])
    weights = fit_tags(train[survey.alignment.has_row["train"]], [survey.tags[n] for n in chosen])

    def write(paths: Paths) -> list[str]:
        return [*_suspicions(survey), *_write(survey, weights, train, paths)]

    columns = survey.reader.source.columns
    fields = {
        "kind": "tags",
        "columns": columns and {"id": columns.id, "tag": columns.tag, "weight": columns.numbers},
        "train_items": int(survey.alignment.has_row["train"].sum()),
        "tags": weights.tags,
        "idf": weights.idf,
    }
    remarks = _remarks(survey, len(chosen), choice)
    return PreparedFeatures("sparse", len(chosen), write, fields, remarks)


def _suspicions(survey: TagSurvey) -> Iterator[str]:
    """Yield what is suspicious about the tags."""
    path = display_path(survey.reader.source.path)
    joined = find_joined(survey.tags)
    if joined is not None:
        yield f"{path}: {joined.describe('tags', 'tag_separator')}"
    columns, weights = survey.reader.source.columns, survey.train.data
    kind = kind_of_times(weights) if columns and columns.numbers and weights.size else None
    if kind is not None and columns is not None:
        name = columns.numbers[0]
        yield (
            f"{path}: the weights of tags in column {name!r} look like {kind}; if they are, leave "
            f"the column out: {parameter('without', [name])}"
        )
    items = np.bincount(survey.train.indices, minlength=len(survey.tags))
    if len(survey.tags) > 1 and items.max(initial=0) <= 1:
        yield (
            f"{path}: no two train items share a tag, of {len(survey.tags):,} tags such as "
            f"{survey.tags[0]!r}; nothing can be learnt from such tags: is it the right column?"
        )


def _remarks(survey: TagSurvey, chosen: int, choice: TagChoice) -> list[str]:
    excluded = len(survey.tags) - chosen
    if not excluded:
        return []
    limits = [parameter(name, getattr(choice, name)) for name in ("min_items", "max_tags")]
    counted = f"{excluded:,} of the {len(survey.tags):,} tags of train items"
    return [f"{counted} left out ({', '.join(limits)})"]


def _write(survey: TagSurvey, idf: TagWeights, train: csr_array, paths: Paths) -> list[str]:
    """Write all sets; return a warning if there are items without any of the chosen tags."""
    alignment, width = survey.alignment, len(idf.tags)
    numbers = {tag: number for number, tag in enumerate(idf.tags)}
    others = {split: _TagCounts() for split in paths if split != "train"}
    for block in survey.reader.blocks():
        weights = _weights(survey.reader, block)
        for split, counts in others.items():
            rows, items = alignment.locate(block, split)
            tags = (numbers.get(block.tags[row], -1) for row in rows)
            counts.add(items, np.fromiter(tags, np.int64, len(rows)), weights[rows])
    sets = {
        split: counts.matrix(len(alignment.sets[split]), width) for split, counts in others.items()
    }
    untagged: dict[str, int] = {}
    for split, rows in ({"train": train} | sets).items():
        save_npz(paths[split], idf.transform(rows))
        untagged[split] = int((alignment.has_row[split] & (np.diff(rows.indptr) == 0)).sum())
    return _untagged_warnings(untagged)


def _untagged_warnings(untagged: dict[str, int]) -> list[str]:
    items = " and ".join(count_noun(n, f"{split} item") for split, n in untagged.items() if n)
    if not items:
        return []
    have, rows = ("has", "a row") if sum(untagged.values()) == 1 else ("have", "rows")
    return [f"{items} {have} no tag that is a column: {rows} of zeros"]
