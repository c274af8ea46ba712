"""Errors that Tartarus explains to the user; anything else is a bug and keeps its traceback."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class TartarusError(Exception):
    """A problem the user can fix: what is wrong, and what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class DataError(TartarusError):
    """A file of the workspace is missing, damaged, or disagrees with another one."""


class FileError(DataError):
    """One file is not what it should be: the file, what was found in it, what was expected."""

    def __init__(self, path: Path, *, found: str, expected: str, hint: str) -> None:
        super().__init__(f"{display_path(path)}: {found}; expected {expected}", hint=hint)
        self.path, self.found, self.expected = path, found, expected


class TrainingError(TartarusError):
    """A training could not go on."""


class RequestError(TartarusError):
    """The command asked for something that does not exist."""

    exit_code = 2


def system_error(problem: OSError) -> TartarusError:
    """Explain what the operating system refused: a permission, or room on the disk."""
    where = f"{display_path(Path(problem.filename))}: " if isinstance(problem.filename, str) else ""
    hint = "Look at the permissions of the workspace, and at the room on the disk."
    return TartarusError(f"{where}{problem.strerror or problem}", hint=hint)


def display_path(path: Path) -> str:
    """Write a path the way the user sees it: relative to where they stand, if it is below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def count_noun(number: int, noun: str, others: str = "") -> str:
    """Write a number of things; ``others`` is what several are called, if not with an s.

    >>> count_noun(1, "item"), count_noun(1200, "item"), count_noun(0, "item")
    ('1 item', '1,200 items', '0 items')
    >>> count_noun(2, "row is", "rows are")
    '2 rows are'
    """
    return f"{number:,} {noun if number == 1 else others or noun + 's'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which of the ``known`` names comes closest to ``name``, or which names there are.

    >>> nearest("MAPP", ["MAP", "nDCG"])
    'Did you mean MAP?'
    >>> nearest("foo", ["MAP", "nDCG"])
    'There are MAP, nDCG.'
    >>> nearest("foo", [])
    'There are none.'
    """
    names = list(known)
    by_lower = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), by_lower, n=3, cutoff=0.55)
    if near:
        return f"Did you mean {' or '.join(by_lower[each] for each in near)}?"
    return f"There are {', '.join(names) or 'none'}."
