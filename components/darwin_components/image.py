"""The image that all steps run on."""

from __future__ import annotations

import os
from typing import Final

from darwin_core import __version__

IMAGE_VARIABLE: Final = "DARWIN_IMAGE"

IMAGE: Final = os.environ.get(IMAGE_VARIABLE) or f"darwin-mlops:{__version__}"
"""Tagged with the package's version. Set ``DARWIN_IMAGE`` while compiling to name a registry and pin a digest:
``DARWIN_IMAGE=registry.bank.example/darwin-mlops@sha256:...``."""
