"""Which image the container launchers start."""

from __future__ import annotations

import os
from typing import Final

from airflow.providers.common.compat.sdk import conf

from darwin_core import __version__

ENVIRONMENT_VARIABLE: Final = "DARWIN_IMAGE"

COMMAND: Final = ("python", "-m", "darwin_core")
"""What a container runs before the arguments. Given outright, so that any image with the engine will do."""


def find_image(given: str | None) -> str:
    """The image's name: the argument, else option ``image`` of section ``darwin``, else ``DARWIN_IMAGE``.

    Without any of them it is ``darwin-mlops:<version>``: provider and engine are one distribution, and the tag is its
    version.
    """
    configured = str(conf.get("darwin", "image", fallback=""))
    return given or configured or os.environ.get(ENVIRONMENT_VARIABLE) or f"darwin-mlops:{__version__}"
