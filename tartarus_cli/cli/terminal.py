"""What the process of a command takes over from a terminal, and what it does without.

Only the command line calls this: in Python, streams, warnings and matplotlib are the user's own.
"""

from __future__ import annotations

import codecs
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any

IN_ASCII = str.maketrans(
    {
        "…": "...",
        "—": "-",
        "–": "-",
        "−": "-",  # noqa: RUF001
        "×": "x",
        "·": "-",
        "→": "->",
        "↓": "v",
        "≤": "<=",
        "≥": ">=",
        "±": "+-",
        "†": "+",
        "‖": "||",
        "‘": "'",  # noqa: RUF001
        "’": "'",  # noqa: RUF001
        "•": "*",
        "Σ": "sum",
        "λ": "lambda",
        "ε": "epsilon",
        "ᵀ": "^T",
        "ᵢ": "_i",
        "⁻": "^-",
        "¹": "1",
        "⁴": "^4",
        "⁶": "^6",
        "━": "-",
        "─": "-",
        "│": "|",
        "╸": "-",
        "╺": "-",
        "\N{NO-BREAK SPACE}": " ",
    }
)
"""Our own signs → how they are written where the encoding lacks them."""


class OutputError(OSError):
    """Standard output cannot be written: it is a full disk, say."""


class _Output(TextIOWrapper):
    """Standard output; errors of writing it are told apart from those of other files."""

    def write(self, text: str) -> int:
        with _output_errors():
            return super().write(text)

    def flush(self) -> None:
        with _output_errors():
            super().flush()


@contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise OutputError(problem.errno, problem.strerror) from None


def prepare_process() -> None:
    """Make the process independent of what the environment says of terminals and pictures."""
    _open_streams()
    codecs.register_error("tartarus", _written_otherwise)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="tartarus")
    if type(sys.stdout) is TextIOWrapper:
        form: Any = {"encoding": sys.stdout.encoding, "errors": "tartarus"}
        form["line_buffering"] = sys.stdout.line_buffering
        sys.stdout = _Output(sys.stdout.detach(), **form)
    # Pictures go into files; a notebook that starts a command names a backend of its own.
    os.environ["MPLBACKEND"] = "Agg"
    if not os.environ.get("TERMINAL_WIDTH", "0").isdecimal():
        del os.environ["TERMINAL_WIDTH"]  # Typer converts it without a look
    _keep_warnings()


def _open_streams() -> None:
    """Open what was closed: a file that is opened later must not become standard output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123


def _written_otherwise(problem: UnicodeError) -> tuple[str, int]:
    r"""Write what an encoding lacks: our signs by others, letters of the data as escapes.

    >>> _written_otherwise(UnicodeEncodeError("ascii", "a…é", 1, 3, ""))
    ('...\\xe9', 3)
    """
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    lacking = problem.object[problem.start : problem.end].translate(IN_ASCII)
    return lacking.encode("ascii", "backslashreplace").decode("ascii"), problem.end


def _keep_warnings() -> None:
    """Let no warning of a library end a command, here or in a process that it starts."""
    filters: Any = warnings.filters
    filters[:] = [each for each in filters if each[0] != "error"]
    sys.warnoptions[:] = _without_errors(sys.warnoptions)
    if "PYTHONWARNINGS" in os.environ:
        words = os.environ["PYTHONWARNINGS"].split(",")
        os.environ["PYTHONWARNINGS"] = ",".join(_without_errors(words))


def _without_errors(options: Iterable[str]) -> list[str]:
    return [each for each in options if not "error".startswith(each.partition(":")[0] or "-")]
