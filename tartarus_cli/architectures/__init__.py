"""Networks by name: each is a function from input shapes and its own options to a Keras model.

``ARCHITECTURES.names()`` lists them. The layers come from
:class:`~tartarus_cli.layers.LayerFactory`, which names and seeds them.
"""

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
Shape = tuple[int, ...]
"""Shape of one item of one input: ``(width,)``, ``(frames, bins, 1)`` or ``(words,)``."""


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, int | float) else value


Width = Annotated[int, Field(ge=1, le=1 << 20, strict=True)]
Widths = Annotated[tuple[Width, ...], BeforeValidator(_as_tuple)]
"""Widths of layers, in order; a single number stands for a list of one."""

Length = Annotated[int, Field(ge=1, strict=True)]
DropoutRate = Annotated[float, Field(ge=0, lt=1, strict=True)]


class NetworkOptions(BaseModel):
    """Options that every network has; each adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Name of the architecture."""

    output: Output
    """What the last layer does: an activation, or division by the L2 norm."""

    hidden: Widths = ()
    """Widths of dense relu layers before the output."""

    dropout: DropoutRate = 0.0
    """Share of the values that dropout sets to 0 in training."""


NetworkBuilder = Callable[[Sequence[Shape], Any, int, int], "keras.Model"]
"""Builds a network from the input shapes, the options, the width of the output, and the seed of the
first weights and of dropout."""


@dataclass(frozen=True)
class Architecture:
    """A registered network, which experiments can name."""

    options: type[NetworkOptions]
    """The pydantic model of its options."""

    inputs: InputKind | tuple[InputKind, ...]
    """Kinds of its inputs: one for all of them, or one for each."""

    most_inputs: int | None
    """Number of inputs at most; None: any number."""

    build: NetworkBuilder

    def reads(self, kinds: tuple[InputKind, ...]) -> bool:
        """Whether it takes inputs of these kinds, in this order."""
        return kinds == self.inputs if isinstance(self.inputs, tuple) else {*kinds} == {self.inputs}


ARCHITECTURES: Registry[Architecture] = Registry(
    "network", package=__name__, group="tartarus.architectures"
)


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
        The name by which ``network.name`` of an experiment selects it.
    options
        The pydantic model that checks the ``network`` section of an experiment.
    inputs
        Kind of all inputs, or the kind of each input in order.
    most_inputs
        Number of inputs at most; any number if None, or one of each kind if there are several.
    """
    most = len(inputs) if isinstance(inputs, tuple) else most_inputs

    def keep(build: NetworkBuilder) -> NetworkBuilder:
        ARCHITECTURES.register(name)(Architecture(options, inputs, most, build))
        return build

    return keep
