"""How the candidate was found: Pareto plots, generations, lineage, every candidate, time spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup

from darwin_core.contracts import (
    BlockOperator,
    CandidateRecord,
    CandidateStage,
    CompactionReport,
    NetworkCost,
    Variation,
)
from darwin_core.reporting.figures import (
    LineageMark,
    LineageNode,
    ParetoMark,
    ParetoPoint,
    lineage_plot,
    pareto_plot,
)
from darwin_core.reporting.formatting import MISSING, count, duration, is_finite, number, plural, share, short_count
from darwin_core.reporting.metrics import MetricStyle, most_telling, style_of

_CANDIDATES_SHOWN = 300
_ARROW = "\N{RIGHTWARDS ARROW}"


@dataclass(frozen=True)
class GenerationRow:
    """What one generation brought."""

    generation: int
    proposed: str
    trained: str
    finished: str
    feasible: str
    smallest: str
    best: str


@dataclass(frozen=True)
class CandidateRow:
    """One candidate."""

    candidate_id: str
    generation: int
    parents: str
    strategy: str
    stage: str
    parameters: str
    macs: str
    quality: str
    change: str
    performance: str
    flags: str
    chosen: bool


@dataclass(frozen=True)
class Search:
    """How the candidate was found."""

    reason: str
    feasible: bool
    plots: tuple[tuple[str, Markup], ...]
    quality_label: str
    tree: Markup | None
    lineage: tuple[CandidateRow, ...]
    generations: tuple[GenerationRow, ...]
    candidates: tuple[CandidateRow, ...]
    left_out: int
    phases: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]


def show_search(report: CompactionReport) -> Search:
    """The search's section of ``report``."""
    search = report.search
    style = _style(report)
    ordered = sorted(search.candidates, key=lambda record: (record.generation, record.candidate_id))
    budget = search.budget
    settings = [
        ("Generations", count(budget.generations)),
        ("Offspring per generation", count(budget.offspring)),
        ("Performance function", search.performance_function),
        ("Seed", str(search.seed)),
    ]
    if budget.seconds is not None:
        settings.append(("Time limit", duration(budget.seconds)))
    if search.variation != Variation():
        settings.append(("Pictures varied in training", _variation(search.variation)))
    return Search(
        reason=search.reason,
        feasible=search.feasible,
        plots=_plots(report, style),
        quality_label=style.label,
        tree=_tree(report, style) if search.candidates else None,
        lineage=tuple(_candidate(report, record, style) for record in _lineage(report)),
        generations=tuple(_generations(ordered, style)),
        candidates=tuple(_candidate(report, record, style) for record in ordered[:_CANDIDATES_SHOWN]),
        left_out=max(0, len(ordered) - _CANDIDATES_SHOWN),
        phases=tuple((name, duration(seconds)) for name, seconds in search.seconds.items()),
        settings=tuple(settings),
    )


def _variation(variation: Variation) -> str:
    told = f"{share(variation.strength, 0)} of the usual shifts, turns, scales and light" if variation.strength else ""
    mirrored = "every other one mirrored" if variation.mirrored else ""
    return "; ".join(filter(None, (told, mirrored)))


def _style(report: CompactionReport) -> MetricStyle:
    quality = report.search.reference.quality
    present = [name for name, value in dict(quality).items() if value is not None] if quality else []
    return style_of(most_telling(present) or "loss")


def _quality(record: CandidateRecord, style: MetricStyle) -> float | None:
    value: float | None = getattr(record.quality, style.name, None)
    return value if is_finite(value) else None


def _drop(report: CompactionReport, record: CandidateRecord, style: MetricStyle) -> float | None:
    """How much worse than the reference, positive is worse."""
    before, after = _quality(report.search.reference, style), _quality(record, style)
    if before is None or after is None:
        return None
    return after - before if style.higher_is_better is False else before - after


def _plots(report: CompactionReport, style: MetricStyle) -> tuple[tuple[str, Markup], ...]:
    axes: tuple[tuple[str, Callable[[NetworkCost], int]], ...] = (
        ("parameters", lambda cost: cost.parameters),
        ("multiply-accumulates", lambda cost: cost.macs),
    )
    worse = "rise" if style.higher_is_better is False else "drop"
    margin = _tolerated(report, style)
    plots = []
    for name, read in axes:
        points = [
            ParetoPoint(read(record.cost), drop, mark, record.on_front, _tooltip(record, style, mark))
            for record, mark in _marked(report)
            if (drop := _drop(report, record, style)) is not None
        ]
        if len(points) > 1:
            plot = pareto_plot(points, name, f"{style.label} {worse}", as_points=style.is_share, tolerated=margin)
            plots.append((name, plot))
    return tuple(plots)


def _tolerated(report: CompactionReport, style: MetricStyle) -> float | None:
    bounds = {
        "accuracy": "accuracy_drop",
        "pr_auc": "pr_auc_drop",
        "roc_auc": "roc_auc_drop",
        "f1": "f1_drop",
        "mean_iou": "mean_iou_drop",
        "recall_at_budget": "recall_at_budget_drop",
    }
    wanted = bounds.get(style.name)
    for record in (*report.search.candidates, report.search.reference):
        for status in record.requirements:
            if status.requirement.metric.value == wanted:
                return status.requirement.bound
    return None


