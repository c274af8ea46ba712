"""Requests for vectors of recordings or documents, made by an encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from tartarus_cli.data.encoded import EncoderRecord, ProgramRecord
from tartarus_cli.encoders import ENCODERS, Encoder, EncoderKind, EncoderOptions, Pooling
from tartarus_cli.encoders.recipe import EncoderRecipe
from tartarus_cli.encoders.weights import find_weights, weights_digest
from tartarus_cli.errors import Placeholder, RequestError, nearest, parameter
from tartarus_cli.extraction.programs import Program, parse_program
from tartarus_cli.extraction.workers import WorkerOptions, worker_options
from tartarus_cli.options import Shard, parse_options

FileNoun = Literal["recordings", "documents"]
"""What a program of others reads."""

LEAST_HOP_S = 0.01
"""Seconds from one window to the next, at least."""

LONGEST_S = 36_000
"""Seconds of a window, at most."""


@dataclass(frozen=True, kw_only=True)
class EmbedRequest:
    """The vectors to make of the recordings or documents of a dataset, and how."""

    dataset: str
    """Name of the dataset."""
    encoder: str = ""
    """Name of the encoder; empty if a command makes the vectors."""
    command: str | None = None
    """Command of a program of others that makes the vectors, in place of an encoder."""
    source: FileNoun | None = None
    """What that program reads; None: documents if their folder is named, else recordings."""
    chunk: int | None = None
    """Files that it is given at once, at most; None: :data:`program_vectors.CHUNK`."""
    setting: str | None = None
    """Name of the setting to write; None: the encoder's."""
    audio: Path | None = None
    """Folder of recordings from which the list is made; None: there is a list."""
    text: Path | None = None
    """Folder of documents from which the list is made; None: there is a list."""
    window_s: float | None = None
    """Seconds of a window; 0: the whole recording; None: as the encoder has it."""
    hop_s: float | None = None
    """Seconds from one window to the next; None: as the encoder has it, or as a window."""
    pool: Pooling = "mean"
    """How the vectors of the windows of a recording become one."""
    layer: str | None = None
    """Name of the output of the encoder; None: its first one."""
    overrides: tuple[str, ...] = ()
    """Parameters of the encoder, ``key=value``."""
    weights: Path | None = None
    """File of weights; None: that of the user's cache, if the encoder needs one."""
    encoding: str | None = None
    """Encoding of documents without a byte-order mark; None: UTF-8."""
    missing: Literal["absent", "zero"] = "absent"
    """Whether items without a vector lack the setting, or have a row of zeros."""
    force: bool = False
    """Whether to replace a setting of the same name that was made otherwise."""
    jobs: int | None = None
    """Number of processes; None: one for each core."""
    timeout_s: float | None = None
    """Seconds after which a file is given up, or a call of the program; None:
    :data:`workers.TIMEOUT_S`, or never."""
    cluster: str | None = None
    """What encodes the files, as ``run_tasks`` takes it; None: processes of this machine."""
    shard: Shard | None = None
    """Which files to encode, without writing a setting; None: all of them, and write."""

    @property
    def setting_name(self) -> str:
        """Name of the setting to write."""
        return self.encoder if self.setting is None else self.setting

    @property
    def workers(self) -> WorkerOptions:
        """How the work is spread over processes."""
        return worker_options(self.jobs, self.timeout_s)

    @property
    def variant(self) -> Encoder:
        """The encoder.

        Raises
        ------
        RequestError
            If there is none of this name.
        """
        return ENCODERS.get(self.encoder)

    @property
    def kind(self) -> EncoderKind:
        """Whether recordings or documents are encoded."""
        if self.command is None:
            return self.variant.kind
        documents = self.text is not None if self.source is None else self.source == "documents"
        return "text" if documents else "audio"

    @cached_property
    def program(self) -> Program | None:
        """The program of others that makes the vectors; None if an encoder does.

        Raises
        ------
        RequestError
            If its command cannot be run.
        """
        return None if self.command is None else parse_program(self.command)

    @cached_property
    def options(self) -> EncoderOptions:
        """The parameters of the encoder.

        Raises
        ------
        RequestError
            If there is no such encoder or parameter.
        """
        return parse_options(self.variant.options, self.overrides, self.encoder)

    @cached_property
    def weights_path(self) -> Path | None:
        """The file of weights, which is there and the right one; None if none is needed.

        Raises
        ------
        TartarusError
            If it is missing or another one; the hint says how to get it.
        """
        needed = self.variant.weights(self.options)
        if needed is not None:
            return find_weights(self.encoder, needed, self.weights)
        if self.weights is not None:
            msg = f"{self.encoder} reads no file of weights"
            raise RequestError(msg, hint=f"Leave {parameter('weights')} out.")
        return None

    @cached_property
    def recipe(self) -> EncoderRecipe:
        """All that vectors depend on, checked before anything is read.

        Raises
        ------
        RequestError
            If parameters do not exist or contradict each other.
        TartarusError
            If the encoder lacks something.
        """
        encoder = self.variant
        self._check_kind(encoder)
        window_s, hop_s = self._windows(encoder)
        options, weights = self.options, self.weights_path
        needed = encoder.weights(options)
        return EncoderRecipe(
            encoder=self.encoder,
            version=encoder.version,
            packages=dict(encoder.package_versions),
            options=options,
            layer=self._layer(encoder.layers),
            window_s=window_s,
            hop_s=hop_s,
            weights=weights_digest(weights, needed) if weights and needed else "",
        )

    def check(self) -> None:
        """Make sure that all parameters are possible, before anything is read.

        Raises
        ------
        RequestError
            If parameters do not exist or contradict each other.
        TartarusError
            If the encoder lacks something.
        """
        if self.command is None:
            _ = self.recipe
            self._refuse({"source": self.source, "chunk": self.chunk}, "is no program of others")
            return
        if self.encoder:
            msg = f"{self.encoder} and {parameter('command')} exclude each other"
            raise RequestError(msg, hint="Leave one of the two out.")
        if self.setting is None:
            name = parameter("setting", Placeholder("NAME"))
            msg = f"{parameter('command')} needs a name for what it makes"
            raise RequestError(msg, hint=f"Give the setting a name: {name}")
        _ = self.program
        is_text = self.kind == "text"
        others: dict[str, object] = {
            "window": self.window_s,
            "hop": self.hop_s,
            "layer": self.layer,
            "overrides": self.overrides or None,
            "weights": self.weights,
            "jobs": self.jobs,
            "cluster": self.cluster,
            "shard": self.shard,
            "pool": None if self.pool == "mean" else self.pool,
        }
        self._refuse(others, "is a program of its own")
        unread = (
            {"audio": self.audio} if is_text else {"text": self.text, "encoding": self.encoding}
        )
        self._refuse(unread, f"reads {'documents' if is_text else 'recordings'}")

    def _refuse(self, values: Mapping[str, object], reason: str) -> None:
        """Refuse parameters that have no effect for what makes the vectors."""
        for name, value in values.items():
            if value is not None:
                maker = self.encoder or "the command"
                msg = f"{maker} {reason}: {parameter(name)} would have no effect"
                raise RequestError(msg, hint=f"Leave {parameter(name)} out.")

    @property
    def maker(self) -> str:
        """What makes the vectors, in a few words."""
        return self.recipe.describe() if self.program is None else self.program.describe()

    @property
    def maker_record(self) -> EncoderRecord | ProgramRecord:
        """What the manifest of the setting says of how it was made."""
        if self.program is None:
            return self.record
        return ProgramRecord(
            command=self.program.command,
            code=self.program.code,
            kind=self.kind,
            encoding=self.encoding,
        )

    @property
    def record(self) -> EncoderRecord:
        """What the manifest says of the encoder that made the setting."""
        path = "" if self.weights is None else str(self.weights.expanduser().absolute())
        return EncoderRecord(
            recipe=self.recipe.model_dump(mode="json"),
            kind=self.kind,
            pool=self.pool,
            weights_file=path,
            encoding=self.encoding,
            **({"labels": self._labels} if self._labels else {}),
        )

    @property
    def _labels(self) -> list[str]:
        """What each column stands for, if the encoder knows it, such as the names of tags."""
        recipe = self.recipe
        labels = [*recipe.variant.labels(recipe.options, recipe.layer)]
        deviations = [f"deviation of {label}" for label in labels]
        return labels + deviations if self.pool == "mean+std" else labels

    def _check_kind(self, encoder: Encoder) -> None:
        """Make sure that no parameter would have no effect."""
        of_audio: dict[str, object] = {
            "audio": self.audio,
            "window": self.window_s,
            "hop": self.hop_s,
        }
        of_audio["pool"] = None if self.pool == "mean" else self.pool
        of_text: dict[str, object] = {"text": self.text, "encoding": self.encoding}
        others = of_text if encoder.kind == "audio" else of_audio
        read = "recordings" if encoder.kind == "audio" else "documents"
        for name, value in others.items():
            if value is not None:
                msg = f"{self.encoder} encodes {read}: {parameter(name)} would have no effect"
                raise RequestError(msg, hint=f"Leave {parameter(name)} out.")

    def _layer(self, layers: Sequence[str]) -> str:
        if self.layer is None or self.layer in layers:
            return layers[0] if self.layer is None else self.layer
        if [*layers] == [""]:
            msg = f"{self.encoder} has a single output"
            raise RequestError(msg, hint=f"Leave {parameter('layer')} out.")
        msg = f"{self.encoder} has no layer {self.layer!r}"
        raise RequestError(msg, hint=nearest(self.layer, layers))

    def _windows(self, encoder: Encoder) -> tuple[float | None, float | None]:
        """Return the seconds of a window, and from one to the next; None: the whole recording."""
        _check_seconds("window", self.window_s, least=0)
        _check_seconds("hop", self.hop_s, least=LEAST_HOP_S)
        window_s = encoder.window_s if self.window_s is None else self.window_s or None
        if encoder.fixed_window and window_s != encoder.window_s:
            length = (
                "the whole recording" if encoder.window_s is None else f"{encoder.window_s:g} s"
            )
            msg = f"a window of {self.encoder} is {length}, and cannot have another length"
            raise RequestError(msg, hint=f"Leave {parameter('window')} out.")
        if window_s is None:
            if self.hop_s is not None:
                msg = f"{self.encoder} encodes the whole recording: {parameter('hop')} would have "
                msg += "no effect"
                window = parameter("window", Placeholder("SECONDS"))
                raise RequestError(msg, hint=f"Give {window} too, or leave it out.")
            return None, None
        if self.hop_s is not None:
            return window_s, self.hop_s
        return window_s, encoder.hop_s if self.window_s is None and encoder.hop_s else window_s


def _check_seconds(name: str, seconds: float | None, *, least: float) -> None:
    if seconds is not None and not (seconds == 0 == least or LEAST_HOP_S <= seconds <= LONGEST_S):
        msg = f"{parameter(name, seconds)} is no possible length in seconds"
        hint = f"Give between {LEAST_HOP_S:g} and {LONGEST_S:,}"
        raise RequestError(
            msg, hint=hint + (", or 0 for the whole recording." if not least else ".")
        )
