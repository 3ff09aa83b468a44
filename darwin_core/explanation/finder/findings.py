"""From shortcuts to findings: words, severity, affected rows, examples and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from darwin_core.contracts import (
    Amplification,
    FactorReaction,
    Finding,
    FindingExample,
    FindingKind,
    Severity,
)
from darwin_core.data import MappedSplit
from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.checks.base import MAX_AFFECTED_IDS
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.factors.base import PictureFactor
from darwin_core.explanation.finder.experiments import Reaction, Trial
from darwin_core.explanation.finder.pool import Bools, Ints, Pool, ScoresRows
from darwin_core.explanation.finder.search import Shortcut
from darwin_core.explanation.overlay import picture_uri, to_pixels
from darwin_core.storage import atomic_file
from darwin_core.wording import counted, listed, percent

_BATCH_ROWS = 1024
_EXAMPLES = 3
_GRAVE_EFFECT = 0.25
_MORE = 0.02


@dataclass(frozen=True)
class FindingWithRows:
    """A finding with all rows concerned.

    Attributes:
        finding: What is reported.
        row_ids: Every affected row.
    """

    finding: Finding
    row_ids: tuple[str, ...]


def affected_rows(trial: Trial, split: MappedSplit) -> Ints:
    """Positions of the rows of the class that have the factor, among all rows of a part."""
    rows = np.flatnonzero(np.asarray(split.labels) == trial.target)
    return np.asarray(rows[_have_factor(trial, split, rows)])


def rows_with_factor(trial: Trial, split: MappedSplit) -> Bools:
    """(rows of the part,) which rows of any class have the factor."""
    return _have_factor(trial, split, np.arange(split.rows))


def _have_factor(trial: Trial, split: MappedSplit, rows: Ints) -> Bools:
    found = [np.empty(0, bool)]
    for start in range(0, len(rows), _BATCH_ROWS):
        batch = split.take(rows[start : start + _BATCH_ROWS])
        found.append(trial.region.holds(trial.factor.measure(batch.inputs)))
    return np.concatenate(found)


def as_finding(
    shortcut: Shortcut, pool: Pool, train: MappedSplit, rule: DecisionRule, reference: ScoresRows
) -> FindingWithRows:
    """Everything that is reported of a shortcut.

    Args:
        shortcut: What was found.
        pool: The rows that the experiments were made with.
        train: All training rows.
        rule: How the reference's scores become decisions.
        reference: The reference.
    """
    factor, target = shortcut.trial.factor, rule.classes[shortcut.trial.target]
    rows = affected_rows(shortcut.trial, train)
    ids = tuple(train.row_ids[int(row)] for row in rows)
    total = int((np.asarray(train.labels) == shortcut.trial.target).sum())
    own = np.flatnonzero(shortcut.owners(pool))
    other = np.flatnonzero(~shortcut.trial.inside)
    told = factor.tell(pool.take(own), pool.take(other))
    reference_reaction = shortcut.reactions["reference"]
    finding = Finding(
        kind=FindingKind.SHORTCUT,
        severity=_severity(shortcut),
        title=f"{_as_title(shortcut)} stands for {rule.label} = {target}",
        description=" ".join(_sentences(shortcut, rule, told, len(ids), total)),
        columns=factor.columns,
        effect=reference_reaction.effect.value,
        low=reference_reaction.effect.low,
        high=reference_reaction.effect.high,
        affected_rows=len(ids),
        affected_ids=ids[:MAX_AFFECTED_IDS],
        suggestion=_suggestion(shortcut, target),
        factor=factor.name,
        classes=(target,),
        examples=_examples(shortcut, pool, rule, reference),
        amplification=Amplification(
            reference=figures_of(reference_reaction), candidate=figures_of(shortcut.reactions["candidate"])
        ),
    )
    return FindingWithRows(finding, ids)


def affected_file(index: int) -> str:
    """Name of the file with the affected rows of the finding at this place."""
    return f"affected_rows_{index + 1}.parquet"


def write_affected(found: Sequence[FindingWithRows], folder: Path) -> None:
    """Write the names of the affected rows, one Parquet file with the column row_id per finding."""
    for index, each in enumerate(found):
        with atomic_file(folder / affected_file(index)) as file:
            pq.write_table(pa.table({"row_id": pa.array(each.row_ids, pa.string())}), file)


def merged(flaws: Sequence[Finding], others: Sequence[Finding]) -> tuple[Finding, ...]:
    """All findings, the most severe first.

    Args:
        flaws: What the networks' behaviour shows. A shortcut by a column that was found to leak anyway adds evidence to
            that finding instead of being one of its own.
        others: What the data alone show.
    """
    taken: set[int] = set()
    found = []
    for finding in others:
        for index, shortcut in enumerate(flaws):
            same = bool(shortcut.columns) and set(shortcut.columns) == set(finding.columns)
            is_evidence = same and shortcut.kind is FindingKind.SHORTCUT
            if is_evidence and finding.kind is FindingKind.LEAKING_COLUMN and index not in taken:
                taken.add(index)
                finding = _with_evidence(finding, shortcut)
        found.append(finding)
    found += [flaw for index, flaw in enumerate(flaws) if index not in taken]
    return tuple(sorted(found, key=lambda finding: list(Severity)[::-1].index(finding.severity)))


def _with_evidence(finding: Finding, shortcut: Finding) -> Finding:
    names = ("factor", "classes", "examples", "amplification", "affected", "affected_rows", "affected_ids")
    return finding.model_copy(
        update={
            **{name: getattr(shortcut, name) for name in names},
            "severity": max(finding.severity, shortcut.severity, key=list(Severity).index),
            "description": f"{finding.description} {shortcut.description}",
        }
    )


def _severity(shortcut: Shortcut) -> Severity:
    """High where it decides, medium where it decides now and then, low where it is only marked.

    A mark in the pictures of a class may be the object itself, above all where all of them have it, and no experiment
    can tell the two apart: it counts for more only where not all have it and it changes decisions.
    """
    is_picture = isinstance(shortcut.trial.factor, PictureFactor)
    if is_picture and (shortcut.foretold is None or not shortcut.is_used):
        return Severity.LOW
    effect = shortcut.reactions["reference"].effect
    candidate = shortcut.reactions["candidate"].effect
    if max(effect.low, candidate.low) >= _GRAVE_EFFECT:
        return Severity.HIGH
    return Severity.MEDIUM if shortcut.is_used or shortcut.association.low >= _GRAVE_EFFECT else Severity.LOW


def _sentences(shortcut: Shortcut, rule: DecisionRule, told: str, affected: int, total: int) -> list[str]:
    name = f"{rule.label} = {rule.classes[shortcut.trial.target]}"
    reference, candidate = shortcut.reactions["reference"], shortcut.reactions["candidate"]
    association = shortcut.association
    marked = (
        f"{counted(affected, 'training row')} of {name} ({percent(affected / max(total, 1))} of the class) stand out: "
        f"{told}. Of all other rows {percent(association.elsewhere)} do "
        f"(p = {association.p_value:.1g} after correction for everything tried)."
    )
    neutralised = (
        f"Neutralised in the rows that have it, {percent(reference.neutralised)} of them are still recognised instead "
        f"of {percent(reference.with_factor)}."
    )
    sentences = [marked, _planting(reference, name), neutralised, _compared(reference, candidate)]
    if not shortcut.is_used and not shortcut.is_learned:
        sentences.append(
            "The reference hardly uses it so far; it is a flaw of the data that the next training may learn."
        )
    if shortcut.foretold is not None:
        sentences.append(
            "How well the rest of a row foretells it, as it would a part of the object: area under the ROC curve "
            f"{shortcut.foretold.value:.2f}, interval {shortcut.foretold.low:.2f} to {shortcut.foretold.high:.2f} "
            "(0.5 is chance)."
        )
    elif isinstance(shortcut.trial.factor, PictureFactor):
        sentences.append("Nearly all pictures of the class have it, so it may be the object itself: look at them.")
    if shortcut.also:
        sentences.append(f"The same rows stand out by {listed(shortcut.also, 3)}.")
    return sentences


def _planting(reaction: Reaction, name: str) -> str:
    effect = reaction.effect
    return (
        f"Planted in rows of other classes, it makes the reference say {name} in {percent(reaction.planted)} of them, "
        f"against {percent(reaction.control)} in the control (difference {100 * effect.value:.0f} points, interval "
        f"{100 * effect.low:.0f} to {100 * effect.high:.0f}); the odds of the class rise by a factor of "
        f"{np.exp(min(reaction.rise.value, 20.0)):.3g}."
    )


def _compared(reference: Reaction, candidate: Reaction) -> str:
    difference = candidate.effect.value - reference.effect.value
    if abs(difference) < _MORE:
        word = "neither amplified nor lessened it"
    else:
        word = "amplified it" if difference > 0 else "lessened it"
    return (
        f"Compaction {word}: planting makes {percent(candidate.planted)} of the rows flip in the candidate. Quality in "
        f"the worst group is {percent(reference.worst_group)} in the reference, {percent(candidate.worst_group)} in "
        "the candidate."
    )


def _as_title(shortcut: Shortcut) -> str:
    """The factor's name; names of columns stay as they are."""
    name = shortcut.trial.factor.name
    return name if shortcut.trial.factor.columns else name[:1].upper() + name[1:]


