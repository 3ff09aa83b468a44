"""Neutralise: the affected rows get the factor of others, and it is planted where it tells nothing."""

from __future__ import annotations

from dataclasses import replace

from darwin_core.contracts import Finding, FixKind
from darwin_core.explanation.fixes.base import Case, Fix, Means, register_fix
from darwin_core.explanation.fixes.flaws import ShortcutFlaw
from darwin_core.explanation.fixes.neutralising import Planting
from darwin_core.explanation.fixes.parts import Part


@register_fix
class Neutralise(Fix):
    """Gives the affected rows the factor of rows that lack it, and any row the factor, as often as it was there."""

    kind = FixKind.NEUTRALISE
    place = 20

    @classmethod
    def offer(cls, finding: Finding, means: Means) -> str | None:  # noqa: ARG003 - needs the factor alone
        """For every shortcut."""
        if finding.factor is None:
            return None
        return f"Give the affected rows the {finding.factor} of rows without it, drawn at random."

    def treat(self, case: Case) -> Part:
        """See the base class."""
        assert isinstance(case.flaw, ShortcutFlaw)
        changed = case.flaw.without(case.train, case.rng)
        share = len(changed.rows) / max(case.train.rows, 1)
        return replace(changed, augment=Planting(case.flaw.trial, case.flaw.pool, share, case.rng))
