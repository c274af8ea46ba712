"""The section of a model card on use: lines of the shell that can be pasted."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from tartarus_cli.exporting.markdown import block
from tartarus_cli.models.groups import Group
from tartarus_cli.models.preprocessing import RECIPE, VOCABULARY
from tartarus_cli.models.store import Model


def evaluation_commands(name: str, is_group: bool) -> str:  # noqa: FBT001 — one of two lines
    """Return the lines that evaluate a model, or put a group's figures together."""
    if is_group:
        return f"tartarus evaluate {name} --baselines"
    return f"tartarus predict {name}\ntartarus evaluate {name} --baselines"


def use_section(model: Model, group: Group | None = None) -> Iterator[str]:
    """Yield what to type to predict, to evaluate and to export, and to train it again.

    Parameters
    ----------
    model
        The model, or the one that stands for a group.
    group
        The group; None: it is of the model alone.
    """
    name = model.name if group is None else group.name
    yield "## Use"
    yield "In the folder of its workspace, with tartarus-cli installed:"
    yield block("\n".join(_lines(model, name)), "sh")
    yield "To train it again from the same files:"
    yield block(_train_again(model, group), "sh")


def _lines(model: Model, name: str) -> Iterator[str]:
    manifest, one = model.manifest, model.name
    yield f"tartarus models show {name}"
    yield f"tartarus predict {one}"
    if manifest.task == "recommendation":
        yield f"tartarus recommend {one}"
    if (model.folder / RECIPE).exists() and not manifest.settings:
        yield f"tartarus predict {one} --audio audio"
    elif len(manifest.settings) == 1 and (model.folder / VOCABULARY).exists():
        yield f"tartarus predict {one} --text text"
    if manifest.kind == "network":
        yield f"tartarus export {one} --what onnx"


def _train_again(model: Model, group: Group | None) -> str:
    """Return the line that trains a model, or a group of seeds or folds, as it was trained."""
    manifest = model.manifest
    experiment = [manifest.experiment, *manifest.settings]
    words = ["tartarus run" if group else "tartarus train", *map(quote, experiment)]
    words += ["--dataset", quote(group.manifest.dataset if group else manifest.dataset)]
    if group is None or group.manifest.kind == "folds":
        words += ["--seed", str(manifest.seed), *(["--folds"] if group else [])]
    else:
        words += ["--seeds", ",".join(str(member.seed) for member in group.members)]
    words += [f"--set {quote(change)}" for change in manifest.overrides]
    words += [f"--code {quote(path)}" for path in manifest.code]
    return " ".join(words)
