"""A whole compaction run in one document, and the request of each step that follows from it.

Every door (command line, Kubeflow, Airflow) carries this document and asks here for the next request, so that all of
them run exactly the same steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self, TypeVar

from pydantic import Field, ValidationError

from darwin_core.contracts.base import Document, explain_validation
from darwin_core.contracts.data import DataRoles, DataSourceField, SplitConfig
from darwin_core.contracts.evaluation import GateConfig
from darwin_core.contracts.exports import ExportFormat
from darwin_core.contracts.requirements import RequirementField
from darwin_core.contracts.steps import (
    EvaluateRequest,
    EvaluateResult,
    ExplainRequest,
    ExplainResult,
    FetchDataRequest,
    FetchDataResult,
    PublishRequest,
    StepName,
    StepRequest,
    StepResult,
    SynthesizeRequest,
    SynthesizeResult,
)
from darwin_core.contracts.storage import StorageOptions
from darwin_core.contracts.synthesis import Pick, SearchBudget
from darwin_core.errors import RequestError

_OF_A_SEARCH: Final = frozenset({"budget", "generator", "seed"})
"""What several searches side by side may differ in. By the rest they are compared, so it is the same for all."""


class CompactionConfig(Document):
    """Everything a person decides about a compaction run.

    With ``pick``, the run goes on from a point of an earlier run's front instead of searching. Data and reference are
    then those of that run, whatever the fields here say; requirements, gate and budget are the ones given here.
    """

    line: str = Field(min_length=1, description="prefix of the model line, e.g. s3://bucket/models/fraud")
    reference: str = Field(min_length=1, description="URI of the .keras file")
    train: DataSourceField
    validation: DataSourceField | None = None
    test: DataSourceField | None = None
    roles: DataRoles
    storage: StorageOptions = StorageOptions()
    split: SplitConfig = SplitConfig()
    requirements: tuple[RequirementField, ...] = ()
    budget: SearchBudget = SearchBudget()
    performance_function: str = "smallest"
    generator: str = "importance"
    gate: GateConfig = GateConfig()
    tfma_rows: int = Field(default=20_000, ge=0)
    explain_rows: int = Field(default=512, ge=8)
    actionable: tuple[str, ...] = Field(
        default=(), description="columns that a person can change; counterfactuals change no others; empty: any column"
    )
    serving: DataSourceField | None = Field(
        default=None,
        description="rows as they come in production, without labels, to be compared with the training rows",
    )
    block_on_findings: bool = False
    title: str = "Compaction report"
    threads: int | None = Field(default=None, ge=1)
    seed: int = 0
    pick: Pick | None = None
    exports: tuple[ExportFormat, ...] = Field(default=(), description="formats besides .keras and SavedModel")

    def for_search(self, name: str, changes: Mapping[str, Any]) -> Self:
        """The configuration of one of several searches that run side by side.

        Args:
            name: Names the search in messages.
            changes: The fields in which this search differs: any of ``budget``, ``generator``, ``seed``.

        Raises:
            RequestError: There are changes of other fields, or a value that is not allowed.
        """
        known = ", ".join(sorted(_OF_A_SEARCH))
        if others := changes.keys() - _OF_A_SEARCH:
            raise RequestError(
                f"Expected search {name} to differ in any of {known}, got {', '.join(sorted(others))}.",
                hint="Searches are compared by requirements and performance function, so these are the same for all.",
            )
        try:
            return self.model_validate(self.model_dump() | dict(changes))
        except ValidationError as error:
            raise RequestError(
                f"The changes of search {name} are not valid: {explain_validation(error)}.",
                hint="`darwin schema CompactionConfig` prints what is expected.",
            ) from None


_ResultT = TypeVar("_ResultT", bound=StepResult)


def request_for(
    step: StepName, config: CompactionConfig, run_id: str, results: Mapping[StepName, StepResult]
) -> StepRequest:
    """The request of ``step`` within a run.

    Args:
        step: The step to run next.
        config: The run's configuration.
        run_id: Names the run; results lie at ``<line>/runs/<run_id>/<step>/result.json``.
        results: Results of the steps before it.

    Raises:
        RequestError: A result that the step builds on is missing.
    """
    common: dict[str, Any] = {"line": config.line, "run_id": run_id, "storage": config.storage}

    def result(name: StepName, model: type[_ResultT]) -> _ResultT:
        found = results.get(name)
        if not isinstance(found, model):
            raise RequestError(f"Step {step} needs the result of {name}.", hint=f"Run {name} of run {run_id} first.")
        return found

    if step is StepName.FETCH_DATA:
        return FetchDataRequest(
            **common,
            reference=config.reference,
            train=config.train,
            validation=config.validation,
            test=config.test,
            roles=config.roles,
            split=config.split,
            pick=config.pick,
        )
    fetched = result(StepName.FETCH_DATA, FetchDataResult)
    common["snapshot"] = fetched.snapshot
    if step is StepName.SYNTHESIZE:
        return SynthesizeRequest(
            **common,
            requirements=config.requirements,
            budget=config.budget,
            performance_function=config.performance_function,
            generator=config.generator,
            alert_budget=config.gate.alert_budget,
            threads=config.threads,
            seed=config.seed,
            pick=config.pick,
            picked_from=fetched.picked_from,
            exports=config.exports,
        )
    synthesized = result(StepName.SYNTHESIZE, SynthesizeResult)
    common |= {"candidate": synthesized.candidate, "search_record": synthesized.search_record}
    if step is StepName.EVALUATE:
        return EvaluateRequest(**common, requirements=config.requirements, gate=config.gate, tfma_rows=config.tfma_rows)
    evaluated = result(StepName.EVALUATE, EvaluateResult)
    common |= {"evaluation": evaluated.evaluation, "verdict_document": evaluated.verdict_document}
    if step is StepName.EXPLAIN:
        return ExplainRequest(
            **common,
            insights=synthesized.insights,
            predictions=evaluated.predictions,
            rows=config.explain_rows,
            actionable=config.actionable,
            serving=config.serving,
            title=config.title,
            seed=config.seed,
        )
    explained = result(StepName.EXPLAIN, ExplainResult)
    return PublishRequest(
        **common,
        explanation=explained.explanation,
        findings=explained.findings,
        report=explained.report,
        block_on_findings=config.block_on_findings,
    )
