"""What a finding is about, found again in the rows of its run: what a fix works on and is judged by.

Findings are stored in words and figures. The flaw behind one is found again with the same seed: a shortcut by
searching, rows by the check that named them, a column by its name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from darwin_core.contracts import FactorReaction, Finding
from darwin_core.data import MappedSplit
from darwin_core.errors import RequestError
from darwin_core.explanation.attribution.features import FeatureMap
from darwin_core.explanation.checks import CheckedData, rows_behind
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.finder.experiments import Laboratory, Trial
from darwin_core.explanation.finder.findings import affected_rows, figures_of
from darwin_core.explanation.finder.pool import Ints, Pool, ScoresRows
from darwin_core.explanation.finder.subject import search_shortcuts
from darwin_core.explanation.fixes.neutralising import neutralise
from darwin_core.explanation.fixes.parts import Part
from darwin_core.explanation.subject import Subject
from darwin_core.progress import Reporter


@dataclass(frozen=True)
class Evidence:
    """What flaws are found in.

    Attributes:
        subject: Both networks and the rows of the run.
        checked: Reads what the data checks look at.
        reporter: Where progress goes.
    """

    subject: Subject
    checked: Callable[[], CheckedData]
    reporter: Reporter


class Flaw(ABC):
    """What is wrong with the data."""

    @classmethod
    @abstractmethod
    def behind(cls, finding: Finding, evidence: Evidence) -> Self | None:
        """The flaw behind a finding; None where the finding is of another kind.

        Raises:
            RequestError: It is of this kind and not to be found again.
        """

    @abstractmethod
    def rows(self, split: MappedSplit) -> Ints:
        """Positions of the rows concerned, ascending."""

    @abstractmethod
    def without(self, split: MappedSplit, rng: np.random.Generator) -> Part:
        """The rows as they would be without the flaw, on which networks are judged."""

    def reactions(
        self,
        networks: Mapping[str, ScoresRows],  # noqa: ARG002 - there may be nothing to react to
        rules: Mapping[str, DecisionRule],  # noqa: ARG002
        rng: np.random.Generator,  # noqa: ARG002
    ) -> dict[str, FactorReaction]:
        """How networks react to it, where that is to be said."""
        return {}


@dataclass(frozen=True)
class ShortcutFlaw(Flaw):
    """A factor that stands for a class.

    Attributes:
        trial: The factor, the class and the region.
        pool: Rows to experiment with.
    """

    trial: Trial
    pool: Pool

    @classmethod
    def behind(cls, finding: Finding, evidence: Evidence) -> Self | None:
        """See the base class; the search is deterministic, so that only its outcome is stored."""
        if finding.factor is None:
            return None
        classes = evidence.subject.snapshot.classes
        search = search_shortcuts(evidence.subject, evidence.reporter)
        for shortcut in search.shortcuts if search else ():
            trial = shortcut.trial
            if search and (trial.factor.name, (classes[trial.target],)) == (finding.factor, finding.classes):
                return cls(trial, search.pool)
        raise _not_found_again(finding)

    def rows(self, split: MappedSplit) -> Ints:
        """Rows of the class that have the factor."""
        return affected_rows(self.trial, split)

    def without(self, split: MappedSplit, rng: np.random.Generator) -> Part:
        """The same rows, the factor neutralised."""
        return neutralise(self.trial, split, self.pool, rng)

    def reactions(
        self, networks: Mapping[str, ScoresRows], rules: Mapping[str, DecisionRule], rng: np.random.Generator
    ) -> dict[str, FactorReaction]:
        """What planting and neutralising the factor do."""
        found = Laboratory(self.pool, networks, rules, rng).examine(self.trial, alpha=0.05)
        return {name: figures_of(reaction) for name, reaction in found.items()}


@dataclass(frozen=True)
class RowFlaw(Flaw):
    """Rows that should not be there.

    Attributes:
        ids: Their names.
    """

    ids: frozenset[str]

    @classmethod
    def behind(cls, finding: Finding, evidence: Evidence) -> Self | None:
        """See the base class; asks the check that found it."""
        named = rows_behind(finding, evidence.checked)
        if named is None:
            return None
        if not named:
            raise _not_found_again(finding)
        return cls(frozenset(named))

    def rows(self, split: MappedSplit) -> Ints:
        """These rows, as far as they are here."""
        return np.flatnonzero([row_id in self.ids for row_id in split.row_ids]).astype(np.int64)

    def without(self, split: MappedSplit, rng: np.random.Generator) -> Part:  # noqa: ARG002 - nothing is drawn
        """All other rows."""
        weights = np.ones(split.rows)
        weights[self.rows(split)] = 0.0
        return Part(split, weights=weights)


@dataclass(frozen=True)
class ColumnFlaw(Flaw):
    """Columns that know what they should not.

    Attributes:
        features: All columns and where they enter the network.
        columns: Those at fault.
    """

    features: FeatureMap
    columns: tuple[str, ...]

    @classmethod
    def behind(cls, finding: Finding, evidence: Evidence) -> Self | None:
        """See the base class."""
        return cls(FeatureMap.of(evidence.subject.bound), finding.columns) if finding.columns else None

    def rows(self, split: MappedSplit) -> Ints:
        """All rows."""
        return np.arange(split.rows)

    def without(self, split: MappedSplit, rng: np.random.Generator) -> Part:
        """The rows with the values of other rows, drawn at random, in these columns."""
        concerned = [feature for feature in self.features.features if feature.name in self.columns]
        rows = np.arange(split.rows)
        inputs, drawn = split.take(rows).inputs, split.take(rng.permutation(rows)).inputs
        changed = inputs
        for feature in concerned:
            changed = self.features.replace(changed, feature, self.features.values(drawn, feature))
        return Part(split, rows, {feature.source: changed[feature.source] for feature in concerned})


_FLAWS: tuple[type[Flaw], ...] = (ShortcutFlaw, RowFlaw, ColumnFlaw)


def flaw_behind(finding: Finding, evidence: Evidence) -> Flaw:
    """The flaw that a finding with a fix is about.

    Raises:
        RequestError: It is not to be found again.
    """
    for kind in _FLAWS:
        flaw = kind.behind(finding, evidence)
        if flaw is not None:
            return flaw
    raise _not_found_again(finding)


def _not_found_again(finding: Finding) -> RequestError:
    return RequestError(
        f"The finding {finding.title!r} was not found again.",
        hint="It was made by another version of Darwin; run the explain step again.",
    )
