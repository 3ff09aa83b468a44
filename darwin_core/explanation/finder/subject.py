"""The finder on the networks and rows of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Task
from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.attribution.features import FeatureMap, count_rows, take
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.factors.base import FactorSpace
from darwin_core.explanation.finder.findings import FindingWithRows, as_finding
from darwin_core.explanation.finder.pool import Pool, draw_pool
from darwin_core.explanation.finder.search import Shortcut, find_shortcuts
from darwin_core.explanation.subject import Subject, decision_rule, has_score
from darwin_core.progress import Reporter

NAME = "shortcuts"
"""How the report calls what the finder looks for."""

_SPACE_ROWS = 4_096


@dataclass(frozen=True)
class Search:
    """A finished search.

    Attributes:
        pool: The rows that experiments were made with.
        rules: Network name -> how its scores become decisions.
        shortcuts: What was found, the strongest first.
    """

    pool: Pool
    rules: Mapping[str, DecisionRule]
    shortcuts: tuple[Shortcut, ...]


def search_shortcuts(subject: Subject, reporter: Reporter) -> Search | None:
    """Look for shortcuts; None where a row has no one class that can be stood for: regression, several labels.

    Same subject, same result.
    """
    if subject.kind.task in (Task.REGRESSION, Task.MULTILABEL):
        return None
    classes = len(subject.snapshot.classes)
    pool = _usable(draw_pool(subject.train, subject.validation, classes, subject.rng(5)), subject)
    networks = {"reference": subject.reference, "candidate": subject.candidate}
    # The pool is balanced; alert thresholds belong to rows as they come.
    usual = subject.validation.take(subject.rng(6).permutation(subject.validation.rows)[:_SPACE_ROWS]).inputs
    rules = {}
    for name, network in networks.items():
        scores = network.scores(usual)
        rules[name] = decision_rule(subject, scores[has_score(scores)])
    space = factor_space(subject, pool.inputs)
    found = find_shortcuts(pool, space, networks, rules, classes, reporter, seed=subject.seed)
    return Search(pool, rules, found)


def look_for_shortcuts(subject: Subject, reporter: Reporter) -> tuple[FindingWithRows, ...]:
    """Everything the finder finds, as it is reported."""
    done = search_shortcuts(subject, reporter)
    if done is None:
        return ()
    return tuple(
        as_finding(shortcut, done.pool, subject.train, done.rules["reference"], subject.reference)
        for shortcut in done.shortcuts
    )


def factor_space(subject: Subject, inputs: Inputs) -> FactorSpace:
    """What the subject's samples are made of, to be told from some of them."""
    picture = subject.bound[0].input.name if subject.is_pictures else None
    rows: slice | NDArray[np.int64] = slice(_SPACE_ROWS)
    if picture is None:
        # Spread over all of them: files are often sorted, and what only later rows hold must be known, too.
        count = count_rows(inputs)
        rows = np.linspace(0, count - 1, min(count, _SPACE_ROWS)).astype(np.int64)
    samples = take(inputs, rows)
    return FactorSpace(FeatureMap.of(subject.bound), samples, picture)


def _usable(pool: Pool, subject: Subject) -> Pool:
    """The pool without rows that a network has no finite score for."""
    usable = has_score(subject.reference.scores(pool.inputs), subject.candidate.scores(pool.inputs))
    return pool if usable.all() else pool.only(usable)
