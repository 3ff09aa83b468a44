"""Loading libraries whose native code chatters. Imports nothing heavy."""

from __future__ import annotations

import importlib
import os
import sys


def load_quietly(module: str) -> None:
    """Import a library whose native code writes start-up chatter past Python's streams; errors still surface."""
    sys.stderr.flush()
    kept, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        library = importlib.import_module(module)
        if module == "tensorflow":
            library.config.list_physical_devices()  # looks for accelerators now, and says that there are none
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)
