"""Networks by name: each is a function from input shapes and its own options to a Keras model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tartarus_cli.registry import Registry

if TYPE_CHECKING:
    import keras

InputKind = Literal["features", "patches", "sequence"]
Output = Literal["unit_norm", "linear", "sigmoid", "softmax"]
Shape = tuple[int, ...]  # of one item of one input: (width,), (frames, bins, 1) or (words,)


def _one_is_a_list(value: Any) -> Any:
    return (value,) if isinstance(value, int | float) else value


Width = Annotated[int, Field(ge=1, le=1 << 20, strict=True)]
Widths = Annotated[tuple[Width, ...], BeforeValidator(_one_is_a_list)]  # 512 means [512]
Length = Annotated[int, Field(ge=1, strict=True)]
DropoutRate = Annotated[float, Field(ge=0, lt=1, strict=True)]


class NetworkOptions(BaseModel):
    """What every network is told; each adds its own options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    output: Output
    hidden: Widths = ()  # dense relu layers before the output
    dropout: DropoutRate = 0.0


# Input shapes, options, width of the output, seed of the first weights and of dropout.
NetworkBuilder = Callable[[Sequence[Shape], Any, int, int], "keras.Model"]


@dataclass(frozen=True)
class Architecture:
    """A network that experiments can name."""

    options: type[NetworkOptions]
    inputs: InputKind | tuple[InputKind, ...]  # what it reads: one kind, or one for each input
    most_inputs: int | None  # None: any number
    build: NetworkBuilder

    def reads(self, kinds: tuple[InputKind, ...]) -> bool:
        """Whether it can be given inputs of these kinds, in this order."""
        return kinds == self.inputs if isinstance(self.inputs, tuple) else {*kinds} == {self.inputs}


ARCHITECTURES: Registry[Architecture] = Registry("network", package=__name__)


def architecture(
    name: str,
    *,
    options: type[NetworkOptions],
    inputs: InputKind | tuple[InputKind, ...] = "features",
    most_inputs: int | None = None,
) -> Callable[[NetworkBuilder], NetworkBuilder]:
    """Register a function as the network called ``name``.

    Parameters
    ----------
    name
        What ``network.name`` of an experiment says.
    options
        The pydantic model that checks the ``network`` section.
    inputs
        What the network reads: inputs of one kind, or an input of each of several kinds in order.
    most_inputs
        How many inputs it can take; any number if None, or as many as there are kinds.
    """
    most = len(inputs) if isinstance(inputs, tuple) else most_inputs

    def keep(build: NetworkBuilder) -> NetworkBuilder:
        ARCHITECTURES.register(name)(Architecture(options, inputs, most, build))
        return build

    return keep
