"""What the shell completes: names of what there is, found quickly, and never an error."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from tartarus_cli.workspace import Workspace

MAX_LINES = 200_000
"""Lines of a list of ids that are looked through."""
MAX_NAMES = 200
"""Names that are offered at most."""

Names = Callable[["Workspace | None", Mapping[str, Any]], Iterable[str]]
"""What there is in a workspace, if there is one, given what the command line says already."""


def completing(names: Names) -> Callable[[typer.Context, str], list[str]]:
    """Turn what lists names into a completion of the shell."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            given = _given(ctx)
            listed = names(_workspace(given), given)
            fitting = (name for name in listed if name.startswith(incomplete))
            return list(islice(fitting, MAX_NAMES))
        except Exception:  # noqa: BLE001 — whatever is wrong is told by the command itself
            return []

    return complete


def _given(ctx: typer.Context) -> Mapping[str, Any]:
    """Return what the command line says so far, without the option whose value is completed."""
    words = getattr(ctx.find_root().obj, "words", ())
    if not words or not words[-1].startswith("-") or ctx.info_name not in words:
        return ctx.params
    # Typer reads nothing of a command line that ends with an option without a value.
    rest = [*words[words.index(ctx.info_name) + 1 : -1]]
    command: Any = ctx.command
    return dict(command.make_context(ctx.info_name, rest, resilient_parsing=True).params)


def _workspace(given: Mapping[str, Any]) -> Workspace | None:
    from tartarus_cli.errors import TartarusError
    from tartarus_cli.workspace import open_workspace

    named = given.get("workspace") or os.environ.get("TARTARUS_WORKSPACE")
    try:
        return open_workspace(Path(named) if named else None)
    except TartarusError:
        return None


def experiments(workspace: Workspace | None, _given: Mapping[str, Any]) -> list[str]:
    """Name presets and experiments of the workspace."""
    presets = Path(__file__).parent.parent / "experiments" / "presets"
    folders = [presets, workspace.experiments] if workspace else [presets]
    return sorted(path.stem for folder in folders for path in folder.glob("*.toml"))


def papers(workspace: Workspace | None, _given: Mapping[str, Any]) -> list[str]:
    """Name the papers that can be reproduced."""
    shipped = Path(__file__).parent.parent / "reproducing" / "papers"
    folders = [shipped, workspace.papers] if workspace else [shipped]
    return sorted({path.stem for folder in folders for path in folder.glob("*.toml")})


def paper_rows(workspace: Workspace | None, given: Mapping[str, Any]) -> list[str]:
    """Name the rows of the paper that is named."""
    from tartarus_cli.reproducing.papers import find_paper

    return [row.name for row in find_paper(workspace, str(given.get("paper"))).paper.rows]


def datasets(workspace: Workspace | None, _given: Mapping[str, Any]) -> list[str]:
    """Name the datasets."""
    if workspace is None:
        return []
    files = workspace.scan()
    return sorted({*files.datasets(), *files.folded()})


def settings(workspace: Workspace | None, given: Mapping[str, Any]) -> list[str]:
    """Name the settings of the dataset that is meant; of all where that is not known."""
    if workspace is None:
        return []
    inventory = workspace.scan()
    named = given.get("dataset") or workspace.default_dataset or _own_dataset(workspace, given)
    known = inventory.datasets()
    chosen = [named] if named in known else known
    return sorted({setting for name in chosen for setting in inventory.settings(name)})


def _own_dataset(workspace: Workspace, given: Mapping[str, Any]) -> str | None:
    experiment = _experiment(workspace, given)
    return experiment["dataset"]["name"] if experiment else None


