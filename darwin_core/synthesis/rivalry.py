"""Which of several searches found the best network, told from their records alone."""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.contracts import CandidateRecord, SearchRecord


def best_search(records: Sequence[SearchRecord]) -> int:
    """The place of the search whose chosen network is to be delivered.

    As within a search (:func:`darwin_core.synthesis.choice.choose`), networks that meet every requirement with room for
    the noise of the validation rows come first, then those that meet them as measured, then the nearest; within these
    the better performing, and of equals the first.

    All of them must have been judged on the same rows against the same requirements. The validation quality of the best
    of several is optimistic, more so the more they are; the sealed hold-out judges it afresh.
    """
    return max(range(len(records)), key=lambda place: _standing(chosen_of(records[place])))


def chosen_of(record: SearchRecord) -> CandidateRecord:
    """What a search chose."""
    return next(item for item in record.candidates if item.candidate_id == record.chosen)


def _standing(chosen: CandidateRecord) -> tuple[bool, bool, float, float]:
    missed = sum(
        1.0 if status.value is None else status.requirement.shortfall(status.value) for status in chosen.requirements
    )
    performance = float("-inf") if chosen.performance is None else chosen.performance
    return chosen.feasible and bool(chosen.promising), chosen.feasible, -missed, performance
