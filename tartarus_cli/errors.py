"""Errors that Tartarus explains to the user; anything else is a bug and keeps its traceback.

Messages name parameters and functions as Python does, in backquotes: `` `force=True` ``,
`` `split('mine', plays=FILE)` ``. :func:`parameter` and :func:`call` write them; the command line
shows them as its own options and commands.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from shlex import quote


class TartarusError(Exception):
    """A problem that the user can fix: its message says what is wrong."""

    exit_code = 1
    """The exit status of a command that ends with it."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
        """What to do next; shown after the message."""
        self.add_note(hint)


class DataError(TartarusError):
    """A file of the workspace is missing or damaged, or does not fit another one."""


class FileError(DataError):
    """The content of one file is wrong.

    Parameters
    ----------
    path
        The file.
    found
        What it holds; begins with a lower-case letter.
    expected
        What it should hold.
    hint
        What to do next.
    """

    def __init__(self, path: Path, *, found: str, expected: str, hint: str) -> None:
        super().__init__(f"{display_path(path)}: {found}; expected {expected}", hint=hint)
        self.path, self.found, self.expected = path, found, expected


class TrainingError(TartarusError):
    """A training failed: it diverged, or memory was short."""


class SizeError(TrainingError):
    """There are too many items, users or features for a training, or too little memory."""


class PluginError(TartarusError):
    """A plug-in is installed, but could not be imported."""


class RequestError(TartarusError):
    """A request is wrong: it names something that does not exist, or contradicts itself."""

    exit_code = 2


class Placeholder(str):
    """A word in a call that the user replaces by their own, such as FILE."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def parameter(name: str, value: object = None) -> str:
    """Write a parameter, with a value if there is one to give, for a message.

    >>> parameter("min_plays"), parameter("by", "artist"), parameter("plays", Placeholder("FILE"))
    ('`min_plays`', "`by='artist'`", '`plays=FILE`')
    """
    return f"`{name}`" if value is None else f"`{name}={_literal(value)}`"


def call(function: str, *arguments: object, **options: object) -> str:
    """Write a call of a function of the package, for a message; options that are None are left out.

    >>> call("split", "mine", plays=Placeholder("FILE"), force=True)
    "`split('mine', plays=FILE, force=True)`"
    """
    words = [_literal(argument) for argument in arguments]
    words += [f"{name}={_literal(v)}" for name, v in options.items() if v is not None]
    return f"`{function}({', '.join(words)})`"


def _literal(value: object) -> str:
    return repr(value).replace("`", "\\x60")  # a backquote ends what is quoted


def python_command(code: str) -> str:
    """Write a line of Python as a command of the shell, for a hint.

    >>> print(python_command("print('x')"))
    python -c "print('x')"
    """
    plain = not {*code} & {*'"$`\\!\n'}
    return f'python -c "{code}"' if plain else f"python -c {quote(code)}"


def system_error(problem: OSError) -> TartarusError:
    """Return an error that explains what the operating system refused."""
    where = f"{display_path(Path(problem.filename))}: " if isinstance(problem.filename, str) else ""
    hint = "Check the permissions of the workspace, and the free space on the disk."
    if "temporary directory" in str(problem):
        hint = "Name a folder that can be written in the environment: TMPDIR=FOLDER."
    return TartarusError(f"{where}{problem.strerror or problem}", hint=hint)


def expand_home(path: Path) -> Path:
    """Write the folder of the user for a leading ``~``.

    Raises
    ------
    RequestError
        If it is not known.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        msg = f"{path}: it is not known which folder {path.parts[0]} stands for"
        raise RequestError(msg, hint="Write the path in full, or set HOME.") from None


def display_path(path: Path) -> str:
    """Write a path relative to the current folder, if it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def count_noun(number: int, noun: str, others: str = "") -> str:
    """Write a number with a noun, in the plural if need be.

    Parameters
    ----------
    number
        How many.
    noun
        What one is called.
    others
        What several are called, if not by an s more.

    >>> count_noun(1, "item"), count_noun(1200, "item"), count_noun(0, "item")
    ('1 item', '1,200 items', '0 items')
    >>> count_noun(2, "row is", "rows are")
    '2 rows are'
    """
    return f"{number:,} {noun if number == 1 else others or noun + 's'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names the known names closest to a misspelt one, else all of them.

    >>> nearest("MAPP", ["MAP", "nDCG"])
    'Did you mean MAP?'
    >>> nearest("foo", ["MAP", "nDCG"])
    'There are MAP, nDCG.'
    >>> nearest("foo", [])
    'There are none.'
    """
    names = list(known)
    by_lower = {candidate.lower(): candidate for candidate in names}
    near = get_close_matches(name.lower(), by_lower, n=3, cutoff=0.55)
    if near:
        return f"Did you mean {' or '.join(by_lower[lower] for lower in near)}?"
    return f"There are {', '.join(names) or 'none'}."
