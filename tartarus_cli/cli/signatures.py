"""What Typer reads of a command: its parameters, in the panels of its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Annotated, TypeVar, get_args

from typer.models import OptionInfo

EVERYWHERE = "Everywhere"
"""Title of the panel of the options that every command has."""
COMMON = ("workspace", "json", "log", "verbose")
"""Names of these options."""

CommandT = TypeVar("CommandT", bound=Callable[..., None])

_PANELS: dict[Callable[..., None], Mapping[str, Sequence[str]]] = {}


def panels(groups: Mapping[str, Sequence[str]]) -> Callable[[CommandT], CommandT]:
    """Put options of a command into panels of its help.

    Options that are in none come first, under "Options"; those of all commands last.

    Parameters
    ----------
    groups
        Names of the command's parameters by the title of their panel, in the order of the help.
    """

    def register(command: CommandT) -> CommandT:
        _PANELS[command] = groups
        return command

    return register


def arrange_signature(
    command: Callable[..., None], common: Iterable[inspect.Parameter]
) -> inspect.Signature:
    """Return the signature of a command, with its options in panels.

    Parameters
    ----------
    command
        The function of the command.
    common
        Parameters that every command gets besides its own.

    Raises
    ------
    ValueError
        If a panel names a parameter that the command does not have.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters = {p.name: p for p in (*signature.parameters.values(), *common)}
    groups = _PANELS.get(command, {})
    if groups:
        groups = {**groups, EVERYWHERE: [name for name in COMMON if name in parameters]}
    titles = {name: title for title, names in groups.items() for name in names}
    if unknown := titles.keys() - parameters.keys():
        msg = f"{command.__name__} has no parameters {sorted(unknown)}"
        raise ValueError(msg)
    order = [*(name for name in parameters if name not in titles), *titles]
    shown = [_with_panel(parameters[name], titles.get(name)) for name in order]
    return signature.replace(parameters=shown)


def _with_panel(parameter: inspect.Parameter, title: str | None) -> inspect.Parameter:
    """Return an option in its panel; the help of a flag, which takes no value, names no type."""
    annotation, *marks = get_args(parameter.annotation) or (parameter.annotation,)
    if not marks or not isinstance(marks[0], OptionInfo):
        return parameter
    option = copy(marks[0])
    option.rich_help_panel = title
    if bool in (annotation, *get_args(annotation)):
        option.metavar = ""
    return parameter.replace(annotation=Annotated[annotation, option])
