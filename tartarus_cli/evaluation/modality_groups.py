"""Test items by which settings they have, of those that a model reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.items import InputSource, PatchSource, open_items
from tartarus_cli.errors import Placeholder, RequestError, call
from tartarus_cli.evaluation.slice_groups import Grouping, group_items
from tartarus_cli.evaluation.stored_ranks import StoredRanks
from tartarus_cli.experiments.inputs import input_sources
from tartarus_cli.file_names import Kind
from tartarus_cli.models.store import Model

BASIS = "which settings they have"


def sources_of(model: Model | None, dataset: Dataset) -> tuple[InputSource, ...]:
    """Return the settings, and patches, that a model and its parts read.

    Of a model that reads none, and of predictions that were made elsewhere, they are the settings
    that some test items lack.
    """
    sources: list[InputSource] = []
    for each in (model, *(part for part, _ in model.parts)) if model else ():
        sources += input_sources(each.experiment, each.manifest.settings)
    if not sources:
        masks = dataset.select(Kind.MASK, split="test")
        sources += sorted(file.fields["setting"] for file in masks)
    return tuple(dict.fromkeys(sources))


def require_sources(dataset: Dataset, sources: Sequence[InputSource]) -> None:
    """Make sure that there is a setting that items have or lack.

    Raises
    ------
    RequestError
        If there is none.
    """
    if not sources:
        msg = f"`by`: no test item of {dataset.name} lacks a setting"
        example = call(
            "features",
            dataset.name,
            Placeholder("SETTING"),
            source=Placeholder("FILE"),
            missing="absent",
        )
        raise RequestError(msg, hint=f"Settings that items lack are imported so: {example}")


def modality_of_items(
    dataset: Dataset, sources: Sequence[InputSource]
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of groups of test items, and the number of each item's group.

    Parameters
    ----------
    dataset
        The dataset.
    sources
        Settings and patches; an item without a patch lacks its recording.

    Returns
    -------
    The names, of the items that have most first; and ``(test items,)``.

    Raises
    ------
    RequestError
        If there are no sources.
    DataError
        If a file is missing or damaged.
    """
    require_sources(dataset, sources)
    names = [_name(source) for source in sources]
    has = np.column_stack([_present(dataset, source) for source in sources])
    kinds, kind = np.unique(~has, axis=0, return_inverse=True)  # the first setting counts first
    order = np.argsort(kinds.sum(axis=1), kind="stable")
    labels = [_label(names, ~kinds[number]) for number in order]
    return labels, np.argsort(order)[kind.ravel()]


def _present(dataset: Dataset, source: InputSource) -> NDArray[np.bool_]:
    """Return which test items have a setting, or a patch, ``(items,)``."""
    items = open_items(dataset, [source], "test")
    if isinstance(source, PatchSource):
        return np.isin(np.arange(len(items.ids)), items.items)
    present = dataset.features(source, "test").present
    return np.ones(len(items.ids), bool) if present is None else present


def _name(source: InputSource) -> str:
    return f"patches of {source.length}" if isinstance(source, PatchSource) else source


def _label(names: Sequence[str], has: NDArray[np.bool_]) -> str:
    """Name a group of items.

    >>> _label(["text", "audio"], np.array([False, True]))
    'only audio'
    """
    present = [name for name, one in zip(names, has, strict=True) if one]
    lacking = [name for name, one in zip(names, has, strict=True) if not one]
    if not lacking:
        return " and ".join(names) if len(names) < 3 else f"all {len(names)} settings"
    if len(present) < 2:
        return f"only {present[0]}" if present else "none"
    return f"without {lacking[0]}" if len(lacking) == 1 else f"only {' and '.join(present)}"


def group_by_modality(
    dataset: Dataset, ranks: StoredRanks, sources: Sequence[InputSource]
) -> Grouping:
    """Cut the test items: those that have all settings, only one, all but one, none.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    labels, groups = modality_of_items(dataset, sources)
    return group_items(ranks, BASIS, labels, groups)
