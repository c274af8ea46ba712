"""Which experiments a new setting can be given to, and what has to be done before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from shlex import quote

from tartarus_cli.data.targets import TargetSpec, closest_dim, factorize_command, target_dims
from tartarus_cli.data.tasks import is_classification, is_recommendation
from tartarus_cli.experiments.requirements import one_class_each
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.experiments.settings import experiments_reading
from tartarus_cli.features.alignment import MatrixForm
from tartarus_cli.workspace import Workspace, WorkspaceFiles

FITTING: Mapping[str, Mapping[MatrixForm, str]] = {  # reads one setting of each form, by the task
    "recommendation": {"sparse": "rec_sparse", "dense": "rec_dense"},
    "multilabel": {"sparse": "logistic_text_multilabel", "dense": "logistic_multilabel_vector"},
    "multiclass": {"sparse": "single-label-vector", "dense": "single-label-vector"},
}


@dataclass(frozen=True)
class SuggestedExperiments:
    """Experiments that one setting is enough for."""

    experiments: list[str] = field(default_factory=list)
    default: bool = False  # whether they are of this dataset by themselves
    overrides: list[str] = field(default_factory=list)  # what the only one has to be told
    before: str = ""  # the command to give first, if there is nothing to learn yet


def suggest_experiments(
    workspace: Workspace, dataset: str, form: MatrixForm
) -> SuggestedExperiments:
    """Find experiments for one setting of a dataset, and what the only one needs."""
    inventory = workspace.scan()
    names, default = _experiments(workspace, inventory, dataset, form)
    if len(names) != 1:
        return SuggestedExperiments(names, default)
    overrides, before = _targets(inventory, names[0], dataset)
    return SuggestedExperiments(names, default, overrides, before)


def _experiments(
    workspace: Workspace, inventory: WorkspaceFiles, dataset: str, form: MatrixForm
) -> tuple[list[str], bool]:
    task = ""
    if is_recommendation(inventory, dataset):
        task = "recommendation"
    elif is_classification(inventory, dataset):
        task = "multiclass" if one_class_each(inventory, dataset) else "multilabel"
    fit = FITTING.get(task, {}).get(form)
    own = experiments_reading(workspace, dataset, "features")
    if fit in own:
        own = [fit]
    return (own, True) if own else ([fit] if fit else [], False)


def _targets(inventory: WorkspaceFiles, name: str, dataset: str) -> tuple[list[str], str]:
    """Return what an experiment has to be told of its targets, and what makes them first."""
    experiment = resolve(name, own=inventory.workspace.experiments, dataset=dataset)
    wanted = TargetSpec(dataset, experiment.targets.kind, experiment.targets.dim)
    dims, told = target_dims(inventory, wanted), []
    if not dims and experiment.dataset.task == "recommendation":
        other = TargetSpec(dataset, "pmi", wanted.dim)
        dims = target_dims(inventory, other)
        told = ["targets.kind=pmi"] * bool(dims)
    if not dims:
        see = f"tartarus check-data {quote(dataset)}"
        return [], factorize_command(inventory, wanted) or see
    if wanted.dim not in dims and len(dims) > 1:
        told.append(f"targets.dim={closest_dim(dims, wanted.dim)}")
    return told, ""
