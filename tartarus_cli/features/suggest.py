"""Experiments that a new setting can be used in, and the call that they need first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.plays import has_plays
from tartarus_cli.data.provenance import MatrixForm
from tartarus_cli.data.targets import closest_dim, factorize_command, target_dims
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.errors import call
from tartarus_cli.experiments.resolve import preset_paths, resolve
from tartarus_cli.experiments.settings import experiments_reading
from tartarus_cli.layout import WorkspacePaths

USUAL_EXPERIMENTS: Mapping[str, Mapping[MatrixForm, str]] = {
    "recommendation": {"sparse": "rec_sparse", "dense": "rec_dense"},
    "multilabel": {"sparse": "logistic_text_multilabel", "dense": "logistic_multilabel_vector"},
    "multiclass": {"sparse": "single-label-vector", "dense": "single-label-vector"},
}
"""Task → form of a setting → the experiment that reads one such setting."""

OF_VECTORS: Mapping[str, str] = {"multilabel": "logistic", "multiclass": "logistic"}
"""Task → the experiment to begin with where an encoder made the setting."""

BLENDS: Mapping[MatrixForm, str] = {"sparse": "cold_sparse", "dense": "cold_audio"}
"""Form of a setting → the experiment to begin with where train plays are known."""


@dataclass(frozen=True)
class SuggestedExperiments:
    """Experiments that take one setting and nothing else."""

    experiments: list[str] = field(default_factory=list)
    default: bool = False
    """Whether this is their own dataset, so that it need not be named."""
    overrides: list[str] = field(default_factory=list)
    """Parameters that the experiment needs, such as ``targets.dim=50``, if there is only one."""
    before: str = ""
    """The call that creates its targets, if there are none yet."""


def suggest_experiments(
    workspace: WorkspacePaths, name: str, form: MatrixForm, *, encoded: bool = False
) -> SuggestedExperiments:
    """Find experiments for one setting of a dataset; if it is only one, also what that needs.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    name
        Name of the dataset.
    form
        Whether the setting is sparse or dense.
    encoded
        Whether an encoder made it.
    """
    dataset = Dataset(workspace.scan(), name)
    usual = OF_VECTORS.get(dataset.task or "")
    if encoded and usual is not None:
        return SuggestedExperiments([usual], resolve(usual).dataset.name == name)
    names, default = _experiments(dataset, form)
    if len(names) != 1:
        return SuggestedExperiments(names, default)
    overrides, before = _targets(dataset, names[0])
    return SuggestedExperiments(names, default, overrides, before)


def _experiments(dataset: Dataset, form: MatrixForm) -> tuple[list[str], bool]:
    usual = USUAL_EXPERIMENTS.get(dataset.task or "", {}).get(form)
    names = experiments_reading(dataset.workspace, dataset.name, "features")
    if dataset.is_recommendation and has_plays(dataset, "train"):
        own = [name for name in names if name not in preset_paths()]
        blend = resolve(BLENDS[form])
        return (own, True) if own else ([blend.name], blend.dataset.name == dataset.name)
    if usual in names:
        names = [usual]
    return (names, True) if names else ([usual] if usual else [], False)


def _targets(dataset: Dataset, name: str) -> tuple[list[str], str]:
    """Return the parameters of an experiment's targets, and the call that creates the targets."""
    experiment = resolve(name, folder=dataset.workspace.experiments, dataset=dataset.name)
    spec = experiment.target_spec
    if spec.kind == PLAYS_KIND:
        return [], ""
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
