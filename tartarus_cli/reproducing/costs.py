"""What a training and an evaluation cost: operations, memory and bytes on the disk, from sizes.

The rule, for ``n`` train items, ``w`` the widths of the settings together, ``P`` the weights of a
network's dense layers, and ``u`` users:

- a network on features takes ``6 P`` operations an item and an epoch (two for each weight forwards,
  four backwards), and a fixed time for each step; it ends after ``patience + 1`` epochs at the
  earliest and ``epochs`` at the latest. It holds its weights :data:`WEIGHTS_HELD` times,
  and writes them once. Networks on patches or words are not estimated;
- ``ridge_plays`` computes a kernel (``2 n² w``) for each form of it, and factors one (``n³ / 3``)
  for each form and each strength that it tries, and holds two of them; ``knn``
  computes ``2 n² w``, everything else ``2 n w²``;
- a blend costs what its parts cost, those of one setting once for each setting;
- the evaluation multiplies factors of ``u`` users with those of all test items twice (model and
  oracle), counts them in a third of that time, and holds no more than its budget;
- the files of the settings are held, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tartarus_cli.architectures import NetworkOptions
from tartarus_cli.baselines.blend import BlendOptions
from tartarus_cli.baselines.kernel_choice import EXTENSIONS, PlaysRidgeOptions
from tartarus_cli.baselines.ridge_plays import MAX_ITEMS
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.evaluation.ranking import MEMORY
from tartarus_cli.experiments.request import TrainingRequest, build_request
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import Kind
from tartarus_cli.workspace import Workspace

FLOAT = 4
"""Bytes of a number in a network, and of a predicted one."""
WEIGHTS_HELD = 10
"""How often weights are held while a network learns: with gradients, both of Adam's means, the best
so far, and the copies that Keras and JAX make."""
VALUES_A_USER = 25
"""Figures that the results have of each user, 8 bytes each."""
VALIDATION_SHARE = 0.1
"""Of the train items, where there are no val items."""


@dataclass(frozen=True)
class Sizes:
    """The sizes that costs depend on."""

    train: int
    test: int
    users: int
    relevant: int
    """Plays of the test items."""
    widths: tuple[int, ...]
    """Of the settings."""
    file_bytes: int
    """Of the files of the settings."""
    validated: bool
    """Whether there are val items."""

    @property
    def width(self) -> int:
        """Widths of the settings together."""
        return sum(self.widths)

    @property
    def validation(self) -> int:
        """Number of items that validate, about."""
        return int(VALIDATION_SHARE * self.train)


@dataclass(frozen=True)
class Cost:
    """Operations, steps and bytes; the least and the most, where it is not known when it ends."""

    operations: tuple[float, float] = (0, 0)
    steps: tuple[float, float] = (0, 0)
    memory: int = 0
    """Bytes held beside the files of the settings."""
    disk: int = 0
    estimated: bool = True
    """Whether all of it is known well enough to say how long it takes."""

    def __add__(self, other: Cost) -> Cost:
        """Return the cost of both, one after the other."""
        return Cost(
            (self.operations[0] + other.operations[0], self.operations[1] + other.operations[1]),
            (self.steps[0] + other.steps[0], self.steps[1] + other.steps[1]),
            max(self.memory, other.memory),
            self.disk + other.disk,
            self.estimated and other.estimated,
        )


def read_sizes(dataset: Dataset, settings: Sequence[str]) -> Sizes:
    """Read the sizes of a dataset and of some of its settings; no matrix is read.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    files = [f for s in settings for f in dataset.select(Kind.FEATURES, setting=s)]
    recommends = dataset.is_recommendation
    truth = dataset.plays("test") if recommends else None
    return Sizes(
        train=len(dataset.ids("train")),
        test=len(dataset.ids("test")),
        users=truth.shape[1] if truth is not None else 0,
        relevant=truth.nnz if truth is not None else 0,
        widths=tuple(dataset.features(setting, "train").shape[1] for setting in settings),
        file_bytes=sum(file.path.stat().st_size for file in files),
        validated="val" in dataset.splits,
    )