def _experiment(workspace: Workspace | None, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the parameters of the experiment that is named; None if it cannot be resolved."""
    from tartarus_cli.errors import TartarusError
    from tartarus_cli.experiments.resolve import resolve, to_table

    name = given.get("experiment") or given.get("name")
    folder = workspace.experiments if workspace else None
    try:
        return to_table(resolve(str(name), folder=folder))
    except TartarusError:
        return None


def overrides(workspace: Workspace | None, given: Mapping[str, Any]) -> Iterator[str]:
    """Name the parameters of the experiment, as ``section.key=``."""
    for section, values in (_experiment(workspace, given) or {}).items():
        if isinstance(values, dict) and section != "dataset":
            yield from (f"{section}.{key}=" for key in values)


def models(workspace: Workspace | None, _given: Mapping[str, Any]) -> list[str]:
    """Name the models."""
    return sorted(path.name for path in workspace.models.glob("model_*")) if workspace else []


def groups(workspace: Workspace | None, _given: Mapping[str, Any]) -> list[str]:
    """Name the groups of models."""
    folder = workspace.groups if workspace else None
    return sorted(path.stem for path in folder.glob("group_*.json")) if folder else []


def models_and_groups(workspace: Workspace | None, given: Mapping[str, Any]) -> list[str]:
    """Name the models, and the groups of them."""
    return models(workspace, given) + groups(workspace, given)


def models_and_predictions(workspace: Workspace | None, given: Mapping[str, Any]) -> list[str]:
    """Name the models, the groups, and NumPy files of the current folder."""
    return models_and_groups(workspace, given) + sorted(str(path) for path in Path().glob("*.npy"))


def results(workspace: Workspace | None, given: Mapping[str, Any]) -> list[str]:
    """Name what has been evaluated, and groups of it."""
    folder = workspace.data / "results" if workspace else None
    evaluated = sorted(path.stem for path in folder.glob("*.json")) if folder else []
    return evaluated + groups(workspace, given)


def metrics(workspace: Workspace | None, given: Mapping[str, Any]) -> list[str]:
    """Name the metrics that the compared models have; of all where none is named."""
    names = given.get("models") or results(workspace, given)
    found: dict[str, None] = {}
    for name in _with_members(workspace, names[:MAX_NAMES]):
        path = workspace.data / "results" / f"{name}.json" if workspace else Path()
        if path.is_file():
            found |= dict.fromkeys(json.loads(path.read_bytes())["metrics"])
    return [*found]


def _with_members(workspace: Workspace | None, names: Iterable[str]) -> Iterator[str]:
    """Yield names of results, and of the models of a group that is among them."""
    for name in names:
        path = workspace.group(name) if workspace else Path()
        if not path.is_file():
            yield name
            continue
        yield from (member["model"] for member in json.loads(path.read_bytes())["members"])


def layers(workspace: Workspace | None, given: Mapping[str, Any]) -> list[str]:
    """Name the layers of the model that is named, or of the newest one."""
    return [layer["name"] for layer in _manifest(workspace, given).get("layers", [])]


def _manifest(workspace: Workspace | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the manifest of the model that is named, or of the newest one."""
    if workspace is None:
        return {}
    name = given.get("model")
    if name is None:
        numbered = [n for n in models(workspace, given) if n.removeprefix("model_").isdecimal()]
        name = max(numbered, key=lambda model: int(model.removeprefix("model_")))
    manifest: dict[str, Any] = json.loads((workspace.models / name / "manifest.json").read_bytes())
    return manifest


def users(workspace: Workspace | None, given: Mapping[str, Any]) -> Iterator[str]:
    """Name the users of the model's dataset."""
    from tartarus_cli.file_names import Kind

    yield from _ids(workspace, given, Kind.USERS)


def test_items(workspace: Workspace | None, given: Mapping[str, Any]) -> Iterator[str]:
    """Name the test items of the model's dataset."""
    from tartarus_cli.file_names import Kind

    yield from _ids(workspace, given, Kind.ITEMS, split="test")


def _ids(
    workspace: Workspace | None, given: Mapping[str, Any], kind: Any, **fields: str
) -> Iterator[str]:
    dataset = _manifest(workspace, given).get("dataset", "")
    file = workspace.scan().find(kind, dataset=dataset, **fields) if workspace else None
    if file is not None:
        with file.path.open(encoding="utf-8", errors="replace") as lines:
            yield from (line.rstrip("\r\n") for line in islice(lines, MAX_LINES))
