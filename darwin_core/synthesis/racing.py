"""Successive halving between the offspring of a generation.

Everybody trains for the first half. The second half goes to those who could still change the outcome: networks that do
not promise to keep the quality so far and would, if they did, perform better than every one that does.
"""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.synthesis.candidates import Candidate


def contenders(raced: Sequence[Candidate], promising: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Who trains on: at most half of the raced, those nearest to the requirements first.

    Args:
        raced: The offspring after the first half.
        promising: Networks that promise to keep the quality, among them those of the raced that do.
    """
    best = max((candidate.performance for candidate in promising), default=float("-inf"))
    open_cases = [candidate for candidate in raced if not candidate.promising and candidate.performance > best]
    ranked = sorted(open_cases, key=lambda candidate: (candidate.expected_shortfall, -candidate.performance))
    return tuple(ranked[: (len(raced) + 1) // 2])
