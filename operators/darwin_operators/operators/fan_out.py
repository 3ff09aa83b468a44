"""Searches side by side, one mapped task each, and the choice among what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from darwin_core.contracts import CompactionConfig, StepName, StepRequest
from darwin_operators.arguments import run_name
from darwin_operators.operators.base import CompactionStepOperator
from darwin_operators.operators.compaction import SynthesizeOperator
from darwin_operators.stored_run import StoredRun

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class SearchBranchOperator(SynthesizeOperator):
    """Searches the snapshot of the run with settings of its own, beside other searches.

    For dynamic task mapping: each mapped task is a run of its own, ``<run>.b<map index>``, wherever a worker is free::

        SearchBranchOperator.partial(task_id="search", config=FRAUD).expand(
            changes=[{"seed": 0}, {"seed": 1}, {"generator": "separable"}]
        )

    Args:
        changes: Fields in which this search differs: any of ``seed``, ``generator``, ``budget``; see
            `CompactionConfig.for_search`.
        **kwargs: Arguments of `CompactionStepOperator`.
    """

    template_fields: Sequence[str] = (*CompactionStepOperator.template_fields, "changes")

    def __init__(self, *, changes: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.changes = changes

    def read(self, context: Context) -> tuple[CompactionConfig, str]:
        """The configuration with the changes, and the branch's name."""
        config, trunk = super().read(context)
        name = branch_name(trunk, context["ti"].map_index)
        return config.for_search(name, self.changes or {}), name

    def arguments(self, config: CompactionConfig, run_id: str) -> list[str]:
        """The command line of a search of the run's snapshot."""
        return [*super().arguments(config, run_id), "--branch-of", run_name(self.run_id)]


class ChooseSearchOperator(SynthesizeOperator):
    """Takes the best of several searches side by side, by quality on the validation rows and by the requirements.

    Its result is that of `SynthesizeOperator`: what follows does not know how many searches there were.

    Args:
        searches: How many mapped tasks searched.
        **kwargs: Arguments of `CompactionStepOperator`.
    """

    def __init__(self, *, searches: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.searches = searches

    def arguments(self, config: CompactionConfig, run_id: str) -> list[str]:
        """The command line of the choice."""
        chosen = [part for name in self._branches(run_id) for part in ("--choose-from", name)]
        return [*super().arguments(config, run_id), *chosen]

    def request(self, run: StoredRun) -> StepRequest:
        """What the step is asked for: the results of the searches."""
        rivals = tuple(run.beside(name).reference(StepName.SYNTHESIZE) for name in self._branches(run.run_id))
        return run.request(self.step).model_copy(update={"rivals": rivals})

    def _branches(self, run_id: str) -> list[str]:
        return [branch_name(run_id, index) for index in range(self.searches)]


def branch_name(run_id: str, index: int) -> str:
    """The run in which the mapped task ``index`` searches."""
    return run_name(f"{run_id}.b{index}")
