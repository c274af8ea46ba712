"""Tags of one's own, as tf-idf aligned with the items of a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, save_npz

from tartarus_cli.errors import DataError, FileError, count_noun, display_path
from tartarus_cli.features.alignment import ItemAlignment, Numbers, Paths, PreparedFeatures, Reader
from tartarus_cli.features.tables import FeatureBlock
from tartarus_cli.text.tags import TagWeights, choose_tags, fit_tags


@dataclass(frozen=True)
class TagChoice:
    """Which tags become columns."""

    fewest: int = 1  # train items that a tag has to have
    most: int = 10_000  # tags

    @classmethod
    def of(cls, fewest: int | None, most: int | None) -> TagChoice | None:
        """Return what was said; None: nothing was."""
        said = {"fewest": fewest, "most": most}
        given = {name: value for name, value in said.items() if value is not None}
        return cls(**given) if given else None


@dataclass
class _Counts:
    """How often the items of a set were given each tag; equal pairs are added up."""

    items: list[Numbers] = field(default_factory=list)
    tags: list[Numbers] = field(default_factory=list)
    weights: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, items: Numbers, tags: Numbers, weights: NDArray[np.float64]) -> None:
        kept = (tags >= 0) & (weights > 0)
        self.items.append(items[kept])
        self.tags.append(tags[kept])
        self.weights.append(weights[kept])

    def matrix(self, items: int, tags: int) -> csr_array:
        start = np.empty(0, np.int64)
        places = (np.concatenate([*self.items, start]), np.concatenate([*self.tags, start]))
        weights = np.concatenate([*self.weights, np.empty(0)])
        order = np.lexsort((weights, *places))  # sums depend on the order of what is added
        ordered = tuple(each[order] for each in places)
        return csr_array(coo_array((weights[order], ordered), shape=(items, tags)))


@dataclass(frozen=True)
class TagSurvey:
    """What one reading of a table of tags tells."""

    reader: Reader
    roll: ItemAlignment
    tags: list[str]  # that train items have, in the order of the table
    train: csr_array  # (train items, tags) how often each was given


def survey_tags(reader: Reader, roll: ItemAlignment) -> TagSurvey:
    """Read a table once, to know its items, and the tags of its train items.

    Raises
    ------
    FileError
        If it is damaged, or a weight is negative.
    """
    numbers: dict[str, int] = {}
    counts = _Counts()
    for block in reader.blocks():
        roll.call(block)
        rows, items = roll.locate(block, "train")
        weights = _weights(reader, block)[rows]
        tags = (numbers.setdefault(block.tags[row], len(numbers)) for row in rows)
        counts.add(items, np.fromiter(tags, np.int64, len(rows)), weights)
    return TagSurvey(reader, roll, [*numbers], counts.matrix(len(roll.sets["train"]), len(numbers)))


def _weights(reader: Reader, block: FeatureBlock) -> NDArray[np.float64]:
    if not block.values.shape[1]:
        return np.ones(len(block.ids))
    weights = np.asarray(block.values[:, 0], np.float64)
    if (weights < 0).any():
        row = int((weights < 0).argmax())
        raise FileError(
            reader.table.path,
            found=f"a weight of {weights[row]:g} in {reader.table.noun} {block.lines[row]}",
            expected="0 or more",
            hint="Correct it, or read such numbers as columns, without --tags.",
        )
    return weights


def prepare_tags(survey: TagSurvey, choice: TagChoice) -> PreparedFeatures:
    """Choose the tags and weigh them, by the train items alone; nothing is written yet.

    Raises
    ------
    DataError
        If no tag is left.
    """
    chosen = choose_tags(survey.train, survey.tags, min_items=choice.fewest, max_tags=choice.most)
    if not len(chosen):
        path = display_path(survey.reader.table.path)
        tags = count_noun(len(survey.tags), "tag")
        msg = f"{path}: of its {tags} of train items, none is given to {choice.fewest:,} of these"
        raise DataError(msg, hint="Allow rarer ones: --min-items 1.")
    train = csr_array(survey.train[:, chosen])
    weighed = fit_tags(train[survey.roll.found["train"]], [survey.tags[n] for n in chosen])

    def write(paths: Paths) -> list[str]:
        return _write(survey, weighed, train, paths)

    columns = survey.reader.table.columns
    origin = {
        "kind": "tags",
        "columns": columns and {"id": columns.id, "tag": columns.tag, "weight": columns.numbers},
        "train_items": int(survey.roll.found["train"].sum()),
        "tags": weighed.tags,
        "idf": weighed.idf,
    }
    return PreparedFeatures(
        "sparse", len(chosen), write, origin, _remarks(survey, len(chosen), choice)
    )


def _remarks(survey: TagSurvey, kept: int, choice: TagChoice) -> list[str]:
    left = len(survey.tags) - kept
    limits = f"--min-items {choice.fewest}, --max-tags {choice.most}"
    return [f"{left:,} of the {len(survey.tags):,} tags of train items left out ({limits})"] * (
        left > 0
    )


def _write(survey: TagSurvey, weighed: TagWeights, train: csr_array, paths: Paths) -> list[str]:
    """Write all sets; say which items have no tag that is a column."""
    roll, width = survey.roll, len(weighed.tags)
    numbers = {tag: n for n, tag in enumerate(weighed.tags)}
    others = {split: _Counts() for split in paths if split != "train"}
    for block in survey.reader.blocks():
        weights = _weights(survey.reader, block)
        for split, counts in others.items():
            rows, items = roll.locate(block, split)
            tags = (numbers.get(block.tags[row], -1) for row in rows)
            counts.add(items, np.fromiter(tags, np.int64, len(rows)), weights[rows])
    sets = {s: counts.matrix(len(roll.sets[s]), width) for s, counts in others.items()}
    empty: dict[str, int] = {}
    for split, rows in ({"train": train} | sets).items():
        save_npz(paths[split], weighed.transform(rows))
        empty[split] = int((roll.found[split] & (np.diff(rows.indptr) == 0)).sum())
    return _told_empty(empty)


def _told_empty(empty: dict[str, int]) -> list[str]:
    told = " and ".join(count_noun(n, f"{split} item") for split, n in empty.items() if n)
    alone = sum(empty.values()) == 1
    have, rows = ("has", "a row") if alone else ("have", "rows")
    return [f"{told} {have} no tag that is a column: {rows} of zeros"] * bool(told)
