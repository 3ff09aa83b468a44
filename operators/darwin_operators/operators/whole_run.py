"""All five steps as one task: for pipelines that want one box, and one start of the engine instead of five."""

from __future__ import annotations

from typing import Any

from darwin_core.contracts import CompactionConfig, EvaluateResult, StepName, SynthesizeResult
from darwin_operators.arguments import run_arguments
from darwin_operators.operators.base import FinishedStep
from darwin_operators.operators.publish import PublishOperator


class CompactModelOperator(PublishOperator):
    """Runs fetch-data, synthesize, evaluate, explain and publish, one after the other, in one process.

    It ends as `PublishOperator` does: Assets are updated if the candidate was published, and the task is skipped (or
    fails) if it was not. Stopped or retried, it continues with the step that was not done. With five tasks instead,
    each step has its own log, retries, machine and button; a person can approve before the last.

    Args:
        **kwargs: Arguments of `PublishOperator`.
    """

    def arguments(self, config: CompactionConfig, run_id: str) -> list[str]:
        """The command line of a whole run."""
        return ["run", *run_arguments(config, run_id)]

    def conclude(self, done: FinishedStep) -> dict[str, Any]:
        """Say what was found and how it was judged, and end as publishing does."""
        found = done.run.result_of(StepName.SYNTHESIZE, SynthesizeResult)
        judged = done.run.result_of(StepName.EVALUATE, EvaluateResult)
        self.log.info("The candidate has %s parameters; verdict: %s", f"{found.candidate_parameters:,}", judged.verdict)
        return {
            "candidate_parameters": found.candidate_parameters,
            "candidate_macs": found.candidate_macs,
            "metrics": judged.metrics,
            **super().conclude(done),
        }
