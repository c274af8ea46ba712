"""What encoders there are, what each needs, and whether it is there."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from tartarus_cli.encoders import ENCODERS, Encoder, EncoderKind, Weights
from tartarus_cli.encoders.weights import is_added, weights_folder
from tartarus_cli.errors import Placeholder, call, parameter
from tartarus_cli.extras import OPTIONAL_LIBRARIES

WeightsSource = Literal["none", "package", "cache", "yours"]


@dataclass(frozen=True)
class ListedEncoder:
    """An encoder, with what is needed to use it."""

    name: str
    kind: EncoderKind
    summary: str
    width: int | None
    """Numbers of a vector, with the defaults; None where only its weights show it."""
    languages: str
    licence: str
    source: WeightsSource
    """Where its weights come from: its own package, the cache, a file of the user's, or nowhere."""
    weights: str
    """Where they are, in words."""
    installed: bool
    """Whether all is there that it needs, with the defaults, but for a file of one's own."""
    remedy: str
    """How it is installed or added; empty if it is there."""


@dataclass(frozen=True)
class EncoderDescription:
    """All that is to know of an encoder."""

    listed: ListedEncoder
    description: str
    reference: str
    """Where it was published."""
    origin: str
    """The package or file that registered it."""
    sample_rate: int | None
    """Samples a second, of recordings."""
    window_s: float | None
    """Seconds of a window; None: the whole recording."""
    hop_s: float | None
    fixed_window: bool
    layers: dict[str, int | None]
    """Layer → numbers of a vector; the first one unless another is chosen."""
    options: dict[str, Any]
    """Option → its default."""
    choices: dict[str, list[Any]]
    """Option → its values, where these are few."""
    meanings: dict[str, str]
    """Option → what it says, where its author tells."""
    files: dict[str, bool]
    """File of weights → whether it is there."""


def list_encoders() -> list[ListedEncoder]:
    """Return all encoders, those of plug-ins included, in alphabetical order."""
    return [_listed(name, ENCODERS.get(name)) for name in ENCODERS.names()]


def describe_encoder(name: str) -> EncoderDescription:
    """Return all that is to know of an encoder.

    Raises
    ------
    RequestError
        If there is none of this name.
    """
    encoder = ENCODERS.get(name)
    options = encoder.options()
    fields = encoder.options.model_fields
    choices = {key: _choices(field.annotation) for key, field in fields.items()}
    return EncoderDescription(
        listed=_listed(name, encoder),
        description=inspect.getdoc(encoder.load) or encoder.summary,
        reference=encoder.reference,
        origin=ENCODERS.origin(name),
        sample_rate=encoder.sample_rate(options) or None,
        window_s=encoder.window_s,
        hop_s=encoder.hop_s,
        fixed_window=encoder.fixed_window,
        layers={layer: encoder.width(options, layer) for layer in encoder.layers},
        options=options.model_dump(mode="json"),
        choices={key: values for key, values in choices.items() if values},
        meanings={key: _one_line(field.description) for key, field in fields.items()},
        files={str(weights_folder() / w.name): is_added(w) for w in encoder.all_weights},
    )


def _one_line(text: str | None) -> str:
    return " ".join((text or "").replace("`", "").split())


def _choices(annotation: Any) -> list[Any]:
    return [*get_args(annotation)] if get_origin(annotation) is Literal else []


def _listed(name: str, encoder: Encoder) -> ListedEncoder:
    options = encoder.options()
    weights = encoder.weights(options)
    remedies = [*dict.fromkeys(_remedies(encoder, weights))]
    source, place = _place(encoder, weights)
    return ListedEncoder(
        name=name,
        kind=encoder.kind,
        summary=encoder.summary,
        width=encoder.width(options, encoder.layers[0]),
        languages=encoder.languages,
        licence=encoder.licence,
        source=source,
        weights=place,
        installed=not remedies,
        remedy="; ".join(remedies),
    )


def _place(encoder: Encoder, weights: Weights | None) -> tuple[WeightsSource, str]:
    if weights is None and encoder.modules:
        return "package", f"in the package {encoder.packages[0]}"
    if weights is None:
        return "none", "none are needed"
    if not weights.name:
        return "yours", f"a file of yours: {parameter('weights', Placeholder('FILE'))}"
    return "cache", str(weights_folder() / weights.name)


def _remedies(encoder: Encoder, weights: Weights | None) -> Iterator[str]:
    """Yield what to do for what is missing, as lines of the shell where they are known."""
    for module in encoder.missing_modules:
        library = OPTIONAL_LIBRARIES.get(module)
        yield library.remedy if library else f"install the Python module {module}"
    if weights is not None and weights.name and not is_added(weights):
        yield f"{weights.source} && {call('add_encoder', Path(weights.package).name)}"
