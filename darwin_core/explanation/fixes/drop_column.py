"""Drop, for columns: the column leaves the rows, and its input the reference."""

from __future__ import annotations

import keras

from darwin_core.contracts import Finding, FindingKind, FixKind
from darwin_core.dependency import analyse, narrow
from darwin_core.explanation.fixes.base import Case, Fix, Means, is_leaking_column, register_fix
from darwin_core.explanation.fixes.parts import Part
from darwin_core.wording import listed


@register_fix
class DropColumn(Fix):
    """Carries the reference over without the inputs that read the columns, and trains it on without them."""

    kind = FixKind.DROP
    place = 10

    @classmethod
    def offer(cls, finding: Finding, means: Means) -> str | None:
        """For shortcuts by columns and for leaking columns, where each has an input of its own."""
        is_by_columns = bool(finding.columns) and set(finding.columns) <= means.droppable
        if not is_by_columns or not (finding.kind is FindingKind.SHORTCUT or is_leaking_column(finding)):
            return None
        return (
            f"Leave {listed(finding.columns)} out of the rows and carry the reference over without that input; what it "
            "honestly says is lost, too."
        )

    def treat(self, case: Case) -> Part:
        """See the base class."""
        return Part(case.train, dropped=case.finding.columns)

    def adapt(self, reference: keras.Model, case: Case) -> keras.Model:
        """The reference without these inputs.

        Raises:
            RequestError: They cannot go together.
        """
        graph = analyse(reference)
        if not graph.can_drop(case.finding.columns):
            raise case.refusal("columns that the reference can do without", listed(case.finding.columns))
        return narrow(reference, {}, dropped_inputs=case.finding.columns, graph=graph)


def droppable_columns(reference: keras.Model) -> frozenset[str]:
    """Columns that a network can do without, one at a time: those with an input of their own."""
    return frozenset(analyse(reference).droppable_inputs) if len(reference.inputs) > 1 else frozenset()
