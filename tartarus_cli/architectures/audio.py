"""Networks on spectrogram patches: what their options are; they cannot be built yet."""

from typing import Annotated

from pydantic import Field

from tartarus_cli.architectures import ARCHITECTURES, Architecture, NetworkOptions

Length = Annotated[int, Field(ge=1, strict=True)]
Window = tuple[Length, Length]  # frames, bins


class AudioCnnOptions(NetworkOptions):
    """Stages of convolution (valid padding), relu, max pooling and dropout, then dense layers."""

    kernels: tuple[Window, ...]
    filters: tuple[Length, ...]
    pools: tuple[Window, ...]


ARCHITECTURES.register("audio_cnn")(Architecture(AudioCnnOptions, "patches", 1, build=None))
