"""The smallest change of a single column that flips a decision, searched over values that training rows really hold.

Of free text, which no two rows share, words are left out instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Task
from darwin_core.explanation.attribution.base import Floats, Inputs
from darwin_core.explanation.attribution.features import Feature, FeatureMap, concatenate
from darwin_core.explanation.decisions import DecisionRule, show_apart
from darwin_core.explanation.free_text import ScoreRows, WordTrial, quoted
from darwin_core.explanation.reasons import show_value

_VALUES = 24
_MOST_WORDS_LEFT_OUT = 5
NO_SINGLE_CHANGE = "No change of a single column to a value seen in training flips the decision."
NO_ACTIONABLE_CHANGE = (
    "No change of one of the columns that can be acted on, to a value seen in training, flips the decision."
)


@dataclass(frozen=True)
class _Option:
    """Another value of one column and how far it is from the row's own: 0 the same, 1 the far end of what occurs.

    ``left_out`` are the words that free text lacks then.
    """

    feature: Feature
    value: Any
    distance: float
    left_out: tuple[str, ...] = ()


class SingleChange:
    """Searches for counterfactuals.

    The distance of numbers is the share of training rows between both values. Changing text counts as one minus the
    share of rows with the new value, so that common values are near and rare ones far. From free text up to five
    words are left out, always the one that the decision rests on most; the distance is their share of the text.

    Args:
        features: The columns that the network reads.
        background: Training rows, which supply the values to try.
        rule: How scores become decisions.
        score: The network.
        actionable: Names of the columns that may be changed; empty: any.
    """

    def __init__(
        self,
        features: FeatureMap,
        background: Inputs,
        rule: DecisionRule,
        score: ScoreRows,
        actionable: tuple[str, ...] = (),
    ) -> None:
        self._features = FeatureMap(
            tuple(
                feature
                for feature in features.features
                if features.values(background, feature).ndim == 1 and (not actionable or feature.name in actionable)
            )
        )
        self._none = NO_ACTIONABLE_CHANGE if actionable else NO_SINGLE_CHANGE
        self._background = background
        self._rule = rule
        self._score = score
        self._words = WordTrial(self._features, background, score)

    def describe(self, row: Inputs) -> str | None:
        """The smallest flipping change of a row (inputs with one row) as a sentence.

        None for regression, and where a row can have several labels: there is no one decision to flip.
        """
        if self._rule.task in (Task.REGRESSION, Task.MULTILABEL):
            return None
        before = self._score(row)
        if not self._features.features:
            return self._none if self._none == NO_ACTIONABLE_CHANGE else None
        coarse = [option for f in self._features.features for option in self._options(f, row, before)]
        nearest = self._nearest(row, before, coarse)
        if nearest is None:
            return self._none
        option, after = self._nearest(row, before, self._finer(row, nearest[0])) or nearest
        return self._sentence(row, option, before, after)

    def _options(self, feature: Feature, row: Inputs, before: Floats) -> list[_Option]:
        values = self._features.values(self._background, feature)
        own = self._features.values(row, feature)[0]
        if values.dtype.kind not in "fiu":
            if self._words.covers(feature):
                return self._shortened(feature, row, before)
            distinct, counts = np.unique(values, return_counts=True)
            frequent = np.argsort(-counts, kind="stable")[:_VALUES]
            return [_Option(feature, distinct[i], 1 - counts[i] / len(values)) for i in frequent if distinct[i] != own]
        known = np.sort(values[~np.isnan(values.astype(np.float64))])
        if not known.size:
            return []
        tried = np.unique(np.quantile(known, np.linspace(0, 1, _VALUES), method="nearest"))
        return _number_options(feature, known, own, tried)

    def _shortened(self, feature: Feature, row: Inputs, before: Floats) -> list[_Option]:
        """The text with as few words left out as flip the decision; empty where no few do."""
        words, decision = self._words.words(row, feature), self._rule.decided(before)[0]
        left, left_out = words, tuple[str, ...]()
        while left and len(left_out) < _MOST_WORDS_LEFT_OUT:
            rest, after = self._words.without(row, feature, left)
            held = after[:, decision] if after.ndim == 2 else after if decision else -after
            best = int(np.argmin(held))
            word, left = list(rest.items())[best]
            left_out = (*left_out, word)
            if self._rule.decided(after)[best] != decision:
                text = self._words.joined(row, feature, left)
                return [_Option(feature, text, 1 - len(left) / len(words), left_out)]
        return []

    def _finer(self, row: Inputs, found: _Option) -> list[_Option]:
        """Values between the row's own and one that flips the decision; numbers only."""
        values = self._features.values(self._background, found.feature)
        if values.dtype.kind not in "fiu":
            return []
        own = self._features.values(row, found.feature)[0]
        known = np.sort(values[~np.isnan(values.astype(np.float64))])
        between = np.unique(known[(known >= min(own, found.value)) & (known <= max(own, found.value))])
        if between.size > 4 * _VALUES:
            between = between[np.linspace(0, between.size - 1, 4 * _VALUES).astype(int)]
        return _number_options(found.feature, known, own, between)

    def _nearest(self, row: Inputs, before: Floats, options: list[_Option]) -> tuple[_Option, Floats] | None:
        if not options:
            return None
        changed = [
            self._features.replace(row, o.feature, np.asarray([o.value], self._dtype(row, o.feature))) for o in options
        ]
        after = self._score(concatenate(changed))
        flips = np.flatnonzero(self._rule.decided(after) != self._rule.decided(before)[0])
        if not flips.size:
            return None
        best = min(flips, key=lambda index: options[index].distance)
        return options[best], after[best : best + 1]

    def _dtype(self, row: Inputs, feature: Feature) -> np.dtype[Any] | None:
        dtype = row[feature.source].dtype
        return dtype if dtype.kind in "fiu" else None

    def _sentence(self, row: Inputs, option: _Option, before: Floats, after: Floats) -> str:
        feature = option.feature
        own = show_value(self._features.values(row, feature)[0], feature.kind)
        other = show_value(option.value, feature.kind)
        start = f"If {feature.name} were {other} instead of {own}, "
        if option.left_out:
            start = f"If {feature.name} did not say {quoted(option.left_out)}, "
        if before.ndim == 2:
            was, becomes = self._rule.shown(before, 0), self._rule.shown(after, 0)
            return f"{start}{becomes} would be predicted instead of {was}."
        moved, side = ("fall", "below") if after[0] < before[0] else ("rise", "to or above")
        was, becomes, limit = show_apart([float(before[0]), float(after[0]), self._rule.threshold])
        return f"{start}the score would {moved} from {was} to {becomes}, {side} the alert threshold of {limit}."


def _number_options(
    feature: Feature, known: NDArray[Any], own: NDArray[Any] | float, tried: NDArray[Any]
) -> list[_Option]:
    place = float(_place(known, np.asarray([own]))[0])
    return [
        _Option(feature, value, abs(float(where) - place))
        for value, where in zip(tried, _place(known, tried), strict=True)
        if value != own
    ]


def _place(known: NDArray[Any], values: NDArray[Any]) -> Floats:
    """Mid-rank of values among known ones, from 0 to 1; missing values stand in the middle."""
    low, high = np.searchsorted(known, values, side="left"), np.searchsorted(known, values, side="right")
    places = (low + high) / (2 * len(known))
    return np.where(np.isnan(values.astype(np.float64)), 0.5, places)
