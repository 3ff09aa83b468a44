"""From scores to everything that is measured: estimates, slices, alerts, calibration, drift, curves."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from darwin_core.contracts import CurvePoint, GateConfig, SliceMetrics, Task
from darwin_core.evaluation.alerts import Flags, alerted, deployed_threshold, missed_rows, overlap
from darwin_core.evaluation.calibration import align_scales, fit_logistic, slope_ratio_bounds
from darwin_core.evaluation.cases import Answers, Slice
from darwin_core.evaluation.checks import Slopes
from darwin_core.evaluation.comparison import Comparison, compare
from darwin_core.evaluation.curves import confusion_matrix, precision_recall_curve, roc_curve
from darwin_core.evaluation.drift import Drift, score_drift
from darwin_core.evaluation.gate import AlertEvidence, Measurements
from darwin_core.evaluation.holdout import Holdout
from darwin_core.evaluation.labels import compare_label, label_notes, pooled
from darwin_core.evaluation.metrics import expected_calibration_error
from darwin_core.evaluation.ranking import Floats
from darwin_core.evaluation.statistics import Pair, Queues, alert_queues, caught_share
from darwin_core.evaluation.wording import power_note
from darwin_core.progress import Reporter, Tracker

_PIXELS = (
    "Accuracy is the share of right pixels. Mean IoU is the mean over the classes of intersection over union, counted "
    "over all pixels of all pictures; whole pictures are resampled for its bounds. The confusion matrix is in pixels."
)
_MAX_CLASSES = 100  # a larger confusion matrix is of no use to a reader


@dataclass(frozen=True)
class Scored:
    """Answers of one network on the sealed rows, and on the validation rows where thresholds come from them."""

    test: Answers
    validation: Answers | None = None


@dataclass(frozen=True)
class Curves:
    """What a report draws; one entry per network."""

    roc: dict[str, tuple[CurvePoint, ...]] = field(default_factory=dict)
    precision_recall: dict[str, tuple[CurvePoint, ...]] = field(default_factory=dict)
    confusion: dict[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Assessment:
    """The measurements that the gate judges, with what the report shows beside them.

    ``flags`` tells for each network which rows are on its alert queue; empty where the task has no alerts.
    """

    measurements: Measurements
    flags: dict[str, Flags]
    missed_row_ids: tuple[str, ...]
    notes: tuple[str, ...]


class Assessor:
    """Measures the candidate against the reference, and against the champion where there is one.

    Args:
        task: What the networks predict.
        holdout: The sealed rows.
        gate: Confidence, rounds, alert budget.
        reporter: Where progress goes.
    """

    def __init__(self, task: Task, holdout: Holdout, gate: GateConfig, reporter: Reporter) -> None:
        self._task, self._holdout, self._gate, self._reporter = task, holdout, gate, reporter

    def assess(self, reference: Scored, candidate: Scored, champion: Scored | None) -> Assessment:
        """Measure everything."""
        pair = (reference.test, candidate.test)
        threshold, queues = self._alerting(reference, pair)
        comparison = self._compare("Comparing candidate and reference", pair, threshold)
        against_champion = None
        if champion is not None:
            against_champion = self._compare(
                "Comparing candidate and champion", (champion.test, candidate.test), threshold
            )
        alerts, flags, missed = None, {}, np.zeros(0, np.int64)
        if queues is not None and threshold is not None:
            flags = self._flags(queues, champion)
            missed = missed_rows(self._holdout.cases, alerted(queues), candidate.test.scores)
            alerts = self._alert_evidence(reference, candidate, threshold, queues)
        measurements = Measurements(
            task=self._task,
            comparison=comparison,
            slices=self._slices(pair, threshold, queues),
            champion=against_champion,
            drift=self._drift(reference, candidate),
            alerts=alerts,
        )
        missed_ids = tuple(self._holdout.row_ids[int(row)] for row in missed)
        advice = (alerts.advice,) if alerts is not None and alerts.advice else ()
        pixels = (_PIXELS,) if self._task is Task.SEGMENTATION else ()
        notes = (*label_notes(self._holdout), *pixels, *self._power(pair, flags), *advice)
        return Assessment(measurements, flags, missed_ids, notes)

    def _alerting(self, reference: Scored, pair: Pair) -> tuple[float | None, Queues | None]:
        if self._task is not Task.BINARY or reference.validation is None:
            return None, None
        threshold = deployed_threshold(reference.validation.scores, self._gate.alert_budget)
        return threshold, alert_queues(self._holdout.cases, pair, self._gate.alert_budget)

    def _power(self, pair: Pair, flags: dict[str, Flags]) -> tuple[str, ...]:
        labels, gate = np.asarray(self._holdout.cases.labels), self._gate
        if self._task is Task.MULTICLASS and gate.accuracy_margin:
            right = [answers.predicted == labels for answers in pair]
            note = power_note(right[0] != right[1], "rows", gate.accuracy_margin, gate.confidence)
        elif flags and gate.recall_margin:
            differ = (flags["reference"] != flags["candidate"])[labels != 0]
            note = power_note(differ, "positive rows", gate.recall_margin, gate.confidence)
        else:
            note = ""
        return (note,) if note else ()

    def _flags(self, queues: Queues, champion: Scored | None) -> dict[str, Flags]:
        flags = dict(zip(("reference", "candidate"), alerted(queues), strict=True))
        if champion is not None:
            share = caught_share(self._holdout.cases, champion.test.scores, self._gate.alert_budget)
            flags["champion"] = share >= 0.5
        return flags

    def _compare(self, title: str, pair: Pair, threshold: float | None) -> Comparison:
        with self._reporter.track(title, self._gate.bootstrap_rounds) as tracker:
            return compare(
                self._task, self._holdout.cases, pair, self._gate, threshold=threshold, advance=tracker.advance
            )

    def _slices(self, pair: Pair, threshold: float | None, queues: Queues | None) -> tuple[SliceMetrics, ...]:
        slices, labels = self._holdout.slices, self._holdout.labels
        if not slices and not labels:
            return ()
        total = (len(slices) + len(labels)) * self._gate.bootstrap_rounds
        with self._reporter.track("Comparing slices", total) as tracker:
            by_label = (compare_label(self._holdout, pair, k, self._gate, tracker) for k in range(len(labels)))
            return (*by_label, *(self._slice(one, pair, threshold, queues, tracker) for one in slices))

    def _slice(
        self, one: Slice, pair: Pair, threshold: float | None, queues: Queues | None, tracker: Tracker
    ) -> SliceMetrics:
        cases = self._holdout.cases.restricted(one.mask)
        restricted = (pair[0].restricted(one.mask), pair[1].restricted(one.mask))
        on_queue = None if queues is None else (queues[0][one.mask], queues[1][one.mask])
        found = compare(
            self._task,
            cases,
            restricted,
            self._gate,
            threshold=threshold,
            queues=on_queue,
            advance=lambda rounds: tracker.advance(rounds, one.name),
        )
        positives = int(cases.positive.sum()) if self._task in (Task.BINARY, Task.MULTILABEL) else None
        return SliceMetrics(
            column=one.column,
            value=one.value,
            rows=cases.rows,
            positives=positives,
            estimates=tuple(found.estimates.values()),
        )

    def _drift(self, reference: Scored, candidate: Scored) -> tuple[Drift, Drift] | None:
        has_one_score = self._task in (Task.BINARY, Task.REGRESSION)
        if not has_one_score or reference.validation is None or candidate.validation is None:
            return None
        return (
            score_drift(reference.validation.scores, reference.test.scores, seed=self._gate.seed),
            score_drift(candidate.validation.scores, candidate.test.scores, seed=self._gate.seed),
        )

    def _alert_evidence(self, reference: Scored, candidate: Scored, threshold: float, queues: Queues) -> AlertEvidence:
        cases, flags = self._holdout.cases, alerted(queues)
        missed = int(((np.asarray(cases.labels) != 0) & flags[0] & ~flags[1]).sum())
        return AlertEvidence(
            threshold=threshold,
            overlap=overlap(cases, flags, self._gate),
            missed=missed,
            slopes=self._slopes(reference.test.scores, candidate.test.scores),
            advice=self._advice(reference, candidate, threshold) if self._gate.calibrate else "",
        )

    def _slopes(self, reference: Floats, candidate: Floats) -> Slopes | None:
        cases, confidence = self._holdout.cases, self._gate.confidence
        positive = np.asarray(cases.labels) != 0
        ours, theirs = (fit_logistic(scores, positive, cases.weights) for scores in (candidate, reference))
        if ours is None or theirs is None:
            return None
        return Slopes(
            reference=theirs,
            candidate=ours,
            own=ours.slope_bounds(confidence=confidence, clusters=cases.clusters),
            ratio=slope_ratio_bounds(theirs, ours, confidence=confidence, clusters=cases.clusters),
        )

    def _advice(self, reference: Scored, candidate: Scored, threshold: float) -> str:
        """What mapping the candidate's scores to the reference's scale would change (Q7). Decides nothing."""
        if reference.validation is None or candidate.validation is None:
            return ""
        found = align_scales(
            candidate.validation.scores, reference.validation.scores, alert_budget=self._gate.alert_budget
        )
        if found is None:
            return ""
        mapped = found.apply(candidate.test.scores)
        rate = float((mapped >= threshold).mean())
        error = expected_calibration_error(np.asarray(self._holdout.cases.labels) != 0, mapped)
        return (
            f"A score map that aligns median and alerts on the validation rows (log-odds times {found.slope:.3f} plus "
            f"{found.intercept:+.3f}) would bring the alert rate to {rate:.4f} and the calibration error to "
            f"{error:.4f}; it is not part of the network, so the verdict does not count on it."
        )


def draw_curves(task: Task, holdout: Holdout, answers: dict[str, Answers], classes: int) -> Curves:
    """ROC and precision-recall curves of binary tasks; confusion matrices up to a hundred classes.

    The curves of several labels are over all rows and labels together, the matrix of a segmentation is in pixels.
    """
    if task is Task.REGRESSION:
        return Curves()
    labels, weights = np.asarray(holdout.cases.labels), holdout.cases.weights
    if task is Task.MULTILABEL:
        labels, weights, answers = pooled(labels, weights, answers)
    if task is Task.SEGMENTATION:
        labels = labels.ravel()
        answers = {name: Answers(one.scores, one.predicted.ravel()) for name, one in answers.items()}
    confusion = {}
    if task is not Task.MULTILABEL and classes <= _MAX_CLASSES:
        confusion = {name: confusion_matrix(labels, one.predicted, classes) for name, one in answers.items()}
    if task in (Task.MULTICLASS, Task.SEGMENTATION):
        return Curves(confusion=confusion)
    return Curves(
        roc={name: roc_curve(labels, one.scores, weights) for name, one in answers.items()},
        precision_recall={name: precision_recall_curve(labels, one.scores, weights) for name, one in answers.items()},
        confusion=confusion,
    )
