"""Checks of the lists of ids, users and labels."""

from collections.abc import Mapping
from pathlib import Path

from tartarus_cli.checking.report import Report
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import find_id_problems
from tartarus_cli.file_names import DataFile, Kind


def check_lists(dataset: Dataset, files: list[DataFile], report: Report) -> dict[Path, list[str]]:
    """Check every list of items, users and labels; return the lines of those that can be read."""
    lists = {}
    for file in files:
        if file.kind in (Kind.ITEMS, Kind.USERS, Kind.LABELS):
            with report.catching():
                lists[file.path] = dataset.lines(file.path)
                for problem in find_id_problems(file.path, lists[file.path]):
                    severity = report.warn if file.kind is Kind.LABELS else report.error
                    severity(file.path, problem.found, expected=problem.expected, hint=problem.hint)
    return lists


def check_overlap(sets: Mapping[str, tuple[Path, list[str]]], report: Report) -> None:
    """Check that no item is in two sets: it would leak from one into the other."""
    names = list(sets)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            first, (path, second) = sets[one][1], sets[other]
            both = sorted({*first} & {*second} - {""})
            if both:
                report.error(
                    path,
                    f"{len(both):,} ids that are in {one} too ({', '.join(both[:3])}"
                    f"{', …' if len(both) > 3 else ''})",
                    expected="each item in one set only",
                    hint="Split the items again; otherwise the figures are too good.",
                )