def training_cost(workspace: Workspace, request: TrainingRequest, sizes: Sizes) -> Cost:
    """Return what a training costs, that of its parts included.

    Parameters
    ----------
    workspace
        Has the experiments of the parts of a blend.
    request
        The experiment, its settings and the seed.
    sizes
        Those of its dataset and settings.
    """
    experiment = request.experiment
    options = experiment.network
    if isinstance(options, BlendOptions):
        return _blend_cost(workspace, request, options, sizes)
    if experiment.baseline is not None:
        return _baseline_cost(experiment, sizes)
    return _network_cost(experiment, sizes)


def evaluation_cost(experiment: Experiment, sizes: Sizes) -> Cost:
    """Return what it costs to rank all test items for all users."""
    products = 2.0 * sizes.users * sizes.test * experiment.targets.dim
    operations = 2 * products * 4 / 3
    scores = 2 * FLOAT * sizes.users * sizes.test
    disk = 8 * VALUES_A_USER * sizes.users + 12 * sizes.relevant
    return Cost((operations, operations), (0, 0), min(MEMORY, scores), disk)


def _network_cost(experiment: Experiment, sizes: Sizes) -> Cost:
    fitting, options = experiment.fitting, experiment.network
    hidden = options.hidden if isinstance(options, NetworkOptions) else ()
    layers = [sizes.width, *hidden, experiment.targets.dim]
    weights = sum((a + 1) * b for a, b in pairwise(layers))
    operations = 6.0 * weights
    if experiment.two_tower is not None:  # each item is compared with users of the step
        dim = experiment.targets.dim
        weights += dim * sizes.users
        operations += 6.0 * dim * min(sizes.users, experiment.two_tower.users_a_step)
    fit = sizes.train if sizes.validated else (1 - fitting.validation) * sizes.train
    steps = fit / fitting.batch_size
    patience = max(fitting.patience, int(fitting.patience_steps / max(steps, 1)))
    epochs = (min(patience + 1, fitting.epochs), fitting.epochs)
    return Cost(
        (operations * fit * epochs[0], operations * fit * epochs[1]),
        (steps * epochs[0], steps * epochs[1]),
        WEIGHTS_HELD * FLOAT * weights,
        FLOAT * weights + FLOAT * sizes.test * experiment.targets.dim,
        estimated={*experiment.inputs.kinds} == {"features"},
    )


def _baseline_cost(experiment: Experiment, sizes: Sizes) -> Cost:
    options, items = experiment.network, sizes.train
    if isinstance(options, PlaysRidgeOptions):
        items = min(items, MAX_ITEMS)
        kernels = len(options.powers) * len(options.count_exponents)
        tried = [kernels + len(options.strengths) + more for more in (0, EXTENSIONS)]
        solving = items**3 / 3 + 2.0 * items**2 * sizes.validation
        product = 2.0 * items**2 * sizes.width
        low, high = (kernels * product + count * solving for count in tried)
        return Cost((low, high), (0, 0), 16 * items**2, FLOAT * items * sizes.test)
    nearest = options.name == "knn"
    operations = 2.0 * items * sizes.width * (items if nearest else sizes.width)
    held = FLOAT * (items * sizes.validation if nearest else sizes.width**2)
    disk = FLOAT * sizes.test * experiment.targets.dim
    return Cost((operations, operations), (0, 0), int(held), disk)


def _blend_cost(
    workspace: Workspace, request: TrainingRequest, options: BlendOptions, sizes: Sizes
) -> Cost:
    names = [(name, request.settings) for name in options.parts]
    dataset = workspace.dataset(request.experiment.dataset.name)
    for setting in request.settings:
        sparse = dataset.features(setting, "train").sparse
        names += [(name, (setting,)) for name in options.of_setting(sparse=sparse)]
    total = Cost()
    for name, settings in names:
        if (workspace.models / name).is_dir():
            continue  # a model that is there already
        part = build_request(workspace, name, settings, dataset.name, (), request.seed)
        shapes = sizes if settings == request.settings else read_sizes(dataset, settings)
        total += training_cost(workspace, part, shapes)
    return total
