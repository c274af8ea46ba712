"""Checks of the list of artists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tartarus_cli.checking.report import Report
from tartarus_cli.data.artists import EXPECTED, find_fault
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.unicode_forms import UnicodeForms
from tartarus_cli.errors import count_noun
from tartarus_cli.file_names import DataFile, Kind


def check_artists(
    dataset: Dataset, files: Iterable[DataFile], ids: Mapping[str, Sequence[str]], report: Report
) -> None:
    """Check the list of artists: every line, and whether it is of the dataset's items.

    Parameters
    ----------
    dataset
        The dataset.
    files
        Its files; those that are no such lists are passed over.
    ids
        Split → ids of its items, as far as they are known.
    report
        Receives one problem for each kind of fault, with how many lines have it.
    """
    items = dict.fromkeys(item for listed in ids.values() for item in listed)
    complete = {file.split for file in dataset.select(Kind.ITEMS)} == {*ids}
    for file in files:
        if file.kind is Kind.ARTISTS:
            with report.catch_errors():
                listed = _check_lines(file, dataset.lines(file.path), report)
                if listed and items and complete:
                    _check_items(file, listed, [*items], report)


def _check_lines(file: DataFile, lines: Sequence[str], report: Report) -> list[str]:
    """Check each line; return the ids of the items that are listed."""
    if not lines:
        hint = "List the artists of the items, or delete the file."
        report.error(file.path, "an empty list", expected=EXPECTED, hint=hint)
    faults: dict[str, list[int]] = {}
    line_of_item: dict[str, int] = {}
    repeated: dict[str, list[int]] = {}
    for number, line in enumerate(lines, 1):
        item, fault = line.partition("\t")[0], find_fault(line)
        if fault:
            faults.setdefault(fault, []).append(number)
        elif item in line_of_item:
            repeated.setdefault(item, [line_of_item[item]]).append(number)
        else:
            line_of_item[item] = number
    for fault, numbers in faults.items():
        found = f"{count_noun(len(numbers), 'line')} {fault} ({_places(numbers)})"
        hint = "Correct them: a list with such a line is not read."
        report.error(file.path, found, expected=EXPECTED, hint=hint)
    if repeated:
        examples = [f"{item!r} in {_places(numbers)}" for item, numbers in repeated.items()]
        found = f"{count_noun(len(repeated), 'item')} more than once ({_few(examples)})"
        hint = "Keep one line for each of them: a list with two is not read."
        report.error(file.path, found, expected="one artist for each item", hint=hint)
    return [*line_of_item]


def _check_items(
    file: DataFile, listed: Sequence[str], items: Sequence[str], report: Report
) -> None:
    known, forms = {*items}, UnicodeForms(items)
    found_items = {forms.find(item) for item in listed}
    unknown = [item for item in listed if forms.find(item) not in known]
    without = [item for item in items if item not in found_items]
    if len(unknown) == len(listed):
        found = f"none of its {count_noun(len(listed), 'id')} is in a set ({_few_ids(unknown)})"
        hint = f"Items of {file.dataset} have ids such as {items[0]!r}."
        report.error(file.path, found, expected="ids of items", hint=hint)
        return
    if unknown:
        found = f"{count_noun(len(unknown), 'id')} of no set ({_few_ids(unknown)})"
        hint = "Such lines are not used; correct the ids if they should be."
        report.warn(file.path, found, expected="ids of items", hint=hint)
    if without:
        found = f"{len(without):,} of {len(items):,} items have no artist ({_few_ids(without)})"
        hint = "Add a line for each of them, if its artist is known."
        report.warn(file.path, found, expected="an artist for each item", hint=hint)


def _places(numbers: Sequence[int], most: int = 5) -> str:
    places = ", ".join(map(str, numbers[:most])) + (", …" if len(numbers) > most else "")
    return f"line{'s' * (len(numbers) > 1)} {places}"


def _few_ids(ids: Sequence[str]) -> str:
    return _few([repr(item if len(item) <= 80 else f"{item[:80]}…") for item in ids[:4]])


def _few(texts: Sequence[str], most: int = 3) -> str:
    return ", ".join(texts[:most]) + (", …" if len(texts) > most else "")
