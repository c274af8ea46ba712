"""Lists of ids, by which items are divided as somebody else divided them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tartarus_cli.data.ids import read_ids
from tartarus_cli.errors import FileError, RequestError, display_path


def read_id_lists(paths: Mapping[str, Path]) -> dict[str, list[str]] | None:
    """Read lists of ids that divide the items, in the order of the sets.

    Parameters
    ----------
    paths
        Set → the file of its ids, one a line; none: there are no lists.

    Raises
    ------
    RequestError
        If a file is missing.
    FileError
        If a list is damaged, or an id is in two of them.
    """
    if not paths:
        return None
    missing = next((path for path in paths.values() if not path.is_file()), None)
    if missing is not None:
        msg = f"there is no file {missing}"
        raise RequestError(msg, hint="Give the path of a list of ids, one a line.")
    lists = {name: read_ids(path) for name, path in paths.items()}
    set_of_id: dict[str, str] = {}
    for name, ids in lists.items():
        duplicate = next((item for item in ids if item in set_of_id), None)
        if duplicate is not None:
            raise FileError(
                paths[name],
                found=f"{duplicate!r}, which is in {display_path(paths[set_of_id[duplicate]])} too",
                expected="each id in one list only",
                hint="Delete it from one of the lists.",
            )
        set_of_id |= dict.fromkeys(ids, name)
    return lists
