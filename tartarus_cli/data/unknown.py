"""The error of a dataset that does not exist."""

from collections.abc import Sequence

from tartarus_cli.errors import Placeholder, RequestError, call, nearest, parameter
from tartarus_cli.layout import WorkspacePaths


def unknown_dataset_error(
    name: str, workspace: WorkspacePaths, known: Sequence[str], alternative: str = ""
) -> RequestError:
    """Return the error that a dataset does not exist.

    Parameters
    ----------
    name
        The name that no file has.
    workspace
        Where it was looked for.
    known
        Names of the datasets that exist.
    alternative
        What to do instead of making one, for the hint.
    """
    msg = f"there is no dataset called {name!r} in {workspace.root}"
    make = f"{alternative}, or make" if alternative else "Make"
    command = call("split", Placeholder("NAME"), plays=Placeholder("FILE"))
    hint = f"{nearest(name, known)} {make} one of your own: {command}"
    labels = parameter("labels", Placeholder("FILE"))
    return RequestError(msg, hint=f"{hint}   (or {labels}; published ones: {call('fetch')})")
