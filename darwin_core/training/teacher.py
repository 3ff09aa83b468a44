"""The teacher's outputs, computed once per content and shared by all offspring, generations and runs.

Layout: ``<root>/<key>.npy``, one row of raw outputs per training row, memory-mapped. The key digests the reference, the
data, the network inputs and the view. While a file is being filled it is called ``<key>.partial.npy`` and
``<key>.progress`` holds the number of rows done, so that a killed run goes on where it stopped. A lock file lets only
one process fill; the lock dies with its process.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from darwin_core.data import MappedSplit
from darwin_core.progress import Reporter
from darwin_core.storage import atomic_file
from darwin_core.training.views import PLAIN, View

_BLOCK_ROWS = 1024

Outputs = npt.NDArray[np.float32]
Predict = Callable[[Mapping[str, npt.NDArray[np.generic]]], npt.NDArray[np.generic]]


class TeacherCache:
    """Raw outputs of one reference network on whole splits.

    Args:
        root: Folder shared by all runs on the machine.
        reference_sha256: Digest of the reference's file.
        predict: The reference: inputs -> raw outputs, shape (rows, units).
        reporter: Where progress goes.
    """

    def __init__(self, root: Path, reference_sha256: str, predict: Predict, reporter: Reporter) -> None:
        self._root, self._reference = root, reference_sha256
        self._predict, self._reporter = predict, reporter

    def outputs(self, split: MappedSplit, data_sha256: str, view: View = PLAIN) -> Outputs:
        """The teacher's outputs on all rows of a split, read only.

        Args:
            split: The rows.
            data_sha256: Digest of the split's file.
            view: Which variation of the rows.

        Returns:
            A memory map of shape (rows, units).
        """
        path = self._root / f"{self._key(split, data_sha256, view)}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path.with_suffix(".lock")):
                if not path.exists():
                    self._fill(path, split, view)
        found: Outputs = np.load(path, mmap_mode="r")
        return found

    def _key(self, split: MappedSplit, data_sha256: str, view: View) -> str:
        parts = (self._reference, data_sha256, str(split.rows), ",".join(sorted(split.inputs)), view.name)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]

    def _fill(self, path: Path, split: MappedSplit, view: View) -> None:
        partial, progress = path.with_suffix(".partial.npy"), path.with_suffix(".progress")
        done = _read_progress(progress) if partial.exists() else 0
        outputs = np.load(partial, mmap_mode="r+") if done else None
        with self._reporter.track(f"Teacher outputs ({view.name})", total=split.rows) as tracker:
            tracker.advance(done)
            for start in range(done, split.rows, _BLOCK_ROWS):
                # Blocks are aligned, so a resumed fill feeds the teacher the very same batches.
                block = self._block(split, view, start)
                if outputs is None:
                    shape = (split.rows, *block.shape[1:])
                    outputs = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
                outputs[start : start + len(block)] = block
                outputs.flush()
                _write_progress(progress, start + len(block))
                tracker.advance(len(block))
        partial.replace(path)
        progress.unlink(missing_ok=True)

    def _block(self, split: MappedSplit, view: View, start: int) -> Outputs:
        rows = np.arange(start, min(start + _BLOCK_ROWS, split.rows))
        return np.asarray(self._predict(view.inputs(split, rows)), dtype=np.float32)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _read_progress(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _write_progress(path: Path, rows: int) -> None:
    with atomic_file(path) as handle:
        handle.write(str(rows).encode())