def _suggestion(shortcut: Shortcut, target: str) -> str:
    name = shortcut.trial.factor.name
    if shortcut.trial.factor.columns:
        return (
            f"Ask how {name} comes to be filled in for {target}. If it is an artefact, drop it, neutralise it in these "
            "rows, or re-balance the rows, and retrain (darwin fix)."
        )
    return (
        f"Look at the pictures of {target} that have it and at where they come from. Collect {target} without it, or "
        "neutralise it in these rows or re-balance them, and retrain (darwin fix)."
    )


def figures_of(reaction: Reaction) -> FactorReaction:
    """A reaction as it is reported."""
    return FactorReaction(
        planted=reaction.planted,
        control=reaction.control,
        with_factor=reaction.with_factor,
        neutralised=reaction.neutralised,
        worst_group=reaction.worst_group,
    )


def _examples(shortcut: Shortcut, pool: Pool, rule: DecisionRule, reference: ScoresRows) -> tuple[FindingExample, ...]:
    """Rows of the class without their factor, and rows of other classes with it."""
    trial = shortcut.trial
    rng = np.random.default_rng(trial.target)
    own, other = np.flatnonzero(shortcut.owners(pool)), np.flatnonzero(~trial.inside & (pool.labels != trial.target))
    without = np.flatnonzero(~trial.inside)
    shown = []
    for word, recipients, donors in (("neutralised", own, without), ("planted", other, own)):
        rows = rng.permutation(recipients)[:_EXAMPLES]
        before = pool.take(rows)
        after = trial.factor.transfer(before, pool.take(rng.choice(donors, len(rows))))
        shown += _pairs(word, (pool, rows), (before, after), trial, rule, reference)
    return tuple(shown)


