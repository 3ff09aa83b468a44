"""What the command line is given as JSON, or by its URI: configurations, gates and requests of steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from darwin_core.contracts import STEPS, CompactionConfig, GateConfig, StepName, StepRequest, request_for
from darwin_core.contracts.base import explain_validation
from darwin_core.errors import RequestError


@contextmanager
def option_errors() -> Iterator[None]:
    """Options that do not fit the contracts become one sentence."""
    try:
        yield
    except ValidationError as error:
        raise RequestError(f"An option has a value that is not allowed: {explain_validation(error)}.") from None


def read_gate(gate: str | None, margin: float | None, alert_budget: float) -> GateConfig:
    """The gate of ``--gate`` (JSON or its URI), which has the last word over ``--margin`` and ``--alert-budget``."""
    given = (
        {} if gate is None else GateConfig.from_json(_read_text(gate), origin="--gate").model_dump(exclude_unset=True)
    )
    qualities = ("accuracy_margin", "pr_auc_margin", "recall_margin", "f1_margin", "mean_iou_margin", "rmse_margin")
    margins = {} if margin is None else dict.fromkeys(qualities, margin)
    return GateConfig.model_validate({"alert_budget": alert_budget} | margins | given)


def _read_text(document: str) -> str | bytes:
    """A JSON document given as such, or by its URI."""
    if document.lstrip().startswith("{"):
        return document
    from darwin_core.storage import open_store

    return open_store(document).read(document).data


def read_request(
    step: StepName,
    request: str | None,
    config: str | None,
    run_id: str | None,
    branch_of: str | None,
    choose_from: list[str],
) -> StepRequest:
    """The request of one step: given as such, or made from the run's configuration and the results it has so far.

    Args:
        step: The step to run.
        request: The request as JSON or its URI; alone.
        config: The run's configuration as JSON or its URI; together with ``run_id``.
        run_id: Name of the run.
        branch_of: The run whose snapshot this one searches.
        choose_from: Runs among whose candidates to choose.

    Raises:
        RequestError: The options do not go together, or the run lacks a result that this step needs.
    """
    if (branch_of or choose_from) and (step is not StepName.SYNTHESIZE or config is None):
        raise RequestError("--branch-of and --choose-from are for synthesize with --config.")
    if request is not None and config is None:
        return STEPS[step][0].from_json(_read_text(request), origin=request)
    if config is None or request is not None or run_id is None:
        raise RequestError("Expected either --request, or --config together with --run-id.")
    parsed = parse_config(config)
    from darwin_core.steps.runner import stored_results
    from darwin_core.steps.stored_runs import store_config

    if step is StepName.SYNTHESIZE:
        store_config(parsed, run_id)
    if branch_of is None and not choose_from:
        return request_for(step, parsed, run_id, stored_results(parsed, run_id))
    from darwin_core.steps.branches import begin_branch, find_rivals

    if branch_of is not None:
        return request_for(step, parsed, run_id, begin_branch(parsed, run_id, branch_of))
    chosen = request_for(step, parsed, run_id, stored_results(parsed, run_id))
    return chosen.model_copy(update={"rivals": find_rivals(parsed, run_id, choose_from)})


def parse_config(given: str) -> CompactionConfig:
    """The configuration of ``--config``, given as JSON or by its URI."""
    return CompactionConfig.from_json(_read_text(given), origin="--config" if given.lstrip()[:1] == "{" else given)
