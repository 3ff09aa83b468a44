"""The process that converts: ``python -m darwin_core.exports.conversion FORMAT NETWORK FILE [ROWS]``.

NETWORK is a core as `darwin_core.exports.core` saves it, so it comes from this program and is trusted.
"""

from __future__ import annotations

import sys
from pathlib import Path

from darwin_core.arrays import load_arrays
from darwin_core.contracts import ExportFormat
from darwin_core.errors import DarwinError
from darwin_core.exports.registry import EXPORTERS

_MOST_CHARACTERS = 400


def main(name: str, network: str, file: str, rows: str | None = None) -> None:
    """Convert; what goes wrong is said in one line."""
    import keras

    core = keras.saving.load_model(network, compile=False, safe_mode=True)
    try:
        EXPORTERS[ExportFormat(name)].convert(core, Path(file), None if rows is None else load_arrays(Path(rows)))
    except DarwinError as error:
        raise SystemExit(str(error)) from error
    except Exception as error:  # converters raise whatever they like
        raise SystemExit(f"{type(error).__name__}: {' '.join(str(error).split())[:_MOST_CHARACTERS]}") from error


if __name__ == "__main__":
    main(*sys.argv[1:])
