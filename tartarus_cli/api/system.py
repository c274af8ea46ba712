"""The installation and its machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tartarus_cli.diagnosis.report import Diagnosis


def doctor(*, workspace: Path | str | None = None) -> Diagnosis:
    """Find out what the installation has and lacks on this machine, and what mends it.

    Parameters
    ----------
    workspace
        It is looked at too; the nearest one from the current folder upwards, if there is any, if
        None.

    Raises
    ------
    RequestError
        If a folder is named that is no workspace.
    """
    from tartarus_cli.diagnosis.diagnose import diagnose

    return diagnose(None if workspace is None else Path(workspace))
