"""Two checks on explanations: do both networks give the same reasons (X1), and does the candidate need them (X2)?"""

from __future__ import annotations

import numpy as np
from scipy.stats import wilcoxon

from darwin_core.contracts import Check, GateConfig, Verdict
from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.ranking import NEGLIGIBLE

_FEWEST = 8
"""Paired cases below which the signed-rank test cannot reach p < 0.01."""


def explanation_checks(gate: GateConfig, falls: Floats, overlap: float | None = None) -> tuple[Check, ...]:
    """X1 and X2, those that the gate asks for.

    Args:
        gate: The bounds.
        falls: (cases,) how much further the decision's probability falls without the most important parts than without
            parts drawn at random, as many.
        overlap: Mean overlap of both networks' three strongest columns per row; None: pictures, which have no columns.
    """
    found = []
    if gate.rank_overlap is not None and overlap is not None:
        found.append(_overlap_check(gate.rank_overlap, overlap))
    if gate.deletion_p is not None:
        found.append(_deletion_check(gate.deletion_p, falls[np.isfinite(falls)]))
    return tuple(found)


def _overlap_check(bound: float, overlap: float) -> Check:
    return Check(
        check_id="X1",
        title="Both networks give the same reasons",
        definition="mean overlap of both networks' three strongest columns per row, of those that hold more than "
        f"{NEGLIGIBLE:.0%} of what is attributed in the row",
        verdict=Verdict.PASS if overlap >= bound else Verdict.FAIL,
        value=overlap,
        bound=bound,
        reason=f"On average {overlap:.0%} of a row's three strongest columns are the same in both networks; at least "
        f"{bound:.0%} is required.",
    )


def _deletion_check(bound: float, falls: Floats) -> Check:
    verdict, p = Verdict.INSUFFICIENT_EVIDENCE, None
    reason = f"{len(falls)} cases are too few for the test; {_FEWEST} are needed at least."
    if len(falls) >= _FEWEST:
        p = float(wilcoxon(falls, alternative="greater").pvalue) if np.any(falls) else 1.0
        verdict = Verdict.PASS if p < bound else Verdict.FAIL
        reason = (
            f"Without its reasons the decision's probability falls {100 * float(falls.mean()):.1f} points further than "
            f"without parts drawn at random ({len(falls)} cases, p = {p:.2g}; below {bound:g} is required)."
        )
    return Check(
        check_id="X2",
        title="The candidate needs the reasons that are given for it",
        definition="deletion test: Wilcoxon's signed-rank test, one-sided, against random parts of the same area",
        verdict=verdict,
        value=p,
        bound=bound,
        reason=reason,
    )
