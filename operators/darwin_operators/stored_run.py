"""What the steps of a run left in the object store. This is the truth; XCom is a hint."""

from __future__ import annotations

import hashlib
from typing import TypeVar

from darwin_core.contracts import STEPS, ArtifactRef, CompactionConfig, StepName, StepResult
from darwin_core.contracts.base import Document
from darwin_core.errors import IntegrityError
from darwin_core.storage import join_uri, open_store

DocumentT = TypeVar("DocumentT", bound=Document)
ResultT = TypeVar("ResultT", bound=StepResult)


class StoredRun:
    """Reads results and documents of one run.

    Args:
        config: The run's configuration, for the line's prefix and the connection options.
        run_id: Name of the run.
    """

    def __init__(self, config: CompactionConfig, run_id: str) -> None:
        self._line = config.line
        self.run_id = run_id
        self._store = open_store(config.line, config.storage)

    def result_uri(self, step: StepName) -> str:
        """Where the result of ``step`` lies."""
        return join_uri(self._line, "runs", self.run_id, step.value, "result.json")

    def result(self, step: StepName) -> StepResult:
        """The stored result of ``step``.

        Raises:
            ObjectNotFoundError: The step has not succeeded yet.
        """
        uri = self.result_uri(step)
        return STEPS[step][1].from_json(self._store.read(uri).data, origin=uri)

    def result_of(self, step: StepName, model: type[ResultT]) -> ResultT:
        """The stored result of ``step``, which is known to be a ``model``."""
        found = self.result(step)
        assert isinstance(found, model)
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
