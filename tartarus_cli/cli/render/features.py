"""Results of ``features``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.console import document, next_step, out, plain
from tartarus_cli.cli.render.text import print_absent
from tartarus_cli.errors import Placeholder, call

if TYPE_CHECKING:
    from tartarus_cli.features.importing import FeaturesResult
    from tartarus_cli.features.suggest import SuggestedExperiments
    from tartarus_cli.workspace import Workspace


def features_result(workspace: Workspace, result: FeaturesResult, *, json: bool) -> None:
    """Print the files that were written, and what can be done with the setting."""
    files = [workspace.relative(path) for path in result.files]
    if json:
        document(_document(result, files))
        return
    console = out()
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    sets = ", ".join(f"{split} {count:,}" for split, count in result.splits.items())
    console.print(
        f"[bold]{plain(result.setting)}[/] is a new setting of {plain(result.dataset)} "
        f"({sets} items × {result.width:,}, {result.form})",
        soft_wrap=True,
    )
    print_absent(result.absent, result.splits)
    next_step(next_run(result.dataset, result.setting, result.suggestion))


def _document(result: FeaturesResult, files: list[str]) -> dict[str, Any]:
    suggestion = result.suggestion
    return {
        "dataset": result.dataset,
        "setting": result.setting,
        "source": str(result.source),
        "kind": result.kind,
        "form": result.form,
        "splits": result.splits,
        "width": result.width,
        "missing": result.missing,
        "absent": result.absent,
        "strange": result.unknown_rows,
        "scaled": result.scaled,
        "files": files,
        "experiments": suggestion.experiments,
        "default": suggestion.default,
        "overrides": suggestion.overrides,
        "before": in_shell(suggestion.before),
    }


def next_run(dataset_name: str, setting: str, suggestion: SuggestedExperiments) -> str:
    """Return the call that uses a new setting, after the one that it needs first."""
    names = suggestion.experiments
    name = names[0] if len(names) == 1 else Placeholder("EXPERIMENT")
    dataset = None if suggestion.default else dataset_name
    overrides = suggestion.overrides or None
    examples = f"   (such as {', '.join(names)})" if len(names) > 1 else ""
    run = call("run", name, setting, dataset=dataset, overrides=overrides) + examples
    return f"{suggestion.before}   (then {run})" if suggestion.before else run
