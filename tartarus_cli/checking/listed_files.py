"""Checks of the lists of recordings and of documents, and of the files that they name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from tartarus_cli.checking.irregular import describe_irregular
from tartarus_cli.checking.report import Report
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import read_lines
from tartarus_cli.data.lists import locate_file
from tartarus_cli.errors import count_noun
from tartarus_cli.file_names import DataFile, Kind

MAX_FILES = 100_000
"""Listed files that are looked for at most."""
EXPECTED = "an id, a tab and a path in each line"
"""What a list holds."""


def check_file_lists(
    dataset: Dataset, files: Iterable[DataFile], ids: Mapping[str, Sequence[str]], report: Report
) -> None:
    """Check the lists of recordings and of documents: every line, and every file that is listed.

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
    if not _are_complete(dataset, ids):
        items = {}
    for file in files:
        if file.kind in (Kind.AUDIO_LIST, Kind.TEXT_LIST):
            with report.catch_errors():
                _FileList(dataset, file, report).check(read_lines(file.path), items)


def _are_complete(dataset: Dataset, ids: Mapping[str, Sequence[str]]) -> bool:
    """Whether the ids of every set could be read."""
    others = [f for f in dataset.files.irregular if f.dataset == dataset.name]
    listed = {file.split for file in dataset.select(Kind.ITEMS)}
    return listed == {*ids} and not any(file.kind is Kind.ITEMS for file in others)


@dataclass
class _FileList:
    """One list, while it is being checked."""

    dataset: Dataset
    file: DataFile
    report: Report
    paths: dict[str, str] = field(default_factory=dict)
    """Id → path as the list gives it."""

    @property
    def noun(self) -> str:
        """What it lists."""
        return "recording" if self.file.kind is Kind.AUDIO_LIST else "document"

    @property
    def base(self) -> Path:
        """Folder that its relative paths start in."""
        workspace = self.dataset.workspace
        return workspace.audio if self.file.kind is Kind.AUDIO_LIST else workspace.text

    @property
    def is_used(self) -> bool:
        """Whether the files were read already: patches or texts of the dataset were made."""
        kind = Kind.PATCHES if self.file.kind is Kind.AUDIO_LIST else Kind.VOCABULARY
        return bool(self.dataset.select(kind))

    def check(self, lines: Sequence[str], items: Collection[str]) -> None:
        """Check its lines, then its ids, then the files."""
        if not lines:
            self._error("an empty list", f"List the {self.noun}s, or delete the file.")
            return
        self._check_lines(lines)
        if items and self.paths:
            self._check_ids(items)
        self._check_names()
        self._check_files()

    def _error(self, found: str, hint: str, expected: str = EXPECTED) -> None:
        self.report.error(self.file.path, found, expected=expected, hint=hint)

    def _warn(self, found: str, hint: str, expected: str) -> None:
        self.report.warn(self.file.path, found, expected=expected, hint=hint)

    def _check_lines(self, lines: Sequence[str]) -> None:
        faults: dict[str, list[int]] = {}
        line_of_id: dict[str, int] = {}
        repeated: dict[str, list[int]] = {}
        for number, line in enumerate(lines, 1):
            item, _, name = line.partition("\t")
            fault = _find_fault(line)
            if fault:
                faults.setdefault(fault, []).append(number)
            elif item in line_of_id:
                repeated.setdefault(item, [line_of_id[item]]).append(number)
            else:
                line_of_id[item] = number
                self.paths[item] = name
        for fault, numbers in faults.items():
            found = f"{count_noun(len(numbers), 'line')} {fault} ({_line_numbers(numbers)})"
            pronoun = "it" if len(numbers) == 1 else "them"
            self._error(found, f"Correct {pronoun}: a list with such a line is not read.")
        if repeated:
            examples = [f"{item!r} in lines {_join(places)}" for item, places in repeated.items()]
            found = f"{count_noun(len(repeated), 'id')} more than once ({_few(examples)})"
            self._error(found, "Keep one line for each of them.", f"one {self.noun} for each id")

    def _check_ids(self, items: Collection[str]) -> None:
        unknown = [item for item in self.paths if item not in items]
        unlisted = [item for item in items if item not in self.paths]
        if len(unknown) == len(self.paths):
            found = f"none of its {count_noun(len(unknown), 'id')} is in a set ({_few(unknown)})"
            hint = f"Items of {self.dataset.name} have ids such as {next(iter(items))!r}."
            self._error(found, hint, "ids of items")
        elif unknown:
            found = f"{count_noun(len(unknown), 'id')} of no set ({_few(unknown)})"
            hint = f"Such {self.noun}s are not used; correct the ids if they should be."
            self._warn(found, hint, "ids of items")
        if unlisted and len(unknown) < len(self.paths):
            found = f"{len(unlisted):,} of {len(items):,} items have no line ({_few(unlisted)})"
            hint = f"Add a line for each of them, if there is a {self.noun}."
            self._warn(found, hint, f"a {self.noun} for each item")

    def _check_names(self) -> None:
        """Check the paths as they are written."""
        absolute = [name for name in self.paths.values() if _is_absolute(name)]
        outward = [name for name in self.paths.values() if ".." in PurePosixPath(name).parts]
        by_name: dict[str, list[str]] = {}
        for item, name in self.paths.items():
            by_name.setdefault(name, []).append(item)
        shared = [f"{_few(items)}: {name}" for name, items in by_name.items() if len(items) > 1]
        start = self.report.workspace.relative(self.base)
        expected = f"paths below {start}"
        if absolute:
            found = f"{count_noun(len(absolute), 'absolute path')} ({_few(absolute)})"
            self.report.note(self.file.path, found, expected=expected, hint=_ELSEWHERE)
        if outward:
            found = f"{count_noun(len(outward), 'path')} that leads out of its folder "
            self._warn(f"{found}({_few(outward)})", _ELSEWHERE, expected)
        if shared:
            found = f"{count_noun(len(shared), 'file')} of several items ({_few(shared)})"
            self._warn(found, "Correct the paths, if the items differ.", f"one {self.noun} an item")

    def _check_files(self) -> None:
        absent, unusable = [], []
        names = [*self.paths.values()][:MAX_FILES]
        for name in names:
            found = _look_at(self.base, name)
            if found == "missing":
                absent.append(name)
            elif found:
                unusable.append(f"{name}: {found}")
        if absent:
            start = self.report.workspace.relative(self.base)
            found = f"{len(absent):,} of {count_noun(len(names), 'file')} missing ({_few(absent)})"
            hint = f"Paths start from {start}; correct them, or put the files there."
            if any("\\" in name for name in absent):
                hint += " A backslash \\ separates no folders here: write /."
            nothing = len(absent) == len(names) and not self.is_used
            severity = self.report.error if nothing else self.report.warn
            severity(self.file.path, found, expected="files that are there", hint=hint)
        if unusable:
            found = f"{count_noun(len(unusable), 'path')} to no plain file ({_few(unusable)})"
            self._warn(found, "Correct the paths; such files are left out.", "paths of files")


