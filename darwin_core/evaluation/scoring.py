"""Scores of a network on a part of the split: streamed, computed once, and continued after a kill."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import ArtifactRef, NetworkInput, OutputKind, Task
from darwin_core.data import MappedSplit
from darwin_core.networks import Predictor, load_network, network_inputs, output_kind, to_scores
from darwin_core.progress import Reporter
from darwin_core.storage import atomic_file

BATCH_ROWS = 512
_SAVE_EVERY_SECONDS = 5.0


@dataclass(frozen=True)
class LoadedNetwork:
    """A network that is evaluated, under the name that tables and curves use for it."""

    name: str
    sha256: str
    path: Path
    model: keras.Model
    kind: OutputKind
    inputs: tuple[NetworkInput, ...]

    @classmethod
    def load(cls, name: str, ref: ArtifactRef, path: Path, *, compiled: Path | None = None) -> LoadedNetwork:
        """Load a network safely.

        Args:
            name: ``reference``, ``candidate`` or ``champion``.
            ref: The stored file.
            path: The same file on this machine.
            compiled: The .keras file whose compile configuration says what the output means; None: its own.
        """
        model = load_network(path)
        return cls(name, ref.sha256, path, model, output_kind(model, compiled or path), network_inputs(model))

    def reads_from(self, other: LoadedNetwork) -> bool:
        """Whether every input of this network is one of the other's: same name, shape and dtype."""
        return set(self.inputs) <= set(other.inputs)


def score_split(
    network: LoadedNetwork, split: MappedSplit, folder: Path, part: str, reporter: Reporter
) -> NDArray[Any]:
    """Scores of all rows in their order, as a read-only memory map.

    Args:
        network: The network.
        split: The rows.
        folder: Where the scores are kept; a call that was killed continues in the same folder.
        part: Name of the rows (``test``), for the file name and the progress display.
        reporter: Where progress goes.

    Returns:
        Shape (n,) float64, or (n, classes) float32 for several classes or labels, or (n, height, width, classes).
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{part}-{network.sha256[:24]}.npy"
    if not target.exists():
        partial, position = target.with_suffix(".partial"), target.with_suffix(".position")
        done = _position(position)
        scores = _open(partial, network.kind, split.rows, fresh=done == 0)
        predictor = Predictor(network.model)
        with reporter.track(f"Scoring {part} rows with the {network.name}", split.rows) as tracker:
            tracker.advance(done)
            saved = time.monotonic()
            for start in range(done, split.rows, BATCH_ROWS):
                batch = split.take(np.arange(start, min(start + BATCH_ROWS, split.rows)))
                scores[start : start + len(batch.rows)] = to_scores(network.kind, predictor(batch.inputs, BATCH_ROWS))
                tracker.advance(len(batch.rows))
                if time.monotonic() - saved > _SAVE_EVERY_SECONDS:
                    saved = time.monotonic()
                    scores.flush()
                    with atomic_file(position) as file:
                        file.write(str(start + len(batch.rows)).encode())
            scores.flush()
        partial.replace(target)
        position.unlink(missing_ok=True)
    kept: NDArray[Any] = np.load(target, mmap_mode="r")
    return kept


def not_finite(scores: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows have a score that is no finite number, shape (n,)."""
    finite: NDArray[np.bool_] = np.isfinite(scores).reshape(len(scores), -1).all(axis=1)
    return ~finite


def _open(path: Path, kind: OutputKind, rows: int, *, fresh: bool) -> np.memmap[Any, Any]:
    several = kind.task in (Task.MULTICLASS, Task.MULTILABEL)
    shape: tuple[int, ...] = (rows, kind.units) if several else (rows,)
    if kind.task is Task.SEGMENTATION:
        several, shape = True, (rows, *kind.positions, kind.classes)
    mode = "w+" if fresh or not path.exists() else "r+"
    return np.lib.format.open_memmap(path, mode=mode, dtype=np.float32 if several else np.float64, shape=shape)


def _position(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return int(path.read_text())
    return 0
