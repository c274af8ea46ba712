"""Named variants: architectures, metrics and feature extractors, of this package and of plug-ins.

A plug-in is a module of another package that an entry point names, or a file of code that the user
names. Nothing is looked for or imported before a registry is used for the first time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tartarus_cli.errors import PluginError, RequestError, display_path, nearest
from tartarus_cli.progress import warn

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

CODE_PREFIX = "tartarus_code_"
"""Names of modules that are files of code begin with this."""

BUILT_IN = "Tartarus itself"
"""What messages call this package."""

_REGISTRIES: list[Registry[Any]] = []


@dataclass(frozen=True)
class _Variant(Generic[T]):
    value: T
    module: str
    """Name of the module that registered it."""


class Registry(Generic[T]):
    """Variants of one kind, found at first use.

    Parameters
    ----------
    kind
        What a variant is called in messages, such as ``metric``.
    package
        A package of ours; every module of it is imported, and what they register is built in.
    group
        The group of entry points that are loaded, whichever package they are of.
    reserved
        Names that no plug-in may take, though no variant has them.
    """

    def __init__(
        self, kind: str, *, package: str, group: str, reserved: tuple[str, ...] = ()
    ) -> None:
        self.kind, self.group = kind, group
        self._package, self._reserved = package, reserved
        self._variants: dict[str, _Variant[T]] = {}
        self._searched: tuple[str, ...] = ()
        self._entry_points_loaded = False
        self._announced: dict[str, str] = {}
        """Entry point → the package that has it."""
        self._broken: dict[str, PluginError] = {}
        """Entry point → why it could not be imported."""
        self._warnings: list[str] = []
        _REGISTRIES.append(self)

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that adds a variant under ``name``, and returns it unchanged.

        Of two plug-ins with one name the second is left out, with a warning. A module that is
        loaded again, or a cell of a notebook that runs again, replaces what it registered.

        Raises
        ------
        RequestError
            If a file of code, or the main script, takes a name that exists already.
        ValueError
            If two modules of this package take the same name.
        """

        def keep(variant: T) -> T:
            module = self._registering_module()
            built_in = self._is_of_package(module)
            if not built_in:
                self._import_package()
            if _is_strict(module):
                self._load_entry_points()
            known = self._variants.get(name)
            again = (
                known is not None and known.module == module and not self._registers_once(module)
            )
            if again or (known is None and (built_in or name not in self._reserved)):
                self._variants[name] = _Variant(variant, module)
            else:
                self._refuse(name, module)
            return variant

        return keep

    def names(self) -> list[str]:
        """Return all names in alphabetical order, those of plug-ins included."""
        self._import_package()
        self._load_entry_points()
        for message in self._warnings:
            warn(message)
        return sorted(self._variants)

    def get(self, name: str) -> T:
        """Return the variant called ``name``.

        Raises
        ------
        RequestError
            If there is none; the hint names similar ones.
        PluginError
            If a plug-in of this name could not be imported.
        """
        known = self.names()
        if name not in known:
            raise self.absent(name)
        return self._variants[name].value

    def absent(self, name: str, others: tuple[str, ...] = ()) -> PluginError | RequestError:
        """Return the error that says why there is no variant called ``name``.

        Parameters
        ----------
        name
            The name that was looked up.
        others
            Further names that are valid in the same place.
        """
        known = self.names()
        if name in self._broken:
            return self._broken[name]
        hint = nearest(name, [*known, *others])
        if name in self._announced:
            package = self._announced[name]
            hint = f"{package} announces it, and registers no {self.kind} of this name. {hint}"
        return RequestError(f"there is no {self.kind} called {name!r}", hint=hint)

    def broken(self, name: str) -> bool:
        """Whether a plug-in of this name exists and could not be imported."""
        self.names()
        return name in self._broken

    def is_built_in(self, name: str) -> bool:
        """Whether the variant called ``name`` is one of this package."""
        return name in self.names() and self._is_of_package(self._variants[name].module)

    def origin(self, name: str) -> str:
        """Return what registered the variant called ``name``: a package, a module or a file."""
        return self._origin(self._variants[name].module)

    def drop_unloaded(self) -> None:
        """Take out what was registered by modules that are not loaded: their import failed."""
        self._variants = {n: v for n, v in self._variants.items() if v.module in sys.modules}

    def _import_package(self) -> None:
        folders = tuple(import_module(self._package).__path__)
        if folders != self._searched:
            for module in iter_modules(folders):
                import_module(f"{self._package}.{module.name}")
            self._searched = folders

    def _load_entry_points(self) -> None:
        if self._entry_points_loaded:
            return
        self._entry_points_loaded = True
        for point in _entry_points(self.group):
            package = f"the package {point.dist.name}" if point.dist else "a package"
            self._announced[point.name] = package
            try:
                with importing():
                    point.load()
            except (Exception, SystemExit) as problem:  # noqa: BLE001 — whatever its import raises
                forget_unloaded()
                self._leave_out(point, package, problem)

    def _leave_out(self, point: EntryPoint, package: str, problem: BaseException) -> None:
        reason = " ".join(f"{type(problem).__name__}: {problem}".split())
        plugin = f"the {self.kind} plug-in {point.name!r} of {package} ({point.value})"
        self._warnings.append(f"{plugin} cannot be imported and is left out: {reason}")
        hint = f"Install what it needs, update or remove {package}, "
        hint += f"or take another {self.kind}."
        self._broken[point.name] = PluginError(f"{plugin} cannot be imported: {reason}", hint=hint)

    def _refuse(self, name: str, module: str) -> None:
        """Raise an error, or add a warning, because a name is taken."""
        if self._is_of_package(module):
            msg = f"two {self.kind}s are called {name!r}"
            raise ValueError(msg)
        first = self.origin(name) if name in self._variants else BUILT_IN
        msg = f"the {self.kind} {name!r} of {self._origin(module)} has the name of one of {first}"
        if _is_strict(module):
            raise RequestError(msg, hint="Give it another name.")
        self._warnings.append(f"{msg}, and is left out")

    def _registers_once(self, module: str) -> bool:
        """Whether a module registers each name once: if it does so twice, that is a mistake."""
        return self._is_of_package(module) or module.startswith(CODE_PREFIX)

    def _is_of_package(self, module: str) -> bool:
        return module.startswith(f"{self._package}.")

    def _origin(self, module: str) -> str:
        if self._is_of_package(module):
            return BUILT_IN
        if module.startswith(CODE_PREFIX):
            return display_path(Path(sys.modules[module].__file__ or module))
        return module

    def _registering_module(self) -> str:
        """Name the module that registers: the first up the stack that is not the machinery.

        Only the stack tells: a plug-in may be what imports a module of this package first.
        """
        frame = sys._getframe(1)
        while frame.f_back and frame.f_globals.get("__name__") in (__name__, self._package):
            frame = frame.f_back
        return str(frame.f_globals.get("__name__"))


def _is_strict(module: str) -> bool:
    """Whether the user named the module, so that what it registers may not be left out."""
    return module.startswith(CODE_PREFIX) or module == "__main__"


def _entry_points(group: str) -> list[EntryPoint]:
    """Return the entry points of a group, always in the same order."""
    from importlib.metadata import entry_points

    points = entry_points(group=group)
    return sorted(points, key=lambda point: (point.dist.name if point.dist else "", point.name))


@contextmanager
def importing() -> Iterator[None]:
    """Import foreign code: what it prints goes to standard error, as output belongs to results."""
    with redirect_stdout(sys.stderr):
        yield


def forget_unloaded() -> None:
    """Take out of all registries what modules registered that failed afterwards."""
    for registry in _REGISTRIES:
        registry.drop_unloaded()
