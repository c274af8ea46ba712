"""Checks of the lists of ids, users and labels."""

from collections.abc import Mapping
from pathlib import Path

from tartarus_cli.checking.report import Report
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import HEADERS, LABEL_HEADERS, find_header, find_id_problems
from tartarus_cli.file_names import DataFile, Kind


def check_lists(dataset: Dataset, files: list[DataFile], report: Report) -> dict[Path, list[str]]:
    """Check every list of items, users and labels; return the lines of those that can be read."""
    lists = {}
    for file in files:
        if file.kind in (Kind.ITEMS, Kind.USERS, Kind.LABELS):
            with report.catch_errors():
                lists[file.path] = dataset.lines(file.path)
                _check_header(file, lists[file.path], report)
                for problem in find_id_problems(file.path, lists[file.path]):
                    severity = report.warn if file.kind is Kind.LABELS else report.error
                    severity(file.path, problem.found, expected=problem.expected, hint=problem.hint)
    return lists


def _check_header(file: DataFile, lines: list[str], report: Report) -> None:
    """Warn of a first line that looks like a header."""
    header = find_header(lines, LABEL_HEADERS if file.kind is Kind.LABELS else HEADERS)
    if header is not None:
        report.warn(
            file.path,
            f"{header!r} in line 1, which looks like a header",
            expected="one name a line, and no header" if file.kind is Kind.LABELS else "ids alone",
            hint="If it is one, delete that line.",
        )


def check_overlap(sets: Mapping[str, tuple[Path, list[str]]], report: Report) -> None:
    """Check that no item is in two sets: it would leak from one into the other.

    Parameters
    ----------
    sets
        Split → its list of ids, and the ids.
    report
        Receives an error for each pair of sets that share items.
    """
    names = list(sets)
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            first_ids, (path, second_ids) = sets[first][1], sets[second]
            shared = sorted({*first_ids} & {*second_ids} - {""})
            if shared:
                report.error(
                    path,
                    f"{len(shared):,} ids that are in {first} too ({', '.join(shared[:3])}"
                    f"{', …' if len(shared) > 3 else ''})",
                    expected="each item in one set only",
                    hint="Split the items again; otherwise the metrics are too high.",
                )
