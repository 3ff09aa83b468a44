"""Whether a factor comes from nowhere: of the rows of one class, can the rest of the sample tell which ones have it?

What belongs to the object goes with the rest of the object: a bag with a handle looks different beside the handle, too.
A stamp, a device or a column that was filled in for some cases only goes with nothing. So a factor that the rest of the
sample foretells is taken for a part of the object, and one that nothing foretells for a flaw of the data.
"""

from __future__ import annotations

import numpy as np

from darwin_core.explanation.checks.statistics import Interval, auc_interval
from darwin_core.explanation.factors.base import Bools, Floats

FEWEST_ROWS = 8
"""With fewer rows on either side nothing can be said."""

_MOST_ROWS = 500
_PENALTY = 0.1
"""Ridge penalty as a multiple of the mean diagonal of the kernel."""


def foretold(remainder: Floats, has_factor: Bools, rng: np.random.Generator) -> Interval | None:
    """How well the rest of a sample foretells the factor, as an area under the ROC curve with a 95 % interval.

    Args:
        remainder: (rows, dimensions) the rest of the samples of one class.
        has_factor: (rows,) which have the factor.
        rng: Draws rows where they are many, as many with the factor as without it as far as there are.

    Returns:
        The area on rows that were not learned from; None where too few rows have the factor, or lack it.
    """
    rows = rng.permutation(len(has_factor))
    with_factor, without = rows[has_factor[rows]], rows[~has_factor[rows]]
    if min(len(with_factor), len(without)) < FEWEST_ROWS:
        return None
    half = max(_MOST_ROWS // 2, _MOST_ROWS - min(len(with_factor), len(without)))
    rows = np.concatenate([with_factor[:half], without[:half]])
    return auc_interval(has_factor[rows], _left_out(remainder[rows], has_factor[rows]))


def _left_out(remainder: Floats, has_factor: Bools) -> Floats:
    """Leave-one-out predictions of ridge regression, in closed form; inverts the smaller of the two matrices."""
    centred = remainder - remainder.mean(axis=0)
    target = has_factor - has_factor.mean()
    penalty = _PENALTY * max(float((centred**2).sum()), 1e-12) / len(centred)
    if centred.shape[1] < len(centred):
        inverse = np.linalg.inv(centred.T @ centred + penalty * np.eye(centred.shape[1]))
        hat = centred @ inverse @ centred.T
    else:
        kernel = centred @ centred.T
        hat = kernel @ np.linalg.inv(kernel + penalty * np.eye(len(kernel)))
    return np.asarray(target - (target - hat @ target) / (1 - np.diag(hat)))
