"""Named variants: architectures, metrics and feature extractors."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Generic, TypeVar

from tartarus_cli.errors import RequestError, nearest

T = TypeVar("T")


class Registry(Generic[T]):
    """Variants of one kind, found by importing every module of one package at first use."""

    def __init__(self, kind: str, *, package: str) -> None:
        self._kind, self._package = kind, package
        self._variants: dict[str, T] = {}
        self._searched: tuple[str, ...] = ()

    def register(self, name: str) -> Callable[[T], T]:
        """Add a variant under ``name`` and hand it back unchanged."""

        def keep(variant: T) -> T:
            if name in self._variants:
                msg = f"two {self._kind}s are called {name!r}"
                raise ValueError(msg)
            self._variants[name] = variant
            return variant

        return keep

    def names(self) -> list[str]:
        """Every name, in alphabetical order."""
        folders = tuple(import_module(self._package).__path__)
        if folders != self._searched:
            for module in iter_modules(folders):
                import_module(f"{self._package}.{module.name}")
            self._searched = folders
        return sorted(self._variants)

    def get(self, name: str) -> T:
        """Return the variant called ``name``, or say which names are near."""
        known = self.names()
        if name not in known:
            msg = f"there is no {self._kind} called {name!r}"
            raise RequestError(msg, hint=nearest(name, known))
        return self._variants[name]
