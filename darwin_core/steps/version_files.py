"""The files of a version: what publish puts under ``versions/<version>/``, and the number that it puts them under."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from darwin_core.contracts import (
    ArtifactKind,
    Evaluation,
    Explanation,
    ExportReport,
    PublishRequest,
    SearchRecord,
    Snapshot,
    VerdictDocument,
    VersionClaim,
)
from darwin_core.quiet import load_quietly
from darwin_core.registry.costs import state_costs
from darwin_core.registry.layout import EXPORTS, NETWORK, serve_folder
from darwin_core.registry.model_card import CardContent, render_model_card
from darwin_core.registry.versions import claim_version, find_claim
from darwin_core.steps.context import StepContext
from darwin_core.storage import atomic_file, file_digest

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Evidence:
    """The documents that the decision rests on."""

    snapshot: Snapshot
    search: SearchRecord
    evaluation: Evaluation
    verdict: VerdictDocument
    explanation: Explanation


def claim_with_export(
    request: PublishRequest, context: StepContext, evidence: Evidence, champion: str | None
) -> tuple[VersionClaim, Path]:
    """A version number and the exported SavedModel as a zip file; those of a killed attempt where there was one.

    Two exports of one network differ in their bytes. So the first one is kept beside the run, and the claim holds its
    digest: whoever continues, on whatever machine, publishes the same bytes.

    Args:
        request: The step's request.
        context: The step's surroundings.
        evidence: Says which reference the network stands in for.
        champion: The champion's version at this moment.
    """
    if any(True for _ in context.store.list(context.uri("serving"))):
        claim = find_claim(
            context.store, context.line, run_id=context.run_id, candidate_sha256=request.candidate.sha256
        )
        if claim is not None:
            return claim, context.fetch(claim.serving)
    archive = _export(context.fetch(request.candidate), context.fetch(evidence.snapshot.reference), context)
    uri = context.uri("serving", f"{file_digest(archive).sha256}.zip")
    claim = claim_version(
        context.store,
        context.line,
        run_id=context.run_id,
        candidate_sha256=request.candidate.sha256,
        serving=context.upload(archive, uri, ArtifactKind.OTHER),
        previous_champion=champion,
        at=datetime.now(UTC),
    )
    return claim, archive


def version_files(
    request: PublishRequest, context: StepContext, evidence: Evidence, claim: VersionClaim, archive: Path
) -> dict[str, Path]:
    """Path below the version -> local file."""
    folder = context.workdir / "version"
    shutil.rmtree(folder, ignore_errors=True)
    card = CardContent(
        line=context.line,
        claim=claim,
        snapshot=evidence.snapshot,
        search=evidence.search,
        evaluation=evidence.evaluation,
        verdict=evidence.verdict,
        explanation=evidence.explanation,
    )
    texts = {
        "cost.json": state_costs(evidence.search, evidence.verdict).to_json(),
        "model_card.md": render_model_card(card),
    }
    files = {
        NETWORK: context.fetch(request.candidate),
        "verdict.json": context.fetch(request.verdict_document),
        "report.html": context.fetch(request.report),
    }
    sound = tuple(item for item in evidence.search.exports if item.problem is None and item.artifact is not None)
    for record in sound:
        for name, ref in ((record.file, record.artifact), (record.lookups, record.lookups_artifact)):
            if ref is not None:
                files[f"{EXPORTS}/{name}"] = context.fetch(ref)
    if sound:
        texts[f"{EXPORTS}/exports.json"] = ExportReport(network=NETWORK, exports=sound).to_json()
    for name, text in texts.items():
        files[name] = folder / name
        with atomic_file(files[name]) as handle:
            handle.write(text.encode())
    with zipfile.ZipFile(archive) as exported:
        for name in exported.namelist():
            exported.extract(name, folder)
            files[f"{serve_folder(claim.number)}/{name}"] = folder / name
    return files


def _export(network: Path, reference: Path, context: StepContext) -> Path:
    folder, archive = context.workdir / "serving", context.workdir / "serving.zip"
    shutil.rmtree(folder, ignore_errors=True)
    load_quietly("tensorflow")  # not before: a publish that keeps the champion does without, and is done in a second
    from darwin_core.networks import export_serving, load_network, network_inputs

    with context.reporter.track("Export for serving"):
        # Callers send what they sent to the reference, also the inputs that the network does without.
        export_serving(load_network(network), folder, inputs=network_inputs(load_network(reference)))
    with atomic_file(archive) as handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_TIME)
            target.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive
