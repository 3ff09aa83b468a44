"""What the steps of a run left in the object store. This is the truth; XCom is a hint."""

from __future__ import annotations

import hashlib
from typing import TypeVar

from darwin_core import __version__
from darwin_core.contracts import (
    STEPS,
    ArtifactRef,
    CompactionConfig,
    StepName,
    StepRequest,
    StepResult,
    request_for,
    step_key,
)
from darwin_core.contracts.base import Document
from darwin_core.errors import IntegrityError
from darwin_core.storage import ObjectStore, join_uri, open_store

DocumentT = TypeVar("DocumentT", bound=Document)
ResultT = TypeVar("ResultT", bound=StepResult)


class StoredRun:
    """Reads results and documents of one run.

    Args:
        config: The run's configuration, for the line's prefix and the connection options.
        run_id: Name of the run.
        store: The line's store; by default one that the configuration leads to.
    """

    def __init__(self, config: CompactionConfig, run_id: str, store: ObjectStore | None = None) -> None:
        self._config = config
        self.run_id = run_id
        self._store = store or open_store(config.line, config.storage)

    def result_uri(self, step: StepName) -> str:
        """Where the result of ``step`` lies."""
        return join_uri(self._config.line, "runs", self.run_id, step.value, "result.json")

    def result(self, step: StepName) -> StepResult:
        """The stored result of ``step``.

        Raises:
            ObjectNotFoundError: The step has not succeeded yet.
        """
        uri = self.result_uri(step)
        return STEPS[step][1].from_json(self._store.read(uri).data, origin=uri)

    def beside(self, run_id: str) -> StoredRun:
        """Another run of the same line."""
        return StoredRun(self._config, run_id, self._store)

    def reference(self, step: StepName) -> ArtifactRef:
        """A reference to the result of ``step`` itself.

        Raises:
            ObjectNotFoundError: The step has not succeeded yet.
        """
        uri = self.result_uri(step)
        data = self._store.read(uri).data
        return ArtifactRef(uri=uri, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))

    def result_of(self, step: StepName, model: type[ResultT]) -> ResultT:
        """The stored result of ``step``, which is known to be a ``model``."""
        found = self.result(step)
        assert isinstance(found, model)
        return found

    def request(self, step: StepName) -> StepRequest:
        """What ``step`` is asked for, given what the steps before it have stored."""
        names = list(StepName)
        earlier = {name: self.result(name) for name in names[: names.index(step)]}
        return request_for(step, self._config, self.run_id, earlier)

    def fresh_result(self, step: StepName, request: StepRequest) -> StepResult:
        """The stored result of ``step``, known to answer ``request``.

        A launcher that lost sight of the step may claim success while an earlier try's result still lies there.

        Raises:
            ObjectNotFoundError: The step has stored nothing.
            IntegrityError: What lies there answers another request, or another version of Darwin wrote it.
        """
        found = self.result(step)
        if found.key != step_key(step, request):
            raise IntegrityError(
                f"The result at {self.result_uri(step)} does not answer this task's request.",
                hint="The step ended without storing its own, the run was continued with another configuration, or "
                f"the engine is another version than this provider ({__version__}): install the same in both places.",
            )
        return found

    def document(self, ref: ArtifactRef, model: type[DocumentT]) -> DocumentT:
        """A stored contract, checked against the digest it was referred to by.

        Raises:
            IntegrityError: The stored bytes are others.
        """
        data = self._store.read(ref.uri).data
        found = hashlib.sha256(data).hexdigest()
        if found != ref.sha256:
            raise IntegrityError(
                f"{ref.uri} has digest {found[:12]}, expected {ref.sha256[:12]}.",
                hint="It was changed after the run wrote it: clear the run's tasks, so that they write it again.",
            )
        return model.from_json(data, origin=ref.uri)
