"""What a format is: how a network gets into it, and how a file of it is run."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from darwin_core.arrays import Arrays
from darwin_core.contracts import ExportFormat
from darwin_core.errors import MissingExtraError
from darwin_core.installed import installed_version

if TYPE_CHECKING:
    import keras

Runner = Callable[[Arrays], NDArray[Any]]
"""Rows in, raw outputs of shape (rows, units) out."""

OUTPUT = "output"
"""Every file gives its output under this name, as the SavedModel does."""


class Exporter(ABC):
    """One format. Its file takes tensors by input name and gives the raw output as ``output``.

    Libraries are imported inside the methods: `convert` runs in one process and `open` in another, and neither needs
    what the other one does.

    Attributes:
        format: The format's name.
        file: Name of the file that is written.
        runtime: The package that runs a file.
        packages: All packages that conversion and running need besides the engine.
        extra: The extra of this distribution that installs them; None where the engine has them.
        backend: The Keras backend under which the network is converted.
        batch_size: Rows per call; None: any number.
        calibrated: Whether conversion needs example rows.
    """

    format: ClassVar[ExportFormat]
    file: ClassVar[str]
    runtime: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str | None] = None
    backend: ClassVar[str] = "tensorflow"
    batch_size: ClassVar[int | None] = None
    calibrated: ClassVar[bool] = False

    def check_installed(self) -> None:
        """Raise where a package is missing.

        Raises:
            MissingExtraError: The extra that installs it is named.
        """
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            raise MissingExtraError(
                f"The export format {self.format} needs {', '.join(missing)}, which is not installed here.",
                hint=f"Install it with: pip install 'darwin-mlops[{self.extra}]'.",
            )

    def runtime_version(self) -> str:
        """Package and version that run a file, e.g. ``onnxruntime 1.32.0``."""
        return f"{self.runtime} {installed_version(self.runtime)}"

    @abstractmethod
    def convert(self, core: keras.Model, path: Path, calibration: Arrays | None) -> None:
        """Write the file.

        Args:
            core: A network that takes numbers only, as a dict by input name, under Keras backend `backend`.
            path: Where the file goes.
            calibration: Example rows, where `calibrated`.

        Raises:
            NetworkError: The format cannot hold the network.
        """

    @abstractmethod
    def open(self, path: Path, threads: int) -> Runner:
        """A function that runs a file on rows, with that many threads."""


def one_row_calls(run: Runner) -> Runner:
    """A runner of files that take one row per call."""

    def run_all(rows: Arrays) -> NDArray[Any]:
        count = len(next(iter(rows.values())))
        if count == 1:
            return run(rows)
        parts = [run({name: values[row : row + 1] for name, values in rows.items()}) for row in range(count)]
        return np.concatenate(parts)

    return run_all
