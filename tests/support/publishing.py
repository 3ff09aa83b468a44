"""Everything a publish needs, stored in a line: real tiny networks, and the documents of a run about them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from darwin_core.contracts import ArtifactKind, ArtifactRef, ExportRecord, PublishRequest, Severity, StepName, Verdict
from darwin_core.progress import Reporter
from darwin_core.steps.context import StepContext
from darwin_core.storage import ObjectStore, join_uri
from support.example_report import table_report, with_verdict

REPORT_HTML = b"<!doctype html><title>report</title>"


def write_network(path: Path, seed: int, inputs: tuple[str, ...] = ("amount", "age")) -> Path:
    """A network with named scalar inputs and random weights."""
    import keras

    keras.utils.set_random_seed(seed)
    tensors = {name: keras.Input((1,), name=name) for name in inputs}
    joined = keras.layers.Concatenate()(list(tensors.values())) if len(tensors) > 1 else next(iter(tensors.values()))
    hidden = keras.layers.Dense(4, activation="relu", name="hidden")(joined)
    model = keras.Model(tensors, keras.layers.Dense(1, activation="sigmoid", name="default")(hidden))
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    return path


@dataclass(frozen=True)
class Night:
    """One run's documents in a line."""

    store: ObjectStore
    line: str
    run_id: str
    request: PublishRequest

    def context(self, work: Path, store: ObjectStore | None = None) -> StepContext:
        """The surroundings of a publish on a machine whose disk is ``work``."""
        context = StepContext(
            step=StepName.PUBLISH,
            line=self.line,
            run_id=self.run_id,
            key="0" * 64,
            store=store or self.store,
            workdir=work / "work",
            cache_dir=work / "cache",
            reporter=Reporter(),
        )
        context.workdir.mkdir(parents=True, exist_ok=True)
        context.cache_dir.mkdir(parents=True, exist_ok=True)
        return context


@dataclass(frozen=True)
class Line:
    """A model line with a reference, in which nights can be played."""

    store: ObjectStore
    prefix: str
    reference: Path

    def night(
        self,
        run_id: str,
        candidate: Path,
        *,
        verdict: Verdict = Verdict.PASS,
        champion_etag: str | None = None,
        block_on_findings: bool = False,
        severities: tuple[Severity, ...] = (),
        exports: tuple[ExportRecord, ...] = (),
    ) -> Night:
        """Store the documents of a run that ended with ``verdict``.

        Args:
            run_id: Names the run.
            candidate: The network it found.
            verdict: What the gate said.
            champion_etag: The champion pointer's ETag when the gate looked.
            block_on_findings: As in the request.
            severities: Of the findings to keep.
            exports: Records of files that the search is to have made; each file holds its own name.
        """
        report = with_verdict(table_report(), verdict, f"The gate had its reasons for {verdict}.")
        network = self._file(run_id, "candidate.keras", candidate.read_bytes(), ArtifactKind.NETWORK)
        reference = self._file(run_id, "reference.keras", self.reference.read_bytes(), ArtifactKind.NETWORK)
        about = {
            "candidate_sha256": network.sha256,
            "reference_sha256": reference.sha256,
            "champion_etag": champion_etag,
        }
        findings = tuple(found for found in report.explanation.findings if found.severity in severities)
        documents = {
            "snapshot": report.snapshot.model_copy(update={"reference": reference}),
            "search_record": report.search.model_copy(update={"exports": self._stored(run_id, exports)}),
            "verdict_document": report.verdict.model_copy(update=about),
            "evaluation": report.evaluation,
            "explanation": report.explanation.model_copy(update={"findings": findings}),
        }
        refs = {
            name: self._file(run_id, f"{name}.json", document.to_json().encode(), ArtifactKind.OTHER)
            for name, document in documents.items()
        }
        request = PublishRequest(
            line=self.prefix,
            run_id=run_id,
            candidate=network,
            findings=self._file(run_id, "findings.json", b"[]", ArtifactKind.FINDINGS),
            report=self._file(run_id, "report.html", REPORT_HTML, ArtifactKind.REPORT),
            block_on_findings=block_on_findings,
            **refs,
        )
        return Night(self.store, self.prefix, run_id, request)

    def _stored(self, run_id: str, exports: tuple[ExportRecord, ...]) -> tuple[ExportRecord, ...]:
        def ref(name: str | None) -> ArtifactRef | None:
            return None if name is None else self._file(run_id, name, name.encode(), ArtifactKind.EXPORT)

        return tuple(
            item.model_copy(update={"artifact": ref(item.file), "lookups_artifact": ref(item.lookups)})
            for item in exports
        )

    def _file(self, run_id: str, name: str, data: bytes, kind: ArtifactKind) -> ArtifactRef:
        uri = join_uri(self.prefix, "runs", run_id, "earlier", name)
        self.store.write(uri, data)
        return ArtifactRef(uri=uri, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), kind=kind)
