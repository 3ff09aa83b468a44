"""Explain networks on tables: shares of columns, agreement of both networks, and single rows in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from darwin_core.contracts import FeatureAttribution, RowExplanation, Task
from darwin_core.errors import NetworkError
from darwin_core.explanation.attribution import Attribution, FeatureMap, SampledShapley
from darwin_core.explanation.attribution.base import Floats, Targets
from darwin_core.explanation.attribution.features import take
from darwin_core.explanation.attribution.shapley import walk_length
from darwin_core.explanation.counterfactuals import SingleChange
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.examples import telling_rows
from darwin_core.explanation.free_text import WordTrial
from darwin_core.explanation.judging.rows import RowJudge
from darwin_core.explanation.ranking import TOP, feature_attributions, rank_overlap
from darwin_core.explanation.reasons import UsualValues, reason_codes
from darwin_core.explanation.subject import ScoredRows, Subject, decision_rule, has_score
from darwin_core.progress import Reporter

BACKGROUND_ROWS = 64
USUAL_ROWS = 4096
MAX_EVALUATIONS = 400_000
"""Network evaluations per network; wide tables get fewer permutations, then fewer rows."""

MAX_PAIRS = 16
MAX_DELETED_ROWS = 128


@dataclass(frozen=True)
class TableExplanation:
    """What is known of two networks on a table.

    Attributes:
        method: How it was found, as a sentence.
        row_ids: Ids of the randomly drawn rows behind ``reference`` and ``candidate``.
        names: All columns.
        reference: Attribution of the drawn rows, values (rows, columns).
        candidate: The same; columns that it no longer reads are 0.
        features: Shares of all columns.
        rank_overlap: Agreement of both networks' top three columns per row.
        falls: (rows,) how much further decisions fall without their reasons than without random columns.
        examples: Telling rows.
    """

    method: str
    row_ids: tuple[str, ...]
    names: tuple[str, ...]
    reference: Attribution
    candidate: Attribution
    features: tuple[FeatureAttribution, ...]
    rank_overlap: float
    falls: Floats
    examples: tuple[RowExplanation, ...]


def explain_table(subject: Subject, scored: ScoredRows, rows: int, reporter: Reporter) -> TableExplanation:
    """Attribute scores of validation rows to raw columns, for both networks.

    The same rows, background rows and target classes serve both networks, so that differences are theirs.

    Args:
        subject: Networks and data.
        scored: Validation rows with both networks' scores.
        rows: Rows to attribute, drawn at random; fewer where the table is so wide that it would take too long.
        reporter: Where progress goes.
    """
    features = FeatureMap.of(subject.bound)
    rule = decision_rule(subject, scored.candidate)
    both = _Comparison(subject, features, scored, rule, min(rows, len(scored.rows)))
    drawn = np.sort(subject.rng(2).permutation(len(scored.rows))[: both.rows])
    telling = telling_rows(rule, scored.candidate, scored.reference)
    reference, candidate = both.attribute(np.concatenate([drawn, telling]), reporter)
    count = len(drawn)
    return TableExplanation(
        method=f"{both.method}, of {rule.scale}; {count:,} validation rows drawn at random{scored.note}",
        row_ids=tuple(subject.validation.row_ids[int(position)] for position in scored.rows[drawn]),
        names=features.names,
        reference=_part(reference, slice(0, count)),
        candidate=_part(candidate, slice(0, count)),
        features=feature_attributions(features.names, reference.values[:count], candidate.values[:count]),
        rank_overlap=rank_overlap(reference.values[:count], candidate.values[:count]),
        falls=both.deletion_falls(drawn, candidate.values[:count]),
        examples=both.examples(telling, candidate.values[count:], reporter),
    )


def write_attributions(table: TableExplanation, path: Path) -> None:
    """Write the attributions of both networks as Parquet; the file appears whole.

    Columns: row_id, network ("reference" or "candidate"), score, base, and ``attribution.<column>`` per raw column;
    base and attributions add up to the score.
    """
    parts = []
    for network, attribution in (("reference", table.reference), ("candidate", table.candidate)):
        columns: dict[str, Any] = {
            "row_id": list(table.row_ids),
            "network": [network] * len(table.row_ids),
            "score": attribution.scores,
            "base": attribution.base,
        }
        columns |= {f"attribution.{name}": attribution.values[:, i] for i, name in enumerate(table.names)}
        parts.append(pa.table(columns))
    partial = path.with_name(f".{path.name}.part")
    pq.write_table(pa.concat_tables(parts), partial, compression="zstd")
    partial.replace(path)


class _Comparison:
    """Both networks on the same rows."""

    def __init__(
        self, subject: Subject, features: FeatureMap, scored: ScoredRows, rule: DecisionRule, rows: int
    ) -> None:
        self._subject = subject
        self._features = features
        self._scored = scored
        self._rule = rule
        drawn = subject.rng(3).permutation(subject.train.rows)[:USUAL_ROWS]
        self._usual = subject.train.take(drawn).inputs
        self._background = self._finite_background()
        per_pair = 2 * walk_length(features, take(self._usual, slice(BACKGROUND_ROWS, None)), self._background)
        self._pairs = int(np.clip(MAX_EVALUATIONS / (max(rows, 1) * per_pair), 1, MAX_PAIRS))
        self.rows = max(1, min(rows, int(MAX_EVALUATIONS / (self._pairs * per_pair))))
        """Rows to draw: as many as asked for, where that keeps within MAX_EVALUATIONS."""

    def _finite_background(self) -> dict[str, NDArray[Any]]:
        drawn = take(self._usual, slice(0, 8 * BACKGROUND_ROWS))
        usable = has_score(self._subject.reference.scores(drawn), self._subject.candidate.scores(drawn))
        if not usable.any():
            raise NetworkError(
                f"None of {len(usable)} training rows gets a finite score from both networks.",
                hint="Look for missing values that the network does not handle.",
            )
        return take(drawn, np.flatnonzero(usable)[:BACKGROUND_ROWS])

    @property
    def method(self) -> str:
        """How columns are attributed, in words."""
        return self._sampler(self._features).method

    def attribute(self, positions: NDArray[np.int64], reporter: Reporter) -> tuple[Attribution, Attribution]:
        """Attributions of scored rows by the reference and by the candidate."""
        inputs = self._subject.validation.take(self._scored.rows[positions]).inputs
        targets = self._rule.targets(self._scored.candidate[positions])
        with reporter.track("Attributing decisions to columns", total=2 * len(positions)) as tracker:
            found = []
            for network in (self._subject.reference, self._subject.candidate):
                read = self._features.restricted_to(network.inputs)
                attribution = self._sampler(read).attribute(network, inputs, targets, tracker)
                found.append(_widened(attribution, read, self._features))
        return found[0], found[1]

    def examples(
        self, positions: NDArray[np.int64], contributions: Floats, reporter: Reporter
    ) -> tuple[RowExplanation, ...]:
        """The rows in words, as the candidate sees them."""
        network = self._subject.candidate
        read = self._features.restricted_to(network.inputs)
        usual = UsualValues.of(self._features, self._usual)
        words = WordTrial(read, self._usual, network.scores)
        search = SingleChange(read, self._usual, self._rule, network.scores, self._subject.actionable)
        inputs = self._subject.validation.take(self._scored.rows[positions]).inputs
        scores = self._scored.candidate[positions]
        targets: Targets | None = self._rule.targets(scores)
        explained = []
        with reporter.track("Writing reason codes", total=len(positions)) as tracker:
            for row, position in enumerate(positions):
                target = None if targets is None else int(targets[row])
                reasons = reason_codes(
                    self._features,
                    usual,
                    inputs,
                    row,
                    contributions[row],
                    self._rule.subject(target),
                    words=words,
                    target=target,
                )
                explained.append(
                    RowExplanation(
                        row_id=self._subject.validation.row_ids[int(self._scored.rows[position])],
                        predicted=self._rule.shown(scores, row),
                        score=self._rule.score(scores, row),
                        reasons=reasons,
                        counterfactual=search.describe(take(inputs, slice(row, row + 1))),
                    )
                )
                tracker.advance(1)
        return tuple(explained)

    def deletion_falls(self, positions: NDArray[np.int64], values: Floats) -> Floats:
        """(rows,) fall of the decision's probability without the row's reasons, beyond that without random columns.

        At most ``MAX_DELETED_ROWS`` rows; none for regression, where nothing is decided.
        """
        columns = max(1, min(TOP, len(self._features) // 2))
        if self._rule.task is Task.REGRESSION or len(self._features) < 2:
            return np.zeros(0)
        positions, values = positions[:MAX_DELETED_ROWS], values[:MAX_DELETED_ROWS]
        inputs = self._subject.validation.take(self._scored.rows[positions]).inputs
        judge = RowJudge(
            self._features,
            self._background,
            self._subject.candidate.scores,
            inputs,
            threshold=self._rule.threshold,
            draws=8,
            seed=self._subject.seed,
        )
        random = self._subject.rng(5).normal(size=values.shape)
        return np.asarray(judge.fall(judge.support(values), columns) - judge.fall(random, columns))

    def _sampler(self, features: FeatureMap) -> SampledShapley:
        return SampledShapley(features, self._background, pairs=self._pairs, seed=self._subject.seed)


def _widened(attribution: Attribution, read: FeatureMap, every: FeatureMap) -> Attribution:
    values = np.zeros((len(attribution.values), len(every)))
    values[:, [every.names.index(name) for name in read.names]] = attribution.values
    return Attribution(values, attribution.base, attribution.scores)


def _part(attribution: Attribution, rows: slice) -> Attribution:
    return Attribution(attribution.values[rows], attribution.base[rows], attribution.scores[rows])
