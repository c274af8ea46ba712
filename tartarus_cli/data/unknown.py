"""The errors of a dataset, and of a setting, that does not exist."""

from collections.abc import Sequence

from tartarus_cli.errors import Placeholder, RequestError, call, nearest, parameter
from tartarus_cli.file_names import Kind
from tartarus_cli.layout import FOLD, WorkspaceFiles, WorkspacePaths


def unknown_dataset_error(
    name: str | None, workspace: WorkspacePaths, known: Sequence[str], alternative: str = ""
) -> RequestError:
    """Return the error that a dataset does not exist.

    Parameters
    ----------
    name
        The name that no file has; None where no name was given.
    workspace
        Where it was looked for.
    known
        Names of the datasets that exist.
    alternative
        What to do instead of making one, for the hint.
    """
    if name and workspace.path_of(Kind.FOLDS, dataset=name).is_file():
        return _folds_error(name)
    msg = f"there is no dataset{f' called {name!r}' if name else ''} in {workspace.root}"
    make = f"{alternative}, or make" if alternative else "Make"
    command = call("split", Placeholder("NAME"), plays=Placeholder("FILE"))
    near = f"{nearest(name, known)} " if name else ""
    hint = f"{near}{make} one of your own: {command}"
    labels = parameter("labels", Placeholder("FILE"))
    return RequestError(msg, hint=f"{hint}   (or {labels}; published ones: {call('fetch')})")


def _folds_error(name: str) -> RequestError:
    """Return the error that folds are named where one dataset is needed."""
    msg = f"{name} is divided into folds: as many datasets, and one is needed here"
    words = (Placeholder("EXPERIMENT"), Placeholder("SETTING"))
    every = call("run", *words, dataset=name, folds=True)
    first = f"{name}{FOLD}1"
    return RequestError(msg, hint=f"Name one of them, such as {first}; for all of them: {every}")


def unknown_setting_error(name: str, dataset: str, files: WorkspaceFiles) -> RequestError:
    """Return the error that a dataset has no such setting, which another one may have.

    Parameters
    ----------
    name
        The name that no features of the dataset have.
    dataset
        Name of the dataset.
    files
        All files of the workspace.
    """
    msg = f"{dataset} has no setting called {name!r}"
    others = sorted({file.dataset for file in files.select(Kind.FEATURES, setting=name)})
    if others:
        choice = " or ".join(parameter("dataset", other) for other in others)
        msg += f"; {' and '.join(others)} {'has' if len(others) == 1 else 'have'} it"
        return RequestError(msg, hint=f"To use it there, add {choice}.")
    command = call("features", dataset, name, source=Placeholder("FILE"))
    hint = f"{nearest(name, files.settings(dataset))} To make one: {command}"
    return RequestError(msg, hint=f"{hint}   (other ways: embed, text, predict)")
