"""Searches that run side by side, each a run of its own.

``<run>`` owns the snapshot. A branch, say ``<run>.b2``, searches that snapshot with settings of its own, wherever an
orchestrator puts it; its results lie below its own prefix, so its front can be looked at and picked from like any
other. In the end synthesize of ``<run>`` takes the best of what the branches chose (:mod:`darwin_core.steps.rivals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from darwin_core.contracts import ArtifactRef, CompactionConfig, FetchDataResult, StepName, StepResult
from darwin_core.errors import RequestError
from darwin_core.steps.runner import stored_results
from darwin_core.steps.stored_runs import read_search
from darwin_core.storage import join_uri, open_store


def begin_branch(config: CompactionConfig, run_id: str, trunk: str) -> Mapping[StepName, StepResult]:
    """Give a branch the snapshot of the run it belongs to.

    Args:
        config: The branch's configuration.
        run_id: The branch.
        trunk: The run that fetched the data.

    Returns:
        The results that the branch builds on.

    Raises:
        RequestError: That run has not fetched its data.
    """
    fetched = stored_results(config, trunk).get(StepName.FETCH_DATA)
    if fetched is None:
        raise RequestError(f"Run {trunk} has no snapshot to search.", hint=f"Run fetch-data of run {trunk} first.")
    uri = join_uri(config.line, "runs", run_id, StepName.FETCH_DATA.value, "result.json")
    open_store(config.line, config.storage).write(uri, fetched.to_json().encode())
    return {StepName.FETCH_DATA: fetched}


def find_rivals(config: CompactionConfig, run_id: str, branches: Sequence[str]) -> tuple[ArtifactRef, ...]:
    """The results of branches.

    Raises:
        RequestError: A branch has no finished search, or searched another snapshot.
    """
    store = open_store(config.line, config.storage)
    searches = [read_search(store, config.line, branch) for branch in branches]
    fetched = stored_results(config, run_id).get(StepName.FETCH_DATA)
    for branch, search in zip(branches, searches, strict=True):
        if not isinstance(fetched, FetchDataResult) or search.fetched.snapshot != fetched.snapshot:
            raise RequestError(
                f"Run {branch} searched another snapshot than that of run {run_id}.",
                hint=f"Run its search again as a branch of run {run_id}.",
            )
    return tuple(search.synthesized for search in searches)
