"""The choice among searches that ran side by side: the result of the best becomes the run's own."""

from __future__ import annotations

from typing import Any

from darwin_core.contracts import ArtifactKind, Rival, SearchRecord, StepResult, SynthesizeRequest, SynthesizeResult
from darwin_core.steps.context import StepContext
from darwin_core.synthesis import best_search, chosen_of


def take_best(request: SynthesizeRequest, context: StepContext) -> dict[str, Any]:
    """The result of the best of the rivals, as this run's own."""
    results = [context.read_document(ref, SynthesizeResult) for ref in request.rivals]
    records = [context.read_document(result.search_record, SearchRecord) for result in results]
    best = best_search(records)
    names = [ref.uri.split("/")[-3] for ref in request.rivals]
    record = records[best].model_copy(
        update={
            "reason": f"Of {len(records)} searches side by side, {names[best]} found the best network. "
            + records[best].reason,
            "rivals": tuple(
                _rival(name, record, taken=place == best)
                for place, (name, record) in enumerate(zip(names, records, strict=True))
            ),
        }
    )
    context.reporter.message(record.reason)
    kept = {name: value for name, value in results[best] if name not in StepResult.model_fields}
    return kept | {
        "search_record": context.write_document(record, context.uri("search_record.json"), ArtifactKind.SEARCH_RECORD)
    }


def _rival(name: str, record: SearchRecord, *, taken: bool) -> Rival:
    chosen = chosen_of(record)
    return Rival(
        run_id=name,
        seed=record.seed,
        strategy=chosen.strategy,
        chosen=chosen.candidate_id,
        cost=chosen.cost,
        performance=chosen.performance,
        feasible=chosen.feasible,
        taken=taken,
    )
