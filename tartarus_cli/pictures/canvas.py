"""What all pictures have in common: a figure of one style, and the bytes of a file of it.

The same figures give the same bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tartarus_cli.errors import RequestError, display_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]

NAME_LENGTH = 24  # characters of a class name
DOTS_PER_INCH = 100

STYLE: Any = {
    "font.size": 9,
    "text.parse_math": False,  # names are shown as they are, with any $ and _
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "tartarus",
}
METADATA: Any = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}


def picture_format(path: Path) -> Format:
    """Return the format of a picture that is to be written to a path, by the path's ending.

    Raises
    ------
    RequestError
        If it ends otherwise than in .png or .svg.
    """
    match path.suffix.lower():
        case ".png":
            return "png"
        case ".svg":
            return "svg"
    msg = f"{display_path(path)}: a picture is written as PNG or SVG, and this name ends otherwise"
    raise RequestError(msg, hint="Let the name end in .png or .svg.")


@contextmanager
def canvas(inches: tuple[float, float]) -> Iterator[Figure]:
    """Yield a figure to draw on, and to encode before the block ends."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()  # whatever style the user has set for other programs
        mpl.rcParams.update(STYLE)
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a box stands for it
        yield Figure(figsize=inches, dpi=DOTS_PER_INCH)


def encoded(figure: Figure, file_format: Format) -> bytes:
    """Return the bytes of a file; what lies outside of the figure is in it too: titles, labels."""
    file = BytesIO()
    metadata = METADATA[file_format]
    figure.savefig(file, format=file_format, bbox_inches="tight", metadata=metadata)
    return file.getvalue()


def printable(text: str) -> str:
    """Show what cannot be printed as a sign that stands for it."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def cut(name: str) -> str:
    """Leave out the middle of a long name: many differ at the end alone.

    >>> cut("progressive psychedelic krautrock 2")
    'progressive ps…autrock 2'
    """
    cut = len(name) - NAME_LENGTH
    return name if cut <= 0 else f"{name[:14]}…{name[14 + cut + 1 :]}"