def _pairs(
    word: str,
    drawn: tuple[Pool, Ints],
    states: tuple[Inputs, Inputs],
    trial: Trial,
    rule: DecisionRule,
    reference: ScoresRows,
) -> list[FindingExample]:
    pool, rows = drawn
    scores = [reference.scores(state) for state in states]
    pictures = [_pictures(state) if isinstance(trial.factor, PictureFactor) else None for state in states]
    found = []
    for place, row in enumerate(rows):
        one = [{name: values[place : place + 1] for name, values in state.items()} for state in states]
        now, was = trial.factor.tell(one[1], one[0]), trial.factor.tell(one[0], one[1])
        change = word if pictures[0] else f"{word}: {now}, was {was}"
        found.append(
            FindingExample(
                row_id=str(pool.row_ids[row]),
                label=rule.classes[int(pool.labels[row])],
                change=change,
                before=pictures[0][place] if pictures[0] else None,
                after=pictures[1][place] if pictures[1] else None,
                predicted_before=_predicted(scores[0], place, rule),
                predicted_after=_predicted(scores[1], place, rule),
            )
        )
    return found


def _predicted(scores: NDArray[Any], row: int, rule: DecisionRule) -> str:
    return f"{rule.shown(scores, row)} ({rule.score(scores, row):.2f})"


def _pictures(inputs: Inputs) -> list[str]:
    (pictures,) = inputs.values()
    return [picture_uri(each) for each in to_pixels(pictures)]
