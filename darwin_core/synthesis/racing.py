"""Successive halving between the offspring of a generation.

Everybody trains for the first half. The second half goes to those who could still change the outcome: networks that
miss a requirement so far and would, if they met it, perform better than every network that is safe already.
"""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.synthesis.candidates import Candidate


def contenders(raced: Sequence[Candidate], safe: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Who trains on: at most half of the raced, those nearest to the requirements first.

    Args:
        raced: The offspring after the first half.
        safe: Networks that meet every requirement already, among them those of the raced that do.
    """
    best = max((candidate.performance for candidate in safe), default=float("-inf"))
    open_cases = [candidate for candidate in raced if not candidate.keeps_quality and candidate.performance > best]
    ranked = sorted(open_cases, key=lambda candidate: (candidate.cautious_shortfall, -candidate.performance))
    return tuple(ranked[: (len(raced) + 1) // 2])
