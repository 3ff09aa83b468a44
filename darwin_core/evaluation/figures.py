"""The evaluation as flat figures for dashboards and experiment trackers. Every value is finite."""

from __future__ import annotations

import math

from darwin_core.contracts import Evaluation, NetworkCost, Verdict, VerdictDocument

_COSTS = ("parameters", "macs", "weight_bytes", "input_features")
_LATENCIES = ("p50_ms", "p95_ms", "p99_ms")


def flat_figures(evaluation: Evaluation, document: VerdictDocument) -> dict[str, float]:
    """Name -> figure: ``candidate_pr_auc``, ``pr_auc_difference``, ``candidate_parameters``, ``checks_failed``..."""
    found: dict[str, float] = {"rows": evaluation.rows, "holdout_look": document.look}
    for estimate in evaluation.estimates:
        found[f"reference_{estimate.metric}"] = estimate.reference
        found[f"candidate_{estimate.metric}"] = estimate.candidate
        found[f"{estimate.metric}_difference"] = estimate.difference
        found[f"{estimate.metric}_difference_low"] = estimate.low
        found[f"{estimate.metric}_difference_high"] = estimate.high
    for estimate in evaluation.baseline_estimates:
        found[f"champion_{estimate.metric}"] = estimate.reference
    found |= _costs("reference", document.reference_cost) | _costs("candidate", document.candidate_cost)
    found["parameters_ratio"] = document.candidate_cost.parameters / max(document.reference_cost.parameters, 1)
    found["macs_ratio"] = document.candidate_cost.macs / max(document.reference_cost.macs, 1)
    for check in document.checks:
        if check.check_id == "Q5" and check.value is not None:
            found["alert_overlap"] = check.value
    verdicts = [check.verdict for check in document.checks]
    found["checks_failed"] = verdicts.count(Verdict.FAIL)
    found["checks_open"] = verdicts.count(Verdict.INSUFFICIENT_EVIDENCE)
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def _costs(name: str, cost: NetworkCost) -> dict[str, float]:
    found = {f"{name}_{figure}": float(getattr(cost, figure)) for figure in _COSTS}
    if cost.latency is not None:
        found |= {f"{name}_latency_{figure}": float(getattr(cost.latency, figure)) for figure in _LATENCIES}
    return found
