"""How far pictures may be varied in training, and still be what they were.

A road sign that is turned and lit otherwise is the same sign, and mirrored it is another one; with clothes that were
photographed alike it is the other way round. The reference knows: on what goes beyond its data it errs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from darwin_core.contracts import OutputKind, Task, Variation
from darwin_core.evaluation.proportions import paired_difference
from darwin_core.networks import to_scores
from darwin_core.training.views import MIRRORED, PLAIN, View, WarpView

_GENTLE, _STRONGER = 0.25, (1.0, 0.5)
_MOST_LOST_AT_ALL = 0.05
_MOST_LOST = 0.015
_MOST_LOST_MIRRORED = 0.05
_CONFIDENCE = 0.95

Outputs = npt.NDArray[np.floating]


def choose_variation(
    kind: OutputKind, labels: npt.NDArray[np.integer], outputs: Callable[[View], Outputs]
) -> Variation:
    """The strongest variation that the reference puts up with.

    Strength: of pictures gently turned, moved, scaled and lit otherwise it recognises nearly as many as of pictures as
    they are, else none is varied; and of more strongly varied ones nearly as many as of these. Pictures as they are
    would be no measure for those: a reference that was fitted to them knows them by heart. Varied pictures help, so
    the noise of few pictures may decide for them.

    Mirrored: of no class may it lose more than one picture in twenty, at the lower 95 % bound of the paired difference
    (Tango 1998). A wrong label is worse than a picture less, so a class of fewer than some fifty pictures, which cannot
    prove that, decides against it.

    Args:
        kind: How to read the outputs; several labels: a picture counts once for each label that it has.
        labels: Class indices, shape (rows,); several labels: zeros and ones, (rows, labels).
        outputs: The reference's raw outputs, shape (rows, units), on a view of the pictures.
    """
    owner, right = _right(kind, labels, outputs(PLAIN))
    if not right.size:
        return Variation()
    _, mirrored = _right(kind, labels, outputs(MIRRORED))
    classes = max(kind.units, 2) if kind.task is Task.BINARY else kind.units
    return Variation(
        strength=_strength(right.mean(), lambda view: _right(kind, labels, outputs(view))[1].mean()),
        mirrored=all(_keeps(right[owner == index], mirrored[owner == index]) for index in range(classes)),
    )


def _strength(plain: float, recognised: Callable[[View], float]) -> float:
    gently = recognised(WarpView(0, strength=_GENTLE))
    if plain - gently > _MOST_LOST_AT_ALL:
        return 0.0
    bearable = (each for each in _STRONGER if gently - recognised(WarpView(0, strength=each)) <= _MOST_LOST)
    return next(bearable, _GENTLE)


def _keeps(right: npt.NDArray[np.bool_], mirrored: npt.NDArray[np.bool_]) -> bool:
    gained, lost = int((~right & mirrored).sum()), int((right & ~mirrored).sum())
    return paired_difference(len(right), gained, lost, confidence=_CONFIDENCE).low >= -_MOST_LOST_MIRRORED


def _right(
    kind: OutputKind, labels: npt.NDArray[np.integer], outputs: Outputs
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.bool_]]:
    """Class of each picture, and whether it is recognised; of several labels, each pair of picture and label."""
    scores, truth = to_scores(kind, np.asarray(outputs)), np.asarray(labels)
    if kind.task is Task.MULTICLASS:
        return truth, scores.argmax(axis=1) == truth
    if kind.task is Task.BINARY:
        return truth, (scores >= 0.5) == (truth != 0)
    rows, owner = np.nonzero(truth)
    return owner, scores[rows, owner] >= 0.5
