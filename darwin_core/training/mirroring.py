"""Does a mirrored picture keep its label? A shirt does, a road sign becomes another one.

The reference knows: where left and right matter, or were never mixed in its training, it errs on mirrored pictures.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from darwin_core.contracts import OutputKind, Task
from darwin_core.evaluation.proportions import paired_difference
from darwin_core.networks import to_scores

_LARGEST_LOSS = 0.05
_CONFIDENCE = 0.95


def mirror_keeps_labels(
    kind: OutputKind,
    labels: npt.NDArray[np.integer],
    plain: npt.NDArray[np.floating],
    mirrored: npt.NDArray[np.floating],
) -> bool:
    """Whether the reference provably recognises mirrored pictures about as well as the pictures themselves.

    Of no class may it lose more than one in twenty, at the lower 95 % bound of the paired difference (Tango 1998). A
    class of fewer than some fifty pictures cannot prove that, so data of few pictures are not mirrored.

    Args:
        kind: How to read the outputs; several labels: a class is the pictures that have a label.
        labels: Class indices, shape (rows,); several labels: zeros and ones, (rows, labels).
        plain: The reference's raw outputs on pictures that it was not fitted to, shape (rows, units).
        mirrored: The same on the mirrored pictures.
    """
    truth = np.asarray(labels)
    if truth.ndim == 1:
        right, still = (_decisions(kind, outputs) == truth for outputs in (plain, mirrored))
        classes = truth
    else:
        rows, classes = np.nonzero(truth)
        right, still = (_decisions(kind, outputs)[rows, classes] for outputs in (plain, mirrored))
    for index in range(max(kind.units, 2) if truth.ndim == 1 else kind.units):
        own = classes == index
        gained, lost = int((own & ~right & still).sum()), int((own & right & ~still).sum())
        if paired_difference(int(own.sum()), gained, lost, confidence=_CONFIDENCE).low < -_LARGEST_LOSS:
            return False
    return True


def _decisions(kind: OutputKind, outputs: npt.NDArray[np.floating]) -> npt.NDArray[np.generic]:
    scores = to_scores(kind, np.asarray(outputs))
    return scores.argmax(axis=1) if kind.task is Task.MULTICLASS else scores >= 0.5
