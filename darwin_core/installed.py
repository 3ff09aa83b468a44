"""Versions of what is installed. Imports nothing heavy."""

from __future__ import annotations

from importlib import metadata
from typing import Final

_BUILDS: Final = ("", "-cpu")
"""What a distribution's name may end in: Darwin's image for processors holds tensorflow-cpu in tensorflow's place."""


def installed_version(package: str) -> str:
    """The version of a package, or of its build for processors alone.

    Args:
        package: The distribution's plain name, e.g. ``tensorflow``.

    Raises:
        PackageNotFoundError: Neither is installed.
    """
    for build in _BUILDS:
        try:
            return metadata.version(package + build)
        except metadata.PackageNotFoundError:
            continue
    raise metadata.PackageNotFoundError(package)
