"""Generators by name, so that a request can ask for one. Own strategies join with :func:`register_generator`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from darwin_core.errors import RequestError
from darwin_core.synthesis.generators.base import Generator

_GENERATORS: dict[str, Callable[[], Generator]] = {}
_Strategy = TypeVar("_Strategy", bound=type[Generator])


def register_generator(strategy: _Strategy) -> _Strategy:
    """Class decorator that makes a generator available under its ``name``; an earlier one of that name is replaced.

    The class is constructed without arguments.
    """
    _GENERATORS[strategy.name] = strategy
    return strategy


def generator_named(name: str) -> Generator:
    """A generator registered under ``name``.

    Raises:
        RequestError: There is none.
    """
    if name not in _GENERATORS:
        raise RequestError(f"Unknown generator {name!r}.", hint=f"Known generators: {', '.join(sorted(_GENERATORS))}.")
    return _GENERATORS[name]()
