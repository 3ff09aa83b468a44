"""Reason codes: a row's contributions in plain words, with the row's value and what is usual."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import ColumnKind, ReasonCode
from darwin_core.explanation.attribution.base import Floats, Inputs
from darwin_core.explanation.attribution.features import Feature, FeatureMap, take
from darwin_core.explanation.checks.columns import show_number
from darwin_core.explanation.decisions import show_effect
from darwin_core.explanation.free_text import WordTrial, frequent_text, quoted
from darwin_core.explanation.ranking import NEGLIGIBLE

MISSING = "missing"


def show_value(value: Any, kind: ColumnKind) -> str:
    """A feature's value as text."""
    if isinstance(value, bytes | str):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        return text or MISSING
    array = np.asarray(value)
    if array.size != 1:
        return "(array)"
    number = float(array.reshape(-1)[0])
    if np.isnan(number):
        return MISSING
    if kind is ColumnKind.TIME:
        return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%d %H:%M")
    if kind is ColumnKind.BOOLEAN:
        return "yes" if number else "no"
    return show_number(number)


@dataclass(frozen=True)
class UsualValues:
    """What training rows usually hold: the median of numbers (a value that occurs), the text that is frequent."""

    shown: dict[str, str | None]

    @classmethod
    def of(cls, features: FeatureMap, background: Inputs) -> UsualValues:
        """Usual values of the background rows."""
        return cls({f.name: _shown_usual(features.values(background, f), f.kind) for f in features.features})


def reason_codes(
    features: FeatureMap,
    usual: UsualValues,
    inputs: Inputs,
    row: int,
    contributions: Floats,
    subject: str,
    most: int = 4,
    words: WordTrial | None = None,
    target: int | None = None,
) -> tuple[ReasonCode, ...]:
    """The strongest reasons of one row, strongest first.

    Args:
        features: The columns that the contributions belong to.
        usual: What is usual.
        inputs: Rows.
        row: Which of them.
        contributions: (features,) the row's attribution.
        subject: What is raised or lowered, e.g. ``the score``.
        most: Number of reasons at most.
        words: Finds the words that matter in free text; None: they are not looked for.
        target: The class whose score it is; None: there is one score.
    """
    own = take(inputs, slice(row, row + 1))
    total = float(np.abs(contributions).sum())
    order = np.argsort(-np.abs(contributions), kind="stable")[:most]
    reasons = []
    for index in order:
        amount = float(contributions[index])
        if abs(amount) <= NEGLIGIBLE * total:
            break
        feature = features.features[index]
        value = show_value(features.values(own, feature)[0], feature.kind)
        text = _sentence(feature, value, usual.shown[feature.name], amount, subject)
        if words is not None and words.covers(feature) and (by := words.strongest(own, feature, target, amount)):
            text = f"{text}, most by {quoted(by)}"
        reasons.append(ReasonCode(feature=feature.name, value=value, attribution=amount, text=text))
    return tuple(reasons)


def _sentence(feature: Feature, value: str, usual: str | None, amount: float, subject: str) -> str:
    effect = f"{'raises' if amount > 0 else 'lowers'} {subject} by {show_effect(abs(amount))}"
    if value == usual:
        return f"{feature.name} {'is missing' if value == MISSING else f'= {value}'}, as usual, and {effect}"
    told = f"{feature.name} is missing, which {effect}" if value == MISSING else f"{feature.name} = {value} {effect}"
    return told if usual is None else f"{told}; usual is {usual}"


def _shown_usual(values: NDArray[Any], kind: ColumnKind) -> str | None:
    usual = _usual(values)
    if usual is None:
        return None
    if kind is ColumnKind.NUMBER and np.ndim(usual) == 0 and not float(usual).is_integer():
        return MISSING if np.isnan(usual) else f"about {usual:.3g}"
    return show_value(usual, kind)


def _usual(values: NDArray[Any]) -> Any:
    """None: no text is frequent."""
    if values.dtype.kind == "f" and values.ndim == 1:
        known = values[~np.isnan(values)]
        return np.quantile(known, 0.5, method="lower") if known.size * 2 >= values.size else np.nan
    if values.dtype.kind in "iu" and values.ndim == 1:
        return np.quantile(values, 0.5, method="lower")
    if values.ndim > 1:
        return values[0]
    return frequent_text(values)
