"""Which experiments a new setting can be given to, and what has to be done before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.targets import closest_dim, factorize_command, target_dims
from tartarus_cli.errors import call
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.experiments.settings import experiments_reading
from tartarus_cli.features.alignment import MatrixForm
from tartarus_cli.layout import WorkspacePaths

FITTING: Mapping[str, Mapping[MatrixForm, str]] = {
    "recommendation": {"sparse": "rec_sparse", "dense": "rec_dense"},
    "multilabel": {"sparse": "logistic_text_multilabel", "dense": "logistic_multilabel_vector"},
    "multiclass": {"sparse": "single-label-vector", "dense": "single-label-vector"},
}
"""Task → form of a setting → the experiment that reads one such setting."""


@dataclass(frozen=True)
class SuggestedExperiments:
    """Experiments that one setting is enough for."""

    experiments: list[str] = field(default_factory=list)
    default: bool = False
    """Whether they are of this dataset by themselves."""
    overrides: list[str] = field(default_factory=list)
    """What the only one has to be told."""
    before: str = ""
    """The call to give first, if there is nothing to learn yet."""


def suggest_experiments(
    workspace: WorkspacePaths, name: str, form: MatrixForm
) -> SuggestedExperiments:
    """Find experiments for one setting of a dataset, and what the only one needs."""
    dataset = Dataset(workspace.scan(), name)
    names, default = _experiments(dataset, form)
    if len(names) != 1:
        return SuggestedExperiments(names, default)
    overrides, before = _targets(dataset, names[0])
    return SuggestedExperiments(names, default, overrides, before)


def _experiments(dataset: Dataset, form: MatrixForm) -> tuple[list[str], bool]:
    usual = FITTING.get(dataset.task or "", {}).get(form)
    names = experiments_reading(dataset.workspace, dataset.name, "features")
    if usual in names:
        names = [usual]
    return (names, True) if names else ([usual] if usual else [], False)


def _targets(dataset: Dataset, name: str) -> tuple[list[str], str]:
    """Return what an experiment has to be told of its targets, and what makes them first."""
    experiment = resolve(name, own=dataset.workspace.experiments, dataset=dataset.name)
    spec = experiment.target_spec
    dims = target_dims(dataset, spec.kind)
    overrides: list[str] = []
    if not dims and experiment.dataset.task == "recommendation":
        dims = target_dims(dataset, "pmi")
        overrides = ["targets.kind=pmi"] * bool(dims)
    if not dims:
        return [], factorize_command(dataset, spec) or call("check", dataset.name)
    if spec.dim not in dims and len(dims) > 1:
        overrides.append(f"targets.dim={closest_dim(dims, spec.dim)}")
    return overrides, ""
