"""Deep-learning experiments on audio and text: the front door for notebooks and scripts.

Everything that one calls is here by name and loads its module at first use:
``import tartarus_cli as tt``, then ``tt.run("cold_multi", "a-sem-emb", "audio-emb")``. The rooms
of pure computations (``tt.metrics``, ``tt.factorization``, ``tt.audio``, ``tt.text``) can be used
by themselves.
"""

import os
import sys
from types import ModuleType
from typing import Any

import lazy_loader as lazy

# JAX unless the user chose: the environment counts, ~/.keras/keras.json does not, because Keras
# writes that file itself, with tensorflow in it, at its first import.
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND", "").strip() or "jax"

_attribute, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

_BOTH = {"encoders": "encoders", "features": "settings", "text": "settings", "run": "models"}
"""What is a module of the package and a function of the front door; the module of the latter."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tartarus-cli")
    if name in _BOTH:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    return _attribute(name)


class _CallableModule(ModuleType):
    """A module that is called as the function of its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        import importlib

        name = self.__name__.rpartition(".")[2]
        api = importlib.import_module(f"{__package__}.api.{_BOTH[name]}")
        return getattr(api, name)(*args, **kwargs)


class _Package(ModuleType):
    """The package, whose attributes stay callable when modules of their names are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _BOTH and isinstance(value, ModuleType):
            value.__class__ = _CallableModule
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
