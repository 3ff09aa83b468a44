"""The whole search: from a reference, data and requirements to the chosen network and the record of how it was found.

reference --probe--> insights --generator--> designs --inherit, distil, judge--> offspring --race--> candidates
    ^                                                                                                    |
    +------------------------- the smallest that keeps the quality becomes the parent -------------------+
candidates --long finish--> chosen, and beside it a uniformly narrowed control of the same size and samples

Where a person picked a point of an earlier front, only the last line of this takes place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from darwin_core.contracts import (
    CandidateRecord,
    CandidateStage,
    ControlRecord,
    Genome,
    HeadKind,
    Insights,
    Latency,
    Task,
    TrimmedTable,
    Variation,
)
from darwin_core.dependency import analyse
from darwin_core.networks import Predictor, load_network, measure_cost, measure_latency, save_network
from darwin_core.progress import Reporter
from darwin_core.rewriting import weighted_pooling
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.breeding import Breeder, Frame
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.choice import choose
from darwin_core.synthesis.columns import ColumnSelector, silent_columns
from darwin_core.synthesis.effort import Clock, Effort
from darwin_core.synthesis.examiner import Examiner
from darwin_core.synthesis.finishing import finish, finish_one, uniform_control
from darwin_core.synthesis.inputs import inputs_to_drop
from darwin_core.synthesis.inquisitor import Inquisitor
from darwin_core.synthesis.journal import Journal
from darwin_core.synthesis.judgement import Judge, ValidationRows
from darwin_core.synthesis.latency import LatencyCalibration
from darwin_core.synthesis.loop import GenerationLoop
from darwin_core.synthesis.nursery import Nursery
from darwin_core.synthesis.pace import Pace
from darwin_core.synthesis.performance import performance_function
from darwin_core.synthesis.picking import PickedPoint
from darwin_core.synthesis.probings import Probings
from darwin_core.synthesis.recording import record_search
from darwin_core.synthesis.requirements import complete_requirements
from darwin_core.synthesis.settling import Settler
from darwin_core.synthesis.sizing import SizeSchedule
from darwin_core.synthesis.task import Aim, Part, Reference, SearchOutcome
from darwin_core.synthesis.thinning import Thinning
from darwin_core.synthesis.trimming import TableTrimmer
from darwin_core.training import (
    DistillationData,
    Distiller,
    TeacherCache,
    TrainingPlan,
    choose_variation,
    teaching_views,
)

REFERENCE_ID = "reference"


class Search:
    """One search; :meth:`run` does it, :meth:`go_on_from` continues an earlier one where a person wants it to.

    Args:
        reference: The network to be made smaller.
        train: The rows that teach.
        validation: The rows that judge; never the sealed ones.
        aim: What is asked for.
        workdir: Survives a kill and belongs to this search alone.
        cache_dir: Shared by content with all searches on the machine.
        reporter: Where progress goes.

    Raises:
        RequirementError: A requirement speaks of a metric that this task does not have.
        RequestError: The performance function is unknown.
        NetworkError: The reference cannot be read.
    """

    def __init__(
        self,
        reference: Reference,
        train: Part,
        validation: Part,
        aim: Aim,
        *,
        workdir: Path,
        cache_dir: Path,
        reporter: Reporter,
    ) -> None:
        self._reference, self._train, self._validation, self._aim = reference, train, validation, aim
        self._workdir, self._reporter, self._seconds = workdir, reporter, dict[str, float]()
        self._network = load_network(reference.path)
        self._graph = analyse(self._network)
        self._head = HeadKind.GLOBAL_POOLING if HeadKind.GLOBAL_POOLING in self._graph.heads else HeadKind.KEEP
        self._cost = measure_cost(self._network)
        self._teacher = TeacherCache(cache_dir / "teacher", reference.sha256, Predictor(self._network), reporter)
        self._images = any(values.ndim == 4 for values in train.split.inputs.values())
        self._journal = Journal(workdir / "journal.jsonl")
        self._clock = Clock(aim.budget.seconds, self._journal.total("seconds"))
        self._effort = Effort(aim.budget, train.split.rows, images=self._images, clock=self._clock)

    def run(self) -> SearchOutcome:
        """Search, finish, choose, and hold the choice against the control."""
        aim, effort = self._aim, self._effort
        judge, reference, nursery = self._prepare()
        reference, tables = self._trimmed(reference, judge)
        probings = Probings(self._inquisitor(), self._workdir / "insights")
        with self._timed("probing"):
            insights = probings.of(reference, self._graph)
        reference = self._weighted(reference)
        frame = self._frame(judge, insights, reference)
        selector = ColumnSelector(judge, self._train.split, self._validation.split)
        breeder = Breeder(aim.generator, probings, selector, nursery, effort, frame, seed=aim.seed)
        loop = GenerationLoop(breeder, self._schedule(frame), aim.budget, effort, self._clock, self._journal)
        thinning = Thinning(breeder, len(self._network.inputs), aim.budget, self._clock, self._journal)
        with self._reporter.track("Synthesis") as tracker:
            pace = Pace(tracker, effort.finish_samples(self._cost, 1) * (2 if aim.budget.control else 1))
            with self._timed("generations"):
                candidates = thinning.run(loop.run(reference, pace), pace)
            with self._timed("finish"):
                candidates = finish(candidates, nursery, effort, pace)
            chosen = choose(candidates)
            frame = replace(frame, dropped_inputs=chosen.record.genome.dropped_inputs)
            controls = self._controls(chosen, reference, frame, nursery, pace)
        whole = replace(reference, path=self._reference.path)
        record = record_search(aim, self._reference.kind.task, whole, candidates, controls, chosen, self._seconds)
        record = record.model_copy(update={"tables": tables, "variation": self._variation})
        by_id = {candidate.candidate_id: candidate for candidate in candidates}
        return SearchOutcome(record, insights, chosen, tuple(by_id[name] for name in record.front))

    def go_on_from(self, point: PickedPoint) -> SearchOutcome:
        """Finish the picked network where it is not finished yet, and hold it against a control of its own size."""
        aim, effort = self._aim, self._effort
        judge, reference, nursery = self._prepare()
        reference, tables = self._trimmed(reference, judge)
        candidates = point.population(self._cost)
        place = [item.candidate_id for item in candidates].index(point.pick.candidate_id)
        picked = candidates[place]
        genome = picked.record.genome
        if genome.head is HeadKind.WEIGHTED_POOLING:
            reference = self._weighted(reference)
        frame = Frame(self._cost, judge.indicator.limits(), genome.head, genome.dropped_inputs)
        with self._reporter.track("Synthesis") as tracker:
            pace = Pace(tracker, effort.finish_samples(picked.record.cost, 1) * (2 if aim.budget.control else 1))
            with self._timed("finish"):
                finished = picked.record.stage is CandidateStage.FINISHED
                chosen = nursery.judge_again(picked) if finished else finish_one(picked, nursery, effort, pace)
            controls = self._controls(chosen, reference, frame, nursery, pace)
        candidates[place] = chosen
        before, now = point.search.seconds, self._seconds
        seconds = {phase: before.get(phase, 0.0) + now.get(phase, 0.0) for phase in before | now}
        task = self._reference.kind.task
        whole = replace(reference, path=self._reference.path)
        record = record_search(aim, task, whole, candidates, controls, chosen, seconds, point)
        record = record.model_copy(update={"tables": tables, "variation": self._variation})
        by_id = {item.candidate_id: item for item in candidates if item.candidate_id in point.networks}
        front = tuple(by_id[name] for name in record.front if name in by_id)
        return SearchOutcome(record, point.insights, chosen, front)

    def _controls(
        self, chosen: Candidate, reference: Candidate, frame: Frame, nursery: Nursery, pace: Pace
    ) -> list[ControlRecord]:
        with self._timed("control"):
            return [uniform_control(chosen, reference, frame, nursery, pace)] if self._aim.budget.control else []

    def _prepare(self) -> tuple[Judge, Candidate, Nursery]:
        judge = self._judge()
        latency = self._latency() if judge.indicator.needs_latency else None
        nursery = self._nursery(Examiner(judge, self._validation.split, latency))
        return judge, self._generation_zero(judge, latency), nursery

    def _judge(self) -> Judge:
        rows, kind = self._validation.split, self._reference.kind
        with self._timed("teacher"):
            outputs = self._teacher.outputs(rows, self._validation.sha256)
        return Judge(
            kind,
            ValidationRows(rows.labels, rows.weights),
            outputs,
            self._cost,
            complete_requirements(self._aim.requirements, kind.task),
            performance_function(self._aim.performance_function),
            self._aim.alert_budget,
            self._reference.loss,
        )

    def _nursery(self, examiner: Examiner) -> Nursery:
        rows, kind = self._train.split, self._reference.kind
        with self._timed("teacher"):
            outputs = self._teacher.outputs(rows, self._train.sha256)
            views = teaching_views(self._variation)
        data = DistillationData(rows, tuple((view, outputs) for view in views))

        def plan(samples: int) -> TrainingPlan:
            return TrainingPlan.for_data(samples, images=self._images, strength=self._variation.strength)

        distiller = Distiller(kind, data, self._reference.loss)
        judged = self._validation
        expected = self._teacher.outputs(judged.split, judged.sha256)
        settler = Settler(kind, self._reference.loss, judged.split, expected, self._aim.alert_budget)
        folder = self._workdir / "networks"
        return Nursery(folder, self._journal, distiller, examiner, plan, self._effort, settler, self._aim.seed)

    @cached_property
    def _variation(self) -> Variation:
        """How far training rows are varied: only pictures of classes are.

        A number to be predicted may depend on place or brightness, a mask would have to move with its picture, and
        tables have no variation that is true of every column.
        """
        kind, judged = self._reference.kind, self._validation
        if not self._images or kind.task in (Task.REGRESSION, Task.SEGMENTATION):
            return Variation()
        return choose_variation(
            kind, judged.split.labels, lambda view: self._teacher.outputs(judged.split, judged.sha256, view)
        )

    def _inquisitor(self) -> Inquisitor:
        reference = self._reference
        return Inquisitor(
            reference.kind,
            self._train.split,
            reference.features,
            reference.loss,
            seed=self._aim.seed,
            reporter=self._reporter,
        )

    def _latency(self) -> Callable[[Path], Latency]:
        row = self._validation.split.take([0]).inputs

        def measure(path: Path) -> Latency:
            present = {item.name for item in load_network(path).inputs}
            return measure_latency(path, {name: values for name, values in row.items() if name in present})

        return measure

    def _generation_zero(self, judge: Judge, latency: Callable[[Path], Latency] | None) -> Candidate:
        """The reference as the first candidate."""
        cost = self._cost
        if latency is not None:
            cost = cost.model_copy(update={"latency": latency(self._reference.path)})
        outputs = self._teacher.outputs(self._validation.split, self._validation.sha256)
        found = judge.judge(cost, outputs)
        record = CandidateRecord(
            candidate_id=REFERENCE_ID,
            generation=0,
            parents=(),
            strategy="reference",
            genome=Genome(widths={name: group.channels for name, group in self._graph.groups.items()}),
            cost=cost,
            quality=found.quality,
            stage=CandidateStage.FINISHED,
            samples=0,
            seconds=0.0,
            performance=found.performance,
            requirements=found.statuses,
            feasible=found.feasible,
        )
        shortfalls = (found.shortfall, found.cautious_shortfall, found.expected_shortfall)
        return Candidate(record, self._reference.path, 1.0, *shortfalls, lineage_samples=0)

    def _trimmed(self, reference: Candidate, judge: Judge) -> tuple[Candidate, tuple[TrimmedTable, ...]]:
        """The reference with smaller lookup tables, from which offspring inherit; how its outputs are read stays."""
        path, entry = self._workdir / "trimmed.keras", self._journal.get("tables")
        if entry is None or (entry["tables"] and not path.exists()):
            with self._timed("tables"):
                network, found = TableTrimmer(judge, self._train.split, self._validation.split).trim(self._network)
            if found:
                save_network(network, path)
            entry = {"tables": [item.model_dump(mode="json") for item in found]}
            self._journal.append("tables", entry)
        tables = tuple(TrimmedTable.model_validate(item) for item in entry["tables"])
        if not tables:
            return reference, ()
        self._network = load_network(path)
        self._graph = analyse(self._network)
        return replace(reference, path=path), tables

    def _weighted(self, reference: Candidate) -> Candidate:
        """The reference with a head that weighs positions, where that makes sense: what offspring inherit from.

        It has the groups of the reference, whose insights hold for it: they are seen before, because a head that was
        flattened is at first no more than an average here.
        """
        network = weighted_pooling(self._network, self._graph) if self._images else None
        if network is None:
            return reference
        path = self._workdir / "weighted.keras"
        save_network(network, path)
        self._network, self._graph, self._head = network, analyse(network), HeadKind.WEIGHTED_POOLING
        return replace(reference, path=path)

    def _frame(self, judge: Judge, insights: Insights, reference: Candidate) -> Frame:
        """Head, inputs and ceilings. A bound on latency becomes one on MACs."""
        limits, head = judge.indicator.limits(), self._head
        use = insights.input_use
        if limits.input_features is not None:
            ranked = sorted(self._graph.droppable_inputs, key=lambda name: -use.get(name, 0.0))
            use = use | dict.fromkeys(silent_columns(self._train.split, ranked), -1.0)
        dropped = inputs_to_drop(self._graph, use, limits.input_features)
        if judge.indicator.needs_latency:
            calibration = LatencyCalibration(judge.indicator, self._latency(), self._workdir, self._journal)
            with self._timed("latency"):
                macs = calibration.most_macs(self._graph, reference.record.cost, head, dropped)
            limits = replace(limits, macs=min(limits.macs, macs))
        return Frame(self._cost, limits, head, dropped)

    def _schedule(self, frame: Frame) -> SizeSchedule:
        ceiling = 1.0
        if frame.limits.bounded:
            allocator = WidthAllocator(self._graph, self._cost, head=frame.head, dropped_inputs=frame.dropped_inputs)
            ceiling = allocator.size(allocator.allocate({}, Target(1.0, frame.limits)))
        return SizeSchedule(self._aim.budget.resource_factor, ceiling)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._seconds[phase] = self._seconds.get(phase, 0.0) + time.monotonic() - started
