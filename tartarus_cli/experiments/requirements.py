"""What an experiment needs of a workspace, and what of it is missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.baselines.blend import BlendOptions
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.items import infer_patches
from tartarus_cli.data.plays import has_plays
from tartarus_cli.data.targets import USUAL_DIM, infer_targets, reference_factors
from tartarus_cli.data.tasks import PLAYS_KIND, TargetSpec
from tartarus_cli.data.unknown import unknown_dataset_error
from tartarus_cli.errors import (
    DataError,
    Placeholder,
    RequestError,
    call,
    display_path,
    parameter,
)
from tartarus_cli.experiments.inference import baselines_for
from tartarus_cli.experiments.inputs import patch_source
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import DataFile, Kind

PATCH_FILES = (Kind.PATCHES, Kind.SCALER)
"""Kinds of files that an input of patches is read from."""
SETTING_FILES = (Kind.FEATURES, Kind.MASK, Kind.WORD_VECTORS, Kind.FEATURE_MANIFEST)
"""Kinds of files that belong to a setting of a network."""


def check_request(dataset: Dataset, experiment: Experiment, settings: Sequence[str]) -> None:
    """Make sure that an experiment can be applied to these settings.

    Raises
    ------
    RequestError
        If the number of settings is wrong, or the dataset or a setting does not exist.
    """
    name = experiment.name
    known = dataset.files.datasets()
    if dataset.name not in known:
        raise unknown_dataset_error(
            dataset.name, dataset.workspace, known, "Name another one with `dataset`"
        )
    if experiment.baseline is not None:
        _check_count(dataset, experiment, settings)
        _check_truth(dataset, experiment)
        _check_artists(dataset, experiment)
    elif experiment.takes_any_settings and settings:
        pass
    elif len(settings) != experiment.settings_needed:
        given = f"{len(settings)} ({', '.join(settings)})" if settings else "none"
        takes, ellipsis = _count_settings(experiment.settings_needed), ""
        if experiment.takes_any_settings:
            takes, ellipsis = f"{takes} or more", "…"
        msg = f"{name} takes {takes}, and was given {given}"
        hint = _usage(dataset, experiment, experiment.settings_needed, ellipsis)
        raise RequestError(msg, hint=hint)
    dataset.check_settings(settings)
    _check_kinds(dataset, experiment, settings)


def _check_count(dataset: Dataset, experiment: Experiment, settings: Sequence[str]) -> None:
    """Make sure that a baseline can read so many settings."""
    baseline = experiment.baseline
    if baseline is None:
        return
    fewest, most = baseline.settings
    if _has_parts_to_train(experiment):
        fewest = 1
    if experiment.patches is not None and not experiment.settings_needed:
        if settings:
            msg = f"{experiment.name} reads patches alone, and was given {', '.join(settings)}"
            both = parameter("overrides", ['inputs.kind=["patches", "features"]'])
            raise RequestError(msg, hint=f"Leave the settings out, or let it read both: {both}")
        return
    if fewest <= len(settings) and (most is None or len(settings) <= most):
        return
    takes = "no settings" if most == 0 else _count_settings(fewest)
    takes += " or more" if most is None else ""
    given = f"{len(settings)} ({', '.join(settings)})" if settings else "none"
    msg = f"{experiment.name} takes {takes}, and was given {given}"
    ellipsis = "…" if most is None else ""
    raise RequestError(msg, hint=_usage(dataset, experiment, fewest, ellipsis))


def _has_parts_to_train(experiment: Experiment) -> bool:
    """Whether an experiment is a blend of experiments, not of models alone."""
    options = experiment.network
    if not isinstance(options, BlendOptions):
        return False
    return any(re.fullmatch(r"model_[1-9]\d*", name) is None for name in options.names)


def _usage(dataset: Dataset, experiment: Experiment, settings: int, ellipsis: str = "") -> str:
    """Say how an experiment is run, and which settings its dataset has."""
    command = call("run", experiment.name, *[Placeholder("SETTING")] * settings)
    return (
        f"{command}{ellipsis}; {dataset.name} has {', '.join(dataset.settings) or 'no settings'}."
    )


def _check_truth(dataset: Dataset, experiment: Experiment) -> None:
    """Make sure that test items have factors, for a baseline that scores by the truth."""
    kind = experiment.targets.kind
    test = dataset.select(Kind.TARGETS, split="test", fact=kind)
    train = dataset.select(Kind.TARGETS, split="train", fact=kind)
    if experiment.baseline is None or not experiment.baseline.sees_truth or test or not train:
        return
    msg = f"{experiment.network.name} scores test items by their true {kind} factors, and "
    msg += f"{dataset.name} has no such factors"
    source = "plays" if kind == "als" else "plays or labels"
    command = call("factorize", dataset.name, kind, dim=train[0].dim)
    baselines = baselines_for(dataset, experiment.dataset.task)
    hint = f"Compute them from the test items' {source}: {command}; or use another baseline: "
    hint += f"{baselines}."
    raise RequestError(msg, hint=hint)


def _check_artists(dataset: Dataset, experiment: Experiment) -> None:
    """Make sure that artists are known, for a baseline that reads them."""
    if experiment.baseline is None or not experiment.baseline.artists:
        return
    if dataset.find(Kind.ARTISTS) is not None:
        return
    path = display_path(dataset.path(Kind.ARTISTS))
    msg = f"{experiment.name} needs the artists of the items, and there is no {path}"
    column = parameter("artist", Placeholder("COLUMN"))
    hint = "Write it, with an item id, a tab and an artist in each line; or split the tables "
    hint += f"again, with {column} and {parameter('force', value=True)}."
    raise RequestError(msg, hint=hint)


def _check_kinds(dataset: Dataset, experiment: Experiment, settings: Sequence[str]) -> None:
    """Make sure that sequences of words feed the inputs that read words, and no others."""
    kinds = [kind for kind in experiment.inputs.kinds if kind != "patches"]
    words = word_settings(dataset)
    for kind, setting in zip(kinds, settings, strict=True):
        if (kind == "sequence") == (setting in words):
            continue
        if kind == "sequence":
            msg = f"{experiment.name} reads sequences of words, and {setting} holds none"
            command = call("text", dataset.name, "w2v")
            hint = f"Settings of words: {', '.join(sorted(words)) or 'none'}. Make one: {command}."
        else:
            msg = f"{setting} holds sequences of words, and {experiment.name} reads feature vectors"
            hint = "Use an experiment whose inputs.kind is sequence, such as dummy_text_w2v."
        raise RequestError(msg, hint=hint)


def word_settings(dataset: Dataset) -> set[str]:
    """Return the settings whose rows are numbers of words: those with word vectors."""
    files = dataset.select(Kind.WORD_VECTORS)
    return {file.fields["setting"] for file in files}


def _count_settings(settings: int) -> str:
    return f"{settings} setting{'' if settings == 1 else 's'}"


@dataclass(frozen=True)
class MissingInput:
    """An input that an experiment needs and that the dataset lacks."""

    description: str
    """What it is, such as ``user factors``."""
    path: Path | None = None
    """The file that would hold it; None where it is not one certain file."""


def missing_inputs(
    dataset: Dataset, experiment: Experiment, settings: Sequence[str] | None = None
) -> list[MissingInput]:
    """List what an experiment needs and the dataset lacks.

    Parameters
    ----------
    dataset
        The dataset to apply it to.
    experiment
        The experiment; sizes that differ from those of the dataset are no obstacle.
    settings
        Those that feed it; if None, any settings with rows for every set will do.
    """
    missing = [
        MissingInput(f"ids of {split}", dataset.path(Kind.ITEMS, split=split))
        for split in ("train", "test")
        if split not in dataset.splits
    ]
    missing += _missing_targets(dataset, experiment)
    if experiment.patches is not None:
        missing += _missing_patches(dataset, experiment)
    if settings is None:
        missing += _missing_settings(dataset, experiment)
    else:
        missing += _missing_features(dataset, settings)
    return missing


def _missing_patches(dataset: Dataset, experiment: Experiment) -> list[MissingInput]:
    source = patch_source(experiment)
    with suppress(DataError):
        source = infer_patches(dataset, source)
    fields = source.fields
    return [
        MissingInput(f"patches of {split}", dataset.path(Kind.PATCHES, split=split, **fields))
        for split in dataset.splits
        if not dataset.select(Kind.PATCHES, split=split, **fields)
    ]


def _missing_settings(dataset: Dataset, experiment: Experiment) -> list[MissingInput]:
    complete = dataset.complete_settings
    words = word_settings(dataset)
    missing = []
    for kind, noun in (("features", "setting"), ("sequence", "setting of words")):
        needed = experiment.inputs.kinds.count(kind)
        count = sum((setting in words) == (kind == "sequence") for setting in complete)
        if count < needed:
            plural = "s" * (needed > 1)
            present = f"there {'is' if count == 1 else 'are'} {count}"
            missing.append(MissingInput(f"{needed} {noun}{plural} ({present})"))
    return missing


def _missing_features(dataset: Dataset, settings: Sequence[str]) -> list[MissingInput]:
    missing = []
    for setting in settings:
        files = dataset.select(Kind.FEATURES, setting=setting)
        for split in dataset.splits:
            if split not in {file.split for file in files}:
                fields = {"setting": setting, "split": split, "ext": files[0].fields["ext"]}
                path = dataset.path(Kind.FEATURES, **fields)
                missing.append(MissingInput(f"the {split} rows of {setting}", path))
    return missing


def _missing_targets(dataset: Dataset, experiment: Experiment) -> list[MissingInput]:
    spec = experiment.target_spec
    if spec.kind == PLAYS_KIND:
        return _missing_plays(dataset, experiment)
    try:
        spec = infer_targets(dataset, spec)
    except DataError:
        path = dataset.path(Kind.TARGETS, split="train", **spec.fields)
        return [MissingInput(f"{spec.kind} targets", path)]
    fields = spec.fields
    missing = []
    if experiment.dataset.task == "recommendation":
        if not dataset.select(Kind.USER_FACTORS, **fields):
            missing.append(MissingInput("user factors", dataset.path(Kind.USER_FACTORS, **fields)))
        if not dataset.select(Kind.TEST_MATRIX):
            missing.append(MissingInput("truth", dataset.path(Kind.TEST_MATRIX)))
        return missing
    if spec.kind == "pmi" and dataset.label_factors(spec) is None:
        missing.append(MissingInput("label factors", dataset.path(Kind.CLASS_FACTORS, **fields)))
    if dataset.class_truth is None:
        missing.append(MissingInput("classes of the test items", dataset.class_truth_path))
    return missing


def _missing_plays(dataset: Dataset, experiment: Experiment) -> list[MissingInput]:
    missing = []
    if not has_plays(dataset, "train"):
        missing.append(MissingInput("train plays", dataset.path(Kind.TRAIN_MATRIX)))
    if experiment.reads_user_factors and reference_factors(dataset) is None:
        fields = TargetSpec("als", USUAL_DIM).fields
        missing.append(MissingInput("user factors", dataset.path(Kind.USER_FACTORS, **fields)))
    if not dataset.select(Kind.TEST_MATRIX):
        missing.append(MissingInput("truth", dataset.path(Kind.TEST_MATRIX)))
    return missing


def required_files(
    dataset: Dataset, experiment: Experiment, settings: Sequence[str]
) -> list[DataFile]:
    """Return the files of a dataset that an experiment reads, or its evaluation.

    Parameters
    ----------
    dataset
        The dataset that it is applied to.
    experiment
        The experiment, with the dataset's sizes (see
        :func:`~tartarus_cli.experiments.inputs.infer_dimensions`).
    settings
        Names of the settings that feed it.
    """
    spec = experiment.factor_spec
    source = patch_source(experiment) if experiment.patches else None
    patches = source.fields if source else None
    recommendation = experiment.dataset.task == "recommendation"
    reads_plays = experiment.targets.kind == PLAYS_KIND
    reads_plays |= experiment.baseline is not None and experiment.baseline.plays
    plays = (Kind.TRAIN_MATRIX, Kind.VAL_MATRIX) if reads_plays else ()
    truth = (Kind.TEST_MATRIX, Kind.USERS, *plays) if recommendation else (Kind.LABELS,)
    if experiment.baseline and experiment.baseline.artists:
        truth = (*truth, Kind.ARTISTS)
    return [
        file
        for file in dataset.own_files
        if (
            file.kind in (Kind.ITEMS, *truth)
            or spec.fields.items() <= file.fields.items()
            or (file.fields.get("fact") == "class" and file.split == "test" and not recommendation)
            or (file.kind in SETTING_FILES and file.fields["setting"] in settings)
            or (file.kind in PATCH_FILES and patches and patches.items() <= file.fields.items())
        )
    ]
