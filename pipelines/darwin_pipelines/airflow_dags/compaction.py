"""The five steps as a DAG of their own, or as a task group of a training DAG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowOptionalProviderFeatureException,
    Asset,
    BaseOperator,
    TaskGroup,
    chain,
)

from darwin_core.contracts import StepName
from darwin_operators.operators.base import CompactionStepOperator
from darwin_operators.operators.compaction import (
    EvaluateOperator,
    ExplainOperator,
    FetchDataOperator,
    SynthesizeOperator,
)
from darwin_operators.operators.fan_out import ChooseSearchOperator, SearchBranchOperator
from darwin_operators.operators.publish import OnRejection, PublishOperator
from darwin_pipelines.airflow_dags.assets import Config, published_asset, reference_asset

# Only what a second try can mend is retried: the operators fail for good on a bad request or a rejection.
RETRIES: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
}

_DOC = """
Starts by itself when `{sources}` is updated. It seals a hold-out, searches for a much smaller network, proves on the
hold-out that it is as good, explains it, and publishes it: then `{target}` is updated. If the gate says no, the last
task says why and the champion stays. The report is behind the button *Compaction report* of the tasks `explain` and
`publish`.
"""


def compaction_dag(
    dag_id: str,
    config: Config,
    *,
    starts_on: Asset | Sequence[Asset] | None = None,
    published: Asset | None = None,
    on_rejection: OnRejection | str = OnRejection.SKIP,
    approval: Mapping[str, Any] | None = None,
    searches: Sequence[Mapping[str, Any]] = (),
    operator_args: dict[str, Any] | None = None,
    **dag_args: Any,
) -> DAG:
    """A DAG that compacts a network whenever it was retrained.

    One run at a time: runs that pile up would compete for the same champion.

    Args:
        dag_id: Id of the DAG.
        config: The `CompactionConfig`, or the mapping it is made from; texts in it may be Jinja templates.
        starts_on: The Asset or Assets whose update starts a run; by default the config's reference.
        published: The Asset to update when a version becomes champion; by default the config's model line.
        on_rejection: Skip or fail the last task when the champion stays.
        approval: Ask a person before publishing; arguments of `ApprovePublicationOperator`, e.g.
            ``{"response_timeout": timedelta(hours=8)}``, or an empty mapping. Needs Airflow 3.1. Without an answer, the
            champion stays.
        searches: Search several times side by side, in mapped tasks, and take the best: for each search the fields of
            the configuration that are different in it, e.g. ``[{"seed": 0}, {"generator": "separable"}]``.
        operator_args: Arguments of all five operators: ``launcher``, ``launcher_args``, ``report_base_url``, ``pool``,
            ``queue`` ...
        **dag_args: Arguments of the DAG, over the defaults of this function.

    Raises:
        ValueError: The DAG would start itself: what it updates is among what it starts on.
    """
    source = starts_on if starts_on is not None else reference_asset(config)
    sources = [source] if isinstance(source, Asset) else list(source)
    target = published if published is not None else published_asset(config)
    if target.uri in {asset.uri for asset in sources}:
        raise ValueError(
            f"DAG {dag_id} would start itself for ever: it starts on Asset {target.uri} and updates it. "
            "The published network needs another Asset than the reference."
        )
    arguments: dict[str, Any] = {
        "schedule": sources,
        "max_active_runs": 1,
        "catchup": False,
        "tags": ["darwin", "compaction"],
        "doc_md": _DOC.format(sources=", ".join(asset.uri for asset in sources), target=target.uri),
        **dag_args,
        "default_args": RETRIES | dag_args.get("default_args", {}),
    }
    with DAG(dag_id, **arguments) as dag:
        _steps(config, target, on_rejection, approval, searches, operator_args or {})
    return dag


def compaction_group(
    config: Config,
    *,
    group_id: str = "compaction",
    published: Asset | None = None,
    on_rejection: OnRejection | str = OnRejection.SKIP,
    approval: Mapping[str, Any] | None = None,
    searches: Sequence[Mapping[str, Any]] = (),
    operator_args: dict[str, Any] | None = None,
) -> TaskGroup:
    """The five steps as a group of tasks inside a DAG of yours, behind the task that trains.

    Example::

        train() >> compaction_group(FRAUD)

    Args:
        config: See `compaction_dag`.
        group_id: Prefix of the tasks' ids.
        published: See `compaction_dag`.
        on_rejection: See `compaction_dag`.
        approval: See `compaction_dag`.
        searches: See `compaction_dag`.
        operator_args: See `compaction_dag`; here also ``retries`` and its kin, which default to those of `RETRIES`.
    """
    with TaskGroup(group_id, default_args=RETRIES) as group:
        target = published if published is not None else published_asset(config)
        _steps(config, target, on_rejection, approval, searches, operator_args or {})
    return group


def _steps(
    config: Config,
    target: Asset,
    on_rejection: OnRejection | str,
    approval: Mapping[str, Any] | None,
    searches: Sequence[Mapping[str, Any]],
    shared: dict[str, Any],
) -> None:
    def plain(operator: type[CompactionStepOperator], **arguments: Any) -> CompactionStepOperator:
        return operator(task_id=operator.step.value, config=config, **arguments, **shared)

    tasks: list[Any] = [plain(FetchDataOperator)]
    if searches:
        changes = [dict(search) for search in searches]
        tasks.append(SearchBranchOperator.partial(task_id="search", config=config, **shared).expand(changes=changes))
        tasks.append(plain(ChooseSearchOperator, searches=len(changes)))
    else:
        tasks.append(plain(SynthesizeOperator))
    tasks += [plain(EvaluateOperator), plain(ExplainOperator)]
    if approval is not None:
        tasks.append(_approval(config, approval, shared))
    publish = PublishOperator(
        task_id=StepName.PUBLISH.value, config=config, on_rejection=on_rejection, outlets=[target], **shared
    )
    chain(*tasks, publish)


def _approval(config: Config, approval: Mapping[str, Any], shared: dict[str, Any]) -> BaseOperator:
    try:
        from darwin_operators.operators.approval import ApprovePublicationOperator
    except AirflowOptionalProviderFeatureException as error:
        # Never publish unasked where somebody wanted to be asked: the DAG does not load.
        raise ValueError(
            "`approval` needs Airflow 3.1, where tasks can ask people. Upgrade Airflow, or leave it out and have the "
            "compaction publish by the gate's verdict alone."
        ) from error
    reach = {name: value for name, value in shared.items() if name not in ("launcher", "launcher_args")}
    return ApprovePublicationOperator(task_id="approve", config=config, **reach | dict(approval))
