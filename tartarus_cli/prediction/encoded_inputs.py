"""Vectors of new files, by the very encoder or program that made those of a setting."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from tartarus_cli.data.encoded import EncoderRecord, ProgramRecord
from tartarus_cli.encoders import ENCODERS
from tartarus_cli.encoders.recipe import EncoderRecipe
from tartarus_cli.encoders.weights import find_weights, weights_digest
from tartarus_cli.errors import (
    DataError,
    FileError,
    Placeholder,
    RequestError,
    TartarusError,
    call,
    parameter,
)
from tartarus_cli.extraction.program_vectors import ProgramJob
from tartarus_cli.extraction.programs import parse_program
from tartarus_cli.extraction.vector_job import EncodedFile, VectorJob
from tartarus_cli.extraction.workers import FailedRecording, Recording, WorkerOptions, prepare_all
from tartarus_cli.models.preprocessing import EncodedInput
from tartarus_cli.progress import warn
from tartarus_cli.signals import act_on_interrupts

TRAIN_AGAIN = (
    f"Make the setting again, {call('embed', Placeholder('DATASET'), Placeholder('ENCODER'))}, "
    "and train again"
)
"""What to do where the encoder of a setting is another one now."""


class SettingEncoder:
    """What made the vectors of a setting, ready to make those of new files.

    Parameters
    ----------
    source
        The input of a model.
    commands
        The commands that the user lets run.
    encoding
        Encoding of documents without a byte-order mark; None: UTF-8.

    Raises
    ------
    RequestError
        If its encoder is not there, or its command is not among those that may run.
    DataError
        If the encoder, or its weights, are others now.
    """

    def __init__(
        self, source: EncodedInput, commands: Collection[str], encoding: str | None
    ) -> None:
        self._source, self._encoding = source, encoding
        self._record = source.record
        self._recipe, self._weights = None, None
        if isinstance(self._record, EncoderRecord):
            self._recipe = _recipe(source.label, self._record)
            self._weights = _weights(source.label, self._recipe, self._record)
        else:
            _require_confirmed(source.label, self._record, commands)
            self._program = parse_program(self._record.command)
            _warn_of_changed_code(source.label, self._record, self._program.code)

    def outcomes(
        self, recordings: Sequence[Recording], workers: WorkerOptions, folder: Path
    ) -> Iterator[EncodedFile | FailedRecording]:
        """Encode new files; they come as they are done.

        Parameters
        ----------
        recordings
            The files.
        workers
            How they are spread over processes.
        folder
            Folder of what is only needed meanwhile.
        """
        vectors, check = folder / "vectors", act_on_interrupts
        if self._recipe is not None:
            job = VectorJob(self._recipe, self._weights, vectors, self._encoding)
            return prepare_all(job, recordings, workers, check)
        program = ProgramJob(self._program, self._record.kind, vectors, self._encoding)
        return program.prepare_all(recordings, folder / "program", check)

    def remark(self, encoded: EncodedFile) -> str:
        """Say what a file lacks whose vectors are used."""
        remarks = [encoded.remark] if encoded.remark else []
        remarks += ["it is silent"] * encoded.silent
        if encoded.short_s is not None and self._recipe is not None:
            window = f"{self._recipe.window_s:g} s"
            remarks.append(f"{encoded.short_s:g} s, shorter than a window of {window}: filled up")
        return "; ".join(remarks)


def require_used(sources: Sequence[EncodedInput], commands: Collection[str]) -> None:
    """Make sure that no command is given which made none of the settings of a model.

    Raises
    ------
    RequestError
        If there is one.
    """
    made = {s.record.command for s in sources if isinstance(s.record, ProgramRecord)}
    for command in commands:
        if command not in made:
            msg = f"{parameter('command', command)} made none of the settings of the model"
            hint = "Leave it out."
            if made:
                hint = f"Give it as it was given: {parameter('command', min(made))}"
            raise RequestError(msg, hint=hint)


def _recipe(setting: str, record: EncoderRecord) -> EncoderRecipe:
    name = str(record.recipe.get("encoder"))
    try:
        recipe = EncoderRecipe.model_validate(record.recipe)
    except ValueError as problem:
        first = str(problem).splitlines()[0][:100]
        msg = f"it cannot be read how {name} made {setting}: {first}"
        raise DataError(msg, hint=f"{TRAIN_AGAIN}.") from None
    except TartarusError as problem:
        msg = f"{problem}; it made the setting {setting}"
        hint = f"Install its package; if a file of your own has it: {_CODE}. {problem.hint}"
        raise RequestError(msg, hint=hint) from None
    now = recipe.variant.version
    if now != recipe.version:
        msg = f"{setting} was made by version {recipe.version} of {name}; there is version {now}, "
        msg += "which makes other vectors"
        raise DataError(msg, hint=f"{TRAIN_AGAIN}; or install the version of Tartarus that did.")
    for package, version in recipe.packages.items():
        present = dict(recipe.variant.package_versions).get(package, "")
        if present != version:
            there = f"there is {present}" if present else "it is not installed"
            warn(f"{setting} was made with {package} {version}, and {there}: vectors may differ")
    return recipe


_CODE = parameter("code", Placeholder("FILE"))


def _weights(setting: str, recipe: EncoderRecipe, record: EncoderRecord) -> Path | None:
    """Return the file of weights, which is that of the setting."""
    encoder = ENCODERS.get(recipe.encoder)
    needed = encoder.weights(recipe.options)
    if needed is None:
        return None
    given = Path(record.weights_file) if record.weights_file else None
    if given is not None and not given.exists() and needed.name:
        given = None  # the same ones may lie in the cache
    if given is not None and not given.exists():
        raise FileError(
            given,
            found="there is no such file",
            expected=f"the weights that {setting} was made with",
            hint=f"Put the file back (SHA-256 {recipe.weights}). {TRAIN_AGAIN} if it is lost.",
        )
    path = find_weights(recipe.encoder, needed, given)
    digest = weights_digest(path, needed)
    if digest != recipe.weights:
        raise FileError(
            path,
            found=f"other weights, with the SHA-256 {digest}",
            expected=f"those that {setting} was made with, {recipe.weights}",
            hint=f"Put the old file back. Or: {TRAIN_AGAIN}.",
        )
    return path


def _require_confirmed(setting: str, record: ProgramRecord, commands: Collection[str]) -> None:
    """Make sure that the user lets a command run that only a file of the workspace names."""
    if record.command not in commands:
        msg = f"{setting} was made by a program, {record.command!r}, which is not run unless you "
        msg += "say so"
        hint = f"If you know and trust it, give it again: {parameter('command', record.command)}"
        raise RequestError(msg, hint=hint)


def _warn_of_changed_code(setting: str, record: ProgramRecord, now: dict[str, str]) -> None:
    changed = [word for word, digest in record.code.items() if now.get(word) != digest]
    if changed:
        names = shlex.join(changed)
        warn(f"{names} is not as it was when {setting} was made: its vectors may be others")
