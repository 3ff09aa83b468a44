"""Publish: store the candidate as an immutable version and move the alias that the verdict allows.

Any doubt keeps the champion, and says why: a lost race is a result, not an error. A publish that was killed continues
where it stopped and ends in the same version.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from darwin_core.contracts import (
    Evaluation,
    Explanation,
    HistoryAction,
    HistoryEntry,
    Pointer,
    PointerName,
    PublishRequest,
    SearchRecord,
    Snapshot,
    VerdictDocument,
)
from darwin_core.errors import PreconditionFailedError, RequestError
from darwin_core.registry import append_once, move_pointer, publish_version, read_pointer
from darwin_core.registry.decisions import decide
from darwin_core.registry.layout import pointers_uri, version_uri
from darwin_core.registry.versions import StoredVersion, VersionOrigin
from darwin_core.steps.context import StepContext
from darwin_core.steps.version_files import Evidence, claim_with_export, version_files
from darwin_core.storage import probe_conditional_writes


def run(request: PublishRequest, context: StepContext) -> dict[str, Any]:
    """Run the step; the fields of PublishResult come back.

    Raises:
        ConditionalWritesUnsupportedError: The store ignores conditions, so a race could corrupt the champion.
        RequestError: The verdict is about another network or another reference.
        IntegrityError: A stored file differs from what was to be published.
    """
    probe_conditional_writes(context.store, pointers_uri(context.line))
    evidence = _read_evidence(request, context)
    decision = decide(evidence.verdict, evidence.explanation, block_on_findings=request.block_on_findings)
    publisher = _Publisher(request, context, evidence, decision.reason)
    if decision.alias is None:
        return publisher.keep_champion(decision.reason)
    if decision.alias is PointerName.CHALLENGER:
        return publisher.move_challenger()
    return publisher.move_champion()


def _read_evidence(request: PublishRequest, context: StepContext) -> Evidence:
    evidence = Evidence(
        snapshot=context.read_document(request.snapshot, Snapshot),
        search=context.read_document(request.search_record, SearchRecord),
        evaluation=context.read_document(request.evaluation, Evaluation),
        verdict=context.read_document(request.verdict_document, VerdictDocument),
        explanation=context.read_document(request.explanation, Explanation),
    )
    for what, judged, asked in (
        ("candidate", evidence.verdict.candidate_sha256, request.candidate.sha256),
        ("reference", evidence.verdict.reference_sha256, evidence.snapshot.reference.sha256),
    ):
        if judged != asked:
            raise RequestError(
                f"Expected a verdict on the {what} {asked[:12]}, "
                f"{request.verdict_document.uri} is about {judged[:12]}.",
                hint="Pass the documents of one and the same run.",
            )
    return evidence


class _Publisher:
    """One publish: the ways it can end."""

    def __init__(self, request: PublishRequest, context: StepContext, evidence: Evidence, reason: str) -> None:
        self._request, self._context, self._evidence, self._reason = request, context, evidence, reason
        self._store, self._line = context.store, context.line

    def keep_champion(self, reason: str, stored: StoredVersion | None = None) -> dict[str, Any]:
        """Nothing moves; the ledger says why."""
        subject = self._request.candidate.sha256 if stored is None else stored.manifest.version
        self._record(HistoryAction.REJECT, subject, f"The champion stays. {reason}", datetime.now(UTC))
        return self._result(published=False, stored=stored, reason=f"The champion stays. {reason}")

    def move_challenger(self) -> dict[str, Any]:
        """Store the version and point the challenger at it; the champion stays."""
        current = read_pointer(self._store, self._line, PointerName.CHALLENGER)
        stored = self._store_version("it is stored as the challenger; the champion stays")
        if current is None or not self._is_ours(current[0]):
            try:
                self._move(PointerName.CHALLENGER, stored, current)
            except PreconditionFailedError as error:
                return self.keep_champion(f"{self._reason} Nor did the challenger move: {error}", stored)
        return self._result(
            published=False, stored=stored, reason=f"The champion stays, the version is the challenger. {self._reason}"
        )

    def move_champion(self) -> dict[str, Any]:
        """Store the version and point the champion at it, unless somebody moved the champion since the gate."""
        current = read_pointer(self._store, self._line, PointerName.CHAMPION)
        if current is not None and self._is_ours(current[0]):  # killed after the move, before the result was stored
            stored = self._store_version("it becomes the champion")
            return self._result(published=True, stored=stored, reason=self._reason)
        if (None if current is None else current[1]) != self._evidence.verdict.champion_etag:
            return self.keep_champion(self._moved_meanwhile())
        stored = self._store_version("it becomes the champion")
        try:
            self._move(PointerName.CHAMPION, stored, current)
        except PreconditionFailedError:
            return self.keep_champion(self._moved_meanwhile(), stored)
        return self._result(published=True, stored=stored, reason=self._reason)

    def _moved_meanwhile(self) -> str:
        then = self._evidence.verdict.baseline_version or "the champion of that time"
        now = self._champion() or "nothing"
        return (
            f"The gate compared with {then}, but the champion pointer moved since; it is at {now} now. "
            "Run evaluate and publish again to be judged against it."
        )

    def _is_ours(self, pointer: Pointer) -> bool:
        return pointer.moved_by == self._context.run_id and pointer.network.sha256 == self._request.candidate.sha256

    def _move(self, name: PointerName, stored: StoredVersion, current: tuple[Pointer, str] | None) -> None:
        previous, etag = (None, None) if current is None else (current[0].version, current[1])
        pointer = stored.pointer(self._line, name, previous=previous, by=self._context.run_id, at=datetime.now(UTC))
        move_pointer(self._store, self._line, pointer, etag)

    def _champion(self) -> str | None:
        current = read_pointer(self._store, self._line, PointerName.CHAMPION)
        return None if current is None else current[0].version

    def _store_version(self, outcome: str) -> StoredVersion:
        request, context, evidence = self._request, self._context, self._evidence
        claim, archive = claim_with_export(request, context, evidence, self._champion())
        files = version_files(request, context, evidence, claim, archive)
        origin = VersionOrigin(
            verdict=evidence.verdict.verdict,
            reference_sha256=evidence.verdict.reference_sha256,
            snapshot_sha256=request.snapshot.sha256,
            cost=evidence.verdict.candidate_cost,
        )
        with context.reporter.track(f"Store version {claim.version}", total=2 * len(files)) as tracker:
            stored = publish_version(self._store, self._line, claim, files, origin, tracker)
        pick = evidence.search.origin
        picked = "" if pick is None else f" A person picked it: {pick}."
        detail = f"{self._reason} So {outcome}.{picked}"
        self._record(HistoryAction.PUBLISH, claim.version, detail, claim.claimed_at)
        return stored

    def _record(self, action: HistoryAction, subject: str, detail: str, at: datetime) -> None:
        entry = HistoryEntry(action=action, at=at, run_id=self._context.run_id, subject=subject, detail=detail)
        append_once(self._store, self._line, entry)

    def _result(self, *, published: bool, stored: StoredVersion | None, reason: str) -> dict[str, Any]:
        version = None if stored is None else stored.manifest.version
        return {
            "published": published,
            "verdict": self._evidence.verdict.verdict,
            "version": version,
            "version_uri": None if version is None else version_uri(self._line, version),
            "champion": self._champion(),
            "reason": reason,
        }
