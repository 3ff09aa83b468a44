"""Whether a factor comes from nowhere: of the rows of one class, can the rest of the sample tell which ones have it?

What belongs to the object goes with the rest of the object: a bag with a handle looks different beside the handle, too.
A stamp, a device or a column that was filled in for some cases only goes with nothing. So a factor that the rest of the
sample foretells is taken for a part of the object, and one that nothing foretells for a flaw of the data.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from darwin_core.explanation.checks.statistics import Interval, auc_interval
from darwin_core.explanation.factors.base import Floats
from darwin_core.explanation.finder.pool import Bools

FEWEST_ROWS = 8
"""With fewer rows on either side nothing can be said."""

_FOLDS = 4
_TREES = 40
_MOST_ROWS = 2_000
_MOST_PICTURES = 400
_RIDGE = 0.1
"""Ridge penalty as a share of the mean eigenvalue times the rows."""


def foretold(remainder: Floats, has_factor: Bools, rng: np.random.Generator, *, smooth: bool) -> Interval | None:
    """How well the rest of a sample foretells the factor, as an area under the ROC curve with a 95 % interval.

    Args:
        remainder: (rows, dimensions) the rest of the samples of one class.
        has_factor: (rows,) which have the factor.
        rng: Draws folds, and rows where they are many.
        smooth: Whether dimensions are alike and add up, as in pictures; columns of a table are not.

    Returns:
        The area on rows that were not learned from; None where too few rows have the factor, or lack it.
    """
    rows = rng.permutation(len(has_factor))[: _MOST_PICTURES if smooth else _MOST_ROWS]
    has_factor, remainder = has_factor[rows], remainder[rows]
    if min(has_factor.sum(), (~has_factor).sum()) < FEWEST_ROWS:
        return None
    predict = _ridge if smooth else _trees
    return auc_interval(has_factor, predict(remainder, has_factor, rng))


def _ridge(remainder: Floats, has_factor: Bools, rng: np.random.Generator) -> Floats:  # noqa: ARG001 - exact
    """Leave-one-out predictions of ridge regression, in closed form."""
    centred = remainder - remainder.mean(axis=0)
    kernel = centred @ centred.T
    target = has_factor - has_factor.mean()
    penalty = _RIDGE * max(float(np.trace(kernel)), 1e-12) / len(kernel)
    hat = kernel @ np.linalg.inv(kernel + penalty * np.eye(len(kernel)))
    return np.asarray(target - (target - hat @ target) / (1 - np.diag(hat)))


def _trees(remainder: Floats, has_factor: Bools, rng: np.random.Generator) -> Floats:
    """Cross-fitted predictions of boosted trees."""
    seed = int(rng.integers(2**31))
    model = HistGradientBoostingClassifier(max_iter=_TREES, max_depth=3, early_stopping=False, random_state=seed)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    return np.asarray(cross_val_predict(model, remainder, has_factor, cv=folds, method="predict_proba")[:, 1])
