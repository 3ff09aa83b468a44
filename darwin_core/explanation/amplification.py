"""Whether compaction amplified a flaw of the data: how much both networks lean on the columns of a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from darwin_core.contracts import FeatureAttribution, Finding, FindingKind
from darwin_core.wording import listed, percent

_ABOUT_INFLUENCE = frozenset({FindingKind.LEAKING_COLUMN, FindingKind.SHIFT, FindingKind.TRAIN_SERVE_SKEW})


def with_network_use(findings: Sequence[Finding], features: Sequence[FeatureAttribution]) -> tuple[Finding, ...]:
    """The findings, with a sentence on how much of both networks' decisions the columns carry.

    Args:
        findings: What the checks found.
        features: Shares of the decisions by column.
    """
    shares = {item.feature: item for item in features}
    return tuple(_extended(finding, shares) for finding in findings)


def _extended(finding: Finding, shares: Mapping[str, FeatureAttribution]) -> Finding:
    used = [name for name in finding.columns if name in shares]
    if finding.kind not in _ABOUT_INFLUENCE or not used:
        return finding
    reference = sum(shares[name].reference for name in used)
    candidate = sum(shares[name].candidate for name in used)
    change = (
        "as much as" if abs(candidate - reference) < 0.02 else ("more than" if candidate > reference else "less than")
    )
    sentence = (
        f" {listed(used)} {'carries' if len(used) == 1 else 'carry'} {percent(candidate)} of the candidate's "
        f"decisions, {change} of the reference's ({percent(reference)})."
    )
    return finding.model_copy(update={"description": finding.description + sentence})
