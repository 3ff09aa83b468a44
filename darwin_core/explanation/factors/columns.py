"""Columns of a table: their values, categories, missing values, and pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.attribution.features import Feature, FeatureMap, count_rows
from darwin_core.explanation.factors.base import Bools, Factor, FactorSpace, Floats, register_factor
from darwin_core.explanation.reasons import show_value

_APART = 10.0
"""Distance between different categories, and between a number and a missing one; ranks lie within 1."""

_BANDS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
_MOST_CATEGORIES = 32
"""Beyond these, categories share an indicator."""


class ColumnCoder:
    """Values of one column as a number per row: ranks from 0 to 1 for numbers, whole steps for categories.

    Args:
        features: The columns.
        feature: This column.
        samples: Rows from which ranks and categories are taken.
    """

    def __init__(self, features: FeatureMap, feature: Feature, samples: Inputs) -> None:
        self._features = features
        self.feature = feature
        values = features.values(samples, feature)
        self.is_number = values.dtype.kind in "fiub"
        if self.is_number:
            numbers = values.astype(np.float64)
            self._known = np.sort(numbers[~np.isnan(numbers)])
        else:
            self._known = np.unique(values)

    def code(self, samples: Inputs) -> Floats:
        """(rows,) equal where the values are equal; unseen categories share a code."""
        values = self._features.values(samples, self.feature)
        if not self.is_number:
            places = np.searchsorted(self._known, values)
            last = len(self._known) - 1
            places[self._known[np.minimum(places, last)] != values] = last + 1
            return _APART * places.astype(np.float64)
        numbers = values.astype(np.float64)
        below, upto = (np.searchsorted(self._known, numbers, side=side) for side in ("left", "right"))
        ranks = (below + upto) / (2 * max(len(self._known), 1))
        # Far from every rank, so that missing values are alike and like nothing else.
        return np.where(np.isnan(numbers), -_APART, ranks)

    def spread(self, samples: Inputs) -> Floats:
        """(rows, dimensions) indicators of frequent values and of missing ones; the rank of numbers and its bands."""
        codes = self.code(samples)
        if self.is_number:
            missing = codes < 0
            ranks = np.where(missing, 0.5, codes)
            bands = (ranks[:, None] >= _BANDS).astype(np.float64)
            return np.concatenate([ranks[:, None], missing[:, None], bands], axis=1)
        places = np.rint(codes / _APART).astype(np.int64) % _MOST_CATEGORIES
        return np.eye(_MOST_CATEGORIES)[places]


@register_factor
class ColumnValue(Factor):
    """The value of one column, missing counted as a value; moved by copying the donor's."""

    aversion = 8.0
    is_graded = True

    def __init__(self, space: FactorSpace, features: Sequence[Feature]) -> None:
        self._features = space.features
        self._coders = [ColumnCoder(space.features, feature, space.samples) for feature in features]
        self.columns = tuple(feature.name for feature in features)
        self.name = " with ".join(self.columns)
        scalar = [f for f in space.features.features if space.features.values(space.samples, f).ndim == 1]
        others = [feature for feature in scalar if feature.name not in self.columns]
        self._others = [ColumnCoder(space.features, feature, space.samples) for feature in others]

    @classmethod
    def of(cls, space: FactorSpace) -> Sequence[Self]:
        """One factor per scalar column."""
        if space.picture is not None:
            return ()
        scalar = [f for f in space.features.features if space.features.values(space.samples, f).ndim == 1]
        return [cls(space, [feature]) for feature in scalar]

    def measure(self, samples: Inputs) -> Floats:
        """(rows, columns) codes."""
        return np.stack([coder.code(samples) for coder in self._coders], axis=1)

    def transfer(self, recipients: Inputs, donors: Inputs) -> dict[str, NDArray[Any]]:
        """The recipients with the donors' values in these columns."""
        changed = dict(recipients)
        for coder in self._coders:
            changed = self._features.replace(changed, coder.feature, self._features.values(donors, coder.feature))
        return changed

    def remainder(self, samples: Inputs, has_factor: Bools) -> Floats:  # noqa: ARG002 - the other columns
        """(rows, dimensions) the other columns, taken apart so that sums of them can follow any of their values."""
        parts = [np.zeros((count_rows(samples), 1)), *(coder.spread(samples) for coder in self._others)]
        return np.concatenate(parts, axis=1)

    def tell(self, inside: Inputs, outside: Inputs) -> str:  # noqa: ARG002 - the values say it
        """The values that these rows hold, e.g. ``browser is Opera``."""
        return " and ".join(_told(self._features.values(inside, c.feature), c.feature) for c in self._coders)


def _told(values: NDArray[Any], feature: Feature) -> str:
    if values.dtype.kind in "fiub":
        numbers = values.astype(np.float64)
        known = numbers[~np.isnan(numbers)]
        if not known.size:
            return f"{feature.name} is missing"
        low, high = (show_value(value, feature.kind) for value in (known.min(), known.max()))
        return f"{feature.name} is {low}" if low == high else f"{feature.name} lies between {low} and {high}"
    distinct, counts = np.unique(values, return_counts=True)
    shown = show_value(distinct[np.argmax(counts)], feature.kind)
    return f"{feature.name} is {shown}" if shown else f"{feature.name} is missing"
