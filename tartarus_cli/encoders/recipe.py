"""Recipes of vectors: an encoder with all that its vectors depend on, but for what it reads."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator
from pydantic_core.core_schema import ValidationInfo

from tartarus_cli.audio.patches import DECODING
from tartarus_cli.encoders import ENCODERS, Encoder, EncoderOptions, LoadedEncoder

Seconds = Annotated[float, Field(ge=0.01, le=36_000, allow_inf_nan=False)]


class EncoderRecipe(BaseModel):
    """How the vectors of the windows of a recording, or that of a document, are made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str
    """Name of a registered encoder."""

    version: str
    """Its version; another one makes other vectors."""

    packages: dict[str, str] = {}
    """Package that its vectors depend on → version."""

    options: SerializeAsAny[EncoderOptions]
    """Its parameters; a dictionary of some of them will do."""

    layer: str = ""
    """Name of the output that is taken."""

    window_s: Seconds | None = None
    """Seconds of a window; None: the whole recording is one, or it is a document."""

    hop_s: Seconds | None = None
    """Seconds from one window to the next; None: the whole recording is one."""

    weights: str = ""
    """SHA-256 of the file of weights, in hexadecimal digits; empty if there is none."""

    @field_validator("options", mode="before")
    @classmethod
    def _parse_options(cls, value: Any, info: ValidationInfo) -> Any:
        options = ENCODERS.get(str(info.data.get("encoder"))).options
        return options.model_validate(value) if isinstance(value, dict) else value

    @property
    def variant(self) -> Encoder:
        """The encoder itself.

        Raises
        ------
        RequestError
            If none of this name is registered.
        """
        return ENCODERS.get(self.encoder)

    @property
    def sample_rate(self) -> int:
        """Samples a second that it expects of recordings."""
        return self.variant.sample_rate(self.options)

    @property
    def key(self) -> str:
        """Hash of all that vectors depend on, but for the file; 32 hexadecimal digits."""
        decoding = DECODING if self.variant.kind == "audio" else 1
        text = f"{decoding} {self.model_dump_json()}"
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def describe(self) -> str:
        """Say in a few words what makes the vectors.

        >>> EncoderRecipe(encoder="mel-stats", version="1", options={}, window_s=3).describe()
        'mel-stats, windows of 3 s'
        """
        layer = f", layer {self.layer}" if len(self.variant.layers) > 1 else ""
        window = f", windows of {self.window_s:g} s" if self.window_s else ""
        hop = f" every {self.hop_s:g} s" if self.hop_s not in (None, self.window_s) else ""
        return f"{self.encoder}{layer}{window}{hop}"


@lru_cache(maxsize=1)
def load_encoder(recipe_json: str, weights: Path | None) -> LoadedEncoder:
    """Return the encoder of a recipe, loaded once a process.

    Parameters
    ----------
    recipe_json
        The recipe, as JSON.
    weights
        The file of weights; None if there is none.

    Raises
    ------
    TartarusError
        If the encoder lacks something; the hint says what to install or to add.
    """
    recipe = EncoderRecipe.model_validate_json(recipe_json)
    return recipe.variant.load(recipe.options, weights, recipe.layer)
