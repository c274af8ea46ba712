"""Checks of the workspace's own settings, ``tartarus.toml``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tartarus_cli.checking.irregular import describe_irregular
from tartarus_cli.checking.report import Report
from tartarus_cli.checking.toml_lines import at_line
from tartarus_cli.errors import FileError, nearest
from tartarus_cli.files import TomlError, parse_toml, read_text
from tartarus_cli.layout import MARK, WorkspacePaths

MAX_BYTES = 1 << 20
"""Size of the largest file of settings that is read."""
MAX_SEED = (1 << 63) - 1
"""The largest integer that TOML has to hold."""
KEYS = ("dataset", "seed")
"""What the settings of a workspace may be."""
EXPECTED = 'dataset = "NAME", seed = NUMBER, or comments'
"""What the file may hold."""


def check_defaults(workspace: WorkspacePaths, datasets: Collection[str], report: Report) -> None:
    """Check ``tartarus.toml``, which every command reads; there may be none.

    Parameters
    ----------
    workspace
        The workspace.
    datasets
        Names of its datasets: the default one has to be one of them.
    report
        Receives every problem.
    """
    path = workspace.root / MARK
    found = describe_irregular(path)
    if found:
        report.error(
            path, found, expected=f"a text file: {EXPECTED}", hint=f"Move it away. {_REMEDY}"
        )
    if found or not path.exists():
        return
    with report.catch_errors():
        text = _read(path)
        if not text.strip():
            report.note(path, "an empty file", expected=EXPECTED, hint=_REMEDY)
        _Defaults(path, text, datasets, report).check(_parse(path, text))


_REMEDY = "A file without a line will do: it marks the folder as a workspace."


def _read(path: Path) -> str:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise FileError(path, found=f"{size:,} bytes", expected=EXPECTED, hint=_REMEDY)
    text = read_text(path)
    if "\0" in text:
        hint = "Save it as UTF-8 in an editor."
        raise FileError(path, found="NUL bytes", expected="text in UTF-8", hint=hint)
    return text


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except TomlError as problem:
        raise FileError(
            path, found=f"not TOML: {problem}", expected=EXPECTED, hint="Correct that line."
        ) from None


@dataclass(frozen=True)
class _Defaults:
    """The settings of a workspace, as far as their file could be read."""

    path: Path
    text: str
    datasets: Collection[str]
    report: Report

    def check(self, table: Mapping[str, Any]) -> None:
        """Check every key."""
        for key, value in table.items():
            if key == "dataset":
                self._check_dataset(value)
            elif key == "seed":
                self._check_seed("seed", value)
            elif key == "example":
                self._check_example(value)
            else:
                self._refuse_key(key, value)

    def _error(self, key: str, found: str, expected: str, hint: str) -> None:
        line = at_line(self.text, key)
        self.report.error(self.path, f"{line}{found}", expected=expected, hint=hint)

    def _check_dataset(self, value: object) -> None:
        known = nearest(value, self.datasets) if isinstance(value, str) else ""
        if not isinstance(value, str) or not value:
            found = _write_setting("dataset", value)
            hint = f"{nearest('', self.datasets)} Without the line, experiments name their own."
            self._error("dataset", found, 'the name of a dataset, such as dataset = "mine"', hint)
        elif value not in self.datasets:
            found = f"{_write_setting('dataset', value)}, and there is no such dataset"
            self._error("dataset", found, "the name of a dataset of this workspace", known)

    def _check_seed(self, key: str, value: object) -> None:
        if type(value) is not int or not 0 <= value <= MAX_SEED:
            hint = "Correct that line, or delete it: the seed is 0 then."
            expected = "a whole number from 0 and below 2^63, such as seed = 0"
            self._error(key, _write_setting(key, value), expected, hint)

    def _check_example(self, value: object) -> None:
        if not isinstance(value, dict):
            hint = "Delete that line."
            self._error("example", _write_setting("example", value), "a section, [example]", hint)
            return
        for key, inner in value.items():
            if key == "seed":
                self._check_seed("example.seed", inner)
            else:
                hint = "Move it above that section." if key in KEYS else "Delete that line."
                found = f"{key} stands below [example], where it means nothing"
                self._error(f"example.{key}", found, "the seed of the example, and no other", hint)

    def _refuse_key(self, key: str, value: object) -> None:
        inside = [name for name in KEYS if isinstance(value, dict) and name in value]
        if inside:
            found = f"{' and '.join(inside)} below [{key}], where it means nothing"
            hint = f"Move it above the first section, and delete [{key}]."
        else:
            found = f"there is no setting {key!r}"
            hint = nearest(key, KEYS)
        self._error(key, found, EXPECTED, hint)


def _write_setting(key: str, value: object) -> str:
    """Write a setting shortly, as it stands in the file or nearly so."""
    text = "true" if value is True else "false" if value is False else repr(value)
    return f"{key} = {text if len(text) <= 60 else f'{text[:60]}…'}"