def _look_at(base: Path, name: str) -> str:
    """Say what is wrong with a file that a list names; empty if it is a plain file."""
    try:
        path = locate_file(base, name)
        return describe_irregular(path) or ("" if path.exists() else "missing")
    except (OSError, ValueError) as problem:
        return str(problem)


_ELSEWHERE = "They are read, but not if the workspace is moved or copied to another computer."


def _find_fault(line: str) -> str:
    """Say what is wrong with a line, after how many there are; empty if nothing is."""
    item, tab, name = line.partition("\t")
    if not line.strip():
        return "without anything"
    if not tab:
        return "without a tab"
    if not item.strip():
        return "without an id"
    if not name.strip():
        return "without a path"
    if "\t" in name:
        return "with more than one tab"
    return "with a NUL byte" if "\0" in line else ""


def _is_absolute(name: str) -> bool:
    return PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute()


def _line_numbers(numbers: Sequence[int]) -> str:
    return f"line{'s' * (len(numbers) > 1)} {_join(numbers)}"


def _join(numbers: Sequence[int], most: int = 5) -> str:
    return ", ".join(map(str, numbers[:most])) + (", …" if len(numbers) > most else "")


def _few(texts: Iterable[str], most: int = 3) -> str:
    names = [*texts]
    short = [name if len(name) <= 80 else f"{name[:80]}…" for name in names[:most]]
    return ", ".join(short) + (", …" if len(names) > most else "")
