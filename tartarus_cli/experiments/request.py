"""Find experiments, and turn what was asked on the command line into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.errors import RequestError, TartarusError
from tartarus_cli.experiments.code import CodeNotRunError
from tartarus_cli.experiments.requirements import infer_task
from tartarus_cli.experiments.resolve import experiment_names, preset_paths, resolve
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.plugins import CodeFile, run_files
from tartarus_cli.workspace import Workspace, open_workspace


@dataclass(frozen=True)
class ExperimentRequest:
    """An experiment as it was named."""

    experiment: str | None
    dataset: str | None
    overrides: tuple[str, ...]

    def resolve(self, workspace: Workspace) -> Experiment:
        """Return the experiment; the workspace's default dataset counts before the preset's."""
        if self.experiment is None:
            msg = "which experiment are these the predictions of?"
            raise RequestError(msg, hint="Name it: --experiment rec_multi, for example.")
        default = workspace.defaults.get("dataset")
        dataset = self.dataset or (str(default) if default else None)
        own = workspace.experiments
        return resolve(
            self.experiment,
            own=own,
            dataset=dataset,
            overrides=self.overrides,
            follow=lambda name, baseline: infer_task(workspace.dataset(name), baseline),
            run_code=True,
        )


@dataclass(frozen=True)
class TrainingRequest:
    """What is asked of a training."""

    experiment: Experiment
    settings: tuple[str, ...]
    seed: int
    code: tuple[CodeFile, ...] = ()
    """What ran for it: named with the command, then by the experiment."""


@dataclass(frozen=True)
class ListedExperiment:
    """An experiment in the list; ``problem`` says why its file cannot be used."""

    name: str
    preset: bool
    experiment: Experiment | None
    problem: str = ""
    code_not_run: CodeNotRunError | None = None
    """What is known of an experiment that cannot be resolved without running its code."""


def build_request(  # noqa: PLR0913 — what the command line says
    workspace: Workspace,
    experiment: str,
    settings: Sequence[str],
    dataset: str | None,
    overrides: Sequence[str],
    seed: int | None,
    *,
    code: Sequence[CodeFile] = (),
) -> TrainingRequest:
    """Return what a training is asked to do; ``code`` are the files named with the command."""
    found = ExperimentRequest(experiment, dataset, tuple(overrides)).resolve(workspace)
    own = run_files([workspace.root / file for file in found.code])
    files = tuple(dict.fromkeys([*code, *own]))
    return TrainingRequest(found, tuple(settings), seed_of(workspace, seed), files)


def seed_of(workspace: Workspace, seed: int | None) -> int:
    """Return the seed that was asked for, or the workspace's, or 0."""
    return seed if seed is not None else int(workspace.defaults.get("seed", 0))


def list_experiments(named: Path | None) -> list[ListedExperiment]:
    """List all presets and, where there is a workspace, its own experiments; no code is run."""
    workspace = _workspace(named)
    own = workspace.experiments if workspace else None
    listed = []
    for name in experiment_names(own):
        preset = name in preset_paths()
        try:
            listed.append(ListedExperiment(name, preset, resolve(name, own=own)))
        except CodeNotRunError as problem:
            listed.append(ListedExperiment(name, preset, None, str(problem), problem))
        except TartarusError as problem:
            listed.append(ListedExperiment(name, preset, None, str(problem)))
    return listed


def show_experiment(
    named: Path | None, name: str, *, dataset: str | None, overrides: Sequence[str]
) -> Experiment:
    """Return one experiment, as ``run`` would take it; presets need no workspace."""
    workspace = _workspace(named)
    if workspace is None:
        return resolve(name, dataset=dataset, overrides=overrides)
    return ExperimentRequest(name, dataset, tuple(overrides)).resolve(workspace)


def _workspace(named: Path | None) -> Workspace | None:
    try:
        return open_workspace(named)
    except RequestError:
        if named is not None:
            raise
        return None
