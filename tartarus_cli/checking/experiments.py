"""Checks of the user's own experiments: every file in ``experiments/``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from tartarus_cli.baselines.blend import BlendOptions
from tartarus_cli.checking.irregular import describe_irregular
from tartarus_cli.checking.report import Report
from tartarus_cli.checking.toml_lines import at_line
from tartarus_cli.errors import TartarusError, call, display_path, nearest
from tartarus_cli.experiments.code import CodeNotRunError
from tartarus_cli.experiments.resolve import (
    ExperimentFault,
    InvalidExperimentError,
    preset_paths,
    resolve,
    user_paths,
)
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.files import parse_toml, read_text
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import Progress

WRONG_ENDINGS = (".toml.txt", ".tml", ".tom", ".yaml", ".yml", ".json", ".ini", ".cfg")
"""Endings of files that were probably meant as experiments."""
EXPECTED = "an experiment that can be run"


def check_experiments(
    workspace: WorkspacePaths, datasets: Collection[str], report: Report, progress: Progress
) -> list[Experiment]:
    """Check every experiment of a workspace, and return those with networks that can be read.

    A broken one does not keep the others from being checked. A check runs no code: experiments that
    name code which was not run are left out, and reported.

    Parameters
    ----------
    workspace
        The workspace.
    datasets
        Names of its datasets.
    report
        Receives every problem of a file.
    progress
        Receives a message for each experiment whose code was not run.

    Returns
    -------
    Presets and the workspace's own, without what is fitted in closed form.
    """
    folder = workspace.experiments
    experiments = [resolve(name) for name in preset_paths()]
    for name, path in user_paths(folder).items():
        found = describe_irregular(path)
        if found:
            hint = "Move it away: an experiment is a text file."
            report.error(path, found, expected="an experiment, in TOML", hint=hint)
            continue
        try:
            experiment = resolve(name, folder=folder)
        except CodeNotRunError as problem:
            progress.say(f"{problem}; it is not looked at")
        except TartarusError as problem:
            _report_faults(path, problem, report)
        else:
            experiments.append(experiment)
            _check_dataset(path, experiment, datasets, report)
    _check_endings(folder, report)
    return [each for each in experiments if each.baseline is None or _blends(each)]


def _blends(experiment: Experiment) -> bool:
    """Whether an experiment blends others, which it names."""
    network = experiment.network
    return isinstance(network, BlendOptions) and bool(network.names)


def _report_faults(path: Path, problem: TartarusError, report: Report) -> None:
    """Report all that is wrong with an experiment, each with its line."""
    text = _text_of(path)
    if not text.strip():
        hint = f'Delete it, or write a line such as extends = "rec_multi". {_SEE}'
        report.error(path, "an empty file", expected=EXPECTED, hint=hint)
        return
    if isinstance(problem, InvalidExperimentError):
        for fault in problem.faults:
            found, expected = _split_message(fault)
            line = at_line(text, fault.key)
            report.error(path, f"{line}{found}", expected=expected, hint=fault.hint)
        return
    message = str(problem).removeprefix(display_path(path)).lstrip(": ").removeprefix("is ")
    line = at_line(text, "extends") if message.startswith("extends") else _at_name(text, message)
    report.error(path, f"{line}{message}", expected=EXPECTED, hint=problem.hint)


def _at_name(text: str, message: str) -> str:
    r"""Say in which line the name stands that a message quotes; empty if in none.

    >>> _at_name('a = 1\nb = "x"', "there is no network called 'x'")
    'line 2: '
    """
    match = re.search("'([^']+)'", message)
    lines = enumerate(text.split("\n"), 1) if match else ()
    numbers = [n for n, line in lines if match and re.search(_quoted(match[1]), line)]
    return f"line {numbers[0]}: " if numbers else ""


def _quoted(name: str) -> str:
    return f"[\"']{re.escape(name)}[\"']"


_SEE = f"To see what an experiment may say: {call('show_experiment', 'rec_multi')}"


def _text_of(path: Path) -> str:
    try:
        return read_text(path)
    except (TartarusError, OSError):
        return ""


def _split_message(fault: ExperimentFault) -> tuple[str, str]:
    """Return what was found and what is expected.

    >>> _split_message(ExperimentFault("a.b", "a.b: Input should be a number, not 'x'", ""))
    ("a.b = 'x'", 'a number')
    >>> _split_message(ExperimentFault("a", "there is no parameter a", ""))
    ('there is no parameter a', 'an experiment that can be run')
    """
    match = re.fullmatch(r"(\S+): Input should be (.+), not (.+)", fault.message, re.DOTALL)
    if match is None:
        return fault.message, EXPECTED
    value = match[3] if len(match[3]) <= 60 else f"{match[3][:60]}…"
    return f"{match[1]} = {value}", match[2]


def _check_dataset(
    path: Path, experiment: Experiment, datasets: Collection[str], report: Report
) -> None:
    """Warn of a dataset that an experiment names itself, and that is not there."""
    name, text = experiment.dataset.name, _text_of(path)
    own = parse_toml(text).get("dataset", {})
    if "name" in own and datasets and name not in datasets:
        report.warn(
            path,
            f"{at_line(text, 'dataset.name')}dataset.name = {name!r}, and there is no such dataset",
            expected="the name of a dataset of this workspace",
            hint=f"{nearest(name, datasets)} Without the line, it is that of what it extends.",
        )


def _check_endings(folder: Path, report: Report) -> None:
    """Warn of files that were probably meant as experiments, and are not read."""
    for path in _visible(folder):
        lower = path.name.lower()
        meant = lower.endswith(WRONG_ENDINGS) or (
            lower.endswith(".toml") and path.suffix != ".toml"
        )
        if meant:
            report.warn(
                path,
                "an ending that no experiment has",
                expected="a name that ends in .toml",
                hint="Rename it. It is not read.",
            )


def _visible(folder: Path) -> Iterable[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if not path.name.startswith("."))
