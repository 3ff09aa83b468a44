"""How figures read in the gate's sentences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Estimate
from darwin_core.evaluation.proportions import rows_needed

Format = Callable[[float], str]

TITLES = {
    "accuracy": "Accuracy",
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "recall_at_budget": "Recall at the alert budget",
    "f1": "F1",
    "mean_iou": "Mean IoU",
    "rmse": "RMSE",
    "ece": "Calibration error",
    "brier": "Brier score",
    "alert_rate": "Alert rate",
}


def points(share: float) -> str:
    """A difference of shares in percentage points: ``-0.43 pt``."""
    return f"{100 * share:+.2f} pt"


def percent(share: float) -> str:
    """A relative change: ``+1.20 %``."""
    return f"{100 * share:+.2f} %"


def level(confidence: float) -> str:
    """``one-sided 95 % bounds``."""
    return f"one-sided {100 * confidence:g} % bounds"


def compared(estimate: Estimate, baseline: str, *, scale: float, show: Format, confidence: float) -> str:
    """The figures of both networks, the difference and its bounds, as the first half of a sentence.

    Args:
        estimate: What was measured.
        baseline: What the candidate was compared with, in words.
        scale: Factor on difference and bounds before they are shown (1 / reference for relative changes).
        show: How a difference reads.
        confidence: One-sided level of the bounds.
    """
    title = TITLES.get(estimate.metric, estimate.metric)
    return (
        f"{title} {estimate.candidate:.4f}, {baseline} {estimate.reference:.4f}: {show(scale * estimate.difference)} "
        f"({level(confidence)} {show(scale * estimate.low)} to {show(scale * estimate.high)})"
    )


def more_cases(now: int, needed: int | None, noun: str) -> str:
    """What would settle it, as a sentence."""
    if needed is None:
        return f"More {noun} would hardly settle it: the difference sits at the limit itself."
    return f"About {needed:,} {noun} would settle it ({needed - now:,} more), if the difference stays as it is."


def power_note(disagree: NDArray[np.bool_], noun: str, margin: float, confidence: float) -> str:
    """How many cases the margin needs where both networks are equally good, as two sentences.

    Args:
        disagree: Cases that only one of the networks gets right, shape (n,).
        noun: What the cases are.
        margin: Largest acceptable loss, as a share.
        confidence: One-sided.

    Returns:
        Empty where the networks never disagree.
    """
    if not disagree.any():
        return ""
    needed = rows_needed(float(disagree.mean()), margin, confidence=confidence)
    return (
        f"The networks disagree on {100 * disagree.mean():.2f} % of {len(disagree):,} {noun}. To show equally good "
        f"networks equal within {100 * margin:g} pt four times out of five takes about {needed:,} {noun}."
    )
