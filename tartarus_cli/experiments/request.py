"""Find experiments, and turn names and overrides into one that is ready to train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.errors import RequestError, TartarusError, parameter
from tartarus_cli.experiments.code import CodeNotRunError
from tartarus_cli.experiments.inference import infer_task
from tartarus_cli.experiments.resolve import experiment_names, preset_paths, resolve
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.plugins import CodeFile, run_files
from tartarus_cli.workspace import Workspace, open_workspace


@dataclass(frozen=True)
class ExperimentRequest:
    """The name of an experiment, and what is changed in it."""

    experiment: str | None
    """A preset or one of the workspace's own; None is an error once it is needed."""
    dataset: str | None
    """To apply it to; None: the workspace's default or only one, else the experiment's own."""
    overrides: tuple[str, ...]
    """``section.key=value``."""

    def resolve(self, workspace: Workspace) -> Experiment:
        """Return the experiment with every parameter filled in; runs the code that it names.

        Raises
        ------
        RequestError
            If none is named, there is none of that name, or a parameter or its value is wrong.
        """
        if self.experiment is None:
            msg = "it is not known which experiment these predictions belong to"
            option = parameter("experiment", "rec_multi")
            raise RequestError(msg, hint=f"Name the experiment, for example {option}.")
        dataset = self.dataset or workspace.default_dataset
        return resolve(
            self.experiment,
            folder=workspace.experiments,
            dataset=dataset,
            overrides=self.overrides,
            infer=lambda name, baseline: infer_task(workspace.dataset(name), baseline),
            run_code=True,
        )


@dataclass(frozen=True)
class TrainingRequest:
    """What to train, on which settings, and from which seed."""

    experiment: Experiment
    """The experiment, every parameter filled in; it names the dataset."""
    settings: tuple[str, ...]
    """Names of the settings that feed its inputs, in order."""
    seed: int
    """Of everything random: the weights, the order of the samples, dropout."""
    code: tuple[CodeFile, ...] = ()
    """Files of code that it needs: those named by the user, then those of the experiment."""
    overrides: tuple[str, ...] = ()
    """What was changed in the experiment, as ``section.key=value``."""

    @property
    def shuffle(self) -> int | None:
        """The seed by which features are shuffled among items; None: they are not."""
        return self.seed if self.experiment.shuffled else None


@dataclass(frozen=True)
class ListedExperiment:
    """An experiment in the list of all."""

    name: str
    preset: bool
    """Whether it is one of the package's, not one of the workspace's own."""
    experiment: Experiment | None
    """None if it cannot be resolved."""
    problem: str = ""
    """Why its file cannot be used."""
    code_not_run: CodeNotRunError | None = None
    """What is known of an experiment that cannot be resolved without running its code."""


def build_request(  # noqa: PLR0913 — the arguments of ``train`` and ``run``
    workspace: Workspace,
    experiment: str,
    settings: Sequence[str],
    dataset: str | None,
    overrides: Sequence[str],
    seed: int | None,
    *,
    code: Sequence[CodeFile] = (),
) -> TrainingRequest:
    """Resolve an experiment and its seed into the request of a training.

    Parameters
    ----------
    workspace
        Holds the experiment, unless it is a preset, and the defaults of dataset and seed.
    experiment, dataset, overrides
        As the fields of :class:`ExperimentRequest`.
    settings
        Names of the settings that feed it.
    seed
        The workspace's, else 0, if None.
    code
        Files that the user named, and that ran already.

    Raises
    ------
    RequestError
        If there is no such experiment, or a parameter or its value is wrong.
    """
    resolved = ExperimentRequest(experiment, dataset, tuple(overrides)).resolve(workspace)
    experiment_code = run_files([workspace.root / file for file in resolved.code])
    files = tuple(dict.fromkeys([*code, *experiment_code]))
    return TrainingRequest(
        resolved, tuple(settings), seed_of(workspace, seed), files, tuple(overrides)
    )


def seed_of(workspace: Workspace, seed: int | None) -> int:
    """Return the seed if there is one, else that of the workspace, else 0."""
    return seed if seed is not None else int(workspace.defaults.get("seed", 0))


def list_experiments(root: Path | None) -> list[ListedExperiment]:
    """List all presets and, where there is a workspace, its own experiments; no code is run.

    Parameters
    ----------
    root
        The folder of the workspace; the nearest one from the current folder upwards if None.

    Raises
    ------
    RequestError
        If a folder is named that is no workspace.
    """
    workspace = _find_workspace(root)
    folder = workspace.experiments if workspace else None
    listed = []
    for name in experiment_names(folder):
        preset = name in preset_paths()
        try:
            listed.append(ListedExperiment(name, preset, resolve(name, folder=folder)))
        except CodeNotRunError as problem:
            listed.append(ListedExperiment(name, preset, None, str(problem), problem))
        except TartarusError as problem:
            listed.append(ListedExperiment(name, preset, None, str(problem)))
    return listed


def show_experiment(
    root: Path | None, name: str, *, dataset: str | None, overrides: Sequence[str]
) -> Experiment:
    """Return one experiment, as ``run`` would take it; presets need no workspace.

    Parameters
    ----------
    root
        The folder of the workspace; the nearest one from the current folder upwards if None.
    name, dataset, overrides
        As the fields of :class:`ExperimentRequest`.

    Raises
    ------
    RequestError
        If there is no such workspace or experiment, or a parameter or its value is wrong.
    """
    workspace = _find_workspace(root)
    if workspace is None:
        return resolve(name, dataset=dataset, overrides=overrides)
    return ExperimentRequest(name, dataset, tuple(overrides)).resolve(workspace)


def _find_workspace(root: Path | None) -> Workspace | None:
    try:
        return open_workspace(root)
    except RequestError:
        if root is not None:
            raise
        return None
