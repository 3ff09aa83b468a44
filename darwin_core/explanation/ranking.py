"""What attributions of many rows say together: the share of each column, and how far both networks agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import FeatureAttribution
from darwin_core.explanation.attribution.base import Floats

TOP = 3
NEGLIGIBLE = 0.02
"""Contributions up to this share of the row's total are no reason."""

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def global_shares(values: Floats) -> Floats:
    """(features,) mean |attribution| over rows, normalised to sum 1; zeros where nothing is attributed."""
    mean = np.abs(values).mean(axis=0)
    total = mean.sum()
    return np.asarray(mean / total if total > 0 else np.zeros_like(mean))


def feature_attributions(
    names: tuple[str, ...], reference: Floats, candidate: Floats
) -> tuple[FeatureAttribution, ...]:
    """Shares of all columns for both networks, most important for the candidate first."""
    ours, theirs = global_shares(candidate), global_shares(reference)
    order = np.lexsort((-theirs, -ours))
    return tuple(
        FeatureAttribution(
            feature=names[i], reference=float(theirs[i]), candidate=float(ours[i]), spread=_spread(candidate[:, i])
        )
        for i in order
    )


def _spread(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(values, _QUANTILES)) if len(values) else ()


def rank_overlap(reference: Floats, candidate: Floats) -> float:
    """Mean over rows of the overlap of both networks' top three columns, from 0 to 1.

    Columns whose contribution to a row is negligible are no reason and in nobody's top three.
    """
    first, second = _top(reference), _top(candidate)
    larger = np.maximum(first.sum(axis=1), second.sum(axis=1))
    shared = (first & second).sum(axis=1)
    return float(np.where(larger > 0, shared / np.maximum(larger, 1), 1.0).mean())


def _top(values: Floats) -> NDArray[np.bool_]:
    size = np.abs(values)
    chosen = np.argsort(-size, axis=1, kind="stable")[:, :TOP]
    top = np.zeros(values.shape, bool)
    np.put_along_axis(top, chosen, values=True, axis=1)
    return np.asarray(top & (size > NEGLIGIBLE * size.sum(axis=1, keepdims=True)))
