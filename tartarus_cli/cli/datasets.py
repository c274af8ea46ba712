"""The dataset that a command works on, where it need not be named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tartarus_cli.errors import RequestError

if TYPE_CHECKING:
    from tartarus_cli.workspace import Workspace


def dataset_and(
    workspace: Workspace, dataset: str | None, word: str | None, called: str
) -> tuple[str, str]:
    """Return the dataset and the word behind it on the command line; a single word is the latter.

    Parameters
    ----------
    workspace
        The workspace, which has a default dataset or a single one if none is named.
    dataset, word
        The first and the second argument of the command.
    called
        What the word is, for messages.

    Raises
    ------
    RequestError
        If the word is missing, or it is not known which dataset is meant.
    """
    if word is None:
        dataset, word = None, dataset
    if word is None or (dataset is None and word in workspace.scan().names()):
        msg = f"the {called} is missing" + (f" behind the dataset {word}" if word else "")
        name = called.rstrip(",")
        raise RequestError(msg, hint=f"Name the dataset, then the {name}.")
    return workspace.dataset_name(dataset), word