def _marked(report: CompactionReport) -> Iterable[tuple[CandidateRecord, ParetoMark]]:
    search = report.search
    yield search.reference, ParetoMark.REFERENCE
    for record in search.candidates:
        if record.candidate_id == search.chosen:
            yield record, ParetoMark.CHOSEN
        else:
            yield record, ParetoMark.FINISHED if record.stage is CandidateStage.FINISHED else ParetoMark.RACED
    for control in search.controls:
        yield control.record, ParetoMark.CONTROL


def _tooltip(record: CandidateRecord, style: MetricStyle, mark: ParetoMark | LineageMark) -> str:
    quality = style.value(_quality(record, style))
    return (
        f"{record.candidate_id} ({mark.value}, generation {record.generation}, {record.strategy}): "
        f"{count(record.cost.parameters)} parameters, {short_count(record.cost.macs)} MACs, {style.label} {quality}"
    )


def _lineage(report: CompactionReport) -> list[CandidateRecord]:
    """The chosen network's ancestors by their first parent, oldest first."""
    known = {record.candidate_id: record for record in (*report.search.candidates, report.search.reference)}
    chain: list[CandidateRecord] = []
    current = known.get(report.search.chosen)
    while current is not None and current not in chain:
        chain.append(current)
        current = known.get(current.parents[0]) if current.parents else None
    return chain[::-1]


def _tree(report: CompactionReport, style: MetricStyle) -> Markup:
    search, ancestors = report.search, {record.candidate_id for record in _lineage(report)}
    nodes = [
        LineageNode(
            name=record.candidate_id,
            text="control" if mark is LineageMark.CONTROL else record.candidate_id,
            generation=record.generation,
            parents=record.parents,
            parameters=record.cost.parameters,
            mark=mark,
            ancestor=mark is not LineageMark.CONTROL and record.candidate_id in ancestors,
            label=f"{_tooltip(record, style, mark)}, from {', '.join(record.parents) or 'training'}",
        )
        for record, mark in _related(report)
    ]
    last = max(record.generation for record in search.candidates)
    label = f"Lineage of {plural(len(search.candidates), 'candidate')} over {plural(last, 'generation')}"
    path = f" {_ARROW} ".join(record.candidate_id for record in _lineage(report))
    return lineage_plot(nodes, label, f"The chosen network's line: {path}. The table of candidates names all parents.")


def _related(report: CompactionReport) -> Iterable[tuple[CandidateRecord, LineageMark]]:
    search = report.search
    yield search.reference, LineageMark.REFERENCE
    for record in search.candidates:
        if record.candidate_id == search.chosen:
            yield record, LineageMark.CHOSEN
        else:
            yield record, LineageMark.PROMISING if _promising(record) else LineageMark.OTHER
    for control in search.controls:
        yield control.record, LineageMark.CONTROL


def _promising(record: CandidateRecord) -> bool:
    """Records of earlier versions do not say; what met every requirement was promising."""
    return record.feasible if record.promising is None else record.promising


def _generations(ordered: list[CandidateRecord], style: MetricStyle) -> Iterable[GenerationRow]:
    for generation in sorted({record.generation for record in ordered}):
        members = [record for record in ordered if record.generation == generation]
        trained = [record for record in members if record.stage is not CandidateStage.PROPOSED]
        qualities = [value for record in members if (value := _quality(record, style)) is not None]
        best = min if style.higher_is_better is False else max
        yield GenerationRow(
            generation=generation,
            proposed=count(len(members)),
            trained=count(len(trained)),
            finished=count(sum(record.stage is CandidateStage.FINISHED for record in members)),
            feasible=count(sum(record.feasible for record in members)),
            smallest=count(min(record.cost.parameters for record in members)),
            best=style.value(best(qualities)) if qualities else MISSING,
        )


def _strategy(record: CandidateRecord) -> str:
    """What proposed a candidate, and what it does beside narrowing: ``blocks: conv_1 depthwise separable``."""
    done = [
        f"{layer} {operator.value.replace('_', ' ')}"
        for layer, operator in record.genome.blocks.items()
        if operator is not BlockOperator.KEEP
    ]
    done += ["early downsampling"] if record.genome.early_downsampling else []
    return f"{record.strategy}: {', '.join(done)}" if done else record.strategy


def _candidate(report: CompactionReport, record: CandidateRecord, style: MetricStyle) -> CandidateRow:
    chosen = record.candidate_id == report.search.chosen
    quality, before = _quality(record, style), _quality(report.search.reference, style)
    change = style.difference(quality - before) if quality is not None and before is not None else MISSING
    flags = [
        ("chosen", chosen),
        ("front", record.on_front),
        ("feasible", record.feasible),
        ("promising", _promising(record)),
    ]
    remaining = record.cost.parameters / max(report.search.reference.cost.parameters, 1)
    return CandidateRow(
        candidate_id=record.candidate_id,
        generation=record.generation,
        parents=", ".join(record.parents) or MISSING,
        strategy=_strategy(record),
        stage=record.stage.value,
        parameters=f"{count(record.cost.parameters)} ({share(remaining)})",
        macs=short_count(record.cost.macs),
        quality=style.value(quality),
        change=change,
        performance=number(record.performance),
        flags=", ".join(text for text, holds in flags if holds),
        chosen=chosen,
    )
