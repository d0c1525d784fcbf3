"""This module provides the trap for global randomness at run time: who draws from it is judged by the calling file.

numpy's and Python's global functions are exchanged for ones that note the caller and then do what they always did. The
class ``RandomState`` stays itself, so types and pickles stay whole; it is told by the entropy that numpy fetches for
every new state, also for one that a seed overwrites at once. The same entropy gives away a generator without a seed.

Out of reach: other processes (Spark's workers), code that has put a function away elsewhere than in a module's names
before the trap was set, methods of a state object, ``RandomState(bit_generator)``, and Python functions handed to a
library that calls them. Reading the code (``gauntlet.core.random_calls``) finds most of these.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any, Self

from gauntlet.core.errors import RequirementError

# One trap a process: two would hand each other's functions back.
_SET = threading.Lock()
# ``numpy.random.mtrand`` holds the same functions again.
_MODULES = ("numpy.random", "numpy.random.mtrand", "random")
_ENTROPY_MODULE, _ENTROPY_NAME = "numpy.random.bit_generator", "randbits"
_NO_STATE = frozenset({"default_rng", "test"})
_ENTROPY_USE = "numpy.random.RandomState, or a generator without a seed"


@dataclass(frozen=True)
class RandomUse:
    """One place that used global randomness.

    Attributes:
        path: The file of the calling code.
        line: The line, from 1.
        function: What it called, by its full name.
    """

    path: Path
    line: int
    function: str

    def __str__(self) -> str:
        """Return the place and what it called."""
        return f"{self.path}:{self.line}: {self.function}"


class RandomTrap:
    """Notes, while it is set, every use of global randomness by some files; all results stay what they are.

    Example:
        >>> with RandomTrap([Path("mine.py")]) as trap:
        ...     pass
        >>> trap.uses
        ()
    """

    def __init__(self, code: Collection[Path]) -> None:
        """Name the files that are watched.

        Args:
            code: Python files. What is called from any other file passes.
        """
        self._code = tuple(code)
        self._watched: dict[str, Path | None] = {}
        self._names: frozenset[str] = frozenset()
        self._uses: dict[RandomUse, None] = {}
        self._originals: dict[int, tuple[Any, Any]] = {}
        self._is_set = False

    @property
    def uses(self) -> tuple[RandomUse, ...]:
        """What was used, each place and function once, in the order of their first uses."""
        return tuple(self._uses)

    def __enter__(self) -> Self:
        """Set the trap in all threads.

        Raises:
            RequirementError: If another one is set, or this numpy fetches its entropy in another way.
        """
        if not _SET.acquire(blocking=False):
            raise RequirementError("a trap for global randomness is set already in this process; leave that one first")
        try:
            self._watched = {str(place): path for path in self._code for place in (path, path.resolve())}
            self._names = frozenset(path.name for path in self._code)
            self._set()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put everything back, whatever happened."""
        self._release()

    def _set(self) -> None:
        import numpy.random.mtrand  # noqa: F401, PLC0415 - its modules are taken by name below

        entropy = sys.modules[_ENTROPY_MODULE]
        if not _fetches_entropy(entropy):
            raise RequirementError(
                f"this version of numpy makes RandomState without {_ENTROPY_MODULE}.{_ENTROPY_NAME}, by which the trap "
                "tells it; use one of the versions that Gauntlet asks for"
            )
        exchanged = {id(function): self._watching(name, function) for name, function in _global_functions()}
        for module in (*(sys.modules[name] for name in _MODULES), *self._modules_of_code()):
            _exchange(module, exchanged)
        fetch = getattr(entropy, _ENTROPY_NAME)
        _exchange(entropy, {id(fetch): self._watching(_ENTROPY_USE, fetch)})
        self._is_set = True

    def _release(self) -> None:
        self._is_set = False
        # Modules that were imported meanwhile may have taken functions over.
        back = {place: original for place, (_, original) in self._originals.items()}
        try:
            for module in list(sys.modules.values()):
                _exchange(module, back)
        finally:
            self._originals.clear()
            _SET.release()

    def _modules_of_code(self) -> Iterator[ModuleType]:
        """Return the modules of the watched files: they may have taken functions over by ``from … import``."""
        for module in list(sys.modules.values()):
            if self._path_of(_names_of(module).get("__file__")) is not None:
                yield module

    def _watching(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def watching(*args: Any, **kwargs: Any) -> Any:
            self._note(sys._getframe(1), name)
            return function(*args, **kwargs)

        # A pickle of it names the place where the true function lies.
        watching.__module__, _, watching.__qualname__ = name.rpartition(".")
        self._originals[id(watching)] = (watching, function)
        return watching

    def _note(self, frame: FrameType, function: str) -> None:
        path = self._path_of(frame.f_code.co_filename)
        if path is not None and self._is_set:
            self._uses.setdefault(RandomUse(path, frame.f_lineno, function))

    def _path_of(self, name: str | None) -> Path | None:
        """Return the watched file of a name that Python gives it; None if it is not watched."""
        if name is None or name in self._watched:
            return self._watched.get(name or "")
        known = Path(name).name in self._names
        self._watched[name] = self._watched.get(str(Path(name).resolve())) if known else None
        return self._watched[name]


def _names_of(module: Any) -> dict[str, Any]:
    """Return a module's names.

    Some modules load themselves at the first look at an attribute, which this avoids; some entries of ``sys.modules``
    only call themselves modules.
    """
    return object.__getattribute__(module, "__dict__") if issubclass(type(module), ModuleType) else {}


def _exchange(module: Any, exchanged: Mapping[int, Any]) -> None:
    """Put other values for those of a module's names that have these identities."""
    names = _names_of(module)
    for name, value in list(names.items()):
        if id(value) in exchanged:
            names[name] = exchanged[id(value)]


def _fetches_entropy(module: ModuleType) -> bool:
    """Return whether numpy's function for entropy is asked when a state is made."""
    asked: list[int] = []
    function = getattr(module, _ENTROPY_NAME, None)
    if function is None:
        return False

    def asking(bits: int) -> int:
        asked.append(bits)
        return int(function(bits))

    setattr(module, _ENTROPY_NAME, asking)
    try:
        sys.modules["numpy.random"].RandomState(0)
    finally:
        setattr(module, _ENTROPY_NAME, function)
    return bool(asked)


def _global_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Return the functions that share one state, with their full names."""
    # Not imported by name, so that the search for global randomness need not except this file.
    numpys, pythons = sys.modules["numpy.random"], sys.modules["random"]
    for name, value in sorted(vars(numpys).items()):
        if not name.startswith("_") and callable(value) and not isinstance(value, type) and name not in _NO_STATE:
            yield f"numpy.random.{name}", value
    for name, value in sorted(vars(pythons).items()):
        if not name.startswith("_") and isinstance(getattr(value, "__self__", None), pythons.Random):
            yield f"random.{name}", value
