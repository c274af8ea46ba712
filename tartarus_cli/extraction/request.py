"""Requests for patches of recordings and for features of documents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tartarus_cli.audio import TRANSFORMS, cached_transform
from tartarus_cli.audio.patches import PatchRecipe, Scaling
from tartarus_cli.audio.starts import Starts
from tartarus_cli.errors import RequestError, parameter
from tartarus_cli.extraction.workers import WorkerOptions, worker_options
from tartarus_cli.file_names import PATCH_NAME, patch_fields
from tartarus_cli.options import Shard, parse_options
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.text import ExtractorOptions

MAX_SCALER_PATCHES = 300_000
"""Most train patches that a scaler is fitted on, by default."""


@dataclass(frozen=True)
class PatchesRequest:
    """The patches to make of the recordings of a dataset, and how."""

    dataset: str
    """Name of the dataset."""
    audio: Path | None = None
    """Folder of recordings from which the list is made; None: there is a list."""
    transform: str = "cqt"
    """Name of the transform."""
    per_item: int = 1
    """Patches of each item."""
    seconds: float = 15
    """Length of a patch."""
    starts: Starts = "random"
    """Where patches begin."""
    scale: Scaling = "position"
    """What has a mean and a deviation of its own."""
    name: str = ""
    """Name that tells the patches from others of the same number and length; empty for none."""
    force: bool = False
    """Whether to replace patches of the same name that were made by other parameters."""
    overrides: tuple[str, ...] = ()
    """Parameters of the transform, ``key=value``."""
    scaler_patches: int = MAX_SCALER_PATCHES
    """Most train patches that the scaler is fitted on."""
    jobs: int | None = None
    """Number of processes; None: one for each core."""
    timeout_s: float | None = None
    """Seconds after which a recording is given up; None: :data:`workers.TIMEOUT_S`."""
    keep_spectrograms: bool = True
    """Whether to keep spectrograms, so that other patches can be cut without decoding again."""
    seed: int = 0
    """Seed of where patches are cut, and of which of them the scaler is fitted on."""
    cluster: str | None = None
    """What prepares the recordings, as ``run_tasks`` takes it; None: processes of this machine."""
    shard: Shard | None = None
    """Which recordings to prepare, without writing patches; None: all of them, and write."""

    @cached_property
    def recipe(self) -> PatchRecipe:
        """How patches are made, with checked parameters.

        Raises
        ------
        RequestError
            If there is no such transform or parameter, or the parameters contradict each other.
        """
        options = TRANSFORMS.get(self.transform).options
        parameters = parse_options(options, self.overrides, self.transform)
        try:
            recipe = PatchRecipe(
                transform=self.transform,
                parameters=parameters,
                per_item=self.per_item,
                seconds=self.seconds,
                seed=self.seed,
                starts=self.starts,
                scale=self.scale,
            )
        except ValidationError as problem:
            first = problem.errors(include_url=False)[0]
            msg = f"{first['loc'][0]}: {first['msg']}, not {first['input']!r}"
            raise RequestError(msg, hint="Give another value.") from None
        check_recipe(recipe)
        return recipe

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the names of the files of patches.

        Raises
        ------
        RequestError
            If the name is not possible.
        """
        if not re.fullmatch(PATCH_NAME, self.name):
            msg = f"{parameter('name', self.name)} is no possible name of patches"
            raise RequestError(msg, hint="Take letters, digits and hyphens, such as mel-128.")
        return {"dataset": self.dataset} | patch_fields(self.per_item, self.seconds, self.name)

    @property
    def workers(self) -> WorkerOptions:
        """How the work is spread over processes."""
        return worker_options(self.jobs, self.timeout_s)


def check_recipe(recipe: PatchRecipe) -> None:
    """Make sure that patches can be made by a recipe, before anything is read.

    Raises
    ------
    RequestError
        If the transform refuses its parameters, or a patch is shorter than one frame.
    """
    try:
        # An interruption while a library compiles may be lost.
        with defer_interrupts():
            cached_transform(recipe.transform, recipe.parameters)
    except ValueError as problem:
        msg = f"{recipe.transform}: {problem}"
        raise RequestError(msg, hint=f"Change them with {parameter('overrides')}.") from None
    if recipe.frames < 1:
        msg = f"a patch of {recipe.seconds:g} s is shorter than one frame"
        seconds, overrides = parameter("seconds"), parameter("overrides")
        hint = f"Give more {seconds}, or a smaller hop_length with {overrides}."
        raise RequestError(msg, hint=hint)


@dataclass(frozen=True)
class TextRequest:
    """The features to compute of the documents of a dataset, and how."""

    dataset: str
    """Name of the dataset."""
    extractor: str
    """Name of the extractor."""
    setting: str | None = None
    """Name of the setting to write; None: the extractor's."""
    text: Path | None = None
    """Folder of documents from which the list is made; None: there is a list."""
    vectors: Path | None = None
    """File of word vectors to take, instead of learning them."""
    overrides: tuple[str, ...] = ()
    """Parameters of the extractor, ``key=value``."""
    words: int | None = None
    """Words of a document that are read; None: the extractor's default."""
    encoding: str | None = None
    """Encoding of documents without a byte-order mark; None: UTF-8."""
    missing: Literal["zero", "absent"] = "zero"
    """Whether items without a document that can be read have no words, or lack the setting."""
    seed: int = 0
    cluster: str | None = None
    """What reads the documents, as ``run_tasks`` takes it; None: this process."""
    shard: Shard | None = None
    """Which documents to read, without writing features; None: all of them, and write."""

    @property
    def setting_name(self) -> str:
        """Name of the setting to write."""
        return self.extractor if self.setting is None else self.setting


def word_limit(options: ExtractorOptions) -> int | None:
    """Return how many words of a document are read at most; None: all of them."""
    return getattr(options, options.word_limit) if options.word_limit else None


def word_overrides(request: TextRequest, options: type[ExtractorOptions]) -> tuple[str, ...]:
    """Return the parameters of the extractor, with the number of words that are read.

    Raises
    ------
    RequestError
        If the extractor reads whole documents, or the number is given twice.
    """
    if request.words is None:
        return request.overrides
    words, name = parameter("words"), options.word_limit
    if not name:
        msg = f"{request.extractor} reads whole documents"
        raise RequestError(msg, hint=f"Leave {words} out.")
    if any(override.partition("=")[0].strip() == name for override in request.overrides):
        msg = f"{words} and {parameter('overrides', [f'{name}=…'])} say the same"
        raise RequestError(msg, hint="Leave one of the two out.")
    return (*request.overrides, f"{name}={request.words}")
